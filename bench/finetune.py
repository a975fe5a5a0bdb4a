#!/usr/bin/env python3
"""Prunes networks with pare, fine-tunes them with the original as teacher, and prints top-1 as a markdown table (docs/measured.md).

    bench/finetune.py [--pare build/release/pare] [--shared ../shared] [--only cifar10_resnet20,...] [--prune macs=50%]
                      [--reconstruct "--samples 8192 --steps 600"] [--seeds 1,2,3] [--rows "NAME: options; NAME: options"]

Trains on the 30,000 images of ../shared, last epoch, no early stopping; top-1 is on the 10,000 test images.
The default rows are labels and teacher, the teacher alone, labels alone, 5 epochs each. With --reconstruct the pruned network's
blocks are fitted first, from images without labels.
"""
import argparse
import json
import pathlib
import statistics
import tempfile
import time

from common import NORMALIZED, die
from prune import run, top1

ROWS = "labels and teacher: ; teacher alone: --no-labels; labels alone: no teacher"
COMMON = ["--epochs", "5", "--augment", "cifar"]


def rows_of(text):
    rows = {}
    for part in text.split(";"):
        name, colon, options = part.partition(":")
        if not colon:
            die(f"'{part}' is no row: NAME: options")
        rows[name.strip()] = options.strip()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pare", default="build/release/pare")
    parser.add_argument("--shared", type=pathlib.Path, default=pathlib.Path("../shared"))
    parser.add_argument("--only", default="cifar10_resnet20,cifar10_resnet56")
    parser.add_argument("--prune", default="macs=50%")
    parser.add_argument("--reconstruct", help="options of pare reconstruct, which goes before training")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--rows", default=ROWS)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp())
    preprocess = folder / "preprocess.json"
    preprocess.write_text(json.dumps(NORMALIZED))
    train = ["--data", options.shared / "data/cifar10/train.bin.xz", "--preprocess", preprocess]
    test = ["--data", options.shared / "data/cifar10/test.bin.xz", "--preprocess", preprocess]
    print("| network | pruned | trained with | top-1 before | top-1 after, by seed | mean | seconds |\n|---|---|---|---|---|---|---|", flush=True)
    for name in options.only.split(","):
        dense = options.shared / "models" / f"{name}.onnx"
        pruned = folder / f"{name}.onnx"
        run([options.pare, "prune", dense, options.prune, *train, "-o", pruned])
        before = f"{top1(options.pare, pruned, test, 2):.2f}"
        if options.reconstruct is not None:
            rebuilt = folder / f"{name}_rebuilt.onnx"
            run([options.pare, "reconstruct", pruned, "--teacher", dense, *options.reconstruct.split(), *train, "-o", rebuilt])
            pruned = rebuilt
            before += f", rebuilt {top1(options.pare, pruned, test, 2):.2f}"
        for row, words in rows_of(options.rows).items():
            teacher = [] if "no teacher" in words else ["--teacher", dense]
            figures, seconds = [], []
            for seed in options.seeds.split(","):
                tuned = folder / "tuned.onnx"
                start = time.time()
                run([options.pare, "finetune", pruned, *COMMON, *words.replace("no teacher", "").split(), *teacher, *train,
                     "--seed", seed, "-o", tuned])
                seconds.append(time.time() - start)
                figures.append(top1(options.pare, tuned, test, 2))
            print(f"| {name} | {options.prune} | {row} | {before} | {' / '.join(f'{figure:.2f}' for figure in figures)} | "
                  f"{statistics.mean(figures):.2f} | {statistics.mean(seconds):.0f} |", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Pruning, low rank, and both in one recipe, at equal measured speed, before and after fine-tuning with the original as teacher;
printed as a markdown table (docs/factorize.md).

    bench/compose.py [--pare build/release/pare] [--shared ../shared] [--network cifar10_resnet56] [--speedup 1.6] [--first 1.3]
                     [--train "--epochs 2 --features auto"] [--rows "low rank,pruned,both"]

`both` factorizes to --first and prunes to what is left of --speedup. 512 unlabelled training images fit and repair, 30,000 train,
top-1 is on the 10,000 test images; speed is the original's time over the result's at batch 1, one thread, timed in turn.
"""
import argparse
import json
import pathlib
import tempfile
import time

from common import NETWORKS
from prune import ratio, run, top1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pare", default="build/release/pare")
    parser.add_argument("--shared", type=pathlib.Path, default=pathlib.Path("../shared"))
    parser.add_argument("--network", default="cifar10_resnet56")
    parser.add_argument("--speedup", type=float, default=1.6)
    parser.add_argument("--first", type=float, default=1.3)
    parser.add_argument("--train", default="--epochs 2 --features auto")
    parser.add_argument("--rows", default="low rank,pruned,both")
    options = parser.parse_args()
    recipes = {
        "low rank": f"factorize speedup={options.speedup:g}",
        "pruned": f"prune speedup={options.speedup:g}",
        "both": f"factorize speedup={options.first:g}; prune speedup={options.speedup / options.first:.3g}",
    }
    folder = pathlib.Path(tempfile.mkdtemp())
    preprocess = folder / "preprocess.json"
    preprocess.write_text(json.dumps(NETWORKS[options.network]))
    train = ["--data", options.shared / "data/cifar10/train.bin.xz", "--preprocess", preprocess]
    test = ["--data", options.shared / "data/cifar10/test.bin.xz", "--preprocess", preprocess]
    dense = options.shared / "models" / f"{options.network}.onnx"
    print("| recipe | MACs | speed | top-1 before training | after | seconds of the recipe / of training |\n|---|---|---|---|---|---|", flush=True)
    macs = run([options.pare, "inspect", dense, "--image-size", "32"])[0]["macs"]
    for row in options.rows.split(","):
        small, tuned = folder / "small.onnx", folder / "tuned.onnx"
        start = time.time()
        _, missed = run([options.pare, "run", dense, "--recipe", f"rewrite; {recipes[row]}", *train, "-o", small])
        between = time.time()
        run([options.pare, "finetune", small, "--teacher", dense, "--augment", "cifar", *options.train.split(), *train, "-o", tuned])
        ended = time.time()
        left = run([options.pare, "inspect", tuned, "--image-size", "32"])[0]["macs"]
        print(f"| {recipes[row]}{' (missed)' if missed else ''} | {macs / left:.2f}x | {ratio(options.pare, dense, tuned, '1'):.2f}x | {top1(options.pare, small, test, 2):.2f} | "
              f"{top1(options.pare, tuned, test, 2):.2f} | {between - start:.0f} / {ended - between:.0f} |", flush=True)


if __name__ == "__main__":
    main()

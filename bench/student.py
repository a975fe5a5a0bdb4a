#!/usr/bin/env python3
"""Trains one student network on labels alone and taught by a larger one, and prints top-1 as a markdown table (docs/distill.md).

    bench/student.py [--pare build/release/pare] [--shared ../shared] [--teacher cifar10_resnet56] [--student "mobilenet_v2 --width 0.35"]
                     [--epochs 3] [--seeds 1,2,3] [--taught "--temperature 6 --hard-weight 0.1"]

Both learn from the 30,000 images of ../shared with the same options and seeds, from the same first weights, last epoch; top-1
is on the 10,000 test images. The difference is tested by `pare eval --reference`, seed by seed.
"""
import argparse
import json
import pathlib
import statistics
import tempfile
import time

from common import NORMALIZED
from prune import run, top1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pare", default="build/release/pare")
    parser.add_argument("--shared", type=pathlib.Path, default=pathlib.Path("../shared"))
    parser.add_argument("--teacher", default="cifar10_resnet56")
    parser.add_argument("--student", default="mobilenet_v2 --width 0.35")
    parser.add_argument("--epochs", default="3")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--taught", default="--temperature 6 --hard-weight 0.1")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp())
    preprocess = folder / "preprocess.json"
    preprocess.write_text(json.dumps(NORMALIZED))
    train = ["--data", options.shared / "data/cifar10/train.bin.xz", "--preprocess", preprocess, "--epochs", options.epochs, "--augment", "cifar"]
    test = ["--data", options.shared / "data/cifar10/test.bin.xz", "--preprocess", preprocess]
    teacher = options.shared / "models" / f"{options.teacher}.onnx"
    print(f"{options.student}, taught by {options.teacher} ({top1(options.pare, teacher, test, 2):.2f} %), {options.epochs} epochs\n")
    print("| seed | labels alone | taught | difference (95 %) | seconds, labels / taught |\n|---|---|---|---|---|", flush=True)
    differences = []
    for seed in options.seeds.split(","):
        start, alone, taught = (folder / f"{name}{seed}.onnx" for name in ("start", "alone", "taught"))
        run([options.pare, "new", *options.student.split(), "--size", "32", "--classes", "10", "--seed", seed, "--preprocess", preprocess, "-o", start])
        began = time.time()
        run([options.pare, "finetune", start, *train, "--seed", seed, "-o", alone])
        between = time.time()
        run([options.pare, "distill", start, "--teacher", teacher, *options.taught.split(), *train, "--seed", seed, "-o", taught])
        ended = time.time()
        judged, _ = run([options.pare, "eval", taught, "--reference", alone, *test])
        paired = judged["paired_test"]
        low, high = (100 * bound for bound in paired["interval_95"])
        differences.append(100 * paired["difference"])
        print(f"| {seed} | {100 * judged['reference']['evaluation']['value']:.2f} | {100 * judged['evaluation']['value']:.2f} | {differences[-1]:+.2f} ({low:+.2f} to {high:+.2f}) | "
              f"{between - began:.0f} / {ended - between:.0f} |", flush=True)
    count = len(differences)
    if count > 1:
        t = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776}[count]  # 97.5 % quantiles of Student's t
        half = t * statistics.stdev(differences) / count**0.5
        print(f"\nmean difference over seeds {statistics.mean(differences):+.2f} +- {half:.2f} points (95 %, Student's t)")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Prunes networks with pare, without training, and prints what came out as a markdown table (docs/measured.md).

    bench/prune.py [--pare build/release/pare] [--shared ../shared] [--only NAME,NAME] [--goals macs=50%,speedup=1.3] [--options "--blocks off"]

512 unlabelled training images repair; top-1 is on the 10,000 test images; times are dense over pruned, timed in turn in ONNX Runtime, one thread, batch 1 and 32.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from common import NETWORKS


def run(command):
    """The JSON report of a pare command; exit code 3 (goal missed) is a result too."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        done = subprocess.run([*map(str, command), "--json", report.name, "--quiet"], capture_output=True, text=True)
        if done.returncode not in (0, 3):
            sys.exit(f"bench: {' '.join(map(str, command))}\n{done.stderr}")
        return json.loads(pathlib.Path(report.name).read_text()), done.returncode


def top1(pare, model, data, threads):
    report, _ = run([pare, "eval", model, *data, "--threads", threads])
    return 100 * report["evaluation"]["value"]


def ratio(pare, dense, pruned, batch):
    report, _ = run([pare, "bench", dense, pruned, "--batch", batch])
    return report["results"][0]["speed"]["ratio"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pare", default="build/release/pare")
    parser.add_argument("--shared", type=pathlib.Path, default=pathlib.Path("../shared"))
    parser.add_argument("--only", default="")
    parser.add_argument("--goals", default="macs=66.7%,macs=50%,macs=33.3%")
    parser.add_argument("--options", default="")
    parser.add_argument("--verb", default="prune")
    parser.add_argument("--threads", default="2", help="of the evaluation")
    options = parser.parse_args()
    chosen = [name for name in NETWORKS if not options.only or name in options.only.split(",")]
    folder = pathlib.Path(tempfile.mkdtemp())
    print("| network | goal | MACs | parameters | top-1 | change | time, batch 1 / 32 | took |\n|---|---|---|---|---|---|---|---|", flush=True)
    for name in chosen:
        dense = options.shared / "models" / f"{name}.onnx"
        preprocess = folder / f"{name}.json"
        preprocess.write_text(json.dumps(NETWORKS[name]))
        cifar = options.shared / "data" / "cifar10"
        train = ["--data", cifar / "train.bin.xz", "--preprocess", preprocess]
        test = ["--data", cifar / "test.bin.xz", "--preprocess", preprocess]
        before, _ = run([options.pare, "inspect", dense, "--image-size", "32"])
        accuracy = top1(options.pare, dense, test, options.threads)
        for goal in options.goals.split(","):
            small = folder / f"{name}_small.onnx"
            start = time.time()
            _, code = run([options.pare, options.verb, dense, goal, *options.options.split(), *train, "-o", small])
            seconds = time.time() - start
            after, _ = run([options.pare, "inspect", small, "--image-size", "32"])
            pruned = top1(options.pare, small, test, options.threads)
            speed = " / ".join(f"{ratio(options.pare, dense, small, batch):.2f}x" for batch in ("1", "32"))
            print(f"| {name} | {goal}{' (missed)' if code else ''} | {before['macs'] / after['macs']:.2f}x | {before['parameters'] / after['parameters']:.2f}x"
                  f" | {pruned:.2f} | {pruned - accuracy:+.2f} | {speed} | {seconds:.0f} s |", flush=True)


if __name__ == "__main__":
    main()

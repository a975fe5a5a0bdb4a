#!/usr/bin/env python3
"""What static quantization of a ResNet-50 costs: pare against ONNX Runtime's quantizer, wall time and peak memory.

Each run is a fresh process on the same cores; random weights and images (resnet50.py). pare also runs on 1,000 images,
to show that its memory does not grow with their number. --repeat gives medians.
"""
import argparse
import os
import statistics
import sys
from pathlib import Path

import common
import peers
import resnet50

METHODS = {"minmax": "MinMax", "entropy": "Entropy"}


def quantize_with_onnxruntime(folder, count, method, target):
    """Images are mapped and prepared one at a time, as pare reads them."""
    import numpy as np

    peers.quantize_with_onnxruntime(folder / "resnet50.onnx", target, METHODS[method],
                                    np.load(folder / f"images{count}.npy", mmap_mode="r"), resnet50.PREPROCESS, batch=1)


def jobs(options):
    """(name, images, command)."""
    folder, target = options.work / "resnet50", options.work / "resnet50" / "quantized.onnx"
    for count in resnet50.IMAGES:
        for method in METHODS:
            yield (f"pare quantize, {method}", count,
                   [options.pare, "quantize", folder / "resnet50.onnx", "--data", folder / f"images{count}.npy",
                    "--preprocess", folder / "preprocess.json", "--calibrate", method, "--samples", count,
                    "--threads", options.threads, "-o", target])
    for method in METHODS:
        yield (f"ONNX Runtime quantizer, {method}", 100,
               [sys.executable, __file__, "--work", options.work, "--worker", "100", method, target])


def measure(name, count, command, options):
    log = options.work / "resnet50" / "quantize.log"
    runs = []
    for _ in range(options.repeat):
        common.say(f"{name}, {count} images")
        runs.append(common.cost_of(command, log))
        if runs[-1]["status"] != 0:
            common.die(f"{name} ended with {runs[-1]['status']}: {log.read_text().strip()[-500:]}")
    return {key: statistics.median(run[key] for run in runs) for key in ("wall_s", "cpu_s", "peak_mb")}


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--pare", type=Path, default=common.REPOSITORY / "build" / "release" / "pare")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--images", type=int, choices=resnet50.IMAGES, nargs="*", default=resnet50.IMAGES)
    parser.add_argument("--only", default="", help="only runs whose name holds this")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        count, method, target = options.worker
        quantize_with_onnxruntime(options.work / "resnet50", int(count), method, Path(target))
        return
    # ONNX Runtime's quantizer takes as many threads as it has cores: bind all to as many cores as threads are asked.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    resnet50.write(options.work / "resnet50")
    rows = []
    for name, count, command in jobs(options):
        if options.only in name and count in options.images:
            cost = measure(name, count, command, options)
            rows.append([name, count, f"{cost['wall_s']:.1f}", f"{cost['cpu_s']:.1f}", f"{cost['peak_mb']:.0f}"])
    print(f"{common.machine()}; {options.threads} threads, ResNet-50 at 224x224, random weights\n")
    print(common.markdown(["tool", "images", "wall s", "CPU s", "peak MB"], rows))


if __name__ == "__main__":
    common.use_environment()
    main()

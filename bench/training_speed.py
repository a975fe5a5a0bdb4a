#!/usr/bin/env python3
"""Times training steps of pare beside python torch on the same networks, and prints a markdown table (docs/measured.md).

    bench/training_speed.py [--pare build/release/pare] [--only resnet20,resnet56] [--rounds 3] [--images 4096]

Forward, backward and one step of SGD with momentum, batch 128, one thread, 32 x 32 images, BatchNormalization by the batch.
The networks are those of `pare new`; the peer's are built here with the same layers, and must have as many weights. Rounds
of the two alternate on one core; each figure is the median of rounds, the peer's best of plain, channels-last and
bfloat16 counts. Makes its own pinned Python environment (bench/requirements_torch.txt).
"""
import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from common import die, use_environment

BATCH = 128
DEPTHS = {"resnet20": 3, "resnet56": 9}


def peer_network(blocks):
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(outputs)
            self.short = None
            if stride != 1 or inputs != outputs:
                self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = torch.relu(self.norm1(self.conv1(x)))
            return torch.relu(self.norm2(self.conv2(y)) + (x if self.short is None else self.short(x)))

    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    width = 16
    for stage, outputs in enumerate((16, 32, 64)):
        for block in range(blocks):
            layers.append(Block(width, outputs, 2 if stage > 0 and block == 0 else 1))
            width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def peer(network, setting, images):
    """Images per second of python torch; runs in a process of its own."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = peer_network(DEPTHS[network]).train()
    inputs, labels = torch.randn(images, 3, 32, 32), torch.randint(0, 10, (images,))
    if setting != "plain":
        model, inputs = model.to(memory_format=torch.channels_last), inputs.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def epoch(count):
        for at in range(0, count, BATCH):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=setting == "bfloat16"):
                loss = torch.nn.functional.cross_entropy(model(inputs[at : at + BATCH]), labels[at : at + BATCH])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    epoch(4 * BATCH)
    start = time.time()
    epoch(images)
    print(images / (time.time() - start), sum(parameter.numel() for parameter in model.parameters()))


def one_core(command):
    result = subprocess.run(["taskset", "-c", "0", *map(str, command)], capture_output=True, text=True, check=False)
    if result.returncode:
        die(f"{' '.join(map(str, command))}\n{result.stderr}")
    return result.stdout + result.stderr


def of_pare(pare, network, precision, data, folder):
    tuned = folder / "tuned.onnx"
    tuned.unlink(missing_ok=True)
    text = one_core([pare, "finetune", network, "--data", data, "--epochs", 2, "--norm", "batch", "--precision", precision, "--lr", "0.01", "-o", tuned])
    return float(re.findall(r"([\d,]+) images/s", text)[-1].replace(",", ""))  # the second epoch


def main():
    if sys.argv[1:2] == ["--peer"]:
        peer(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pare", default="build/release/pare")
    parser.add_argument("--only", default="resnet20,resnet56")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=4096)
    options = parser.parse_args()
    use_environment("requirements_torch.txt")
    import numpy

    folder = pathlib.Path(tempfile.mkdtemp())
    random = numpy.random.default_rng(0)
    data = folder / "data.npz"
    numpy.savez(data, x=random.standard_normal((options.images, 3, 32, 32), dtype=numpy.float32), y=random.integers(0, 10, options.images))
    print("| network | pare float32 | pare bfloat16 | torch | torch channels-last | torch bfloat16 | best pare / best torch |\n|---|---|---|---|---|---|---|", flush=True)
    for name in options.only.split(","):
        network = folder / f"{name}.onnx"
        one_core([options.pare, "new", name, "--size", 32, "--classes", 10, "-o", network])
        figures = {}
        for _ in range(options.rounds):
            for precision in ("float32", "bfloat16"):
                figures.setdefault(precision, []).append(of_pare(options.pare, network, precision, data, folder))
            for setting in ("plain", "channels-last", "bfloat16"):
                speed = one_core([sys.executable, __file__, "--peer", name, setting, options.images]).split()[0]
                figures.setdefault("torch " + setting, []).append(float(speed))
        medians = {key: statistics.median(values) for key, values in figures.items()}
        best = max(medians["float32"], medians["bfloat16"])
        best_torch = max(value for key, value in medians.items() if key.startswith("torch"))
        print(f"| {name} | {' | '.join(f'{value:.0f}' for value in medians.values())} | {best / best_torch:.2f} |", flush=True)


if __name__ == "__main__":
    main()

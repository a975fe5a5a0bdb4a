#!/usr/bin/env python3
"""Trains, distils and prunes networks that give maps, and prints two markdown tables (docs/maps.md).

    bench/maps.py [--pare build/release/pare] [--shared ../shared] [--only segmentation,regression] [--seeds 1,2,3] [--folder DIR]

Segmentation: forest in Sentinel-2 patches, a U-Net; regression: one Landsat band from five others. A teacher is trained on
the training part; students of less than a quarter of its MACs, and the teacher itself pruned to a quarter, are trained on
labels alone and with the teacher, all with the same number of epochs and the same seeds. Metrics are those of `pare eval` on
the test part; speed is teacher over student, timed in turn, one thread, batch 1. Half an hour on one core.
"""
import argparse
import json
import pathlib
import statistics
import tempfile

from common import die
from prune import ratio, run

WAYS = {"labels alone": lambda teacher: [], "labels and teacher": lambda teacher: ["--teacher", teacher],
        "teacher alone": lambda teacher: ["--teacher", teacher, "--no-labels"],
        "labels alone, squared error": lambda teacher: ["--hard-loss", "mse"],
        "labels, bounded by the teacher": lambda teacher: ["--teacher", teacher, "--loss", "bounded"]}
TASKS = {
    "segmentation": {
        "preprocess": {"tile": 96, "mask_values": [2, 1], "scale": 1 / 255},
        "data": ("data/s2_forest/train", "data/s2_forest/val"),
        "teacher": ["unet", "--channels", "16", "--depth", "3", "--size", "96", "--classes", "2"],
        "students": {"U-Net, 8 channels, depth 2": ["unet", "--channels", "8", "--depth", "2", "--size", "96", "--classes", "2"],
                     "U-Net, 4 channels, depth 2": ["unet", "--channels", "4", "--depth", "2", "--size", "96", "--classes", "2"]},
        "teach": ["--epochs", "6", "--augment", "aerial"],
        "train": ["--epochs", "6", "--augment", "aerial"],
        "pruned": ["--epochs", "2", "--augment", "aerial"],
        "ways": ["labels alone", "labels and teacher"],
    },
    "regression": {
        "preprocess": {"tile": 32, "target_bands": [6]},
        "data": ("data/geotiff/L7_ETMs.tif#train", "data/geotiff/L7_ETMs.tif#test"),
        "teacher": ["regressor", "--channels", "32", "--depth", "3", "--size", "32", "--bands", "5"],
        "students": {"regressor, 16 channels, depth 2": ["regressor", "--channels", "16", "--depth", "2", "--size", "32", "--bands", "5"],
                     "regressor, 8 channels, depth 2": ["regressor", "--channels", "8", "--depth", "2", "--size", "32", "--bands", "5"]},
        "teach": ["--epochs", "120", "--augment", "aerial"],
        "train": ["--epochs", "60", "--augment", "aerial"],
        "pruned": ["--epochs", "20", "--augment", "aerial"],
        "ways": ["labels alone", "labels and teacher", "teacher alone", "labels alone, squared error", "labels, bounded by the teacher"],
    },
}


class Task:
    def __init__(self, name, options, folder):
        self.name, self.options, self.folder, self.spec = name, options, folder, TASKS[name]
        self.preprocess = folder / f"{name}.json"
        self.preprocess.write_text(json.dumps(self.spec["preprocess"]))
        self.train, self.test = (options.shared / path for path in self.spec["data"])
        self.teacher = self.model("teacher")

    def model(self, name):
        return self.folder / f"{self.name}_{name.replace(' ', '_').replace(',', '')}.onnx"

    def new(self, words, path, seed=0):
        run([self.options.pare, "new", *words, "--seed", str(seed), "--preprocess", self.preprocess, "-o", path])

    def finetune(self, start, words, seed, path):
        run([self.options.pare, "finetune", start, "--data", self.train, *words, "--seed", seed, "--threads", "1", "-o", path])

    def evaluate(self, path):
        return run([self.options.pare, "eval", path, "--data", self.test])[0]["evaluation"]

    def value(self, evaluation):
        return evaluation["value"] if self.name == "regression" else 100 * evaluation["value"]

    def macs(self, path):
        return run([self.options.pare, "inspect", path])[0]["macs"]

    def detail(self, evaluation):
        if self.name == "regression":
            return f"R2 {evaluation['regression']['r2']:.4f}"
        return " / ".join(f"{100 * value:.2f}" for value in evaluation["per_class"])

    def row(self, network, way, path, figures, detail):
        share = self.macs(path) / self.macs(self.teacher)
        speed = "1" if path == self.teacher else f"{ratio(self.options.pare, self.teacher, path, '1'):.2f}x"
        digits = 3 if self.name == "regression" else 2
        print(f"| {network} | {100 * share:.1f} % | {speed} | {way} | {' / '.join(f'{figure:.{digits}f}' for figure in figures)} | "
              f"{statistics.mean(figures):.{digits}f} | {detail} |", flush=True)

    def rows_of(self, network, start, words, ways):
        """`start(seed)` gives the network before training."""
        for way in ways:
            figures, evaluations = [], []
            for seed in self.options.seeds.split(","):
                tuned = self.model(f"{network} {way}")
                self.finetune(start(seed), [*words, *WAYS[way](self.teacher)], seed, tuned)
                evaluations.append(self.evaluate(tuned))
                figures.append(self.value(evaluations[-1]))
            self.row(network, way, tuned, figures, self.detail(evaluations[-1]))

    def print(self):
        metric, detail = ("RMSE", "last seed") if self.name == "regression" else ("mean IoU", "last seed: background / forest")
        print(f"| {self.name} | MACs | speed | trained with | {metric}, by seed | mean | {detail} |\n|---|---|---|---|---|---|---|", flush=True)
        fresh = self.model("fresh")

        def fresh_student(words):
            def make(seed):
                self.new(words, fresh, seed)
                return fresh
            return make

        self.finetune(fresh_student(self.spec["teacher"])(0), self.spec["teach"], "0", self.teacher)
        evaluation = self.evaluate(self.teacher)
        if self.name == "regression":
            print(f"| the mean of the test targets | 0 % | | | {evaluation['value'] / (1 - evaluation['regression']['r2']) ** 0.5:.3f} | | R2 0 |")
        self.row("teacher", "labels", self.teacher, [self.value(evaluation)], self.detail(evaluation))
        for network, words in self.spec["students"].items():
            self.rows_of(network, fresh_student(words), self.spec["train"], self.spec["ways"])
        pruned = self.model("pruned")
        run([self.options.pare, "prune", self.teacher, "macs=25%", "--data", self.train, "-o", pruned])
        evaluation = self.evaluate(pruned)
        self.row("teacher pruned", "nothing", pruned, [self.value(evaluation)], self.detail(evaluation))
        self.rows_of("teacher pruned", lambda seed: pruned, self.spec["pruned"], self.spec["ways"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pare", default="build/release/pare")
    parser.add_argument("--shared", type=pathlib.Path, default=pathlib.Path("../shared"))
    parser.add_argument("--only", default=",".join(TASKS))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--folder", type=pathlib.Path, help="where the networks are kept (default: a temporary one)")
    options = parser.parse_args()
    folder = options.folder or pathlib.Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    for name in options.only.split(","):
        if name not in TASKS:
            die(f"there is no task '{name}'; known: {', '.join(TASKS)}")
        Task(name, options, folder).print()


if __name__ == "__main__":
    main()

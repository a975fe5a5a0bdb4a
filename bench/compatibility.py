#!/usr/bin/env python3
"""Runs pare over every ONNX file of a folder and prints the outcome as a markdown table (docs/compatibility.md).

    bench/compatibility.py [--pare build/release/pare] [--models ../shared/models/zoo] > docs/compatibility.md
    bench/compatibility.py --models FOLDER --columns inspect,prune     any folder of models, without int8

Each file is inspected, quantized to int8 with random calibration data and pruned by 25 and 50 % of its channels without data: the table says whether the graph is understood
and the result runs in ONNX Runtime and OpenVINO, not how accurate it is. A refusal must name the reason. A defect makes the exit code 1: a crash, a signal, a run over
the time limit, a pruned file that is not smaller, or one that does not run where the file before it does.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

RUNTIMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
SHARES = (25, 50)


def prune_command(pare, model, share, target):
    return [pare, "prune", str(model), "--channels", f"{100 - share}%", "-o", str(target)]


def quantize_command(pare, model, target, report):
    return [pare, "quantize", str(model), "-o", str(target), "--allow-random", "--samples", "4", "--json", str(report)]


def run(command, limit_s):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return None, "", f"over {limit_s} s"
    return done.returncode, done.stdout, done.stderr


class Outcome:
    """What one command came to: "done", "refused" or "defect", and the text for the table."""

    def __init__(self, kind, text):
        self.kind = kind
        self.text = {"done": "", "refused": "refused: ", "defect": "DEFECT: "}[kind] + text.replace("|", "/").replace("\n", " ")


def outcome(code, err):
    if code in (0, 3):  # 3: the goal was missed, the model is there
        return Outcome("done", "done")
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    if code in (1, 2) and lines:
        return Outcome("refused", lines[0][len("error: "):][:160])
    return Outcome("defect", f"exit code {code}: {err[-160:]}")


def figures_of(pare, model):
    code, out, err = run([pare, "inspect", str(model), "--json", "-"], 300)
    return (json.loads(out) if code == 0 else None), outcome(code, err)


def inspect(options, model, folder):
    figures, result = figures_of(options.pare, model)
    if figures:
        result.text = f"{figures['parameters']:,} parameters, {figures['macs'] / 1e6:,.1f} M MACs"
    return [result]


def quantize(options, model, folder):
    target, report = folder / "out.onnx", folder / "report.json"
    code, _, err = run(quantize_command(options.pare, model, target, report), options.limit)
    result = outcome(code, err)
    if code == 0:
        figures = json.loads(report.read_text())
        layers = int(figures["figures"].get("quantize.quantized_ops", 0))
        size = figures["size_bytes"]
        result.text = f"{layers} operators int8, {size['before'] / max(size['after'], 1):.1f}x smaller" if layers else "nothing to quantize"
    target.unlink(missing_ok=True)
    return [result]


def runs(pare, model, runtime):
    """Empty if the model loads and runs there, else the reason."""
    code, _, err = run([pare, "bench", str(model), "--runtime", runtime, "--time", "0.05"], 300)
    return "" if code == 0 else outcome(code, err).text


def prune(options, model, folder):
    return [prune_share(options, model, folder / "out.onnx", share) for share in SHARES]


def prune_share(options, model, target, share):
    code, _, err = run(prune_command(options.pare, model, share, target), options.limit)
    result = outcome(code, err)
    if code != 0:
        return result
    before, after = figures_of(options.pare, model)[0], figures_of(options.pare, target)[0]
    if not before or not after:
        result = Outcome("defect", "pare inspect does not read the result")
    elif after["parameters"] >= before["parameters"]:
        result = Outcome("defect", "done, but not smaller")
    else:
        failed = {name: runs(options.pare, target, word) for word, name in RUNTIMES.items() if word in options.runtimes}
        words = {name: word for word, name in RUNTIMES.items()}
        broken = [name for name, reason in failed.items() if reason and not runs(options.pare, model, words[name])]
        if broken:
            result = Outcome("defect", f"does not run in {broken[0]}: {failed[broken[0]][:160]}")
        else:
            macs = f", {before['macs'] / after['macs']:.2f}x fewer MACs" if after["macs"] else ""
            where = [name for name, reason in failed.items() if not reason]
            result.text = f"{before['parameters'] / after['parameters']:.2f}x fewer parameters{macs}, runs in {' and '.join(where) or 'neither, nor did the file before'}"
    target.unlink(missing_ok=True)
    return result


COLUMNS = {"inspect": (inspect, ["inspect"]), "quantize": (quantize, ["quantize"]), "prune": (prune, [f"prune {share} %" for share in SHARES])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pare", default="build/release/pare")
    parser.add_argument("--models", default="../shared/models/zoo", help="folder of .onnx files")
    parser.add_argument("--columns", default=",".join(COLUMNS), help="some of %(default)s")
    parser.add_argument("--runtimes", default=",".join(RUNTIMES), help="where pruned files must run (default %(default)s)")
    parser.add_argument("--limit", type=float, default=300, help="seconds that a command may take (default %(default)s)")
    options = parser.parse_args()
    chosen = options.columns.split(",")
    if unknown := [word for word in chosen if word not in COLUMNS]:
        sys.exit(f"no column '{unknown[0]}'; known: {', '.join(COLUMNS)}")
    options.runtimes = options.runtimes.split(",")
    models = sorted(pathlib.Path(options.models).glob("*.onnx"))
    if not models:
        sys.exit(f"no .onnx files in {options.models}")
    titles = [title for word in chosen for title in COLUMNS[word][1]]
    print("# Compatibility\n")
    print("Real ONNX files from many exporters, each through `pare inspect`, `pare quantize --allow-random` and `pare prune --channels` (random calibration")
    print("data or none: the table says whether the graph is understood and the result runs, not how accurate it is). Made by `bench/compatibility.py`.\n")
    print("| file | " + " | ".join(titles) + " |\n|---" + "|---" * len(titles) + "|")
    counts = {title: {"done": 0, "refused": 0, "defect": 0} for title in titles}
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            results = [result for word in chosen for result in COLUMNS[word][0](options, model, pathlib.Path(folder))]
            for title, result in zip(titles, results):
                counts[title][result.kind] += 1
            print(f"| {model.name} | " + " | ".join(result.text for result in results) + " |", flush=True)
    print(f"\n{len(models)} files.")
    for title, count in counts.items():
        done = "pruned" if title.startswith("prune") else "done"
        print(f"{title}: {count['done']} {done}, {count['refused']} refused with a reason, {count['defect']} defects.  ")
    return 1 if any(count["defect"] for count in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

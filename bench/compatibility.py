#!/usr/bin/env python3
"""Runs pare over every ONNX file of a folder and prints the outcome as a markdown table (docs/compatibility.md).

    bench/compatibility.py [--pare build/release/pare] [--models ../shared/models/zoo] > docs/compatibility.md

Each file is inspected and quantized to int8 with random calibration data: the table says whether the graph is understood, not how accurate the result is.
A refusal must name the reason; a crash, a signal or a run over the time limit is a defect, is shown as such and makes the exit code 1.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

LIMIT_S = 300


def run(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return None, "", f"over {LIMIT_S} s"
    return done.returncode, done.stdout, done.stderr


def outcome(code, err):
    if code == 0:
        return "done", True
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    if code in (1, 2) and lines:
        return "refused: " + lines[0][len("error: "):].replace("|", "/")[:160], True
    return f"DEFECT: exit code {code}: {err[-160:]}", False


def row(pare, model, folder):
    code, out, err = run([pare, "inspect", str(model), "--json", "-"])
    inspected, good = outcome(code, err)
    if code == 0:
        figures = json.loads(out)
        inspected = f"{figures['parameters']:,} parameters, {figures['macs'] / 1e6:,.1f} M MACs"
    target, report = folder / "out.onnx", folder / "report.json"
    code, out, err = run([pare, "quantize", str(model), "-o", str(target), "--allow-random", "--samples", "4", "--json", str(report)])
    quantized, fine = outcome(code, err)
    if code == 0:
        figures = json.loads(report.read_text())
        layers = int(figures["figures"].get("quantize.quantized_ops", 0))
        size = figures["size_bytes"]
        quantized = f"{layers} operators int8, {size['before'] / max(size['after'], 1):.1f}x smaller" if layers else "nothing to quantize"
    target.unlink(missing_ok=True)
    return f"| {model.name} | {inspected} | {quantized} |", good and fine


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pare", default="build/release/pare")
    parser.add_argument("--models", default="../shared/models/zoo")
    options = parser.parse_args()
    models = sorted(pathlib.Path(options.models).glob("*.onnx"))
    if not models:
        sys.exit(f"no .onnx files in {options.models}")
    print("# Compatibility\n")
    print("Real ONNX files from many exporters, each through `pare inspect` and `pare quantize --allow-random` (random calibration data: the table says")
    print("whether the graph is understood and the result runs, not how accurate it is). Made by `bench/compatibility.py`.\n")
    print("| file | inspect | quantize |\n|---|---|---|")
    rows, defects = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            line, good = row(options.pare, model, pathlib.Path(folder))
            rows.append(line)
            defects += not good
            print(line, flush=True)
    refused = sum("| refused" in line.rsplit("|", 2)[1] or line.count("refused:") > 0 for line in rows)
    print(f"\n{len(rows)} files: {len(rows) - refused - defects} done, {refused} refused with a reason, {defects} defects.")
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())

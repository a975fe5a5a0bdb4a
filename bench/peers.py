#!/usr/bin/env python3
"""Quantizes the CIFAR-10 networks with other tools, and measures what they make and what they cost.

Each tool gets the first 512 training images and runs in a fresh process, of which CPU seconds and peak memory are
taken (start of Python and imports included). Accuracy is that of ONNX Runtime on all 10,000 test images. Files and
figures are kept in --work and reused as long as network, versions and settings are the same.
"""
import argparse
import sys
from pathlib import Path

import common

ONNX_RUNTIME = {
    "onnxruntime_minmax": "MinMax",
    "onnxruntime_percentile": "Percentile",
    "onnxruntime_entropy": "Entropy",
}
TOOLS = {
    "onnxruntime_minmax": "ONNX Runtime quantizer, min-max",
    "onnxruntime_percentile": "ONNX Runtime quantizer, percentile",
    "onnxruntime_entropy": "ONNX Runtime quantizer, entropy",
    "nncf": "NNCF",
}
SETTINGS = "1"  # of this script; raise it when what it asks of a tool changes


def feeds(entry, images, preprocess, batch):
    for start in range(0, len(images), batch):
        yield entry.feed(images[start : start + batch], preprocess)


def quantize_with_onnxruntime(source, target, method, images, preprocess, batch=32):
    """As its documentation advises for x86: preprocessed, QDQ, uint8 activations, int8 weights per channel."""
    from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType,
                                          quantize_static)
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = target.with_suffix(".prepared.onnx")
    # Symbolic shape inference is for models whose inner shapes depend on values; these have none.
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    entry = common.Input(prepared)
    stream = feeds(entry, images, preprocess, entry.batch or batch)

    class Reader(CalibrationDataReader):
        def get_next(self):
            return next(stream, None)

    quantize_static(str(prepared), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    calibrate_method=getattr(CalibrationMethod, method))
    prepared.unlink()


def quantize_with_nncf(source, target, images, preprocess):
    import nncf
    import onnx

    entry = common.Input(source)
    dataset = nncf.Dataset(list(feeds(entry, images, preprocess, 1)))
    onnx.save(nncf.quantize(onnx.load(str(source)), dataset, subset_size=len(images)), str(target))


def quantize(network, tool, shared, target):
    images, _ = common.cifar(shared, "train", common.CALIBRATION_IMAGES)
    source, preprocess = shared / "models" / f"{network}.onnx", common.NETWORKS[network]
    if tool in ONNX_RUNTIME:
        quantize_with_onnxruntime(source, target, ONNX_RUNTIME[tool], images, preprocess)
    else:
        quantize_with_nncf(source, target, images, preprocess)


def accuracy(path, network, options):
    images, labels = common.cifar(options.shared, "test", 10000)
    return 100 * float(common.hits(path, images, labels, common.NETWORKS[network], options.threads).mean())


def measure(network, tool, options, results):
    """Figures of one tool on one network; {"failed": ...} if it made no file."""
    source = options.shared / "models" / f"{network}.onnx"
    package = "nncf" if tool == "nncf" else "onnxruntime"
    depends = [SETTINGS, common.sha256(source), f"{package} {common.version_of(package)}"]
    target = options.work / "files" / f"{network}.{tool}.onnx"
    found = results.find(f"{network}/{tool}", depends)
    if found and (target.exists() or "failed" in found):
        return found
    common.say(f"{network}: {TOOLS[tool]}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    log = target.with_suffix(".log")
    command = [sys.executable, __file__, "--worker", network, tool, target, "--shared", options.shared]
    result = common.cost_of(command, log)
    if result["status"] != 0 or not target.exists():
        last = (log.read_text().strip().splitlines() or ["no message"])[-1]
        return results.put(f"{network}/{tool}", depends, {"failed": f"{last} (log: {log})"})
    result |= {"bytes": target.stat().st_size, "top1": accuracy(target, network, options)}
    return results.put(f"{network}/{tool}", depends, result)


def dense(network, options, results):
    source = options.shared / "models" / f"{network}.onnx"
    depends = [SETTINGS, common.sha256(source)]
    return results.find(f"{network}/dense", depends) or results.put(
        f"{network}/dense", depends, {"bytes": source.stat().st_size, "top1": accuracy(source, network, options)})


def table(figures):
    rows = []
    for network, tools in figures.items():
        for tool, result in tools.items():
            name = TOOLS.get(tool, "float model")
            if "failed" in result:
                rows.append([network, name, "failed", "", "", ""])
                continue
            cost = [f"{result['cpu_s']:.1f}", f"{result['peak_mb']:.0f}"] if "cpu_s" in result else ["", ""]
            rows.append([network, name, f"{result['top1']:.2f}", f"{result['bytes'] / 1000:.0f} K", *cost])
            network = ""
    return common.markdown(["network", "tool", "top-1 %", "bytes", "CPU s", "peak MB"], rows)


def all_figures(options, networks, tools):
    """{network: {"dense": ..., tool: ...}}, measured or from the last time."""
    results = common.Results(options.work / "peers.json")
    figures = {}
    # Unpacked here, so that no tool is charged for it.
    common.cifar(options.shared, "train", common.CALIBRATION_IMAGES)
    for network in networks:
        figures[network] = {"dense": dense(network, options, results)}
        for tool in tools:
            figures[network][tool] = measure(network, tool, options, results)
    return figures


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--networks", nargs="*", default=[], help="file names without .onnx (default all)")
    parser.add_argument("--tools", nargs="*", default=[], help=f"of: {', '.join(TOOLS)} (default all)")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        network, tool, target = options.worker
        quantize(network, tool, options.shared, Path(target))
        return
    figures = all_figures(options, common.choose(options.networks, common.NETWORKS, "network"),
                          common.choose(options.tools, TOOLS, "tool"))
    print(table(figures))


if __name__ == "__main__":
    common.use_environment()
    main()

#!/usr/bin/env python3
"""pare compress against other tools' int8 files on the CIFAR-10 networks; prints the README's table.

For each network: the peers' files (peers.py, made now if they are not there), `pare compress --max-drop 1%`, then all
of them timed against the float model by `pare bench`, which alternates the two in one process. Accuracy of every file
is taken by the same code (ONNX Runtime's Python package, all 10,000 test images), not by pare.
"""
import json
import subprocess
from pathlib import Path

import common
import peers

BATCHES = (1, 32)


def compress(network, options):
    """pare's file and figures."""
    source = options.shared / "models" / f"{network}.onnx"
    folder = options.work / "pare"
    folder.mkdir(parents=True, exist_ok=True)
    preprocess = folder / f"{network}.json"
    preprocess.write_text(json.dumps(common.NETWORKS[network]))
    target, log = folder / f"{network}.onnx", folder / f"{network}.log"
    target.unlink(missing_ok=True)
    cifar = options.shared / "data" / "cifar10"
    common.say(f"{network}: pare compress (log: {log})")
    command = [options.pare, "compress", source, "--data", cifar / "train.bin.xz", "--eval", cifar / "test.bin.xz",
               "--preprocess", preprocess, "--max-drop", "1%", "-o", target,
               "--report", target.with_suffix(".report.json")]
    cost = common.cost_of(command, log)
    if cost["status"] not in (0, 3) or not target.exists():  # 3: the goal was missed, the best valid file is saved
        common.die(f"pare compress {network} ended with {cost['status']}; see {log}")
    return cost | {"path": target, "bytes": target.stat().st_size, "top1": peers.accuracy(target, network, options),
                   "met": cost["status"] == 0}


def speeds(baseline, other, options):
    """{batch: {"ratio", "interval_95", ...}}: how many times faster `other` is, one thread."""
    command = [options.pare, "bench", baseline, other, "--batch", ",".join(map(str, BATCHES)), "--threads", 1,
               "--time", options.time, "--json", "-"]
    out = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {entry["batch"]: entry["speed"] for entry in json.loads(out)["results"]}


def speed_text(speed):
    low, high = speed["interval_95"]
    return f"{speed['ratio']:.2f}x ({low:.2f} to {high:.2f})"


def rows_of(network, figures, options):
    """The rows of the table, and how pare stands to the best peer."""
    source = options.shared / "models" / f"{network}.onnx"
    dense = figures.pop("dense")
    rows = [[network, "float model", f"{dense['top1']:.2f}", f"{dense['bytes'] / 1000:.0f} K",
             *["1"] * len(BATCHES), ""]]
    made = {tool: figure for tool, figure in figures.items() if "failed" not in figure}
    for tool, figure in made.items():
        figure["path"] = options.work / "files" / f"{network}.{tool}.onnx"
    made["pare"] = compress(network, options)
    for tool, figure in made.items():
        common.say(f"{network}: timing {tool}")
        figure["speed"] = speeds(source, figure["path"], options)
        name = "**pare compress**" if tool == "pare" else peers.TOOLS[tool]
        rows.append(["", name, f"{figure['top1']:.2f}", f"{figure['bytes'] / 1000:.0f} K",
                     *(speed_text(figure["speed"][batch]) for batch in BATCHES),
                     f"{figure['cpu_s']:.1f}, {figure['peak_mb']:.0f}"])
    rows += [["", peers.TOOLS[tool], "failed", *[""] * (len(BATCHES) + 2)] for tool in figures if tool not in made]
    return rows, standing(network, made, options)


def standing(network, made, options):
    """pare against the best peer of each figure: most accurate, fastest, smallest."""
    ours = made.pop("pare")
    if not made:
        return f"{network}: no peer made a file"
    accurate = max(made.values(), key=lambda figure: figure["top1"])
    smallest = min(figure["bytes"] for figure in made.values())
    fastest = max(made, key=lambda tool: made[tool]["speed"][BATCHES[0]]["ratio"])
    direct = speeds(made[fastest]["path"], ours["path"], options)
    against = ", ".join(f"{speed_text(direct[batch])} at batch {batch}" for batch in BATCHES)
    return (f"{network}: top-1 {ours['top1'] - accurate['top1']:+.2f} points to the most accurate peer; "
            f"{against} to the fastest at batch {BATCHES[0]} ({peers.TOOLS[fastest]}); "
            f"{ours['bytes'] - smallest:+d} bytes to the smallest; goal {'met' if ours['met'] else 'MISSED'}")


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--pare", type=Path, default=common.REPOSITORY / "build" / "release" / "pare")
    parser.add_argument("--networks", nargs="*", default=[], help="file names without .onnx (default all)")
    parser.add_argument("--tools", nargs="*", default=[], help=f"of: {', '.join(peers.TOOLS)} (default all)")
    parser.add_argument("--time", type=float, default=3, help="seconds of timing for each pair and batch size")
    options = parser.parse_args()
    if not options.pare.exists():
        common.die(f"no {options.pare}; build it first (cmake --preset release && cmake --build --preset release)")
    networks = common.choose(options.networks, common.NETWORKS, "network")
    figures = peers.all_figures(options, networks, common.choose(options.tools, peers.TOOLS, "tool"))
    rows, lines = [], []
    for network in networks:
        more, line = rows_of(network, figures[network], options)
        rows += more
        lines.append(line)
    print(f"{common.machine()}; one thread, ONNX Runtime {common.version_of('onnxruntime')}; "
          "speed against the float model with 95 % interval\n")
    header = ["network", "tool", "top-1 %", "bytes", *(f"speed, batch {batch}" for batch in BATCHES),
              "CPU s, peak MB of the tool"]
    print(common.markdown(header, rows))
    print("\n" + "\n".join(f"- {line}" for line in lines))


if __name__ == "__main__":
    common.use_environment()
    main()

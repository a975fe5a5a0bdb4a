"""What the scripts of bench/ share: their Python environment, CIFAR-10 and the networks made for it, accuracy, costs.

Python is used here alone, because the peers are Python packages; pare itself needs none.
"""
import argparse
import hashlib
import importlib.metadata
import json
import lzma
import os
import subprocess
import sys
import tempfile
from pathlib import Path

BENCH = Path(__file__).resolve().parent
REPOSITORY = BENCH.parent
CACHE = Path(os.environ.get("PARE_CACHE", Path.home() / ".cache" / "pare")) / "peers"

# The networks of the comparison, by file name, and how their input is made from pixels 0..255.
NORMALIZED = {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
RAW = {"scale": 1}
NETWORKS = {
    "cifar10_resnet20": NORMALIZED,
    "cifar10_resnet56": NORMALIZED,
    "mlperf_tiny_resnet8_cifar10": RAW,
    "cifar10_vgg16_half": NORMALIZED,
    "cifar10_mobilenet_v2": NORMALIZED,
    "cifar10_mbconv_se": NORMALIZED,
}
CALIBRATION_IMAGES = 512


def use_environment(requirements="requirements.txt"):
    """Makes the pinned environment (once) and goes on in it. Call before importing numpy, onnx or a peer."""
    venv = CACHE / f"venv{requirements.removeprefix('requirements').removesuffix('.txt')}"
    if Path(sys.prefix) == venv:
        return
    stamp = venv / "requirements.txt"
    wanted = (BENCH / requirements).read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"making the Python environment {venv} (once)")
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        subprocess.run([*pip, "-r", str(BENCH / requirements)], check=True)
        stamp.write_text(wanted)
    os.execv(venv / "bin" / "python", [str(venv / "bin" / "python"), *sys.argv])


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def die(text):
    sys.exit(f"bench: error: {text}")


def arguments(description):
    """The options that every script has; the caller adds its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=REPOSITORY.parent / "shared",
                        help="folder with models/ and data/ (default %(default)s)")
    parser.add_argument("--work", type=Path, default=CACHE,
                        help="where files and results are kept (default %(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads for accuracy and calibration")
    return parser


def choose(words, known, what):
    """The chosen ones of `known`, in its order; all if none is named."""
    for word in words:
        if word not in known:
            die(f"there is no {what} '{word}'; known: {', '.join(known)}")
    return [name for name in known if not words or name in words]


# --- data ---


def cifar(shared, part, count):
    """(images uint8 [count, 3, 32, 32], labels) of the first `count` records. Unpacked once, then mapped."""
    import numpy as np

    source = shared / "data" / "cifar10" / f"{part}.bin.xz"
    unpacked = CACHE / "cifar10" / f"{part}_{count}.npy"
    if not unpacked.exists() or unpacked.stat().st_mtime < source.stat().st_mtime:
        with lzma.open(source) as file:
            records = np.frombuffer(file.read(count * 3073), np.uint8).reshape(-1, 3073)
        unpacked.parent.mkdir(parents=True, exist_ok=True)
        np.save(unpacked.with_suffix(".part.npy"), records)
        os.replace(unpacked.with_suffix(".part.npy"), unpacked)
    records = np.load(unpacked, mmap_mode="r")
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(int)


def prepare(images, preprocess, channels_last=False):
    """float32 input of the network from uint8 images [N, 3, H, W]."""
    import numpy as np

    value = images.astype(np.float32) * np.float32(preprocess.get("scale", 1))
    if "mean" in preprocess:
        column = (1, -1, 1, 1)
        value = (value - np.reshape(preprocess["mean"], column)) / np.reshape(preprocess["std"], column)
    value = value.astype(np.float32)
    return np.ascontiguousarray(value.transpose(0, 2, 3, 1)) if channels_last else value


class Input:
    """Name and layout of a network's one input."""

    def __init__(self, path):
        import onnx

        graph = onnx.load(str(path)).graph
        weights = {initializer.name for initializer in graph.initializer}
        (value,) = [value for value in graph.input if value.name not in weights]
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        self.name = value.name
        self.channels_last = shape[-1] == 3 and shape[1] != 3
        self.batch = shape[0] or None  # None: any

    def feed(self, images, preprocess):
        return {self.name: prepare(images, preprocess, self.channels_last)}


# --- runs ---


def open_session(path, threads=1):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def hits(path, images, labels, preprocess, threads=1, batch=100):
    """Which images the network gets right, in ONNX Runtime."""
    import numpy as np

    session, entry = open_session(path, threads), Input(path)
    batch = entry.batch or batch
    right = []
    for start in range(0, len(images), batch):
        logits = session.run(None, entry.feed(images[start : start + batch], preprocess))[0]
        right.append(logits.reshape(len(logits), -1).argmax(1) == labels[start : start + batch])
    return np.concatenate(right)


def cost_of(command, log):
    """Costs of a command in a fresh process (see cost_of.py); what it printed goes to the file `log`."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "cost.json"
        launcher = [sys.executable, "-S", "-E", str(BENCH / "cost_of.py"), str(result)]
        with open(log, "w") as file:
            subprocess.run([*launcher, *map(str, command)], check=True, stdout=file, stderr=subprocess.STDOUT)
        return json.loads(result.read_text())


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


class Results:
    """Measured figures by key in a JSON file; each carries what it depends on and is forgotten when that changes."""

    def __init__(self, path):
        self.path = path
        self.values = json.loads(path.read_text()) if path.exists() else {}

    def find(self, key, depends):
        entry = self.values.get(key)
        return entry["result"] if entry and entry["depends"] == depends else None

    def put(self, key, depends, result):
        self.values[key] = {"depends": depends, "result": result}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.values, indent=1))
        os.replace(part, self.path)
        return result


def markdown(header, rows):
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines)


def version_of(package):
    return importlib.metadata.version(package)


def machine():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} cores"
    return f"{os.cpu_count()} cores"

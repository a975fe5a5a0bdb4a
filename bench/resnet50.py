#!/usr/bin/env python3
"""Writes a ResNet-50 (224x224, 1000 classes, random weights) as ONNX, and random images as .npy.

    resnet50.py FOLDER    ->  resnet50.onnx  images100.npy  images1000.npy  preprocess.json

For measuring what compression costs, where the weights' values do not matter. Convolutions are drawn as He et al. 2015
say; the BatchNormalization nodes are kept and hold the true statistics of a few images, so that activations stay as in
a trained network: finite, and alike from layer to layer.
"""
import json
import sys
from pathlib import Path

import common

IMAGES = (100, 1000)
PREPROCESS = {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, blocks, stride of the first


class Builder:
    """Adds nodes. With `statistics` None every normalization computes those of its batch and puts them out."""

    def __init__(self, statistics=None):
        import numpy as np

        self.random = np.random.default_rng(0)
        self.statistics = statistics
        self.nodes, self.weights, self.extra = [], [], []

    def weight(self, name, value):
        import numpy as np
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def node(self, op, name, inputs, **attributes):
        from onnx import helper

        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def convolution(self, name, x, cin, cout, size, stride):
        scale = (2 / (cin * size * size)) ** 0.5
        filters = self.weight(f"{name}.weight", self.random.normal(0, scale, (cout, cin, size, size)))
        y = self.node("Conv", name, [x, filters], kernel_shape=[size, size], strides=[stride] * 2, pads=[size // 2] * 4)
        return self.normalization(f"{name}.norm", y, cout)

    def normalization(self, name, x, channels):
        gamma = self.weight(f"{name}.scale", self.random.uniform(0.5, 1.5, channels))
        beta = self.weight(f"{name}.bias", self.random.normal(0, 0.2, channels))
        if self.statistics:
            mean, var = (self.weight(f"{name}.{what}", self.statistics[f"{name}.{what}"]) for what in ("mean", "var"))
            return self.node("BatchNormalization", name, [x, gamma, beta, mean, var])
        mean = self.node("ReduceMean", f"{name}.mean", [x], axes=[0, 2, 3], keepdims=0)
        # As [1, C, 1, 1], once more, to be subtracted.
        wide = self.node("ReduceMean", f"{name}.wide", [x], axes=[0, 2, 3], keepdims=1)
        centred = self.node("Sub", f"{name}.centred", [x, wide])
        square = self.node("Mul", f"{name}.square", [centred, centred])
        var = self.node("ReduceMean", f"{name}.var", [square], axes=[0, 2, 3], keepdims=0)
        self.extra += [mean, var]
        return self.node("BatchNormalization", name, [x, gamma, beta, mean, var])

    def bottleneck(self, name, x, cin, width, stride):
        y = self.node("Relu", f"{name}.relu1", [self.convolution(f"{name}.conv1", x, cin, width, 1, 1)])
        y = self.node("Relu", f"{name}.relu2", [self.convolution(f"{name}.conv2", y, width, width, 3, stride)])
        y = self.convolution(f"{name}.conv3", y, width, 4 * width, 1, 1)
        if cin != 4 * width or stride != 1:
            x = self.convolution(f"{name}.shortcut", x, cin, 4 * width, 1, stride)
        return self.node("Relu", f"{name}.relu3", [self.node("Add", f"{name}.add", [y, x])])

    def network(self):
        from onnx import TensorProto, helper

        x = self.node("Relu", "relu1", [self.convolution("conv1", "image", 3, 64, 7, 2)])
        x = self.node("MaxPool", "pool1", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        channels = 64
        for stage, (width, blocks, first) in enumerate(STAGES, 1):
            for block in range(blocks):
                x = self.bottleneck(f"layer{stage}.{block}", x, channels, width, first if block == 0 else 1)
                channels = 4 * width
        x = self.node("Flatten", "flatten", [self.node("GlobalAveragePool", "pool", [x])])
        last = self.weight("fc.weight", self.random.normal(0, channels**-0.5, (1000, channels)))
        x = self.node("Gemm", "logits", [x, last, self.weight("fc.bias", [0] * 1000)], transB=1)
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 224, 224])
        outputs = [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", 1000])]
        outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.extra]
        graph = helper.make_graph(self.nodes, "resnet50", [image], outputs, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def random_images(count, seed):
    """Blurred noise with some grain, uint8 [count, 3, 224, 224]: like photographs, neighbours resemble each other."""
    import numpy as np

    random = np.random.default_rng(seed)
    images = np.empty((count, 3, 224, 224), np.uint8)
    for image in images:
        coarse = random.uniform(0, 255, (3, 14, 14)).repeat(16, 1).repeat(16, 2)
        for axis in (1, 2):
            coarse = (coarse + np.roll(coarse, 8, axis)) / 2
        image[:] = np.clip(coarse + random.normal(0, 12, coarse.shape), 0, 255)
    return images


def batch_statistics(images):
    import onnxruntime

    model = Builder().network()
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()][1:]
    values = session.run(names, {"image": common.prepare(images, PREPROCESS)})
    return dict(zip(names, values, strict=True))


def write(folder):
    """Writes what is not there yet."""
    import numpy as np
    import onnx

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preprocess.json").write_text(json.dumps(PREPROCESS))
    for count in IMAGES:
        if not (folder / f"images{count}.npy").exists():
            np.save(folder / f"images{count}.npy", random_images(count, seed=count))
    if not (folder / "resnet50.onnx").exists():
        model = Builder(batch_statistics(random_images(4, seed=1))).network()
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, str(folder / "resnet50.onnx"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: resnet50.py FOLDER")
    common.use_environment()
    write(Path(sys.argv[1]))

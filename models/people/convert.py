"""Builds the face descriptor as TFLite files: python convert.py PACKAGE.tgz OUT

Reads the `face_recognition_model` of the npm package @vladmandic/face-api 1.7.15 (MIT; dlib's
`dlib_face_recognition_resnet_model_v1`, a ResNet after He et al. 2015, arXiv:1512.03385) and writes
`face-descriptor` (float16 weights) and `face-descriptor-int8`, each with its sidecar.
"""

import hashlib
import io
import json
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

# TensorFlow reads this when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import tensorflow as tf  # noqa: E402

VERSION = "1.7.15"

# Of the tarball in the npm registry.
PACKAGE_SHA256 = "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031"

MODEL = "package/model/face_recognition_model"

# Side of the input in pixels.
SIDE = 150

# What the package subtracts from red, green and blue before it divides by 255
# (`FaceRecognitionNet.forwardInput`).
MEAN_RGB = np.array([122.782, 117.001, 104.298])

# Residual blocks in order; those that end in `_down` halve the picture.
BLOCKS = (
    "conv32_1 conv32_2 conv32_3 conv64_down conv64_1 conv64_2 conv64_3 conv128_down conv128_1"
    " conv128_2 conv256_down conv256_1 conv256_2 conv256_down_out"
).split()

# Squares of the package's demonstration photos with a face as the daemon cuts it (file, left, top,
# side): the pictures that int8 ranges are taken from.
CALIBRATION = json.loads((Path(__file__).parent / "calibration.json").read_text())


class ConversionError(Exception):
    """Something the user can put right; the text names action, thing and cause."""


class Package:
    """The npm package as it was downloaded."""

    def __init__(self, path):
        data = Path(path).read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != PACKAGE_SHA256:
            raise ConversionError(
                f"unable to use {path}: its SHA-256 is {found} instead of {PACKAGE_SHA256}"
                " (delete it and fetch it again)"
            )
        self._archive = tarfile.open(fileobj=io.BytesIO(data))

    def read(self, member):
        return self._archive.extractfile(member).read()

    def weights(self):
        """Return the net's arrays by name; most are stored as bytes with scale and minimum."""
        data = self.read(f"{MODEL}.bin")
        arrays, at = {}, 0
        for entry in json.loads(self.read(f"{MODEL}-weights_manifest.json"))[0]["weights"]:
            count, quantization = int(np.prod(entry["shape"])), entry.get("quantization")
            stored = np.frombuffer(data, np.uint8 if quantization else "<f4", count, at)
            at += stored.nbytes
            values = stored.astype(np.float32)
            if quantization:
                # In float32, as TensorFlow.js does it.
                values = values * np.float32(quantization["scale"]) + np.float32(quantization["min"])
            arrays[entry["name"]] = values.reshape(entry["shape"])
        if at != len(data):
            raise ConversionError(f"unable to read {MODEL}.bin: {len(data)} bytes instead of {at}")
        return arrays

    def faces(self):
        """Yield the calibration faces, also mirrored and grey, as SIDE x SIDE x 3 bytes."""
        photos = {}
        for name, left, top, side in CALIBRATION:
            if name not in photos:
                photos[name] = Image.open(io.BytesIO(self.read(f"package/demo/{name}"))).convert("RGB")
            box = (left, top, left + side, top + side)
            face = photos[name].resize((SIDE, SIDE), Image.Resampling.BILINEAR, box)
            for variant in (face, face.convert("L").convert("RGB")):
                pixels = np.asarray(variant)
                yield pixels
                yield pixels[:, ::-1]


def _convolve(x, weights, name, *, strides=1, padding="SAME", relu=True, mean=None):
    """Apply a convolution with the scale layer behind it, folded into one."""
    scale = weights[f"{name}/scale/weights"].astype(np.float64)
    filters = weights[f"{name}/conv/filters"] * scale
    bias = weights[f"{name}/conv/bias"] * scale + weights[f"{name}/scale/biases"]
    if mean is not None:
        # Exact, since a VALID convolution sees no border.
        bias = bias - np.einsum("hwio,i->o", filters, mean)
    x = tf.nn.conv2d(x, tf.constant(filters, tf.float32), strides, padding)
    x = tf.nn.bias_add(x, tf.constant(bias, tf.float32))
    return tf.nn.relu(x) if relu else x


def _block(x, weights, name):
    """Apply a residual block; a halving one pads what is smaller with zeros, as dlib does."""
    down = "_down" in name
    strides, padding = (2, "VALID") if down else (1, "SAME")
    y = _convolve(x, weights, f"{name}/conv1", strides=strides, padding=padding)
    y = _convolve(y, weights, f"{name}/conv2", relu=False)
    if down:
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
        x = tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, y.shape[3] - x.shape[3]]])
        y = tf.pad(y, [[0, 0], [0, x.shape[1] - y.shape[1]], [0, x.shape[2] - y.shape[2]], [0, 0]])
    return tf.nn.relu(x + y)


def descriptor(weights):
    """Return the net as a function from 1 x SIDE x SIDE x 3 values of 0 to 1 to 1 x 128."""

    @tf.function(input_signature=[tf.TensorSpec([1, SIDE, SIDE, 3], tf.float32)])
    def net(x):
        x = _convolve(x, weights, "conv32_down", strides=2, padding="VALID", mean=MEAN_RGB / 255)
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        for name in BLOCKS:
            x = _block(x, weights, name)
        return tf.matmul(tf.reduce_mean(x, [1, 2]), tf.constant(weights["fc"], tf.float32))

    return net


def _converter(net):
    converter = tf.lite.TFLiteConverter.from_concrete_functions([net.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter


def float16(net):
    """Return the TFLite file with float16 weights."""
    converter = _converter(net)
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def int8(net, faces):
    """Return the TFLite file in int8, but for its output, with ranges taken from `faces`."""
    converter = _converter(net)
    converter.representative_dataset = lambda: (
        [(face[None] / 255).astype(np.float32)] for face in faces
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    return converter.convert()


def sidecar(name, model):
    """Return what the daemon is told of the TFLite file `model`."""
    interpreter = tf.lite.Interpreter(model_content=model)
    tensor = interpreter.get_input_details()[0]
    shape = {"width": SIDE, "height": SIDE, "channels": 3, "mean": 0.0, "std": 255.0}
    shape["dtype"] = np.dtype(tensor["dtype"]).name
    if shape["dtype"] == "int8":
        scale, zero_point = tensor["quantization"]
        shape |= {"scale": float(scale), "zero_point": int(zero_point)}
    return {
        "kind": "descriptor",
        "name": name,
        "version": VERSION,
        "description": "128 numbers that are alike for photos of one person: dlib's face recognition ResNet",
        "licence": "MIT",
        "source": f"https://www.npmjs.com/package/@vladmandic/face-api/v/{VERSION}, {MODEL}",
        "training_data": "about 3 million faces, among them VGG and FaceScrub (dlib_face_recognition_resnet_model_v1)",
        # Models of one space answer like descriptors; others cannot be compared.
        "space": f"face-api-{VERSION}",
        # Centres of eyes and mouth in a chip of dlib's `get_face_chip_details` with padding 0.25: means of
        # its mean face shape, (0.25 + p) / 1.5, moved down by 0.04, which suits the detector's key points:
        # 99.2 instead of 98.6 % of 4,950 pairs of tightly cut faces are told right.
        "chip": {"right_eye": [0.317, 0.351], "left_eye": [0.67, 0.351], "mouth": [0.493, 0.753]},
        "input": shape,
        "output": {"dtype": "float32", "length": 128},
        "sha256": hashlib.sha256(model).hexdigest(),
    }


def _write(folder, name, model):
    """Write model and sidecar, each whole or not at all; the sidecar last."""
    text = json.dumps(sidecar(name, model), indent=2) + "\n"
    for path, data in ((f"{name}.tflite", model), (f"{name}.json", text.encode())):
        part = folder / f"{path}.part"
        part.write_bytes(data)
        part.replace(folder / path)
    print(f"{folder / name}.tflite: {len(model)} bytes")


def main(package, folder):
    """Convert `package` into the files of `folder`."""
    package, folder = Package(package), Path(folder)
    net = descriptor(package.weights())
    _write(folder, "face-descriptor", float16(net))
    _write(folder, "face-descriptor-int8", int8(net, list(package.faces())))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (ConversionError, OSError) as error:
        sys.exit(f"convert: {error}")

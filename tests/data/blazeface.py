#!/usr/bin/env python3
"""Writes blazeface.json: what MediaPipe's own Python package finds in the portrait.

    pip install mediapipe==0.10.21 ai-edge-litert==2.3.0
    tests/data/blazeface.py third_party/portrait.png models/detectors > tests/data/blazeface.json

For each detector and two pictures, the portrait and `pair`, the portrait with its mirror image to the right: the
net's raw answers of at least `min_score` (anchor, logit, the 16 values), and the faces that MediaPipe finds:
score, box (left, top, width, height) and key points in pixels.
"""

import json
import math
import sys

import cv2
import mediapipe
import numpy
from ai_edge_litert.interpreter import Interpreter

# MediaPipe 0.10.21 ignores `min_detection_confidence`: these are the thresholds in its graphs.
DETECTORS = {"face-short-range": (0, 128, 0.5), "face-full-range": (1, 192, 0.6)}


def faces(detector, picture):
    height, width = picture.shape[:2]
    found = []
    for detection in detector.process(picture).detections or []:
        location = detection.location_data
        box = location.relative_bounding_box
        found.append({
            "score": round(detection.score[0], 5),
            "box": [round(value, 3) for value in
                    (box.xmin * width, box.ymin * height, box.width * width, box.height * height)],
            "points": [[round(point.x * width, 3), round(point.y * height, 3)]
                       for point in location.relative_keypoints],
        })
    return found


def candidates(model, side, min_score, picture):
    """Samples as MediaPipe does: the smallest square around the picture, black beyond it."""
    height, width = picture.shape[:2]
    square = max(width, height)
    scale = square / side
    matrix = numpy.array([[scale, 0, (width - square) / 2], [0, scale, (height - square) / 2]])
    small = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    interpreter = Interpreter(model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"],
                           (small[None] / 127.5 - 1).astype(numpy.float32))
    interpreter.invoke()
    boxes, scores = (interpreter.get_tensor(output["index"])[0] for output in interpreter.get_output_details())
    least = math.log(min_score / (1 - min_score))
    return [{"anchor": anchor, "logit": round(float(logit), 5),
             "values": [round(float(value), 4) for value in boxes[anchor]]}
            for anchor, logit in enumerate(scores[:, 0]) if logit >= least]


def main(portrait, models):
    portrait = cv2.cvtColor(cv2.imread(portrait), cv2.COLOR_BGR2RGB)
    pictures = {"portrait": portrait, "pair": numpy.ascontiguousarray(numpy.hstack([portrait, portrait[:, ::-1]]))}
    cases = []
    for name, (selection, side, min_score) in DETECTORS.items():
        with mediapipe.solutions.face_detection.FaceDetection(model_selection=selection) as detector:
            for title, picture in pictures.items():
                cases.append({
                    "detector": name,
                    "picture": title,
                    "min_score": min_score,
                    "candidates": candidates(f"{models}/{name}.tflite", side, min_score, picture),
                    "faces": faces(detector, picture),
                })
    write(cases)


def write(cases):
    """One candidate or face a line."""
    def lines(rows):
        return "[" + ",".join(f"\n      {json.dumps(row)}" for row in rows) + "]"

    print("[" + ",\n ".join(
        "{" + ",\n   ".join(f'"{key}": {lines(value) if isinstance(value, list) else json.dumps(value)}'
                            for key, value in case.items()) + "}"
        for case in cases) + "]")


if __name__ == "__main__":
    main(*sys.argv[1:])

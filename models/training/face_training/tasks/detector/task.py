"""The task of finding faces: boxes and scores of the cells of three maps."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ...errors import TrainingError
from ...nets.models import KerasModel, load_model
from ...recipe import Recipe
from ..drawn import Draw, DrawnTask, compared
from ..task import Ask, Column, Figures, Net, Samples, Section, Teacher, Tensors
from . import golden, grid, judge, losses
from .crops import MOST_FACES, Composer
from .net import SCORE, heads
from .scenes import Scenes
from .tables import Crops, Judge, Losses
from .teacher import yunet

# The finest maps stay whole while sizes are multiples of this; the last halving rounds up.
_STEP = 16


class DetectorTask(DrawnTask):
    """See tasks.task.Task."""

    name = "detector"
    kind = "face-detector"
    tables: Mapping[str, type] = {"crops": Crops, "losses": Losses, "judge": Judge}
    drawn = "crops"
    shapes: Mapping[str, tuple[int, ...]] = {
        "boxes": (MOST_FACES, 4), "points": (MOST_FACES, 5, 2), "kinds": (MOST_FACES,), "colour": (),
    }  # fmt: skip
    heads = staticmethod(heads)
    columns = (
        Column("loss", "loss", "training"),
        Column("box"),
        Column("points"),
        Column("score"),
        Column("ap", "average precision", "watched", watched=True),
        Column("large", "found", "large", watched=True),
        Column("small", "found", "small", watched=True),
        Column("unmatched", watched=True),
    )

    def check(self, plan: Recipe) -> None:
        """Refuse inputs that the maps do not fit, and shares above 1."""
        size, how = plan.input, plan.tables["crops"]
        if size.channels != 3 or size.width % _STEP or size.height % _STEP:
            raise TrainingError(
                f"[input] must have 3 channels, and width and height in steps of {_STEP}"
            )
        shares = how.four + how.nine + how.pasted + how.none + how.inside + how.filling
        if shares > 1 or how.turned > 1 / 3:
            raise TrainingError("[crops] shares are more than all crops")

    def to_learn(self, data: Path, plan: Recipe, ask: Ask | None) -> Samples:
        """Return the pictures that crops are put together of."""
        scenes = Scenes(data, plan.train.train_split, plan.train.source_weights)
        if not len(scenes.with_faces):
            raise TrainingError(f"unable to train with {data}: no picture has a sure face")
        return Samples(scenes, source=np.array(scenes.sources))

    def to_judge(self, data: Path, split: str, plan: Recipe) -> Samples:
        """Return whole pictures, made as large as the net's input."""
        size = (plan.input.width, plan.input.height)
        return Samples(judge.Letterboxed(Scenes(data, split), size))

    def draw(self, samples: Samples, plan: Recipe) -> Draw:
        """Return `Composer.crop`."""
        size = (plan.input.width, plan.input.height)
        return Composer(samples.pictures, plan.tables["crops"], size).crop  # type: ignore[arg-type]

    def losses(self, outputs: Tensors, goals: Tensors, plan: Recipe) -> Tensors:
        """Return the loss against the marked faces, and its parts."""
        how: Losses = plan.tables["losses"]
        parts = losses.measure(outputs, goals, plan.input.height, plan.input.width)
        own = 1 - plan.distill.share if plan.distill else 1.0
        loss = (
            how.box * parts["box"] + how.points * parts["points"] + own * how.score * parts["score"]
        )
        return {"loss": loss, **parts}

    def teacher(self, path: Path, plan: Recipe) -> Teacher:
        """Return YuNet's scores, or those of a detector of this toolkit."""
        if path.suffix == ".onnx":
            return yunet(path)
        model = load_model(path, plan.input)
        return lambda pictures: {"scores": 1 / (1 + np.exp(-model.see(pictures)["scores"][..., 0]))}

    def taught(
        self, outputs: Tensors, said: Sequence[Tensors], goals: Tensors, plan: Recipe
    ) -> tf.Tensor:
        """Return the quality focal loss against the mean of the teachers' scores.

        Of crops without colour teachers tell too little to be asked.
        """
        assert plan.distill is not None
        wanted = tf.add_n([one["scores"] for one in said]) / len(said)
        each = losses.quality_focal(outputs["scores"][..., 0], wanted)
        faces = tf.maximum(tf.reduce_mean(tf.reduce_sum(wanted, axis=-1)), 1.0)
        share = plan.distill.share * plan.tables["losses"].score
        return share * goals["colour"] * tf.reduce_sum(each, axis=-1) / faces

    def judge(self, net: Net, samples: Samples, plan: Recipe) -> Figures:
        """Return average precision (primary), and faces found at the threshold."""
        how: Judge = plan.tables["judge"]
        found = list(judge.detect(net, samples.pictures, how.score_floor))  # type: ignore[arg-type]
        return judge.figures(found, how)

    def finish(self, net: keras.Model, data: Path, plan: Recipe) -> None:
        """Shift the scores so that the threshold is 0.5, whatever net it is."""
        limit = plan.tables["judge"].threshold
        if not limit:
            judged = self.to_judge(data, plan.train.watch_split, plan)
            limit = self.judge(KerasModel(net, given=plan.input), judged, plan).values["threshold"]
        bias = net.get_layer(SCORE).bias
        bias.assign(bias - math.log(limit / (1 - limit)))

    def describe(self, net: Net, exact: Net, data: Path, plan: Recipe) -> Mapping[str, Any]:
        """Return the figures and how answers become faces."""
        judged = self.to_judge(data, plan.train.watch_split, plan)
        small, full = (self.judge(one, judged, plan) for one in (net, exact))
        name = plan.train.watch_split.lower()
        values = {f"{name}_{key}": round(value, 4) for key, value in small.values.items()}
        return {
            "figures": {
                f"{name}_pictures": small.samples, **values,
                f"{name}_float_ap": round(full.score, 4),
            },
            "colours": "yuv",
            "strides": list(grid.STRIDES),
            "point_unit": grid.POINT_UNIT,
            "iou": grid.SAME_FACE_IOU,
            "core": grid.CORE,
        }  # fmt: skip

    def sections(
        self, net: Net, exact: Net, against: Path | None, data: Path, plan: Recipe
    ) -> Sequence[Section]:
        """Return the table of what is found, of the file, the float net and another model."""
        judged = self.to_judge(data, plan.train.watch_split, plan)
        rows: list[Sequence[str]] = [
            ("net", "average precision", "large", "small", "beside all faces", "threshold")
        ]
        for name, one in compared(net, exact, against):
            values = self.judge(one, judged, plan).values
            shares = [f"{100 * values[key]:.1f} %" for key in ("ap", "large", "small", "unmatched")]
            rows.append((name, *shares, f"{values['threshold']:.3f}"))
        allowed = plan.tables["judge"].false_faces
        text = (
            f"On the {len(judged)} pictures of split {plan.train.watch_split}, made"
            f" {plan.input.width} by {plan.input.height} pixels. Large faces are 28 pixels high and"
            f" more there, small ones 14 to 28. The threshold lets {allowed} detections pass in"
            " pictures without a face."
        )
        return [Section("Faces found", text, rows)]

    def golden(self, model: Path) -> Mapping[str, Any]:
        """Return answers and the faces that they mean."""
        return golden.table()


TASK = DetectorTask()

"""The task of points: where in a cut of one face are eyes, brows, nose, mouth; how does it look."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ...errors import TrainingError
from ...recipe import Recipe
from ..detector.scenes import Scenes
from ..drawn import Draw, DrawnTask, compared
from ..task import Ask, Column, Figures, Net, Samples, Section, Teacher, Tensors
from . import judge, losses, named
from .cuts import NOMINAL, Cutter
from .faces import Faces
from .net import heads
from .tables import Cuts, Weights


class PointsTask(DrawnTask):
    """See tasks.task.Task."""

    name = "points"
    kind = "face-points"
    tables: Mapping[str, type] = {"cuts": Cuts, "weights": Weights}
    drawn = "cuts"
    shapes: Mapping[str, tuple[int, ...]] = {
        "points": (named.COUNT, 2),
        "box": (4,),
        "pose": (2,),
        "open": (3,),
        "face": (),
        "weight": (),
    }
    heads = staticmethod(heads)
    columns = (
        Column("loss", "loss", "training"),
        Column("face"),
        Column("points"),
        Column("box"),
        Column("pose"),
        Column("open"),
        Column("error", "error in distances of the eyes", "watched", watched=True),
        Column("yaw_degrees", watched=True),
        Column("faces", watched=True),
        Column("others", watched=True),
    )

    def check(self, plan: Recipe) -> None:
        """Refuse inputs that are no grey square, and shares above 1."""
        size, how = plan.input, plan.tables["cuts"]
        if size.channels != 1 or size.width != size.height or size.width % 16:
            raise TrainingError("[input] must be a grey square in steps of 16")
        if how.none + how.beside + how.part + how.wrong > 1:
            raise TrainingError("[cuts] shares are more than all cuts")

    def to_learn(self, data: Path, plan: Recipe, ask: Ask | None) -> Samples:
        """Return faces, which cuts are made of, with pictures around them."""
        split = plan.train.train_split
        return Samples(judge.Shown(Faces(data, split), Scenes(data, split), plan.input.width))

    def to_judge(self, data: Path, split: str, plan: Recipe) -> Samples:
        """Return cuts as the daemon makes them."""
        return Samples(judge.Shown(Faces(data, split), Scenes(data, split), plan.input.width))

    def draw(self, samples: Samples, plan: Recipe) -> Draw:
        """Return `Cutter.cut`."""
        shown: judge.Shown = samples.pictures  # type: ignore[assignment]
        return Cutter(shown.faces, shown.scenes, plan.tables["cuts"], plan.input.width).cut

    def losses(self, outputs: Tensors, goals: Tensors, plan: Recipe) -> Tensors:
        """Return the loss against the teacher's mesh, and its parts."""
        parts = losses.measure(outputs, goals)
        weights = vars(plan.tables["weights"])
        return {"loss": tf.add_n([weights[name] * part for name, part in parts.items()]), **parts}

    def teacher(self, path: Path, plan: Recipe) -> Teacher:
        """Refuse: what teaches is the mesh that the faces were prepared with."""
        raise TrainingError("unable to use a teacher: points are learnt from prepared meshes alone")

    def taught(
        self, outputs: Tensors, said: Sequence[Tensors], goals: Tensors, plan: Recipe
    ) -> tf.Tensor:
        """Never called: there are no teachers."""
        raise TrainingError("unable to use a teacher: points are learnt from prepared meshes alone")

    def judge(self, net: Net, samples: Samples, plan: Recipe) -> Figures:
        """Return the mean error (primary: 1 less it) and those of the other answers."""
        return judge.figures(net, samples.pictures)  # type: ignore[arg-type]

    def finish(self, net: keras.Model, data: Path, plan: Recipe) -> None:
        """Leave the net as it is."""

    def describe(self, net: Net, exact: Net, data: Path, plan: Recipe) -> Mapping[str, Any]:
        """Return figures, the points' names and how wide a cut is."""
        judged = self.to_judge(data, plan.train.watch_split, plan)
        small, full = (self.judge(one, judged, plan) for one in (net, exact))
        name = plan.train.watch_split.lower()
        values = {
            f"{name}_{key}": round(value, 4)
            for key, value in small.values.items()
            if key != "right"
        }
        return {
            "figures": {**values, f"{name}_float_error": round(full.values["error"], 4)},
            "points": list(named.NAMES),
            "crop": {"sizes": NOMINAL},
        }

    def sections(
        self, net: Net, exact: Net, against: Path | None, data: Path, plan: Recipe
    ) -> Sequence[Section]:
        """Return the table of errors, of the file, the float net and another model."""
        judged = self.to_judge(data, plan.train.watch_split, plan)
        nets = compared(net, exact, against)
        found = [(name, self.judge(one, judged, plan)) for name, one in nets]
        keys = [key for key in found[0][1].values if key != "right"]
        rows: list[Sequence[str]] = [("net", *(key.replace("_", " ") for key in keys))]
        rows += [(name, *(f"{one.values[key]:.3f}" for key in keys)) for name, one in found]
        each = found[0][1].details["points"]
        points = [
            ("point", "error"),
            *((name.replace("_", " "), f"{each[name]:.3f}") for name in each),
        ]
        text = (
            f"On {len(judged) // 2} faces of split {plan.train.watch_split} and as many cuts without one:"
            " distances to the teacher's points in shares of the distance of the eyes, of faces turned less"
            " than 35 degrees; yaw and pitch in degrees; how far eyes and mouth are open; the shares of"
            " faces and of others that are said to be faces."
        )
        return [Section("Errors", text, rows), Section("Errors by point", "", points)]

    def golden(self, model: Path) -> Mapping[str, Any]:
        """Refuse: answers need no decoding but the file's own scales."""
        raise TrainingError("unable to write a golden table: points need no decoding")


TASK = PointsTask()

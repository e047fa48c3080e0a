"""What a kind of net brings to the road that all kinds share.

Recipe, runs, resuming, stages, teachers, export and report know no task. A task brings its
recipe tables, how data is read and changed, its heads and losses, what its answers mean, how
they are judged, and its part of the sidecar and of the card. `by_name` finds it.

Shapes: `b` pictures of a batch, `n` of a split; pictures are (height, width, channels) of the
recipe's [input]. Outputs and goals are dictionaries, {name: values}; an exported file has its
outputs in the order of their names.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import TrainingError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from ..recipe import Recipe

Tensors = Mapping[str, Any]  # {name: tf.Tensor}
Batch = tuple[Any, Tensors]  # pictures and goals
Arrays = Mapping[str, np.ndarray]
# What recipes may say in `task`, and the modules that hold a `TASK`.
TASKS = {
    "emotion": "face_training.tasks.emotion.task",
    "detector": "face_training.tasks.detector.task",
    "points": "face_training.tasks.points.task",
}


class Pictures(Protocol):
    """Pictures that are read when they are asked for."""

    def __len__(self) -> int: ...

    def read(self, number: int) -> np.ndarray:
        """Return picture `number` as uint8 (h, w, channels), of its own size."""
        ...


@dataclass(frozen=True)
class Samples:
    """The index of a split: row i of everything belongs to picture i. Empty: not known."""

    pictures: Pictures
    goals: Arrays = field(default_factory=dict)  # {name: (n, …)} what the task learns of each
    weight: np.ndarray | None = None  # float32 (n,): of a picture's loss; default 1
    person: np.ndarray | None = None  # str (n,): no person stands in two splits
    group: np.ndarray | None = None  # str (n,): near repeats and frames of one sequence
    source: np.ndarray | None = None  # str (n,): which data set
    origin: np.ndarray | None = None  # str (n,): file, or file and row, for people to find it by

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class Column:
    """A figure that a run's log and curves show."""

    name: str
    plot: str = ""  # title of the plot that draws it; empty: none
    label: str = ""  # its line's name there
    watched: bool = False  # of the watched split, not of the batches


@dataclass(frozen=True)
class Figures:
    """What a net reached on a split."""

    samples: int
    values: Mapping[str, float]
    primary: str  # the one that decides between nets; greater is better
    details: Mapping[str, Any] = field(default_factory=dict)  # tables, for the task's own card

    @property
    def score(self) -> float:
        """The primary figure."""
        return self.values[self.primary]


@dataclass(frozen=True)
class Section:
    """A part of the model card, the page and the slides."""

    title: str
    text: str = ""
    table: Sequence[Sequence[str]] = ()  # first row: heads
    picture: bytes | None = field(default=None, repr=False)  # PNG without faces
    private: bytes | None = field(default=None, repr=False)  # PNG with faces: the local page only


class Net(Protocol):
    """A float net or an exported file."""

    path: Path | None

    def outputs(self, pictures: np.ndarray) -> Arrays:
        """Return real values float32 {name: (n, …)} for pictures uint8 (n, h, w, channels)."""
        ...


# Answers {name: (b, …)} of a teacher for pictures float32 (b, h, w, c) in [0, 1].
Teacher = Callable[[np.ndarray], Arrays]
# Answers of every teacher for the pictures of an index as they are, kept from run to run.
Ask = Callable[["Samples"], Sequence[Arrays]]


class Task(Protocol):
    """One kind of net. Methods that take `plan` find their own tables in `plan.tables`."""

    name: str
    kind: str  # of the sidecar: emotion, face-detector, face-points
    tables: Mapping[str, type]  # {name of a recipe table: a frozen dataclass with its keys}
    columns: Sequence[Column]  # in the order of the log; the first is "loss"

    def check(self, plan: Recipe) -> None:
        """Raise TrainingError where tables contradict each other."""
        ...

    def to_learn(self, data: Path, plan: Recipe, ask: Ask | None) -> Samples:
        """Return what is learnt from: `plan.train.train_split` of prepared data.

        `ask` puts pictures before the teachers, where the recipe has any.
        """
        ...

    def to_judge(self, data: Path, split: str, plan: Recipe) -> Samples:
        """Return what a net can be judged by in a split of prepared data."""
        ...

    def steps(self, samples: Samples, plan: Recipe) -> int:
        """Return how many batches an epoch has."""
        ...

    def batches(self, samples: Samples, plan: Recipe, first: int) -> Iterable[Batch]:
        """Return batches from epoch `first` to the last: (pictures float32 (b, h, w, c) in [0, 1], goals).

        Goals follow the changes made to the pictures (data.augment.warp returns its matrices). They
        are the same for the same epoch and seed, as a resumed run has to see what an unbroken one
        would have seen. A `tf.data.Dataset` will do; see data.batches.
        """
        ...

    def build(self, plan: Recipe, weights: Path | None) -> keras.Model:
        """Build the recipe's net, outputs by name, from the weights of a file where one is given."""
        ...

    def losses(self, outputs: Tensors, goals: Tensors, plan: Recipe) -> Tensors:
        """Return {name: (b,)}: "loss", which is learnt, and further columns that are not watched."""
        ...

    def teacher(self, path: Path, plan: Recipe) -> Teacher:
        """Return a model that answers as `taught` wants to hear it."""
        ...

    def taught(
        self, outputs: Tensors, said: Sequence[Tensors], goals: Tensors, plan: Recipe
    ) -> tf.Tensor:
        """Return the loss (b,) against what teachers say of the very same pictures.

        It is added to "loss", so that each has its share of the whole in it already.
        """
        ...

    def judge(self, net: Net, samples: Samples, plan: Recipe) -> Figures:
        """Decode a net's outputs as the daemon does, and measure them."""
        ...

    def calibration(self, samples: Samples, plan: Recipe, count: int, which: str) -> np.ndarray:
        """Return pictures uint8 (count, h, w, c) that show what values the net's tensors take.

        `which` is random or balanced, see recipe.Export.
        """
        ...

    def finish(self, net: keras.Model, data: Path, plan: Recipe) -> None:
        """Change a float net in place before it is exported, where the recipe says so."""
        ...

    def describe(self, net: Net, exact: Net, data: Path, plan: Recipe) -> Mapping[str, Any]:
        """Return the task's keys of the sidecar, `figures` among them.

        `net` is the exported file, `exact` the float net.
        """
        ...

    def sections(
        self, net: Net, exact: Net, against: Path | None, data: Path, plan: Recipe
    ) -> Sequence[Section]:
        """Return the task's parts of the card; `against` is a model to compare with."""
        ...

    def golden(self, model: Path) -> Mapping[str, Any]:
        """Return made-up pictures and what the daemon must make of them, as plain numbers.

        `faces` are rows that are written one a line.
        """
        ...


def by_name(name: str) -> Task:
    """Return the task that a recipe names."""
    if name not in TASKS:
        raise TrainingError(f"unable to use task {name}: known are {', '.join(sorted(TASKS))}")
    try:
        return importlib.import_module(TASKS[name]).TASK
    except ModuleNotFoundError as error:
        if error.name and TASKS[name].startswith(error.name):
            raise TrainingError(
                f"unable to use task {name}: it is not part of this package"
            ) from error
        raise


def of_kind(kind: str) -> Task:
    """Return the task that makes sidecars of a kind."""
    for name in TASKS:
        try:
            task = by_name(name)
        except TrainingError:
            continue
        if task.kind == kind:
            return task
    raise TrainingError(f"unable to use a sidecar of kind {kind}: no task makes such")


def part(samples: Samples, chosen: np.ndarray) -> Samples:
    """Return the samples that an index or mask chooses."""
    numbers = np.arange(len(samples))[chosen]

    def taken(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[numbers]

    return dataclasses.replace(
        samples,
        pictures=_Part(samples.pictures, numbers),
        goals={name: values[numbers] for name, values in samples.goals.items()},
        weight=taken(samples.weight),
        person=taken(samples.person),
        group=taken(samples.group),
        source=taken(samples.source),
        origin=taken(samples.origin),
    )


def stack(pictures: Pictures) -> np.ndarray:
    """Return pictures of one size as uint8 (n, h, w, channels)."""
    return np.stack([pictures.read(number) for number in range(len(pictures))])


@dataclass(frozen=True)
class _Part:
    """Some of other pictures."""

    whole: Pictures
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def read(self, number: int) -> np.ndarray:
        return self.whole.read(int(self.numbers[number]))

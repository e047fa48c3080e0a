"""What tasks share whose pictures are drawn anew for each batch."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..data.batches import composed
from ..nets import builders
from ..nets.models import load_model
from ..recipe import Recipe
from .task import Arrays, Batch, Net, Samples

# A picture uint8 (h, w, c) of the recipe's [input], and its goals.
Draw = Callable[[np.random.Generator], tuple[np.ndarray, Arrays]]


class DrawnTask(ABC):
    """The part of tasks.task.Task that follows from drawing."""

    drawn: str  # the recipe's table that says how; its `epoch` is pictures an epoch
    shapes: Mapping[str, tuple[int, ...]]  # {name of a goal: without the batch}
    heads: Callable[..., Any]  # from the net's features to its outputs by name

    @abstractmethod
    def draw(self, samples: Samples, plan: Recipe) -> Draw:
        """Return what draws a picture and its goals."""

    def steps(self, samples: Samples, plan: Recipe) -> int:
        """Return how many batches an epoch has."""
        return plan.tables[self.drawn].epoch // plan.train.batch

    def batches(self, samples: Samples, plan: Recipe, first: int) -> Iterable[Batch]:
        """Return drawn pictures and their goals, without end."""
        number = first * self.steps(samples, plan)
        return composed(plan, number, self.draw(samples, plan), self.shapes)

    def build(self, plan: Recipe, weights: Path | None) -> keras.Model:
        """Build the net, started from `weights` where they are given."""
        return builders.of_recipe(plan, weights, self.heads)

    def calibration(self, samples: Samples, plan: Recipe, count: int, which: str) -> np.ndarray:
        """Return pictures drawn as those that are learnt from."""
        draw, random = self.draw(samples, plan), np.random.default_rng(plan.train.seed)
        return np.stack([draw(random)[0] for _ in range(count)])


def compared(net: Net, exact: Net, against: Path | None) -> list[tuple[str, Net]]:
    """Return the nets that a card compares, with their names."""
    nets = [("int8", net), ("float", exact)]
    return nets if against is None else [*nets, (against.name, load_model(against))]

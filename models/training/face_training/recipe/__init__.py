"""The TOML recipe: everything that decides what a run makes, apart from the data."""

from .reading import Recipe, load, replaced
from .tables import Augment, Card, Distill, Export, Input, Stage, Train

__all__ = [
    "Augment", "Card", "Distill", "Export", "Input", "Recipe", "Stage", "Train", "load", "replaced",
]  # fmt: skip

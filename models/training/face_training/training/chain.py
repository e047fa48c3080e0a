"""Train a recipe with all that it stands on: the runs that it starts from and its teachers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import recipe
from ..errors import TrainingError
from .trainer import train


def chain(recipe_path: Path, data: Path, folder: Path, say: Callable[[str], None] = print) -> None:
    """Train every run below `folder` that a recipe names by its name, then the recipe's own.

    The recipe of a run lies beside this one or in `teachers` beside it. What is trained already
    is left as it is.
    """
    for path in order(recipe_path):
        train(path, data, folder / path.stem, say)


def order(recipe_path: Path, above: tuple[str, ...] = ()) -> list[Path]:
    """Return the recipes of a chain in the order of training, each once."""
    if recipe_path.stem in above:
        raise TrainingError(f"unable to train {recipe_path}: it learns from itself")
    plan = recipe.load(recipe_path)
    references: list[Any] = [plan.net.get("weights", "none")]
    references += plan.distill.teachers if plan.distill else ()
    found: list[Path] = []
    for reference in references:
        text = reference["model"] if isinstance(reference, dict) else reference
        path = Path(text)
        if text in ("none", "imagenet") or path.parent != Path() or path.suffix:
            continue
        for one in order(_recipe_of(text, recipe_path), (*above, recipe_path.stem)):
            if one not in found:
                found.append(one)
    return [*found, recipe_path]


def _recipe_of(name: str, beside: Path) -> Path:
    folder = beside.parent
    for path in (
        folder / f"{name}.toml",
        folder / "teachers" / f"{name}.toml",
        folder.parent / f"{name}.toml",
    ):
        if path.is_file():
            return path.resolve()
    raise TrainingError(f"unable to train {beside}: no recipe {name}.toml beside it or in teachers")

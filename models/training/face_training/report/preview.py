"""What to look at before training: augmented pictures, and the nets with their sizes."""

from pathlib import Path
from typing import Any

import numpy as np
from keras import layers
from PIL import Image

from .. import recipe
from ..data.augment import contact_sheet
from ..files import write_whole
from ..nets import builders
from ..nets.transfer import BACKBONES


def preview(recipe_path: Path, data: Path, out: Path, pictures: int = 8, seed: int = 1) -> Path:
    """Write a PNG with a row a picture: as it is, then changes of it; returns its path."""
    plan = recipe.load(recipe_path)
    samples = plan.task.to_judge(data, plan.train.train_split, plan)
    chosen = np.random.default_rng(seed).permutation(len(samples))[:pictures]
    shown = np.stack([samples.pictures.read(int(number)) for number in chosen])
    sheet = Image.fromarray(contact_sheet(shown, plan.augment, seed).squeeze())
    write_whole(out, lambda part: sheet.save(part, "PNG"))
    return out


def nets_table(classes: int = 8) -> str:
    """Return every net by name with parameters and multiply-adds, as text."""

    def heads(features: Any) -> dict[str, Any]:
        return {"logits": layers.Dense(classes)(features)}

    lines = [f"{'net':<18}{'parameters':>12}{'multiply-adds':>16}"]
    for name in builders.known():
        net = builders.build(name, (48, 48, 1), heads, {"weights": "none"})
        inside = "  (picture enlarged to 96)" if name in BACKBONES else ""
        work = f"{builders.multiply_adds(net) / 1e6:.1f} M"
        lines.append(f"{name:<18}{net.count_params():>12,}{work:>16}{inside}")
    return "\n".join(lines)

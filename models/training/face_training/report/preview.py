"""What to look at before training: augmented faces, and the nets with their sizes."""

from pathlib import Path

import numpy as np
from PIL import Image

from .. import recipe
from ..data.augment import contact_sheet
from ..files import write_whole
from ..nets import builders as nets
from ..nets.transfer import BACKBONES
from ..tasks.emotion import dataset
from ..tasks.emotion.labels import EMOTIONS
from ..tasks.emotion.rows import SIDE


def preview(recipe_path, data, out, faces=8, seed=1):
    """Write a PNG with a row a face: the face, then changes of it; returns its path."""
    plan, out = recipe.load(recipe_path), Path(out)
    pixels, _ = dataset.split(data, plan.train.train_split).soft(plan.targets)
    chosen = np.random.default_rng(seed).permutation(len(pixels))[:faces]
    sheet = Image.fromarray(contact_sheet(pixels[chosen], plan.augment, seed))
    write_whole(out, lambda part: sheet.save(part, "PNG"))
    return out


def nets_table():
    """Return every net by name with parameters and multiply-adds, as text."""
    lines = [f"{'net':<18}{'parameters':>12}{'multiply-adds':>16}"]
    for name in nets.known():
        net = nets.build(name, SIDE, len(EMOTIONS), {"weights": "none"})
        inside = "  (picture enlarged to 96)" if name in BACKBONES else ""
        work = f"{nets.multiply_adds(net) / 1e6:.1f} M"
        lines.append(f"{name:<18}{net.count_params():>12,}{work:>16}{inside}")
    return "\n".join(lines)

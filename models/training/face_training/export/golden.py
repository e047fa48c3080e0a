"""Write the numbers that Python and the daemon must both get from a model."""

import json
from pathlib import Path

from ..errors import TrainingError
from ..files import write_text
from ..nets.tflite import read_sidecar
from ..tasks.task import of_kind


def write(model: Path, out: Path) -> Path:
    """Write the golden table as JSON, one face a line; returns its path."""
    described = read_sidecar(model)
    if described is None:
        raise TrainingError(
            f"unable to read the sidecar {model.with_suffix('.json')}: none is there"
        )
    made = of_kind(str(described.get("kind"))).golden(model)
    lines = [
        f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in made.items() if key != "faces"
    ]
    rows = ",\n".join(f"    {json.dumps(row)}" for row in made["faces"])
    write_text(out, "{\n" + ",\n".join(lines) + ',\n  "faces": [\n' + rows + "\n  ]\n}\n")
    return out

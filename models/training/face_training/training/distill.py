"""Train a small net from teachers (Hinton et al. 2015, arXiv:1503.02531)."""

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .. import recipe
from ..errors import TrainingError
from ..files import write_whole
from ..tasks.emotion import dataset, metrics
from ..tasks.emotion.evaluate import Ensemble, describe
from . import runs
from .trainer import Trainer, run_all

TAUGHT = "teachers.npz"
# Faces that the teachers see at once.
_PART = 2048


def distill(recipe_path, data, run, teachers, say=print):
    """Train the recipe's net from teachers; returns the path of the averaged model.

    Teachers are run folders, .keras or .tflite files that know the recipe's classes. What
    they say is kept in the run folder, so that going on with a run does not ask them again.
    """
    plan = recipe.load(recipe_path)
    if plan.distill is None:
        raise TrainingError(f"unable to distill {recipe_path}: it has no [distill]")
    pixels, targets = dataset.split(data, plan.train.train_split).soft(plan.targets)
    folder = runs.open_run(run, recipe_path)
    said = _kept(folder, pixels, plan.labels, teachers, say)
    taught = metrics.softmax(said, plan.distill.temperature).astype(np.float32)
    return run_all(Trainer(plan, pixels, targets, taught), data, folder, say)


def _kept(folder, pixels, labels, teachers, say):
    """Return what the teachers say, from the run folder if it is there."""
    path = Path(folder) / TAUGHT
    key = _key(pixels, labels, teachers)
    if path.exists():
        try:
            with np.load(path) as kept:
                found, said = str(kept["key"]), kept["said"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise TrainingError(f"unable to read {path}: {error} (delete it)") from error
        if found != key:
            raise TrainingError(
                f"unable to go on with run {folder}: it was begun with other teachers or data"
            )
        return said
    say(f"asking {len(teachers)} teachers about {len(pixels)} faces, each as it is and mirrored")
    said = log_probabilities(Ensemble(teachers), pixels, labels)

    def write(part):
        with open(part, "wb") as file:
            np.savez(file, said=said, key=np.array(key))

    write_whole(path, write)
    return said


def _key(pixels, labels, teachers):
    """Return a text that differs where teachers, faces or classes differ."""
    hashes = []
    for teacher in teachers:
        path = describe(teacher).path
        try:
            hashes.append(hashlib.sha256(path.read_bytes()).hexdigest())
        except OSError as error:
            raise TrainingError(f"unable to read teacher {path}: {error.strerror}") from error
    faces = hashlib.sha256(np.ascontiguousarray(pixels)).hexdigest()
    return json.dumps({"teachers": sorted(hashes), "faces": faces, "labels": list(labels)})


def log_probabilities(ensemble, pixels, labels):
    """Return float32 (n, classes): the mean over the teachers, and over each face and its mirror."""
    found = []
    for start in tqdm(range(0, len(pixels), _PART), "teachers", disable=None, leave=False):
        part = pixels[start : start + _PART]
        both = [ensemble.logits(faces, labels) for faces in (part, part[:, :, ::-1])]
        found.append(np.mean(both, axis=0))
    return np.concatenate(found).astype(np.float32)

"""What is learnt and judged from votes and labels."""

import numpy as np
import pytest

from face_training.tasks.emotion import targets
from face_training.tasks.emotion.targets import Targets

# A face with votes 6 happy, 4 sad whose own label is sad; one that nobody voted on, fear;
# one without a majority, own label neutral; one that taggers called no face, own label happy.
VOTES = np.array(
    [
        [0, 6, 0, 4, 0, 0, 0, 0, 0, 0],
        [0] * 10,
        [5, 0, 0, 0, 5, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],
    ]
)
LABELS = np.eye(8, dtype=np.uint8)[[3, 6, 0, 1]]


def _shares(how):
    found, keep = targets.soft(VOTES, LABELS, how)
    np.testing.assert_allclose(found[keep].sum(axis=1), 1, rtol=1e-5)
    return [
        {name: round(float(share), 3) for name, share in zip(how.names, row, strict=True) if share}
        if kept
        else None
        for row, kept in zip(found, keep, strict=True)
    ]


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        (
            Targets(),
            [{"happy": 0.6, "sad": 0.4}, {"fear": 1}, {"neutral": 0.5, "angry": 0.5}, None],
        ),
        (Targets(kind="majority"), [{"happy": 1}, {"fear": 1}, None, None]),
        (
            Targets(kind="label", judge="label"),
            [{"sad": 1}, {"fear": 1}, {"neutral": 1}, {"happy": 1}],
        ),
        (
            Targets(label_share=0.5),
            [{"happy": 0.3, "sad": 0.7}, {"fear": 1}, {"neutral": 0.75, "angry": 0.25}, None],
        ),
        (
            Targets(labels=("happy", "angry")),
            [{"happy": 1}, None, {"angry": 1}, None],
        ),
        (
            Targets(kind="majority", labels=("happy", "fear"), smoothing=0.2),
            [{"happy": 0.9, "fear": 0.1}, {"happy": 0.1, "fear": 0.9}, None, None],
        ),
    ],
)
def test_soft(how, wanted):
    assert _shares(how) == wanted


def test_truth():
    def named(how):
        return [
            how.names[number] if number >= 0 else None
            for number in targets.truth(VOTES, LABELS, how)
        ]

    assert named(Targets()) == ["happy", "fear", None, None]
    assert named(Targets(judge="label")) == ["sad", "fear", "neutral", "happy"]
    assert named(Targets(labels=("fear", "sad"))) == [None, "fear", None, None]


def test_seven_classes_are_fer2013s():
    names = Targets(kind="label", judge="label").names
    assert names == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

"""Figures of a classifier."""

import numpy as np
import pytest

from face_training.tasks.emotion import metrics


def test_figures_by_hand():
    # 30 of class a (20 found), 20 of class b (all found), 2 of class c (none found).
    truth = np.array([0] * 30 + [1] * 20 + [2] * 2)
    found = np.array([0] * 20 + [1] * 10 + [1] * 20 + [0] * 2)
    logits = np.log(np.where(np.eye(3)[found] > 0, 0.8, 0.1))
    figures = metrics.figures(logits, truth, ("a", "b", "c"))
    assert figures["accuracy"] == pytest.approx(40 / 52)
    # Class c has fewer than 20 samples: macro F1 is the mean of a's and b's.
    assert figures["macro_f1"] == pytest.approx((40 / 52 + 40 / 50) / 2)
    assert figures["per_class"]["b"]["precision"] == pytest.approx(20 / 30)
    assert figures["confusion"]["rows"] == [[20, 10, 0], [0, 20, 0], [2, 0, 0]]
    assert figures["ece"] == pytest.approx(0.8 - 40 / 52)


def test_temperature_undoes_a_known_one():
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (4000, 8))
    chances = metrics.softmax(logits).cumsum(axis=1)
    truth = (random.random((4000, 1)) > chances).sum(axis=1).clip(max=7)
    assert metrics.fit_temperature(logits * 2.5, truth) == pytest.approx(2.5, rel=0.07)


def test_interval_of_a_few_faces_is_wide():
    low, high = metrics.interval(4, 13)
    assert (low, high) == (pytest.approx(0.127, abs=0.002), pytest.approx(0.576, abs=0.002))
    assert metrics.interval(0, 0) == (0.0, 1.0)


def test_paired_nets():
    right = np.array([True] * 40 + [False] * 10)
    other = np.array([True] * 30 + [False] * 10 + [True] * 1 + [False] * 9)
    assert metrics.paired(right, other) == (10, 1, pytest.approx(0.0117, abs=0.001))
    assert metrics.paired(right, right) == (0, 0, 1.0)

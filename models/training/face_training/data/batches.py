"""Batches in an order that epoch and seed alone decide."""

import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from ..recipe import Recipe

# Batches made while others are learnt, where making one takes long.
_AHEAD = 8


def shuffled(
    count: int,
    plan: Recipe,
    first: int,
    load: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, dict[str, tf.Tensor]]],
) -> tf.data.Dataset:
    """Return the batches of `count` samples from epoch `first` (counted from 0) to the recipe's last.

    The last few samples of an epoch that fill no batch are left out. `load` gets the numbers of a batch's samples and a seed int32 (2,) for its changes.
    """
    how = plan.train

    def orders() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for epoch in range(first, plan.epochs):
            order = np.random.default_rng([how.seed, epoch]).permutation(count)
            order = order[: count // how.batch * how.batch].reshape(-1, how.batch)
            for number, rows in enumerate(order):
                yield rows, np.array([how.seed * 1000 + epoch, number], np.int32)

    # One graph for all epochs: tracing it takes seconds.
    drawn = tf.data.Dataset.from_generator(
        orders,
        output_signature=(tf.TensorSpec([how.batch], tf.int64), tf.TensorSpec([2], tf.int32)),
    )
    return drawn.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(2)


def composed(
    plan: Recipe,
    first: int,
    compose: Callable[[np.random.Generator], tuple[np.ndarray, Mapping[str, np.ndarray]]],
    shapes: Mapping[str, tuple[int, ...]],
) -> tf.data.Dataset:
    """Return batches without end, from batch `first` on, of pictures that `compose` makes one by one.

    It returns uint8 (h, w, c) of the recipe's [input], and the goals, whose `shapes` are told.
    """
    batch = plan.train.batch

    def made() -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        for number in itertools.count(first):
            random = np.random.default_rng([plan.train.seed, number])
            some = [compose(random) for _ in range(batch)]
            goals = {name: np.stack([goal[name] for _, goal in some]) for name in shapes}
            yield np.stack([picture for picture, _ in some]), goals

    signature = (
        tf.TensorSpec((batch, *plan.input.shape), tf.uint8),
        {name: tf.TensorSpec((batch, *shape), tf.float32) for name, shape in shapes.items()},
    )
    drawn = tf.data.Dataset.from_generator(made, output_signature=signature)
    return drawn.map(lambda some, goals: (tf.cast(some, tf.float32) / 255.0, goals)).prefetch(
        _AHEAD
    )

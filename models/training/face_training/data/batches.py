"""Batches in an order that epoch and seed alone decide."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from ..recipe import Recipe


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

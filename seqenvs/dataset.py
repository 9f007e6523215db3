"""The same episodes for supervised learning, as NumPy batches.

`seqenvs.adapters.torch` has them as a torch data set.

Batches are batch-first, ``[samples, timesteps, features]``, as Keras and torch's ``batch_first``
layers take them. Sample for sample they are the episodes that an environment plays for the same
seed: both read one `seqenvs.episodes.EpisodeStream`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from seqenvs.episodes import EpisodeStream
from seqenvs.observations import Encoding
from seqenvs.problem import Problem
from seqenvs.registration import find_problem
from seqenvs.validation import check_int


class Samples(NamedTuple):
    """N episodes, batch-first; T is the most steps that an episode can have.

    Attributes:
        X: (N, T, F) float32, or (N, T) int64 with ``encoding="index"``: what is shown; blank past
            an episode's end.
        y: (N, T) int64, (N, T, K) int64, or (N, T, K) float32: the right answers; 0 where none is
            due.
        mask: (N, T) bool: where an answer is due, which is where a loss counts.
    """

    X: Any
    y: Any
    mask: Any


def batches(
    problem: str | Problem | type[Problem],
    batch_size: int,
    *,
    seed: int | np.random.Generator | None = None,
    encoding: str = "one_hot",
    **parameters: Any,
) -> Iterator[Samples]:
    """Draw batches of fresh episodes without end.

    Args:
        problem: An environment's id such as ``"SeqEcho-v0"``, or a `Problem`, its class, or
            ``"module:Class"``.
        batch_size: N.
        seed: An int, as for ``reset(seed=...)``; a generator; or None for fresh entropy.
        encoding: How symbols are shown, see `seqenvs.observations.Encoding`.
        **parameters: Passed to the problem's class.

    Yields:
        `Samples`, which unpack as ``X, y, mask``. The n-th sample is the n-th episode that an
        environment plays that is reset with the same seed.

    Raises:
        TypeError, ValueError: An argument that makes no sense, at the call.
    """
    check_int("batch_size", batch_size, 1)
    made = find_problem(problem, parameters)
    encode = Encoding(made.input_spec, encoding)
    if seed is None or not isinstance(seed, np.random.Generator):
        seed = gymnasium.utils.seeding.np_random(
            None if seed is None else check_int("seed", seed, 0)
        )[0]
    return _batches(EpisodeStream(made, seed), encode, batch_size)


def _batches(stream: EpisodeStream, encode: Encoding, size: int) -> Iterator[Samples]:
    steps, dtype = stream.rows - 1, stream.problem.action_space.dtype
    while True:
        inputs, targets, due, *_ = stream.take(size).rows(0, steps)
        mask = np.empty((size, steps), bool)
        mask[:] = due.T
        # Turned before they are encoded, while they are small.
        yield Samples(
            encode(np.ascontiguousarray(np.swapaxes(inputs, 0, 1))),
            np.swapaxes(targets, 0, 1).astype(dtype, order="C"),
            mask,
        )

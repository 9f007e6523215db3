"""Batches of episodes for supervised learning, as NumPy arrays.

Batches have the layout ``[samples, timesteps, features]`` of Keras and of torch's ``batch_first``
layers. The samples are the episodes that an environment plays with the same seed, in the same
order. `seqenvs.adapters.torch` has them as a torch data set.
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
    """N episodes, batch-first. T is the most steps of an episode.

    Attributes:
        X: (N, T, F) float32, or (N, T) int64 with ``encoding="index"``, the observations; blank
            after an episode's end.
        y: (N, T) int64, (N, T, K) int64, or (N, T, K) float32, the targets; 0 where no answer is
            due.
        mask: (N, T) bool, where an answer is due. A loss counts there only.
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
    """Generate batches of new episodes without end.

    Args:
        problem: An environment's id such as ``"SeqEcho-v0"``, or a `Problem`, its class, or
            ``"module:Class"``.
        batch_size: N.
        seed: An int, as for ``reset(seed=...)``; a generator; or None for fresh entropy.
        encoding: The encoding of symbols, see `seqenvs.observations.Encoding`.
        **parameters: Passed to the problem's class.

    Yields:
        `Samples`, which unpack as ``X, y, mask``. The n-th sample is the n-th episode of an
        environment that is reset with the same seed.

    Raises:
        TypeError, ValueError: An invalid argument. This is raised at the call.
    """
    check_int("batch_size", batch_size, 1)
    made = find_problem(problem, parameters)
    encode = Encoding(made.input_spec, encoding)
    if not isinstance(seed, np.random.Generator):
        checked = None if seed is None else check_int("seed", seed, 0)
        seed, _ = gymnasium.utils.seeding.np_random(checked)
    return _batches(EpisodeStream(made, seed), encode, batch_size)


def _batches(stream: EpisodeStream, encode: Encoding, size: int) -> Iterator[Samples]:
    steps, dtype = stream.max_steps, stream.problem.action_space.dtype
    while True:
        episodes = stream.take(size)
        due = episodes.reward_weight[:steps].T > 0
        mask = np.repeat(due, size, axis=0) if len(due) == 1 else due[episodes.pattern]
        # Transposed before they are encoded, while they are small.
        inputs = np.ascontiguousarray(np.swapaxes(episodes.inputs[:steps], 0, 1))
        targets = np.swapaxes(episodes.targets[:steps], 0, 1).astype(dtype, order="C")
        yield Samples(encode(inputs), targets, mask)

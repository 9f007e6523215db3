"""Judge answers and compute reward weights."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

if TYPE_CHECKING:
    from numpy.typing import NDArray


def judge(
    space: spaces.Space[Any], answers: NDArray[Any], targets: NDArray[Any], tolerance: float
) -> tuple[Any, Any]:
    """Score answers against targets of the same shape.

    A ``Discrete`` answer scores 1 if it equals the target, otherwise 0. A ``MultiDiscrete`` answer
    scores the fraction of its components that equal the target's. A ``Box`` answer scores 1 minus
    the mean distance of its components from the target's, each divided by the width of the box, and
    at least 0; NaN scores 0.

    Args:
        space: The action space of one environment.
        answers: (...) for ``Discrete``, (..., K) for ``MultiDiscrete`` and ``Box``.
        targets: The right answers.
        tolerance: A ``Box`` answer is right if every component is nearer to the target than this.

    Returns:
        A pair of shape (...): the score in [0, 1], and bool, whether the whole answer is right.
    """
    if isinstance(space, spaces.Discrete):
        right = answers == targets
        return right, right
    # For one answer, Python's numbers give equal results and are several times as fast as arrays.
    if isinstance(space, spaces.MultiDiscrete):
        if answers.ndim == 1:
            count = sum(map(operator.eq, answers.tolist(), targets.tolist()))
            return count / len(answers), count == len(answers)
        matches = answers == targets
        return matches.mean(axis=-1), matches.all(axis=-1)
    assert isinstance(space, spaces.Box), "no other action space is allowed"
    if answers.shape == (1,):
        off = abs(float(answers[0]) - float(targets[0]))
        part = off / (float(space.high[0]) - float(space.low[0]))
        return max(0.0, 1.0 - part), off < tolerance
    distance = np.subtract(answers, targets, dtype=np.float64)
    np.abs(distance, out=distance)
    right = distance < tolerance
    distance /= np.subtract(space.high, space.low, dtype=np.float64)
    if distance.shape[-1] == 1:  # NumPy's mean would take most of the time
        distance, right = distance[..., 0], right[..., 0]
    else:
        distance, right = distance.mean(axis=-1), right.all(axis=-1)
    return np.fmax(0.0, 1.0 - distance), right


def reward_weights(due: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the reward of each right answer: 1 divided by the number due in the episode.

    The weights are multiples of 2**-53. So they add up without rounding, in any order, and an
    episode with only right answers has a return of exactly 1, not 0.9999999999999999.

    Args:
        due: (T, B) bool, True where an answer is due; at least one in each column.

    Returns:
        (T, B) float64, 0 where no answer is due. The sum of each column is exactly 1.
    """
    count = due.cumsum(axis=0)
    weights: NDArray[np.float64] = np.rint(count / count[-1:] * 2.0**53) * 2.0**-53
    weights[1:] -= weights[:-1].copy()
    return weights

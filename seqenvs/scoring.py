"""How answers are judged, and what a right one is worth."""

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
    """Score answers against targets of the same shape: (score in [0, 1], right or not).

    ``Discrete`` scores 1 for the target; ``MultiDiscrete`` the fraction of components that are
    right; ``Box`` 1 minus the mean distance as a fraction of the box, NaN scoring 0, and all of its
    components must be nearer than the tolerance to be right.
    """
    if isinstance(space, spaces.Discrete):
        right = answers == targets
        return right, right
    # One answer of few numbers is judged without arrays, to the bit and several times as fast.
    if isinstance(space, spaces.MultiDiscrete):
        if answers.ndim == 1:
            count = sum(map(operator.eq, answers.tolist(), targets.tolist()))
            return count / len(answers), count == len(answers)
        matches = answers == targets
        return matches.mean(axis=-1), matches.all(axis=-1)
    assert isinstance(space, spaces.Box), "answers are of one of these"
    if answers.shape == (1,):
        off = abs(float(answers[0]) - float(targets[0]))
        part = off / (float(space.high[0]) - float(space.low[0]))
        return max(0.0, 1.0 - part), off < tolerance
    distance = np.subtract(answers, targets, dtype=np.float64)
    np.abs(distance, out=distance)
    right = distance < tolerance
    distance /= np.subtract(space.high, space.low, dtype=np.float64)
    if distance.shape[-1] == 1:  # of one number, numpy's mean costs more than all the rest
        distance, right = distance[..., 0], right[..., 0]
    else:
        distance, right = distance.mean(axis=-1), right.all(axis=-1)
    return np.fmax(0.0, 1.0 - distance), right


def reward_weights(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What each due answer is worth: one divided by the number due in its episode.

    The parts are multiples of 2**-53, so that they add up without rounding, in any order, and
    an episode answered rightly returns exactly 1, not 0.9999999999999999.

    Args:
        mask: (T, B) bool, True where an answer is due; at least one in each column.

    Returns:
        (T, B) float64, 0 where none is due; every column's sum is exactly 1.
    """
    count = mask.cumsum(axis=0)
    parts: NDArray[np.float64] = np.rint(count / count[-1:] * 2.0**53) * 2.0**-53
    parts[1:] -= parts[:-1].copy()
    return parts

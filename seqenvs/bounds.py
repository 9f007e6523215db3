"""What can be reached without memory, exactly: chance, memoryless and clock bounds.

A score means something only beside these: on some problems a policy that remembers nothing
is nearly perfect. Nothing here is simulated.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from seqenvs.problem import Batch, Problem


@dataclass(frozen=True)
class Bounds:
    """The mean return, in [0, 1], of the best policy of each kind.

    Attributes:
        chance: Answers drawn uniformly from the answer space.
        memoryless: The best policy that sees the present observation only.
        clock: The best policy that sees the present observation and the time step. The honest
            floor: whatever passes it has remembered something.
        optimum: The best policy of all: 1 in every problem.
    """

    chance: float
    memoryless: float
    clock: float
    optimum: float = 1.0

    @property
    def needs_memory(self) -> bool:
        """False for a calibration problem, which a policy without memory solves."""
        return self.clock < self.optimum - 1e-9

    def memory_score(self, mean_return: float) -> float:
        """(return - clock) / (1 - clock): 0 if nothing was remembered, 1 if everything was.

        NaN where the problem needs no memory, so that there is nothing to measure.
        """
        if not self.needs_memory:
            return float("nan")
        return (mean_return - self.clock) / (self.optimum - self.clock)


def known_bounds(problem: Problem) -> Bounds | None:
    """The problem's bounds, or None: somebody's own problem need not know them."""
    try:
        return problem.bounds()
    except NotImplementedError:
        return None


def answer_parts(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
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


def enumerated_bounds(
    problem: Problem, batch: Batch, probability: ArrayLike | None = None
) -> Bounds:
    """Exact bounds of a problem from all the episodes that it can draw.

    Args:
        problem: The problem, for its space of answers.
        batch: Every episode.
        probability: (B,), how likely each episode is; equally likely if left out.
    """
    size = len(batch.lengths)
    weight = np.full(size, 1 / size) if probability is None else np.asarray(probability)
    worth = answer_parts(batch.mask) * weight
    time, column = np.nonzero(batch.mask)
    worth = worth[time, column]
    seen = batch.inputs[time, column].reshape(len(time), -1)
    _, symbol = np.unique(seen, axis=0, return_inverse=True)
    symbol = symbol.reshape(-1)  # numpy 2.0 shaped it otherwise
    target = np.atleast_2d(batch.targets[time, column].T).T
    return Bounds(
        chance=_chance(problem.answers, target, worth),
        memoryless=_best(problem.answers, symbol, target, worth),
        clock=_best(problem.answers, symbol + time * (symbol.max() + 1), target, worth),
    )


def _chance(space: spaces.Space[Any], target: NDArray[Any], worth: NDArray[np.float64]) -> float:
    if isinstance(space, spaces.Discrete):
        return 1 / int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return float(np.mean(1 / space.nvec))
    low, high = np.float64(space.low), np.float64(space.high)  # type: ignore[attr-defined]
    target = (target - low) / (high - low)
    distance = (target**2 + (1 - target) ** 2) / 2  # of a uniform answer, on average
    return float(1 - (distance.mean(axis=1) * worth).sum())


def _best(
    space: spaces.Space[Any], group: NDArray[Any], target: NDArray[Any], worth: NDArray[np.float64]
) -> float:
    """The return of the policy that gives one best answer in each group, component by component."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    total = 0.0
    for members in np.split(order, starts[1:]):
        for component in range(target.shape[1]):
            values, weights = target[members, component], worth[members]
            if isinstance(space, spaces.Box):  # the weighted median is nearest on average
                values = values.astype(np.float64)
                ranked = np.argsort(values)
                upto = weights[ranked].cumsum()
                answer = values[ranked][np.searchsorted(upto, upto[-1] / 2)]
                width = float(space.high[component] - space.low[component])
                distance = np.abs(values - answer)
                total += float((weights * (1 - distance / width)).sum())
            else:
                votes: dict[int, float] = defaultdict(float)
                for value, share in zip(values.tolist(), weights.tolist(), strict=True):
                    votes[value] += share
                total += max(votes.values())
    return round(float(total / target.shape[1]), 12)  # 1 is 1, not the sum of its rounded parts


def irwin_hall_cdf(count: int, x: ArrayLike) -> NDArray[np.float64]:
    """P(sum of ``count`` independent uniforms on [0, 1] is at most x), for every count up to this.

    By the B-spline recurrence, whose terms are all positive: accurate to rounding at any count,
    where the textbook's alternating sum loses every digit from about 25 on.

    Returns:
        (count + 1, *x.shape) float64; row n is the distribution of the sum of n.
    """
    x = np.asarray(x, np.float64)
    shifts = np.arange(count + 1).reshape(-1, *[1] * x.ndim)
    y = x - shifts  # density of n + 1 summed over these points is the cdf of n
    rows = [(x >= 0).astype(np.float64)]
    density = ((y >= 0) & (y < 1)).astype(np.float64)
    lower = ((y - 1 >= 0) & (y - 1 < 1)).astype(np.float64)
    for n in range(2, count + 2):
        density = (np.maximum(y, 0) * density + np.maximum(n - y, 0) * lower) / (n - 1)
        cdf = density.sum(axis=0)
        rows.append(np.where(x >= n - 1, 1.0, cdf))
        lower = np.concatenate([density[1:], np.zeros_like(density[:1])])
    return np.stack(rows)

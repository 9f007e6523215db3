"""Exact best scores of policies without memory: the chance, memoryless and clock bounds.

Compare a score with these: on some problems a policy without memory is nearly perfect. The
bounds are computed, never simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from seqenvs.scoring import reward_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from seqenvs.specs import EpisodeBatch


@dataclass(frozen=True)
class Bounds:
    """The mean return, in [0, 1], of the best policy of each kind.

    Attributes:
        chance: The policy that draws its actions uniformly from the action space.
        memoryless: The best policy that sees only the current observation.
        clock: The best policy that sees only the current observation and the time step. An agent
            with a higher return has remembered something.
        optimum: The best policy of all: 1 in every problem.
    """

    chance: float
    memoryless: float
    clock: float
    optimum: float = 1.0

    @property
    def needs_memory(self) -> bool:
        """Whether memory improves the return: False if a policy without memory reaches 1."""
        return self.clock < self.optimum - 1e-9

    def memory_score(self, mean_return: float) -> float:
        """Return the memory score, (return - clock) / (1 - clock).

        It is 0 for the best policy without memory and 1 for a perfect agent. It is negative if
        ``mean_return`` is below the clock bound, and NaN if the problem needs no memory.
        """
        if not self.needs_memory:
            return float("nan")
        return (mean_return - self.clock) / (self.optimum - self.clock)


def enumerated_bounds(
    space: spaces.Space[Any], batch: EpisodeBatch, probability: ArrayLike | None = None
) -> Bounds:
    """Compute the exact bounds of a problem from a list of all its episodes.

    Args:
        space: The action space of the problem.
        batch: Every episode that the problem can draw, B of them.
        probability: (B,), the probability of each episode. Default: all are equally likely.

    Raises:
        ValueError: ``probability`` is not B non-negative numbers that add up to 1.
    """
    chances = _probability(probability, len(batch.lengths))
    weight = reward_weights(batch.due) * chances
    time, column = np.nonzero(batch.due)
    weight = weight[time, column]
    seen = batch.inputs[time, column].reshape(len(time), -1)
    _, symbol = np.unique(seen, axis=0, return_inverse=True)
    symbol = symbol.reshape(-1)  # numpy 2.0 shaped it otherwise
    target = np.atleast_2d(batch.targets[time, column].T).T
    return Bounds(
        chance=_chance(space, target, weight),
        memoryless=_best(space, symbol, target, weight),
        clock=_best(space, symbol + time * (symbol.max() + 1), target, weight),
    )


def _chance(space: spaces.Space[Any], target: NDArray[Any], weight: NDArray[np.float64]) -> float:
    if isinstance(space, spaces.Discrete):
        return 1 / int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return float(np.mean(1 / space.nvec))
    low, high = np.float64(space.low), np.float64(space.high)  # type: ignore[attr-defined]
    target = (target - low) / (high - low)
    distance = (target**2 + (1 - target) ** 2) / 2  # the mean over uniform actions
    return float(1 - (distance.mean(axis=1) * weight).sum())


def _probability(given: ArrayLike | None, size: int) -> NDArray[np.float64]:
    """Check the probabilities and normalise their sum to 1."""
    if given is None:
        return np.full(size, 1 / size)
    weight = np.asarray(given, np.float64)
    if weight.shape != (size,):
        raise ValueError(f"probability must have the shape ({size},), got {weight.shape}")
    total = math.fsum(weight.tolist())
    if not (weight.min() >= 0 and abs(total - 1) < 1e-9):  # NaN fails this too
        raise ValueError(
            "probability must be numbers from 0 that add up to 1, "
            f"got a sum of {total} and a least of {weight.min()}"
        )
    return weight / total


def _best(
    space: spaces.Space[Any], group: NDArray[Any], target: NDArray[Any], weight: NDArray[np.float64]
) -> float:
    """Return the score of the policy that gives the best single answer in each group.

    It is found for each component on its own: the weighted median in a Box, else the most frequent
    answer. Millions of small numbers are added up: numpy adds pairwise within a group and fsum adds
    the groups exactly, because rounding errors of a plain sum would push the result above 1.
    """
    parts: list[float] = []
    answers: Any
    for component in range(target.shape[1]):
        values = target[:, component]
        if isinstance(space, spaces.Box):
            values = values.astype(np.float64)
        order = np.lexsort((values, group))
        values, weights, member = values[order], weight[order], group[order]
        begins = np.diff(member, prepend=-1) != 0
        starts = np.flatnonzero(begins)
        if isinstance(space, spaces.Box):
            width = float(space.high[component] - space.low[component])
            sizes = np.diff(starts, append=len(member))
            upto = weights.cumsum()
            half = upto[starts] - weights[starts] + np.add.reduceat(weights, starts) / 2
            medians = np.searchsorted(upto, half).clip(starts, starts + sizes - 1)
            answers = np.repeat(values[medians], sizes)
            score = weights * (1 - np.abs(values - answers) / width)
            parts += np.add.reduceat(score, starts).tolist()
        else:
            begins[1:] |= values[1:] != values[:-1]
            answers = np.flatnonzero(begins)  # where each answer of each group begins
            votes = np.add.reduceat(weights, answers)
            parts += np.maximum.reduceat(votes, np.searchsorted(answers, starts)).tolist()
    best = math.fsum(parts) / int(target.shape[1])
    return round(best, 12)  # removes rounding error, so that 1 is exactly 1


def irwin_hall_cdf(count: int, x: ArrayLike) -> NDArray[np.float64]:
    """Return the probability that n uniform numbers from [0, 1] sum to at most x, n = 0 .. count.

    Uses the B-spline recurrence. All its terms are positive, so the result is accurate for any
    count. The textbook formula is an alternating sum that loses all digits from n = 25 or so.

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

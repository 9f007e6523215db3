"""What can be reached without memory, exactly: chance, memoryless and clock bounds.

A score means something only beside these: on some problems a policy that remembers nothing
is nearly perfect. Nothing here is simulated.
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

    from seqenvs.problem import EpisodeBatch, Problem


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


def enumerated_bounds(
    problem: Problem, batch: EpisodeBatch, probability: ArrayLike | None = None
) -> Bounds:
    """Exact bounds of a problem from all the episodes that it can draw.

    Args:
        problem: The problem, for its space of answers.
        batch: Every episode.
        probability: (B,), how likely each episode is; equally likely if left out.

    Raises:
        ValueError: The probabilities are not B numbers from 0 that add up to 1.
    """
    weight = _probability(probability, len(batch.lengths))
    worth = reward_weights(batch.due) * weight
    time, column = np.nonzero(batch.due)
    worth = worth[time, column]
    seen = batch.inputs[time, column].reshape(len(time), -1)
    _, symbol = np.unique(seen, axis=0, return_inverse=True)
    symbol = symbol.reshape(-1)  # numpy 2.0 shaped it otherwise
    target = np.atleast_2d(batch.targets[time, column].T).T
    return Bounds(
        chance=_chance(problem.action_space, target, worth),
        memoryless=_best(problem.action_space, symbol, target, worth),
        clock=_best(problem.action_space, symbol + time * (symbol.max() + 1), target, worth),
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


def _probability(given: ArrayLike | None, size: int) -> NDArray[np.float64]:
    """How likely each episode is, as parts of exactly 1 but for rounding."""
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
    space: spaces.Space[Any], group: NDArray[Any], target: NDArray[Any], worth: NDArray[np.float64]
) -> float:
    """The return of the policy that gives one best answer in each group, component by component.

    Millions of small parts are added up here. numpy adds by pairs within a segment, and fsum adds
    the groups without rounding; one after the other they would come to more than 1.
    """
    parts: list[float] = []
    answers: Any
    for component in range(target.shape[1]):
        values = target[:, component]
        if isinstance(space, spaces.Box):
            values = values.astype(np.float64)
        order = np.lexsort((values, group))
        values, weights, member = values[order], worth[order], group[order]
        begins = np.diff(member, prepend=-1) != 0
        starts = np.flatnonzero(begins)
        if isinstance(space, spaces.Box):
            width = float(space.high[component] - space.low[component])
            sizes = np.diff(starts, append=len(member))
            answers = np.repeat(_weighted_medians(values, weights, starts), sizes)
            score = weights * (1 - np.abs(values - answers) / width)
            parts += np.add.reduceat(score, starts).tolist()
        else:
            begins[1:] |= values[1:] != values[:-1]
            answers = np.flatnonzero(begins)  # where each answer of each group begins
            votes = np.add.reduceat(weights, answers)
            parts += np.maximum.reduceat(votes, np.searchsorted(answers, starts)).tolist()
    best = math.fsum(parts) / int(target.shape[1])
    return round(best, 12)  # 1 is 1, not the sum of its rounded parts


def _weighted_medians(
    values: NDArray[np.float64], weights: NDArray[np.float64], starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The answer nearest on average to each group's values, which are sorted within the group."""
    medians = values[starts]
    ends = np.append(starts[1:], len(values))
    for index in np.flatnonzero(ends - starts > 1):
        members = slice(starts[index], ends[index])
        upto = weights[members].cumsum()
        medians[index] = values[members][np.searchsorted(upto, upto[-1] / 2)]
    return medians


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

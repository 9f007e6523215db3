"""The Classify problem: has the running sum of the values reached a limit?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from seqenvs.bounds import Bounds, irwin_hall_cdf
from seqenvs.problem import Length, Problem, Values
from seqenvs.validation import check_choice, check_fraction, check_length


@dataclass(kw_only=True)
class Classify(Problem):
    """Classify a sequence: has the sum of all values so far reached the limit?

    ## Description
    The label is 0 until the cumulative sum reaches the limit, ``threshold * length``, and 1 from
    that step on. From section 5 of the tutorial.

    One episode with ``length=5, threshold=0.5``. The limit is 2.5:

        time step   0     1     2     3     4
        input       0.63  0.29  0.92  0.95  0.32
        sum         0.63  0.92  1.84  2.79  3.11
        target      0     0     0     1     1
        due         *     *     *     *     *

    ## Observation Space
    ``Box(-1, 1, (1,), float32)``: values in [0, 1). After the last answer it is blank, -1.

    ## Action Space
    ``Discrete(2)``: the label.

    ## Rewards
    1 / (number of answers due in the episode) for a right answer, otherwise 0.

    ## Starting State
    The first of ``length`` independent values, drawn uniformly from [0, 1).

    ## Episode End
    Terminated after ``length`` steps, never truncated.

    ## Arguments
    - ``length``: the number of values; with ``many_to_one`` also (low, high), drawn per episode.
      *This makes it harder*: the agent must add up more values and keep the sum as accurate.
    - ``framing``: with ``"one_to_one"`` an answer is due at each step; with ``"many_to_one"`` one
      answer is due, at the end.
    - ``threshold``: the limit divided by ``length``. Default: 0.25 for ``one_to_one`` and 0.5 for
      ``many_to_one``, because the sum at the end is almost always above 0.25 of the length.

    The time step alone gives most of the answers, because the sum grows by one half per step on
    average. So the clock bound is high. The time to compute the bounds grows with the square of
    ``length``; it reaches seconds at a length of about 2,000.

    ## Version History
    - v0: first version.
    """

    length: Length = 10
    framing: str = "one_to_one"
    threshold: float | None = None

    def __post_init__(self) -> None:
        self.framing = check_choice("framing", self.framing, ("one_to_one", "many_to_one"))
        one = self.framing == "one_to_one"
        limit = "the limit depends on the length, which the agent cannot know" if one else None
        self.num_inputs = check_length(self.length, 1, fixed=limit)
        if self.threshold is not None:
            self.threshold = check_fraction("threshold", self.threshold)
        self._threshold = self.threshold or (0.25 if one else 0.5)
        self.input_spec = Values(0.0, 1.0)
        self.action_space = spaces.Discrete(2)

    def draw(self, rng: np.random.Generator, num_inputs: Any) -> Any:
        return rng.random((int(num_inputs.max()), len(num_inputs)), dtype=np.float32)

    def answer(self, inputs: Any, lengths: Any) -> Any:
        time = np.arange(len(inputs))[:, None]
        total, limit = np.zeros(inputs.shape[1]), self._threshold * lengths
        reached = np.empty(inputs.shape, bool)
        for row, into in zip(inputs, reached, strict=True):  # ten times faster than cumsum
            total += row
            np.greater_equal(total, limit, out=into)
        lengths = self.shared(lengths)
        due = time < lengths if self.framing == "one_to_one" else time == lengths - 1
        return reached.view(np.uint8), due

    def bounds(self) -> Bounds:
        low, high = self.num_inputs
        one_to_one = self.framing == "one_to_one"
        earlier = np.arange(0 if one_to_one else low - 1, high)  # values before the current one
        limit = self._threshold * (np.full(high, high) if one_to_one else earlier + 1)

        def label_one(x: Any) -> Any:
            """Return P(label 1 | current value x), one row per number of earlier values."""
            if one_to_one:
                return 1 - irwin_hall_cdf(high - 1, limit[0] - x)
            rows = zip(earlier.tolist(), limit, strict=True)
            return 1 - np.stack([irwin_hall_cdf(count, at - x)[-1] for count, at in rows])

        # Both labels are equally likely where the earlier sum needs to be at its median, count / 2.
        x, weight = _nodes(np.concatenate([limit % 1, limit - earlier / 2]))
        one = label_one(x)
        clock = (np.maximum(one, 1 - one) @ weight).mean()
        even = np.array([0.0, 1.0])  # bisect for the same point of the average over time
        for _ in range(50):
            even[int(label_one(even.mean(keepdims=True)).mean() >= 0.5)] = even.mean()
        x, weight = _nodes(np.concatenate([limit % 1, even]))
        mean = label_one(x).mean(axis=0)
        memoryless = np.maximum(mean, 1 - mean) @ weight
        # Rounded so that 1 is exactly 1.
        return Bounds(0.5, round(float(memoryless), 12), round(float(clock), 12))


def _nodes(knots: Any) -> tuple[Any, Any]:
    """Return Gauss-Legendre nodes and weights on [0, 1], split where the integrand has a kink."""
    cuts = np.unique(np.clip(np.concatenate([[0, 1], knots]), 0, 1))
    node, weight = np.polynomial.legendre.leggauss(max(8, 64 // len(cuts)))
    left, width = cuts[:-1, None], np.diff(cuts)[:, None]
    return (left + width * (node + 1) / 2).ravel(), (width * weight / 2).ravel()

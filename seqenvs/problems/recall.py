"""The Recall problem: remember the first value to the end of the sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from seqenvs.bounds import Bounds
from seqenvs.problem import EpisodeBatch, Length, Problem, Symbols
from seqenvs.sampling import MOST_SYMBOLS, draw_symbols
from seqenvs.validation import check_choice, check_int, check_length


@dataclass(kw_only=True)
class Recall(Problem):
    """Remember the first value of a sequence and give it again at the end.

    ## Description
    A sequence is a value, a middle that does not depend on the value, and the value again. For
    ``length=5`` the two sequences are 3,0,1,2,3 and 4,0,1,2,4. From section 2 of the tutorial. It
    is Experiment 2a of Hochreiter and Schmidhuber, "Long Short-Term Memory" (1997), and with
    ``middle="random"`` Experiment 2b.

    One episode with ``length=5``. The next value is due at each step. After the input 2 comes 3 in
    this sequence and 4 in the other one. A policy without memory cannot tell which:

        time step   0  1  2  3
        input       3  0  1  2
        target      0  1  2  3
        due         *  *  *  *

    ## Observation Space
    The symbols 0 .. length + num_values - 3 in the given ``encoding``. Blank after the last answer.

    ## Action Space
    ``Discrete(length + num_values - 2)``, the same symbols.

    ## Rewards
    1 / (number of answers due in the episode) for a right answer, otherwise 0.

    ## Starting State
    The value to remember, drawn uniformly from ``num_values`` symbols.

    ## Episode End
    Terminated after ``length - 1`` steps, never truncated. The last value of the sequence is never
    shown; it is the last target.

    ## Arguments
    - ``length``: the length of the sequence, with both its values; with ``many_to_one`` also (low,
      high), drawn per episode. *This makes it harder*: the agent must hold the value for
      ``length - 2`` steps, and the gradient must reach back over all of them.
    - ``num_values``: the number of different values to remember. With more, the value is more bits.
    - ``framing``: with ``"one_to_one"`` the next value is due at each step; with ``"many_to_one"``
      the first value is due, at the end.
    - ``middle``: ``"in_order"`` shows the same symbols, in the same order, in every episode.
      ``"random"`` draws them, so the middle distracts and does not tell the time step. Only with
      ``many_to_one``.
    - ``overlap``: whether the smallest value is also the last symbol of the middle, as in the
      tutorial's code, which prints [3,1,2,3,3] and [4,1,2,3,4].

    ## Version History
    - v0: first version.
    """

    length: Length = 5
    num_values: int = 2
    framing: str = "one_to_one"
    middle: str = "in_order"
    overlap: bool = False

    def __post_init__(self) -> None:
        self.framing = check_choice("framing", self.framing, ("one_to_one", "many_to_one"))
        self.middle = check_choice("middle", self.middle, ("in_order", "random"))
        self.overlap = check_choice("overlap", self.overlap, (False, True))
        one = self.framing == "one_to_one"
        end = (
            "with framing='one_to_one' the agent cannot know when the middle ends" if one else None
        )
        low, high = check_length(self.length, 3, fixed=end)
        if one and self.middle == "random":
            raise ValueError(
                "middle must be 'in_order' with framing='one_to_one', got 'random': the "
                "next value of a random middle cannot be predicted"
            )
        self.num_values = check_int("num_values", self.num_values, 2, MOST_SYMBOLS)
        self.num_inputs = low - 1, high - 1
        self._first = high - 2  # the smallest of the values; the middle begins at int(overlap)
        num_symbols = self._first + self.num_values
        self.input_spec = Symbols(num_symbols)
        self.action_space = spaces.Discrete(num_symbols)

    def draw(self, rng: np.random.Generator, num_inputs: Any) -> Any:
        shape = int(num_inputs.max()), len(num_inputs)
        inputs = np.empty(shape, self.input_spec.dtype)
        if self.middle == "random":
            middle = draw_symbols(rng, self._first, (shape[0] - 1, shape[1]))
            inputs[1:] = middle
            inputs[1:] += self.overlap
        else:
            inputs[1:] = np.arange(shape[0] - 1)[:, None] + self.overlap
        inputs[0] = draw_symbols(rng, self.num_values, shape[1:])
        inputs[0] += self._first
        return inputs

    def answer(self, inputs: Any, lengths: Any) -> Any:
        time = np.arange(len(inputs))[:, None]
        lengths = self.shared(lengths)
        last = time == lengths - 1
        if self.framing == "many_to_one":
            return np.broadcast_to(inputs[:1], inputs.shape), last
        return np.where(last, inputs[:1], time + self.overlap), time < lengths

    def check_inputs(self, inputs: Any) -> None:
        values = range(self._first, self._first + self.num_values)
        if int(inputs[0]) not in values:
            raise ValueError(
                f"inputs must begin with one of {list(values)}, got {inputs.tolist()!r}"
            )
        middle = np.arange(len(inputs) - 1) + self.overlap
        if self.middle == "in_order" and not np.array_equal(inputs[1:], middle):
            raise ValueError(
                f"inputs must go on with {middle.tolist()} after the first value, "
                f"got {inputs.tolist()!r}"
            )
        span = range(int(self.overlap), self._first + self.overlap)
        if any(int(symbol) not in span for symbol in inputs[1:]):
            raise ValueError(
                f"inputs must go on in {span.start} .. {span.stop - 1} after the first value, "
                f"got {inputs.tolist()!r}"
            )

    def support(self) -> tuple[EpisodeBatch, Any] | None:
        if self.middle == "random":
            return None
        low, high = self.num_inputs
        lengths = np.repeat(np.arange(low, high + 1), self.num_values)
        inputs = np.tile(np.arange(high)[:, None] - 1 + self.overlap, len(lengths))
        inputs[0] = self._first + np.arange(len(lengths)) % self.num_values
        batch = self.complete(inputs, lengths)
        return batch, np.full(len(lengths), 1 / len(lengths))

    def bounds(self) -> Bounds:
        if self.middle == "in_order":
            return super().bounds()
        guess = 1 / self.num_values  # the last observation is a random symbol of the middle
        return Bounds(chance=1 / int(self.action_space.n), memoryless=guess, clock=guess)  # type: ignore[union-attr]

"""The Echo problem: repeat the symbol that was shown some steps ago."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from seqenvs.bounds import Bounds
from seqenvs.problem import Length, Problem, Symbols
from seqenvs.sampling import MOST_SYMBOLS, draw_symbols
from seqenvs.validation import check_choice, check_int, check_length


@dataclass(kw_only=True)
class Echo(Problem):
    """Echo a random integer: at each step, say the integer shown ``lag`` steps ago.

    ## Description
    The integers are new in every episode. The agent has to learn to hold each integer for ``lag``
    steps and then to repeat it. From section 3 of the tutorial.

    One episode with ``lag=2, length=6`` (``.``: no answer due):

        time step   0  1  2  3  4  5
        input       5  3  2  1  9  9
        target      .  .  5  3  2  1
        due         .  .  *  *  *  *

    ## Observation Space
    The symbols 0 .. num_symbols - 1 in the given ``encoding``. Blank after the last answer.

    ## Action Space
    ``Discrete(num_symbols)``.

    ## Rewards
    1 / (number of answers due in the episode) for a right answer, otherwise 0.

    ## Starting State
    The first of ``length`` independent, uniformly drawn integers.

    ## Episode End
    Terminated after ``length`` steps, never truncated.

    ## Arguments
    - ``length``: the number of integers, or (low, high), drawn per episode.
    - ``lag``: how many steps ago the answer was shown. *This makes it harder*: the agent must hold
      ``lag`` integers at once, in a queue that moves at every step. With 0 no memory is needed.
    - ``num_symbols``: the number of different integers. With more, each one is more bits to hold,
      and a random answer is rewarded less often.
    - ``framing``: with ``"one_to_one"`` an answer is due at each step from ``lag`` on; with
      ``"many_to_one"`` one answer is due, at the end.
    - ``position``: only with ``many_to_one``, replaces ``lag``: the time step (from 0) whose
      integer is due at the end. The agent holds one integer, but must count to find it.

    ## Version History
    - v0: first version.
    """

    length: Length = 10
    lag: int = 1
    num_symbols: int = 10
    framing: str = "one_to_one"
    position: int | None = None

    def __post_init__(self) -> None:
        low, _ = self.num_inputs = check_length(self.length, 1)
        self.framing = check_choice("framing", self.framing, ("one_to_one", "many_to_one"))
        self.num_symbols = check_int("num_symbols", self.num_symbols, 2, MOST_SYMBOLS)
        # With a position the lag has no effect, so it may be larger than the length.
        self.lag = check_int("lag", self.lag, 0, low - 1 if self.position is None else None)
        if self.position is not None:
            if self.framing != "many_to_one":
                raise ValueError(
                    f"position must be None with framing='one_to_one', got {self.position!r}: with "
                    "a position one answer is due, at the end: use framing='many_to_one'"
                )
            self.position = check_int("position", self.position, 0, low - 1)
        self.input_spec = Symbols(self.num_symbols)
        self.action_space = spaces.Discrete(self.num_symbols)

    def draw(self, rng: np.random.Generator, num_inputs: Any) -> Any:
        return draw_symbols(rng, self.num_symbols, (int(num_inputs.max()), len(num_inputs)))

    def answer(self, inputs: Any, lengths: Any) -> Any:
        time = np.arange(len(inputs))[:, None]
        targets = np.zeros_like(inputs)
        if self.framing == "one_to_one":
            targets[self.lag :] = inputs[: len(inputs) - self.lag]
            due = time < self.shared(lengths)
            due[: self.lag] = False
            return targets, due
        source = lengths - 1 - self.lag if self.position is None else self.position
        targets[:] = np.take_along_axis(inputs, np.broadcast_to(source, (1, len(lengths))), axis=0)
        return targets, time == self.shared(lengths) - 1

    def bounds(self) -> Bounds:
        low, high = self.num_inputs
        if self.position is None:
            shown_now = float(self.lag == 0)
        else:  # the due integer is the current observation if it is the last one
            shown_now = (self.position == low - 1) / (high - low + 1)
        best = shown_now + (1 - shown_now) / self.num_symbols
        return Bounds(chance=1 / self.num_symbols, memoryless=best, clock=best)

"""The Copy problem: watch a sequence to its end, then reproduce it."""

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
class Copy(Problem):
    """Echo a random subsequence: see a sequence of integers to its end, then reproduce it.

    ## Description
    The agent reproduces the whole sequence or a contiguous part of it, forwards or reversed. From
    section 4 of the tutorial.

    One episode with ``length=4, output_length=3`` (``_``: blank, ``.``: no answer due):

        time step   0  1  2  3  4  5  6
        input       5  3  2  4  _  _  _
        target      .  .  .  .  5  3  2
        due         .  .  .  .  *  *  *

    ## Observation Space
    The symbols 0 .. num_symbols - 1 and blank, in the given ``encoding``.

    ## Action Space
    ``Discrete(num_symbols)``. With ``many_to_one``: ``MultiDiscrete`` with ``output_length``
    components, the whole output as one action.

    ## Rewards
    1 / (number of answers due in the episode) for a right answer, otherwise 0. With
    ``many_to_one`` the fraction of the output that is right.

    ## Starting State
    The first of ``length`` independent, uniformly drawn integers.

    ## Episode End
    Terminated after the last output, never truncated.

    ## Arguments
    - ``length``: the number of integers in the input, or (low, high), drawn per episode. *This
      makes it harder*: the agent must hold all of them and find each one again in its turn.
    - ``num_symbols``: the number of different integers. With more, each one is more bits to hold,
      and a random answer is rewarded less often.
    - ``framing``: ``"many_to_many"`` shows the input and then blank steps, and one output is due at
      each blank step. ``"many_to_one"`` makes the whole output due at once, at the last input.
      ``"one_to_one"`` makes each integer due at the step that shows it, which needs no memory.
    - ``output_length``: the number of integers in the output. Default: all from ``start`` on.
    - ``start``: the time step (from 0) of the first integer of the output. The agent has to hold
      fewer integers, but must know which.
    - ``reverse``: whether the output is due in reverse order. The last integer is then due first,
      which is easier for many networks.

    ## Version History
    - v0: first version.
    """

    length: Length = 5
    num_symbols: int = 10
    framing: str = "many_to_many"
    output_length: int | None = None
    start: int = 0
    reverse: bool = False

    def __post_init__(self) -> None:
        low, high = self.num_inputs = check_length(self.length, 1)
        self.num_symbols = check_int("num_symbols", self.num_symbols, 2, MOST_SYMBOLS)
        self.framing = check_choice(
            "framing", self.framing, ("many_to_many", "many_to_one", "one_to_one")
        )
        self.start = check_int("start", self.start, 0, low - 1)
        self.reverse = check_choice("reverse", self.reverse, (False, True))
        if self.output_length is not None:
            most = low - self.start
            self.output_length = check_int("output_length", self.output_length, 1, most)
        elif self.framing == "many_to_one" and low < high:
            raise ValueError(
                f"output_length must be an int where length is a range ({self.length!r}) and "
                "framing='many_to_one', got None: the action space needs a fixed size"
            )
        if self.framing == "one_to_one" and self.reverse:
            raise ValueError(
                "reverse must be False with framing='one_to_one', got True: the first output "
                "would be due before the last input has been shown"
            )
        self.input_spec = Symbols(self.num_symbols)
        self.action_space = spaces.Discrete(self.num_symbols)
        if self.framing == "many_to_one":
            self.action_space = spaces.MultiDiscrete([self.num_symbols] * self._output_length(low))

    def _output_length(self, num_inputs: Any) -> Any:
        if self.output_length is None:
            return num_inputs - self.start
        return self.output_length + 0 * num_inputs

    def delay(self, num_inputs: Any) -> Any:
        return self._output_length(num_inputs) if self.framing == "many_to_many" else 0

    def draw(self, rng: np.random.Generator, num_inputs: Any) -> Any:
        return draw_symbols(rng, self.num_symbols, (int(num_inputs.max()), len(num_inputs)))

    def answer(self, inputs: Any, lengths: Any) -> Any:
        time = np.arange(len(inputs))[:, None]
        lengths = self.shared(lengths)
        if self.framing == "one_to_one":
            size = self._output_length(lengths)
            return inputs, (time >= self.start) & (time < self.start + size)
        if self.framing == "many_to_one":
            output = self.start + np.arange(len(self.action_space.nvec))  # type: ignore[union-attr]
            output = np.minimum(output[:: -1 if self.reverse else 1], len(inputs) - 1)
            whole = inputs[output].T  # (B, K)
            return np.broadcast_to(whole, (len(inputs), *whole.shape)), time == lengths - 1
        low, high = self.num_inputs
        heard = (
            np.array([low]) if low == high else np.argmax(inputs == self.input_spec.blank, axis=0)
        )
        size = self._output_length(heard)
        place = time - heard
        due = (place >= 0) & (place < size)
        source = self.start + np.where(due, size - 1 - place if self.reverse else place, 0)
        if low == high:
            return inputs[source[:, 0]], due
        return np.take_along_axis(inputs, source, axis=0), due

    def bounds(self) -> Bounds:
        chance = best = 1 / self.num_symbols
        if self.framing == "one_to_one":
            best = 1.0
        elif self.framing == "many_to_one":
            low, high = self.num_inputs
            size = len(self.action_space.nvec)  # type: ignore[union-attr]
            # The current observation is the last input. It helps if it is part of the output.
            in_sight = (self.start + size == low) / (high - low + 1) / size
            best = in_sight + (1 - in_sight) * chance
        return Bounds(chance=chance, memoryless=best, clock=best)

"""The Next problem: predict the next value of a rising sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from seqenvs.problem import EpisodeBatch, Length, Problem, Values
from seqenvs.validation import check_choice, check_int, check_length

# float32 holds up to 2**24 different values i/length. To find the length from a difference of two
# values, the rounding error, 2**-24, must be below half of 1/length**2.
_LONGEST, _LONGEST_OF_RANGE = 1 << 24, 2896


class NextValue(Problem):
    """Predict the next value of a sequence of equally spaced values between 0 and 1.

    ## Description
    The sequence is 0, 1/length, 2/length and so on. From section 1 of the tutorial. This is the
    easiest problem: a multilayer perceptron solves it. With a range of lengths it needs memory,
    because the agent has to infer the spacing from two values.

    One episode with ``framing="many_to_one", length=10, window=3``:

        time step   0    1    2
        input       0.4  0.5  0.6
        target      .    .    0.7
        due         .    .    *

    ## Observation Space
    ``Box(-1, 1, (1,), float32)``: values in [0, 1]. After the last answer it is blank, -1.

    ## Action Space
    ``Box(0, 1, (1,), float32)``, the next value. With ``answer="index"``: ``Discrete(length)``, the
    index of the next value in the sequence.

    ## Rewards
    For a value: (1 - distance from the target) / (number of answers due in the episode). It counts
    as right (``is_success``) if the distance is below half the spacing. For an index:
    1 / (number of answers due in the episode) if it is right, otherwise 0.

    ## Starting State
    The first value of the sequence, or of the window.

    ## Episode End
    Terminated after ``length - 1`` steps (``one_to_one``) or ``window`` steps (``many_to_one``),
    never truncated.

    ## Arguments
    - ``length``: the number of values in the sequence; with ``many_to_one`` also (low, high), drawn
      per episode. *This makes it harder*: the spacing is finer, and with a range it is unknown. An
      answer then counts as right within half the finest spacing.
    - ``framing``: ``"one_to_one"`` shows the whole sequence, and an answer is due at each step.
      ``"many_to_one"`` shows a random contiguous part, and one answer is due, at its end.
    - ``window``: only with ``many_to_one``: the number of values in that part.
    - ``answer``: the agent answers with the next ``"value"`` or with its ``"index"``.

    ## Version History
    - v0: first version.
    """

    def __init__(
        self,
        *,
        length: Length = 10,
        framing: str = "one_to_one",
        window: int = 3,
        answer: str = "value",
    ) -> None:
        self.framing = check_choice("framing", framing, ("one_to_one", "many_to_one"))
        self._index = check_choice("answer", answer, ("value", "index")) == "index"
        one = framing == "one_to_one"
        unknown = "the first value, 0, does not tell the spacing" if one else None
        low, high = self.length = check_length(length, 2, fixed=unknown)
        if low < high:  # two values show the spacing, so the third is the first to ask for
            check_length(length, 3)
        most = _LONGEST if low == high else _LONGEST_OF_RANGE
        if high > most:
            raise ValueError(
                f"length must be at most {most}{' where it is a range' * (low < high)}, got "
                f"{length!r}: float32 observations cannot hold so many different values"
            )
        self.window = check_int("window", window, 1 if low == high else 2, None if one else low - 1)
        self.num_inputs = (high - 1, high - 1) if one else (self.window, self.window)
        self.input_spec = Values(0.0, 1.0)
        self.action_space = spaces.Box(0, 1, (1,), np.float32)
        self.tolerance = 0.5 / high
        if self._index:
            self.action_space = spaces.Discrete(high)

    def __repr__(self) -> str:
        low, high = self.length
        answer = "index" if self._index else "value"
        return (
            f"NextValue(length={low if low == high else (low, high)}, framing={self.framing!r}, "
            f"window={self.window}, answer={answer!r})"
        )

    def draw(self, rng: np.random.Generator, num_inputs: Any) -> Any:
        size = len(num_inputs)
        length = rng.integers(*self.length, size, endpoint=True)
        return self._values(self._first(rng, length), length)

    def _first(self, rng: np.random.Generator, length: Any) -> Any:
        return 0 * length if self.framing == "one_to_one" else rng.integers(length - self.window)

    def _values(self, first: Any, length: Any) -> Any:
        index = first + np.arange(self.num_inputs[0])[:, None]
        return (index / length).astype(np.float32)

    def _length(self, inputs: Any) -> Any:
        """Return the length of the sequence, or (B,) lengths inferred from the first spacing."""
        low, high = self.length
        if low == high:
            return high
        with np.errstate(divide="ignore"):
            spacing = inputs[1].astype(np.float64) - inputs[0]
            return np.clip(np.rint(1 / np.abs(spacing)), low, high)

    def answer(self, inputs: Any, lengths: Any) -> Any:
        length = self._length(inputs)
        index = np.multiply(inputs, length, dtype=np.float64)
        np.rint(index, out=index)
        index += 1
        np.clip(index, 0, length - 1, out=index)
        time = np.arange(len(inputs))[:, None]
        lengths = self.shared(lengths)
        due = time < lengths if self.framing == "one_to_one" else time == lengths - 1
        if self._index:
            return index.astype(np.int64), due
        index /= length
        return index.astype(inputs.dtype)[..., None], due

    def check_inputs(self, inputs: Any) -> None:
        for length in range(self.length[0], self.length[1] + 1):
            index = np.rint(inputs[0] * length) + np.arange(len(inputs))
            begins = index[0] == 0 if self.framing == "one_to_one" else index[-1] < length - 1
            if begins and np.allclose(inputs, index / length, rtol=0, atol=1e-6):
                return
        raise ValueError(
            f"inputs must be contiguous values i/length of {self}, "
            f"got {[round(value, 6) for value in inputs.tolist()]}"
        )

    def support(self) -> tuple[EpisodeBatch, Any]:
        low, high = self.length
        starts = [(i, n) for n in range(low, high + 1) for i in range(self._num_starts(n))]
        first, length = np.array(starts).T
        count = np.full(len(first), self.num_inputs[0])
        probability = 1 / (high - low + 1) / np.array([self._num_starts(n) for n in length])
        return self.complete(self._values(first, length), count), probability

    def _num_starts(self, length: int) -> int:
        return 1 if self.framing == "one_to_one" else length - self.window

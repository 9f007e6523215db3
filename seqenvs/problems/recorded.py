"""The Recorded problem: turn your own arrays of sequences and answers into a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from seqenvs.problem import EpisodeBatch, Problem, Symbols, Values
from seqenvs.sampling import MOST_SYMBOLS
from seqenvs.validation import check_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_GREATEST = 1e38  # blank can be three times as large and must fit into float32


class Recorded(Problem):
    """Make a problem of your own data set: each episode is one sample, drawn with replacement.

    ## Description
    ``Recorded(X, y, mask)`` takes the arrays of a supervised data set: inputs ``[samples,
    timesteps]`` or ``[samples, timesteps, features]``, and answers. The bounds are exact for these
    samples. Each answer must follow from the inputs so far. The constructor raises an error that
    names two samples with the same inputs up to a step and different answers at that step.

    One episode of ``Recorded([[5, 3, 2], [1, 1, 4]], [5, 1])``, with one answer per sample, due at
    its end:

        time step   0  1  2
        input       5  3  2
        target      .  .  5
        due         .  .  *

    ## Observation Space
    Integers are symbols, in the given ``encoding``. Floats are a float32 ``Box`` with the range of
    the data, extended downwards to the blank, which is ``low - (high - low)``.

    ## Action Space
    ``Discrete`` for one integer per answer, ``MultiDiscrete`` for several, and a float32 ``Box``
    with the range of the answers for floats.

    ## Rewards
    1 / (number of answers due in the episode) for a right answer, otherwise 0. For
    floats the numerator is 1 minus the mean distance from the target, in units of the range.

    ## Starting State
    The first input of a sample, drawn uniformly from all samples.

    ## Episode End
    Terminated after the last step of the sample, never truncated.

    ## Arguments
    - ``X``: (N, T) or (N, T, F), the inputs. *This makes it harder*: your data.
    - ``y``: the answers: (N,), one per sample, due at its end; (N, T), one per step; or (N, T, K),
      K per step.
    - ``mask``: (N, T) bool, True where an answer is due. Default: everywhere.
    - ``lengths``: (N,), the number of steps of each sample. Default: T.
    - ``tolerance``: for float answers, the distance below which an answer counts as right. Default:
      0.05 of the range of the answers.

    ## Version History
    - v0: first version.
    """

    def __init__(
        self,
        X: ArrayLike,  # noqa: N803 - the field's name
        y: ArrayLike,
        mask: ArrayLike | None = None,
        *,
        lengths: ArrayLike | None = None,
        tolerance: float | None = None,
    ) -> None:
        x, targets = _array("X", X), _array("y", y)
        _require(
            x.ndim in (2, 3) and x.size and x.dtype.kind in "iuf",
            "X must be a non-empty array of numbers, (N, T) or (N, T, F), "
            f"got shape {x.shape}, dtype {x.dtype}",
        )
        if targets.dtype.kind not in "iuf":
            raise TypeError(f"y must be an array of integers or floats, got dtype {targets.dtype}")
        x, targets = _in_range("X", x), _in_range("y", targets)
        size, steps = x.shape[:2]
        num_steps = np.full(size, steps) if lengths is None else _array("lengths", lengths)
        integers = num_steps.shape == (size,) and num_steps.dtype.kind in "iu"
        _require(
            integers and num_steps.min() >= 1 and num_steps.max() <= steps,
            f"lengths must be {size} integers in 1 .. {steps}, got {lengths!r}",
        )
        self._lengths = num_steps.astype(np.int64)
        due = np.arange(steps) < self._lengths[:, None]
        if targets.ndim == 1:
            targets = np.repeat(targets[:, None], steps, axis=1)
            due = np.arange(steps) == self._lengths[:, None] - 1
        _require(
            targets.ndim in (2, 3) and targets.shape[:2] == (size, steps) and targets.size,
            f"y must have the shape ({size},), ({size}, {steps}) or ({size}, {steps}, K), "
            f"got {np.shape(y)}",
        )
        if mask is not None:
            given = _array("mask", mask)
            _require(
                given.shape == (size, steps) and given.dtype == np.bool_,
                f"mask must be an array of bool of shape {(size, steps)}, "
                f"got shape {given.shape}, dtype {given.dtype}",
            )
            due = due & given
        answered = due.any(axis=1)
        _require(
            answered.all(),
            "mask must be True at least once in every sample, "
            f"got no True in sample {answered.argmin()}",
        )
        self._due = due
        self.input_spec, self._x = _input_spec(x)
        targets = np.where(due.reshape(*due.shape, *[1] * (targets.ndim - 2)), targets, 0)
        self.action_space, self._y = _action_space(targets, due)
        if isinstance(self.action_space, spaces.Box):
            self.tolerance = 0.05 * float((self.action_space.high - self.action_space.low).max())
        if tolerance is not None:
            _require(
                isinstance(self.action_space, spaces.Box),
                f"tolerance must be None where y is integers, got {tolerance!r}",
            )
            self.tolerance = check_number("tolerance", tolerance, "a number above 0")
            _require(tolerance > 0, f"tolerance must be a number above 0, got {tolerance!r}")
        self.num_inputs = int(self._lengths.min()), int(self._lengths.max())
        self._order = np.argsort(self._lengths, kind="stable")
        self._index_histories()

    def __repr__(self) -> str:
        return f"Recorded({len(self._x)} samples of {self.input_spec}, {self.action_space})"

    def draw_num_inputs(self, rng: np.random.Generator, size: int) -> Any:
        return self._lengths[rng.integers(len(self._lengths), size=size)]

    def draw(self, rng: np.random.Generator, num_inputs: Any) -> Any:
        ranked = self._lengths[self._order]
        first, past = (np.searchsorted(ranked, num_inputs, side) for side in ("left", "right"))
        sample = self._order[rng.integers(first, past)]
        return np.moveaxis(self._x[sample, : int(num_inputs.max())], 0, 1)

    def answer(self, inputs: Any, lengths: Any) -> Any:
        steps, size = inputs.shape[:2]
        targets = np.zeros((steps, size, *self._y.shape[2:]), self._y.dtype)
        due = np.zeros((steps, size), bool)
        history, known = np.zeros(size, np.int64), np.ones(size, bool)
        for t, words in enumerate(_words(inputs)[: len(self._levels)]):
            for keys, word in zip(self._levels[t], words, strict=True):
                key = history << 32 | word
                history = np.searchsorted(keys, key).clip(max=len(keys) - 1)
                known = known & (keys[history] == key)
            targets[t, known] = self._y[self._due_at[t][history[known]], t]
            ends = np.flatnonzero(known & (lengths == t + 1))
            sample = self._ended[t][history[ends]]
            due[: t + 1, ends[sample >= 0]] = self._due[sample[sample >= 0], : t + 1].T
        return targets, due

    def check_inputs(self, inputs: Any) -> None:
        column = inputs[:, None]
        if not self.answer(column, np.array([len(inputs)]))[1].any():
            raise ValueError(f"inputs must be one of the recorded samples, got {inputs.tolist()!r}")

    def support(self) -> tuple[EpisodeBatch, Any]:
        inputs = np.moveaxis(self._x, 0, 1)
        size = len(self._lengths)
        return self.complete(inputs, self._lengths), np.full(size, 1 / size)

    def _index_histories(self) -> None:
        """Build an index from each history of inputs to a sample that has it.

        ``_levels[t]`` holds, for each word of step t, the sorted keys (number of the previous
        history, word). The position of a key is the number of the new history. ``_due_at[t]`` and
        ``_ended[t]`` hold, for each history, a sample whose answer is due at t, or that ends at t,
        or -1.
        """
        size = len(self._x)
        history = np.zeros(size, np.int64)
        self._levels: list[list[Any]] = []
        self._due_at: list[Any] = []
        self._ended: list[Any] = []
        for t, words in enumerate(_words(np.moveaxis(self._x, 0, 1))):
            self._levels.append([])
            for word in words:
                keys, history = np.unique(history << 32 | word, return_inverse=True)
                history = history.reshape(size)
                self._levels[t].append(keys)
            for table, samples, rows, what in (
                (self._due_at, np.flatnonzero(self._due[:, t]), self._y[:, t], "answers"),
                (self._ended, np.flatnonzero(self._lengths == t + 1), self._due, "masks"),
            ):
                first = np.full(len(keys), -1)
                first[history[samples[::-1]]] = samples[::-1]
                twin = first[history[samples]]
                unlike = rows[twin] != rows[samples]
                differ = unlike.any(axis=tuple(range(1, unlike.ndim)))
                for one, other in zip(twin[differ], samples[differ], strict=True):
                    raise ValueError(
                        f"y and mask must follow from the inputs so far, but samples {one} and "
                        f"{other} have the same inputs up to time step {t} and different {what}: "
                        "no agent could know; remove one, or make the answer due later"
                    )
                table.append(first)


def _require(holds: Any, message: str) -> None:
    if not holds:
        raise ValueError(message)


def _array(name: str, value: Any) -> Any:
    try:
        return np.asarray(value)
    except ValueError as error:  # ragged
        raise ValueError(
            f"{name} must be an array, got rows of different lengths: pad them and pass lengths"
        ) from error


def _in_range(name: str, array: Any) -> Any:
    """Raise if a number fits neither a float32 nor a symbol; return floats as float32."""
    if array.dtype.kind == "f":
        wrong = ~(np.abs(array) <= _GREATEST)  # NaN too
        allowed = f"finite and within {_GREATEST:g} of 0"
    else:
        wrong = (array < 0) | (array >= MOST_SYMBOLS)
        allowed = f"integers in 0 .. {MOST_SYMBOLS - 1}, or floats"
    for place in map(tuple, np.argwhere(wrong).tolist()):
        raise ValueError(f"{name} must be {allowed}, got {array[place]} at {place}")
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _words(inputs: Any) -> Any:
    """Map (T, B) or (T, B, F) inputs one-to-one to (T, F, B) integers below 2**32."""
    wide = np.moveaxis(inputs.reshape(*inputs.shape[:2], -1), 2, 1)
    if wide.dtype.kind == "f":
        wide = (np.ascontiguousarray(wide, np.float32) + np.float32(0)).view(np.uint32)  # no -0.0
    return wide.astype(np.int64)


def _input_spec(x: Any) -> tuple[Symbols | Values, Any]:
    """Return the input spec and the inputs, converted to its dtype."""
    if x.dtype.kind == "f":
        values = Values(float(x.min()), float(x.max()), x.shape[2] if x.ndim == 3 else 1)
        return values, x.reshape(*x.shape[:2], *[values.features] * (values.features > 1))
    _require(
        x.ndim == 2 or x.shape[2] == 1,
        f"X must be floats where a step has several features, got integers of shape {x.shape}",
    )
    symbols = Symbols(int(x.max()) + 1)
    return symbols, x.reshape(x.shape[:2]).astype(symbols.dtype)


def _action_space(y: Any, due: Any) -> tuple[Any, Any]:
    """Return the action space and the answers, converted to its dtype and shape."""
    if y.dtype.kind == "f":
        y = y.reshape(*y.shape[:2], -1).astype(np.float32)
        low, high = y[due].min(axis=0), y[due].max(axis=0)
        high = np.where(high > low, high, low + np.maximum(1, np.abs(low))).astype(np.float32)
        return spaces.Box(low, high, dtype=np.float32), y
    y = y.astype(np.int64)
    if y.ndim == 2:
        return spaces.Discrete(int(y.max()) + 1), y
    return spaces.MultiDiscrete(y.max(axis=(0, 1)) + 1), y

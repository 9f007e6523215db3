"""The contract of a problem: its inputs and its right answers.

A sequence problem is *open loop*: what is shown never depends on what is answered. It is
therefore two functions, ``draw`` (the only randomness) and ``answer`` (the rule, pure and
causal). Environments, supervised batches, the oracle, the bounds and the pictures are
readers of these two. Arrays are time-major: axis 0 is the time step, axis 1 the episode.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from gymnasium import spaces

from seqenvs.bounds import Bounds, enumerated_bounds
from seqenvs.scoring import judge
from seqenvs.validation import check_int, check_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Length = int | tuple[int, int]
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Symbols:
    """An alphabet of the symbols 0 .. n - 1; ``blank``, which is n, means that nothing is shown."""

    n: int
    features: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", check_int("n", self.n, 1))

    @property
    def blank(self) -> int:
        """The symbol that stands for nothing."""
        return self.n

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned integer type that holds every symbol and blank."""
        return np.min_scalar_type(self.n)


@dataclass(frozen=True)
class Values:
    """Real values in [low, high], ``features`` of them a step; ``blank`` lies outside."""

    low: float = 0.0
    high: float = 1.0
    features: int = 1

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, check_number(name, getattr(self, name)))
        object.__setattr__(self, "features", check_int("features", self.features, 1))
        if self.low > self.high:
            raise ValueError(f"low must be at most high, {self.high!r}, got {self.low!r}")
        widest = max(abs(self.blank), abs(self.high))  # low lies between
        if widest > _FLOAT32_MAX or not np.float32(self.blank) < np.float32(self.low):
            raise ValueError(
                "low and high must be numbers that float32 holds and tells from the blank, "
                f"{self.blank!r}, got {self.low!r} and {self.high!r}"
            )

    @property
    def blank(self) -> float:
        """The value that stands for nothing: as far below ``low`` as ``high`` is above it."""
        return self.low - ((self.high - self.low) or max(1.0, abs(self.low)))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Values are float32, as observations are."""
        return np.dtype(np.float32)


class EpisodeBatch(NamedTuple):
    """B episodes, time-major; T is the longest one's number of steps.

    Attributes:
        inputs: (T, B), or (T, B, F) where several features are shown; blank past an episode's end.
        targets: (T, B) for ``Discrete`` answers, (T, B, K) for ``MultiDiscrete`` and ``Box`` of K
            components; 0 where none is due.
        due: (T, B) bool, True where an answer is due.
        lengths: (B,) int64, the number of steps of each episode.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    due: NDArray[np.bool_]
    lengths: NDArray[np.int64]


class Problem(ABC):
    """A sequence problem. Subclasses set four attributes and define ``draw`` and ``answer``.

    Attributes:
        input_spec: What a step shows: ``Symbols(n)`` or ``Values(low, high, features)``.
        action_space: The space of answers: ``Discrete`` or ``MultiDiscrete`` from 0, or a bounded
            float32 ``Box`` of shape (K,).
        num_inputs: Least and most inputs of an episode, both included.
        tolerance: For ``Box`` answers, how close (strictly, in every component) counts as right.

    A parameter that makes no sense is refused in the constructor with a ``ValueError`` or
    ``TypeError`` that names it; `check_int` and its neighbours below do that in one line.
    """

    input_spec: Symbols | Values
    action_space: spaces.Discrete | spaces.MultiDiscrete | spaces.Box
    num_inputs: tuple[int, int]
    tolerance: float = 0.0

    @abstractmethod
    def draw(self, rng: np.random.Generator, num_inputs: NDArray[np.int64]) -> NDArray[Any]:
        """Draw the inputs of B episodes.

        Args:
            rng: The only source of randomness.
            num_inputs: (B,) int64, how many inputs each episode shows.

        Returns:
            (max(num_inputs), B) or (max(num_inputs), B, F): symbols in an integer type that holds
            the blank too, or values in a floating one. What stands below an episode's own number of
            inputs is replaced by blanks.
        """

    @abstractmethod
    def answer(
        self, inputs: NDArray[Any], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Give the right answers; the rule of the problem, in this one place.

        Causal: wherever an answer is due, ``targets[t]`` follows from ``inputs[:t + 1]``, and
        ``lengths`` may say no more than that the episode ends here.

        Args:
            inputs: (T, B) or (T, B, F), blank below each episode's inputs.
            lengths: (B,) int64, how many steps each episode has.

        Returns:
            targets, (T, B) or, for ``MultiDiscrete`` and ``Box`` of K components, (T, B, K), any
            number where none is due; and mask, (T, B) bool, True where one is due, or (T, 1) if
            that is the same in all episodes. At least one is due in every episode.
        """

    def draw_num_inputs(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draw how many inputs each of ``size`` episodes shows: (size,) int64."""
        low, high = self.num_inputs
        return np.full(size, low) if low == high else rng.integers(low, high, size, endpoint=True)

    def delay(self, num_inputs: Any) -> Any:
        """Number of blank steps that follow the inputs, in which answers are still due."""
        return 0

    def check_inputs(self, inputs: NDArray[Any]) -> None:  # noqa: B027 - a hook
        """Raise ValueError if ``draw`` can never give this sequence, (T,) or (T, F)."""

    def support(self) -> tuple[EpisodeBatch, NDArray[np.float64]] | None:
        """Every episode that can be drawn and (B,) their probabilities; None if too many."""
        return None

    def bounds(self) -> Bounds:
        """Exact chance, memoryless and clock bounds, from `support` unless a formula is known.

        Raises:
            NotImplementedError: The problem gives neither a formula nor its support.
        """
        support = self.support()
        if support is None:
            raise NotImplementedError(
                f"{type(self).__name__} knows no bounds: define bounds() in it, or support()"
            )
        return enumerated_bounds(self, *support)

    # What every problem gets from the above.

    @property
    def num_steps(self) -> tuple[int, int]:
        """Least and most steps of an episode, both included."""
        low, high = self.num_inputs
        return low + int(self.delay(low)), high + int(self.delay(high))

    def shared(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """``lengths``, or (1,) of them if all episodes have as many steps: faster to compare."""
        low, high = self.num_steps
        return lengths[:1] if low == high else lengths

    def batch(self, rng: np.random.Generator, size: int, steps: int | None = None) -> EpisodeBatch:
        """Draw ``size`` episodes from ``rng``, padded to T = ``steps`` if that is given."""
        count = self.draw_num_inputs(rng, size)
        return self.complete(self.draw(rng, count), count, steps)

    def episode(self, inputs: ArrayLike, steps: int | None = None) -> EpisodeBatch:
        """Lay out one given sequence, (T,) or (T, F), of which trailing blanks are not counted.

        Args:
            inputs: What is shown.
            steps: T, to pad to.

        Raises:
            TypeError, ValueError: The sequence is not one that this problem can show.
        """
        sequence = self._sequence(inputs)
        low, high = self.num_inputs
        if not low <= len(sequence) <= high:
            allowed = f"{low}" if low == high else f"{low} to {high}"
            raise ValueError(
                f"inputs must have {allowed} time steps for {self}, where trailing blanks "
                f"({self.input_spec.blank}) are not counted, got {len(sequence)} in "
                f"{np.asarray(inputs).tolist()!r}"
            )
        self.check_inputs(sequence)
        return self.complete(sequence[:, None], np.array([len(sequence)]), steps)

    def judge(
        self, answers: NDArray[Any], targets: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Score answers against targets of the same shape, as `judge` does."""
        return judge(self.action_space, answers, targets, self.tolerance)

    def complete(
        self, inputs: NDArray[Any], num_inputs: NDArray[np.int64], steps: int | None = None
    ) -> EpisodeBatch:
        """Make a batch of what ``draw`` gave: blank what is not shown and ask for the answers."""
        lengths = num_inputs + self.delay(num_inputs)
        low, high = self.num_inputs
        steps = steps or int(lengths.max())
        if steps > low:
            padded = np.empty((steps, *inputs.shape[1:]), inputs.dtype)
            padded[: len(inputs)] = inputs[:steps]
            if low == high:
                padded[low:] = self.input_spec.blank
            else:
                past = np.arange(low, steps)[:, None] >= num_inputs
                padded[low:][past] = self.input_spec.blank
            inputs = padded
        targets, due = self.answer(inputs, lengths)
        targets = _zero_where_not_due(np.asarray(targets), np.asarray(due))
        return EpisodeBatch(inputs, targets, np.broadcast_to(due, inputs.shape[:2]), lengths)

    def _sequence(self, inputs: ArrayLike) -> NDArray[Any]:
        """Check a given sequence's type, shape and alphabet, and strip trailing blanks."""
        what = f"inputs must be {self._allowed_inputs()}, got {inputs!r}"
        try:
            sequence = np.asarray(inputs)
        except ValueError as error:  # ragged
            raise TypeError(what) from error
        if sequence.dtype.kind in "USO" and sequence.ndim == 0:  # a string, a dict, a generator
            raise TypeError(what)
        wide = self.input_spec.features > 1
        if sequence.ndim != 1 + wide or (wide and sequence.shape[1] != self.input_spec.features):
            raise ValueError(what)
        kinds = "iu" if isinstance(self.input_spec, Symbols) else "iuf"
        if sequence.size and sequence.dtype.kind not in kinds:
            raise TypeError(what)
        if isinstance(self.input_spec, Values):
            with np.errstate(over="ignore"):  # infinity is refused below
                sequence = sequence.astype(self.input_spec.dtype)  # to be compared as it is shown
        blank = (sequence == self.input_spec.blank).reshape(len(sequence), self.input_spec.features)
        blank = blank.all(axis=1)
        sequence = sequence[
            : len(sequence) - int(np.argmin(blank[::-1]) if not blank.all() else len(blank))
        ]
        low, high = (
            (0, self.input_spec.n - 1)
            if isinstance(self.input_spec, Symbols)
            else (self.input_spec.low, self.input_spec.high)
        )
        if not ((sequence >= low) & (sequence <= high)).all():  # NaN fails this too
            raise ValueError(what)
        return sequence.astype(self.input_spec.dtype)

    def _allowed_inputs(self) -> str:
        if isinstance(self.input_spec, Symbols):
            return f"a sequence of integers in 0 .. {self.input_spec.n - 1}"
        shown = self.input_spec
        each = "numbers" if shown.features == 1 else f"rows of {shown.features} numbers"
        return f"a sequence of {each} in [{shown.low}, {shown.high}]"


def _zero_where_not_due(targets: NDArray[Any], due: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a copy of (T, B) or (T, B, K) targets that is 0 where ``due`` is False."""
    if due.shape[1] == 1:
        copied = np.array(targets)
        copied[~due[:, 0]] = 0
        return copied
    due = due.reshape(*due.shape, *[1] * (targets.ndim - 2))
    if targets.dtype.kind in "iu":  # a product takes a tenth of the time of a selection
        product: NDArray[Any] = np.multiply(targets, due, dtype=targets.dtype)
        return product
    return np.where(due, targets, targets.dtype.type(0))

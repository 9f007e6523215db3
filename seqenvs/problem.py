"""The contract that a problem's author reads: what is shown, and what is right.

A sequence problem is *open loop*: what is shown never depends on what is answered. It is
therefore two functions, ``draw`` (the only randomness) and ``answer`` (the rule, pure and
causal). Environments, supervised batches, the oracle, the bounds and the pictures are
readers of these two. Arrays are time-major: axis 0 is the time step, axis 1 the episode.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from gymnasium import spaces

from seqenvs.bounds import Bounds, enumerated_bounds

if TYPE_CHECKING:
    from collections.abc import Iterable

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


class Batch(NamedTuple):
    """B episodes, time-major; T is the longest one's number of steps.

    Attributes:
        inputs: (T, B), or (T, B, F) where several features are shown; blank past an episode's end.
        targets: (T, B) for ``Discrete`` answers, (T, B, K) for ``MultiDiscrete`` and ``Box`` of K
            components; 0 where none is due.
        mask: (T, B) bool, True where an answer is due.
        lengths: (B,) int64, the number of steps of each episode.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    mask: NDArray[np.bool_]
    lengths: NDArray[np.int64]


class Problem(ABC):
    """A sequence problem. Subclasses set four attributes and define ``draw`` and ``answer``.

    Attributes:
        shown: What a step shows: ``Symbols(n)`` or ``Values(low, high, features)``.
        answers: The space of answers: ``Discrete`` or ``MultiDiscrete`` from 0, or a bounded
            float32 ``Box`` of shape (K,).
        num_inputs: Least and most inputs of an episode, both included.
        tolerance: For ``Box`` answers, how close (strictly, in every component) counts as right.

    A parameter that makes no sense is refused in the constructor with a ``ValueError`` or
    ``TypeError`` that names it; `check_int` and its neighbours below do that in one line.
    """

    shown: Symbols | Values
    answers: spaces.Discrete | spaces.MultiDiscrete | spaces.Box
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

    def support(self) -> tuple[Batch, NDArray[np.float64]] | None:
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

    def batch(self, rng: np.random.Generator, size: int, steps: int | None = None) -> Batch:
        """Draw ``size`` episodes from ``rng``, padded to T = ``steps`` if that is given."""
        count = self.draw_num_inputs(rng, size)
        return self.complete(self.draw(rng, count), count, steps)

    def episode(self, inputs: ArrayLike, steps: int | None = None) -> Batch:
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
                f"({self.shown.blank}) are not counted, got {len(sequence)} in "
                f"{np.asarray(inputs).tolist()!r}"
            )
        self.check_inputs(sequence)
        return self.complete(sequence[:, None], np.array([len(sequence)]), steps)

    def judge(
        self, answers: NDArray[Any], targets: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Score answers against targets of the same shape, as `judge` does."""
        return judge(self.answers, answers, targets, self.tolerance)

    def complete(
        self, inputs: NDArray[Any], num_inputs: NDArray[np.int64], steps: int | None = None
    ) -> Batch:
        """Make a batch of what ``draw`` gave: blank what is not shown and ask for the answers."""
        lengths = num_inputs + self.delay(num_inputs)
        low, high = self.num_inputs
        steps = steps or int(lengths.max())
        if steps > low:
            padded = np.empty((steps, *inputs.shape[1:]), inputs.dtype)
            padded[: len(inputs)] = inputs[:steps]
            if low == high:
                padded[low:] = self.shown.blank
            else:
                past = np.arange(low, steps)[:, None] >= num_inputs
                padded[low:][past] = self.shown.blank
            inputs = padded
        targets, mask = self.answer(inputs, lengths)
        targets = np.array(targets)  # a copy: what answer gave may be the inputs, or its author's
        if mask.shape[1] == 1 < len(lengths):
            targets[~mask[:, 0]] = 0
        else:
            targets[~mask] = 0
        return Batch(inputs, targets, np.broadcast_to(mask, inputs.shape[:2]), lengths)

    def _sequence(self, inputs: ArrayLike) -> NDArray[Any]:
        """Check a given sequence's type, shape and alphabet, and strip trailing blanks."""
        what = f"inputs must be {self._allowed_inputs()}, got {inputs!r}"
        try:
            sequence = np.asarray(inputs)
        except ValueError as error:  # ragged
            raise TypeError(what) from error
        if sequence.dtype.kind in "USO" and sequence.ndim == 0:  # a string, a dict, a generator
            raise TypeError(what)
        wide = self.shown.features > 1
        if sequence.ndim != 1 + wide or (wide and sequence.shape[1] != self.shown.features):
            raise ValueError(what)
        kinds = "iu" if isinstance(self.shown, Symbols) else "iuf"
        if sequence.size and sequence.dtype.kind not in kinds:
            raise TypeError(what)
        if isinstance(self.shown, Values):
            with np.errstate(over="ignore"):  # infinity is refused below
                sequence = sequence.astype(self.shown.dtype)  # to be compared as it is shown
        blank = (sequence == self.shown.blank).reshape(len(sequence), self.shown.features)
        blank = blank.all(axis=1)
        sequence = sequence[
            : len(sequence) - int(np.argmin(blank[::-1]) if not blank.all() else len(blank))
        ]
        low, high = (
            (0, self.shown.n - 1)
            if isinstance(self.shown, Symbols)
            else (self.shown.low, self.shown.high)
        )
        if not ((sequence >= low) & (sequence <= high)).all():  # NaN fails this too
            raise ValueError(what)
        return sequence.astype(self.shown.dtype)

    def _allowed_inputs(self) -> str:
        if isinstance(self.shown, Symbols):
            return f"a sequence of integers in 0 .. {self.shown.n - 1}"
        shown = self.shown
        each = "numbers" if shown.features == 1 else f"rows of {shown.features} numbers"
        return f"a sequence of {each} in [{shown.low}, {shown.high}]"


@lru_cache(maxsize=32)
def _digits(n: int) -> tuple[int, NDArray[Any] | None]:
    """How many base-n digits are drawn at once, and a table from their number to the digits."""
    digits = next((k for k in (8, 4, 2) if n**k <= 1 << 16), 1)
    if digits == 1:
        return 1, None
    place = n ** np.arange(digits)
    table = np.arange(n**digits)[:, None] // place % n
    return digits, table.astype(np.uint8).view(f"u{digits}")[:, 0]


MOST_SYMBOLS = 1 << 32


def draw_symbols(rng: np.random.Generator, n: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Draw independent, exactly uniform symbols in 0 .. n - 1, in a small unsigned type.

    n is an int in 1 .. `MOST_SYMBOLS`.

    Several times as fast as ``rng.integers``: one multiplication of a 32-bit word gives the number
    of several base-n digits at once (Lemire, "Fast random integer generation in an interval",
    2019, which also says which words to reject), and a table gives the digits.
    """
    digits, table = _digits(n)
    size = int(np.prod(shape, dtype=np.int64))
    dtype = Symbols(n).dtype if table is None else table.dtype
    groups = np.empty(-(-size // digits), dtype)
    factor = np.uint64(n**digits)
    threshold = (1 << 32) % n**digits
    for start in range(0, len(groups), _BLOCK_WORDS):
        block = groups[start : start + _BLOCK_WORDS]
        product = _uniform_words(rng, len(block))
        product *= factor
        while threshold and (low := product.astype(np.uint32)).min() < threshold:
            rejected = low < threshold
            product[rejected] = _uniform_words(rng, int(np.count_nonzero(rejected))) * factor
        product >>= _HALF
        if table is None:
            block[:] = product
        else:
            table.take(product.view(np.int64), out=block, mode="clip")
    symbols = groups if table is None else groups.view(np.uint8)[:size]
    return symbols.astype(Symbols(n).dtype, copy=False).reshape(shape)


_HALF = np.uint64(32)
_BLOCK_WORDS = 1 << 14  # small enough for the processor's cache, and for malloc to use again
_RAW_64 = (np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64)


def _uniform_words(rng: np.random.Generator, size: int) -> NDArray[np.uint64]:
    """Uniform 32-bit words, two from each 64 bits that the generator gives."""
    count = -(-size // 2)
    if isinstance(rng.bit_generator, _RAW_64):  # the same numbers, at two thirds of the cost
        pairs = np.asarray(rng.bit_generator.random_raw(count))
    else:
        pairs = rng.integers(0, (1 << 64) - 1, count, np.uint64, endpoint=True)
    return pairs.astype("<u8", copy=False).view("<u4")[:size].astype(np.uint64)


def judge(
    space: spaces.Space[Any], answers: NDArray[Any], targets: NDArray[Any], tolerance: float
) -> tuple[Any, Any]:
    """Score answers against targets of the same shape: (score in [0, 1], right or not).

    ``Discrete`` scores 1 for the target; ``MultiDiscrete`` the fraction of components that are
    right; ``Box`` 1 minus the mean distance as a fraction of the box, NaN scoring 0, and all of its
    components must be nearer than the tolerance to be right.
    """
    if isinstance(space, spaces.Discrete):
        right = answers == targets
        return right, right
    # One answer of few numbers is judged without arrays, to the bit and several times as fast.
    if isinstance(space, spaces.MultiDiscrete):
        if answers.ndim == 1:
            count = sum(map(operator.eq, answers.tolist(), targets.tolist()))
            return count / len(answers), count == len(answers)
        matches = answers == targets
        return matches.mean(axis=-1), matches.all(axis=-1)
    assert isinstance(space, spaces.Box), "answers are of one of these"
    if answers.shape == (1,):
        off = abs(float(answers[0]) - float(targets[0]))
        part = off / (float(space.high[0]) - float(space.low[0]))
        return max(0.0, 1.0 - part), off < tolerance
    distance = np.subtract(answers, targets, dtype=np.float64)
    np.abs(distance, out=distance)
    right = distance < tolerance
    distance /= np.subtract(space.high, space.low, dtype=np.float64)
    if distance.shape[-1] == 1:  # of one number, numpy's mean costs more than all the rest
        distance, right = distance[..., 0], right[..., 0]
    else:
        distance, right = distance.mean(axis=-1), right.all(axis=-1)
    return np.fmax(0.0, 1.0 - distance), right


def check_int(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return ``value`` as an int, or raise an error that names it and says what is allowed."""
    allowed = f"at least {low}" if high is None else f"in {low} .. {high}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an int {allowed}, got {value!r}")
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be an int {allowed}, got {value!r}")
    return int(value)


def check_choice(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """Return ``value`` if it is one of ``allowed``, or raise an error that lists them."""
    allowed = tuple(allowed)
    if not any(
        value is choice or (type(value) is type(choice) and value == choice) for choice in allowed
    ):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def check_number(name: str, value: Any, allowed: str = "a finite number") -> float:
    """Return ``value`` as a finite float, or raise an error that names it."""
    real = (int, float, np.integer, np.floating)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, real):
        raise TypeError(f"{name} must be {allowed}, got {value!r}")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return number


def check_fraction(name: str, value: Any) -> float:
    """Return ``value`` as a float strictly between 0 and 1, or raise an error that names it."""
    check_number(name, value, "a number between 0 and 1")
    if not 0 < value < 1:
        raise ValueError(f"{name} must be between 0 and 1, both excluded, got {value!r}")
    return float(value)


def check_length(value: Any, low: int, fixed: str | None = None) -> tuple[int, int]:
    """Return ``length`` as (least, most), or raise an error that names it.

    Args:
        value: An int, or (low, high) with both ends included, to be drawn per episode.
        low: The least length that makes sense.
        fixed: Why a range would make the problem unanswerable, if it would.
    """
    allowed = f"length must be an int at least {low}{'' if fixed else ', or (low, high) of such'}"
    pair = isinstance(value, (tuple, list))
    if pair and len(value) != 2:
        raise ValueError(f"{allowed}, got {value!r}")
    ends = tuple(value) if pair else (value, value)
    for end in ends:
        if isinstance(end, (bool, np.bool_)) or not isinstance(end, (int, np.integer)):
            raise TypeError(f"{allowed}, got {value!r}")
        if end < low:
            raise ValueError(f"{allowed}, got {value!r}")
    if ends[0] > ends[1]:
        raise ValueError(f"length must be (low, high) with low <= high, got {value!r}")
    if ends[1] > MOST_SYMBOLS:
        raise ValueError(f"length must be at most {MOST_SYMBOLS}, got {value!r}")
    if fixed and ends[0] < ends[1]:
        raise ValueError(f"length must be a single int here, got {value!r}: {fixed}")
    return int(ends[0]), int(ends[1])

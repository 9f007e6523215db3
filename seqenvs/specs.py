"""What a problem consists of: its inputs, symbols or values, and batches of its episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from seqenvs.validation import check_int, check_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Symbols:
    """Inputs that are one symbol per time step: an integer in 0 .. n - 1.

    Args:
        n: The number of symbols, at least 1.

    Raises:
        TypeError, ValueError: ``n`` is not such an int.
    """

    n: int
    features: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", check_int("n", self.n, 1))

    @property
    def blank(self) -> int:
        """The symbol that means that nothing is shown. It is n."""
        return self.n

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned integer type that holds all symbols and the blank."""
        return np.min_scalar_type(self.n)


@dataclass(frozen=True)
class Values:
    """Inputs that are real values in [low, high]: ``features`` of them per time step.

    Args:
        low: The least value.
        high: The greatest value, at least ``low``.
        features: The number of values per time step, at least 1.

    Raises:
        TypeError, ValueError: The arguments are not such numbers, or float32 cannot hold them.
    """

    low: float = 0.0
    high: float = 1.0
    features: int = 1

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, check_number(name, getattr(self, name)))
        object.__setattr__(self, "features", check_int("features", self.features, 1))
        if self.low > self.high:
            raise ValueError(f"low must be at most high, {self.high!r}, got {self.low!r}")
        widest = max(abs(self.blank), abs(self.high))  # low is between the two
        if widest > _FLOAT32_MAX or not np.float32(self.blank) < np.float32(self.low):
            raise ValueError(
                "low and high must be numbers that float32 can hold and can distinguish from the "
                f"blank, {self.blank!r}, got {self.low!r} and {self.high!r}"
            )

    @property
    def blank(self) -> float:
        """The value that means that nothing is shown: ``low - (high - low)``.

        If ``low`` and ``high`` are equal, it is ``low - max(1, abs(low))``.
        """
        return self.low - ((self.high - self.low) or max(1.0, abs(self.low)))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the values, float32, which is also the type of observations."""
        return np.dtype(np.float32)


class EpisodeBatch(NamedTuple):
    """B episodes of up to T time steps. Arrays are time-major.

    Attributes:
        inputs: (T, B), or (T, B, F) for F > 1 features; blank after an episode's last input.
        targets: The right answers: (T, B) for ``Discrete`` answers, (T, B, K) for ``MultiDiscrete``
            and ``Box`` answers of K components; 0 where no answer is due.
        due: (T, B) bool, True where an answer is due.
        lengths: (B,) int64, the number of steps of each episode.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    due: NDArray[np.bool_]
    lengths: NDArray[np.int64]

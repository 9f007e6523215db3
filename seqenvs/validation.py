"""Checks of arguments: each returns the value, or raises an error that says what is allowed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from seqenvs.sampling import MOST_SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Iterable

_BOOLS = (bool, np.bool_)
_ALIKE: tuple[Any, ...] = (_BOOLS, (int, np.integer), str)


def check_int(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return ``value`` as an int, or raise an error that names it and says what is allowed."""
    allowed = f"at least {low}" if high is None else f"in {low} .. {high}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an int {allowed}, got {value!r}")
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be an int {allowed}, got {value!r}")
    return int(value)


def check_choice(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """Return the element of ``allowed`` that equals ``value``, or raise an error that lists them.

    NumPy strings, booleans and integers and members of a string enumeration count as what they
    equal. A boolean never counts as an integer, nor an integer as a boolean.
    """
    allowed = tuple(allowed)
    for choice in allowed:
        kind = next((kind for kind in _ALIKE if isinstance(choice, kind)), type(choice))
        alike = isinstance(value, kind) and isinstance(value, _BOOLS) == isinstance(choice, _BOOLS)
        if value is choice or (alike and value == choice):
            return choice
    raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


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

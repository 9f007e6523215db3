"""Checks of arguments. Each returns the value, or raises an error that says what is allowed."""

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
    """Return ``value`` as an int in low .. high, both included.

    Args:
        name: The name of the argument, for the error message.
        value: The value. A NumPy integer is allowed; a bool is not.
        low: The least allowed value.
        high: The greatest allowed value, or None.

    Raises:
        TypeError: The value is not an integer.
        ValueError: The value is out of range.
    """
    allowed = f"at least {low}" if high is None else f"in {low} .. {high}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an int {allowed}, got {value!r}")
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be an int {allowed}, got {value!r}")
    return int(value)


def check_choice(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """Return the element of ``allowed`` that equals ``value``.

    NumPy strings, booleans and integers, and members of a string enumeration, are equal to the
    Python values that they hold. A boolean is never equal to an integer.

    Args:
        name: The name of the argument, for the error message.
        value: The value.
        allowed: The allowed values.

    Raises:
        ValueError: No element equals the value.
    """
    allowed = tuple(allowed)
    for choice in allowed:
        kind = next((kind for kind in _ALIKE if isinstance(choice, kind)), type(choice))
        alike = isinstance(value, kind) and isinstance(value, _BOOLS) == isinstance(choice, _BOOLS)
        if value is choice or (alike and value == choice):
            return choice
    raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


def check_number(name: str, value: Any, allowed: str = "a finite number") -> float:
    """Return ``value`` as a finite float.

    Args:
        name: The name of the argument, for the error message.
        value: The value. NumPy numbers are allowed; a bool is not.
        allowed: What the error message says is allowed.

    Raises:
        TypeError: The value is not a number.
        ValueError: The value is not finite.
    """
    real = (int, float, np.integer, np.floating)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, real):
        raise TypeError(f"{name} must be {allowed}, got {value!r}")
    try:
        number = float(value)
    except OverflowError:  # an integer that is too large for a float
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return number


def check_fraction(name: str, value: Any) -> float:
    """Return ``value`` as a float between 0 and 1, both excluded.

    Raises:
        TypeError: The value is not a number.
        ValueError: The value is out of range.
    """
    check_number(name, value, "a number between 0 and 1")
    if not 0 < value < 1:
        raise ValueError(f"{name} must be between 0 and 1, both excluded, got {value!r}")
    return float(value)


def check_length(value: Any, low: int, fixed: str | None = None) -> tuple[int, int]:
    """Return the argument ``length`` as a pair of its least and its greatest value.

    Args:
        value: An int, or a pair (low, high), both included, for lengths drawn per episode.
        low: The least allowed length.
        fixed: Why the problem does not allow a range, for the error message. None if it does.

    Raises:
        TypeError: The value is not an int or a pair of ints.
        ValueError: The value is out of range.
    """
    pairs = "" if fixed else ", or a pair (low, high) of such ints"
    allowed = f"length must be an int at least {low}{pairs}"
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
        raise ValueError(f"length must be a pair (low, high) with low <= high, got {value!r}")
    if ends[1] > MOST_SYMBOLS:
        raise ValueError(f"length must be at most {MOST_SYMBOLS}, got {value!r}")
    if fixed and ends[0] < ends[1]:
        raise ValueError(f"length must be a single int here, got {value!r}: {fixed}")
    return int(ends[0]), int(ends[1])

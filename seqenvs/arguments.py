"""What the command lines of seqenvs and of its reference agents share."""

from __future__ import annotations

import argparse
import ast
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def add_assignments(parser: argparse.ArgumentParser, flag: str, what: str) -> None:
    """Let a command take ``NAME=VALUE`` any number of times; ``what`` is for its help."""
    parser.add_argument(
        flag,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"{what}; may be given several times",
    )


def assignments(flag: str, texts: Iterable[str]) -> dict[str, Any]:
    """Parse what was given to a flag that takes ``NAME=VALUE``, once or several times.

    Args:
        flag: What the flag is called, such as ``"--set"``.
        texts: What was given to it. A value is a word, which needs no quotes, or a Python literal.

    Returns:
        The values by their names.

    Raises:
        ValueError: Not ``NAME=VALUE``, neither word nor literal, or a name given twice.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.isidentifier()):
            raise ValueError(f"{flag} must be NAME=VALUE, such as lag=4, got {text!r}")
        if name in values:
            raise ValueError(f"{flag} {name} is given twice, the second time as {value!r}")
        values[name] = _value(flag, name, value)
    return values


def _value(flag: str, name: str, text: str) -> Any:
    if text.isidentifier() and text not in ("True", "False", "None"):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"{flag} {name}: {text!r} is no Python number, word or list") from error

"""What the command lines of seqenvs and of the reference agents share: arguments and exit codes."""

from __future__ import annotations

import argparse
import ast
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class UsageError(Exception):
    """Wrong arguments. The message tells the user what is allowed; the exit code is 2."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """Report errors of making an environment or an agent as wrong arguments of the command."""
    from gymnasium.error import Error

    try:
        yield
    except (Error, ImportError, TypeError, ValueError) as error:
        # Gymnasium adds text of its own to the message of the environment.
        message = str(error).partition(" was raised from the environment creator")[0]
        raise UsageError(message) from error


def run_command(parser: argparse.ArgumentParser, argv: list[str] | None, install: str = "") -> int:
    """Parse the arguments, run the command that they name, and turn failures into an exit code.

    Args:
        parser: Each command has the default ``run``, which takes the parsed arguments and returns
            an exit code, or None for 0. Without a command, the help is printed.
        argv: The arguments; those of the process if None.
        install: How to install a missing package, such as ``"pip install 'seqenvs[render]'"``.

    Returns:
        0 if all went well; 1 if something failed or the output cannot be written; 2 for wrong
        arguments; 130 after Ctrl-C.
    """
    try:
        try:
            arguments = parser.parse_args(argv)
            run = getattr(arguments, "run", lambda _: parser.print_help())
            code = int(run(arguments) or 0)
        except SystemExit as leaving:  # argparse exits after --help and after wrong arguments
            code = int(leaving.code or 0)
        sys.stdout.flush()  # here, where its errors are caught, and not when Python exits
        return code
    except UsageError as error:
        return _fail(parser.prog, str(error), 2)
    except ModuleNotFoundError as error:
        return _fail(parser.prog, f"{error}{install and f'; to install it: {install}'}", 2)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except OSError as error:
        said = error.strerror or str(error)
        if error.filename is not None:
            return _fail(parser.prog, f"{error.filename}: {said}", 1)
        # Python flushes the output once more when it exits, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader, such as head, has read enough
            return 1
        return _fail(parser.prog, f"the output can't be written: {said}", 1)


def _fail(prog: str, message: str, code: int) -> int:
    print(f"{prog}: error: {message}", file=sys.stderr)
    return code


def int_from(low: int) -> Callable[[str], int]:
    """Return a type for ``add_argument``: an int that is at least ``low``."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(f"must be an int, at least {low}, got {text!r}")
        return value

    return parse


def add_assignments(parser: argparse.ArgumentParser, flag: str, what: str) -> None:
    """Let a command take ``NAME=VALUE`` any number of times; ``what`` describes it in the help."""
    said = f"{what}; may be given several times"
    parser.add_argument(flag, action="append", default=[], metavar="NAME=VALUE", help=said)


def assignments(flag: str, texts: Iterable[str]) -> dict[str, Any]:
    """Parse ``NAME=VALUE`` texts, whose values are words without quotes or Python literals.

    Raises:
        UsageError: A text has another form, or a name is given twice. The message names ``flag``.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.isidentifier()):
            raise UsageError(f"{flag} must be NAME=VALUE, such as lag=4, got {text!r}")
        if name in values:
            raise UsageError(f"{flag} {name} is given twice, the second time as {value!r}")
        if value.isidentifier() and value not in ("True", "False", "None"):
            values[name] = value
            continue
        try:
            values[name] = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
            raise UsageError(
                f"{flag} {name} must be a word, or a Python number, string or list, got {value!r}"
            ) from error
    return values

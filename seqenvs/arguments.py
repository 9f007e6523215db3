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
        parser: Each of its commands has the default ``run``, a function that takes the parsed
            arguments and returns an exit code, or None for 0. Without a command, the help is
            printed.
        argv: The arguments; those of the process if None.
        install: How to install what a command needs, such as ``"pip install 'seqenvs[render]'"``,
            for the message that names a missing package.

    Returns:
        0 if all went well; 1 if something failed or the output cannot be written; 2 for wrong
        arguments; 130 after Ctrl-C.
    """
    try:
        arguments = parser.parse_args(argv)
        run: Callable[[argparse.Namespace], int | None] | None = getattr(arguments, "run", None)
        code = 0
        if run is None:
            parser.print_help()
        else:
            code = run(arguments) or 0
        sys.stdout.flush()  # here, where its errors are caught, and not when Python exits
        return code
    except SystemExit as leaving:  # argparse exits after --help and after wrong arguments
        return _flush(parser.prog, int(leaving.code or 0))
    except UsageError as error:
        return _fail(parser.prog, str(error), 2)
    except ModuleNotFoundError as error:
        return _fail(parser.prog, f"{error}{install and f'; to install it: {install}'}", 2)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except OSError as error:
        return _output_failed(parser.prog, error)


def _fail(prog: str, message: str, code: int) -> int:
    print(f"{prog}: error: {message}", file=sys.stderr)
    return code


def _flush(prog: str, code: int) -> int:
    try:
        sys.stdout.flush()
    except OSError as error:
        return _output_failed(prog, error)
    return code


def _output_failed(prog: str, error: OSError) -> int:
    """Report that a file, or the standard output, cannot be written."""
    if error.filename is not None:
        return _fail(prog, f"{error.filename}: {error.strerror or error}", 1)
    # Python flushes the output once more when it exits, which would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # the reader, such as head, has read enough
        return 1
    return _fail(prog, f"the output can't be written: {error.strerror or error}", 1)


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
    parser.add_argument(
        flag,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"{what}; may be given several times",
    )


def assignments(flag: str, texts: Iterable[str]) -> dict[str, Any]:
    """Parse the texts of a flag that takes ``NAME=VALUE``.

    Args:
        flag: The name of the flag, such as ``"--set"``, for error messages.
        texts: One ``NAME=VALUE`` each. A value is a word without quotes, or a Python literal.

    Returns:
        The values by their names.

    Raises:
        UsageError: A text has another form, or a name is given twice.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.isidentifier()):
            raise UsageError(f"{flag} must be NAME=VALUE, such as lag=4, got {text!r}")
        if name in values:
            raise UsageError(f"{flag} {name} is given twice, the second time as {value!r}")
        values[name] = _value(flag, name, value)
    return values


def _value(flag: str, name: str, text: str) -> Any:
    if text.isidentifier() and text not in ("True", "False", "None"):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise UsageError(
            f"{flag} {name} must be a word, or a Python number, string or list, got {text!r}"
        ) from error

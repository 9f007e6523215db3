"""Write files atomically, hash settings, import objects by name, and describe the machine."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import os
import platform
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from seqenvs._version import __version__

OPTIONAL_PACKAGES = ("stable_baselines3", "sb3_contrib", "torch")


def write_atomically(path: Path, fill: Callable[[Path], object]) -> None:
    """Write a file completely or not at all.

    A temporary file in the same folder is filled and then renamed. Its name is new each time and
    ends with the name of ``path``, because some writers choose a format by the suffix.

    Args:
        path: The file to write. An existing file is replaced; a symbolic link is replaced, too,
            not followed.
        fill: Writes the file at the path that it is given.

    Raises:
        OSError: The file cannot be written. The error names ``path``, not the temporary file.
    """
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    created = False
    try:
        # O_EXCL fails where the name exists, so that nobody can place a symbolic link there.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        created = True
        fill(temporary)
        temporary.replace(path)
    except BaseException as error:
        if created:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename, error.filename2 = str(path), None
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file completely or not at all."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, values: Any) -> None:
    """Write values as an indented JSON file, completely or not at all.

    Raises:
        TypeError, ValueError: The values cannot be written as JSON; NaN cannot, for example.
        OSError: The file cannot be written.
    """
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def content_hash(values: Any) -> str:
    """Hash JSON-able values into 16 hexadecimal digits; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def import_object(path: str, requirement: str = "path must be 'module:Name'") -> Any:
    """Import the object that ``"module:Name"`` names: a class, a function, or anything else.

    Args:
        path: The module and the object, such as ``"package.module:Class"``.
        requirement: The beginning of error messages: what the caller's argument must be.

    Raises:
        ValueError: The text has another form, or there is no such module or object.
        ImportError: The module exists, but something that it imports does not.
        Exception: Whatever else the module raises when it is imported.
    """
    module, _, attribute = path.partition(":")
    wrong = f"{requirement}, got {path!r}"
    if not (attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise ValueError(wrong)
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ValueError(f"{wrong}: there is no module {error.name!r}") from error
    try:
        return getattr(found, attribute)
    except AttributeError as error:
        raise ValueError(f"{wrong}: {error}") from error


def versions() -> dict[str, str]:
    """Return the versions of Python, the platform, and the installed packages that matter."""
    found = {"seqenvs": __version__}
    for package in ("gymnasium", *OPTIONAL_PACKAGES, "numpy"):
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found | {"python": platform.python_version(), "platform": platform.platform()}


def machine() -> str:
    """Describe the machine: processor, number of cores, operating system."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"

"""A run's folder: what is in it, and how it is written and read.

``model.zip`` and ``checkpoint.pkl`` hold pickled data. Unpickling runs code, so never load a run
folder from somebody whom you would not let run a program on your machine.
"""

from __future__ import annotations

import csv
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from sb3_contrib import RecurrentPPO

from agents.settings import Settings

_T = TypeVar("_T")

SETTINGS, CURVE, PICTURE = "settings.json", "curve.csv", "curve.png"
MODEL, CHECKPOINT, EVALUATION = "model.zip", "checkpoint.pkl", "evaluation.json"


class RunFolderError(Exception):
    """A run folder is missing, in the way or damaged; the message says which and what to do."""


def create(folder: Path, settings: Settings) -> None:
    """Begin a run folder; one that holds files is never overwritten."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunFolderError(
            f"{folder} is there already: choose another folder with --run, or go on with the run "
            f"that it holds with --resume {folder}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_settings(folder, settings)
    except OSError as error:
        raise RunFolderError(f"{folder} can't be written: {error}") from error


def write(path: Path, fill: Callable[[Path], Any]) -> None:
    """Fill a file under a temporary name and rename it, so that no half of it is ever seen."""
    temporary = path.with_name(f".{path.name}")  # the suffix stays: some writers look at it
    fill(temporary)
    temporary.replace(path)


def write_rows(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV file; None is an empty cell."""

    def fill(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)

    write(path, fill)


def write_settings(folder: Path, settings: Settings) -> None:
    """Write what `read_settings` reads."""
    write(folder / SETTINGS, lambda path: path.write_text(settings.to_json(), encoding="utf-8"))


def write_checkpoint(folder: Path, checkpoint: dict[str, Any]) -> None:
    """Write what `read_checkpoint` reads: one file, so that its parts always belong together."""
    write(folder / CHECKPOINT, lambda path: path.write_bytes(pickle.dumps(checkpoint)))


def read_settings(folder: Path) -> Settings:
    """The settings of a run."""
    return _read(folder / SETTINGS, lambda path: Settings.from_json(path.read_text("utf-8")))


def read_model(folder: Path) -> RecurrentPPO:
    """The model of a run, for ``predict``."""

    def load(path: Path) -> RecurrentPPO:
        return RecurrentPPO.load(path, device="cpu")

    return _read(folder / MODEL, load)


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """All that a run needs to go on."""

    def load(path: Path) -> dict[str, Any]:
        return dict(pickle.loads(path.read_bytes()))

    return _read(folder / CHECKPOINT, load)


def _read(path: Path, load: Callable[[Path], _T]) -> _T:
    if not path.is_file():
        raise RunFolderError(
            f"{path} does not exist: give the folder that 'python -m agents train' wrote"
        )
    try:
        return load(path)
    except Exception as error:  # damaged pickled data can raise anything
        raise RunFolderError(
            f"{path} is damaged, or of another version: {type(error).__name__}: {error}"
        ) from error

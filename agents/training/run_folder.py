"""A run's folder: what is in it, and how it is written and read.

Nothing that is read here is executed: settings are JSON, and tensors are loaded as torch's
``weights_only`` does. ``model.zip``, the model of `recurrent_ppo`, is Stable-Baselines3's format;
its own ``load`` unpickles a part that is not read here, and unpickling runs code. So open a
stranger's ``model.zip`` with ``python -m agents evaluate``, never with ``SequencePPO.load``.
"""

from __future__ import annotations

import csv
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import torch

from agents.config import Settings
from agents.learners import Learner, OtherModelError, make_learner

_T = TypeVar("_T")

SETTINGS, CURVE, PICTURE = "settings.json", "curve.csv", "curve.png"
CHECKPOINT, EVALUATION = "checkpoint.pt", "evaluation.json"


class RunFolderError(Exception):
    """A run folder is missing, in the way or damaged; the message says which and what to do."""


def create(folder: Path, settings: Settings) -> None:
    """Begin a run folder; one that holds files is never overwritten."""
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder} is a file: choose another folder with --run")
    if folder.exists() and any(folder.iterdir()):
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
    try:
        fill(temporary)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename, error.filename2 = str(path), None  # a name that its reader knows
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


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
    write_text(folder / SETTINGS, settings.to_json())


def write_checkpoint(folder: Path, checkpoint: dict[str, Any]) -> None:
    """Write what `read_checkpoint` reads: one file, so that its parts always belong together."""
    write(folder / CHECKPOINT, lambda path: torch.save(checkpoint, path))


def read_settings(folder: Path) -> Settings:
    """The settings of a run."""
    return _read(folder / SETTINGS, lambda path: Settings.from_json(path.read_text("utf-8")))


def read_learner(folder: Path) -> Learner:
    """The agent of a run, for ``predict``."""
    learner = make_learner(read_settings(folder))

    def load(path: Path) -> Learner:
        learner.load_model(path)
        return learner

    return _read(folder / learner.model_file, load)


def read_checkpoint(folder: Path, restore: Callable[[dict[str, Any]], None]) -> None:
    """Give ``restore`` all that a run needs to go on; what it raises is taken for damage."""
    _read(folder / CHECKPOINT, lambda path: restore(torch.load(path, weights_only=True)))


def _read(path: Path, load: Callable[[Path], _T]) -> _T:
    if not path.is_file():
        raise RunFolderError(
            f"{path} does not exist: give the folder that 'python -m agents train' wrote"
        )
    try:
        return load(path)
    except OtherModelError as error:
        raise RunFolderError(f"{path} {error}") from error
    except Exception as error:  # damaged data can raise anything
        said = " ".join(str(error).split())
        if isinstance(error, pickle.UnpicklingError):  # torch's own words advise to execute it
            said = "it is not made of tensors, numbers and text alone"
        raise RunFolderError(
            f"{path} is damaged, or of another version: {type(error).__name__}: {said}"
        ) from error

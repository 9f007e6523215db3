"""The folder of a training run: its files, and how they are written and read.

No code in these files is executed: settings are JSON, and tensors are loaded with torch's
``weights_only``. ``model.zip``, the model of `recurrent_ppo`, has Stable-Baselines3's format, whose
own ``load`` unpickles a part that is not read here. Unpickling can run any code, so open a
``model.zip`` that you do not trust with ``python -m agents evaluate`` and not with
``SequencePPO.load``.

Importing this module does not import torch.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from agents.config import OtherModelError, Settings
from seqenvs.files import versions, write_atomically, write_json

_T = TypeVar("_T")

SETTINGS, CURVE, PICTURE = "settings.json", "curve.csv", "curve.png"
CHECKPOINT, EVALUATION = "checkpoint.pt", "evaluation.json"


class RunFolderError(Exception):
    """A run folder is missing, exists already or is damaged; the message says what to do."""


def create(folder: Path, settings: Settings) -> None:
    """Create a run folder; one that contains files is never overwritten.

    Raises:
        RunFolderError: The folder has files, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder} is a file: choose another folder with --run")
    if folder.exists() and any(folder.iterdir()):
        raise RunFolderError(
            f"{folder} exists already: choose another folder with --run, or continue its run "
            f"with --resume {folder}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_settings(folder, settings)
    except OSError as error:
        raise RunFolderError(f"{folder} can't be written: {error}") from error


def write_settings(folder: Path, settings: Settings) -> None:
    """Write the settings of a run and the versions of the packages."""
    write_json(folder / SETTINGS, {**asdict(settings), "versions": versions()})


def read_settings(folder: Path) -> Settings:
    """Read the settings of a run.

    Raises:
        RunFolderError: The file is missing or damaged.
    """

    def load(path: Path) -> Settings:
        values = json.loads(path.read_text("utf-8"))
        del values["versions"]
        return Settings.from_dict(values)

    return read(folder / SETTINGS, load)


def write_checkpoint(path: Path, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint into one file, so that its parts always belong together."""
    import torch

    write_atomically(path, lambda temporary: torch.save(checkpoint, temporary))


def read_checkpoint(path: Path, restore: Callable[[dict[str, Any]], _T]) -> _T:
    """Read a checkpoint.

    Args:
        path: The file.
        restore: Called with the checkpoint; if it raises an error, the file counts as damaged.

    Returns:
        What ``restore`` returned.

    Raises:
        RunFolderError: The file is missing, damaged, or belongs to another run.
    """
    import torch

    return read(path, lambda file: restore(torch.load(file, weights_only=True)))


def read(path: Path, load: Callable[[Path], _T]) -> _T:
    """Read a file of a run folder with ``load``, and turn its errors into a `RunFolderError`."""
    if not path.is_file():
        raise RunFolderError(f"{path} does not exist; 'python -m agents train' writes run folders")
    try:
        return load(path)
    except OtherModelError as error:
        raise RunFolderError(f"{path} {error}") from error
    except Exception as error:  # damaged data can raise anything
        said = " ".join(str(error).split())
        if isinstance(error, pickle.UnpicklingError):  # torch's message advises to execute the file
            said = "it contains more than tensors, numbers and text"
        raise RunFolderError(
            f"{path} is damaged, or of another version: {type(error).__name__}: {said}"
        ) from error

"""A cell of the benchmark: one training run, what it reached, and its file.

A file is written under a temporary name and renamed, so that it is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from agents.study import named
from agents.training import run_folder
from seqenvs.evaluation import Evaluation

MOST_POINTS = 200  # of a learning curve
SOLVED_HORIZON = 0.5  # the least memory score at which a lag counts as remembered


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is run.

    Attributes:
        id: The environment.
        kwargs: Its parameters, as JSON has them.
        agent: A name of `agents.config.AGENTS`, or ``"module:Class"`` of somebody's own.
        options: All options of the agent; of somebody's own, what was given.
        seed: Of the episodes, the network and the exploration.
        target: Stop at this mean return.
        steps: Stop after this many time steps of all episodes together; None for any number.
        seconds: Stop after this much processor time spent learning; None for any time.
        lengths: Values of the environment's parameter ``length`` to be evaluated at besides.
    """

    id: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    agent: str
    options: dict[str, Any] = field(default_factory=dict)
    seed: int
    target: float
    steps: int | None = None
    seconds: float | None = None
    lengths: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.steps is None and self.seconds is None:
            raise ValueError("steps or seconds must be given, got None for both")
        for name in ("kwargs", "options", "lengths"):  # so that what is read back is equal
            try:
                object.__setattr__(self, name, json.loads(json.dumps(getattr(self, name))))
            except TypeError as error:
                raise ValueError(
                    f"{name} must be JSON-able, got {getattr(self, name)!r}: {error}"
                ) from error

    @property
    def key(self) -> str:
        """The cell as a word: another word, another run."""
        # Without what is None, so that a field added later leaves the keys as they were.
        given = {name: value for name, value in asdict(self).items() if value is not None}
        text = json.dumps(given, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """The cell as one reads it."""
        return f"{named(self.id, self.kwargs)}  {self.agent}  seed {self.seed}"

    @property
    def most_steps(self) -> int:
        """The budget of steps, which may be any number."""
        return sys.maxsize if self.steps is None else self.steps

    @property
    def most_seconds(self) -> float:
        """The budget of seconds, which may be any time."""
        return math.inf if self.seconds is None else self.seconds


@dataclass(frozen=True)
class AtLength:
    """What a trained agent reached on episodes of another length.

    Attributes:
        length: The environment's parameter.
        mean_return: In [0, 1].
        memory_score: None where none is known, or no memory is needed.
        bounds: chance, memoryless, clock and optimum; None where none are known.
    """

    length: int
    mean_return: float
    memory_score: float | None
    bounds: dict[str, float] | None


@dataclass(frozen=True)
class Episode:
    """An episode as it was played; an item for each time step in each list.

    Attributes:
        inputs: What was shown: a symbol, a number, a list of numbers, None for a blank, or words
            for what is too large to be kept.
        targets: The right answers; they mean something where one is due.
        due: Where an answer was due.
        answers: What was answered.
        confidence: The probability that the agent gave to its answer; None if unknown.
        scores: Of the answers, in [0, 1]; None where none was due.
    """

    inputs: list[Any]
    targets: list[Any]
    due: list[bool]
    answers: list[Any]
    confidence: list[float | None]
    scores: list[float | None]

    def __post_init__(self) -> None:
        if len({len(getattr(self, each.name)) for each in fields(self)}) != 1:
            raise ValueError("the lists of an episode must be of one length")


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """What a cell reached.

    Attributes:
        cell: What was run.
        versions: What it ran with.
        machine: What it ran on.
        steps: Time steps learned from.
        seconds: Processor time spent learning, on one thread.
        wall_seconds: Of the whole cell, in its last session.
        finished: When, in ISO 8601, UTC.
        curve: ``[steps, seconds, mean_return, memory_score or None]``, at most `MOST_POINTS`.
        evaluation: On fresh episodes.
        generalisation: One for each of the cell's ``lengths``.
        episodes: A few, for a player.
    """

    cell: Cell
    versions: dict[str, str]
    machine: str
    steps: int
    seconds: float
    wall_seconds: float
    finished: str
    curve: list[list[Any]]
    evaluation: Evaluation
    generalisation: list[AtLength]
    episodes: list[Episode]

    def __post_init__(self) -> None:
        for row in self.curve:
            if not (isinstance(row, list) and len(row) == 4):
                raise ValueError(f"a point of the curve must have four numbers, got {row!r}")

    def to_json(self) -> str:
        """The result as JSON."""
        return json.dumps(asdict(self), allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> CellResult:
        """Read back what `to_json` wrote.

        Raises:
            ValueError, TypeError: It is something else.
        """
        values = json.loads(text)
        kinds = {"versions": dict, "machine": str, "steps": int, "curve": list, "finished": str}
        if not isinstance(values, dict):
            raise TypeError(f"it must hold an object, got {type(values).__name__}")
        missing = [each.name for each in fields(cls) if each.name not in values]
        if missing:
            raise ValueError(f"{missing[0]!r} is missing")
        for name, kind in kinds.items():
            if not isinstance(values[name], kind):
                raise TypeError(f"{name!r} must be {kind.__name__}, got {values[name]!r}")
        values["cell"] = Cell(**values["cell"])
        values["evaluation"] = Evaluation(**values["evaluation"])
        values["generalisation"] = [AtLength(**each) for each in values["generalisation"]]
        values["episodes"] = [Episode(**each) for each in values["episodes"]]
        return cls(**values)


def cell_path(folder: Path, cell: Cell) -> Path:
    """Where a cell's file is."""
    return folder / "cells" / f"{cell.key}.json"


def write_cell(folder: Path, result: CellResult) -> Path:
    """Write a cell's file; raises OSError where it can't be."""
    path = cell_path(folder, result.cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    run_folder.write_text(path, result.to_json())
    return path


def read_cell(path: Path) -> CellResult:
    """Read a cell's file.

    Raises:
        RunFolderError: It is damaged, or another cell's than its name says.
    """
    try:
        result = CellResult.from_json(path.read_text("utf-8"))
        if result.cell.key != path.stem:
            raise ValueError(f"its settings are those of {result.cell.key}")
    except (ValueError, TypeError) as error:
        raise run_folder.RunFolderError(f"{path} is damaged: {error}") from error
    return result


def read_cells(folder: Path) -> tuple[list[CellResult], list[Path]]:
    """Read all cells of a benchmark's folder.

    Args:
        folder: The benchmark's, in which ``cells`` is.

    Returns:
        The cells, ordered by their names, and the files that are damaged.
    """
    found, damaged = [], []
    for path in sorted((folder / "cells").glob("[!.]*.json")):  # a dot: one that was being written
        try:
            found.append(read_cell(path))
        except run_folder.RunFolderError:
            damaged.append(path)
    return sorted(found, key=lambda each: (each.cell.name, each.cell.key)), damaged


def thin(curve: list[list[Any]]) -> list[list[Any]]:
    """At most `MOST_POINTS` of a curve, evenly spread, the first and the last among them."""
    if len(curve) <= MOST_POINTS:
        return curve
    last = len(curve) - 1
    return [curve[i * last // (MOST_POINTS - 1)] for i in range(MOST_POINTS)]

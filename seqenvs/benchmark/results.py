"""The result of a job, and its file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from seqenvs.benchmark.jobs import Job
from seqenvs.evaluation import Episode, Evaluation
from seqenvs.files import write_text

MAX_POINTS = 200  # of a learning curve
HORIZON_SCORE = 0.5  # the least memory score at which a lag counts as remembered
SOLVED_SCORE, SOLVED_RETURN = 0.9, 0.99
LEARNS_FROM = ("rewards", "answers", "unknown")


class ResultError(Exception):
    """A file of results is missing or damaged. The message names the file."""


@dataclass(frozen=True)
class AtLength:
    """What a trained agent reached on episodes of another length.

    Attributes:
        length: The environment's parameter ``length``.
        mean_return: In [0, 1].
        memory_score: None where no bounds are known or no memory is needed.
        bounds: chance, memoryless, clock and optimum; None where they are not known.
    """

    length: int
    mean_return: float
    memory_score: float | None
    bounds: dict[str, float] | None


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What the agent of a job reached.

    Attributes:
        job: The job.
        learns_from: What the agent learned from: ``"rewards"``, ``"answers"`` (the right ones) or
            ``"unknown"``.
        versions: Versions of Python, the platform and the packages that were used.
        machine: A description of the machine.
        steps: Time steps learned from.
        seconds: Processor time spent on learning.
        wall_seconds: Wall time of the whole job, since it was last resumed; 0 if unknown.
        finished: The time at which the job ended, in ISO 8601, UTC; empty if unknown.
        curve: The learning curve: at most `MAX_POINTS` lists ``[steps, seconds or None,
            mean_return, memory_score or None]``.
        evaluation: The evaluation on fresh episodes.
        generalisation: One item for each of the job's ``lengths``.
        episodes: A few played episodes. The same ones for all agents.
    """

    job: Job
    learns_from: str
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
        if self.learns_from not in LEARNS_FROM:
            allowed = ", ".join(map(repr, LEARNS_FROM))
            raise ValueError(f"learns_from must be one of {allowed}, got {self.learns_from!r}")
        for row in self.curve:
            if not (isinstance(row, list) and len(row) == 4):
                raise ValueError(f"a point of the curve must have four numbers, got {row!r}")

    @property
    def solved(self) -> bool:
        """Whether the problem is solved, see `is_solved`."""
        return is_solved(self.evaluation.memory_score, self.evaluation.mean_return)

    @property
    def line(self) -> str:
        """The result in a line."""
        reached = self.evaluation
        score = "" if reached.memory_score is None else f"  memory {reached.memory_score:.3f}"
        return (
            f"{self.job.name}: return {reached.mean_return:.4f}{score}  {self.steps:,} steps  "
            f"{self.seconds:.1f} s"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> JobResult:
        """Read back what `to_dict` returned.

        Raises:
            ValueError, TypeError: The values are not those of a result.
        """
        if not isinstance(values, dict):
            raise TypeError(f"it must hold an object, got {type(values).__name__}")
        missing = [each.name for each in fields(cls) if each.name not in values]
        if missing:
            raise ValueError(f"{missing[0]!r} is missing")
        kinds = {"versions": dict, "machine": str, "steps": int, "curve": list, "finished": str}
        for name, kind in kinds.items():
            if not isinstance(values[name], kind):
                raise TypeError(f"{name!r} must be {kind.__name__}, got {values[name]!r}")
        read = {
            "job": Job(**values["job"]),
            "evaluation": Evaluation(**values["evaluation"]),
            "generalisation": [AtLength(**each) for each in values["generalisation"]],
            "episodes": [Episode(**each) for each in values["episodes"]],
        }
        return cls(**{**values, **read})


def is_solved(memory_score: float | None, mean_return: float) -> bool:
    """Whether a memory score is at least 0.9 or, where no memory is needed, a return 0.99."""
    if memory_score is None:
        return mean_return >= SOLVED_RETURN
    return memory_score >= SOLVED_SCORE


def result_path(folder: Path, job: Job) -> Path:
    """Return the path of a job's result in the folder of a benchmark."""
    return folder / "jobs" / f"{job.key}.json"


def result_paths(folder: Path) -> list[Path]:
    """Return the paths of all results in the folder of a benchmark, damaged ones included."""
    return sorted((folder / "jobs").glob("[!.]*.json"))  # a dot: a file that is being written


def write_result(folder: Path, result: JobResult) -> Path:
    """Write the result of a job into the folder of a benchmark.

    Raises:
        OSError: The file cannot be written.
    """
    path = result_path(folder, result.job)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(result.to_dict(), allow_nan=False) + "\n")
    return path


def read_result(path: Path) -> JobResult:
    """Read the result of a job.

    Raises:
        ResultError: The file is damaged, or holds the result of another job than its name says.
    """
    try:
        result = JobResult.from_dict(json.loads(path.read_text("utf-8")))
        if result.job.key != path.stem:
            raise ValueError(f"its job is {result.job.key}")
    except (ValueError, TypeError) as error:
        raise ResultError(f"{path} is damaged: {error}") from error
    return result


def write_table(path: Path, results: list[JobResult]) -> None:
    """Write results into one file, one a line, without the times at which they were finished."""
    records = [{**result.to_dict(), "finished": ""} for result in results]
    rows = ",\n".join(json.dumps(record, allow_nan=False) for record in records)
    write_text(path, f"[\n{rows}\n]\n")


def read_table(path: Path) -> list[JobResult]:
    """Read what `write_table` wrote.

    Raises:
        ResultError: The file is missing or damaged.
    """
    try:
        records = json.loads(path.read_text("utf-8"))
        if not isinstance(records, list):
            raise TypeError(f"it must hold a list, got {type(records).__name__}")
        return [JobResult.from_dict(record) for record in records]
    except (OSError, ValueError, TypeError) as error:
        raise ResultError(f"{path} is damaged: {error}") from error


def thin(curve: list[list[Any]]) -> list[list[Any]]:
    """Keep at most `MAX_POINTS` of a curve, evenly spread, with the first and the last."""
    if len(curve) <= MAX_POINTS:
        return curve
    last = len(curve) - 1
    return [curve[i * last // (MAX_POINTS - 1)] for i in range(MAX_POINTS)]

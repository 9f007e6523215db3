"""Jobs of the benchmark, their results, and the files of the results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seqenvs.arguments import UsageError
from seqenvs.evaluation import Episode, Evaluation
from seqenvs.files import content_hash, write_text
from seqenvs.validation import check_choice, check_int, check_number

HORIZON_SCORE = 0.5  # the least memory score at which a lag counts as remembered
SOLVED_SCORE, SOLVED_RETURN = 0.9, 0.99
LEARNS_FROM = ("rewards", "answers", "unknown")


class ResultError(UsageError):
    """A file of results is missing or damaged. The message names the file."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training run and its evaluation.

    Two jobs with equal fields have the same key, and their result is one file.

    Attributes:
        id: The environment's id.
        kwargs: Parameters of the environment. JSON-able; tuples become lists.
        agent: The agent's class, as ``"module:Class"``.
        options: Keyword arguments of the agent's constructor. JSON-able.
        seed: Passed to the agent's ``learn``.
        steps: The most time steps to learn from, over all episodes; None for no limit.
        seconds: The most processor time to spend on learning; None for no limit.
        lengths: Further values of the environment's parameter ``length`` to evaluate at.

    Raises:
        TypeError, ValueError: A budget is missing or out of range, or a field is not JSON-able.
    """

    id: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    agent: str
    options: dict[str, Any] = field(default_factory=dict)
    seed: int
    steps: int | None = None
    seconds: float | None = None
    lengths: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_int("seed", self.seed, 0)
        if self.steps is None and self.seconds is None:
            raise ValueError("steps or seconds must be given, got None for both")
        if self.steps is not None:
            check_int("steps", self.steps, 1)
        if self.seconds is not None:
            check_positive("seconds", self.seconds)
        for name in ("kwargs", "options", "lengths"):
            value = getattr(self, name)
            try:  # as JSON has them, so that a job that is read back is equal
                object.__setattr__(self, name, json.loads(json.dumps(value)))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} must be JSON-able, got {value!r}: {error}") from error

    @property
    def key(self) -> str:
        """The hash of all fields: 16 hexadecimal digits. The name of the result's file."""
        # Without None, so that a field that is added later does not change existing keys.
        return content_hash(
            {name: value for name, value in asdict(self).items() if value is not None}
        )

    @property
    def environment(self) -> str:
        """The environment with its parameters, such as ``"SeqEcho-v0 lag=4"``."""
        return environment_name(self.id, self.kwargs)

    @property
    def name(self) -> str:
        """The job in a line: environment, agent and seed."""
        return f"{self.environment}  {self.agent}  seed {self.seed}"


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
        curve: The learning curve: lists ``[steps, seconds or None, mean_return, memory_score or
            None]``.
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
        check_choice("learns_from", self.learns_from, LEARNS_FROM)

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

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> JobResult:
        """Read back what `dataclasses.asdict` returned.

        Raises:
            KeyError, TypeError, ValueError: The values are not those of a result.
        """
        read = {
            "job": Job(**values["job"]),
            "evaluation": Evaluation(**values["evaluation"]),
            "generalisation": [AtLength(**each) for each in values["generalisation"]],
            "episodes": [Episode(**each) for each in values["episodes"]],
        }
        return cls(**{**values, **read})


def environment_name(id: str, kwargs: dict[str, Any]) -> str:
    """Name an environment with its parameters, such as ``"SeqEcho-v0 lag=4"``."""
    return " ".join([id, *(f"{name}={value}" for name, value in kwargs.items())])


def check_positive(name: str, value: Any) -> None:
    """Raise TypeError or ValueError if a value is not a number above 0."""
    if check_number(name, value) <= 0:
        raise ValueError(f"{name} must be above 0, got {value!r}")


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
    write_text(path, json.dumps(asdict(result), allow_nan=False) + "\n")
    return path


def read_result(path: Path) -> JobResult:
    """Read the result of a job.

    Raises:
        ResultError: The file is damaged, or holds the result of another job than its name says.
    """
    with _named_if_damaged(path):
        result = JobResult.from_dict(json.loads(path.read_text("utf-8")))
        if result.job.key != path.stem:
            raise ValueError(f"its job is {result.job.key}")
        return result


def write_table(path: Path, results: list[JobResult]) -> None:
    """Write results into one file, one a line, without the times at which they were finished."""
    records = [{**asdict(result), "finished": ""} for result in results]
    rows = ",\n".join(json.dumps(record, allow_nan=False) for record in records)
    write_text(path, f"[\n{rows}\n]\n")


def read_table(path: Path) -> list[JobResult]:
    """Read what `write_table` wrote.

    Raises:
        ResultError: The file is missing or damaged.
    """
    with _named_if_damaged(path):
        records = json.loads(path.read_text("utf-8"))
        if not isinstance(records, list):
            raise TypeError(f"it must hold a list, got {type(records).__name__}")
        return [JobResult.from_dict(record) for record in records]


@contextmanager
def _named_if_damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ResultError(f"{path} is damaged: {type(error).__name__}: {error}") from error

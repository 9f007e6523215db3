"""Run one job: the agent learns, with checkpoints and a budget, and is evaluated."""

from __future__ import annotations

import inspect
import json
import math
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from seqenvs.benchmark.results import LEARNS_FROM, AtLength, Job, JobResult
from seqenvs.benchmark.suites import SuiteError
from seqenvs.evaluation import DIGITS, Evaluation, evaluate, record_episodes
from seqenvs.files import import_object, machine, versions, write_json
from seqenvs.task import find_task
from seqenvs.validation import check_choice

EPISODES = 1000  # of an evaluation
CHECKPOINT_SECONDS = 10.0  # wall time between two checkpoints
MAX_POINTS = 200  # of a learning curve
PROGRESS = "progress.json"


@dataclass
class Progress:
    """How far an agent has learned.

    Attributes:
        steps: Time steps learned from.
        seconds: Processor time spent on learning.
        marks: Steps and seconds each time that the agent reported its steps.
    """

    steps: int = 0
    seconds: float = 0.0
    marks: list[tuple[int, float]] = field(default_factory=list)


def run_job(job: Job, work: Path, *, checkpoint_seconds: float = CHECKPOINT_SECONDS) -> JobResult:
    """Let the agent of a job learn, from its last checkpoint if there is one, and evaluate it.

    Args:
        job: The job.
        work: The folder of the job's checkpoints. It is created when it is needed and left there.
        checkpoint_seconds: Wall time between two checkpoints.

    Raises:
        Exception: Whatever the agent or the environment raises.
    """
    began = time.monotonic()
    agent, progress = _resume(job, work)
    _learn(agent, job, progress, work, checkpoint_seconds)
    reached = _evaluate(agent, job)
    others = [(length, _evaluate(agent, job, length=length)) for length in job.lengths]
    return JobResult(
        job=job,
        learns_from=getattr(agent, "learns_from", "unknown"),
        versions=versions(),
        machine=machine(),
        steps=progress.steps,
        seconds=round(progress.seconds, 3),
        wall_seconds=round(time.monotonic() - began, 3),
        finished=f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        curve=_curve(agent, job, progress),
        evaluation=reached,
        generalisation=[
            AtLength(length, there.mean_return, there.memory_score, there.bounds)
            for length, there in others
        ],
        episodes=record_episodes(agent, job.id, job.kwargs),
    )


def find_agent(name: str) -> Any:
    """Import the class that ``"module:Class"`` names, and check that it can be an agent.

    Raises:
        SuiteError: There is no such class, or it lacks what an agent needs.
    """
    try:
        made = import_object(name, "agent must be 'module:Class'")
    except ModuleNotFoundError as error:
        raise SuiteError(f"agent {name!r} needs {error.name}, which is not installed") from error
    except ValueError as error:
        raise SuiteError(str(error)) from error
    except Exception as error:  # a third-party module can raise anything
        raise SuiteError(f"agent {name!r}: {type(error).__name__}: {error}") from error
    if not isinstance(made, type):
        raise SuiteError(f"agent {name!r} must be a class, got {made!r}")
    methods = ("learn", "answer" if getattr(made, "sees_future", False) else "predict")
    for method in methods:
        if not callable(getattr(made, method, None)):
            raise SuiteError(f"agent {name!r} must have a method {method!r}")
    learn: Any = getattr(made, "learn")  # noqa: B009 - mypy knows no such method
    try:
        inspect.signature(learn).bind(None, "SeqEcho-v0", kwargs={}, steps=1, seed=0)
    except TypeError as error:
        raise SuiteError(
            f"agent {name!r} must have learn(id, *, kwargs, steps, seed): {error}"
        ) from error
    said = getattr(made, "learns_from", "unknown")
    if isinstance(said, str):  # a property is known only of an instance
        try:
            check_choice("learns_from", said, LEARNS_FROM)
        except ValueError as error:
            raise SuiteError(f"agent {name!r}: {error}") from error
    return made


def _resume(job: Job, work: Path) -> tuple[Any, Progress]:
    """Return the agent of the newest whole checkpoint, or a new agent."""
    made = find_agent(job.agent)
    if hasattr(made, "load"):
        for folder in _checkpoints(work):
            agent = made(**job.options)
            try:
                values = json.loads((folder / PROGRESS).read_text("utf-8"))
                agent.load(folder / "agent")
                return agent, Progress(**values)
            except Exception as error:  # a damaged file can raise anything
                said = " ".join(f"{type(error).__name__}: {error}".split())
                print(f"{folder} is damaged and left out: {said}", file=sys.stderr)
                shutil.rmtree(folder, ignore_errors=True)
    return made(**job.options), Progress()


def _checkpoints(work: Path) -> list[Path]:
    """Return the folders of whole checkpoints, the newest first."""
    # The file with the progress is written last. Without it, the save was interrupted.
    found = [path.parent for path in work.glob(f"checkpoint-*/{PROGRESS}")]
    return sorted(found, key=lambda folder: int(folder.name.partition("-")[2]), reverse=True)


def _save(agent: Any, progress: Progress, work: Path) -> None:
    """Write a checkpoint, then remove those before it."""
    folder = work / f"checkpoint-{progress.steps}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    agent.save(folder / "agent")
    write_json(folder / PROGRESS, asdict(progress))
    for other in work.glob("checkpoint-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def _learn(agent: Any, job: Job, progress: Progress, work: Path, checkpoint_seconds: float) -> None:
    """Let an agent learn until it ends or a budget is spent; update ``progress``."""
    saves = hasattr(agent, "save") and hasattr(agent, "load")
    saved, before = time.monotonic(), time.process_time()
    most_steps, most_seconds = job.steps or sys.maxsize, job.seconds or math.inf
    learning = agent.learn(job.id, kwargs=dict(job.kwargs), steps=most_steps, seed=job.seed)
    if not isinstance(learning, Iterator):
        progress.steps, progress.seconds = most_steps, time.process_time() - before
        return
    first = True
    while progress.seconds < most_seconds:
        steps = next(learning, None)
        # An agent that has been loaded first says where it is. It has not learned yet.
        if not (first and steps == progress.steps):
            progress.seconds += time.process_time() - before
        first = False
        if steps is None:
            break
        progress.steps = int(steps)
        progress.marks.append((progress.steps, progress.seconds))
        if saves and time.monotonic() - saved > checkpoint_seconds:
            _save(agent, progress, work)
            saved = time.monotonic()
        before = time.process_time()


def _curve(agent: Any, job: Job, progress: Progress) -> list[list[Any]]:
    """Return evenly spread points of the agent's learning curve, as `JobResult` has them."""
    points = list(getattr(agent, "curve", None) or ())
    picked = np.linspace(0, len(points) - 1, min(MAX_POINTS, len(points))).round().astype(int)
    task = find_task(job.id, job.kwargs)
    steps, seconds = zip((0, 0.0), *progress.marks, strict=True)
    curve = []
    for at, mean_return in [points[i] for i in picked]:
        spent = round(float(np.interp(at, steps, seconds)), DIGITS) if progress.marks else None
        score = _rounded(task.memory_score(float(mean_return)))
        curve.append([int(at), spent, _rounded(mean_return), score])
    return curve


def _evaluate(agent: Any, job: Job, **changed: Any) -> Evaluation:
    """Evaluate an agent on fresh episodes; the figures are rounded."""
    reached = evaluate(agent, job.id, episodes=EPISODES, **{**job.kwargs, **changed})
    names = ("mean_return", "standard_error", "success_rate", "memory_score")
    rounded: dict[str, Any] = {name: _rounded(getattr(reached, name)) for name in names}
    return replace(reached, accuracy=[_rounded(each) for each in reached.accuracy], **rounded)


def _rounded(value: float | None) -> float | None:
    """Round a number; None stays None."""
    return None if value is None else round(float(value), DIGITS)

"""Read the results in the folder of a benchmark into one table with a row for each job."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seqenvs.benchmark.jobs import Job, environment_name
from seqenvs.benchmark.results import (
    JobResult,
    ResultError,
    is_solved,
    read_result,
    result_paths,
)
from seqenvs.benchmark.suites import CAPACITY as COPY_ID
from seqenvs.benchmark.suites import HORIZONS, Suite, SuiteError, read_suite

MATRIX, ECHO, RECALL, CAPACITY, GENERALISATION = (
    "Leaderboard",
    "Memory horizon: echo",
    "Memory horizon: recall",
    "Capacity",
    "Generalisation",
)
SECTIONS = (MATRIX, ECHO, RECALL, CAPACITY, GENERALISATION)
SWEEPS = {ECHO: "echo", RECALL: "recall", CAPACITY: "copy"}  # section: problem of the suite
EPISODE = ("inputs", "targets", "due", "answers", "confidence", "scores")
BOUNDS = ("chance", "memoryless", "clock", "optimum")
LEARNS_FROM = {"rewards": "rewards", "answers": "right answers", "unknown": "unknown"}


@dataclass
class Results:
    """What the folder of a benchmark holds.

    Attributes:
        runs: One row for each job result. Besides numbers and names, it holds ``accuracy`` (T,),
            ``curve`` (points, 3), ``at_lengths`` (pairs of a length and a memory score) and
            ``episodes`` (JSON).
        shown: The runs, once for each section of the report that they belong to.
        expected: One row for each job and section of the suite; empty where it is not known.
        damaged: One row for each file that cannot be read, with the reason.
        notes: Remarks for the reader of the report.
    """

    runs: pd.DataFrame
    shown: pd.DataFrame
    expected: pd.DataFrame
    damaged: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def section(self, name: str) -> pd.DataFrame:
        """Return the runs of a section."""
        return self.shown[self.shown.section == name]

    @property
    def agents(self) -> pd.DataFrame:
        """The agents in the order of the report: ``agent`` and ``learns_from``."""
        return self.runs[["agent", "learns_from"]].drop_duplicates(ignore_index=True)


def read_folder(folder: Path) -> Results:
    """Read all results in the folder of a benchmark, and the suite that was run.

    Raises:
        ResultError: The folder holds no result that can be read.
    """
    rows, jobs, damaged = [], [], []
    for path in result_paths(folder):
        try:
            result = read_result(path)
            rows.append(_row(result, path.stem))
            jobs.append(result.job)
        except ResultError as error:
            damaged.append((path.name, str(error).removeprefix(f"{path} is damaged: ")))
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            damaged.append((path.name, f"{type(error).__name__}: {error}"))
    damaged += [
        (f"damaged/{path.name}", "moved here by the benchmark, which runs its job again")
        for path in sorted((folder / "damaged").glob("[!.]*.json"))
    ]
    if not rows:
        broken = f", {len(damaged)} of them damaged" if damaged else ""
        raise ResultError(
            f"{folder} holds no result to report{broken}: give the folder that "
            "'seqenvs benchmark' wrote"
        )
    notes = []
    suite = None
    path = folder / "suite.json"
    try:
        suite = read_suite(str(path)) if path.is_file() else None
    except SuiteError as error:
        damaged.append((path.name, str(error)))
    if suite is None:
        notes.append("The folder has no suite.json: which results are missing is not known.")
    expected = pd.DataFrame(
        _expected(suite) if suite else [],
        columns=["section", "group", "key", "environment", "agent", "seed", "size"],
    )
    runs = pd.DataFrame(rows)
    others = int((~runs["group"].isin(expected["group"])).sum())
    if suite is not None and others:
        notes.append(
            f"The settings of {others:,} results are not in the suite; they are shown, too."
        )
    runs, shown = _arrange(runs, jobs, expected)
    return Results(runs, shown, expected, pd.DataFrame(damaged, columns=["file", "reason"]), notes)


def _row(result: JobResult, key: str) -> dict[str, Any]:
    """Keep what the report needs of a result. Values of a wrong kind raise."""
    job, reached = result.job, result.evaluation
    length = job.kwargs.get("length")
    bounds = {name: reached.bounds[name] for name in BOUNDS} if reached.bounds else {}
    accuracy = np.array(reached.accuracy, np.float32)  # NaN where no answer is due
    if accuracy.ndim != 1:
        raise ValueError(f"accuracy must be a list of numbers, got {reached.accuracy!r}")
    return {
        "key": key,
        "group": _group(job),
        "environment": environment_name(job.id, job.kwargs),
        "agent": job.agent,
        "learns_from": LEARNS_FROM[result.learns_from],
        "seed": job.seed,
        "mean_return": _finite(reached.mean_return),
        "memory_score": _optional(reached.memory_score),
        "success_rate": _finite(reached.success_rate),
        "solved": is_solved(reached.memory_score, reached.mean_return),
        **{name: _optional(bounds.get(name)) for name in BOUNDS},
        "steps": int(result.steps),
        "seconds": _finite(result.seconds),
        "wall_seconds": _finite(result.wall_seconds),
        "budget_steps": _optional(job.steps),
        "budget_seconds": _optional(job.seconds),
        "length": float(length) if type(length) is int else math.nan,
        "sees_future": bool(reached.sees_future),
        "finished": result.finished,
        "machine": result.machine,
        "versions": ", ".join(f"{name} {text}" for name, text in result.versions.items()),
        "accuracy": accuracy,
        "curve": np.array(result.curve, float).reshape(-1, 4)[:, :3],
        "at_lengths": [
            (int(each.length), _optional(each.memory_score)) for each in result.generalisation
        ],
        "episodes": [
            dense([getattr(each, column) for column in EPISODE]) for each in result.episodes
        ],
    }


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"a number must be finite, got {value!r}")
    return float(value)


def _optional(value: float | None) -> float:
    return math.nan if value is None else _finite(value)


def dense(value: Any) -> str:
    """Return JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _group(job: Job) -> str:
    """Return what the jobs that differ by their seed alone have in common."""
    return replace(job, seed=0).key


def _expected(suite: Suite) -> Iterator[tuple[Any, ...]]:
    """Yield a row of `Results.expected` for each job of a suite, in the order of the sections."""

    def rows(section: str, jobs: list[Job], size: int | None = None) -> Iterator[tuple[Any, ...]]:
        for job in jobs:
            name = environment_name(job.id, job.kwargs)
            yield section, _group(job), job.key, name, job.agent, job.seed, size

    for row in suite.matrix_rows():
        yield from rows(MATRIX, row.jobs)
    for sweep in (*suite.horizon_sweeps(), *suite.capacity_sweeps()):
        section = next(name for name, problem in SWEEPS.items() if problem == sweep.problem)
        for size, jobs in sweep.points.items():
            yield from rows(section, jobs, size)
    for row in suite.generalisation_rows():
        yield from rows(GENERALISATION, row.jobs)


def _guess(job: Job) -> tuple[str, int | None]:
    """Return the section and the size of a job that is in no suite, by its settings."""
    length = job.kwargs.get("length")
    if job.lengths:
        return GENERALISATION, None
    if isinstance(length, int):
        if job.id == COPY_ID and list(job.kwargs) == ["length"]:
            return CAPACITY, length
        for section, lag in ((ECHO, job.kwargs.get("lag")), (RECALL, length - 2)):
            id, fixed, parameters = HORIZONS[SWEEPS[section]]
            if job.id != id or not isinstance(lag, int):
                continue
            if job.kwargs == {**fixed, **parameters(lag)}:
                return section, lag
    return MATRIX, None


def _arrange(
    runs: pd.DataFrame, jobs: list[Job], expected: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give each run its section, its size and the agent's short name, and order all runs."""
    places: dict[str, list[tuple[str, int | None]]] = defaultdict(list)
    first = expected.drop_duplicates(["section", "group"])
    for section, group, size in zip(first.section, first["group"], first["size"], strict=True):
        places[group].append((section, size))
    where = [
        places.get(group) or [_guess(job)] for group, job in zip(runs["group"], jobs, strict=True)
    ]
    runs["section"] = [min(each, key=lambda place: SECTIONS.index(place[0]))[0] for each in where]
    runs["agent"] = _names(runs, jobs)
    ranks = {group: rank for rank, group in enumerate(places)}
    runs["rank"] = [ranks.get(group, len(ranks)) for group in runs["group"]]
    runs["where"] = where
    runs = runs.sort_values(["rank", "environment", "agent", "seed"], ignore_index=True)
    shown = runs.drop(columns="section").explode("where", ignore_index=True)
    shown["section"] = shown["where"].str[0]
    shown["size"] = pd.to_numeric(shown["where"].str[1])
    drop = ["rank", "where"]
    return runs.drop(columns=drop), shown.drop(columns=drop)


def _names(runs: pd.DataFrame, jobs: list[Job]) -> list[str]:
    """Return the agents' names in the report.

    A name is the class without its module. What is needed to tell two agents apart is added: the
    module, what it learned from, and the settings that differ.
    """
    shorts = {agent: agent.rpartition(":")[2] or agent for agent in runs.agent.unique()}
    counts = Counter(shorts.values())
    settings = [
        {**job.options, "steps": job.steps, "seconds": job.seconds, "evaluated at": job.lengths}
        for job in jobs
    ]
    texts = pd.DataFrame([{name: dense(each[name]) for name in each} for each in settings])
    # All sizes of a sweep are one line of a chart.
    place = runs.environment.mask(runs.section.isin(SWEEPS), "")
    same = [runs.section, place, runs.agent, runs.learns_from]
    differ = texts.fillna("null").groupby(same).transform("nunique") > 1
    differ["from"] = runs.groupby("agent").learns_from.transform("nunique") > 1
    texts["from"] = runs.learns_from
    names = runs.agent.map(lambda agent: agent if counts[shorts[agent]] > 1 else shorts[agent])
    for i in differ.index[differ.any(axis=1)]:
        told = texts.loc[i, differ.loc[i]].fillna("null")
        names[i] += f" ({', '.join(f'{name}={value}' for name, value in told.items())})"
    return list(names)

"""Read the results in the folder of a benchmark into one table with a row for each job."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seqenvs.benchmark.results import Job, JobResult, ResultError, read_result, result_paths
from seqenvs.benchmark.suites import Suite, SuiteError, read_suite

MATRIX, ECHO, RECALL, CAPACITY, GENERALISATION = (
    "Leaderboard",
    "Memory horizon: echo",
    "Memory horizon: recall",
    "Capacity",
    "Generalisation",
)
SECTIONS = (MATRIX, ECHO, RECALL, CAPACITY, GENERALISATION)
SWEEPS = {"echo": ECHO, "recall": RECALL, "copy": CAPACITY}  # problem of the suite: section
EPISODE = ("inputs", "targets", "due", "answers", "confidence", "scores")
BOUNDS = ("chance", "memoryless", "clock", "optimum")
LEARNS_FROM = {"rewards": "rewards", "answers": "right answers", "unknown": "unknown"}


@dataclass
class Results:
    """What the folder of a benchmark holds.

    Attributes:
        runs: One row for each job result, and section of the report that it belongs to. Besides
            numbers and names, it holds ``accuracy`` (T,), ``curve`` (points, 3), ``at_lengths``
            (pairs of a length and a memory score) and ``episodes`` (JSON).
        expected: One row for each job and section of the suite; empty where it is not known.
        damaged: One row for each file that cannot be read, with the reason.
        notes: Remarks for the reader of the report.
    """

    runs: pd.DataFrame
    expected: pd.DataFrame
    damaged: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def section(self, name: str) -> pd.DataFrame:
        """Return the runs of a section."""
        return self.runs[self.runs.section == name]

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
    try:
        suite = read_suite(str(folder / "suite.json"))
    except SuiteError as error:
        notes.append(f"Which results are missing is not known: {error}.")
    expected = _expected(suite)
    runs = pd.DataFrame(rows)
    others = (~runs["group"].isin(expected["group"])).sum()
    if suite is not None and others:
        notes.append(f"{others:,} results are not in the suite; they are shown, too.")
    damages = pd.DataFrame(damaged, columns=["file", "reason"])
    return Results(_arrange(runs, jobs, expected), expected, damages, notes)


def _row(result: JobResult, key: str) -> dict[str, Any]:
    """Keep what the report needs of a result. Values of a wrong kind raise."""
    job, reached = result.job, result.evaluation
    length = job.kwargs.get("length")
    numbers = {
        "mean_return": reached.mean_return,
        "success_rate": reached.success_rate,
        "seconds": result.seconds,
        "wall_seconds": result.wall_seconds,
    }
    if not all(map(math.isfinite, numbers.values())):
        raise ValueError(f"numbers must be finite, got {numbers}")
    known = {
        "memory_score": reached.memory_score,
        "budget_steps": job.steps,
        "budget_seconds": job.seconds,
        "length": length if isinstance(length, int) else None,
        **{name: reached.bounds[name] if reached.bounds else None for name in BOUNDS},
    }
    accuracy = np.array(reached.accuracy, np.float32)  # NaN where no answer is due
    if accuracy.ndim != 1:
        raise ValueError(f"accuracy must be a list of numbers, got {reached.accuracy!r}")
    return {
        "key": key,
        "group": _group(job),
        "environment": job.environment,
        "agent": job.agent,
        "learns_from": LEARNS_FROM[result.learns_from],
        "seed": job.seed,
        "solved": result.solved,
        **numbers,
        **{name: math.nan if value is None else float(value) for name, value in known.items()},
        "steps": int(result.steps),
        "sees_future": bool(reached.sees_future),
        "finished": str(result.finished),
        "machine": str(result.machine),
        "versions": ", ".join(f"{name} {text}" for name, text in result.versions.items()),
        "accuracy": accuracy,
        "curve": np.array(result.curve, float).reshape(-1, 4)[:, :3],
        "at_lengths": [(int(each.length), each.memory_score) for each in result.generalisation],
        "episodes": [
            dense([getattr(each, column) for column in EPISODE]) for each in result.episodes
        ],
    }


def dense(value: Any) -> str:
    """Return JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _group(job: Job) -> str:
    """Return what the jobs that differ by their seed alone have in common."""
    return replace(job, seed=0).key


def _expected(suite: Suite | None) -> pd.DataFrame:
    """Return `Results.expected`, in the order of the suite."""
    sections = {"matrix": MATRIX, "generalisation": GENERALISATION}
    rows = [
        (
            sections.get(row.section) or SWEEPS[row.problem],
            _group(job),
            job.key,
            job.environment,
            bool(job.lengths),
            job.agent,
            job.seed,
            row.size,
        )
        for row in (suite.rows() if suite else ())
        for job in row.jobs
    ]
    columns = ["section", "group", "key", "environment", "varied", "agent", "seed", "size"]
    return pd.DataFrame(rows, columns=columns)


def _arrange(runs: pd.DataFrame, jobs: list[Job], expected: pd.DataFrame) -> pd.DataFrame:
    """Give each run its sections, its sizes and the agent's short name, and order all runs."""
    # Results that are not in the suite belong where the suite has their environment.
    places: dict[Any, list[tuple[str, float]]] = defaultdict(list)
    for job in expected.drop_duplicates(["section", "group"]).itertuples():
        places[job.group].append((job.section, job.size))
    for job in expected.drop_duplicates(["section", "environment", "varied"]).itertuples():
        places[job.environment, job.varied].append((job.section, job.size))
    runs["where"] = [
        places.get(group)
        or places.get((job.environment, bool(job.lengths)))
        or [(GENERALISATION if job.lengths else MATRIX, math.nan)]
        for group, job in zip(runs["group"], jobs, strict=True)
    ]
    runs["section"] = [where[0][0] for where in runs["where"]]
    runs["agent"] = _names(runs, jobs)
    ranks = {group: rank for rank, group in enumerate(expected["group"].unique())}
    runs["rank"] = [ranks.get(group, len(ranks)) for group in runs["group"]]
    runs = runs.sort_values(["rank", "environment", "agent", "seed"]).explode("where")
    runs["section"], runs["size"] = runs["where"].str[0], pd.to_numeric(runs["where"].str[1])
    return runs.reset_index(drop=True)


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
    place = runs.environment.mask(runs.section.isin(SWEEPS.values()), "")
    same = [runs.section, place, runs.agent, runs.learns_from]
    differ = texts.fillna("null").groupby(same).transform("nunique") > 1
    differ["from"] = runs.groupby("agent").learns_from.transform("nunique") > 1
    texts["from"] = runs.learns_from
    names = runs.agent.map(lambda agent: agent if counts[shorts[agent]] > 1 else shorts[agent])
    for i in differ.index[differ.any(axis=1)]:
        told = texts.loc[i, differ.loc[i]].fillna("null")
        names[i] += f" ({', '.join(f'{name}={value}' for name, value in told.items())})"
    return list(names)

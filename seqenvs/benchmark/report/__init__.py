"""What the cells of a benchmark say: a Markdown leaderboard and one page that needs no network.

The cells are read one by one and reduced at once, so that many thousands of them fit in memory.
The page holds what is known about them once, as JSON; `report.js` makes tables of it and draws it
with Vega-Lite. It stays small: what does not fit is thinned, and the page says so.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from html import escape
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import altair as alt
import numpy as np
import vl_convert
from numpy.typing import NDArray
from scipy.stats import bootstrap

from agents.config import AGENTS
from agents.study import is_solved, named
from agents.training.run_folder import RunFolderError, write_text
from seqenvs.benchmark.results import SOLVED_HORIZON, Cell, CellResult, read_cell
from seqenvs.benchmark.suites import SUITES, Suite, SuiteError, read_suite

_EXPORTS = "window.vegaEmbed = vegaEmbed;"
LEADERBOARD, PAGE = "leaderboard.md", "index.html"
LEAST_SEEDS = 3  # for an interval
MOST_COLUMNS = 5  # of a table in the Markdown
CONFIDENCE, RESAMPLES = 0.95, 2000
METHOD = (
    f"{CONFIDENCE:.0%} percentile bootstrap intervals over seeds "
    f"(scipy.stats.bootstrap, {RESAMPLES:,} resamples)"
)
# What the page may hold: bytes of JSON, or numbers.
EPISODE_BYTES, CURVE_NUMBERS, ACCURACY_NUMBERS = 1_400_000, 150_000, 60_000
MOST_POINTS, LEAST_POINTS = 48, 6  # of a curve on the page
MOST_STEPS, LEAST_STEPS = 120, 12  # of a row of accuracies on the page
MATRIX, ECHO, RECALL, CAPACITY, GENERALISATION = (
    "Leaderboard",
    "Memory horizon: echo",
    "Memory horizon: recall",
    "Capacity",
    "Generalisation",
)
SECTIONS = (MATRIX, ECHO, RECALL, CAPACITY, GENERALISATION)
BOUNDS = ("chance", "memoryless", "clock", "optimum")


@dataclass(frozen=True)
class Run:
    """What is kept of a cell's result."""

    seed: int
    steps: int
    seconds: float
    mean_return: float
    memory_score: float | None
    accuracy: NDArray[np.float32]  # NaN where no answer was due
    curve: NDArray[np.float64]  # (points, 3): steps, seconds (NaN if unknown), mean return
    at_lengths: list[tuple[int, float | None]]  # and the memory score there
    episodes: list[str]  # JSON


@dataclass
class Group:
    """The runs that differ by their seed alone."""

    cell: Cell  # of one of them
    bounds: dict[str, float] | None
    sees_future: bool
    sections: set[str]
    runs: list[Run] = field(default_factory=list)
    agent: str = ""  # as the page calls it; unlike the cell's where its settings must be told

    @cached_property
    def environment(self) -> str:
        """The environment with its parameters, as one reads it."""
        return named(self.cell.id, self.cell.kwargs)

    @property
    def section(self) -> str:
        """The first of the sections that it is in."""
        return min(self.sections, key=SECTIONS.index)

    @property
    def scores(self) -> list[float]:
        """The memory scores of all runs; empty unless all have one."""
        scores = [run.memory_score for run in self.runs]
        return [each for each in scores if each is not None] if None not in scores else []


@dataclass
class Found:
    """All that the cells of a folder say."""

    groups: list[Group] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)  # file, and what is wrong
    suite: Suite | None = None
    suite_name: str = ""
    versions: set[str] = field(default_factory=set)
    machines: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    cells: int = 0
    seconds: float = 0.0
    wall_seconds: float = 0.0
    keys: set[str] = field(default_factory=set)
    sweeps: dict[str, dict[str, Any]] = field(default_factory=dict)  # by section, see `_sweep`
    notes: list[str] = field(default_factory=list)


def write_report(folder: Path, out: Path) -> list[Path]:
    """Write the leaderboard and the page.

    Args:
        folder: The benchmark's, in which ``cells`` is.
        out: Where the files go; made if it is not there.

    Returns:
        The files.

    Raises:
        RunFolderError: There is no readable cell in the folder, or ``out`` can't be written.
    """
    found = gather(folder)
    if not found.groups:
        damaged = f", {len(found.damaged)} of them damaged" if found.damaged else ""
        raise RunFolderError(
            f"{folder} holds no cell to report{damaged}: give the folder that "
            "'python -m agents benchmark' wrote"
        )
    texts = {LEADERBOARD: leaderboard(found), PAGE: page(page_data(found))}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_text(out / name, text)
    except OSError as error:
        raise RunFolderError(f"{out} can't be written: {error}") from error
    return [out / name for name in texts]


# Gathering ------------------------------------------------------------------------------------


def gather(folder: Path) -> Found:
    """Read all cells of a benchmark's folder, and the suite that was run."""
    found = Found()
    groups: dict[str, Group] = {}
    for path in sorted((folder / "cells").glob("[!.]*.json")):
        try:
            result = read_cell(path)
            run = _reduce(result)
        except RunFolderError as error:
            found.damaged.append((path.name, str(error).removeprefix(f"{path} is damaged: ")))
            continue
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            found.damaged.append((path.name, f"{type(error).__name__}: {error}"))
            continue
        found.keys.add(result.cell.key)
        found.cells += 1
        found.seconds += result.seconds
        found.wall_seconds += result.wall_seconds
        found.machines.add(result.machine)
        found.finished.add(result.finished)
        found.versions.add(", ".join(f"{name} {text}" for name, text in result.versions.items()))
        group = groups.get(_group_key(result.cell))
        if group is None:
            evaluation = result.evaluation
            group = Group(result.cell, evaluation.bounds, evaluation.sees_future, set())
            groups[_group_key(result.cell)] = group
        group.runs.append(run)
    found.damaged += [
        (f"damaged/{path.name}", "set aside by the benchmark, which runs its cell again")
        for path in sorted((folder / "damaged").glob("[!.]*.json"))
    ]
    _find_suite(folder, found)
    places = _places(found.suite)
    others = sum(len(group.runs) for key, group in groups.items() if key not in places)
    if found.suite is not None and others:
        found.notes.append(
            f"{others:,} cells have settings that are not in the suite; they are shown too."
        )
    ranks = {key: rank for rank, key in enumerate(places)}
    for key, group in groups.items():
        group.sections = places.get(key) or {_section_of(group.cell)}
        group.runs.sort(key=lambda run: run.seed)

    def rank(key: str) -> tuple[Any, ...]:
        cell = groups[key].cell
        known = AGENTS.index(cell.agent) if cell.agent in AGENTS else len(AGENTS)
        return ranks.get(key, len(ranks)), groups[key].environment, known, cell.agent, key

    found.groups = [groups[key] for key in sorted(groups, key=rank)]
    _name_agents(found.groups)
    found.sweeps = {section: _sweep(found, section) for section in (ECHO, RECALL, CAPACITY)}
    return found


def _group_key(cell: Cell) -> str:
    return json.dumps({**asdict(cell), "seed": 0}, sort_keys=True)


def _reduce(result: CellResult) -> Run:
    """Keep what the page needs; what is of a wrong kind raises."""
    evaluation = result.evaluation
    if evaluation.bounds is not None:
        _ = {name: _finite(evaluation.bounds[name]) for name in BOUNDS}
    score = evaluation.memory_score
    curve = [[math.nan if value is None else value for value in row[:3]] for row in result.curve]
    return Run(
        seed=result.cell.seed,
        steps=result.steps,
        seconds=_finite(result.seconds),
        mean_return=_finite(evaluation.mean_return),
        memory_score=None if score is None else _finite(score),
        accuracy=np.array(evaluation.accuracy, np.float32),
        curve=np.array(curve, float).reshape(-1, 3),
        at_lengths=[
            (each.length, None if each.memory_score is None else _finite(each.memory_score))
            for each in result.generalisation
        ],
        episodes=[_dense(_episode(asdict(each))) for each in result.episodes],
    )


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"a number must be finite, got {value!r}")
    return float(value)


def _episode(episode: dict[str, Any]) -> list[Any]:
    """An episode as the page has it: inputs, targets, due, answers, confidence, scores."""
    due = "".join("1" if each else "0" for each in episode["due"])
    columns = ("inputs", "targets", "answers", "confidence", "scores")
    shown, targets, answers, sure, scores = ([_short(v) for v in episode[name]] for name in columns)
    # Nothing is said of an answer that is not due, so it is not kept.
    for column in (targets, answers, sure, scores):
        for i, flag in enumerate(due):
            if flag == "0":
                column[i] = 0
    return [shown, targets, due, answers, sure, scores]


def _short(value: Any) -> Any:
    """Numbers with three digits, in lists too; what JSON has no word for becomes None."""
    if isinstance(value, list):
        return [_short(each) for each in value]
    if isinstance(value, float):
        return _rounded(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(f"an episode must hold numbers and lists of them, got {value!r}")


def _rounded(value: float | None, digits: int = 3) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    short = round(float(value), digits)
    return int(short) if short == int(short) else short


def _dense(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _find_suite(folder: Path, found: Found) -> None:
    """The suite that was run; if nothing says, the shipped one with most cells in common."""
    path = folder / "suite.json"
    if path.is_file():
        try:
            found.suite, found.suite_name = read_suite(str(path)), path.name
            return
        except SuiteError as error:
            found.damaged.append((path.name, str(error)))
    shared = {}
    for name in json.loads(SUITES.read_text("utf-8")):
        suite = read_suite(name)
        wanted = {cell.key for cell in suite.cells()}
        shared[name] = (len(wanted & found.keys), -len(wanted))
    best = max(shared, key=lambda name: shared[name])
    if shared[best][0]:
        found.suite, found.suite_name = read_suite(best), best
        found.notes.append(
            f"The folder has no suite.json; its cells are compared with the suite {best!r}, "
            "with which it shares most."
        )
    else:
        found.notes.append(
            "The folder has no suite.json, and no shipped suite has any of its cells: what is "
            "missing is not known."
        )


def _expected(suite: Suite) -> Iterator[tuple[str, list[Cell]]]:
    """For each row of a suite, and each point of a sweep, its section and its cells."""
    for row in suite.matrix_rows():
        yield MATRIX, row.cells
    for sweep in suite.horizon_sweeps():
        for cells in sweep.points.values():
            yield (ECHO if sweep.problem == "echo" else RECALL), cells
    for sweep in suite.capacity_sweeps():
        for cells in sweep.points.values():
            yield CAPACITY, cells
    for row in suite.generalisation_rows():
        yield GENERALISATION, row.cells


def _places(suite: Suite | None) -> dict[str, set[str]]:
    """The sections of each group of a suite, in its order."""
    places: dict[str, set[str]] = {}
    for section, cells in _expected(suite) if suite is not None else ():
        places.setdefault(_group_key(cells[0]), set()).add(section)
    return places


def _section_of(cell: Cell) -> str:
    """The section of a cell that is in no suite, by what it looks like."""
    if cell.lengths:
        return GENERALISATION
    names, length = set(cell.kwargs), cell.kwargs.get("length")
    if cell.id == "SeqEcho-v0" and names == {"lag", "length"}:
        return ECHO
    if cell.id == "SeqRecall-v0" and names == {"framing", "num_values", "length"}:
        return RECALL
    if cell.id == "SeqCopy-v0" and names == {"length"} and isinstance(length, int):
        return CAPACITY
    return MATRIX


def _size(group: Group, section: str) -> int | None:
    """How far back, or how much, has to be remembered in a sweep; None if that is no number."""
    kwargs = group.cell.kwargs
    size = kwargs.get("lag") if section == ECHO else kwargs.get("length")
    if isinstance(size, bool) or not isinstance(size, int):
        return None
    return size - 2 if section == RECALL else size


def _name_agents(groups: list[Group]) -> None:
    """Tell the settings of those that would otherwise have the same name in the same place."""
    same: dict[tuple[str, ...], list[Group]] = defaultdict(list)
    for group in groups:
        swept = group.section in (ECHO, RECALL, CAPACITY)  # all sizes are one line
        where = "" if swept else group.environment
        same[group.section, where, group.cell.agent].append(group)
    for (*_, agent), alike in same.items():
        settings = [
            {**each.cell.options, "steps": each.cell.steps, "seconds": each.cell.seconds}
            | {"target": each.cell.target, "evaluated at": each.cell.lengths}
            for each in alike
        ]
        names = list(dict.fromkeys(name for each in settings for name in each))
        differ = [name for name in names if len({_dense(each.get(name)) for each in settings}) > 1]
        for group, each in zip(alike, settings, strict=True):
            told = ", ".join(f"{name}={each.get(name)}" for name in differ)
            group.agent = f"{agent} ({told})" if told else agent


# Estimates ------------------------------------------------------------------------------------


def interval(
    values: Sequence[float], statistic: Callable[..., Any] = np.mean
) -> tuple[float, float] | None:
    """A bootstrap interval over seeds; None for fewer than `LEAST_SEEDS`."""
    if len(values) < LEAST_SEEDS:
        return None
    if min(values) == max(values):
        return values[0], values[0]
    found = bootstrap(
        (np.asarray(values, float),),
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _estimate(values: Sequence[float]) -> dict[str, Any]:
    """Mean and interval, as the page has them."""
    if not values:
        return {"y": None, "low": None, "high": None}
    low, high = interval(values) or (None, None)
    return {"y": _rounded(_mean(values), 6), "low": _rounded(low, 6), "high": _rounded(high, 6)}


def memory_horizon(scores: dict[int, float], sizes: Iterable[int]) -> int | None:
    """The largest size up to which all are remembered; 0 if none, None if that is not known.

    Args:
        scores: The memory score for each size that was measured.
        sizes: All that belong to the sweep.
    """
    reached = 0
    for size in sorted(sizes):
        if size not in scores:
            return None
        if scores[size] < SOLVED_HORIZON:
            return reached
        reached = size
    return reached


# The page's data ------------------------------------------------------------------------------


def page_data(found: Found) -> dict[str, Any]:
    """All that the page shows."""
    thinned: list[str] = []
    names = dict.fromkeys(group.agent for group in found.groups)
    order = {name: i for i, name in enumerate(AGENTS)}
    # Stable: those that are not the project's own stay in the order in which they come.
    agents = sorted(names, key=lambda name: order.get(name.split(" ")[0], len(order)))
    sweeps = found.sweeps
    return {
        "agents": agents,
        "bounds": BOUNDS,
        "method": METHOD,
        "leastSeeds": LEAST_SEEDS,
        "solvedHorizon": SOLVED_HORIZON,
        "leaderboard": _leaderboard_data(found),
        "horizons": {"echo": sweeps[ECHO], "recall": sweeps[RECALL], "copy": sweeps[CAPACITY]},
        "generalisation": _generalisation(found),
        "places": _places_data(found, agents, thinned),
        "missing": _missing(found),
        "damaged": found.damaged,
        "suite": found.suite_name,
        "notes": found.notes,
        "thinned": thinned,
        "provenance": _provenance(found),
    }


def _environments(groups: Iterable[Group]) -> list[tuple[str, list[Group]]]:
    """Groups by their environment, each in the order of its first."""
    by_name: dict[str, list[Group]] = {}
    for group in groups:
        by_name.setdefault(group.environment, []).append(group)
    return list(by_name.items())


def _in_section(found: Found, section: str) -> list[Group]:
    return [group for group in found.groups if section in group.sections]


def _leaderboard_data(found: Found) -> list[dict[str, Any]]:
    rows = []
    for name, groups in _environments(_in_section(found, MATRIX)):
        bounds = _bounds_of(groups)
        rows.append(
            {
                "environment": name,
                "bounds": bounds,
                "needsMemory": any(group.scores for group in groups),
                "rows": [_leaderboard_row(group) for group in groups],
            }
        )
    return rows


def _bounds_of(groups: Sequence[Group]) -> dict[str, Any] | None:
    known = next((group.bounds for group in groups if group.bounds is not None), None)
    return None if known is None else {name: _rounded(known[name], 6) for name in BOUNDS}


def _leaderboard_row(group: Group) -> dict[str, Any]:
    runs = group.runs
    return {
        "agent": group.agent,
        "seesFuture": group.sees_future,
        "return": _estimate([run.mean_return for run in runs]),
        "score": _estimate(group.scores),
        "returns": [_rounded(run.mean_return) for run in runs],
        "seeds": len(runs),
        "solved": sum(is_solved(run.memory_score, run.mean_return) for run in runs),
        "steps": round(median(run.steps for run in runs)),
        "seconds": _rounded(median(run.seconds for run in runs), 2),
    }


def _sweep(found: Found, section: str) -> dict[str, Any]:
    """Memory score against size, and the largest size that is remembered, for each agent."""
    groups: dict[str, dict[int, Group]] = defaultdict(dict)
    for group in _in_section(found, section):
        size = _size(group, section)
        if size is None or not group.scores:
            found.notes.append(f"{section}: {group.environment}, {group.agent}: no memory score.")
        else:
            groups[group.agent][size] = group
    wanted: dict[str, set[int]] = defaultdict(set)
    if found.suite is not None:
        swept = [*found.suite.horizon_sweeps(), *found.suite.capacity_sweeps()]
        problem = {ECHO: "echo", RECALL: "recall", CAPACITY: "copy"}[section]
        for sweep in swept:
            if sweep.problem == problem:
                wanted[sweep.agent] |= set(sweep.points)
    points, rows = [], []
    for agent, by_size in groups.items():
        sizes = sorted(by_size)
        for size in sizes:
            scores = by_size[size].scores
            points.append(
                {"agent": agent, "x": size, "seeds": len(scores)} | _estimate(by_size[size].scores)
            )
        seeds: dict[int, dict[int, float]] = defaultdict(dict)
        for size, group in by_size.items():
            for run in group.runs:
                if run.memory_score is not None:
                    seeds[run.seed][size] = run.memory_score
        all_sizes = wanted[agent] | set(sizes)
        each = [memory_horizon(scores, all_sizes) for scores in seeds.values()]
        known = [float(value) for value in each if value is not None]
        low, high = (interval(known, np.median) if known else None) or (None, None)
        rows.append(
            {
                "agent": agent,
                "horizon": median(known) if known else None,
                "low": low,
                "high": high,
                "least": min(known, default=None),
                "most": max(known, default=None),
                "seeds": len(known),
                "unknown": len(each) - len(known),
                "swept": max(all_sizes),
                "steps": by_size[sizes[0]].cell.steps,
                "seconds": by_size[sizes[0]].cell.seconds,
            }
        )
    return {"points": points, "rows": rows}


def _generalisation(found: Found) -> list[dict[str, Any]]:
    """Memory score against the length that is played, as a multiple of the length learned at."""
    environments = []
    for name, groups in _environments(_in_section(found, GENERALISATION)):
        points = []
        for group in groups:
            learned = group.cell.kwargs.get("length")
            if isinstance(learned, bool) or not isinstance(learned, int):
                found.notes.append(f"Generalisation: {name} has no 'length' that is a number.")
                continue
            scores: dict[int, list[float]] = defaultdict(list)
            for run in group.runs:
                for length, score in dict([(learned, run.memory_score), *run.at_lengths]).items():
                    if score is not None:
                        scores[length].append(score)
            points += [
                {"agent": group.agent, "x": length / learned, "length": length}
                | {"seeds": len(scores[length])}
                | _estimate(scores[length])
                for length in sorted(scores)
            ]
        if points:
            environments.append({"environment": name, "points": points})
    return environments


def _places_data(found: Found, agents: list[str], thinned: list[str]) -> list[dict[str, Any]]:
    """For each environment of each section: curves, accuracies and episodes of each agent."""
    count = len(found.groups)
    most = int(np.clip(CURVE_NUMBERS / (8 * count), LEAST_POINTS, MOST_POINTS))
    if any(len(run.curve) > most for group in found.groups for run in group.runs):
        thinned.append(
            f"Learning curves: at most {most} points each, spread evenly on the logarithmic axis."
        )
    most_steps = int(np.clip(ACCURACY_NUMBERS / count, LEAST_STEPS, MOST_STEPS))
    if any(len(run.accuracy) > most_steps for group in found.groups for run in group.runs):
        thinned.append(
            f"Accuracy by time step: at most {most_steps} columns; in longer episodes each is the "
            "mean of several time steps."
        )
    episodes = _choose_episodes(found, thinned)
    places = []
    for section in SECTIONS:
        here = [group for group in found.groups if group.section == section]
        for name, groups in _environments(here):
            ordered = sorted(groups, key=lambda group: agents.index(group.agent))
            places.append(
                {
                    "section": section,
                    "environment": name,
                    "bounds": _bounds_of(groups),
                    "agents": [
                        {
                            "agent": group.agent,
                            "seesFuture": group.sees_future,
                            "seeds": len(group.runs),
                            "steps": _curve(group, 0, most),
                            "seconds": _curve(group, 1, most),
                            "accuracy": _accuracy(group, most_steps),
                            "episodes": episodes[id(group)],
                        }
                        for group in ordered
                    ],
                }
            )
    return places


def _curve(group: Group, column: int, most: int) -> list[list[Any]] | None:
    """Median, lowest and highest return over seeds, at steps or seconds that all share.

    A run that has stopped keeps its last return.
    """
    runs = []
    for run in group.runs:
        known = run.curve[np.isfinite(run.curve[:, [column, 2]]).all(axis=1)]
        known = known[known[:, column] > 0]  # the axis is logarithmic
        if len(known):
            runs.append(known)
    if not runs:
        return None
    first = min(curve[0, column] for curve in runs)
    last = max(curve[-1, column] for curve in runs)
    points = np.geomspace(first, last, min(most, max(map(len, runs)))) if last > first else [last]
    table = np.stack([np.interp(points, curve[:, column], curve[:, 2]) for curve in runs])
    columns = (np.median(table, axis=0), table.min(axis=0), table.max(axis=0))
    where: list[float] = [float(f"{each:.3g}") for each in points]
    short = [[_rounded(each) for each in values] for values in columns]
    return [[int(each) if each >= 100 else each for each in where], *short]


def _accuracy(group: Group, most: int) -> dict[str, Any]:
    """Mean accuracy over seeds for each time step, or of as many as a column stands for."""
    longest = max(len(run.accuracy) for run in group.runs)
    total, count = np.zeros((2, longest))
    for run in group.runs:
        due = np.isfinite(run.accuracy)
        total[: len(due)] += np.where(due, run.accuracy, 0)
        count[: len(due)] += due
    width = max(1, -(-longest // most))
    starts = np.arange(0, longest, width)
    if longest:
        total, count = np.add.reduceat(total, starts), np.add.reduceat(count, starts)
    values = [_rounded(float(a / b)) if b else None for a, b in zip(total, count, strict=True)]
    return {"width": width, "length": longest, "values": values}


def _choose_episodes(found: Found, thinned: list[str]) -> dict[int, dict[int, list[Any]]]:
    """Episodes by group and seed; the first of each group comes first, until the page is full."""
    chosen: dict[int, dict[int, list[Any]]] = {id(group): {} for group in found.groups}

    def turns() -> Iterator[tuple[Group, Run, list[str]]]:
        for group in found.groups:
            yield group, group.runs[0], group.runs[0].episodes[:1]
        for group in found.groups:
            yield group, group.runs[0], group.runs[0].episodes[1:]
        for group in found.groups:
            for run in group.runs[1:]:
                yield group, run, run.episodes

    size = kept = total = 0
    for group, run, texts in turns():
        for text in texts:
            total += 1
            if size + len(text) > EPISODE_BYTES:
                continue
            size += len(text)
            kept += 1
            chosen[id(group)].setdefault(run.seed, []).append(json.loads(text))
    if kept < total:
        thinned.append(
            f"Episodes: {kept:,} of {total:,} are in the page, the first of each agent before "
            "any second one."
        )
    return chosen


def _missing(found: Found) -> list[dict[str, Any]]:
    """Rows of the suite without all of their cells."""
    if found.suite is None:
        return []
    rows = []
    for section, cells in _expected(found.suite):
        seeds = [cell.seed for cell in cells if cell.key not in found.keys]
        if seeds:
            rows.append(
                {
                    "section": section,
                    "environment": named(cells[0].id, cells[0].kwargs),
                    "agent": cells[0].agent,
                    "there": len(cells) - len(seeds),
                    "expected": len(cells),
                    "seeds": seeds,
                }
            )
    return rows


def _provenance(found: Found) -> dict[str, Any]:
    expected = None
    if found.suite is not None:
        wanted = {cell.key for cell in found.suite.cells()}
        expected = {"cells": len(wanted), "there": len(wanted & found.keys)}
    return {
        "cells": found.cells,
        "expected": expected,
        "seconds": round(found.seconds, 2),
        "wallSeconds": round(found.wall_seconds, 2),
        "machines": sorted(found.machines),
        "versions": sorted(found.versions),
        "first": min(found.finished, default=""),
        "last": max(found.finished, default=""),
        "made": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


# The Markdown ---------------------------------------------------------------------------------


def leaderboard(found: Found) -> str:
    """The leaderboard for the README: tables of the problems and of the memory, an agent a row."""
    lines = [*_matrix_lines(found), *_horizon_lines(found)]
    expected = _provenance(found)["expected"]
    if expected and expected["there"] < expected["cells"]:
        lines += [
            f"{expected['cells'] - expected['there']:,} of the suite's {expected['cells']:,} "
            f"cells are missing; {PAGE} lists them.",
            "",
        ]
    lines += [
        f"{found.cells:,} runs, {found.seconds / 60:,.0f} minutes of processor time spent "
        f"learning; {'; '.join(sorted(found.versions))}; {'; '.join(sorted(found.machines))}.",
        "",
    ]
    return "\n".join(lines)


def _matrix_lines(found: Found) -> list[str]:
    """What was reached on each environment; nothing where the matrix is empty."""
    environments = _environments(_in_section(found, MATRIX))
    if not environments:
        return []
    lines = [
        "Mean return over seeds, then the **memory score** with its interval, where there are at "
        f"least {LEAST_SEEDS} seeds: {METHOD}.",
        "*Memoryless* and *clock* are the best that is reached without memory. 0 is as good as a "
        "clock, 1 perfect.",
        "",
    ]

    def problem(item: tuple[str, list[Group]]) -> str:
        return re.sub(r"(Medium|Hard)?-v\d+( .*)?$", "", item[0])

    # Levels of a problem stand side by side, and as many problems as fit.
    tables: list[list[tuple[str, list[Group]]]] = [[]]
    for _, same in groupby(environments, key=problem):
        levels = list(same)
        if tables[-1] and len(tables[-1]) + len(levels) > MOST_COLUMNS:
            tables.append([])
        tables[-1] += levels
    for each in tables:
        lines += [*_markdown_table(each), ""]
    return lines


def _markdown_table(environments: list[tuple[str, list[Group]]]) -> Iterator[str]:
    yield "| agent | " + " | ".join(_cell_text(name) for name, _ in environments) + " |"
    yield "| --- " + "| ---: " * len(environments) + "|"
    rows = [{group.agent: group for group in groups} for _, groups in environments]
    for agent in dict.fromkeys(agent for row in rows for agent in row):
        texts = [_result_text(row[agent]) if agent in row else "" for row in rows]
        yield f"| {_cell_text(agent)} | " + " | ".join(texts) + " |"
    for name in BOUNDS[:-1]:
        known = [_bounds_of(groups) for _, groups in environments]
        texts = ["unknown" if each is None else f"{each[name]:.3f}" for each in known]
        yield f"| *{name}* | " + " | ".join(texts) + " |"


def _horizon_lines(found: Found) -> list[str]:
    """What each agent remembers, in a table; nothing where nothing was swept."""
    swept = {section: sweep["rows"] for section, sweep in found.sweeps.items() if sweep["rows"]}
    if not swept:
        return []
    agents = dict.fromkeys(row["agent"] for rows in swept.values() for row in rows)
    lines = [
        f"What is remembered: the largest size with a memory score of at least {SOLVED_HORIZON}, "
        "at all smaller ones too; median over seeds, and their range. *Echo* and *recall* are "
        "lags in time steps, *capacity* is symbols to copy. ≥: the largest that was swept.",
        "",
        "| agent | " + " | ".join(f"{name}, {_budget(swept[name])}" for name in swept) + " |",
        "| --- " + "| ---: " * len(swept) + "|",
    ]
    for agent in agents:
        texts = [
            next((_horizon_text(row) for row in rows if row["agent"] == agent), "")
            for rows in swept.values()
        ]
        lines.append(f"| {_cell_text(agent)} | " + " | ".join(texts) + " |")
    return [*lines, ""]


def _budget(rows: Sequence[dict[str, Any]]) -> str:
    """The budgets of a sweep, as one reads them."""
    texts = []
    for row in rows:
        steps = "" if row["steps"] is None else f"{row['steps']:,} steps"
        seconds = "" if row["seconds"] is None else f"{row['seconds']:g} s"
        texts.append(" or ".join(text for text in (steps, seconds) if text))
    return "; ".join(dict.fromkeys(texts))


def _horizon_text(row: dict[str, Any]) -> str:
    if row["horizon"] is None:
        return "unknown"
    at_least = "≥ " if row["horizon"] >= row["swept"] else ""
    spread = "" if row["least"] == row["most"] else f" ({row['least']:g} to {row['most']:g})"
    seeds = f", {row['seeds']} seed{'s' if row['seeds'] > 1 else ''}"
    return f"{at_least}{row['horizon']:g}{spread}{seeds if row['seeds'] < LEAST_SEEDS else ''}"


def _cell_text(text: str) -> str:
    return escape(text, quote=False).replace("|", "\\|").replace("\n", " ")


def _result_text(group: Group) -> str:
    text = _decimals(_mean([run.mean_return for run in group.runs]))
    if group.scores:
        text += f", **{_decimals(_mean(group.scores))}**"
        found = interval(group.scores)
        text += f" ({_decimals(found[0])} to {_decimals(found[1])})" if found else ""
    seeds = len(group.runs)
    return text if seeds >= LEAST_SEEDS else f"{text}, {seeds} seed{'s' if seeds > 1 else ''}"


def _decimals(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # no -0.000


# The page -------------------------------------------------------------------------------------


def page(data: dict[str, Any]) -> str:
    """The page: its template with the style, the scripts and the data in it."""
    here = Path(__file__).parent
    parts = {
        "STYLE": (here / "report.css").read_text("utf-8"),
        # Neither may end the script element that it stands in.
        "VEGA": vl_convert.javascript_bundle(_EXPORTS).replace("</script", "<\\/script"),
        "DATA": _dense(data).replace("<", "\\u003c"),
        "SPECS": _dense(charts()).replace("<", "\\u003c"),
        "SCRIPT": (here / "report.js").read_text("utf-8"),
    }
    template = (here / "report.html").read_text("utf-8")
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda match: parts[match[1]], template)


def charts() -> dict[str, Any]:
    """The charts as Vega-Lite has them; `report.js` gives them their data and colours."""
    specs = {
        "horizon": _score_chart("lag, time steps back", "d"),
        "capacity": _score_chart("symbols to copy", "d"),
        "generalisation": _score_chart(
            "length played, as a multiple of the length learned at", "~g"
        ),
        "steps": _curve_chart("steps learned from", "~s"),
        "seconds": _curve_chart("seconds of processor time", "~g"),
        "accuracy": _accuracy_chart(),
        "strip": _strip(),
    }
    return {name: chart.to_dict() for name, chart in specs.items()}


# The colours, shapes and dashes are in the data, as they are the page's own throughout.
_COLOR = alt.Color("color:N", scale=None)
_SHAPE = alt.Shape("shape:N", scale=None)
_DASH = alt.StrokeDash("dash:N", scale=None)
_AGENT = alt.Tooltip("agent:N", title="agent")


def _score_chart(title: str, number: str) -> Any:
    """Memory score against a size, an agent a line, with its interval."""
    x = alt.X(
        "x:Q",
        title=title,
        scale=alt.Scale(type="log", base=2, nice=False, padding=12),
        axis=alt.Axis(format=number, grid=False, labelOverlap=True),
    )
    # A score may be far below 0, where the clock is nearly perfect: it stays at the edge.
    y = alt.Y(
        "y:Q",
        title="memory score",
        scale=alt.Scale(domain=[-0.2, 1.05], clamp=True, nice=False),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f"),
    )
    tooltip = [
        _AGENT,
        alt.Tooltip("x:Q", title=title.split(",")[0], format=number),
        alt.Tooltip("y:Q", title="memory score", format=".3f"),
        alt.Tooltip("interval:N", title="interval"),
        alt.Tooltip("seeds:Q", title="seeds"),
    ]
    base = alt.Chart(alt.NamedData("points")).encode(x=x, color=_COLOR, detail="agent:N")
    half = alt.Chart(alt.NamedData("levels")).encode(y=alt.Y("y:Q"))
    return alt.layer(
        half.mark_rule(strokeDash=[2, 4], opacity=0.7).encode(color=_COLOR),
        base.mark_area(opacity=0.13).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=y, strokeDash=_DASH),
        base.mark_point(size=55, filled=True, opacity=1).encode(y=y, shape=_SHAPE, tooltip=tooltip),
    ).properties(width="container", height=280)


def _curve_chart(title: str, number: str) -> Any:
    """Mean return against steps or seconds, beside the bounds."""
    x = alt.X(
        "x:Q",
        title=title,
        scale=alt.Scale(type="log", nice=False, padding=6),
        axis=alt.Axis(format=number, grid=False, labelOverlap=True),
    )
    y = alt.Y(
        "y:Q",
        title="mean return",
        scale=alt.Scale(domain=[0, 1.02], clamp=True, nice=False),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", grid=False),
    )
    tooltip = [
        _AGENT,
        alt.Tooltip("x:Q", title=title, format=",~r"),
        alt.Tooltip("y:Q", title="median return", format=".3f"),
    ]
    base = alt.Chart(alt.NamedData("points")).encode(x=x, color=_COLOR, detail="agent:N")
    bounds = alt.Chart(alt.NamedData("bounds")).encode(y=alt.Y("y:Q"), color=_COLOR)
    return alt.layer(
        bounds.mark_rule(strokeDash=[3, 3]),
        base.mark_area(opacity=0.1).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=y, strokeDash=_DASH, tooltip=tooltip),
        alt.Chart(alt.NamedData("ends"))
        .mark_point(size=60, filled=True, opacity=1)
        .encode(x=x, y=y, color=_COLOR, shape=_SHAPE, tooltip=tooltip),
        # Curves begin low and end high: so do the labels that keep out of their way.
        bounds.transform_filter("datum.y < 0.99")
        .mark_text(align="right", baseline="bottom", dy=-2, dx=-3, fontSize=11)
        .encode(text="label:N", x=alt.value("width")),
        bounds.transform_filter("datum.y >= 0.99")
        .mark_text(align="left", baseline="bottom", dy=-2, dx=3, fontSize=11)
        .encode(text="label:N", x=alt.value(0)),
    ).properties(width="container", height=300)


def _accuracy_chart() -> Any:
    """Accuracy by time step, an agent a row."""
    rows = alt.Chart(alt.NamedData("cells")).encode(
        x=alt.X(
            "left:Q",
            title="time step",
            scale=alt.Scale(nice=False, zero=False),
            axis=alt.Axis(tickMinStep=1, format="d", grid=False, labelOverlap=True),
        ),
        x2="right:Q",
        y=alt.Y("agent:N", sort=None, title=None, axis=alt.Axis(labelLimit=130, ticks=False)),
        tooltip=[
            _AGENT,
            alt.Tooltip("steps:N", title="time step"),
            alt.Tooltip("accuracy:N", title="accuracy"),
        ],
    )
    due = rows.transform_filter("isValid(datum.y)")
    return (
        alt.layer(
            rows.mark_rect(opacity=0.12).encode(color=_COLOR),
            due.mark_rect().encode(
                color=alt.Color(
                    "y:Q",
                    scale=alt.Scale(domain=[0, 1], scheme="cividis"),
                    legend=alt.Legend(
                        title="accuracy",
                        offset=6,
                        orient="top",
                        gradientLength=160,
                        values=[0, 0.5, 1],
                        format=".1~f",
                    ),
                )
            ),
            alt.Chart(alt.NamedData("cells"))
            .transform_filter("isValid(datum.y)")
            .mark_text(fontSize=11, opacity=alt.ExprRef("width / columns > 30 ? 1 : 0"))
            .encode(
                x=alt.X("middle:Q"),
                y=alt.Y("agent:N", sort=None),
                text=alt.Text("y:Q", format=".2f"),
                color=alt.condition("datum.y > 0.5", alt.value("#111"), alt.value("#fff")),
            ),
        )
        .add_params(alt.param(name="columns", value=10))
        .resolve_scale(color="independent")
        .properties(width="container")
    )


def _strip() -> Any:
    """A row of the leaderboard: mean return and its interval beside the bounds."""
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, 1], clamp=True, nice=False), axis=None)
    bounds = alt.Chart(alt.NamedData("bounds")).encode(x=x, color=_COLOR)
    row = alt.Chart(alt.NamedData("row")).encode(color=_COLOR)
    return alt.layer(
        alt.Chart(alt.NamedData("line")).mark_rule().encode(x=x, x2="end:Q", color=_COLOR),
        alt.Chart(alt.NamedData("seeds"))
        .mark_tick(thickness=1.5, size=12, opacity=0.7)
        .encode(x=x, color=_COLOR),
        bounds.mark_point(size=70, filled=False, strokeWidth=1.6).encode(
            shape=_SHAPE, tooltip=[alt.Tooltip("name:N"), alt.Tooltip("x:Q", format=".4f")]
        ),
        row.mark_rule(strokeWidth=4, opacity=0.45).encode(x=alt.X("low:Q", axis=None), x2="high:Q"),
        row.mark_point(size=75, filled=True, opacity=1).encode(x=x, shape=_SHAPE),
    ).properties(width=210, height=24, padding={"left": 8, "right": 8, "top": 0, "bottom": 0})

"""The tables of the report. Every one is also written as a CSV file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from seqenvs.benchmark.report.reading import BOUNDS, GENERALISATION, MATRIX, SWEEPS, Results
from seqenvs.benchmark.statistics import estimate, memory_horizon

AGENT = ["agent", "learns_from"]

RUN_COLUMNS = [
    "environment", *AGENT, "seed", "mean_return", "memory_score", "success_rate",
    "solved", *BOUNDS, "steps", "seconds", "wall_seconds", "budget_steps", "budget_seconds",
    "sees_future", "finished", "machine", "versions", "key",
]  # fmt: skip


def make_tables(results: Results) -> dict[str, pd.DataFrame]:
    """Return all tables of the report by the names of their files."""
    matrix = results.section(MATRIX)
    return {
        "overall": _overall(matrix),
        "leaderboard": _leaderboard(matrix),
        "horizons": _horizons(results),
        "scores_by_size": _scores_by_size(results),
        "generalisation": _generalisation(results),
        "missing": _missing(results),
        "damaged": results.damaged,
        "results": results.runs.drop_duplicates("key")[RUN_COLUMNS],
    }


def _each(
    frame: pd.DataFrame, keys: list[str], row: Callable[[pd.DataFrame], dict[str, Any]], names: str
) -> pd.DataFrame:
    """Return a table with one row for each group of a frame.

    Args:
        frame: What is grouped.
        keys: The columns that make a group.
        row: Returns the other columns of a group's row.
        names: Their names, which a table without rows has, too.
    """
    rows = [
        {**dict(zip(keys, key, strict=True)), **row(group)}
        for key, group in frame.groupby(keys, sort=False)
    ]
    return pd.DataFrame(rows, columns=None if rows else [*keys, *names.split()])


def _scores(runs: pd.DataFrame) -> list[Any]:
    """Return the memory scores as one stratum, or none where a run has no score."""
    return [runs.memory_score.to_numpy()] if runs.memory_score.notna().all() else []


def _overall(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each agent: what it solved, and its score over all environments."""

    def row(mine: pd.DataFrame) -> dict[str, Any]:
        environments = [each for _, each in mine.groupby("environment", sort=False)]
        scores = [stratum for each in environments for stratum in _scores(each)]
        return {
            "environments": len(environments),
            "solved": sum(bool(each.solved.all()) for each in environments),
            "scored": len(scores),
            **estimate("memory_score", *scores),
        }

    return _each(runs, AGENT, row, "memory_score")


def _leaderboard(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each environment and agent."""
    bounds = runs.groupby("environment")[list(BOUNDS)].first()
    return _each(
        runs,
        ["environment", *AGENT],
        lambda mine: {
            **estimate("memory_score", *_scores(mine)),
            **estimate("mean_return", mine.mean_return.to_numpy()),
            "solved": int(mine.solved.sum()),
            "seeds": len(mine),
            "steps": round(mine.steps.median()),
            "seconds": mine.seconds.median(),
            "sees_future": bool(mine.sees_future.any()),
            **bounds.loc[mine.environment.iloc[0]],
            "returns": mine.mean_return.round(3).tolist(),
        },
        "memory_score mean_return",
    )


def _score_and_seeds(runs: pd.DataFrame) -> dict[str, Any]:
    return {"seeds": len(runs), **estimate("memory_score", runs.memory_score.to_numpy())}


def _swept(results: Results) -> pd.DataFrame:
    runs = results.runs[results.runs.section.isin(SWEEPS.values())]
    return runs.dropna(subset=["memory_score", "size"])


def _scores_by_size(results: Results) -> pd.DataFrame:
    """Return the memory score for each agent and size of a sweep."""
    keys = ["section", *AGENT, "size"]
    swept = _swept(results).astype({"size": int})
    table = _each(swept, keys, _score_and_seeds, "seeds memory_score")
    return table.sort_values(["section", "agent", "size"], kind="stable")


def _horizons(results: Results) -> pd.DataFrame:
    """Return a row for each sweep and agent: the largest size that it remembers."""
    expected = results.expected

    def row(mine: pd.DataFrame) -> dict[str, Any]:
        wanted = expected["size"][expected.section == mine.section.iloc[0]]
        sizes = {int(size) for size in (*wanted, *mine["size"])}
        reached = [
            memory_horizon(dict(zip(seed["size"], seed.memory_score, strict=True)), sizes)
            for _, seed in mine.groupby("seed")
        ]
        known = pd.Series([each for each in reached if each is not None], dtype=float)
        return {
            "horizon": known.median(),
            "least": known.min(),
            "most": known.max(),
            "seeds": len(known),
            "unknown": len(reached) - len(known),
            "largest": max(sizes),
            "budget_steps": mine.budget_steps.iloc[0],
            "budget_seconds": mine.budget_seconds.iloc[0],
        }

    names = "horizon least most largest budget_steps budget_seconds"
    return _each(_swept(results), ["section", *AGENT], row, names)


def _generalisation(results: Results) -> pd.DataFrame:
    """Return the memory score at each length that was played, in units of the length learned at."""
    runs = results.section(GENERALISATION)
    vary = runs[runs.length.isna()].environment.unique()
    results.notes += [f"Generalisation: {name} has no 'length' that is a number." for name in vary]
    keys = ["environment", *AGENT, "length", "factor"]
    played = [
        (run.environment, run.agent, run.learns_from, length, length / run.length, score)
        for run in runs[runs.length.notna()].itertuples()
        for length, score in {int(run.length): run.memory_score, **dict(run.at_lengths)}.items()
    ]
    frame = pd.DataFrame(played, columns=[*keys, "memory_score"]).dropna()
    table = _each(frame, keys, _score_and_seeds, "seeds memory_score")
    return table.sort_values(["environment", "agent", "length"], kind="stable")


def _missing(results: Results) -> pd.DataFrame:
    """Return the rows of the suite of which results are missing."""
    there = results.expected.key.isin(results.runs.key).astype(bool)
    table = _each(
        results.expected.assign(there=there),
        ["section", "environment", "agent", "group"],
        lambda row: {
            "there": int(row.there.sum()),
            "expected": len(row),
            "seeds": ", ".join(map(str, row.seed[~row.there])),
        },
        "there expected seeds",
    )
    return table[table.there < table.expected].drop(columns="group")

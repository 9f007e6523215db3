"""The tables of the report. Every one is also written as a CSV file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from seqenvs.benchmark.report.reading import (
    BOUNDS,
    CAPACITY,
    ECHO,
    GENERALISATION,
    MATRIX,
    RECALL,
    SWEEPS,
    Results,
)
from seqenvs.benchmark.statistics import estimate, interval, memory_horizon

RUN_COLUMNS = [
    "environment", "agent", "learns_from", "seed", "mean_return", "memory_score", "success_rate",
    "solved", *BOUNDS, "steps", "seconds", "wall_seconds", "budget_steps", "budget_seconds",
    "sees_future", "finished", "machine", "versions", "key",
]  # fmt: skip


def make_tables(results: Results) -> dict[str, pd.DataFrame]:
    """Return all tables of the report by the names of their files."""
    scores = pd.concat(
        [_scores_by_size(results, section) for section in (ECHO, RECALL, CAPACITY)],
        ignore_index=True,
    )
    return {
        "overall": _overall(results.section(MATRIX)),
        "leaderboard": _leaderboard(results.section(MATRIX)),
        "horizons": _horizons(results),
        "scores_by_size": scores,
        "generalisation": _generalisation(results),
        "missing": _missing(results),
        "damaged": results.damaged,
        "results": results.runs[RUN_COLUMNS],
    }


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """Return a table that has its columns even without rows."""
    return pd.DataFrame(rows, columns=None if rows else columns)


def _needs_memory(runs: pd.DataFrame) -> bool:
    return bool(runs.memory_score.notna().all())


def _overall(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each agent: what it solved, and its score over all environments."""
    rows = []
    for (agent, learns_from), mine in runs.groupby(["agent", "learns_from"], sort=False):
        environments = [each for _, each in mine.groupby("environment", sort=False)]
        scored = [each.memory_score.to_numpy() for each in environments if _needs_memory(each)]
        rows.append(
            {
                "agent": agent,
                "learns_from": learns_from,
                "environments": len(environments),
                "solved": sum(bool(each.solved.all()) for each in environments),
                "scored": len(scored),
                **estimate("memory_score", *scored),
            }
        )
    return _frame(rows, ["agent", "learns_from"])


def _leaderboard(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each environment and agent."""
    rows = []
    bounds = runs.groupby("environment")[list(BOUNDS)].first()
    keys = ["environment", "agent", "learns_from"]
    for (environment, agent, learns_from), mine in runs.groupby(keys, sort=False):
        scores = [mine.memory_score.to_numpy()] if _needs_memory(mine) else []
        rows.append(
            {
                "environment": environment,
                "agent": agent,
                "learns_from": learns_from,
                **estimate("memory_score", *scores),
                **estimate("mean_return", mine.mean_return.to_numpy()),
                "solved": int(mine.solved.sum()),
                "seeds": len(mine),
                "steps": round(mine.steps.median()),
                "seconds": mine.seconds.median(),
                "sees_future": bool(mine.sees_future.any()),
                **bounds.loc[environment],
                "returns": mine.mean_return.round(3).tolist(),
            }
        )
    return _frame(rows, keys)


def _scores_by_size(results: Results, section: str) -> pd.DataFrame:
    """Return the memory score for each agent and size of a sweep."""
    runs = results.section(section)
    scored = runs.dropna(subset=["memory_score", "size"])
    if len(scored) < len(runs):
        results.notes.append(f"{section}: {len(runs) - len(scored):,} results have no memory score.")
    keys = ["section", "agent", "learns_from", "size"]
    rows = [
        {
            **dict(zip(keys, key, strict=True)),
            "seeds": len(mine),
            **estimate("memory_score", mine.memory_score.to_numpy()),
        }
        for key, mine in scored.groupby(keys, sort=False)
    ]
    found = _frame(rows, [*keys, "seeds", "memory_score"])
    return found.astype({"size": int}).sort_values(["section", "agent", "size"], kind="stable")


def _horizons(results: Results) -> pd.DataFrame:
    """Return a row for each agent and sweep: the largest size that it remembers."""
    rows = []
    for section in SWEEPS:
        wanted = results.expected[results.expected.section == section]["size"].astype(int)
        runs = results.section(section).dropna(subset=["memory_score", "size"])
        for (agent, learns_from), mine in runs.groupby(["agent", "learns_from"], sort=False):
            sizes = set(wanted) | set(mine["size"].astype(int))
            reached = [
                memory_horizon(dict(zip(seed["size"], seed.memory_score, strict=True)), sizes)
                for _, seed in mine.groupby("seed")
            ]
            known = np.array([each for each in reached if each is not None], float)
            low, high = interval(known, statistic=np.median) or (None, None)
            rows.append(
                {
                    "section": section,
                    "agent": agent,
                    "learns_from": learns_from,
                    "horizon": np.median(known) if len(known) else None,
                    "horizon_low": low,
                    "horizon_high": high,
                    "least": known.min() if len(known) else None,
                    "most": known.max() if len(known) else None,
                    "seeds": len(known),
                    "unknown": len(reached) - len(known),
                    "largest": max(sizes),
                    "budget_steps": mine.budget_steps.iloc[0],
                    "budget_seconds": mine.budget_seconds.iloc[0],
                }
            )
    return _frame(rows, ["section", "agent", "learns_from", "horizon"])


def _generalisation(results: Results) -> pd.DataFrame:
    """Return the memory score at each length that was played, in units of the length learned at."""
    runs = results.section(GENERALISATION)
    vary = runs[runs.length.isna()].environment.unique()
    results.notes += [f"Generalisation: {name} has no 'length' that is a number." for name in vary]
    keys = ["environment", "agent", "learns_from", "length", "factor"]
    played = [
        (run.environment, run.agent, run.learns_from, length, length / run.length, score)
        for run in runs[runs.length.notna()].itertuples()
        for length, score in {int(run.length): run.memory_score, **dict(run.at_lengths)}.items()
    ]
    frame = pd.DataFrame(played, columns=[*keys, "score"]).dropna(subset=["score"])
    rows = [
        {
            **dict(zip(keys, key, strict=True)),
            "seeds": len(mine),
            **estimate("memory_score", mine.score.to_numpy()),
        }
        for key, mine in frame.groupby(keys, sort=False)
    ]
    found = _frame(rows, [*keys, "seeds", "memory_score"])
    return found.sort_values(["environment", "agent", "length"], kind="stable")


def _missing(results: Results) -> pd.DataFrame:
    """Return a row for each row of the suite of which results are missing."""
    expected = results.expected.assign(
        there=results.expected.key.isin(results.runs.key).astype(bool)
    )
    keys = ["section", "environment", "agent", "group"]
    rows = [
        {
            "section": section,
            "environment": environment,
            "agent": agent,
            "there": int(mine.there.sum()),
            "expected": len(mine),
            "seeds": ", ".join(map(str, mine.seed[~mine.there])),
        }
        for (section, environment, agent, _), mine in expected.groupby(keys, sort=False)
        if not mine.there.all()
    ]
    return _frame(rows, ["section", "environment", "agent", "there", "expected", "seeds"])

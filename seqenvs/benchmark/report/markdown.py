"""The leaderboard as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from seqenvs.benchmark.report.finding import Finding, budgets
from seqenvs.benchmark.report.reading import Results
from seqenvs.benchmark.results import HORIZON_SCORE
from seqenvs.benchmark.statistics import METHOD, MIN_SEEDS

MAX_COLUMNS = 5  # environments in a table


def leaderboard(results: Results, tables: Mapping[str, pd.DataFrame], finding: Finding) -> str:
    """Return the finding and the tables of the leaderboard and of the memory horizons."""
    lines = [f"**{escaped(finding.question)}** {escaped(finding.answer)}", ""]
    lines += [*_leaderboard_lines(tables["leaderboard"]), *_horizon_lines(tables["horizons"])]
    missing = tables["missing"]
    if len(missing):
        gone = (missing.expected - missing.there).sum()
        lines += [f"{gone:,} results of the suite are missing; tables/missing.csv lists them.", ""]
    runs = results.runs.drop_duplicates("key")
    for texts in (runs.versions, runs.machine):
        lines.append("; ".join(escaped(text) for text in sorted(set(texts))) + ".")
    lines += [f"{len(runs):,} runs, {runs.seconds.sum() / 60:,.1f} minutes of learning.", ""]
    return "\n".join(lines)


def escaped(text: Any) -> str:
    """Return text as Markdown that shows it and does nothing else."""
    text = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", " ".join(str(text).split()))
    return escape(text, quote=False)


def _table(
    texts: pd.DataFrame, columns: str, names: Sequence[str], last: Iterable[list[str]] = ()
) -> Iterator[str]:
    """Yield a table with an agent a row.

    Args:
        texts: One text for each agent and column.
        columns: The column of ``texts`` that holds the names of the columns.
        names: The columns, in their order.
        last: Further rows.
    """
    yield f"| agent | learned from | {' | '.join(map(escaped, names))} |"
    yield f"| --- | --- {'| ---: ' * len(names)}|"
    for (agent, source), mine in texts.groupby(["agent", "learns_from"], sort=False):
        found = dict(zip(mine[columns], mine.text, strict=True))
        row = [escaped(agent), source, *(found.get(each, "") for each in names)]
        yield f"| {' | '.join(row)} |"
    for row in last:
        yield f"| {' | '.join(row)} |"
    yield ""


def _leaderboard_lines(table: pd.DataFrame) -> Iterator[str]:
    if table.empty:
        return
    yield (
        f"Mean return, then the **memory score** and its interval, where there are at least "
        f"{MIN_SEEDS} seeds: {escaped(METHOD)}. *Memoryless* and *clock* are the best returns "
        "without memory. A memory score of 0 is as good as *clock*, 1 is perfect. Compare only "
        "agents with the same entry in *learned from*."
    )
    yield ""
    table = table.assign(text=[_result(row) for row in table.itertuples()])
    bounds = table.groupby("environment")[["chance", "memoryless", "clock"]].first()
    environments = list(dict.fromkeys(table.environment))
    for first in range(0, len(environments), MAX_COLUMNS):
        names = environments[first : first + MAX_COLUMNS]
        last = []
        for bound, values in bounds.loc[names].items():
            known = ["unknown" if pd.isna(value) else f"{value:.3f}" for value in values]
            last.append([f"*{bound}*", "", *known])
        yield from _table(table[table.environment.isin(names)], "environment", names, last)


def _result(row: Any) -> str:
    text = _decimals(row.mean_return)
    if pd.notna(row.memory_score):
        text += f", **{_decimals(row.memory_score)}**"
    if pd.notna(row.memory_score_low):
        text += f" ({_decimals(row.memory_score_low)} to {_decimals(row.memory_score_high)})"
    return text + _few_seeds(row.seeds)


def _few_seeds(seeds: int) -> str:
    return "" if seeds >= MIN_SEEDS else f", {seeds} seed{'' if seeds == 1 else 's'}"


def _decimals(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # no -0.000


def _horizon_lines(table: pd.DataFrame) -> Iterator[str]:
    if table.empty:
        return
    yield (
        f"What is remembered: the largest size with a memory score of at least {HORIZON_SCORE}, at "
        "all smaller sizes too. Median over seeds, and the range of the seeds. *Echo* and *recall* "
        "are lags in time steps, *capacity* is symbols to copy. ≥: the largest that was tested."
    )
    yield ""
    titles = {
        section: f"{section}, at most {'; '.join(budgets(rows))}"
        for section, rows in table.groupby("section", sort=False)
    }
    texts = [_horizon(row) for row in table.itertuples()]
    table = table.assign(text=texts, title=table.section.map(titles))
    yield from _table(table, "title", list(titles.values()))


def _horizon(row: Any) -> str:
    if pd.isna(row.horizon):
        return "unknown"
    at_least = "≥ " if row.horizon >= row.largest else ""
    spread = "" if row.least == row.most else f" ({row.least:g} to {row.most:g})"
    return f"{at_least}{row.horizon:g}{spread}{_few_seeds(row.seeds)}"

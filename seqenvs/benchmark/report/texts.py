"""The tables of the report as text: in Markdown, and in HTML for the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, NamedTuple

import pandas as pd

from seqenvs.benchmark.report.finding import Finding, budgets
from seqenvs.benchmark.report.reading import BOUNDS, CAPACITY, MATRIX, Results
from seqenvs.benchmark.results import HORIZON_SCORE, SOLVED_RETURN, SOLVED_SCORE
from seqenvs.benchmark.statistics import METHOD, MIN_SEEDS

NUMBERS = (
    f"Each number is the {METHOD}; intervals need at least {MIN_SEEDS} seeds. A seed has solved an "
    f"environment with a memory score of at least {SOLVED_SCORE} or, where there is none, a return "
    f"of at least {SOLVED_RETURN}. Steps and seconds of learning are medians. Compare only agents "
    "that learned from the same."
)
HORIZONS = (
    f"The largest lag or number of symbols with a memory score of at least {HORIZON_SCORE}, at all "
    "smaller ones, too: the median and the range over seeds. ≥: the largest that was tested."
)


class TextTable(NamedTuple):
    """A table of texts, with an agent in each row.

    ``section`` is that of the report, ``title`` names the table, ``note`` is a line about it.
    """

    section: str
    title: str
    note: str
    frame: pd.DataFrame


def text_tables(tables: Mapping[str, pd.DataFrame]) -> list[TextTable]:
    """Return the tables that the reader sees: overview, environments and horizons."""
    return [*_overview(tables), *_environments(tables["leaderboard"]), *_horizons(tables)]


def _agents(rows: pd.DataFrame) -> dict[str, Any]:
    return {"agent": rows.agent, "learned from": rows.learns_from}


def _overview(tables: Mapping[str, pd.DataFrame]) -> Iterator[TextTable]:
    """Yield the table of agents by environments, the best agent first."""
    if tables["overall"].empty:
        return
    best = tables["overall"].sort_values("memory_score", ascending=False, kind="stable")
    columns = _agents(best) | {"overall": _estimates(best, "memory_score")}
    columns["solved"] = [f"{row.solved} of {row.environments}" for row in best.itertuples()]
    for environment, rows in tables["leaderboard"].groupby("environment", sort=False):
        needed = rows.memory_score.notna().any()
        scores = rows.memory_score if needed else rows.mean_return
        known = dict(zip(rows.agent, scores.map(lambda score: _decimals(score, 2)), strict=True))
        name = environment if needed else f"{environment} (return)"
        columns[name] = [known.get(agent, "-") for agent in best.agent]
    note = (
        "Memory scores; the mean return where a problem needs no memory or its bounds are not "
        "known. Overall: over all environments that need memory. -: no result."
    )
    yield TextTable(MATRIX, "Overview", note, pd.DataFrame(columns))


def _environments(table: pd.DataFrame) -> Iterator[TextTable]:
    for environment, rows in table.groupby("environment", sort=False):
        rows = rows.sort_values(["memory_score", "mean_return"], ascending=False, kind="stable")
        future = rows.sees_future.map({True: ", sees the future", False: ""})
        columns = {
            "agent": rows.agent,
            "learned from": rows.learns_from + future,
            "mean return": _estimates(rows, "mean_return"),
            "memory score": _estimates(rows, "memory_score"),
            "solved": [f"{row.solved} of {row.seeds}" for row in rows.itertuples()],
            "steps": rows.steps.map("{:,.0f}".format),
            "seconds": rows.seconds.map("{:,.1f}".format),
        }
        bounds = rows[list(BOUNDS)].iloc[0]
        note = "The bounds are not known."
        if bounds.notna().all():
            note = " · ".join(f"{name} {value:.4f}" for name, value in bounds.items())
        yield TextTable(MATRIX, str(environment), note, pd.DataFrame(columns))


def _horizons(tables: Mapping[str, pd.DataFrame]) -> Iterator[TextTable]:
    for section, rows in tables["horizons"].groupby("section", sort=False):
        rows = rows.sort_values("horizon", ascending=False, kind="stable")
        columns = _agents(rows)
        known, name = rows.horizon.notna(), "capacity" if section == CAPACITY else "horizon"
        reached = rows.horizon.map("{:g}".format)
        reached = reached.where(rows.horizon < rows.largest, "≥ " + reached)
        columns[name] = reached.where(known, "-")
        spread = rows.least.map("{:g}".format) + rows.most.map(" to {:g}".format)
        columns["range"] = spread.where(known, "-")
        columns["seeds"] = [
            f"{row.seeds} of {row.seeds + row.unknown}" if row.unknown else f"{row.seeds}"
            for row in rows.itertuples()
        ]
        note = f"Learned for at most {'; '.join(budgets(rows))}."
        yield TextTable(str(section), str(section), note, pd.DataFrame(columns))


def _estimates(rows: pd.DataFrame, name: str) -> list[str]:
    """Return a number and its interval in each row."""
    texts = []
    for value, low, high in rows[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False):
        known = "" if pd.isna(low) else f" ({_decimals(low)} to {_decimals(high)})"
        texts.append(_decimals(value) + known)
    return texts


def _decimals(value: Any, digits: int = 3) -> str:
    return "-" if pd.isna(value) else f"{round(value, digits) + 0.0:.{digits}f}"  # no -0.000


def leaderboard(results: Results, tables: Mapping[str, pd.DataFrame], finding: Finding) -> str:
    """Return the finding and the tables in Markdown."""
    lines = [f"**{escaped(finding.question)}** {escaped(finding.answer)}", ""]
    lines += [escaped(NUMBERS), "", escaped(HORIZONS), ""]
    for _, title, note, frame in text_tables(tables):
        lines += [f"**{escaped(title)}**", "", escaped(note), ""]
        rows = [list(frame), ["---"] * 2 + ["---:"] * (len(frame.columns) - 2)]
        rows += frame.to_numpy().tolist()
        lines += [f"| {' | '.join(map(escaped, row))} |" for row in rows] + [""]
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


def table_html(frame: pd.DataFrame, label: str) -> str:
    """Return a table in HTML. The first column heads the rows; the page sorts by the headings."""
    body = "\n".join(
        f'<tr><th scope="row">{escape(str(first))}</th>'
        + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in frame.to_numpy().tolist()
    )
    heads = "".join(f'<th scope="col">{escape(str(column))}</th>' for column in frame)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<table class="sorted"><caption class="hidden">{escape(label)}</caption>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )

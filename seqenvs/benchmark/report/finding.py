"""The finding that the report begins with: one line, and the bars of one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from seqenvs.benchmark.report.reading import CAPACITY, ECHO, LEARNS_FROM, RECALL
from seqenvs.benchmark.results import HORIZON_SCORE

MAX_BARS = 12


@dataclass(frozen=True)
class Finding:
    """What the benchmark found.

    Attributes:
        question: The question that the picture answers.
        answer: One line.
        caption: How to read the picture.
        axis: The title of the axis.
        sizes: The sizes that were tested; empty for an axis from 0 to 1.
        bars: The rows of the picture, the best first: ``agent``, ``learns_from``, ``value``,
            ``least`` and ``most`` (over seeds), ``label``.
    """

    question: str
    answer: str
    caption: str
    axis: str
    sizes: list[int]
    bars: pd.DataFrame


# section: (question, verb, unit, task, axis)
_QUESTIONS = {
    ECHO: (
        "How far back does each agent remember?",
        "remember",
        "time steps back",
        "The task: at every time step, say the symbol that was shown a number of time steps ago.",
        "time steps back",
    ),
    RECALL: (
        "How far back does each agent remember?",
        "remember",
        "time steps back",
        "The task: say the first value of the episode, a number of time steps later.",
        "time steps back",
    ),
    CAPACITY: (
        "How much does each agent remember?",
        "remember",
        "symbols",
        "The task: repeat a sequence of symbols after it has ended.",
        "symbols to copy",
    ),
}


def find(tables: Mapping[str, pd.DataFrame]) -> Finding:
    """Return the finding: the first of echo, recall, capacity and leaderboard that has results."""
    horizons = tables["horizons"]
    known = horizons[horizons.horizon.notna()]
    for section, (question, verb, unit, task, axis) in _QUESTIONS.items():
        rows = known[known.section == section]
        if rows.empty:
            continue
        scores = tables["scores_by_size"]
        bars = rows[["agent", "learns_from", "least", "most"]].assign(
            value=rows.horizon,
            open=rows.horizon >= rows.largest,
            label=[
                f"{row.horizon:g}{' or more' if row.horizon >= row.largest else ''}"
                for row in rows.itertuples()
            ],
        )
        budget = "; ".join(budgets(rows))
        return Finding(
            question,
            _answer(bars, verb, unit),
            f"{task} A bar ends at the largest number that the agent remembers with a memory score "
            f"of at least {HORIZON_SCORE:g}, in the median over seeds; the thin line spans the "
            f"seeds. Learning took at most {budget}; the largest number tested is "
            f"{rows.largest.max():g}.",
            axis,
            sorted(set(scores[scores.section == section]["size"])),
            _top(bars),
        )
    overall = tables["overall"]
    overall = overall[overall.memory_score.notna()] if len(overall) else overall
    if overall.empty:
        return Finding("What does each agent remember?", "No result has a memory score.", "", "", [], overall)
    bars = overall[["agent", "learns_from"]].assign(
        value=overall.memory_score.clip(0, 1),
        least=overall.memory_score_low,
        most=overall.memory_score_high,
        open=False,
        label=[f"{value:.2f}" for value in overall.memory_score],
    )
    return Finding(
        "How well does each agent remember?",
        _answer(bars, "reach", "", "a memory score of "),
        "The memory score is 0 for the best policy without memory and 1 for perfect answers. A bar "
        "is the interquartile mean over all environments and seeds of the agent, the thin line its "
        "interval.",
        "memory score",
        [],
        _top(bars),
    )


def budgets(rows: pd.DataFrame) -> list[str]:
    """Return the different budgets of learning, in words."""
    texts = []
    for steps, seconds in zip(rows.budget_steps, rows.budget_seconds, strict=True):
        parts = [f"{steps:,.0f} steps" if pd.notna(steps) else ""]
        parts.append(f"{seconds:g} s of processor time" if pd.notna(seconds) else "")
        texts.append(" or ".join(part for part in parts if part))
    return list(dict.fromkeys(texts))


def _answer(bars: pd.DataFrame, verb: str, unit: str, what: str = "") -> str:
    """Return the best agents of those that learned from the same, in words."""
    clauses = []
    for source in LEARNS_FROM.values():
        rows = bars[bars.learns_from == source]
        if rows.empty:
            continue
        best = rows[rows.value == rows.value.max()]
        names = _join(list(best.agent)) if len(best) <= 3 else f"{len(best)} agents"
        more = verb if len(best) > 1 else f"{verb}es" if verb == "reach" else f"{verb}s"
        learned = {"unknown": "learned from something unknown"}.get(source, f"learned from {source}")
        least = "at least " if best.open.all() else ""
        value = best.label.iloc[0].removesuffix(" or more")
        reached = " ".join(f"{least}{what}{value} {unit}".split())
        if len(rows) == 1:
            clauses.append(f"{names}, which {learned}, {more} {reached}")
        elif len(best) == len(rows):
            clauses.append(f"all {len(rows)} agents that {learned} {verb} {reached}")
        else:
            clauses.append(f"of the {len(rows)} agents that {learned}, {names} {more} most: {reached}")
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _top(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the best bars by what was learned from; the best and the worst are always there."""
    bars = bars.sort_values("value", ascending=False, kind="stable")
    if len(bars) > MAX_BARS:
        bars = pd.concat([bars.iloc[: MAX_BARS - 1], bars.iloc[-1:]])
    order = list(LEARNS_FROM.values())
    return bars.sort_values("learns_from", key=lambda each: each.map(order.index), kind="stable")

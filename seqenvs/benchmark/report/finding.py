"""The finding that the report begins with: one line, and the bars of one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from seqenvs.benchmark.report.reading import CAPACITY, ECHO, LEARNS_FROM, RECALL
from seqenvs.benchmark.results import HORIZON_SCORE

MAX_BARS = 12
HOW_FAR, BACK = "How far back does each agent remember?", "time steps back"
# section: (question, unit, superlative, task)
_SWEEPS = {
    ECHO: (HOW_FAR, BACK, "farthest", "At each time step, say the symbol shown that long ago."),
    RECALL: (HOW_FAR, BACK, "farthest", "Say the first value of the episode, that much later."),
    CAPACITY: ("How much does each agent remember?", "symbols", "most", "Repeat the symbols."),
}


@dataclass(frozen=True)
class Finding:
    """What the benchmark found.

    Attributes:
        question: The question that the picture answers.
        answer: One line.
        caption: How to read the picture.
        axis: The title of the axis.
        sizes: The sizes that were tested; empty for an axis from 0 to 1.
        bars: The bars of the picture by what was learned from, the best first: ``agent``,
            ``learns_from``, ``value``, ``least`` and ``most`` (over seeds), ``label``.
    """

    question: str
    answer: str
    caption: str
    axis: str
    sizes: list[int]
    bars: pd.DataFrame


def find(tables: Mapping[str, pd.DataFrame]) -> Finding:
    """Return the finding: the first of echo, recall, capacity and leaderboard that has results."""
    horizons, scores = tables["horizons"], tables["scores_by_size"]
    for section, (question, unit, best, task) in _SWEEPS.items():
        rows = horizons[(horizons.section == section) & horizons.horizon.notna()]
        if rows.empty:
            continue
        labels = rows.horizon.map("{:g}".format)
        bars = rows[["agent", "learns_from", "least", "most"]].assign(
            value=rows.horizon, label=labels.where(rows.horizon < rows.largest, labels + "+")
        )
        caption = (
            f"The task: {task[0].lower()}{task[1:]} A bar ends at the largest number with a memory "
            f"score of at least {HORIZON_SCORE:g}, in the median over seeds; a thin line spans the "
            f"seeds. Learning took at most {'; '.join(budgets(rows))}. The largest number tested "
            f"is {rows.largest.max():g}."
        )
        sizes = sorted(set(scores[scores.section == section]["size"]))
        answer = _answer(bars, "remember", best, unit)
        return Finding(question, answer, caption, unit, sizes, _top(bars))
    rows = tables["overall"]
    rows = rows[rows.memory_score.notna()]
    bars = rows[["agent", "learns_from"]].assign(
        value=rows.memory_score.astype(float).clip(0, 1),
        least=rows.memory_score_low if len(rows) else None,
        most=rows.memory_score_high if len(rows) else None,
        label=rows.memory_score.map("{:.2f}".format),
    )
    caption = (
        "0 is the best without memory, 1 is perfect. A bar is the interquartile mean over the "
        "environments and seeds of the agent, a thin line its interval."
    )
    answer = _answer(bars, "score", "highest", "(0: no memory, 1: perfect)")
    return Finding(
        "How well does each agent remember?", answer, caption, "memory score", [], _top(bars)
    )


def budgets(rows: pd.DataFrame) -> list[str]:
    """Return the different budgets of learning, in words."""
    texts = []
    for steps, seconds in zip(rows.budget_steps, rows.budget_seconds, strict=True):
        parts = [f"{steps:,.0f} steps" if pd.notna(steps) else ""]
        parts.append(f"{seconds:g} s of processor time" if pd.notna(seconds) else "")
        texts.append(" or ".join(part for part in parts if part))
    return list(dict.fromkeys(texts))


def _answer(bars: pd.DataFrame, verb: str, superlative: str, unit: str) -> str:
    """Name the best agents of those that learned from the same, and what they reach."""
    clauses = []
    for source in LEARNS_FROM.values():
        rows = bars[bars.learns_from == source]
        if rows.empty:
            continue
        learned = f"learned from {source.replace('unknown', 'an unknown source')}"
        best = rows[rows.value == rows.value.max()]
        *others, last = best.agent
        names = f"{', '.join(others)} and {last}" if others else last
        names = names if len(best) <= 3 else f"{len(best)} agents"
        label = best.label.iloc[0]
        reached = f"{f'at least {label[:-1]}' if label.endswith('+') else label} {unit}"
        verbs = verb if others else f"{verb}s"
        if len(rows) == 1:
            clauses.append(f"{names}, which {learned}, {verbs} {reached}")
        elif len(best) == len(rows):
            clauses.append(f"all {len(rows)} agents that {learned} {verb} {reached}")
        else:
            clauses.append(
                f"of the {len(rows)} agents that {learned}, {names} {verbs} "
                f"{superlative}: {reached}"
            )
    text = "; ".join(clauses) or "no result has a memory score"
    return f"{text[0].upper()}{text[1:]}."


def _top(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the best `MAX_BARS` bars and the worst, by what was learned from."""
    bars = bars.sort_values("value", ascending=False, kind="stable")
    bars = bars if len(bars) <= MAX_BARS + 1 else pd.concat([bars[:MAX_BARS], bars[-1:]])
    order = list(LEARNS_FROM.values())
    return bars.sort_values("learns_from", key=lambda each: each.map(order.index), kind="stable")

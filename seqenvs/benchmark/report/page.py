"""The page of the report: one HTML file with its data, figures and scripts, without network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import vl_convert

from seqenvs.benchmark.report.figures import DASHES, SHAPES, THEMES, config
from seqenvs.benchmark.report.finding import Finding
from seqenvs.benchmark.report.reading import (
    BOUNDS,
    CAPACITY,
    ECHO,
    LEARNS_FROM,
    MATRIX,
    RECALL,
    SECTIONS,
    Results,
)
from seqenvs.benchmark.report.texts import HORIZONS, NUMBERS, TextTable, table_html, text_tables
from seqenvs.benchmark.statistics import METHOD

FILES = Path(__file__).with_name("assets")
SCRIPTS = ("elements", "tables", "charts", "sections", "player")  # in the order of their use
# How much the page may hold: bytes of JSON, or numbers.
EPISODE_BYTES, CURVE_NUMBERS, ACCURACY_NUMBERS = 2_000_000, 150_000, 60_000
MAX_POINTS, MIN_POINTS = 48, 6  # of a curve
MAX_STEPS, MIN_STEPS = 120, 12  # of a row of accuracies


def make_page(
    results: Results,
    tables: Mapping[str, pd.DataFrame],
    finding: Finding,
    figures: Mapping[str, Any],
) -> str:
    """Return the page: its template with the texts, the tables, the scripts and their data."""
    data = page_data(results, tables)
    scripts = "".join((FILES / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    shown = text_tables(tables)
    parts = {
        "STYLE": _colors() + (FILES / "page.css").read_text("utf-8"),
        "QUESTION": escape(finding.question),
        "ANSWER": escape(finding.answer),
        "CAPTION": escape(finding.caption),
        "FACTS": _facts(results),
        "NUMBERS": escape(NUMBERS),
        "HORIZONS": escape(HORIZONS),
        "LEADERBOARD": _tables(shown, MATRIX),
        "ECHO": _tables(shown, ECHO),
        "RECALL": _tables(shown, RECALL),
        "CAPACITY": _tables(shown, CAPACITY),
        "MISSING": _missing(tables, [*results.notes, *data["thinned"]]),
        "PROVENANCE": _provenance(results),
        # None of these may end the script element that it stands in.
        "VEGA": vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace(
            "</script", "<\\/script"
        ),
        "DATA": to_json(data).replace("<", "\\u003c"),
        "FIGURES": json.dumps(figures).replace("<", "\\u003c"),
        "SCRIPT": f'"use strict";\n(() => {{\n{scripts}}})();\n',
    }
    template = (FILES / "page.html").read_text("utf-8")
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda match: parts[match[1]], template)


def _colors() -> str:
    """Return the colors of both themes as variables of the style."""

    def rule(theme: str) -> str:
        colors: dict[str, Any] = dict(THEMES[theme])
        agents = {f"agent-{i}": color for i, color in enumerate(colors.pop("agents"))}
        values = {**colors, **agents}.items()
        return ":root {" + " ".join(f"--{name}: {value};" for name, value in values) + "}"

    return f"{rule('light')}\n@media (prefers-color-scheme: dark) {{{rule('dark')}}}\n"


def to_json(data: dict[str, Any]) -> str:
    """Return JSON with short numbers, for arrays, too. What is not finite becomes null."""
    return str(pd.Series(data, dtype=object).to_json(orient="index", double_precision=4))


def page_data(results: Results, tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the data that the scripts show, and lines about what was left out of them."""
    thinned: list[str] = []
    return {
        "agents": results.agents.to_dict("records"),
        "bounds": BOUNDS,
        "shapes": SHAPES,
        "dashes": dict(zip(LEARNS_FROM.values(), DASHES, strict=True)),
        "themes": {theme: config(theme) for theme in THEMES},
        "colors": len(THEMES["light"]["agents"]),
        "generalisation": list(tables["generalisation"].environment.unique()),
        "places": _places(results, thinned),
        "thinned": thinned,
    }


def _places(results: Results, thinned: list[str]) -> list[dict[str, Any]]:
    """Return the curves, accuracies and episodes of all agents, by section and environment."""
    runs, keys = results.runs, ["section", "environment", "agent"]
    episodes = dict(iter(_episodes(runs, keys, thinned).groupby(keys)))
    groups = runs.groupby(keys, sort=False)
    points = int(np.clip(CURVE_NUMBERS / (8 * len(groups)), MIN_POINTS, MAX_POINTS))
    if runs.curve.map(len).max() > points:
        thinned.append(
            f"Learning curves: at most {points} points each, evenly spread on the logarithmic axis."
        )
    steps = int(np.clip(ACCURACY_NUMBERS / len(groups), MIN_STEPS, MAX_STEPS))
    if runs.accuracy.map(len).max() > steps:
        thinned.append(
            f"Accuracy by time step: at most {steps} columns. In longer episodes, each is the mean "
            "of several time steps."
        )
    places: dict[tuple[str, str], dict[str, Any]] = {}
    for (section, environment, agent), rows in groups:
        here = {"section": section, "environment": environment, "bounds": None, "agents": []}
        place = places.setdefault((section, environment), here)
        bounds = rows[list(BOUNDS)].iloc[0]
        if bounds.notna().all():
            place["bounds"] = bounds.to_dict()
        played: dict[str, list[Any]] = {}
        for row in episodes.get((section, environment, agent), runs[:0]).itertuples():
            played.setdefault(str(row.seed), []).append(json.loads(row.episodes))
        place["agents"].append(
            {
                "agent": agent,
                "seesFuture": bool(rows.sees_future.any()),
                "steps": _curve(rows.curve, 0, points),
                "seconds": _curve(rows.curve, 1, points),
                "accuracy": _accuracy(rows.accuracy, steps),
                "episodes": played,
            }
        )
    return sorted(places.values(), key=lambda place: SECTIONS.index(place["section"]))


def _episodes(runs: pd.DataFrame, keys: list[str], thinned: list[str]) -> pd.DataFrame:
    """Return as many episodes as fit: the first of each agent before any second one."""
    found = runs[[*keys, "seed", "episodes"]].explode("episodes").dropna(subset=["episodes"])
    found = found.iloc[np.argsort(found.groupby(keys).cumcount(), kind="stable")]
    kept = found[found.episodes.map(len).cumsum() <= EPISODE_BYTES]
    if len(kept) < len(found):
        thinned.append(
            f"Episodes: {len(kept):,} of {len(found):,} are in the page, the first of each agent "
            "before any second one."
        )
    return kept


def _curve(curves: pd.Series[Any], column: int, most: int) -> list[Any] | None:
    """Return steps or seconds, and the median, lowest and highest return over seeds there.

    A run that has stopped keeps its last return.
    """
    known = [
        curve[np.isfinite(curve[:, [column, 2]]).all(axis=1) & (curve[:, column] > 0)]
        for curve in curves
    ]
    known = [curve for curve in known if len(curve)]
    if not known:
        return None
    first, last = min(each[0, column] for each in known), max(each[-1, column] for each in known)
    points = np.geomspace(first, last, min(most, max(map(len, known)))) if last > first else [last]
    table = np.stack([np.interp(points, each[:, column], each[:, 2]) for each in known])
    return [
        [float(f"{each:.3g}") for each in points],
        *(values.round(3) for values in (np.median(table, axis=0), table.min(0), table.max(0))),
    ]


def _accuracy(accuracies: pd.Series[Any], most: int) -> dict[str, Any]:
    """Return the mean accuracy over seeds for each time step, or for columns of several."""
    longest = max(map(len, accuracies))
    width = max(1, -(-longest // most))
    table = np.full((len(accuracies), -(-longest // width) * width), np.nan)
    for row, values in zip(table, accuracies, strict=True):
        row[: len(values)] = values
    columns = table.reshape(len(table), -1, width)
    count = np.isfinite(columns).sum(axis=(0, 2))
    values = np.full(len(count), np.nan)  # where no answer is due
    np.divide(np.nansum(columns, axis=(0, 2)), count, out=values, where=count > 0)
    return {"width": width, "length": longest, "values": values.round(3)}


def _tables(shown: list[TextTable], section: str) -> str:
    """Return the tables of a section of the report in HTML."""
    texts = [
        f'<div class="agents"><h4>{escape(title)}</h4><p class="note">{escape(note)}</p>'
        f"{table_html(frame, title)}</div>"
        for place, title, note, frame in shown
        if place == section
    ]
    return "\n".join(texts) or '<p class="empty">There are no results of this section.</p>'


def _facts(results: Results) -> str:
    """Return a line about the runs as a whole."""
    runs = results.runs.drop_duplicates("key")
    parts = [
        _plural(len(runs), "run"),
        _plural(len(results.agents), "agent"),
        _plural(runs.environment.nunique(), "environment"),
        f"finished {_date(runs.finished.max())}",
    ]
    expected = results.expected.key
    lacking = expected[~expected.isin(runs.key)].nunique()
    parts += [f'<a href="#missing">{_plural(lacking, "missing run")}</a>'] if lacking else []
    damaged = len(results.damaged)
    parts += [f'<a href="#missing">{_plural(damaged, "damaged file")}</a>'] if damaged else []
    return " · ".join(parts)


def _missing(tables: Mapping[str, pd.DataFrame], notes: list[str]) -> str:
    """Return what is missing, what is damaged, and notes."""
    parts = []
    for name in ("missing", "damaged"):
        rows = tables[name]
        label = f"{name.capitalize()}: {len(rows):,} rows"
        parts.append(f"<h3>{label}</h3>{table_html(rows, label)}" if len(rows) else "")
    parts += [f"<p>{escape(line)}</p>" for line in notes]
    return "\n".join(parts) or "<p>Nothing is missing, damaged or left out.</p>"


def _provenance(results: Results) -> str:
    runs = results.runs.drop_duplicates("key")
    first, last = _date(runs.finished.min()), _date(runs.finished.max())
    facts = [
        ("Finished", last if first == last else f"{first} to {last}"),
        ("Processor time spent on learning", f"{runs.seconds.sum() / 60:,.1f} min"),
        ("Wall time of all runs, added up", f"{runs.wall_seconds.sum() / 60:,.1f} min"),
        *(("Machine", each) for each in sorted(set(runs.machine))),
        *(("Versions", each) for each in sorted(set(runs.versions))),
        ("Statistics", METHOD),
        ("Page made", f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S UTC}"),
    ]
    rows = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    return f"<dl>{rows}</dl>"


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _date(text: str) -> str:
    return escape(text.replace("T", " ").replace("Z", " UTC") or "unknown")

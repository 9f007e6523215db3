"""The figures of the report, as Vega-Lite specifications, SVG and PNG files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from seqenvs.benchmark.report.finding import Finding
from seqenvs.benchmark.report.reading import CAPACITY, ECHO, LEARNS_FROM, RECALL
from seqenvs.benchmark.results import HORIZON_SCORE
from seqenvs.files import write_atomically

# Colors of Okabe and Ito, which the color-blind can tell apart, some made darker or lighter for
# contrast, and four more. Shapes repeat what the colors say.
THEMES = {
    "light": {
        "page": "#ffffff", "panel": "#f6f7f9", "text": "#16191d", "muted": "#5b6470",
        "line": "#dfe3e8", "link": "#0060a8", "accent": "#0072b2", "shade": "0, 114, 178",
        "right": "#00724f", "wrong": "#b04500", "focus": "#b04500",
        "agents": ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b87a00", "#56b4e9", "#16191d",
                   "#8a7f00", "#6a3d9a", "#a3123f"],
    },
    "dark": {
        "page": "#13161a", "panel": "#1c2026", "text": "#e9ecf0", "muted": "#a0a9b5",
        "line": "#343b44", "link": "#7cc4f5", "accent": "#56b4e9", "shade": "86, 180, 233",
        "right": "#3ec79b", "wrong": "#ff9a5c", "focus": "#ffb27d",
        "agents": ["#4aa3df", "#f0793a", "#1fbf92", "#dd93bd", "#e69f00", "#8fd0f5", "#e9ecf0",
                   "#f0e442", "#b99cf0", "#ff7a8a"],
    },
}  # fmt: skip
SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right"]
DASHES = [[1, 0], [6, 3], [2, 3]]  # by what was learned from
FONT = "system-ui, Helvetica, Arial, DejaVu Sans, sans-serif"
MIN_SCORE = -0.2  # lower scores are drawn at the edge
FILE_WIDTH, PNG_SCALE = 640, 2


def make_figures(
    agents: Sequence[str], tables: Mapping[str, pd.DataFrame], finding: Finding
) -> dict[str, dict[str, Any]]:
    """Return the specifications of all figures, with their data, by the names of their files.

    Two figures for the curves and one for the accuracies have no data: on the page, the reader
    chooses what they show.
    """
    scores = tables["scores_by_size"].rename(columns={"size": "x"})
    general = tables["generalisation"].rename(columns={"factor": "x"})
    figures = {"finding": _bars(finding)} if len(finding.bars) else {}
    for section, name, title in (
        (ECHO, "horizon-echo", "lag, time steps back"),
        (RECALL, "horizon-recall", "lag, time steps back"),
        (CAPACITY, "capacity", "symbols to copy"),
    ):
        rows = scores[scores.section == section]
        if len(rows):
            figures[name] = _lines(agents, rows, section, title, "d")
    title = "length played, as a multiple of the length learned at"
    for i, (environment, rows) in enumerate(general.groupby("environment", sort=False)):
        figures[f"generalisation-{i + 1}"] = _lines(
            agents, rows, f"Generalisation: {environment}", title, "~g"
        )
    figures["curves-steps"] = _curves(agents, "steps learned from", "~s")
    figures["curves-seconds"] = _curves(agents, "seconds of processor time", "~g")
    figures["accuracy"] = _accuracy()
    return figures


def write_figures(folder: Path, figures: Mapping[str, dict[str, Any]]) -> list[Path]:
    """Write each figure that has data as an SVG and a PNG file.

    Raises:
        OSError: A file cannot be written.
    """
    paths = []
    for name, spec in figures.items():
        if "datasets" not in spec:
            continue
        drawn = {**spec, "width": FILE_WIDTH, "config": config("light") | {"padding": 12}}
        drawn["background"] = THEMES["light"]["page"]
        svg = vl_convert.vegalite_to_svg(drawn)
        svg_path, png_path = folder / f"{name}.svg", folder / f"{name}.png"
        write_atomically(svg_path, lambda path, svg=svg: path.write_text(svg, "utf-8"))
        png = vl_convert.svg_to_png(svg, scale=PNG_SCALE)
        write_atomically(png_path, lambda path, png=png: path.write_bytes(png))
        paths += [svg_path, png_path]
    return paths


def config(theme: str) -> dict[str, Any]:
    """Return the configuration of Vega-Lite for ``"light"`` or ``"dark"``."""
    colors = THEMES[theme]
    titles = {
        "titleColor": colors["muted"],
        "titleFontWeight": "normal",
        "titleFontSize": 12,
        "labelColor": colors["text"],
        "labelFontSize": 12,
    }
    axis = {"gridColor": colors["line"], "domainColor": colors["muted"], "tickColor": colors["muted"]}
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {**titles, **axis, "titlePadding": 8},
        "legend": {**titles, "labelLimit": 220, "symbolLimit": 60},
        "title": {"color": colors["text"], "fontSize": 14, "anchor": "start"},
        "bar": {"color": colors["accent"]},
        "rule": {"color": colors["muted"]},
        "rect": {"stroke": colors["page"], "color": colors["muted"]},
        "text": {"color": colors["muted"]},
        "style": {"strong": {"fill": colors["text"]}},
        "range": {"category": colors["agents"], "symbol": SHAPES},
    }


def _specification(chart: Any, title: str, **datasets: pd.DataFrame | list[dict[str, Any]]) -> Any:
    """Return a chart with its data as JSON-able values."""
    spec = chart.properties(width="container", title=title).to_dict()
    spec.pop("config", None)
    if datasets:
        spec["datasets"] = {
            name: json.loads(rows.to_json(orient="records", double_precision=6))
            if isinstance(rows, pd.DataFrame)
            else rows
            for name, rows in datasets.items()
        }
    return spec


def _bars(finding: Finding) -> dict[str, Any]:
    """Return the picture of the finding: a bar for each agent, by what it learned from."""
    rows: list[dict[str, Any]] = []
    for learns_from, bars in finding.bars.groupby("learns_from", sort=False):
        rows.append({"row": len(rows), "heading": f"learned from {learns_from}"})
        for bar in bars.to_dict("records"):
            rows.append({**bar, "row": len(rows), "value": float(bar["value"])})
    names = [row.get("agent", "") for row in rows]
    right = max([*finding.sizes, 0])
    x = alt.X(
        "value:Q",
        title=finding.axis,
        scale=alt.Scale(type="symlog", constant=1, domain=[0, 2 * right + 1], nice=False)
        if finding.sizes
        else alt.Scale(domain=[0, 1.1], nice=False),
        axis=alt.Axis(
            values=[0, *finding.sizes] if finding.sizes else [0, 0.25, 0.5, 0.75, 1],
            format="d" if finding.sizes else ".2~f",
            gridDash=[2, 3],
            domain=False,
            ticks=False,
            labelOverlap=True,
        ),
    )
    y = alt.Y(
        "row:O",
        title=None,
        scale=alt.Scale(padding=0.2),
        axis=alt.Axis(
            labelExpr="names[datum.value]", ticks=False, domain=False, labelLimit=150,
            labelFontSize=13,
        ),
    )  # fmt: skip
    table = alt.Chart(alt.NamedData("rows")).encode(y=y)
    bars = table.transform_filter("isValid(datum.value)")
    chart = (
        alt.layer(
            bars.mark_bar(cornerRadiusEnd=3).encode(
                x=x,
                tooltip=[
                    alt.Tooltip("agent:N"),
                    alt.Tooltip("learns_from:N", title="learned from"),
                    alt.Tooltip("label:N", title=finding.axis),
                ],
            ),
            bars.transform_filter("datum.least < datum.most")
            .mark_rule(strokeWidth=2, style="strong")
            .encode(x=alt.X("least:Q"), x2="most:Q"),
            bars.transform_calculate(end="max(datum.value, datum.most)")
            .mark_text(align="left", dx=6, fontSize=13, fontWeight="bold", style="strong")
            .encode(x=alt.X("end:Q"), text="label:N"),
            table.transform_filter("isValid(datum.heading)")
            .mark_text(align="left", fontSize=12, fontStyle="italic", baseline="middle", dy=3)
            .encode(x=alt.value(0), text="heading:N"),
        )
        .add_params(alt.param(name="names", value=names))
        .properties(height=alt.Step(26))
    )
    return _specification(chart, finding.question, rows=rows)


def _agent_encodings(agents: Sequence[str]) -> dict[str, Any]:
    return {
        "color": alt.Color("agent:N", scale=alt.Scale(domain=list(agents)), title="agent"),
        "detail": "agent:N",
    }


def _shape(agents: Sequence[str]) -> Any:
    return alt.Shape("agent:N", scale=alt.Scale(domain=list(agents)), title="agent")


def _dash() -> Any:
    domain = list(LEARNS_FROM.values())
    return alt.StrokeDash(
        "learns_from:N", scale=alt.Scale(domain=domain, range=DASHES), title="learned from"
    )


def _agent_tooltips() -> list[Any]:
    return [
        alt.Tooltip("agent:N", title="agent"),
        alt.Tooltip("learns_from:N", title="learned from"),
    ]


def _lines(
    agents: Sequence[str], rows: pd.DataFrame, title: str, axis: str, number: str
) -> dict[str, Any]:
    """Return memory score against a size: a line for each agent, a band for its interval."""
    x = alt.X(
        "x:Q",
        title=axis,
        scale=alt.Scale(type="log", base=2, nice=False, padding=12),
        axis=alt.Axis(values=sorted(set(rows.x)), format=number, grid=False, labelOverlap=True),
    )
    y = alt.Y(
        "y:Q",
        title="memory score",
        scale=alt.Scale(domain=[MIN_SCORE, 1.05], clamp=True, nice=False),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f"),
    )
    tooltip = [
        *_agent_tooltips(),
        alt.Tooltip("x:Q", title=axis.split(",")[0], format=number),
        alt.Tooltip("y:Q", title="memory score", format=".3f"),
        alt.Tooltip("low:Q", title="interval from", format=".3f"),
        alt.Tooltip("high:Q", title="interval to", format=".3f"),
        alt.Tooltip("seeds:Q", title="seeds"),
    ]
    base = alt.Chart(alt.NamedData("points")).encode(x=x, **_agent_encodings(agents))
    chart = alt.layer(
        alt.Chart(alt.NamedData("levels"))
        .mark_rule(strokeDash=[2, 4], opacity=0.7)
        .encode(y=alt.Y("y:Q")),
        base.mark_area(opacity=0.13, clip=True).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=y, strokeDash=_dash()),
        base.mark_point(size=55, filled=True, opacity=1).encode(
            y=y, shape=_shape(agents), tooltip=tooltip
        ),
    ).properties(height=280)
    names = {"memory_score": "y", "memory_score_low": "low", "memory_score_high": "high"}
    points = rows.rename(columns=names)
    points = points[["agent", "learns_from", "x", "y", "low", "high", "seeds"]]
    return _specification(chart, title, points=points, levels=[{"y": HORIZON_SCORE}])


def _curves(agents: Sequence[str], title: str, number: str) -> dict[str, Any]:
    """Return mean return against steps or seconds, beside the bounds."""
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
        *_agent_tooltips(),
        alt.Tooltip("x:Q", title=title, format=",~r"),
        alt.Tooltip("y:Q", title="median return", format=".3f"),
    ]
    base = alt.Chart(alt.NamedData("points")).encode(x=x, **_agent_encodings(agents))
    ends = alt.Chart(alt.NamedData("ends")).encode(x=x, **_agent_encodings(agents))
    bounds = alt.Chart(alt.NamedData("bounds")).encode(y=alt.Y("y:Q"))
    chart = alt.layer(
        bounds.mark_rule(strokeDash=[3, 3]),
        base.mark_area(opacity=0.1).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=y, strokeDash=_dash(), tooltip=tooltip),
        ends.mark_point(size=60, filled=True, opacity=1).encode(
            y=y, shape=_shape(agents), tooltip=tooltip
        ),
        # Curves begin low and end high, and the labels keep out of their way.
        bounds.transform_filter("datum.y < 0.99")
        .mark_text(align="right", baseline="bottom", dy=-2, dx=-3, fontSize=11)
        .encode(text="label:N", x=alt.value("width")),
        bounds.transform_filter("datum.y >= 0.99")
        .mark_text(align="left", baseline="bottom", dy=-2, dx=3, fontSize=11)
        .encode(text="label:N", x=alt.value(0)),
    ).properties(height=300)
    return _specification(chart, "Learning curves")


def _accuracy() -> dict[str, Any]:
    """Return the accuracy by time step, a row for each agent."""
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
            *_agent_tooltips(),
            alt.Tooltip("steps:N", title="time step"),
            alt.Tooltip("accuracy:N", title="accuracy"),
        ],
    )
    due = rows.transform_filter("isValid(datum.y)")
    legend = alt.Legend(
        title="accuracy",
        offset=6,
        orient="top",
        gradientLength=160,
        values=[0, 0.5, 1],
        format=".1~f",
    )
    color = alt.Color("y:Q", scale=alt.Scale(domain=[0, 1], scheme="cividis"), legend=legend)
    chart = alt.layer(
        rows.mark_rect(opacity=0.12),
        due.mark_rect().encode(color=color),
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
    return _specification(
        chart.add_params(alt.param(name="columns", value=10)), "Accuracy by time step"
    )

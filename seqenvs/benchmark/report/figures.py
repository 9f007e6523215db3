"""The figures of the report, as Vega-Lite specifications, SVG and PNG files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from seqenvs.benchmark.report.finding import Finding
from seqenvs.benchmark.report.reading import CAPACITY, ECHO, LEARNS_FROM, RECALL
from seqenvs.benchmark.results import HORIZON_SCORE
from seqenvs.files import write_atomically, write_text

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
            figures[name] = _scores(agents, rows, section, title, "d")
    title = "length played, as a multiple of the length learned at"
    for i, (environment, rows) in enumerate(general.groupby("environment", sort=False)):
        figures[f"generalisation-{i + 1}"] = _scores(
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
        write_text(svg_path, svg)
        png = vl_convert.svg_to_png(svg, scale=PNG_SCALE)
        write_atomically(png_path, partial(Path.write_bytes, data=png))
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
    axis = {
        "gridColor": colors["line"],
        "domainColor": colors["muted"],
        "tickColor": colors["muted"],
    }
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {**titles, **axis, "titlePadding": 8},
        "legend": {**titles, "labelLimit": 220, "symbolLimit": 60, "symbolOpacity": 1},
        "title": {"color": colors["text"], "fontSize": 14, "anchor": "start"},
        "bar": {"color": colors["accent"]},
        "rule": {"color": colors["muted"]},
        "rect": {"stroke": colors["page"], "color": colors["muted"]},
        "text": {"color": colors["muted"]},
        "style": {"strong": {"color": colors["text"]}},
        "range": {"category": colors["agents"], "symbol": SHAPES},
    }


def _specification(chart: Any, title: str, **datasets: Any) -> dict[str, Any]:
    """Return a chart as JSON-able values, with its data: tables or lists of objects."""
    spec: dict[str, Any] = chart.properties(width="container", title=title).to_dict()
    spec.pop("config", None)
    for name, rows in datasets.items():
        if isinstance(rows, pd.DataFrame):
            rows = json.loads(rows.to_json(orient="records", double_precision=6))
        spec.setdefault("datasets", {})[name] = rows
    return spec


def _tooltips(*more: Any) -> list[Any]:
    return [alt.Tooltip("agent:N"), alt.Tooltip("learns_from:N", title="learned from"), *more]


def _bars(finding: Finding) -> dict[str, Any]:
    """Return the picture of the finding: a bar for each agent, by what it learned from."""
    rows: list[dict[str, Any]] = []
    for learns_from, bars in finding.bars.groupby("learns_from", sort=False):
        rows.append({"row": len(rows), "heading": f"learned from {learns_from}"})
        rows += [{**bar, "row": len(rows) + i} for i, bar in enumerate(bars.to_dict("records"))]
    ticks: list[float] = [0, *finding.sizes] if finding.sizes else [0, 0.25, 0.5, 0.75, 1]
    scale = alt.Scale(domain=[0, 1.1], nice=False)
    if finding.sizes:
        scale = alt.Scale(type="symlog", constant=1, domain=[0, 1.6 * ticks[-1] + 1], nice=False)
    axis = alt.Axis(
        values=ticks, format="~g", gridDash=[2, 3], domain=False, ticks=False, labelOverlap=True
    )
    labels = alt.Axis(
        labelExpr="names[datum.value]", ticks=False, domain=False, labelLimit=150, labelFontSize=13
    )
    table = alt.Chart(alt.NamedData("rows")).encode(
        y=alt.Y("row:O", title=None, scale=alt.Scale(padding=0.2), axis=labels)
    )
    bars = table.transform_filter("isValid(datum.value)")
    chart = alt.layer(
        bars.mark_bar(cornerRadiusEnd=3).encode(
            x=alt.X("value:Q", title=finding.axis, scale=scale, axis=axis),
            tooltip=_tooltips(alt.Tooltip("label:N", title=finding.axis)),
        ),
        bars.transform_filter("datum.least < datum.most")
        .mark_rule(strokeWidth=2, style="strong")
        .encode(x=alt.X("least:Q"), x2="most:Q"),
        bars.transform_calculate(end="max(datum.value, datum.most)")
        .mark_text(align="left", dx=6, fontSize=13, fontWeight="bold", style="strong")
        .encode(x=alt.X("end:Q"), text="label:N"),
        table.transform_filter("isValid(datum.heading)")
        .mark_text(align="left", fontSize=12, fontStyle="italic", dy=3)
        .encode(x=alt.value(0), text="heading:N"),
    ).add_params(alt.param(name="names", value=[row.get("agent", "") for row in rows]))
    frame = pd.DataFrame(rows)  # which writes NaN as null
    return _specification(chart.properties(height=26 * len(rows)), finding.question, rows=frame)


def _lines(
    agents: Sequence[str],
    x: tuple[str, str],
    y: tuple[str, float],
    marks: str = "points",
    more: Sequence[Any] = (),
) -> Any:
    """Return a chart of a line with a band for each agent, between dotted levels.

    ``x`` is the title of the axis and the format of its numbers, ``y`` the title and the lower end.
    """
    scale = alt.Scale(type="log", nice=False, padding=10)
    across = alt.X(
        "x:Q",
        title=x[0],
        scale=scale,
        axis=alt.Axis(format=x[1], grid=False, labelOverlap=True, tickCount=6),
    )
    ticks = alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", grid=False)
    up = alt.Y(
        "y:Q",
        title=y[0],
        scale=alt.Scale(domain=[y[1], 1.04], clamp=True, nice=False),
        axis=ticks,
    )
    domain = alt.Scale(domain=list(agents))
    sources = alt.Scale(domain=list(LEARNS_FROM.values()), range=DASHES)
    dash = alt.StrokeDash("learns_from:N", scale=sources, title="learned from")
    number = alt.Tooltip("x:Q", title=x[0].split(",")[0], format=",~r")
    tooltip = _tooltips(number, alt.Tooltip("y:Q", title=y[0], format=".3f"), *more)

    def drawn(data: str) -> Any:
        color = alt.Color("agent:N", scale=domain, title="agent")
        return alt.Chart(alt.NamedData(data)).encode(x=across, color=color, detail="agent:N")

    levels = alt.Chart(alt.NamedData("levels")).encode(y=alt.Y("y:Q"))
    labels = {"baseline": "bottom", "dy": -2, "fontSize": 11}
    return alt.layer(
        levels.mark_rule(strokeDash=[3, 3]),
        drawn("points").mark_area(opacity=0.12).encode(y=alt.Y("low:Q"), y2="high:Q"),
        drawn("points").mark_line(strokeWidth=2).encode(y=up, strokeDash=dash, tooltip=tooltip),
        drawn(marks)
        .mark_point(size=55, filled=True, opacity=1)
        .encode(y=up, shape=alt.Shape("agent:N", scale=domain, title="agent"), tooltip=tooltip),
        # Curves begin low and end high, and the labels keep out of their way.
        levels.transform_filter("datum.y < 0.99")
        .mark_text(align="right", dx=-3, **labels)
        .encode(text="label:N", x=alt.value("width")),
        levels.transform_filter("datum.y >= 0.99")
        .mark_text(align="left", dx=3, **labels)
        .encode(text="label:N", x=alt.value(0)),
    ).properties(height=290)


def _scores(
    agents: Sequence[str], rows: pd.DataFrame, title: str, axis: str, number: str
) -> dict[str, Any]:
    """Return the memory score against a size."""
    names = {"memory_score": "y", "memory_score_low": "low", "memory_score_high": "high"}
    points = rows.rename(columns=names)[["agent", "learns_from", "x", "y", "low", "high", "seeds"]]
    more = [
        alt.Tooltip("low:Q", title="interval from", format=".3f"),
        alt.Tooltip("high:Q", title="interval to", format=".3f"),
        alt.Tooltip("seeds:Q"),
    ]
    chart = _lines(agents, (axis, number), ("memory score", MIN_SCORE), more=more)
    levels = [{"y": HORIZON_SCORE, "label": ""}]
    spec = _specification(chart, title, points=points, levels=levels)
    for layer in spec["layer"]:
        encoding = layer["encoding"]
        if "axis" in encoding.get("x", {}):
            encoding["x"]["axis"]["values"] = sorted(set(rows.x))
        for channel in {"color", "shape", "strokeDash"} & set(encoding):
            column = "learns_from" if channel == "strokeDash" else "agent"
            encoding[channel]["legend"] = {"values": list(rows[column].unique())}
    return spec


def _curves(agents: Sequence[str], title: str, number: str) -> dict[str, Any]:
    """Return mean return against steps or seconds; the page adds curves and bounds."""
    chart = _lines(agents, (title, number), ("mean return", 0), marks="ends")
    return _specification(chart, "Learning curves")


def _accuracy() -> dict[str, Any]:
    """Return the accuracy by time step, a row for each agent; the page adds the rows."""
    axis = alt.Axis(tickMinStep=1, format="d", grid=False, labelOverlap=True)
    cells = alt.Chart(alt.NamedData("cells")).encode(
        y=alt.Y("row:N", sort=None, title=None, axis=alt.Axis(labelLimit=200, ticks=False))
    )
    rows = cells.encode(
        x=alt.X("left:Q", title="time step", scale=alt.Scale(nice=False, zero=False), axis=axis),
        x2="right:Q",
        tooltip=_tooltips(
            alt.Tooltip("steps:N", title="time step"), alt.Tooltip("accuracy:N", title="accuracy")
        ),
    )
    legend = alt.Legend(
        title="accuracy", orient="top", gradientLength=160, values=[0, 0.5, 1], format=".1~f"
    )
    color = alt.Color("y:Q", scale=alt.Scale(domain=[0, 1], scheme="cividis"), legend=legend)
    chart = alt.layer(
        rows.mark_rect(opacity=0.12),
        rows.transform_filter("isValid(datum.y)").mark_rect().encode(color=color),
        cells.transform_filter("isValid(datum.y)")
        .mark_text(fontSize=11, opacity=alt.ExprRef("width / columns > 30 ? 1 : 0"))
        .encode(
            x=alt.X("middle:Q"),
            text=alt.Text("y:Q", format=".2f"),
            color=alt.condition("datum.y > 0.5", alt.value("#111"), alt.value("#fff")),
        ),
    )
    chart = chart.add_params(alt.param(name="columns", value=10))
    return _specification(chart, "Accuracy by time step")

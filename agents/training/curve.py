"""The picture of a learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from agents.learners import Row
from seqenvs import Bounds
from seqenvs.files import write_atomically

SMOOTHED = 100  # points; a longer curve is drawn as a moving average, too


def draw_curve(path: Path, title: str, curve: Sequence[Row], bounds: Bounds | None) -> None:
    """Draw the learning curve and the best scores without memory.

    Args:
        path: The file to write; its suffix decides the format.
        title: Title of the figure.
        curve: The points; there may be none.
        bounds: The best scores without memory; None if they are not known.

    Raises:
        OSError: The file cannot be written.
    """
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    steps = [row.steps for row in curve]
    width = -(-len(curve) // SMOOTHED)
    for name, color in (("mean_return", "tab:blue"), ("success_rate", "tab:green")):
        values = np.array([getattr(row, name) for row in curve])
        label = name.replace("_", " ")
        if width > 1:
            axes.plot(steps, values, color, lw=0.5, alpha=0.25)
            values, label = _smooth(values, width), f"{label}, mean of {width} updates"
        axes.plot(steps, values, color, label=label)
    for dashes, (value, label) in enumerate(lines_of(bounds), 1):
        axes.axhline(value, color="0.35", lw=1, ls=(0, (2 * dashes, 2)), zorder=1, label=label)
    axes.set_xlim(0, max(steps, default=1))
    axes.set_ylim(0, 1.05)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set(xlabel="time steps", ylabel="mean over episodes")
    figure.suptitle(title)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    if not curve:
        axes.text(0.5, 0.5, "no episode has ended yet", transform=axes.transAxes, ha="center")
    write_atomically(path, lambda temporary: figure.savefig(temporary))


def _smooth(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Compute the moving average over the last ``width`` values."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(0, last - width)
    smoothed: NDArray[np.float64] = (total[last] - total[first]) / (last - first)
    return smoothed


def lines_of(bounds: Bounds | None) -> list[tuple[float, str]]:
    """Return the bounds with their labels, from low to high. Equal bounds share a label."""
    lines: dict[str, tuple[float, list[str]]] = {}
    for name in ("chance", "memoryless", "clock", "optimum") if bounds is not None else ():
        value = getattr(bounds, name)
        lines.setdefault(f"{value:.3f}", (value, []))[1].append(name)
    return sorted((value, f"{text}  {', '.join(names)}") for text, (value, names) in lines.items())

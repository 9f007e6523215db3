"""Draw an episode as an image. Needs Pillow: ``pip install 'seqenvs[render]'``."""

from __future__ import annotations

from colorsys import hls_to_rgb
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

try:
    from PIL import Image, ImageColor, ImageDraw, ImageFont
except ImportError as error:
    raise ImportError(
        "render_mode='rgb_array' needs Pillow: pip install seqenvs[render]"
    ) from error

from seqenvs.problem import Symbols, Values
from seqenvs.rendering.trace import (
    AWAITED,
    HIDDEN,
    NOT_DUE,
    Lane,
    Scores,
    digits,
    has_partial_scores,
    lanes,
    left_out,
    number,
    score_answers,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seqenvs.rendering.trace import Trace

MOST_COLUMNS = 20  # time steps side by side

# Colours also differ in lightness and shape, so that nobody needs to tell hues apart.
_PAPER, _INK, _FAINT, _RULE = (255, 255, 255), (33, 37, 41), (120, 126, 133), (222, 226, 230)
_TRACK, _BAR = (233, 236, 239), (142, 197, 235)
_RIGHT, _WRONG = (0, 132, 92), (200, 70, 0)

# Sizes in pixels.
_LABELS, _HEADER, _GAP = 92, 76, 10  # width of the labels, height of the title, gap between lanes
_NARROW, _WIDE = 20, 56  # space between two rows of time steps; with a note of what is left out
_TALLEST = 4000  # the height of a whole episode, approximately


def current_picture(trace: Trace) -> NDArray[np.uint8]:
    """Draw the time steps around the current one: (H, W, 3) uint8."""
    columns = min(MOST_COLUMNS, trace.problem.num_steps[1])
    return _draw(trace, [trace.visible(columns)], columns)


def whole_picture(trace: Trace) -> NDArray[np.uint8]:
    """Draw all time steps of an episode that is over, or its beginning and end if it is very long.

    Returns:
        (H, W, 3) uint8, with at most `MOST_COLUMNS` time steps in a row. A note says how many time
        steps are left out.
    """
    num_rows = -(-trace.length // MOST_COLUMNS)
    columns = -(-trace.length // num_rows)
    rows = [
        range(start, min(trace.length, start + columns))
        for start in range(0, trace.length, columns)
    ]
    most = max(2, _TALLEST // _row_height(trace))
    if len(rows) > most:
        rows[(most + 1) // 2 : len(rows) - most // 2] = []
    return _draw(trace, rows, columns)


def _draw(trace: Trace, rows: list[range], columns: int) -> NDArray[np.uint8]:
    """Draw rows of time steps below each other; a row has room for ``columns`` of them."""
    cell = min(64, 800 // columns // 2 * 2)  # even, and so the width of the image
    width = max(640, _LABELS + cell * columns + 20)
    height = _row_height(trace)
    gaps = [range(a.stop, b.start) for a, b in pairwise(rows)]
    total = _HEADER + sum(height + (_WIDE if gap else _NARROW) for gap in gaps) + height
    image = Image.new("RGB", (width, total + total % 2), _PAPER)
    draw = ImageDraw.Draw(image)

    scores, earlier = score_answers(trace), range(rows[0].start)
    progress = f"{trace.progress}; {left_out(earlier)}" if earlier else trace.progress
    draw.text((20, 16), trace.name, _INK, _font(22))
    draw.text((20, 46), progress, _FAINT, _font(14))
    draw.text((width - 20, 16), f"score {scores.total:.2f}", _INK, _font(22), anchor="ra")
    draw.rectangle((width - 180, 50, width - 21, 57), _TRACK)
    if scores.total > 0:
        done = width - 180 + round(159 * min(scores.total, 1.0))
        draw.rectangle((width - 180, 50, done, 57), _RIGHT)

    top, later = _HEADER, range(rows[-1].stop, trace.room)
    for steps, gap in zip(rows, [*gaps, range(0)], strict=True):
        cut = bool(earlier) and steps is rows[0], bool(later) and steps is rows[-1]
        _draw_row(image, top, trace, steps, cut, cell, scores)
        if gap:
            draw.text((20, top + height + 18), left_out(gap), _INK, _font(14), anchor="lm")
        top += height + (_WIDE if gap else _NARROW)
    return np.array(image)


def _draw_row(
    image: Image.Image,
    top: int,
    trace: Trace,
    steps: range,
    cut: tuple[bool, bool],
    cell: int,
    scores: Scores,
) -> None:
    """Draw one row; ``cut`` says whether time steps before it and after it are left out."""
    draw = ImageDraw.Draw(image)

    def left(t: int) -> int:
        return _LABELS + (t - steps.start) * cell

    def middle(t: int) -> int:
        return left(t) + cell // 2

    def paste(tile: Image.Image, t: int, y: int) -> None:
        image.paste(tile, (left(t) + (cell - tile.width) // 2, y), tile)

    now = trace.time
    if now in steps and now < trace.length:
        column = left(now) - 1, top - 1, left(now) + cell, image.height - 8
        draw.rectangle(column, outline=_INK, width=2)
        x = middle(now)
        draw.polygon([(x - 6, top - 8), (x + 6, top - 8), (x, top)], _INK)
    draw.text((20, top + 14), "time step", _FAINT, _font(14), anchor="lm")
    for t in steps:
        draw.text((middle(t), top + 14), str(t), _FAINT, _font(13), anchor="mm")
    for t, is_cut in zip((steps.start, steps.stop), cut, strict=True):
        if is_cut:
            draw.text((left(t), top + 14), "...", _FAINT, _font(13), anchor="mm")
    top += 28

    for lane in lanes(trace, steps):
        each, height = _component_height(lane), _lane_height(lane)
        draw.text((20, top + (height - _GAP) // 2), lane.label, _INK, _font(14), anchor="lm")
        size = min(20, int(1.65 * (cell - 6) / digits(lane.kind)))
        for t, content in zip(steps, lane.cells, strict=True):
            if isinstance(content, str):
                paste(_sign(content, cell - 4, height - _GAP - 2), t, top + 1)
                continue
            for k, value in enumerate(content):
                tile = _tile(number(value, lane.kind), lane.kind, cell - 4, each - 2, size)
                paste(tile, t, top + k * each + 1)
        top += height

    draw.text((20, top + 14), "verdict", _INK, _font(14), anchor="lm")
    for t in range(steps.start, min(now, steps.stop)):
        paste(_mark(scores.right[t]) if trace.due[t] else _sign(NOT_DUE, 24, 24), t, top + 2)
        if trace.due[t] and has_partial_scores(trace.problem):
            score = f"{scores.scores[t]:.2f}"
            draw.text((middle(t), top + 38), score, _INK, _font(12), anchor="mm")


def _row_height(trace: Trace) -> int:
    height = sum(map(_lane_height, lanes(trace, range(0))))
    return 28 + height + 48 + 16 * has_partial_scores(trace.problem)


def _lane_height(lane: Lane) -> int:
    return _component_height(lane) * lane.components + _GAP


def _component_height(lane: Lane) -> int:
    if lane.components == 1:
        return 54 if isinstance(lane.kind, Values) else 42
    # 16 pixels hold a number. More than 40 components of this height would not fit on a screen.
    least = 16 if lane.components <= 40 else 6
    return max(least, min(28, 180 // lane.components))


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


# The tiles below are drawn _FINE times too large and then reduced, which smooths their edges.
_FINE = 4


@lru_cache(maxsize=256)
def _sign(sign: str, width: int, height: int) -> Image.Image:
    """Draw a cell without a number: a dot, an empty frame, or a frame with a question mark."""
    tile = Image.new("RGBA", (width * _FINE, height * _FINE))
    draw = ImageDraw.Draw(tile)
    if sign in (NOT_DUE, HIDDEN):
        radius, colour = (3, _FAINT) if sign == NOT_DUE else (1, _RULE)
        draw.circle((tile.width // 2, tile.height // 2), radius * _FINE, colour)
        return tile.reduce(_FINE)
    edge, box = _FAINT if sign == AWAITED else _RULE, (0, 0, tile.width - 1, tile.height - 1)
    draw.rounded_rectangle(box, 6 * _FINE, _PAPER, edge, 2 * _FINE)
    tile = tile.reduce(_FINE)
    if sign == AWAITED:
        middle = width / 2, height / 2
        ImageDraw.Draw(tile).text(middle, sign, _INK, _font(16), anchor="mm")
    return tile


@lru_cache(maxsize=4096)
def _tile(text: str, kind: Symbols | Values, width: int, height: int, size: int) -> Image.Image:
    """Draw a symbol on its colour, or a value on a bar of that height."""
    tile = Image.new("RGBA", (width * _FINE, height * _FINE))
    draw = ImageDraw.Draw(tile)
    box, corner = (0, 0, tile.width - 1, tile.height - 1), min(6, height // 3) * _FINE
    if isinstance(kind, Symbols):
        draw.rounded_rectangle(box, corner, _colour(int(text)))
    else:
        draw.rounded_rectangle(box, corner, _TRACK)
        level = (float(text) - kind.low) / ((kind.high - kind.low) or 1.0)
        top = round((1 - min(1.0, max(0.0, level))) * tile.height)
        bar = Image.new("RGBA", tile.size, _BAR)
        bar.putalpha(tile.getchannel("A"))
        tile.paste(bar.crop((0, top, *tile.size)), (0, top))
    tile = tile.reduce(_FINE)
    if height >= 14:
        font = _font(min(size, height - 4))
        middle = width / 2, height / 2
        ImageDraw.Draw(tile).text(middle, text, _INK, font, anchor="mm")
    return tile


# Ten colours that differ from each other and from white, also for colour-blind people (Machado and
# others, "A physiologically-based model for simulation of color vision deficiency", 2009), and on
# which dark text can be read. They were found by a search; test_rendering.py measures both.
_TEN = (
    "#b7ba1a", "#a1feb9", "#bf788f", "#f3ba89", "#79aef9",
    "#fde766", "#957ddf", "#bfc9f4", "#4aa33f", "#f787b3",
)  # fmt: skip


@lru_cache(maxsize=1024)
def _colour(symbol: int) -> tuple[int, ...]:
    """Return one of the ten colours, or for higher symbols a pale one unlike its neighbours'."""
    if symbol < len(_TEN):
        return ImageColor.getrgb(_TEN[symbol])
    hue, lightness = (0.58 + symbol * 0.381966) % 1, 0.84 - 0.07 * (symbol % 3)
    return tuple(round(255 * part) for part in hls_to_rgb(hue, lightness, 0.7))


@lru_cache(maxsize=2)
def _mark(right: bool) -> Image.Image:
    """Draw a tick in a circle or a cross in a square, 24 pixels wide."""
    mark = Image.new("RGBA", (24 * _FINE, 24 * _FINE))
    draw = ImageDraw.Draw(mark)
    box = (_FINE, _FINE, 23 * _FINE, 23 * _FINE)

    def line(*points: int) -> None:
        draw.line([point * _FINE for point in points], _PAPER, 3 * _FINE, joint="curve")

    if right:
        draw.ellipse(box, _RIGHT)
        line(6, 12, 11, 17, 18, 8)
    else:
        draw.rounded_rectangle(box, 4 * _FINE, _WRONG)
        line(7, 7, 17, 17)
        line(7, 17, 17, 7)
    return mark.reduce(_FINE)

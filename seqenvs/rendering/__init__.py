"""Pictures of an episode: text for a terminal, pixels for a video."""

from __future__ import annotations

from colorsys import hls_to_rgb
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from gymnasium import spaces

from seqenvs.problem import Symbols, Values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont, ImageFont

    from seqenvs.problem import Problem

RENDER_MODES = ("ansi", "rgb_array")


class Trace(NamedTuple):
    """An episode and what has been answered in it; the cursor stands at step ``len(answers)``.

    Attributes:
        name: What to call it: an environment's id.
        problem: The problem.
        inputs: (T,) or (T, F), what is shown; only those up to the cursor may be drawn.
        targets: T right answers, meaningful where ``due``.
        due: T bools, whether an answer is due.
        worth: T floats, what a right answer is worth.
        answers: The answers given so far.
    """

    name: str
    problem: Problem
    inputs: Any
    targets: Any
    due: Any
    worth: Any
    answers: list[Any]


def render(trace: Trace, mode: str) -> Any:
    """Draw a trace in one of `RENDER_MODES`.

    Nothing past the cursor is drawn, so that a picture is no help to whoever answers.

    Args:
        trace: The episode and what has been answered in it.
        mode: ``"ansi"`` or ``"rgb_array"``.

    Returns:
        A string without control characters, at most about 100 columns wide; or (H, W, 3) uint8, of
        the same even height and width at every step of every episode of the same problem. Of a long
        episode these are the last time steps; how many earlier ones are left out is said.

    Raises:
        ValueError: Not one of the modes.
        ImportError: ``"rgb_array"`` is asked for and Pillow is not installed.
    """
    if mode not in RENDER_MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, RENDER_MODES))}, got {mode!r}")
    return _text(trace) if mode == "ansi" else _pixels(trace)


def whole_text(trace: Trace, columns: int) -> str:
    """Draw an episode that has ended, all of it, as text.

    Args:
        trace: The episode.
        columns: Where to wrap it: a line is at most as long, if a time step has room in it.

    Returns:
        A string without control characters: blocks of time steps, with a blank line between them.
    """
    steps, cell = len(trace.inputs), _cell_width(trace)
    size = max(1, (columns - _LABEL) // cell)
    judged = _judged(trace)
    blocks = [
        _block(trace, range(start, min(steps, start + size)), judged)
        for start in range(0, steps, size)
    ]
    return "\n\n".join([_title(trace, judged), *("\n".join(block) for block in blocks)])


def whole_picture(trace: Trace) -> NDArray[np.uint8]:
    """Draw an episode that has ended as a picture: all of it, or its two ends if it is very long.

    Args:
        trace: The episode.

    Returns:
        (H, W, 3) uint8, with at most `MOST_COLUMNS` time steps a row. What is left out is said.

    Raises:
        ImportError: Pillow is not installed.
    """
    steps = len(trace.inputs)
    num_rows = -(-steps // MOST_COLUMNS)
    columns = -(-steps // num_rows)
    rows = [range(k, min(steps, k + columns)) for k in range(0, steps, columns)]
    room = max(2, _TALLEST // _row_of_steps_height(trace))
    if len(rows) > room:
        rows[(room + 1) // 2 : len(rows) - room // 2] = []
    return _draw(trace, rows, columns)


class _Lane(NamedTuple):
    """A row of a picture; a cell is a sign, or the numbers of the step's components."""

    label: str
    kind: Symbols | Values
    components: int
    cells: list[Any]


_HIDDEN, _AWAITED, _NOT_DUE, _BLANK = "", "?", ".", "_"


def _window(trace: Trace, columns: int) -> range:
    """At most ``columns`` time steps around the cursor, nearly all of them behind it."""
    steps = _shown_steps(trace)
    start = max(0, min(len(trace.answers) - columns * 7 // 8, steps - columns))
    return range(start, min(steps, start + columns))


def _shown_steps(trace: Trace) -> int:
    """How many steps the picture has room for: an episode's length is known only at its end."""
    ended = len(trace.answers) >= len(trace.inputs)
    return len(trace.inputs) if ended else trace.problem.num_steps[1]


def _lanes(trace: Trace, steps: range) -> list[_Lane]:
    """What may be seen at these steps: inputs up to the cursor, targets and answers before it."""
    shown, answer = trace.problem.input_spec, _answer_kind(trace.problem)
    now, length = len(trace.answers), len(trace.inputs)
    inputs, targets, answers = [], [], []
    for t in steps:
        value = np.atleast_1d(trace.inputs[t]) if t <= now and t < length else None
        blank = value is not None and (value == shown.blank).all()
        inputs.append(_HIDDEN if value is None else _BLANK if blank else value)
        pair: tuple[Any, Any] = _HIDDEN, _HIDDEN
        if value is not None and not trace.due[t]:
            pair = _NOT_DUE, _NOT_DUE
        elif value is not None:
            pair = _AWAITED, _HIDDEN
            if t < now:
                pair = np.atleast_1d(trace.targets[t]), np.atleast_1d(trace.answers[t])
        targets.append(pair[0])
        answers.append(pair[1])
    features = getattr(shown, "features", 1)
    components = (trace.problem.action_space.shape or (1,))[0]
    return [
        _Lane("input", shown, features, inputs),
        _Lane("target", answer, components, targets),
        _Lane("answer", answer, components, answers),
    ]


def _answer_kind(problem: Problem) -> Symbols | Values:
    space = problem.action_space
    if isinstance(space, spaces.Box):
        return Values(float(space.low.min()), float(space.high.max()))
    return Symbols(int(np.max(space.n if isinstance(space, spaces.Discrete) else space.nvec)))


class _Judged(NamedTuple):
    """The score so far; the score and the verdict of each answer, meaningful where one was due."""

    total: float
    scores: list[float]
    right: list[bool]


def _judged(trace: Trace) -> _Judged:
    targets = np.asarray(trace.targets)[: len(trace.answers)]
    answers = np.reshape(trace.answers, targets.shape)
    score, right = trace.problem.judge(answers, targets.astype(trace.problem.action_space.dtype))
    worth = np.asarray(trace.worth, np.float64)[: len(targets)]
    return _Judged(float((score * worth).sum()), score.tolist(), right.tolist())


def _left_out(steps: range) -> str:
    if len(steps) == 1:
        return f"left out: time step {steps[0]}"
    return f"left out: {len(steps)} time steps, {steps[0]} to {steps[-1]}"


def _progress(trace: Trace) -> str:
    low, high = trace.problem.num_steps
    now, length = len(trace.answers), len(trace.inputs)
    known = low == high or now >= length
    return f"step {now} of {length if known else f'at most {high}'}"


def _number(value: Any, kind: Symbols | Values) -> str:
    return f"{value:.2f}" if isinstance(kind, Values) else str(int(value))


def _digits(kind: Symbols | Values) -> int:
    """How many characters the longest number takes."""
    ends = (kind.low, kind.high) if isinstance(kind, Values) else (kind.n - 1,)
    return max(len(_number(end, kind)) for end in ends)


def _in_part(problem: Problem) -> bool:
    """Whether an answer can be right in part, so that its score says more than its verdict."""
    return not isinstance(problem.action_space, spaces.Discrete)


_LABEL = 12  # the width of a line's label


def _cell_width(trace: Trace) -> int:
    problem = trace.problem
    digits = (
        _digits(problem.input_spec),
        _digits(_answer_kind(problem)),
        len(str(problem.num_steps[1])),
    )
    return 2 + max(*digits, len("0.00" if _in_part(problem) else "ok"))


def _title(trace: Trace, judged: _Judged) -> str:
    return f"{trace.name}   {_progress(trace)}   score {judged.total:.2f}"


def _text(trace: Trace) -> str:
    width, now, judged = _cell_width(trace), len(trace.answers), _judged(trace)
    steps = _window(trace, 84 // width)
    earlier = range(steps.start)
    after = " >" if steps.stop < _shown_steps(trace) else ""
    lines = [
        _title(trace, judged),
        *([_left_out(earlier)] if earlier else []),
        "",
        *_block(trace, steps, judged, "<" if earlier else "", after),
    ]
    if now < len(trace.inputs):
        lines.append(" " * (_LABEL + width * (now - steps.start) + width - 1) + "^")
    return "\n".join(lines)


def _block(
    trace: Trace, steps: range, judged: _Judged, before: str = "", after: str = ""
) -> list[str]:
    """The lines of these time steps; ``before`` and ``after`` stand beside their numbers."""
    width = _cell_width(trace)

    def row(label: str, cells: Iterable[str]) -> str:
        return (f"{label:<{_LABEL}}" + "".join(f"{cell:>{width}}" for cell in cells)).rstrip()

    lines = [row(f"time step {before:>2}", map(str, steps)) + after]
    for label, kind, components, cells in _lanes(trace, steps):
        for k in range(components):
            numbers = (cell if isinstance(cell, str) else _number(cell[k], kind) for cell in cells)
            lines.append(row(label if components == 1 else f"{label}[{k}]", numbers))
    past = [t for t in steps if t < len(trace.answers)]
    marks = (("ok" if judged.right[t] else "X") if trace.due[t] else _NOT_DUE for t in past)
    lines.append(row("verdict", marks))
    if _in_part(trace.problem):
        scored = (f"{judged.scores[t]:.2f}" if trace.due[t] else _NOT_DUE for t in past)
        lines.append(row("score", scored))
    return lines


# Colours are told apart by lightness and by shape too, so that none depends on telling hues apart.
_PAPER, _INK, _FAINT, _RULE = (255, 255, 255), (33, 37, 41), (120, 126, 133), (222, 226, 230)
_TRACK, _BAR = (233, 236, 239), (142, 197, 235)
_RIGHT, _WRONG = (0, 132, 92), (200, 70, 0)
_LEFT, _TOP, _GAP = 92, 76, 10  # the labels' width, the title's height, the space between lanes
_NARROW, _WIDE = 20, 56  # the space between rows of time steps, and where some are left out
_TALLEST = 4000  # about how high a picture of a whole episode may become
MOST_COLUMNS = 20


def _pixels(trace: Trace) -> NDArray[np.uint8]:
    columns = min(MOST_COLUMNS, trace.problem.num_steps[1])
    return _draw(trace, [_window(trace, columns)], columns)


def _draw(trace: Trace, rows: list[range], columns: int) -> NDArray[np.uint8]:
    """Draw these rows of time steps below each other, with room for ``columns`` in each."""
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise ImportError(
            "render_mode='rgb_array' needs Pillow: pip install seqenvs[render]"
        ) from error

    cell = min(64, 800 // columns // 2 * 2)  # even, as video encoders need the width to be
    width = max(640, _LEFT + cell * columns + 20)
    height = _row_of_steps_height(trace)
    gaps = [range(a.stop, b.start) for a, b in pairwise(rows)]
    whole = _TOP + sum(height + (_WIDE if gap else _NARROW) for gap in gaps) + height
    image = Image.new("RGB", (width, whole + whole % 2), _PAPER)
    draw = ImageDraw.Draw(image)

    judged, earlier = _judged(trace), range(rows[0].start)
    progress = f"{_progress(trace)}; {_left_out(earlier)}" if earlier else _progress(trace)
    draw.text((20, 16), trace.name, _INK, _font(22))
    draw.text((20, 46), progress, _FAINT, _font(14))
    draw.text((width - 20, 16), f"score {judged.total:.2f}", _INK, _font(22), anchor="ra")
    draw.rectangle((width - 180, 50, width - 21, 57), _TRACK)
    if judged.total > 0:
        done = width - 180 + round(159 * min(judged.total, 1.0))
        draw.rectangle((width - 180, 50, done, 57), _RIGHT)

    top, later = _TOP, range(rows[-1].stop, _shown_steps(trace))
    for steps, gap in zip(rows, [*gaps, range(0)], strict=True):
        cut = bool(earlier) and steps is rows[0], bool(later) and steps is rows[-1]
        _draw_row_of_steps(image, top, trace, steps, cut, cell, judged)
        if gap:
            draw.text((20, top + height + 18), _left_out(gap), _INK, _font(14), anchor="lm")
        top += height + (_WIDE if gap else _NARROW)
    return np.array(image)


def _draw_row_of_steps(
    image: Picture,
    top: int,
    trace: Trace,
    steps: range,
    cut: tuple[bool, bool],
    cell: int,
    judged: _Judged,
) -> None:
    """Draw a row; ``cut`` says whether time steps are left out before it and after it."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    problem, now = trace.problem, len(trace.answers)

    def at(t: int) -> int:
        return _LEFT + (t - steps.start) * cell

    def paste(tile: Picture, t: int, y: int) -> None:
        image.paste(tile, (at(t) + (cell - tile.width) // 2, y), tile)

    if now in steps and now < len(trace.inputs):
        column = at(now) - 1, top - 1, at(now) + cell, image.height - 8
        draw.rectangle(column, outline=_INK, width=2)
        middle = at(now) + cell // 2
        draw.polygon([(middle - 6, top - 8), (middle + 6, top - 8), (middle, top)], _INK)
    draw.text((20, top + 14), "time step", _FAINT, _font(14), anchor="lm")
    for t in steps:
        draw.text((at(t) + cell // 2, top + 14), str(t), _FAINT, _font(13), anchor="mm")
    for t, is_cut in zip((steps.start, steps.stop), cut, strict=True):
        if is_cut:
            draw.text((at(t), top + 14), "...", _FAINT, _font(13), anchor="mm")
    top += 28

    for lane in _lanes(trace, steps):
        row, extent = _row_height(lane), _lane_height(lane)
        draw.text((20, top + (extent - _GAP) // 2), lane.label, _INK, _font(14), anchor="lm")
        size = min(20, int(1.65 * (cell - 6) / _digits(lane.kind)))
        for t, content in zip(steps, lane.cells, strict=True):
            if isinstance(content, str):
                paste(_sign(content, cell - 4, extent - _GAP - 2), t, top + 1)
                continue
            for k, number in enumerate(content):
                tile = _tile(_number(number, lane.kind), lane.kind, cell - 4, row - 2, size)
                paste(tile, t, top + k * row + 1)
        top += extent

    draw.text((20, top + 14), "verdict", _INK, _font(14), anchor="lm")
    for t in steps:
        if t < now:
            paste(_mark(judged.right[t]) if trace.due[t] else _sign(_NOT_DUE, 24, 24), t, top + 2)
        if t < now and trace.due[t] and _in_part(problem):
            middle = at(t) + cell // 2
            draw.text((middle, top + 38), f"{judged.scores[t]:.2f}", _INK, _font(12), anchor="mm")


def _row_of_steps_height(trace: Trace) -> int:
    lanes = sum(map(_lane_height, _lanes(trace, range(0))))
    return 28 + lanes + 48 + 16 * _in_part(trace.problem)


def _lane_height(lane: _Lane) -> int:
    return _row_height(lane) * lane.components + _GAP


def _row_height(lane: _Lane) -> int:
    if lane.components == 1:
        return 54 if isinstance(lane.kind, Values) else 42
    # A number needs 16 pixels; a picture with more than 40 in each lane would fit no screen.
    least = 16 if lane.components <= 40 else 6
    return max(least, min(28, 180 // lane.components))


@lru_cache(maxsize=64)
def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


# What follows is drawn once and kept. It is drawn _FINE times as large and scaled down, which
# smoothes the edges.
_FINE = 4


@lru_cache(maxsize=256)
def _sign(sign: str, width: int, height: int) -> Picture:
    """A cell that has no number: a dot, an empty frame, or a frame with a question mark."""
    from PIL import Image, ImageDraw

    tile = Image.new("RGBA", (width * _FINE, height * _FINE))
    draw = ImageDraw.Draw(tile)
    if sign in (_NOT_DUE, _HIDDEN):
        radius, colour = (3, _FAINT) if sign == _NOT_DUE else (1, _RULE)
        draw.circle((tile.width // 2, tile.height // 2), radius * _FINE, colour)
        return tile.reduce(_FINE)
    edge, box = _FAINT if sign == _AWAITED else _RULE, (0, 0, tile.width - 1, tile.height - 1)
    draw.rounded_rectangle(box, 6 * _FINE, _PAPER, edge, 2 * _FINE)
    tile = tile.reduce(_FINE)
    if sign == _AWAITED:
        middle = width / 2, height / 2
        ImageDraw.Draw(tile).text(middle, sign, _INK, _font(16), anchor="mm")
    return tile


@lru_cache(maxsize=4096)
def _tile(number: str, kind: Symbols | Values, width: int, height: int, size: int) -> Picture:
    """A number on its symbol's colour, or on a bar as high as its value."""
    from PIL import Image, ImageDraw

    tile = Image.new("RGBA", (width * _FINE, height * _FINE))
    draw = ImageDraw.Draw(tile)
    box, corner = (0, 0, tile.width - 1, tile.height - 1), min(6, height // 3) * _FINE
    if isinstance(kind, Symbols):
        draw.rounded_rectangle(box, corner, _colour(int(number)))
    else:
        draw.rounded_rectangle(box, corner, _TRACK)
        level = (float(number) - kind.low) / ((kind.high - kind.low) or 1.0)
        top = round((1 - min(1.0, max(0.0, level))) * tile.height)
        bar = Image.new("RGBA", tile.size, _BAR)
        bar.putalpha(tile.getchannel("A"))
        tile.paste(bar.crop((0, top, *tile.size)), (0, top))
    tile = tile.reduce(_FINE)
    if height >= 14:
        draw = ImageDraw.Draw(tile)
        font = _font(min(size, height - 4))
        draw.text((width / 2, height / 2), number, _INK, font, anchor="mm")
    return tile


# Found by a search for ten that are far from each other and from white, also as the colour-blind
# see them (Machado and others, "A physiologically-based model for simulation of color vision
# deficiency", 2009), and pale enough for ink; tests/test_rendering.py measures both.
_TEN = (
    (183, 186, 26),
    (161, 254, 185),
    (191, 120, 143),
    (243, 186, 137),
    (121, 174, 249),
    (253, 231, 102),
    (149, 125, 223),
    (191, 201, 244),
    (74, 163, 63),
    (247, 135, 179),
)


@lru_cache(maxsize=1024)
def _colour(symbol: int) -> tuple[int, ...]:
    """One of the ten, or else a pale colour, unlike those of the neighbouring symbols."""
    if symbol < len(_TEN):
        return _TEN[symbol]
    hue, lightness = (0.58 + symbol * 0.381966) % 1, 0.84 - 0.07 * (symbol % 3)
    return tuple(round(255 * part) for part in hls_to_rgb(hue, lightness, 0.7))


@lru_cache(maxsize=2)
def _mark(right: bool) -> Picture:
    """A tick in a circle or a cross in a square, 24 pixels wide."""
    from PIL import Image, ImageDraw

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

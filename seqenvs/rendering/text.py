"""Draw an episode as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqenvs.rendering.trace import (
    NOT_DUE,
    Scores,
    answer_kind,
    digits,
    has_partial_scores,
    lanes,
    left_out,
    number,
    score_answers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seqenvs.rendering.trace import Trace

_LABEL = 12  # width of the labels at the left
_CELLS = 84  # width of the cells beside them


def current_text(trace: Trace) -> str:
    """Draw the time steps around the current one; ``^`` marks it."""
    width, scores = _cell_width(trace), score_answers(trace)
    steps = trace.visible(_CELLS // width)
    earlier = range(steps.start)
    after = " >" if steps.stop < trace.room else ""
    lines = [
        _title(trace, scores),
        *([left_out(earlier)] if earlier else []),
        "",
        *_block(trace, steps, scores, "<" if earlier else "", after),
    ]
    if trace.time < trace.length:
        lines.append(" " * (_LABEL + width * (trace.time - steps.start) + width - 1) + "^")
    return "\n".join(lines)


def whole_text(trace: Trace, columns: int) -> str:
    """Draw all time steps of an episode that is over, in blocks of at most ``columns`` characters.

    A single time step that needs more is drawn all the same. A blank line is between two blocks.
    """
    size = max(1, (columns - _LABEL) // _cell_width(trace))
    scores = score_answers(trace)
    blocks = [
        _block(trace, range(start, min(trace.length, start + size)), scores)
        for start in range(0, trace.length, size)
    ]
    return "\n\n".join([_title(trace, scores), *("\n".join(block) for block in blocks)])


def _title(trace: Trace, scores: Scores) -> str:
    return f"{trace.name}   {trace.progress}   score {scores.total:.2f}"


def _cell_width(trace: Trace) -> int:
    problem = trace.problem
    longest = (
        digits(problem.input_spec),
        digits(answer_kind(problem)),
        len(str(problem.num_steps[1])),
        len("0.00" if has_partial_scores(problem) else "ok"),
    )
    return 2 + max(longest)


def _block(
    trace: Trace, steps: range, scores: Scores, before: str = "", after: str = ""
) -> list[str]:
    """Return the lines of these time steps; ``before`` and ``after`` enclose their numbers."""
    width = _cell_width(trace)

    def row(label: str, cells: Iterable[str]) -> str:
        return (f"{label:<{_LABEL}}" + "".join(f"{cell:>{width}}" for cell in cells)).rstrip()

    lines = [row(f"time step {before:>2}", map(str, steps)) + after]
    for label, kind, components, cells in lanes(trace, steps):
        for k in range(components):
            numbers = (cell if isinstance(cell, str) else number(cell[k], kind) for cell in cells)
            lines.append(row(label if components == 1 else f"{label}[{k}]", numbers))
    past = [t for t in steps if t < trace.time]
    marks = (("ok" if scores.right[t] else "X") if trace.due[t] else NOT_DUE for t in past)
    lines.append(row("verdict", marks))
    if has_partial_scores(trace.problem):
        parts = (f"{scores.scores[t]:.2f}" if trace.due[t] else NOT_DUE for t in past)
        lines.append(row("score", parts))
    return lines

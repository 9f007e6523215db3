"""Pictures of an episode: text for a terminal, pixels for a video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
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
    """Draw a trace in one of `RENDER_MODES`."""
    raise NotImplementedError(mode)

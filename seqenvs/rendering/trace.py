"""The episode that is drawn, and what text and pictures of it have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from gymnasium import spaces

from seqenvs.problem import Symbols, Values

if TYPE_CHECKING:
    from seqenvs.problem import Problem

# The content of a cell without a number.
HIDDEN, AWAITED, NOT_DUE, BLANK = "", "?", ".", "_"


class Trace(NamedTuple):
    """An episode of T time steps and the answers that were given in it so far.

    Attributes:
        name: The title of the picture, such as the environment's id.
        problem: The problem.
        inputs: (T,) or (T, F), the inputs. Only those up to the current time step are drawn.
        targets: T right answers. They have no meaning at steps where none is due.
        due: T bools, True where an answer is due.
        reward_weight: T floats, the reward of a right answer at each step.
        answers: The answers so far, one per step that is over.
    """

    name: str
    problem: Problem
    inputs: Any
    targets: Any
    due: Any
    reward_weight: Any
    answers: list[Any]

    @property
    def length(self) -> int:
        """The number of time steps of the episode, T."""
        return len(self.inputs)

    @property
    def time(self) -> int:
        """The current time step, which is the number of answers so far."""
        return len(self.answers)

    @property
    def room(self) -> int:
        """The number of time steps to leave room for: T is known only when the episode is over."""
        return self.length if self.time >= self.length else self.problem.num_steps[1]

    @property
    def progress(self) -> str:
        """The current time step in words."""
        low, high = self.problem.num_steps
        known = low == high or self.time >= self.length
        return f"step {self.time} of {self.length if known else f'at most {high}'}"

    def visible(self, columns: int) -> range:
        """Return at most ``columns`` time steps around the current one, most of them before it."""
        start = max(0, min(self.time - columns * 7 // 8, self.room - columns))
        return range(start, min(self.room, start + columns))


class Scores(NamedTuple):
    """The return so far, and the score and correctness of each answer, valid where one was due."""

    total: float
    scores: list[float]
    right: list[bool]


def score_answers(trace: Trace) -> Scores:
    """Judge the answers so far."""
    targets = np.asarray(trace.targets)[: trace.time]
    answers = np.reshape(trace.answers, targets.shape)
    score, right = trace.problem.judge(answers, targets.astype(trace.problem.action_space.dtype))
    weight = np.asarray(trace.reward_weight, np.float64)[: len(targets)]
    return Scores(float((score * weight).sum()), score.tolist(), right.tolist())


class Lane(NamedTuple):
    """The inputs, targets or answers of some time steps, as they are drawn."""

    label: str
    kind: Symbols | Values
    components: int  # how many numbers each time step has
    cells: list[Any]  # for each time step an array of these numbers, or one of the four signs


def lanes(trace: Trace, steps: range) -> list[Lane]:
    """Return inputs up to the current time step, and targets and answers before it."""
    spec, kind = trace.problem.input_spec, answer_kind(trace.problem)
    cells: list[tuple[Any, Any, Any]] = []
    for t in steps:
        if t > trace.time or t >= trace.length:
            cells.append((HIDDEN, HIDDEN, HIDDEN))
            continue
        value: Any = np.atleast_1d(trace.inputs[t])
        value = BLANK if (value == spec.blank).all() else value
        if not trace.due[t]:
            cells.append((value, NOT_DUE, NOT_DUE))
        elif t == trace.time:
            cells.append((value, AWAITED, HIDDEN))
        else:
            answer = np.atleast_1d(trace.answers[t])
            cells.append((value, np.atleast_1d(trace.targets[t]), answer))
    inputs, targets, answers = ([cell[k] for cell in cells] for k in range(3))
    components = (trace.problem.action_space.shape or (1,))[0]
    return [
        Lane("input", spec, spec.features, inputs),
        Lane("target", kind, components, targets),
        Lane("answer", kind, components, answers),
    ]


def answer_kind(problem: Problem) -> Symbols | Values:
    """Return the symbols or values that cover all components of the problem's action space."""
    space = problem.action_space
    if isinstance(space, spaces.Box):
        return Values(float(space.low.min()), float(space.high.max()))
    return Symbols(int(np.max(space.n if isinstance(space, spaces.Discrete) else space.nvec)))


def has_partial_scores(problem: Problem) -> bool:
    """Whether a score can lie between 0 and 1, so that it is drawn below the verdict."""
    return not isinstance(problem.action_space, spaces.Discrete)


def left_out(steps: range) -> str:
    """Say which time steps are not drawn."""
    if len(steps) == 1:
        return f"left out: time step {steps[0]}"
    return f"left out: {len(steps)} time steps, {steps[0]} to {steps[-1]}"


def number(value: Any, kind: Symbols | Values) -> str:
    """Format a symbol or value."""
    return f"{value:.2f}" if isinstance(kind, Values) else str(int(value))


def digits(kind: Symbols | Values) -> int:
    """Return the number of characters of the longest number."""
    ends = (kind.low, kind.high) if isinstance(kind, Values) else (kind.n - 1,)
    return max(len(number(end, kind)) for end in ends)

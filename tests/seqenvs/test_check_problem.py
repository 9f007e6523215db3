"""The checker of problems passes sound ones and says what is wrong with others."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from seqenvs.bounds import Bounds
from seqenvs.problem import Problem, Symbols, Values
from seqenvs.sampling import draw_symbols
from seqenvs.testing import check_problem
from tests.variants import Parity, due


class Echoed(Parity):
    """Two real values at once, given back as a Box."""

    input_spec, action_space = Values(0, 1, 2), spaces.Box(0, 1, (2,), np.float32)
    tolerance = 0.1

    def draw(self, rng, num_inputs):
        return rng.random((8, len(num_inputs), 2), np.float32)

    def answer(self, inputs, lengths):
        return inputs, due(inputs, lengths)


class Changing(Parity):
    """Episodes of different lengths."""

    num_inputs = 4, 8


def with_members(base: type[Problem], **members) -> type[Problem]:
    return type(base.__name__, (base,), members)


@pytest.mark.parametrize(
    "problem",
    [
        *(Parity, Echoed, Changing),
        with_members(Parity, answer=lambda s, x, n: (x == 1, x <= 1)),  # targets of bool
        with_members(Echoed, draw=lambda s, rng, n: rng.random((8, len(n), 2))),  # in float64
        with_members(Parity, draw=lambda s, rng, n: np.ones((8, len(n)), np.uint8)),
        with_members(Changing, draw=lambda s, rng, n: (n + np.zeros((n.max(), 1), int)) % 2),
        with_members(  # blanks among the inputs
            Parity,
            draw=lambda s, rng, n: rng.integers(0, 3, (8, len(n)), np.uint8),
            answer=lambda s, x, n: ((x == 1).cumsum(axis=0) % 2, due(x, n)),
        ),
    ],
)
def test_sound_problems_pass(problem: type[Problem]) -> None:
    check_problem(problem())


def twice(draw):
    """Return a draw that gives something else the second time, whatever the generator."""
    calls = iter(range(1000))
    return lambda self, rng, count: (draw(self, rng, count) + next(calls)) % 2


def moody(self, inputs, lengths, calls=iter(range(1000))):  # noqa: B008
    targets, mask = Parity.answer(self, inputs, lengths)
    return targets ^ min(next(calls), 1), mask


def spoil(draw, place, value, dtype=None):
    """Return a draw in which one value is another."""

    def spoilt(self, rng, num_inputs):
        drawn = draw(self, rng, num_inputs).astype(dtype or self.input_spec.dtype)
        drawn[place] = value
        return drawn

    return spoilt


def answers(change):
    """Return an answer of the inputs themselves, with a change."""
    return lambda self, x, n: change(x, due(x, n))


SQUARE = with_members(Parity, num_inputs=(64, 64))
LARGE = with_members(Parity, input_spec=Symbols(200))
OWN = np.random.default_rng  # a generator of the author's own
TWO_DIMENSIONS = spaces.MultiDiscrete([[2, 2]])
ENDLESS, NO_WIDTH = (spaces.Box(1, high, (2,), np.float32) for high in (np.inf, 1))
ATTRIBUTES = [
    (Parity, "input_spec", None, r"must be Symbols.*got None"),
    (Parity, "action_space", 2, r"must be Discrete, .*, got 2"),
    (Parity, "action_space", spaces.Discrete(2, start=1), r"must start from 0, got Discrete"),
    (Parity, "action_space", TWO_DIMENSIONS, r"must be of shape \(K,\), got shape \(1, 2\)"),
    (Echoed, "action_space", ENDLESS, r"must be a bounded float32 Box .*, got Box"),
    (Echoed, "action_space", NO_WIDTH, r"must be .* with low < high, got Box"),
    (Echoed, "tolerance", 0.0, r"must be a number above 0 .*, got 0.0"),
    *((Parity, "num_inputs", n, r"must be two ints") for n in (8, (8, 8.5), (8, 4), (0, 4))),
    (Changing, "draw_num_inputs", lambda s, r, n: r.integers(1, 8, n), r".* in 4 .. 8, .*1 .. 7"),
    (Changing, "draw_num_inputs", lambda s, r, n: 5, r".* integers of shape \(64,\).*, got int"),
    (Changing, "draw_num_inputs", lambda s, r, n: OWN().integers(4, 9, n), r".* its generator"),
    (Parity, "delay", lambda s, count: -1, r"must be at least 0, .*, got -1 .. -1"),
    (Changing, "delay", lambda s, count: 9 * (count == 5), r"must .* the shortest and the longest"),
    (Parity, "bounds", lambda s: 0.5, r"must return seqenvs.Bounds, got 0.5"),
]
DRAWS = [
    (SQUARE, lambda s, r, n: Parity.draw(s, r, n).T, r".* shape \(64, 65\) .*, got .* \(65, 64\)"),
    (LARGE, spoil(Parity.draw, 0, 0, np.int8), r" must hold the blank, 200, got int8"),
    (Parity, lambda s, r, n: Parity.draw(s, r, n).T, r".* shape \(8, 64\) \(axis 0 is .*\(64, 8\)"),
    (Parity, lambda s, r, n: draw_symbols(r, 2, (8, 64)), r".* \(8, 1\) .*, got .*\(8, 64\)"),
    (Echoed, lambda s, r, n: r.random((8, len(n))), r".*\(8, 64, 2\) .*, got float64 .*\(8, 64\)"),
    (Parity, lambda s, r, n: r.random((8, len(n))), r".* array of integers .*, got float64"),
    (Parity, spoil(Parity.draw, (3, 7), 3), r" .* in 0 .. 1, .*, got 3 at step 3 of episode 7"),
    (Echoed, spoil(Echoed.draw, (3, 7, 1), 1.5), r" .* in 0 .. 1, .*, got 1.5 at step 3 of"),
    (Parity, lambda s, r, n: Parity.draw(s, OWN(), n), r" must depend on its generator alone"),
    (Parity, twice(Parity.draw), r" must depend on its generator alone"),
    (Parity, lambda s, r, n: Parity.draw(s, OWN(0), n), r" must draw from the generator"),
    (Changing, lambda s, r, n: Parity.draw(s, r, np.minimum(n, 4, out=n)), r" must not change its"),
]
ANSWERS = [
    (Parity, lambda s, x, n: x, r"answer must return two arrays, .*, got ndarray"),
    (Echoed, answers(lambda x, d: (x[..., 0], d)), r"targets .* \(8, 64, 2\) .*, got .* \(8, 64\)"),
    (Parity, answers(lambda x, d: (x, d[:, [0] * 64])), r"due .* \(8, 1\) .*, got .*\(8, 64\)"),
    (Parity, answers(lambda x, d: (x * 0.5, d)), r"targets .* integers .*, got float64"),
    (Parity, answers(lambda x, d: (x, 1 * d)), r"due .* \(8, 64\) or \(8, 1\) .*, got int64"),
    (Parity, answers(lambda x, d: (x + 1, d)), r"targets must be in Discrete.*, got 2 at"),
    (Echoed, answers(lambda x, d: (x * np.nan, d)), r"targets must be in Box.*\[nan nan\] at"),
    (Parity, answers(lambda x, d: (x, d & (np.arange(x.shape[1]) != 9))), r"an answer .* none"),
    (Changing, lambda s, x, n: (x % 2, due(x, n + 1)), r"no answer can be due after .*, got"),
    (Parity, lambda s, x, n: (x % 2, x >= 0), r"answer must not depend on a blank row that"),
    (Parity, moody, r"answer must be pure"),
    (Parity, answers(lambda x, d: (np.bitwise_and(x, 0, out=x), d)), r".* not change its inputs"),
    (Parity, lambda s, x, n: (x, due(x, np.subtract(n, 1, out=n))), r".* not change its lengths"),
    (Parity, answers(lambda x, d: (x[:, ::-1], d)), r"answer must not depend on other episodes"),
    (Parity, lambda s, x, n: (x[n - 1, range(len(n))] + 0 * x, due(x, n)), r"answer .* causal"),
]
FAULTS = [
    *((base, {name: value}, rf"{name}(\(\))? {said}") for base, name, value, said in ATTRIBUTES),
    *((base, {"draw": draw}, rf"(.* )?draw(\(\))?{said}") for base, draw, said in DRAWS),
    *((base, {"answer": answer}, said) for base, answer, said in ANSWERS),
    (Parity, {"bounds": lambda s: Bounds(0.5, 0.4, 0.6)}, r"chance, memoryless, .* must not fall"),
]


def is_wrong(problem: Problem, message: str) -> None:
    with pytest.raises(AssertionError, match=rf"^{message}"):
        check_problem(problem)


@pytest.mark.parametrize(("base", "members", "message"), FAULTS)
def test_what_is_wrong_is_named(base, members, message) -> None:
    is_wrong(with_members(base, **members)(), message)


def test_what_is_missing_is_named() -> None:
    class Bare(Problem):
        draw, answer = Parity.draw, Parity.answer

    problem = Bare()
    for name in ("input_spec", "action_space", "num_inputs"):
        is_wrong(problem, f"{name} must be set in Bare or its constructor")
        setattr(problem, name, getattr(Parity, name))
    check_problem(problem)
    for value in (Parity, "SeqEcho-v0", None):
        is_wrong(value, r"problem must be an instance of a seqenvs\.Problem")

"""What tests are parametrized with: ids, and problems with every framing and kind of parameter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from seqenvs.problem import Problem, Symbols
from seqenvs.problems import Classify, Copy, Echo, NextValue, Recall, Recorded
from seqenvs.registration import IDS
from seqenvs.sampling import draw_symbols

# The easiest id of each problem; the other ids run under `full`.
_easiest = {problem: id for id, (problem, parameters) in IDS.items() if not parameters}.values()
EACH_ID = [pytest.param(id, marks=() if id in _easiest else pytest.mark.full) for id in IDS]


class Parity(Problem):
    """The simplest sound problem of one's own."""

    input_spec, action_space, num_inputs = Symbols(2), spaces.Discrete(2), (8, 8)

    def draw(self, rng, num_inputs):
        return draw_symbols(rng, 2, (int(num_inputs.max()), len(num_inputs)))

    def answer(self, inputs, lengths):
        return inputs.cumsum(axis=0) % 2, due(inputs, lengths)


def due(inputs, lengths):
    """Return a mask of an answer at each step."""
    return np.arange(len(inputs))[:, None] < np.broadcast_to(lengths, inputs.shape[1])


_rng = np.random.default_rng(0)
_levels = _rng.integers(0, 4, (20, 7, 3)) / 4

VARIANTS = [
    Echo(),
    Echo(lag=0),
    Echo(length=(3, 9), lag=2),
    Echo(framing="many_to_one", lag=3),
    Echo(framing="many_to_one", length=(4, 7), position=3),
    Echo(length=2, num_symbols=1500),
    Copy(),
    Copy(length=(3, 6), output_length=2, start=1),
    Copy(length=(2, 5), reverse=True),
    Copy(framing="many_to_one", length=(3, 6), output_length=2, start=1, reverse=True),
    Copy(framing="one_to_one", length=(3, 6), start=1),
    Recall(),
    Recall(overlap=True),
    Recall(framing="many_to_one", length=(3, 7), num_values=3),
    Recall(framing="many_to_one", length=(3, 8), num_values=5, middle="random", overlap=True),
    Classify(),
    Classify(framing="many_to_one", length=(1, 8), threshold=0.4),
    NextValue(),
    NextValue(answer="index"),
    NextValue(framing="many_to_one"),
    NextValue(framing="many_to_one", length=(5, 12), answer="index"),
    Recorded([[5, 3, 2], [1, 1, 4]], [5, 1]),
    Recorded(_levels, _rng.integers(0, 3, 20), lengths=_rng.integers(5, 8, 20)),
    Recorded(_rng.random((9, 4)), _rng.random((9, 4))),
    Recorded(_rng.random((9, 4)), _rng.integers(0, 3, (9, 4, 2))),
]


def _each_variant() -> Iterator[Any]:
    """Mark all but one variant of each problem, action space, and kind of length as `full`."""
    seen = set()
    for problem in VARIANTS:
        shortest, longest = problem.num_steps
        kind = type(problem), type(problem.action_space), shortest == longest
        yield pytest.param(problem, marks=pytest.mark.full if kind in seen else ())
        seen.add(kind)


EACH_VARIANT = list(_each_variant())

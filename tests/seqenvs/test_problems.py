"""The tutorial's examples, the contract that every problem keeps, and the docstrings."""

from __future__ import annotations

import inspect
import re

import gymnasium
import numpy as np
import pytest

from seqenvs import problems
from seqenvs.env import SequenceEnv
from seqenvs.oracle import Oracle
from seqenvs.problem import Problem
from seqenvs.problems import Classify, Copy, Echo, NextValue, Recall
from seqenvs.registration import IDS
from seqenvs.testing import check_problem
from tests.variants import VARIANTS

ECHOED = [5, 3, 2, 1, 9]
INTEGERS = [5, 3, 2, 1, 9, 9, 2, 7, 1, 6]
VALUES = [0.63144003, 0.29414551, 0.91587952, 0.95189228, 0.32195638]
MANY = "many_to_one"
OF_IDS = [gymnasium.make(id).unwrapped.problem for id in IDS]
# problem, what is shown, the right answers that are due, in order
TUTORIAL = [
    (NextValue(length=10), [i / 10 for i in range(9)], [i / 10 for i in range(1, 10)]),
    (NextValue(length=10, answer="index"), [i / 10 for i in range(9)], list(range(1, 10))),
    (NextValue(length=10, framing=MANY, window=3), [0.4, 0.5, 0.6], [0.7]),
    (Recall(length=5, framing=MANY), [3, 0, 1, 2], [3]),
    (Recall(length=5), [3, 0, 1, 2], [0, 1, 2, 3]),
    (Recall(length=5, overlap=True), [3, 1, 2, 3], [1, 2, 3, 3]),
    (Echo(length=5, lag=0, framing=MANY), ECHOED, [9]),
    (Echo(length=5, lag=1, framing=MANY), ECHOED, [1]),
    (Echo(length=5, lag=0), ECHOED, ECHOED),
    (Echo(length=5, lag=1), ECHOED, ECHOED[:-1]),
    (Echo(length=10, position=4, framing=MANY), INTEGERS, [9]),
    (Echo(length=10, lag=4), INTEGERS, INTEGERS[:-4]),
    (Copy(length=5), [5, 3, 2, 4, 1], [5, 3, 2, 4, 1]),
    (Copy(length=5, output_length=3), [5, 3, 2, 4, 1], [5, 3, 2]),
    (Copy(length=5, output_length=3, start=1), [5, 3, 2, 4, 1], [3, 2, 4]),
    (Copy(length=5, reverse=True), [5, 3, 2, 4, 1], [1, 4, 2, 3, 5]),
    (Copy(length=5, framing="one_to_one"), [5, 3, 2, 4, 1], [5, 3, 2, 4, 1]),
    (Copy(length=5, framing=MANY), [5, 3, 2, 4, 1], [[5, 3, 2, 4, 1]]),
    (Copy(length=5, framing=MANY, output_length=3), [5, 3, 2, 4, 1], [[5, 3, 2]]),
    (Classify(length=5), VALUES, [0, 0, 1, 1, 1]),
    (Classify(length=5, framing=MANY), VALUES, [1]),
]


@pytest.mark.parametrize(("problem", "shown", "right"), TUTORIAL, ids=str)
def test_examples_of_the_tutorial(problem: Problem, shown: list, right: list) -> None:
    env = SequenceEnv(problem)
    observation, _ = env.reset(seed=0, options={"inputs": shown})
    oracle, state, seen, answered, total, terminated = Oracle.of(env), None, [], [], 0.0, False
    while not terminated:
        seen.append(env.encode.decode(observation).item())
        action, state = oracle.predict(observation, state)
        observation, reward, terminated, _, info = env.step(action)
        total += reward
        if info["due"]:
            answered.append(np.asarray(info["target"]).tolist())
    assert np.allclose(seen[: len(shown)], shown, atol=1e-6)
    assert env.encode.decode(observation) == problem.input_spec.blank
    assert np.allclose(np.ravel(answered), np.ravel(right), atol=1e-6)
    assert total == 1 and info["is_success"]


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("problem", [*OF_IDS, *VARIANTS], ids=str)
def test_contract_of_every_id_and_framing(problem: Problem) -> None:
    check_problem(problem, episodes=32 if problem.num_steps[1] < 40 else 3)


def test_an_array_that_an_author_keeps_is_not_written() -> None:
    class Kept(Echo):
        kept = np.arange(1, 6)[:, None].repeat(3, axis=1)

        def answer(self, inputs, lengths):
            return self.kept[: len(inputs), : len(lengths)], np.arange(len(inputs))[:, None] == 4

    batch = Kept(length=5).batch(np.random.default_rng(0), 3)
    assert batch.targets[:, 0].tolist() == [0, 0, 0, 0, 5]
    assert Kept.kept[:, 0].tolist() == [1, 2, 3, 4, 5]


# Docstrings

SECTIONS = (
    "Description, Observation Space, Action Space, Rewards, Starting State, Episode End, "
    "Arguments, Version History"
)
each_problem = pytest.mark.parametrize("cls", [getattr(problems, n) for n in problems.__all__])


def sections(cls):
    """The docstring's sections, by title, in order."""
    parts = re.split(r"^## (.+)$", inspect.getdoc(cls), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@each_problem
def test_sections_and_arguments(cls):
    found = sections(cls)
    assert ", ".join(found) == SECTIONS
    assert all(text.strip() for text in found.values())
    named = re.findall(r"^- ``(\w+)``: ", found["Arguments"], re.MULTILINE)
    assert named == list(inspect.signature(cls).parameters)


@each_problem
def test_trace(cls):
    """Play the inputs of the trace in the docstring, and compare all that it says."""
    text = sections(cls)["Description"]
    said = re.search(r"^One episode (?:with|of) ``(.+?)``", text, re.MULTILINE)
    call = said[1] if said[1].startswith(cls.__name__) else f"{cls.__name__}({said[1]})"
    problem = eval(call, {cls.__name__: cls})

    block = re.search(r"^(    time step .+\n(?:    .+\n?)+)", text[said.end() :], re.MULTILINE)
    lines = [re.split(r"  +", line.strip()) for line in block[1].splitlines()]
    rows = {label: cells for label, *cells in lines}
    assert {"time step", "input", "target", "due"} == set(rows) - {"sum"}

    inputs = [problem.input_spec.blank if cell == "_" else float(cell) for cell in rows["input"]]
    kind = problem.input_spec.dtype.kind
    given = np.array(inputs).astype(problem.input_spec.dtype if kind == "u" else float)
    batch = problem.episode(given)
    steps, due = int(batch.lengths[0]), batch.due[:, 0]
    assert [len(cells) for cells in rows.values()] == [steps] * len(rows)
    assert rows["time step"] == [str(t) for t in range(steps)]
    np.testing.assert_allclose(batch.inputs[:, 0], inputs, rtol=1e-6)
    assert rows["due"] == ["*" if asked else "." for asked in due]
    assert [cell != "." for cell in rows["target"]] == due.tolist()
    targets = [float(cell) for cell in rows["target"] if cell != "."]
    np.testing.assert_allclose(batch.targets[due, 0].ravel(), targets, rtol=1e-6)
    if "sum" in rows:
        np.testing.assert_allclose(np.cumsum(inputs), np.float64(rows["sum"]), atol=1e-9)

"""The tutorial's printed examples, and the contract that every problem keeps."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from seqenvs.env import SequenceEnv
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
    seen, answered, total, terminated = [], [], 0.0, False
    while not terminated:
        seen.append(env.encode.decode(observation).item())
        due, target = env.due_target()
        action = target if due else env.action_space.sample()
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

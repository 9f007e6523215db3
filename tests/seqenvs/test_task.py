"""Environments of seqenvs and of third parties, as agents and evaluations know them."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from seqenvs import Bounds
from seqenvs.evaluation import sample_batches
from seqenvs.task import find_task
from tests.third_party import ACTIONS, OBSERVATIONS


def test_an_environment_of_seqenvs_is_known_by_its_problem():
    task, env = find_task("SeqEcho-v0", {"lag": 2}), gymnasium.make("SeqEcho-v0", lag=2)
    problem = env.unwrapped.problem
    assert (task.num_steps, task.usual_steps) == (10, 10)
    assert task.bounds == problem.bounds() and (task.blank == env.unwrapped.encode.blank).all()
    assert task.memory_score(1.0) == 1.0 and task.no_memory_score == ""


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"extras": ["time_step"]}, ""),
        ({"extras": ["time_step", "episode_start"]}, ""),
        ({"extras": ["episode_start"]}, "'episode_start' tells the agent which step is the first"),
        ({"extras": ["time_step", "previous_action"]}, "'previous_action' tells the agent about"),
        ({"extras": ["previous_reward"]}, "'previous_reward' tells the agent about earlier steps"),
        ({"stack_size": 2}, "a frame stack shows earlier observations"),
    ],
)
def test_bounds_are_given_only_where_they_hold(kwargs, reason):
    plain, task = find_task("SeqClassify-v0", {}).bounds, find_task("SeqClassify-v0", kwargs)
    if not reason:  # the present observation then tells what a clock tells
        assert task.bounds == Bounds(plain.chance, plain.clock, plain.clock) != plain
        assert task.memory_score(1.0) == 1.0
    else:
        assert task.bounds is None and task.memory_score(1.0) is None
        assert f"the bounds do not hold: {reason}" in task.no_memory_score


def test_a_memory_score_needs_memory():
    task = find_task("SeqNext-v0", {})
    assert task.bounds is not None and task.memory_score(1.0) is None
    assert task.no_memory_score == "this problem needs no memory"


def test_a_wrapper_that_an_id_registers_is_played():
    def wrapped(**kwargs):
        env = gymnasium.make("SeqRecall-v0", **kwargs).unwrapped
        return gymnasium.wrappers.TransformObservation(
            env, lambda seen: 1 - seen, env.observation_space
        )

    gymnasium.register("Inverted-v0", entry_point=wrapped)
    try:
        task = find_task("Inverted-v0", {})
        assert task.problem is None and task.num_steps is None
        X, y, mask = next(sample_batches(task, 1, seed=0))  # noqa: N806
        plain = next(sample_batches(find_task("SeqRecall-v0", {}), 1, seed=0))
        np.testing.assert_array_equal(X[mask], 1 - plain.X[mask])
        np.testing.assert_array_equal(y, plain.y)
    finally:
        del gymnasium.registry["Inverted-v0"]


@pytest.mark.parametrize("answer", ACTIONS)
@pytest.mark.parametrize("sight", OBSERVATIONS)
def test_infos_of_third_parties_have_one_form(sight, answer):
    task = find_task("Cued-v0", {"sight": sight, "answer": answer})
    assert (task.problem, task.num_steps, task.bounds) == (None, None, None)
    env = task.vector_env(5)
    env.reset(seed=3)
    env.action_space.seed(3)
    ends = 0
    for _ in range(12):
        actions = env.action_space.sample()
        _, _, _, truncated, info = env.step(actions)
        assert info["due"].dtype == bool and info["due"].shape == (5,)
        assert info["target"].dtype == task.action_space.dtype
        assert info["target"].shape == actions.shape and not info["target"][~info["due"]].any()
        if truncated.any():
            score, right = task.judge(actions, info["target"])
            ended = info["episode"]
            np.testing.assert_allclose(ended["r"][truncated], score[truncated])
            assert (info["is_success"][truncated] == right[truncated]).all()
            env.reset(options={"reset_mask": truncated})
            ends += 1
    assert ends


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"fault": "nothing"}, "reports 'target' and 'due'.*which reports nothing"),
        ({"fault": "target"}, r"must report a 'target' in Discrete\(4\), got 9"),
        ({"fault": "endless"}, "must have episodes that end"),
        ({"sigth": "index"}, "unexpected keyword argument 'sigth'"),
    ],
)
def test_an_environment_without_right_answers_is_refused(kwargs, message):
    with pytest.raises(TypeError, match=message):
        find_task("Cued-v0", kwargs)

"""Environments of seqenvs and of third parties, as agents and evaluations know them."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from seqenvs.evaluation import sample_batches
from seqenvs.task import find_task
from tests.third_party import ACTIONS, OBSERVATIONS

CLOCKED = ["time_step", "episode_start"]


@pytest.mark.parametrize(
    ("id", "kwargs", "reason"),
    [
        ("SeqClassify-v0", {}, ""),
        ("SeqClassify-v0", {"extras": CLOCKED}, ""),
        ("SeqNext-v0", {}, "this problem needs no memory"),
        ("SeqEcho-v0", {"extras": ["episode_start"]}, "'episode_start' tells the agent which"),
        ("SeqEcho-v0", {"extras": ["time_step", "previous_action"]}, "'previous_action' tells"),
        ("SeqEcho-v0", {"extras": ["previous_reward"]}, "'previous_reward' tells the agent about"),
        ("SeqEcho-v0", {"stack_size": 2}, "a frame stack shows earlier observations"),
    ],
)
def test_a_memory_score_is_given_only_where_it_holds(id, kwargs, reason):
    task, env = find_task(id, kwargs), gymnasium.make(id, **kwargs).unwrapped
    assert task.num_steps == task.usual_steps == env.problem.num_steps[1]
    assert (task.blank == env.encode.blank).all()
    bounds = env.problem.bounds()
    if kwargs.get("extras") == CLOCKED:  # the present observation then tells what a clock tells
        bounds = replace(bounds, memoryless=bounds.clock)
    assert task.bounds == (bounds if not reason or id == "SeqNext-v0" else None)
    assert task.memory_score(1.0) == (None if reason else 1.0)
    assert reason in task.no_memory_score and bool(reason) == bool(task.no_memory_score)


def test_a_wrapper_that_an_id_registers_is_played(monkeypatch):
    def wrapped():
        env = gymnasium.make("SeqRecall-v0").unwrapped
        return gymnasium.wrappers.RescaleObservation(env, np.float32(1), np.float32(2))

    spec = gymnasium.envs.registration.EnvSpec("Rescaled-v0", entry_point=wrapped)
    monkeypatch.setitem(gymnasium.registry, "Rescaled-v0", spec)
    task = find_task("Rescaled-v0", {})
    assert task.problem is None and task.num_steps is None
    X, y, mask = next(sample_batches(task, 1, seed=0))  # noqa: N806
    plain = next(sample_batches(find_task("SeqRecall-v0", {}), 1, seed=0))
    np.testing.assert_array_equal(X[mask], 1 + plain.X[mask])
    np.testing.assert_array_equal(y, plain.y)


@pytest.mark.parametrize("answer", ACTIONS)
@pytest.mark.parametrize("sight", OBSERVATIONS)
def test_infos_of_third_parties_have_one_form(sight, answer):
    task = find_task("Cued-v0", {"sight": sight, "answer": answer})
    assert (task.problem, task.num_steps, task.bounds) == (None, None, None)
    env = task.vector_env(5)
    env.reset(seed=3)
    env.action_space.seed(3)
    for _ in range(12):
        actions = env.action_space.sample()
        _, _, _, truncated, info = env.step(actions)
        due, target = info["due"], info["target"]
        assert (due.dtype, target.dtype) == (bool, task.action_space.dtype)
        assert due.shape == (5,) and target.shape == actions.shape and not target[~due].any()
        assert (due == truncated).all()
        if truncated.any():
            score, right = task.judge(actions, target)
            np.testing.assert_allclose(info["episode"]["r"][truncated], score[truncated])
            assert (info["is_success"][truncated] == right[truncated]).all()
            env.reset(options={"reset_mask": truncated})


def test_an_environment_without_right_answers_is_refused():
    for kwargs, message in (
        ({"fault": "nothing"}, "reports 'target' and 'due'.*which reports nothing"),
        ({"fault": "target"}, r"must report a 'target' in Discrete\(4\), got 9"),
        ({"fault": "endless"}, "must have episodes that end"),
        ({"sigth": "index"}, "unexpected keyword argument 'sigth'"),
    ):
        with pytest.raises(TypeError, match=message):
            find_task("Cued-v0", kwargs)

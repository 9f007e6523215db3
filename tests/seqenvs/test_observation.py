"""Tests of extra features and stacked frames, in single and vector environments."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import FrameStackObservation, TimeAwareObservation

from seqenvs.env import SequenceEnv
from seqenvs.observations import EXTRAS
from seqenvs.problems import Copy, Echo, NextValue, Recall
from seqenvs.vector_env import SequenceVectorEnv

ALL = tuple(EXTRAS)
OPEN_LOOP = ("time_step", "episode_start")  # those that do not depend on actions


def play(env: SequenceEnv, inputs: list, actions: list) -> list:
    """Play given inputs and return the observations."""
    observations = [env.reset(options={"inputs": inputs})[0]]
    return observations + [env.step(action)[0] for action in actions]


def test_frame_is_the_extras_in_the_given_order_and_then_the_input():
    env = SequenceEnv(Echo(length=4, lag=0, num_symbols=2), extras=ALL)
    observations = np.array(play(env, [0, 1, 1, 0], [0, 0, 1, 1]))
    # previous action, previous reward, time step, episode start, input
    assert observations.tolist() == [
        [0, 0, 0.00, 0.00, 1, 1, 0],
        [1, 0, 0.25, 0.25, 0, 0, 1],
        [1, 0, 0.00, 0.50, 0, 0, 1],
        [0, 1, 0.25, 0.75, 0, 1, 0],
        [0, 1, 0.00, 1.00, 0, 0, 0],
    ]
    env = SequenceEnv(Echo(length=4, lag=0, num_symbols=2), extras=["episode_start", "time_step"])
    assert play(env, [0, 1, 1, 0], [0])[1].tolist() == [0, 0.25, 0, 1]


def test_previous_action_of_each_action_space():
    extras = ["previous_action"]
    copy = SequenceEnv(Copy(length=2, num_symbols=3, framing="many_to_one"), extras=extras)
    assert play(copy, [0, 2], [[2, 1]])[1].tolist() == [0, 0, 1, 0, 1, 0, 0, 0, 1]
    value = SequenceEnv(NextValue(), extras=extras)
    assert value.reset(seed=0)[0][0] == 0
    assert value.step(np.array([0.75], np.float32))[0][0] == 0.75
    # In a vector environment an action out of range is a wrong answer. It is encoded as zeros.
    vector = SequenceVectorEnv(Echo(num_symbols=3), 2, extras=extras)
    vector.reset(seed=0)
    assert vector.step(np.array([7, 1]))[0][:, :3].tolist() == [[0, 0, 0], [0, 1, 0]]


def test_stack_is_the_last_frames_of_the_same_episode():
    env = SequenceEnv(Echo(length=3, lag=0, num_symbols=2), stack_size=2)
    first = [[0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1], [0, 1, 0, 0]]
    for _ in range(2):
        assert np.array(play(env, [0, 1, 1], [0, 0, 0])).tolist() == first
    env = SequenceEnv(Echo(length=3, num_symbols=2), stack_size=2, encoding="normalized")
    assert env.reset(seed=0)[0][0] == -1  # frames before the first are blank


def test_stacks_and_extras_equal_gymnasiums_wrappers():
    stacked = gymnasium.make("SeqEcho-v0", stack_size=4)
    stack = FrameStackObservation(gymnasium.make("SeqEcho-v0"), 4, padding_type="zero")
    clock = gymnasium.make("SeqEcho-v0", extras=["time_step"])
    aware = TimeAwareObservation(
        gymnasium.make("SeqEcho-v0", max_episode_steps=10), flatten=True, normalize_time=True
    )
    envs = [stacked, stack, clock, aware]
    observations = [env.reset(seed=3)[0] for env in envs]
    for _ in range(9):
        assert np.array_equal(observations[0], observations[1].ravel())
        assert np.array_equal(observations[2], np.roll(observations[3], 1).astype(np.float32))
        observations = [env.step(0)[0] for env in envs]


def test_previous_action_can_serve_as_memory():
    env = SequenceEnv(Recall(framing="many_to_one"), extras=["previous_action", "episode_start"])
    choices = int(env.action_space.n)
    for _ in range(20):
        observation, _ = env.reset()
        terminated, total = False, 0.0
        while not terminated:  # the agent keeps nothing from step to step
            start, symbol = observation[choices], observation[choices + 1 :]
            action = symbol[:choices] if start else observation[:choices]
            observation, reward, terminated, _, _ = env.step(int(action.argmax()))
            total += reward
        assert total == 1


@pytest.mark.parametrize("make", [SequenceEnv, SequenceVectorEnv])
def test_an_unknown_extra_and_an_encoding_without_frames_are_refused(make):
    with pytest.raises(ValueError, match=r"extras must be one of 'previous_action'.* got 'time'"):
        make(Echo(), extras=["time"])
    for kwargs in ({"stack_size": 2}, {"extras": ["time_step"]}):
        with pytest.raises(ValueError, match=r"need encoding='one_hot' or 'normalized'.*'index'"):
            make(Echo(), encoding="index", **kwargs)


def test_observe_block_needs_observations_that_do_not_depend_on_actions():
    env = SequenceVectorEnv(Echo(), 2, extras=["previous_reward"])
    assert not env.open_loop
    env.reset(seed=0)
    with pytest.raises(ValueError, match="observe_block needs observations"):
        env.observe_block(2)
    assert SequenceVectorEnv(Echo(), 2, extras=["time_step", "episode_start"]).open_loop

"""Extras and stacked frames: the same in every face, and what they do to what can be reached."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import FrameStackObservation, TimeAwareObservation

from seqenvs.env import SequenceEnv
from seqenvs.observations import EXTRAS
from seqenvs.oracle import Oracle
from seqenvs.problem import Problem
from seqenvs.problems import Copy, Echo, NextValue, Recall, Recorded
from seqenvs.registration import IDS
from seqenvs.testing import check_environments
from seqenvs.vector_env import SequenceVectorEnv
from tests.variants import VARIANTS

ALL = tuple(EXTRAS)
AHEAD = ("time_step", "episode_start")  # what can be shown ahead


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("problem", VARIANTS, ids=str)
def test_streams_equal_single_environments(problem: Problem, mode: AutoresetMode) -> None:
    check_environments(problem, mode, num_envs=3, steps=40, extras=ALL, stack_size=3)


def play(env: SequenceEnv, inputs: list, actions: list) -> list:
    observations = [env.reset(options={"inputs": inputs})[0]]
    return observations + [env.step(action)[0] for action in actions]


def test_a_frame_holds_the_extras_in_the_order_given_and_then_the_input():
    env = SequenceEnv(Echo(length=4, lag=0, num_symbols=2), extras=ALL)
    seen = np.array(play(env, [0, 1, 1, 0], [0, 0, 1, 1]))
    # previous action, previous reward, time step, start, input
    assert seen.tolist() == [
        [0, 0, 0.00, 0.00, 1, 1, 0],
        [1, 0, 0.25, 0.25, 0, 0, 1],
        [1, 0, 0.00, 0.50, 0, 0, 1],
        [0, 1, 0.25, 0.75, 0, 1, 0],
        [0, 1, 0.00, 1.00, 0, 0, 0],
    ]
    env = SequenceEnv(Echo(length=4, lag=0, num_symbols=2), extras=["episode_start", "time_step"])
    assert play(env, [0, 1, 1, 0], [0])[1].tolist() == [0, 0.25, 0, 1]


def test_previous_actions_of_every_space():
    copy = SequenceEnv(
        Copy(length=2, num_symbols=3, framing="many_to_one"), extras=["previous_action"]
    )
    assert play(copy, [0, 2], [[2, 1]])[1].tolist() == [0, 0, 1, 0, 1, 0, 0, 0, 1]
    value = SequenceEnv(NextValue(), extras=["previous_action"])
    observation = value.reset(seed=0)[0]
    assert observation[0] == 0
    assert value.step(np.array([0.75], np.float32))[0][0] == 0.75
    # An integer out of range is a wrong answer of a vector environment, and no answer's number.
    streams = SequenceVectorEnv(Echo(num_symbols=3), 2, extras=["previous_action"])
    streams.reset(seed=0)
    assert streams.step(np.array([7, 1]))[0][:, :3].tolist() == [[0, 0, 0], [0, 1, 0]]


def test_a_stack_holds_the_last_frames_and_nothing_of_the_episode_before():
    env = SequenceEnv(Echo(length=3, lag=0, num_symbols=2), stack_size=2)
    first = [[0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1], [0, 1, 0, 0]]
    for _ in range(2):
        assert np.array(play(env, [0, 1, 1], [0, 0, 0])).tolist() == first
    shown = SequenceEnv(Echo(length=3, num_symbols=2), stack_size=2, encoding="normalized")
    assert shown.reset(seed=0)[0][0] == -1  # blank, as nothing was shown before


def test_equal_what_gymnasiums_wrappers_give():
    stacked = gymnasium.make("SeqEcho-v0", stack_size=4)
    stack = FrameStackObservation(gymnasium.make("SeqEcho-v0"), 4, padding_type="zero")
    clock = gymnasium.make("SeqEcho-v0", extras=["time_step"])
    aware = TimeAwareObservation(
        gymnasium.make("SeqEcho-v0", max_episode_steps=10), flatten=True, normalize_time=True
    )
    envs = [stacked, stack, clock, aware]
    seen = [env.reset(seed=3)[0] for env in envs]
    for _ in range(9):
        assert np.array_equal(seen[0], seen[1].ravel())
        assert np.array_equal(seen[2], np.roll(seen[3], 1).astype(np.float32))
        seen = [env.step(0)[0] for env in envs]


@pytest.mark.parametrize("id", IDS)
def test_pass_gymnasiums_checker(id):
    check_env(gymnasium.make(id, extras=ALL, stack_size=2).unwrapped)


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("problem", VARIANTS, ids=str)
def test_the_oracle_finds_the_input_among_them(problem: Problem, mode: AutoresetMode) -> None:
    env = SequenceVectorEnv(problem, 3, extras=ALL, stack_size=2, autoreset_mode=mode)
    oracle = Oracle.of(env)
    observations, _ = env.reset(seed=0)
    assert observations in env.observation_space
    state, starts, totals = None, np.ones(3, bool), np.zeros(3)
    for _ in range(problem.num_steps[1]):
        actions, state = oracle.predict(observations, state, starts)
        observations, rewards, ended, *_ = env.step(actions)
        assert observations in env.observation_space
        totals += rewards
        starts = np.zeros(3, bool)
        if ended.any():
            break
    assert ended.any()
    assert (totals[ended] == 1).all()


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("extras", [ALL, AHEAD, ()])
def test_blocks_equal_single_steps(extras: tuple[str, ...], mode: AutoresetMode) -> None:
    for problem in (Echo(length=(2, 6)), Recall(), NextValue(framing="many_to_one")):
        one, other = (
            SequenceVectorEnv(problem, 3, extras=extras, stack_size=3, autoreset_mode=mode)
            for _ in range(2)
        )
        now = one.reset(seed=1)[0], other.reset(seed=1)[0]
        one.action_space.seed(0)
        for steps in (1, 7, 2, 12):
            assert np.array_equal(*now)
            actions = np.array([one.action_space.sample() for _ in range(steps)])
            ahead = one.observe_block(steps) if one.open_loop else None
            block = one.step_block(actions)
            singles = [other.step(action) for action in actions]
            for k in range(3):
                stacked = np.stack([single[k] for single in singles])
                assert data_equivalence(block[k], stacked, exact=True)
            for k, single in enumerate(singles):
                for i in np.flatnonzero(single[4].get("_final_obs", np.zeros(3, bool))):
                    assert np.array_equal(block[4]["final_obs"][k, i], single[4]["final_obs"][i])
            if ahead is not None:
                assert ahead.shape[:2] == (steps, 3)
                assert np.array_equal(ahead, np.concatenate([now[0][None], block[0][:-1]]))
            now = block[0][-1], singles[-1][0]


def best_of_seen(problem: Problem, **kwargs) -> float:
    """The return of the best policy that sees one observation, over all episodes."""
    batch, probabilities = problem.support()
    env = SequenceEnv(problem, **kwargs)
    votes: dict[bytes, dict[int, float]] = {}
    for column, probability in enumerate(probabilities):
        length = batch.lengths[column]
        inputs = batch.inputs[:length, column].tolist()
        observation, _ = env.reset(options={"inputs": inputs})
        for _ in range(length):
            due, target = env.due_target()
            seen = observation.tobytes()
            observation, reward, *_ = env.step(target)
            if due:
                shares = votes.setdefault(seen, {})
                shares[target] = shares.get(target, 0) + reward * probability
    return sum(max(shares.values()) for shares in votes.values())


@pytest.mark.parametrize(
    "problem",
    [
        Recall(),
        Recall(framing="many_to_one", middle="random", length=4, num_values=3, overlap=True),
        NextValue(answer="index", length=5),
        Recorded([[0, 0, 1], [0, 1, 0], [1, 1, 1]], [[0, 1, 2], [0, 2, 1], [1, 1, 0]]),
    ],
    ids=str,
)
def test_the_time_step_turns_the_memoryless_bound_into_that_of_a_clock(problem: Problem) -> None:
    bounds = problem.bounds()
    assert best_of_seen(problem) == pytest.approx(bounds.memoryless)
    assert best_of_seen(problem, extras=["time_step"]) == pytest.approx(bounds.clock)
    assert bounds.clock > bounds.memoryless or not isinstance(problem, Recorded)


def test_the_previous_action_is_a_memory_that_an_agent_may_write_to():
    env = SequenceEnv(Recall(framing="many_to_one"), extras=["previous_action", "episode_start"])
    choices = int(env.action_space.n)
    for _ in range(20):
        observation, _ = env.reset()
        terminated, total = False, 0.0
        while not terminated:  # nothing is kept from step to step
            start, shown = observation[choices], observation[choices + 1 :]
            action = shown[:choices] if start else observation[:choices]
            observation, reward, terminated, _, _ = env.step(int(action.argmax()))
            total += reward
        assert total == 1


@pytest.mark.parametrize("make", [SequenceEnv, SequenceVectorEnv])
def test_bad_arguments_are_named(make):
    for extras in ("time_step", 3, None):
        with pytest.raises(TypeError, match=r"extras must be a list of 'previous_action', .* got"):
            make(Echo(), extras=extras)
    with pytest.raises(ValueError, match=r"extras must be one of 'previous_action'.* got 'time'"):
        make(Echo(), extras=["time"])
    with pytest.raises(ValueError, match="extras must not hold a name twice, got"):
        make(Echo(), extras=["time_step", "time_step"])
    with pytest.raises(ValueError, match="stack_size must be an int at least 1, got 0"):
        make(Echo(), stack_size=0)
    with pytest.raises(TypeError, match="stack_size must be an int at least 1, got True"):
        make(Echo(), stack_size=True)
    for kwargs in ({"stack_size": 2}, {"extras": ["time_step"]}):
        with pytest.raises(ValueError, match=r"need encoding='one_hot' or 'normalized'.*'index'"):
            make(Echo(), encoding="index", **kwargs)


def test_what_depends_on_the_answers_cannot_be_shown_ahead():
    env = SequenceVectorEnv(Echo(), 2, extras=["previous_reward"])
    assert not env.open_loop
    env.reset(seed=0)
    with pytest.raises(ValueError, match="observe_block needs observations"):
        env.observe_block(2)
    assert SequenceVectorEnv(Echo(), 2, extras=AHEAD, stack_size=5).open_loop

"""The vector environment equals single ones, in all modes; blocks equal single steps."""

from __future__ import annotations

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from seqenvs.observations import ENCODINGS
from seqenvs.oracle import Oracle
from seqenvs.problem import Problem
from seqenvs.problems import Echo
from seqenvs.registration import IDS
from seqenvs.testing import check_environments
from seqenvs.vector_env import SequenceVectorEnv
from tests.variants import VARIANTS

MODES = list(AutoresetMode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("id", IDS)
def test_ids_equal_single_environments(id: str, mode: AutoresetMode) -> None:
    check_environments(gymnasium.make(id).unwrapped.problem, mode, num_envs=3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("num_envs", [1, 2, 7])
@pytest.mark.parametrize("problem", VARIANTS, ids=str)
def test_framings_equal_single_environments(
    problem: Problem, num_envs: int, mode: AutoresetMode
) -> None:
    check_environments(problem, mode, num_envs=num_envs, steps=60, seed=num_envs)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings_equal_single_environments(encoding: str, mode: AutoresetMode) -> None:
    check_environments(Echo(length=(2, 6)), mode, encoding=encoding)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("id", IDS)
def test_the_oracle_returns_exactly_one(id: str, encoding: str, mode: AutoresetMode) -> None:
    env = gymnasium.make_vec(id, num_envs=3, encoding=encoding, autoreset_mode=mode)
    oracle = Oracle.of(env)
    observations, _ = env.reset(seed=2)
    state, starts, ended = None, np.ones(3, bool), np.zeros(3, bool)
    totals, finished = np.zeros(3), 0
    while finished < 6:
        actions, state = oracle.predict(observations, state, starts)
        observations, rewards, terminated, truncated, _ = env.step(actions)
        totals += rewards
        finished += terminated.sum()
        assert not truncated.any()
        assert (totals[terminated] == 1).all()
        totals[terminated] = 0
        starts = ended if mode == AutoresetMode.NEXT_STEP else terminated
        ended = terminated
        if mode == AutoresetMode.DISABLED and terminated.any():
            observations, _ = env.reset(options={"reset_mask": terminated})


def blocks_of(env: SequenceVectorEnv, sizes: list[int], actions: np.ndarray, seed: int) -> list:
    """The stacked results of blocks of these sizes."""
    now, _ = env.reset(seed=seed)
    done, results = 0, []
    for size in sizes:
        shown = env.observe_block(size)
        result = env.step_block(actions[done : done + size])
        results.append((shown, *result))
        assert data_equivalence(shown[0], now, exact=True)
        assert data_equivalence(shown[1:], result[0][:-1], exact=True)
        now = result[0][-1]
        done += size
    return results


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("problem", VARIANTS, ids=str)
def test_blocks_equal_single_steps(problem: Problem, mode: AutoresetMode) -> None:
    for num_envs, sizes in [(1, [3, 40, 1]), (4, [1, 1, 17, 2, 30]), (3, [11, 11, 11])]:
        one = SequenceVectorEnv(problem, num_envs, autoreset_mode=mode, encoding="index")
        other = SequenceVectorEnv(problem, num_envs, autoreset_mode=mode, encoding="index")
        one.action_space.seed(0)
        actions = np.stack([one.action_space.sample() for _ in range(sum(sizes))])
        targets = other.reset(seed=5)
        oracle, state, starts = Oracle.of(other), None, np.ones(num_envs, bool)
        ended = np.zeros(num_envs, bool)
        singles = []
        observations = targets[0]
        for k in range(len(actions)):  # about half of the answers right, to see successes too
            right, state = oracle.predict(observations, state, starts)
            if k % 40 < 25:
                actions[k] = right
            singles.append(other.step(actions[k]))
            observations, terminated = singles[-1][0], singles[-1][2]
            starts = terminated if mode == AutoresetMode.SAME_STEP else ended
            ended = terminated
        results = blocks_of(one, sizes, actions, seed=5)
        assert_stacked(singles, results)
        # Single steps go on from where the blocks ended, over episodes that these looked ahead to.
        assert data_equivalence(one.step(actions[0]), other.step(actions[0]), exact=True)
        one.observe_block(25)
        assert data_equivalence(one.step(actions[1]), other.step(actions[1]), exact=True)
        assert data_equivalence(one.reset(), other.reset(), exact=True)
        assert data_equivalence(one.step(actions[2]), other.step(actions[2]), exact=True)


def assert_stacked(singles: list, blocks: list) -> None:
    """Each step of the blocks has what the single step returned."""
    step = 0
    for _, observations, rewards, terminated, truncated, info in blocks:
        for k in range(len(rewards)):
            alone = singles[step]
            stacked = (observations[k], rewards[k], terminated[k], truncated[k])
            for one, other in zip(stacked, alone, strict=False):
                assert data_equivalence(one, other, exact=True)
            assert_info(info, k, alone[-1])
            step += 1


def assert_info(info: dict, k: int, alone: dict) -> None:
    for key in {*info, *alone}:
        if key.startswith("_"):
            continue
        present = info[f"_{key}"][k] if key in info else np.zeros(1, bool)
        assert present.any() == (key in alone), key
        if not present.any():
            continue
        assert data_equivalence(present, np.array(alone[f"_{key}"]), exact=True)
        if isinstance(info[key], dict):
            assert_info(info[key], k, alone[key])
        else:
            assert data_equivalence(info[key][k], alone[key], exact=True)


def test_blocks_with_autoreset_disabled() -> None:
    one = SequenceVectorEnv(Echo(length=6), 3, autoreset_mode="Disabled", encoding="index")
    other = SequenceVectorEnv(Echo(length=6), 3, autoreset_mode="Disabled", encoding="index")
    one.reset(seed=1)
    other.reset(seed=1)
    mask = np.array([True, False, False])
    for env in (one, other):
        for _ in range(2):
            env.step(np.zeros(3, int))
        env.reset(options={"reset_mask": mask})
    shown = one.observe_block(4)
    result = one.step_block(np.zeros((4, 3), int))
    singles = [other.step(np.zeros(3, int)) for _ in range(4)]
    assert_stacked(singles, [(shown, *result)])
    assert result[2][-1].tolist() == [False, True, True]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("problem", [Echo(), Echo(length=(2, 5))], ids=str)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_returned_arrays_are_never_written_again(
    problem: Problem, mode: AutoresetMode, encoding: str
) -> None:
    env = SequenceVectorEnv(problem, 4, autoreset_mode=mode, encoding=encoding)
    kept: list[tuple[np.ndarray, np.ndarray]] = []

    def keep(result: object) -> None:
        if isinstance(result, np.ndarray):
            kept.append((result, result.copy()))
        elif isinstance(result, (tuple, dict)):
            for one in result.values() if isinstance(result, dict) else result:
                keep(one)

    keep(env.reset(seed=0))
    for k in range(60):
        result = env.step(env.action_space.sample())
        keep(result)
        if mode == AutoresetMode.DISABLED and result[2].any():
            keep(env.reset(options={"reset_mask": result[2]}))
        elif mode != AutoresetMode.DISABLED and k % 20 == 19:
            keep(env.observe_block(7))
            keep(env.step_block(np.zeros((7, 4), int)))
    for array, copy in kept:
        assert data_equivalence(array, copy, exact=True)


def test_writing_to_an_observation_does_no_harm() -> None:
    env, twin = SequenceVectorEnv(Echo(), 4), SequenceVectorEnv(Echo(), 4)
    observations, _ = env.reset(seed=0)
    twin.reset(seed=0)
    for _ in range(40):
        observations[:] = 7
        result, expected = env.step(np.ones(4, int)), twin.step(np.ones(4, int))
        assert data_equivalence(result, expected, exact=True)
        observations = result[0]
        result[1][:], result[2][:], result[3][:] = 7, True, True


@pytest.mark.parametrize("id", IDS)
def test_make_vec(id: str) -> None:
    native = gymnasium.make_vec(id, num_envs=3)
    assert isinstance(native, SequenceVectorEnv)
    assert native.metadata["autoreset_mode"] is native.autoreset_mode is AutoresetMode.NEXT_STEP
    assert isinstance(gymnasium.make_vec(id, 2, vectorization_mode="sync"), SyncVectorEnv)
    spec = gymnasium.envs.registration.EnvSpec.from_json(native.spec.to_json())
    twin = gymnasium.make_vec(spec)
    assert data_equivalence(native.reset(seed=1), twin.reset(seed=1), exact=True)
    assert repr(native) == f"SequenceVectorEnv({id}, num_envs=3)"


@pytest.mark.parametrize("id", ["SeqEcho-v0", "SeqNext-v0"])
def test_make_vec_async(id: str) -> None:
    env = gymnasium.make_vec(id, 2, vectorization_mode="async")
    sync = gymnasium.make_vec(id, 2, vectorization_mode="sync")
    assert data_equivalence(env.reset(seed=1), sync.reset(seed=1), exact=True)
    for _ in range(25):
        actions = sync.action_space.sample()
        assert data_equivalence(env.step(actions), sync.step(actions), exact=True)
    env.close()


def test_one_stream_plays_the_episodes_of_a_single_environment() -> None:
    env = gymnasium.make("SeqCopy-v0", length=(2, 4))
    streams = gymnasium.make_vec("SeqCopy-v0", 1, length=(2, 4), autoreset_mode="SameStep")
    observation, _ = env.reset(seed=3)
    observations, _ = streams.reset(seed=3)
    for _ in range(300):
        assert data_equivalence(observation, observations[0], exact=True)
        observation, _, terminated, *_ = env.step(1)
        observations, *_ = streams.step(np.array([1]))
        if terminated:
            observation, _ = env.reset()


@pytest.mark.parametrize("nested", [False, True])
def test_given_sequences(nested: bool) -> None:
    env = SequenceVectorEnv(Echo(length=3), 2, encoding="index")
    given = [[4, 5, 6], [7, 8, 9]] if nested else [4, 5, 6]
    observations, _ = env.reset(seed=0, options={"inputs": given})
    seen = [observations]
    for _ in range(3):
        seen.append(env.step(np.zeros(2, int))[0])
    other = [7, 8, 9, 10] if nested else [4, 5, 6, 10]
    assert np.array(seen).T.tolist() == [[4, 5, 6, 10], other]


def test_unfinished_episodes_may_be_reset_by_mask() -> None:
    env = SequenceVectorEnv(Echo(length=4), 3, autoreset_mode="Disabled", encoding="index")
    env.reset(seed=0)
    ends: list[list[int]] = [[], [], []]
    rng = np.random.default_rng(0)
    age = np.zeros(3, int)
    for step in range(200):
        terminated = env.step(np.zeros(3, int))[2]
        age += 1
        assert (terminated == (age == 4)).all()
        for k in np.flatnonzero(terminated):
            ends[k].append(step)
        mask = terminated | (rng.random(3) < 0.1)
        if mask.any():
            env.reset(options={"reset_mask": mask})
            age[mask] = 0
    assert len({tuple(one) for one in ends}) == 3


def test_a_pickled_environment_goes_on_where_it_was() -> None:
    env = gymnasium.make_vec("SeqEcho-v0", 4, length=(3, 6))
    env.reset(seed=4)
    for _ in range(9):
        env.step(np.zeros(4, int))
    twin = pickle.loads(pickle.dumps(env))
    for _ in range(50):
        one, other = env.step(np.ones(4, int)), twin.step(np.ones(4, int))
        assert data_equivalence(one, other, exact=True)


def test_many_streams_of_long_episodes_fit_in_memory() -> None:
    env = SequenceVectorEnv(Echo(length=200, lag=20), 4096, encoding="index")
    env.reset(seed=0)
    for _ in range(5):
        observations, *_ = env.step(np.zeros(4096, int))
    # An observation that is kept keeps no more than a page of rows alive.
    assert (observations if observations.base is None else observations.base).nbytes <= 1 << 19


@pytest.mark.parametrize("options", [None, {"inputs": [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]}])
def test_a_reset_mask_of_all_is_a_reset(options: dict | None) -> None:
    one, other = (
        SequenceVectorEnv(Echo(), 3, autoreset_mode=AutoresetMode.DISABLED) for _ in range(2)
    )
    for seed in (4, None, 5):
        masked = {"reset_mask": np.ones(3, bool), **(options or {})}
        resets = one.reset(seed=seed, options=masked), other.reset(seed=seed, options=options)
        assert data_equivalence(*resets, exact=True)
        for _ in range(4):
            results = [env.step(np.arange(3)) for env in (one, other)]
            assert data_equivalence(*results, exact=True)

"""Tests of the vector environment: it equals single environments; blocks equal single steps."""

from __future__ import annotations

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode

from seqenvs.observations import ENCODINGS, EXTRAS
from seqenvs.oracle import Oracle
from seqenvs.problem import Problem
from seqenvs.problems import Echo, NextValue, Recall
from seqenvs.testing import check_environments
from seqenvs.vector_env import SequenceVectorEnv
from tests.variants import EACH_ID, EACH_VARIANT

MODES = list(AutoresetMode)
each_id = pytest.mark.parametrize("id", EACH_ID)
each_mode = pytest.mark.parametrize("mode", MODES)
# Problems and arguments of their environments.
BLOCKS = [
    *(
        pytest.param(*variant.values, {"encoding": "index"}, marks=variant.marks)
        for variant in EACH_VARIANT
    ),
    *(
        (problem, {"extras": extras, "stack_size": 3})
        for problem in (Echo(length=(2, 6)), Recall(), NextValue(framing="many_to_one"))
        for extras in ((), ("time_step", "episode_start"), tuple(EXTRAS))
    ),
]
EXTENDED = {"num_envs": 3, "steps": 40, "extras": tuple(EXTRAS), "stack_size": 3}
EQUAL = [
    *((Echo(length=(2, 6)), {"encoding": encoding}) for encoding in ENCODINGS),
    *((Echo(length=n), {"num_envs": 1000, "steps": 12}) for n in (3, (2, 5))),
    *(pytest.param(*variant.values, EXTENDED, marks=variant.marks) for variant in EACH_VARIANT),
]
small_buffers = pytest.mark.usefixtures("small_buffers")


@small_buffers
@each_mode
@pytest.mark.parametrize(("problem", "kwargs"), EQUAL, ids=str)
def test_sub_environments_equal_single_environments(problem, kwargs, mode) -> None:
    check_environments(problem, mode, **kwargs)


@each_mode
@each_id
def test_oracle_has_a_return_of_exactly_one(id: str, mode: AutoresetMode) -> None:
    for kwargs in (*({"encoding": e} for e in ENCODINGS), {"extras": EXTRAS, "stack_size": 2}):
        env = gymnasium.make_vec(id, num_envs=3, autoreset_mode=mode, **kwargs)
        oracle = Oracle.of(env)
        observations, _ = env.reset(seed=2)
        state, starts, ended = None, np.ones(3, bool), np.zeros(3, bool)
        totals, finished = np.zeros(3), 0
        while finished < 6:
            assert observations in env.observation_space
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


def two(problem: Problem, num_envs: int, **kwargs) -> list[SequenceVectorEnv]:
    """Make the same environment twice."""
    return [SequenceVectorEnv(problem, num_envs, **kwargs) for _ in range(2)]


def play_blocks(env: SequenceVectorEnv, sizes: list[int], actions: np.ndarray) -> list:
    """Play blocks of these sizes after a reset, and return their results."""
    now, _ = env.reset(seed=5)
    results = []
    for part in np.split(actions, np.cumsum(sizes)[:-1]):
        observations = env.observe_block(len(part)) if env.open_loop else None
        terminated = env.terminated_block(len(part))
        results.append(env.step_block(part))
        assert data_equivalence(terminated, results[-1][2], exact=True)
        if observations is not None:
            assert data_equivalence(observations[0], now, exact=True)
            assert data_equivalence(observations[1:], results[-1][0][:-1], exact=True)
        now = results[-1][0][-1]
    return results


@small_buffers
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize(("problem", "kwargs"), BLOCKS, ids=str)
def test_blocks_equal_single_steps(problem: Problem, kwargs: dict, mode: AutoresetMode) -> None:
    for num_envs, sizes in [(1, [3, 40, 1]), (4, [1, 1, 17, 2, 30]), (3, [11, 11, 11])]:
        env, twin = two(problem, num_envs, autoreset_mode=mode, **kwargs)
        env.action_space.seed(0)
        actions = np.stack([env.action_space.sample() for _ in range(sum(sizes))])
        observations, _ = twin.reset(seed=5)
        oracle, state, starts = Oracle.of(twin), None, np.ones(num_envs, bool)
        ended = np.zeros(num_envs, bool)
        steps = []
        for k in range(len(actions)):
            right, state = oracle.predict(observations, state, starts)
            if k % 40 < 25:  # so that some episodes are successes
                actions[k] = right
            steps.append(twin.step(actions[k]))
            observations, terminated = steps[-1][0], steps[-1][2]
            starts = terminated if mode == AutoresetMode.SAME_STEP else ended
            ended = terminated
        assert_equal_steps(play_blocks(env, sizes, actions), steps)
        # Single steps and resets continue after blocks, and after a look at later episodes.
        for reset in (False, True):
            assert data_equivalence(env.step(actions[0]), twin.step(actions[0]), exact=True)
            env.terminated_block(25)
            assert data_equivalence(env.step(actions[1]), twin.step(actions[1]), exact=True)
            assert reset or data_equivalence(env.reset(), twin.reset(), exact=True)


def assert_equal_steps(blocks: list, steps: list) -> None:
    """Assert that blocks hold the results of these single steps."""
    following = iter(steps)
    for *arrays, info in blocks:
        for k in range(len(arrays[0])):
            *step, step_info = next(following)
            assert data_equivalence([array[k] for array in arrays], step, exact=True)
            assert_equal_info(info, k, step_info)
    assert next(following, None) is None


def assert_equal_info(info: dict, k: int, alone: dict) -> None:
    for key in {*info, *alone}:
        if key.startswith("_"):
            continue
        present = info[f"_{key}"][k] if key in info else np.zeros(1, bool)
        assert present.any() == (key in alone), key
        if not present.any():
            continue
        assert data_equivalence(present, np.array(alone[f"_{key}"]), exact=True)
        if isinstance(info[key], dict):
            assert_equal_info(info[key], k, alone[key])
        else:
            assert data_equivalence(info[key][k], alone[key], exact=True)


@small_buffers
@pytest.mark.parametrize("length", [6, (2, 9)], ids=str)
def test_blocks_with_autoreset_disabled_end_with_an_episode(length: int | tuple[int, int]) -> None:
    """An episode that a partial reset replaced no longer limits a block."""
    env, twin = two(Echo(length=length), 3, autoreset_mode="Disabled", encoding="index")
    observations, _ = env.reset(seed=1)
    twin.reset(seed=1)
    rng = np.random.default_rng(0)
    for _ in range(40):
        steps = [twin.step(observations)]
        while rng.random() < 0.9 and not steps[-1][2].any():
            steps.append(twin.step(observations))
        terminated = steps[-1][2]
        if terminated.any():
            with pytest.raises(ValueError, match=f"must be at most {len(steps)} steps here"):
                env.observe_block(len(steps) + 1)
        shown = env.observe_block(len(steps))[1:]
        assert data_equivalence(list(shown), [step[0] for step in steps[:-1]], exact=True)
        assert_equal_steps([env.step_block(np.tile(observations, (len(steps), 1)))], steps)
        mask = terminated | (rng.random(3) < 0.3)
        if mask.any():
            resets = [one.reset(options={"reset_mask": mask}) for one in (env, twin)]
            assert data_equivalence(*resets, exact=True)
        observations = rng.integers(10, size=3)


@small_buffers
@pytest.mark.parametrize("length", [10, (2, 5)], ids=str)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_returned_arrays_belong_to_the_caller(length: int | tuple, encoding: str) -> None:
    """The environment neither writes to them again nor reads what the caller writes to them."""
    env, twin = two(Echo(length=length), 4, encoding=encoding)
    kept, actions = [], np.ones((7, 4), int)
    for k in range(60):
        if k % 20 == 19:
            results = [one.step_block(actions) for one in (env, twin)]
        else:
            results = [one.step(actions[0]) if k else one.reset(seed=0) for one in (env, twin)]
        kept.append((results[0], copy.deepcopy(results[0])))
        assert data_equivalence(*results, exact=True)
        for array in results[1][:-1]:
            array[:] = 7
    for result, before in kept:
        assert data_equivalence(result, before, exact=True)


@each_id
def test_make_vec_makes_the_vector_environment(id: str) -> None:
    env = gymnasium.make_vec(id, num_envs=3)
    assert isinstance(env, SequenceVectorEnv)
    assert env.metadata["autoreset_mode"] is env.autoreset_mode is AutoresetMode.NEXT_STEP
    twin = gymnasium.make_vec(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    resets = [one.reset(seed=1) for one in (env, twin, gymnasium.make(id))]
    assert data_equivalence(*resets[:2], exact=True)
    assert data_equivalence(resets[0][0][0], resets[2][0], exact=True)  # the first episode


def test_reset_plays_given_inputs() -> None:
    env = SequenceVectorEnv(Echo(length=3), 2, encoding="index")
    for given, other in (([4, 5, 6], [4, 5, 6, 10]), ([[4, 5, 6], [7, 8, 9]], [7, 8, 9, 10])):
        results = [env.reset(seed=0, options={"inputs": given})[0]]
        results += [env.step(np.zeros(2, int))[0] for _ in range(3)]
        assert np.array(results).T.tolist() == [[4, 5, 6, 10], other]


@small_buffers
def test_pickled_environment_continues_where_it_was() -> None:
    env = gymnasium.make_vec("SeqEcho-v0", 4, length=(3, 6))
    env.reset(seed=4)
    for _ in range(9):
        env.step(np.zeros(4, int))
    twin = pickle.loads(pickle.dumps(env))
    for _ in range(50):
        one, other = env.step(np.ones(4, int)), twin.step(np.ones(4, int))
        assert data_equivalence(one, other, exact=True)


def test_kept_observation_keeps_little_memory() -> None:
    env = SequenceVectorEnv(Echo(length=200, lag=20), 4096, encoding="index")
    env.reset(seed=0)
    for _ in range(5):
        observations, *_ = env.step(np.zeros(4096, int))
    # A view keeps all rows in memory that were prepared together.
    assert (observations if observations.base is None else observations.base).nbytes <= 1 << 19


@pytest.mark.parametrize("options", [None, {"inputs": [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]}])
def test_reset_mask_of_all_equals_a_reset(options: dict | None) -> None:
    one, other = two(Echo(), 3, autoreset_mode="Disabled")
    for seed in (4, None, 5):
        masked = {"reset_mask": np.ones(3, bool), **(options or {})}
        resets = one.reset(seed=seed, options=masked), other.reset(seed=seed, options=options)
        assert data_equivalence(*resets, exact=True)
        for _ in range(4):
            results = [env.step(np.arange(3)) for env in (one, other)]
            assert data_equivalence(*results, exact=True)

"""The single environment: Gymnasium's checker, time, rewards, seeds, specs."""

from __future__ import annotations

import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

import seqenvs
from seqenvs.env import SequenceEnv
from seqenvs.observations import ENCODINGS
from seqenvs.oracle import Oracle
from seqenvs.problems import Copy, Echo, NextValue
from seqenvs.registration import IDS


def play(env, seed: int, actions: np.random.Generator, episodes: int = 3) -> list:
    """Everything that some episodes return."""
    seen = [env.reset(seed=seed)]
    for _ in range(episodes):
        terminated = False
        while not terminated:
            action = env.action_space.sample() if actions is None else int(actions.integers(2))
            seen.append(env.step(action))
            terminated = seen[-1][2]
        seen.append(env.reset())
    return seen


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("id", IDS)
def test_gymnasiums_checker(id: str, encoding: str) -> None:
    check_env(gymnasium.make(id, encoding=encoding).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("id", IDS)
def test_gymnasiums_checker_of_rendering(id: str) -> None:
    check_env(gymnasium.make(id, render_mode="ansi").unwrapped)


@pytest.mark.parametrize("id", IDS)
def test_the_same_seed_gives_the_same_episodes(id: str) -> None:
    one, other = gymnasium.make(id), gymnasium.make(id)
    for env in (one, other):
        env.action_space.seed(3)
    assert data_equivalence(play(one, 7, None), play(other, 7, None), exact=True)
    one.action_space.seed(3)
    assert not data_equivalence(play(one, 8, None), play(other, 7, None)) or id == "SeqNext-v0"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("id", IDS)
def test_the_oracle_returns_exactly_one(id: str, encoding: str) -> None:
    env = gymnasium.make(id, encoding=encoding)
    oracle = Oracle.of(env)
    for seed in range(4):
        observation, _ = env.reset(seed=seed)
        state, terminated, total, steps = None, False, 0.0, 0
        while not terminated:
            action, state = oracle.predict(observation, state)
            observation, reward, terminated, truncated, info = env.step(action)
            total, steps = total + reward, steps + 1
            assert type(reward) is float
            assert truncated is False
            assert set(info) == {"target", "due"} | ({"is_success"} if terminated else set())
        low, high = env.unwrapped.problem.num_steps
        assert low <= steps <= high
        assert total == 1
        assert info["is_success"] is True


def test_time_is_as_the_design_says() -> None:
    env = gymnasium.make("SeqEcho-v0", length=4, lag=1, encoding="index")
    observation, info = env.reset(options={"inputs": [5, 3, 2, 1]})
    assert (observation, info) == (5, {})
    assert env.step(9) == (3, 0.0, False, False, {"target": 0, "due": False})
    third = env.step(5)
    assert third == (2, pytest.approx(1 / 3), False, False, {"target": 5, "due": True})
    assert env.step(0) == (1, 0.0, False, False, {"target": 3, "due": True})
    blank, reward, terminated, truncated, info = env.step(2)
    assert (blank, terminated, truncated) == (10, True, False)
    assert reward == pytest.approx(1 / 3)
    assert info == {"target": 2, "due": True, "is_success": False}


def test_a_given_sequence_leaves_the_list_of_episodes_alone() -> None:
    env, twin = SequenceEnv(Echo(), encoding="index"), SequenceEnv(Echo(), encoding="index")
    env.reset(seed=1)
    twin.reset(seed=1)
    env.reset(options={"inputs": range(10)})
    assert env.due_target() == (False, 0)
    for _ in range(200):
        assert env.reset() == twin.reset()


def test_several_answers_at_once_are_scored_in_part() -> None:
    env = SequenceEnv(Copy(framing="many_to_one"))
    env.reset(options={"inputs": [5, 3, 2, 4, 1]})
    for _ in range(4):
        assert env.step([0, 0, 0, 0, 0])[1] == 0
    _, reward, terminated, _, info = env.step([5, 3, 2, 0, 0])
    assert (reward, terminated, info["is_success"]) == (0.6, True, False)


def test_values_are_scored_by_closeness() -> None:
    env = SequenceEnv(NextValue(framing="many_to_one"))
    for answer, reward, right in [(0.7, 1, True), (0.66, 0.96, True), (0.64, 0.94, False)]:
        env.reset(options={"inputs": [0.4, 0.5, 0.6]})
        env.step([0.0])
        env.step([0.0])
        *_, info = result = env.step([answer])
        assert result[1] == pytest.approx(reward, abs=1e-6)
        assert info["is_success"] is right


@pytest.mark.parametrize("id", IDS)
def test_specs_survive_json_and_pickle(id: str) -> None:
    env = gymnasium.make(id, encoding="index")
    for spec in (EnvSpec.from_json(env.spec.to_json()), pickle.loads(pickle.dumps(env.spec))):
        twin = gymnasium.make(spec)
        assert repr(twin.unwrapped.problem) == repr(env.unwrapped.problem)
        assert data_equivalence(twin.reset(seed=1), env.reset(seed=1))


@pytest.mark.parametrize("id", IDS)
def test_a_pickled_environment_goes_on_where_it_was(id: str) -> None:
    env = gymnasium.make(id)
    env.reset(seed=4)
    env.step(env.action_space.sample())
    twin = pickle.loads(pickle.dumps(env))
    env.action_space.seed(0)
    twin.action_space.seed(0)
    for _ in range(50):
        one, other = env.step(env.action_space.sample()), twin.step(twin.action_space.sample())
        assert data_equivalence(one, other, exact=True)
        if one[2]:
            assert data_equivalence(env.reset(), twin.reset(), exact=True)


@pytest.mark.parametrize("id", IDS)
def test_no_time_limit_is_registered(id: str) -> None:
    spec = gymnasium.spec(id)
    assert spec.max_episode_steps is None
    assert isinstance(spec.entry_point, str)
    assert isinstance(spec.vector_entry_point, str)


def test_parameters_override_a_row_of_the_table() -> None:
    assert gymnasium.make("SeqEcho-v0", lag=4).unwrapped.problem.lag == 4
    assert gymnasium.make("SeqEchoHard-v0", lag=4).unwrapped.problem.num_symbols == 100


def run(code: str) -> str:
    """The output of a fresh interpreter."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_make_imports_the_module_that_an_id_names() -> None:
    code = "import gymnasium; print(gymnasium.make('seqenvs:SeqEcho-v0', lag=4).spec.id)"
    assert run(code).strip() == "SeqEcho-v0"


def test_importing_seqenvs_imports_neither_torch_nor_sb3() -> None:
    code = "import seqenvs, sys; print({'torch', 'stable_baselines3', 'PIL'} & set(sys.modules))"
    assert run(code).strip() == "set()"


@pytest.mark.parametrize(
    ("adapter", "needed", "extra"),
    [("torch", "torch", "torch"), ("sb3", "stable_baselines3", "sb3")],
)
def test_an_adapter_says_what_it_needs(adapter: str, needed: str, extra: str) -> None:
    hide = f"import sys\nsys.modules[{needed!r}] = None\n"
    load = f"try:\n    import seqenvs.adapters.{adapter}\n"
    tell = "except ImportError as error:\n    print(error)"
    assert f"pip install 'seqenvs[{extra}]'" in run(hide + load + tell)


def test_unwrapped_is_typed_as_itself() -> None:
    env = SequenceEnv(Echo())
    assert env.unwrapped is env
    # Gymnasium's own says Env, which has no problem.
    assert SequenceEnv.unwrapped.fget.__annotations__ == {"return": "Self"}


def test_environments_of_one_problem_sample_actions_on_their_own() -> None:
    problem = Echo()
    one, other = SequenceEnv(problem), SequenceEnv(problem)
    one.action_space.seed(0)
    first = [one.action_space.sample() for _ in range(20)]
    one.action_space.seed(0)
    other.action_space.seed(1)
    assert [one.action_space.sample() for _ in range(20)] == first


def test_the_random_generator_may_be_set() -> None:
    env, twin = SequenceEnv(Echo()), SequenceEnv(Echo())
    env.reset(seed=1)
    env.np_random = np.random.default_rng(9)
    twin.np_random = np.random.default_rng(9)
    assert data_equivalence(env.reset(), twin.reset(), exact=True)


def test_version() -> None:
    from importlib.metadata import version

    assert version("seqenvs") == seqenvs.__version__


def test_wrappers_that_draw_leave_the_episodes_alone() -> None:
    plain = gymnasium.make("SeqEcho-v0", num_symbols=90)
    sticky = gymnasium.wrappers.StickyAction(gymnasium.make("SeqEcho-v0", num_symbols=90), 0.5)
    for episode in range(2000):  # past the first draw, and the second
        seed = 0 if episode == 0 else None
        first = plain.reset(seed=seed)[0], sticky.reset(seed=seed)[0]
        assert np.array_equal(*first)
        sticky.step(0)

"""Tests of the single environment: Gymnasium's checker, time steps, rewards, seeds, specs."""

from __future__ import annotations

import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

from seqenvs.env import SequenceEnv
from seqenvs.observations import ENCODINGS, EXTRAS
from seqenvs.oracle import Oracle
from seqenvs.problems import Copy, Echo, NextValue
from seqenvs.registration import IDS
from tests.variants import EACH_ID

each_id = pytest.mark.parametrize("id", EACH_ID)


@each_id
def test_gymnasiums_checker_passes(id: str) -> None:
    for encoding in ENCODINGS:
        check_env(gymnasium.make(id, encoding=encoding).unwrapped, skip_render_check=True)
    check_env(gymnasium.make(id, render_mode="ansi", extras=EXTRAS, stack_size=2).unwrapped)


def play(env, steps: int) -> list:
    """Return the results of ``step`` with the same actions, and of ``reset`` after each end."""
    env.action_space.seed(3)
    results = []
    for _ in range(steps):
        results.append(env.step(env.action_space.sample()))
        if results[-1][2]:
            results.append(env.reset())
    return results


@each_id
def test_a_seed_and_a_copy_give_the_same_episodes(id: str) -> None:
    env, twin, other = (gymnasium.make(id) for _ in range(3))
    for one, seed in ((env, 7), (twin, 7), (other, 8)):
        one.reset(seed=seed)
        one.step(one.action_space.sample())
    copied = pickle.loads(pickle.dumps(env))
    results = play(env, 50)
    assert data_equivalence(results, play(twin, 50), exact=True)
    assert data_equivalence(results, play(copied, 50), exact=True)
    assert not data_equivalence(results, play(other, 50)) or id == "SeqNext-v0"


@each_id
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_oracle_has_a_return_of_exactly_one(id: str, encoding: str) -> None:
    env = gymnasium.make(id, encoding=encoding)
    oracle = Oracle.of(env)
    for seed in range(4):
        (observation, _), state, terminated, rewards = env.reset(seed=seed), None, False, []
        while not terminated:
            action, state = oracle.predict(observation, state)
            observation, reward, terminated, truncated, info = env.step(action)
            rewards.append(reward)
            assert type(reward) is float and truncated is False
        low, high = env.unwrapped.problem.num_steps
        assert low <= len(rewards) <= high and sum(rewards) == 1
        assert info["is_success"] is True


def test_step_judges_the_action_and_returns_the_next_input() -> None:
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


def test_given_sequence_does_not_change_the_following_episodes() -> None:
    env, twin = SequenceEnv(Echo(), encoding="index"), SequenceEnv(Echo(), encoding="index")
    env.reset(seed=1)
    twin.reset(seed=1)
    env.reset(options={"inputs": range(10)})
    assert env.due_target() == (False, 0)
    for _ in range(200):
        assert env.reset() == twin.reset()


@pytest.mark.parametrize(
    ("problem", "inputs", "answer", "reward", "right"),
    [
        (Copy(framing="many_to_one"), [5, 3, 2, 4, 1], [5, 3, 2, 0, 0], 0.6, False),
        (NextValue(framing="many_to_one"), [0.4, 0.5, 0.6], [0.7], 1, True),
        (NextValue(framing="many_to_one"), [0.4, 0.5, 0.6], [0.66], 0.96, True),
        (NextValue(framing="many_to_one"), [0.4, 0.5, 0.6], [0.64], 0.94, False),
    ],
)
def test_answers_are_partly_right(problem, inputs, answer, reward, right) -> None:
    env = SequenceEnv(problem)
    env.reset(options={"inputs": inputs})
    for _ in inputs[1:]:
        assert env.step(np.zeros_like(answer))[1] == 0
    _, got, terminated, _, info = env.step(answer)
    assert got == pytest.approx(reward, abs=1e-6)
    assert (terminated, info["is_success"]) == (True, right)


@pytest.mark.parametrize("id", IDS)
def test_spec_survives_json_and_pickle(id: str) -> None:
    env = gymnasium.make(id, encoding="index")
    assert env.spec.max_episode_steps is None
    assert isinstance(env.spec.entry_point, str)
    assert isinstance(env.spec.vector_entry_point, str)
    for spec in (EnvSpec.from_json(env.spec.to_json()), pickle.loads(pickle.dumps(env.spec))):
        twin = gymnasium.make(spec)
        assert repr(twin.unwrapped.problem) == repr(env.unwrapped.problem)
        assert data_equivalence(twin.reset(seed=1), env.reset(seed=1))


def test_parameters_override_those_of_the_id() -> None:
    assert gymnasium.make("SeqEcho-v0", lag=4).unwrapped.problem.lag == 4
    assert gymnasium.make("SeqEchoHard-v0", lag=4).unwrapped.problem.num_symbols == 100


def test_optional_packages_are_not_imported_and_named_where_they_are_missing() -> None:
    code = "import gymnasium, sys; print(gymnasium.make('seqenvs:SeqEcho-v0', lag=4).spec.id)\n"
    code += "print({'torch', 'stable_baselines3', 'PIL', 'pandas'} & set(sys.modules))\n"
    code += "sys.modules['torch'] = sys.modules['stable_baselines3'] = None\n"
    for adapter in ("torch", "sb3"):
        code += f"try:\n    import seqenvs.adapters.{adapter}\n"
        code += "except ImportError as error:\n    print(str(error).replace('\\n', ' '))\n"
    command = [sys.executable, "-W", "error", "-c", code]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    id, imported, torch, sb3 = ran.stdout.splitlines()
    assert (id, imported) == ("SeqEcho-v0", "set()")
    assert "pip install 'seqenvs[torch]'" in torch and "pip install 'seqenvs[sb3]'" in sb3


def test_environments_have_their_own_action_spaces_and_take_a_generator() -> None:
    problem = Echo()
    env, twin = SequenceEnv(problem), SequenceEnv(problem)
    env.action_space.seed(0)
    first = [env.action_space.sample() for _ in range(20)]
    env.action_space.seed(0)
    twin.action_space.seed(1)
    assert [env.action_space.sample() for _ in range(20)] == first
    for one in (env, twin):
        one.reset(seed=int(one is env))
        one.np_random = np.random.default_rng(9)
    assert data_equivalence(env.reset(), twin.reset(), exact=True)


def test_wrappers_that_draw_do_not_change_the_episodes() -> None:
    plain = gymnasium.make("SeqEcho-v0", num_symbols=90)
    sticky = gymnasium.wrappers.StickyAction(gymnasium.make("SeqEcho-v0", num_symbols=90), 0.5)
    for episode in range(2000):  # enough for the environment to draw episodes several times
        seed = 0 if episode == 0 else None
        first = plain.reset(seed=seed)[0], sticky.reset(seed=seed)[0]
        assert np.array_equal(*first)
        sticky.step(0)

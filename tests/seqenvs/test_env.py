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
from seqenvs.problems import Copy, Echo, NextValue
from seqenvs.registration import IDS
from seqenvs.vector_env import SequenceVectorEnv
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
    for spec in (EnvSpec.from_json(env.spec.to_json()), pickle.loads(pickle.dumps(env.spec))):
        twin = gymnasium.make(spec)
        assert repr(twin.unwrapped.problem) == repr(env.unwrapped.problem)
        assert data_equivalence(twin.reset(seed=1), env.reset(seed=1))


def test_parameters_override_those_of_the_id() -> None:
    problem = gymnasium.make("SeqEchoHard-v0", lag=4).unwrapped.problem
    assert (problem.lag, problem.num_symbols) == (4, 100)


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
    env, plain = (gymnasium.make("SeqEcho-v0", num_symbols=90) for _ in range(2))
    sticky = gymnasium.wrappers.StickyAction(env, 0.5)
    for episode in range(2000):  # enough for the environment to draw episodes several times
        resets = [one.reset(seed=None if episode else 0) for one in (plain, sticky)]
        assert data_equivalence(*resets)
        sticky.step(0)


# Extra features and stacked frames


def observations_of(env: SequenceEnv, inputs: list, actions: list) -> list:
    """Play given inputs and return the observations."""
    observations = [env.reset(options={"inputs": inputs})[0]]
    return observations + [env.step(action)[0] for action in actions]


def test_frame_is_the_extras_in_the_given_order_and_then_the_input():
    env = SequenceEnv(Echo(length=4, lag=0, num_symbols=2), extras=EXTRAS)
    observations = np.array(observations_of(env, [0, 1, 1, 0], [0, 0, 1, 1]))
    # previous action, previous reward, time step, episode start, input
    assert observations.tolist() == [
        [0, 0, 0.00, 0.00, 1, 1, 0],
        [1, 0, 0.25, 0.25, 0, 0, 1],
        [1, 0, 0.00, 0.50, 0, 0, 1],
        [0, 1, 0.25, 0.75, 0, 1, 0],
        [0, 1, 0.00, 1.00, 0, 0, 0],
    ]
    env = SequenceEnv(Echo(length=4, lag=0, num_symbols=2), extras=["episode_start", "time_step"])
    assert observations_of(env, [0, 1, 1, 0], [0])[1].tolist() == [0, 0.25, 0, 1]


def test_previous_action_of_each_action_space():
    extras = ["previous_action"]
    copy = SequenceEnv(Copy(length=2, num_symbols=3, framing="many_to_one"), extras=extras)
    assert observations_of(copy, [0, 2], [[2, 1]])[1].tolist() == [0, 0, 1, 0, 1, 0, 0, 0, 1]
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
        assert np.array(observations_of(env, [0, 1, 1], [0, 0, 0])).tolist() == first
    env = SequenceEnv(Echo(length=3, num_symbols=2), stack_size=2, encoding="normalized")
    assert env.reset(seed=0)[0][0] == -1  # frames before the first are blank


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

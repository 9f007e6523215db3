"""The Stable-Baselines3 adapter equals SB3's own vector environment over single ones."""

from __future__ import annotations

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecMonitor,
)

import seqenvs
from seqenvs.adapters.sb3 import SequenceVecEnv, make_sb3_env
from seqenvs.episodes import EpisodeStream
from seqenvs.oracle import Oracle
from seqenvs.registration import IDS

CASES = [(id, {}) for id in IDS] + [
    ("SeqEcho-v0", {"encoding": "index"}),
    ("SeqEcho-v0", {"encoding": "normalized", "length": (3, 9), "lag": 2}),
    ("SeqEcho-v0", {"length": 1, "lag": 0}),
    ("SeqCopy-v0", {"framing": "many_to_one", "length": (2, 5), "output_length": 2}),
    ("SeqRecall-v0", {"framing": "many_to_one", "length": (3, 6)}),
    ("SeqNext-v0", {"answer": "index"}),
]


class PlaysFromList(gymnasium.Wrapper):
    """Begins each episode with the next inputs of a list that several environments share."""

    def __init__(self, env, stream):
        super().__init__(env)
        self.stream = stream

    def reset(self, *, seed=None, options=None):
        strip = self.stream.take(1)
        return self.env.reset(seed=seed, options={"inputs": strip.inputs[: strip.lengths[0], 0]})


def dummy_over_singles(id, num_envs, seed, **kwargs):
    """SB3's vector environment over single ones that play the episodes of a native one's seed."""
    rng = gymnasium.utils.seeding.np_random(seed)[0]
    stream = EpisodeStream(gymnasium.make(id, **kwargs).unwrapped.problem, rng)
    make = [lambda: PlaysFromList(gymnasium.make(id, **kwargs), stream) for _ in range(num_envs)]
    return DummyVecEnv(make)


def some_actions(venv, rng, observations, oracle, state):
    """The oracle's answers, one in three of them replaced by any action."""
    right, state = oracle.predict(observations, *state)
    random = np.stack([venv.action_space.sample() for _ in range(venv.num_envs)])
    keep = rng.random(venv.num_envs).reshape(-1, *[1] * (right.ndim - 1)) < 0.67
    return np.where(keep, right, random).astype(right.dtype), state


@pytest.mark.parametrize(("id", "kwargs"), CASES)
def test_equals_dummy_vec_env_over_single_environments(id, kwargs):
    ours = make_sb3_env(id, 3, seed=5, monitor=False, **kwargs)
    theirs = dummy_over_singles(id, 3, 5, **kwargs)
    rng = np.random.default_rng(0)
    ours.action_space.seed(0)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    observations = ours.reset()
    assert data_equivalence(observations, theirs.reset(), exact=True)
    assert ours.reset_infos == theirs.reset_infos
    oracle = Oracle.of(theirs.envs[0])
    state, starts, ends = None, np.ones(3, bool), 0
    for _ in range(min(60, 2 * ours.get_attr("problem")[0].num_steps[1] + 2)):
        actions, state = some_actions(ours, rng, observations, oracle, (state, starts))
        mine, other = ours.step(actions), theirs.step(actions)
        for ours_part, their_part in zip(mine[:3], other[:3], strict=True):
            assert data_equivalence(ours_part, their_part, exact=True)
        for ours_info, their_info in zip(mine[3], other[3], strict=True):
            assert ours_info.keys() == their_info.keys()
            for key, value in ours_info.items():
                assert type(value) is type(their_info[key])
                assert data_equivalence(value, their_info[key], exact=True)
        observations, starts = mine[0], mine[2]
        ends += int(starts.sum())
    assert ends > 0 or ours.get_attr("problem")[0].num_steps[0] > 30


def test_returned_arrays_are_never_written_again():
    venv = make_sb3_env("SeqEcho-v0", 4, seed=0)
    shown = [venv.reset()]
    copies = [shown[0].copy()]
    for _ in range(25):
        shown.append(venv.step(np.zeros(4, np.int64))[0])
        copies.append(shown[-1].copy())
    assert all(np.array_equal(a, b) for a, b in zip(shown, copies, strict=True))


def test_info_dicts_are_not_shared():
    venv = make_sb3_env("SeqEcho-v0", 2, seed=0)
    venv.reset()
    infos = venv.step(np.zeros(2, np.int64))[3]
    infos[0]["mine"] = 1
    assert "mine" not in infos[1]
    assert "mine" not in venv.step(np.zeros(2, np.int64))[3][0]


def test_monitor_writes_the_episode():
    venv = make_sb3_env("SeqEcho-v0", 3, seed=0)
    observations, state, starts = venv.reset(), None, np.ones(3, bool)
    oracle = Oracle(venv.get_attr("problem")[0])
    for _ in range(10):
        actions, state = oracle.predict(observations, state, starts)
        observations, _, starts, infos = venv.step(actions)
    assert starts.all()
    for info in infos:
        assert set(info["episode"]) == {"r", "l", "t"}
        assert info["episode"]["r"] == pytest.approx(1)
        assert info["episode"]["l"] == 10
        assert info["is_success"] is True
        assert info["TimeLimit.truncated"] is False
        assert not info["terminal_observation"].any()
    assert isinstance(venv, VecMonitor)
    assert not isinstance(make_sb3_env("SeqEcho-v0", 3, monitor=False), VecMonitor)


def test_seed_is_that_of_the_native_environment_and_is_used_once():
    native = seqenvs.SequenceVectorEnv(
        seqenvs.problems.Echo(), 4, autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP
    )
    venv = make_sb3_env("SeqEcho-v0", 4)
    assert venv.seed(7) == [7, 8, 9, 10]
    assert np.array_equal(venv.reset(), native.reset(seed=7)[0])
    assert np.array_equal(venv.reset(), native.reset()[0])
    venv.seed(7)
    assert np.array_equal(venv.reset(), native.reset(seed=7)[0])


def test_options_play_given_sequences_once():
    venv = make_sb3_env("SeqEcho-v0", 2, seed=0, length=3)
    venv.set_options({"inputs": [1, 2, 3]})
    assert venv.reset().argmax(axis=-1).tolist() == [1, 1]
    venv.set_options([{"inputs": [4, 5, 6]}, {"inputs": [7, 8, 9]}])
    assert venv.reset().argmax(axis=-1).tolist() == [4, 7]
    assert venv.step(np.zeros(2, np.int64))[0].argmax(axis=-1).tolist() == [5, 8]
    seen = {tuple(venv.reset().argmax(axis=-1)) for _ in range(9)}
    assert len(seen) > 1


def test_options_of_some_streams_only_are_refused():
    venv = make_sb3_env("SeqEcho-v0", 2, seed=0, length=3)
    venv.set_options([{"inputs": [4, 5, 6]}, {}])
    with pytest.raises(ValueError, match="one dict, or 2 with the same keys"):
        venv.reset()
    venv.set_options({"colour": 1})
    with pytest.raises(ValueError, match="unknown option 'colour'"):
        venv.reset()
    venv.set_options()
    assert venv.reset().shape == (2, 10)


def test_attributes_and_methods_are_per_index():
    venv = make_sb3_env("SeqEcho-v0", 3, lag=2)
    assert [problem.lag for problem in venv.get_attr("problem")] == [2, 2, 2]
    assert [spec.id for spec in venv.get_attr("spec", indices=[0, 2])] == ["SeqEcho-v0"] * 2
    assert venv.get_attr("render_mode", indices=1) == [None]
    assert venv.get_attr("action_space", indices=0) == [gymnasium.spaces.Discrete(10)]
    assert venv.get_attr("observation_space")[2].shape == (10,)
    assert venv.has_attr("problem")
    assert not venv.has_attr("action_masks")
    with pytest.raises(AttributeError):
        venv.get_attr("nothing_like_it")
    venv.set_attr("note", "mine")
    assert venv.get_attr("note") == ["mine"] * 3
    with pytest.raises(ValueError, match="indices must be None or all 3 sub-environments"):
        venv.set_attr("note", "mine", indices=[0])
    assert venv.env_is_wrapped(Monitor, indices=[0, 1]) == [False, False]
    venv.reset()
    assert [block.shape for block in venv.env_method("observe_block", 2, indices=[0])] == [
        (2, 3, 10)
    ]
    for name in ("reset", "step", "step_block", "close"):
        with pytest.raises(ValueError, match="acts on all 3 sub-environments"):
            venv.env_method(name)


def test_wrong_environments_are_refused():
    with pytest.raises(TypeError, match=r"must be a seqenvs.SequenceVectorEnv.*make_sb3_env"):
        SequenceVecEnv(gymnasium.make("SeqEcho-v0"))
    for mode in ("NextStep", "Disabled"):
        with pytest.raises(ValueError, match=f"autoreset_mode='SameStep'.*got '{mode}'"):
            SequenceVecEnv(gymnasium.make_vec("SeqEcho-v0", num_envs=2, autoreset_mode=mode))
    with pytest.raises(TypeError, match="unexpected keyword argument 'lagg'"):
        make_sb3_env("SeqEcho-v0", 2, lagg=1)
    with pytest.raises(TypeError, match=r"registered, got 'CartPole-v1'; .*make_vec_env"):
        make_sb3_env("CartPole-v1", 2)
    for name, value in (("autoreset_mode", "NextStep"), ("vectorization_mode", "sync")):
        with pytest.raises(TypeError, match=f"{name} must be left out, .* got '{value}'"):
            make_sb3_env("SeqEcho-v0", 2, **{name: value})
    assert make_sb3_env("seqenvs:SeqEcho-v0", 2, seed=0, lag=3).reset().shape == (2, 10)


def test_pickles_in_the_middle_of_an_episode():
    venv = make_sb3_env("SeqEcho-v0", 2, seed=0, monitor=False)
    venv.reset()
    venv.step(np.zeros(2, np.int64))
    twin = pickle.loads(pickle.dumps(venv))
    for _ in range(25):
        assert data_equivalence(
            venv.step(np.zeros(2, np.int64)), twin.step(np.zeros(2, np.int64)), exact=True
        )


def test_no_render_mode_gives_no_images():
    venv = make_sb3_env("SeqEcho-v0", 2)
    with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
        assert venv.get_images() == [None, None]


def test_images_are_one_a_stream():
    venv = make_sb3_env("SeqEcho-v0", 4, seed=0, render_mode="rgb_array")
    venv.reset()
    venv.step(np.zeros(4, np.int64))
    images = venv.get_images()
    height, width, _ = images[0].shape
    assert len(images) == 4
    assert venv.render().shape == (2 * height, 2 * width, 3)
    assert np.array_equal(venv.env_method("render", indices=[2])[0], images[2])


def test_evaluate_policy_gives_the_oracle_exactly_one():
    for id in ("SeqEcho-v0", "SeqNext-v0", "SeqCopy-v0"):
        venv = make_sb3_env(id, 3, seed=0)
        mean, spread = evaluate_policy(Oracle(venv.get_attr("problem")[0]), venv, n_eval_episodes=7)
        assert mean == pytest.approx(1)
        assert spread == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("id", "kwargs"),
    [
        ("SeqEcho-v0", {"encoding": "index"}),
        ("SeqNext-v0", {}),
        ("SeqCopy-v0", {"framing": "many_to_one"}),
    ],
)
def test_ppo_takes_every_kind_of_space(id, kwargs):
    venv = make_sb3_env(id, 2, seed=0, **kwargs)
    PPO("MlpPolicy", venv, n_steps=8, batch_size=8, n_epochs=1, device="cpu").learn(16)

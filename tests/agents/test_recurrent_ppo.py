"""Recurrent PPO on whole sequences, in blocks or step by step, computes what sb3-contrib's does."""

from __future__ import annotations

import copy

import gymnasium
import numpy as np
import pytest
import sb3_contrib
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnvWrapper, VecMonitor

from agents.learners.recurrent_ppo import SequencePPO, SequenceRolloutBuffer
from seqenvs import SequenceVectorEnv
from tests.agents.ppo import (
    BUFFERED,
    CRITICS,
    LEARNED,
    PROBLEMS,
    RAGGED,
    Recorded,
    Stepping,
    assert_same_parameters,
    assert_same_rollouts,
    every_critic,
    every_problem,
    flat,
    make_env,
    make_model,
)


class Watching(BaseCallback):
    """Looks at every step, and stops at one if told to."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.stop_at = stop_at

    def _on_step(self):
        return self.n_calls != self.stop_at


class Wrapped(VecEnvWrapper):
    """Changes nothing, but might."""

    def reset(self):
        return self.venv.reset()

    def step_wait(self):
        return self.venv.step_wait()


@pytest.fixture
def count_steps(monkeypatch):
    """How often the environment was stepped, and how often by a block."""
    counts = {"step": 0, "step_block": 0}
    for name in counts:
        method = getattr(SequenceVectorEnv, name)

        def counted(self, actions, name=name, method=method, **kwargs):
            counts[name] += 1
            return method(self, actions, **kwargs)

        monkeypatch.setattr(SequenceVectorEnv, name, counted)
    return counts


@every_problem
@pytest.mark.parametrize("critic", ["shared", "separate"])
def test_a_block_gives_what_single_steps_give(problem, critic, count_steps):
    models, envs = [], []
    for kind in (Recorded, Stepping):
        env = make_env(PROBLEMS[problem])
        # 11 steps: the episodes of the aligned problem, of 5 steps, are cut.
        model = make_model(env, kind, CRITICS[critic], n_steps=11, gamma=0.9)
        model.learn(3 * 11 * 4)
        models.append(model)
        envs.append(env)
    assert count_steps == {"step": 33, "step_block": 3}
    block, stepped = models
    assert_same_rollouts(block, stepped)
    assert_same_parameters(block, stepped, atol=1e-3, rtol=1e-3)
    assert len(block.ep_info_buffer) == len(stepped.ep_info_buffer) > 0
    for mine, its in zip(block.ep_info_buffer, stepped.ep_info_buffer, strict=True):
        assert mine["l"] == its["l"] and mine["r"] == pytest.approx(its["r"], abs=1e-4)
        assert {k: type(v) for k, v in mine.items()} == {k: type(v) for k, v in its.items()}
    assert list(block.ep_success_buffer) == list(stepped.ep_success_buffer)
    np.testing.assert_allclose(envs[0].episode_returns, envs[1].episode_returns, atol=1e-4)
    np.testing.assert_array_equal(envs[0].episode_lengths, envs[1].episode_lengths)
    assert envs[0].episode_count == envs[1].episode_count


@pytest.mark.parametrize("way", ["callback", "file", "keywords", "subclass", "wrapper"])
def test_single_steps_where_something_may_look_at_them(way, tmp_path, count_steps):
    class Other(VecMonitor):
        pass

    venv = make_env(monitor=False)
    env = {
        "callback": lambda: VecMonitor(venv),
        "file": lambda: VecMonitor(venv, str(tmp_path / "log")),
        "keywords": lambda: VecMonitor(venv, info_keywords=("due",)),
        "subclass": lambda: Other(venv),
        "wrapper": lambda: VecMonitor(Wrapped(venv)),
    }[way]()
    model = make_model(env)
    model.learn(40, Watching() if way == "callback" else None)
    assert count_steps == {"step": 10, "step_block": 0}
    assert len(model.ep_info_buffer) == 8
    assert all(("due" in episode) == (way == "keywords") for episode in model.ep_info_buffer)
    env.close()


def test_a_callback_can_stop_a_rollout_and_learning_goes_on(count_steps):
    model = make_model(make_env(monitor=False), Recorded)
    model.learn(80, Watching(stop_at=14))
    assert model.num_timesteps == 4 * 14 and len(model.rollouts) == 1
    last = model._last_obs.copy()
    model.learn(40, reset_num_timesteps=False)
    assert count_steps == {"step": 14, "step_block": 1}
    np.testing.assert_array_equal(model.rollouts[1]["observations"][0], last.reshape(4, -1))
    assert not model.ep_info_buffer and model.ep_success_buffer  # there is no monitor


@pytest.mark.parametrize(
    ("problem", "steps"), [("aligned", 10), ("aligned", 12), ("ragged", 14), ("box", 13)]
)
@every_critic
def test_an_update_is_sb3_contribs(problem, steps, critic, monkeypatch):
    """The second rollout's, so that it begins amid episodes if the first has cut them."""
    options = {"n_steps": steps, "batch_size": 4 * steps, "n_epochs": 1, "gamma": 0.9}
    options |= {"ent_coef": 0.01, "clip_range_vf": 0.2}
    stock = make_model(
        make_env(PROBLEMS[problem]), sb3_contrib.RecurrentPPO, CRITICS[critic], **options
    )
    ours = make_model(make_env(PROBLEMS[problem]), SequencePPO, CRITICS[critic], **options)
    assert_same_parameters(stock, ours, atol=0, rtol=0)
    _, callback = stock._setup_learn(1)
    ours._setup_learn(1)
    for _ in range(2):
        first_states = copy.deepcopy(stock._last_lstm_states)
        data = stock.rollout_buffer
        stock.collect_rollouts(stock.env, callback, data, steps)
    assert any(state.any() for state in flat(first_states))
    ours.rollout_buffer.reset()
    arrays = {name: getattr(data, name).copy() for name in (*BUFFERED, *LEARNED)}
    ours.rollout_buffer.fill(lstm_states=first_states, **arrays)
    monkeypatch.setattr(np.random, "randint", lambda *_: 0)  # stock would rotate the rollout
    before = copy.deepcopy(ours.policy.state_dict())
    stock.train()
    ours.train()
    assert_same_parameters(stock, ours)
    assert any((value != before[name]).any() for name, value in ours.policy.state_dict().items())
    for name in ("loss", "value_loss", "entropy_loss", "approx_kl", "explained_variance"):
        its = stock.logger.name_to_value[f"train/{name}"]
        assert ours.logger.name_to_value[f"train/{name}"] == pytest.approx(its, abs=1e-5, rel=1e-4)


@pytest.mark.parametrize(
    ("problem", "options", "error", "said"),
    [
        ("box", {"advantage": "outcome", "gamma": 0}, TypeError, "actions are Discrete, got Box"),
        ("many answers", {"advantage": "outcome", "gamma": 0}, TypeError, "got MultiDiscrete"),
        ("aligned", {"advantage": "outcome"}, ValueError, "gamma must be 0 .* got 0.99"),
        ("aligned", {"advantage": "other"}, ValueError, "advantage must be .* got 'other'"),
        ("aligned", {"policy": {"cell": "rnn"}}, ValueError, "cell must be .* got 'rnn'"),
        ("aligned", {"policy": {"gates": {"chrono": 1}}}, ValueError, "chrono must be .* got 1"),
    ],
)
def test_bad_arguments(problem, options, error, said):
    with pytest.raises(error, match=said):
        make_model(make_env(PROBLEMS[problem]), **options)


def test_dict_observations_are_refused():
    class Dicts(gymnasium.Env):
        observation_space = spaces.Dict({"a": spaces.Box(-1, 1, (2,))})
        action_space = spaces.Discrete(2)

    with pytest.raises(TypeError, match="must not have Dict observations"):
        SequencePPO("MlpLstmPolicy", DummyVecEnv([Dicts]))


@pytest.mark.parametrize(("cell", "advantage"), [("lstm", "gae"), ("gru", "outcome")])
def test_save_and_load_change_nothing(cell, advantage, tmp_path):
    policy = {"cell": cell, "n_lstm_layers": 2, "optimizer_kwargs": {"eps": 1e-6}}
    model = make_model(make_env(RAGGED), policy=policy, advantage=advantage, gamma=0.0)
    model.learn(80)
    model.save(tmp_path / "model")
    loaded = SequencePPO.load(tmp_path / "model", env=make_env(RAGGED))
    assert loaded.advantage == advantage
    assert isinstance(loaded.rollout_buffer, SequenceRolloutBuffer)
    assert loaded.rollout_buffer.outcome == (advantage == "outcome")
    assert loaded.policy.optimizer.param_groups[0]["eps"] == 1e-6
    assert_same_parameters(model, loaded, atol=0, rtol=0)
    obs, state, its_state = loaded.env.reset(), None, None
    for step in range(6):
        starts = np.array([step == 0, step in (0, 5), step == 0, step in (0, 3)])
        actions, state = model.predict(obs, state, starts, deterministic=True)
        its_actions, its_state = loaded.predict(obs, its_state, starts, deterministic=True)
        np.testing.assert_array_equal(actions, its_actions)
        np.testing.assert_array_equal(state, its_state)
        obs = loaded.env.step(actions)[0]
    loaded.learn(80, reset_num_timesteps=False)
    assert loaded.num_timesteps == 160

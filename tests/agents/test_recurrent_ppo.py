"""Recurrent PPO on whole sequences, in blocks or step by step, computes what sb3-contrib's does."""

from __future__ import annotations

import copy

import gymnasium
import numpy as np
import pytest
import sb3_contrib
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
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

        def counted(self, actions, name=name, method=method):
            counts[name] += 1
            return method(self, actions)

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
        assert [(name, type(v)) for name, v in mine.items()] == [
            (name, type(v)) for name, v in its.items()
        ]
    assert list(block.ep_success_buffer) == list(stepped.ep_success_buffer)
    np.testing.assert_allclose(envs[0].episode_returns, envs[1].episode_returns, atol=1e-4)
    np.testing.assert_array_equal(envs[0].episode_lengths, envs[1].episode_lengths)
    assert envs[0].episode_count == envs[1].episode_count


def test_a_block_needs_no_monitor(count_steps):
    block = make_model(make_env(RAGGED, monitor=False), Recorded)
    block.learn(80)
    assert count_steps == {"step": 0, "step_block": 2}
    stepped = make_model(make_env(RAGGED, monitor=False), Stepping)
    stepped.learn(80)
    assert_same_rollouts(block, stepped)
    assert not block.ep_info_buffer and block.ep_success_buffer


@pytest.mark.parametrize("way", ["callback", "function", "file", "keywords", "subclass", "wrapper"])
def test_single_steps_where_something_may_look_at_them(way, tmp_path, count_steps):
    class Other(VecMonitor):
        pass

    seen, callback = [], None
    venv = make_env(monitor=False)
    env = VecMonitor(venv)
    if way == "callback":
        callback = Watching()
    elif way == "function":

        def callback(variables, _):
            return seen.append(variables["rewards"]) or True

    elif way == "file":
        env = VecMonitor(venv, str(tmp_path / "log"))
    elif way == "keywords":
        env = VecMonitor(venv, info_keywords=("due",))
    elif way == "subclass":
        env = Other(venv)
    else:
        env = Wrapped(env)
    model = make_model(env)
    model.learn(40, callback)
    assert count_steps == {"step": 10, "step_block": 0}
    assert len(model.ep_info_buffer) == 8
    if way == "file":
        assert len((tmp_path / "log.monitor.csv").read_text().splitlines()) == 2 + 8
    elif way == "keywords":
        assert all("due" in episode for episode in model.ep_info_buffer)
    elif way == "function":
        assert len(seen) == 10
    env.close()


def test_a_callback_can_stop_a_rollout_and_learning_goes_on(count_steps):
    model = make_model(make_env(), Recorded)
    model.learn(80, Watching(stop_at=14))
    assert model.num_timesteps == 4 * 14 and len(model.rollouts) == 1
    last = model._last_obs.copy()
    model.learn(40, reset_num_timesteps=False)
    assert count_steps == {"step": 14, "step_block": 1}
    np.testing.assert_array_equal(model.rollouts[1]["observations"][0], last.reshape(4, -1))


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


def test_a_time_limit_is_bootstrapped_in_other_environments():
    env = DummyVecEnv([lambda: gymnasium.make("CartPole-v1", max_episode_steps=7)] * 2)
    model = make_model(env, Recorded, gamma=0.9)
    model.learn(20)
    (rollout,) = model.rollouts
    truncated = rollout["episode_starts"][1:] > 0
    assert truncated[6].all()
    others = np.delete(rollout["rewards"], np.flatnonzero(truncated.any(1)), axis=0)
    assert (others == 1).all() and (rollout["rewards"][6] != 1).all()


def test_another_policy_and_another_environment_are_stepped_as_by_sb3_contrib():
    env = DummyVecEnv([lambda: gymnasium.make("CartPole-v1")] * 2)
    kwargs = {"policy_kwargs": {"lstm_hidden_size": 8}, "n_steps": 10, "device": "cpu", "seed": 0}
    stock = sb3_contrib.RecurrentPPO("MlpLstmPolicy", env, **kwargs)
    ours = SequencePPO(RecurrentActorCriticPolicy, env, **kwargs)
    rollouts = []
    for model in (stock, ours):
        torch.manual_seed(0)
        env.seed(0)
        _, callback = model._setup_learn(1)
        model.collect_rollouts(env, callback, model.rollout_buffer, 10)
        rollouts.append(model.rollout_buffer)
    for name in (*BUFFERED, *LEARNED):
        np.testing.assert_array_equal(*(getattr(rollout, name) for rollout in rollouts))
    ours.learn(20)


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


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("advantage", ["gae", "outcome"])
def test_save_and_load_change_nothing(cell, advantage, tmp_path):
    env = make_env(RAGGED)
    options = {"advantage": advantage, "gamma": 0.0}
    policy = {"cell": cell, "n_lstm_layers": 2, "optimizer_kwargs": {"eps": 1e-6}}
    model = make_model(env, policy=policy, **options)
    model.learn(80)
    model.save(tmp_path / "model")
    loaded = SequencePPO.load(tmp_path / "model", env=env)
    assert loaded.advantage == advantage
    assert isinstance(loaded.rollout_buffer, SequenceRolloutBuffer)
    assert loaded.rollout_buffer.outcome == (advantage == "outcome")
    assert loaded.policy.optimizer.param_groups[0]["eps"] == 1e-6
    assert_same_parameters(model, loaded, atol=0, rtol=0)
    fresh = make_model(make_env(RAGGED), policy=policy, **options, seed=9)
    fresh.set_parameters(tmp_path / "model")
    bare = SequencePPO.load(tmp_path / "model")
    obs = env.reset()
    states = [None] * 4
    for step in range(12):
        begins = np.array([step == 0, step in (0, 5), step == 0, step in (0, 8)])
        results = [
            each.predict(obs, state, begins, deterministic=True)
            for each, state in zip((model, loaded, fresh, bare), states, strict=True)
        ]
        states = [state for _, state in results]
        for actions, state in results[1:]:
            np.testing.assert_array_equal(actions, results[0][0])
            np.testing.assert_array_equal(state, results[0][1])
        obs = env.step(results[0][0])[0]
    loaded.learn(80)
    assert loaded.num_timesteps == 80
    resumed = SequencePPO.load(tmp_path / "model", env=make_env(RAGGED))
    resumed.learn(80, reset_num_timesteps=False)
    assert resumed.num_timesteps == 160


@pytest.mark.full
@pytest.mark.parametrize(
    ("advantage", "steps", "problem"),
    [
        ("outcome", 60_000, {"id": "SeqEcho-v0", "lag": 4, "length": 14}),
        ("gae", 60_000, {"id": "SeqEcho-v0", "lag": 1, "length": 14}),
    ],
)
def test_it_learns(advantage, steps, problem):
    model = make_model(
        make_env(problem, 64, seed=0),
        policy={"net_arch": [64], "lstm_hidden_size": 64, "gates": {"delay_line": 4.0}},
        advantage=advantage,
        n_steps=14,
        batch_size=896,
        n_epochs=3,
        learning_rate=5e-3,
        gamma=0.0,
        ent_coef=0.0,
        normalize_advantage=advantage == "gae",
        seed=0,
    )
    model.learn(steps)
    assert np.mean([episode["r"] for episode in model.ep_info_buffer]) >= 0.9

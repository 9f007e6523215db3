"""Small models of recurrent PPO, and the comparison of their rollouts."""

from __future__ import annotations

import numpy as np
import pytest
import sb3_contrib
import torch

from agents.learners.recurrent_ppo import SequencePPO
from agents.learners.recurrent_ppo.policy import draw_noise
from seqenvs.adapters.sb3 import make_sb3_env

ALIGNED = {"id": "SeqEcho-v0", "lag": 2, "length": 5}
RAGGED = {"id": "SeqEcho-v0", "length": [3, 9]}
PROBLEMS = {
    "aligned": ALIGNED,
    "ragged": RAGGED,
    "index": {**RAGGED, "encoding": "index"},
    "many answers": {"id": "SeqCopy-v0", "framing": "many_to_one", "length": 4},
    "box": {"id": "SeqNext-v0"},
}
CRITICS = {
    "separate": {"shared_lstm": False, "enable_critic_lstm": True},
    "shared": {"shared_lstm": True, "enable_critic_lstm": False},
    "none": {"shared_lstm": False, "enable_critic_lstm": False},
}
every_critic = pytest.mark.parametrize("critic", CRITICS)
every_problem = pytest.mark.parametrize("problem", PROBLEMS)
BUFFERED = ("observations", "actions", "rewards", "episode_starts", "values", "log_probs")
LEARNED = ("advantages", "returns")


def make_env(problem=ALIGNED, num_envs=4, seed=3, monitor=True):
    return make_sb3_env(num_envs=num_envs, seed=seed, monitor=monitor, **problem)


def make_model(env, algorithm=SequencePPO, policy=None, **kwargs):
    kwargs = {"n_steps": 10, "batch_size": 16, "n_epochs": 2, "seed": 1, "device": "cpu"} | kwargs
    policy = {"lstm_hidden_size": 8, "net_arch": [8], **CRITICS["shared"], **(policy or {})}
    return algorithm("MlpLstmPolicy", env, policy_kwargs=policy, **kwargs)


def flat(states):
    return [part for pair in states for part in pair]


def assert_close(one, other, **kwargs):
    torch.testing.assert_close(one, other, **{"atol": 1e-5, "rtol": 1e-5, **kwargs})


def assert_same_parameters(one, other, **kwargs):
    for name, value in one.policy.state_dict().items():
        assert_close(value, other.policy.state_dict()[name], **kwargs, msg=name)


class Recorded(SequencePPO):
    """Keeps a copy of each rollout."""

    def train(self):
        buffer = self.rollout_buffer
        kept = {name: getattr(buffer, name).copy() for name in (*BUFFERED, *LEARNED)}
        self.rollouts = [*getattr(self, "rollouts", ()), kept]
        super().train()


class Stepping(Recorded):
    """Collects rollouts step by step, with the random numbers that a block would use."""

    def collect_rollouts(self, env, callback, buffer, n_rollout_steps):
        noise = iter(draw_noise(self.action_space, n_rollout_steps, env.num_envs))

        def forward(obs, states, starts):
            return self.policy.act(obs, states, starts, next(noise))

        self.policy.forward = forward
        return sb3_contrib.RecurrentPPO.collect_rollouts(
            self, env, callback, buffer, n_rollout_steps
        )


def assert_same_rollouts(one, other):
    assert len(one.rollouts) == len(other.rollouts)
    for mine, its in zip(one.rollouts, other.rollouts, strict=True):
        for name in (*BUFFERED, *LEARNED):
            assert mine[name].dtype == its[name].dtype and mine[name].shape == its[name].shape
            np.testing.assert_allclose(mine[name], its[name], atol=1e-4, rtol=1e-4, err_msg=name)
    assert one.num_timesteps == other.num_timesteps
    np.testing.assert_array_equal(one._last_obs, other._last_obs)
    np.testing.assert_array_equal(one._last_episode_starts, other._last_episode_starts)
    for mine, its in zip(flat(one._last_lstm_states), flat(other._last_lstm_states), strict=True):
        assert_close(mine, its, atol=1e-4, rtol=1e-4)

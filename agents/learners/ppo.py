"""Recurrent PPO as a reference agent."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.config import PPOOptions, Settings
from agents.learners.base import ReferenceAgent
from agents.learners.recurrent_ppo import SequencePPO
from seqenvs.adapters.sb3 import make_sb3_env

SKIPPED_STEPS = 256  # in one block


class RecurrentPPO(ReferenceAgent):
    """Recurrent PPO with an LSTM or a GRU. It learns from rewards.

    Attributes:
        model: The algorithm, an `agents.learners.recurrent_ppo.SequencePPO`.
        env: Its vector environment.
    """

    name = "recurrent_ppo"
    learns_from = "rewards"
    model_file = "model.zip"

    def _build(self, settings: Settings) -> None:
        options = settings.options
        assert isinstance(options, PPOOptions)
        task = self.task
        self.env = env = (
            DummyVecEnv([task.env] * options.num_envs)
            if task.problem is None
            else make_sb3_env(settings.id, options.num_envs, **settings.kwargs)
        )
        longest = task.usual_steps
        # An episode ends in each environment. Where all episodes have the same length, a rollout
        # consists of whole ones, so that no sequence begins with an outdated recurrent state.
        rollout = longest * -(-options.rollout // longest)
        advantage = options.advantage
        if advantage == "auto":
            # Outcome advantages take a reward for a right answer, which may not hold elsewhere.
            outcome = task.problem is not None and isinstance(env.action_space, spaces.Discrete)
            advantage = "outcome" if outcome else "gae"
        self.model = SequencePPO(
            "MlpLstmPolicy",
            env,
            n_steps=rollout,
            batch_size=-(-rollout * options.num_envs // options.minibatches),
            n_epochs=options.epochs,
            learning_rate=options.learning_rate,
            gamma=options.gamma,
            advantage=advantage,
            normalize_advantage=advantage == "gae",
            ent_coef=options.entropy,
            clip_range=options.clip_range,
            max_grad_norm=options.max_grad_norm,
            policy_kwargs={
                "cell": options.cell,
                "gates": options.gates,
                "lstm_hidden_size": options.hidden,
                "net_arch": [options.head] if options.head else [],
                "shared_lstm": not options.critic_lstm,
                "enable_critic_lstm": options.critic_lstm,
                "log_std_init": options.log_std,
            },
            stats_window_size=rollout * options.num_envs,
            seed=settings.seed,
            device="cpu",
        )

    @property
    def steps(self) -> int:
        """Number of time steps learned from so far, summed over all environments."""
        return self.model.num_timesteps

    def _update(self) -> tuple[list[float], list[bool]]:
        model = self.model
        for kept in (model.ep_info_buffer, model.ep_success_buffer):
            if kept is not None:
                kept.clear()
        model.learn(model.n_steps * self.env.num_envs, reset_num_timesteps=False)
        returns = [float(each["r"]) for each in model.ep_info_buffer or ()]
        return returns, [bool(each) for each in model.ep_success_buffer or ()]

    def _predict(
        self, observation: Any, state: Any, episode_start: Any, deterministic: bool
    ) -> tuple[Any, Any]:
        found: tuple[Any, Any] = self.model.predict(
            observation, state, episode_start, deterministic
        )
        return found

    def _predict_with_confidence(
        self, observation: Any, state: Any, episode_start: Any
    ) -> tuple[Any, Any, Any]:
        actions, after = self.predict(observation, state, episode_start)
        if isinstance(self.task.action_space, spaces.Box):
            return actions, None, after
        policy: Any = self.model.policy
        if state is None:
            layers, _, units = policy.lstm_hidden_state_shape
            state = (np.zeros((layers, len(actions), units), np.float32),) * 2
        if episode_start is None:
            episode_start = np.zeros(len(actions), bool)
        with torch.no_grad():
            distribution, _ = policy.get_distribution(
                policy.obs_to_tensor(observation)[0],
                tuple(torch.from_numpy(part) for part in state),
                torch.as_tensor(episode_start, dtype=torch.float32),
            )
            confidence = distribution.log_prob(torch.as_tensor(actions)).exp().numpy()
        return actions, confidence, after

    def save_model(self, path: Path) -> None:
        """Write Stable-Baselines3's zip file."""
        self.model.__dict__["trained_on"] = self.trained_on  # SB3 saves all attributes
        self.model.save(path)

    def load_model(self, path: Path) -> None:
        """Read the weights of a zip file. ``SequencePPO.load`` would unpickle the rest, too."""
        with zipfile.ZipFile(path) as archive:
            self._check_origin(json.loads(archive.read("data")).get("trained_on"))
        self.model.set_parameters(str(path), device="cpu")

    def _state(self) -> dict[str, Any]:
        model = self.model
        name, keys, *rest = np.random.get_state()
        actions = model.rollout_buffer.actions
        if model.rollout_buffer.generator_ready:  # then axis 0 is environment after environment
            actions = actions.reshape(self.env.num_envs, model.n_steps, -1).swapaxes(0, 1)
        states = model._last_lstm_states
        assert states is not None
        return {
            "parameters": model.get_parameters(),
            "steps": model.num_timesteps,
            "updates": model._n_updates,
            "states": [*states.pi, *states.vf],
            "actions": torch.from_numpy(actions.copy()),
            "torch": torch.get_rng_state(),
            "numpy": [name, torch.from_numpy(np.asarray(keys, np.int64)), *rest],
        }

    def _restore(self, state: dict[str, Any]) -> None:
        model, env = self.model, self.env
        model.set_parameters(state["parameters"], device="cpu")
        model.num_timesteps, model._n_updates = state["steps"], state["updates"]
        observations = env.reset()
        ended = np.ones(env.num_envs, bool)
        # The seed determines the episodes. Actions matter only in unfinished episodes, because of
        # their returns, and no episode is longer than a rollout.
        self._skip(model.num_timesteps // env.num_envs - model.n_steps)
        if model.num_timesteps:
            for row in state["actions"].numpy():
                row = row.reshape(env.num_envs, *(env.action_space.shape or ()))
                if isinstance(env.action_space, spaces.Box):
                    row = row.clip(env.action_space.low, env.action_space.high)
                observations, _, ended, _ = env.step(row)
        kept = model.rollout_buffer.actions  # for a checkpoint before the next update
        kept[:] = state["actions"].numpy().reshape(kept.shape)
        model._last_obs, model._last_episode_starts = observations, ended  # type: ignore[assignment]
        pi, vf = state["states"][:2], state["states"][2:]
        model._last_lstm_states = RNNStates(tuple(pi), tuple(vf))
        torch.set_rng_state(state["torch"])
        name, keys, *rest = state["numpy"]
        np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))

    def _skip(self, steps: int) -> None:
        """Advance all environments by so many steps."""
        if self.task.problem is None:
            # Where actions change the observations, the episodes differ from the original ones.
            action = np.stack([self.env.action_space.sample()] * self.env.num_envs)
            for _ in range(steps):
                self.env.step(action)
            return
        env = self.env.get_attr("unwrapped")[0]
        idle = np.zeros((SKIPPED_STEPS, *env.action_space.shape), env.action_space.dtype)
        while steps > 0:
            env.step_block(idle[:steps], all_observations=False)
            steps -= SKIPPED_STEPS

"""The algorithm: ``sb3_contrib.RecurrentPPO`` with whole sequences and whole-rollout blocks."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
import sb3_contrib
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv, VecMonitor
from torch import Tensor

from agents.learners.recurrent_ppo.buffer import SequenceRolloutBuffer
from agents.learners.recurrent_ppo.policy import SequencePolicy, draw_noise
from seqenvs import SequenceVectorEnv
from seqenvs.adapters.sb3 import SequenceVecEnv
from seqenvs.validation import check_choice


class SequencePPO(sb3_contrib.RecurrentPPO):
    """``sb3_contrib.RecurrentPPO`` that learns from whole sequences.

    ``save``, ``load``, ``predict``, callbacks and the logger are those of Stable-Baselines3.
    ``batch_size`` is a number of steps and is rounded to whole sequences.

    A rollout is collected in one block if the environment is an open-loop one of seqenvs, alone or
    in a ``VecMonitor``, and nothing looks at single steps: no callback, and no monitor that writes
    a file or keeps infos. Otherwise it is collected step by step, as by the base class.

    With ``advantage="outcome"``, the advantage of an action is not its reward minus the estimate of
    the critic. Let p be the probability that the policy gave to the action, read as the probability
    that the action is right. The advantage is 1 if the action was right and -p / (1 - p) if it was
    wrong: the derivative of the log-likelihood of the outcome, log p or log(1 - p), with respect to
    log p. The policy stays calibrated: it is corrected little for a wrong action that it gave a low
    probability, and much for one that it was sure of. It needs no entropy bonus to keep exploring.
    Where the critic expects less than p, such as at steps without a due answer, its expectation
    replaces the p of the numerator. This is meant for rewards that depend on the present action
    alone and are paid for one action only, as those of a sequence problem are.

    Args:
        *args: As for ``RecurrentPPO``.
        advantage: ``"gae"``, as in ``RecurrentPPO``, or ``"outcome"``.
        **kwargs: As for ``RecurrentPPO``; ``policy_kwargs`` may also have those of
            `SequencePolicy`.

    Raises:
        TypeError: Dict observations, or ``"outcome"`` with actions that are not Discrete.
        ValueError: Another ``advantage``, or ``"outcome"`` with a ``gamma`` other than 0.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MlpLstmPolicy": SequencePolicy}
    rollout_buffer: SequenceRolloutBuffer
    _last_lstm_states: RNNStates  # type: ignore[assignment]

    def __init__(self, *args: Any, advantage: str = "gae", **kwargs: Any) -> None:
        self.advantage = check_choice("advantage", advantage, ("gae", "outcome"))
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        if isinstance(self.observation_space, spaces.Dict):
            raise TypeError(
                "env must not have Dict observations, which sb3_contrib.RecurrentPPO takes, got "
                f"{self.observation_space}"
            )
        outcome = self.advantage == "outcome"
        if outcome and not isinstance(self.action_space, spaces.Discrete):
            raise TypeError(
                f"advantage must be 'gae' unless actions are Discrete, got {self.action_space}"
            )
        if outcome and self.gamma != 0:
            raise ValueError(f"gamma must be 0 where advantage is 'outcome', got {self.gamma!r}")
        super()._setup_model()
        stock: Any = self.rollout_buffer
        self.rollout_buffer = SequenceRolloutBuffer(
            self.n_steps,
            self.observation_space,
            self.action_space,
            stock.hidden_state_shape,
            self.device,
            self.gae_lambda,
            self.gamma,
            self.n_envs,
        )
        self.rollout_buffer.outcome = outcome

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Collect ``n_rollout_steps`` steps of each environment.

        Returns:
            False if a callback stopped it, else True.
        """
        buffer: Any = rollout_buffer
        open_loop = _open_loop(env)
        noise = None
        if (
            open_loop is not None
            and _only_rollouts_matter(env, callback)
            and isinstance(self.policy, SequencePolicy)
            and isinstance(buffer, SequenceRolloutBuffer)
            and not self.use_sde
        ):
            noise = draw_noise(self.action_space, n_rollout_steps, env.num_envs)
        if open_loop is None or noise is None:
            return super().collect_rollouts(env, callback, buffer, n_rollout_steps)
        self._collect_block(env, open_loop, callback, buffer, noise.to(self.device))
        return True

    def _collect_block(
        self,
        env: VecEnv,
        open_loop: SequenceVectorEnv,
        callback: BaseCallback,
        buffer: SequenceRolloutBuffer,
        noise: Tensor,
    ) -> None:
        """Do what the base class does step by step, for all steps at once."""
        policy: Any = self.policy
        policy.set_training_mode(False)
        buffer.reset()
        callback.on_rollout_start()
        steps = len(noise)
        observations = open_loop.observe_block(steps).copy()
        # They differ only after a callback stopped a rollout: then SB3 ignores the last step.
        observations[0] = self._last_obs
        starts = np.empty((steps, env.num_envs), np.float32)
        starts[0] = self._last_episode_starts
        starts[1:] = open_loop.terminated_block(steps)[:-1]
        actions, values, log_probs, lstm_states = self._act(observations, starts, noise)
        clipped = actions
        if isinstance(self.action_space, spaces.Box):
            clipped = np.clip(actions, self.action_space.low, self.action_space.high)
        new_obs, rewards, dones, _, infos = open_loop.step_block(clipped, all_observations=False)
        rewards = rewards.astype(np.float32)
        self.num_timesteps += dones.size
        if isinstance(env, VecMonitor):
            self._record_episodes(env, rewards, dones)
        if dones.any():
            assert self.ep_success_buffer is not None
            self.ep_success_buffer.extend(infos["final_info"]["is_success"][dones].tolist())
        buffer.fill(
            lstm_states=self._last_lstm_states,
            observations=observations,
            actions=actions,
            rewards=rewards,
            episode_starts=starts,
            values=values,
            log_probs=log_probs,
        )
        self._last_obs, self._last_episode_starts = new_obs.copy(), dones[-1].copy()
        self._last_lstm_states = lstm_states
        callback.update_locals(locals())
        with torch.no_grad():
            ended = torch.as_tensor(dones[-1], dtype=torch.float32, device=self.device)
            shown = obs_as_tensor(new_obs, self.device)
            last_values = policy.predict_values(shown, lstm_states.vf, ended)
        buffer.compute_returns_and_advantage(last_values, dones[-1])
        callback.on_rollout_end()

    def _record_episodes(self, monitor: VecMonitor, rewards: Any, dones: Any) -> None:
        """Update the monitor and ``ep_info_buffer`` as single steps would."""
        assert self.ep_info_buffer is not None
        returns, lengths = monitor.episode_returns, monitor.episode_lengths
        seconds = round(time.time() - monitor.t_start, 6)
        for reward, ended in zip(rewards, dones, strict=True):
            returns += reward
            lengths += 1
            for i in np.flatnonzero(ended).tolist():
                self.ep_info_buffer.append({"r": returns[i], "l": lengths[i], "t": seconds})
                monitor.episode_count += 1
                returns[i] = lengths[i] = 0

    def _act(
        self, observations: Any, starts: Any, noise: Tensor
    ) -> tuple[Any, Any, Any, RNNStates]:
        """Call `SequencePolicy.act` with arrays of shape (steps, num_envs, ...)."""
        policy: Any = self.policy
        obs, start, flat_noise = (
            torch.as_tensor(array, device=self.device).swapaxes(0, 1).flatten(0, 1)
            for array in (observations, starts, noise)
        )
        with torch.no_grad():
            *parts, states = policy.act(obs, self._last_lstm_states, start, flat_noise)
        steps, num_envs = noise.shape[:2]
        actions, values, log_probs = (
            part.unflatten(0, (num_envs, steps)).swapaxes(0, 1).cpu().numpy() for part in parts
        )
        return actions, values, log_probs, states


def _open_loop(env: VecEnv) -> SequenceVectorEnv | None:
    """Return the vector environment whose observations reach the agent unchanged, if any.

    Types are compared exactly, because a subclass may behave differently.
    """
    inner = env.venv if type(env) is VecMonitor else env
    if type(inner) is SequenceVecEnv and type(inner.env) is SequenceVectorEnv:
        return inner.env if inner.env.open_loop else None
    return None


def _only_rollouts_matter(env: VecEnv, callback: BaseCallback) -> bool:
    """Return whether no callback and no monitor looks at single steps."""
    if type(env) is VecMonitor and (env.results_writer or env.info_keywords):
        return False
    return type(callback) is ConvertCallback and callback.callback is None

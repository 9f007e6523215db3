"""Recurrent PPO that learns from whole sequences: sb3-contrib's, at two to four times its speed.

`SequencePPO` is a subclass of ``sb3_contrib.RecurrentPPO``, and computes what that computes. It is
faster because it

- cuts rollouts where episodes begin, never within one, so that a recurrent network runs over a
  whole sequence in one call and no hidden state but that at the rollout's start is kept;
- runs the network over a whole rollout at once where what will be shown is known beforehand,
  which is so in every open-loop environment, and has the answers judged at once too where no
  callback looks on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import sb3_contrib
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.buffers import RecurrentRolloutBuffer
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RecurrentRolloutBufferSamples, RNNStates
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.distributions import (
    CategoricalDistribution,
    DiagGaussianDistribution,
    Distribution,
    MultiCategoricalDistribution,
)
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv, VecMonitor
from torch import Tensor, nn

from agents.networks import init_gates
from seqenvs import SequenceVectorEnv
from seqenvs.adapters.sb3 import SequenceVecEnv
from seqenvs.validation import check_choice

States = tuple[Tensor, Tensor]

MOST_ODDS = 50.0  # of a wrong answer's probability, so that no single step is all of a minibatch


class PairedGRU(nn.GRU):
    """A GRU that is called as an LSTM is: its state is a pair, whose second half is not used."""

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, States]:  # type: ignore[override]
        """Run over (T, B, F) from states of (layers, B, H) each."""
        output, hidden = super().forward(x, states[0])
        return output, (hidden, states[1])


class SequencePolicy(RecurrentActorCriticPolicy):
    """sb3-contrib's recurrent policy with whole-sequence calls, a GRU, and gates set at the start.

    Args:
        *args: As for ``RecurrentActorCriticPolicy``.
        cell: ``"lstm"`` or ``"gru"``.
        gates: Arguments of `agents.networks.init_gates`, such as ``{"forget_bias": 3.0}``.
        **kwargs: As for ``RecurrentActorCriticPolicy``.

    Raises:
        ValueError: Another cell, or gates that can't be set so.
    """

    def __init__(
        self, *args: Any, cell: str = "lstm", gates: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        check_choice("cell", cell, ("lstm", "gru"))
        for name in ("lstm_actor", "lstm_critic"):
            lstm = getattr(self, name)
            if lstm is None:
                continue
            if cell == "gru":
                sizes = lstm.input_size, lstm.hidden_size, lstm.num_layers
                setattr(self, name, PairedGRU(*sizes, **self.lstm_kwargs))
            init_gates(getattr(self, name), **(gates or {}))
        if cell == "gru":  # the optimizer was made for what has been replaced
            options = {"lr": self.optimizer.param_groups[0]["lr"], **self.optimizer_kwargs}
            self.optimizer = self.optimizer_class(self.parameters(), **options)

    @staticmethod
    def _process_sequence(  # type: ignore[override]
        features: Tensor, lstm_states: States, episode_starts: Tensor, lstm: Any
    ) -> tuple[Tensor, States]:
        """Run over whole sequences; one call, or one more for each time that an episode begins."""
        n_seq = lstm_states[0].shape[1]
        sequence = features.reshape(n_seq, -1, lstm.input_size).swapaxes(0, 1)
        starts = episode_starts.reshape(n_seq, -1).swapaxes(0, 1)
        cuts = [0, *(torch.nonzero(starts[1:].any(dim=1))[:, 0] + 1).tolist(), len(starts)]
        outputs = []
        for first, stop in pairwise(cuts):
            keep = (1.0 - starts[first]).view(1, n_seq, 1)
            lstm_states = (keep * lstm_states[0], keep * lstm_states[1])
            output, lstm_states = lstm(sequence[first:stop], lstm_states)
            outputs.append(output)
        whole = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        return whole.transpose(0, 1).flatten(0, 1), lstm_states

    # While a rollout is collected: the noise of its steps, and where they could be foreseen, what
    # `forward` will return for each.
    noise: Iterator[Tensor] | None = None
    foreseen: Iterator[tuple[Tensor, Tensor, Tensor, RNNStates]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles, such as a callback makes, act on their own."""
        return {**self.__dict__, "noise": None, "foreseen": None}

    def forward(  # type: ignore[override]
        self,
        obs: Tensor,
        lstm_states: RNNStates,
        episode_starts: Tensor,
        deterministic: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor, RNNStates]:
        """Act on one step of B streams: actions, values, log-probabilities, states thereafter."""
        if self.foreseen is not None:
            return next(self.foreseen)
        if self.noise is not None:
            return self.act(obs, lstm_states, episode_starts, next(self.noise))
        return super().forward(obs, lstm_states, episode_starts, deterministic)

    def act(
        self, obs: Tensor, lstm_states: Any, episode_starts: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, RNNStates]:
        """Act on B sequences of T time steps, with noise that is given.

        Args:
            obs: (B * T, ...), sequence after sequence.
            lstm_states: The ``RNNStates`` before the first time step.
            episode_starts: (B * T,), 1.0 where an episode begins.
            noise: (B * T, ...), from `draw_noise`.

        Returns:
            Actions (B * T, ...), values (B * T, 1), log-probabilities (B * T,), states thereafter.
        """
        features: Any = self.extract_features(obs)
        if self.share_features_extractor:
            features = features, features
        pi_features, vf_features = features
        latent_pi, states_pi = self._process_sequence(
            pi_features, lstm_states.pi, episode_starts, self.lstm_actor
        )
        states_vf = states_pi
        if self.lstm_critic is not None:
            latent_vf, states_vf = self._process_sequence(
                vf_features, lstm_states.vf, episode_starts, self.lstm_critic
            )
        elif self.shared_lstm:
            latent_vf = latent_pi
        else:
            assert self.critic is not None
            latent_vf = self.critic(vf_features)
        values = self.value_net(self.mlp_extractor.forward_critic(latent_vf))
        distribution = self._get_action_dist_from_latent(
            self.mlp_extractor.forward_actor(latent_pi)
        )
        actions = _sample(distribution, noise)
        log_probs = distribution.log_prob(actions)
        actions = actions.reshape(-1, *(self.action_space.shape or ()))
        return actions, values, log_probs, RNNStates(states_pi, states_vf)


def draw_noise(space: spaces.Space[Any], *shape: int) -> Tensor | None:
    """Draw what `SequencePolicy.act` samples actions with; None for a space that it can't sample.

    Drawn for a whole rollout at once, so that it doesn't matter how many steps are acted at a time.
    """
    if isinstance(space, spaces.Discrete):
        return torch.empty(*shape, int(space.n)).exponential_()
    if isinstance(space, spaces.MultiDiscrete):
        return torch.empty(*shape, int(space.nvec.sum())).exponential_()
    if isinstance(space, spaces.Box):
        return torch.randn(*shape, int(np.prod(space.shape)))
    return None


def _sample(distribution: Distribution, noise: Tensor) -> Tensor:
    """Sample actions; of categories, that whose exponential clock rings first is drawn."""

    def category(one: Any, clocks: Tensor) -> Tensor:
        drawn: Tensor = (one.logits - clocks.log()).argmax(dim=-1)
        return drawn

    if isinstance(distribution, CategoricalDistribution):
        return category(distribution.distribution, noise)
    if isinstance(distribution, MultiCategoricalDistribution):
        each = distribution.distribution
        parts = torch.split(noise, [one.logits.shape[-1] for one in each], dim=-1)
        return torch.stack([category(*pair) for pair in zip(each, parts, strict=True)], dim=-1)
    assert isinstance(distribution, DiagGaussianDistribution)
    gaussian = distribution.distribution
    return gaussian.mean + gaussian.stddev * noise


class SequenceRolloutBuffer(RecurrentRolloutBuffer):
    """A rollout that is cut into sequences: from one episode start, or the rollout's, to the next.

    Minibatches consist of whole sequences, in random order. Where all are equally long nothing is
    padded. Of the recurrent states, only those before the first step are kept.

    Attributes:
        first_states: Those before the first step.
        outcome: Whether advantages are those of the outcome, see `SequencePPO`.
    """

    first_states: RNNStates
    outcome = False

    def reset(self) -> None:
        """Empty it, and make no room for recurrent states."""
        RolloutBuffer.reset(self)

    def add(self, *args: Any, lstm_states: RNNStates, **kwargs: Any) -> None:  # type: ignore[override]
        """Add a step of all streams; ``lstm_states`` are those before it."""
        if self.pos == 0:
            self.first_states = lstm_states
        RolloutBuffer.add(self, *args, **kwargs)

    def fill(self, *, lstm_states: RNNStates, **arrays: Any) -> None:
        """Add all steps at once; (steps, streams, ...) arrays, named as the attributes are."""
        self.first_states = lstm_states
        for name, array in arrays.items():
            kept = getattr(self, name)
            kept[:] = array.reshape(kept.shape)
        self.pos, self.full = self.buffer_size, True

    def compute_returns_and_advantage(self, last_values: Tensor, dones: Any) -> None:
        """Compute what is learned from, once the rollout is complete."""
        super().compute_returns_and_advantage(last_values, dones)
        if self.outcome:
            paid = self.rewards > 0
            worth = self.rewards[paid].mean() if paid.any() else 1.0
            chance = np.exp(self.log_probs)
            odds = np.minimum(chance, self.values.clip(0) / worth)
            odds /= np.maximum(1 - chance, 1 / MOST_ODDS)
            advantages = np.where(paid, 1, -odds)
            # Where few answers are due, gradients would be too small for Adam's epsilon.
            size = np.sqrt(np.mean(advantages**2))
            self.advantages = (advantages / (size or 1.0)).astype(np.float32)

    def get(self, batch_size: int | None = None) -> Iterator[RecurrentRolloutBufferSamples]:  # type: ignore[override]
        """Yield minibatches of about ``batch_size`` steps; None for all in one."""
        assert self.full, "the rollout is not complete yet"
        if not self.generator_ready:
            for name in (
                "observations", "actions", "values", "log_probs",
                "advantages", "returns", "episode_starts",
            ):  # fmt: skip
                setattr(self, name, self.swap_and_flatten(getattr(self, name)))
            self.generator_ready = True
        size = self.buffer_size * self.n_envs
        cut = self.episode_starts[:, 0] > 0
        cut[:: self.buffer_size] = True
        begins = np.flatnonzero(cut)
        lengths = np.diff(begins, append=size)
        if batch_size is None or batch_size >= size:
            yield self._sequences(begins, lengths)
            return
        order = np.random.permutation(len(begins))
        begins, lengths = begins[order], lengths[order]
        # Minibatches are about as large as each other: the last could else be one step, whose
        # advantage can't be normalised. A sequence is in the one in which its middle falls.
        each = size / np.ceil(size / batch_size)
        part = ((np.cumsum(lengths) - lengths / 2) // each).astype(int)
        for members in np.split(np.arange(len(begins)), np.flatnonzero(np.diff(part)) + 1):
            yield self._sequences(begins[members], lengths[members])

    def _sequences(self, begins: Any, lengths: Any) -> RecurrentRolloutBufferSamples:
        steps = np.arange(lengths.max())
        mask = steps < lengths[:, None]
        rows = (begins[:, None] + steps * mask).ravel()
        whole = len(rows) == len(self.values) and bool((rows[1:] == rows[:-1] + 1).all())
        inside = self.to_torch(mask.ravel().astype(np.float32), copy=False)

        def take(array: Any) -> Tensor:
            return self.to_torch(array if whole else array[rows], copy=False)

        streams = torch.as_tensor(begins // self.buffer_size, device=self.device)
        kept = torch.as_tensor(begins % self.buffer_size == 0, device=self.device)[:, None]
        states = (tuple(part[:, streams] * kept for part in pair) for pair in self.first_states)
        return RecurrentRolloutBufferSamples(
            observations=take(self.observations),
            actions=take(self.actions),
            old_values=take(self.values).flatten(),
            old_log_prob=take(self.log_probs).flatten(),
            advantages=take(self.advantages).flatten(),
            returns=take(self.returns).flatten(),
            lstm_states=RNNStates(*states),
            episode_starts=take(self.episode_starts).flatten() * inside,
            mask=inside,
        )


class SequencePPO(sb3_contrib.RecurrentPPO):
    """``sb3_contrib.RecurrentPPO`` that learns from whole sequences.

    ``save``, ``load``, ``predict``, callbacks and the logger are Stable-Baselines3's.
    ``batch_size`` is counted in steps and rounded to whole sequences.

    With ``advantage="outcome"`` an answer's advantage is not its reward above the critic's
    estimate, but what the answer's outcome says about the policy's own probability p of it, taken
    for the probability that it is right: 1 if it was paid, and -p / (1 - p) if not. These are the
    derivatives of the logarithm of the outcome's likelihood, p or 1 - p, by log p. The policy then
    stays calibrated: it is hardly corrected for a wrong answer that it doubted, strongly for one
    that it was sure of, and needs no entropy bonus to go on exploring. Where the critic expects
    less than p, as where no answer is paid at all, the numerator is what it expects. This takes
    rewards that depend on the step's own answer alone, and pay for one answer only: those of a
    sequence problem.

    Args:
        *args: As for ``RecurrentPPO``.
        advantage: ``"gae"``, as for ``RecurrentPPO``, or ``"outcome"``.
        **kwargs: As for ``RecurrentPPO``; ``policy_kwargs`` takes those of `SequencePolicy` too.

    Raises:
        TypeError: Dict observations, or ``"outcome"`` and answers that are not Discrete.
        ValueError: Another ``advantage``, or ``"outcome"`` and a ``gamma`` that is not 0.
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
                f"advantage must be 'gae' unless answers are Discrete, got {self.action_space}"
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
        """Play ``n_rollout_steps`` steps of each stream; False if a callback stopped it."""
        policy: Any = self.policy
        buffer: Any = rollout_buffer
        noise = None
        ours = isinstance(policy, SequencePolicy) and isinstance(buffer, SequenceRolloutBuffer)
        if ours and not self.use_sde:
            noise = draw_noise(self.action_space, n_rollout_steps, env.num_envs)
        if noise is None:
            return super().collect_rollouts(env, callback, buffer, n_rollout_steps)
        noise = noise.to(self.device)
        open_loop = _open_loop(env)
        if open_loop is None:
            policy.noise = iter(noise)
        elif _unwatched(env, callback):
            self._play_block(env, open_loop, callback, buffer, noise)
            return True
        else:
            policy.foreseen = self._step_by_step(open_loop, noise)
        try:
            return super().collect_rollouts(env, callback, buffer, n_rollout_steps)
        finally:
            policy.noise = policy.foreseen = None
            if open_loop is not None and 0 < buffer.pos < n_rollout_steps:
                # Stopped on the way, while the states were already those of the end.
                past = slice(buffer.pos)
                played = buffer.observations[past], buffer.episode_starts[past], noise[past]
                *_, self._last_lstm_states = self._act(*played, buffer.first_states)

    def _play_block(
        self,
        env: VecEnv,
        open_loop: SequenceVectorEnv,
        callback: BaseCallback,
        buffer: SequenceRolloutBuffer,
        noise: Tensor,
    ) -> None:
        """Do what the loop over steps does, for all steps at once."""
        policy: Any = self.policy
        policy.set_training_mode(False)
        buffer.reset()
        callback.on_rollout_start()
        foreseen = self._foresee(open_loop, noise)
        observations, starts, actions, values, log_probs, lstm_states = foreseen
        answers = actions = actions.cpu().numpy()
        if isinstance(self.action_space, spaces.Box):
            answers = np.clip(actions, self.action_space.low, self.action_space.high)
        following, rewards, dones, _, infos = open_loop.step_block(answers)
        rewards, new_obs = rewards.astype(np.float32), following[-1].copy()
        self.num_timesteps += dones.size
        if isinstance(env, VecMonitor):
            self._note_episodes(env, rewards, dones)
        if dones.any():
            assert self.ep_success_buffer is not None
            self.ep_success_buffer.extend(infos["final_info"]["is_success"][dones].tolist())
        buffer.fill(
            lstm_states=self._last_lstm_states,
            observations=observations,
            actions=actions,
            rewards=rewards,
            episode_starts=starts,
            values=values.cpu().numpy(),
            log_probs=log_probs.cpu().numpy(),
        )
        self._last_obs, self._last_episode_starts = new_obs, dones[-1].copy()
        self._last_lstm_states = lstm_states
        callback.update_locals(locals())
        with torch.no_grad():
            ended = torch.as_tensor(dones[-1], dtype=torch.float32, device=self.device)
            shown = obs_as_tensor(new_obs, self.device)
            last_values = policy.predict_values(shown, lstm_states.vf, ended)
        buffer.compute_returns_and_advantage(last_values, dones[-1])
        callback.on_rollout_end()

    def _note_episodes(self, monitor: VecMonitor, rewards: Any, dones: Any) -> None:
        """Do what the monitor does with the rewards of each step, and with the infos it makes."""
        assert self.ep_info_buffer is not None
        returns, lengths = monitor.episode_returns, monitor.episode_lengths
        seconds = round(time.time() - monitor.t_start, 6)
        for paid, ended in zip(rewards, dones, strict=True):
            returns += paid
            lengths += 1
            for i in np.flatnonzero(ended).tolist():
                self.ep_info_buffer.append({"r": returns[i], "l": lengths[i], "t": seconds})
                monitor.episode_count += 1
                returns[i] = lengths[i] = 0

    def _foresee(self, env: SequenceVectorEnv, noise: Tensor) -> Any:
        """Act on all steps at once: what is shown, where episodes begin, and `_act`'s results."""
        steps = len(noise)
        observations = env.observe_block(steps).copy()
        # Another only after a callback stopped a rollout: SB3 forgets the step that was just made.
        observations[0] = self._last_obs
        starts = np.empty((steps, env.num_envs), np.float32)
        starts[0] = self._last_episode_starts
        starts[1:] = env.terminated_block(steps)[:-1]
        return observations, starts, *self._act(observations, starts, noise, self._last_lstm_states)

    def _step_by_step(self, env: SequenceVectorEnv, noise: Tensor) -> Iterator[Any]:
        """Act on all steps at the first one, and give the results one by one."""
        _, _, *parts, lstm_states = self._foresee(env, noise)
        for row in zip(*parts, strict=True):
            yield *row, lstm_states

    def _act(
        self, observations: Any, starts: Any, noise: Tensor, lstm_states: RNNStates
    ) -> tuple[Tensor, Tensor, Tensor, RNNStates]:
        """`SequencePolicy.act` with the time as axis 0 and the stream as axis 1."""
        policy: Any = self.policy
        obs, start, clocks = (
            torch.as_tensor(array, device=self.device).swapaxes(0, 1).flatten(0, 1)
            for array in (observations, starts, noise)
        )
        with torch.no_grad():
            *parts, lstm_states = policy.act(obs, lstm_states, start, clocks)
        streams, steps = noise.shape[1], noise.shape[0]
        by_time = (part.unflatten(0, (streams, steps)).swapaxes(0, 1) for part in parts)
        return *by_time, lstm_states


def _open_loop(env: VecEnv) -> SequenceVectorEnv | None:
    """The vector environment whose observations the agent sees unchanged, if that is what it is.

    Types are compared, since what is derived from these may do something else.
    """
    inner = env.venv if type(env) is VecMonitor else env
    if type(inner) is SequenceVecEnv and type(inner.env) is SequenceVectorEnv:
        return inner.env if inner.env.open_loop else None
    return None


def _unwatched(env: VecEnv, callback: BaseCallback) -> bool:
    """Whether nobody looks at single steps: no callback, and no monitor that keeps their infos."""
    if type(env) is VecMonitor and (env.results_writer or env.info_keywords):
        return False
    return type(callback) is ConvertCallback and callback.callback is None

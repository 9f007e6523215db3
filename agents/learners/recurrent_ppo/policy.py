"""The policy of recurrent PPO: sb3-contrib's, with whole-sequence calls and a choice of cells."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.distributions import (
    CategoricalDistribution,
    DiagGaussianDistribution,
    Distribution,
    MultiCategoricalDistribution,
)
from torch import Tensor, nn

from agents.networks import init_gates
from seqenvs.validation import check_choice

States = tuple[Tensor, Tensor]


class PairedGRU(nn.GRU):
    """A GRU with the interface of an LSTM: its state is a pair, and the second half is unused."""

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, States]:  # type: ignore[override]
        """Process (T, B, F), starting from states of shape (layers, B, H) each."""
        output, hidden = super().forward(x, states[0])
        return output, (hidden, states[1])


class SequencePolicy(RecurrentActorCriticPolicy):
    """A recurrent actor-critic policy with whole-sequence calls, LSTM or GRU, and gate options.

    Args:
        *args: As for ``RecurrentActorCriticPolicy``.
        cell: ``"lstm"`` or ``"gru"``.
        gates: Arguments of `agents.networks.init_gates`, such as ``{"forget_bias": 3.0}``.
        **kwargs: As for ``RecurrentActorCriticPolicy``.

    Raises:
        TypeError, ValueError: Another cell, or gates that cannot be initialised like that.
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
        if cell == "gru":  # the optimizer still has the parameters of the replaced LSTM
            options = {"lr": self.optimizer.param_groups[0]["lr"], **self.optimizer_kwargs}
            self.optimizer = self.optimizer_class(self.parameters(), **options)

    @staticmethod
    def _process_sequence(  # type: ignore[override]
        features: Tensor, lstm_states: States, episode_starts: Tensor, lstm: Any
    ) -> tuple[Tensor, States]:
        """Process sequences with one call, and one more for each time step that starts episodes."""
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

    def act(
        self, obs: Tensor, lstm_states: Any, episode_starts: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, RNNStates]:
        """Act on B sequences of T time steps, with given random numbers.

        Args:
            obs: (B * T, ...), one sequence after another.
            lstm_states: The ``RNNStates`` before the first time step.
            episode_starts: (B * T,), 1.0 where an episode begins.
            noise: (B * T, ...), from `draw_noise`.

        Returns:
            Actions (B * T, ...), values (B * T, 1), log-probabilities (B * T,), and the states
            after the last time step.
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
    """Draw the random numbers that `SequencePolicy.act` samples actions with.

    Args:
        space: The action space.
        *shape: How many actions.

    Returns:
        A tensor whose last axis is the noise of one action, or None where ``space`` is not
        Discrete, MultiDiscrete or Box.
    """
    if isinstance(space, spaces.Discrete):
        return torch.empty(*shape, int(space.n)).exponential_()
    if isinstance(space, spaces.MultiDiscrete):
        return torch.empty(*shape, int(space.nvec.sum())).exponential_()
    if isinstance(space, spaces.Box):
        return torch.randn(*shape, int(np.prod(space.shape)))
    return None


def _sample(distribution: Distribution, noise: Tensor) -> Tensor:
    """Sample actions; categories by the Gumbel-max trick, whose noise is -log of exponentials."""

    def category(one: Any, exponentials: Tensor) -> Tensor:
        drawn: Tensor = (one.logits - exponentials.log()).argmax(dim=-1)
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

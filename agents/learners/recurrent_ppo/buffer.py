"""A rollout buffer whose minibatches consist of whole sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sb3_contrib.common.recurrent.buffers import RecurrentRolloutBuffer
from sb3_contrib.common.recurrent.type_aliases import RecurrentRolloutBufferSamples, RNNStates
from stable_baselines3.common.buffers import RolloutBuffer
from torch import Tensor

MOST_ODDS = 50.0  # of a wrong action, so that one step cannot dominate a minibatch


class SequenceRolloutBuffer(RecurrentRolloutBuffer):
    """A rollout that is cut into sequences, each from one start to the next.

    A sequence starts where the rollout or an episode starts. Minibatches consist of whole
    sequences in random order, padded to the longest of them. The only recurrent states that are
    stored are those before the first step.

    Attributes:
        first_states: The recurrent states before the first step.
        outcome: Whether to compute outcome advantages, see `SequencePPO`.
    """

    first_states: RNNStates
    outcome = False

    def reset(self) -> None:
        """Empty the buffer; in contrast to the base class, allocate no recurrent states."""
        RolloutBuffer.reset(self)

    def add(self, *args: Any, lstm_states: RNNStates, **kwargs: Any) -> None:  # type: ignore[override]
        """Append one step of all environments; ``lstm_states`` are those before it."""
        if self.pos == 0:
            self.first_states = lstm_states
        RolloutBuffer.add(self, *args, **kwargs)

    def fill(self, *, lstm_states: RNNStates, **arrays: Any) -> None:
        """Store a whole rollout.

        Args:
            lstm_states: The recurrent states before its first step.
            **arrays: An array of shape (steps, num_envs, ...) for each attribute of the buffer.
        """
        self.first_states = lstm_states
        for name, array in arrays.items():
            kept = getattr(self, name)
            kept[:] = array.reshape(kept.shape)
        self.pos, self.full = self.buffer_size, True

    def compute_returns_and_advantage(self, last_values: Tensor, dones: Any) -> None:
        """Compute returns and advantages of a complete rollout."""
        super().compute_returns_and_advantage(last_values, dones)
        if self.outcome:
            right = self.rewards > 0
            reward_weight = self.rewards[right].mean() if right.any() else 1.0
            chance = np.exp(self.log_probs)
            odds = np.minimum(chance, self.values.clip(0) / reward_weight)
            odds /= np.maximum(1 - chance, 1 / MOST_ODDS)
            advantages = np.where(right, 1, -odds)
            # Where few answers are due, gradients would be small compared to Adam's epsilon.
            size = np.sqrt(np.mean(advantages**2))
            self.advantages = (advantages / (size or 1.0)).astype(np.float32)

    def get(self, batch_size: int | None = None) -> Iterator[RecurrentRolloutBufferSamples]:  # type: ignore[override]
        """Yield minibatches of about ``batch_size`` steps; None for one of all steps."""
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
        # All minibatches have about the same size. Otherwise the last could consist of one step,
        # whose advantage cannot be normalised. The middle of a sequence decides where it belongs.
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

        envs = torch.as_tensor(begins // self.buffer_size, device=self.device)
        kept = torch.as_tensor(begins % self.buffer_size == 0, device=self.device)[:, None]
        states = (tuple(part[:, envs] * kept for part in pair) for pair in self.first_states)
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

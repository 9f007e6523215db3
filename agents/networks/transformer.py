# ruff: noqa: D102 - the docstrings of Network hold for its subclasses
"""A causal transformer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.base import Network, NetworkOptions, State

HEADS = 4


class _Attention(nn.Module):
    """A block of the transformer, split into the parts that `forward` and `step` share."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.project = nn.Linear(hidden, 3 * hidden)
        self.merge = nn.Linear(hidden, hidden)
        self.feed = nn.Sequential(
            nn.LayerNorm(hidden),
            nn.Linear(hidden, 4 * hidden),
            nn.GELU(),
            nn.Linear(4 * hidden, hidden),
        )

    def project_all(self, x: Tensor) -> State:
        """Compute queries, keys, values: (B, T, hidden) to (B, heads, T, hidden / heads) each."""
        parts = self.project(self.norm(x)).unflatten(2, (3, HEADS, -1))
        return tuple(parts.permute(2, 0, 3, 1, 4))

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add the result of the attention, (B, heads, T, hidden / heads), and apply the MLP."""
        x = x + self.merge(attended.transpose(1, 2).flatten(2))
        fed: Tensor = self.feed(x)
        return x + fed


class Transformer(Network):
    """A causal transformer with learned positions.

    Vaswani et al., "Attention Is All You Need" (2017). Layer normalisation comes before each part,
    as in Xiong et al., "On Layer Normalization in the Transformer Architecture" (2020). The state
    consists of the keys and values of ``steps`` time steps and the index of the present step. A
    longer episode raises ValueError.
    """

    blocks: Any  # a ModuleList, which has no element type

    def __init__(self, num_inputs: int, num_outputs: int, options: NetworkOptions) -> None:
        super().__init__(num_inputs, num_outputs, options)
        if options.hidden % HEADS:
            raise ValueError(
                f"hidden must be a multiple of {HEADS} for the transformer, got {options.hidden}"
            )
        if options.steps is None:
            raise TypeError(
                "steps must be an int at least 1 for the transformer, which must know the largest "
                "number of time steps of an episode, got None"
            )
        self.steps, hidden = options.steps, options.hidden
        self.cache_shape = options.layers, HEADS, options.steps, hidden // HEADS
        self.embed = nn.Linear(num_inputs, hidden)
        self.positions = nn.Parameter(torch.randn(options.steps, hidden) / hidden**0.5)
        self.blocks = nn.ModuleList(_Attention(hidden) for _ in range(options.layers))
        self.head = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, num_outputs))

    def _check(self, steps: int) -> None:
        if steps > self.steps:
            raise ValueError(
                f"an episode has at least {steps} time steps, but the transformer was made for "
                f"steps={self.steps}"
            )

    def features(self, x: Tensor) -> Tensor:
        self._check(x.shape[1])
        hidden: Tensor = self.embed(x) + self.positions[: x.shape[1]]
        for block in self.blocks:
            query, key, value = block.project_all(hidden)
            attended = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            hidden = block.finish(hidden, attended)
        return hidden

    def initial_state(self, size: int) -> State:
        cache = torch.zeros(size, *self.cache_shape)
        return cache, cache, torch.zeros(size, dtype=torch.int64)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        keys, values, time = state[0].clone(), state[1].clone(), state[2]
        self._check(int(time.max()) + 1)
        batch = torch.arange(len(x))
        past = (torch.arange(self.steps) <= time[:, None])[:, None, None]
        hidden = (self.embed(x) + self.positions[time])[:, None]
        for index, block in enumerate(self.blocks):
            query, key, value = block.project_all(hidden)
            keys[batch, index, :, time] = key[:, :, 0]
            values[batch, index, :, time] = value[:, :, 0]
            attended = functional.scaled_dot_product_attention(
                query, keys[:, index], values[:, index], attn_mask=past
            )
            hidden = block.finish(hidden, attended)
        return self.head(hidden[:, 0]), (keys, values, time + 1)

# ruff: noqa: D102 - the docstrings of Network hold for its subclasses
"""The linear recurrent unit, which trains in parallel over time."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.base import Network, NetworkOptions, State


class _DiagonalRecurrence(nn.Module):
    """A block of the LRU: normalisation, recurrence and a gated output, with a residual path.

    The initial eigenvalues are uniform in the ring between the radii `LEAST` and `MOST`.
    """

    LEAST, MOST = 0.5, 0.999

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        squared = self.LEAST**2 + torch.rand(size) * (self.MOST**2 - self.LEAST**2)
        self.log_decay = nn.Parameter((-squared.log() / 2).log())
        self.log_phase = nn.Parameter((2 * math.pi * torch.rand(size)).log())
        self.log_gain = nn.Parameter((1 - squared).log() / 2)
        self.enter = nn.Parameter(torch.randn(2, size, size) / (2 * size) ** 0.5)
        self.leave = nn.Parameter(torch.randn(2, size, size) / size**0.5)
        self.through = nn.Parameter(torch.randn(size))
        self.gate = nn.Sequential(nn.GELU(), nn.Linear(size, 2 * size), nn.GLU())

    def eigenvalues(self) -> Tensor:
        """Return the (hidden,) complex eigenvalues, which are always inside the unit circle."""
        return torch.exp(torch.complex(-self.log_decay.exp(), self.log_phase.exp()))

    def drive(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise (..., hidden), and compute the complex input of the recurrence."""
        x = self.norm(x)
        real, imaginary = (self.log_gain.exp()[:, None] * self.enter).unbind()
        return x, torch.complex(functional.linear(x, real), functional.linear(x, imaginary))

    def read(self, x: Tensor, normed: Tensor, state: Tensor) -> Tensor:
        """Add the output of the block, from its normalised input and the complex state."""
        real, imaginary = self.leave.unbind()
        seen = functional.linear(state.real, real) - functional.linear(state.imag, imaginary)
        mixed: Tensor = self.gate(seen + self.through * normed)
        return x + mixed


class LRU(Network):
    """A linear recurrent unit, which is trained without a loop over time.

    Orvieto et al., "Resurrecting Recurrent Neural Networks for Long Sequences" (2023): a complex
    diagonal recurrence with ring initialisation, exponential parametrisation and normalisation.
    """

    blocks: Any

    def __init__(self, num_inputs: int, num_outputs: int, options: NetworkOptions) -> None:
        super().__init__(num_inputs, num_outputs, options)
        self.state_shape = options.layers, options.hidden
        self.embed = nn.Linear(num_inputs, options.hidden)
        self.blocks = nn.ModuleList(
            _DiagonalRecurrence(options.hidden) for _ in range(options.layers)
        )
        self.head = nn.Linear(options.hidden, num_outputs)

    def features(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.embed(x)
        for block in self.blocks:
            normed, state = block.drive(hidden)
            power, reach = block.eigenvalues(), 1
            # A parallel scan, whose sums reach twice as far back after each pass: Hillis and
            # Steele (1986).
            while reach < x.shape[1]:
                earlier = functional.pad(power * state[:, :-reach], (0, 0, reach, 0))
                state, power, reach = state + earlier, power * power, 2 * reach
            hidden = block.read(hidden, normed, state)
        return hidden

    def initial_state(self, size: int) -> State:
        return (torch.zeros(size, *self.state_shape, dtype=torch.complex64),)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        hidden, states = self.embed(x), []
        for index, block in enumerate(self.blocks):
            normed, entering = block.drive(hidden)
            states.append(block.eigenvalues() * state[0][:, index] + entering)
            hidden = block.read(hidden, normed, states[-1])
        return self.head(hidden), (torch.stack(states, 1),)

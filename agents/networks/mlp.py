# ruff: noqa: D102 - the docstrings of Network hold for its subclasses
"""Multi-layer perceptrons: of the present observation, or of the last few."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.base import Network, NetworkOptions, State


def _mlp(num_inputs: int, num_outputs: int, options: NetworkOptions) -> nn.Sequential:
    sizes = [num_inputs] + [options.hidden] * options.layers
    hidden: list[nn.Module] = []
    for low, high in pairwise(sizes):
        hidden += [nn.Linear(low, high), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], num_outputs))


class MLP(Network):
    """A multi-layer perceptron that sees the present observation only."""

    remembers = False

    def __init__(self, num_inputs: int, num_outputs: int, options: NetworkOptions) -> None:
        super().__init__(num_inputs, num_outputs, options)
        self.head = _mlp(num_inputs, num_outputs, options)

    def features(self, x: Tensor) -> Tensor:
        return x

    def initial_state(self, size: int) -> State:
        return ()

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return self.head(x), ()


class WindowMLP(Network):
    """A multi-layer perceptron that sees the last ``window`` observations.

    At the beginning of an episode, zeros take the place of the missing ones.
    """

    def __init__(self, num_inputs: int, num_outputs: int, options: NetworkOptions) -> None:
        super().__init__(num_inputs, num_outputs, options)
        self.num_inputs, self.before = num_inputs, options.window - 1
        self.head = _mlp(num_inputs * options.window, num_outputs, options)

    def features(self, x: Tensor) -> Tensor:
        padded = functional.pad(x, (0, 0, self.before, 0))
        windows = padded.unfold(1, self.before + 1, 1).transpose(2, 3)
        return windows.flatten(2)

    def initial_state(self, size: int) -> State:
        return (torch.zeros(size, self.before, self.num_inputs),)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        window = torch.cat([state[0], x[:, None]], 1)
        return self.head(window.flatten(1)), (window[:, 1:],)

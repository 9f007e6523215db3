"""The interface of all networks: whole sequences, or one time step at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from agents.config import SupervisedOptions

State = tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(SupervisedOptions):
    """The size of a network, and what it must know of the environment.

    Attributes:
        steps: Largest number of time steps of an episode; ``transformer`` needs it.
        blank: (F,) float32, the observation of a blank step; ``encoder_decoder`` needs it.
    """

    steps: int | None = None
    blank: Tensor | None = None


class Network(nn.Module, ABC):
    """A network that maps a sequence to an output for each time step.

    Args:
        num_inputs: Number F of inputs at each time step.
        num_outputs: Number of outputs at each time step.
        options: Its size and the other options. The weights come from torch's global random
            generator.

    Raises:
        TypeError, ValueError: An option that this network does not have, or that it needs.

    Shapes: B episodes of T time steps, with F inputs at each. Axis 0 is the batch everywhere.
    `forward` and `step` compute the same function.

    Attributes:
        sees_future: Whether an output depends on later inputs. Such a network has no `step`.
        remembers: Whether an output depends on earlier inputs. Otherwise the memoryless bound
            is the best that the network can reach.
        gated: Whether the options of `init_gates` apply.
    """

    sees_future: ClassVar[bool] = False
    remembers: ClassVar[bool] = True
    gated: ClassVar[bool] = False
    head: Callable[[Tensor], Tensor]  # the last layers, applied to each time step alone

    def __init__(self, num_inputs: int, num_outputs: int, options: NetworkOptions) -> None:
        super().__init__()
        for option, value in options.gates.items():
            if not (self.gated or value is None or value is False):
                raise ValueError(
                    f"{option} must be left out for the network {type(self).__name__}, got "
                    f"{value!r}: it applies to networks with gates"
                )

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Compute the inputs of the head: (B, T, F) float32 to (B, T, ...) float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Process whole episodes: (B, T, F) float32 to (B, T, outputs) float32."""
        return self.head(self.features(x))

    @abstractmethod
    def initial_state(self, size: int) -> State:
        """Return the state before the first time step of ``size`` episodes."""

    @abstractmethod
    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Process one time step: (B, F) and a state to (B, outputs) and the next state.

        ``state`` is not changed.

        Raises:
            TypeError: The network sees the future, so that it cannot act step by step.
        """

    def unroll(self, x: Tensor) -> Tensor:
        """Compute what `forward` computes, one `step` at a time."""
        state, outputs = self.initial_state(len(x)), []
        for now in x.unbind(1):
            output, state = self.step(now, state)
            outputs.append(output)
        return torch.stack(outputs, 1)

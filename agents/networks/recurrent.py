# ruff: noqa: D102 - the docstrings of Network hold for its subclasses
"""Recurrent networks, and how their gates are initialised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from agents.config import Gates
from agents.networks.base import Network, NetworkOptions, State

HOLD_SHUT = 2.0


def init_gates(rnn: nn.LSTM | nn.GRU, **options: Any) -> None:
    """Initialise the gates of an LSTM or GRU, which decide how long it remembers at first.

    All layers and directions are initialised, with torch's global random generator.

    Args:
        rnn: The LSTM or GRU, changed in place.
        **options: The fields of `agents.config.Gates`.

    Raises:
        TypeError: ``rnn`` is something else, or an option has a wrong type.
        ValueError: An option out of range, or two options that set the same biases.
    """
    if not isinstance(rnn, (nn.LSTM, nn.GRU)):
        raise TypeError(f"rnn must be a torch.nn.LSTM or GRU, got {rnn!r}")
    gates = Gates(**options)
    # The order of the gates in torch: LSTM input, forget, cell, output; GRU reset, update, new.
    size, lstm = rnn.hidden_size, isinstance(rnn, nn.LSTM)
    first, keeps, last = (slice(k * size, (k + 1) * size) for k in (0, 1, 3))
    with torch.no_grad():
        for name, weight in rnn.named_parameters():
            if name.startswith("weight_hh"):
                if gates.orthogonal or gates.delay_line is not None:
                    for gate in weight.view(-1, size, size):
                        nn.init.orthogonal_(gate)
            elif name.startswith("weight_ih"):
                if gates.hold is not None:
                    weight.uniform_(-1, 1)
            elif name.startswith("bias_ih"):
                bias = torch.full_like(weight, torch.nan)
                if gates.forget_bias is not None:
                    bias[keeps] = gates.forget_bias
                elif gates.chrono is not None:
                    bias[keeps].uniform_(1, gates.chrono - 1).log_()
                    if lstm:
                        bias[first] = -bias[keeps]
                elif gates.delay_line is not None:
                    bias[first], bias[keeps] = gates.delay_line, -gates.delay_line
                    if lstm:
                        bias[last] = gates.delay_line
                elif gates.hold is not None:
                    bias[keeps] = gates.hold
                    if lstm:
                        bias[first] = -HOLD_SHUT
                unset = bias.isnan()
                weight.copy_(torch.where(unset, weight, bias))
                other = getattr(rnn, name.replace("_ih", "_hh"))
                other *= unset  # torch adds the two bias vectors


def swap_axes(state: State) -> State:
    """Turn (B, layers, hidden), as used here, into torch's (layers, B, hidden), or back."""
    return tuple(part.transpose(0, 1).contiguous() for part in state)


class _Recurrent(Network):
    """A recurrent layer of torch and a linear head."""

    layer: ClassVar[Callable[..., nn.RNNBase]]
    state_parts: ClassVar[int] = 1
    directions: ClassVar[int] = 1

    def __init__(self, num_inputs: int, num_outputs: int, options: NetworkOptions) -> None:
        super().__init__(num_inputs, num_outputs, options)
        self.state_shape = options.layers, options.hidden
        self.rnn = type(self).layer(
            num_inputs,
            options.hidden,
            options.layers,
            batch_first=True,
            bidirectional=self.directions == 2,
        )
        if isinstance(self.rnn, (nn.LSTM, nn.GRU)):
            init_gates(self.rnn, **options.gates)
        self.head = nn.Linear(self.directions * options.hidden, num_outputs)

    def features(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.rnn(x)[0]
        return hidden

    def initial_state(self, size: int) -> State:
        return (torch.zeros(size, *self.state_shape),) * self.state_parts

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        before = swap_axes(state)
        hidden, after = self.rnn(x[:, None], before if self.state_parts > 1 else before[0])
        return self.head(hidden[:, 0]), swap_axes(after if self.state_parts > 1 else (after,))


class RNN(_Recurrent):
    """A plain recurrent network with tanh units: Elman, "Finding Structure in Time" (1990)."""

    layer = nn.RNN


class GRU(_Recurrent):
    """A gated recurrent unit: Cho et al. (2014), in torch's variant."""

    layer = nn.GRU
    gated = True


class LSTM(_Recurrent):
    """An LSTM with forget gates: Hochreiter and Schmidhuber, "Long Short-Term Memory" (1997)."""

    layer = nn.LSTM
    state_parts = 2
    gated = True


class BiLSTM(_Recurrent):
    """A bidirectional LSTM: Graves and Schmidhuber (2005). It sees the future and cannot act."""

    layer = nn.LSTM
    directions = 2
    gated = True
    sees_future = True

    def initial_state(self, size: int) -> State:
        raise TypeError(
            "bilstm sees the future: it reads whole sequences and cannot act step by step"
        )

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return self.initial_state(len(x))[0], ()

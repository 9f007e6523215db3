# ruff: noqa: D102 - the docstrings of Network hold for its subclasses
"""An encoder-decoder of two LSTMs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from agents.networks.base import Network, NetworkOptions, State
from agents.networks.recurrent import init_gates, swap_axes


class EncoderDecoder(Network):
    """An encoder LSTM that reads the inputs, and a decoder LSTM that answers in the blank steps.

    The decoder starts with the state of the encoder, and its input at every step is the last output
    of the encoder, as in Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder"
    (2014). See also Sutskever et al., "Sequence to Sequence Learning with Neural Networks" (2014).
    Before the first blank step, the output is computed from the encoder.
    """

    gated = True
    blank: Tensor

    def __init__(self, num_inputs: int, num_outputs: int, options: NetworkOptions) -> None:
        super().__init__(num_inputs, num_outputs, options)
        if options.blank is None or options.blank.shape != (num_inputs,):
            raise ValueError(
                f"blank must be a tensor of shape ({num_inputs},) for encoder_decoder, which must "
                f"know where the inputs end, got {options.blank!r}"
            )
        self.register_buffer("blank", options.blank)
        hidden, layers = options.hidden, options.layers
        self.state_shape = layers, hidden
        self.encoder = nn.LSTM(num_inputs, hidden, layers, batch_first=True)
        self.decoder = nn.LSTM(hidden, hidden, layers, batch_first=True)
        for rnn in (self.encoder, self.decoder):
            init_gates(rnn, **options.gates)
        self.head = nn.Linear(hidden, num_outputs)

    def features(self, x: Tensor) -> Tensor:
        shown = (x != self.blank).any(-1)
        counts, steps = shown.sum(1), x.shape[1]
        fewest = int(counts.min())
        if fewest == 0 or (shown[:, 1:] > shown[:, :-1]).any():
            # Some blank steps come before or between the inputs, so that packing does not apply.
            state, hidden = self.initial_state(len(x)), []
            for now in x.unbind(1):
                output, state = self._advance(now, state)
                hidden.append(output)
            return torch.stack(hidden, 1)
        packed = pack_padded_sequence(x, counts, batch_first=True, enforce_sorted=False)
        outputs, state = self.encoder(packed)
        encoded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=steps)
        if fewest < steps:
            context = state[0][-1][:, None].expand(-1, steps - fewest, -1)
            decoded, _ = self.decoder(context, state)
            place = (torch.arange(steps) - counts[:, None]).clamp(min=0)[..., None]
            decoded = decoded.gather(1, place.expand(-1, -1, decoded.shape[2]))
            encoded = torch.where(shown[..., None], encoded, decoded)
        return encoded

    def initial_state(self, size: int) -> State:
        return (torch.zeros(size, *self.state_shape),) * 4

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        hidden, after = self._advance(x, state)
        return self.head(hidden), after

    def _advance(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        before = swap_axes(state)
        shown = (x != self.blank).any(-1)[:, None]
        encoded, read = self.encoder(x[:, None], before[:2])
        decoded, written = self.decoder(before[0][-1][:, None], before[2:])
        hidden = torch.where(shown, encoded[:, 0], decoded[:, 0])
        # Until the first blank step, the decoder's state is the encoder's.
        pairs = zip((*read, *read), (*before[:2], *written), strict=True)
        return hidden, swap_axes(tuple(torch.where(shown, *pair) for pair in pairs))

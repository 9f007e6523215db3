# ruff: noqa: D102 - the contract's docstrings hold for every network
"""Networks that learn sequences, under one contract: whole sequences, or one step at a time.

``forward`` reads all time steps at once, which is fast to learn from; ``step`` reads the present
one and a state, which is what an agent can do in an environment. Both compute the same.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqenvs.validation import check_choice, check_int

State = tuple[Tensor, ...]

HEADS = 4  # of the transformer
HOLD_SHUT = 2.0


def option(default: Any, help: str) -> Any:
    """A field of a dataclass, with what the command line says of it."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, kw_only=True)
class Gates:
    """How the gates of a recurrent layer begin, see `init_gates`.

    The gate that forgets is the LSTM's forget gate and the GRU's update gate z: torch's GRU keeps
    ``z * h``.

    Attributes:
        forget_bias: That gate's bias, of torch's two biases together; 1 as in Jozefowicz et al.,
            "An Empirical Exploration of Recurrent Network Architectures" (2015).
        chrono: Longest time, in steps, that is to be remembered, at least 3. That gate's bias is
            log(U(1, chrono - 1)), and the LSTM's input gate's its negative: Tallec and Ollivier,
            "Can recurrent neural networks warp time?" (2018).
        orthogonal: Make each gate's recurrent matrix orthogonal: Saxe et al., "Exact solutions to
            the nonlinear dynamics of learning in deep linear neural networks" (2014).
        delay_line: Begin as a shift register, which passes on at every step all that it holds:
            gates that let in or out are opened by this bias, those that keep are shut by it, and
            recurrent matrices are orthogonal. What was shown some steps ago is then in the state,
            in a place of its own, before anything is learned: Henaff, Szlam and LeCun, "Recurrent
            Orthogonal Networks and Long-Memory Tasks" (2016) solve copying so without gates.
        hold: Begin as a store, which keeps nearly all that it holds and lets in little: the gate
            that keeps is opened by this bias, the LSTM's input gate is shut by `HOLD_SHUT`, and
            input weights are uniform in -1 .. 1, many times torch's, so that what is shown once
            still stands out from the sum of what follows.

    Raises:
        TypeError: An argument of a wrong type.
        ValueError: An argument out of range, or two that set the same biases.
    """

    forget_bias: float | None = option(None, "bias of the gate that keeps")
    chrono: int | None = option(None, "longest time to remember, for chrono initialisation")
    orthogonal: bool = option(False, "orthogonal recurrent weights")
    delay_line: float | None = option(None, "begin as a shift register, gates biased by this")
    hold: float | None = option(None, "begin as a store, which keeps with this bias")

    def __post_init__(self) -> None:
        for name in ("forget_bias", "delay_line", "hold"):
            value = getattr(self, name)
            if value is not None:
                if isinstance(value, bool) or not isinstance(value, (int, float)):
                    raise TypeError(f"{name} must be a number or None, got {value!r}")
                if not math.isfinite(value):
                    raise ValueError(f"{name} must be finite or None, got {value!r}")
        if self.chrono is not None:
            check_int("chrono", self.chrono, 3)
        check_choice("orthogonal", self.orthogonal, (False, True))
        biases = {name: value for name, value in self.gates.items() if name != "orthogonal"}
        given = {name: value for name, value in biases.items() if value is not None}
        if len(given) > 1:
            raise ValueError(
                f"{' and '.join(given)} can't be given together, as they set the same biases, got "
                + ", ".join(f"{name}={value!r}" for name, value in given.items())
            )

    @property
    def gates(self) -> dict[str, Any]:
        """The arguments of `init_gates`."""
        return {each.name: getattr(self, each.name) for each in fields(Gates)}


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(Gates):
    """What a network is made of, beside its inputs and outputs; `Gates` are for those with gates.

    Attributes:
        hidden: Units of a layer.
        layers: How many layers lie above each other.
        window: How many observations ``window_mlp`` sees, the present one included.
        steps: Most time steps that an episode can have; for ``transformer``.
        blank: (F,) float32, the observation that shows nothing; for ``encoder_decoder``.

    Raises:
        TypeError, ValueError: An option that makes no sense.
    """

    hidden: int = 128
    layers: int = 1
    window: int = 4
    steps: int | None = None
    blank: Tensor | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("hidden", "layers", "window"):
            check_int(name, getattr(self, name), 1)
        if self.steps is not None:
            check_int("steps", self.steps, 1)


def init_gates(rnn: nn.LSTM | nn.GRU, **options: Any) -> None:
    """Set how long a gated recurrent layer remembers before it has learned anything.

    All layers and directions are set, with torch's global generator.

    Args:
        rnn: The layer, changed in place.
        **options: The fields of `Gates`.

    Raises:
        TypeError: Another layer, or an argument of a wrong type.
        ValueError: An argument out of range, or two that set the same biases.
    """
    if not isinstance(rnn, (nn.LSTM, nn.GRU)):
        raise TypeError(f"rnn must be a torch.nn.LSTM or GRU, got {rnn!r}")
    gates = Gates(**options)
    # torch stacks the LSTM's gates as input, forget, cell, output, the GRU's as reset, update, new.
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
                other *= unset  # torch adds two biases


class Network(nn.Module, ABC):
    """The contract of all networks; F is the number of inputs, and batches are axis 0 throughout.

    Attributes:
        sees_future: An output depends on later inputs, so that there is no `step`.
        remembers: An output depends on earlier inputs; otherwise the memoryless bound holds.
        gated: Whether it takes the options of `init_gates`.
    """

    sees_future: ClassVar[bool] = False
    remembers: ClassVar[bool] = True
    gated: ClassVar[bool] = False
    head: Callable[[Tensor], Tensor]  # the last layers, of one time step alone

    def __init__(self, num_inputs: int, num_outputs: int, options: NetworkOptions) -> None:
        super().__init__()

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """What the head reads: (B, T, F) float32 to (B, T, ...) float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Whole episodes from their start: (B, T, F) float32 to (B, T, outputs) float32."""
        return self.head(self.features(x))

    @abstractmethod
    def initial_state(self, size: int) -> State:
        """The state before the first step of ``size`` episodes."""

    @abstractmethod
    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One time step: (B, F) and the state to (B, outputs) and the next state.

        ``state`` is left as it is.

        Raises:
            TypeError: The network sees the future.
        """

    def unroll(self, x: Tensor) -> Tensor:
        """What `forward` gives, by `step`."""
        state, outputs = self.initial_state(len(x)), []
        for now in x.unbind(1):
            output, state = self.step(now, state)
            outputs.append(output)
        return torch.stack(outputs, 1)


def _mlp(num_inputs: int, num_outputs: int, options: NetworkOptions) -> nn.Sequential:
    sizes = [num_inputs] + [options.hidden] * options.layers
    hidden: list[nn.Module] = []
    for low, high in pairwise(sizes):
        hidden += [nn.Linear(low, high), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], num_outputs))


class MLP(Network):
    """Sees the present observation only."""

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
    """Sees the last ``window`` observations; zeros stand for those before the start."""

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


class _Recurrent(Network):
    """A recurrent layer of torch's, and a linear head."""

    layer: ClassVar[Callable[..., nn.RNNBase]]
    state_parts: ClassVar[int] = 1

    def __init__(self, num_inputs: int, num_outputs: int, options: NetworkOptions) -> None:
        super().__init__(num_inputs, num_outputs, options)
        self.state_shape = options.layers, options.hidden
        self.rnn = type(self).layer(num_inputs, options.hidden, options.layers, batch_first=True)
        if isinstance(self.rnn, (nn.LSTM, nn.GRU)):
            init_gates(self.rnn, **options.gates)
        self.head = nn.Linear(options.hidden, num_outputs)

    def features(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.rnn(x)[0]
        return hidden

    def initial_state(self, size: int) -> State:
        return (torch.zeros(size, *self.state_shape),) * self.state_parts

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        before = _swap(state)
        hidden, after = self.rnn(x[:, None], before if self.state_parts > 1 else before[0])
        return self.head(hidden[:, 0]), _swap(after if self.state_parts > 1 else (after,))


def _swap(state: State) -> State:
    """Turn our (B, layers, hidden) into torch's (layers, B, hidden), or back."""
    return tuple(part.transpose(0, 1).contiguous() for part in state)


class RNN(_Recurrent):
    """Elman's tanh network: "Finding Structure in Time" (1990)."""

    layer = nn.RNN


class GRU(_Recurrent):
    """Gated recurrent unit: Cho et al. (2014), as torch has it."""

    layer = nn.GRU
    gated = True


class LSTM(_Recurrent):
    """Hochreiter and Schmidhuber, "Long Short-Term Memory" (1997), with forget gates."""

    layer = nn.LSTM
    state_parts = 2
    gated = True


class BiLSTM(Network):
    """An LSTM in each direction: Graves and Schmidhuber (2005). Sees the future, so can't act."""

    sees_future = True
    gated = True

    def __init__(self, num_inputs: int, num_outputs: int, options: NetworkOptions) -> None:
        super().__init__(num_inputs, num_outputs, options)
        self.rnn = nn.LSTM(
            num_inputs, options.hidden, options.layers, batch_first=True, bidirectional=True
        )
        init_gates(self.rnn, **options.gates)
        self.head = nn.Linear(2 * options.hidden, num_outputs)

    def features(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.rnn(x)[0]
        return hidden

    def initial_state(self, size: int) -> State:
        raise TypeError("bilstm sees the future: it reads whole sequences, and can't act by steps")

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return self.initial_state(len(x))[0], ()


class EncoderDecoder(Network):
    """One LSTM reads the inputs, another answers in the blank steps that follow them.

    The decoder begins with the encoder's state and is shown the encoder's last output at every
    step, as in Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (2014); see
    also Sutskever et al., "Sequence to Sequence Learning with Neural Networks" (2014). Answers that
    are due before the first blank are read off the encoder.
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
            # A blank stands before or among the inputs, not below them.
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
        before = _swap(state)
        shown = (x != self.blank).any(-1)[:, None]
        encoded, read = self.encoder(x[:, None], before[:2])
        decoded, written = self.decoder(before[0][-1][:, None], before[2:])
        hidden = torch.where(shown, encoded[:, 0], decoded[:, 0])
        # Until the first blank the decoder's state follows the encoder's.
        pairs = zip((*read, *read), (*before[:2], *written), strict=True)
        return hidden, _swap(tuple(torch.where(shown, *pair) for pair in pairs))


class _Attention(nn.Module):
    """A block of the transformer, in the parts that `forward` and `step` share."""

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

    def ask(self, x: Tensor) -> State:
        """(B, T, hidden) to queries, keys and values, each (B, heads, T, hidden / heads)."""
        parts = self.project(self.norm(x)).unflatten(2, (3, HEADS, -1))
        return tuple(parts.permute(2, 0, 3, 1, 4))

    def tell(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add what was attended to, (B, heads, T, hidden / heads), and go through the MLP."""
        x = x + self.merge(attended.transpose(1, 2).flatten(2))
        fed: Tensor = self.feed(x)
        return x + fed


class Transformer(Network):
    """Causal attention over all that was shown, with learned positions.

    Vaswani et al., "Attention Is All You Need" (2017); norms come first as in Xiong et al., "On
    Layer Normalization in the Transformer Architecture" (2020). Its state is the keys and values of
    ``steps`` time steps, and the present one's number; a longer episode is a ValueError.
    """

    blocks: Any  # torch's ModuleList does not say of what

    def __init__(self, num_inputs: int, num_outputs: int, options: NetworkOptions) -> None:
        super().__init__(num_inputs, num_outputs, options)
        if options.hidden % HEADS:
            raise ValueError(
                f"hidden must be a multiple of {HEADS} for the transformer, got {options.hidden}"
            )
        if options.steps is None:
            raise TypeError(
                "steps must be an int at least 1 for the transformer, which must know the most "
                "time steps that an episode can have, got None"
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
                f"an episode has {steps} time steps or more, and the transformer was made for "
                f"steps={self.steps}"
            )

    def features(self, x: Tensor) -> Tensor:
        self._check(x.shape[1])
        hidden: Tensor = self.embed(x) + self.positions[: x.shape[1]]
        for block in self.blocks:
            query, key, value = block.ask(hidden)
            attended = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            hidden = block.tell(hidden, attended)
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
            query, key, value = block.ask(hidden)
            keys[batch, index, :, time] = key[:, :, 0]
            values[batch, index, :, time] = value[:, :, 0]
            attended = functional.scaled_dot_product_attention(
                query, keys[:, index], values[:, index], attn_mask=past
            )
            hidden = block.tell(hidden, attended)
        return self.head(hidden[:, 0]), (keys, values, time + 1)


class _DiagonalRecurrence(nn.Module):
    """A block of the LRU: normalise, recur, and mix through a gate, beside a residual path.

    The eigenvalues begin uniform in the ring between the radii `LEAST` and `MOST`.
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
        """(hidden,) complex, within the unit circle whatever the parameters are."""
        return torch.exp(torch.complex(-self.log_decay.exp(), self.log_phase.exp()))

    def drive(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(..., hidden) to its norm, and to what enters the recurrence, complex."""
        x = self.norm(x)
        real, imaginary = (self.log_gain.exp()[:, None] * self.enter).unbind()
        return x, torch.complex(functional.linear(x, real), functional.linear(x, imaginary))

    def read(self, x: Tensor, normed: Tensor, state: Tensor) -> Tensor:
        """Add to (..., hidden) what its norm and the state, complex, give."""
        real, imaginary = self.leave.unbind()
        seen = functional.linear(state.real, real) - functional.linear(state.imag, imaginary)
        mixed: Tensor = self.gate(seen + self.through * normed)
        return x + mixed


class LRU(Network):
    """Linear recurrent units, which need no loop over time to learn.

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
            # Each pass doubles how far back the sums reach: Hillis and Steele's scan (1986).
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


NETWORKS: dict[str, type[Network]] = {
    "mlp": MLP,
    "window_mlp": WindowMLP,
    "rnn": RNN,
    "gru": GRU,
    "lstm": LSTM,
    "bilstm": BiLSTM,
    "encoder_decoder": EncoderDecoder,
    "transformer": Transformer,
    "lru": LRU,
}


def make_network(name: str, num_inputs: int, num_outputs: int, options: NetworkOptions) -> Network:
    """Make a network of `NETWORKS`, with weights from torch's global generator.

    Args:
        name: Which one.
        num_inputs: F, features of an observation.
        num_outputs: Numbers that it gives at each time step.
        options: The rest.

    Raises:
        TypeError, ValueError: An unknown name, or an option that this network can't have.
    """
    made = NETWORKS[check_choice("network", name, NETWORKS)]
    check_int("num_inputs", num_inputs, 1)
    check_int("num_outputs", num_outputs, 1)
    for option, value in options.gates.items():
        if not (made.gated or value is None or value is False):
            gated = ", ".join(each for each, network in NETWORKS.items() if network.gated)
            raise ValueError(
                f"{option} must be left out for {name}, got {value!r}: it is for {gated}"
            )
    return made(num_inputs, num_outputs, options)

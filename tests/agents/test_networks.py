"""All networks: `forward` and `step` agree, nothing depends on the future, options are checked."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from agents.networks import NETWORKS, Network, NetworkOptions, init_gates
from tests.agents.common import ACTORS

STEPS, INPUTS, OUTPUTS = 12, 6, 5
BLANK = torch.zeros(INPUTS)
every_network = pytest.mark.parametrize("name", NETWORKS)
every_actor = pytest.mark.parametrize("name", ACTORS)


def make(name: str, **options: object) -> Network:
    torch.manual_seed(0)
    made = NetworkOptions(steps=STEPS, hidden=8, blank=BLANK, **options)
    return NETWORKS[name](INPUTS, OUTPUTS, made)


def episodes(counts: tuple[int, ...] = (STEPS, 4, 1)) -> torch.Tensor:
    """Random inputs, the given number in each episode, followed by blank steps."""
    x = torch.randn(len(counts), STEPS, INPUTS, generator=torch.Generator().manual_seed(1))
    for row, count in zip(x, counts, strict=True):
        row[count:] = BLANK
    return x


@every_actor
@pytest.mark.parametrize("layers", [1, 2])
def test_forward_is_step_by_step(name: str, layers: int) -> None:
    network, x = make(name, layers=layers), episodes()
    outputs = network(x)
    assert outputs.shape == (3, STEPS, OUTPUTS) and outputs.dtype == torch.float32
    torch.testing.assert_close(outputs, network.unroll(x), atol=1e-5, rtol=0)


def differs(network: Network, time: int) -> list[int]:
    """The time steps whose outputs change with the input at one time step."""
    x = episodes((STEPS, STEPS))
    changed = x.clone()
    changed[:, time] += 1
    return ((network(changed) - network(x)).abs().amax((0, 2)) > 0).nonzero()[:, 0].tolist()


@every_network
def test_which_steps_an_output_depends_on(name: str) -> None:
    network = make(name)
    found = differs(network, 6)
    assert 6 in found
    assert (min(found) < 6) == network.sees_future == (name == "bilstm")
    assert (max(found) > 6) == network.remembers == (name != "mlp")
    network(episodes((STEPS, 4))).square().sum().backward()
    for weight, parameter in network.named_parameters():
        assert parameter.grad is not None, weight
        assert parameter.grad.isfinite().all() and parameter.grad.any(), weight


@every_actor
def test_a_step_does_not_change_its_argument(name: str) -> None:
    network, x = make(name), episodes()
    _, state = network.step(x[:, 0], network.initial_state(3))
    before = [part.clone() for part in state]
    network.step(x[:, 1], state)
    assert all(torch.equal(*pair) for pair in zip(before, state, strict=True))


def test_the_width_of_the_window() -> None:
    assert differs(make("window_mlp", window=3), 5) == [5, 6, 7]


def test_the_decoder_takes_over_where_an_episode_ends() -> None:
    network, x = make("encoder_decoder"), episodes((STEPS, 4, 1))
    for row in range(3):
        alone = network(x[row : row + 1])
        torch.testing.assert_close(network(x)[row : row + 1], alone, atol=1e-5, rtol=0)


def test_blanks_among_the_inputs() -> None:
    network, x = make("encoder_decoder"), episodes((STEPS, STEPS))
    x[0, 3:5] = x[1, 0] = BLANK
    torch.testing.assert_close(network(x), network.unroll(x), atol=1e-5, rtol=0)
    read_on = torch.cat([x[:1, :3], x[:1, 5:]], 1)  # the encoder skips blank steps
    torch.testing.assert_close(network(x)[:1, 5:], network(read_on)[:, 3:], atol=1e-5, rtol=0)


def test_an_episode_longer_than_the_transformer() -> None:
    network = make("transformer")
    with pytest.raises(ValueError, match=r"13 time steps.*steps=12"):
        network(torch.zeros(1, STEPS + 1, INPUTS))


def test_the_linear_recurrence_is_always_stable() -> None:
    block = make("lru").blocks[0]
    radius = block.eigenvalues().abs()
    assert ((radius >= block.LEAST) & (radius <= block.MOST)).all()
    torch.testing.assert_close(block.log_gain.exp(), (1 - radius**2).sqrt(), atol=1e-5, rtol=0)
    block.log_decay.data.uniform_(-5, 5)
    assert (block.eigenvalues().abs() < 1).all()


LAYERS = [nn.LSTM(3, 8, 2), nn.LSTM(3, 8, bidirectional=True), nn.GRU(3, 8, 2)]


def biases(rnn: nn.LSTM | nn.GRU) -> list[torch.Tensor]:
    """The sum of torch's two biases for each layer and direction: (gates, hidden)."""
    named = dict(rnn.named_parameters())
    return [
        (named[name] + named[name.replace("_ih", "_hh")]).detach().view(-1, 8)
        for name in named
        if name.startswith("bias_ih")
    ]


@pytest.mark.parametrize("rnn", LAYERS, ids=str)
def test_gates_of_all_layers_are_initialised(rnn: nn.LSTM | nn.GRU) -> None:
    before = biases(rnn)
    init_gates(rnn, forget_bias=2.5)
    for old, new in zip(before, biases(rnn), strict=True):
        assert (new[1] == 2.5).all()
        assert torch.equal(old[2:], new[2:]) and torch.equal(old[0], new[0])
    torch.manual_seed(0)
    init_gates(rnn, chrono=1000, orthogonal=True)
    for new in biases(rnn):
        scales = new[1].exp()
        assert (scales >= 1).all() and (scales <= 999).all() and scales.std() > 100
        assert torch.equal(new[0], -new[1]) == isinstance(rnn, nn.LSTM)
    init_gates(rnn, hold=5.0)
    assert all((new[1] == 5).all() for new in biases(rnn))
    init_gates(rnn, delay_line=4.0)
    assert all((new[0] == 4).all() and (new[1] == -4).all() for new in biases(rnn))
    for name, weight in rnn.named_parameters():
        if name.startswith("weight_hh"):
            for gate in weight.view(-1, 8, 8):
                torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)


@pytest.mark.parametrize("rnn", [nn.LSTM(1, 1), nn.GRU(1, 1)], ids=str)
def test_the_forget_bias_belongs_to_the_gate_that_keeps(rnn: nn.LSTM | nn.GRU) -> None:
    init_gates(rnn, forget_bias=50.0)
    state = torch.full((1, 1, 1), 0.5)
    if isinstance(rnn, nn.LSTM):
        rnn.bias_ih_l0.data[0] = -50.0  # closes the input gate
        kept = rnn(torch.zeros(1, 1, 1), (state, state))[1][1]
    else:
        kept = rnn(torch.zeros(1, 1, 1), state)[1]
    assert math.isclose(kept.item(), 0.5, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        (
            "rnn",
            {"forget_bias": 1.0},
            ValueError,
            "forget_bias must be left out for the network RNN, got 1.0",
        ),
        (
            "lru",
            {"orthogonal": True},
            ValueError,
            "orthogonal must be left out for the network LRU",
        ),
        ("transformer", {"hidden": 6}, ValueError, "hidden must be a multiple of 4.*got 6"),
        ("encoder_decoder", {"blank": None}, ValueError, r"blank must be.*\(6,\).*got None"),
        ("encoder_decoder", {"blank": torch.zeros(2)}, ValueError, r"blank must be.*\(6,\)"),
    ],
)
def test_bad_options(name: str, options: dict, error: type[Exception], message: str) -> None:
    options = NetworkOptions(**{"steps": 3, "blank": BLANK, **options})
    with pytest.raises(error, match=message):
        NETWORKS[name](INPUTS, OUTPUTS, options)


def test_only_gated_layers_have_gates() -> None:
    with pytest.raises(TypeError, match=r"rnn must be a torch\.nn\.LSTM or GRU"):
        init_gates(nn.RNN(1, 1), forget_bias=1.0)

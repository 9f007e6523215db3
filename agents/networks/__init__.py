"""Networks that learn sequences, one module for each family, and the table of their names."""

from __future__ import annotations

from agents.networks.base import Network, NetworkOptions, State
from agents.networks.linear_recurrence import LRU
from agents.networks.mlp import MLP, WindowMLP
from agents.networks.recurrent import GRU, LSTM, RNN, BiLSTM, init_gates
from agents.networks.seq2seq import EncoderDecoder
from agents.networks.transformer import Transformer
from seqenvs.validation import check_choice

__all__ = ["NETWORKS", "Network", "NetworkOptions", "State", "init_gates", "make_network"]

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
    """Make a network; its weights come from torch's global random generator.

    Args:
        name: A key of `NETWORKS`.
        num_inputs: Number F of inputs at each time step.
        num_outputs: Number of outputs at each time step.
        options: Its size and the other options.

    Raises:
        TypeError, ValueError: An unknown name, or an option that this network does not have.
    """
    made = NETWORKS[check_choice("network", name, NETWORKS)]
    for option, value in options.gates.items():
        if not (made.gated or value is None or value is False):
            gated = ", ".join(each for each, network in NETWORKS.items() if network.gated)
            raise ValueError(
                f"{option} must be left out for {name}, got {value!r}: it applies to {gated}"
            )
    return made(num_inputs, num_outputs, options)

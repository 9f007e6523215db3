"""Networks that learn sequences, one module for each family, and the table of their names."""

from __future__ import annotations

from agents.networks.base import Network, NetworkOptions, State
from agents.networks.linear_recurrence import LRU
from agents.networks.mlp import MLP, WindowMLP
from agents.networks.recurrent import GRU, LSTM, RNN, BiLSTM, init_gates
from agents.networks.seq2seq import EncoderDecoder
from agents.networks.transformer import Transformer

__all__ = ["NETWORKS", "Network", "NetworkOptions", "State", "init_gates"]

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

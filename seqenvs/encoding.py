"""Symbols and values as observations, and the spaces that these live in."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from seqenvs.problem import Symbols, Values, check_choice

_LARGEST_TABLE = 1024  # symbols; the table has as many rows as columns
ENCODINGS = ("one_hot", "index", "normalized")


class Encoding:
    """Turns what a problem shows into observations.

    Args:
        shown: What the problem shows.
        name: For symbols ``"one_hot"``, a float32 Box of shape (n,) whose blank is the zero vector;
            ``"index"``, Discrete(n + 1) whose blank is n; or ``"normalized"``, a float32 Box of
            shape (1,) with symbols in [0, 1] and blank -1. Values are a float32 Box of shape (F,)
            whatever the name.

    Attributes:
        space: The space of one observation.
        blank: The observation that shows nothing.
    """

    space: spaces.Discrete | spaces.Box

    def __init__(self, shown: Symbols | Values, name: str = "one_hot") -> None:
        self.name = check_choice("encoding", name, ENCODINGS)
        self.shown = shown
        self._table: Any = None
        if isinstance(shown, Values):
            shape, low = (shown.features,), min(shown.low, shown.blank)
            self.space = spaces.Box(low, shown.high, shape, np.float32)
        elif name == "index":
            self.space = spaces.Discrete(shown.n + 1)
        elif name == "one_hot":
            if shown.n <= _LARGEST_TABLE:
                self._table = np.eye(shown.n + 1, shown.n, dtype=np.float32)
            self.space = spaces.Box(0, 1, (shown.n,), np.float32)
        else:
            symbols = np.append(np.arange(shown.n) / max(shown.n - 1, 1), -1)
            self._table = symbols.astype(np.float32)[:, None]
            self.space = spaces.Box(-1, 1, (1,), np.float32)
        width = () if isinstance(shown, Symbols) or shown.features == 1 else (shown.features,)
        self.blank: Any = self(np.full(width, shown.blank, shown.dtype))

    def __call__(self, inputs: Any) -> Any:
        """Encode (...) symbols, or (...) or (..., F) values: a fresh (..., *space.shape) array."""
        if self._table is not None:
            return self._table.take(inputs, axis=0)
        if isinstance(self.space, spaces.Discrete):
            return inputs.astype(np.int64)
        features = self.space.shape[0]
        if isinstance(self.shown, Symbols):  # one-hot, of too many symbols for a table
            return (inputs[..., None] == np.arange(features)).astype(np.float32)
        return inputs.astype(np.float32).reshape(
            *inputs.shape[: inputs.ndim - (features > 1)], features
        )

    def decode(self, observations: Any) -> Any:
        """Give the symbols, or values, that (..., *space.shape) observations show.

        Of longer ones, see `seqenvs.observation`, these are the last numbers.
        """
        observations = np.asarray(observations)
        if isinstance(self.space, spaces.Box):
            observations = observations[..., -self.space.shape[0] :]
        if isinstance(self.shown, Values):
            values = observations.astype(np.float32)
            return values[..., 0] if self.shown.features == 1 else values
        if self.name == "one_hot":
            symbols = np.where(
                observations.any(axis=-1), observations.argmax(axis=-1), self.shown.n
            )
        elif self.name == "normalized":
            scaled = np.rint(observations[..., 0] * max(self.shown.n - 1, 1))
            symbols = np.where(observations[..., 0] < 0, self.shown.n, scaled)
        else:
            symbols = observations
        return symbols.astype(self.shown.dtype)

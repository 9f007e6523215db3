"""Symbols are uniform, independent, and the same from every bit generator."""

from __future__ import annotations

import numpy as np
import pytest

from seqenvs.problem import Symbols
from seqenvs.sampling import draw_symbols


@pytest.mark.parametrize("n", [2, 3, 4, 5, 10, 16, 17, 100, 256, 257, 1000, 40_000, 70_000])
def test_symbols_are_uniform(n: int) -> None:
    size = 200_000
    symbols = draw_symbols(np.random.default_rng(n), n, (size,))
    assert symbols.dtype == Symbols(n).dtype
    assert symbols.max() < n
    bins = min(n, 50)
    count = np.bincount(symbols.astype(np.int64) * bins // n, minlength=bins)
    share = np.bincount(np.arange(n) * bins // n) / n
    chi_squared = ((count - size * share) ** 2 / (size * share)).sum()
    assert chi_squared < bins - 1 + 6 * np.sqrt(2 * bins)


def test_digits_drawn_together_are_independent() -> None:
    symbols = draw_symbols(np.random.default_rng(0), 10, (400_000, 4))
    for one in range(4):
        for other in range(one):
            pairs = np.bincount(symbols[:, one].astype(int) * 10 + symbols[:, other], minlength=100)
            assert ((pairs - 4000) ** 2 / 4000).sum() < 99 + 6 * np.sqrt(2 * 99)


def test_rejected_words_are_drawn_again() -> None:
    class Low(np.random.Generator):
        """A generator whose first words are all zero, which must be rejected."""

        calls = 0

        def integers(self, *args, **kwargs):
            self.calls += 1
            return super().integers(*args, **kwargs) * np.uint64(self.calls > 1)

    rng = Low(np.random.MT19937(0))
    assert draw_symbols(rng, 10, (64,)).any() and rng.calls > 1


def test_bit_generators_agree() -> None:
    # The fast path must give what the generator's own 64-bit integers give.
    for kind in (np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64):
        fast = draw_symbols(np.random.default_rng(kind(5)), 1 << 16, (8,))
        words = np.random.default_rng(kind(5)).integers(0, 1 << 64, 4, np.uint64)
        assert fast.tolist() == (words.astype("<u8").view("<u4") >> 16).tolist()

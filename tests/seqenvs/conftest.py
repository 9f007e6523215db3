"""Fixtures for the tests of seqenvs."""

from __future__ import annotations

import pytest


@pytest.fixture
def few_prepared_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let vector environments prepare only a few rows at once.

    Short tests then need rows that are prepared later, too, and each reset is fast.
    """
    monkeypatch.setattr("seqenvs.vector_env._PREPARED_BYTES", 1 << 10)

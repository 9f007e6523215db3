"""Fixtures for the tests of seqenvs."""

from __future__ import annotations

import pytest


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let vector environments prepare few rows at once and judge blocks in small parts.

    Short tests then cross the ends of prepared rows and of parts, and each reset is fast.
    """
    monkeypatch.setattr("seqenvs.vector_env._PREPARED_BYTES", 1 << 10)
    monkeypatch.setattr("seqenvs.vector_env._BLOCK_SIZE", 24)

"""Tests of the reference agents."""

from __future__ import annotations

import pytest

from tests.needs import needs

pytest_pycollect_makemodule = needs("agents", "torch", "sb3_contrib", "matplotlib", "tqdm")


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small networks are slower on two threads."""
    import torch

    torch.set_num_threads(1)

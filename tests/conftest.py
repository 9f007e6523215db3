"""Settings that hold for every test."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Two workers of pytest-xdist share two cores; torch reads this when it is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

for _name, _examples in {"default": 25, "full": 300}.items():
    settings.register_profile(
        f"seqenvs-{_name}",
        derandomize=True,  # the same examples in every run
        database=None,
        deadline=None,
        max_examples=_examples,
        suppress_health_check=[HealthCheck.too_slow],
    )


def pytest_configure(config: pytest.Config) -> None:
    full = config.getoption("markexpr") == "full"
    settings.load_profile(f"seqenvs-{'full' if full else 'default'}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let `pytest -m full` run the properties of hypothesis again, with more examples."""
    if config.getoption("markexpr") == "full":
        for item in items:
            if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
                item.add_marker("full")

"""Settings that hold for every test."""

from __future__ import annotations

import os

import pytest

# Two workers of pytest-xdist share two cores; torch reads this when it is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

try:
    from hypothesis import HealthCheck, settings
except ModuleNotFoundError:  # the few tests that need hypothesis skip themselves
    PROFILES = False
else:
    PROFILES = True
    for name, examples in {"default": 20, "full": 300}.items():
        settings.register_profile(
            f"seqenvs-{name}",
            derandomize=True,  # the same examples in every run
            database=None,
            deadline=None,
            max_examples=examples,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )


def pytest_configure(config: pytest.Config) -> None:
    if PROFILES:
        full = config.getoption("markexpr") == "full"
        settings.load_profile(f"seqenvs-{'full' if full else 'default'}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let `pytest -m full` run the properties of hypothesis again, with more examples."""
    if config.getoption("markexpr") == "full":
        for item in items:
            if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
                item.add_marker("full")

"""Skips the tests of a folder, with the reason, where an optional dependency is missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest


def needs(extra: str, *modules: str) -> Callable[..., pytest.Module | None]:
    """Make a folder's hook that skips its tests if a module of this extra is missing."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    reason = f"needs {', '.join(missing)}: pip install 'seqenvs[{extra}]'"

    class Skipped(pytest.Module):
        def collect(self) -> list[pytest.Item]:
            pytest.skip(reason, allow_module_level=True)

    def pytest_pycollect_makemodule(
        module_path: Path, parent: pytest.Collector
    ) -> pytest.Module | None:
        return Skipped.from_parent(parent, path=module_path) if missing else None

    return pytest_pycollect_makemodule

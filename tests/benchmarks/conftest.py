"""Tests of what measures speed."""

from tests.needs import needs

pytest_pycollect_makemodule = needs("agents", "torch", "sb3_contrib", "matplotlib", "tqdm")

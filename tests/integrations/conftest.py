"""Tests with other tools."""

from tests.needs import needs

pytest_pycollect_makemodule = needs("sb3", "torch", "sb3_contrib")

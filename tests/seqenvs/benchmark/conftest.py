"""Tests of the benchmark and its report."""

from tests.needs import needs

pytest_pycollect_makemodule = needs(
    "benchmark", "altair", "joblib", "pandas", "scipy", "tqdm", "vl_convert"
)

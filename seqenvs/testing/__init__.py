"""Checks for your tests, of your own problems and of your own vector environments."""

from seqenvs.testing.problems import (
    check_causal,
    check_environments,
    check_oracle,
    check_problem,
)
from seqenvs.testing.vector_envs import check_vector_env

__all__ = [
    "check_causal",
    "check_environments",
    "check_oracle",
    "check_problem",
    "check_vector_env",
]

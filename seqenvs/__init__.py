"""Sequence-prediction problems as Gymnasium environments.

Importing this package registers its environments with Gymnasium.
"""

from seqenvs import problems
from seqenvs._version import __version__
from seqenvs.bounds import Bounds
from seqenvs.dataset import batches
from seqenvs.env import SequenceEnv
from seqenvs.evaluation import evaluate
from seqenvs.oracle import Oracle
from seqenvs.problem import EpisodeBatch, Problem, Symbols, Values
from seqenvs.registration import register, register_all
from seqenvs.vector_env import SequenceVectorEnv

__all__ = [
    "Bounds",
    "EpisodeBatch",
    "Oracle",
    "Problem",
    "SequenceEnv",
    "SequenceVectorEnv",
    "Symbols",
    "Values",
    "__version__",
    "batches",
    "evaluate",
    "problems",
    "register",
]

register_all()

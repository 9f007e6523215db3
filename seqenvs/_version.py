"""The version of seqenvs."""

__version__ = "0.1.0"

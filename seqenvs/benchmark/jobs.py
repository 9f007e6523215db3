"""A job of the benchmark: one agent that learns one problem with one seed and one budget."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from seqenvs.files import content_hash
from seqenvs.validation import check_int, check_number


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training run and its evaluation.

    Two jobs with equal fields have the same key, and their result is one file.

    Attributes:
        id: The environment's id.
        kwargs: Parameters of the environment. JSON-able; tuples become lists.
        agent: The agent's class, as ``"module:Class"``.
        options: Keyword arguments of the agent's constructor. JSON-able.
        seed: Passed to the agent's ``learn``.
        steps: The most time steps to learn from, over all episodes; None for no limit.
        seconds: The most processor time to spend on learning; None for no limit.
        lengths: Further values of the environment's parameter ``length`` to evaluate at.

    Raises:
        TypeError, ValueError: A budget is missing or out of range, or a field is not JSON-able.
    """

    id: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    agent: str
    options: dict[str, Any] = field(default_factory=dict)
    seed: int
    steps: int | None = None
    seconds: float | None = None
    lengths: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_int("seed", self.seed, 0)
        if self.steps is None and self.seconds is None:
            raise ValueError("steps or seconds must be given, got None for both")
        if self.steps is not None:
            check_int("steps", self.steps, 1)
        if self.seconds is not None and check_number("seconds", self.seconds) <= 0:
            raise ValueError(f"seconds must be above 0, got {self.seconds!r}")
        for name in ("kwargs", "options", "lengths"):
            value = getattr(self, name)
            try:  # as JSON has them, so that a job that is read back is equal
                object.__setattr__(self, name, json.loads(json.dumps(value)))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} must be JSON-able, got {value!r}: {error}") from error

    @property
    def key(self) -> str:
        """The hash of all fields: 16 hexadecimal digits. The name of the result's file."""
        # Without None, so that a field that is added later does not change existing keys.
        return content_hash(
            {name: value for name, value in asdict(self).items() if value is not None}
        )

    @property
    def name(self) -> str:
        """The job in a line: environment, agent and seed."""
        return f"{environment_name(self.id, self.kwargs)}  {self.agent}  seed {self.seed}"

    @property
    def max_steps(self) -> int:
        """The budget of time steps; ``sys.maxsize`` for no limit."""
        return sys.maxsize if self.steps is None else self.steps

    @property
    def max_seconds(self) -> float:
        """The budget of processor seconds; infinity for no limit."""
        return math.inf if self.seconds is None else self.seconds


def environment_name(id: str, kwargs: dict[str, Any]) -> str:
    """Name an environment with its parameters, such as ``"SeqEcho-v0 lag=4"``."""
    return " ".join([id, *(f"{name}={value}" for name, value in kwargs.items())])

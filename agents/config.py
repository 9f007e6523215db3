"""The settings of a run: data, written beside its results."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from typing import Any

from agents.networks import NETWORKS, Gates, option
from seqenvs.validation import check_choice, check_int

RECURRENT_PPO = "recurrent_ppo"
AGENTS = (RECURRENT_PPO, *NETWORKS)
SOURCES = ("dataset", "env")


@dataclass(frozen=True, kw_only=True)
class PPOOptions(Gates):
    """What `recurrent_ppo` is made of. Each field's meaning is its ``help``."""

    num_envs: int = option(64, "streams of episodes that are played side by side")
    rollout: int = option(
        1, "least steps of each stream between updates; rounded up to whole longest episodes"
    )
    epochs: int = option(3, "passes over a rollout in an update")
    minibatches: int = option(1, "gradient steps in a pass")
    learning_rate: float = option(5e-3, "step size of Adam")
    gamma: float = option(
        0.0, "discount; 0, as a reward depends on the answer of its own step alone"
    )
    advantage: str = option(
        "auto", "'outcome' or 'gae', see SequencePPO; 'auto' for outcome where answers are Discrete"
    )
    entropy: float = option(0.0, "weight of the entropy bonus, which keeps up exploration")
    clip_range: float = option(0.2, "by how much an answer's probability may change in an update")
    max_grad_norm: float = option(0.5, "a longer gradient is shortened to this")
    cell: str = option("lstm", "'lstm' or 'gru'")
    hidden: int = option(64, "units of the cell")
    critic_lstm: bool = option(
        False,
        "a cell of the critic's own; otherwise it reads the actor's, which need not know when "
        "an answer is due",
    )
    head: int = option(64, "tanh units between the cell and the answer; 0 for none")
    log_std: float = option(-2.0, "for Box answers, logarithm of the first standard deviation")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_envs", "rollout", "epochs", "minibatches", "hidden"):
            check_int(name, getattr(self, name), 1)
        check_int("head", self.head, 0)
        for name in ("learning_rate", "clip_range", "max_grad_norm"):
            check_positive(name, getattr(self, name))
        if not 0 <= _check_number("gamma", self.gamma) <= 1:
            raise ValueError(f"gamma must be in 0 .. 1, got {self.gamma!r}")
        for name in ("entropy", "log_std"):
            _check_number(name, getattr(self, name))
        check_choice("advantage", self.advantage, ("auto", "outcome", "gae"))
        check_choice("cell", self.cell, ("lstm", "gru"))
        check_choice("critic_lstm", self.critic_lstm, (False, True))


@dataclass(frozen=True, kw_only=True)
class SupervisedOptions(Gates):
    """What a supervised learner is made of. Each field's meaning is its ``help``."""

    source: str = option(
        "dataset", "'dataset', or 'env' to play the environment: the same episodes, slower"
    )
    batch_size: int = option(32, "episodes in an update")
    learning_rate: float = option(1e-2, "step size of Adam")
    anneal: int | None = option(
        None, "time steps over which the step size falls evenly to a hundredth"
    )
    max_grad_norm: float = option(1.0, "a longer gradient is shortened to this")
    hidden: int = option(64, "units of a layer")
    layers: int = option(1, "layers above each other")
    window: int = option(4, "for window_mlp, how many observations it sees")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("source", self.source, SOURCES)
        for name in ("batch_size", "hidden", "layers", "window"):
            check_int(name, getattr(self, name), 1)
        if self.anneal is not None:
            check_int("anneal", self.anneal, 1)
        for name in ("learning_rate", "max_grad_norm"):
            check_positive(name, getattr(self, name))


Options = PPOOptions | SupervisedOptions


def _check_number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return value


def check_positive(name: str, value: Any) -> None:
    """Raise ValueError for what is no finite number above 0."""
    if not _check_number(name, value) > 0:
        raise ValueError(f"{name} must be above 0, got {value!r}")


def options_class(agent: str) -> type[PPOOptions] | type[SupervisedOptions]:
    """The options that an agent takes."""
    check_choice("agent", agent, AGENTS)
    return PPOOptions if agent == RECURRENT_PPO else SupervisedOptions


def make_options(agent: str, values: dict[str, Any]) -> Options:
    """Make an agent's options of those that are given and the defaults.

    Raises:
        TypeError, ValueError: An option that the agent doesn't have, or a value out of range.
    """
    made = options_class(agent)
    names = [each.name for each in fields(made)]
    for name in values:
        if name not in names:
            raise ValueError(f"{agent} has no option {name!r}; it has {', '.join(sorted(names))}")
    return made(**values)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run is made of; the same settings on the same machine give the same curve.

    Attributes:
        id: The environment.
        kwargs: Parameters of the environment; JSON-able, and kept as JSON has them.
        agent: A name of `AGENTS`.
        options: What the agent is made of.
        seed: Of the episodes, the network and the exploration.
        steps: Stop after this many time steps of all episodes together.
        target: Stop when the mean return of the last 1,000 episodes reaches this.
    """

    id: str
    kwargs: dict[str, Any]
    agent: str
    options: Options
    seed: int = 0
    steps: int = 2_000_000
    target: float = 0.98

    def __post_init__(self) -> None:
        if not isinstance(self.options, options_class(self.agent)):
            raise TypeError(f"options must be those of {self.agent}, got {self.options!r}")
        check_int("seed", self.seed, 0)
        check_int("steps", self.steps, 1)
        _check_number("target", self.target)
        try:  # a tuple becomes a list, so that what is read back is equal
            object.__setattr__(self, "kwargs", json.loads(json.dumps(self.kwargs)))
        except TypeError as error:
            raise ValueError(f"kwargs must be JSON-able, got {self.kwargs!r}: {error}") from error

    def to_json(self) -> str:
        """The settings, and the versions that they ran with."""
        return json.dumps({**asdict(self), "versions": versions()}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Read back what `to_json` wrote.

        Raises:
            ValueError, TypeError: It is something else.
        """
        values = json.loads(text)
        if not isinstance(values, dict) or not {"versions", "agent", "options"} <= set(values):
            raise ValueError("these are not the settings of a run")
        del values["versions"]
        values["options"] = make_options(values["agent"], values["options"])
        return cls(**values)


def versions() -> dict[str, str]:
    """What a result depends on beside its settings."""
    packages = ("seqenvs", "gymnasium", "stable_baselines3", "sb3_contrib", "torch", "numpy")
    found = {name: version(name) for name in packages}
    return found | {"python": platform.python_version(), "platform": platform.platform()}

"""The settings of a run: data, written beside its results."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from typing import Any

# The defaults were chosen on the easy ids, on two cores.


def _setting(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Settings:
    """What a run is made of; the same settings on the same machine give the same curve.

    Each field's meaning is its ``help``, which the command line shows too.
    """

    id: str = field(metadata={"help": "the environment"})
    kwargs: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "parameters of the environment"}
    )
    seed: int = _setting(0, "seed of the episodes, the network and the exploration")
    steps: int = _setting(1_000_000, "stop after this many steps of all streams together")
    target: float = _setting(
        0.98, "stop when the mean return of the last 1,000 episodes reaches this"
    )
    num_envs: int = _setting(64, "streams of episodes that are played side by side")
    rollout: int = _setting(
        32, "least steps of each stream between updates; rounded up to whole longest episodes"
    )
    epochs: int = _setting(4, "passes over a rollout in an update")
    minibatches: int = _setting(4, "gradient steps in a pass")
    learning_rate: float = _setting(3e-3, "step size of Adam")
    gamma: float = _setting(
        0.0, "discount; 0, as a reward depends on the answer of its own step alone"
    )
    entropy: float = _setting(0.01, "weight of the entropy bonus, which keeps up exploration")
    lstm_size: int = _setting(128, "units of the LSTM, which the critic shares")
    log_std: float = _setting(-1.0, "for Box answers, logarithm of the first standard deviation")

    def __post_init__(self) -> None:
        for name in ("seed", "steps", "num_envs", "rollout", "epochs", "minibatches", "lstm_size"):
            value, least = getattr(self, name), 0 if name == "seed" else 1
            if type(value) is not int or value < least:
                raise ValueError(f"{name} must be an int of at least {least}, got {value!r}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate!r}")
        try:
            json.dumps(self.kwargs)
        except TypeError as error:
            raise ValueError(f"kwargs must be JSON-able, got {self.kwargs!r}: {error}") from error

    def to_json(self) -> str:
        """The settings, and the versions that they ran with."""
        packages = ("seqenvs", "gymnasium", "stable_baselines3", "sb3_contrib", "torch", "numpy")
        versions = {name: version(name) for name in packages}
        versions |= {"python": platform.python_version(), "platform": platform.platform()}
        return json.dumps({**asdict(self), "versions": versions}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Read back what `to_json` wrote.

        Raises:
            ValueError, TypeError: It is something else.
        """
        values = json.loads(text)
        if not isinstance(values, dict) or "versions" not in values:
            raise ValueError("these are not the settings of a run")
        del values["versions"]
        return cls(**values)


def help_of(name: str) -> str:
    """What a setting means, and its default."""
    setting = next(f for f in fields(Settings) if f.name == name)
    return f"{setting.metadata['help']} (default: {setting.default:,})"

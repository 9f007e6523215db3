"""The settings of a training run as data. Importing this module does not import torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any

from seqenvs.validation import check_choice, check_int, check_number

RECURRENT_PPO = "recurrent_ppo"

# The name of each agent on the command line and in results, and its class in `agents`.
CLASS_NAMES = {
    RECURRENT_PPO: "RecurrentPPO",
    "mlp": "MLP",
    "window_mlp": "WindowMLP",
    "rnn": "RNN",
    "gru": "GRU",
    "lstm": "LSTM",
    "bilstm": "BiLSTM",
    "encoder_decoder": "EncoderDecoder",
    "transformer": "Transformer",
    "lru": "LRU",
}
AGENTS = tuple(CLASS_NAMES)
SOURCES = ("dataset", "env")
WINDOW = 1000  # number of episodes whose mean return is compared with the target


class OtherModelError(Exception):
    """A model file or checkpoint is intact, but belongs to another agent or environment."""


def option(default: Any, help: str) -> Any:
    """Define a dataclass field with a help text for the command line."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, kw_only=True)
class Gates:
    """The initialisation of the gates of an LSTM or GRU, see `agents.networks.init_gates`.

    The gate that keeps the state is the forget gate of an LSTM and the update gate z of a GRU:
    torch's GRU computes ``z * h + (1 - z) * new``.

    Attributes:
        forget_bias: Bias of the gate that keeps, for torch's two bias vectors together; 1 in
            Jozefowicz et al., "An Empirical Exploration of Recurrent Network Architectures" (2015).
        chrono: Longest time to remember, in steps, at least 3. The bias of the gate that keeps is
            log(U(1, chrono - 1)), and the bias of the LSTM's input gate is its negative: Tallec and
            Ollivier, "Can recurrent neural networks warp time?" (2018).
        orthogonal: Make the recurrent matrix of each gate orthogonal: Saxe et al., "Exact solutions
            to the nonlinear dynamics of learning in deep linear neural networks" (2014).
        delay_line: Initialise the layer as a shift register, which passes on its whole state at
            every step. This bias opens the gates that let in and out and closes the gate that
            keeps, and recurrent matrices are orthogonal. Before any learning, an input of some
            steps ago can be read from the state. Henaff, Szlam and LeCun, "Recurrent Orthogonal
            Networks and Long-Memory Tasks" (2016), solve copying like this without gates.
        hold: Initialise the layer as a store, which keeps nearly all of its state and lets in
            little. This bias opens the gate that keeps, and the LSTM's input gate is closed by
            `agents.networks.recurrent.HOLD_SHUT`. Input weights are uniform in -1 .. 1, which is
            much more than torch's, so that one input stands out from the sum of those after it.

    Raises:
        TypeError: An argument of a wrong type.
        ValueError: An argument out of range, or two arguments that set the same biases.
    """

    forget_bias: float | None = option(None, "bias of the gate that keeps the state")
    chrono: int | None = option(None, "longest time to remember, for chrono initialisation")
    orthogonal: bool = option(False, "orthogonal recurrent weights")
    delay_line: float | None = option(None, "initialise as a shift register, with this gate bias")
    hold: float | None = option(None, "initialise as a store, with this bias of the gate")

    def __post_init__(self) -> None:
        for name in ("forget_bias", "delay_line", "hold"):
            value = getattr(self, name)
            if value is not None:
                check_number(name, value, "a finite number or None")
        if self.chrono is not None:
            check_int("chrono", self.chrono, 3)
        check_choice("orthogonal", self.orthogonal, (False, True))
        biases = {name: value for name, value in self.gates.items() if name != "orthogonal"}
        given = {name: value for name, value in biases.items() if value is not None}
        if len(given) > 1:
            raise ValueError(
                f"{' and '.join(given)} can't be given together, as they set the same biases, got "
                + ", ".join(f"{name}={value!r}" for name, value in given.items())
            )

    @property
    def gates(self) -> dict[str, Any]:
        """The arguments of `agents.networks.init_gates`."""
        return {each.name: getattr(self, each.name) for each in fields(Gates)}


@dataclass(frozen=True, kw_only=True)
class PPOOptions(Gates):
    """The options of `recurrent_ppo`. The ``help`` of a field says what it means."""

    num_envs: int = option(64, "number of parallel environments")
    rollout: int = option(
        1, "least number of steps per environment and update; rounded up to whole episodes"
    )
    epochs: int = option(3, "passes over a rollout in an update")
    minibatches: int = option(1, "gradient steps in a pass")
    learning_rate: float = option(5e-3, "step size of Adam")
    gamma: float = option(0.0, "discount; 0 because a reward depends on its own answer alone")
    advantage: str = option(
        "auto", "'outcome' or 'gae', see SequencePPO; 'auto' is outcome for Discrete actions"
    )
    entropy: float = option(0.0, "weight of the entropy bonus")
    clip_range: float = option(0.2, "how far the probability of an action may change in an update")
    max_grad_norm: float = option(0.5, "largest norm of a gradient; a larger one is scaled down")
    cell: str = option("lstm", "'lstm' or 'gru'")
    hidden: int = option(64, "units of the recurrent layer")
    critic_lstm: bool = option(
        False, "whether the critic has a recurrent layer of its own; else it reads the actor's"
    )
    head: int = option(64, "tanh units between the recurrent layer and the output; 0 for none")
    log_std: float = option(-2.0, "for Box actions, log of the initial standard deviation")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_envs", "rollout", "epochs", "minibatches", "hidden"):
            check_int(name, getattr(self, name), 1)
        check_int("head", self.head, 0)
        for name in ("learning_rate", "clip_range", "max_grad_norm"):
            check_positive(name, getattr(self, name))
        if not 0 <= check_number("gamma", self.gamma) <= 1:
            raise ValueError(f"gamma must be in 0 .. 1, got {self.gamma!r}")
        for name in ("entropy", "log_std"):
            check_number(name, getattr(self, name))
        check_choice("advantage", self.advantage, ("auto", "outcome", "gae"))
        check_choice("cell", self.cell, ("lstm", "gru"))
        check_choice("critic_lstm", self.critic_lstm, (False, True))


@dataclass(frozen=True, kw_only=True)
class SupervisedOptions(Gates):
    """The options of the supervised agents. The ``help`` of a field says what it means."""

    source: str = option(
        "dataset", "'dataset', or 'env' to play the environment: the same episodes, but slower"
    )
    batch_size: int = option(32, "episodes in an update")
    learning_rate: float = option(1e-2, "step size of Adam")
    anneal: int | None = option(
        None, "time steps over which the step size falls linearly to a hundredth"
    )
    max_grad_norm: float = option(1.0, "largest norm of a gradient; a larger one is scaled down")
    hidden: int = option(64, "units of a layer")
    layers: int = option(1, "number of layers")
    window: int = option(4, "for window_mlp, number of observations that it sees")

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


def check_positive(name: str, value: Any) -> None:
    """Raise TypeError or ValueError unless ``value`` is a finite number above 0."""
    if not check_number(name, value) > 0:
        raise ValueError(f"{name} must be above 0, got {value!r}")


def options_class(agent: str) -> type[PPOOptions] | type[SupervisedOptions]:
    """Return the class of the options of an agent."""
    check_choice("agent", agent, AGENTS)
    return PPOOptions if agent == RECURRENT_PPO else SupervisedOptions


def make_options(agent: str, values: dict[str, Any]) -> Options:
    """Make the options of an agent; those that are not given have their defaults.

    Raises:
        TypeError, ValueError: An option that the agent does not have, or a value out of range.
    """
    made = options_class(agent)
    names = [each.name for each in fields(made)]
    for name in values:
        if name not in names:
            raise ValueError(f"{agent} has no option {name!r}; it has {', '.join(sorted(names))}")
    return made(**values)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of a training run. Equal settings give equal learning curves on one machine.

    Attributes:
        id: Id of the environment.
        kwargs: Parameters of the environment. They must be JSON-able, and are kept as JSON has
            them: a tuple becomes a list.
        agent: A name from `AGENTS`.
        options: Options of the agent.
        seed: Seed of the episodes, the network and the exploration.
        steps: Stop after this many time steps, summed over all episodes.
        target: Stop when the mean return of the last 1,000 episodes reaches this.

    Raises:
        TypeError, ValueError: A value of a wrong type or out of range.
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
        check_number("target", self.target)
        try:
            object.__setattr__(self, "kwargs", json.loads(json.dumps(self.kwargs)))
        except TypeError as error:
            raise ValueError(f"kwargs must be JSON-able, got {self.kwargs!r}: {error}") from error

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Settings:
        """Make settings from what ``dataclasses.asdict`` gave.

        Raises:
            KeyError, TypeError, ValueError: Something is missing, unknown or out of range.
        """
        return cls(**{**values, "options": make_options(values["agent"], values["options"])})

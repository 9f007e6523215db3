"""Settings that are proven to solve: for an environment and an agent, what it is made of.

``python -m agents prove`` runs them all and writes what they reached to `results.json` and
``docs/presets.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agents.settings import RECURRENT_PPO, Settings, make_options

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Preset:
    """A row of the table.

    Attributes:
        id: The environment.
        kwargs: Parameters that it is proven with; it is used for others too that include these.
        agent: A name of `agents.settings.AGENTS`.
        options: Of the agent, where they differ from its defaults.
        target: See `agents.settings.Settings`.
        steps: See `agents.settings.Settings`.
    """

    id: str
    kwargs: dict[str, Any]
    agent: str
    options: dict[str, Any] = field(default_factory=dict)
    target: float = 0.99
    steps: int = 4_000_000


DELAY = {"delay_line": 4.0}
TOLD = {"hold": 5.0}
ENOUGH = 0.998  # where a clock alone is nearly perfect

# (id, parameters, {agent: (options, target)})
_ROWS: list[tuple[str, dict[str, Any], dict[str, tuple[dict[str, Any], float]]]] = [
    (
        "SeqNext-v0",
        {},
        {
            "recurrent_ppo": ({}, 0.99),
            "mlp": ({}, 0.995),
            "lstm": ({}, 0.995),
            "rnn": ({"learning_rate": 3e-3}, 0.995),
            "gru": ({}, 0.995),
            "lru": ({}, 0.995),
            "transformer": ({"learning_rate": 3e-3}, 0.995),
        },
    ),
    (
        "SeqNext-v0",
        {"framing": "many_to_one"},
        {"recurrent_ppo": ({"log_std": -3.0}, 0.99), "mlp": ({}, 0.995), "lstm": ({}, 0.995)},
    ),
    ("SeqNextMedium-v0", {}, {"recurrent_ppo": ({"log_std": -3.0}, 0.99), "lstm": ({}, 0.995)}),
    ("SeqNextHard-v0", {}, {"lstm": ({"hidden": 128}, 0.99), "lru": ({}, 0.99)}),
    (
        "SeqRecall-v0",
        {},
        {
            "recurrent_ppo": (TOLD, 0.99),
            "lstm": (TOLD, 0.995),
            "rnn": ({"learning_rate": 3e-3}, 0.995),
            "gru": ({}, 0.995),
            "lru": ({}, 0.995),
            "transformer": ({"learning_rate": 3e-3}, 0.995),
        },
    ),
    (
        "SeqRecall-v0",
        {"framing": "many_to_one"},
        {"recurrent_ppo": (TOLD, 0.99), "lstm": (TOLD, 0.995)},
    ),
    ("SeqRecallMedium-v0", {}, {"recurrent_ppo": (TOLD, 0.98), "lstm": (TOLD, 0.99)}),
    (
        "SeqRecallHard-v0",
        {},
        {"lstm": ({"hold": 7.0, "batch_size": 16}, 0.99), "lru": ({}, 0.99)},
    ),
    (
        "SeqEcho-v0",
        {},
        {
            "recurrent_ppo": (DELAY, 0.98),
            "lstm": (DELAY, 0.99),
            "rnn": ({"learning_rate": 3e-3}, 0.99),
            "gru": (DELAY, 0.99),
            "lru": ({}, 0.99),
            "transformer": ({"learning_rate": 3e-3}, 0.99),
            "window_mlp": ({}, 0.99),
        },
    ),
    (
        "SeqEcho-v0",
        {"framing": "many_to_one"},
        {"recurrent_ppo": (DELAY, 0.98), "lstm": (DELAY, 0.99)},
    ),
    (
        "SeqEchoMedium-v0",
        {},
        {
            "recurrent_ppo": ({**DELAY, "hidden": 128}, 0.97),
            "lstm": ({**DELAY, "hidden": 128}, 0.98),
        },
    ),
    (
        "SeqEchoHard-v0",
        {},
        {
            "lstm": ({**DELAY, "hidden": 256, "learning_rate": 3e-3}, 0.95),
            "lru": ({"hidden": 128, "learning_rate": 3e-3}, 0.97),
        },
    ),
    (
        "SeqCopy-v0",
        {},
        {
            "recurrent_ppo": (DELAY, 0.98),
            "lstm": (DELAY, 0.99),
            "rnn": ({"learning_rate": 3e-3}, 0.99),
            "gru": (DELAY, 0.99),
            "lru": ({}, 0.99),
            "transformer": ({"learning_rate": 3e-3}, 0.99),
            "encoder_decoder": ({"orthogonal": True, "forget_bias": 1.0, "hidden": 128}, 0.98),
        },
    ),
    ("SeqCopy-v0", {"framing": "many_to_one"}, {"lstm": (DELAY, 0.98)}),
    (
        "SeqCopyMedium-v0",
        {},
        {
            "recurrent_ppo": ({**DELAY, "hidden": 128}, 0.97),
            "lstm": ({**DELAY, "hidden": 128}, 0.98),
        },
    ),
    (
        "SeqCopyHard-v0",
        {},
        {
            "lstm": ({**DELAY, "hidden": 256, "learning_rate": 3e-3}, 0.95),
            "lru": ({"hidden": 128, "learning_rate": 3e-3}, 0.97),
        },
    ),
    (
        "SeqClassify-v0",
        {},
        {
            "recurrent_ppo": ({"chrono": 10}, 0.993),
            "lstm": ({"forget_bias": 3.0}, 0.995),
            "rnn": ({"learning_rate": 3e-3}, 0.995),
            "gru": ({}, 0.995),
            "lru": ({}, 0.995),
            "transformer": ({"learning_rate": 3e-3}, 0.995),
            "bilstm": ({}, 0.995),
        },
    ),
    (
        "SeqClassifyMedium-v0",
        {},
        {"recurrent_ppo": ({"chrono": 30}, 0.996), "lstm": ({"forget_bias": 3.0}, 0.997)},
    ),
    ("SeqClassifyHard-v0", {}, {"lstm": ({"forget_bias": 3.0}, 0.9985), "lru": ({}, 0.9985)}),
    (
        "SeqEcho-v0",
        {"lag": 4, "length": 14},
        {"recurrent_ppo": (DELAY, 0.97), "lstm": (DELAY, 0.98)},
    ),
]
PRESETS: list[Preset] = [
    Preset(id, kwargs, agent, options, target)
    for id, kwargs, agents in _ROWS
    for agent, (options, target) in agents.items()
]


def find_preset(id: str, kwargs: dict[str, Any], agent: str) -> Preset | None:
    """The preset whose parameters are most of those given; None if the agent has none there."""
    fitting = [
        preset
        for preset in PRESETS
        if (preset.id, preset.agent) == (id.split(":")[-1], agent)
        and preset.kwargs.items() <= kwargs.items()
    ]
    return max(fitting, key=lambda preset: len(preset.kwargs), default=None)


def preset_settings(
    id: str,
    kwargs: dict[str, Any] | None = None,
    agent: str = RECURRENT_PPO,
    options: dict[str, Any] | None = None,
    **given: Any,
) -> Settings:
    """Settings from the preset, with what is given instead.

    Args:
        id: The environment.
        kwargs: Its parameters.
        agent: A name of `agents.settings.AGENTS`.
        options: Of the agent.
        **given: ``seed``, ``steps`` and ``target`` of `Settings`.

    Raises:
        TypeError, ValueError: Something that the agent can't have.
    """
    kwargs = kwargs or {}
    preset = find_preset(id, kwargs, agent) or Preset(id, {}, agent)
    return Settings(
        id=id,
        kwargs=kwargs,
        agent=agent,
        options=make_options(agent, {**preset.options, **(options or {})}),
        **{"steps": preset.steps, "target": preset.target, **given},
    )

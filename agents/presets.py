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


PRESETS: list[Preset] = []


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

"""Presets: for an environment and an agent, the settings with which the agent solves it.

They are the rows of `presets.json`. ``python -m agents prove`` runs all of them and writes
`results.json` and ``docs/presets.md``.

The initial gates are a shift register (``delay_line``) where the answer is an input of some steps
ago, and a store (``hold``) where it is one value that must be kept. The learning rates are the best
of a few that were tried. ``SeqNextHard-v0`` has 100 classes that lie close together, so that its
answers become exact only with small steps, after many examples.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.config import RECURRENT_PPO, Settings, make_options
from seqenvs.registration import full_id


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A row of the table of presets.

    Attributes:
        id: Id of the environment.
        agent: A name from `agents.config.AGENTS`.
        kwargs: Parameters that the preset was tested with. It is used for all parameters that
            include these.
        options: Options of the agent that differ from the defaults.
        target: Stop when the mean return of the last 1,000 episodes reaches this.
        steps: Stop after this many time steps.
    """

    id: str
    agent: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    target: float = 0.99
    steps: int = 30_000_000


DEFAULT_STEPS = 3_000_000  # where there is no preset
PRESETS = [
    Preset(**row) for row in json.loads(Path(__file__).with_name("presets.json").read_text("utf-8"))
]


def find_preset(id: str, kwargs: dict[str, Any], agent: str) -> Preset | None:
    """Find the preset for an environment and an agent; None if there is none.

    Of several that apply, the one with the most parameters is returned.
    """
    found = [
        preset
        for preset in PRESETS
        if (preset.id, preset.agent) == (id.split(":")[-1], agent)
        and preset.kwargs.items() <= kwargs.items()
    ]
    return max(found, key=lambda preset: len(preset.kwargs), default=None)


def preset_settings(
    id: str,
    kwargs: dict[str, Any] | None = None,
    agent: str = RECURRENT_PPO,
    options: dict[str, Any] | None = None,
    **given: Any,
) -> Settings:
    """Make settings from the preset for an environment and an agent.

    Args:
        id: Id of the environment.
        kwargs: Parameters of the environment.
        agent: A name from `agents.config.AGENTS`.
        options: Options of the agent that replace those of the preset.
        **given: ``seed``, ``steps`` and ``target`` of `Settings`, which replace those of the
            preset.

    Raises:
        TypeError, ValueError: An option that the agent does not have, or a value out of range.
    """
    id, kwargs = full_id(id.removeprefix("seqenvs:")), kwargs or {}
    preset = find_preset(id, kwargs, agent) or Preset(id=id, agent=agent, steps=DEFAULT_STEPS)
    return Settings(
        id=id,
        kwargs=kwargs,
        agent=agent,
        options=make_options(agent, {**preset.options, **(options or {})}),
        **{"steps": preset.steps, "target": preset.target, **given},
    )

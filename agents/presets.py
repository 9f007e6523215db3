"""Presets: for an environment and an agent, the settings with which the agent solves it.

``python -m agents prove`` runs all of them and writes `results.json` and ``docs/presets.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agents.config import RECURRENT_PPO, Settings, make_options
from seqenvs.registration import full_id


@dataclass(frozen=True)
class Preset:
    """A row of the table of presets.

    Attributes:
        id: Id of the environment.
        kwargs: Parameters that the preset was tested with. It is used for all parameters that
            include these.
        agent: A name from `agents.config.AGENTS`.
        options: Options of the agent that differ from the defaults.
        target: Stop when the mean return of the last 1,000 episodes reaches this.
        steps: Stop after this many time steps.
    """

    id: str
    kwargs: dict[str, Any]
    agent: str
    options: dict[str, Any] = field(default_factory=dict)
    target: float = 0.99
    steps: int = 30_000_000


DEFAULT_STEPS = 3_000_000  # where there is no preset

# The initial gates: a shift register where the answer is an input of some steps ago, a store where
# it is one value that must be kept. The learning rates are the best of a few that were tried.
DELAY = {"delay_line": 4.0}
HOLD, LONG_HOLD = {"hold": 5.0}, {"hold": 7.0}
SLOW, SLOWER = {"learning_rate": 3e-3}, {"learning_rate": 2e-3}
ENCODER_DECODER = {"orthogonal": True, "forget_bias": 1.0, "hidden": 150}

# Parameters of environments; some are those of the tutorials in agents/claims.py.
END, AT_ONCE = {"framing": "many_to_one"}, {"framing": "one_to_one"}
WIDE = {"num_symbols": 100}
LAG_4, LAG_16 = {"lag": 4, "length": 14}, {"lag": 16, "length": 32}
RECALL_50, RECALL_200 = ({"length": length, "num_values": 4, **END} for length in (52, 202))
PRESENT = {"lag": 0, "length": 25, **WIDE}
OF_FIVE = {"lag": 1, "length": 5, **WIDE, **END}
AS_SHOWN = {**WIDE, **AT_ONCE}
FIRST_2 = {**WIDE, "output_length": 2}

# (id, parameters, agent, options, target)
_ROWS: list[tuple[str, dict[str, Any], str, dict[str, Any], float]] = [
    ("SeqNext-v0", {}, "recurrent_ppo", {}, 0.99),
    ("SeqNext-v0", {}, "mlp", {"learning_rate": 1e-3}, 0.997),
    ("SeqNext-v0", {}, "rnn", SLOW, 0.995),
    ("SeqNext-v0", {}, "gru", SLOW, 0.995),
    ("SeqNext-v0", {}, "lstm", {}, 0.995),
    ("SeqNext-v0", {}, "lru", {}, 0.995),
    ("SeqNext-v0", {}, "transformer", SLOW, 0.995),
    ("SeqNext-v0", END, "recurrent_ppo", {"learning_rate": 1e-3, "critic_lstm": True}, 0.992),
    ("SeqNext-v0", END, "mlp", {"learning_rate": 1e-3}, 0.997),
    ("SeqNext-v0", END, "lstm", {}, 0.996),
    ("SeqNextMedium-v0", {}, "recurrent_ppo", {"learning_rate": 1e-3, "critic_lstm": True}, 0.988),
    ("SeqNextMedium-v0", {}, "lstm", SLOW, 0.996),
    ("SeqRecall-v0", {}, "recurrent_ppo", HOLD, 0.99),
    ("SeqRecall-v0", {}, "rnn", SLOW, 0.995),
    ("SeqRecall-v0", {}, "gru", {}, 0.995),
    ("SeqRecall-v0", {}, "lstm", HOLD, 0.995),
    ("SeqRecall-v0", {}, "lru", {}, 0.995),
    ("SeqRecall-v0", {}, "transformer", SLOW, 0.995),
    ("SeqRecall-v0", END, "recurrent_ppo", HOLD, 0.99),
    ("SeqRecall-v0", END, "lstm", HOLD, 0.995),
    ("SeqRecallMedium-v0", {}, "recurrent_ppo", HOLD, 0.98),
    ("SeqRecallMedium-v0", {}, "lstm", HOLD, 0.99),
    ("SeqRecallHard-v0", {}, "lstm", {**LONG_HOLD, "batch_size": 16}, 0.99),
    ("SeqRecall-v0", RECALL_50, "recurrent_ppo", {**LONG_HOLD, "num_envs": 32}, 0.97),
    ("SeqRecall-v0", RECALL_50, "lstm", LONG_HOLD, 0.98),
    (
        "SeqRecall-v0",
        RECALL_200,
        "recurrent_ppo",
        {**LONG_HOLD, "num_envs": 32, "critic_lstm": True},
        0.97,
    ),
    ("SeqEcho-v0", {}, "recurrent_ppo", DELAY, 0.98),
    ("SeqEcho-v0", {}, "window_mlp", {}, 0.99),
    ("SeqEcho-v0", {}, "rnn", SLOW, 0.99),
    ("SeqEcho-v0", {}, "gru", DELAY, 0.99),
    ("SeqEcho-v0", {}, "lstm", DELAY, 0.99),
    ("SeqEcho-v0", {}, "lru", {}, 0.99),
    ("SeqEcho-v0", {}, "transformer", SLOW, 0.99),
    ("SeqEcho-v0", END, "recurrent_ppo", DELAY, 0.98),
    ("SeqEcho-v0", END, "lstm", DELAY, 0.99),
    ("SeqEcho-v0", LAG_4, "recurrent_ppo", DELAY, 0.97),
    ("SeqEcho-v0", LAG_4, "lstm", DELAY, 0.98),
    ("SeqEchoMedium-v0", {}, "recurrent_ppo", {**DELAY, "hidden": 128}, 0.97),
    ("SeqEchoMedium-v0", {}, "lstm", {**DELAY, **SLOW, "hidden": 128}, 0.98),
    ("SeqEcho-v0", LAG_16, "recurrent_ppo", {**DELAY, **SLOWER, "hidden": 128}, 0.97),
    ("SeqEcho-v0", LAG_16, "lstm", {**DELAY, **SLOW, "hidden": 128}, 0.98),
    ("SeqEcho-v0", PRESENT, "lstm", {"hidden": 15}, 0.995),
    ("SeqEcho-v0", OF_FIVE, "lstm", {"hidden": 50}, 0.98),
    ("SeqCopy-v0", AS_SHOWN, "lstm", {"hidden": 20}, 0.995),
    ("SeqCopy-v0", WIDE, "encoder_decoder", ENCODER_DECODER, 0.98),
    ("SeqCopy-v0", FIRST_2, "encoder_decoder", ENCODER_DECODER, 0.98),
    ("SeqEchoHard-v0", {}, "lru", {**SLOW, "hidden": 128}, 0.97),
    ("SeqCopy-v0", {}, "recurrent_ppo", DELAY, 0.98),
    ("SeqCopy-v0", {}, "rnn", SLOW, 0.99),
    ("SeqCopy-v0", {}, "gru", DELAY, 0.99),
    ("SeqCopy-v0", {}, "lstm", DELAY, 0.99),
    ("SeqCopy-v0", {}, "lru", {}, 0.99),
    ("SeqCopy-v0", {}, "transformer", SLOW, 0.99),
    ("SeqCopy-v0", {}, "encoder_decoder", {**ENCODER_DECODER, "hidden": 128}, 0.98),
    ("SeqCopy-v0", END, "recurrent_ppo", {**DELAY, "num_envs": 256, "critic_lstm": True}, 0.98),
    ("SeqCopy-v0", END, "lstm", DELAY, 0.98),
    ("SeqCopy-v0", AT_ONCE, "recurrent_ppo", DELAY, 0.98),
    ("SeqCopy-v0", AT_ONCE, "mlp", {}, 0.99),
    ("SeqCopy-v0", AT_ONCE, "lstm", DELAY, 0.99),
    ("SeqCopyMedium-v0", {}, "recurrent_ppo", {**DELAY, "hidden": 128}, 0.97),
    ("SeqCopyMedium-v0", {}, "lstm", {**DELAY, **SLOWER, "hidden": 128}, 0.98),
    ("SeqCopyHard-v0", {}, "lru", {**SLOW, "hidden": 128}, 0.97),
    ("SeqClassify-v0", {}, "recurrent_ppo", {"chrono": 10}, 0.995),
    ("SeqClassify-v0", {}, "rnn", SLOWER, 0.996),
    ("SeqClassify-v0", {}, "gru", {}, 0.996),
    ("SeqClassify-v0", {}, "lstm", SLOWER, 0.997),
    ("SeqClassify-v0", {}, "bilstm", {**SLOW, "hidden": 20, "forget_bias": 3.0}, 0.997),
    ("SeqClassify-v0", {}, "lru", SLOWER, 0.997),
    ("SeqClassify-v0", {}, "transformer", SLOW, 0.996),
    ("SeqClassify-v0", END, "recurrent_ppo", {**SLOWER, "num_envs": 256, "chrono": 10}, 0.985),
    ("SeqClassify-v0", END, "lstm", SLOWER, 0.992),
    ("SeqClassifyMedium-v0", {}, "recurrent_ppo", {**SLOW, "chrono": 30}, 0.9967),
    ("SeqClassifyMedium-v0", {}, "lstm", {**SLOWER, "forget_bias": 3.0, "anneal": 8000000}, 0.9988),
    ("SeqClassifyHard-v0", {}, "lstm", {**SLOWER, **HOLD, "anneal": 16000000}, 0.9992),
]
PRESETS = [Preset(*row) for row in _ROWS]
# 100 classes that lie close together: the answers become exact only with small steps, after many
# examples.
PRESETS += [
    Preset(
        "SeqNextHard-v0",
        {},
        "window_mlp",
        {**SLOW, "window": 25, "hidden": 256, "layers": 2, "batch_size": 256, "anneal": 80_000_000},
        target=0.999,
        steps=80_000_000,
    )
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
    preset = find_preset(id, kwargs, agent) or Preset(id, {}, agent, steps=DEFAULT_STEPS)
    return Settings(
        id=id,
        kwargs=kwargs,
        agent=agent,
        options=make_options(agent, {**preset.options, **(options or {})}),
        **{"steps": preset.steps, "target": preset.target, **given},
    )

"""Options and settings: their names, defaults and files, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from agents.config import AGENTS, RECURRENT_PPO, Settings, make_options
from agents.presets import preset_settings
from tests.agents.common import settings_of


@pytest.mark.parametrize("agent", AGENTS)
def test_settings_are_read_back(agent):
    options = {"cell": "gru", "entropy": 0.5} if agent == RECURRENT_PPO else {"source": "env"}
    kwargs = {"length": (3, 9), "framing": "aligned"}
    settings = settings_of(agent, kwargs=kwargs, steps=7, target=0.25, seed=11, **options)
    again = Settings.from_json(settings.to_json())
    assert again == settings and type(again.options) is type(settings.options)
    assert settings.kwargs["length"] == [3, 9]  # as JSON has it
    assert replace(settings, seed=12) != settings
    assert {"seqenvs", "python", "platform"} <= json.loads(settings.to_json())["versions"].keys()


def test_something_else_is_not_read_as_settings():
    for text in ("[]", "{}", '{"versions": {}, "agent": "lstm", "options": {}}'):
        with pytest.raises((TypeError, ValueError)):
            Settings.from_json(text)
    with pytest.raises(TypeError, match="options must be those of lstm, got PPOOptions"):
        replace(settings_of("lstm"), options=make_options(RECURRENT_PPO, {}))


@pytest.mark.parametrize(
    ("agent", "options", "error", "message"),
    [
        (RECURRENT_PPO, {"lr": 1}, ValueError, "recurrent_ppo has no option 'lr'; it has advantag"),
        ("gru", {"cell": "gru"}, ValueError, "gru has no option 'cell'; it has anneal, batch_size"),
        ("lstn", {}, ValueError, "agent must be one of .* got 'lstn'"),
        (RECURRENT_PPO, {"num_envs": 0}, ValueError, "num_envs must be an int at least 1, got 0"),
        (RECURRENT_PPO, {"epochs": 1.5}, TypeError, "epochs must be an int at least 1, got 1.5"),
        (RECURRENT_PPO, {"head": -1}, ValueError, "head must be an int at least 0, got -1"),
        (RECURRENT_PPO, {"gamma": 1.1}, ValueError, r"gamma must be in 0 \.\. 1, got 1.1"),
        (RECURRENT_PPO, {"gamma": "x"}, TypeError, "gamma must be a finite number, got 'x'"),
        (RECURRENT_PPO, {"log_std": [1]}, TypeError, "log_std must be a finite number"),
        (RECURRENT_PPO, {"clip_range": 0}, ValueError, "clip_range must be above 0, got 0"),
        (RECURRENT_PPO, {"advantage": "both"}, ValueError, "advantage must be one of"),
        (RECURRENT_PPO, {"cell": "rnn"}, ValueError, "cell must be one of 'lstm', 'gru'"),
        ("mlp", {"source": "web"}, ValueError, "source must be one of 'dataset', 'env'"),
        ("mlp", {"anneal": 0}, ValueError, "anneal must be an int at least 1"),
        ("mlp", {"learning_rate": True}, TypeError, "learning_rate must be a finite number"),
        ("mlp", {"max_grad_norm": math.inf}, ValueError, "max_grad_norm must be a finite"),
        ("lstm", {"forget_bias": "1"}, TypeError, "forget_bias must be a finite number or None"),
        ("lstm", {"forget_bias": math.nan}, ValueError, "forget_bias must be a finite number"),
        ("lstm", {"chrono": 1}, ValueError, "chrono must be an int at least 3, got 1"),
        ("lstm", {"hold": 1, "chrono": 5}, ValueError, "chrono and hold can't be given together"),
        ("lstm", {"orthogonal": 1}, ValueError, "orthogonal must be one of False, True, got 1"),
    ],
)
def test_bad_options_are_named(agent, options, error, message):
    with pytest.raises(error, match=message):
        make_options(agent, options)


def test_given_options_replace_those_of_the_preset():
    settings = preset_settings("SeqEcho-v0", {"lag": 2}, options={"delay_line": 3.0}, seed=5)
    assert settings.options.delay_line == 3.0
    assert (settings.seed, settings.kwargs, settings.agent) == (5, {"lag": 2}, RECURRENT_PPO)
    assert preset_settings("seqenvs:SeqEcho") == preset_settings("SeqEcho-v0")

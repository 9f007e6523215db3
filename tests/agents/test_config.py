"""Options and settings: their names, defaults and files, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from agents.config import AGENTS, RECURRENT_PPO, make_options
from agents.presets import preset_settings
from agents.training.run_folder import RunFolderError, read_settings, write_settings
from tests.agents.common import settings_of


@pytest.mark.parametrize("agent", AGENTS)
def test_settings_are_read_back(agent, tmp_path):
    options = {"cell": "gru", "entropy": 0.5} if agent == RECURRENT_PPO else {"source": "env"}
    kwargs = {"length": (3, 9), "framing": "aligned"}
    settings = settings_of(agent, kwargs=kwargs, steps=7, target=0.25, seed=11, **options)
    write_settings(tmp_path, settings)
    again = read_settings(tmp_path)
    assert again == settings and type(again.options) is type(settings.options)
    assert settings.kwargs["length"] == [3, 9]  # as JSON has it
    for text in ("[]", "{}", '{"versions": {}, "agent": "lstm", "options": {}}'):
        (tmp_path / "settings.json").write_text(text)
        with pytest.raises(RunFolderError, match=r"settings\.json is damaged"):
            read_settings(tmp_path)
    other = make_options("lstm" if agent == RECURRENT_PPO else RECURRENT_PPO, {})
    with pytest.raises(TypeError, match=f"options must be those of {agent}, got"):
        replace(settings, options=other)


@pytest.mark.parametrize(
    ("agent", "options", "error", "message"),
    [
        (RECURRENT_PPO, {"lr": 1}, ValueError, "recurrent_ppo has no option 'lr'; it has advantag"),
        ("lstn", {}, ValueError, "agent must be one of .* got 'lstn'"),
        (RECURRENT_PPO, {"num_envs": 0}, ValueError, "num_envs must be an int at least 1, got 0"),
        (RECURRENT_PPO, {"head": -1}, ValueError, "head must be an int at least 0, got -1"),
        (RECURRENT_PPO, {"gamma": 1.1}, ValueError, r"gamma must be in 0 \.\. 1, got 1.1"),
        (RECURRENT_PPO, {"log_std": [1]}, TypeError, "log_std must be a finite number"),
        (RECURRENT_PPO, {"clip_range": 0}, ValueError, "clip_range must be above 0, got 0"),
        (RECURRENT_PPO, {"advantage": "both"}, ValueError, "advantage must be one of"),
        ("mlp", {"source": "web"}, ValueError, "source must be one of 'dataset', 'env'"),
        ("mlp", {"anneal": 0}, ValueError, "anneal must be an int at least 1"),
        ("mlp", {"max_grad_norm": math.inf}, ValueError, "max_grad_norm must be a finite"),
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

"""The reference agents learn environments that are not of seqenvs."""

from __future__ import annotations

from pathlib import Path

import pytest

import agents
from agents.cli import main
from seqenvs.evaluation import evaluate, record_episodes
from tests.third_party import Cued

assert Cued  # registers the environments


def learn(agent, id="CuedShort-v0", *, steps, **kwargs):
    for _ in agent.learn(id, kwargs=kwargs, steps=steps, seed=0):
        pass
    return agent


@pytest.mark.parametrize("name", ["RecurrentPPO", "LSTM", "Transformer", "BiLSTM"])
def test_agents_learn_it(name):
    agent = learn(getattr(agents, name)(), steps=60_000)
    assert evaluate(agent, "CuedShort-v0", episodes=200).mean_return > 0.95


@pytest.mark.parametrize("name", sorted(set(agents.__all__) - {"EncoderDecoder"}))
@pytest.mark.parametrize(("sight", "answer"), [("picture", "level"), ("index", "two")])
def test_every_agent_runs_on_every_space(name, sight, answer):
    spaces = {"sight": sight, "answer": answer}
    agent = learn(getattr(agents, name)(hidden=8), steps=300, **spaces)
    assert 0 <= evaluate(agent, "CuedShort-v0", episodes=20, **spaces).mean_return <= 1
    assert agent.curve and len(record_episodes(agent, "CuedShort-v0", spaces)) == 4


@pytest.mark.parametrize("name", ["RecurrentPPO", "GRU"])
def test_a_resumed_agent_goes_on_as_if_uninterrupted(name, tmp_path):
    options = {"hidden": 8, "target": 1.0}
    whole = learn(getattr(agents, name)(**options), steps=3000)
    learn(begun := getattr(agents, name)(**options), steps=1000)
    begun.save(tmp_path / "agent")
    again = getattr(agents, name)(**options)
    again.load(tmp_path / "agent")
    assert learn(again, steps=3000).curve == whole.curve and len(whole.curve) > 5


@pytest.mark.parametrize(
    ("name", "id", "message"),
    [
        ("Transformer", "Cued-v0", "register 'Cued-v0' with max_episode_steps"),
        ("EncoderDecoder", "CuedShort-v0", "blank must be"),
    ],
)
def test_what_cannot_be_learned_is_refused(name, id, message):
    with pytest.raises((TypeError, ValueError), match=message):
        learn(getattr(agents, name)(), id, steps=9)


def test_the_command_line_trains_and_evaluates(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    arguments = ["tests.third_party:CuedShort-v0", "--agent", "gru", "--steps", "20000"]
    assert main(["train", *arguments, "--run", "run", "--set", "wait=[1, 2]"]) == 0
    assert main(["evaluate", "run", "--episodes", "100"]) == 0
    said = capsys.readouterr().out
    assert "Reached the target" in said and "the bounds of this environment are not known" in said

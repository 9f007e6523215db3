"""The interface of the reference agents: they learn, act, are saved and continue exactly."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest

import agents
from agents.config import CLASS_NAMES, RECURRENT_PPO, WINDOW, SupervisedOptions
from agents.learners import make_agent
from agents.networks import NETWORKS
from agents.presets import preset_settings
from agents.training.run_folder import RunFolderError
from seqenvs.evaluation import evaluate, record_episodes
from tests.agents.common import (
    ACTORS,
    VARIABLE,
    assert_same,
    folder_of,
    learn,
    new,
    settings_of,
    updated,
)
from tests.third_party import Cued

assert Cued  # registers the environments

every_agent = pytest.mark.parametrize("name", CLASS_NAMES)
COPY = {"id": "SeqCopy-v0", "kwargs": VARIABLE}
ECHO = {"id": "SeqEcho-v0", "kwargs": VARIABLE}
NEXT = {"id": "SeqNext-v0", "kwargs": {}}
PPO = RECURRENT_PPO

# agent, what it learns, its options
RESUMED = {
    **{name: (name, COPY, {}) for name in CLASS_NAMES},
    "aligned": (PPO, {"id": "SeqEcho-v0", "kwargs": {"length": 5}}, {}),
    "rollouts of several episodes": (PPO, ECHO, {"rollout": 20, "num_envs": 2}),
    "gae": (PPO, ECHO, {"advantage": "gae", "entropy": 0.01, "num_envs": 8, "minibatches": 3}),
    "gru cell": (PPO, ECHO, {"cell": "gru", "head": 4}),
    "box": (PPO, NEXT, {}),
    "many answers": (PPO, {"id": "SeqCopy-v0", "kwargs": {"framing": "many_to_one"}}, {}),
    "lstm, box": ("lstm", NEXT, {"learning_rate": 0.1}),
    "lstm, played": ("lstm", ECHO, {"source": "env"}),
    "third-party": (PPO, {"id": "CuedShort-v0", "kwargs": {}}, {}),
    "third-party, gru": ("gru", {"id": "CuedShort-v0", "kwargs": {}}, {}),
}


def test_the_names_of_agents_and_networks_agree():
    assert set(CLASS_NAMES) == {PPO, *NETWORKS}
    assert sorted(CLASS_NAMES.values()) == sorted(agents.__all__)
    for name, class_name in CLASS_NAMES.items():
        made = getattr(agents, class_name)
        assert made.name == name and made.__name__ == class_name and made.__doc__
        assert made.learns_from == ("rewards" if name == PPO else "answers")
        assert made.sees_future == (name == "bilstm")
        assert made.remembers == (name != "mlp")
        assert pickle.loads(pickle.dumps(made)) is made
        assert inspect.isgeneratorfunction(made.learn)
    with pytest.raises(AttributeError, match="LSTN"):
        _ = agents.LSTN


def test_importing_the_package_needs_no_torch():
    code = "import sys, agents, agents.cli; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", RESUMED)
def test_an_interrupted_agent_continues_exactly(kind, tmp_path):
    name, learned, options = RESUMED[kind]
    whole, first, second, third = (new(name, target=2.0, **options) for _ in range(4))
    path = tmp_path / "checkpoint"
    steps = learn(whole, 400, **learned)
    assert steps == sorted(steps) and steps[-2] < 400 <= steps[-1]
    assert [0, *(point[0] for point in whole.curve)] == steps
    cut = len(steps) // 2 - 1
    for _ in islice(first.learn(**learned, steps=400, seed=3), cut + 1):
        first.save(path)  # saving changes nothing
    second.load(path)
    assert second.curve == first.curve == whole.curve[:cut]
    second.save(path)  # interrupted again before any update
    third.load(path)
    assert learn(third, 400, **learned) == steps[cut:]
    assert third.curve == whole.curve and list(third.recent) == list(whole.recent)
    assert_same(third._state(), whole._state())
    id, kwargs = learned.values()
    results = [evaluate(agent, id, episodes=20, **kwargs) for agent in (whole, third)]
    assert results[0] == results[1]
    assert results[0].sees_future == (name == "bilstm")


def test_learning_again_starts_anew():
    agent = new("lstm")
    steps, curve = learn(agent, 200), agent.curve
    assert (learn(agent, 200), agent.curve) == (steps, curve)


def test_playing_and_the_data_set_give_the_same_curve():
    one, other = (updated(settings_of("lstm", source=each), 5) for each in ("dataset", "env"))
    assert one.curve == other.curve
    assert_same(one._state(), other._state())


def test_a_checkpoint_of_a_run_folder_can_be_loaded(tmp_path):
    folder = folder_of(settings_of("lstm"), tmp_path / "run", updates=3)
    agent = new("lstm")
    agent.load(folder / "checkpoint.pt")
    assert len(agent.curve) == 3 and agent.settings == settings_of("lstm")
    for changed in ({"kwargs": {}}, {"id": "SeqCopy-v0"}, {"seed": 4}):
        with pytest.raises(ValueError, match="the agent that was loaded learned with"):
            learn(agent, 1000, **{**ECHO, **changed})
    with pytest.raises(RunFolderError, match="belongs to the agent lstm, and this is gru"):
        new("gru").load(folder / "checkpoint.pt")


def settings_after(agent, id="SeqEchoMedium-v0"):
    next(agent.learn(id, kwargs={}, steps=10, seed=1))
    return agent.settings


def test_options_and_target_come_from_the_preset_unless_they_are_given():
    preset = preset_settings("SeqEchoMedium-v0", {}, "lstm", steps=10, seed=1)
    assert preset.options != SupervisedOptions()
    assert settings_after(agents.LSTM()) == preset
    target = settings_after(agents.LSTM(target=0.5))
    assert target.target == 0.5 and target.options == preset.options
    given = settings_after(agents.LSTM(hidden=5))
    assert given.target == preset.target and given.options == SupervisedOptions(hidden=5)
    assert settings_after(agents.MLP(hidden=4), "seqenvs:SeqEcho").id == "SeqEcho-v0"
    with pytest.raises(ValueError, match="lstm has no option 'units'; it has"):
        agents.LSTM(units=3)


@pytest.mark.parametrize(
    ("agent", "count", "mean", "reached"),
    [
        ("mlp", WINDOW, 0.1, True),
        ("mlp", WINDOW, 0.09, False),
        ("mlp", WINDOW - 1, 0.1, False),
        ("lstm", WINDOW, 0.1, False),
        ("window_mlp", WINDOW, 0.1, False),
        ("lstm", WINDOW, 0.99, True),
        ("lstm", WINDOW - 1, 0.99, False),
    ],
)
def test_when_the_target_is_reached(agent, count, mean, reached):
    agent = make_agent(settings_of(agent, kwargs={}, target=0.98))
    agent.recent.extend([mean] * count)
    assert agent.reached_target == agent.finished == reached
    assert not reached or not list(agent.run())


def test_an_agent_must_learn_before_it_acts():
    agent = agents.LSTM()
    for act in (lambda: agent.predict(np.zeros((1, 10))), lambda: agent.save("x")):
        with pytest.raises(RuntimeError, match=r"LSTM must learn\(\) or load\(\) first"):
            act()


@pytest.mark.parametrize("name", [PPO, "lstm"])
@pytest.mark.parametrize("id", ["SeqEcho-v0", "SeqNext-v0"])
def test_confidence_is_the_probability_of_the_action(name, id):
    agent = updated(settings_of(name, id, {}))
    shown = np.random.default_rng(0).random((5, *agent.task.observation_space.shape))
    shown = shown.astype(np.float32)
    actions, sure, state = agent.predict_with_confidence(shown)
    assert np.array_equal(actions, agent.predict(shown)[0])
    assert agent.predict_with_confidence(shown, state, np.ones(5, bool))[2] is not None
    if id == "SeqNext-v0":
        assert sure is None
    else:
        assert sure.shape == (5,) and (sure > 0.09).all() and (sure <= 1).all()


@pytest.mark.parametrize("name", ACTORS)
def test_acting_step_by_step_reaches_what_whole_episodes_reach(name):
    agent = updated(settings_of(name, kwargs={"length": 6, "lag": 0}, learning_rate=3e-3), 10)
    evaluations = []
    for sees_future in (False, True):
        agent.sees_future = sees_future
        evaluations.append(evaluate(agent, "SeqEcho-v0", episodes=900, length=6))
    one, other = evaluations
    error = one.standard_error + other.standard_error
    assert one.mean_return == pytest.approx(other.mean_return, abs=3 * error)


@pytest.mark.parametrize("name", [PPO, "lstm"])
def test_agents_learn_third_party_environments(name):
    agent = getattr(agents, CLASS_NAMES[name])()
    learn(agent, 40_000, "CuedShort-v0", {}, 0)
    assert evaluate(agent, "CuedShort-v0", episodes=200).mean_return > 0.95


@pytest.mark.parametrize("name", sorted(set(CLASS_NAMES) - {"encoder_decoder"}))
@pytest.mark.parametrize(("sight", "answer"), [("picture", "level"), ("index", "two")])
def test_every_agent_runs_on_every_space(name, sight, answer):
    spaces = {"sight": sight, "answer": answer}
    agent = new(name)
    learn(agent, 300, "CuedShort-v0", spaces)
    assert 0 <= evaluate(agent, "CuedShort-v0", episodes=20, **spaces).mean_return <= 1
    assert agent.curve and len(record_episodes(agent, "CuedShort-v0", spaces)) == 4


@pytest.mark.parametrize(
    ("name", "id", "message"),
    [
        ("transformer", "Cued-v0", "register 'Cued-v0' with max_episode_steps"),
        ("encoder_decoder", "CuedShort-v0", "blank must be"),
    ],
)
def test_what_cannot_be_learned_is_refused(name, id, message):
    with pytest.raises((TypeError, ValueError), match=message):
        learn(new(name), 9, id, {})

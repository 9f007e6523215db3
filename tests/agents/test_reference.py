"""The reference agents have the interface of the benchmark."""

from __future__ import annotations

import inspect
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest

import agents
from agents.config import CLASS_NAMES, OtherModelError, options_class
from agents.networks import NETWORKS
from agents.presets import preset_settings
from agents.reference import ReferenceAgent
from agents.training.run_folder import RunFolderError
from seqenvs.evaluation import evaluate
from tests.agents.common import SMALL, VARIABLE, folder_of, settings_of

every_agent = pytest.mark.parametrize("name", CLASS_NAMES)


def make(name, **options) -> ReferenceAgent:
    return getattr(agents, CLASS_NAMES[name])(**SMALL[name], **options)


def learn(agent, steps=600, id="SeqCopy-v0", kwargs=VARIABLE, seed=3):
    return list(agent.learn(id, kwargs=kwargs, steps=steps, seed=seed))


def test_the_names_of_agents_and_networks_agree():
    assert set(CLASS_NAMES) == {"recurrent_ppo", *NETWORKS}
    assert sorted(CLASS_NAMES.values()) == sorted(agents.__all__)
    for name, class_name in CLASS_NAMES.items():
        made = getattr(agents, class_name)
        assert made.name == name and made.__name__ == class_name and made.__doc__
        assert made.learns_from == ("rewards" if name == "recurrent_ppo" else "answers")
        assert made.sees_future == (name == "bilstm") == hasattr(made, "answer")
        assert inspect.isgeneratorfunction(made.learn)
    with pytest.raises(AttributeError, match="LSTN"):
        _ = agents.LSTN


def test_importing_the_package_needs_no_torch():
    code = "import sys, agents, agents.cli; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@every_agent
def test_an_interrupted_agent_continues_exactly(name, tmp_path):
    whole, first, second = (make(name, target=2.0) for _ in range(3))
    steps = learn(whole)
    assert steps == sorted(steps) and steps[-2] < 600 <= steps[-1]
    assert [0, *(point[0] for point in whole.curve)] == steps
    for _ in islice(first.learn("SeqCopy-v0", kwargs=VARIABLE, steps=600, seed=3), 4):
        pass
    first.save(tmp_path / "checkpoint")
    second.load(tmp_path / "checkpoint")
    assert len(first.curve) == 3
    assert second.curve == first.curve == whole.curve[:3]
    assert learn(second) == steps[3:]
    assert second.curve == whole.curve
    results = [evaluate(agent, "SeqCopy-v0", episodes=20, **VARIABLE) for agent in (whole, second)]
    assert results[0] == results[1]
    assert results[0].sees_future == (name == "bilstm")


@every_agent
def test_learning_again_starts_anew(name):
    agent = make(name)
    steps, curve = learn(agent, 200), agent.curve
    assert (learn(agent, 200), agent.curve) == (steps, curve)


def test_a_checkpoint_of_a_run_folder_can_be_loaded(tmp_path):
    folder = folder_of(settings_of("lstm"), tmp_path / "run", updates=3)
    agent = agents.LSTM(hidden=8, batch_size=8)
    agent.load(folder / "checkpoint.pt")
    assert len(agent.curve) == 3 and agent.settings == settings_of("lstm")
    assert agent.predict(np.zeros((2, 10), np.float32))[0].shape == (2,)


@pytest.mark.parametrize("changed", [{"kwargs": {}}, {"id": "SeqEcho-v0"}, {"seed": 4}])
def test_another_learning_cannot_continue_from_a_checkpoint(changed, tmp_path):
    agent, other = make("lstm"), make("lstm")
    learn(agent, 50)
    agent.save(tmp_path / "checkpoint")
    other.load(tmp_path / "checkpoint")
    with pytest.raises(ValueError, match="the agent that was loaded learned with"):
        learn(other, 100, **changed)
    with pytest.raises(OtherModelError, match="belongs to the agent lstm, and this is gru"):
        make("gru").load(tmp_path / "checkpoint")


@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_damaged_checkpoints_are_refused(content, tmp_path):
    path = tmp_path / "checkpoint"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunFolderError, match=r"checkpoint (does not exist|is damaged)"):
        agents.LSTM().load(path)


def settings_after(agent, id="SeqEchoMedium-v0"):
    next(agent.learn(id, kwargs={}, steps=10, seed=1))
    return agent.settings


def test_options_and_target_come_from_the_preset_unless_they_are_given():
    preset = preset_settings("SeqEchoMedium-v0", {}, "lstm", steps=10, seed=1)
    assert preset.options != options_class("lstm")()
    assert settings_after(agents.LSTM()) == preset
    target = settings_after(agents.LSTM(target=0.5))
    assert target.target == 0.5 and target.options == preset.options
    given = settings_after(agents.LSTM(hidden=5))
    assert given.target == preset.target and given.options == options_class("lstm")(hidden=5)


def test_the_target_ends_learning():
    agent = make("window_mlp", target=0.3)
    assert learn(agent, 10**6, "SeqEcho-v0", {})[-1] < 10**6
    assert agent.curve[-1][1] > 0.2


@pytest.mark.parametrize("id", ["SeqEcho", "seqenvs:SeqEcho-v0"])
def test_an_id_may_be_written_as_for_gymnasium(id):
    assert settings_after(agents.MLP(hidden=4), id).id == "SeqEcho-v0"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 3}, "lstm has no option 'units'; it has"),
        ({"hidden": 0}, "hidden must be an int at least 1, got 0"),
    ],
)
def test_bad_options_are_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        agents.LSTM(**options)


def test_an_agent_must_learn_before_it_acts():
    agent = agents.LSTM()
    for act in (lambda: agent.predict(np.zeros((1, 10))), lambda: agent.save("x")):
        with pytest.raises(RuntimeError, match=r"LSTM must learn\(\) or load\(\) first"):
            act()


@pytest.mark.parametrize("name", ["recurrent_ppo", "lstm"])
@pytest.mark.parametrize("id", ["SeqEcho-v0", "SeqNext-v0"])
def test_confidence_is_the_probability_of_the_action(name, id):
    agent = make(name)
    learn(agent, 50, id, {})
    shown = np.random.default_rng(0).random((5, *agent._learner.task.observation_space.shape))
    shown = shown.astype(np.float32)
    actions, sure, state = agent.predict_with_confidence(shown)
    assert np.array_equal(actions, agent.predict(shown)[0])
    assert agent.predict_with_confidence(shown, state, np.ones(5, bool))[2] is not None
    if id == "SeqNext-v0":
        assert sure is None
    else:
        assert sure.shape == (5,) and (sure > 0.09).all() and (sure <= 1).all()


def test_bilstm_answers_whole_episodes():
    agent = make("bilstm")
    learn(agent, 50, "SeqEcho-v0", {})
    shown = np.zeros((3, 10, 10), np.float32)
    answers, sure = agent.answer_with_confidence(shown)
    assert answers.shape == sure.shape == (3, 10)
    assert np.array_equal(answers, agent.answer(shown))
    with pytest.raises(TypeError, match="bilstm sees the future and cannot act step by step"):
        agent.predict(shown[:, 0])

"""An exported agent computes in onnxruntime what it computes in torch."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from agents import export as export_module
from agents.cli import main
from agents.config import AGENTS
from agents.export import REFUSED, ExportError, OnnxAgent, export, largest_difference
from agents.learners import make_agent
from seqenvs.evaluation import evaluate
from tests.agents.common import folder_of, settings_of

# Every kind of observation, action and state.
EXPORTED = [
    ("SeqEcho-v0", {}, "recurrent_ppo", {}),
    ("SeqEcho-v0", {"encoding": "index"}, "recurrent_ppo", {"cell": "gru", "critic_lstm": True}),
    ("SeqCopy-v0", {"framing": "many_to_one"}, "recurrent_ppo", {}),
    ("SeqNext-v0", {}, "recurrent_ppo", {}),
    ("SeqEcho-v0", {"encoding": "index", "length": [3, 9]}, "lstm", {"layers": 2}),
    ("SeqCopy-v0", {"framing": "many_to_one"}, "lstm", {}),
    ("SeqNext-v0", {}, "gru", {}),
    ("SeqClassify-v0", {}, "rnn", {}),
    ("SeqCopy-v0", {}, "encoder_decoder", {}),
    ("SeqEcho-v0", {}, "window_mlp", {}),
]


def agent_of(agent, id="SeqEcho-v0", kwargs=None, **options):
    return make_agent(settings_of(agent, id, kwargs or {}, **options))


@pytest.mark.full
@pytest.mark.parametrize(("id", "kwargs", "agent", "options"), EXPORTED)
def test_scores_and_actions_are_those_of_the_agent(id, kwargs, agent, options, tmp_path):
    agent = agent_of(agent, id, kwargs, **options)
    path = tmp_path / "model.onnx"
    export(agent, path)
    assert largest_difference(agent, path) < 1e-5
    exported = OnnxAgent(path)
    assert exported.trained_on == {"id": id, "kwargs": kwargs, "agent": agent}
    found, expected = (evaluate(each, id, episodes=40, **kwargs) for each in (exported, agent))
    assert found.mean_return == pytest.approx(expected.mean_return, abs=1e-4)
    action = exported.predict(np.stack([agent.task.observation_space.sample()] * 2))[0]
    assert action.dtype == agent.task.action_space.dtype


@pytest.mark.full
def test_the_command_writes_a_file_that_tells_its_inputs_and_outputs(tmp_path, capsys):
    run = folder_of(settings_of("lstm", kwargs={}, hidden=16), tmp_path / "run")
    assert main(["export", str(run), "--to", str(tmp_path / "model.onnx")]) == 0
    assert "mean return" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    shapes = {each.name: (each.type, each.shape) for each in session.get_inputs()}
    assert shapes == {
        "observation": ("tensor(float)", ["batch", 10]),
        "episode_start": ("tensor(float)", ["batch"]),
        "state_0": ("tensor(float)", ["batch", 1, 16]),
        "state_1": ("tensor(float)", ["batch", 1, 16]),
    }
    names = [each.name for each in session.get_outputs()]
    assert names == ["action", "scores", "next_state_0", "next_state_1"]
    versions = json.loads(session.get_modelmeta().custom_metadata_map["versions"])
    assert {"seqenvs", "torch"} <= versions.keys()


def test_every_agent_is_exported_or_refused():
    assert {*REFUSED, *(agent for _, _, agent, _ in EXPORTED)} == set(AGENTS)


@pytest.mark.parametrize("agent", REFUSED)
def test_the_others_say_why_they_cannot_be_exported(agent, tmp_path):
    with pytest.raises(TypeError, match=f"{agent} cannot be exported: {REFUSED[agent]}"):
        export(agent_of(agent), tmp_path / "model.onnx")


@pytest.mark.full
def test_a_file_that_computes_something_else_is_refused(tmp_path, monkeypatch):
    written = onnx.save

    def save(model, path):
        (bias,) = (each for each in model.graph.initializer if each.name == "network.head.bias")
        bias.raw_data = (onnx.numpy_helper.to_array(bias) + 1).tobytes()
        written(model, path)

    monkeypatch.setattr(onnx, "save", save)
    with pytest.raises(ExportError, match=r"onnxruntime and torch differ by 1\.0e\+00"):
        export(agent_of("lstm"), tmp_path / "model.onnx")
    assert export_module.TOLERANCE <= 1e-4


def test_the_command_says_what_is_wrong(tmp_path, capsys, monkeypatch):
    run = folder_of(settings_of("mlp"), tmp_path / "run")
    assert main(["export", str(run)]) == 2
    assert "mlp cannot be exported: it has no state" in capsys.readouterr().err
    assert not (run / "model.onnx").exists()

    def missing(*_):
        raise ModuleNotFoundError("No module named 'onnx'", name="onnx")

    monkeypatch.setattr(export_module, "export", missing)
    assert main(["export", str(run)]) == 2
    assert "export needs onnx: pip install -e '.[onnx]'" in capsys.readouterr().err

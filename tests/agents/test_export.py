"""An exported agent plays in onnxruntime as it does in torch."""

from __future__ import annotations

import json

import gymnasium
import numpy as np
import onnx
import onnxruntime
import pytest

from agents import cli as command
from agents import export as export_module
from agents.config import AGENTS
from agents.export import REFUSED, ExportError, OnnxAgent, export, largest_difference
from agents.learners import make_learner
from agents.presets import preset_settings

# Every kind of observation, answer and state.
WRITTEN = [
    ("SeqEcho-v0", {}, "recurrent_ppo", {}),
    ("SeqEcho-v0", {"encoding": "index"}, "recurrent_ppo", {"cell": "gru", "critic_lstm": True}),
    ("SeqCopy-v0", {"framing": "many_to_one"}, "recurrent_ppo", {}),
    ("SeqNext-v0", {}, "recurrent_ppo", {}),
    ("SeqEcho-v0", {"encoding": "index"}, "lstm", {"layers": 2}),
    ("SeqCopy-v0", {"framing": "many_to_one"}, "lstm", {}),
    ("SeqNext-v0", {}, "gru", {}),
    ("SeqClassify-v0", {}, "rnn", {}),
    ("SeqCopy-v0", {}, "encoder_decoder", {}),
    ("SeqEcho-v0", {}, "window_mlp", {}),
]


@pytest.mark.parametrize(("id", "kwargs", "agent", "options"), WRITTEN)
def test_scores_equal_torchs_and_actions_equal_predicts(id, kwargs, agent, options, tmp_path):
    learner = make_learner(preset_settings(id, kwargs, agent, options))
    path = tmp_path / "model.onnx"
    export(learner, path)
    assert largest_difference(learner, path) < 1e-5
    exported = OnnxAgent(path)
    assert exported.trained_on == {"id": id, "kwargs": kwargs, "agent": agent}
    env = gymnasium.make_vec(id, num_envs=3, **kwargs)
    observations, _ = env.reset(seed=5)
    states, starts, ended = (None, None), np.ones(3), np.zeros(3)
    for _ in range(25):
        answers, one = learner.predict(observations, states[0], starts)
        actions, other = exported.predict(observations, states[1], starts)
        states = one, other
        assert actions.dtype == env.action_space.dtype
        np.testing.assert_allclose(actions, answers, atol=1e-5)
        observations, _, terminated, _, _ = env.step(actions)
        starts, ended = ended, terminated.astype(float)


def test_the_file_says_what_goes_in_and_out(tmp_path):
    learner = make_learner(preset_settings("SeqEcho-v0", {}, "lstm", {"hidden": 16}))
    export(learner, tmp_path / "model.onnx")
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


@pytest.mark.parametrize("agent", AGENTS)
def test_what_cannot_be_written_says_why(agent, tmp_path):
    learner = make_learner(preset_settings("SeqEcho-v0", {}, agent))
    if agent in REFUSED:
        with pytest.raises(TypeError, match=f"{agent} can't be exported: {REFUSED[agent]}"):
            export(learner, tmp_path / "model.onnx")
    else:
        export(learner, tmp_path / "model.onnx")


def test_a_file_that_plays_otherwise_is_refused(tmp_path, monkeypatch):
    learner = make_learner(preset_settings("SeqEcho-v0", {}, "lstm"))
    written = onnx.save

    def save(model, path):
        (bias,) = (each for each in model.graph.initializer if each.name == "network.head.bias")
        bias.raw_data = (onnx.numpy_helper.to_array(bias) + 1).tobytes()
        written(model, path)

    monkeypatch.setattr(onnx, "save", save)
    with pytest.raises(ExportError, match=r"differ from torch's by 1\.0e\+00"):
        export(learner, tmp_path / "model.onnx")


def test_the_command_writes_it_into_the_run_and_plays_it(tmp_path, capsys):
    run = tmp_path / "run"
    assert command.main(["train", "SeqRecall-v0", "--agent", "lstm", "--run", str(run)]) == 0
    assert command.main(["export", str(run)]) == 0
    assert "mean return   1.0000" in capsys.readouterr().out
    before = sorted(path.name for path in run.iterdir())
    assert "model.onnx" in before
    assert command.main(["export", str(run), "--to", str(tmp_path / "other.onnx")]) == 0
    assert (tmp_path / "other.onnx").read_bytes() == (run / "model.onnx").read_bytes()


def test_the_command_names_what_is_wrong(tmp_path, capsys, monkeypatch):
    assert command.main(["export", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err
    run = tmp_path / "run"
    train = ["train", "SeqEcho-v0", "--agent", "mlp", "--steps", "1000", "--run", str(run)]
    assert command.main(train) == 0
    assert command.main(["export", str(run)]) == 2
    assert "mlp can't be exported: it has no state" in capsys.readouterr().err
    assert not (run / "model.onnx").exists()

    def missing(*_):
        raise ModuleNotFoundError("No module named 'onnx'", name="onnx")

    monkeypatch.setattr(command, "export", missing)
    assert command.main(["export", str(run)]) == 2
    assert "export needs onnx: pip install -e '.[onnx]'" in capsys.readouterr().err
    assert export_module.TOLERANCE <= 1e-4

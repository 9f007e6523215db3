"""Run folders: what they hold, and that reading them executes nothing."""

from __future__ import annotations

import base64
import json
import os
import pickle
import shutil
import zipfile
from dataclasses import asdict

import pytest
import torch
from stable_baselines3.common.save_util import json_to_data

from agents.config import RECURRENT_PPO
from agents.learners import Row, read_agent
from agents.learners.recurrent_ppo import SequencePPO
from agents.training import run_folder
from agents.training.curve import draw_curve, lines_of
from agents.training.run_folder import CHECKPOINT, RunFolderError
from agents.training.train import save
from seqenvs import Bounds
from tests.agents.common import assert_same, folder_of, new, settings_of, updated

both_kinds = pytest.mark.parametrize("name", [RECURRENT_PPO, "lstm"])


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Pictures take longer than everything else here."""
    monkeypatch.setattr("agents.training.train.draw_curve", lambda *_: None)


def resumed(path, settings):
    agent = new(settings.agent)
    agent.load(path, settings)
    return agent


@both_kinds
def test_the_files_hold_the_agent(name, tmp_path):
    settings = settings_of(name)
    run_folder.write_settings(tmp_path, settings)
    agent = updated(settings, 2)
    save(agent, tmp_path)
    found = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert_same(found["learner"], {"trained_on": agent.trained_on, **agent._state()})
    assert found["settings"] == asdict(settings)
    key = "parameters" if name == RECURRENT_PPO else "network"
    assert_same(read_agent(tmp_path)._state()[key], agent._state()[key])


OTHERS = {
    "another parameter": (settings_of(RECURRENT_PPO, kwargs={"lag": 2}), "'lag': 2"),
    "another id": (settings_of(RECURRENT_PPO, "SeqRecall-v0", {}), "SeqRecall-v0"),
    "another agent": (settings_of("window_mlp", kwargs={"lag": 1}, window=1), "'window_mlp'"),
    "another parameter, supervised": (settings_of("mlp", kwargs={"lag": 2}), "'lag': 2"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_another_run_are_refused(name, tmp_path):
    other, named = OTHERS[name]
    kind = RECURRENT_PPO if other.agent == RECURRENT_PPO else "mlp"
    settings = settings_of(kind, kwargs={"lag": 1})
    folder = folder_of(settings, tmp_path / "run")
    foreign = folder_of(other, tmp_path / "other")
    agent = read_agent(folder)
    if name == "another agent":  # the weights of which would fit
        networks = [each.network.parameters() for each in (agent, read_agent(foreign))]
        assert all(mine.shape == its.shape for mine, its in zip(*networks, strict=True))
    ours = rf"\{{'id': 'SeqEcho-v0', 'kwargs': \{{'lag': 1\}}, 'agent': '{kind}'\}}"
    for file, read in (
        (agent.model_file, lambda: read_agent(folder)),
        (CHECKPOINT, lambda: resumed(folder / CHECKPOINT, settings)),
    ):
        shutil.copy(foreign / file, folder / file)
        with pytest.raises(RunFolderError, match=rf"{file} was trained on .*{named}.*{ours}"):
            read()


@both_kinds
@pytest.mark.parametrize("damage", [b"", b"damaged", None])
def test_damaged_files_are_refused(name, damage, tmp_path):
    settings = settings_of(name)
    folder = folder_of(settings, tmp_path / "run")
    for path, read in (
        (folder / new(name).model_file, lambda: read_agent(folder)),
        (folder / CHECKPOINT, lambda: resumed(folder / CHECKPOINT, settings)),
        (folder / CHECKPOINT, lambda: new(name).load(folder / CHECKPOINT)),
        (folder / "settings.json", lambda: read_agent(folder)),
    ):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
        with pytest.raises(RunFolderError, match=rf"{path.name} is damaged") as caught:
            read()
        assert "\n" not in str(caught.value) and "weights_only" not in str(caught.value)
        path.unlink()
        with pytest.raises(RunFolderError, match=rf"{path.name} does not exist"):
            read()
        path.write_bytes(whole)


@pytest.mark.parametrize("content", [[], {}, {"trained_on": 1}, {"learner": {}}])
def test_files_that_hold_something_else_are_refused(content, tmp_path):
    settings = settings_of("mlp")
    folder = folder_of(settings, tmp_path / "run")
    for file in (CHECKPOINT, "model.pt"):
        torch.save(content, folder / file)
    with pytest.raises(RunFolderError, match=r"checkpoint\.pt is damaged"):
        resumed(folder / CHECKPOINT, settings)
    with pytest.raises(RunFolderError, match=r"model\.pt (is damaged|was trained on 1)"):
        read_agent(folder)
    larger = settings_of("mlp", hidden=16)
    with pytest.raises(RunFolderError, match="is damaged, or of another version"):
        resumed(folder_of(settings, tmp_path / "other") / CHECKPOINT, larger)


class Payload:
    """Creates a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def rewrite(archive_path, change):
    """Change the parts of a zip file."""
    with zipfile.ZipFile(archive_path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(archive_path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_the_pickled_part_of_a_model_is_not_executed(tmp_path):
    folder, made = folder_of(settings_of(RECURRENT_PPO), tmp_path / "run"), tmp_path / "made"
    expected = read_agent(folder).model.get_parameters()
    stock = SequencePPO.load(folder / "model.zip", device="cpu")  # SB3 can read the file, too
    assert_same(stock.get_parameters(), expected)
    pickled = base64.b64encode(pickle.dumps(Payload(made))).decode()
    evil = {":type:": "<class 'Payload'>", ":serialized:": pickled}

    def change(parts):
        parts["data"] = json.dumps(json.loads(parts["data"]) | {"policy_class": evil, "x": evil})

    rewrite(folder / "model.zip", change)
    json_to_data(json.dumps({"x": evil}))  # as SB3's own load does
    assert made.is_dir()
    made.rmdir()
    assert_same(read_agent(folder).model.get_parameters(), expected)
    assert not made.exists()


@pytest.mark.parametrize("name", [CHECKPOINT, "model.pt", "policy.pth"])
def test_pickled_objects_are_refused_and_not_executed(name, tmp_path):
    settings = settings_of(RECURRENT_PPO if name == "policy.pth" else "lstm")
    folder, made = folder_of(settings, tmp_path / "run"), tmp_path / "made"
    path = tmp_path / "evil.pt"
    payload = Payload(made)
    torch.save({"learner": payload, "network": payload}, path)
    torch.load(path, weights_only=False)
    assert made.is_dir()
    made.rmdir()
    if name == "policy.pth":
        rewrite(folder / "model.zip", lambda parts: parts.update({name: path.read_bytes()}))
    else:
        path.replace(folder / name)
    with pytest.raises(RunFolderError, match="UnpicklingError: it contains more than"):
        resumed(folder / name, settings) if name == CHECKPOINT else read_agent(folder)
    assert not made.exists()


def test_bounds_that_coincide_share_a_label():
    lines = lines_of(Bounds(chance=0.5, memoryless=0.55549, clock=0.905))
    labels = ["0.500  chance", "0.555  memoryless", "0.905  clock", "1.000  optimum"]
    assert [label for _, label in lines] == labels
    equal = [label for _, label in lines_of(Bounds(0.1, 0.1, 0.1))]
    assert equal == ["0.100  chance, memoryless, clock", "1.000  optimum"]
    assert lines_of(None) == []


@pytest.mark.parametrize("count", [0, 1, 250])
def test_a_curve_of_any_length_is_drawn(count, tmp_path):
    curve = [Row(10 * k, 0.1 * k, k, 0.5, 0.1, None) for k in range(1, count + 1)]
    draw_curve(tmp_path / "curve.png", "title", curve, Bounds(0.1, 0.5, 0.5))
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")

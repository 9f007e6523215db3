"""Training runs: they resume exactly, and their folders are read without executing anything."""

from __future__ import annotations

import base64
import json
import os
import pickle
import shutil
import zipfile
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
import torch
from stable_baselines3.common.save_util import json_to_data

from agents.config import RECURRENT_PPO
from agents.learners.recurrent_ppo import SequencePPO
from agents.networks import NETWORKS
from agents.training import run_folder
from agents.training.curve import draw_curve, lines_of, spread
from agents.training.loop import WINDOW, Row, resume, start
from agents.training.run_folder import CHECKPOINT, RunFolderError, read_learner
from agents.training.train import save
from seqenvs import Bounds
from seqenvs.evaluation import evaluate
from tests.agents.common import ACTORS, assert_same, folder_of, points, settings_of

RESUMED = {
    "aligned": settings_of(RECURRENT_PPO, kwargs={"length": 5}),
    "variable": settings_of(RECURRENT_PPO),
    "rollouts of several episodes": settings_of(RECURRENT_PPO, rollout=20, num_envs=2),
    "minibatches": settings_of(RECURRENT_PPO, num_envs=8, minibatches=3),
    "gae": settings_of(RECURRENT_PPO, advantage="gae", entropy=0.01),
    "gru": settings_of(RECURRENT_PPO, cell="gru", head=4),
    "box": settings_of(RECURRENT_PPO, "SeqNext-v0", {}),
    "many answers": settings_of(RECURRENT_PPO, "SeqCopy-v0", {"framing": "many_to_one"}),
    **{name: settings_of(name, "SeqCopy-v0") for name in NETWORKS},
    "lstm, box": settings_of("lstm", "SeqNext-v0", {}, learning_rate=0.1),
    "lstm, played": settings_of("lstm", source="env"),
}
every_kind = pytest.mark.parametrize("name", RESUMED)
both_kinds = pytest.mark.parametrize("agent", [RECURRENT_PPO, "lstm"])


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Pictures take longer than everything else here."""
    monkeypatch.setattr("agents.training.train.draw_curve", lambda *_: None)


@every_kind
def test_an_interrupted_run_ends_as_one_that_was_not(name, tmp_path):
    settings = RESUMED[name]
    whole = start(settings)
    for _ in range(6):
        whole.update()
    state = whole.learner.checkpoint()
    folder = folder_of(settings, tmp_path / "run", updates=2)
    path = folder / CHECKPOINT
    save(resume(path, settings), folder)  # interrupted again before any update
    parts = resume(path, settings)
    for _ in range(3):
        parts.update()
    parts.save(path)
    parts = resume(path)  # with the settings in the checkpoint
    parts.update()
    assert points(parts) == points(whole)
    assert len({row.mean_return for row in whole.curve}) > 1
    assert list(parts.recent) == list(whole.recent)
    assert_same(parts.learner.checkpoint(), state)


@every_kind
def test_saving_changes_nothing_and_the_files_hold_the_learner(name, tmp_path):
    settings = RESUMED[name]
    run_folder.write_settings(tmp_path, settings)
    states = []
    for saves in (False, True):  # one after the other, as PPO uses the global generators
        saved = start(settings)
        for _ in range(2):
            saved.update()
            if saves:
                save(saved, tmp_path)
        states.append(saved.learner.checkpoint())
    assert_same(*states)
    found = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert_same(found["learner"], saved.learner.checkpoint())
    assert found["settings"] == asdict(settings)
    learner = read_learner(tmp_path)
    part = ("parameters",) if settings.agent == RECURRENT_PPO else ("learner", "network")
    found = [each.checkpoint() for each in (learner, saved.learner)]
    for key in part:
        found = [each[key] for each in found]
    assert_same(*found)


def test_a_run_may_be_resumed_before_its_first_update(tmp_path):
    settings = RESUMED["variable"]
    folder = folder_of(settings, tmp_path / "run", updates=0)
    curves = []
    for begin in (lambda: start(settings), lambda: resume(folder / CHECKPOINT)):
        training = begin()
        for _ in range(2):
            training.update()
        curves.append(points(training))
    assert curves[0] == curves[1]


def test_playing_and_the_data_set_give_the_same_curve():
    runs = []
    for source in ("dataset", "env"):
        training = start(settings_of("lstm", source=source))
        for _ in range(5):
            training.update()
        runs.append((points(training), training.learner.checkpoint()))
    assert_same(*runs)


OTHERS = {
    "another parameter": (settings_of(RECURRENT_PPO, kwargs={"lag": 2}), "'lag': 2"),
    "another id": (settings_of(RECURRENT_PPO, "SeqRecall-v0", {}), "SeqRecall-v0"),
    "another agent": (settings_of("window_mlp", kwargs={"lag": 1}, window=1), "'window_mlp'"),
    "another parameter, supervised": (settings_of("mlp", kwargs={"lag": 2}), "'lag': 2"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_another_run_are_refused(name, tmp_path):
    other, named = OTHERS[name]
    agent = RECURRENT_PPO if other.agent == RECURRENT_PPO else "mlp"
    settings = settings_of(agent, kwargs={"lag": 1})
    folder = folder_of(settings, tmp_path / "run")
    foreign = folder_of(other, tmp_path / "other")
    learner = read_learner(folder)
    if name == "another agent":  # the weights of which would fit
        networks = [each.network.parameters() for each in (learner, read_learner(foreign))]
        assert all(mine.shape == its.shape for mine, its in zip(*networks, strict=True))
    ours = rf"\{{'id': 'SeqEcho-v0', 'kwargs': \{{'lag': 1\}}, 'agent': '{agent}'\}}"
    for file, read in (
        (learner.model_file, lambda: read_learner(folder)),
        (CHECKPOINT, lambda: resume(folder / CHECKPOINT, settings)),
    ):
        shutil.copy(foreign / file, folder / file)
        with pytest.raises(RunFolderError, match=rf"{file} was trained on .*{named}.*{ours}"):
            read()


@both_kinds
def test_files_of_another_size_are_refused(agent, tmp_path):
    folder = folder_of(settings_of(agent), tmp_path / "run")
    larger = settings_of(agent, hidden=16)
    run_folder.write_settings(folder, larger)
    for read in (lambda: read_learner(folder), lambda: resume(folder / CHECKPOINT, larger)):
        with pytest.raises(RunFolderError, match="is damaged, or of another version"):
            read()


@both_kinds
@pytest.mark.parametrize("damage", [b"", b"{}", b"damaged", None])
def test_damaged_files_are_refused(agent, damage, tmp_path):
    settings = settings_of(agent)
    folder = folder_of(settings, tmp_path / "run")
    model = folder / read_learner(folder).model_file
    for path, read in (
        (model, lambda: read_learner(folder)),
        (folder / CHECKPOINT, lambda: resume(folder / CHECKPOINT, settings)),
        (folder / "settings.json", lambda: read_learner(folder)),
    ):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
        with pytest.raises(RunFolderError, match=rf"{path.name} is damaged") as caught:
            read()
        assert "\n" not in str(caught.value) and "weights_only" not in str(caught.value)
        path.write_bytes(whole)
        path.unlink()
        with pytest.raises(RunFolderError, match=rf"{path.name} does not exist"):
            read()
        path.write_bytes(whole)


@pytest.mark.parametrize("content", [[], {}, {"learner": {}}, {"trained_on": 1}, torch.ones(3)])
def test_whole_files_of_something_else_are_refused(content, tmp_path):
    settings = settings_of("lstm")
    folder = folder_of(settings, tmp_path / "run")
    for name in (CHECKPOINT, "model.pt"):
        torch.save(content, folder / name)
    for given in (settings, None):
        with pytest.raises(RunFolderError, match=r"checkpoint\.pt is damaged"):
            resume(folder / CHECKPOINT, given)
    with pytest.raises(RunFolderError, match=r"model\.pt (is damaged|was trained on 1)"):
        read_learner(folder)


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
    pickled = base64.b64encode(pickle.dumps(Payload(made))).decode()
    evil = {":type:": "<class 'Payload'>", ":serialized:": pickled}
    expected = read_learner(folder).checkpoint()["parameters"]

    def change(parts):
        parts["data"] = json.dumps(json.loads(parts["data"]) | {"policy_class": evil, "x": evil})

    rewrite(folder / "model.zip", change)
    json_to_data(json.dumps({"x": evil}))  # as SB3's own load does
    assert made.is_dir()
    made.rmdir()
    assert_same(read_learner(folder).checkpoint()["parameters"], expected)
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
        resume(folder / name, settings) if name == CHECKPOINT else read_learner(folder)
    assert not made.exists()


def test_stable_baselines_loads_the_model_too(tmp_path):
    folder = folder_of(settings_of(RECURRENT_PPO), tmp_path / "run")
    model = SequencePPO.load(folder / "model.zip", device="cpu")
    assert_same(model.get_parameters(), read_learner(folder).model.get_parameters())


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
    training = start(settings_of(agent, kwargs={}, target=0.98))
    training.recent.extend([mean] * count)
    assert training.reached_target == training.finished == reached
    assert not reached or not list(training.run())


@pytest.mark.parametrize("agent", ACTORS)
def test_acting_step_by_step_reaches_what_whole_episodes_reach(agent):
    training = start(settings_of(agent, kwargs={"length": 6, "lag": 0}, learning_rate=3e-3))
    for _ in range(10):
        training.update()
    evaluations = []
    for sees_future in (False, True):
        training.learner.sees_future = sees_future
        evaluations.append(evaluate(training.learner, "SeqEcho-v0", episodes=900, length=6))
    one, other = evaluations
    error = one.standard_error + other.standard_error
    assert one.mean_return == pytest.approx(other.mean_return, abs=3 * error)


def test_recurrent_ppo_does_not_answer_whole_episodes():
    learner = start(settings_of(RECURRENT_PPO)).learner
    for method in (learner.answer, learner.answer_with_confidence):
        with pytest.raises(TypeError, match="recurrent_ppo acts step by step"):
            method(np.zeros((1, 3, 10), np.float32))


def test_bounds_that_coincide_share_a_label():
    lines = lines_of(Bounds(chance=0.5, memoryless=0.55549, clock=0.905))
    assert [label for _, label in lines] == [
        "0.500  chance",
        "0.555  memoryless",
        "0.905  clock",
        "1.000  optimum",
    ]
    assert [label for _, label in lines_of(Bounds(0.1, 0.1, 0.1))] == [
        "0.100  chance, memoryless, clock",
        "1.000  optimum",
    ]
    assert lines_of(None) == []


@pytest.mark.parametrize("heights", [[0.0, 0.01, 0.02], [0.97, 0.98, 0.99], [0.1, 0.5], []])
def test_labels_are_spread_apart(heights):
    placed = spread(heights, 0.05)
    assert all(high - low > 0.0499 for low, high in pairwise(placed))
    assert all(0 <= height <= 1 for height in placed)


@pytest.mark.parametrize("count", [0, 1, 250])
def test_a_curve_of_any_length_is_drawn(count, tmp_path):
    curve = [Row(10 * k, 0.1 * k, k, 0.5, 0.1, None) for k in range(1, count + 1)]
    draw_curve(tmp_path / "curve.png", "title", curve, None)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")

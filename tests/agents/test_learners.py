"""The agents' common interface: go on as if nothing had been, and read nothing that executes."""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from stable_baselines3.common.save_util import json_to_data

from agents.cli import main
from agents.config import AGENTS, RECURRENT_PPO, Settings, make_options
from agents.learners.recurrent_ppo import SequencePPO
from agents.networks import NETWORKS
from agents.presets import preset_settings
from agents.training import run_folder
from agents.training.run_folder import RunFolderError
from agents.training.train import WINDOW, resume, save, start
from seqenvs import Bounds
from seqenvs.evaluation import evaluate, near_bound

SMALL = {RECURRENT_PPO: {"num_envs": 4, "hidden": 8, "head": 0}}
SMALL |= {name: {"hidden": 8, "batch_size": 8} for name in NETWORKS}
SEQUENCES = {"length": [3, 9]}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Which take longer than all the rest; test_agents.py looks at them."""
    monkeypatch.setattr("agents.training.train.draw_curve", lambda *_: None)


def settings_of(agent, id="SeqEcho-v0", kwargs=None, steps=10**6, target=2.0, seed=3, **options):
    """Small ones, without a preset."""
    return Settings(
        id=id,
        kwargs=SEQUENCES if kwargs is None else kwargs,
        agent=agent,
        options=make_options(agent, {**SMALL[agent], **options}),
        seed=seed,
        steps=steps,
        target=target,
    )


RESUMED = {
    "aligned": settings_of(RECURRENT_PPO, kwargs={"length": 5}),
    "ragged": settings_of(RECURRENT_PPO),
    "ragged, some rollouts long": settings_of(RECURRENT_PPO, rollout=20, num_envs=2),
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
every_agent = pytest.mark.parametrize("agent", AGENTS)


def points(training):
    """The curve but its seconds."""
    return [row._replace(seconds=0) for row in training.curve]


def assert_same(one, other):
    """Compare trees of tensors and numbers, exactly."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    elif isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    else:
        assert one == other


def folder_of(settings, path, updates=1):
    """A run folder, left after some updates."""
    run_folder.create(path, settings)
    training = start(settings)
    for _ in range(updates):
        training.update()
    save(training, path)
    return path


@every_kind
def test_a_run_that_was_interrupted_ends_as_one_that_was_not(name, tmp_path):
    settings = RESUMED[name]
    whole = start(settings)
    for _ in range(6):
        whole.update()
    state = whole.learner.checkpoint()
    folder = folder_of(settings, tmp_path / "run", updates=2)
    save(resume(folder, settings), folder)  # interrupted again, before it has learned anything
    parts = resume(folder, settings)
    for _ in range(3):
        parts.update()
    save(parts, folder)
    parts = resume(folder, settings)
    parts.update()
    assert points(parts) == points(whole)
    assert len({row.mean_return for row in whole.curve}) > 1
    assert list(parts.recent) == list(whole.recent)
    assert_same(parts.learner.checkpoint(), state)


@every_kind
def test_saving_disturbs_nothing(name, tmp_path):
    settings = RESUMED[name]
    states = []
    for saved in (False, True):
        training = start(settings)
        for _ in range(2):
            training.update()
            if saved:
                save(training, tmp_path)
        states.append(training.learner.checkpoint())
    assert_same(*states)


def test_a_resumed_run_may_begin_before_the_first_update(tmp_path):
    settings = RESUMED["ragged"]
    folder = folder_of(settings, tmp_path / "run", updates=0)
    curves = []
    for begin in (lambda: start(settings), lambda: resume(folder, settings)):
        training = begin()
        for _ in range(2):
            training.update()
        curves.append(points(training))
    assert curves[0] == curves[1]


@every_kind
def test_files_hold_tensors_and_numbers_and_the_learner_is_read_back(name, tmp_path):
    settings = RESUMED[name]
    folder = folder_of(settings, tmp_path / "run", 2)
    checkpoint = torch.load(folder / "checkpoint.pt", weights_only=True)
    training = resume(folder, settings)
    assert_same(checkpoint["learner"], training.learner.checkpoint())
    learner = run_folder.read_learner(folder)
    found = [each.checkpoint() for each in (learner, training.learner)]
    if settings.agent == RECURRENT_PPO:
        assert (folder / "model.zip").is_file()
        assert_same(*(each["parameters"] for each in found))
    else:
        assert (folder / "model.pt").is_file()
        assert_same(*(each["learner"]["network"] for each in found))


def test_playing_and_the_data_set_give_the_same_curve():
    runs = []
    for source in ("dataset", "env"):
        training = start(settings_of("lstm", "SeqEcho-v0", source=source))
        for _ in range(5):
            training.update()
        runs.append((points(training), training.learner.checkpoint()))
    assert_same(*runs)


ANOTHER = {
    "another lag": (settings_of(RECURRENT_PPO, kwargs={"lag": 2}), "'lag': 2"),
    "another id": (settings_of(RECURRENT_PPO, "SeqRecall-v0", {}), "SeqRecall-v0"),
    "another agent": (settings_of("window_mlp", kwargs={"lag": 1}, window=1), "'window_mlp'"),
    "another lag, supervised": (settings_of("mlp", kwargs={"lag": 2}), "'lag': 2"),
}


@pytest.mark.parametrize("name", ANOTHER)
@pytest.mark.parametrize("file", ["model", "checkpoint"])
def test_what_belongs_to_another_run_is_refused(name, file, tmp_path, capsys):
    other, named = ANOTHER[name]
    agent = RECURRENT_PPO if other.agent == RECURRENT_PPO else "mlp"
    folder = folder_of(settings_of(agent, kwargs={"lag": 1}), tmp_path / "run")
    foreign = folder_of(other, tmp_path / "other")
    command, path = ["train", "--resume", str(folder)], "checkpoint.pt"
    if file == "model":
        command, path = ["evaluate", str(folder)], run_folder.read_learner(folder).model_file
    if name == "another agent":
        shapes = (
            [part.shape for part in run_folder.read_learner(each).model.network.parameters()]
            for each in (folder, foreign)
        )
        assert next(shapes) == next(shapes)  # so it would fit
    shutil.copy(foreign / path, folder / path)
    assert main(command) == 2
    said = capsys.readouterr().err
    assert f"{path} was trained on {{" in said
    assert named in said
    assert f"{{'id': 'SeqEcho-v0', 'kwargs': {{'lag': 1}}, 'agent': '{agent}'}}" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("agent", [RECURRENT_PPO, "lstm"])
@pytest.mark.parametrize("file", ["model", "checkpoint"])
def test_what_was_made_otherwise_is_refused(agent, file, tmp_path, capsys):
    folder = folder_of(settings_of(agent), tmp_path / "run")
    run_folder.write_settings(folder, settings_of(agent, hidden=16))
    command = {"model": ["evaluate"], "checkpoint": ["train", "--resume"]}[file]
    assert main([*command, str(folder)]) == 2
    said = capsys.readouterr().err
    assert f"{file}." in said and "is damaged, or of another version" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("agent", [RECURRENT_PPO, "lstm"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"damaged", None])
def test_damaged_models_are_refused(agent, damage, tmp_path):
    folder = folder_of(settings_of(agent), tmp_path / "run")
    path = folder / run_folder.read_learner(folder).model_file
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    with pytest.raises(RunFolderError, match=f"{path.name} is damaged"):
        run_folder.read_learner(folder)


@pytest.mark.parametrize("content", [[], {}, {"learner": {}}, {"trained_on": 1}, torch.ones(3)])
def test_whole_files_of_something_else_are_refused(content, tmp_path):
    settings = settings_of("lstm")
    folder = folder_of(settings, tmp_path / "run")
    for name in ("checkpoint.pt", "model.pt"):
        torch.save(content, folder / name)
    with pytest.raises(RunFolderError, match=r"checkpoint\.pt is damaged"):
        resume(folder, settings)
    with pytest.raises(RunFolderError, match=r"model\.pt (is damaged|was trained on 1)"):
        run_folder.read_learner(folder)


@pytest.mark.parametrize(("name", "value"), [("id", "SeqEcho-v9"), ("kwargs", {"lag": 99})])
def test_settings_that_cannot_be_made_are_one_line(name, value, tmp_path, capsys):
    folder = folder_of(settings_of("mlp"), tmp_path / "run")
    found = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**found, name: value}))
    for command in (["evaluate"], ["train", "--resume"]):
        assert main([*command, str(folder)]) == 2
        said = capsys.readouterr().err
        assert ("v9" if name == "id" else "got 99") in said
        assert said.count("\n") == 1


class Payload:
    """What makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_the_pickled_part_of_a_model_is_not_executed(tmp_path, capsys):
    folder, made = folder_of(settings_of(RECURRENT_PPO), tmp_path / "run"), tmp_path / "made"
    with zipfile.ZipFile(folder / "model.zip") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(parts["data"])
    pickled = base64.b64encode(pickle.dumps(Payload(made))).decode()
    for name in ("policy_class", "evil"):
        data[name] = {":type:": "<class 'Payload'>", ":serialized:": pickled}
    parts["data"] = json.dumps(data).encode()
    with zipfile.ZipFile(folder / "model.zip", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    json_to_data(json.dumps({"evil": data["evil"]}))  # as SB3's own load does
    assert made.is_dir()
    made.rmdir()
    expected = run_folder.read_learner(folder_of(settings_of(RECURRENT_PPO), tmp_path / "same"))
    learner = run_folder.read_learner(folder)
    assert_same(learner.checkpoint()["parameters"], expected.checkpoint()["parameters"])
    assert main(["evaluate", str(folder), "--episodes", "3"]) == 0
    assert main(["train", "--resume", str(folder), "--steps", "1"]) == 0
    assert not made.exists()


@pytest.mark.parametrize("name", ["checkpoint.pt", "model.pt", "policy.pth"])
def test_pickled_objects_are_refused_and_not_executed(name, tmp_path, capsys):
    agent = RECURRENT_PPO if name == "policy.pth" else "lstm"
    folder, made = folder_of(settings_of(agent), tmp_path / "run"), tmp_path / "made"
    path = tmp_path / "evil.pt"
    payload = Payload(made)
    torch.save({"learner": payload, "network": payload}, path)
    torch.load(path, weights_only=False)["learner"]
    assert made.is_dir()
    made.rmdir()
    if name == "policy.pth":
        with zipfile.ZipFile(folder / "model.zip") as archive:
            parts = {each: archive.read(each) for each in archive.namelist()}
        with zipfile.ZipFile(folder / "model.zip", "w") as archive:
            for each, content in {**parts, name: path.read_bytes()}.items():
                archive.writestr(each, content)
    else:
        path.replace(folder / name)
    command = ["train", "--resume"] if name == "checkpoint.pt" else ["evaluate"]
    assert main([*command, str(folder)]) == 2
    said = capsys.readouterr().err
    assert "is damaged, or of another version: UnpicklingError: it is not made of" in said
    assert said.count("\n") == 1
    assert not made.exists()


def test_an_agent_that_remembers_nothing_stops_at_its_bound(tmp_path, capsys):
    folder = str(tmp_path / "run")
    options = ["--agent", "mlp", "--option", "hidden=8", "--option", "batch_size=100"]
    assert main(["train", "SeqEcho-v0", *options, "--run", folder]) == 0
    said = capsys.readouterr().out
    assert re.search(
        r"Stopped, as mlp remembers nothing: return 0\.[01]\d, which is the memoryless bound, ",
        said,
    )
    assert "--resume" not in said
    steps = run_folder.read_settings(tmp_path / "run").steps
    assert len((tmp_path / "run" / "curve.csv").read_text().splitlines()) - 1 >= 10
    assert f"or {steps:,} steps" in said and f"after {steps:,}" not in said


def test_a_learner_that_stops_short_says_near_which_bound_it_is(tmp_path, capsys):
    folder = str(tmp_path / "run")
    options = ["--agent", "window_mlp", "--option", "window=1", "--steps", "5000"]
    assert main(["train", "SeqEcho-v0", *options, "--run", folder]) == 0
    said = capsys.readouterr().out
    assert re.search(
        r"Stopped short of the target: return 0\.[01]\d, which is the memoryless bound, after 5,",
        said,
    )
    assert f"--resume {folder} --steps 10" in said


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
def test_when_there_is_nothing_left_to_learn(agent, count, mean, reached):
    training = start(settings_of(agent, kwargs={}, target=0.98))
    training.recent.extend([mean] * count)
    assert training.reached_target == training.finished == reached


@pytest.mark.parametrize(
    ("bounds", "mean", "error", "name"),
    [
        (Bounds(0.1, 0.4, 0.7), 0.4, 0.0, "memoryless"),
        (Bounds(0.1, 0.4, 0.7), 0.7, 0.0, "clock"),
        (Bounds(0.1, 0.4, 0.7), 0.1, 0.0, "chance"),
        (Bounds(0.1, 0.4, 0.7), 0.3985, 0.0, "memoryless"),  # at least 0.002 on either side
        (Bounds(0.1, 0.4, 0.7), 0.7015, 0.0, "clock"),
        (Bounds(0.1, 0.4, 0.7), 0.703, 0.0, None),
        (Bounds(0.1, 0.4, 0.7), 0.703, 0.0011, "clock"),  # three standard errors
        (Bounds(0.1, 0.4, 0.7), 0.66, 0.0133, None),
        (Bounds(0.1, 0.4, 0.7), 0.66, 0.0134, "clock"),
        (Bounds(0.1, 0.4, 0.7), 1.0, 0.0, None),
        (Bounds(0.1, 0.1, 0.1), 0.1, 0.0, "memoryless"),
        (Bounds(0.5, 1.0, 1.0), 1.0, 0.0, None),
        (Bounds(0.5, 1.0, 1.0), 0.5, 0.0, "chance"),
    ],
)
def test_near_bound(bounds, mean, error, name):
    said = "" if name is None else f", which is the {name} bound"
    assert near_bound(bounds, mean, error) == said


def test_bilstm_is_shown_whole_sequences_and_cannot_act(tmp_path, capsys):
    folder = folder_of(settings_of("bilstm"), tmp_path / "run")
    learner = run_folder.read_learner(folder)
    with pytest.raises(TypeError, match="sees the future and can't act by steps"):
        learner.predict(np.zeros((1, *learner.model._shape), np.float32))
    asked, answer = [], learner.model.answer
    learner.model.answer = lambda shown: asked.append(shown.shape[:2]) or answer(shown)
    assert evaluate(learner, "SeqEcho-v0", SEQUENCES, episodes=7).sees_future
    assert asked == [(7, 9)]
    assert main(["evaluate", str(folder), "--episodes", "7"]) == 0
    assert "sees whole sequences before it answers" in capsys.readouterr().out
    assert json.loads((folder / "evaluation.json").read_text())["sees_future"] is True
    assert main(["train", "--resume", str(folder), "--steps", "1"]) == 0
    assert "bilstm sees whole sequences" in capsys.readouterr().out


def test_recurrent_ppo_answers_step_by_step():
    with pytest.raises(TypeError, match="recurrent_ppo answers step by step"):
        start(settings_of(RECURRENT_PPO)).learner.answer(np.zeros((1, 3, 10), np.float32))


@every_agent
@pytest.mark.parametrize("id", ["SeqCopy-v0", "SeqNext-v0"])
def test_every_agent_is_evaluated(agent, id):
    kwargs = SEQUENCES if id == "SeqCopy-v0" else {}
    learner = start(settings_of(agent, id, kwargs)).learner
    evaluation = evaluate(learner, id, kwargs, episodes=12)
    assert evaluation.episodes == 12
    assert 0 <= evaluation.mean_return < 1
    assert evaluation.sees_future == (agent == "bilstm")
    assert evaluation == evaluate(learner, id, kwargs, episodes=12)
    due = np.flatnonzero([value is not None for value in evaluation.accuracy])
    assert len(due) and len(evaluation.accuracy) == learner.task.num_steps


@pytest.mark.parametrize("agent", [name for name in NETWORKS if name != "bilstm"])
def test_step_by_step_an_agent_reaches_what_it_reaches_on_whole_sequences(agent):
    training = start(settings_of(agent, kwargs={"length": 6, "lag": 0}, learning_rate=3e-3))
    for _ in range(10):
        training.update()
    evaluations = []
    for sees_future in (False, True):
        training.learner.sees_future = sees_future
        evaluations.append(evaluate(training.learner, "SeqEcho-v0", {"length": 6}, episodes=900))
    one, other = evaluations
    error = one.standard_error + other.standard_error
    assert one.mean_return == pytest.approx(other.mean_return, abs=3 * error)


@every_agent
def test_settings_are_read_back(agent):
    options = {"cell": "gru", "entropy": 0.5} if agent == RECURRENT_PPO else {"source": "env"}
    kwargs = {"length": (3, 9), "framing": "aligned"}
    settings = settings_of(agent, kwargs=kwargs, steps=7, target=0.25, seed=11, **options)
    again = Settings.from_json(settings.to_json())
    assert again == settings
    assert again.options == settings.options and type(again.options) is type(settings.options)
    assert settings.kwargs["length"] == [3, 9]
    assert replace(settings, seed=12) != settings


@pytest.mark.parametrize("agent", [RECURRENT_PPO, "lstm"])
def test_a_tuple_among_the_parameters_is_the_list_that_is_read_back(agent, tmp_path):
    settings = settings_of(agent, kwargs={"length": (3, 9)})
    folder = folder_of(settings, tmp_path / "run")
    run_folder.read_learner(folder)
    assert resume(folder, run_folder.read_settings(folder)).learner.steps > 0


@pytest.mark.parametrize(
    ("agent", "options", "error", "message"),
    [
        (
            RECURRENT_PPO,
            {"lr": 1},
            ValueError,
            "recurrent_ppo has no option 'lr'; it has advantage",
        ),
        ("gru", {"cell": "gru"}, ValueError, "gru has no option 'cell'; it has anneal, batch_size"),
        ("lstn", {}, ValueError, "agent must be one of .* got 'lstn'"),
        (RECURRENT_PPO, {"num_envs": 0}, ValueError, "num_envs must be an int at least 1, got 0"),
        (RECURRENT_PPO, {"epochs": 1.5}, TypeError, "epochs must be an int at least 1, got 1.5"),
        (RECURRENT_PPO, {"head": -1}, ValueError, "head must be an int at least 0, got -1"),
        (RECURRENT_PPO, {"gamma": 1.1}, ValueError, r"gamma must be in 0 \.\. 1, got 1.1"),
        (RECURRENT_PPO, {"gamma": "x"}, ValueError, "gamma must be a finite number, got 'x'"),
        (RECURRENT_PPO, {"entropy": None}, ValueError, "entropy must be a finite number, got None"),
        (RECURRENT_PPO, {"log_std": [1]}, ValueError, "log_std must be a finite number"),
        (RECURRENT_PPO, {"clip_range": 0}, ValueError, "clip_range must be above 0, got 0"),
        (RECURRENT_PPO, {"advantage": "both"}, ValueError, "advantage must be one of"),
        (RECURRENT_PPO, {"cell": "rnn"}, ValueError, "cell must be one of 'lstm', 'gru'"),
        ("mlp", {"source": "web"}, ValueError, "source must be one of 'dataset', 'env'"),
        ("mlp", {"window": 0}, ValueError, "window must be an int at least 1"),
        ("mlp", {"learning_rate": True}, ValueError, "learning_rate must be a finite number"),
        ("mlp", {"learning_rate": float("nan")}, ValueError, "learning_rate must be a finite"),
        ("mlp", {"max_grad_norm": float("inf")}, ValueError, "max_grad_norm must be a finite"),
        ("lstm", {"chrono": 1}, ValueError, "chrono must be an int at least 3, got 1"),
        ("lstm", {"hold": 1, "chrono": 5}, ValueError, "chrono and hold can't be given together"),
        ("lstm", {"orthogonal": 1}, ValueError, "orthogonal must be one of False, True, got 1"),
    ],
)
def test_options_that_make_no_sense_are_named(agent, options, error, message):
    with pytest.raises(error, match=message):
        make_options(agent, options)


def test_presets_are_settings_and_what_is_given_comes_first():
    settings = preset_settings("SeqEcho-v0", {"lag": 2}, options={"delay_line": 3.0}, seed=5)
    assert settings.options.delay_line == 3.0
    assert (settings.seed, settings.kwargs, settings.agent) == (5, {"lag": 2}, RECURRENT_PPO)


def test_a_stock_load_reads_the_model_too(tmp_path):
    folder = folder_of(settings_of(RECURRENT_PPO), tmp_path / "run")
    model = SequencePPO.load(folder / "model.zip", device="cpu")
    ours = run_folder.read_learner(folder).model
    assert_same(model.get_parameters(), ours.get_parameters())

"""The reference agents: train, evaluate, interrupt and resume, and what a wrong argument says."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from agents.cli import main
from agents.config import AGENTS, PPOOptions, SupervisedOptions
from agents.learners.recurrent_ppo import SequencePPO
from agents.presets import preset_settings
from agents.training import run_folder
from agents.training.curve import lines_of, spread
from agents.training.train import CHECKPOINT_SECONDS, start, train
from seqenvs import Bounds
from seqenvs.evaluation import Evaluation

ROOT = Path(__file__).parents[2]
SMALL = ["--option", "num_envs=4", "--option", "hidden=8", "--option", "head=0"]
TINY = [*SMALL, "--steps", "800"]
FILES = {"settings.json", "curve.csv", "curve.png", "model.zip", "checkpoint.pt", "tensorboard"}


LSTM = ["--agent", "lstm", "--option"]


def curve_of(folder):
    """The learning curve without its seconds, which no two runs share."""
    with (folder / "curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert float(row.pop("seconds")) > 0
    return rows


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny finished run on episodes of varying length, so that they end out of step."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", "SeqEcho-v0", "--set", "length=[3, 9]", *TINY, "--run", str(folder)]) == 0
    return folder


def test_a_run_folder_is_complete(run):
    assert {path.name for path in run.iterdir()} >= FILES
    assert not [path for path in run.iterdir() if path.name.startswith(".")]
    settings = json.loads((run / "settings.json").read_text())
    assert settings["id"] == "SeqEcho-v0"
    assert settings["kwargs"] == {"length": [3, 9]}
    assert settings["versions"].keys() >= {"seqenvs", "gymnasium", "torch", "numpy", "python"}
    options = {"num_envs": 4, "hidden": 8, "head": 0}
    assert run_folder.read_settings(run) == preset_settings(
        "SeqEcho-v0", {"length": [3, 9]}, options=options, steps=800
    )
    rows = curve_of(run)
    assert [int(row["steps"]) for row in rows] == [36 * i for i in range(1, 24)]
    for row in rows:
        assert 0 <= float(row["success_rate"]) <= float(row["mean_return"]) <= 1
        assert float(row["memory_score"]) == pytest.approx(
            (float(row["mean_return"]) - 0.1) / 0.9, abs=1e-5
        )
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert any((run / "tensorboard").iterdir())


def test_evaluate_writes_what_it_reports(run, capsys):
    assert main(["evaluate", str(run), "--episodes", "30"]) == 0
    report = capsys.readouterr().out
    evaluation = Evaluation(**json.loads((run / "evaluation.json").read_text()))
    assert evaluation.episodes == 30
    assert evaluation.report() + "\n" == report
    assert f"mean return   {evaluation.mean_return:.4f}" in report
    assert "length = [3, 9]" in report
    assert all(len(line) <= 80 for line in report.splitlines())
    assert len(evaluation.accuracy) == 9
    assert evaluation.accuracy[0] is None  # with a lag of 1, nothing is due yet


def test_evaluate_says_when_the_episodes_are_those_of_training(run, capsys):
    assert main(["evaluate", str(run), "--episodes", "2", "--seed", "0"]) == 0
    assert "not fresh" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_run_and_another_does_not(tmp_path):
    def play(name, *more):
        folder = tmp_path / name
        assert main(["train", "SeqEcho-v0", *TINY, *more, "--run", str(folder)]) == 0
        return curve_of(folder)

    first = play("first")
    assert play("second") == first
    assert play("third", "--seed", "1") != first


def test_a_resumed_run_ends_as_an_uninterrupted_one(run, tmp_path):
    folder = tmp_path / "resumed"
    begin = ["train", "SeqEcho-v0", "--set", "length=[3, 9]", *SMALL, "--run", str(folder)]
    assert main([*begin, "--steps", "300"]) == 0
    assert len(curve_of(folder)) == 9
    assert main(["train", "--resume", str(folder)]) == 0  # which has nothing to do
    assert main(["train", "--resume", str(folder), "--steps", "800"]) == 0
    assert curve_of(folder) == curve_of(run)
    assert run_folder.read_settings(folder) == run_folder.read_settings(run)
    whole, parts = (
        run_folder.read_learner(each).model.get_parameters()["policy"] for each in (run, folder)
    )
    assert all(bool((whole[name] == parts[name]).all()) for name in whole)


def test_ctrl_c_leaves_a_complete_folder_that_can_be_resumed(tmp_path, capsys, monkeypatch):
    whole, folder = tmp_path / "whole", tmp_path / "interrupted"
    assert main(["train", "SeqCopy-v0", *TINY, "--run", str(whole)]) == 0
    steps = int(curve_of(whole)[1]["steps"])
    learn = SequencePPO.learn

    def learn_and_interrupt(model, *args, **kwargs):
        learn(model, *args, **kwargs)
        if model.num_timesteps == steps:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(SequencePPO, "learn", learn_and_interrupt)
        assert main(["train", "SeqCopy-v0", *TINY, "--run", str(folder)]) == 130
    said = capsys.readouterr().out
    assert f"{steps} steps are saved" in said
    assert f"--resume {folder}" in said
    assert {path.name for path in folder.iterdir()} >= FILES
    assert len(curve_of(folder)) == 2
    assert main(["train", "--resume", str(folder)]) == 0
    assert curve_of(folder) == curve_of(whole)


def test_a_second_ctrl_c_goes_back_to_the_last_checkpoint(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    options = {"num_envs": 4, "hidden": 8}
    settings = preset_settings("SeqEcho-v0", options=options, steps=800)
    training = start(settings)
    run_folder.create(folder, settings)

    def interrupt_twice(*_, **__):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(SequencePPO, "learn", interrupt_twice)
        with pytest.raises(KeyboardInterrupt):
            train(training, folder)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert main(["train", "--resume", str(folder)]) == 0
    assert int(curve_of(folder)[-1]["steps"]) >= 800


def test_a_target_ends_training(tmp_path, capsys):
    folder = tmp_path / "run"
    command = ["train", "SeqNext-v0", "--target", "0.5", "--steps", "100_000", "--run", str(folder)]
    assert main(command) == 0
    assert "Reached the target: return 0." in capsys.readouterr().out
    rows = curve_of(folder)
    assert int(rows[-1]["episodes"]) >= 1000
    assert int(rows[-1]["steps"]) < 100_000
    assert all(row["memory_score"] == "" for row in rows)  # which needs no memory
    assert main(["evaluate", str(folder), "--episodes", "3"]) == 0
    assert "this problem needs no memory" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "give the id of an environment"),
        (["train", "SeqEco-v0"], "Did you mean: `SeqEcho`"),
        (["train", "CartPole-v1"], "id must be one that seqenvs.register registered"),
        (["train", "nothing_here:Mine-v0"], "nothing_here"),
        (["train", "SeqEcho-v0", "--set", "lagg=1"], "did you mean 'lag'"),
        (["train", "SeqEcho-v0", "--set", "lag=99"], "lag must be an int in 0 .. 9, got 99"),
        (["train", "SeqEcho-v0", "--set", "lag"], "must be NAME=VALUE"),
        (["train", "SeqEcho-v0", "--set", "lag=1+"], "is no Python number"),
        (["train", "SeqEcho-v0", *["--set", "lag=1"] * 2], "--set lag is given twice"),
        (["train", "SeqEcho-v0", "--target", "1.5"], "--target must be at most 1"),
        (["train", "SeqEcho-v0", "--target", "nan"], "target must be a finite number, got nan"),
        (["train", "SeqEcho-v0", "--set", "lag={1}"], "JSON-able"),
        (["train", "SeqEcho-v0", "--steps", "0"], "steps must be an int at least 1, got 0"),
        (["train", "SeqEcho-v0", "--seed", "-1"], "seed must be an int at least 0, got -1"),
        (["train", "SeqEcho-v0", "--option", "lr"], "--option must be NAME=VALUE"),
        (["train", "SeqEcho-v0", "--option", "lr=1"], "recurrent_ppo has no option 'lr'"),
        (["train", "SeqEcho-v0", "--option", "layers=1"], "recurrent_ppo has no option 'layers'"),
        (
            ["train", "SeqEcho-v0", *LSTM, "num_envs=1"],
            "lstm has no option 'num_envs'; it has",
        ),
        (["train", "SeqEcho-v0", *LSTM, "hidden=0"], "hidden must be an int at least 1, got 0"),
        (["train", "SeqEcho-v0", *LSTM, "source=web"], "one of 'dataset', 'env', got 'web'"),
        (["train", "SeqEcho-v0", "--agent", "lstn"], "agent must be one of 'recurrent_ppo', 'mlp'"),
        (["train", "SeqEcho-v0", "--agent", "mlp", "--option", "hold=5"], "hold must be left out"),
        (["train", "SeqEcho-v0", "--option", "learning_rate=1e400"], "learning_rate must be a fin"),
        (["train", "SeqEcho-v0", "--option", "gamma=x"], "gamma must be a finite number, got 'x'"),
        (["train", "SeqNext-v0", "--option", "advantage=outcome"], "advantage must be 'gae'"),
        (["train", "--agent", "lstm", "--resume", "nowhere"], "agent can't be given beside"),
        (["train", "--option", "head=0", "--resume", "nowhere"], "option can't be given beside"),
        (["train", "--resume", "nowhere"], "does not exist"),
        (["train", "SeqEcho-v0", "--resume", "nowhere"], "id can't be given beside --resume"),
        (["train", "--seed", "1", "--resume", "nowhere"], "seed can't be given beside --resume"),
        (["evaluate", "nowhere"], "does not exist"),
    ],
)
def test_errors_are_one_line_and_exit_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_only_an_unknown_id_is_answered_with_the_list_of_ids(capsys):
    assert main(["train", "SeqEco-v0"]) == main(["train", "SeqEcho-v0", "--set", "lag=99"]) == 2
    unknown, wrong = capsys.readouterr().err.splitlines()
    assert "python -m seqenvs list" in unknown and "python -m seqenvs list" not in wrong


@pytest.mark.parametrize("id", ["SeqEcho", "seqenvs:SeqEcho-v0", "seqenvs:SeqEcho"])
def test_an_id_may_be_given_as_to_gymnasium_and_has_its_preset(id):
    assert preset_settings(id) == preset_settings("SeqEcho-v0")


def test_what_cannot_be_written_is_one_line(run, tmp_path, capsys):
    path = tmp_path / "none" / "model.onnx"
    assert main(["export", str(run), "--to", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(path) in said
    (tmp_path / "file").write_text("kept")
    assert main(["train", "SeqEcho-v0", "--run", str(tmp_path / "file")]) == 2
    assert "file is a file: choose another folder" in capsys.readouterr().err


def test_no_half_of_a_file_is_left(tmp_path):
    def fill(path):
        path.write_text("half")
        raise KeyboardInterrupt

    (tmp_path / "a.txt").write_text("before")
    with pytest.raises(KeyboardInterrupt):
        run_folder.write(tmp_path / "a.txt", fill)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


@pytest.mark.parametrize(("output", "said"), [("| head -1", ""), ("> /dev/full", "No space left")])
def test_an_output_that_takes_no_more_is_no_traceback(run, output, said):
    command = f"{sys.executable} -m agents evaluate {run} --episodes 3 {output}"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert said in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.count("\n") == bool(said)


def test_unknown_options_exit_2(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "SeqEcho-v0", "--colour", "red"])
    assert "--colour" in capsys.readouterr().err


def test_wrong_numbers_of_episodes_are_refused(run, capsys):
    assert main(["evaluate", str(run), "--episodes", "0"]) == 2
    assert "episodes must be at least 1, got 0" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["settings.json", "model.zip", "checkpoint.pt"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"damaged", None])
def test_damaged_run_folders_are_refused(run, tmp_path, name, damage, capsys):
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in ("settings.json", "model.zip", "checkpoint.pt"):
        (folder / file).write_bytes((run / file).read_bytes())
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    commands = {"model.zip": ["evaluate", str(folder)]}
    command = commands.get(name, ["train", "--resume", str(folder), "--steps", "900"])
    assert main(command) == 2
    said = capsys.readouterr().err
    assert f"{name} is damaged" in said
    assert said.count("\n") == 1
    assert "weights_only" not in said  # torch's advice is to execute the file


def test_resume_refuses_wrong_steps(run, capsys):
    assert main(["train", "--resume", str(run), "--steps", "0"]) == 2
    assert "steps must be an int at least 1, got 0" in capsys.readouterr().err


def test_resume_of_a_finished_run_says_how_to_go_on(run, capsys):
    assert main(["train", "--resume", str(run)]) == 0
    said = capsys.readouterr().out
    assert "Stopped short of the target: return " in said
    assert ", after 828 steps" in said
    assert f"--resume {run} --steps 1656" in said


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["train", "SeqEcho-v0", *TINY, "--run", str(tmp_path / "file" / "run")]) == 2
    assert "can't be written" in capsys.readouterr().err


def test_a_run_is_never_overwritten(run, capsys):
    before = (run / "model.zip").read_bytes()
    assert main(["train", "SeqEcho-v0", *TINY, "--run", str(run)]) == 2
    assert "--resume" in capsys.readouterr().err
    assert (run / "model.zip").read_bytes() == before


def test_lines_that_coincide_share_a_label():
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


def test_help_shows_every_setting(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--help"])
    said = capsys.readouterr().out
    assert all(len(line) <= 80 for line in said.splitlines())
    shown = " ".join(said.split())
    flags = ["agent", "seed", "steps", "target", "set", "option", "run", "resume"]
    for name in (*(f"--{flag}" for flag in flags), *AGENTS):
        assert name in shown
    for options in (PPOOptions, SupervisedOptions):
        for each in fields(options):
            assert f"{each.name}: {each.metadata['help']} (default: {each.default})" in shown


@pytest.mark.full
def test_the_default_command_learns_to_echo(tmp_path):
    """The README's first command, as a stranger runs it: at least 0.95 within two minutes."""
    command = [sys.executable, "-m", "agents"]
    environment = {**os.environ, "PYTHONWARNINGS": "error::UserWarning"}
    options = {"env": environment, "timeout": 120, "capture_output": True, "text": True}
    folder = tmp_path / "run"
    trained = subprocess.run([*command, "train", "SeqEcho-v0", "--run", folder], **options)
    assert trained.returncode == 0, trained.stderr
    assert trained.stderr == ""
    evaluated = subprocess.run([*command, "evaluate", folder], **options)
    assert evaluated.returncode == 0, evaluated.stderr
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["episodes"] == 1000
    assert evaluation["mean_return"] >= 0.95
    assert CHECKPOINT_SECONDS <= 10

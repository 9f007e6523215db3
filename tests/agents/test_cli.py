"""The command line of the agents: train, interrupt, resume, evaluate, and error messages."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agents.cli import main
from agents.learners.recurrent_ppo import SequencePPO
from agents.presets import preset_settings
from agents.training import run_folder
from seqenvs.evaluation import Evaluation
from tests.agents.common import folder_of, settings_of

ROOT = Path(__file__).parents[2]
SMALL = ["--option", "num_envs=4", "--option", "hidden=8", "--option", "head=0"]
TINY = [*SMALL, "--steps", "500"]
FILES = {"settings.json", "curve.csv", "curve.png", "model.zip", "checkpoint.pt", "tensorboard"}
TRAIN = ["train", "SeqEcho-v0"]
LSTM = ["--agent", "lstm", "--option"]


def curve_of(folder):
    """The learning curve without its seconds, which differ from run to run."""
    with (folder / "curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert float(row.pop("seconds")) > 0
    return rows


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small finished run, with episodes of different lengths."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", "SeqEcho-v0", "--set", "length=[3, 9]", *TINY, "--run", str(folder)]) == 0
    return folder


def test_a_run_folder_is_complete(run):
    assert {path.name for path in run.iterdir()} >= FILES
    assert not [path for path in run.iterdir() if path.name.startswith(".")]
    versions = json.loads((run / "settings.json").read_text())["versions"]
    assert versions.keys() >= {"seqenvs", "gymnasium", "torch", "numpy", "python"}
    options = {"num_envs": 4, "hidden": 8, "head": 0}
    assert run_folder.read_settings(run) == preset_settings(
        "SeqEcho-v0", {"length": [3, 9]}, options=options, steps=500
    )
    rows = curve_of(run)
    assert [int(row["steps"]) for row in rows] == [36 * i for i in range(1, 15)]
    for row in rows:
        assert 0 <= float(row["success_rate"]) <= float(row["mean_return"]) <= 1
        score = (float(row["mean_return"]) - 0.1) / 0.9
        assert float(row["memory_score"]) == pytest.approx(score, abs=1e-5)
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert any((run / "tensorboard").iterdir())


def test_evaluate_writes_what_it_reports(run, capsys):
    assert main(["evaluate", str(run), "--episodes", "30"]) == 0
    report = capsys.readouterr().out
    evaluation = Evaluation(**json.loads((run / "evaluation.json").read_text()))
    assert evaluation.episodes == 30 and evaluation.kwargs == {"length": [3, 9]}
    assert evaluation.report() + "\n" == report
    assert main(["evaluate", str(run), "--episodes", "30", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(evaluation.to_json())
    assert main(["evaluate", str(run), "--episodes", "2", "--seed", "0"]) == 0
    assert "not fresh" in capsys.readouterr().out


def test_evaluate_takes_a_zip_file(run, capsys):
    command = ["evaluate", str(run / "model.zip"), "--episodes", "30"]
    assert main(command) == 2
    assert "--id must be given for a zip file" in capsys.readouterr().err
    command += ["--id", "SeqEcho-v0", "--set", "length=[3, 9]"]
    algorithm = "agents.learners.recurrent_ppo:SequencePPO"
    assert main([*command, "--trust", "--algo", algorithm]) == 0
    said = capsys.readouterr().out
    assert main(["evaluate", str(run), "--episodes", "30"]) == 0
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_leaves_a_folder_that_can_be_resumed(signals, run, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "interrupted"
    learn = SequencePPO.learn

    def learn_and_interrupt(model, *args, **kwargs):
        learn(model, *args, **kwargs)
        if model.num_timesteps == 72:
            for _ in range(signals):
                signal.raise_signal(signal.SIGINT)

    command = ["train", "SeqEcho-v0", "--set", "length=[3, 9]", *TINY, "--run", str(folder)]
    with monkeypatch.context() as patch:
        patch.setattr(SequencePPO, "learn", learn_and_interrupt)
        assert main(command) == 130
    said = capsys.readouterr().out
    # After a second Ctrl-C, the last checkpoint is that of the beginning.
    assert f"{72 if signals == 1 else 0} steps are saved" in said and f"--resume {folder}" in said
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert {path.name for path in folder.iterdir()} >= FILES
    for steps in ("300", "500"):
        assert main(["train", "--resume", str(folder), "--steps", steps]) == 0
    assert curve_of(folder) == curve_of(run)
    assert run_folder.read_settings(folder) == run_folder.read_settings(run)


def test_every_end_of_training_is_described(tmp_path, capsys):
    folder = tmp_path / "target"
    command = ["train", "SeqNext-v0", "--target", "0.5", "--steps", "100_000", "--run", str(folder)]
    assert main(command) == 0
    assert "Reached the target: return 0." in capsys.readouterr().out
    rows = curve_of(folder)
    assert int(rows[-1]["episodes"]) >= 1000 and int(rows[-1]["steps"]) < 100_000
    assert all(row["memory_score"] == "" for row in rows)  # a problem that needs no memory
    options = ["--agent", "mlp", "--option", "hidden=8", "--option", "batch_size=100"]
    assert main([*TRAIN, *options, "--run", str(tmp_path / "bound")]) == 0
    said = capsys.readouterr().out
    bound = r"return 0\.[01]\d, which is the memoryless bound, after"
    assert re.search(f"Stopped, because mlp has no memory: {bound}", said)
    folder = str(tmp_path / "short")
    options = ["--agent", "window_mlp", "--option", "window=1", "--steps", "5000"]
    for command in ([*TRAIN, *options, "--run", folder], ["train", "--resume", folder]):
        assert main(command) == 0
        said = capsys.readouterr().out
        assert re.search(f"Stopped short of the target: {bound}", said)
        assert f"--resume {folder} --steps 10" in said


def test_a_third_party_environment(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT)
    arguments = ["tests.third_party:CuedShort-v0", "--agent", "gru", "--steps", "20000"]
    assert main(["train", *arguments, "--run", "run", "--set", "wait=[1, 2]"]) == 0
    assert main(["evaluate", "run", "--episodes", "100"]) == 0
    said = capsys.readouterr().out
    assert "Reached the target" in said and "the bounds of this environment are not known" in said


def test_bilstm_says_that_it_sees_the_future(tmp_path, capsys):
    folder = str(folder_of(settings_of("bilstm"), tmp_path / "run"))
    assert main(["evaluate", folder, "--episodes", "7"]) == 0
    assert "sees whole" in capsys.readouterr().out
    assert main(["train", "--resume", folder, "--steps", "1"]) == 0
    assert "bilstm sees whole episodes before it answers" in capsys.readouterr().out


ERRORS = [
    (["train"], "give the id of an environment"),
    (["train", "SeqEco-v0"], "Did you mean: `SeqEcho`"),
    (["train", "CartPole-v1"], "id must be one that seqenvs.register registered"),
    (["train", "nothing_here:Mine-v0"], "nothing_here"),
    ([*TRAIN, "--set", "lag=99"], "lag must be an int in 0 .. 9, got 99"),
    ([*TRAIN, "--set", "lag={1}"], "JSON-able"),
    ([*TRAIN, "--target", "1.5"], "--target must be at most 1"),
    ([*TRAIN, "--target", "nan"], "target must be a finite number, got nan"),
    ([*TRAIN, "--steps", "0"], "steps must be an int at least 1, got 0"),
    ([*TRAIN, "--seed", "-1"], "seed must be an int at least 0, got -1"),
    ([*TRAIN, "--option", "lr"], "--option must be NAME=VALUE"),
    ([*TRAIN, *LSTM, "num_envs=1"], "lstm has no option 'num_envs'; it has"),
    ([*TRAIN, "--agent", "lstn"], "agent must be one of 'recurrent_ppo', 'mlp'"),
    ([*TRAIN, "--agent", "mlp", "--option", "hold=5"], "hold must be left out"),
    (["train", "SeqNext-v0", "--option", "advantage=outcome"], "advantage must be 'gae'"),
    (["train", "--agent", "lstm", "--resume", "nowhere"], "agent can't be given with --resume"),
    (["train", "--seed", "1", "--resume", "nowhere"], "seed can't be given with --resume"),
    (["train", "--resume", "nowhere"], "does not exist"),
    (["evaluate", "nowhere"], "does not exist"),
    (["evaluate", "nowhere", "--id", "SeqEcho-v0"], "--id is for zip files"),
    (["export", "nowhere"], "does not exist"),
    (["prove", "--jobs", "0"], "must be an int, at least 1, got '0'"),
]


def _name(value):
    return " ".join(value) if isinstance(value, list) else ""


@pytest.mark.parametrize(("arguments", "message"), ERRORS, ids=_name)
def test_wrong_arguments_are_one_line_and_exit_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said.splitlines()[-1]
    assert said.count("\n") == 1 or said.startswith("usage: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "changed", "said"),
    [
        ("settings.json", {"id": "SeqEcho-v9"}, "v9"),
        ("settings.json", {"kwargs": {"lag": 99}}, "got 99"),
        ("model.pt", {}, "model.pt is damaged"),
        ("checkpoint.pt", {}, "checkpoint.pt is damaged"),
    ],
)
def test_damaged_files_are_one_line(file, changed, said, tmp_path, capsys):
    folder = folder_of(settings_of("mlp"), tmp_path / "run")
    settings = json.loads((folder / "settings.json").read_text())
    (folder / file).write_text(json.dumps({**settings, **changed}))
    commands = {"model.pt": ["evaluate"], "checkpoint.pt": ["train", "--resume"]}
    assert main([*commands.get(file, ["evaluate"]), str(folder)]) == 2
    printed = capsys.readouterr().err
    assert said in printed and printed.count("\n") == 1


def test_files_that_cannot_be_written_are_one_line(run, tmp_path, capsys):
    (tmp_path / "file").touch()
    for folder, said in (
        ("file", "file is a file: choose another"),
        ("file/x", "can't be written"),
    ):
        assert main([*TRAIN, *TINY, "--run", str(tmp_path / folder)]) == 2
        assert said in capsys.readouterr().err
    before = (run / "model.zip").read_bytes()
    assert main([*TRAIN, *TINY, "--run", str(run)]) == 2
    assert "exists already: choose another folder with --run, or" in capsys.readouterr().err
    assert (run / "model.zip").read_bytes() == before


def test_help_needs_half_a_second_at_most():
    # Processor time of the child, measured by the child: other tests do not count.
    code = (
        "import sys, time\nfrom agents.cli import main\nmain(['--help'])\n"
        "print(time.process_time(), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    found = [subprocess.run(command, capture_output=True, text=True, cwd=ROOT) for _ in range(2)]
    seconds, imported = zip(*(each.stdout.splitlines()[-1].split() for each in found), strict=True)
    assert min(map(float, seconds)) < 0.5
    assert set(imported) == {"False"}


@pytest.mark.full
def test_the_default_command_learns_to_echo(tmp_path):
    """The first command of the README reaches at least 0.95 within two minutes."""
    command = [sys.executable, "-m", "agents"]
    environment = {**os.environ, "PYTHONWARNINGS": "error::UserWarning"}
    options = {"env": environment, "timeout": 120, "capture_output": True, "text": True}
    folder = tmp_path / "run"
    for arguments in (["train", "SeqEcho-v0", "--run", folder], ["evaluate", folder]):
        done = subprocess.run([*command, *arguments], **options)
        assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((folder / "evaluation.json").read_text())["mean_return"] >= 0.95

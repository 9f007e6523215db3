"""The command line: what it prints, what it asks, and how it ends."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import zipfile
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from PIL import Image

import seqenvs_command
from seqenvs.cli import main
from seqenvs.problem import Problem
from seqenvs.problems import Echo
from seqenvs.registration import IDS

MODEL = "evaluate model.zip --id SeqEcho-v0"
COMMAND = [sys.executable, "-m", "seqenvs"]


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in which somebody types these lines; return what it prints, or its error."""

    def run(command, *typed, code=0):
        monkeypatch.setattr("builtins.input", Mock(side_effect=[*typed, EOFError()]))
        assert main(shlex.split(command)) == code
        out, err = capsys.readouterr()
        assert code == 1 or (out if code else err) == ""
        return err if code else out

    return run


def test_help_imports_no_more_than_the_environments_need(run):
    code = "import sys; from seqenvs.cli import main; main([]); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run("").rstrip() in ran.stdout and run("") == run("--help")
    heavy = {"torch", "stable_baselines3", "pandas", "matplotlib", "scipy", "PIL", "joblib", "tqdm"}
    modules = {name.partition(".")[0] for name in ran.stdout.splitlines()[-1].split()}
    assert "gymnasium" in modules and not heavy & modules


def test_list(run):
    _, *rows = lines = run("list").splitlines()
    assert [row.split()[0] for row in rows] == list(IDS) and max(map(len, lines)) <= 120


@pytest.mark.parametrize("id", IDS)
def test_show(run, id):
    out = run(f"show {id} --seed 3")
    assert out == run(f"show {id} --seed 3")
    assert "\ntime step " in out and "the oracle's return is 1; chance 0." in out


def test_show_takes_parameters_and_the_width_of_the_terminal(run, monkeypatch):
    given = "--set lag=2 --set 'length=(3, 3)' --set framing=many_to_one"
    assert "Echo(length=(3, 3), lag=2, num_symbols=10, fr" in run(f"show {given} SeqEcho-v0")
    given = "--set reverse=True --set output_length=None"
    assert "output_length=None, start=0, reverse=True" in run(f"show {given} SeqCopy-v0")
    wide = run("show SeqEchoHard-v0 --seed 1")
    for other in ("encoding=index", "stack_size=3"):
        assert run(f"show SeqEchoHard-v0 --seed 1 --set {other}") == wide
    monkeypatch.setenv("COLUMNS", "40")
    assert run("show SeqEchoHard-v0 --seed 1").count("time step ") > wide.count("time step ")


def test_show_draws_a_picture(run, tmp_path, monkeypatch):
    def draw(name, code=0):
        return run(f"show SeqEcho-v0 --picture {tmp_path / name}", code=code)

    (tmp_path / "folder.png").mkdir()
    assert "folder.png: Is a directory" in draw("folder.png", 1)
    for name in ("a.gif", "folder.png/none/a.png"):
        assert "--picture must be a .png file in a folder that exists, got " in draw(name, 2)
    assert [file.name for file in tmp_path.rglob("*")] == ["folder.png"]
    draw("a.PNG")
    with Image.open(tmp_path / "a.PNG") as picture:
        assert picture.format == "PNG"
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert "--picture needs Pillow: pip install 'seqenvs[render]'\n" in draw("a.PNG", 2)


def test_play_to_the_end(run):
    command = "play SeqRecall-v0 --episodes 2 --set length=4 --set framing=many_to_one"
    out = run(command, "", "", "0", "", "", "0")
    assert "episode 2 of 2, time step 2 of 3   input  " in out
    assert "your mean return over 2 episodes is " in out and "memory score " in out
    out = run("play SeqNext-v0 --set length=4", "0.25", "0.5", "0.75")
    assert "(last answer earned 0.33, so far 0.33)" in out and "over 1 episode is 1.00; c" in out
    assert "this problem needs no memory" in out and "memory score" not in out


@pytest.mark.parametrize(
    ("id", "lines", "allowed", "wrong"),
    [
        ("SeqEcho-v0", "3,,12,abc,,1 2,-1,1e400,4", "an integer in 0 .. 9", 6),
        ("SeqCopy-v0 --set framing=many_to_one", ",3,1 2 3,3 10,3 9", "2 integers in 0 .. 9", 3),
        ("SeqNext-v0", "0 75,0.5", "a number in 0 .. 1", 1),
    ],
)
def test_play_asks_again(run, id, lines, allowed, wrong):
    out = run(f"play --set length=2 {id}", *lines.split(","))
    assert out.count("nothing to type here: press Enter") == (id == "SeqEcho-v0")
    assert out.count(f"an answer is due: type {allowed}") == wrong
    assert "your mean return over 1 episode" in out


@pytest.mark.parametrize("end", ["q", EOFError(), KeyboardInterrupt()])
def test_play_ends_at_any_time(run, end):
    command = "play SeqEcho-v0 --set length=2 --episodes 5"
    assert "no episode was finished" in run(command, end)
    assert "over 1 episode is " in run(command, "", "4", "", end)


def test_play_hides_the_past_on_a_terminal(run, monkeypatch):
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    out = run("play SeqEcho-v0 --set length=3 --set lag=2", "", "", "x", "3")
    # The last step takes five lines: a question, a wrong answer, its explanation in two, an answer.
    assert [part[-2:] for part in out.split("A\x1b[J")[:-1]] == ["[2", "[2", "[5"]


def test_a_problem_without_bounds(run, monkeypatch):
    monkeypatch.setattr(Echo, "bounds", Problem.bounds)
    for command in ("show", "play", "evaluate seqenvs:Oracle --id"):
        out = run(f"{command} SeqEcho-v0", "", *"123456789")
        assert re.search("bounds .*are not known", out)


def test_evaluate_takes_a_class_or_an_object_of_the_working_folder(tmp_path, monkeypatch, run):
    (tmp_path / "mine.py").write_text("from tests.third_party import Constant\nzero = Constant()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [path for path in sys.path if path])
    for name in ("mine:Constant", "mine:zero"):
        command = f"evaluate {name} --id SeqEcho-v0 --set lag=2 --episodes 50 --json"
        found = json.loads(run(command))
        assert found["episodes"] == 50 and found["kwargs"] == {"lag": 2}
    with pytest.raises(ValueError, match="actions must"):  # a bug of the author, with a traceback
        run("evaluate mine:zero --id SeqCopy-v0 --set framing=many_to_one")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("show SeqEko-v0", "`SeqEko` doesn't exist. Did you mean: `SeqEcho`"),
        ("show SeqEcho-v0 --set lagg=4", "unexpected keyword argument 'lagg' (did you"),
        ("play SeqEcho-v0 --set lag=x", "error: lag must be an int in 0 .. 9, got 'x'"),
        ("show SeqEcho-v0 --set lag", "--set must be NAME=VALUE, such as lag=4, got 'lag'"),
        ("show SeqEcho-v0 --set lag=1+x", "lag must be a word, or a Python number, string or"),
        ("show SeqEcho-v0 --set lag=2 --set lag=3", "--set lag is given twice, the second time as"),
        ("show SeqEcho-v0 --set lag=2 length=9", "unrecognized arguments: length=9"),
        ("show CartPole-v0", "'CartPole-v0' is not an environment of seqenvs; 'seqenvs list'"),
        ("play SeqEcho-v0 --episodes 0", "must be an int, at least 1, got '0'"),
        ("play", "required: ID"),
        ("evaluate seqenvs:Oracle --id CartPole-v1", "reports 'target' and 'due'"),
        ("evaluate no_such:Agent --id SeqEcho-v0", "there is no module 'no_such'"),
        ("evaluate json:JSONDecoder --id SeqEcho-v0", "must have a method predict()"),
        ("evaluate none.zip --id SeqEcho-v0", "none.zip does not exist"),
        (MODEL, "model.zip is not loaded without --trust: Stable-Baselines3 unpickles"),
        (f"{MODEL} --trust", "does not tell its algorithm, its policy is mine: give --algo"),
        (f"{MODEL} --trust --algo pppo", "--algo must be a2c, ddpg, dqn, ppo, "),
        (f"{MODEL} --trust --algo no_such:PPO", "there is no module 'no_such'"),
        (f"{MODEL} --trust --algo json:JSONDecoder", "model.zip cannot be loaded with json:"),
    ],
)
def test_wrong_arguments(run, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("model.zip", "w") as archive:
        archive.writestr("data", '{"policy_class": {"__module__": "mine"}}')
    error = run(arguments, code=2)
    assert message in error and "Traceback" not in error


def test_a_closed_pipe():
    process = subprocess.Popen([*COMMAND, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.communicate()[1] == b"" and process.returncode == 1


@pytest.mark.parametrize(("command", "unbuffered"), [("list", "1"), ("--help", "")])
def test_a_full_disk(command, unbuffered):
    pipes = {"stderr": subprocess.PIPE, "env": {**os.environ, "PYTHONUNBUFFERED": unbuffered}}
    with open("/dev/full", "w") as full:
        ran = subprocess.run([*COMMAND, command], stdout=full, text=True, **pipes)
    assert ran.returncode == 1
    assert ran.stderr == "seqenvs: error: the output can't be written: No space left on device\n"


def test_ctrl_c():
    command = [*COMMAND, "show", "SeqEcho-v0", "--set", "length=5000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline()  # the pipe fills, so that the rest waits to be read
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "Interrupted.\n")


def test_ctrl_c_while_the_script_imports_the_package(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "seqenvs.cli")
    interrupt = SimpleNamespace(find_spec=Mock(side_effect=KeyboardInterrupt))
    monkeypatch.setattr("sys.meta_path", [interrupt])
    assert seqenvs_command.main() == 130
    assert capsys.readouterr().err == "Interrupted.\n"

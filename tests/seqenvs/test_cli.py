"""The command line: what it prints, what it asks, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import gymnasium
import pytest
from PIL import Image

import seqenvs_command
from seqenvs.arguments import UsageError, assignments
from seqenvs.cli import ALGORITHMS, main
from seqenvs.problem import Problem
from seqenvs.problems import Echo
from seqenvs.registration import IDS, register

COMMAND = [sys.executable, "-m", "seqenvs"]


@pytest.fixture
def type_in(monkeypatch):
    """Have these lines typed; an exception is raised in its turn, and then the input ends."""

    def answers(*lines):
        left = iter(lines)

        def typed(prompt):
            print(prompt, end="")
            line = next(left, EOFError())
            if isinstance(line, BaseException):
                raise line
            return line

        monkeypatch.setattr("builtins.input", typed)

    return answers


def test_help_lists_the_commands_and_imports_no_more_than_the_environments_need(capsys):
    assert main([]) == 0
    help = capsys.readouterr().out
    assert help.startswith("usage: seqenvs")
    assert all(name in help for name in ("list", "show", "play", "evaluate", "benchmark", "report"))
    code = "import sys; from seqenvs.cli import main; main(['--help']); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert help.rstrip() in ran.stdout
    heavy = {"torch", "stable_baselines3", "pandas", "matplotlib", "scipy", "PIL", "joblib", "tqdm"}
    modules = {name.partition(".")[0] for name in ran.stdout.splitlines()[-1].split()}
    assert "gymnasium" in modules and not heavy & modules


# list


def test_list(capsys):
    assert main(["list"]) == 0
    _, *rows = lines = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == list(IDS) and max(map(len, lines)) <= 120
    assert [id for id, row in zip(IDS, rows, strict=True) if "needs no memory" in row] == [
        "SeqNext-v0",
        "SeqNextMedium-v0",
    ]
    assert main(["list", "--markdown"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert {line.count("|") for line in rows} == {10}
    expected = "Box(0, 1, (10,)) | Discrete(10) | 10 | 0.1000 | 0.1000 | 0.1000 | 1.0000 |  |"
    assert f"| SeqEcho-v0 | {expected}" in rows


# show


@pytest.mark.parametrize("id", IDS)
def test_show(capsys, id):
    assert main(["show", id, "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert "\ntime step " in out
    assert "the oracle's return is 1; chance 0." in out
    assert main(["show", id, "--seed", "3"]) == 0
    assert capsys.readouterr().out == out


def test_show_with_parameters(capsys):
    given = ["--set", "lag=2", "--set", "length=(3, 3)", "--set", "framing=many_to_one"]
    assert main(["show", *given, "SeqEcho-v0"]) == 0
    out = capsys.readouterr().out
    assert "Echo(length=(3, 3), lag=2, num_symbols=10, framing='many_to_one'" in out
    outputs = set()
    for given in ([], ["encoding=index"], ["stack_size=3", "extras=['time_step']"]):
        assert main(["show", "SeqEcho-v0", "--seed=1", *(f"--set={one}" for one in given)]) == 0
        outputs.add(capsys.readouterr().out)
    assert len(outputs) == 1


@pytest.mark.parametrize("columns", [40, 200])
def test_show_wraps_the_whole_episode(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["show", "SeqRecallHard-v0", "--seed", "1"]) == 0
    _, *blocks, _ = capsys.readouterr().out.split("\n\n")[1:]
    rows = [{line[:12].strip(): line[12:].split() for line in b.splitlines()} for b in blocks]
    assert all(list(row) == ["time step", "input", "target", "answer", "verdict"] for row in rows)
    assert [t for row in rows for t in row["time step"]] == [str(t) for t in range(101)]
    assert rows[0]["input"][0] == rows[-1]["target"][-1]  # what there is to be remembered
    longest = max(len(line) for block in blocks for line in block.splitlines())
    assert columns - 5 < longest <= columns


REFUSED = "--picture must be a .png file in a folder that exists, got "


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("a.PNG", 0, ""),
        ("folder.png", 1, "Is a directory"),
        ("a.gif", 2, REFUSED),
        ("folder.png/none/a.png", 2, REFUSED),
        (f"{'a' * 246}.png", 1, "File name too long"),
    ],
)
def test_show_draws_a_picture(tmp_path, capsys, name, code, message):
    (tmp_path / "folder.png").mkdir()
    path = tmp_path / name
    assert main(["show", "SeqEcho-v0", "--picture", str(path)]) == code
    if code == 0:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
        return
    said = f"{message}{path}" if code == 2 else f"{path}: {message}"
    assert capsys.readouterr().err == f"seqenvs: error: {said}\n"
    assert [file.name for file in tmp_path.rglob("*")] == ["folder.png"]


def test_a_picture_needs_pillow(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert main(["show", "SeqEcho-v0", "--picture", str(tmp_path / "a.png")]) == 2
    assert "--picture needs Pillow: pip install 'seqenvs[render]'\n" in capsys.readouterr().err


# play


def test_play_to_the_end(capsys, type_in):
    type_in("", "", "0", "", "", "0")
    sets = ["--set", "length=4", "--set", "framing=many_to_one"]
    assert main(["play", "SeqRecall-v0", "--episodes", "2", *sets, "--seed", "0"]) == 0
    out = capsys.readouterr().out
    assert "episode 1 of 2, time step 0 of 3   input  " in out
    assert "episode 2 of 2, time step 2 of 3   input  " in out
    assert out.count("no answer is due, press Enter: ") == 4
    assert "your mean return over 2 episodes is 0." in out and "memory score " in out
    type_in("0.25", "0.5", "0.75")
    assert main(["play", "SeqNext-v0", "--set", "length=4"]) == 0
    out = capsys.readouterr().out
    assert "(last answer earned 0.33, so far 0.33)" in out
    assert "your mean return over 1 episode is 1.00; chance" in out
    assert "this problem needs no memory" in out and "memory score" not in out


@pytest.mark.parametrize(
    ("arguments", "lines", "allowed", "wrong"),
    [
        (
            ["SeqEcho-v0", "--set=length=2"],
            ["3", "", "12", "abc", "", "1 2", "-1", "1e400", "4"],
            "an integer in 0 .. 9",
            6,
        ),
        (
            ["SeqCopy-v0", "--set=length=2", "--set=framing=many_to_one"],
            ["", "3", "1 2 3", "3, 10", "3 9"],
            "2 integers in 0 .. 9, with spaces between",
            3,
        ),
        (["SeqNext-v0", "--set=length=2"], ["0,75", "0.5"], "a number in 0 .. 1", 1),
    ],
)
def test_play_asks_again(capsys, type_in, arguments, lines, allowed, wrong):
    type_in(*lines)
    assert main(["play", *arguments]) == 0
    out = capsys.readouterr().out
    assert out.count("nothing to type here: press Enter") == ("SeqEcho-v0" in arguments)
    assert out.count(f"an answer is due: type {allowed}, or q to end") == wrong
    assert "your mean return over 1 episode" in out


@pytest.mark.parametrize("end", ["q", EOFError(), KeyboardInterrupt()])
def test_play_ends_at_any_time(capsys, type_in, end):
    for lines, said in ((["", "4", "", end], "over 1 episode is "), ([end], "no episode was")):
        type_in(*lines)
        assert main(["play", "SeqEcho-v0", "--set", "length=2", "--episodes", "5"]) == 0
        assert said in capsys.readouterr().out


def test_play_hides_the_past_on_a_terminal(capsys, monkeypatch, type_in):
    arguments = ["play", "SeqEcho-v0", "--set", "length=3", "--set", "lag=2"]
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    type_in("", "", "x", "3")
    assert main(arguments) == 0
    out = capsys.readouterr().out
    # The last step takes five lines: a question, a wrong answer, its explanation in two, an answer.
    assert [part[-2:] for part in out.split("A\x1b[J")[:-1]] == ["[2", "[2", "[5"]


class Unbounded(Echo):
    """A problem that knows no bounds."""

    bounds = Problem.bounds


def test_a_problem_of_your_own_without_bounds(capsys, type_in):
    register("TestCli-v0", f"{__name__}:Unbounded", length=2)
    try:
        for command in (["show"], ["play"], ["evaluate", "seqenvs:Oracle", "--id"]):
            type_in("", "4")
            assert main([*command, "TestCli-v0"]) == 0
            assert re.search("bounds .*are not known", capsys.readouterr().out)
    finally:
        del gymnasium.registry["TestCli-v0"]


# evaluate

MODULE = """
class Zero:
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return [0] * len(observation), None

class Wrong(Zero):
    def predict(self, *arguments, **keywords):
        raise ValueError("a bug of the author")

zero = Zero()
"""


def test_evaluate_takes_a_class_or_an_object_of_the_working_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "zero.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [path for path in sys.path if path])
    found = []
    for name in ("zero:Zero", "zero:zero"):
        arguments = ["--id", "SeqEcho-v0", "--set", "lag=2", "--episodes", "50", "--json"]
        assert main(["evaluate", name, *arguments]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    assert found[0]["episodes"] == 50 and found[0]["kwargs"] == {"lag": 2}
    with pytest.raises(ValueError, match="a bug of the author"):  # with a traceback
        main(["evaluate", "zero:Wrong", "--id", "SeqEcho-v0"])


def zip_file(path, module, **data):
    with zipfile.ZipFile(path / "model.zip", "w") as archive:
        archive.writestr("data", json.dumps({"policy_class": {"__module__": module}, **data}))
    return ["evaluate", str(path / "model.zip"), "--id", "SeqEcho-v0"]


@pytest.mark.parametrize(
    ("name", "module", "data"),
    [
        ("ppo", "stable_baselines3.common.policies", {"clip_range": 0}),
        ("trpo", "stable_baselines3.common.policies", {"cg_max_steps": 9}),
        ("dqn", "stable_baselines3.dqn.policies", {}),
        ("recurrent_ppo", "sb3_contrib.common.recurrent.policies", {"clip_range": 0}),
    ],
)
def test_the_algorithm_is_found_in_the_zip_file(tmp_path, monkeypatch, name, module, data, capsys):
    loaded = []
    monkeypatch.setattr("seqenvs.files.import_object", lambda path, _: loaded.append(path))
    assert main([*zip_file(tmp_path, module, **data), "--trust"]) == 2
    assert loaded == [ALGORITHMS[name]] and f"loaded with {name}: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "model.zip is not loaded without --trust: Stable-Baselines3 unpickles"),
        (["--trust"], "does not tell its algorithm, its policy is mine: give --algo"),
        (["--trust", "--algo", "pppo"], "--algo must be a2c, ddpg, dqn, ppo, "),
        (["--trust", "--algo", "mine:PPO"], "there is no module 'mine'"),
        (["--trust", "--algo", "ppo"], "model.zip cannot be loaded with ppo: "),
    ],
)
def test_a_zip_file_that_is_not_loaded(tmp_path, capsys, flags, message):
    if flags[-1:] == ["ppo"]:
        pytest.importorskip("stable_baselines3")
    assert main([*zip_file(tmp_path, "mine"), *flags]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


# How it ends

EVALUATE = ["--id", "SeqEcho-v0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "SeqEko-v0"], "`SeqEko` doesn't exist. Did you mean: `SeqEcho`"),
        (["show", "nomodule:SeqEcho-v0"], "No module named 'nomodule'"),
        (["show", "SeqEcho-v0", "--set", "lagg=4"], "unexpected keyword argument 'lagg' (did you"),
        (["play", "SeqEcho-v0", "--set", "lag=x"], "error: lag must be an int in 0 .. 9, got 'x'"),
        (["show", "SeqEcho-v0", "--set", "lag"], "--set must be NAME=VALUE, such as lag=4, got"),
        (["show", "SeqEcho-v0", "--set", "lag=2", "length=9"], "unrecognized arguments: length=9"),
        (["show", "CartPole-v0"], "'CartPole-v0' is not an environment of seqenvs; 'seqenvs list'"),
        (["play", "SeqEcho-v0", "--episodes", "0"], "must be an int, at least 1, got '0'"),
        (["play"], "required: ID"),
        (["evaluate", "seqenvs:Oracle", "--id", "CartPole-v1"], "reports 'target' and 'due'"),
        (["evaluate", "no_such:Agent", *EVALUATE], "there is no module 'no_such'"),
        (["evaluate", "json:JSONDecoder", *EVALUATE], "must have a method predict()"),
        (["evaluate", "none.zip", *EVALUATE], "none.zip does not exist"),
    ],
)
def test_wrong_arguments(capsys, arguments, message):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err and "Traceback" not in captured.err


def test_a_closed_pipe():
    process = subprocess.Popen([*COMMAND, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    with process.stderr as errors:
        assert errors.read() == b""
    assert process.wait() == 1


@pytest.mark.parametrize(("command", "unbuffered"), [("list", "1"), ("--help", "")])
def test_a_full_disk(command, unbuffered):
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [*COMMAND, command], stdout=full, stderr=subprocess.PIPE, text=True, env=environment
        )
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
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "seqenvs.cli")
    monkeypatch.setattr("sys.meta_path", [SimpleNamespace(find_spec=interrupt)])
    assert seqenvs_command.main() == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_assignments():
    texts = ["a=None", "b=True", "c='1'", "d=b", "length=(3, 9)"]
    values = {"a": None, "b": True, "c": "1", "d": "b", "length": (3, 9)}
    assert assignments("--option", texts) == values


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a b=4"], " must be NAME=VALUE, such as lag=4, got 'a b=4'"),
        (["lag=1+x"], " lag must be a word, or a Python number, string or list, got '1+x'"),
        (["lag=2", "a=1", "lag=3"], " lag is given twice, the second time as '3'"),
    ],
)
def test_assignments_that_are_refused(texts, message):
    with pytest.raises(UsageError, match=f"^--option{re.escape(message)}$"):
        assignments("--option", texts)

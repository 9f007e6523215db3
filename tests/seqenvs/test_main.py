"""The command line: what it prints, what it asks, and how it ends."""

import os
import re
import signal
import subprocess
import sys
import warnings

import gymnasium
import pytest
from PIL import Image

from seqenvs.arguments import assignments
from seqenvs.cli import main
from seqenvs.env import SequenceEnv
from seqenvs.problem import Problem
from seqenvs.problems import Echo
from seqenvs.registration import IDS, register

COMMAND = [sys.executable, "-m", "seqenvs"]


@pytest.fixture
def type_in(monkeypatch):
    """Have these lines typed; an exception is raised in its turn, and then the input ends."""

    def answers(*lines):
        left = iter(lines)

        def typed(prompt=""):
            print(prompt, end="")
            line = next(left, EOFError())
            if isinstance(line, BaseException):
                raise line
            return line

        monkeypatch.setattr("builtins.input", typed)

    return answers


def test_alone_it_prints_help(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m seqenvs")
    assert all(command in out for command in ("list", "show", "play"))


@pytest.mark.parametrize("command", [[], ["list"], ["show"], ["play"]])
def test_help(capsys, command):
    assert main([*command, "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: ")


def test_list_in_a_process():
    ran = subprocess.run([*COMMAND, "list"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    head, *rows = ran.stdout.splitlines()
    assert [row.split()[0] for row in rows] == list(IDS)
    assert max(map(len, ran.stdout.splitlines())) <= 120
    for name in ("steps", "chance", "memoryless", "clock", "optimum"):  # columns that end together
        end = head.index(name) + len(name)
        assert all(row[end - 1] != " " and row[end : end + 1] in ("", " ") for row in rows)
    assert all(
        ("needs no memory" in row) == ("SeqNext" in row and "Hard" not in row) for row in rows
    )


def test_list_as_markdown(capsys):
    assert main(["list", "--markdown"]) == 0
    head, rule, *rows = capsys.readouterr().out.splitlines()
    assert {line.count("|") for line in (head, rule, *rows)} == {10}
    assert rows[list(IDS).index("SeqEcho-v0")] == (
        "| SeqEcho-v0 | Box(0, 1, (10,)) | Discrete(10) | 10 "
        "| 0.1000 | 0.1000 | 0.1000 | 1.0000 |  |"
    )


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
    for arguments in (["SeqEcho-v0", *given], [*given, "SeqEcho-v0"]):
        assert main(["show", *arguments]) == 0
        out = capsys.readouterr().out
        assert "Echo(length=(3, 3), lag=2, num_symbols=10, framing='many_to_one'" in out


def test_show_with_the_arguments_of_the_environment(capsys):
    arguments = ["show", "SeqEcho-v0", "--seed", "1"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for given in (["encoding=index"], ["stack_size=3", "extras=['time_step']"]):
        assert main([*arguments, *(f"--set={each}" for each in given)]) == 0
        assert capsys.readouterr().out == out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "SeqEko-v0"], "unknown id 'SeqEko-v0' (did you mean SeqEcho-v0"),
        (["play", "Nothing-v0"], "unknown id 'Nothing-v0'; list shows them all"),
        (["show", "nomodule:SeqEcho-v0"], "No module named 'nomodule'"),
        (
            ["show", "SeqEcho-v0", "--set", "lagg=4"],
            "Echo got an unexpected keyword argument 'lagg' (did you mean",
        ),
        (
            ["play", "SeqEcho-v0", "--set", "lag=40"],
            "error: lag must be an int in 0 .. 9, got 40\n",
        ),
        (
            ["play", "SeqEcho-v0", "--set", "lag=x"],
            "error: lag must be an int in 0 .. 9, got 'x'\n",
        ),
        (
            ["show", "SeqEcho-v0", "--set", "lag"],
            "--set must be NAME=VALUE, such as lag=4, got 'lag'",
        ),
        (["play", "SeqEcho-v0", "--set", "lag=[2"], "--set lag: '[2' is no Python number, word or"),
        (["show", "SeqEcho-v0", "--set", "lag=2", "length=9"], "unrecognized arguments: length=9"),
        (
            ["show", "SeqEcho-v0", "--set", "render_mode=human"],
            "error: --set render_mode can't be given; SeqEcho-v0 takes length, lag, num_symbols, "
            "framing, position, encoding, extras, stack_size\n",
        ),
        (
            ["play", "SeqRecall-v0", "--set", "max_episode_steps=3"],
            "error: --set max_episode_steps can't be given; SeqRecall-v0 takes length, ",
        ),
        (
            ["show", "SeqEcho-v0", "--set", "id=3"],
            "error: --set id can't be given; SeqEcho-v0 takes",
        ),
        (["play", "SeqEcho-v0", "--episodes", "0"], "must be an int, at least 1, got '0'"),
        (["play", "SeqEcho-v0", "--seed", "-1"], "--seed"),
        (["play"], "required: ID"),
        (["lst"], "invalid choice: 'lst'"),
    ],
)
def test_a_wrong_argument(capsys, arguments, message):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("id", ["FrozenLake-v1", "CartPole-v0", "CartPole"])
def test_an_environment_of_others(capsys, recwarn, id):
    assert main(["show", id, "--set", "lag=3"]) == 2
    assert capsys.readouterr().err == (
        f"python -m seqenvs: error: {id!r} is not an environment of seqenvs; list shows them all\n"
    )
    assert not recwarn.list


@pytest.mark.parametrize(
    ("made", "code"), [(SequenceEnv(Echo()), 0), (gymnasium.make("CartPole-v1").unwrapped, 2)]
)
def test_an_environment_that_a_function_makes(capsys, made, code):
    gymnasium.register("TestMade-v0", entry_point=lambda **_: made, disable_env_checker=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Gymnasium's, of a missing render mode
            assert main(["show", "TestMade-v0"]) == code
    finally:
        del gymnasium.registry["TestMade-v0"]
    assert ("is not an environment of seqenvs" in capsys.readouterr().err) == (code == 2)


@pytest.mark.parametrize("arguments", [["list"], ["show", "SeqEchoHard-v0"]])
def test_a_closed_pipe(arguments):
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert errors == b""


@pytest.mark.parametrize(
    ("arguments", "unbuffered"),
    [(["list"], ""), (["list"], "1"), (["show", "SeqEchoHard-v0"], ""), (["--help"], "")],
)
def test_a_full_disk(arguments, unbuffered):
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [*COMMAND, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert ran.returncode == 1
    assert ran.stderr == (
        "python -m seqenvs: error: the output can't be written: No space left on device\n"
    )


def test_ctrl_c(capsys, monkeypatch):
    def interrupted(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr("gymnasium.make", interrupted)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_ctrl_c_in_a_process():
    command = [*COMMAND, "show", "SeqEcho-v0", "--set", "length=5000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline()  # the pipe fills, so that the rest waits to be read
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "Interrupted.\n")


def test_play_to_the_end(capsys, type_in):
    type_in("", "", "0", "", "", "0")
    arguments = [
        "play",
        "SeqRecall-v0",
        "--episodes",
        "2",
        "--set",
        "length=4",
        "--set",
        "framing=many_to_one",
    ]
    assert main([*arguments, "--seed", "0"]) == 0
    out = capsys.readouterr().out
    assert "episode 1 of 2, time step 0 of 3   input  " in out
    assert out.count("no answer is due, press Enter: ") == 4
    assert "an answer is due" not in out
    assert "your mean return over 2 episodes is 0." in out


def test_play_shows_the_present_input_only(capsys, type_in):
    type_in("", "7", "2")
    arguments = ["play", "SeqCopy-v0", "--set", "length=1", "--set", "num_symbols=1000"]
    assert main([*arguments, "--seed", "5"]) == 0
    out = capsys.readouterr().out
    assert out.index("input  _ (blank)") < out.index("SeqCopy-v0   step 2 of 2")


def test_play_scores(capsys, type_in):
    type_in("0.25", "0.5", "0,75")
    assert main(["play", "SeqNext-v0", "--set", "length=4"]) == 0
    out = capsys.readouterr().out
    assert "an answer is due: type a number in 0 .. 1, or q to end" in out  # two numbers
    assert "no episode was finished" in out
    type_in("0.25", "0.5", "0.75")
    assert main(["play", "SeqNext-v0", "--set", "length=4"]) == 0
    out = capsys.readouterr().out
    assert "your mean return over 1 episode is 1.00; chance" in out
    assert "this problem needs no memory" in out
    assert "memory score" not in out
    type_in(*"00", *"1111")
    assert main(["play", "SeqClassify-v0", "--set", "length=4", "--seed", "0"]) == 0
    assert "memory score " in capsys.readouterr().out


def test_play_asks_again(capsys, type_in):
    type_in("3", "", "12", "abc", "", "1 2", "-1", "1e400", "4")
    assert main(["play", "SeqEcho-v0", "--set", "length=2"]) == 0
    out = capsys.readouterr().out
    assert out.count("nothing to type here: press Enter") == 1
    assert out.count("an answer is due: type an integer in 0 .. 9, or q to end") == 6
    assert "your mean return over 1 episode" in out


def test_play_several_answers_at_once(capsys, type_in):
    type_in("", "3", "1 2 3", "3, 10", "3 9")
    arguments = ["play", "SeqCopy-v0", "--set", "length=2", "--set", "framing=many_to_one"]
    assert main([*arguments, "--seed", "1"]) == 0
    out = capsys.readouterr().out
    assert out.count("an answer is due: type 2 integers in 0 .. 9, with spaces between") == 3
    assert "your mean return over 1 episode" in out


@pytest.mark.parametrize("end", ["q", "quit", EOFError(), KeyboardInterrupt()])
def test_play_ends_at_any_time(capsys, type_in, end):
    type_in("", "4", "", end)
    arguments = ["play", "SeqEcho-v0", "--set", "length=2", "--episodes", "5"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "your mean return over 1 episode is " in out
    type_in(end)
    assert main(arguments) == 0
    assert "no episode was finished; chance 0.10" in capsys.readouterr().out


def test_play_hides_the_past_on_a_terminal(capsys, monkeypatch, type_in):
    type_in("", "", "3")
    assert main(["play", "SeqEcho-v0", "--set", "length=3", "--set", "lag=2"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    type_in("", "", "x", "3")
    assert main(["play", "SeqEcho-v0", "--set", "length=3", "--set", "lag=2"]) == 0
    out = capsys.readouterr().out
    # The last step takes five lines: a question, a wrong answer, its explanation in two, an answer.
    assert [part[-2:] for part in out.split("A\x1b[J")[:-1]] == ["[2", "[2", "[5"]


class Unbounded(Echo):
    """A problem that knows no bounds."""

    bounds = Problem.bounds


def test_problems_of_others_can_be_played_too(capsys, type_in):
    register("TestMain-v0", f"{__name__}:Unbounded", length=2)
    try:
        assert main(["show", "TestMain-v0"]) == 0
        assert "its bounds are not known" in capsys.readouterr().out
        type_in("", "4")
        assert main(["play", "TestMain-v0"]) == 0
        assert "its bounds are not known" in capsys.readouterr().out
    finally:
        del gymnasium.registry["TestMain-v0"]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_show_wraps_the_whole_episode(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["show", "SeqRecallHard-v0", "--seed", "1"]) == 0
    _, *blocks, last = capsys.readouterr().out.split("\n\n")[1:]
    assert "the oracle's return is 1" in last
    rows = [{line[:12].strip(): line[12:].split() for line in b.splitlines()} for b in blocks]
    assert all(list(row) == ["time step", "input", "target", "answer", "verdict"] for row in rows)
    assert [t for row in rows for t in row["time step"]] == [str(t) for t in range(101)]
    assert rows[0]["input"][0] == rows[-1]["target"][-1]  # what there is to be remembered
    longest = max(len(line) for block in blocks for line in block.splitlines())
    assert columns - 5 < longest <= columns


def test_show_wraps_at_80_columns_where_there_is_no_terminal():
    command = [*COMMAND, "show", "SeqClassifyHard-v0"]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    _, _, episode = ran.stdout.partition("score 1.00\n")
    assert 75 < max(map(len, episode.splitlines()[:-1])) <= 80


@pytest.mark.parametrize("name", ["a.png", "b.PNG"])
def test_show_draws_a_picture(tmp_path, name):
    assert main(["show", "SeqEcho-v0", "--seed", "1", "--picture", str(tmp_path / name)]) == 0
    with Image.open(tmp_path / name) as picture:
        assert picture.format == "PNG"
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder.png", "--picture must be a file, got {}, which is a folder"),
        ("folder.png/none/a.png", "--picture {}: there is no folder {}"),
        ("a.gif", "--picture must be a file that ends in .png, got {}"),
        ("a", "--picture must be a file that ends in .png, got {}"),
    ],
)
def test_a_picture_that_cannot_be(tmp_path, capsys, name, message):
    (tmp_path / "folder.png").mkdir()
    path = tmp_path / name
    assert main(["show", "SeqEcho-v0", "--picture", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"python -m seqenvs: error: {message.format(path, path.parent)}\n"
    assert [file.name for file in tmp_path.rglob("*")] == ["folder.png"]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(28, "No space left on device"), 2, "a.png can't be written: No space left on"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
    ],
)
def test_a_picture_that_is_not_finished(tmp_path, capsys, monkeypatch, error, code, message):
    def save(image, path, **_):
        path.write_bytes(b"a part of it")
        raise error

    (tmp_path / "a.png").write_bytes(b"what was there before")
    monkeypatch.setattr("PIL.Image.Image.save", save)
    assert main(["show", "SeqEcho-v0", "--picture", str(tmp_path / "a.png")]) == code
    assert message in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"what was there before"


@pytest.mark.parametrize("length", [250, 300])
def test_a_picture_with_too_long_a_name(tmp_path, capsys, length):
    path = tmp_path / f"{'a' * (length - 4)}.png"
    assert main(["show", "SeqEcho-v0", "--picture", str(path)]) == 2
    assert capsys.readouterr().err.endswith(
        f"--picture {path} can't be written: File name too long\n"
    )


def test_a_picture_without_pillow(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert main(["show", "SeqEcho-v0", "--picture", str(tmp_path / "a.png")]) == 2
    assert "--picture needs Pillow: pip install seqenvs[render]\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ([], {}),
        (["lag=4"], {"lag": 4}),
        (["length=(3, 9)", "framing=many_to_one"], {"length": (3, 9), "framing": "many_to_one"}),
        (["a=None", "b=True", "c='1'", "d=b"], {"a": None, "b": True, "c": "1", "d": "b"}),
    ],
)
def test_assignments(texts, values):
    assert assignments("--set", texts) == values


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["lag"], "--option must be NAME=VALUE, such as lag=4, got 'lag'"),
        (["=4"], "--option must be NAME=VALUE, such as lag=4, got '=4'"),
        (["a b=4"], "--option must be NAME=VALUE, such as lag=4, got 'a b=4'"),
        (["lag="], "--option lag: '' is no Python number, word or list"),
        (["lag=2 3"], "--option lag: '2 3' is no Python number, word or list"),
        (["lag={[]: 1}"], "--option lag: '{[]: 1}' is no Python number, word or list"),
        (["lag=1+x"], "--option lag: '1+x' is no Python number, word or list"),
        (["lag=2", "a=1", "lag=3"], "--option lag is given twice, the second time as '3'"),
    ],
)
def test_assignments_that_are_none(texts, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        assignments("--option", texts)

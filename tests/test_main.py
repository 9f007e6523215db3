"""The command line: what it prints, what it asks, and how it ends."""

import subprocess
import sys

import gymnasium
import pytest
from PIL import Image

from seqenvs.__main__ import main
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
    assert (
        main(["show", "SeqEcho-v0", "--set", "lag=2", "length=(3, 3)", "framing=many_to_one"]) == 0
    )
    assert (
        "Echo(length=(3, 3), lag=2, num_symbols=10, framing='many_to_one'"
        in capsys.readouterr().out
    )
    assert main(["show", "SeqEcho-v0", "--set", "lag=2", "--set", "length=5"]) == 0
    assert "Echo(length=5, lag=2," in capsys.readouterr().out


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
        (["show", "SeqEcho-v0", "--set", "lag"], "--set must be NAME=VALUE, got 'lag'"),
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


def test_an_environment_of_others(capsys):
    assert main(["show", "FrozenLake-v1"]) == 2
    assert "'FrozenLake-v1' is not an environment of seqenvs" in capsys.readouterr().err


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


def test_play_to_the_end(capsys, type_in):
    type_in("", "", "0", "", "", "0")
    arguments = [
        "play",
        "SeqRecall-v0",
        "--episodes",
        "2",
        "--set",
        "length=4",
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
    arguments = ["play", "SeqCopy-v0", "--set", "length=1", "num_symbols=1000", "--seed", "5"]
    assert main(arguments) == 0
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
    arguments = ["play", "SeqCopy-v0", "--set", "length=2", "framing=many_to_one", "--seed", "1"]
    assert main(arguments) == 0
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
    assert main(["play", "SeqEcho-v0", "--set", "length=3", "lag=2"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    type_in("", "", "x", "3")
    assert main(["play", "SeqEcho-v0", "--set", "length=3", "lag=2"]) == 0
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


def test_show_draws_a_picture(tmp_path, capsys):
    assert main(["show", "SeqEcho-v0", "--seed", "1", "--picture", str(tmp_path / "a.png")]) == 0
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert main(["show", "SeqEcho-v0", "--picture", str(tmp_path / "none" / "a.png")]) == 2
    assert "--picture" in capsys.readouterr().err

"""Every example runs as a user runs it, without a warning, and reaches what it says.

The recipes in examples/integrations need other tools: ``nox -s integrations`` runs them, each in an
environment of its own.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCS = EXAMPLES.parent / "docs"
RECIPES = sorted((EXAMPLES / "integrations").glob("*.py"))
# A warning of Keras itself, with the torch backend and NumPy 2.
KERAS = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"


class Example(NamedTuple):
    """What an example must print.

    Attributes:
        reaches: The first words of a line of output: the least and the most that follows them.
        says: Other text in its output.
        learns: Whether it trains an agent, which takes long.
        needs: The module that it needs and seqenvs does not.
        lines: How long it may be; progress on stderr is allowed above 60.
    """

    reaches: dict[str, tuple[float, float]]
    says: tuple[str, ...] = ()
    learns: bool = False
    needs: str = "gymnasium"
    lines: int = 60


EXACTLY, NEARLY = (1, 1), (0.95, 1)
FOUND = {
    "quickstart": Example(
        {
            "no memory  return": (0.05, 0.15),
            "last digit  return": EXACTLY,
            "oracle  return": EXACTLY,
        }
    ),
    "vector_and_blocks": Example(
        {"step by step  return": EXACTLY, "in blocks  return": EXACTLY}, ("same results: True",)
    ),
    "own_problem": Example(
        {"NBack-v0  step 12 of 12  score": EXACTLY},
        ("Bounds(chance=0.5, memoryless=0.5, clock=0.5, optimum=1.0)",),
    ),
    "torch_lstm": Example({"LSTM  return": NEARLY}, learns=True, needs="torch"),
    "keras_shapes": Example(
        {"Keras LSTM  accuracy": NEARLY},
        ("(1000, 8, 4)  float32", "(1000, 8)  int64", "(1000, 8)  bool"),
        learns=True,
        needs="keras",
    ),
    "sb3_recurrent_ppo": Example(
        {"after 30,000 steps  return": NEARLY}, learns=True, needs="sb3_contrib"
    ),
    "recorded_digits": Example(
        {"LSTM on new digits  accuracy": (0.8, 1)},
        ("grey rows  chance 0.100  clock 0.954",),
        learns=True,
        needs="sklearn",
    ),
    "recurrent_ppo_single_file": Example(
        {"recurrent PPO, SeqEcho-v0: return": NEARLY}, learns=True, needs="tqdm", lines=350
    ),
}
LEARNING = [pytest.param(n, marks=pytest.mark.full) if e.learns else n for n, e in FOUND.items()]


def assert_readable(text: str, lines: int) -> None:
    assert len(text.splitlines()) <= lines
    assert text.startswith('"""') and "Prints" in text.split('"""')[1]
    assert text.endswith('\n\nif __name__ == "__main__":\n    main()\n')


def test_every_example_is_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(FOUND)


@pytest.mark.parametrize("name", FOUND)
def test_is_short_and_says_what_it_shows(name):
    assert_readable((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"), FOUND[name].lines)


@pytest.mark.parametrize("name", LEARNING)
def test_runs_and_reaches_what_it_says(name, tmp_path):
    example = FOUND[name]
    if importlib.util.find_spec(example.needs) is None:
        pytest.skip(f"needs {example.needs}")
    command = [sys.executable, "-W", "error", "-W", KERAS, EXAMPLES / f"{name}.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    assert run.stderr == "" or example.lines > 60
    assert not list(tmp_path.iterdir()), "an example leaves no files behind"
    output = re.sub(" {2,}", "  ", run.stdout)
    for label, (low, high) in example.reaches.items():
        match = re.search(rf"^{re.escape(label)} (-?[\d.]+)", output, re.MULTILINE)
        assert match, f"{label!r} is not in\n{output}"
        assert low <= float(match[1]) <= high, output
    for text in example.says:
        assert text in output


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_short_and_is_in_the_documentation(path):
    name = path.stem.removesuffix("_recipe")
    assert path.stem == f"{name}_recipe", "without _recipe it could hide the package it imports"
    assert_readable(path.read_text(encoding="utf-8"), 60)
    page = "keras_and_pytorch" if name in ("keras", "pytorch") else name
    assert f"nox -s {name}`" in (DOCS / "integrations" / f"{page}.md").read_text(encoding="utf-8")
    assert f"](integrations/{page}.md) |" in (DOCS / "compatibility.md").read_text(encoding="utf-8")

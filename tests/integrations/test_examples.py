"""Every example runs as a user runs it, warns of nothing, and reaches what it says.

Recipes need the tools that they are for: ``nox -s integrations`` runs them, each in an environment
of its own.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
# Of Keras itself, with the torch backend and NumPy 2.
KERAS = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"

# file: the least and most that a line of its output may say, by the line's first words.
REACHED = {
    "quickstart": {
        "no memory  return": (0.05, 0.15),
        "last digit  return": (1, 1),
        "oracle  return": (1, 1),
    },
    "vector_and_blocks": {"step by step  return": (1, 1), "in blocks  return": (1, 1)},
    "torch_lstm": {"LSTM  return": (0.95, 1)},
    "keras_shapes": {"Keras LSTM  accuracy": (0.95, 1)},
    "sb3_recurrent_ppo": {"after 30,000 steps  return": (0.95, 1)},
    "own_problem": {"NBack-v0  step 12 of 12  score": (1, 1)},
    "recorded_digits": {"LSTM on new digits  accuracy": (0.8, 1)},
    "recurrent_ppo_single_file": {"recurrent PPO, SeqEcho-v0: return": (0.95, 1)},
}
# Longer, since it is read from top to bottom; and it shows its progress.
SINGLE_FILE = "recurrent_ppo_single_file"
SAID = {
    "vector_and_blocks": ["same results: True"],
    "keras_shapes": ["(1000, 8, 4)  float32", "(1000, 8)  int64", "(1000, 8)  bool"],
    "own_problem": ["Bounds(chance=0.5, memoryless=0.5, clock=0.5, optimum=1.0)"],
    "recorded_digits": ["grey rows  chance 0.100  clock 0.954"],
}


def test_every_example_is_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(REACHED)


@pytest.mark.parametrize("name", REACHED)
def test_is_short_and_says_what_it_shows(name):
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= (350 if name == SINGLE_FILE else 60)
    assert text.startswith('"""') and "Prints" in text.split('"""')[1]
    assert text.endswith('\n\nif __name__ == "__main__":\n    main()\n')


@pytest.mark.parametrize("name", REACHED)
def test_runs_and_reaches_what_it_says(name, tmp_path):
    command = [sys.executable, "-W", "error", "-W", KERAS, EXAMPLES / f"{name}.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stderr == "" or name == SINGLE_FILE
    assert not list(tmp_path.iterdir()), "an example leaves no files behind"
    output = re.sub(" {2,}", "  ", run.stdout)
    for label, (low, high) in REACHED[name].items():
        match = re.search(rf"^{re.escape(label)} (-?[\d.]+)", output, re.MULTILINE)
        assert match, f"{label!r} is not in\n{output}"
        assert low <= float(match[1]) <= high, output
    for text in SAID.get(name, []):
        assert text in output


RECIPES = sorted((EXAMPLES / "integrations").glob("*.py"))
DOCS = EXAMPLES.parent / "docs"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_short_and_stands_in_the_documentation(path):
    name = path.stem.removesuffix("_recipe")
    assert path.stem == f"{name}_recipe", "or it could hide the package that it imports"
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert text.startswith('"""') and "Prints" in text.split('"""')[1]
    assert text.endswith('\n\nif __name__ == "__main__":\n    main()\n')
    page = "keras_and_pytorch" if name in ("keras", "pytorch") else name
    assert f"nox -s {name}`" in (DOCS / "integrations" / f"{page}.md").read_text(encoding="utf-8")
    assert f"](integrations/{page}.md) |" in (DOCS / "compatibility.md").read_text(encoding="utf-8")

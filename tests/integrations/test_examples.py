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
    """What an example must print: the least after the first words of a line, and other text.

    It trains an agent with the module that it ``needs``, which takes long; None if it trains none.
    """

    reaches: dict[str, float]
    says: tuple[str, ...] = ()
    needs: str | None = None


FOUND = {
    "quickstart": Example(
        {"last digit  return": 1, "oracle  return": 1}, ("no memory  return 0.",)
    ),
    "own_problem": Example(
        {"NBack-v0  step 12 of 12  score": 1},
        ("return is 1; chance 0.500, memoryless 0.500, clock 0.500",),
    ),
    "recorded_digits": Example(
        {"LSTM on new digits  accuracy": 0.8},
        ("grey rows  chance 0.100  clock 0.954",),
        needs="sklearn",
    ),
    "recurrent_ppo_single_file": Example({"recurrent PPO, SeqEcho-v0: return": 0.95}, needs="tqdm"),
    # Those of other tools that the development environment has.
    "integrations/sb3_recipe": Example({"RecurrentPPO, .*: return": 0.95}, needs="sb3_contrib"),
    "integrations/pytorch_recipe": Example(
        {"PyTorch LSTM plays SeqEcho-v0: return": 0.95}, needs="torch"
    ),
    "integrations/keras_recipe": Example(
        {"Keras LSTM plays SeqEcho-v0: return": 0.95}, needs="keras"
    ),
}
LONG = {"recurrent_ppo_single_file": 320}  # has a progress bar, too
RUN = [pytest.param(n, marks=pytest.mark.full) if e.needs else n for n, e in FOUND.items()]


def test_every_example_is_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {n for n in FOUND if "/" not in n}


@pytest.mark.parametrize("name", RUN)
def test_runs_and_reaches_what_it_says(name, tmp_path):
    example = FOUND[name]
    if example.needs and importlib.util.find_spec(example.needs) is None:  # Keras needs a backend
        pytest.skip(f"needs {example.needs}")
    command = [sys.executable, "-W", "error", "-W", KERAS, EXAMPLES / f"{name}.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    assert run.stderr == "" or name in LONG
    assert not list(tmp_path.iterdir()), "an example leaves no files behind"
    output = re.sub(" {2,}", "  ", run.stdout)
    for label, least in example.reaches.items():
        match = re.search(rf"^{label} (-?[\d.]+)", output, re.MULTILINE)
        assert match and least <= float(match[1]) <= 1, output
    for text in example.says:
        assert text in output


@pytest.mark.parametrize("path", [*EXAMPLES.glob("*.py"), *RECIPES], ids=lambda path: path.stem)
def test_is_short_says_what_it_prints_and_is_in_the_documentation(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONG.get(path.stem, 60)
    assert text.startswith('"""') and "Prints" in text.split('"""')[1]
    assert text.endswith('\n\nif __name__ == "__main__":\n    main()\n')
    if path in RECIPES:
        name = path.stem.removesuffix("_recipe")
        assert path.stem == f"{name}_recipe", "without _recipe it could hide what it imports"
        page = "keras_and_pytorch" if name in ("keras", "pytorch") else name
        assert f"nox -s {name}`" in (DOCS / f"integrations/{page}.md").read_text(encoding="utf-8")
        rows = (DOCS / "compatibility.md").read_text(encoding="utf-8")
        assert f"](integrations/{page}.md) |" in rows

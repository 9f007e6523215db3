"""Runs in environments of their own, each with the newest releases that pip resolves.

``nox -s rllib`` runs one recipe of examples/integrations, ``nox -s integrations`` all of them, and
both write what was reached to docs/compatibility.md. ``nox -s tests-3.13``, ``nox -s numpy-1.26``
and ``nox -s gymnasium-1.1`` run the package's tests on that version. ``nox -l`` lists everything.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PAGE = ROOT / "docs" / "compatibility.md"
# Of what pip runs to build a package, and pip's own.
FAILURES = [re.compile(rf"^\s*({kind}: .+)$", re.MULTILINE) for kind in (r"[\w.]+Error", "ERROR")]
REACHED = re.compile(r"^(?P<what>.+): return (?P<value>-?\d+\.\d+)$", re.MULTILINE)
HEAD = ("tool", "version", "Gymnasium", "Python", "what ran", "return", "date")
INTRODUCTION = """\
# Compatibility

The mean returns that the recipes for other tools reached. Each ran on two cores in its own virtual
environment, with the newest releases that pip found on that day. The recipes are in
[`examples/integrations`](../examples/integrations). [`integrations/`](integrations) explains what
each tool needs and why.

`nox -s integrations` writes this page; `nox -s NAME` renews the rows of one tool.

"""


@dataclass(frozen=True)
class Recipe:
    """How to run a tool.

    Attributes:
        package: The tool's distribution, whose version the page names.
        requirements: What pip installs beside seqenvs.
        least: The return that every line of its output must reach.
        file: Below examples/integrations, if it isn't NAME_recipe.py.
        page: Below docs/integrations, if it isn't NAME.md.
    """

    package: str
    requirements: tuple[str, ...]
    least: float = 0.95
    file: str = ""
    page: str = ""


# The name of a session: its recipe.
RECIPES = {
    "sb3": Recipe("sb3-contrib", ("stable-baselines3", "sb3-contrib", "torch")),
    "rllib": Recipe("ray", ("ray[rllib]", "torch")),
    "torchrl": Recipe("torchrl", ("torchrl", "torch")),
    "tianshou": Recipe("tianshou", ("tianshou", "torch")),
    "skrl": Recipe("skrl", ("skrl[torch]", "torch")),
    "pufferlib": Recipe("pufferlib", ("pufferlib", "torch")),
    "pufferlib-core": Recipe(
        "pufferlib-core",
        ("pufferlib-core", "torch"),
        file="pufferlib_recipe.py",
        page="pufferlib.md",
    ),
    "cleanrl": Recipe("torch", ("torch", "tqdm"), file="../recurrent_ppo_single_file.py"),
    "keras": Recipe("keras", ("keras", "torch"), page="keras_and_pytorch.md"),
    "pytorch": Recipe("torch", ("torch",), page="keras_and_pytorch.md"),
    "minari": Recipe("minari", ("minari[create,hdf5]", "pillow", "torch"), least=0.8),
    "tracking": Recipe("wandb", ("wandb", "sb3-contrib", "tensorboard", "torch")),
}
VERSIONS = """
import importlib.metadata, json, platform, sys
found = {name: importlib.metadata.version(name) for name in sys.argv[1:]}
print(json.dumps({"python": platform.python_version(), **found}))
"""
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
NUMPYS = {"1.26": "numpy==1.26.4", "2": "numpy>=2"}
GYMNASIUMS = {"1.1": "1.1.0", "1.2.2": "1.2.2", "1.4": "1.4.0"}


def _versions(session: nox.Session, *packages: str) -> dict[str, str]:
    """The versions of Python and of these packages in the session's environment."""
    output = session.run("python", "-c", VERSIONS, *packages, silent=True, log=False)
    return json.loads(str(output))


def _write_rows(name: str, rows: list[tuple[str, ...]]) -> None:
    """Put the rows of a session in place of its old ones; the page is the only store there is."""
    kept: dict[str, list[tuple[str, ...]]] = {}
    if PAGE.is_file():
        for line in PAGE.read_text(encoding="utf-8").splitlines():
            cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
            if line.startswith("| [") and len(cells) == len(HEAD):
                kept.setdefault(cells[0].partition("]")[0].strip("["), []).append(cells)
    kept[name] = rows
    lines = [HEAD, ("---",) * len(HEAD)]
    lines += [row for session in RECIPES for row in kept.get(session, [])]
    table = "".join("| " + " | ".join(line) + " |\n" for line in lines)
    temporary = PAGE.with_suffix(".tmp")
    temporary.write_text(INTRODUCTION + table, encoding="utf-8")
    os.replace(temporary, PAGE)


def _install(session: nox.Session, recipe: Recipe) -> str:
    """Install a tool; why it could not be, if it could not."""
    path = session.cache_dir / f"{session.name}-install.txt"
    with path.open("w", encoding="utf-8") as output:
        try:
            arguments = ("-c", "constraints.txt", "-e", ".", *recipe.requirements)
            session.install(*arguments, silent=False, stdout=output, stderr=subprocess.STDOUT)
        except nox.command.CommandFailed:
            text = path.read_text(encoding="utf-8")
            print(text, end="")
            return "; ".join(found[-1] for kind in FAILURES if (found := kind.findall(text)))
    return ""


def _run_recipe(session: nox.Session, name: str) -> None:
    recipe = RECIPES[name]
    tool = f"[{name}](integrations/{recipe.page or f'{name}.md'})"
    today = datetime.date.today().isoformat()
    reason = _install(session, recipe)
    if reason:
        said = f"could not be installed: `{reason.replace('|', ' ')}`"
        found = _versions(session)
        _write_rows(name, [(tool, recipe.package, "", found["python"], said, "", today)])
        session.skip(said)
    found = _versions(session, recipe.package, "gymnasium")
    path = session.cache_dir / f"{name}-output.txt"
    with path.open("w", encoding="utf-8") as output:
        # Progress goes to stderr and so to the terminal, results to stdout and so to the page.
        file = ROOT / "examples" / "integrations" / (recipe.file or f"{name}_recipe.py")
        session.run("python", str(file.resolve()), stdout=output, stderr=None)
    text = path.read_text(encoding="utf-8")
    print(text, end="")
    reached = [(match["what"], float(match["value"])) for match in REACHED.finditer(text)]
    versions = found["gymnasium"], found["python"]
    version = f"{recipe.package} {found[recipe.package]}"
    rows = [
        (tool, version, *versions, what.strip(), f"{value:.3f}", today) for what, value in reached
    ]
    _write_rows(name, rows)
    missed = [what for what, value in reached if value < recipe.least]
    if missed or not reached:
        session.error(f"{missed or 'no result'} below {recipe.least}: see the output above")


def _add(name: str) -> None:
    def recipe(session: nox.Session) -> None:
        _run_recipe(session, name)

    recipe.__doc__ = f"The recipe {name}, in an environment of its own."
    nox.session(recipe, name=name, default=False)


for _name in RECIPES:
    _add(_name)


@nox.session(default=False)
def integrations(session: nox.Session) -> None:
    """All recipes, each in an environment of its own."""
    for name in RECIPES:
        session.notify(name)


def _test(session: nox.Session, folders: tuple[str, ...], *requirements: str) -> None:
    """Install seqenvs and these, and run the tests of these folders."""
    beside = ("pytest", "pytest-xdist", "hypothesis", "moviepy", *requirements)
    session.install("-c", "constraints.txt", "-e", ".[render]", *beside)
    session.run("python", "-m", "pytest", *folders, *session.posargs)


@nox.session(python=PYTHONS, default=False)
def tests(session: nox.Session) -> None:
    """The tests of the package itself on each Python, with the newest of what it needs."""
    _test(session, ("tests/seqenvs",))


def _add_tests(name: str, requirement: str) -> None:
    def on_version(session: nox.Session) -> None:
        sb3 = ("stable-baselines3>=2.9", "sb3-contrib>=2.9", "torch", "array-api-compat", "tqdm")
        _test(session, ("tests/seqenvs", "tests/integrations"), requirement, *sb3)

    on_version.__doc__ = f"The tests of the package and its adapters with {requirement}."
    nox.session(on_version, name=name, default=False)


for _name, _requirement in NUMPYS.items():
    _add_tests(f"numpy-{_name}", _requirement)
for _name, _version in GYMNASIUMS.items():
    _add_tests(f"gymnasium-{_name}", f"gymnasium=={_version}")

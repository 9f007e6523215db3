"""What the README shows is what its commands print, and its code runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from seqenvs.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_code_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 3
    namespace: dict = {"__name__": "readme"}
    for block in blocks:  # in order, as somebody would type them
        exec(compile(block, "README.md", "exec"), namespace)
    assert namespace["block"].shape == (10, 1024, 10)
    assert namespace["X"].shape == (32, 10, 10)


def test_the_table_of_environments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--markdown"]) == 0
    assert capsys.readouterr().out in README


def test_episodes(capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.findall(r"^\$ python -m seqenvs (show .*)\n((?:.|\n)*?)```", README, re.MULTILINE)
    assert shown
    for command, printed in shown:
        assert main(shlex.split(command)) == 0
        assert capsys.readouterr().out == printed


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (Path(__file__).parents[2] / target).exists(), target


def test_the_package_is_found_beside_a_folder_of_its_name(tmp_path):
    (tmp_path / "seqenvs").mkdir()  # as a checkout is, in the folder that contains it
    command = [sys.executable, "-c", "import seqenvs; seqenvs.batches('SeqEcho-v0', 1)"]
    subprocess.run(command, cwd=tmp_path, check=True)

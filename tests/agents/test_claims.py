"""The tutorials' claims: rows that can be run, verdicts that are computed, page and picture."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import seqenvs
from agents import claims
from agents.claims import CHECKS, CLAIMS, CLOCK, FORGETS, MEMORIZED, MEMORYLESS, SOLVED, Claim, Row
from agents.cli import main
from agents.config import AGENTS
from seqenvs import Bounds

NEEDED, NOT_NEEDED = Bounds(0.1, 0.5, 0.6), Bounds(0.1, 1.0, 1.0)
TINY = Claim("3. Echo random integer", "tiny", "SeqEcho-v0", {"lag": 0}, "mlp", SOLVED)


def row(expected: str, returns: list[float], bounds: Bounds = NEEDED, error: float = 0.0) -> Row:
    return Row(1, Claim("", "", "SeqEcho-v0", {}, "lstm", expected), bounds, returns, error)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.text}, {claim.agent}")
def test_every_claim_can_be_run(claim):
    assert claim.agent in (*AGENTS, MEMORIZED, CLOCK)
    assert claim.expected in CHECKS
    assert claims.SECTIONS[claim.section] in claims.LINKS
    env = gymnasium.make(claim.id, **claim.kwargs)
    assert env.unwrapped.problem.bounds().optimum == 1
    settings = [claim.settings(seed) for seed in claims.SEEDS]
    assert [each.seed for each in settings] == list(claims.SEEDS)
    assert settings[0].kwargs == claim.kwargs
    for name, value in claim.given.get("options", {}).items():
        assert getattr(settings[0].options, name) == value


def test_no_claim_is_there_twice():
    rows = [(claim.text, claim.agent) for claim in CLAIMS]
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize(
    ("measured", "confirmed"),
    [
        (row(SOLVED, [0.961, 0.97]), True),
        (row(SOLVED, [0.95, 1.0]), False),  # one seed's memory score is 0.875
        (row(SOLVED, [0.99], NOT_NEEDED), True),
        (row(SOLVED, [0.989], NOT_NEEDED), False),
        (row(MEMORYLESS, [0.496, 0.504]), True),
        (row(MEMORYLESS, [0.51, 0.51]), False),
        (row(MEMORYLESS, [0.51, 0.51], error=0.004), True),
        (row(MEMORYLESS, [0.6], error=0.004), False),
        (row(FORGETS, [0.5, 0.63]), True),
        (row(FORGETS, [0.5, 0.65]), False),
        (row(FORGETS, [0.1], NOT_NEEDED), False),
        (row(claims.CLOCK_ALONE, [0.88918]), True),
        (row(claims.CLOCK_ALONE, [0.8893]), False),
    ],
)
def test_verdict(measured, confirmed):
    assert measured.confirmed is confirmed
    said = "| confirmed |" if confirmed else "| not confirmed |"
    assert list(claims.table([measured]))[-1].endswith(said)


def test_clock_alone_is_what_is_counted():
    (_, labels, _) = next(seqenvs.batches("SeqClassify-v0", 20_000, seed=0))
    ones = labels.mean(axis=0)
    counted = np.maximum(ones, 1 - ones).mean()
    assert claims.clock_alone() == pytest.approx(counted, abs=0.005)


def test_one_sequence_by_heart_is_not_echoing():
    (claim,) = (each for each in CLAIMS if each.agent == MEMORIZED)
    mean_return, error = claims.memorize(claim.settings(0))
    assert mean_return < 0.2
    assert error < 0.01


@pytest.fixture
def few(monkeypatch):
    """Three rows, of which one is trained."""
    special = [each for each in CLAIMS if each.agent in (MEMORIZED, CLOCK)]
    monkeypatch.setattr(claims, "CLAIMS", [TINY, *special])
    monkeypatch.setattr(claims, "SEEDS", (0, 1))


@pytest.mark.usefixtures("few")
def test_page_and_picture_are_written(tmp_path):
    docs, path, work = tmp_path / "docs", tmp_path / "results.json", tmp_path / "work"
    docs.mkdir()
    rows = claims.run_claims("", 1, work, docs=docs, path=path)
    assert [each.confirmed for each in rows] == [True] * 3
    page = (docs / "claims.md").read_text(encoding="utf-8")
    assert "3 of 3 rows are confirmed" in page
    assert "| 1 | tiny | SeqEcho-v0 lag=0 | mlp | solved | 1.0000 | 1.0000 | " in page
    assert "| 0.8892 | -" in page  # exact, below the clock that looks
    assert "torch" in page
    assert "](claims.png)" in page
    assert (docs / "claims.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(each.name for each in docs.iterdir()) == ["claims.md", "claims.png"]

    (docs / "claims.md").unlink()
    known = path.read_bytes()
    (again,) = claims.run_claims("TINY", 1, work, docs=docs, path=path)
    assert again == rows[0]
    assert path.read_bytes() == known
    assert not (docs / "claims.md").exists()


@pytest.mark.usefixtures("few")
def test_command(capsys, monkeypatch):
    assert main(["claims", "--only", "clock alone"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3
    assert printed[-1].endswith("| confirmed |")
    monkeypatch.setattr(claims, "clock_alone", lambda: 0.9)
    assert main(["claims", "--only", "clock alone"]) == 1
    assert main(["claims", "--only", "nobody's"]) == 2
    assert "no claim has" in capsys.readouterr().err

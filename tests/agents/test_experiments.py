"""Presets, claims and suites of the reference agents: jobs, shipped results, and pages."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

import seqenvs
from agents import claims, experiments
from agents.claims import CHECKS, CLAIMS, CLOCK, Claim, Row
from agents.cli import main
from agents.config import AGENTS
from agents.presets import preset_settings
from agents.suites import class_path, job_of, make_suite
from seqenvs import Bounds
from seqenvs.benchmark.executors import EngineError, in_process
from seqenvs.benchmark.results import ResultError, read_table
from seqenvs.benchmark.runner import check_jobs
from seqenvs.benchmark.suites import Suite, SuiteError

DOCS = Path(__file__).parents[2] / "docs"
NEEDED, NOT_NEEDED = Bounds(0.1, 0.5, 0.6), Bounds(0.1, 1.0, 1.0)


@pytest.mark.parametrize(("name", "count"), [("quick", 318), ("timed", 198), ("full", 1030)])
def test_the_shipped_suites_have_the_reference_agents(name, count):
    suite = make_suite(name)
    jobs = suite.jobs()
    check_jobs(jobs)
    assert len(jobs) == len({job.key for job in jobs}) == count
    assert all({"target", "hidden", "learning_rate"} <= set(job.options) for job in jobs)
    sweeps = [row for row in suite.rows() if row.section == "horizon"]
    for (problem, agent), rows in groupby(sweeps, lambda row: (row.problem, row.agent)):
        options = [job.options for row in rows for job in row.jobs]
        assert all(each == options[0] for each in options)
        if agent == "agents:LSTM":
            assert ("delay_line" if problem == "echo" else "hold") in options[0]


def test_agents_of_a_suite_have_the_options_of_their_presets(tmp_path):
    agents = ["gru", "agents:LRU", {"agent": "lstm", "options": {"hidden": 8}}, "numpy:ndarray"]
    path = tmp_path / "suite.json"
    path.write_text(
        Suite(seeds=[0], steps=7, matrix=[{"id": "SeqEcho-v0", "agents": ["agents:MLP"]}]).to_json()
    )
    suite = make_suite(str(path), agents, "SeqCopy-v0", {"length": 3})
    echo, copy = (
        [row.jobs[0] for row in suite.rows() if row.jobs[0].id == id]
        for id in ("SeqEcho-v0", "SeqCopy-v0")
    )
    names = ["agents:MLP", "agents:GRU", "agents:LRU", "agents:LSTM", "numpy:ndarray"]
    assert [job.agent for job in echo] == [job.agent for job in copy] == names
    mlp, gru, lru, lstm, other = echo
    assert gru == job_of(preset_settings("SeqEcho-v0", {}, "gru"))
    assert lru == job_of(preset_settings("SeqEcho-v0", {}, "lru"))
    assert lstm == job_of(preset_settings("SeqEcho-v0", {}, "lstm", {"hidden": 8}))
    assert (mlp.options["target"], mlp.steps) == (0.98, 7)  # it has no preset here
    assert (other.options, other.steps) == ({}, 7)
    path.write_text(suite.to_json())
    assert make_suite(str(path)) == suite
    assert next(make_suite("timed", [], "SeqEcho-v0").rows()).agent == "agents:RecurrentPPO"


def test_wrong_agents_are_refused():
    with pytest.raises(SuiteError, match="lstm has no option 'size'"):
        make_suite("quick", [{"agent": "lstm", "options": {"size": 1}}])
    with pytest.raises(SuiteError, match="'agents:Transformer' cannot be evaluated at a length"):
        make_suite("quick", ["transformer"])
    with pytest.raises(SuiteError, match="agent must be 'module:Class', got 'lstn'"):
        make_suite("timed", ["lstn"])


def test_results_are_found_or_run(tmp_path):
    jobs = [
        job_of(preset_settings("SeqEcho-v0", {"length": 5}, agent, steps=300))
        for agent in ("lstm", "recurrent_ppo")
    ]
    path, ran = tmp_path / "results.json", []

    def find(jobs, folder="work"):
        def execute(run, missing, work):
            ran.extend(missing)
            return in_process(run, missing, work)

        return experiments.find_or_run(jobs, 1, tmp_path / folder, path, execute)

    results = find(jobs)
    assert ran == jobs and [result.job for result in results] == jobs
    assert [result.learns_from for result in results] == ["answers", "rewards"]
    for result in results:
        assert 300 <= result.steps < 700 and result.seconds > 0 and result.wall_seconds > 0
        assert (result.curve, result.episodes, result.evaluation.accuracy) == ([], [], [])
    written = read_table(path)
    assert written == [replace(result, finished="") for result in results]
    assert find(jobs[::-1], "other") == written[::-1]
    path.unlink()
    assert find(jobs) == results and ran == jobs  # the folder had them: nothing was run again
    with pytest.raises(EngineError, match="1 of 1 jobs failed"):
        find([jobs[0], replace(jobs[0], id="SeqNone-v0")])
    path.write_text("[1]")
    with pytest.raises(ResultError, match=r"results\.json is damaged"):
        find(jobs)
    assert path.read_text() == "[1]"


def nothing_runs(run, jobs, work):
    raise AssertionError(f"there are no results of {[job.name for job in jobs]}")


def test_the_shipped_results_are_those_of_the_presets_and_claims():
    jobs = experiments.presets_suite().jobs()
    results = experiments.find_or_run(jobs, 1, Path(), execute=nothing_runs)
    assert experiments.page(results) == (DOCS / "presets.md").read_text(encoding="utf-8")
    assert all(result.solved for result in results)
    known = experiments.proven(preset_settings("SeqEcho-v0", {}, "lstm", seed=7))
    assert [result.job.seed for result in known] == [0, 1, 2]
    assert experiments.proven(preset_settings("SeqEcho-v0", {}, "lstm", {"hidden": 8})) == []


def test_the_page_of_the_claims_is_written_from_the_shipped_results(tmp_path):
    rows = claims.measure("", 1, tmp_path / "work", docs=tmp_path, execute=nothing_runs)
    page = (tmp_path / "claims.md").read_text(encoding="utf-8")
    assert page == (DOCS / "claims.md").read_text(encoding="utf-8")
    assert f"{len(CLAIMS)} of {len(CLAIMS)} rows are confirmed" in page
    assert [row.claim for row in rows] == CLAIMS and "](claims.png)" in page
    assert (tmp_path / "claims.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["claims.md", "claims.png"]


def test_every_claim_is_sound():
    texts = [(claim.text, claim.agent) for claim in CLAIMS]
    assert len(set(texts)) == len(texts)
    for claim in CLAIMS:
        jobs = claim.jobs()
        assert claim.expected in CHECKS
        assert [job.seed for job in jobs] == ([] if claim.agent == CLOCK else [0, 1, 2])
        for job in jobs:
            assert job.options.items() >= claim.given.get("options", {}).items()
            assert claim.agent not in AGENTS or job.agent == class_path(claim.agent)


@pytest.mark.parametrize(
    ("expected", "returns", "bounds", "error", "confirmed"),
    [
        ("solved", [0.961, 0.97], NEEDED, 0, True),
        ("solved", [0.95, 1.0], NEEDED, 0, False),  # the memory score of one seed is 0.875
        ("solved", [0.99], NOT_NEEDED, 0, True),
        ("solved", [0.989], NOT_NEEDED, 0, False),
        ("memoryless", [0.496, 0.504], NEEDED, 0, True),
        ("memoryless", [0.51, 0.51], NEEDED, 0, False),
        ("memoryless", [0.51, 0.51], NEEDED, 0.004, True),
        ("memoryless", [0.6], NEEDED, 0.004, False),
        ("not learned", [0.5, 0.63], NEEDED, 0, True),
        ("not learned", [0.5, 0.65], NEEDED, 0, False),
        ("not learned", [0.1], NOT_NEEDED, 0, False),
        ("0.8892", [0.88918], NEEDED, 0, True),
        ("0.8892", [0.8893], NEEDED, 0, False),
    ],
)
def test_verdict(expected, returns, bounds, error, confirmed):
    claim = Claim(id="SeqEcho-v0", agent="lstm", expected=expected)
    row = Row(1, claim, bounds, returns, error)
    assert row.confirmed is confirmed
    said = "| confirmed |" if confirmed else "| not confirmed |"
    assert list(claims.table([row]))[-1].endswith(said)


def test_clock_alone_is_what_is_counted():
    ones = next(seqenvs.batches("SeqClassify-v0", 20_000, seed=0)).y.mean(axis=0)
    assert claims.clock_alone() == pytest.approx(np.maximum(ones, 1 - ones).mean(), abs=0.005)


def test_one_sequence_by_heart_is_not_echoing():
    agent = claims.OneSequence(delay_line=4.0)
    *_, steps = agent.learn("SeqEcho-v0", kwargs={}, steps=3000, seed=0)
    assert steps == 3000
    assert seqenvs.evaluate(agent, "SeqEcho-v0", episodes=200).mean_return < 0.2


def test_a_part_of_the_presets_and_of_the_claims(capsys, monkeypatch):
    assert main(["prove", "--only", "SeqEcho-v0 lag=4"]) == 0
    assert "6 of 6 runs solved their problem" in capsys.readouterr().out
    assert main(["claims", "--only", "clock alone"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3 and printed[-1].endswith("| confirmed |")
    monkeypatch.setattr(claims, "clock_alone", lambda: 0.9)
    assert main(["claims", "--only", "clock alone"]) == 1
    assert main(["claims", "--only", "nobody's"]) == 2
    assert "no claim has" in capsys.readouterr().err

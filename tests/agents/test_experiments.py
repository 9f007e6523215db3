"""Presets, claims and suites of the reference agents: jobs, shipped results, and pages."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

import seqenvs
from agents import claims, experiments
from agents.claims import CHECKS, CLAIMS, CLOCK, FORGETS, MEMORYLESS, SOLVED, Claim, Row
from agents.cli import main
from agents.config import AGENTS
from agents.presets import preset_settings
from agents.suites import class_path, job_of, make_suite
from seqenvs import Bounds
from seqenvs.benchmark.execution import run_job
from seqenvs.benchmark.executors import EngineError, in_process
from seqenvs.benchmark.results import ResultError, read_table
from seqenvs.benchmark.runner import check_jobs
from seqenvs.benchmark.suites import Suite, SuiteError
from tests.seqenvs.benchmark.agents import timeless

DOCS = Path(__file__).parents[2] / "docs"
NEEDED, NOT_NEEDED = Bounds(0.1, 0.5, 0.6), Bounds(0.1, 1.0, 1.0)


# Suites.


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


# Running.


def jobs_of(*agents, seeds=(0,)):
    return [
        job_of(replace(preset_settings("SeqEcho-v0", {"length": 5}, agent), seed=seed, steps=300))
        for agent in agents
        for seed in seeds
    ]


def test_results_are_found_or_run(tmp_path):
    path, jobs = tmp_path / "results.json", jobs_of("lstm", "recurrent_ppo")
    ran = []

    def execute(run, missing, work):
        ran.extend(missing)
        return in_process(run, missing, work)

    results = experiments.find_or_run(jobs, 1, tmp_path / "work", path, execute)
    assert ran == jobs and [result.job for result in results] == jobs
    assert [result.learns_from for result in results] == ["answers", "rewards"]
    for result in results:
        assert 300 <= result.steps < 700 and result.seconds > 0 and result.wall_seconds > 0
        assert (result.curve, result.episodes, result.evaluation.accuracy) == ([], [], [])
        assert result.evaluation.bounds["memoryless"] == pytest.approx(0.1)
        assert "torch" in result.versions
    written = read_table(path)
    assert written == [replace(result, finished="") for result in results]
    assert (
        experiments.find_or_run(jobs[::-1], 1, tmp_path / "other", path, execute) == written[::-1]
    )
    assert ran == jobs  # nothing was run again
    path.unlink()
    ran.clear()
    again = experiments.find_or_run(jobs, 1, tmp_path / "work", path, execute)
    assert again == results and ran == []  # the folder had them


def test_failures_and_damaged_results_are_errors(tmp_path):
    path, (job,) = tmp_path / "results.json", jobs_of("mlp")
    wrong = replace(job, id="SeqNone-v0")
    with pytest.raises(EngineError, match="1 of 2 jobs failed"):
        experiments.find_or_run([job, wrong], 1, tmp_path / "work", path, in_process)
    assert [result.job for result in read_table(path)] == [job]
    path.write_text("[1]")
    with pytest.raises(ResultError, match=r"results\.json is damaged"):
        experiments.find_or_run([job], 1, tmp_path / "work", path, in_process)
    assert path.read_text() == "[1]"


@pytest.mark.parametrize("agent", ["gru", "recurrent_ppo"])
def test_a_job_continues_from_its_checkpoint(tmp_path, agent):
    options = {"hidden": 8} if agent == "gru" else {"hidden": 8, "num_envs": 4}
    settings = preset_settings("SeqEcho-v0", {"length": [3, 9]}, agent, options, target=2.0)
    whole, part = (job_of(replace(settings, steps=steps)) for steps in (600, 300))
    run_job(part, tmp_path / "work", checkpoint_seconds=-1)
    assert len(list((tmp_path / "work").iterdir())) == 1
    again = run_job(whole, tmp_path / "work")
    expected = run_job(whole, tmp_path / "other")
    assert timeless(again) == timeless(expected)
    assert again.curve[0][0] < 300 < 600 <= again.curve[-1][0]
    assert {len(episode.confidence) for episode in again.episodes} <= set(range(3, 10))


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


def test_a_part_of_the_presets(capsys):
    assert main(["prove", "--only", "SeqEcho-v0 lag=4"]) == 0
    assert "6 of 6 runs solved their problem" in capsys.readouterr().out


# Claims.


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
        assert claim.expected in CHECKS and claim.section in claims.SECTIONS
        jobs = claim.jobs()
        assert [job.seed for job in jobs] == ([] if claim.agent == CLOCK else [0, 1, 2])
        for job in jobs:
            assert (job.id, job.kwargs) == (claim.id, claim.kwargs)
            assert job.options.items() >= claim.given.get("options", {}).items()
            if claim.agent in AGENTS:
                assert job.agent == class_path(claim.agent)


def row(expected, returns, bounds=NEEDED, error=0.0):
    return Row(1, Claim("", "", "SeqEcho-v0", {}, "lstm", expected), bounds, returns, error)


@pytest.mark.parametrize(
    ("measured", "confirmed"),
    [
        (row(SOLVED, [0.961, 0.97]), True),
        (row(SOLVED, [0.95, 1.0]), False),  # the memory score of one seed is 0.875
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
    agent = claims.OneSequence(delay_line=4.0)
    *_, steps = agent.learn("SeqEcho-v0", kwargs={}, steps=3000, seed=0)
    assert steps == 3000
    assert seqenvs.evaluate(agent, "SeqEcho-v0", episodes=200).mean_return < 0.2


def test_a_part_of_the_claims(capsys, monkeypatch):
    assert main(["claims", "--only", "clock alone"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3 and printed[-1].endswith("| confirmed |")
    monkeypatch.setattr(claims, "clock_alone", lambda: 0.9)
    assert main(["claims", "--only", "clock alone"]) == 1
    assert main(["claims", "--only", "nobody's"]) == 2
    assert "no claim has" in capsys.readouterr().err

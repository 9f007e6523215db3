"""Suites: shipped ones, your own, and the jobs that they consist of."""

from __future__ import annotations

import json

import pytest

from seqenvs.benchmark.runner import check_jobs
from seqenvs.benchmark.suites import Suite, SuiteError, make_suite, read_suite
from tests.seqenvs.benchmark.agents import own

ORACLE, RANDOM = own("OracleAgent"), own("RandomAgent")
TABLE = {"agent": own("TableAgent"), "options": {"pause": 0.0}, "steps": 700}
SUITE = {
    "seeds": [0, 1],
    "steps": 500,
    "matrix": [
        {"id": "SeqEcho-v0", "agents": [TABLE, ORACLE]},
        {"id": "SeqNext-v0", "agents": [RANDOM]},
    ],
    "horizon": [
        {"problem": "echo", "agents": [TABLE], "steps": 400, "lags": [2, 1]},
        {"problem": "recall", "agents": [ORACLE], "seconds": 4, "lags": [1]},
    ],
    "capacity": [{"agents": [ORACLE], "steps": 300, "lengths": [2]}],
    "generalisation": [
        {"id": "SeqClassify-v0", "length": 6, "factors": [0.5, 2], "agents": [TABLE]}
    ],
}


@pytest.mark.parametrize("name", ["quick", "timed", "full"])
def test_the_shipped_suites_run_any_agent(name):
    jobs = make_suite(name, [ORACLE]).jobs()
    check_jobs(jobs)
    assert len({job.key for job in jobs}) == len(jobs) > 30
    assert {job.agent for job in jobs} == {ORACLE}
    assert make_suite(name).jobs() == []


def test_a_suite_says_which_jobs_belong_together():
    suite = Suite(**SUITE)
    matrix = suite.matrix_rows()
    assert [(row.jobs[0].id, row.agent, row.jobs[0].steps) for row in matrix] == [
        ("SeqEcho-v0", TABLE["agent"], 700),
        ("SeqEcho-v0", ORACLE, 500),
        ("SeqNext-v0", RANDOM, 500),
    ]
    echo, recall = suite.horizon_sweeps()
    assert (echo.problem, echo.agent, list(echo.points)) == ("echo", TABLE["agent"], [1, 2])
    assert [job.kwargs for job in echo.points[2]] == [{"lag": 2, "length": 12}] * 2
    assert [job.seed for job in echo.points[2]] == [0, 1]
    assert echo.points[1][0].options == {"pause": 0.0} and echo.points[1][0].steps == 400
    assert recall.points[1][0].kwargs == {"framing": "many_to_one", "num_values": 4, "length": 3}
    assert (recall.points[1][0].steps, recall.points[1][0].seconds) == (None, 4)
    (capacity,) = suite.capacity_sweeps()
    assert capacity.points[2][0].kwargs == {"length": 2} and capacity.points[2][0].steps == 300
    (row,) = suite.generalisation_rows()
    assert row.jobs[0].lengths == [3, 12] and row.jobs[0].kwargs == {"length": 6}
    groups = [each.jobs for each in (*matrix, row)]
    groups += [jobs for sweep in (echo, recall, capacity) for jobs in sweep.points.values()]
    keys = {job.key for jobs in groups for job in jobs}
    assert keys == {job.key for job in suite.jobs()} and len(keys) == 16


def test_a_suite_can_be_extended_written_and_read(tmp_path):
    path = tmp_path / "suite.json"
    path.write_text(Suite(**SUITE).to_json())
    suite = make_suite(
        str(path), [{"agent": "a:B", "options": {}}, RANDOM], "SeqCopy-v0", {"length": 2}
    )
    assert suite.matrix[-1]["agents"] == [TABLE, ORACLE, RANDOM]
    agents = {id: [] for id in ("SeqEcho-v0", "SeqNext-v0", "SeqCopy-v0")}
    for row in suite.matrix_rows():
        agents[row.jobs[0].id].append(row.agent)
    assert list(agents.values()) == [  # each once
        [TABLE["agent"], ORACLE, "a:B", RANDOM],
        [RANDOM, "a:B"],
        [TABLE["agent"], ORACLE, RANDOM, "a:B"],
    ]
    path.write_text(suite.to_json())
    assert read_suite(str(path)) == suite


ECHO = {"id": "SeqEcho-v0"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seeds": []}, "seeds must be a list of at least one int"),
        ({"seeds": [-1]}, "seeds must be an int at least 0, got -1"),
        ({"steps": 0}, "steps must be an int at least 1"),
        ({"horizons": []}, "it has no 'horizons'; it has seeds, .*horizon"),
        ({"matrix": {}}, "matrix must be a list"),
        ({"matrix": [7]}, "an entry of matrix must be an object, got 7"),
        ({"matrix": [{"agents": []}]}, "an entry of matrix must have 'id'"),
        ({"matrix": [{**ECHO, "lag": 1}]}, "matrix has no 'lag'; it has agents, id, kwargs"),
        ({"matrix": [{**ECHO, "agents": "a:B"}]}, "agents must be a list"),
        ({"matrix": [{**ECHO, "kwargs": 3}]}, "kwargs must be an object, got 3"),
        ({"agents": ["lstm"]}, "agent must be 'module:Class', got 'lstm'"),
        ({"agents": [7]}, "an agent must be 'module:Class' or an object of agent, options, steps"),
        ({"agents": [{"agent": "a:B", "seed": 1}]}, "an object of agent, options, steps"),
        ({"agents": [{"agent": "a:B", "options": 1}]}, "options must be an object"),
        ({"agents": [{"agent": "a:B", "steps": 0}]}, "steps must be an int at least 1"),
        (
            {"horizon": [{"problem": "copy", "steps": 1, "lags": [1]}]},
            "'echo', 'recall', got 'copy",
        ),
        ({"capacity": [{"steps": 1, "lengths": [0]}]}, "lengths must be an int"),
        ({"capacity": [{"lengths": [2]}]}, "capacity must have 'steps' or 'seconds'"),
        ({"capacity": [{"lengths": [2], "seconds": 0}]}, "seconds must be above 0, got 0"),
        ({"generalisation": [{**ECHO, "length": 5, "factors": [0]}]}, "a list of numbers above 0"),
    ],
)
def test_a_wrong_suite_is_refused(tmp_path, change, said):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"seeds": [0], "steps": 1, **change}))
    with pytest.raises(SuiteError, match=f"mine.json: .*{said}"):
        read_suite(str(path))


def test_a_missing_suite_is_named(tmp_path):
    with pytest.raises(SuiteError, match=r"'quick', 'timed', 'full' or the path.*got 'fast'"):
        read_suite("fast")
    with pytest.raises(SuiteError, match="No such file"):
        read_suite(str(tmp_path / "none.json"))
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(SuiteError, match="must hold an object"):
        read_suite(str(tmp_path / "list.json"))

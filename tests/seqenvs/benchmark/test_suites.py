"""Suites: shipped ones, your own, and the jobs that they consist of."""

from __future__ import annotations

import json

import pytest

from seqenvs.benchmark.runner import check_jobs
from seqenvs.benchmark.suites import Suite, SuiteError, make_suite, read_suite
from tests.seqenvs.benchmark.agents import own

TABLE = {"agent": own("TableAgent"), "options": {"pause": 0.0}, "steps": 700}
SUITE = {
    "seeds": [0, 1],
    "steps": 500,
    "matrix": [
        {"id": "SeqEcho-v0", "agents": [TABLE, own("OracleAgent")]},
        {"id": "SeqNext-v0", "agents": [own("RandomAgent")]},
    ],
    "horizon": [
        {"problem": "echo", "agents": [TABLE], "steps": 400, "lags": [2, 1]},
        {"problem": "recall", "agents": [own("OracleAgent")], "seconds": 4, "lags": [1]},
    ],
    "capacity": [{"agents": [own("OracleAgent")], "steps": 300, "lengths": [2]}],
    "generalisation": [
        {"id": "SeqClassify-v0", "length": 6, "factors": [0.5, 2], "agents": [TABLE]}
    ],
}


@pytest.mark.parametrize("name", ["quick", "timed", "full"])
def test_the_shipped_suites_run_any_agent(name):
    suite = make_suite(name, [own("OracleAgent")])
    jobs = suite.jobs()
    check_jobs(jobs)
    assert len({job.key for job in jobs}) == len(jobs) > 30
    assert {job.seed for job in jobs} == set(suite.seeds)
    assert {job.agent for job in jobs} == {own("OracleAgent")}
    assert make_suite(name).jobs() == []


def test_a_suite_says_which_jobs_belong_together():
    suite = Suite(**SUITE)
    matrix = suite.matrix_rows()
    assert [(row.id, row.agent) for row in matrix] == [
        ("SeqEcho-v0", own("TableAgent")),
        ("SeqEcho-v0", own("OracleAgent")),
        ("SeqNext-v0", own("RandomAgent")),
    ]
    assert [row.jobs[0].steps for row in matrix] == [700, 500, 500]
    echo, recall = suite.horizon_sweeps()
    assert (echo.problem, echo.agent, list(echo.points)) == ("echo", own("TableAgent"), [1, 2])
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
    added = {"agent": own("FutureAgent"), "options": {}}
    suite = make_suite(str(path), [added, own("RandomAgent")], "SeqCopy-v0", {"length": 2})
    assert suite.matrix[-1]["agents"] == [TABLE, own("OracleAgent"), own("RandomAgent")]
    echo, *_, copy = (
        [row.agent for row in suite.matrix_rows() if row.id == id]
        for id in ("SeqEcho-v0", "SeqCopy-v0")
    )
    names = [own(f"{name}Agent") for name in ("Table", "Oracle", "Future", "Random")]
    assert echo == names and sorted(copy) == sorted(names)  # each once
    path.write_text(suite.to_json())
    assert read_suite(str(path)) == suite


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
        (
            {"matrix": [{"id": "SeqEcho-v0", "lag": 1}]},
            "matrix has no 'lag'; it has agents, id, kw",
        ),
        ({"matrix": [{"id": "SeqEcho-v0", "agents": "a:B"}]}, "agents must be a list"),
        ({"agents": ["lstm"]}, "agent must be 'module:Class', got 'lstm'"),
        ({"agents": [7]}, "an agent must be 'module:Class' or an object of agent, options, steps"),
        ({"agents": [{"agent": "a:B", "seed": 1}]}, "an object of agent, options, steps"),
        ({"agents": [{"agent": "a:B", "options": 1}]}, "options must be an object"),
        ({"agents": [{"agent": "a:B", "steps": 0}]}, "steps must be an int at least 1"),
        ({"matrix": [{"id": "SeqEcho-v0", "kwargs": 3}]}, "kwargs must be an object, got 3"),
        (
            {"horizon": [{"problem": "copy", "steps": 1, "lags": [1]}]},
            "problem must be one of 'echo', 'recall', got 'copy'",
        ),
        ({"capacity": [{"steps": 1, "lengths": [0]}]}, "lengths must be an int"),
        ({"capacity": [{"lengths": [2]}]}, "capacity must have 'steps' or 'seconds'"),
        ({"capacity": [{"lengths": [2], "seconds": 0}]}, "seconds must be above 0, got 0"),
        (
            {"generalisation": [{"id": "SeqEcho-v0", "length": 5, "factors": [0]}]},
            "factors must be a list of numbers above 0",
        ),
    ],
)
def test_a_wrong_suite_is_refused(tmp_path, change, said):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"seeds": [0], "steps": 1, **change}))
    with pytest.raises(SuiteError, match=f"mine.json: .*{said}"):
        read_suite(str(path))


def test_a_missing_suite_is_named(tmp_path):
    with pytest.raises(
        SuiteError, match=r"suite must be 'quick', 'timed', 'full' or the path.*got 'fast'"
    ):
        read_suite("fast")
    with pytest.raises(SuiteError, match="No such file"):
        read_suite(str(tmp_path / "none.json"))
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(SuiteError, match="must hold an object"):
        read_suite(str(tmp_path / "list.json"))

"""Suites: shipped ones, your own, and the jobs that they consist of."""

from __future__ import annotations

import json

import pytest

from seqenvs.benchmark.runner import check_jobs
from seqenvs.benchmark.suites import Suite, SuiteError, make_suite, read_suite
from tests.seqenvs.benchmark.agents import TABLE, own

ORACLE, RANDOM = own("OracleAgent"), own("RandomAgent")
PAUSED = {"agent": TABLE, "options": {"pause": 0.0}, "steps": 700}
ECHO = {"id": "SeqEcho-v0"}
SUITE = {
    "seeds": [0, 1],
    "steps": 500,
    "matrix": [{**ECHO, "agents": [PAUSED, ORACLE]}, {"id": "SeqNext-v0", "agents": [RANDOM]}],
    "horizon": [
        {"problem": "echo", "agents": [PAUSED], "steps": 400, "lags": [2, 1]},
        {"problem": "recall", "agents": [ORACLE], "seconds": 4, "lags": [1]},
    ],
    "capacity": [{"agents": [ORACLE], "steps": 300, "lengths": [2]}],
    "generalisation": [{**ECHO, "length": 6, "factors": [0.5, 2], "agents": [PAUSED]}],
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
    recall = {"framing": "many_to_one", "num_values": 4, "length": 3}
    assert [
        (row.section, row.size, first.agent, first.id, first.kwargs, first.steps or first.seconds)
        for row in suite.rows()
        for first in row.jobs[:1]
    ] == [
        ("matrix", None, TABLE, "SeqEcho-v0", {}, 700),
        ("matrix", None, ORACLE, "SeqEcho-v0", {}, 500),
        ("matrix", None, RANDOM, "SeqNext-v0", {}, 500),
        ("horizon", 1, TABLE, "SeqEcho-v0", {"lag": 1, "length": 11}, 400),
        ("horizon", 2, TABLE, "SeqEcho-v0", {"lag": 2, "length": 12}, 400),
        ("horizon", 1, ORACLE, "SeqRecall-v0", recall, 4),
        ("capacity", 2, ORACLE, "SeqCopy-v0", {"length": 2}, 300),
        ("generalisation", None, TABLE, "SeqEcho-v0", {"length": 6}, 700),
    ]
    assert suite.jobs()[-1].lengths == [3, 12] and suite.jobs()[-1].options == {"pause": 0}
    assert {tuple(job.seed for job in row.jobs) for row in suite.rows()} == {(0, 1)}
    assert suite.jobs() == [job for row in suite.rows() for job in row.jobs]


def test_a_suite_can_be_extended_written_and_read(tmp_path):
    path = tmp_path / "suite.json"
    path.write_text(Suite(**SUITE).to_json())
    given = [{"agent": "a:B", "options": {}}, RANDOM]
    suite = make_suite(str(path), given, "SeqCopy-v0", {"length": 2})
    rows = [(row.jobs[0].id, row.agent) for row in suite.rows() if row.section == "matrix"]
    assert sorted(rows) == sorted(  # each once
        [
            (id, agent)
            for id in ("SeqEcho-v0", "SeqCopy-v0")
            for agent in (TABLE, ORACLE, RANDOM, "a:B")
        ]
        + [("SeqNext-v0", RANDOM), ("SeqNext-v0", "a:B")]
    )
    path.write_text(suite.to_json())
    assert read_suite(str(path)) == suite


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seeds": []}, "seeds must be a list of at least one number"),
        ({"steps": 0}, "steps must be an int at least 1"),
        ({"horizons": []}, "unexpected keyword argument 'horizons'"),
        ({"matrix": [{"agents": []}]}, "an entry of matrix must have 'id'"),
        ({"matrix": [{**ECHO, "lag": 1}]}, "matrix has no 'lag', it has agents, id, kwargs"),
        ({"agents": ["lstm"]}, "agent must be 'module:Class', got 'lstm'"),
        ({"agents": [{"agent": "a:B", "options": 1}]}, "options must be an object"),
        ({"horizon": [{"problem": "copy", "steps": 1, "lags": [1]}]}, "'recall', got 'copy"),
        ({"capacity": [{"lengths": [2]}]}, "capacity must have 'steps' or 'seconds'"),
        ({"generalisation": [{**ECHO, "length": 5, "factors": [0]}]}, "factors must be above 0"),
    ],
)
def test_a_wrong_suite_is_refused(tmp_path, change, said):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"seeds": [0], "steps": 1, **change}))
    with pytest.raises(SuiteError, match=f"mine.json: .*{said}"):
        read_suite(str(path))

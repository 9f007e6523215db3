"""One job: its key, its execution with a budget and checkpoints, and the file of its result."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seqenvs.benchmark.execution import run_job
from seqenvs.benchmark.results import ResultError, is_solved, read_result, read_table, write_result
from tests.seqenvs.benchmark.agents import job_of, own, timeless
from tests.seqenvs.benchmark.synthetic import make_result


def test_the_key_depends_on_every_field():
    job = job_of(kwargs={"length": (3, 5)})
    assert job == job_of(kwargs={"length": [3, 5]})
    others = {"id": "SeqCopy-v0", "kwargs": {}, "agent": "a:B", "options": {"hidden": 8}}
    others |= {"seed": 1, "steps": 401, "seconds": 1.5, "lengths": [7]}
    keys = {replace(job, **{name: value}).key for name, value in others.items()}
    assert len(keys | {job.key}) == 1 + len(others)
    assert job_of().key == "015da2e17f0eb454"  # existing files must be found again


@pytest.mark.parametrize(
    "given", [{"steps": None}, {"steps": 0}, {"seconds": 0}, {"kwargs": {"length": 1j}}]
)
def test_a_wrong_job_is_refused(given):
    with pytest.raises(ValueError, match=f"{next(iter(given))} .*must be"):
        job_of(**given)


def test_a_result_says_what_the_agent_reached(tmp_path):
    job = job_of(own("OracleAgent"), kwargs={"length": 6}, lengths=[3, 4])
    result = run_job(job, tmp_path / "work")
    assert result.job == job and result.steps == 400 and result.learns_from == "answers"
    ((steps, seconds, *scores),) = result.curve
    assert [steps, *scores] == [400, 1.0, 1.0]
    assert 0 <= seconds <= result.seconds + 1e-3 and result.wall_seconds > 0
    reached = result.evaluation
    assert (reached.id, reached.kwargs, reached.episodes) == (job.id, job.kwargs, 1000)
    assert reached.memory_score == 1.0 and reached.accuracy == [None, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert [(each.length, each.mean_return) for each in result.generalisation] == [(3, 1), (4, 1)]
    assert [episode.scores for episode in result.episodes] == [[None] + [1.0] * 5] * 4
    assert not (tmp_path / "work").exists()  # too short for a checkpoint


def test_a_budget_in_seconds_ends_a_job(tmp_path):
    result = run_job(job_of(steps=None, seconds=0.05), tmp_path)
    assert 0.05 <= result.seconds < 1 and result.steps == result.curve[-1][0] > 100


def test_a_job_continues_from_its_checkpoint(tmp_path, capsys):
    def run(folder, fails=""):
        job = job_of(options={"fails": fails}, steps=600)
        result = run_job(job, tmp_path / folder, checkpoint_seconds=-1)
        seconds = [point[1] for point in result.curve]
        assert seconds == sorted(seconds) and seconds[-1] <= result.seconds + 1e-3
        return timeless(result)

    whole = run("whole")
    assert whole["steps"] == 600 and len(whole["curve"]) == 12
    killed = tmp_path / "killed"
    with pytest.raises(KeyError):
        run("killed", "bug")
    assert [path.name for path in killed.iterdir()] == ["checkpoint-100"]
    (killed / "checkpoint-150").mkdir()
    (killed / "checkpoint-150" / "agent").write_text("ha")  # killed while it was written
    assert run("killed") == whole
    (checkpoint,) = killed.iterdir()
    (checkpoint / "agent").write_text("ha")
    assert run("killed") == whole  # begun anew
    assert "checkpoint-600 is damaged and left out: JSONDecodeError" in capsys.readouterr().err


def test_an_agent_and_an_environment_that_report_little(tmp_path):
    result = run_job(
        job_of(own("RandomAgent"), id="tests.third_party:CuedShort-v0", kwargs={}), tmp_path
    )
    assert (result.learns_from, result.steps, result.curve) == ("unknown", 400, [])
    assert result.evaluation.bounds is None and result.evaluation.memory_score is None
    assert all(sum(episode.due) == 1 and episode.due[-1] for episode in result.episodes)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("}", "", "Expecting"),
        ('"seed": ', '"seed": 7', "its job is"),
        ('"machine"', '"computer"', "unexpected keyword argument 'computer'"),
        ('"due": [', '"due": [true, ', "must have the same length"),
        ('"learns_from": "', '"learns_from": "books', "learns_from must be one of"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, old, new, said):
    path = write_result(tmp_path, make_result(job_of(), 0.5))
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ResultError, match=rf"{path.name} is damaged: .*{said}"):
        read_result(path)
    path.write_bytes(b"{}")
    with pytest.raises(ResultError, match=rf"{path.name} is damaged"):
        read_table(path)


def test_what_counts_as_solved():
    assert is_solved(0.9, 0.5) and not is_solved(0.8999, 1.0)
    assert is_solved(None, 0.99) and not is_solved(None, 0.9899)

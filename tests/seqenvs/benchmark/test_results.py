"""Jobs and the files of their results."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seqenvs.benchmark import results
from seqenvs.benchmark.results import ResultError, read_result, read_table, write_result
from tests.seqenvs.benchmark.agents import job_of
from tests.seqenvs.benchmark.synthetic_results import make_result

RESULT = make_result(job_of(), 0.5)


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


def test_a_result_is_read_as_it_was_written(tmp_path):
    path = write_result(tmp_path, RESULT)
    assert read_result(path) == RESULT
    (path.parent / f".{path.name}").write_text("half")  # the writing process was killed
    assert results.result_paths(tmp_path) == [path]
    results.write_table(tmp_path / "results.json", [RESULT])
    assert read_table(tmp_path / "results.json") == [replace(RESULT, finished="")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("}", "", "Expecting"),
        ('"seed": ', '"seed": 7', "its job is"),
        ('"job"', '"cell"', "KeyError: 'job'"),
        ('"machine"', '"computer"', "unexpected keyword argument 'computer'"),
        ('"due": [', '"due": [true, ', "must have the same length"),
        ('"learns_from": "', '"learns_from": "books', "learns_from must be one of"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, old, new, said):
    path = write_result(tmp_path, RESULT)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ResultError, match=rf"{path.name} is damaged: .*{said}"):
        read_result(path)
    path.write_bytes(b"{}")
    with pytest.raises(ResultError, match=rf"{path.name} is damaged"):
        read_table(path)


def test_what_counts_as_solved():
    assert results.is_solved(0.9, 0.5) and not results.is_solved(0.8999, 1.0)
    assert results.is_solved(None, 0.99) and not results.is_solved(None, 0.9899)

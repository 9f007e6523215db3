"""Many runs: what is finished is kept, and what is not goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agents import study
from agents.config import RECURRENT_PPO, Settings, make_options
from agents.study import Result, key_of, read_results, run_all, write_results
from agents.training import run_folder
from agents.training.run_folder import RunFolderError
from agents.training.train import save, start

OPTIONS = {RECURRENT_PPO: {"num_envs": 4, "hidden": 8, "head": 0}, "lstm": {"hidden": 8}}


def settings_of(agent="lstm", steps=300, seed=0, kwargs=None, **options):
    options = make_options(agent, {**OPTIONS[agent], **options})
    kwargs = {"length": 5} if kwargs is None else kwargs
    return Settings(
        id="SeqEcho-v0",
        kwargs=kwargs,
        agent=agent,
        options=options,
        seed=seed,
        steps=steps,
        target=2.0,
    )


def untimed(result):
    return replace(result, seconds=0)


class RefusedError(Exception):
    """A run was begun that should not have been."""


@pytest.fixture
def nothing_runs(monkeypatch):
    def refuse(*_, **__):
        raise RefusedError

    monkeypatch.setattr(study.ProcessPoolExecutor, "submit", refuse)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two results, of processes."""
    folder = tmp_path_factory.mktemp("study")
    wanted = [settings_of(RECURRENT_PPO), settings_of(), settings_of()]
    path = folder / "results.json"
    return wanted, folder, path, run_all(wanted, jobs=2, work=folder / "work", path=path)


def test_results_are_complete(finished):
    wanted, _, path, results = finished
    assert list(results) == [key_of(wanted[0]), key_of(wanted[1])]
    assert read_results(path) == results
    assert len(path.read_text().splitlines()) == 2 + len(results)
    for result, settings in zip(results.values(), wanted, strict=False):
        assert (result.id, result.kwargs) == (settings.id, settings.kwargs)
        assert (result.agent, result.seed) == (settings.agent, settings.seed)
        assert settings.steps <= result.steps < 2 * settings.steps
        assert result.seconds > 0
        assert 0 < result.mean_return < 1 and 0 < result.standard_error < 0.1
        assert result.known_bounds.memoryless == pytest.approx(0.1)
        assert result.memory_score == pytest.approx((result.mean_return - 0.1) / 0.9, abs=1e-5)
        assert not result.solved
        assert "torch " in result.versions and "cores" in result.machine


def test_a_process_gives_what_this_one_gives(finished, tmp_path):
    wanted, _, _, results = finished
    for settings in wanted[:2]:
        result = study._run(settings, tmp_path)
        assert untimed(result) == untimed(results[key_of(settings)])


@pytest.mark.usefixtures("nothing_runs")
def test_what_is_finished_is_not_run_again(finished, tmp_path):
    wanted, _, path, results = finished
    before = path.stat().st_mtime_ns
    assert run_all(wanted, jobs=2, work=tmp_path / "work", path=path) == results
    assert run_all(wanted[1:], jobs=2, work=tmp_path / "work", path=path) == {
        key_of(wanted[1]): results[key_of(wanted[1])]
    }
    assert path.stat().st_mtime_ns == before
    assert not (tmp_path / "work").exists()


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"steps": 301},
        {"target": 1.5},
        {"kwargs": {"length": 6}},
        {"options": make_options("lstm", {"hidden": 9})},
    ],
)
def test_changed_settings_are_run_again(finished, change):
    wanted, folder, path, _ = finished
    changed = replace(wanted[1], **change)
    assert key_of(changed) != key_of(wanted[1])
    with pytest.raises(RefusedError):
        run_all([wanted[0], changed], jobs=1, work=folder / "work", path=path)


def test_the_key_does_not_depend_on_how_parameters_are_written():
    one = settings_of(kwargs={"length": (3, 9), "lag": 1})
    other = settings_of(kwargs={"lag": 1, "length": [3, 9]})
    assert key_of(one) == key_of(other) == key_of(Settings.from_json(one.to_json()))


@pytest.mark.parametrize("agent", [RECURRENT_PPO, "lstm"])
def test_an_unfinished_run_goes_on(agent, tmp_path):
    settings = settings_of(agent, steps=600, kwargs={"length": [3, 9]})
    expected = study._run(settings, tmp_path / "whole")
    folder = tmp_path / "parts" / key_of(settings)
    run_folder.create(folder, settings)
    training = start(settings)
    training.update()
    save(training, folder)
    assert untimed(study._run(settings, tmp_path / "parts")) == untimed(expected)


def test_a_run_without_a_checkpoint_begins_anew(tmp_path):
    settings = settings_of()
    folder = tmp_path / key_of(settings)
    run_folder.create(folder, settings)
    (folder / ".checkpoint.pt").write_bytes(b"half")
    assert study._run(settings, tmp_path).steps >= settings.steps
    assert not (folder / ".checkpoint.pt").exists()


@pytest.mark.parametrize("damage", [b"", b"[", b"{}", b"[1]", b'[{"key": "1"}]', b"\xff", b"null"])
def test_damaged_results_are_refused(damage, tmp_path):
    path = tmp_path / "results.json"
    path.write_bytes(damage)
    with pytest.raises(RunFolderError, match=r"results\.json is damaged"):
        run_all([settings_of()], jobs=1, work=tmp_path / "work", path=path)
    assert path.read_bytes() == damage


def test_no_results_are_none(tmp_path):
    assert read_results(tmp_path / "results.json") == {}


def result_of(**given):
    values = {
        "key": "k",
        "id": "SeqEcho-v0",
        "kwargs": {},
        "agent": "lstm",
        "seed": 0,
        "steps": 1000,
        "seconds": 1.5,
        "mean_return": 0.95,
        "standard_error": 0.0,
        "success_rate": 0.5,
        "bounds": {"chance": 0.1, "memoryless": 0.1, "clock": 0.1, "optimum": 1.0},
        "memory_score": 0.95,
        "versions": "",
        "machine": "",
    }
    return Result(**{**values, **given})


@pytest.mark.parametrize(
    ("score", "mean", "solved"),
    [(0.9, 0.5, True), (0.8999, 1.0, False), (None, 0.99, True), (None, 0.9899, False)],
)
def test_what_counts_as_solved(score, mean, solved):
    result = result_of(memory_score=score, mean_return=mean)
    assert result.solved is solved
    assert ("not solved" in study.line(result)) is not solved
    assert ("memory" in study.line(result)) is (score is not None)


def test_results_are_written_in_order_and_grouped_by_seed(tmp_path):
    results = [
        result_of(key=f"{id}{agent}{seed}", id=id, agent=agent, seed=seed, steps=seed)
        for seed in (2, 0, 1)
        for agent in ("lstm", "gru")
        for id in ("SeqRecall-v0", "SeqEcho-v0")
    ]
    path = tmp_path / "results.json"
    write_results(results, path)
    names = [(each.id, each.agent, each.seed) for each in read_results(path).values()]
    assert names == sorted(names) and len(names) == 12
    assert {len(group) for group in study.group(results)} == {3}
    assert study.mean_of(study.group(results)[0], "steps") == 1.0
    assert study.named("SeqEcho-v0", {"lag": 4}) == "SeqEcho-v0 lag=4"


SCRIPT = """
import sys
from pathlib import Path
from agents.study import run_all
from tests.agents.test_study import settings_of

folder = Path(sys.argv[1])
wanted = [settings_of(steps=300), *(settings_of(steps=int(sys.argv[2]), seed=i) for i in range(6))]
if __name__ == "__main__":
    run_all(wanted[: int(sys.argv[3])], jobs=2, work=folder / "work", path=folder / "results.json")
"""


def test_ctrl_c_keeps_what_is_finished_and_stops_what_is_not(tmp_path):
    """As a terminal sends it, to all processes; seven runs, of which all but one are endless."""
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "script.py", tmp_path, str(10**9), "7"]
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    path, work = tmp_path / "results.json", tmp_path / "work"
    try:
        deadline = time.monotonic() + 60
        while not path.is_file() or len(list(work.glob("*/checkpoint.pt"))) < 3:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == -signal.SIGINT, errors
    assert errors.count("Traceback") == 1 + errors.count("direct cause"), errors
    assert "seed 0: return" in output
    (result,) = read_results(path).values()
    assert result.key == key_of(settings_of(steps=300))
    assert len(list(work.iterdir())) == 3  # nothing was begun that had not been
    unfinished = [folder for folder in work.iterdir() if folder.name != result.key]
    points = []
    for folder in unfinished:
        settings = run_folder.read_settings(folder)
        rows = (folder / "curve.csv").read_text().splitlines()
        points.append(len(rows) - 1)
        assert json.loads((folder / "settings.json").read_text())["steps"] == 10**9
        assert run_folder.read_learner(folder).settings == settings
    assert max(points) > 0  # what was learned since the first checkpoint was kept

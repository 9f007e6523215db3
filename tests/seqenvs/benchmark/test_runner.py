"""Many jobs: each runs once, whatever fails or is killed meanwhile."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from seqenvs.benchmark.cluster import check_reachable, on_cluster, stage
from seqenvs.benchmark.executors import EngineError, in_process, in_processes
from seqenvs.benchmark.jobs import Job
from seqenvs.benchmark.results import read_results, result_path
from seqenvs.benchmark.runner import check_jobs, run_benchmark, run_jobs
from seqenvs.benchmark.suites import Suite, SuiteError, read_suite
from seqenvs.cli import main
from tests.seqenvs.benchmark.agents import ECHO, fake_run, job_of, own, timeless

ROOT = Path(__file__).parents[3]


def small(*agents, **given):
    row = {"id": "SeqEcho-v0", "kwargs": ECHO, "agents": [own(agent) for agent in agents]}
    return Suite(**{"seeds": [0], "steps": 300, "matrix": [row], **given})


def written(folder):
    return timeless(json.loads((folder / "results.json").read_text()))


# Runs with an injected function: nothing learns.


def test_a_suite_is_run_and_written(tmp_path):
    suite = small("TableAgent", "RandomAgent", seeds=[0, 1])
    assert run_benchmark(suite, tmp_path, run=fake_run) == []
    assert read_suite(str(tmp_path / "suite.json")) == suite
    results, damaged = read_results(tmp_path)
    assert damaged == [] and {each.job.key for each in results} == {job.key for job in suite.jobs()}
    assert [Job(**each["job"]) for each in written(tmp_path)] == suite.jobs()


def test_what_is_there_is_not_run_again(tmp_path, capsys):
    ran = []

    def run(job, work):
        ran.append(job)
        return fake_run(job, work)

    suite = small("TableAgent", "RandomAgent", seeds=[0, 1])
    jobs = suite.jobs()
    assert run_benchmark(suite, tmp_path, run=run) == [] and ran == jobs
    before = written(tmp_path)
    damaged, missing = result_path(tmp_path, jobs[0]), result_path(tmp_path, jobs[1])
    damaged.write_text("{")
    missing.unlink()
    ran.clear()
    assert run_benchmark(suite, tmp_path, run=run) == [] and ran == jobs[:2]
    errors = capsys.readouterr().err
    assert f"{damaged.name} is damaged" in errors and "run again" in errors
    assert (tmp_path / "damaged" / damaged.name).read_text() == "{"
    assert written(tmp_path) == before
    ran.clear()
    run_benchmark(replace(suite, steps=301), tmp_path, run=run)
    assert [job.steps for job in ran] == [301] * 4  # other settings, other jobs


def test_a_part_of_a_suite(tmp_path):
    suite = small("TableAgent", "RandomAgent")
    run_benchmark(suite, tmp_path, only="randomagent", run=fake_run)
    assert len(written(tmp_path)) == 1
    run_benchmark(suite, tmp_path, only="tableagent", run=fake_run)
    assert len(written(tmp_path)) == 2  # those that were there are kept
    with pytest.raises(SuiteError, match="no job of the suite has 'nothing' in its name"):
        run_benchmark(suite, tmp_path, only="nothing", run=fake_run)
    with pytest.raises(SuiteError, match="has no agents: give --agent"):
        run_benchmark(read_suite("quick"), tmp_path, run=fake_run)


def test_what_a_job_raises_does_not_stop_the_others(tmp_path, capsys):
    jobs = [job_of(seed=seed) for seed in range(3)]

    def run(job, work):
        if job.seed == 1:
            raise KeyError("a bug\nof two lines")
        return fake_run(job, work)

    results, (failure,) = run_jobs(jobs, tmp_path, run=run)
    assert list(results) == [jobs[0].key, jobs[2].key]
    assert failure.job == jobs[1] and "(test_runner.py, line " in failure.error
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{jobs[1].name}: KeyError: 'a bug")


def test_a_full_disk_stops_all(tmp_path):
    ran = []

    def run(job, work):
        ran.append(job)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run_jobs([job_of(), job_of(seed=1)], tmp_path, run=run)
    assert len(ran) == 1 and not (tmp_path / "jobs").exists()


def test_checkpoints_go_when_their_result_is_there(tmp_path):
    def run(job, work):
        work.mkdir(parents=True)
        return fake_run(job, work)

    run_jobs([job_of()], tmp_path, run=run)
    left_behind = tmp_path / "work" / job_of().key  # killed before it was removed
    assert not left_behind.exists()
    left_behind.mkdir()
    run_jobs([job_of()], tmp_path, run=run)
    assert not left_behind.exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"id": "SeqNone-v0"}, "SeqNone"),
        ({"kwargs": {"lagg": 1}}, "unexpected keyword argument 'lagg'"),
        ({"kwargs": {"lag": 99}}, "lag must be an int in 0 .. 9"),
        ({"id": "CartPole-v1", "kwargs": {}}, "id must be one that seqenvs.register registered"),
        ({"id": "no_such_module:X-v0"}, "No module named 'no_such_module'"),
        ({"id": "SeqRecall-v0", "lengths": [9]}, "has other spaces at length=9"),
        ({"options": {"layers": 1}}, "cannot take .*unexpected keyword argument 'layers'"),
        ({"agent": "RandomAgent", "seconds": 1}, "cannot be given a budget in seconds unless"),
        ({"agent": "no_such_module:A"}, "there is no module 'no_such_module'"),
    ],
)
def test_a_job_that_cannot_begin_is_refused(given, said):
    with pytest.raises(SuiteError, match=said):
        check_jobs([job_of(**given)])


# Executors.


def test_processes_give_what_this_process_gives(tmp_path):
    jobs = [job_of(seed=seed) for seed in range(3)]
    here, _ = run_jobs(jobs, tmp_path / "here", execute=in_process)
    there, _ = run_jobs(jobs, tmp_path / "there", execute=partial(in_processes, workers=2))
    assert list(here) == list(there) and here[jobs[0].key].curve
    for key, result in here.items():
        assert timeless(result.to_dict()) == timeless(there[key].to_dict())
    one = list(in_processes(fake_run, jobs, tmp_path, workers=1))
    assert one == [fake_run(job, tmp_path) for job in jobs]


def test_workers_that_die_again_and_again_end_it(tmp_path):
    execute = partial(in_processes, workers=2, max_restarts=0)
    with pytest.raises(EngineError, match="were killed again and again"):
        run_jobs([job_of("DyingAgent")], tmp_path, execute=execute)


def test_missing_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "joblib", None)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"needs joblib: pip install 'seqenvs\[benchmark\]'"):
        list(in_processes(fake_run, [job_of()], tmp_path, workers=2))
    with pytest.raises(EngineError, match="--engine ray needs ray: pip install ray"):
        list(on_cluster(fake_run, [job_of()], tmp_path, workers=1))


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:1", "127.0.0.1:99999", "ray://[::1]:1"])
def test_a_missing_cluster_is_named(address):
    with pytest.raises(EngineError, match="--address"):
        check_reachable(address)


def test_the_nodes_get_the_files_of_the_agents(tmp_path, monkeypatch):
    source, staged = tmp_path / "source", tmp_path / "staged"
    (source / "folder" / ".hidden").mkdir(parents=True)
    for name in ("my_agent.py", "folder/helper.py", "folder/.hidden/no.py", "data.bin"):
        (source / name).write_text("")
    monkeypatch.syspath_prepend(source)
    stage([job_of(agent="my_agent:A", id="numpy:X-v0")], staged)
    assert (staged / "my_agent.py").exists() and (staged / "folder" / "helper.py").exists()
    assert (staged / "seqenvs" / "benchmark" / "suites.json").exists()
    assert not list(staged.rglob("no.py")) and not (staged / "numpy").exists()
    assert not (staged / "data.bin").exists()


# The command.


def command(tmp_path, suite, *arguments):
    (tmp_path / "given.json").write_text(suite.to_json())
    options = ["--suite", str(tmp_path / "given.json"), "--dir", str(tmp_path / "b")]
    return main(["benchmark", *options, "--jobs", "1", *arguments])


def test_the_command_runs_an_agent_and_an_environment(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_ids.py").write_text(
        "import seqenvs\nseqenvs.register('OwnEcho-v0', 'seqenvs.problems:Echo', length=4)\n"
    )
    arguments = ["--id", "own_ids:OwnEcho-v0", "--set", "lag=2", "--set", "encoding=index"]
    arguments += ["--agent", own("TableAgent"), "--option", "pause=0.0"]
    assert command(tmp_path, small("RandomAgent"), *arguments, "--only", "OwnEcho") == 0
    output = capsys.readouterr().out
    assert output.count("own_ids:OwnEcho-v0 lag=2") == 2
    assert f"seqenvs report --dir {tmp_path / 'b'}" in output
    results, _ = read_results(tmp_path / "b")
    assert [each.job.options for each in results] == [{}, {"pause": 0.0}]
    assert {len(each.episodes[0].inputs) for each in results} == {4}


def test_the_command_names_failures_and_full_disks(tmp_path, capsys):
    options = ["--agent", own("TableAgent"), "--option", "die_at=2"]
    assert command(tmp_path, small("RandomAgent"), *options) == 1
    output, errors = capsys.readouterr()
    assert "RandomAgent  seed 0: return 0." in output and "1 failed:" in errors
    lines = [line for line in errors.splitlines() if "MemoryError: a bug of two lines" in line]
    assert len(lines) == 2 and all("(agents.py, line " in line for line in lines)
    assert command(tmp_path, small("FullDiskAgent")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "the disk is full. What was finished is kept" in line
    (tmp_path / "file").write_text("")
    assert command(tmp_path, small("RandomAgent"), "--dir", str(tmp_path / "file")) == 1
    assert "can't be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--suite", "fast"], "suite must be 'quick', 'timed', 'full' or the path"),
        (["--jobs", "0"], "must be an int, at least 1, got"),
        (["--set", "lag=1"], "--set needs --id"),
        (["--option", "lag=1"], "--option needs --agent"),
        (["--address", "127.0.0.1:1"], "--address needs --engine ray"),
        (["--agent", "lstm"], "agent must be 'module:Class', got 'lstm'"),
        ([], "the suite has no agents: give --agent"),
        (["--agent", own("OracleAgent"), "--id", "SeqNone-v0"], "SeqNone"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, capsys, arguments, said):
    folder = tmp_path / "b"
    assert main(["benchmark", "--dir", str(folder), *arguments]) == 2
    errors = capsys.readouterr().err
    assert said in errors.splitlines()[-1] and "Traceback" not in errors
    assert not folder.exists()


# Killed.

SLOW = {"agent": own("TableAgent"), "options": {"pause": 0.02}, "steps": 5_000}
LONG = replace(
    small("TableAgent", seeds=[0, 1, 2]),
    generalisation=[
        {"id": "SeqEcho-v0", "kwargs": ECHO, "length": 9, "factors": [1], "agents": [SLOW]}
    ],
)


def begin(folder, suite, *arguments):
    folder.mkdir(exist_ok=True)
    (folder / "given.json").write_text(suite.to_json())
    command = [
        sys.executable,
        "-m",
        "seqenvs",
        "benchmark",
        "--jobs",
        "2",
        *arguments,
    ]
    return subprocess.Popen(
        [*command, "--suite", str(folder / "given.json"), "--dir", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(process, holds):
    deadline = time.monotonic() + 120
    while not holds():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_results(process, folder, count):
    wait_for(process, lambda: len(list((folder / "jobs").glob("[!.]*.json"))) >= count)


def group_of(process):
    """The processes that are left of it and of what it started."""
    found = subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, text=True)
    return found.stdout.split()


def kill(process, sent=signal.SIGKILL):
    os.killpg(process.pid, sent)
    try:
        return process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_killed_run_is_continued(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = begin(killed, LONG)
    wait_for_results(process, killed, 3)
    process.kill()  # its workers live on and must notice
    process.communicate(timeout=60)
    before = {path.name: path.stat().st_mtime_ns for path in (killed / "jobs").iterdir()}
    assert not (killed / "results.json").exists() and 3 <= len(before) < 6
    execute = partial(in_processes, workers=2)
    assert run_benchmark(LONG, killed, execute=execute) == []
    after = {path.name: path.stat().st_mtime_ns for path in (killed / "jobs").iterdir()}
    assert before.items() <= after.items() and len(after) == 6
    assert run_benchmark(LONG, whole, execute=execute) == []
    assert written(killed) == written(whole)


@pytest.mark.parametrize("early", [False, True])
def test_ctrl_c_says_how_to_continue(tmp_path, early):
    endless = {**SLOW, "steps": 10**9}
    process = begin(tmp_path, small("TableAgent", agents=[endless]))
    if early:  # its workers are still importing what they need
        wait_for(process, lambda: len(group_of(process)) >= 3)
        time.sleep(0.3)
    else:
        wait_for_results(process, tmp_path, 1)
    _, errors = kill(process, signal.SIGINT)
    assert process.returncode == 130
    # Only the beginning: joblib's tracker of semaphores may warn of one that was being made.
    assert errors.startswith("Interrupted. What was finished is kept; the same command continues.")
    assert "Traceback" not in errors
    deadline = time.monotonic() + 30
    while group_of(process):
        assert time.monotonic() < deadline, "processes were left behind"
        time.sleep(0.1)


@pytest.mark.full
def test_a_run_that_is_killed_at_random_moments_is_continued(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run_benchmark(LONG, whole, execute=partial(in_processes, workers=2)) == []
    moments = random.Random(0)
    for count in (0, 2, 3):
        process = begin(killed, LONG)
        wait_for_results(process, killed, count)
        time.sleep(moments.uniform(0, 3 if count == 0 else 0.5))
        kill(process)
    process = begin(killed, LONG)
    wait_for_results(process, killed, 4)
    for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(pid), signal.SIGKILL)  # of the workers, while it goes on
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert written(killed) == written(whole)

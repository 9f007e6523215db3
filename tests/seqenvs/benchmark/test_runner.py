"""Many jobs: each runs once, whatever fails or is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from seqenvs.benchmark.cluster import check_reachable, on_cluster, stage
from seqenvs.benchmark.executors import EngineError, in_processes
from seqenvs.benchmark.results import read_table, result_path
from seqenvs.benchmark.runner import check_jobs, run_benchmark, run_jobs
from seqenvs.benchmark.suites import Suite, SuiteError, read_suite
from seqenvs.cli import main
from tests.seqenvs.benchmark.agents import ECHO, TABLE, job_of, own, timeless
from tests.seqenvs.benchmark.synthetic import make_result

ROOT = Path(__file__).parents[3]
RANDOM = own("RandomAgent")


def small(*agents, **given):
    row = {"id": "SeqEcho-v0", "kwargs": ECHO, "agents": list(agents)}
    return Suite(**{"seeds": [0], "steps": 300, "matrix": [row], **given})


def written(folder):
    return [timeless(each) for each in json.loads((folder / "results.json").read_text())]


class Recorder(list):
    """A function that runs jobs: notes which, and makes up their results."""

    def __call__(self, job, work):
        self.append(job)
        work.mkdir(parents=True)
        return make_result(job)


def test_what_is_there_does_not_run_again(tmp_path, capsys):
    suite = small(TABLE, RANDOM, seeds=[0, 1])
    jobs, ran = suite.jobs(), Recorder()
    assert run_benchmark(suite, tmp_path, run=ran) == [] and ran == jobs
    assert read_suite(str(tmp_path / "suite.json")) == suite
    assert [each.job for each in read_table(tmp_path / "results.json")] == jobs
    before = written(tmp_path)

    damaged, missing, kept = (result_path(tmp_path, job) for job in jobs[:3])
    damaged.write_text("{")
    missing.unlink()
    (tmp_path / "work" / kept.stem).mkdir()  # a checkpoint that a killed run has left
    ran.clear()
    assert run_benchmark(suite, tmp_path, run=ran) == [] and ran == jobs[:2]
    assert f"{damaged.name} is damaged" in capsys.readouterr().err
    assert (tmp_path / "damaged" / damaged.name).read_text() == "{"
    assert written(tmp_path) == before and not list((tmp_path / "work").iterdir())

    ran.clear()
    run_benchmark(suite, tmp_path, only="randomagent", run=ran)
    assert ran == [] and written(tmp_path) == before  # with the results of the others
    run_benchmark(replace(suite, steps=301), tmp_path, run=ran)
    assert [job.steps for job in ran] == [301] * 4  # other settings, other jobs


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kwargs": {"lag": 99}}, "lag must be an int in 0 .. 9"),
        ({"id": "CartPole-v1", "kwargs": {}}, "id must be one that seqenvs.register registered"),
        ({"id": "no_such_module:X-v0"}, "No module named 'no_such_module'"),
        ({"id": "SeqRecall-v0", "lengths": [9]}, "has other spaces at length=9"),
        ({"options": {"layers": 1}}, "cannot take .*unexpected keyword argument 'layers'"),
        ({"agent": RANDOM, "seconds": 1}, "cannot be given a budget in seconds unless"),
        ({"agent": own("Missing")}, "has no attribute 'Missing'"),
        ({"agent": own("__name__")}, "must be a class, got 'tests"),
        ({"agent": own("Job")}, "must have a method 'learn'"),
        ({"agent": own("OtherLearn")}, r"must have learn\(id, \*, kwargs, steps, seed\)"),
        ({"agent": own("OtherTeacher")}, "learns_from must be one of 'rewards', .*got 'books'"),
        ({"agent": "lacking_module:A"}, "'lacking_module:A' needs no_such_module"),
        ({"agent": "raising_module:A"}, "'raising_module:A': ZeroDivisionError"),
    ],
)
def test_a_job_that_cannot_begin_is_refused(tmp_path, monkeypatch, given, said):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "raising_module.py").write_text("1 / 0\n")
    (tmp_path / "lacking_module.py").write_text("import no_such_module\n")
    with pytest.raises(SuiteError, match=said):
        check_jobs([job_of(**given)])


def test_workers_that_die_again_and_again_end_it(tmp_path, monkeypatch):
    monkeypatch.setattr("seqenvs.benchmark.executors.MAX_RESTARTS", 0)
    execute = partial(in_processes, workers=2)
    with pytest.raises(EngineError, match="were killed again and again"):
        run_jobs([job_of(options={"fails": "killed"})], tmp_path, execute=execute)


def test_missing_packages_and_clusters_are_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "joblib", None)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"needs joblib: pip install 'seqenvs\[benchmark\]'"):
        list(in_processes(make_result, [job_of()], tmp_path, workers=2))
    with pytest.raises(EngineError, match=r"needs ray: pip install 'seqenvs\[ray\]'"):
        list(on_cluster(make_result, [job_of()], tmp_path, workers=1))
    for address in ("nowhere", "127.0.0.1:1", "ray://[::1]:99999"):
        with pytest.raises(EngineError, match="--address"):
            check_reachable(address)


def test_the_nodes_get_the_files_of_the_agents(tmp_path, monkeypatch):
    source, staged = tmp_path / "source", tmp_path / "staged"
    (source / "folder" / ".hidden").mkdir(parents=True)
    for name in ("my_agent.py", "folder/helper.py", "folder/.hidden/no.py", "data.bin"):
        (source / name).write_text("")
    monkeypatch.syspath_prepend(source)
    stage([job_of(agent="my_agent:A", id="numpy:X-v0")], staged)
    assert (staged / "seqenvs/benchmark/suites.json").exists()
    assert {path.name for path in staged.iterdir()} == {"my_agent.py", "folder", "seqenvs"}
    assert [path.name for path in (staged / "folder").iterdir()] == ["helper.py"]


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
    arguments += ["--agent", TABLE, "--option", "pause=0.0", "--only", "OwnEcho"]
    assert command(tmp_path, small(RANDOM), *arguments) == 0
    assert capsys.readouterr().out.count("own_ids:OwnEcho-v0 lag=2") == 2
    results = read_table(tmp_path / "b" / "results.json")
    assert [each.job.options for each in results] == [{}, {"pause": 0.0}]
    assert {len(each.episodes[0].inputs) for each in results} == {4}


def test_the_command_names_failures_and_full_disks(tmp_path, capsys):
    arguments = ["--agent", TABLE, "--option", "fails=bug"]
    assert command(tmp_path, small(RANDOM), *arguments) == 1
    output, errors = capsys.readouterr()
    assert "RandomAgent  seed 0: return 0." in output and "1 failed:" in errors
    assert errors.count("KeyError: 'a bug") == errors.count("(agents.py, line ") == 2
    suite = small({"agent": TABLE, "options": {"fails": "disk"}}, seeds=[0, 1])
    assert command(tmp_path, suite, "--dir", str(tmp_path / "c")) == 1
    (line,) = capsys.readouterr().err.splitlines()  # it is not tried again
    assert "the disk is full. What was finished is kept" in line
    assert command(tmp_path, suite, "--dir", str(tmp_path / "given.json")) == 1
    assert "can't be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--suite", "fast"], "suite must be 'quick', 'timed', 'full' or the path"),
        (["--set", "lag=1"], "--set needs --id"),
        (["--agent", RANDOM, "--only", "nothing"], "no job of the suite has 'nothing' in its name"),
        (["--option", "lag=1"], "--option needs --agent"),
        (["--address", "127.0.0.1:1"], "--address needs --engine ray"),
        ([], "the suite has no agents: give --agent"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, capsys, arguments, said):
    assert main(["benchmark", "--dir", str(tmp_path / "b"), *arguments]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "b").exists()


SLOW = {"agent": TABLE, "options": {"pause": 0.02}, "steps": 5_000}
LONG = small(TABLE, SLOW, seeds=[0, 1, 2])


def begin(folder, suite, *arguments, **given):
    folder.mkdir(exist_ok=True)
    (folder / "given.json").write_text(suite.to_json())
    command = [sys.executable, "-m", "seqenvs", "benchmark", "--jobs", "2", "--dir", str(folder)]
    return subprocess.Popen(
        [*command, "--suite", str(folder / "given.json"), *arguments],
        **{"cwd": ROOT, **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(process, holds, returncode=None):
    deadline = time.monotonic() + 120
    while not holds():
        assert process.poll() == returncode and time.monotonic() < deadline
        time.sleep(0.02)


def results_in(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("jobs/[!.]*.json")}


def group_of(process):
    """The processes that are left of it and of what it started."""
    return subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True).stdout.split()


def test_a_killed_run_is_continued(tmp_path):
    """It ends with what a run in one process gives that nobody killed."""
    assert run_benchmark(LONG, tmp_path / "whole") == []
    folder, before = tmp_path / "killed", {}
    for count in (0, 3):
        process = begin(folder, LONG)
        wait_until(process, lambda count=count: len(results_in(folder)) >= count)
        time.sleep(0.5)
        process.kill()  # its workers live on and must notice
        process.communicate(timeout=60)
        before = results_in(folder)
    assert not (folder / "results.json").exists() and 3 <= len(before) < 6
    process = begin(folder, LONG)
    wait_until(process, lambda: len(results_in(folder)) >= 4)
    for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(pid), signal.SIGKILL)  # the workers, while the run goes on
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert before.items() <= results_in(folder).items()  # nothing ran again
    assert written(folder) == written(tmp_path / "whole")


@pytest.mark.parametrize("early", [False, True])
def test_ctrl_c_says_how_to_continue(tmp_path, early):
    process = begin(tmp_path, small(TABLE, {**SLOW, "steps": 10**9}))
    if early:  # its workers are still importing what they need
        wait_until(process, lambda: len(group_of(process)) >= 3)
        time.sleep(0.3)
    else:
        wait_until(process, lambda: results_in(tmp_path))
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    # Only the beginning: joblib's tracker of semaphores may warn of one that was being made.
    assert errors.startswith("Interrupted. What was finished is kept; the same command continues.")
    assert "Traceback" not in errors
    wait_until(process, lambda: not group_of(process), returncode=130)  # nothing is left behind


OWN = """
import numpy as np
import seqenvs

class Agent:
    def learn(self, id, *, kwargs, steps, seed):
        assert "working_dir" in seqenvs.__file__, seqenvs.__file__  # what the driver sent

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.zeros(len(observation), int), state
"""


@pytest.fixture
def cluster():
    utils = pytest.importorskip("ray.cluster_utils", reason="needs seqenvs[ray]")
    head = {"num_cpus": 1, "include_dashboard": False}
    made = utils.Cluster(initialize_head=True, head_node_args=head)
    yield made
    made.shutdown()


@pytest.mark.ray
@pytest.mark.filterwarnings("default")  # Ray has warnings of its own
def test_a_node_that_dies_costs_nothing(cluster, tmp_path):
    second, folder = cluster.add_node(num_cpus=1), tmp_path / "ray"
    suite = small(TABLE, SLOW, {**SLOW, "steps": 15_000}, seeds=[0, 1, 2])
    process = begin(folder, suite, "--engine", "ray", "--address", cluster.address)
    try:
        wait_until(process, lambda: len(results_in(folder)) >= 2)
        raylet = second.all_processes["raylet"][0].process
        workers = ["ps", "--ppid", str(raylet.pid), "-o", "args="]
        wait_until(process, lambda: b"ray::attempt" in subprocess.check_output(workers))
        raylet.kill()  # SIGKILL; its workers end with it
        assert len(results_in(folder)) < 9
        output, errors = process.communicate(timeout=400)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, errors
    assert len(results_in(folder)) == output.count(": return") == 9  # each written once
    assert run_benchmark(suite, tmp_path / "local") == []
    assert written(folder) == written(tmp_path / "local")


@pytest.mark.ray
@pytest.mark.filterwarnings("default")  # Ray has warnings of its own
def test_ray_is_started_here_and_a_third_party_agent_is_sent(tmp_path):
    pytest.importorskip("ray", reason="needs seqenvs[ray]")
    (tmp_path / "own_agent.py").write_text(OWN)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    suite = small("own_agent:Agent", seeds=[0, 1, 2])
    process = begin(tmp_path, suite, "--engine", "ray", cwd=tmp_path, env=env)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors
    assert output.count("return 0.") == 3

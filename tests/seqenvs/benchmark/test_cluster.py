"""The benchmark on a Ray cluster of two nodes, one of which is killed: ``pytest -m ray``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import pytest

from seqenvs.benchmark.executors import in_processes
from seqenvs.benchmark.runner import run_benchmark
from tests.seqenvs.benchmark.test_runner import (
    LONG,
    ROOT,
    SLOW,
    kill,
    small,
    wait_for_results,
    written,
)

pytest.importorskip("ray", reason="Ray is not installed: pip install ray")

OWN = """
import gymnasium
import helper_of_own_agent
import numpy as np
import seqenvs

class Agent:
    def learn(self, id, *, kwargs, steps, seed):
        assert "working_dir" in seqenvs.__file__, seqenvs.__file__  # what the driver sent
        self.space = gymnasium.make(id, **kwargs).action_space

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.zeros(len(observation), int), state
"""

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("default"),  # Ray has warnings of its own
]


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    made.shutdown()


def begin(folder, suite, *arguments):
    """Start the command in a folder that holds an agent and a module that it imports."""
    folder.mkdir()
    (folder / "own_agent.py").write_text(OWN)
    (folder / "helper_of_own_agent.py").write_text("")
    (folder / "given.json").write_text(suite.to_json())
    command = [sys.executable, "-m", "seqenvs", "benchmark", "--suite", "given.json", "--dir", "."]
    return subprocess.Popen(
        [*command, "--engine", "ray", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_node_that_dies_costs_nothing(cluster, tmp_path):
    second = cluster.add_node(num_cpus=1)
    suite = replace(LONG, agents=[{**SLOW, "steps": 30_000}])
    process = begin(tmp_path / "ray", suite, "--address", cluster.address)
    try:
        wait_for_results(process, tmp_path / "ray", 2)
        wait_for_task(process, second)
        second.all_processes["raylet"][0].process.kill()  # SIGKILL; its workers end with it
        assert len(list((tmp_path / "ray" / "jobs").iterdir())) < 9
        output, errors = process.communicate(timeout=400)
    finally:
        if process.poll() is None:
            kill(process)
    assert process.returncode == 0, errors
    jobs = suite.jobs()
    assert len(list((tmp_path / "ray" / "jobs").iterdir())) == len(jobs) == 12
    for job in jobs:
        assert output.count(f"{job.name}: return") >= 1
    assert output.count(": return") == 12  # each written once
    execute = partial(in_processes, workers=2)
    assert run_benchmark(suite, tmp_path / "local", execute=execute) == []
    assert written(tmp_path / "ray") == written(tmp_path / "local")


def wait_for_task(process, node):
    """Wait until a worker of this node runs a job."""
    raylet = node.all_processes["raylet"][0].process.pid
    deadline = time.monotonic() + 120
    while True:
        workers = subprocess.run(
            ["ps", "--ppid", str(raylet), "-o", "args="], capture_output=True, text=True
        ).stdout
        if "ray::attempt" in workers:
            return
        assert process.poll() is None and time.monotonic() < deadline, workers
        time.sleep(0.02)


def test_a_third_party_agent_is_sent_to_the_nodes(cluster, tmp_path):
    suite = small(agents=["own_agent:Agent"])
    process = begin(tmp_path / "ray", suite, "--address", cluster.address)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors
    (result,) = json.loads((tmp_path / "ray" / "results.json").read_text())
    assert result["job"]["agent"] == "own_agent:Agent"


def test_ray_is_started_here(tmp_path):
    process = begin(tmp_path / "ray", small("TableAgent", seeds=[0, 1, 2]), "--jobs", "2")
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors
    assert output.count("return 0.") == 3

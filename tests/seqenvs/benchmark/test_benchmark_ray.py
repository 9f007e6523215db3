"""The benchmark on a Ray cluster of two nodes, one of which is killed.

``pytest -m ray`` runs this; it needs the extra ``ray``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqenvs.benchmark.runner import run_benchmark
from seqenvs.benchmark.suites import Suite
from tests.seqenvs.benchmark.test_benchmark import LONG, kill, read_results, wait_for_cells

ROOT = Path(__file__).parents[3]

OWN = """
import agents
import gymnasium
import helper_of_own_agent
import numpy as np

class Agent:
    def learn(self, env_id, *, kwargs, steps, seed):
        assert "working_dir" in agents.__file__, agents.__file__  # what the driver sent
        self.space = gymnasium.make(env_id, **kwargs).action_space

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
    """The command, from a folder in which an agent of one's own is, and its helper."""
    folder.mkdir()
    (folder / "own_agent.py").write_text(OWN)
    (folder / "helper_of_own_agent.py").write_text("")
    (folder / "given.json").write_text(suite.to_json())
    command = [sys.executable, "-m", "agents", "benchmark", "--suite", "given.json", "--dir", "."]
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
    suite = Suite(
        seeds=[0, 1, 2],
        steps_without_preset=300,
        matrix=[{"id": "SeqEcho-v0", "kwargs": {"length": 3}, "agents": ["mlp"]}],
        capacity=[{"agents": ["lru"], "steps": 300_000, "lengths": [28, 32]}],
    )
    process = begin(tmp_path / "ray", suite, "--address", cluster.address)
    try:
        wait_for_cells(process, tmp_path / "ray", 2)
        wait_for_task(process, second)
        second.all_processes["raylet"][0].process.kill()  # SIGKILL; its workers end with it
        assert len(list((tmp_path / "ray" / "cells").iterdir())) < 9
        began = time.monotonic()
        output, errors = process.communicate(timeout=400)
    finally:
        if process.poll() is None:
            kill(process)
    print(output, errors, f"{time.monotonic() - began:.1f} s after the node was killed")
    assert process.returncode == 0, errors
    cells = suite.cells()
    assert len(list((tmp_path / "ray" / "cells").iterdir())) == len(cells) == 9
    for cell in cells:
        assert output.count(f"{cell.name}: return") == 1  # written once
    assert run_benchmark(suite, tmp_path / "local", jobs=2) == []
    assert read_results(tmp_path / "ray") == read_results(tmp_path / "local")


def wait_for_task(process, node):
    """Wait until a worker of this node runs a cell."""
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


def test_ones_own_agent_is_sent_to_the_nodes(cluster, tmp_path):
    suite = Suite(
        seeds=[0],
        steps_without_preset=300,
        matrix=[{"id": "SeqEcho-v0", "kwargs": {"length": 3}, "agents": ["own_agent:Agent"]}],
    )
    process = begin(tmp_path / "ray", suite, "--address", cluster.address)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors
    (result,) = json.loads((tmp_path / "ray" / "results.json").read_text())
    assert result["cell"]["agent"] == "own_agent:Agent"


def test_a_cluster_is_started_here(tmp_path):
    process = begin(tmp_path / "ray", LONG, "--jobs", "2", "--only", "mlp")
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors
    assert output.count("return 0.") == 3

"""The benchmark on a Ray cluster of two nodes, one of which is killed: ``pytest -m ray``."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from seqenvs.benchmark.runner import run_benchmark
from tests.seqenvs.benchmark.agents import TABLE
from tests.seqenvs.benchmark.test_runner import (
    ROOT,
    SLOW,
    begin,
    results_in,
    small,
    wait_until,
    written,
)

pytest.importorskip("ray", reason="Ray is not installed: pip install 'seqenvs[ray]'")

OWN = """
import gymnasium
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


def test_a_node_that_dies_costs_nothing(cluster, tmp_path):
    second, folder = cluster.add_node(num_cpus=1), tmp_path / "ray"
    suite = small(TABLE, SLOW, {**SLOW, "steps": 15_000}, seeds=[0, 1, 2])
    process = begin(folder, suite, "--engine", "ray", "--address", cluster.address)
    try:
        wait_until(process, lambda: len(results_in(folder)) >= 2)
        raylet = second.all_processes["raylet"][0].process
        workers = ["ps", "--ppid", str(raylet.pid), "-o", "args="]
        wait_until(
            process, lambda: b"ray::attempt" in subprocess.run(workers, capture_output=True).stdout
        )
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


def test_ray_is_started_here_and_a_third_party_agent_is_sent(tmp_path):
    (tmp_path / "own_agent.py").write_text(OWN)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    suite = small("own_agent:Agent", seeds=[0, 1, 2])
    process = begin(tmp_path, suite, "--engine", "ray", cwd=tmp_path, env=env)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors
    assert output.count("return 0.") == 3

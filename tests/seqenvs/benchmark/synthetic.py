"""Results of a benchmark that nobody ran: made up, but of the right form."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np

from seqenvs import Bounds
from seqenvs.benchmark.results import AtLength, Job, JobResult, write_result
from seqenvs.benchmark.suites import Suite
from seqenvs.evaluation import Episode, Evaluation

CLOCKS = {"SeqNext-v0": 1.0, "SeqClassify-v0": 0.905}
REACH = {"RecurrentPPO": 3, "LSTM": 6, "MLP": 0}  # the lag at which the score is 0.5
PPO, LSTM, MLP = "agents:RecurrentPPO", "agents:LSTM", "agents:MLP"
SUITE = Suite(
    seeds=[0, 1, 2],
    steps=100_000,
    agents=[LSTM],
    matrix=[{"id": "SeqNext-v0", "agents": [MLP]}, {"id": "SeqEcho-v0", "agents": [PPO, MLP]}],
    horizon=[{"problem": "echo", "agents": [PPO], "steps": 100_000, "lags": [1, 2, 4, 8]}],
    capacity=[{"steps": 100_000, "lengths": [2, 4]}],
    generalisation=[{"id": "SeqEcho-v0", "length": 10, "factors": [0.5, 1, 2]}],
)


def make_result(job: Job, score: float | None = None) -> JobResult:
    """The result of a job; its memory score is drawn unless it is given."""
    rng = np.random.default_rng(int(job.key, 16))
    clock = CLOCKS.get(job.id, 0.1)
    bounds = asdict(Bounds(0.1, clock, clock))
    name = job.agent.rpartition(":")[2]
    length = job.kwargs.get("length", 10)
    length = length if isinstance(length, int) else length[1]
    lag = job.kwargs.get("lag", 1)
    if score is None:
        far = job.kwargs.get("lag", length) - REACH.get(name, 12)
        score = float(np.clip(1 / (1 + math.exp(0.4 * far)) + rng.normal(0, 0.04), 0, 1))
    reached = clock + score * (1 - clock)
    steps = int(rng.integers(20_000, 100_000))
    evaluation = Evaluation(
        id=job.id,
        kwargs=job.kwargs,
        episodes=1000,
        seed=1_000_000,
        mean_return=reached,
        standard_error=0.002,
        success_rate=score,
        bounds=bounds,
        memory_score=score if clock < 1 else None,
        accuracy=[None if t < lag else reached for t in range(length)],
        sees_future=name == "BiLSTM",
    )
    return JobResult(
        job=job,
        learns_from="rewards" if name == "RecurrentPPO" else "answers",
        versions={"seqenvs": "0.1.0", "python": "3.11.7"},
        machine="x86_64, 2 cores, Linux",
        steps=steps,
        seconds=steps / 20_000,
        wall_seconds=steps / 15_000,
        finished="2026-11-22T20:00:05Z",
        curve=[[at, at / 20_000, reached * at / steps, None] for at in range(1000, steps, 1000)],
        evaluation=evaluation,
        generalisation=[
            AtLength(each, reached, score / max(1, each / length), bounds) for each in job.lengths
        ],
        episodes=[make_episode(rng, lag, length, reached) for _ in range(4)],
    )


def make_episode(rng: np.random.Generator, lag: int, length: int, reached: float) -> Episode:
    """An echo with about as many right answers as the mean return says."""
    inputs = rng.integers(10, size=length).tolist()
    targets = [0] * lag + inputs[: length - lag]
    wrong = rng.random(length) > reached
    return Episode(
        inputs=inputs,
        targets=targets,
        due=[t >= lag for t in range(length)],
        answers=((targets + wrong) % 10).tolist(),
        confidence=rng.random(length).tolist(),
        scores=[None] * lag + (1.0 - wrong[lag:]).tolist(),
    )


def write_suite(folder, suite, scores=lambda job: None, skip=lambda job: False):
    """Write the results of a suite's jobs, and the suite."""
    for job in suite.jobs():
        if not skip(job):
            write_result(folder, make_result(job, scores(job)))
    (folder / "suite.json").write_text(suite.to_json())

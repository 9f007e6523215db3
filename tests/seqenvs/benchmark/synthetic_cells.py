"""Cells of a benchmark that nobody trained: made up, but of the right form."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import numpy as np

from seqenvs import Bounds
from seqenvs.benchmark.results import AtLength, Cell, CellResult, Episode
from seqenvs.evaluation import Evaluation

VERSIONS = {"seqenvs": "0.1.0", "torch": "2.13.0+cpu", "python": "3.11.7"}
CLOCKS = {"Next": 1.0, "Recall": 0.25, "Classify": 0.905}
REACH = {"recurrent_ppo": 24, "lstm": 40, "gru": 20, "lru": 60, "transformer": 30, "mlp": 0}


def bounds_of(id: str) -> Bounds:
    clock = next((value for name, value in CLOCKS.items() if name in id), 0.1)
    chance = 0.5 if "Classify" in id else 0.1
    return Bounds(chance, clock if clock < 0.9 else max(chance, clock - 0.35), clock)


def make_result(cell: Cell, score: float | None = None, episodes: int = 4) -> CellResult:
    """What a cell reached; its memory score is drawn unless it is given."""
    rng = np.random.default_rng(int(cell.key, 16))
    bounds = bounds_of(cell.id)
    length = cell.kwargs.get("length", 10)
    length = length if isinstance(length, int) else length[1]
    if score is None:
        far = cell.kwargs.get("lag", length)
        reach = REACH.get(cell.agent, 12)
        score = 1 / (1 + math.exp(0.4 * (far - reach))) if reach else 0.0
        score = float(np.clip(score + rng.normal(0, 0.04), -0.02, 1))
    reached = bounds.clock + score * (1 - bounds.clock)
    steps = int(rng.integers(20_000, max(20_001, cell.steps or 100_000)))
    x = np.unique(np.geomspace(1000, steps, 200).astype(int))
    returns = bounds.chance + (reached - bounds.chance) / (1 + (steps / 8 / x) ** 2)
    curve = [[int(a), a / 20_000, float(b), None] for a, b in zip(x, returns, strict=True)]
    lag = cell.kwargs.get("lag", 1)
    accuracy = [None if t < lag else float(np.clip(reached, 0, 1)) for t in range(length)]
    evaluation = Evaluation(
        id=cell.id,
        kwargs=cell.kwargs,
        episodes=1000,
        seed=1_000_000,
        mean_return=reached,
        standard_error=0.002,
        success_rate=max(0.0, score),
        bounds=asdict(bounds),
        memory_score=score if bounds.needs_memory else None,
        accuracy=accuracy,
        sees_future=cell.agent == "bilstm",
    )
    at_lengths = [
        AtLength(each, reached, score / max(1, each / length) ** 0.5, asdict(bounds))
        for each in cell.lengths
    ]
    return CellResult(
        cell=cell,
        versions=VERSIONS,
        machine="x86_64, 2 cores, Linux",
        steps=steps,
        seconds=round(steps / 20_000, 2),
        wall_seconds=round(steps / 15_000, 2),
        finished=f"2026-11-22T20:{cell.seed:02}:05Z",
        curve=curve,
        evaluation=evaluation,
        generalisation=at_lengths if bounds.needs_memory else [],
        episodes=[make_episode(rng, lag, length, reached) for _ in range(episodes)],
    )


def make_episode(rng: np.random.Generator, lag: int, length: int, reached: float) -> Episode:
    """An echo, with as many right answers as are reached in the mean."""
    inputs = rng.integers(10, size=length).tolist()
    due = [t >= lag for t in range(length)]
    targets = [inputs[t - lag] if due[t] else 0 for t in range(length)]
    right = rng.random(length) < reached
    answers = [
        target if ok else (target + 1) % 10 for target, ok in zip(targets, right, strict=True)
    ]
    return Episode(
        inputs=inputs,
        targets=targets,
        due=due,
        answers=answers,
        confidence=[float(0.55 + 0.44 * each) for each in rng.random(length)],
        scores=[float(ok) if flag else None for ok, flag in zip(right, due, strict=True)],
    )


def with_seed(cell: Cell, seed: int) -> Cell:
    return replace(cell, seed=seed)

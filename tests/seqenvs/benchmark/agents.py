"""Agents for the tests of the benchmark, and results that nothing was run for."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import sys
import time

import gymnasium
import numpy as np

import seqenvs
from seqenvs import Oracle
from seqenvs.benchmark.jobs import Job
from seqenvs.benchmark.results import JobResult
from seqenvs.evaluation import Evaluation


def own(name):
    return f"{__name__}:{name}"


class OracleAgent:
    """Learns nothing and is always right."""

    learns_from = "answers"

    def __init__(self):
        self.curve = []

    def learn(self, id, *, kwargs, steps, seed):
        self.oracle = Oracle.of(gymnasium.make(id, **kwargs))
        for part in (steps // 2, steps):
            self.curve.append((part, 1.0))
            yield part

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return self.oracle.predict(observation, state, episode_start, deterministic)


class TableAgent:
    """Learns the likeliest answer to each observation, without memory. Needs index encoding.

    Args:
        pause: Seconds of sleep after each update.
        die_at: Raise MemoryError at this update.
    """

    learns_from = "answers"

    def __init__(self, pause=0.0, die_at=-1):
        self.pause, self.die_at = pause, die_at
        self.updates, self.curve, self.counts = 0, [], {}

    def learn(self, id, *, kwargs, steps, seed):
        batches = seqenvs.batches(id, 10, seed=seed, **kwargs)
        for batch in itertools.islice(batches, self.updates, None):
            answers, _ = self.predict(batch.X.ravel())
            right = (answers == batch.y.ravel()) & batch.mask.ravel()
            self.curve.append(
                ((self.updates + 1) * batch.mask.size, right.sum() / batch.mask.sum())
            )
            for seen, target in zip(batch.X[batch.mask], batch.y[batch.mask], strict=True):
                row = self.counts.setdefault(str(seen), [0] * 10)
                row[int(target)] += 1
            if self.updates == self.die_at:
                raise MemoryError("a bug\nof two lines")
            self.updates += 1
            time.sleep(self.pause)
            yield self.curve[-1][0]
            if self.curve[-1][0] >= steps:
                return

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        known = [int(np.argmax(self.counts.get(str(seen), [0]))) for seen in observation]
        return np.array(known), state

    def save(self, path):
        path.write_text(json.dumps([self.updates, self.curve, self.counts]))

    def load(self, path):
        self.updates, self.curve, self.counts = json.loads(path.read_text())


class RandomAgent:
    """Learns nothing and answers at random."""

    def learn(self, id, *, kwargs, steps, seed):
        self.space = gymnasium.make(id, **kwargs).action_space
        self.space.seed(seed)

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.array([self.space.sample() for _ in observation]), state


class EndlessAgent(RandomAgent):
    """Learns until it is stopped."""

    def learn(self, id, *, kwargs, steps, seed):
        super().learn(id, kwargs=kwargs, steps=steps, seed=seed)
        assert steps == sys.maxsize
        yield from itertools.count(1)


class FutureAgent:
    """Answers whole episodes, always 0."""

    sees_future = True

    def learn(self, id, *, kwargs, steps, seed):
        pass

    def answer(self, observations):
        return np.zeros(observations.shape[:2], int)


class FullDiskAgent(RandomAgent):
    def learn(self, id, *, kwargs, steps, seed):
        raise OSError(errno.ENOSPC, "No space left on device")


class DyingAgent(RandomAgent):
    def learn(self, id, *, kwargs, steps, seed):
        os.kill(os.getpid(), signal.SIGKILL)


class NoPredict:
    def learn(self, id, *, kwargs, steps, seed):
        pass


class OtherLearn(RandomAgent):
    def learn(self, id):
        pass


class OtherTeacher(RandomAgent):
    learns_from = "books"


ECHO = {"length": 5, "encoding": "index"}


def job_of(agent="TableAgent", **given):
    agent = agent if ":" in agent else own(agent)
    values = {"id": "SeqEcho-v0", "kwargs": ECHO, "agent": agent, "seed": 0, "steps": 400}
    return Job(**{**values, **given})


def fake_run(job, work):
    """A result that nothing was run for."""
    reached = Evaluation(
        id=job.id,
        kwargs=job.kwargs,
        episodes=1000,
        seed=1,
        mean_return=0.5,
        standard_error=0.01,
        success_rate=0.25,
        bounds={"chance": 0.1, "memoryless": 0.1, "clock": 0.1, "optimum": 1.0},
        memory_score=0.4,
        accuracy=[None, 0.5],
    )
    return JobResult(
        job=job,
        learns_from="rewards",
        versions={"seqenvs": "0.1.0"},
        machine="x86_64, 2 cores, Linux",
        steps=job.steps or 7,
        seconds=1.5,
        wall_seconds=2.0,
        finished="2026-11-22T20:00:05Z",
        curve=[[100, 0.5, 0.3, 0.2]],
        evaluation=reached,
        generalisation=[],
        episodes=[],
    )


def timeless(value):
    """A result as JSON has it, without what depends on the time."""
    if isinstance(value, list):
        return [timeless(each) for each in value]
    if not isinstance(value, dict):
        return value
    left = {name: timeless(each) for name, each in value.items()}
    for name in ("seconds", "wall_seconds", "finished"):
        left.pop(name, None)
    if "curve" in left:
        left["curve"] = [[point[0], *point[2:]] for point in left["curve"]]
    return left

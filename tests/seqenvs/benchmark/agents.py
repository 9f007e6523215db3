"""Agents for the tests of the benchmark."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import time
from dataclasses import asdict, is_dataclass

import gymnasium
import numpy as np

import seqenvs
from seqenvs import Oracle
from seqenvs.benchmark.results import Job

ECHO = {"length": 5, "encoding": "index"}
FAILURES = {"disk": OSError(errno.ENOSPC, "No space left"), "bug": KeyError("a bug\nof two lines")}


class OracleAgent:
    """Learns nothing and is always right."""

    learns_from = "answers"

    def learn(self, id, *, kwargs, steps, seed):
        self.predict = Oracle.of(gymnasium.make(id, **kwargs)).predict
        self.curve = [(steps, 1.0)]
        yield steps

    def predict(self): ...


class RandomAgent:
    """Learns nothing and answers at random."""

    def learn(self, id, *, kwargs, steps, seed):
        self.space = gymnasium.make(id, **kwargs).action_space
        self.space.seed(seed)

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.array([self.space.sample() for _ in observation]), state


class OtherLearn(RandomAgent):
    def learn(self, id): ...


class OtherTeacher(RandomAgent):
    learns_from = "books"


class TableAgent:
    """Learns the likeliest answer to each symbol, without memory, and can save and load.

    It sleeps for ``pause`` seconds in each update, and ``fails`` in the third.
    """

    learns_from = "answers"

    def __init__(self, pause=0.0, fails=""):
        self.pause, self.fails = pause, fails
        self.curve, self.counts = [], {}

    def learn(self, id, *, kwargs, steps, seed):
        batches = seqenvs.batches(id, 10, seed=seed, **kwargs)
        for batch in itertools.islice(batches, len(self.curve), None):
            inputs, targets = batch.X[batch.mask], batch.y[batch.mask]
            right = self.predict(inputs)[0] == targets
            for seen, target in zip(inputs, targets, strict=True):
                self.counts.setdefault(str(seen), [0] * 10)[int(target)] += 1
            if len(self.curve) == 2 and self.fails == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            elif len(self.curve) == 2 and self.fails:
                raise FAILURES[self.fails]
            time.sleep(self.pause)
            done = (len(self.curve) + 1) * batch.mask.size
            self.curve.append((done, right.mean()))
            yield done
            if done >= steps:
                return

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        known = [int(np.argmax(self.counts.get(str(seen), [0]))) for seen in observation]
        return np.array(known), state

    def save(self, path):
        path.write_text(json.dumps([self.curve, self.counts]))

    def load(self, path):
        self.curve, self.counts = json.loads(path.read_text())


def own(name):
    return f"{__name__}:{name}"


TABLE = own("TableAgent")


def job_of(agent=TABLE, **given):
    values = {"id": "SeqEcho-v0", "kwargs": ECHO, "agent": agent, "seed": 0, "steps": 400}
    return Job(**{**values, **given})


def timeless(result):
    """A result as JSON has it, without what depends on the time."""
    values = asdict(result) if is_dataclass(result) else result
    curve = [[point[0], *point[2:]] for point in values["curve"]]
    return {**values, "curve": curve, "seconds": 0, "wall_seconds": 0, "finished": ""}

"""The training loop: update a learner until its target, and record the learning curve."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agents.config import WINDOW, Settings
from agents.learners import Learner, make_learner
from agents.training import run_folder
from seqenvs import Bounds
from seqenvs.evaluation import near_bound


class Row(NamedTuple):
    """A point of the learning curve. Means are over the episodes that ended since the last point.

    Attributes:
        steps: Time steps so far, summed over all episodes.
        seconds: Processor time spent learning so far.
        episodes: Number of episodes that have ended so far.
        mean_return: Mean return with the exploring policy, a little below what `evaluate` finds.
        success_rate: Fraction of the episodes in which every answer was right.
        memory_score: Memory score of the mean return; None where the problem needs no memory.
    """

    steps: int
    seconds: float
    episodes: int
    mean_return: float
    success_rate: float
    memory_score: float | None


@dataclass
class Training:
    """A training run that can be interrupted after any update.

    Attributes:
        learner: The agent.
        curve: The learning curve, with one point for each update.
        recent: Returns of the last `WINDOW` episodes.
        episodes: Number of episodes that have ended.
        saved_steps: Number of steps in the last checkpoint.
    """

    learner: Learner
    curve: list[Row] = field(default_factory=list)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    episodes: int = 0
    saved_steps: int = 0

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self.learner.settings

    @property
    def bounds(self) -> Bounds | None:
        """The best scores without memory; None if they are not known."""
        return self.learner.task.bounds

    @property
    def reached_target(self) -> bool:
        """Whether the mean return has reached the target, or the best that the agent can reach."""
        if len(self.recent) < WINDOW:
            return False
        target = self.settings.target
        if self.bounds is not None and not self.learner.remembers:
            error = float(np.std(self.recent)) / WINDOW**0.5
            target = min(target, self.bounds.memoryless - error)
        return self.mean_return >= target

    @property
    def mean_return(self) -> float:
        """Mean return of the last `WINDOW` episodes, or of all if there are fewer; NaN for none."""
        return float(np.mean(self.recent)) if self.recent else float("nan")

    @property
    def finished(self) -> bool:
        """Whether the target or the last step has been reached."""
        return self.reached_target or self.learner.steps >= self.settings.steps

    @property
    def seconds(self) -> float:
        """Processor time spent learning, on one thread."""
        return self.curve[-1].seconds if self.curve else 0.0

    def run(self) -> Iterator[Row]:
        """Update until the run is finished, and yield each new point of the curve."""
        while not self.finished:
            self.update()
            yield self.curve[-1]

    def update(self) -> None:
        """Learn once, and append a point to the curve."""
        began = time.process_time()
        returns, successes = self.learner.update()
        seconds = self.seconds + time.process_time() - began
        self.recent.extend(returns)
        self.episodes += len(returns)
        mean_return = float(np.mean(returns))
        score = self.learner.task.memory_score(mean_return)
        row = Row(
            steps=self.learner.steps,
            seconds=round(seconds, 6),
            episodes=self.episodes,
            mean_return=round(mean_return, 6),
            success_rate=round(float(np.mean(successes)), 6),
            memory_score=None if score is None else round(score, 6),
        )
        self.curve.append(row)

    def summary(self) -> str:
        """Describe what was reached, as the end of a sentence."""
        steps, seconds = self.learner.steps, self.seconds
        mean = self.mean_return
        error = float(np.std(self.recent)) / len(self.recent) ** 0.5
        bound = "" if self.bounds is None else near_bound(self.bounds, mean, error)
        return f"return {mean:.2f}{bound}, after {steps:,} steps and {seconds:.0f} s of learning"

    def save(self, path: Path) -> None:
        """Write a checkpoint. The run continues from it exactly as it would without."""
        checkpoint = {
            "settings": asdict(self.settings),
            "learner": self.learner.checkpoint(),
            "curve": [list(row) for row in self.curve],
            "recent": list(self.recent),
            "episodes": self.episodes,
        }
        run_folder.write_checkpoint(path, checkpoint)
        self.saved_steps = self.learner.steps


def start(settings: Settings) -> Training:
    """Begin a training run.

    Raises:
        TypeError, ValueError, gymnasium.error.Error: The environment cannot be made, or the agent
            cannot learn it.
    """
    return Training(make_learner(settings))


def resume(path: Path, settings: Settings | None = None, **changed: Any) -> Training:
    """Continue a training run from a checkpoint.

    Args:
        path: A file that `Training.save` wrote.
        settings: The settings of the run; by default those in the checkpoint.
        **changed: Settings that replace these: ``steps`` and ``target``.

    Raises:
        run_folder.RunFolderError: The file is missing, damaged, or belongs to another run.
        TypeError, ValueError, gymnasium.error.Error: As for `start`.
    """
    if settings is None:
        settings = run_folder.read_checkpoint(
            path, lambda checkpoint: Settings.from_dict(checkpoint["settings"])
        )
    training = start(replace(settings, **changed))

    def restore(checkpoint: dict[str, Any]) -> Training:
        training.learner.restore(checkpoint["learner"])
        training.curve = [Row(*values) for values in checkpoint["curve"]]
        training.recent.extend(checkpoint["recent"])
        training.episodes = checkpoint["episodes"]
        return training

    return run_folder.read_checkpoint(path, restore)

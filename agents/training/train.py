"""Train any agent, show how it goes, and write its run folder; resumed without loss."""

from __future__ import annotations

import shutil
import signal
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import configure
from tqdm import tqdm

from agents.config import Settings
from agents.learners import Learner, make_learner
from agents.training import run_folder
from agents.training.curve import Row, draw_curve
from seqenvs import Bounds
from seqenvs.evaluation import near_bound

WINDOW = 1000  # episodes over which the mean return decides that training is over
CHECKPOINT_SECONDS = 10.0


@dataclass
class Training:
    """A training under way.

    Attributes:
        learner: The agent.
        curve: A point for each update.
        recent: Returns of the last `WINDOW` episodes.
        episodes: How many have ended.
        saved_steps: How many steps the last checkpoint holds.
    """

    learner: Learner
    curve: list[Row] = field(default_factory=list)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    episodes: int = 0
    saved_steps: int = 0

    @property
    def bounds(self) -> Bounds | None:
        """What is reached without memory; None if it is not known."""
        return self.learner.task.bounds

    @property
    def settings(self) -> Settings:
        """What it is made of."""
        return self.learner.settings

    @property
    def reached_target(self) -> bool:
        """Whether there is nothing left to learn: the target, or all that the agent can reach."""
        if len(self.recent) < WINDOW:
            return False
        target = self.settings.target
        if self.bounds is not None and not self.learner.remembers:
            error = float(np.std(self.recent)) / WINDOW**0.5
            target = min(target, self.bounds.memoryless - error)
        return float(np.mean(self.recent)) >= target

    @property
    def finished(self) -> bool:
        """Whether the training is over."""
        return self.reached_target or self.learner.steps >= self.settings.steps

    @property
    def seconds(self) -> float:
        """Processor time spent in updates; they run on one thread."""
        return self.curve[-1].seconds if self.curve else 0.0

    def update(self) -> None:
        """Learn once, and add a point to the curve."""
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
        """What was reached, as a sentence without its end."""
        steps, seconds = self.learner.steps, self.seconds
        mean = float(np.mean(self.recent))
        error = float(np.std(self.recent)) / len(self.recent) ** 0.5
        bound = "" if self.bounds is None else near_bound(self.bounds, mean, error)
        return f"return {mean:.2f}{bound}, after {steps:,} steps and {seconds:.0f} s of learning"


def start(settings: Settings) -> Training:
    """Begin a training; raises what `agents.learners.make_learner` raises."""
    return Training(make_learner(settings))


def resume(folder: Path, settings: Settings) -> Training:
    """Go on from a folder's checkpoint; ``settings`` may have other ``steps`` and ``target``."""
    training = start(settings)

    def restore(checkpoint: dict[str, Any]) -> None:
        training.learner.restore(checkpoint["learner"])
        training.curve = [Row(*values) for values in checkpoint["curve"]]
        training.recent.extend(checkpoint["recent"])
        training.episodes = checkpoint["episodes"]

    run_folder.read_checkpoint(folder, restore)
    return training


def resume_or_start(folder: Path, settings: Settings) -> Training:
    """Go on from a folder's checkpoint, or begin anew in it where there is none yet."""
    if (folder / run_folder.CHECKPOINT).is_file():
        return resume(folder, settings)
    shutil.rmtree(folder, ignore_errors=True)  # it was interrupted before its first checkpoint
    training = start(settings)
    run_folder.create(folder, settings)
    return training


def save_checkpoint(training: Training, folder: Path) -> None:
    """Write what `resume` needs. Call it between updates, when the state is whole."""
    checkpoint = {
        "learner": training.learner.checkpoint(),
        "curve": [list(row) for row in training.curve],
        "recent": list(training.recent),
        "episodes": training.episodes,
    }
    run_folder.write_checkpoint(folder, checkpoint)
    training.saved_steps = training.learner.steps


def save(training: Training, folder: Path) -> None:
    """Write all that a run leaves behind, its checkpoint first."""
    save_checkpoint(training, folder)
    learner = training.learner
    run_folder.write(folder / learner.model_file, learner.save_model)
    run_folder.write_rows(folder / run_folder.CURVE, Row._fields, training.curve)
    draw_curve(
        folder / run_folder.PICTURE, title(training.settings), training.curve, training.bounds
    )


def title(settings: Settings) -> str:
    """What is learned, and by whom."""
    parameters = (f"{name}={value!r}" for name, value in settings.kwargs.items())
    return "  ".join([settings.id, *parameters, settings.agent])


class _StopRequest:
    """Ctrl-C asks to stop after the update under way; a second one interrupts at once."""

    asked = False

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def __enter__(self) -> _StopRequest:
        self._previous = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        if not self._quiet:
            tqdm.write(
                "Stopping after this update (Ctrl-C again: at once, back to the last checkpoint)"
            )


def train(training: Training, folder: Path, *, quiet: bool = False) -> None:
    """Train until the target, the last step or Ctrl-C, and leave the folder complete.

    Args:
        training: What `start` or `resume` gave.
        folder: Its run folder.
        quiet: Show nothing.

    Raises:
        KeyboardInterrupt: Ctrl-C; the folder is complete and can be resumed.
    """
    logger = configure(str(folder / "tensorboard"), ["tensorboard"])
    saved = shown = time.monotonic()
    with _StopRequest(quiet) as stop, _progress_bar(training, quiet) as bar:
        save(training, folder)
        while not (training.finished or stop.asked):
            training.update()
            row = training.curve[-1]
            for name in ("mean_return", "success_rate", "memory_score"):
                if getattr(row, name) is not None:
                    logger.record(f"rollout/{name}", getattr(row, name))
            logger.dump(row.steps)
            now = time.monotonic()
            bar.set_postfix_str(_describe(row), refresh=False)
            bar.update(min(row.steps, training.settings.steps) - bar.n)
            if not quiet and bar.disable and now - shown > CHECKPOINT_SECONDS:
                shown = now
                print(
                    f"{row.steps:>11,} steps  {row.seconds:>6.0f} s  {_describe(row)}", flush=True
                )
            if now - saved > CHECKPOINT_SECONDS:
                save(training, folder)
                saved = time.monotonic()
        save(training, folder)
    logger.close()
    if stop.asked and not training.finished:
        raise KeyboardInterrupt


def _progress_bar(training: Training, quiet: bool) -> tqdm[Any]:
    return tqdm(
        total=training.settings.steps,
        initial=min(training.learner.steps, training.settings.steps),
        disable=True if quiet else None,  # None: lines instead, where the output is no terminal
        dynamic_ncols=True,
        bar_format="{n:,}/{total:,} steps |{bar}| {elapsed}{postfix}",
        leave=False,
    )


def _describe(row: Row) -> str:
    score = "" if row.memory_score is None else f"  memory {row.memory_score:.3f}"
    return f"return {row.mean_return:.3f}{score}"

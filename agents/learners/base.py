"""The base class of the reference agents: learning, its curve, prediction and checkpoints."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from agents.config import WINDOW, OtherModelError, Settings, make_options
from agents.presets import preset_settings
from agents.training import run_folder
from seqenvs import Bounds
from seqenvs.evaluation import near_bound
from seqenvs.task import Task, find_task


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


class ReferenceAgent(ABC):
    """An agent that learns an environment by its id, and then acts in it.

    The interface is the one that `seqenvs.evaluate` and the benchmark take. Training runs call
    `start` and `update` instead of `learn`.

    Args:
        **options: ``target``, the mean return at which learning stops; and the options of the
            agent, which are the fields of `agents.config.PPOOptions` for `RecurrentPPO` and of
            `agents.config.SupervisedOptions` for the others. Options that are not given have their
            defaults. If no option is given at all, the agent takes those of its preset for the
            environment that it learns. A ``target`` that is not given is that of the preset.

    Attributes:
        name: Name of the agent on the command line of ``python -m agents``.
        learns_from: ``"rewards"`` or ``"answers"``.
        sees_future: Whether the agent only answers whole episodes, by ``answer``.
        remembers: Whether the agent can remember. If not, the memoryless bound is the best that it
            can reach.
        model_file: Name of the file that `save_model` writes.
        task: The environment.
        rows: The learning curve, with one point for each update.
        recent: Returns of the last `WINDOW` episodes.
        episodes: Number of episodes that have ended.
        saved_steps: Number of steps in the last checkpoint.

    Raises:
        TypeError, ValueError: An unknown option, or a value out of range.
    """

    name: ClassVar[str]
    model_file: ClassVar[str]
    learns_from: ClassVar[str] = "answers"
    sees_future: bool = False
    remembers: ClassVar[bool] = True
    task: Task

    def __init__(self, **options: Any) -> None:
        self._target = {"target": options.pop("target")} if "target" in options else {}
        make_options(self.name, options)
        self._given = options
        self._settings: Settings | None = None
        self._loaded = False

    def learn(self, id: str, *, kwargs: dict[str, Any], steps: int, seed: int) -> Iterator[int]:
        """Learn until the target is reached or the steps are used up.

        After `load`, the learning that was saved continues, and its result is the same as without
        the interruption. Otherwise the agent starts anew.

        Args:
            id: Id of the environment.
            kwargs: Parameters of the environment.
            steps: Largest number of time steps, summed over all episodes.
            seed: Seed of the episodes, the network and the exploration.

        Yields:
            The number of time steps so far: before the first update, and after each update.

        Raises:
            TypeError, ValueError, gymnasium.error.Error: The environment cannot be made, the agent
                cannot learn it, or another one was loaded.
        """
        settings = preset_settings(id, kwargs, self.name, seed=seed, steps=steps, **self._target)
        if self._given:
            settings = replace(settings, options=make_options(self.name, self._given))
        if self._loaded:
            before = self.settings
            if replace(before, steps=settings.steps, target=settings.target) != settings:
                raise ValueError(f"the agent that was loaded learned with {before}, got {settings}")
            self._settings, self._loaded = settings, False
        else:
            self.start(settings)
        yield self.steps
        for row in self.run():
            yield row.steps

    def start(self, settings: Settings) -> None:
        """Become an untrained agent with these settings, whatever the constructor was given.

        Raises:
            TypeError, ValueError, gymnasium.error.Error: The environment cannot be made, or the
                agent cannot learn it.
        """
        # Small networks are slower on two threads, and results depend on the number of threads.
        torch.set_num_threads(1)
        self.task = find_task(settings.id, settings.kwargs)
        self.rows: list[Row] = []
        self.recent: deque[float] = deque(maxlen=WINDOW)
        self.episodes = self.saved_steps = 0
        self._build(settings)
        self._settings = settings

    @property
    def settings(self) -> Settings:
        """The settings with which the agent learns.

        Raises:
            RuntimeError: The agent has not begun to learn.
        """
        return self._check_started()

    @property
    def curve(self) -> list[tuple[int, float]]:
        """The learning curve: (steps, mean return of the episodes since the last point)."""
        return [(row.steps, row.mean_return) for row in self.rows]

    @property
    @abstractmethod
    def steps(self) -> int:
        """Number of time steps learned from so far, summed over all episodes."""

    @property
    def bounds(self) -> Bounds | None:
        """The best scores without memory; None if they are not known."""
        return self.task.bounds

    @property
    def mean_return(self) -> float:
        """Mean return of the last 1,000 episodes, or of all if there are fewer; NaN for none."""
        return float(np.mean(self.recent)) if self.recent else float("nan")

    @property
    def reached_target(self) -> bool:
        """Whether the mean return has reached the target, or the best that the agent can reach."""
        if len(self.recent) < WINDOW:
            return False
        target = self.settings.target
        if self.bounds is not None and not self.remembers:
            error = float(np.std(self.recent)) / WINDOW**0.5
            target = min(target, self.bounds.memoryless - error)
        return self.mean_return >= target

    @property
    def finished(self) -> bool:
        """Whether the target or the last step has been reached."""
        return self.reached_target or self.steps >= self.settings.steps

    @property
    def seconds(self) -> float:
        """Processor time spent learning, on one thread."""
        return self.rows[-1].seconds if self.rows else 0.0

    def run(self) -> Iterator[Row]:
        """Update until learning is finished, and yield each new point of the curve."""
        while not self.finished:
            yield self.update()

    def update(self) -> Row:
        """Learn once; append a point to the curve and return it."""
        began = time.process_time()
        returns, successes = self._update()
        seconds = self.seconds + time.process_time() - began
        self.recent.extend(returns)
        self.episodes += len(returns)
        mean_return = float(np.mean(returns))
        score = self.task.memory_score(mean_return)
        row = Row(
            steps=self.steps,
            seconds=round(seconds, 6),
            episodes=self.episodes,
            mean_return=round(mean_return, 6),
            success_rate=round(float(np.mean(successes)), 6),
            memory_score=None if score is None else round(score, 6),
        )
        self.rows.append(row)
        return row

    def summary(self) -> str:
        """Describe what was reached, as the end of a sentence."""
        mean = self.mean_return
        error = float(np.std(self.recent)) / len(self.recent) ** 0.5
        bound = "" if self.bounds is None else near_bound(self.bounds, mean, error)
        return (
            f"return {mean:.2f}{bound}, after {self.steps:,} steps and {self.seconds:.0f} s of "
            "learning"
        )

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[Any, Any]:
        """Act on B observations; the interface of Stable-Baselines3's ``predict``.

        Args:
            observation: (B, ...) observations, or one without the axis B.
            state: The state that the last call returned; None at the beginning.
            episode_start: (B,) bool, whether an episode begins with this observation.
            deterministic: Take the likeliest action instead of sampling one.

        Returns:
            (B, ...) actions in the dtype of the action space, and the new state.

        Raises:
            RuntimeError: The agent has not begun to learn.
            TypeError: The agent sees the future.
            ValueError: An observation of another shape, or an episode that is too long.
        """
        self._check_started()
        return self._predict(observation, state, episode_start, deterministic)

    def predict_with_confidence(
        self, observation: Any, state: Any = None, episode_start: Any = None
    ) -> tuple[Any, Any, Any]:
        """Act on B observations as `predict` does, and return the probabilities of the actions.

        Returns:
            The likeliest actions; their probabilities, (B,), each of all components together, or
            None for Box actions; and the new state.
        """
        self._check_started()
        return self._predict_with_confidence(observation, state, episode_start)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, from which `load` and `learn` continue exactly.

        Raises:
            OSError: The file cannot be written.
        """
        checkpoint = {
            "settings": asdict(self.settings),
            "learner": {"trained_on": self.trained_on, **self._state()},
            "curve": [list(row) for row in self.rows],
            "recent": list(self.recent),
            "episodes": self.episodes,
        }
        run_folder.write_checkpoint(Path(path), checkpoint)
        self.saved_steps = self.steps

    def load(self, path: str | Path, settings: Settings | None = None) -> None:
        """Read a checkpoint that `save`, or ``python -m agents train``, wrote.

        No code in the file is executed.

        Args:
            path: The file.
            settings: Settings to continue with; by default those in the file.

        Raises:
            agents.training.run_folder.RunFolderError: The file is missing or damaged, or belongs to
                another agent or environment.
            TypeError, ValueError, gymnasium.error.Error: As for `start`.
        """
        path = Path(path)
        if settings is None:
            settings = run_folder.read_checkpoint(
                path, lambda checkpoint: Settings.from_dict(checkpoint["settings"])
            )
        if settings.agent != self.name:
            raise run_folder.RunFolderError(
                f"{path} belongs to the agent {settings.agent}, and this is {self.name}"
            )
        self.start(settings)

        def restore(checkpoint: dict[str, Any]) -> None:
            self._check_origin(checkpoint["learner"]["trained_on"])
            self._restore(checkpoint["learner"])
            self.rows = [Row(*values) for values in checkpoint["curve"]]
            self.recent.extend(checkpoint["recent"])
            self.episodes = checkpoint["episodes"]

        run_folder.read_checkpoint(path, restore)
        self._loaded = True

    @property
    def trained_on(self) -> dict[str, Any]:
        """The environment, its parameters and the name of the agent."""
        settings = self.settings
        return {"id": settings.id, "kwargs": settings.kwargs, "agent": settings.agent}

    def _check_started(self) -> Settings:
        if self._settings is None:
            raise RuntimeError(f"{type(self).__name__} must learn() or load() first")
        return self._settings

    def _check_origin(self, found: Any) -> None:
        if found != self.trained_on:
            raise OtherModelError(f"was trained on {found}, and this run is of {self.trained_on}")

    @abstractmethod
    def save_model(self, path: Path) -> None:
        """Write the weights, and what they were trained on."""

    @abstractmethod
    def load_model(self, path: Path) -> None:
        """Read what `save_model` wrote. No code in the file is executed.

        Raises:
            OtherModelError: The file belongs to another agent or environment.
            Exception: The file is damaged.
        """

    @abstractmethod
    def _build(self, settings: Settings) -> None:
        """Make the untrained network and the source of episodes."""

    @abstractmethod
    def _update(self) -> tuple[list[float], list[bool]]:
        """Learn once. Return the returns and the successes of the episodes that ended meanwhile."""

    @abstractmethod
    def _predict(
        self, observation: Any, state: Any, episode_start: Any, deterministic: bool
    ) -> tuple[Any, Any]: ...

    @abstractmethod
    def _predict_with_confidence(
        self, observation: Any, state: Any, episode_start: Any
    ) -> tuple[Any, Any, Any]: ...

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """Return all that `_restore` needs, as tensors, numbers, strings, lists and dicts."""

    @abstractmethod
    def _restore(self, state: dict[str, Any]) -> None:
        """Continue exactly where the agent was that gave this state. No update came before."""

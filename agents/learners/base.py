"""The interface of all learners: one update at a time, prediction, and checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import torch

from agents.config import OtherModelError, Settings
from seqenvs.task import Task, find_task


class Learner(ABC):
    """An agent that is being trained, or that was trained.

    Args:
        settings: The settings of the run.

    Raises:
        TypeError, ValueError, gymnasium.error.Error: The environment cannot be made, or the agent
            cannot learn it.

    Attributes:
        settings: The settings of the run.
        task: The environment.
        model_file: Name of the file that `save_model` writes.
        remembers: Whether the agent can remember. If not, the memoryless bound is the best that it
            can reach.
        sees_future: Whether the agent only answers whole episodes, by `answer`.
    """

    model_file: ClassVar[str]
    settings: Settings
    task: Task
    remembers: bool = True
    sees_future: bool = False

    def __init__(self, settings: Settings) -> None:
        # Small networks are slower on two threads, and results depend on the number of threads.
        torch.set_num_threads(1)
        self.settings = settings
        self.task = find_task(settings.id, settings.kwargs)

    @property
    @abstractmethod
    def steps(self) -> int:
        """Number of time steps learned from so far, summed over all episodes."""

    @abstractmethod
    def update(self) -> tuple[list[float], list[bool]]:
        """Learn once.

        Returns:
            The returns of the episodes that ended meanwhile, and whether all of their answers were
            right.
        """

    @abstractmethod
    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[Any, Any]:
        """Act on B observations; the interface of Stable-Baselines3's ``predict``.

        Args:
            observation: (B, ...) observations.
            state: The state that the last call returned; None at the beginning.
            episode_start: (B,) bool, whether an episode begins with this observation.
            deterministic: Take the likeliest action instead of sampling one.

        Returns:
            (B, ...) actions and the new state.
        """

    @abstractmethod
    def predict_with_confidence(
        self, observation: Any, state: Any = None, episode_start: Any = None
    ) -> tuple[Any, Any, Any]:
        """Act on B observations as `predict` does, and return the probabilities of the actions.

        Returns:
            The likeliest actions; their probabilities, (B,), each of all components together, or
            None for Box actions; and the new state.
        """

    def answer(self, observations: Any) -> Any:
        """Answer N whole episodes: (N, T, ...) to (N, T) or (N, T, K)."""
        raise TypeError(f"{self.settings.agent} acts step by step: use predict()")

    def answer_with_confidence(self, observations: Any) -> tuple[Any, Any]:
        """Answer N whole episodes and return (N, T) probabilities, None for Box actions."""
        raise TypeError(f"{self.settings.agent} acts step by step: use predict_with_confidence()")

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

    def checkpoint(self) -> dict[str, Any]:
        """Return all that `restore` needs, as tensors, numbers, strings, lists and dicts."""
        return {"trained_on": self.trained_on, **self._state()}

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Continue exactly where the learner was that gave this. Call it before any update.

        Raises:
            OtherModelError: The checkpoint belongs to another agent or environment.
            Exception: The checkpoint is damaged.
        """
        self._check_origin(checkpoint["trained_on"])
        self._restore(checkpoint)

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""

    @abstractmethod
    def _restore(self, state: dict[str, Any]) -> None:
        """Take over what `_state` returned."""

    @property
    def trained_on(self) -> dict[str, Any]:
        """The environment, its parameters and the name of the agent."""
        settings = self.settings
        return {"id": settings.id, "kwargs": settings.kwargs, "agent": settings.agent}

    def _check_origin(self, found: Any) -> None:
        if found != self.trained_on:
            raise OtherModelError(f"was trained on {found}, and this run is of {self.trained_on}")

"""The oracle: an agent that sees only the history, and is right at every step.

It proves each problem solvable: all that it knows is what an agent with a perfect memory knows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from seqenvs.observations import Encoding
from seqenvs.problem import Problem


class Oracle:
    """Answers by the problem's rule, from what it has been shown since the episode's start.

    Args:
        problem: The problem.
        encoding: The name of the encoding of the observations that it will see.
    """

    def __init__(self, problem: Problem, encoding: str = "one_hot") -> None:
        self.problem = problem
        self.encode = Encoding(problem.input_spec, encoding)

    @classmethod
    def of(cls, env: Any) -> Oracle:
        """The oracle of a seqenvs environment, single or vector, wrapped or not."""
        inner = env.unwrapped
        if not isinstance(getattr(inner, "problem", None), Problem):
            raise TypeError(f"env must be a seqenvs environment, got {env}")
        return cls(inner.problem, inner.encode.name)

    def predict(
        self,
        observation: Any,
        state: tuple[Any, ...] | None = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[Any, tuple[Any, ...]]:
        """Answer one observation, or one of each of B episodes; the interface of Stable-Baselines3.

        Args:
            observation: (*space.shape) or (B, *space.shape), with or without extras and a stack.
            state: What the last call returned; None begins new episodes.
            episode_start: bool or (B,) bool, whether an episode begins with this observation.
            deterministic: Has no effect: there is nothing to draw.

        Returns:
            The answer, int64 or the action space's dtype, or (B, ...) of them; and the new state.
        """
        observation = np.asarray(observation)
        single = observation.ndim == len(self.encode.space.shape or ())
        shown = self.encode.decode(observation[None] if single else observation)
        size, steps = len(shown), self.problem.num_steps[1]
        if state is None:
            state = self._blank(steps, shown), np.zeros(size, np.int64)
        history, time = state[0].copy(), state[1].copy()
        if episode_start is not None:
            begins = np.broadcast_to(np.asarray(episode_start, bool), size)
            history[:, begins] = self.problem.input_spec.blank
            time[begins] = 0
        now = np.minimum(time, steps - 1)  # the blank after the end is no step
        columns = np.arange(size)
        history[now, columns] = shown
        # Whatever the length may be, an answer that is due now is due as if the episode ended here.
        targets, _ = self.problem.answer(history, np.clip(now + 1, *self.problem.num_steps))
        answers = self._valid(targets[now, columns])
        return answers[0] if single else answers, (history, time + 1)

    def _valid(self, targets: Any) -> Any:
        """Where no answer is due, a target may be any number; bring it into the space."""
        space = self.problem.action_space
        if isinstance(space, spaces.Box):
            return targets.clip(space.low, space.high).astype(space.dtype)
        most = space.n if isinstance(space, spaces.Discrete) else space.nvec
        return targets.clip(0, most - 1).astype(space.dtype)

    def _blank(self, steps: int, shown: Any) -> Any:
        return np.full((steps, *shown.shape), self.problem.input_spec.blank, shown.dtype)

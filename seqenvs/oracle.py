"""The oracle: an agent that sees only past inputs and always answers right.

It shows that a problem can be solved: it knows no more than an agent with a perfect memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from seqenvs.observations import Encoding
from seqenvs.problem import Problem


class Oracle:
    """An agent that answers by the problem's rule, from the inputs since the episode's start.

    Args:
        problem: The problem.
        encoding: The encoding of the observations, see `seqenvs.observations.Encoding`.
    """

    def __init__(self, problem: Problem, encoding: str = "one_hot") -> None:
        self.problem = problem
        self.encode = Encoding(problem.input_spec, encoding)

    @classmethod
    def of(cls, env: Any) -> Oracle:
        """Return the oracle of a single or vector environment of seqenvs, which may be wrapped.

        Raises:
            TypeError: The environment is not one of seqenvs.
        """
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
        """Answer the observation of one or of B environments, as in Stable-Baselines3.

        Args:
            observation: (*space.shape) or (B, *space.shape), with or without extra features and
                stacked frames.
            state: The state that the last call returned, or None to begin new episodes.
            episode_start: bool or (B,) bool, whether an episode begins with this observation.
            deterministic: Has no effect, because the oracle draws nothing.

        Returns:
            A pair: the action or (B, ...) actions, of the action space's dtype, and the new state.
        """
        observation = np.asarray(observation)
        single = observation.ndim == len(self.encode.space.shape or ())
        inputs = self.encode.decode(observation[None] if single else observation)
        size, steps = len(inputs), self.problem.num_steps[1]
        if state is None:
            blank = np.full((steps, *inputs.shape), self.problem.input_spec.blank, inputs.dtype)
            state = blank, np.zeros(size, np.int64)
        history, time = state[0].copy(), state[1].copy()
        if episode_start is not None:
            begins = np.broadcast_to(np.asarray(episode_start, bool), size)
            history[:, begins] = self.problem.input_spec.blank
            time[begins] = 0
        now = np.minimum(time, steps - 1)  # the blank after the end is not a step
        columns = np.arange(size)
        history[now, columns] = inputs
        # The length is not known. An answer that is due now is also right if the episode ends now.
        targets, _ = self.problem.answer(history, np.clip(now + 1, *self.problem.num_steps))
        answers = self._valid(targets[now, columns])
        return answers[0] if single else answers, (history, time + 1)

    def _valid(self, targets: Any) -> Any:
        """Clip targets to the action space: where no answer is due, they may be any number."""
        space = self.problem.action_space
        if isinstance(space, spaces.Box):
            return targets.clip(space.low, space.high).astype(space.dtype)
        most = space.n if isinstance(space, spaces.Discrete) else space.nvec
        return targets.clip(0, most - 1).astype(space.dtype)

"""What agents and their evaluation must know about an environment, seqenvs' own or third-party.

A third-party environment can be evaluated if the info of each step reports ``target``, the right
answer in its action space, and ``due``, whether that answer counts. Its rewards may be anything: an
agent that learns from rewards learns from these, but all agents are measured by their due answers.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from seqenvs.bounds import Bounds
from seqenvs.env import SequenceEnv
from seqenvs.problem import Problem, known_bounds
from seqenvs.scoring import judge

MOST_STEPS = 10_000  # of the episode that is played to learn how long episodes are


@dataclass(frozen=True)
class Task:
    """An environment that has right answers.

    Attributes:
        id: The id of the environment.
        kwargs: Its parameters.
        observation_space: The space of a single environment.
        action_space: The space of a single environment.
        problem: The problem of a seqenvs environment; None for a third-party environment.
        blank: The observation that shows nothing; None if there is none.
        num_steps: The largest number of time steps of an episode; None if it is not known.
        usual_steps: The length of one episode that was played; for a problem, the largest.
        bounds: The best returns without memory, given what the agent observes; None if not known.
        no_memory_score: Why there is no memory score; empty if there is one.
    """

    id: str
    kwargs: dict[str, Any]
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    problem: Problem | None
    blank: Any
    num_steps: int | None
    usual_steps: int
    bounds: Bounds | None
    no_memory_score: str

    def memory_score(self, mean_return: float) -> float | None:
        """Return the memory score; None if the task needs no memory or has no known bounds."""
        if self.bounds is None or self.no_memory_score:
            return None
        return self.bounds.memory_score(mean_return)

    def judge(
        self, answers: NDArray[Any], targets: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Score answers (..., *action_space.shape): the scores in [0, 1], and which are right."""
        if self.problem is not None:
            return self.problem.judge(answers, targets)
        return judge(self.action_space, answers, targets, 0.0)

    def env(self) -> gymnasium.Env[Any, Any]:
        """Make a single environment."""
        env: gymnasium.Env[Any, Any] = gymnasium.make(
            self.id, disable_env_checker=True, **self.kwargs
        )
        return env if self.problem is not None else _UniformInfo(env)

    def vector_env(self, num_envs: int) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
        """Make a vector environment with autoreset disabled, as `seqenvs.evaluation.play` needs."""
        if self.problem is not None:
            return gymnasium.make_vec(
                self.id, num_envs, autoreset_mode=AutoresetMode.DISABLED.value, **self.kwargs
            )
        return gymnasium.vector.SyncVectorEnv(
            [self.env] * num_envs, autoreset_mode=AutoresetMode.DISABLED
        )


def find_task(id: str, kwargs: dict[str, Any]) -> Task:
    """Make an environment and find out what agents must know about it.

    Args:
        id: A registered id, or ``"module:Id"`` of one that the module registers.
        kwargs: Parameters of the environment.

    Raises:
        TypeError: The environment reports no right answers, or has no such parameter.
        ValueError, ImportError, gymnasium.error.Error: The environment cannot be made.
    """
    env: gymnasium.Env[Any, Any] = gymnasium.make(id, disable_env_checker=True, **kwargs)
    inner, spec = env.unwrapped, env.spec
    assert spec is not None, "gymnasium.make sets it"
    problem, blank, bounds, num_steps = None, None, None, spec.max_episode_steps
    no_memory_score = "the bounds of this environment are not known"
    with closing(env):
        if isinstance(inner, SequenceEnv) and spec.vector_entry_point is not None:
            problem, blank = inner.problem, inner.encode.blank
            bounds, no_memory_score = _bounds(problem, spec.kwargs)
            num_steps = usual_steps = problem.num_steps[1]
        else:
            usual_steps = _play_through(env, id)
    observed, answered = env.observation_space, env.action_space
    known = problem, blank, num_steps, usual_steps, bounds, no_memory_score
    return Task(id, kwargs, observed, answered, *known)


def _bounds(problem: Problem, kwargs: dict[str, Any]) -> tuple[Bounds | None, str]:
    """The bounds that hold for what the agent observes, or None; why there is no memory score."""
    bounds = known_bounds(problem)
    if bounds is None:
        return None, "the bounds of this problem are not known"
    extras = tuple(kwargs.get("extras", ()))
    reasons = {
        "a frame stack shows earlier observations": kwargs.get("stack_size", 1) > 1,
        "'previous_action' tells the agent about earlier steps": "previous_action" in extras,
        "'previous_reward' tells the agent about earlier steps": "previous_reward" in extras,
        "'episode_start' tells the agent which step is the first": (
            "episode_start" in extras and "time_step" not in extras
        ),
    }
    for reason, holds in reasons.items():
        if holds:
            return None, f"the bounds do not hold: {reason}"
    if "time_step" in extras:  # the best policy without memory is then the one with a clock
        bounds = replace(bounds, memoryless=bounds.clock)
    return bounds, "" if bounds.needs_memory else "this problem needs no memory"


def answer_of(info: dict[str, Any]) -> Any:
    """Return the right answer that the info of a step reports; None if no answer was due.

    Raises:
        KeyError: The info lacks ``target`` or ``due``.
    """
    for name in ("target", "due"):
        if name not in info:
            raise KeyError(f"env must report {name!r} in the info of each step, got {info!r}")
    return info["target"] if info["due"] else None


def _play_through(env: gymnasium.Env[Any, Any], id: str) -> int:
    """Play an episode with random actions, check what it reports, and return its length."""
    env.reset(seed=0)
    env.action_space.seed(0)
    space = env.action_space
    for steps in range(1, MOST_STEPS + 1):
        _, _, terminated, truncated, info = env.step(space.sample())
        try:
            target = answer_of(info)
        except KeyError as error:
            raise TypeError(
                "id must be one that seqenvs.register registered, or of an environment that "
                f"reports 'target' and 'due' in the info of each step, got {id!r}, which reports "
                f"{', '.join(map(repr, sorted(info))) or 'nothing'}"
            ) from error
        if target is not None and np.asarray(target, space.dtype) not in space:
            raise TypeError(f"id {id!r} must report a 'target' in {space}, got {target!r}")
        if terminated or truncated:
            return steps
    raise TypeError(
        f"id {id!r} must have episodes that end: one went on for {MOST_STEPS:,} steps; "
        "gymnasium.register takes max_episode_steps"
    )


class _UniformInfo(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Report ``target`` and ``due`` with one dtype and shape, and the score of each episode.

    Vector environments cannot stack a target that is an array in one sub-environment and None in
    another. Stable-Baselines3 takes the return of an episode from ``episode``, which is here the
    mean score of the due answers.
    """

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self._scores: list[float] = []
        self._success, self._steps = True, 0
        observation, _ = self.env.reset(**kwargs)
        return observation, {}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Answer, and see the next observation."""
        observation, reward, terminated, truncated, found = self.env.step(action)
        target, space = answer_of(found), self.action_space
        due = target is not None
        if due:
            score, right = judge(space, np.asarray(action), np.asarray(target), 0.0)
            self._scores.append(float(score))
            self._success &= bool(right)
        self._steps += 1
        reported = np.asarray(target if due else np.zeros(space.shape or ()), space.dtype)
        info = {"target": reported if reported.ndim else reported.item(), "due": due}
        if terminated or truncated:
            mean = float(np.mean(self._scores)) if self._scores else 0.0
            info["episode"] = {"r": mean, "l": self._steps}
            info["is_success"] = self._success
        return observation, float(reward), terminated, truncated, info

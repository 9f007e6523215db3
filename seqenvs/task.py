"""What agents need to know of an environment: of a problem of seqenvs, or of anybody's.

Anybody's environment is one whose steps report ``target``, the right answer in its action space,
and ``due``, whether that answer counts, in their info. What it pays may be anything: an agent that
learns from rewards learns from these, and all are measured by the answers that were due.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from agents.samples import answer_of, samples_from_env
from seqenvs import Bounds, Problem, SequenceEnv, batches
from seqenvs.bounds import known_bounds
from seqenvs.dataset import Samples
from seqenvs.scoring import judge

MOST_STEPS = 10_000  # of the episode that is played to know an environment


@dataclass(frozen=True)
class Task:
    """An environment that has right answers.

    Attributes:
        id: The environment.
        kwargs: Its parameters.
        observation_space: Of a single environment.
        action_space: Of a single environment.
        problem: None of an environment that is not of seqenvs.
        blank: The observation that shows nothing; None if there is none that is known.
        num_steps: The most time steps of an episode; None if that is not known.
        usual_steps: Of an episode that was played; of a problem, the most.
        bounds: None if they are not known.
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

    @property
    def tolerance(self) -> float:
        """Of Box answers, how close counts as right."""
        return 0.0 if self.problem is None else self.problem.tolerance

    def memory_score(self, mean_return: float) -> float | None:
        """None where the problem needs no memory, or no bounds are known."""
        if self.bounds is None or not self.bounds.needs_memory:
            return None
        return self.bounds.memory_score(mean_return)

    def judge(
        self, answers: NDArray[Any], targets: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Scores in [0, 1] of answers (..., *action_space.shape), and whether they are right."""
        if self.problem is not None:
            return self.problem.judge(answers, targets)
        return judge(self.action_space, answers, targets, 0.0)

    def env(self) -> gymnasium.Env[Any, Any]:
        """One environment."""
        env: gymnasium.Env[Any, Any] = gymnasium.make(
            self.id, disable_env_checker=True, **self.kwargs
        )
        return env if self.problem is not None else _Answered(env)

    def vector_env(self, num_envs: int) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
        """Many of them, with ``autoreset_mode="Disabled"``."""
        if self.problem is not None:
            return gymnasium.make_vec(
                self.id, num_envs, autoreset_mode=AutoresetMode.DISABLED.value, **self.kwargs
            )
        return gymnasium.vector.SyncVectorEnv(
            [self.env] * num_envs, autoreset_mode=AutoresetMode.DISABLED
        )

    def samples(self, batch_size: int, *, seed: int, play: bool = False) -> Iterator[Samples]:
        """Batches of fresh episodes without end.

        Args:
            batch_size: N.
            seed: Of the episodes.
            play: Play the environment, even where its episodes could be had without.
        """
        if self.problem is None or play:
            return samples_from_env(self.env(), batch_size, seed=seed)
        return batches(self.id, batch_size, seed=seed, **self.kwargs)


def find_task(id: str, kwargs: dict[str, Any]) -> Task:
    """Make an environment, and see what it is.

    Args:
        id: A registered id, or ``"module:Id"`` of one that the module registers.
        kwargs: Its parameters.

    Raises:
        TypeError: An environment without right answers, or a parameter that it doesn't have.
        ValueError, ImportError, gymnasium.error.Error: It can't be made.
    """
    env: gymnasium.Env[Any, Any] = gymnasium.make(id, disable_env_checker=True, **kwargs)
    inner, spec = env.unwrapped, env.spec
    assert spec is not None, "gymnasium.make sets it"
    known: dict[str, Any] = {"problem": None, "blank": None, "bounds": None}
    if isinstance(inner, SequenceEnv) and spec.vector_entry_point is not None:
        known["problem"], known["blank"] = inner.problem, inner.encode.blank
        known["bounds"] = known_bounds(inner.problem)
        usual = inner.problem.num_steps[1]
        most: int | None = usual
    else:
        usual, most = _play_through(env, id), spec.max_episode_steps
    env.close()
    return Task(
        id=id,
        kwargs=kwargs,
        observation_space=env.observation_space,
        action_space=env.action_space,
        num_steps=most,
        usual_steps=usual,
        **known,
    )


def _play_through(env: gymnasium.Env[Any, Any], id: str) -> int:
    """Play an episode with random actions, check what it reports, and say how long it was."""
    env.reset(seed=0)
    env.action_space.seed(0)
    for steps in range(1, MOST_STEPS + 1):
        _, _, terminated, truncated, info = env.step(env.action_space.sample())
        try:
            target = answer_of(info)
        except KeyError as error:
            raise TypeError(
                "id must be one that seqenvs.register registered, or of an environment that "
                f"reports 'target' and 'due' in the info of each step, got {id!r}, which reports "
                f"{', '.join(map(repr, sorted(info))) or 'nothing'}"
            ) from error
        if target is not None and np.asarray(target, env.action_space.dtype) not in (
            env.action_space
        ):
            raise TypeError(
                f"id {id!r} must report a 'target' in {env.action_space}, got {target!r}"
            )
        if terminated or truncated:
            return steps
    raise TypeError(
        f"id {id!r} must have episodes that end: one went on for {MOST_STEPS:,} steps; "
        "gymnasium.register takes max_episode_steps"
    )


class _Answered(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Report alike at every step, and at an episode's end what its answers were worth.

    Vector environments can't stack what is an array in one stream and None in another. ``episode``
    is what Stable-Baselines3 takes an episode's return from.
    """

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self._scores: list[float] = []
        self._success, self._steps = True, 0
        observation, _ = self.env.reset(**kwargs)
        return observation, {}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Answer."""
        observation, reward, terminated, truncated, found = self.env.step(action)
        target, space = answer_of(found), self.action_space
        due = target is not None
        if due:
            score, right = judge(space, np.asarray(action), np.asarray(target), 0.0)
            self._scores.append(float(score))
            self._success &= bool(right)
        self._steps += 1
        shown = np.asarray(target if due else np.zeros(space.shape or ()), space.dtype)
        info: dict[str, Any] = {"target": shown if shown.ndim else shown.item(), "due": due}
        if terminated or truncated:
            mean = float(np.mean(self._scores)) if self._scores else 0.0
            info["episode"] = {"r": mean, "l": self._steps}
            info["is_success"] = self._success
        return observation, float(reward), terminated, truncated, info

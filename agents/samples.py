"""Batches of episodes that are played. Moves to seqenvs.task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np

from seqenvs.dataset import Samples
from seqenvs.validation import check_int


def samples_from_env(
    env: gymnasium.Env[Any, Any], batch_size: int, *, seed: int
) -> Iterator[Samples]:
    """Play an environment with random actions, and collect what it shows and what is right.

    For an open-loop problem the actions do not matter: a seqenvs environment gives the batches of
    `seqenvs.batches` with the same seed. Truncated episodes count as ended.

    Args:
        env: A single environment whose ``step`` reports ``target`` and ``due`` in its info.
        batch_size: N.
        seed: Of the first ``reset``, and of the actions.

    Yields:
        `Samples`, padded to the most steps that ``env.unwrapped.problem.num_steps`` allows, or
        without one, to the longest episode of the batch. Past an episode's end the final
        observation is repeated.

    Raises:
        TypeError, ValueError: An argument that makes no sense, at the call.
        KeyError: The environment does not report what is needed, at the first step.
    """
    check_int("batch_size", batch_size, 1)
    env.action_space.seed(check_int("seed", seed, 0))
    problem = getattr(env.unwrapped, "problem", None)
    return _collect(env, batch_size, seed, getattr(problem, "num_steps", (0, 0))[1])


def _collect(
    env: gymnasium.Env[Any, Any], batch_size: int, seed: int | None, steps: int
) -> Iterator[Samples]:
    shown, asked = env.observation_space, env.action_space
    while True:
        episodes = []
        for _ in range(batch_size):
            episodes.append(_play(env, seed))
            seed = None
        longest = max(steps, *(len(targets) for _, targets in episodes))
        X = np.empty((batch_size, longest, *(shown.shape or ())), shown.dtype)  # noqa: N806
        y = np.zeros((batch_size, longest, *(asked.shape or ())), asked.dtype)
        mask = np.zeros((batch_size, longest), bool)
        for k, (observations, targets) in enumerate(episodes):
            X[k, : len(targets)] = observations[:-1]
            X[k, len(targets) :] = observations[-1]
            for time, target in enumerate(targets):
                if target is not None:
                    y[k, time], mask[k, time] = target, True
        yield Samples(X, y, mask)


def _play(env: gymnasium.Env[Any, Any], seed: int | None) -> tuple[list[Any], list[Any]]:
    """An episode's observations, with the final one, and its targets, None where none is due."""
    observation, _ = env.reset(seed=seed)
    observations, targets, ended = [np.array(observation)], [], False
    while not ended:
        observation, _, terminated, truncated, info = env.step(env.action_space.sample())
        target = answer_of(info)
        observations.append(np.array(observation))  # a copy: the environment may reuse its array
        targets.append(None if target is None else np.array(target))
        ended = terminated or truncated
    return observations, targets


def answer_of(info: dict[str, Any]) -> Any:
    """The right answer to the step that an environment reports on; None if none was due.

    Raises:
        KeyError: It does not report what is needed.
    """
    for name in ("target", "due"):
        if name not in info:
            raise KeyError(f"env must report {name!r} in the info of each step, got {info!r}")
    return info["target"] if info["due"] else None

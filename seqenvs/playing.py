"""The interface of agents, and the one loop that plays episodes with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from seqenvs.dataset import Samples, batches
from seqenvs.task import Task
from seqenvs.validation import check_int


class Agent(Protocol):
    """What `evaluate` takes: a Stable-Baselines3 model, `seqenvs.Oracle`, or your own class.

    Optional attributes:

    - ``sees_future``: if True, the agent answers whole episodes instead of single steps, by
      ``answer(observations (N, T, ...)) -> (N, T) or (N, T, K)``.
    - ``predict_with_confidence(observation, state, episode_start)`` returns the actions, their
      probabilities (N,) or None, and the state; ``answer_with_confidence(observations)`` returns
      the answers and their probabilities (N, T) or None. Recordings show these.

    For the benchmark, an agent also has ``learn(id, *, kwargs, steps, seed)``, which may be a
    generator that yields the number of time steps learned from so far. Optional are ``save(path)``
    and ``load(path)``, so that an interrupted job resumes; ``learns_from``, either ``"rewards"``
    or ``"answers"``; and ``curve``, a list of ``(steps, mean_return)``.
    """

    def predict(
        self,
        observation: Any,
        state: Any = ...,
        episode_start: Any = ...,
        deterministic: bool = ...,
    ) -> tuple[Any, Any]:
        """Return the actions for N observations, and the state for the next call.

        Args:
            observation: (N, *observation_space.shape).
            state: What the last call returned; None in the first call.
            episode_start: (N,) bool, True where an episode begins with this observation. The
                agent must forget the state there.
            deterministic: Return the best actions instead of sampling them.
        """


class RandomAgent:
    """Answers uniformly at random from the action space of a vector environment."""

    def __init__(self, env: VectorEnv[Any, Any, Any], seed: int) -> None:
        self._space = env.action_space
        self._space.seed(seed)

    def predict(self, *_: Any, **__: Any) -> tuple[Any, None]:
        """Return random actions."""
        return self._space.sample(), None


class PlayedStep(NamedTuple):
    """One time step of N sub-environments.

    Attributes:
        observation: (N, ...), what the agent saw before it acted.
        action: (N, ...), what it answered.
        confidence: (N,), the probabilities that the agent gave to its actions; None if unknown.
        reward: (N,) float.
        target: (N, ...), the right answers; without meaning where no answer was due.
        due: (N,) bool, whether an answer was due.
        ended: (N,) bool, whether the episode ended with this step.
        next_observation: (N, ...), what followed; the final observation where the episode ended.
        time: (N,) int, the time step within the episode, from 0.
        episode: (N,) int, the number of the episode, counted from 0 in the order in which the
            episodes began, lowest sub-environment first.
        active: (N,) bool, whether this episode is one of those that were asked for.
    """

    observation: Any
    action: Any
    confidence: Any
    reward: Any
    target: Any
    due: NDArray[np.bool_]
    ended: NDArray[np.bool_]
    next_observation: Any
    time: NDArray[np.int64]
    episode: NDArray[np.int64]
    active: NDArray[np.bool_]


def play(
    agent: Agent,
    env: VectorEnv[Any, Any, Any],
    *,
    episodes: int | None = None,
    seed: int | None = None,
    options: dict[str, Any] | None = None,
    deterministic: bool = True,
    confidence: bool = False,
) -> Iterator[PlayedStep]:
    """Play episodes, and yield one `PlayedStep` for each step of the vector environment.

    The first ``episodes`` episodes count, in the order in which they begin. To count the first that
    end would favour short ones.

    Args:
        agent: The agent. Its state is passed on from call to call.
        env: A vector environment with autoreset disabled, whose info has ``target`` and ``due``.
        episodes: How many to play; without end if None.
        seed: Of the first reset.
        options: Of the first reset.
        deterministic: Passed to ``predict``.
        confidence: Call ``predict_with_confidence`` instead, where the agent has it.

    Raises:
        ValueError: The vector environment resets by itself.
        KeyError: Its info lacks ``target`` or ``due``.
    """
    mode = env.metadata.get("autoreset_mode")
    if mode != AutoresetMode.DISABLED:
        raise ValueError(f"env must have autoreset_mode 'Disabled', got {mode!r}")
    confident: Any = getattr(agent, "predict_with_confidence", None) if confidence else None
    normalizer = getattr(agent, "get_vec_normalize_env", lambda: None)()  # Stable-Baselines3's
    size = env.num_envs
    time, episode, began = np.zeros(size, np.int64), np.arange(size), size
    most = left = np.inf if episodes is None else episodes
    start, state, sure = np.ones(size, bool), None, None
    observation, _ = env.reset(seed=seed, options=options)
    while True:
        seen = observation if normalizer is None else normalizer.normalize_obs(observation)
        if confident is not None:
            action, sure, state = confident(seen, state, start)
        else:
            action, state = agent.predict(
                seen, state=state, episode_start=start, deterministic=deterministic
            )
        action = np.asarray(action)
        following, reward, terminated, truncated, info = env.step(action)
        ended = np.asarray(terminated | truncated)
        active = episode < most
        answered = observation, action, sure, reward, info["target"], info["due"]
        yield PlayedStep(*answered, ended, following, time, episode, active)
        left -= int((ended & active).sum())
        if left <= 0:
            return
        observation, start, time = following, ended, np.where(ended, 0, time + 1)
        if ended.any():
            episode = episode.copy()
            episode[ended] = np.arange(began, began + ended.sum())
            began += int(ended.sum())
            observation, _ = env.reset(options={"reset_mask": ended.copy()})


def sample_batches(
    task: Task, batch_size: int, *, seed: int, play_env: bool = False
) -> Iterator[Samples]:
    """Yield supervised batches of fresh episodes of any environment, without end.

    The batches of a problem are those of `seqenvs.batches`. A third-party environment is played
    with random actions.

    Args:
        task: The environment.
        batch_size: N, the number of episodes of a batch.
        seed: Of the episodes, and of the random actions.
        play_env: Play a seqenvs environment, too. Since actions do not change what it shows, the
            batches are the same.

    Yields:
        `Samples`, as long as the longest episode that is possible; for a third-party environment,
        as the longest of the batch. After the end of an episode the final observation is repeated.

    Raises:
        TypeError, ValueError: An argument is wrong; raised at the call.
        KeyError: The environment does not report ``target`` and ``due``; raised at the first step.
    """
    check_int("batch_size", batch_size, 1)
    check_int("seed", seed, 0)
    if task.problem is None or play_env:
        return _played_batches(task, batch_size, seed)
    return batches(task.id, batch_size, seed=seed, **task.kwargs)


def _played_batches(task: Task, size: int, seed: int) -> Iterator[Samples]:
    env = task.vector_env(size)
    kept: list[PlayedStep] = []
    ended: set[int] = set()
    batch = range(size)  # the numbers of its episodes
    for step in play(RandomAgent(env, seed), env, seed=seed):
        kept.append(step)
        ended.update(step.episode[step.ended].tolist())
        while step.ended.any() and ended.issuperset(batch):
            yield _batch(kept, batch, task)
            ended.difference_update(batch)
            batch = range(batch.stop, batch.stop + size)
            kept = [one for one in kept if (one.episode >= batch.start).any()]


def _batch(steps: list[PlayedStep], batch: range, task: Task) -> Samples:
    """Sort the steps of these episodes into samples."""
    sample = np.stack([step.episode for step in steps]) - batch.start
    chosen = (sample >= 0) & (sample < len(batch))
    sample = sample[chosen]

    def of_all(name: str) -> Any:
        return np.stack([getattr(step, name) for step in steps])[chosen]

    time, ended, due, shown = (of_all(name) for name in ("time", "ended", "due", "observation"))
    least, space = 0 if task.problem is None else task.usual_steps, task.action_space
    shape = len(batch), max(least, int(time.max()) + 1)
    X = np.empty((*shape, *shown.shape[1:]), shown.dtype)  # noqa: N806
    X[sample[ended]] = of_all("next_observation")[ended][:, None]
    X[sample, time] = shown
    y, mask = np.zeros((*shape, *(space.shape or ())), space.dtype), np.zeros(shape, bool)
    y[sample[due], time[due]] = of_all("target")[due]
    mask[sample[due], time[due]] = True
    return Samples(X, y, mask)

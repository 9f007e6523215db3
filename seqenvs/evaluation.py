"""Evaluate any agent that has ``predict``, on fresh episodes, with its states handled right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from seqenvs import Bounds
from seqenvs.task import Task, find_task

SEED = 1_000_000  # one for all runs, so that they are compared on the same episodes
MOST_STREAMS = 250
MOST_ROWS = 24  # of the table of accuracies


class Agent(Protocol):
    """What is evaluated: an SB3 model or policy, `seqenvs.oracle.Oracle`, or your own.

    One that has a true attribute ``sees_future`` is shown whole episodes instead, all time steps at
    once, by ``answer((N, T, ...)) -> (N, T)``.
    """

    def predict(
        self,
        observation: Any,
        state: Any = ...,
        episode_start: Any = ...,
        deterministic: bool = ...,
    ) -> tuple[Any, Any]:
        """Answer (B, ...) observations; ``episode_start`` (B,) says where to forget the state."""


@dataclass(frozen=True)
class Evaluation:
    """What an agent reached.

    Attributes:
        id: The environment.
        kwargs: Its parameters.
        episodes: How many were played.
        seed: Of these episodes.
        mean_return: In [0, 1], the mean score of an episode's due answers; 1 is the optimum.
        standard_error: Of the mean return.
        success_rate: Part of the episodes in which every answer was right.
        bounds: chance, memoryless, clock and optimum; None where they are not known.
        memory_score: None where the problem needs no memory, or no bounds are known.
        accuracy: For each time step, the mean score of the answers due then; None if none was.
        sees_future: Whether the agent was shown whole sequences before it answered.
    """

    id: str
    kwargs: dict[str, Any]
    episodes: int
    seed: int
    mean_return: float
    standard_error: float
    success_rate: float
    bounds: dict[str, float] | None
    memory_score: float | None
    accuracy: list[float | None]
    sees_future: bool = False

    def to_json(self) -> str:
        """The evaluation as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def report(self) -> str:
        """The evaluation as text, at most 80 columns wide."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.id}: {self.episodes:,} episodes, seed {self.seed}"
        for name, value in self.kwargs.items():
            yield f"  {name} = {value!r}"
        yield ""
        if self.sees_future:
            yield "  This agent sees whole sequences before it answers: it could not act in them."
            yield ""
        table = dict(self.bounds or {})
        table["this agent"] = self.mean_return
        for name, value in sorted(table.items(), key=lambda row: row[1]):
            yield f"  {name:<12}{value:.4f}  {_bar(value)}"
        yield ""
        near = ""
        if self.bounds is not None:
            near = near_bound(Bounds(**self.bounds), self.mean_return, self.standard_error)
        error = f"standard error {self.standard_error:.4f}"
        yield f"  mean return   {self.mean_return:.4f}, {error}{near}"
        yield f"  success rate  {self.success_rate:.4f}, every answer of the episode right"
        if self.memory_score is not None:
            yield f"  memory score  {self.memory_score:.4f}, 0 as good as a clock, 1 perfect"
        elif self.bounds is None:
            yield "  memory score  unknown, as the bounds are"
        else:
            yield "  memory score  none: this problem needs no memory"
        yield ""
        yield "  time step   accuracy"
        step = -(-len(self.accuracy) // MOST_ROWS)
        for first in range(0, len(self.accuracy), step):
            last = min(first + step, len(self.accuracy)) - 1
            due = [value for value in self.accuracy[first : last + 1] if value is not None]
            label = f"{first}" if first == last else f"{first} .. {last}"
            mean = float(np.mean(due)) if due else None
            shown = "no answer is due" if mean is None else f"{mean:.4f}  {_bar(mean)}"
            yield f"  {label:>10}  {shown}"


def near_bound(bounds: Bounds, mean_return: float, standard_error: float) -> str:
    """Say which bound a return is at, within three standard errors; empty if at none."""
    for name in ("memoryless", "clock", "chance"):
        bound = getattr(bounds, name)
        if bound < bounds.optimum and abs(mean_return - bound) <= max(3 * standard_error, 0.002):
            return f", which is the {name} bound"
    return ""


def _bar(value: float) -> str:
    return "#" * round(50 * value)


def evaluate(
    agent: Agent,
    id: str,
    kwargs: dict[str, Any] | None = None,
    *,
    episodes: int = 1000,
    seed: int = SEED,
    deterministic: bool = True,
    progress: bool = False,
) -> Evaluation:
    """Play episodes and measure.

    Each stream plays a number of episodes that is fixed beforehand: to stop at the first so many
    to end would prefer short ones.

    Args:
        agent: The agent.
        id: A registered id; see `seqenvs.task` for whose environments can be evaluated.
        kwargs: Parameters of the environment.
        episodes: How many to play.
        seed: Of the episodes.
        deterministic: Passed to ``predict``.
        progress: Show a progress bar, where the output is a terminal.

    Raises:
        ValueError, TypeError, gymnasium.error.Error: The environment can't be made so.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    kwargs = kwargs or {}
    task, sees_future = find_task(id, kwargs), bool(getattr(agent, "sees_future", False))
    if sees_future:
        played = _show_whole(agent, task, episodes, seed)
    else:
        with tqdm(
            total=episodes, unit="episode", leave=False, disable=None if progress else True
        ) as bar:
            played = _play(agent, task, episodes, seed, deterministic, bar)
    returns, successes, score_sum, due_count = played
    mean_return = float(np.mean(returns))
    bounds = task.bounds
    return Evaluation(
        id=id,
        kwargs=kwargs,
        episodes=len(returns),
        seed=seed,
        mean_return=mean_return,
        standard_error=float(np.std(returns) / max(1, episodes - 1) ** 0.5),
        success_rate=float(np.mean(successes)),
        bounds=None if bounds is None else asdict(bounds),
        memory_score=task.memory_score(mean_return),
        accuracy=[
            None if count == 0 else float(total / count)
            for total, count in zip(score_sum, due_count, strict=True)
        ],
        sees_future=sees_future,
    )


def _play(
    agent: Agent, task: Task, episodes: int, seed: int, deterministic: bool, bar: tqdm[Any]
) -> tuple[Any, ...]:
    """Returns, successes, and for each time step the sum of scores and how many were due."""
    size = min(episodes, MOST_STREAMS)
    env = task.vector_env(size)
    left = np.array([(episodes + i) // size for i in range(size)])
    returns: list[float] = []
    successes: list[bool] = []
    times, scores = [np.zeros(0, np.int64)], [np.zeros(0)]
    asked, wrong, time = np.zeros((3, size), np.int64)
    total = np.zeros(size)
    observations, _ = env.reset(seed=seed)
    starts, state = np.ones(size, bool), None
    while left.any():
        actions, state = agent.predict(
            observations, state=state, episode_start=starts, deterministic=deterministic
        )
        observations, _, terminated, truncated, info = env.step(actions)
        starts, due = terminated | truncated, info["due"]
        score, right = task.judge(np.asarray(actions), info["target"])
        total += np.where(due, score, 0)
        asked += due
        wrong += due & ~right
        counted = (left > 0) & due
        times.append(time[counted])
        scores.append(score[counted].astype(np.float64))
        time += 1
        if starts.any():
            ended = starts & (left > 0)
            returns += (total[ended] / np.maximum(asked[ended], 1)).tolist()
            successes += (wrong[ended] == 0).tolist()
            left[ended] -= 1
            bar.update(int(ended.sum()))
            for kept in (total, asked, wrong, time):
                kept[starts] = 0
            observations, _ = env.reset(options={"reset_mask": starts})
    env.close()
    when, most = np.concatenate(times), task.usual_steps
    score_sum = np.bincount(when, np.concatenate(scores), minlength=most)
    return returns, successes, score_sum, np.bincount(when, minlength=most)


def _show_whole(agent: Any, task: Task, episodes: int, seed: int) -> tuple[Any, ...]:
    """The same as `_play`, of episodes that the agent sees from beginning to end."""
    samples = next(task.samples(episodes, seed=seed))
    score, right = task.judge(agent.answer(samples.X), samples.y)
    score, mask = np.where(samples.mask, score, 0.0), samples.mask
    returns = score.sum(axis=1) / np.maximum(mask.sum(axis=1), 1)
    return returns, (right | ~mask).all(axis=1), score.sum(axis=0), mask.sum(axis=0)

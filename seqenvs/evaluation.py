"""Measure what an agent reaches, and record what it does."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from seqenvs.bounds import Bounds
from seqenvs.playing import Agent, PlayedStep, RandomAgent, play, sample_batches
from seqenvs.task import Task, find_task
from seqenvs.validation import check_int

__all__ = [
    "Agent",
    "Episode",
    "Evaluation",
    "PlayedStep",
    "RandomAgent",
    "evaluate",
    "near_bound",
    "play",
    "record_episodes",
    "sample_batches",
]

SEED = 1_000_000  # of evaluations: all agents play the same episodes
MOST_ENVS = 250  # sub-environments that play side by side in an evaluation
MOST_ROWS = 24  # of the table of accuracies in a report
RECORDED_EPISODES, RECORDED_SEED = 4, 2_000_000
MOST_RECORDED = 32  # numbers of an observation that a recording keeps
DIGITS = 6  # of the numbers in a recording


@dataclass(frozen=True)
class Evaluation:
    """What an agent reached.

    Attributes:
        id: The id of the environment.
        kwargs: Its parameters.
        episodes: How many episodes were played.
        seed: The seed of the episodes.
        mean_return: The mean score of the due answers of an episode, in [0, 1]; 1 is the optimum.
        standard_error: The standard error of the mean return.
        success_rate: The fraction of episodes in which every answer was right.
        bounds: chance, memoryless, clock and optimum; None if they are not known or do not hold
            for what the agent was shown.
        memory_score: (mean return - clock) / (1 - clock); None if there is none.
        accuracy: The mean score of the answers that were due at each time step; None where no
            answer was due.
        sees_future: Whether the agent saw whole episodes before it answered.
        no_memory_score: Why there is no memory score; empty if there is one.
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
    no_memory_score: str = ""

    def to_json(self) -> str:
        """Return the evaluation as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def report(self) -> str:
        """Return the evaluation as text, at most 80 columns wide."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.id}: {self.episodes:,} episodes, seed {self.seed}"
        for name, value in self.kwargs.items():
            yield f"  {name} = {value!r}"
        yield ""
        if self.sees_future:
            yield "  This agent sees whole episodes before it answers, so it cannot act in them.\n"
        table = {**(self.bounds or {}), "this agent": self.mean_return}
        for name, value in sorted(table.items(), key=lambda row: row[1]):
            yield f"  {name:<12}{value:.4f}  {_bar(value)}"
        near = ""
        if self.bounds is not None:
            near = near_bound(Bounds(**self.bounds), self.mean_return, self.standard_error)
        error = f"standard error {self.standard_error:.4f}"
        yield f"\n  mean return   {self.mean_return:.4f}, {error}{near}"
        yield f"  success rate  {self.success_rate:.4f}, every answer of the episode right"
        if self.memory_score is not None:
            yield f"  memory score  {self.memory_score:.4f}, 0 as good as a clock, 1 perfect"
        else:
            said = f"memory score  none: {self.no_memory_score or 'not known'}"
            yield textwrap.fill(said, 80, initial_indent="  ", subsequent_indent=" " * 22)
        yield "\n  time step   accuracy"
        step = -(-len(self.accuracy) // MOST_ROWS)
        for first in range(0, len(self.accuracy), step):
            last = min(first + step, len(self.accuracy)) - 1
            due = [value for value in self.accuracy[first : last + 1] if value is not None]
            label = f"{first}" if first == last else f"{first} .. {last}"
            mean = float(np.mean(due)) if due else 0.0
            text = f"{mean:.4f}  {_bar(mean)}" if due else "no answer is due"
            yield f"  {label:>10}  {text}"


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
    *,
    episodes: int = 1000,
    seed: int = SEED,
    deterministic: bool = True,
    progress: bool = False,
    **kwargs: Any,
) -> Evaluation:
    """Play fresh episodes with an agent and measure what it reaches.

    Args:
        agent: An `Agent`, such as a model of Stable-Baselines3 or sb3-contrib, recurrent or not.
            If the model has a ``VecNormalize`` environment, its observations are normalized; other
            wrappers of its training are not applied.
        id: A registered id, such as ``"SeqEcho-v0"``; see `seqenvs.task` for third-party ones.
        episodes: How many episodes to play.
        seed: The seed of the episodes; the same for all agents, so that they can be compared.
        deterministic: Passed to ``predict``.
        progress: Show a progress bar, if the output is a terminal and tqdm is installed.
        **kwargs: Parameters of the environment, such as ``lag=4``.

    Raises:
        TypeError: The agent lacks ``predict``, or the environment has no such parameter.
        ValueError, gymnasium.error.Error: The environment cannot be made.

    Example:
        >>> import gymnasium, seqenvs
        >>> oracle = seqenvs.Oracle.of(gymnasium.make("SeqEcho-v0"))
        >>> seqenvs.evaluate(oracle, "SeqEcho-v0", episodes=100).memory_score
        1.0
    """
    check_int("episodes", episodes, 1)
    check_int("seed", seed, 0)
    sees_future = bool(getattr(agent, "sees_future", False))
    method = "answer" if sees_future else "predict"
    if isinstance(agent, type) or not callable(getattr(agent, method, None)):
        raise TypeError(f"agent must be an object that has {method}(), got {agent!r}")
    task = find_task(id, kwargs)
    if sees_future:
        answers = _whole_episodes(agent, task, episodes, seed)
    else:
        answers = _steps(agent, task, episodes, seed, deterministic, progress)
    episode, time, score, right = map(np.concatenate, zip(*answers, strict=True))
    due = np.maximum(np.bincount(episode, minlength=episodes), 1)
    returns = np.bincount(episode, score, episodes) / due
    failed = np.bincount(episode[~right], minlength=episodes) > 0
    count = np.bincount(time, minlength=task.usual_steps)
    total = np.bincount(time, score, task.usual_steps)
    mean_return = float(np.mean(returns))
    return Evaluation(
        id=id,
        kwargs=kwargs,
        episodes=episodes,
        seed=seed,
        mean_return=mean_return,
        standard_error=float(np.std(returns) / max(1, episodes - 1) ** 0.5),
        success_rate=float(np.mean(~failed)),
        bounds=None if task.bounds is None else asdict(task.bounds),
        memory_score=task.memory_score(mean_return),
        accuracy=[float(t / n) if n else None for t, n in zip(total, count, strict=True)],
        sees_future=sees_future,
        no_memory_score=task.no_memory_score,
    )


_Answers = tuple[Any, Any, Any, Any]  # episode, time, score and right of the answers that were due


def _steps(
    agent: Agent, task: Task, episodes: int, seed: int, deterministic: bool, progress: bool
) -> Iterator[_Answers]:
    env = task.vector_env(min(episodes, MOST_ENVS))
    bar: Any = None
    if progress:
        with suppress(ModuleNotFoundError):
            from tqdm import tqdm

            bar = tqdm(total=episodes, unit="episode", leave=False, disable=None)
    for step in play(agent, env, episodes=episodes, seed=seed, deterministic=deterministic):
        counted = step.due & step.active
        score, right = task.judge(step.action[counted], step.target[counted])
        yield step.episode[counted], step.time[counted], np.asarray(score, np.float64), right
        if bar is not None:
            bar.update(int((step.ended & step.active).sum()))
    if bar is not None:
        bar.close()
    env.close()


def _whole_episodes(agent: Any, task: Task, episodes: int, seed: int) -> Iterator[_Answers]:
    samples = next(sample_batches(task, episodes, seed=seed))
    answers = np.asarray(agent.answer(samples.X))
    episode, time = np.nonzero(samples.mask)
    score, right = task.judge(answers[samples.mask], samples.y[samples.mask])
    yield episode, time, np.asarray(score, np.float64), right


@dataclass(frozen=True)
class Episode:
    """A recorded episode. Each list has one item for each time step.

    Attributes:
        inputs: What was shown: a symbol, a number, a list of numbers, None for a blank, or the
            shape as text if it is too large to keep.
        targets: The right answers; without meaning where no answer was due.
        due: Whether an answer was due.
        answers: What the agent answered.
        confidence: The probability that the agent gave to its answer; None if unknown.
        scores: The scores of the answers in [0, 1]; None where no answer was due.
    """

    inputs: list[Any]
    targets: list[Any]
    due: list[bool]
    answers: list[Any]
    confidence: list[float | None]
    scores: list[float | None]

    def __post_init__(self) -> None:
        if len({len(getattr(self, each.name)) for each in fields(self)}) != 1:
            raise ValueError("the lists of an episode must have the same length")


def record_episodes(agent: Any, id: str, kwargs: dict[str, Any]) -> list[Episode]:
    """Play a few fresh episodes, the same for all agents, and keep all that happens.

    Args:
        agent: An `Agent`.
        id: A registered id.
        kwargs: Parameters of the environment.

    Raises:
        TypeError, ValueError, gymnasium.error.Error: As `evaluate`.
    """
    task, count = find_task(id, kwargs), RECORDED_EPISODES
    env = task.vector_env(count)
    begin: dict[str, Any] = {"seed": RECORDED_SEED}
    if task.problem is not None:
        batch = task.problem.batch(np.random.default_rng(RECORDED_SEED), count)
        given = [batch.inputs[:length, k].tolist() for k, length in enumerate(batch.lengths)]
        begin = {"options": {"inputs": given}}
    sees_future = bool(getattr(agent, "sees_future", False))
    player = RandomAgent(env, RECORDED_SEED) if sees_future else agent
    steps = list(play(player, env, episodes=count, confidence=True, **begin))
    recorded = []
    for k in range(count):
        mine = [step for step in steps if step.episode[k] == k]
        seen, answers, targets = (
            np.stack([getattr(step, name)[k] for step in mine])
            for name in ("observation", "action", "target")
        )
        confidence = [None if step.confidence is None else step.confidence[k] for step in mine]
        if sees_future and hasattr(agent, "answer_with_confidence"):
            (answers,), sure = agent.answer_with_confidence(seen[None])
            confidence = confidence if sure is None else list(sure[0])
        elif sees_future:
            (answers,) = agent.answer(seen[None])
        scores, _ = task.judge(answers, targets)
        due = [bool(step.due[k]) for step in mine]
        rounded = [plain(float(score)) for score in scores]
        recorded.append(
            Episode(
                inputs=_plain_inputs(seen, task, env),
                targets=[plain(each) for each in targets],
                due=due,
                answers=[plain(each) for each in answers],
                confidence=[plain(each) for each in confidence],
                scores=[score if d else None for score, d in zip(rounded, due, strict=True)],
            )
        )
    env.close()
    return recorded


def _plain_inputs(seen: Any, task: Task, env: Any) -> list[Any]:
    """The inputs that observations (T, ...) show; a large observation is only its shape."""
    if task.problem is None:
        large = seen[0].size > MOST_RECORDED
        shape = f"{' x '.join(map(str, seen.shape[1:]))} numbers"
        return [shape if large else plain(each) for each in seen]
    inputs = env.encode.decode(seen)
    blank = (inputs == task.problem.input_spec.blank).reshape(len(inputs), -1).all(axis=1)
    return [None if hidden else plain(each) for each, hidden in zip(inputs, blank, strict=True)]


def plain(value: Any) -> Any:
    """Turn numbers into JSON values: rounded, one number without its list, None for NaN."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.item() if value.size == 1 else value.tolist()
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return round(value, DIGITS) if np.isfinite(value) else None
    return value

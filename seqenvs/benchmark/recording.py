"""Record played episodes, for the report's player."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from seqenvs.benchmark.results import Episode
from seqenvs.task import Task, find_task

SHOWN_EPISODES = 4
SHOWN_SEED = 2_000_000
MOST_SHOWN = 32  # numbers of an observation that are kept
DIGITS = 6


def play(agent: Any, id: str, kwargs: dict[str, Any]) -> list[Episode]:
    """Play a few fresh episodes, the same for all agents, and keep all that happens."""
    task = find_task(id, kwargs)
    env, episodes = task.env(), []
    for begin, shown in _beginnings(task):
        observations, answers, confidence, targets, due = _play_one(agent, env, begin)
        scores, _ = task.judge(answers, targets)
        episode = Episode(
            inputs=[_shown(each) for each in observations] if shown is None else shown,
            targets=[_plain(each) for each in targets],
            due=due,
            answers=[_plain(each) for each in answers],
            confidence=confidence,
            scores=[
                _plain(float(score)) if asked else None
                for score, asked in zip(scores, due, strict=True)
            ],
        )
        episodes.append(episode)
    env.close()
    return episodes


def _beginnings(task: Task) -> Iterator[tuple[dict[str, Any], list[Any] | None]]:
    """What ``reset`` is given for each episode, and in a problem's own terms what it shows."""
    problem = task.problem
    if problem is None:
        for k in range(SHOWN_EPISODES):
            yield {"seed": SHOWN_SEED + k}, None
        return
    batch = problem.batch(np.random.default_rng(SHOWN_SEED), SHOWN_EPISODES)
    for k, length in enumerate(batch.lengths.tolist()):
        inputs = batch.inputs[:length, k]
        blank = (inputs == problem.input_spec.blank).reshape(length, -1).all(axis=1)
        shown = [None if empty else _plain(each) for each, empty in zip(inputs, blank, strict=True)]
        yield {"options": {"inputs": inputs.tolist()}}, shown


def _play_one(agent: Any, env: Any, begin: dict[str, Any]) -> tuple[Any, ...]:
    """Observations, answers, how sure each of them is, targets, and where one was due."""
    observation, _ = env.reset(**begin)
    observations: list[Any] = []
    answers: list[Any] = []
    confidence: list[float | None] = []
    targets: list[Any] = []
    due: list[bool] = []
    sees_future = bool(getattr(agent, "sees_future", False))
    state, started, ended = None, np.ones(1, bool), False
    while not ended:
        observations.append(np.array(observation))  # a copy: the environment may reuse its array
        seen = observations[-1][None]
        if sees_future:  # it is asked when all has been shown
            answer, sure = [env.action_space.sample()], None
        elif hasattr(agent, "predict_with_confidence"):
            answer, sure, state = agent.predict_with_confidence(seen, state, started)
        else:
            answer, state = agent.predict(
                seen, state=state, episode_start=started, deterministic=True
            )
            sure = None
        started = np.zeros(1, bool)
        answers.append(np.asarray(answer)[0])
        confidence.append(None if sure is None else _plain(float(sure[0])))
        observation, _, terminated, truncated, info = env.step(answers[-1])
        targets.append(info["target"])
        due.append(bool(info["due"]))
        ended = terminated or truncated
    given: Any = np.stack(answers)
    if sees_future:
        whole = np.stack(observations)[None]
        if hasattr(agent, "answer_with_confidence"):
            given, surely = agent.answer_with_confidence(whole)
            confidence = confidence if surely is None else _plain(surely[0])
        else:
            given = agent.answer(whole)
        given = np.asarray(given)[0]
    return observations, given, confidence, np.stack(targets), due


def _shown(observation: Any) -> Any:
    """An observation as the player shows it; of a large one, its shape."""
    if observation.size > MOST_SHOWN:
        return f"{' x '.join(map(str, observation.shape))} numbers"
    return _plain(observation)


def _plain(value: Any) -> Any:
    """Numbers as JSON has them: rounded, a single one without its list, None for no number."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, DIGITS) if np.isfinite(value) else None
    return value

"""Checks for the authors of problems: `check_problem(MyProblem())` in a test is all it takes."""

from __future__ import annotations

from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from seqenvs.bounds import known_bounds
from seqenvs.encoding import ENCODINGS
from seqenvs.env import SequenceEnv
from seqenvs.oracle import Oracle
from seqenvs.problem import Batch, Problem, Symbols, Values
from seqenvs.tape import EpisodeStream
from seqenvs.vector_env import SequenceVectorEnv


def check_problem(problem: Problem, *, episodes: int = 64, seed: int = 0) -> None:
    """Check that a problem keeps the contract of `seqenvs.Problem`.

    Its draws depend on the generator alone, its answers are pure, valid and causal, its bounds are
    ordered, the oracle that sees only the history returns exactly 1, and the vector environment
    equals single ones in every autoreset mode.

    Args:
        problem: The problem.
        episodes: How many episodes to look at.
        seed: Of these episodes.

    Raises:
        AssertionError: What is wrong, and where.
    """
    batch = _check_draw(problem, episodes, seed)
    _check_answer(problem, batch)
    check_causal(problem, batch, np.random.default_rng(seed))
    bounds = known_bounds(problem)
    if bounds is not None:  # without, a problem plays, it only has no memory score
        rising = [bounds.memoryless, bounds.clock, bounds.optimum]
        assert 0 <= bounds.chance <= 1, f"chance must be in [0, 1], got {bounds}"
        assert min(np.diff([bounds.chance, *rising])) > -1e-9, (
            f"chance, memoryless, clock and optimum must not fall, got {bounds}"
        )
    for encoding in ENCODINGS:
        check_oracle(problem, encoding, seed=seed)
    for mode in AutoresetMode:
        check_streams(problem, mode, seed=seed)


def check_causal(problem: Problem, batch: Batch, rng: np.random.Generator) -> None:
    """Check that no answer that is due depends on what has not been shown yet.

    Everything after each due step is replaced, by other episodes and by blanks, and the episode is
    made to end there: the answer must stay.
    """
    size = len(batch.lengths)
    for time in np.flatnonzero(batch.mask.any(axis=1)):
        due = batch.mask[time]
        future = batch.inputs[time + 1 :]
        blank = np.full_like(future, problem.shown.blank)
        for other in (future[:, rng.permutation(size)], blank):
            inputs = np.concatenate([batch.inputs[: time + 1], other])
            now = np.full(size, np.clip(time + 1, *problem.num_steps))
            for lengths in (batch.lengths, now):
                targets, _ = problem.answer(inputs, lengths)
                same = targets[time, due] == batch.targets[time, due]
                assert np.all(same), (
                    f"answer must be causal, but targets[{time}] of {problem} changes with what is "
                    f"shown after step {time}"
                )


def check_oracle(
    problem: Problem, encoding: str = "one_hot", *, episodes: int = 32, seed: int = 0
) -> None:
    """Check that the oracle, which sees only the history, returns exactly 1 in every episode."""
    env = SequenceEnv(problem, encoding=encoding)
    oracle = Oracle.of(env)
    for episode in range(episodes):
        observation, _ = env.reset(seed=seed if episode == 0 else None)
        state, terminated, total = None, False, 0.0
        while not terminated:
            action, state = oracle.predict(observation, state)
            observation, reward, terminated, _, info = env.step(action)
            total += reward
        assert total == 1 and info["is_success"], (
            f"the oracle must return exactly 1, got {total} in episode {episode} of {problem}: an "
            "answer doesn't follow from what was shown"
        )


def check_streams(
    problem: Problem,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    *,
    num_envs: int = 5,
    steps: int | None = None,
    seed: int = 0,
    **kwargs: Any,
) -> None:
    """Check that the vector environment equals Gymnasium's ``SyncVectorEnv`` of single ones.

    Observations, rewards, flags, infos and their dtypes, at every step, with answers right and
    wrong; with partial resets of unfinished episodes where autoreset is disabled.
    """
    mode = AutoresetMode(autoreset_mode)
    native = SequenceVectorEnv(problem, num_envs, autoreset_mode=mode, **kwargs)
    single = SyncVectorEnv(
        [lambda: SequenceEnv(problem, **kwargs) for _ in range(num_envs)], autoreset_mode=mode
    )
    rng = np.random.default_rng(seed)
    shared = EpisodeStream(problem, gymnasium.utils.seeding.np_random(seed)[0])
    for env in single.envs:  # all read one list of episodes, an episode at a time, as streams do
        cast("SequenceEnv", env).read_from(shared)
    native.action_space.seed(seed)
    pairs: list[tuple[str, tuple[Any, ...], tuple[Any, ...]]] = [
        ("reset", native.reset(seed=seed), single.reset())
    ]
    for step in range(steps or 3 * problem.num_steps[1] + 5):
        actions = native.action_space.sample()
        right = rng.random(num_envs) < 0.7
        for k, env in enumerate(single.envs):
            due, target = cast("SequenceEnv", env).asked()
            if due and right[k]:
                actions[k] = target
        one, other = native.step(actions), single.step(actions)
        pairs.append((f"step {step}", one, other))
        mask = one[2] | (rng.random(num_envs) < 0.1)
        if mode == AutoresetMode.DISABLED and (one[2].any() or mask.any()):
            options = [{"reset_mask": mask.copy()} for _ in range(2)]
            resets = native.reset(options=options[0]), single.reset(options=options[1])
            pairs.append((f"reset after step {step}", *resets))
        if step % 7 == 6 and mode != AutoresetMode.DISABLED:
            pairs.append((f"reset after step {step}", native.reset(), single.reset()))
    for when, one, other in pairs:
        names = ["observation", "reward", "terminated", "truncated", "info"]
        if len(one) == 2:
            names = ["observation", "info"]
        for name, a, b in zip(names, one, other, strict=True):
            assert data_equivalence(a, b, exact=True), (
                f"{name} of {when} must equal that of single environments with {problem} and "
                f"{mode}: {a} and {b}"
            )


def _check_draw(problem: Problem, episodes: int, seed: int) -> Batch:
    assert isinstance(problem.shown, (Symbols, Values)), (
        f"shown must be Symbols(n) or Values(...), got {problem.shown!r}"
    )
    allowed = (spaces.Discrete, spaces.MultiDiscrete, spaces.Box)
    assert isinstance(problem.answers, allowed), (
        f"answers must be Discrete, MultiDiscrete or Box, got {problem.answers!r}"
    )
    assert not np.any(getattr(problem.answers, "start", 0)), (
        f"answers must start from 0, got {problem.answers!r}"
    )
    if isinstance(problem.answers, spaces.Box):
        assert problem.answers.dtype == np.float32 and problem.answers.is_bounded(), (
            f"answers must be a bounded float32 Box, got {problem.answers!r}"
        )
    low, high = problem.num_inputs
    assert 1 <= low <= high, f"num_inputs must be (least, most) from 1, got {problem.num_inputs}"
    rng, again = np.random.default_rng(seed), np.random.default_rng(seed)
    batch, twin = problem.batch(rng, episodes), problem.batch(again, episodes)
    for name, one, other in zip(Batch._fields, batch, twin, strict=True):
        assert np.array_equal(one, other), f"draw must depend on its generator alone; {name} differ"
    return batch


def _check_answer(problem: Problem, batch: Batch) -> None:
    steps, size = batch.inputs.shape[:2]
    kept = batch.inputs.copy()
    targets, mask = problem.answer(batch.inputs, batch.lengths)
    assert np.array_equal(kept, batch.inputs), "answer must not change its inputs"
    width = () if isinstance(problem.answers, spaces.Discrete) else problem.answers.shape
    assert targets.shape == (steps, size, *width), (
        f"targets must have the shape {(steps, size, *width)}, got {targets.shape}"
    )
    shapes = (steps, size), (steps, 1)
    assert mask.shape in shapes and mask.dtype == np.bool_, (
        f"mask must be bool of shape {shapes[0]} or {shapes[1]}, got {mask.dtype}, {mask.shape}"
    )
    mask = np.broadcast_to(mask, (steps, size))
    assert mask.any(axis=0).all(), "an answer must be due in every episode"
    late = mask & (np.arange(steps)[:, None] >= batch.lengths)
    assert not late.any(), "no answer can be due after an episode's end"
    for time, column in np.argwhere(mask):
        target = targets[time, column].astype(problem.answers.dtype)
        assert target in problem.answers, (
            f"targets must be in {problem.answers} where due, got {target} at step {time}"
        )
    for column in range(min(size, 8)):
        part = slice(column, column + 1)
        alone, due = problem.answer(batch.inputs[:, part], batch.lengths[part])
        due = np.broadcast_to(due, (steps, 1))
        same = np.array_equal(alone[due], targets[:, part][mask[:, part]])
        assert same and np.array_equal(due, mask[:, part]), "an episode's answers must be its own"

"""Checks for authors: `check_problem(MyProblem())` of a problem, `check_vector_env` of any streams.

Either in a test is all it takes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

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
    """Check that the vector environment equals single ones: `check_vector_env` of a problem.

    Answers are right and wrong, and the single environments read one list of episodes.

    Args:
        problem: The problem.
        autoreset_mode: The mode to check.
        num_envs: Number of streams.
        steps: How many; enough for three episodes if left out.
        seed: Of the episodes and answers.
        **kwargs: Passed to both environments, such as ``encoding``.

    Raises:
        AssertionError: What differs, and where.
    """
    rng = np.random.default_rng(seed)

    def begin(single: SyncVectorEnv, seed: int) -> Any:
        shared = EpisodeStream(problem, gymnasium.utils.seeding.np_random(seed)[0])
        for env in single.envs:  # an episode at a time each, as streams do
            cast("SequenceEnv", env).read_from(shared)
        return single.reset()

    def answer(single: SyncVectorEnv) -> Any:
        actions = single.action_space.sample()
        right = rng.random(num_envs) < 0.7
        for k, env in enumerate(single.envs):
            due, target = cast("SequenceEnv", env).asked()
            if due and right[k]:
                actions[k] = target
        return actions

    check_vector_env(
        lambda num_envs, mode: SequenceVectorEnv(problem, num_envs, autoreset_mode=mode, **kwargs),
        lambda: SequenceEnv(problem, **kwargs),
        autoreset_modes=[AutoresetMode(autoreset_mode)],
        num_envs=num_envs,
        steps=steps or 3 * problem.num_steps[1] + 5,
        seed=seed,
        begin=begin,
        act=answer,
    )


def check_vector_env(
    make_vec: Callable[[int, AutoresetMode], VectorEnv[Any, Any, Any]],
    make: Callable[[], gymnasium.Env[Any, Any]],
    *,
    autoreset_modes: Iterable[AutoresetMode] = tuple(AutoresetMode),
    num_envs: int = 3,
    steps: int = 100,
    seed: int = 0,
    tolerance: float = 0.0,
    begin: Callable[[SyncVectorEnv, int], Any] | None = None,
    act: Callable[[SyncVectorEnv], Any] | None = None,
) -> None:
    """Check that somebody's vector environment is what Gymnasium says that one is.

    Step by step it must equal Gymnasium's ``SyncVectorEnv`` over single environments: spaces,
    observations, rewards, flags, infos with their masks, ``final_obs`` and ``final_info``, with the
    same dtypes, shapes and types, in each autoreset mode; also after a reset without a seed in the
    middle, and with autoreset disabled after resets of some streams, finished or not. The same
    seed must give the same again, actions must not be changed, and no array that was returned may
    ever be written again.

    Args:
        make_vec: Makes the vector environment of so many streams in this autoreset mode.
        make: Makes a single environment.
        autoreset_modes: The modes that it has.
        num_envs: Number of streams.
        steps: How many, in each mode. Enough for several episodes, or ends are not checked.
        seed: Of the episodes and actions.
        tolerance: How far apart real numbers may be, absolute and relative.
        begin: ``begin(single, seed)`` resets the ``SyncVectorEnv`` to what ``reset(seed=seed)`` of
            the vector environment begins; ``single.reset(seed=seed)``, with seeds that count up
            from one stream to the next, if left out.
        act: ``act(single)`` chooses actions for all streams; samples of the action space if left
            out.

    Raises:
        AssertionError: What differs, in which mode, when and where.
    """
    for mode in autoreset_modes:
        env = make_vec(num_envs, mode)
        single = SyncVectorEnv([make] * num_envs, autoreset_mode=mode)
        try:
            checks = _StreamCheck(env, single, mode, tolerance)
            checks.run(steps, seed, begin or _begin, act or _sample)
        finally:
            single.close()
            env.close()


def _begin(single: SyncVectorEnv, seed: int) -> Any:
    return single.reset(seed=seed)


def _sample(single: SyncVectorEnv) -> Any:
    return single.action_space.sample()


class _StreamCheck:
    """A vector environment beside the single ones that it must equal, in one mode."""

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        single: SyncVectorEnv,
        mode: AutoresetMode,
        tolerance: float,
    ) -> None:
        self.env, self.single, self.mode, self.tolerance = env, single, mode, tolerance
        self.returned: list[tuple[str, Any, Any]] = []  # when and what, the array, a copy

    def run(
        self,
        steps: int,
        seed: int,
        begin: Callable[[SyncVectorEnv, int], Any],
        act: Callable[[SyncVectorEnv], Any],
    ) -> None:
        self.check_attributes()
        rng = np.random.default_rng(seed)
        self.single.action_space.seed(seed)
        first = self.env.reset(seed=seed)
        self.compare("reset with a seed", first, begin(self.single, seed))
        kept = copy.deepcopy(first)
        for step in range(steps):
            actions = act(self.single)
            given = copy.deepcopy(actions)
            results = self.env.step(actions), self.single.step(given)
            self.compare(f"step {step}", *results)
            self.expect(not _difference(actions, given), f"step {step} must not change its actions")
            ended = results[1][2] | results[1][3]
            if self.mode == AutoresetMode.DISABLED:
                mask = ended | (rng.random(self.env.num_envs) < 0.1)
                if mask.any():
                    resets = (
                        one.reset(options={"reset_mask": mask.copy()})
                        for one in (self.env, self.single)
                    )
                    self.compare(f"reset of {mask.tolist()} after step {step}", *resets)
            if step == steps // 2:
                resets = (one.reset() for one in (self.env, self.single))
                self.compare(f"reset after step {step}", *resets)
        for when, array, before in self.returned:
            self.expect(
                not _difference(array, before),
                f"what {when} returned must never be written again, but it was",
            )
        again = _difference(self.env.reset(seed=seed), kept)
        self.expect(not again, f"reset with the same seed must give the same again: {again}")

    def expect(self, holds: bool, message: str) -> None:
        assert holds, f"with autoreset_mode {self.mode.value!r}, {message}"

    def check_attributes(self) -> None:
        env, single = self.env, self.single
        self.expect(
            env.num_envs == single.num_envs,
            f"num_envs must be {single.num_envs}, got {env.num_envs}",
        )
        mode = env.metadata.get("autoreset_mode")
        self.expect(
            mode == self.mode, f"metadata['autoreset_mode'] must be {self.mode}, got {mode!r}"
        )
        for name in ("observation_space", "action_space"):
            of_one, wanted = getattr(env, f"single_{name}"), getattr(single, f"single_{name}")
            self.expect(of_one == wanted, f"single_{name} must be {wanted}, got {of_one}")
            batched, wanted = getattr(env, name), batch_space(of_one, env.num_envs)
            self.expect(batched == wanted, f"{name} must be {wanted}, got {batched}")

    def compare(self, when: str, got: Any, wanted: Any) -> None:
        names = ["observations", "rewards", "terminations", "truncations", "infos"]
        if len(wanted) == 2:
            names = ["observations", "infos"]
        self.expect(
            isinstance(got, tuple) and len(got) == len(names),
            f"{when} must return ({', '.join(names)}), got {got!r}",
        )
        for name, one, other in zip(names, got, wanted, strict=True):
            where = _difference(one, other, self.tolerance)
            self.expect(
                not where, f"{name} of {when} must equal those of single environments: {where}"
            )
            self.returned += [(f"{name} of {when}", a, a.copy()) for a in _arrays(one)]
        self.expect(
            got[0] in self.env.observation_space,
            f"observations of {when} must be in {self.env.observation_space}, got {got[0]}",
        )


def _arrays(value: Any) -> Iterator[Any]:
    """All arrays in a structure of dicts, tuples and lists."""
    if isinstance(value, np.ndarray):
        yield value
        if value.dtype == object:
            yield from _arrays(value.tolist())
    elif isinstance(value, dict):
        yield from _arrays(list(value.values()))
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _arrays(each)


def _difference(got: Any, wanted: Any, tolerance: float = 0.0) -> str:
    """Where two structures differ first, and how; nothing if they don't."""
    if type(got) is not type(wanted):
        return f"{got!r} is a {type(got).__name__}, not a {type(wanted).__name__}: {wanted!r}"
    if isinstance(got, dict):
        if got.keys() != wanted.keys():
            return f"it has the keys {sorted(got)}, not {sorted(wanted)}"
        pairs = [(repr(key), got[key], wanted[key]) for key in got]
    elif isinstance(got, (tuple, list)):
        if len(got) != len(wanted):
            return f"it has {len(got)} elements, not {len(wanted)}"
        pairs = [(str(k), *both) for k, both in enumerate(zip(got, wanted, strict=True))]
    elif isinstance(got, np.ndarray):
        if got.dtype != wanted.dtype or got.shape != wanted.shape:
            return f"{got.dtype} of shape {got.shape}, not {wanted.dtype} of {wanted.shape}"
        if got.dtype == object:
            return _difference(got.tolist(), wanted.tolist(), tolerance)
        same = got == wanted
        if got.dtype.kind in "fc":
            same = np.isclose(got, wanted, tolerance, tolerance, equal_nan=True)
        if np.all(same):
            return ""
        place = tuple(np.argwhere(~np.asarray(same))[0].tolist())
        return f"at {list(place)}: {got[place]}, not {wanted[place]}"
    else:
        return (
            "" if got == wanted or (got != got and wanted != wanted) else f"{got!r}, not {wanted!r}"
        )
    for key, one, other in pairs:
        where = _difference(one, other, tolerance)
        if where:
            return f"[{key}] {where}"
    return ""


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

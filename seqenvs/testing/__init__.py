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

from seqenvs.bounds import Bounds, known_bounds
from seqenvs.env import SequenceEnv
from seqenvs.episodes import EpisodeStream
from seqenvs.observations import ENCODINGS
from seqenvs.oracle import Oracle
from seqenvs.problem import EpisodeBatch, Problem, Symbols, Values
from seqenvs.vector_env import SequenceVectorEnv


def check_problem(problem: Problem, *, episodes: int = 64, seed: int = 0) -> None:
    """Check that a problem keeps the contract of `seqenvs.Problem`.

    Its attributes are set, its draws have the right shape and depend on the generator alone, its
    answers are pure, valid and causal, its bounds are ordered, the oracle that sees only the
    history returns exactly 1, and the vector environment equals single ones in every autoreset
    mode. What the problem's own methods raise is passed on.

    Args:
        problem: The problem.
        episodes: How many episodes to look at.
        seed: Of these episodes.

    Raises:
        AssertionError: What is wrong, and where.
    """
    _check_attributes(problem)
    inputs, count = _check_draw(problem, episodes, seed)
    _check_answer(problem, inputs, count + problem.delay(count))
    batch = problem.complete(inputs, count)
    check_causal(problem, batch, np.random.default_rng(seed))
    bounds = known_bounds(problem)
    if bounds is not None:  # without, a problem plays, it only has no memory score
        assert isinstance(bounds, Bounds), f"bounds must return seqenvs.Bounds, got {bounds!r}"
        rising = [bounds.memoryless, bounds.clock, bounds.optimum]
        assert 0 <= bounds.chance <= 1, f"chance must be in [0, 1], got {bounds}"
        assert min(np.diff([bounds.chance, *rising])) > -1e-9, (
            f"chance, memoryless, clock and optimum must not fall, got {bounds}"
        )
    for encoding in ENCODINGS:
        check_oracle(problem, encoding, seed=seed)
    for mode in AutoresetMode:
        check_streams(problem, mode, seed=seed)


def check_causal(problem: Problem, batch: EpisodeBatch, rng: np.random.Generator) -> None:
    """Check that no answer that is due depends on what has not been shown yet.

    Everything after each due step is replaced, by other episodes and by blanks, and the episode is
    made to end there: the answer must stay.
    """
    size = len(batch.lengths)
    for time in np.flatnonzero(batch.mask.any(axis=1)):
        due = batch.mask[time]
        future = batch.inputs[time + 1 :]
        blank = np.full_like(future, problem.input_spec.blank)
        for other in (future[:, rng.permutation(size)], blank):
            inputs = np.concatenate([batch.inputs[: time + 1], other])
            now = np.full(size, np.clip(time + 1, *problem.num_steps))
            for lengths in (batch.lengths, now):
                targets, _ = _answers(problem, inputs, lengths)
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
            the vector environment begins, and has it go on from there alike. If left out,
            ``single.reset(seed=seed)``, with seeds that count up from one stream to the next; for a
            `seqenvs.SequenceVectorEnv`, one list of episodes that all environments share. A
            vector environment that draws for all streams from one generator in another way needs a
            ``begin`` of its own.
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
            checks.run(steps, seed, begin, act or _sample)
        finally:
            single.close()
            env.close()


def _share(single: SyncVectorEnv, seed: int) -> Any:
    """Reset environments to a list of episodes that all take from, as native streams do."""
    envs = [cast("SequenceEnv", env.unwrapped) for env in single.envs]
    shared = EpisodeStream(envs[0].problem, gymnasium.utils.seeding.np_random(seed)[0])
    for env in envs:
        env.read_from(shared)
    return single.reset()


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
        self.hint = ""  # at what may be behind a difference

    def run(
        self,
        steps: int,
        seed: int,
        begin: Callable[[SyncVectorEnv, int], Any] | None,
        act: Callable[[SyncVectorEnv], Any],
    ) -> None:
        self.check_attributes()
        rng = np.random.default_rng(seed)
        self.single.action_space.seed(seed)
        first = self.env.reset(seed=seed)
        if begin is not None:
            wanted = begin(self.single, seed)
        elif isinstance(self.env.unwrapped, SequenceVectorEnv):
            wanted = _share(self.single, seed)
        else:
            wanted = self.single.reset(seed=seed)
            self.hint = (
                f"; single environment i was reset with seed {seed} + i, as begin was left out: if "
                "the streams draw from one generator, pass a begin that resets the single ones to "
                "the same (see check_vector_env)"
            )
        self.compare("reset with a seed", first, wanted)
        self.hint = ""
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
                not where,
                f"{name} of {when} must equal those of single environments: {where}{self.hint}",
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


def _check_attributes(problem: Problem) -> None:
    assert isinstance(problem, Problem), (
        f"problem must be an instance of a seqenvs.Problem, got {problem!r}"
    )
    for name in ("input_spec", "action_space", "num_inputs"):
        assert hasattr(problem, name), (
            f"{name} must be set in {type(problem).__name__} or its constructor, got nothing"
        )
    assert isinstance(problem.input_spec, (Symbols, Values)), (
        f"input_spec must be Symbols(n) or Values(...), got {problem.input_spec!r}"
    )
    space = problem.action_space
    assert isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.Box)), (
        f"action_space must be Discrete, MultiDiscrete or Box, got {space!r}"
    )
    assert not np.any(getattr(space, "start", 0)), f"action_space must start from 0, got {space!r}"
    assert isinstance(space, spaces.Discrete) or len(space.shape) == 1, (
        f"action_space must be of shape (K,), got shape {space.shape} in {space!r}"
    )
    if isinstance(space, spaces.Box):
        assert (
            space.dtype == np.float32 and space.is_bounded() and np.all(space.low < space.high)
        ), f"action_space must be a bounded float32 Box with low < high, got {space!r}"
        real = isinstance(problem.tolerance, (int, float, np.integer, np.floating))
        assert real and problem.tolerance > 0, (
            "tolerance must be a number above 0 where answers are a Box, as no answer is right "
            f"otherwise, got {problem.tolerance!r}"
        )
    ends = problem.num_inputs
    pair = isinstance(ends, (tuple, list)) and len(ends) == 2
    assert pair and all(isinstance(end, (int, np.integer)) for end in ends), (
        f"num_inputs must be two ints, (least, most), got {ends!r}"
    )
    assert 1 <= ends[0] <= ends[1], f"num_inputs must be (least, most) from 1, got {ends!r}"


def _check_draw(problem: Problem, episodes: int, seed: int) -> tuple[Any, Any]:
    """Check what is drawn; gives the inputs, with blanks below each episode's own, and how many."""
    low, high = problem.num_inputs
    episodes += episodes == high  # so that swapped axes show
    rng, again = np.random.default_rng(seed), np.random.default_rng(seed)
    count = problem.draw_num_inputs(rng, episodes)
    _check_array("draw_num_inputs", count, (episodes,), "iu")
    assert low <= count.min() and count.max() <= high, (
        f"draw_num_inputs must return integers in {low} .. {high}, as num_inputs says, "
        f"got {count.min()} .. {count.max()}"
    )
    delay = np.asarray(problem.delay(count))
    _check_array("delay", delay, (episodes,) if delay.ndim else (), "iu")
    lengths = count + delay
    least, most = problem.num_steps
    assert (delay >= 0).all() and least <= lengths.min() and lengths.max() <= most, (
        "delay must be at least 0, and make the episodes with the least and the most inputs the "
        f"shortest and the longest, got {delay.min()} .. {delay.max()}"
    )
    kept, state = count.copy(), rng.bit_generator.state
    drawn = problem.draw(rng, count)
    assert np.array_equal(kept, count), "draw must not change its num_inputs"
    _check_drawn(problem, drawn, count)
    shown = np.arange(len(drawn))[:, None] < count
    twin = problem.draw_num_inputs(again, episodes)
    assert np.array_equal(twin, count), (
        "draw_num_inputs must depend on its generator alone, but the same seed gave other numbers"
    )
    second = problem.draw(again, twin)
    assert np.shape(second) == drawn.shape and np.array_equal(second[shown], drawn[shown]), (
        "draw must depend on its generator alone, but the same seed gave other inputs"
    )
    longest = count[[count.argmax()]]
    _check_drawn(problem, problem.draw(again, longest), longest)  # for one as for many
    if rng.bit_generator.state == state:  # episodes may still follow from how long they are
        _, first, kind = np.unique(count, return_index=True, return_inverse=True)
        assert (drawn == drawn[:, first[kind]])[shown].all(), (
            "draw must draw from the generator that it is given, but left it as it was, and gave "
            "episodes that differ"
        )
    padded = np.full((int(lengths.max()), *drawn.shape[1:]), problem.input_spec.blank, drawn.dtype)
    padded[: len(drawn)][shown] = drawn[shown]
    return padded, count


def _check_drawn(problem: Problem, drawn: Any, count: Any) -> None:
    """Check the shape of what draw gave, its dtype, and that it can be shown."""
    shown = problem.input_spec
    wide = (shown.features,) if shown.features > 1 else ()
    symbols = isinstance(shown, Symbols)
    _check_array("draw", drawn, (int(count.max()), len(count), *wide), "iu" if symbols else "f")
    if isinstance(shown, Symbols):
        assert np.iinfo(drawn.dtype).max >= shown.blank, (
            f"draw must return integers that hold the blank too, {shown.blank}, "
            f"got dtype {drawn.dtype}"
        )
        low, high, what = 0, shown.n - 1, "symbols"
    else:
        with np.errstate(over="ignore"):  # infinity is refused below
            drawn = drawn.astype(shown.dtype)  # to be compared as it is shown
        low, high, what = shown.low, shown.high, "values"  # type: ignore[assignment]
    blank = drawn == np.asarray(shown.blank, drawn.dtype)
    if wide:
        blank = blank.all(axis=-1, keepdims=True)
    wrong = ~(((drawn >= low) & (drawn <= high)) | blank)  # NaN too
    wrong[np.arange(len(drawn))[:, None] >= count] = False
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        raise AssertionError(
            f"draw must return {what} in {low} .. {high}, or the blank, {shown.blank}, "
            f"got {drawn[place]} at step {place[0]} of episode {place[1]}"
        )


def _check_array(name: str, array: Any, shape: tuple[int, ...], kinds: str) -> None:
    """Check what one of a problem's methods returned."""
    what = {"iu": "integers", "f": "floats"}[kinds]
    assert isinstance(array, np.ndarray), (
        f"{name} must return an array of {what} of shape {shape}, got {type(array).__name__}"
    )
    swapped = " (is axis 0 the time step, and axis 1 the episode?)" if name == "draw" else ""
    assert array.shape == shape, (
        f"{name} must return an array of shape {shape}, got {array.shape}{swapped}"
    )
    assert array.dtype.kind in kinds, f"{name} must return {what}, got dtype {array.dtype}"


def _answers(problem: Problem, inputs: Any, lengths: Any) -> tuple[Any, Any]:
    """What answer returns, of the right shapes and dtypes, with a mask for every episode."""
    steps, size = inputs.shape[:2]
    given = inputs.copy(), lengths.copy()
    pair = problem.answer(inputs, lengths)
    for name, one, other in zip(("inputs", "lengths"), given, (inputs, lengths), strict=True):
        assert np.array_equal(one, other), f"answer must not change its {name}"
    arrays = isinstance(pair, tuple) and [isinstance(one, np.ndarray) for one in pair]
    assert arrays == [True, True], (
        f"answer must return two arrays, (targets, mask), got {type(pair).__name__}"
        + (f" of {', '.join(type(one).__name__ for one in pair)}" if arrays else "")
    )
    targets, mask = pair
    space = problem.action_space
    whole = not isinstance(space, spaces.Box)
    shape = steps, size, *(() if isinstance(space, spaces.Discrete) else space.shape)
    assert targets.shape == shape, (
        f"targets must have the shape {shape} for inputs of shape {inputs.shape}, "
        f"got {targets.shape}"
    )
    assert targets.dtype.kind in ("biu" if whole else "iuf"), (
        f"targets must be {'integers' if whole else 'numbers'} for {space}, "
        f"got dtype {targets.dtype}"
    )
    shapes = dict.fromkeys([(steps, size), (steps, 1)])  # which are one for one episode
    assert mask.shape in shapes and mask.dtype == np.bool_, (
        f"mask must be bool of shape {' or '.join(map(str, shapes))} for inputs of shape "
        f"{inputs.shape}, got dtype {mask.dtype}, shape {mask.shape}"
    )
    return targets, np.broadcast_to(mask, (steps, size))


def _check_answer(problem: Problem, inputs: Any, lengths: Any) -> None:
    steps, size = inputs.shape[:2]
    targets, mask = _answers(problem, inputs, lengths)
    none = np.flatnonzero(~mask.any(axis=0))
    assert not none.size, f"an answer must be due in every episode, got none in episode {none[0]}"
    late = np.argwhere(mask & (np.arange(steps)[:, None] >= lengths))
    assert not late.size, (
        f"no answer can be due after an episode's end, got one at step {late[0, 0]} of episode "
        f"{late[0, 1]}, which has {lengths[late[0, 1]]} steps"
    )
    for time, column in np.argwhere(mask):
        target = targets[time, column].astype(problem.action_space.dtype)
        assert target in problem.action_space, (
            f"targets must be in {problem.action_space} where due, "
            f"got {targets[time, column]} at step "
            f"{time} of episode {column}"
        )
    below = np.full((1, *inputs.shape[1:]), problem.input_spec.blank, inputs.dtype)
    longer = np.concatenate([inputs, below])  # environments leave a blank row below
    for shown, wrong in (
        (inputs, "be pure, but answered the same inputs differently when asked again"),
        (longer, "not depend on a blank row below the episodes, which environments add, but does"),
    ):
        again, due = _answers(problem, shown, lengths)
        same = np.array_equal(again[:steps][mask], targets[mask])
        same = same and np.array_equal(due[:steps], mask) and not due[steps:].any()
        assert same, f"answer must {wrong}"
    for column in range(min(size, 8)):
        part = slice(column, column + 1)
        alone, due = _answers(problem, inputs[:, part], lengths[part])
        same = np.array_equal(alone[due], targets[:, part][mask[:, part]])
        assert same and np.array_equal(due, mask[:, part]), (
            f"an episode's answers must be its own, but those of episode {column} are others if it "
            "is alone"
        )

"""Check that a problem keeps the contract of `seqenvs.Problem`."""

from __future__ import annotations

from itertools import product
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from seqenvs.bounds import Bounds
from seqenvs.env import SequenceEnv
from seqenvs.evaluation import play
from seqenvs.observations import ENCODINGS
from seqenvs.oracle import Oracle
from seqenvs.problem import EpisodeBatch, Problem, Symbols, Values, known_bounds
from seqenvs.testing.vector_envs import check_vector_env
from seqenvs.vector_env import SequenceVectorEnv

if TYPE_CHECKING:
    from gymnasium.vector import SyncVectorEnv


# The kinds of dtype that an array may have.
_KINDS = {"integers": "iu", "integers or bool": "biu", "floats": "f", "numbers": "iuf", "bool": "b"}


def check_problem(problem: Problem, *, episodes: int = 64, seed: int = 0) -> None:
    """Check that a problem keeps the contract of `seqenvs.Problem`.

    It checks that

    - the attributes are set and valid,
    - ``draw`` returns arrays of the right shape and depends only on its generator,
    - ``answer`` is pure and causal and returns valid targets,
    - the bounds are ordered,
    - the oracle, which sees only the past inputs, has a return of exactly 1,
    - the vector environment equals single environments in every autoreset mode.

    Errors that the problem's methods raise are passed on.

    Args:
        problem: The problem.
        episodes: The number of episodes to draw.
        seed: Seed of these episodes.

    Raises:
        AssertionError: The problem breaks the contract. The message says how and where.
    """
    _check_attributes(problem)
    inputs, count = _check_draw(problem, episodes, seed)
    _check_answer(problem, inputs, count + problem.delay(count))
    batch = problem.complete(inputs, count)
    check_causal(problem, batch, np.random.default_rng(seed))
    bounds = known_bounds(problem)
    if bounds is not None:  # bounds are optional; without them there is no memory score
        assert isinstance(bounds, Bounds), f"bounds must return seqenvs.Bounds, got {bounds!r}"
        rising = [bounds.memoryless, bounds.clock, bounds.optimum]
        assert 0 <= bounds.chance <= 1, f"chance must be in [0, 1], got {bounds}"
        assert min(np.diff([bounds.chance, *rising])) > -1e-9, (
            f"chance, memoryless, clock and optimum must not fall, got {bounds}"
        )
    for encoding in ENCODINGS:
        check_oracle(problem, encoding, seed=seed)
    for mode in AutoresetMode:
        check_environments(problem, mode, seed=seed)


def check_causal(problem: Problem, batch: EpisodeBatch, rng: np.random.Generator) -> None:
    """Check that no due answer depends on later inputs.

    For each step with a due answer, the later inputs are replaced with those of other episodes and
    with blanks, and the length with one that ends the episode at this step. The target must not
    change.

    Args:
        problem: The problem.
        batch: Episodes of the problem.
        rng: Chooses the other episodes.

    Raises:
        AssertionError: A target changes. The message names the step.
    """
    size = len(batch.lengths)
    for time in np.flatnonzero(batch.due.any(axis=1)):
        due = batch.due[time]
        future = batch.inputs[time + 1 :]
        blank = np.full_like(future, problem.input_spec.blank)
        now = np.full(size, np.clip(time + 1, *problem.num_steps))
        for other, lengths in product(
            (future[:, rng.permutation(size)], blank), (batch.lengths, now)
        ):
            inputs = np.concatenate([batch.inputs[: time + 1], other])
            targets, _ = _answers(problem, inputs, lengths)
            assert np.all(targets[time, due] == batch.targets[time, due]), (
                f"answer must be causal, but targets[{time}] of {problem} changes with what is "
                f"shown after step {time}"
            )


def check_oracle(
    problem: Problem, encoding: str = "one_hot", *, episodes: int = 32, seed: int = 0
) -> None:
    """Check that the oracle, which sees only the past inputs, has a return of exactly 1.

    Args:
        problem: The problem.
        encoding: The encoding of symbols, see `seqenvs.observations.Encoding`.
        episodes: The number of episodes to play.
        seed: Seed of these episodes.

    Raises:
        AssertionError: The return of an episode is not 1.
    """
    disabled = AutoresetMode.DISABLED
    env = SequenceVectorEnv(problem, episodes, encoding=encoding, autoreset_mode=disabled)
    returns = np.zeros(episodes)
    for step in play(Oracle.of(env), env, episodes=episodes, seed=seed):
        returns += np.where(step.active, step.reward, 0.0)
    for episode in np.flatnonzero(returns != 1):
        raise AssertionError(
            f"the oracle must have a return of exactly 1, got {returns[episode]} in episode "
            f"{episode} of {problem}: an answer does not follow from the inputs up to it"
        )


def check_environments(
    problem: Problem,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    *,
    num_envs: int = 5,
    steps: int | None = None,
    seed: int = 0,
    **kwargs: Any,
) -> None:
    """Check that a problem's vector environment equals its single environments, step by step.

    Actions are random, and right in about 70 % of the steps.

    Args:
        problem: The problem.
        autoreset_mode: The autoreset mode.
        num_envs: The number of sub-environments.
        steps: The number of steps. Default: enough for three episodes.
        seed: Seed of the episodes and actions.
        **kwargs: Arguments of both environments, such as ``encoding``.

    Raises:
        AssertionError: The two differ. The message says in what and where.
    """
    rng = np.random.default_rng(seed)

    def act(single: SyncVectorEnv) -> Any:
        actions = single.action_space.sample()
        right = rng.random(num_envs) < 0.7
        for k, env in enumerate(single.envs):
            due, target = cast("SequenceEnv", env).due_target()
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
        act=act,
    )


def _check_attributes(problem: Problem) -> None:
    """Check the attributes that an author sets."""
    assert isinstance(problem, Problem), (
        f"problem must be an instance of a seqenvs.Problem, got {problem!r}"
    )
    for name in ("input_spec", "action_space", "num_inputs"):
        assert hasattr(problem, name), (
            f"{name} must be set in {type(problem).__name__} or its constructor, got nothing"
        )
    spec, space, ends = problem.input_spec, problem.action_space, problem.num_inputs
    assert isinstance(spec, (Symbols, Values)), (
        f"input_spec must be Symbols(n) or Values(...), got {spec!r}"
    )
    assert isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.Box)), (
        f"action_space must be Discrete, MultiDiscrete or Box, got {space!r}"
    )
    assert not np.any(getattr(space, "start", 0)), f"action_space must start from 0, got {space!r}"
    assert isinstance(space, spaces.Discrete) or len(space.shape) == 1, (
        f"action_space must be of shape (K,), got shape {space.shape} in {space!r}"
    )
    if isinstance(space, spaces.Box):
        bounded = space.dtype == np.float32 and space.is_bounded()
        assert bounded and np.all(space.low < space.high), (
            f"action_space must be a bounded float32 Box with low < high, got {space!r}"
        )
        assert isinstance(problem.tolerance, Real) and problem.tolerance > 0, (
            "tolerance must be a number above 0 where answers are a Box, as no answer is right "
            f"otherwise, got {problem.tolerance!r}"
        )
    pair = isinstance(ends, (tuple, list)) and len(ends) == 2
    assert pair and all(isinstance(end, Integral) for end in ends) and 1 <= ends[0] <= ends[1], (
        f"num_inputs must be two ints, (least, most), from 1, got {ends!r}"
    )


def _check_draw(problem: Problem, episodes: int, seed: int) -> tuple[Any, Any]:
    """Check ``draw`` and its companions; return blank-padded inputs and their number, (B,)."""
    low, high = problem.num_inputs
    episodes += episodes == high  # makes the axes unequal, so that swapped ones are found
    rng, again = np.random.default_rng(seed), np.random.default_rng(seed)
    count = problem.draw_num_inputs(rng, episodes)
    _check_array("draw_num_inputs()", count, "integers", (episodes,))
    assert low <= count.min() and count.max() <= high, (
        f"draw_num_inputs must return integers in {low} .. {high}, as num_inputs says, "
        f"got {count.min()} .. {count.max()}"
    )
    delay = np.asarray(problem.delay(count))
    _check_array("delay()", delay, "integers", (), (episodes,))
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
    same = np.array_equal(twin, count)
    assert same, "draw_num_inputs must depend on its generator alone, but the same seed differs"
    second = problem.draw(again, twin)
    same = np.shape(second) == drawn.shape and np.array_equal(second[shown], drawn[shown])
    assert same, "draw must depend on its generator alone, but the same seed differs"
    longest = count[[count.argmax()]]
    _check_drawn(problem, problem.draw(again, longest), longest)  # of a single episode
    if rng.bit_generator.state == state:  # allowed if episodes depend only on their length
        _, first, kind = np.unique(count, return_index=True, return_inverse=True)
        assert (drawn == drawn[:, first[kind]])[shown].all(), (
            "draw must draw from the generator that it is given, but left it as it was, and gave "
            "episodes that differ"
        )
    padded = np.full((int(lengths.max()), *drawn.shape[1:]), problem.input_spec.blank, drawn.dtype)
    padded[: len(drawn)][shown] = drawn[shown]
    return padded, count


def _check_drawn(problem: Problem, drawn: Any, count: Any) -> None:
    """Check the shape, dtype and range of the inputs that ``draw`` returned."""
    spec = problem.input_spec
    wide = (spec.features,) * (spec.features > 1)
    what = "integers" if isinstance(spec, Symbols) else "floats"
    _check_array("draw()", drawn, what, (int(count.max()), len(count), *wide))
    if isinstance(spec, Symbols):
        low, high = 0.0, spec.n - 1.0
        assert np.iinfo(drawn.dtype).max >= spec.blank, (
            f"the dtype of draw() must hold the blank, {spec.blank}, got {drawn.dtype}"
        )
    else:
        low, high = spec.low, spec.high
        with np.errstate(over="ignore"):  # infinity is refused below
            drawn = drawn.astype(spec.dtype)  # to be compared as it is shown
    blank = drawn == np.asarray(spec.blank, drawn.dtype)
    if wide:
        blank = blank.all(axis=-1, keepdims=True)
    wrong = ~(((drawn >= low) & (drawn <= high)) | blank)  # NaN too
    wrong[np.arange(len(drawn))[:, None] >= count] = False
    for place in np.argwhere(wrong).tolist():
        raise AssertionError(
            f"draw must return inputs in {low:g} .. {high:g}, or the blank, {spec.blank}, "
            f"got {drawn[tuple(place)]} at step {place[0]} of episode {place[1]}"
        )


def _check_array(name: str, array: Any, what: str, *shapes: tuple[int, ...]) -> None:
    """Check that ``name`` is an array of integers, floats and so on, with one of these shapes."""
    got = type(array).__name__
    if isinstance(array, np.ndarray):
        got = f"{array.dtype} of shape {array.shape}"
        if array.dtype.kind in _KINDS[what] and array.shape in shapes:
            return
    allowed = " or ".join(map(str, dict.fromkeys(shapes)))  # equal if there is one episode
    raise AssertionError(
        f"{name} must be an array of {what} of shape {allowed} (axis 0 is the time step, axis 1 "
        f"the episode), got {got}"
    )


def _answers(problem: Problem, inputs: Any, lengths: Any) -> tuple[Any, Any]:
    """Call ``answer``, check what it returns, and broadcast the mask to all episodes."""
    steps, size = inputs.shape[:2]
    given = inputs.copy(), lengths.copy()
    pair = problem.answer(inputs, lengths)
    for name, one, other in zip(("inputs", "lengths"), given, (inputs, lengths), strict=True):
        assert np.array_equal(one, other), f"answer must not change its {name}"
    assert isinstance(pair, tuple) and len(pair) == 2, (
        f"answer must return two arrays, (targets, due), got {type(pair).__name__}"
    )
    space = problem.action_space
    components = () if isinstance(space, spaces.Discrete) else space.shape
    what = "numbers" if isinstance(space, spaces.Box) else "integers or bool"
    _check_array("targets", pair[0], what, (steps, size, *components))
    _check_array("due", pair[1], "bool", (steps, size), (steps, 1))
    return pair[0], np.broadcast_to(pair[1], (steps, size))


def _check_answer(problem: Problem, inputs: Any, lengths: Any) -> None:
    """Check that answers are valid, repeatable, and independent of padding and other episodes."""
    steps, size = inputs.shape[:2]
    targets, due = _answers(problem, inputs, lengths)
    for column in np.flatnonzero(~due.any(axis=0)):
        raise AssertionError(
            f"an answer must be due in every episode, got none in episode {column}"
        )
    for time, column in np.argwhere(due):
        assert time < lengths[column], (
            f"no answer can be due after an episode's end, got one at step {time} of episode "
            f"{column}, which has {lengths[column]} steps"
        )
        assert targets[time, column].astype(problem.action_space.dtype) in problem.action_space, (
            f"targets must be in {problem.action_space} where due, "
            f"got {targets[time, column]} at step {time} of episode {column}"
        )
    below = np.full((1, *inputs.shape[1:]), problem.input_spec.blank, inputs.dtype)
    longer = np.concatenate([inputs, below])  # environments pad with a blank row
    cases = [
        ("be pure, but the same inputs have other answers now", inputs, slice(None)),
        ("not depend on a blank row that environments add at the end", longer, slice(None)),
    ]
    for k in range(min(size, 8)):
        what = f"not depend on other episodes, but episode {k} has other answers if it is alone"
        cases.append((what, inputs[:, k : k + 1], slice(k, k + 1)))
    for what, shown, columns in cases:
        again, due_again = _answers(problem, shown, lengths[columns])
        asked = due[:, columns]
        same = np.array_equal(due_again[:steps], asked) and not due_again[steps:].any()
        same = same and np.array_equal(again[:steps][asked], targets[:, columns][asked])
        assert same, f"answer must {what}"

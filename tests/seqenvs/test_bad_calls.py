"""Bad calls are refused with an error that names the argument, and leave no trace.

After a refused call the environment continues exactly as a twin that never got the call.
"""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode

from seqenvs import SequenceEnv, SequenceVectorEnv
from seqenvs.problems import Classify, Copy, Echo, NextValue, Recall, Recorded

MANY = "many_to_one"
HUGE = 10**30
MODES = [mode.value for mode in AutoresetMode]
SINGLES = {
    "Discrete": partial(SequenceEnv, Echo),
    "MultiDiscrete": partial(SequenceEnv, Copy, framing=MANY),
    "Box": partial(SequenceEnv, NextValue),
}
VECTORS = {
    "Discrete": partial(SequenceVectorEnv, Echo, 3),
    "MultiDiscrete": partial(SequenceVectorEnv, Copy, 3, framing=MANY),
    "Box": partial(SequenceVectorEnv, NextValue, 3),
    "variable length": partial(SequenceVectorEnv, Echo, 3, length=(3, 9)),
}
MAKERS = {
    **SINGLES,
    **{f"{k} {m}": partial(VECTORS[k], autoreset_mode=m) for k in VECTORS for m in MODES},
}


def follow(env):
    """Return what the rest of these episodes and the next ones return."""
    env.action_space.seed(8)
    seen = []
    for _ in range(3 * env.problem.num_steps[1]):
        try:
            seen.append(env.step(env.action_space.sample()))
        except ResetNeeded:
            seen.append(env.reset())
    return [*seen, env.reset()]


class Twins:
    """An environment to disturb, and another one like it."""

    def __init__(self, make, steps=2):
        self.env, self.other = make(), make()
        for env in (self.env, self.other):
            env.reset(seed=7)
            env.action_space.seed(7)
            for _ in range(steps):
                env.step(env.action_space.sample())

    def are_alike(self):
        assert data_equivalence(follow(self.env), follow(self.other), exact=True)


TEN, NAN = [1] * 10, float("nan")
ANYTHING = [
    *(None, "abc", "3", {}, {3: 4}, {"input": TEN}, {"inputs": TEN, "low": 3}, [], (1, 2, 3)),
    *(-1, 0, 1, 3, 9, 10, 11, HUGE, 1 << 62, 0.5, 1.0, NAN, 1j, True, np.True_, np.float32(3)),
    *([3], [0.5], [1.01], [NAN], [True], ["0.5"], [0.5j], [[0.5]], [0.5, 0.5], [[1, 2], [3]]),
    *([1] * 5, [1.0] * 5, ["1"] * 5, [1, 2, 3, 4, 10], [1 << 70] * 5, [1, [2], 3, 4, 5]),
    *(np.array(3), np.array([3]), np.arange(3), np.array([1, 0, 1]), np.array(["1", "2", "3"])),
    *(np.arange(3) + 0.5, np.arange(3) * 1j, np.ones(3, object), np.zeros((3, 1), np.float32)),
    *(np.array(True), *(np.ones(shape, bool) for shape in (2, 3, (3, 1))), np.zeros(3, bool)),
    *([TEN] * 2, [TEN] * 3, [TEN, [1] * 9, TEN], [TEN, None, TEN], [[[1], [2, 3]], [1], [2]]),
    *(np.ones((10, 3), int), np.ones((3, 10, 1), int), ["1111111111"] * 3, np.ones((1, 3), int)),
]
CALLS = {
    "action": lambda env, value: env.step(value),
    "actions": lambda env, value: env.step_block(value),
    "steps": lambda env, value: env.observe_block(value),
    "seed": lambda env, value: env.reset(seed=value),
    "options": lambda env, value: env.reset(options=value, seed=5),
    "inputs": lambda env, value: env.reset(options={"inputs": value}),
    "reset_mask": lambda env, value: env.reset(options={"reset_mask": value}),
    "both": lambda env, value: env.reset(options={"reset_mask": value, "inputs": TEN}),
}
MUST = "(actions?|inputs|options|reset_mask|seed|steps) .*must .*, got "
REFUSALS = {
    "options": rf"{MUST}|unknown option ('input'|'low'|3); reset's options are inputs",
    "reset_mask": rf"{MUST}|reset_mask needs autoreset_mode='Disabled'|unknown option 'reset_mask'",
}
REFUSALS["both"] = rf"{REFUSALS['reset_mask']}|.*can't be given .*with seed or inputs"


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("maker", MAKERS)
def test_a_call_is_refused_by_name_and_changes_nothing_or_does_what_its_twin_does(maker, name):
    twins, refusal = Twins(MAKERS[maker]), REFUSALS.get(name, f"(?={name}){MUST}")
    if maker in SINGLES and name in ("actions", "steps"):
        return  # calls that only vector environments have
    accepted = 0
    for value in ANYTHING:
        if name == "steps" and isinstance(value, int) and value > 100:
            continue  # which would be played
        try:
            result = CALLS[name](twins.env, value)
        except ResetNeeded:
            continue
        except (TypeError, ValueError) as error:
            if not re.match(refusal, str(error), re.DOTALL):
                raise
        else:
            assert data_equivalence(result, CALLS[name](twins.other, value), exact=True)
            accepted += 1
    assert accepted < 10  # of about 70
    twins.are_alike()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["Discrete", "MultiDiscrete"])
def test_an_integer_out_of_range_is_simply_wrong_in_the_vector_environment(kind, mode):
    for wrong in (-1, 10, -(1 << 63)):
        twins = Twins(partial(VECTORS[kind], autoreset_mode=mode), steps=0)
        for _ in range(twins.env.problem.num_steps[1]):
            result = twins.env.step(np.full(twins.env.action_space.shape, wrong))
            shown = twins.other.step(twins.other.action_space.sample())[0]
            assert np.array_equal(result[0], shown) and not result[1].any()
        assert result[2].all()
        assert not result[4].get("final_info", result[4])["is_success"].any()


@pytest.mark.parametrize("maker", MAKERS)
def test_an_environment_asks_for_reset_before_and_after_an_episode(maker):
    env, other = (MAKERS[maker](render_mode="ansi") for _ in range(2))
    action = env.action_space.sample()
    calls, resets = [partial(env.step, action)], []
    if maker not in SINGLES:
        calls += [partial(env.step_block, action[None]), partial(env.observe_block, 1)]
    if "Disabled" in maker:
        mask = np.array([True, False, True])
        resets = [partial(env.reset, options={"reset_mask": mask})]
    for call in (env.render, *calls, *resets):
        with pytest.raises(ResetNeeded, match=r"call reset\(\)"):
            call()
    if maker in SINGLES or resets:
        for e in (env, other):
            e.reset(seed=0)
            while not np.any(e.step(action)[2]):
                pass
        message = r"environments \[\d.*reset_mask" if resets else r"call reset\(\) before step\(\)"
        for call in calls:
            with pytest.raises(ResetNeeded, match=message):
                call()
        assert data_equivalence(follow(env), follow(other), exact=True)


# Options of reset

WIDE = Recorded(np.arange(12, dtype=float).reshape(2, 3, 2) % 7, [0, 1])  # two features a step
REALS = "a sequence of numbers in [0.0, 1.0]"
BAD_INPUTS = [
    (Echo(), [[1] * 9, [1] * 11, [], [10] * 10, [*[1] * 9, 10]], "must have 10 time steps"),
    (Echo(length=(4, 6)), [[1] * 3, [1] * 7], "must have 4 to 6 time steps"),
    (Echo(), [[*[1] * 5, 10, *[1] * 4], [-1] * 10, [HUGE] * 10], "in 0 .. 9"),
    (Echo(), [[1.0] * 10, ["1"] * 10, "1234567890", [True] * 10, [None] * 10], "integers in 0"),
    (Echo(), [5, np.array(5), [1, [2]], [[]], {1: 2}, set(range(10)), [1j] * 10], "integers in 0"),
    (Recall(), [[1, 0, 1, 2]], "begin with one of [3, 4]"),
    (Recall(), [[3, 1, 1, 2]], "go on with [0, 1, 2]"),
    (Recall(framing=MANY, middle="random"), [[3, 0, 4, 0]], "in 0 .. 2"),
    (Classify(), [[0.5] * 9, [*[0.5] * 9, -1.0]], "must have 10 time steps"),
    (Classify(), [[*[0.5] * 9, NAN], [1e300] * 10, ["0.5"] * 10, [0.5j] * 10, 0.5], REALS),
    (NextValue(), [[0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]], "contiguous"),
    (NextValue(framing=MANY), [[0.45, 0.55, 0.65], [0.7, 0.8, 0.9]], "contiguous"),
    (Recorded([[5, 3, 2], [1, 1, 4]], [5, 1]), [[5, 3, 4]], "one of the recorded samples"),
    (WIDE, [[0.5] * 3, [[0.5] * 3] * 3, [[0.5, 6.5]] * 3, [[0.5], [0.5, 0.5]]], "of 2 numbers"),
]


@pytest.mark.parametrize(("problem", "bad", "allowed"), BAD_INPUTS)
@pytest.mark.parametrize("mode", ["single", *MODES])
def test_inputs_that_cannot_be_shown_are_refused(problem, bad, allowed, mode):
    make = partial(SequenceVectorEnv, problem, 3, autoreset_mode=mode)
    twins = Twins(partial(SequenceEnv, problem) if mode == "single" else make, steps=1)
    good = problem.batch(np.random.default_rng(0), 1)
    good = good.inputs[: good.lengths[0] - int(problem.delay(good.lengths[0])), 0]
    for inputs in bad:
        tried = [(inputs, allowed if mode == "single" else "")]
        if mode != "single" and isinstance(inputs, list) and len(inputs) > 3:
            tried.append(([good, inputs, good], allowed))
        for one, said in tried:
            message = rf"(?s)^inputs (?=.*{re.escape(said)}).*must .*, got "
            for seed in (None, 5):  # a seed must not begin a new list of episodes either
                with pytest.raises((TypeError, ValueError), match=message):
                    twins.env.reset(seed=seed, options={"inputs": one})
    twins.are_alike()


def test_inputs_may_end_with_blanks_and_be_written_in_any_precision():
    values = np.array([[0.1, 0.3, 0.2], [0.3, 0.1, 0.1]])
    row = values[0].astype(np.float32)
    for problem, forms in (
        (Echo(), [[*range(10), *[10] * blanks] for blanks in range(3)]),
        (Recorded(values, [0, 1]), [values[0], values[0].tolist(), row, row.tolist()]),
    ):
        played = []
        for form in forms:
            env = SequenceEnv(problem)
            results = [env.reset(options={"inputs": form})]
            played.append(results + [env.step(0) for _ in range(problem.num_steps[1])])
        assert all(data_equivalence(one, played[0], exact=True) for one in played)

"""The checker of problems passes sound ones and names what is wrong with others."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from seqenvs.bounds import Bounds
from seqenvs.problem import Problem, Symbols, Values
from seqenvs.sampling import draw_symbols
from seqenvs.testing import check_problem


class Parity(Problem):
    """A sound problem, for which the tests below get one thing wrong."""

    input_spec, action_space, num_inputs = Symbols(2), spaces.Discrete(2), (8, 8)

    def draw(self, rng, num_inputs):
        return draw_symbols(rng, 2, (int(num_inputs.max()), len(num_inputs)))

    def answer(self, inputs, lengths):
        return inputs.cumsum(axis=0) % 2, np.arange(len(inputs))[:, None] < lengths


class Echoed(Parity):
    """Real values, two at once, given back as a Box."""

    input_spec, action_space = Values(0, 1, 2), spaces.Box(0, 1, (2,), np.float32)
    tolerance = 0.1

    def draw(self, rng, num_inputs):
        return rng.random((8, len(num_inputs), 2), np.float32)

    def answer(self, inputs, lengths):
        return inputs, super().answer(inputs[..., 0], lengths)[1]


class Changing(Parity):
    """Episodes of unlike lengths."""

    num_inputs = 4, 8


GOOD = {
    "Parity": Parity,
    "Echoed": Echoed,
    "Changing": Changing,
    "answers of bool": (Parity, {"answer": lambda s, x, n: (x == 1, x <= 1)}),
    "values in float64": (
        Echoed,
        {"draw": lambda s, rng, count: rng.random((8, len(count), 2))},
    ),
    "episodes all alike": (
        Parity,
        {"draw": lambda s, rng, count: np.ones((8, len(count)), np.uint8)},
    ),
    "episodes that follow from their length": (
        Changing,
        {"draw": lambda s, rng, count: (count + np.zeros((count.max(), 1), int)) % 2},
    ),
    "blanks among what is shown": (
        Parity,
        {
            "draw": lambda s, rng, count: rng.integers(0, 3, (8, len(count)), np.uint8),
            "answer": lambda s, x, n: ((x == 1).cumsum(axis=0) % 2, Parity.answer(s, x, n)[1]),
        },
    ),
}


def with_members(base: type[Problem], members: dict) -> Problem:
    return type(base.__name__, (base,), members)()


@pytest.mark.parametrize("sound", GOOD.values(), ids=GOOD.keys())
def test_check_problem_passes_what_is_sound(sound) -> None:
    base, members = sound if isinstance(sound, tuple) else (sound, {})
    check_problem(with_members(base, members))


def twice(draw):
    """A draw that gives something else the second time, whatever the generator."""
    calls = iter(range(1000))
    return lambda self, rng, count: (draw(self, rng, count) + next(calls)) % 2


def moody(answer):
    calls = iter(range(1000))
    return lambda self, x, n: (answer(self, x, n)[0] ^ min(next(calls), 1), answer(self, x, n)[1])


def spoil(draw, place, value, dtype=None):
    """A draw in which one value is another."""

    def spoilt(self, rng, num_inputs):
        drawn = draw(self, rng, num_inputs).astype(dtype or self.input_spec.dtype)
        drawn[place] = value
        return drawn

    return spoilt


def due(inputs, lengths):
    return Parity.answer(None, inputs, lengths)[1]


BOX = spaces.Box(0, 1, (1,), np.float32)
WRONG = {
    "shown not set": (Parity, {"input_spec": None}, r"input_spec must be Symbols.*got None"),
    "shown as a space": (
        Parity,
        {"input_spec": spaces.Discrete(2)},
        r"input_spec must be Symbols\(n\) or Values.*, got Discrete\(2\)",
    ),
    "answers as a number": (
        Parity,
        {"action_space": 2},
        r"action_space must be Discrete, .*, got 2",
    ),
    "answers from 1": (
        Parity,
        {"action_space": spaces.Discrete(2, start=1)},
        r"action_space must start from 0, got Discrete\(2, start=1\)",
    ),
    "answers in two dimensions": (
        Parity,
        {"action_space": spaces.MultiDiscrete([[2, 2]])},
        r"action_space must be of shape \(K,\), got shape \(1, 2\)",
    ),
    "answers without end": (
        Echoed,
        {"action_space": spaces.Box(0, np.inf, (2,), np.float32)},
        r"action_space must be a bounded float32 Box .*, got Box",
    ),
    "answers of no width": (
        Echoed,
        {"action_space": spaces.Box(1, 1, (2,), np.float32)},
        r"action_space must be .* with low < high, got Box",
    ),
    "no tolerance": (Echoed, {"tolerance": 0.0}, r"tolerance must be a number above 0 .*, got 0.0"),
    "one number of inputs": (Parity, {"num_inputs": 8}, r"num_inputs must be two ints, .*, got 8"),
    "halves of inputs": (
        Parity,
        {"num_inputs": (8, 8.5)},
        r"num_inputs must be two ints, .* got \(8, 8.5\)",
    ),
    "least inputs above most": (
        Parity,
        {"num_inputs": (8, 4)},
        r"num_inputs must be \(least, most\) from 1, got \(8, 4\)",
    ),
    "numbers of inputs out of range": (
        Changing,
        {"draw_num_inputs": lambda s, rng, size: rng.integers(1, 8, size)},
        r"draw_num_inputs must return integers in 4 .. 8, .*, got 1 .. 7",
    ),
    "one number of inputs for all": (
        Changing,
        {"draw_num_inputs": lambda s, rng, size: 5},
        r"draw_num_inputs must return an array of integers of shape \(64,\), got int",
    ),
    "numbers of inputs from elsewhere": (
        Changing,
        {"draw_num_inputs": lambda s, rng, size: np.random.default_rng().integers(4, 9, size)},
        r"draw_num_inputs must depend on its generator alone",
    ),
    "a delay of less than nothing": (
        Parity,
        {"delay": lambda s, count: -1},
        r"delay must be at least 0, .*, got -1 .. -1",
    ),
    "a delay of half a step": (
        Parity,
        {"delay": lambda s, count: 0.5},
        r"delay must return integers, got dtype float64",
    ),
    "a delay that is longest in the middle": (
        Changing,
        {"delay": lambda s, count: 9 * (count == 5)},
        r"delay must .* make the episodes with the least and the most inputs the shortest and",
    ),
    "a list drawn": (
        Parity,
        {"draw": lambda s, rng, count: [[0] * len(count)] * 8},
        r"draw must return an array of integers of shape \(8, 64\), got list",
    ),
    "axes of draw swapped": (
        Parity,
        {"draw": lambda s, rng, count: Parity.draw(s, rng, count).T},
        r"draw must return an array of shape \(8, 64\), got \(64, 8\) \(is axis 0 the time step",
    ),
    "axes of draw swapped, as many of each": (
        Parity,
        {
            "num_inputs": (64, 64),
            "draw": lambda s, rng, count: Parity.draw(s, rng, count).T,
        },
        r"draw must return an array of shape \(64, 65\), got \(65, 64\)",
    ),
    "as many episodes as usual drawn": (
        Parity,
        {"draw": lambda s, rng, count: draw_symbols(rng, 2, (8, 64))},
        r"draw must return an array of shape \(8, 1\), got \(8, 64\)",
    ),
    "a feature missing": (
        Echoed,
        {"draw": lambda s, rng, count: Echoed.draw(s, rng, count)[..., 0]},
        r"draw must return an array of shape \(8, 64, 2\), got \(8, 64\)",
    ),
    "symbols as floats": (
        Parity,
        {"draw": lambda s, rng, count: rng.random((8, len(count)))},
        r"draw must return integers, got dtype float64",
    ),
    "symbols as bool": (
        Parity,
        {"draw": lambda s, rng, count: rng.random((8, len(count))) < 0.5},
        r"draw must return integers, got dtype bool",
    ),
    "values as integers": (
        Echoed,
        {"draw": lambda s, rng, count: rng.integers(0, 2, (8, len(count), 2))},
        r"draw must return floats, got dtype int64",
    ),
    "a type that can't hold the blank": (
        Parity,
        {"input_spec": Symbols(200), "draw": spoil(Parity.draw, (0, 0), 0, np.int8)},
        r"draw must return integers that hold the blank too, 200, got dtype int8",
    ),
    "a symbol beyond the alphabet": (
        Parity,
        {"draw": spoil(Parity.draw, (3, 7), 3)},
        r"draw must return symbols in 0 .. 1, .*, got 3 at step 3 of episode 7",
    ),
    "a negative symbol": (
        Parity,
        {"draw": spoil(Parity.draw, (3, 7), -1, np.int64)},
        r"draw must return symbols in 0 .. 1, .*, got -1 at step 3 of episode 7",
    ),
    "a value out of range": (
        Echoed,
        {"draw": spoil(Echoed.draw, (3, 7, 1), 1.5)},
        r"draw must return values in 0.0 .. 1.0, .*, got 1.5 at step 3 of episode 7",
    ),
    "no number": (
        Echoed,
        {"draw": spoil(Echoed.draw, (3, 7, 1), np.nan)},
        r"draw must return values in 0.0 .. 1.0, .*, got nan at step 3 of episode 7",
    ),
    "half a blank": (
        Echoed,
        {"draw": spoil(Echoed.draw, (3, 7, 1), -1)},
        r"draw must return values in 0.0 .. 1.0, .*, got -1.0 at step 3 of episode 7",
    ),
    "draws from elsewhere": (
        Parity,
        {"draw": lambda s, rng, count: Parity.draw(s, np.random.default_rng(), count)},
        r"draw must depend on its generator alone, but the same seed gave other inputs",
    ),
    "draws that count": (
        Parity,
        {"draw": twice(Parity.draw)},
        r"draw must depend on its generator alone, but the same seed gave other inputs",
    ),
    "draws from a seed of its own": (
        Parity,
        {"draw": lambda s, rng, count: Parity.draw(s, np.random.default_rng(0), count)},
        r"draw must draw from the generator that it is given, but left it as it was",
    ),
    "draw changes what it was given": (
        Changing,
        {"draw": lambda s, rng, count: Parity.draw(s, rng, np.minimum(count, 4, out=count))},
        r"draw must not change its num_inputs",
    ),
    "answers alone": (
        Parity,
        {"answer": lambda s, x, n: x},
        r"answer must return two arrays, \(targets, mask\), got ndarray",
    ),
    "a mask as a list": (
        Parity,
        {"answer": lambda s, x, n: (x, [True] * 8)},
        r"answer must return two arrays, \(targets, mask\), got tuple of ndarray, list",
    ),
    "one target an episode": (
        Parity,
        {"answer": lambda s, x, n: (x[-1], due(x, n))},
        r"targets must have the shape \(8, 64\) for inputs of shape \(8, 64\), got \(64,\)",
    ),
    "a component missing": (
        Echoed,
        {"answer": lambda s, x, n: (x[..., 0], due(x[..., 0], n))},
        r"targets must have the shape \(8, 64, 2\) for inputs .*, got \(8, 64\)",
    ),
    "as many steps as episodes have": (
        Parity,
        {"answer": lambda s, x, n: (x[:8], due(x[:8], n))},
        r"targets must have the shape \(9, 64\) for inputs of shape \(9, 64\), got \(8, 64\)",
    ),
    "as many episodes as usual answered": (
        Parity,
        {"answer": lambda s, x, n: (x, np.repeat(due(x, n)[:, :1], 64, axis=1))},
        r"mask must be bool of shape \(8, 1\) for inputs of shape \(8, 1\), .*, shape \(8, 64\)",
    ),
    "targets as floats": (
        Parity,
        {"answer": lambda s, x, n: (x * 0.5, due(x, n))},
        r"targets must be integers for Discrete\(2\), got dtype float64",
    ),
    "a mask of integers": (
        Parity,
        {"answer": lambda s, x, n: (x, due(x, n).astype(int))},
        r"mask must be bool of shape \(8, 64\) or \(8, 1\) .*, got dtype int64, shape \(8, 64\)",
    ),
    "a mask for one episode": (
        Parity,
        {"answer": lambda s, x, n: (x, due(x, n)[:, 0])},
        r"mask must be bool of shape \(8, 64\) or \(8, 1\) .*, got dtype bool, shape \(8,\)",
    ),
    "a target beyond the answers": (
        Parity,
        {"answer": lambda s, x, n: (x + (np.arange(len(x)) == 5)[:, None], due(x, n))},
        r"targets must be in Discrete\(2\) where due, got 2 at step 5 of episode \d+",
    ),
    "a target that is no number": (
        Echoed,
        {"answer": lambda s, x, n: (x * np.nan, due(x[..., 0], n))},
        r"targets must be in Box.* where due, got \[nan nan\] at step 0 of episode 0",
    ),
    "nothing due": (
        Parity,
        {"answer": lambda s, x, n: (x, due(x, n) & (np.arange(x.shape[1]) != 9))},
        r"an answer must be due in every episode, got none in episode 9",
    ),
    "due after the end": (
        Changing,
        {"answer": lambda s, x, n: (x % 2, due(x, n + 1))},
        r"no answer can be due after an episode's end, got one at step \d of episode \d+, which",
    ),
    "due in a blank row below": (
        Parity,
        {"answer": lambda s, x, n: (x % 2, x >= 0)},
        r"answer must not depend on a blank row below the episodes, .* but does",
    ),
    "a mood": (
        Parity,
        {"answer": moody(Parity.answer)},
        r"answer must be pure, but answered the same inputs differently when asked again",
    ),
    "answer changes its inputs": (
        Parity,
        {"answer": lambda s, x, n: Parity.answer(s, np.bitwise_and(x, 0, out=x), n)},
        r"answer must not change its inputs",
    ),
    "answer changes its lengths": (
        Parity,
        {"answer": lambda s, x, n: Parity.answer(s, x, np.subtract(n, 1, out=n))},
        r"answer must not change its lengths",
    ),
    "answers of other episodes": (
        Parity,
        {"answer": lambda s, x, n: (x[:, ::-1], due(x, n))},
        r"an episode's answers must not depend on other episodes, but those of episode \d",
    ),
    "answers that see the future": (
        Parity,
        {"answer": lambda s, x, n: (np.take_along_axis(x, n[None] - 1, 0) + 0 * x, due(x, n))},
        r"answer must be causal, but targets\[0\] of .* changes with what is shown after step 0",
    ),
    "bounds as a number": (
        Parity,
        {"bounds": lambda s: 0.5},
        r"bounds must return seqenvs.Bounds, got 0.5",
    ),
    "bounds that fall": (
        Parity,
        {"bounds": lambda s: Bounds(0.5, 0.4, 0.6)},
        r"chance, memoryless, clock and optimum must not fall, got Bounds",
    ),
}


@pytest.mark.parametrize(("base", "members", "message"), WRONG.values(), ids=WRONG.keys())
def test_check_problem_says_what_is_wrong(base, members, message) -> None:
    with pytest.raises(AssertionError, match=rf"^{message}"):
        check_problem(with_members(base, members))


@pytest.mark.parametrize("name", ["input_spec", "action_space", "num_inputs"])
def test_check_problem_names_an_attribute_that_is_not_set(name: str) -> None:
    class Bare(Problem):
        draw, answer = Parity.draw, Parity.answer

    problem = Bare()
    for other in {"input_spec", "action_space", "num_inputs"} - {name}:
        setattr(problem, other, getattr(Parity, other))
    with pytest.raises(AssertionError, match=f"^{name} must be set in Bare or its constructor"):
        check_problem(problem)


@pytest.mark.parametrize("value", [Parity, "SeqEcho-v0", None], ids=str)
def test_check_problem_wants_an_instance(value) -> None:
    with pytest.raises(AssertionError, match=r"^problem must be an instance of a seqenvs\.Problem"):
        check_problem(value)

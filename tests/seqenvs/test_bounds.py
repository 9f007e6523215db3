"""The bounds are exact: against enumeration, search and another rule."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqenvs.bounds import Bounds, enumerated_bounds, irwin_hall_cdf
from seqenvs.problem import Problem
from seqenvs.problems import Classify, Copy, Echo, NextValue, Recall, Recorded
from seqenvs.registration import IDS
from seqenvs.scoring import reward_weights
from tests.variants import VARIANTS

MANY = "many_to_one"
NAMES = ("chance", "memoryless", "clock")
BY_ID = {id: gymnasium.make(id).unwrapped.problem for id in IDS}
FINITE = [
    *(problem for problem in (*VARIANTS, *BY_ID.values()) if problem.support() is not None),
    Recall(length=(3, 6), framing=MANY, num_values=3, overlap=True),
    Recall(length=6, num_values=4, overlap=True),
    NextValue(length=(3, 6), framing=MANY, window=2),
    NextValue(length=(4, 9), framing=MANY, window=3),
    NextValue(length=(20, 30), framing=MANY, window=4),
    NextValue(length=(4, 9), framing=MANY, window=2, answer="index"),
]


def assert_close(bounds: Bounds, wanted: Bounds, tolerance: float = 1e-9) -> None:
    for name in NAMES:
        assert getattr(bounds, name) == pytest.approx(getattr(wanted, name), abs=tolerance), name


def searched(problem: Problem) -> Bounds:
    """Try every answer on every observation, and random answers on a fine grid."""
    batch, probability = problem.support()
    space = problem.action_space
    real = isinstance(space, spaces.Box)
    low, high = (space.low, space.high) if real else (0, getattr(space, "n", None) or space.nvec)
    low, high = np.float64(low).reshape(-1), np.float64(high).reshape(-1)
    found = dict.fromkeys(NAMES, 0.0)
    for name in NAMES:
        cases: dict = {}
        for column, chance in enumerate(probability):
            times = np.flatnonzero(batch.due[:, column])
            for t in times.tolist():
                shown = (batch.inputs[t, column].tobytes(), None if name == "memoryless" else t)
                case = np.float64(batch.targets[t, column]).reshape(-1), chance / len(times)
                cases.setdefault(shown, []).append(case)
        for pairs in cases.values():
            targets, weights = map(np.array, zip(*pairs, strict=True))
            for k, values in enumerate(targets.T):
                grid = np.arange(high[k])
                if real:
                    grid = low[k] + (high[k] - low[k]) * (np.arange(1000) + 0.5) / 1000
                tried = grid if name == "chance" else np.append(grid, values)
                distance = np.abs(tried[:, None] - values)
                score = 1 - distance / (high[k] - low[k]) if real else distance == 0
                scores = score @ weights / len(targets.T)
                found[name] += scores.mean() if name == "chance" else scores.max()
    return Bounds(**found)


@pytest.mark.parametrize("problem", FINITE, ids=str)
def test_enumerated_bounds_equal_a_search_over_all_answers(problem: Problem) -> None:
    bounds, wanted = problem.bounds(), searched(problem)
    assert_close(bounds, wanted, 1e-6)  # the grid of random answers is not exact
    assert (bounds.memoryless, bounds.clock) == pytest.approx((wanted.memoryless, wanted.clock))


@given(data=st.data())
def test_bounds_of_any_recording_equal_a_search_over_all_answers(data) -> None:
    size, steps = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    x = data.draw(arrays(np.int64, (size, steps), elements=st.integers(0, 2)))
    x[:, 0] = np.arange(size)  # so that no two samples are equal
    shape = data.draw(st.sampled_from([(size, steps), (size, steps, 2)]))
    y = data.draw(arrays(np.int64, shape, elements=st.integers(0, 3)))
    y = data.draw(st.sampled_from([y, y / 4]))
    mask = data.draw(arrays(np.bool_, (size, steps)))
    mask[:, -1] |= ~mask.any(axis=1)
    problem = Recorded(x, y, mask)
    assert_close(problem.bounds(), searched(problem), 1e-6)


def columns(batch):
    """Return the episodes of a batch as rows that can be compared."""
    size = len(batch.lengths)
    parts = [np.moveaxis(array, 1, 0).reshape(size, -1) for array in batch[:3]]
    return np.concatenate(parts, axis=1, dtype=float)


@pytest.mark.parametrize("problem", FINITE, ids=str)
def test_episodes_are_drawn_with_the_probabilities_of_the_support(problem: Problem) -> None:
    batch, probability = problem.support()
    size = max(10_000, 40 * len(probability))
    drawn = problem.batch(np.random.default_rng(0), size, len(batch.inputs))
    names, number = np.unique(columns(batch), axis=0, return_inverse=True)
    expected = size * np.bincount(number.ravel(), probability)
    seen, count = np.unique(columns(drawn), axis=0, return_counts=True)
    np.testing.assert_array_equal(seen, names)  # each of them is seen
    chi_squared = ((count - expected) ** 2 / expected).sum()
    assert chi_squared < len(names) - 1 + 6 * math.sqrt(2 * len(names))


def sequences(first, others, problem: Problem):
    """Return a batch of all sequences of these symbols, and their probabilities."""
    low, high = problem.num_inputs
    inputs, counts, probability = [], [], []
    for count in range(low, high + 1):
        rows = [*product(first, *[others] * (count - 1))]
        inputs.append(np.full((high, len(rows)), problem.input_spec.blank))
        inputs[-1][:count] = np.transpose(rows)
        counts += [count] * len(rows)
        probability += [1 / len(rows) / (high - low + 1)] * len(rows)
    inputs = np.concatenate(inputs, axis=1).astype(problem.input_spec.dtype)
    return problem.complete(inputs, np.array(counts)), np.array(probability)


FRAMINGS = ("many_to_many", MANY, "one_to_one")
SMALL = [
    *product([Echo], (1, 5, (2, 5)), [{"lag": at} for at in range(5)]),
    *product([Echo], (1, 5, (2, 5)), [{"position": at} for at in range(5)]),
    *(
        (Copy, length, {"start": start, "reverse": reverse, "output_length": size})
        for length in (1, 3, (2, 4))
        for start, reverse, size in product((0, 1), (False, True), (None, 1, 2))
    ),
]


def test_closed_forms_equal_the_enumeration_of_every_sequence() -> None:
    checked = 0
    for (kind, length, others), framing in product(SMALL, FRAMINGS):
        try:
            problem = kind(num_symbols=3, length=length, framing=framing, **others)
        except ValueError:
            continue  # arguments that do not go together
        symbols = range(problem.input_spec.n)
        episodes = sequences(symbols, symbols, problem)
        assert_close(problem.bounds(), enumerated_bounds(problem.action_space, *episodes))
        checked += 1
    assert checked > 60


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("length", [3, 5, (3, 5)])
def test_recall_of_a_random_middle_equals_the_enumeration(length, overlap) -> None:
    problem = Recall(length=length, num_values=3, framing=MANY, middle="random", overlap=overlap)
    middle = problem.num_inputs[1] - 1  # so many symbols, and then those of the values
    episodes = sequences(range(middle, middle + 3), np.arange(middle) + overlap, problem)
    problem.check_inputs(episodes[0].inputs[: problem.num_inputs[0], 0])
    assert_close(problem.bounds(), enumerated_bounds(problem.action_space, *episodes))


def test_bounds_of_the_ids_rise_and_two_need_no_memory() -> None:
    for id, problem in BY_ID.items():
        bounds = problem.bounds()
        assert 0 < bounds.chance <= bounds.memoryless <= bounds.clock <= bounds.optimum == 1
        assert bounds.needs_memory == (bounds.clock < 1)
        assert bounds.needs_memory == (id not in ("SeqNext-v0", "SeqNextMedium-v0"))
        if bounds.needs_memory:
            assert bounds.memory_score(bounds.clock) == 0
            assert bounds.memory_score(1.0) == pytest.approx(1)
            assert bounds.memory_score((1 + bounds.clock) / 2) == pytest.approx(0.5)
        else:
            assert math.isnan(bounds.memory_score(0.5))


masks = st.tuples(st.integers(1, 60), st.integers(1, 8)).flatmap(lambda s: arrays(np.bool_, s))


@given(masks, st.randoms(use_true_random=False))
@example(np.ones((49, 1), np.bool_), None)
@example(np.ones((10, 3), np.bool_), None)
def test_reward_weights_add_up_to_exactly_1_in_any_order(mask, random) -> None:
    mask[-1] |= ~mask.any(axis=0)
    weights = reward_weights(mask)
    order = list(range(len(mask)))
    if random:
        random.shuffle(order)
    for column, due in zip(weights[order].T, mask[order].T, strict=True):
        assert np.cumsum(column)[-1] == 1.0  # added up one after the other
        assert (column[~due] == 0).all()
        np.testing.assert_allclose(column[due], 1 / due.sum(), rtol=1e-12, atol=2.0**-52)


@pytest.mark.full
def test_bounds_of_a_million_steps_are_at_most_1() -> None:
    """Added up one after the other, a million parts come to 7e-12 more."""
    rng, size = np.random.default_rng(0), (20_000, 50)
    x = rng.random(size)
    x[:, 0] = np.arange(20_000) / 20_000  # the first value tells each sample from the others
    several = rng.integers(0, 5, size)
    for answers in (several[:, 0], several, rng.random(size), np.ones(size, int)):
        bounds = Recorded(x, answers).bounds()
        assert 0 < bounds.chance <= bounds.memoryless <= bounds.clock <= 1


@pytest.mark.parametrize(
    ("probability", "message"),
    [
        ([0.5, 0.4], r"add up to 1, got a sum of 0\.9 and"),
        ([1.5, -0.5], r"numbers from 0 .*, got a sum of 1\.0 and a least of -0\.5"),
        ([np.nan, 1.0], "add up to 1, got a sum of nan"),
        ([1.0], r"the shape \(2,\), got \(1,\)"),
        ([[0.5, 0.5]], r"the shape \(2,\), got \(1, 2\)"),
    ],
)
def test_what_are_no_probabilities_is_refused(probability, message) -> None:
    problem = Echo(length=3, lag=0)
    batch = problem.batch(np.random.default_rng(0), 2)
    with pytest.raises(ValueError, match=f"^probability must .*{message}"):
        enumerated_bounds(problem.action_space, batch, probability)
    assert enumerated_bounds(problem.action_space, batch, [0.5000000003, 0.5]).clock == 1


# The bounds of Classify are integrals over the distribution of a sum of uniform numbers.


def irwin_hall_by_hand(n, x):
    """The textbook's alternating sum, in rational numbers."""
    x = Fraction(x)
    if n == 0 or x < 0:
        return Fraction(x >= 0)
    terms = ((-1) ** k * math.comb(n, k) * (x - k) ** n for k in range(min(math.floor(x), n) + 1))
    return sum(terms) / math.factorial(n)


def test_irwin_hall_cdf_equals_the_rational_alternating_sum():
    """Also where this sum breaks down in floating point."""
    rng = np.random.default_rng(0)
    for n in (0, 1, 2, 3, 7, 15, 30, 60, 200):
        points = [-1.5, -1e-9, 0.0, 1e-9, 0.25, 0.5, 1.0, n / 2, n - 1e-3, n + 1.0]
        points += [*rng.uniform(0, n, 10), *rng.normal(n / 2, math.sqrt(n / 12), 10)]
        exact = [float(irwin_hall_by_hand(n, x)) for x in points]
        np.testing.assert_allclose(irwin_hall_cdf(n, points)[n], exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("threshold", [None, 0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize(("length", "framing"), [(10, "one_to_one"), (7, MANY), ((2, 6), MANY)])
def test_classify_equals_a_fine_midpoint_rule(length, framing, threshold):
    """The same integrals by another rule, with its own sums over the steps."""
    problem = Classify(length=length, framing=framing, threshold=threshold)
    low, high = problem.num_inputs
    x = (np.arange(20_000) + 0.5) / 20_000
    one = []
    for t in range(0 if framing == "one_to_one" else low - 1, high):
        share, steps = (0.25, high) if framing == "one_to_one" else (0.5, t + 1)
        one.append(1 - irwin_hall_cdf(t, (threshold or share) * steps - x)[t])
    mean, bounds = np.mean(one, axis=0), problem.bounds()
    assert bounds.clock == pytest.approx(np.maximum(one, 1 - np.array(one)).mean(), abs=1e-7)
    assert bounds.memoryless == pytest.approx(np.maximum(mean, 1 - mean).mean(), abs=1e-7)

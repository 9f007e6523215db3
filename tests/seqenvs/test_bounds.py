"""The bounds are exact: against simulation, fitted policies, enumeration and brute force."""

from __future__ import annotations

import math
from fractions import Fraction

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqenvs.bounds import Bounds, enumerated_bounds
from seqenvs.problem import Problem, Symbols
from seqenvs.problems import Classify, Copy, Echo, NextValue, Recall, Recorded
from seqenvs.registration import IDS
from seqenvs.scoring import reward_weights
from tests.variants import VARIANTS

MANY = "many_to_one"
STEPS, EPISODES = 600_000, 60_000  # simulated for each sample: whichever is reached first
PROBLEMS = {
    **{id: gymnasium.make(id).unwrapped.problem for id in IDS},
    **{
        str(problem): problem
        for problem in [
            *VARIANTS,
            Echo(length=(2, 4), lag=1, num_symbols=3),
            Echo(length=(2, 4), position=1, framing=MANY, num_symbols=3),
            Copy(length=(2, 4), framing=MANY, output_length=2, num_symbols=3),
            Recall(length=(3, 6), framing=MANY, num_values=3, overlap=True),
            Recall(length=6, num_values=4, overlap=True),
            Recall(length=(3, 4), framing=MANY, middle="random"),
            Classify(length=1, framing=MANY, threshold=0.3),
            Classify(length=4, threshold=0.6),
            Classify(length=(2, 5), framing=MANY, threshold=0.55),
            NextValue(length=(3, 6), framing=MANY, window=2),
            NextValue(length=(4, 9), framing=MANY, window=3),
            NextValue(length=(4, 9), framing=MANY, window=2, answer="index"),
        ]
    },
}
EXACT = {name: p for name, p in PROBLEMS.items() if not isinstance(p, Classify)}
REAL = {name: p for name, p in PROBLEMS.items() if isinstance(p, Classify)}


def table(problems):
    return pytest.mark.parametrize("problem", problems.values(), ids=problems.keys())


def sample(problem, seed):
    """A batch of many episodes."""
    size = min(EPISODES, max(2_000, STEPS // problem.num_steps[1]))
    return problem.batch(np.random.default_rng(seed), size)


def play(problem, batch, answers):
    """Mean return of these answers, (asked, ...) to each due step, and its standard error."""
    time, column = np.nonzero(batch.due)
    targets = batch.targets[time, column]
    score, _ = problem.judge(answers.reshape(targets.shape), targets)
    worth = 1 / batch.due.sum(axis=0)
    returns = np.bincount(column, score * worth[column])
    return returns.mean(), returns.std() / math.sqrt(len(returns))


def groups(batches, clock, bins=None):
    """What a policy without memory tells apart at the due steps of each batch, numbered from 0."""
    keys = []
    for batch in batches:
        time, column = np.nonzero(batch.due)
        seen = batch.inputs[time, column].reshape(len(time), -1)
        seen = np.floor(seen * bins) if bins else seen
        keys.append(np.column_stack([seen, time]) if clock else seen)
    columns = np.concatenate(keys).T
    number = np.zeros(columns.shape[1], np.int64)
    for column in columns:  # np.unique of whole rows takes ten times as long
        _, rank = np.unique(column, return_inverse=True)
        _, number = np.unique(number * (rank.max() + 1) + rank, return_inverse=True)
    return np.split(number, [len(keys[0])])


def fit(problem, batch, group, num_groups):
    """The best answer for each group in this batch, (num_groups, components)."""
    time, column = np.nonzero(batch.due)
    target = batch.targets[time, column].reshape(len(time), -1)
    worth = (1 / batch.due.sum(axis=0))[column]
    best = np.zeros((num_groups, target.shape[1]), target.dtype)
    for k, values in enumerate(target.T):
        if isinstance(problem.action_space, spaces.Box):
            order = np.lexsort([values, group])
            for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
                upto = worth[members].cumsum()
                median = members[np.searchsorted(upto, upto[-1] / 2)]
                best[group[median], k] = values[median]
        else:
            span = int(values.max()) + 1
            votes = np.bincount(group * span + values, worth, num_groups * span)
            best[:, k] = votes.reshape(num_groups, span).argmax(axis=1)
    return best


def fitted_return(problem, clock, bins=None):
    """Mean return and standard error of the policy fitted on one sample, in another one."""
    train, test = sample(problem, 1), sample(problem, 2)
    seen, asked = groups([train, test], clock, bins)
    best = fit(problem, train, seen, int(max(seen.max(), asked.max())) + 1)
    return play(problem, test, best[asked])


@table(PROBLEMS)
def test_uniformly_random_answers_return_chance(problem):
    batch = sample(problem, 3)
    asked = int(batch.due.sum())
    space = problem.action_space
    rng = np.random.default_rng(4)
    if isinstance(space, spaces.Box):
        answers = rng.uniform(space.low, space.high, (asked, *space.shape))
    else:
        ends = space.n if isinstance(space, spaces.Discrete) else space.nvec
        answers = rng.integers(ends, size=(asked, *space.shape))
    mean, error = play(problem, batch, answers)
    assert abs(mean - problem.bounds().chance) <= 5 * error + 1e-7  # targets are float32


@pytest.mark.parametrize("clock", [False, True], ids=["memoryless", "clock"])
@table(EXACT)
def test_the_policy_fitted_to_a_sample_reaches_the_bound_in_another(problem, clock):
    bounds = problem.bounds()
    bound = bounds.clock if clock else bounds.memoryless
    mean, error = fitted_return(problem, clock)
    assert mean <= bound + 5 * error + 1e-7
    # Where answers are nearly as likely as each other, a sample may take the second best for the
    # best, which costs next to nothing.
    assert mean >= bound - 5 * error - 2e-3


@pytest.mark.parametrize("clock", [False, True], ids=["memoryless", "clock"])
@table(REAL)
def test_the_policy_fitted_to_a_fine_histogram_of_real_values_comes_near_the_bound(problem, clock):
    bounds = problem.bounds()
    bound = bounds.clock if clock else bounds.memoryless
    mean, error = fitted_return(problem, clock, bins=50)
    assert mean <= bound + 5 * error
    assert mean >= bound - 5 * error - 0.005  # a bin's answer is one for all of its values


def all_sequences(problem: Problem):
    """Every sequence of independent symbols, and how likely each is."""
    n = problem.input_spec.n
    low, high = problem.num_inputs
    inputs, counts, probability = [], [], []
    for count in range(low, high + 1):
        columns = np.indices([n] * count).reshape(count, -1)
        padded = np.full((high, columns.shape[1]), n)
        padded[:count] = columns
        inputs.append(padded)
        counts.append(np.full(columns.shape[1], count))
        probability.append(np.full(columns.shape[1], 1 / columns.shape[1] / (high - low + 1)))
    inputs = np.concatenate(inputs, axis=1).astype(Symbols(n).dtype)
    return problem.complete(inputs, np.concatenate(counts)), np.concatenate(probability)


SMALL = [
    *(Echo(length=5, num_symbols=3, lag=lag) for lag in range(5)),
    *(Echo(length=5, num_symbols=3, lag=lag, framing=MANY) for lag in range(5)),
    *(Echo(length=5, num_symbols=3, position=at, framing=MANY) for at in range(5)),
    *(Echo(length=(2, 5), num_symbols=3, lag=lag) for lag in (0, 1)),
    *(Echo(length=(2, 5), num_symbols=3, lag=lag, framing=MANY) for lag in (0, 1)),
    *(Echo(length=(2, 5), num_symbols=3, position=at, framing=MANY) for at in (0, 1)),
    Echo(length=1, num_symbols=2, lag=0),
    *(
        Copy(length=length, num_symbols=3, framing=framing, start=start, reverse=reverse)
        for length in (3, 1, (2, 4))
        for framing in ("many_to_many", "many_to_one", "one_to_one")
        for start in (0, 1)
        for reverse in (False, True)
        if not (length == 1 and start)
        and not (framing == "one_to_one" and reverse)
        and not (framing == MANY and isinstance(length, tuple))
    ),
    *(
        Copy(length=length, num_symbols=3, framing=framing, start=start, output_length=1)
        for length in (3, (2, 4))
        for framing in ("many_to_many", "many_to_one", "one_to_one")
        for start in (0, 1)
    ),
    Copy(length=(2, 4), num_symbols=3, framing=MANY, output_length=2),
    Copy(length=(2, 4), num_symbols=3, framing=MANY, output_length=2, reverse=True),
]


@pytest.mark.parametrize("problem", SMALL, ids=str)
def test_closed_forms_equal_the_enumeration_of_every_sequence(problem):
    known, counted = problem.bounds(), enumerated_bounds(problem, *all_sequences(problem))
    for name in ("chance", "memoryless", "clock"):
        assert getattr(known, name) == pytest.approx(getattr(counted, name), abs=1e-9), name


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("length", [3, 5, (3, 5)])
def test_recall_of_a_random_middle_equals_the_enumeration_of_every_sequence(length, overlap):
    problem = Recall(length=length, num_values=3, framing=MANY, middle="random", overlap=overlap)
    low, high = problem.num_inputs
    middle = high - 1  # so many symbols, and then those of the values
    inputs, counts, probability = [], [], []
    for count in range(low, high + 1):
        columns = np.indices([3] + [middle] * (count - 1)).reshape(count, -1) + int(overlap)
        columns[0] += middle - overlap
        padded = np.full((high, columns.shape[1]), problem.input_spec.blank)
        padded[:count] = columns
        inputs.append(padded)
        counts.append(np.full(columns.shape[1], count))
        probability.append(np.full(columns.shape[1], 1 / columns.shape[1] / (high - low + 1)))
    for column, count in zip(inputs[0].T[:5], counts[0], strict=False):
        problem.check_inputs(column[:count])  # it is Recall's own alphabet
    batch = problem.complete(np.concatenate(inputs, axis=1), np.concatenate(counts))
    counted = enumerated_bounds(problem, batch, np.concatenate(probability))
    known = problem.bounds()
    for name in ("chance", "memoryless", "clock"):
        assert getattr(known, name) == pytest.approx(getattr(counted, name), abs=1e-9), name


@pytest.mark.parametrize("id", IDS)
def test_bounds_of_every_id_rise_from_chance_to_the_optimum(id):
    bounds = PROBLEMS[id].bounds()
    assert 0 < bounds.chance < 1
    assert bounds.chance <= bounds.memoryless <= bounds.clock <= bounds.optimum == 1


@table({name: p for name, p in PROBLEMS.items() if name in IDS})
def test_memory_score_is_0_at_the_clock_and_1_at_the_optimum(problem):
    bounds = problem.bounds()
    if not bounds.needs_memory:
        assert bounds.clock == 1
        assert math.isnan(bounds.memory_score(0.5))
        return
    assert bounds.memory_score(bounds.clock) == 0
    assert bounds.memory_score(1.0) == pytest.approx(1, abs=1e-12)
    assert bounds.memory_score((1 + bounds.clock) / 2) == pytest.approx(0.5, abs=1e-9)
    assert bounds.memory_score(bounds.chance) <= 0


def test_which_ids_are_calibration_problems_is_known():
    """One sequence of one spacing says by itself where it stands; every other id needs memory."""
    free = {id for id in IDS if not PROBLEMS[id].bounds().needs_memory}
    assert free == {"SeqNext-v0", "SeqNextMedium-v0"}


@pytest.mark.parametrize(
    "problem",
    [
        Echo(lag=0),
        Echo(lag=0, length=(2, 5), framing=MANY),
        Echo(length=4, position=3, framing=MANY),
        Copy(framing="one_to_one"),
        Copy(length=1, framing=MANY),
        NextValue(),
        NextValue(answer="index", framing=MANY),
    ],
    ids=str,
)
def test_problems_whose_answer_is_in_sight_need_no_memory(problem):
    assert problem.bounds().clock == 1
    assert not problem.bounds().needs_memory


@pytest.mark.parametrize(
    ("clock", "score", "expected"),
    [(0.5, 0.5, 0.0), (0.5, 1.0, 1.0), (0.5, 0.75, 0.5), (0.5, 0.25, -0.5), (0.9, 0.91, 0.1)],
)
def test_memory_score_is_linear_between_clock_and_optimum(clock, score, expected):
    assert Bounds(0.1, 0.2, clock).memory_score(score) == pytest.approx(expected)


masks = st.tuples(st.integers(1, 60), st.integers(1, 8)).flatmap(lambda s: arrays(np.bool_, s))


@given(masks, st.randoms(use_true_random=False))
@example(np.ones((49, 1), np.bool_), None)
@example(np.ones((10, 3), np.bool_), None)
def test_answer_parts_add_up_to_exactly_1_in_any_order(mask, random):
    mask[-1] |= ~mask.any(axis=0)
    parts = reward_weights(mask)
    order = list(range(len(mask)))
    if random:
        random.shuffle(order)
    for column, asked in zip(parts[order].T, mask[order].T, strict=True):
        total = 0.0
        for part in column.tolist():
            total += part
        assert total == 1.0
        assert (column[~asked] == 0).all()
        np.testing.assert_allclose(column[asked], 1 / asked.sum(), rtol=1e-12, atol=2.0**-52)


def searched(problem, clock):
    """The best closeness per observation, by trying every candidate answer on it."""
    batch, probability = problem.support()
    cases = {}
    for episode, chance in enumerate(probability):
        asked = np.flatnonzero(batch.due[:, episode])
        for t in asked:
            key = (float(batch.inputs[t, episode]), int(t) if clock else None)
            target = float(batch.targets[t, episode, 0])
            cases.setdefault(key, []).append((target, chance / len(asked)))
    grid = np.linspace(0, 1, 101)
    total = 0.0
    for targets in cases.values():
        value, weight = np.array(targets).T
        candidates = np.concatenate([grid, value])[:, None]
        total += ((1 - np.abs(candidates - value)) @ weight).max()
    return total


@pytest.mark.parametrize("clock", [False, True], ids=["memoryless", "clock"])
@pytest.mark.parametrize(
    "problem",
    [
        NextValue(),
        NextValue(framing=MANY),
        NextValue(length=(3, 6), framing=MANY, window=2),
        NextValue(length=(4, 9), framing=MANY, window=3),
        NextValue(length=(5, 12), framing=MANY, window=2),
        NextValue(length=(20, 30), framing=MANY, window=4),
    ],
    ids=str,
)
def test_closeness_bounds_equal_a_search_over_candidate_answers(problem, clock):
    bounds = problem.bounds()
    bound = bounds.clock if clock else bounds.memoryless
    assert bound == pytest.approx(searched(problem, clock), abs=1e-9)


@pytest.mark.parametrize("problem", [NextValue(), NextValue(length=(4, 9), framing=MANY)], ids=str)
def test_chance_of_closeness_equals_the_mean_over_a_fine_grid_of_answers(problem):
    batch, probability = problem.support()
    answers = (np.arange(20_000) + 0.5) / 20_000
    total = 0.0
    for episode, chance in enumerate(probability):
        due = batch.due[:, episode]
        targets = batch.targets[due, episode].astype(np.float64)
        total += chance * (1 - np.abs(answers - targets)).mean()
    assert problem.bounds().chance == pytest.approx(total, abs=1e-8)


def recording(answers):
    """Many random samples of many steps; the first value tells each from the others."""
    rng = np.random.default_rng(0)
    x = rng.random((20_000, 50))
    x[:, 0] = np.arange(20_000) / 20_000
    return Recorded(x, answers(rng))


@pytest.mark.full
@pytest.mark.parametrize(
    "answers",
    [
        lambda rng: rng.integers(0, 3, 20_000),
        lambda rng: rng.integers(0, 5, (20_000, 50)),
        lambda rng: rng.random((20_000, 50)),
        lambda rng: np.ones((20_000, 50), int),
    ],
    ids=["a label", "labels", "values", "always the same"],
)
def test_bounds_of_a_million_steps_are_at_most_1(answers):
    bounds = recording(answers).bounds()
    assert 0 < bounds.chance <= bounds.memoryless <= bounds.clock <= 1


def exactly(batch, clock):
    """The best of a policy without memory in whole numbers, where every step is asked."""
    votes = {}
    for t, (shown, targets) in enumerate(zip(batch.inputs, batch.targets, strict=True)):
        for symbol, target in zip(shown.tolist(), targets.tolist(), strict=True):
            count = votes.setdefault((symbol, t if clock else None), {})
            count[target] = count.get(target, 0) + 1
    return Fraction(sum(max(count.values()) for count in votes.values()), batch.inputs.size)


@pytest.mark.full
def test_bounds_of_a_million_steps_are_exact():
    """Added up one after the other, a million parts come to 7e-12 more."""
    problem = recording(lambda rng: rng.integers(0, 5, (20_000, 50)))
    batch, _ = problem.support()
    bounds = problem.bounds()
    assert bounds.memoryless == pytest.approx(float(exactly(batch, clock=False)), abs=1e-12)
    assert bounds.clock == pytest.approx(float(exactly(batch, clock=True)), abs=1e-12)


@pytest.mark.parametrize(
    ("probability", "message"),
    [
        ([0.5, 0.4], r"add up to 1, got a sum of 0\.9 and"),
        ([1.5, -0.5], r"numbers from 0 .*, got a sum of 1\.0 and a least of -0\.5"),
        ([np.nan, 1.0], "add up to 1, got a sum of nan"),
        ([1.0], r"the shape \(2,\), got \(1,\)"),
        ([[0.5, 0.5]], r"the shape \(2,\), got \(1, 2\)"),
    ],
    ids=str,
)
def test_what_are_no_probabilities_is_refused(probability, message):
    problem = Echo(length=3)
    batch = problem.batch(np.random.default_rng(0), 2)
    with pytest.raises(ValueError, match=f"^probability must .*{message}"):
        enumerated_bounds(problem, batch, probability)


def test_probabilities_may_be_rounded():
    problem = Echo(length=3, lag=0)
    batch = problem.batch(np.random.default_rng(0), 3)
    bounds = enumerated_bounds(problem, batch, np.full(3, 0.3333333334))
    assert bounds.memoryless == bounds.clock == 1

"""Bad arguments of problems, environments and data sets are refused with an error that names them.

An error says: NAME must be ..., got VALUE.
"""

from __future__ import annotations

import enum
import inspect
import re

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqenvs import SequenceEnv, SequenceVectorEnv, batches, register
from seqenvs.problem import Values
from seqenvs.problems import Classify, Copy, Echo, NextValue, Recall, Recorded
from seqenvs.testing import check_problem
from tests.refused import refused
from tests.variants import Parity

MANY = "many_to_one"
HUGE = 10**30
# What a person or a configuration file might pass.
ANYTHING = [
    *(*range(-1, 9), HUGE, 0.5, 1e9, None, True, False, "3", "", (3, 6), (1, 4), [3, 5], (5, 2)),
    *(MANY, "one_to_one", "many_to_many", "in_order", "random", "value", "index", {}, slice(3)),
    *(np.int8(4), np.float32(0.5), np.bool_(True), np.str_(MANY), np.arange(2)),
]


def assert_sound(problem):
    check_problem(problem, episodes=8)
    bounds = problem.bounds()
    assert 0 <= bounds.chance <= bounds.memoryless <= bounds.clock <= bounds.optimum == 1


# Constructors of problems


@pytest.mark.parametrize(
    ("kind", "others", "name", "values", "allowed"),
    [
        (Echo, {}, "length", ["10", (5,), 0, None, True, (4, 9.0)], "an int at least 1, or"),
        (Echo, {"length": (4, 10)}, "lag", [4, -1, True, None], "an int in 0 .. 3"),
        (Echo, {}, "position", [3], "framing='many_to_one'"),
        (Echo, {"framing": MANY}, "position", [10, -1, "3"], "an int in 0 .. 9"),
        (Copy, {"start": 2}, "output_length", [0, 4, "all"], "an int in 1 .. 3"),
        (Copy, {"length": (2, 5), "framing": MANY}, "output_length", [None], "length is a range"),
        (Copy, {}, "reverse", [1, "True", None], "False, True"),
        (Copy, {"framing": "one_to_one"}, "reverse", [True], "before the last input"),
        (Recall, {}, "middle", ["random", "sorted"], ""),
        (Classify, {}, "threshold", [1.5, 0, float("nan"), "0.5", np.complex64(1)], "between 0"),
        (NextValue, {"framing": MANY, "window": 2}, "length", [1, (2, 9), (5, 5000)], ""),
        (NextValue, {"framing": MANY, "length": (5, 9)}, "window", [1, 5, 3.0], "in 2 .. 4"),
        (Values, {}, "features", [0, "1"], "an int at least 1"),
        (Values, {}, "low", [float("nan"), "0", None], "a finite number"),
        (Values, {}, "high", [float("inf"), 10**400, True, 1j], "a finite number"),
        (Recorded, {"X": [[0.5], [1.0]], "y": [0.5, 1.0]}, "tolerance", [0, -1.0, "1"], "above 0"),
    ],
)
def test_constructors_refuse_bad_values(kind, others, name, values, allowed):
    for value in values:
        with refused(name, value, allowed):
            kind(**{**others, name: value})


@pytest.mark.parametrize("ends", [(1, 0), (0, 1e39), (-2e38, 2e38), (1e8, 1e8 + 1), (0, 1e-50)])
def test_values_fit_float32_with_room_for_the_blank(ends):
    with pytest.raises(ValueError, match=r"^low (and high must be numbers|must be at most)"):
        Values(*ends)


@given(data=st.data())
def test_any_keywords_make_a_sound_problem_or_an_error_that_names_one(data):
    kind = data.draw(st.sampled_from([Echo, Copy, Recall, Classify, NextValue]))
    taken = inspect.signature(kind).parameters
    names = data.draw(st.lists(st.sampled_from(sorted(taken)), unique=True))
    keywords = {name: data.draw(st.sampled_from(ANYTHING), name) for name in names}
    try:
        problem = kind(**keywords)
    except (TypeError, ValueError) as error:
        name, _, said = str(error).partition(" must ")
        got = keywords.get(name, taken[name].default)  # fails where no argument is named
        if f"got {got!r}" not in said:
            raise
    else:
        assert_sound(problem)


@given(data=st.data())
def test_any_arrays_make_a_sound_problem_or_an_error_that_names_one(data):
    size, steps = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    shape = (size, steps, *data.draw(st.sampled_from([(), (1,), (3,)])))
    inputs = data.draw(st.sampled_from([1, 0.25])) * rng.integers(-1, 4, shape).clip(0)
    sums = inputs.reshape(size, steps, -1).cumsum(axis=1).sum(axis=2)
    answers = [sums, sums[:, -1], np.stack([sums, 2 * sums], axis=2), rng.integers(0, 2, size)]
    due = [None, rng.random((size, steps)) < 0.8]
    keywords = {
        "X": data.draw(st.sampled_from([inputs, inputs.astype(int)])),
        "y": data.draw(st.sampled_from(answers)),
        "mask": data.draw(st.sampled_from(due)),
        "lengths": data.draw(st.sampled_from([None, rng.integers(1, steps + 1, size)])),
    }
    if data.draw(st.booleans()):
        keywords[data.draw(st.sampled_from([*keywords]))] = data.draw(st.sampled_from(ANYTHING))
    try:
        problem = Recorded(**keywords)
    except (TypeError, ValueError) as error:
        if not re.match(r"(X|y|mask|lengths|y and mask) must ", str(error)):
            raise
    else:
        assert_sound(problem)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("X", [[1, 2], [3]], "X must be an array, got rows of different lengths"),
        ("X", [[1.0, float("nan")]], r"X must be finite .*, got nan at \(0, 1\)"),
        ("X", [[5, 3, -2], [1, 1, 4]], r"X must be integers in 0 .*, got -2 at \(0, 2\)"),
        ("X", np.zeros((2, 3, 2), int), "X must be floats where a step has several features, got"),
        ("X", [[5, 3, 2]] * 2, "samples 0 and 1 have the same inputs up to time step 2"),
        ("y", [True, False], "y must be an array of integers or floats, got dtype bool"),
        ("y", [5, -1], r"y must be integers in 0 .*, got -1 at \(1,\)"),
        ("mask", [[1, 1, 1], [0, 0, 1]], r"mask must be .* bool of shape \(2, 3\), got .* int64"),
        ("mask", [[True] * 3, [False] * 3], "mask must .* in every sample, got .* sample 1"),
        ("tolerance", 0.1, "tolerance must be None where y is integers, got 0.1"),
    ],
)
def test_recorded_refuses_arrays_that_make_no_problem(name, value, message):
    with pytest.raises((TypeError, ValueError), match=f"^.*{message}"):
        Recorded(**{"X": [[5, 3, 2], [1, 1, 4]], "y": [5, 1], name: value})


class Framing(str, enum.Enum):
    MANY = MANY


@pytest.mark.parametrize("framing", [np.str_(MANY), Framing.MANY])
def test_numpy_values_and_members_of_an_enumeration_are_accepted(framing):
    for problem in (Echo(framing=framing), NextValue(framing=framing, window=3)):
        assert type(problem.framing) is str and problem.framing == MANY
    assert Copy(reverse=np.True_).reverse is True
    env = SequenceEnv(Echo, encoding=np.str_("index"))
    assert env.observation_space == gymnasium.spaces.Discrete(11)
    small, plain = Recall(length=np.int8(120)), Recall(length=120)  # without an overflow
    assert (small.bounds(), small.num_steps) == (plain.bounds(), plain.num_steps)


# Arguments of environments and data sets

OWN = {
    "encoding": ["onehot", 1, None],
    "render_mode": ["rgb", True],
    "extras": ["time_step", 3, None, np.array(3), ("time_step", "time_step")],
    "stack_size": [0, 1.5, True],
    "autoreset_mode": ["next_step", None, 1],
    "num_envs": [0, "2", 2.0, True],
    "batch_size": [0, "2", None],
    "seed": [-1, 1.0, "0", True],
}
MAKERS = {
    "SequenceEnv": SequenceEnv,
    "SequenceVectorEnv": SequenceVectorEnv,
    "batches": lambda problem, **keywords: batches(problem, **{"batch_size": 2, **keywords}),
    "make": lambda _, **keywords: gymnasium.make("SeqEcho-v0", **keywords),
    "make_vec": lambda _, **keywords: gymnasium.make_vec("SeqEcho-v0", **keywords),
    "sync make_vec": lambda _, **keywords: gymnasium.make_vec(
        "SeqEcho-v0", vectorization_mode="sync", **keywords
    ),
}
SIGNATURES = {"make": SequenceEnv, "make_vec": SequenceVectorEnv, "batches": batches}


@pytest.mark.parametrize("maker", MAKERS)
def test_every_maker_refuses_bad_values_and_unknown_keywords_by_name(maker):
    make = MAKERS[maker]
    taken = inspect.signature(SIGNATURES.get(maker, make)).parameters
    for name in (*taken, "lag"):
        if maker == "make" and name == "render_mode":
            continue  # which Gymnasium checks first
        for value in [10, "1"] if name == "lag" else OWN.get(name, []):
            with refused(name, value):
                make(Echo, **{name: value})
    for wrong, meant in (("lga", "lag"), ("encodng", "encoding"), ("zzz", None)):
        hint = re.escape(f" (did you mean {meant!r}?)" if meant else "; allowed are length, lag")
        with pytest.raises(TypeError, match=f"got an unexpected keyword argument {wrong!r}{hint}"):
            make(Echo, **{wrong: 3})


def test_a_class_that_passes_its_keywords_on_takes_them():
    class Louder(Echo):
        def __init__(self, volume=1, **others):
            super().__init__(**others)
            self.volume = volume

    problem = SequenceEnv(Louder, volume=2, lag=3).problem
    assert (problem.volume, problem.lag) == (2, 3)
    for taken, message in ((Louder, "unexpected keyword argument 'lga'"), (Echo(), "^'lga' can't")):
        with pytest.raises(TypeError, match=message):
            SequenceEnv(taken, lga=3)


@pytest.mark.parametrize("maker", ["SequenceEnv", "SequenceVectorEnv", "batches"])
def test_what_is_no_problem_is_refused(maker):
    for problem in (
        *("no_such_module:Echo", "seqenvs.no_such_module:Echo", "seqenvs.problems:Nope"),
        *("seqenvs.problems:", ":Echo", 3, None, int, [Echo], SequenceEnv, "CartPole-v1"),
    ):
        with refused("problem", problem):
            MAKERS[maker](problem)
    with pytest.raises(gymnasium.error.NameNotFound, match=r"`SeqEko`.*Did you mean: `SeqEcho`"):
        batches("SeqEko-v0", 2)


def test_what_names_no_class_is_not_registered(monkeypatch, tmp_path):
    for problem in ("parity", "parity:", ":Parity", "a:b:c", Parity, Parity(), None):
        with refused("problem", problem, "'module:Class'"):
            register("TestBadInput-v0", problem)
    assert "TestBadInput-v0" not in gymnasium.registry
    (tmp_path / "needs_more.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)  # an import that fails inside a module is not hidden
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        SequenceEnv("needs_more:Mine")

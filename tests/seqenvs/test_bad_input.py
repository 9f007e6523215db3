"""Bad input is refused with a message that helps, and leaves no trace in the environment.

A message names the argument, what is allowed and the value. Afterwards the environment plays on
exactly as a twin that was never disturbed.
"""

from __future__ import annotations

import inspect
import re
from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from seqenvs import SequenceEnv, SequenceVectorEnv, batches, problems, register
from seqenvs.observations import ENCODINGS
from seqenvs.problem import Problem, Symbols, Values
from seqenvs.problems import Classify, Copy, Echo, NextValue, Recall, Recorded
from seqenvs.rendering import RENDER_MODES
from seqenvs.sampling import MOST_SYMBOLS
from seqenvs.testing import check_problem
from seqenvs.validation import check_choice, check_int

ONE, MANY = "one_to_one", "many_to_one"
MODES = [mode.value for mode in AutoresetMode]


def stable(max_examples):
    """The same examples in every run, whatever machine they run on."""
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=max_examples,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )


def refused(name, value, *more):
    """Expect an error that says: ``name`` must be so and so, got ``value``."""
    more = "".join(f"(?=.*{re.escape(part)})" for part in more)
    return pytest.raises(
        (TypeError, ValueError),
        match=rf"(?s)^{more}{re.escape(name)} must .*, got .*{re.escape(repr(value))}",
    )


# Anything that a person or a configuration file might pass.
numbers = st.one_of(st.integers(-3, 30), st.integers(), st.floats(), st.complex_numbers())
anything = st.one_of(
    numbers,
    st.none(),
    st.booleans(),
    st.text(max_size=6),
    st.binary(max_size=3),
    st.lists(st.one_of(numbers, st.text(max_size=2), st.booleans()), max_size=3),
    st.tuples(st.integers(-1, 12), st.integers(-1, 12)),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.sampled_from(
        [
            *("10", 10.0, "many-to-one", "one_to_one ", "ONE_TO_ONE", "onehot", "False", "None"),
            *((5,), (9, 3), (3, 9), [3, 9], (3, 6, 9), (True, 9), (4, 9.0), {3, 9}, slice(3)),
            *(ONE, MANY, "many_to_many", "in_order", "random", "value", "index", *RENDER_MODES),
            *(np.int64(4), np.uint8(4), np.float32(0.5), np.bool_(True), np.array(4), np.arange(2)),
        ]
    ),
)


# Constructor arguments. Each predicate says whether a value is right, all other arguments being as
# in the row; None where another argument would be named for it.


def is_int(value, low=-np.inf, high=MOST_SYMBOLS):
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and low <= value <= high


def whole(low, high=MOST_SYMBOLS):
    return lambda value: is_int(value, low, high)


def optional(valid):
    return lambda value: value is None or valid(value)


def one_of(*choices):
    return lambda value: any(type(value) is type(c) and value == c for c in choices)


def size(low, high=MOST_SYMBOLS):
    """A length, of which a range makes no sense."""
    return lambda value: sized(value, low, high) and np.ptp(value) == 0


def sizes(low, high=MOST_SYMBOLS):
    """A length, or a range of lengths."""
    return lambda value: sized(value, low, high)


def sized(value, low, high):
    if isinstance(value, (tuple, list)):
        return len(value) == 2 and all(is_int(v, low, high) for v in value) and value[0] <= value[1]
    return is_int(value, low, high)


def fraction(value):
    real = isinstance(value, (int, float, np.integer, np.floating))
    return real and not isinstance(value, bool) and bool(0 < value < 1)


def next_length(value):
    """Two values show the spacing of a range of lengths, and the window of this row is two."""
    if sized(value, 2, 2):
        return None
    return size(3, 1 << 24)(value) or sized(value, 3, 2896)


flag, framing = one_of(False, True), one_of(ONE, MANY)
ROWS = {
    "Echo": (
        Echo,
        {"lag": 0},
        {
            "length": sizes(1),
            "lag": whole(0, 9),
            "num_symbols": whole(2),
            "framing": framing,
            "position": lambda value: value is None,
        },
    ),
    "Echo many_to_one": (
        Echo,
        {"framing": MANY, "lag": 0},
        {
            "length": sizes(1),
            "lag": whole(0, 9),
            "num_symbols": whole(2),
            "framing": framing,
            "position": optional(whole(0, 9)),
        },
    ),
    "Copy": (
        Copy,
        {},
        {
            "length": sizes(1),
            "num_symbols": whole(2),
            "framing": one_of("many_to_many", MANY, ONE),
            "output_length": optional(whole(1, 5)),
            "start": whole(0, 4),
            "reverse": flag,
        },
    ),
    "Copy many_to_one": (
        Copy,
        {"framing": MANY, "output_length": 1},
        {
            "length": sizes(1),
            "num_symbols": whole(2),
            "framing": one_of("many_to_many", MANY, ONE),
            "output_length": optional(whole(1, 5)),
            "start": whole(0, 4),
            "reverse": flag,
        },
    ),
    "Copy one_to_one": (
        Copy,
        {"framing": ONE},
        {
            "length": sizes(1),
            "num_symbols": whole(2),
            "framing": one_of("many_to_many", MANY, ONE),
            "output_length": optional(whole(1, 5)),
            "start": whole(0, 4),
            "reverse": one_of(False),
        },
    ),
    "Recall": (
        Recall,
        {},
        {
            "length": size(3),
            "num_values": whole(2),
            "framing": framing,
            "middle": one_of("in_order"),
            "overlap": flag,
        },
    ),
    "Recall many_to_one": (
        Recall,
        {"framing": MANY},
        {
            "length": sizes(3),
            "num_values": whole(2),
            "framing": framing,
            "middle": one_of("in_order", "random"),
            "overlap": flag,
        },
    ),
    "Classify": (
        Classify,
        {},
        {"length": size(1), "framing": framing, "threshold": optional(fraction)},
    ),
    "Classify many_to_one": (
        Classify,
        {"framing": MANY},
        {"length": sizes(1), "framing": framing, "threshold": optional(fraction)},
    ),
    "NextValue": (
        NextValue,
        {},
        {
            "length": size(2, 1 << 24),
            "framing": framing,
            "window": whole(1, np.inf),
            "answer": one_of("value", "index"),
        },
    ),
    "NextValue many_to_one": (
        NextValue,
        {"framing": MANY, "window": 2},
        {
            "length": next_length,
            "framing": framing,
            "window": whole(1, 9),
            "answer": one_of("value", "index"),
        },
    ),
}
ARGUMENTS = [(row, name) for row, (_, _, table) in ROWS.items() for name in table]


@pytest.mark.parametrize("row", ROWS)
def test_the_table_has_a_row_for_every_argument(row):
    kind, _, table = ROWS[row]
    assert set(table) == set(inspect.signature(kind).parameters)


def test_the_table_has_every_problem():
    assert {kind.__name__ for kind, _, _ in ROWS.values()} == {*problems.__all__} - {"Recorded"}


def through_make(kind, **parameters):
    gymnasium.make(ids_of[kind], **parameters)


def through_make_vec(kind, **parameters):
    gymnasium.make_vec(ids_of[kind], num_envs=2, **parameters)


def through_sync_make_vec(kind, **parameters):
    gymnasium.make_vec(ids_of[kind], num_envs=2, vectorization_mode="sync", **parameters)


ids_of = {
    Echo: "SeqEcho-v0",
    Copy: "SeqCopy-v0",
    Recall: "SeqRecall-v0",
    Classify: "SeqClassify-v0",
    NextValue: "SeqNext-v0",
}
FACES = {
    "the problem": lambda kind, **parameters: kind(**parameters),
    "SequenceEnv": SequenceEnv,
    "SequenceVectorEnv": lambda kind, **parameters: SequenceVectorEnv(kind, 2, **parameters),
    "make": through_make,
    "make_vec": through_make_vec,
    "sync make_vec": through_sync_make_vec,
    "batches": lambda kind, **parameters: batches(kind, 2, **parameters),
    "batches of an id": lambda kind, **parameters: batches(ids_of[kind], 2, **parameters),
}
faces = pytest.mark.parametrize("face", FACES.values(), ids=FACES.keys())


@pytest.mark.parametrize(("row", "name"), ARGUMENTS, ids=[f"{r}: {n}" for r, n in ARGUMENTS])
@stable(60)
@given(value=anything)
def test_an_argument_is_taken_or_refused_by_name(row, name, value):
    kind, others, table = ROWS[row]
    valid = table[name](value)
    assume(valid is not None)
    parameters = {**others, name: value}
    if valid:
        assume(not is_int(value, 1000))  # right, and perhaps too much for this machine
        kind(**parameters)
    else:
        with refused(name, value):
            kind(**parameters)


@faces
@stable(60)
@given(data=st.data())
def test_every_way_to_make_one_refuses_a_wrong_argument_by_name(face, data):
    row, name = data.draw(st.sampled_from(ARGUMENTS))
    kind, others, table = ROWS[row]
    value = data.draw(anything.filter(lambda value: table[name](value) is False))
    with refused(name, value):
        face(kind, **{**others, name: value})


@pytest.mark.parametrize(
    ("kind", "parameters", "name", "value", "allowed"),
    [
        (Echo, {"length": "10"}, "length", "10", "an int at least 1, or (low, high)"),
        (Echo, {"length": 10.0}, "length", 10.0, "an int at least 1, or (low, high)"),
        (Echo, {"length": (5,)}, "length", (5,), "an int at least 1, or (low, high)"),
        (Echo, {"length": (9, 3)}, "length", (9, 3), "low <= high"),
        (Echo, {"length": 10**30}, "length", 10**30, "at most 4294967296"),
        (Echo, {"length": 10, "lag": 10}, "lag", 10, "an int in 0 .. 9"),
        (Echo, {"length": (4, 10), "lag": 4}, "lag", 4, "an int in 0 .. 3"),
        (Echo, {"lag": -1}, "lag", -1, "an int in 0 .. 9"),
        (Echo, {"lag": True}, "lag", True, "an int in 0 .. 9"),
        (Echo, {"lag": "x", "position": 3, "framing": MANY}, "lag", "x", "an int at least 0"),
        (Echo, {"framing": "many-to-one"}, "framing", "many-to-one", "'many_to_one'"),
        (Echo, {"framing": MANY, "position": 10}, "position", 10, "an int in 0 .. 9"),
        (Echo, {"position": 3}, "position", 3, "framing='many_to_one'"),
        (Echo, {"num_symbols": 1}, "num_symbols", 1, "an int in 2 .. "),
        (Copy, {"output_length": 0}, "output_length", 0, "an int in 1 .. 5"),
        (Copy, {"output_length": 4, "start": 2}, "output_length", 4, "an int in 1 .. 3"),
        (Copy, {"start": 5}, "start", 5, "an int in 0 .. 4"),
        (Copy, {"reverse": 1}, "reverse", 1, "False, True"),
        (Copy, {"reverse": True, "framing": ONE}, "reverse", True, "before the last input"),
        (Copy, {"length": (2, 5), "framing": MANY}, "output_length", None, "length is a range"),
        (Recall, {"length": 2}, "length", 2, "at least 3"),
        (Recall, {"length": (3, 9)}, "length", (3, 9), "nobody can foresee"),
        (Recall, {"middle": "random"}, "middle", "random", "nobody can foresee"),
        (Classify, {"threshold": 1.5}, "threshold", 1.5, "between 0 and 1"),
        (Classify, {"threshold": 0}, "threshold", 0, "between 0 and 1"),
        (Classify, {"threshold": "0.5"}, "threshold", "0.5", "a number"),
        (Classify, {"threshold": np.complex64(1)}, "threshold", np.complex64(1), "a number"),
        (Classify, {"length": (5, 9)}, "length", (5, 9), "nobody can foresee"),
        (NextValue, {"length": 1}, "length", 1, "at least 2"),
        (NextValue, {"length": (5, 9)}, "length", (5, 9), "nobody can know the spacing"),
        (NextValue, {"framing": MANY, "window": 10}, "window", 10, "in 1 .. 9"),
        (NextValue, {"framing": MANY, "length": (5, 9), "window": 1}, "window", 1, "in 2 .. 4"),
        (NextValue, {"framing": MANY, "length": (2, 9)}, "length", (2, 9), "at least 3"),
        (NextValue, {"framing": MANY, "length": (5, 5000)}, "length", (5, 5000), "at most 2896"),
        (NextValue, {"answer": "Index"}, "answer", "Index", "'index'"),
    ],
    ids=str,
)
def test_common_slips(kind, parameters, name, value, allowed):
    with refused(name, value, allowed):
        kind(**parameters)


@pytest.mark.parametrize(
    "make",
    [
        lambda number: Echo(lag=number(3), num_symbols=number(10), length=number(9)),
        lambda number: Echo(framing=MANY, position=number(3), length=[number(5), number(9)]),
        lambda number: Copy(length=300, start=number(3), output_length=number(120)),
        lambda number: Recall(length=number(120), num_values=number(100)),
        lambda number: NextValue(framing=MANY, length=number(100), window=number(3)),
    ],
)
@pytest.mark.parametrize("number", [np.int8, np.uint8, np.int64])
def test_small_numpy_integers_count_as_integers_and_never_overflow(make, number):
    problem, plain = make(number), make(int)
    assert problem.bounds() == plain.bounds()
    assert problem.num_steps == plain.num_steps
    seeds = np.random.default_rng(0), np.random.default_rng(0)
    for one, other in zip(problem.batch(seeds[0], 9), plain.batch(seeds[1], 9), strict=True):
        np.testing.assert_array_equal(one, other)


@faces
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lga": 1}, r"'lga'.*did you mean 'lag'\?.*length, lag, num_symbols, framing, position"),
        ({"num_symbol": 5}, r"'num_symbol'.*did you mean 'num_symbols'"),
        ({"zzz": None}, r"'zzz'; known here are length, lag, num_symbols, framing, position, "),
    ],
    ids=["lga", "num_symbol", "zzz"],
)
def test_an_unknown_keyword_is_refused_with_those_that_are_known(face, parameters, message):
    if face is FACES["the problem"]:  # Python's own words
        message = f"unexpected keyword argument '{next(iter(parameters))}'"
    with pytest.raises(TypeError, match=message):
        face(Echo, **parameters)


class Plain(Problem):
    """A problem without parameters."""

    input_spec, action_space, num_inputs = Symbols(2), Echo(num_symbols=2).action_space, (3, 3)

    def draw(self, rng, num_inputs):
        return rng.integers(0, 2, (3, len(num_inputs)))

    def answer(self, inputs, lengths):
        return inputs, np.arange(len(inputs))[:, None] < lengths


OF_ONE = "encoding, extras, stack_size, render_mode"
OF_STREAMS = f"num_envs, {OF_ONE}, autoreset_mode"
OF_DATA = "encoding, seed"
SPELT = {
    "encodng": ("encoding", (OF_ONE, OF_STREAMS, OF_DATA)),
    "stacksize": ("stack_size", (OF_ONE, OF_STREAMS)),
    "extra": ("extras", (OF_ONE, OF_STREAMS)),
    "rendermode": ("render_mode", (OF_ONE, OF_STREAMS)),
    "num_env": ("num_envs", (OF_STREAMS,)),
    "autoresetmode": ("autoreset_mode", (OF_STREAMS,)),
    "stack_size": (None, ()),
    "autoreset_mode": (None, ()),
}


@pytest.mark.parametrize(
    ("face", "own", "name"),
    [
        pytest.param(face, own, name, id=f"{kind} {name}")
        for kind, face, own in (
            ("SequenceEnv", partial(SequenceEnv, Plain), OF_ONE),
            ("SequenceVectorEnv", partial(SequenceVectorEnv, Plain), OF_STREAMS),
            ("batches", partial(batches, Plain, 2), OF_DATA),
        )
        for name in SPELT
        if name not in own.split(", ")
    ],
)
def test_a_keyword_of_the_environments_own_that_is_not_known_here(face, own, name):
    meant, of = SPELT[name]
    hint = f" (did you mean {meant!r}?)" if own in of else ""
    message = f"Plain got an unexpected keyword argument {name!r}{hint}; known here are {own}"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        face(**{name: 3})


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_make_passes_on_what_was_meant(make):
    message = r"unexpected keyword argument 'stacksize' \(did you mean 'stack_size'\?\)"
    with pytest.raises(TypeError, match=message):
        make("SeqEcho-v0", stacksize=3)


@pytest.mark.parametrize(
    ("kind", "own"),
    [(SequenceEnv, OF_ONE), (SequenceVectorEnv, OF_STREAMS), (batches, OF_DATA)],
    ids=["SequenceEnv", "SequenceVectorEnv", "batches"],
)
def test_the_keywords_in_messages_are_those_that_are_taken(kind, own):
    taken = inspect.signature(kind).parameters.values()
    named = {one.name for one in taken if one.kind != one.VAR_KEYWORD}
    assert named == {"problem", *own.split(", "), *(["batch_size"] if kind is batches else [])}


def test_a_class_that_passes_its_keywords_on_takes_them():
    class Louder(Echo):
        def __init__(self, volume=1, **others):
            super().__init__(**others)
            self.volume = volume

    problem = SequenceEnv(Louder, volume=2, lag=3).problem
    assert (problem.volume, problem.lag) == (2, 3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'lga'"):
        SequenceEnv(Louder, lga=3)


def test_a_parameter_beside_a_made_problem_is_refused():
    with pytest.raises(TypeError, match=r"'lag' can't be given beside.*Echo\(.*\)$"):
        SequenceEnv(Echo(), lag=3)
    with pytest.raises(TypeError, match=r"'encodng' can't .*\(did you mean 'encoding'\?\)$"):
        SequenceEnv(Echo(), encodng="index")


@pytest.mark.parametrize(
    "face",
    [SequenceEnv, SequenceVectorEnv, lambda problem: batches(problem, 2)],
    ids=["SequenceEnv", "SequenceVectorEnv", "batches"],
)
@pytest.mark.parametrize(
    "problem",
    [
        *("no_such_module:Echo", "seqenvs.no_such_module:Echo", "seqenvs.problems:Nope"),
        *("seqenvs.problems:", ":Echo", "seqenvs:batches", "seqenvs:Bounds"),
        *(3, None, int, Echo().action_space, [Echo], SequenceEnv),
    ],
    ids=str,
)
def test_what_is_no_problem_is_refused(face, problem):
    value = problem
    if problem in ("seqenvs:batches", "seqenvs:Bounds"):
        value = getattr(__import__("seqenvs"), problem[8:])
    with refused("problem", value):
        face(problem)


def test_an_id_in_place_of_a_class_is_refused_and_a_wrong_id_with_the_near_ones():
    with refused("problem", "SeqEcho-v0", "'module:Class'"):
        SequenceEnv("SeqEcho-v0")
    with pytest.raises(gymnasium.error.NameNotFound, match=r"`SeqEko`.*Did you mean: `SeqEcho`"):
        batches("SeqEko-v0", 2)
    with pytest.raises(gymnasium.error.VersionNotFound, match="`v7`"):
        batches("SeqEcho-v7", 2)
    with refused("problem", "CartPole-v1", "seqenvs.register"):
        batches("CartPole-v1", 2)


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ("parity_api", "got 'parity_api'"),
        ("parity_api:", "got 'parity_api:'"),
        (":Parity", "got ':Parity'"),
        ("a:b:c", "got 'a:b:c'"),
        ("seqenvs:SeqEcho-v0", "got 'seqenvs:SeqEcho-v0'"),
        (Plain, f"got {Plain!r} (did you mean '{__name__}:Plain'?)"),
        (Plain(), "got <"),
        (None, "got None"),
    ],
    ids=str,
)
def test_what_names_no_class_is_not_registered(problem, message):
    message = f"problem must be a str, 'module:Class' of a seqenvs.Problem, {message}"
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}"):
        register("TestBadInput-v0", problem)
    assert "TestBadInput-v0" not in gymnasium.registry


def test_registering_imports_nothing():
    register("TestBadInput-v0", "a_module_that_is_not_there:Mine")
    try:
        with refused("problem", "a_module_that_is_not_there:Mine", "there is no module"):
            gymnasium.make("TestBadInput-v0")
    finally:
        del gymnasium.registry["TestBadInput-v0"]


def test_an_import_that_fails_inside_the_problems_own_module_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        SequenceEnv("needs_more:Mine")


ENV = partial(SequenceEnv, Echo)
VECTOR = partial(SequenceVectorEnv, Echo)
is_encoding = one_of(*ENCODINGS)
is_render_mode = one_of(None, *RENDER_MODES)
OWN = {
    "SequenceEnv: encoding": (lambda v: ENV(encoding=v), "encoding", is_encoding),
    "SequenceEnv: render_mode": (lambda v: ENV(render_mode=v), "render_mode", is_render_mode),
    "vector: num_envs": (lambda v: VECTOR(num_envs=v), "num_envs", whole(1, np.inf)),
    "vector: encoding": (lambda v: VECTOR(encoding=v), "encoding", is_encoding),
    "vector: render_mode": (lambda v: VECTOR(render_mode=v), "render_mode", is_render_mode),
    "vector: autoreset_mode": (
        lambda v: VECTOR(autoreset_mode=v),
        "autoreset_mode",
        one_of(*MODES, *AutoresetMode),
    ),
    "make: encoding": (lambda v: gymnasium.make("SeqEcho-v0", encoding=v), "encoding", is_encoding),
    "make_vec: num_envs": (
        lambda v: gymnasium.make_vec("SeqEcho-v0", num_envs=v),
        "num_envs",
        whole(1, np.inf),
    ),
    "make_vec: autoreset_mode": (
        lambda v: gymnasium.make_vec("SeqEcho-v0", num_envs=2, autoreset_mode=v),
        "autoreset_mode",
        one_of(*MODES, *AutoresetMode),
    ),
    "batches: batch_size": (lambda v: batches(Echo, v), "batch_size", whole(1, np.inf)),
    "batches: encoding": (lambda v: batches(Echo, 2, encoding=v), "encoding", is_encoding),
    "batches: seed": (
        lambda v: batches(Echo, 2, seed=v),
        "seed",
        optional(whole(0, np.inf)),
    ),
    "SequenceEnv: reset's seed": (
        lambda v: ENV(length=500).reset(seed=v),
        "seed",
        optional(whole(0, np.inf)),
    ),
    "vector: reset's seed": (
        lambda v: VECTOR(num_envs=2, length=500).reset(seed=v),
        "seed",
        optional(whole(0, np.inf)),
    ),
}


@pytest.mark.parametrize(("call", "name", "valid"), OWN.values(), ids=OWN.keys())
@stable(60)
@given(value=st.one_of(anything, st.sampled_from([*ENCODINGS, *MODES, "next_step", "human"])))
def test_the_environments_own_arguments_are_taken_or_refused_by_name(call, name, valid, value):
    if valid(value):
        assume(name == "seed" or not is_int(value, 1000, np.inf))  # right, and perhaps too much
        call(value)
    else:
        with refused(name, value):
            call(value)


# A refused call leaves no trace.


def follow(env, rng):
    """What the rest of this episode and the next ones show, for answers that ``rng`` gives."""
    vector = isinstance(env, SequenceVectorEnv)
    env.action_space.seed(int(rng.integers(1 << 31)))
    seen = []
    for _ in range(3 * env.problem.num_steps[1]):
        seen.append(env.step(env.action_space.sample()))
        ended = seen[-1][2]
        if not vector and ended:
            seen.append(env.reset())
        elif vector and env.autoreset_mode == AutoresetMode.DISABLED and ended.any():
            seen.append(env.reset(options={"reset_mask": ended.copy()}))
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
        one, other = (follow(e, np.random.default_rng(8)) for e in (self.env, self.other))
        assert data_equivalence(one, other, exact=True)


def test_twins_notice_a_single_step():
    twins = Twins(ENV)
    twins.env.step(3)
    with pytest.raises(AssertionError):
        twins.are_alike()


WIDE = np.arange(12, dtype=np.float64).reshape(2, 3, 2) % 7  # two features a step, 0 .. 6
UNLIKE = Recorded(  # the two components of an answer have ranges of their own
    [[0, 1], [1, 0]], [[[0.0, 10.0], [1.0, 20.0]], [[0.5, 15.0], [0.5, 15.0]]]
)
SINGLES = {
    "Discrete": ENV,
    "MultiDiscrete": partial(SequenceEnv, Copy, framing=MANY),
    "Box": partial(SequenceEnv, NextValue),
}
not_arrays = st.one_of(
    st.none(), st.text(max_size=3), st.binary(max_size=3), st.dictionaries(st.text(), st.none())
)
outside = st.one_of(st.integers(max_value=-1), st.integers(min_value=10, max_value=1 << 62))
within = st.integers(0, 9)
beyond = st.one_of(
    *(st.floats(max_value=-0.001), st.floats(min_value=1.001), st.just(float("nan")))
)


def five(elements, spoilt):
    """Five elements, one of them spoilt."""
    one = st.tuples(st.integers(0, 4), spoilt, st.lists(elements, min_size=5, max_size=5))
    return one.map(lambda t: [*t[2][: t[0]], t[1], *t[2][t[0] + 1 :]])


def other_sizes(elements, size):
    return st.lists(elements, max_size=size + 3).filter(lambda a: len(a) != size)


BAD_ACTIONS = {
    "Discrete": st.one_of(
        *(not_arrays, outside, st.floats(), st.lists(within), st.complex_numbers()),
        st.sampled_from([np.array([3]), np.array(3.0), np.float32(3), np.bool_(True)]),
    ),
    "MultiDiscrete": st.one_of(
        *(not_arrays, within, st.floats(), other_sizes(within, 5)),
        *(five(within, outside), five(within, st.floats()), five(within, st.lists(within))),
        *(five(within, st.text()), st.lists(five(within, within), min_size=1, max_size=2)),
        st.just([1 << 70] * 5),
    ),
    "Box": st.one_of(
        *(not_arrays, st.floats(0, 1), other_sizes(st.floats(0, 1), 1)),
        *(beyond.map(lambda x: [x]), st.just([[0.5]]), st.just([True]), st.just(["0.5"])),
        st.just([0.5j]),
        st.just([[0.1], [0.2, 0.3]]),
    ),
}


@pytest.mark.parametrize("kind", SINGLES)
@stable(40)
@given(data=st.data(), steps=st.integers(0, 3))
def test_a_bad_action_is_refused_and_nothing_has_happened(kind, data, steps):
    twins = Twins(SINGLES[kind], steps)
    action = data.draw(BAD_ACTIONS[kind])
    for _ in range(2):  # and refused again
        with refused("action", action):
            twins.env.step(action)
    twins.are_alike()


def test_a_box_of_unlike_components_says_what_each_may_be():
    env, vector = SequenceEnv(UNLIKE), SequenceVectorEnv(UNLIKE, 2)
    env.reset(seed=0)
    vector.reset(seed=0)
    with refused("action", [5.0, 15.0], "[ 0. 10.] .. [ 1. 20.]"):
        env.step([5.0, 15.0])
    with pytest.raises(ValueError, match=re.escape("in [ 0. 10.] .. [ 1. 20.], got 5.0 at (1, 0)")):
        vector.step(np.array([[0.5, 15.0], [5.0, 15.0]]))
    assert env.step([0.5, 15.0])[4]["due"]


VECTORS = {
    "Discrete": partial(VECTOR, 3),
    "MultiDiscrete": partial(SequenceVectorEnv, Copy, 3, framing=MANY),
    "Box": partial(SequenceVectorEnv, NextValue, 3),
    "variable length": partial(VECTOR, 3, length=(3, 9)),
}
modes = pytest.mark.parametrize("mode", MODES)


def bad_arrays(shape, box):
    """Actions of a wrong shape or dtype, and what the message says of them."""
    good = np.zeros(shape, np.float32 if box else np.int64)
    yield from ((good[:-1], str(good[:-1].shape)), (good[..., None], str((*shape, 1))))
    yield from ((good[0], str(shape[1:])), (np.int64(0), "()"), (good[:0], str((0, *shape[1:]))))
    yield from ((value, repr(value)) for value in (None, "abc", {}, [None] * 3, [[1, 2], [3]]))
    dtypes = ["bool", "complex128", "U3", "O"] + ([] if box else ["float64"])
    yield from ((good.astype(dtype), f"dtype {good.astype(dtype).dtype}") for dtype in dtypes)
    if box:
        for value in (1.5, -0.5, float("nan"), float("inf")):
            bad = good.copy()
            bad[-1] = value
            yield bad, f"{value} at {(shape[0] - 1, *[0] * (len(shape) - 1))}"


@modes
@pytest.mark.parametrize("kind", VECTORS)
def test_bad_actions_of_a_vector_environment_are_refused(kind, mode):
    for block in (False, True):
        twins = Twins(partial(VECTORS[kind], autoreset_mode=mode))
        step = twins.env.step_block if block else twins.env.step
        shape = ((1,) if block else ()) + twins.env.action_space.shape
        for actions, got in bad_arrays(shape, kind == "Box"):
            message = rf"(?s)^actions must .*, got {re.escape(got)}"
            with pytest.raises((TypeError, ValueError), match=message):
                step(actions)
        twins.are_alike()


@modes
@stable(30)
@given(value=anything)
def test_anything_but_an_array_of_integers_is_no_action_for_three_streams(mode, value):
    fits = isinstance(value, (list, tuple)) and len(value) == 3
    assume(not (fits and all(isinstance(one, int) for one in value)))  # as bool is, among integers
    twins = Twins(partial(VECTORS["Discrete"], autoreset_mode=mode))
    for step in (twins.env.step, twins.env.step_block):
        with pytest.raises((TypeError, ValueError), match=r"^actions must .*, got "):
            step(value)
    twins.are_alike()


@modes
@pytest.mark.parametrize("wrong", [-1, 10, 1 << 40, -(1 << 63)])
@pytest.mark.parametrize("kind", ["Discrete", "MultiDiscrete"])
def test_an_integer_out_of_range_is_simply_wrong_in_the_vector_environment(kind, wrong, mode):
    make = partial(VECTORS[kind], autoreset_mode=mode)
    env, other = make(), make()
    observations = [e.reset(seed=3)[0] for e in (env, other)]
    total = np.zeros(3)
    for _ in range(env.problem.num_steps[1]):
        actions = np.full(env.action_space.shape, wrong)
        result = env.step(actions)
        observations = [result[0], other.step(other.action_space.sample())[0]]
        np.testing.assert_array_equal(*observations)
        total += result[1]
    assert (total == 0).all()
    assert result[2].all()
    info = result[4].get("final_info", result[4])
    assert not info["is_success"].any()


@pytest.mark.parametrize("kind", SINGLES)
def test_a_step_before_reset_or_after_the_end_asks_for_reset(kind):
    env = SINGLES[kind]()
    action = env.action_space.sample()
    for _ in range(2):
        with pytest.raises(ResetNeeded, match=r"call reset\(\) before step\(\)"):
            env.step(action)
    assert env.asked() == (False, None)
    env.reset(seed=0)
    while not env.step(action)[2]:
        pass
    for _ in range(2):
        with pytest.raises(ResetNeeded, match=r"call reset\(\) before step\(\)"):
            env.step(action)
    other = SINGLES[kind]()
    other.reset(seed=0)
    while not other.step(action)[2]:
        pass
    env.reset()
    other.reset()
    assert data_equivalence(
        *(follow(e, np.random.default_rng(0)) for e in (env, other)), exact=True
    )


@pytest.mark.parametrize("render_mode", RENDER_MODES)
def test_a_picture_before_reset_asks_for_reset(render_mode):
    for env in (ENV(render_mode=render_mode), VECTOR(2, render_mode=render_mode)):
        with pytest.raises(ResetNeeded, match=r"call reset\(\) before render\(\)"):
            env.render()
        env.reset(seed=0)
        assert env.render() is not None


def moves(env, actions):
    """All calls that need an episode under way in every stream."""
    return (
        partial(env.step, actions),
        partial(env.step_block, actions[None]),
        partial(env.observe_block, 1),
    )


@modes
@pytest.mark.parametrize("kind", VECTORS)
def test_a_vector_environment_before_reset_asks_for_reset(kind, mode):
    env, other = (VECTORS[kind](autoreset_mode=mode) for _ in range(2))
    actions = env.action_space.sample()
    for call in moves(env, actions):
        with pytest.raises(ResetNeeded, match=r"call reset\(\)"):
            call()
    if mode == "Disabled":
        with pytest.raises(ResetNeeded, match=r"reset_mask.*call reset\(\) first"):
            env.reset(options={"reset_mask": np.array([True, False, True])})
    assert data_equivalence(env.reset(seed=1), other.reset(seed=1), exact=True)
    assert data_equivalence(
        *(follow(e, np.random.default_rng(0)) for e in (env, other)), exact=True
    )


@pytest.mark.parametrize("kind", VECTORS)
def test_streams_that_have_ended_must_be_reset_where_autoreset_is_disabled(kind):
    env, other = (VECTORS[kind](autoreset_mode="Disabled") for _ in range(2))
    actions = env.action_space.sample()
    for e in (env, other):
        e.reset(seed=1)
        ended = np.zeros(3, bool)
        while not ended.any():
            ended = e.step(actions)[2]
    first = int(np.flatnonzero(ended)[0])
    for call in moves(env, actions):
        with pytest.raises(ResetNeeded, match=rf"environments \[{first}.*reset_mask"):
            call()
    for e in (env, other):
        e.reset(options={"reset_mask": ended.copy()})
    assert data_equivalence(
        *(follow(e, np.random.default_rng(0)) for e in (env, other)), exact=True
    )


# reset's options

TEN = "must have 10 time steps"
NOT_COUNTED = "where trailing blanks (10) are not counted, got 9 in"
INTEGERS = "a sequence of integers in 0 .. 9"
REALS = "a sequence of numbers in [0.0, 1.0]"
ROWS_OF_2 = "a sequence of rows of 2 numbers in [0.0, 6.0]"
BAD_INPUTS = [
    (Echo(), [1] * 9, TEN),
    (Echo(), [1] * 11, TEN),
    (Echo(), [], TEN),
    (Echo(), [10] * 10, TEN),
    (Echo(), [*[1] * 9, 10], NOT_COUNTED),
    (Classify(), [*[0.5] * 9, -1.0], "where trailing blanks (-1.0) are not counted, got 9 in"),
    (Echo(length=(4, 6)), [1] * 3, "must have 4 to 6 time steps"),
    (Echo(length=(4, 6)), [1] * 7, "must have 4 to 6 time steps"),
    (Echo(), [*[1] * 9, 11], INTEGERS),
    (Echo(), [*[1] * 5, 10, *[1] * 4], INTEGERS),
    (Echo(), [-1] * 10, INTEGERS),
    (Echo(), [10**30] * 10, INTEGERS),
    (Echo(), [1.0] * 10, INTEGERS),
    (Echo(), [*[1] * 9, float("nan")], INTEGERS),
    (Echo(), ["1"] * 10, INTEGERS),
    (Echo(), "1234567890", INTEGERS),
    (Echo(), [True] * 10, INTEGERS),
    (Echo(), [None] * 10, INTEGERS),
    (Echo(), 5, INTEGERS),
    (Echo(), np.array(5), INTEGERS),
    (Echo(), [1, [2]], INTEGERS),
    (Echo(), {1: 2}, INTEGERS),
    (Echo(), set(range(10)), INTEGERS),
    (Echo(), [1j] * 10, INTEGERS),
    (Recall(), [1, 0, 1, 2], "begin with one of [3, 4]"),
    (Recall(), [3, 1, 1, 2], "go on with [0, 1, 2]"),
    (Recall(framing=MANY, middle="random"), [3, 0, 4, 0], "in 0 .. 2"),
    (Classify(), [0.5] * 9, TEN),
    (Classify(), [*[0.5] * 9, float("nan")], REALS),
    (Classify(), [*[0.5] * 9, float("inf")], REALS),
    (Classify(), [1e300] * 10, REALS),
    (Classify(), [*[0.5] * 5, -1.0, *[0.5] * 4], REALS),
    (Classify(), [*[0.5] * 9, 1.01], REALS),
    (Classify(), ["0.5"] * 10, REALS),
    (Classify(), [0.5j] * 10, REALS),
    (NextValue(), [0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], "contiguous"),
    (NextValue(framing=MANY), [0.45, 0.55, 0.65], "contiguous"),
    (NextValue(framing=MANY), [0.7, 0.8, 0.9], "contiguous"),
    (Recorded([[5, 3, 2], [1, 1, 4]], [5, 1]), [5, 3, 4], "one of the recorded samples"),
    (Recorded(WIDE, [0, 1]), [0.5] * 3, ROWS_OF_2),
    (Recorded(WIDE, [0, 1]), [[0.5] * 3] * 3, ROWS_OF_2),
    (Recorded(WIDE, [0, 1]), [[0.5, 6.5]] * 3, ROWS_OF_2),
    (Recorded(WIDE, [0, 1]), [[0.5], [0.5, 0.5]], ROWS_OF_2),
]
bad_inputs = pytest.mark.parametrize(
    ("problem", "inputs", "allowed"),
    BAD_INPUTS,
    ids=[f"{type(p).__name__} {i!r}"[:60].replace("\n", "") for p, i, _ in BAD_INPUTS],
)


def shows(value):
    """Enough of the value that a person finds it: sequences may come as plain lists."""
    return value.tolist() if isinstance(value, np.ndarray) and value.ndim else value


@bad_inputs
def test_inputs_that_cannot_be_shown_are_refused(problem, inputs, allowed):
    twins = Twins(partial(SequenceEnv, problem), steps=1)
    got = ".*".join(re.escape(part) for part in re.findall(r"[^\s,()\[\]]+", repr(shows(inputs))))
    for seed in (None, 5):  # with a seed, which must not begin a new list either
        with pytest.raises(
            (TypeError, ValueError),
            match=rf"(?s)^(?=.*{re.escape(allowed)})inputs must .*, got .*{got}",
        ):
            twins.env.reset(seed=seed, options={"inputs": inputs})
    twins.are_alike()


def test_trailing_blanks_are_not_counted():
    env, twin = ENV(encoding="index"), ENV(encoding="index")
    for blanks in range(3):
        given = [*range(10), *[10] * blanks]
        assert env.reset(options={"inputs": given}) == twin.reset(options={"inputs": range(10)})
        assert [env.step(0) for _ in range(10)] == [twin.step(0) for _ in range(10)]


@modes
@bad_inputs
def test_inputs_that_cannot_be_shown_are_refused_by_streams(problem, inputs, allowed, mode):
    twins = Twins(partial(SequenceVectorEnv, problem, 3, autoreset_mode=mode), steps=1)
    good = problem.batch(np.random.default_rng(0), 1)
    good = good.inputs[: good.lengths[0] - int(problem.delay(good.lengths[0])), 0]
    for seed in (None, 5):
        with pytest.raises((TypeError, ValueError), match=r"^inputs must .*, got "):
            twins.env.reset(seed=seed, options={"inputs": inputs})
        if isinstance(inputs, list) and len(inputs) > 3 and np.ndim(inputs[0]) == 0:
            with pytest.raises((TypeError, ValueError), match=f"^inputs .*{re.escape(allowed)}"):
                twins.env.reset(seed=seed, options={"inputs": [good, inputs, good]})
    twins.are_alike()


@pytest.mark.parametrize(
    "inputs",
    [
        [[1] * 10] * 2,
        [[1] * 10] * 4,
        [[1] * 10],
        np.ones((10, 3), int),
        [[1] * 10, [1] * 9, [1] * 10],
        [[1] * 10, 3, [1] * 10],
        [[1] * 10, None, [1] * 10],
        [[], [], []],
        [[[1], [2, 3]], [1], [2]],
        [[[1] * 10]] * 3,
        np.ones((3, 10, 1), int),
        ["1111111111"] * 3,
    ],
    ids=lambda value: repr(value)[:40].replace("\n", ""),
)
@modes
def test_inputs_for_three_streams_nested_or_counted_wrongly_are_refused(inputs, mode):
    twins = Twins(partial(VECTORS["Discrete"], autoreset_mode=mode))
    for seed in (None, 5):
        with pytest.raises((TypeError, ValueError), match=r"^inputs must .*, got "):
            twins.env.reset(seed=seed, options={"inputs": inputs})
    twins.are_alike()


@stable(60)
@given(inputs=anything.filter(lambda value: value is not None))
@example([[]])
@example([[[]]])
@pytest.mark.parametrize("problem", [Echo(), Classify(), Recorded(WIDE, [0, 1])], ids=str)
def test_anything_in_place_of_inputs_is_refused(problem, inputs):
    for make in (SequenceEnv, partial(SequenceVectorEnv, num_envs=2)):
        twins = Twins(partial(make, problem), steps=1)
        with pytest.raises((TypeError, ValueError), match=r"(?s)^inputs must .*, got "):
            twins.env.reset(options={"inputs": inputs})
        twins.are_alike()


@pytest.mark.parametrize("make", [ENV, partial(VECTOR, 3)], ids=["single", "vector"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": [1] * 10}, "unknown option 'input'; reset's options are inputs"),
        ({"inputs": [1] * 10, "low": 3}, "unknown option 'low'; reset's options are inputs"),
        ({3: 4}, "unknown option 3; reset's options are inputs"),
        (5, "options must be a dict or None, got 5"),
        ([], "options must be a dict or None, got []"),
        ("inputs", "options must be a dict or None, got 'inputs'"),
        (["inputs"], "options must be a dict or None, got ['inputs']"),
    ],
    ids=str,
)
def test_unknown_options_are_refused(make, options, message):
    twins = Twins(make)
    for seed in (None, 5):
        with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}"):
            twins.env.reset(seed=seed, options=options)
    twins.are_alike()


def test_a_single_environment_knows_no_reset_mask():
    twins = Twins(ENV)
    with pytest.raises(ValueError, match="unknown option 'reset_mask'; reset's options are inputs"):
        twins.env.reset(options={"reset_mask": np.ones(1, bool)})
    twins.are_alike()


@pytest.mark.parametrize("kind", VECTORS)
@pytest.mark.parametrize(
    ("mask", "got"),
    [
        ([True, False, True], "[True, False, True]"),
        (np.array([1, 0, 1]), "array([1, 0, 1])"),
        (np.ones(3, object), "array([1, 1, 1], dtype=object)"),
        (True, "True"),
        ("all", "'all'"),
        (np.ones(2, bool), "shape (2,)"),
        (np.ones((3, 1), bool), "shape (3, 1)"),
        (np.array(True), "shape ()"),
        (np.zeros(3, bool), "shape (3,) with 0"),
    ],
    ids=str,
)
def test_a_bad_reset_mask_is_refused(kind, mask, got):
    twins = Twins(partial(VECTORS[kind], autoreset_mode="Disabled"))
    with pytest.raises(
        (TypeError, ValueError),
        match=rf"^reset_mask must be a bool array of shape \(3,\).*, got {re.escape(got)}",
    ):
        twins.env.reset(options={"reset_mask": mask})
    twins.are_alike()


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_reset_mask_needs_autoreset_to_be_disabled(mode):
    twins = Twins(partial(VECTORS["Discrete"], autoreset_mode=mode))
    with pytest.raises(ValueError, match=f"reset_mask needs autoreset_mode='Disabled'.*'{mode}'"):
        twins.env.reset(options={"reset_mask": np.ones(3, bool)})
    twins.are_alike()


@pytest.mark.parametrize("seed", [None, 5])
def test_a_reset_mask_of_some_stands_alone(seed):
    twins = Twins(partial(VECTORS["Discrete"], autoreset_mode="Disabled"))
    some = np.array([True, False, True])
    options = {"reset_mask": some, **({} if seed else {"inputs": [1] * 10})}
    with pytest.raises(ValueError, match="can't be given together with seed or inputs"):
        twins.env.reset(seed=seed, options=options)
    twins.are_alike()


@pytest.mark.parametrize("seed", [[1, 2, 3], (1, 2, 3), np.arange(3), []], ids=repr)
def test_a_list_of_seeds_is_refused_with_the_reason(seed):
    twins = Twins(partial(VECTORS["Discrete"]))
    reason = "all streams take their episodes from one list, that of one seed"
    with pytest.raises(TypeError, match=rf"^seed must .*, got {re.escape(repr(seed))}: {reason}"):
        twins.env.reset(seed=seed)
    twins.are_alike()


# Blocks


@modes
@stable(40)
@given(steps=anything)
def test_a_bad_number_of_steps_is_refused(mode, steps):
    assume(not is_int(steps, 1, np.inf))
    twins = Twins(partial(VECTORS["Discrete"], autoreset_mode=mode))
    with refused("steps", steps):
        twins.env.observe_block(steps)
    twins.are_alike()


@pytest.mark.parametrize("kind", VECTORS)
def test_a_block_may_not_cross_an_end_where_autoreset_is_disabled(kind):
    twins = Twins(partial(VECTORS[kind], autoreset_mode="Disabled"), steps=1)
    ends = VECTORS[kind](autoreset_mode="Disabled")
    ends.reset(seed=7)
    ends.action_space.seed(7)
    ends.step(ends.action_space.sample())
    left = 0
    ended = np.zeros(3, bool)
    while not ended.any():
        ended = ends.step(ends.action_space.sample())[2]
        left += 1
    allowed = rf"must be at most {left} steps here, got {left + 1}.* end of an episode"
    with pytest.raises(ValueError, match=f"^steps {allowed}"):
        twins.env.observe_block(left + 1)
    with pytest.raises(ValueError, match=f"^actions {allowed}"):
        twins.env.step_block(np.stack([ends.action_space.sample()] * (left + 1)))
    assert len(twins.env.observe_block(left)) == left  # this much may be seen
    twins.are_alike()


# Recorded: a user's own arrays

X, Y = [[5, 3, 2], [1, 1, 4]], [5, 1]
FLOATS = [[0.5, 0.25, 0.0], [1.0, 0.0, 0.5]]
NUMBERS = "X must be a non-empty array of numbers, (N, T) or (N, T, F), got "
LENGTHS = "must be an array, got rows of unlike lengths: pad them, and give lengths"
SHAPES = "y must have the shape (2,), (2, 3) or (2, 3, K), got "
BOOLS = "mask must be an array of bool of shape (2, 3), got "
ASKS = "mask must ask for an answer in every sample, got none in sample"
ALIKE = "samples 0 and 1 show the same up to time step"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": [[1, 2], [3]]}, f"X {LENGTHS}"),
        ({"X": "ab"}, f"{NUMBERS}shape (), dtype <U2"),
        ({"X": [["a", "b"]]}, f"{NUMBERS}shape (1, 2), dtype <U1"),
        ({"X": [[True, False]]}, f"{NUMBERS}shape (1, 2), dtype bool"),
        ({"X": []}, f"{NUMBERS}shape (0,)"),
        ({"X": np.zeros((2, 0))}, f"{NUMBERS}shape (2, 0)"),
        ({"X": [1, 2]}, f"{NUMBERS}shape (2,)"),
        ({"X": np.zeros((2, 3, 4, 5))}, f"{NUMBERS}shape (2, 3, 4, 5)"),
        ({"X": [[1.0, float("nan")]]}, "X must be finite and within 1e+38 of 0, got nan at (0, 1)"),
        ({"X": [[1.0, -np.inf]]}, "X must be finite and within 1e+38 of 0, got -inf at (0, 1)"),
        ({"X": [[1e300, 1.0]]}, "X must be finite and within 1e+38 of 0, got 1e+300 at (0, 0)"),
        ({"X": [[5, 3, -2], X[1]]}, "X must be integers in 0 .. 4294967295, or floats, got -2 at"),
        ({"X": [[5, 3, 1 << 40], X[1]]}, "or floats, got 1099511627776 at (0, 2)"),
        (
            {"X": np.zeros((2, 3, 2), int)},
            "X must be floats where a step has several features, got",
        ),
        ({"y": [5, [1]]}, f"y {LENGTHS}"),
        ({"y": None}, "y must be an array of integers or floats, got dtype object"),
        ({"y": ["a", "b"]}, "y must be an array of integers or floats, got dtype <U1"),
        ({"y": [True, False]}, "y must be an array of integers or floats, got dtype bool"),
        ({"y": 5}, f"{SHAPES}()"),
        ({"y": [5]}, f"{SHAPES}(1,)"),
        ({"y": [[1, 2], [3, 4]]}, f"{SHAPES}(2, 2)"),
        ({"y": np.zeros((2, 3, 0))}, f"{SHAPES}(2, 3, 0)"),
        ({"y": np.zeros((2, 3, 1, 1))}, f"{SHAPES}(2, 3, 1, 1)"),
        ({"y": [5, -1]}, "y must be integers in 0 .. 4294967295, or floats, got -1 at (1,)"),
        ({"y": np.array([1 << 63, 0], np.uint64)}, "or floats, got 9223372036854775808 at (0,)"),
        ({"y": [1.0, float("nan")]}, "y must be finite and within 1e+38 of 0, got nan at (1,)"),
        ({"y": [1e300, 1.0]}, "y must be finite and within 1e+38 of 0, got 1e+300 at (0,)"),
        ({"mask": [[True], [True, False]]}, f"mask {LENGTHS}"),
        ({"mask": [[1, 1, 1], [0, 0, 1]]}, f"{BOOLS}shape (2, 3), dtype int64"),
        ({"mask": np.ones((2, 2), bool)}, f"{BOOLS}shape (2, 2), dtype bool"),
        ({"mask": np.ones((3, 2), bool)}, f"{BOOLS}shape (3, 2), dtype bool"),
        ({"mask": True}, f"{BOOLS}shape (), dtype bool"),
        ({"mask": [[False] * 3, [True] * 3]}, f"{ASKS} 0"),
        ({"mask": [[True] * 3, [True, True, False]]}, f"{ASKS} 1"),
        ({"lengths": [0, 3]}, "lengths must be in 1 .. 3, got [0, 3]"),
        ({"lengths": [1, 4]}, "lengths must be in 1 .. 3, got [1, 4]"),
        ({"lengths": [1.0, 2.0]}, "lengths must be 2 integers, got [1.0, 2.0]"),
        ({"lengths": 3}, "lengths must be 2 integers, got 3"),
        ({"lengths": [1, 2, 3]}, "lengths must be 2 integers, got [1, 2, 3]"),
        ({"lengths": [1, [2]]}, f"lengths {LENGTHS}"),
        ({"tolerance": 0.1}, "tolerance must be None where y is integers, got 0.1"),
        ({"X": [X[0], X[0]]}, f"{ALIKE} 2 and their answers differ: no agent could know"),
        ({"X": [[5, 3, 2], [5, 3, 4]], "y": [[1, 1, 1], [1, 2, 1]]}, f"{ALIKE} 1 and their"),
        (
            {"X": [X[0], X[0]], "y": [[1] * 3] * 2, "mask": [[True] * 3, [False, True, True]]},
            f"{ALIKE} 2 and their masks differ: no agent could know",
        ),
    ],
    ids=lambda value: repr(value)[:70].replace("\n", "") if isinstance(value, dict) else "",
)
def test_recorded_refuses_arrays_that_make_no_problem(arguments, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        Recorded(**{"X": X, "y": Y, **arguments})


@stable(60)
@given(tolerance=anything)
def test_recorded_takes_or_refuses_a_tolerance(tolerance):
    real = isinstance(tolerance, (int, float, np.number)) and not isinstance(tolerance, complex)
    real = real and not isinstance(tolerance, (bool, np.complexfloating))
    if tolerance is None or (real and tolerance > 0):
        Recorded(FLOATS, [0.5, 1.0], tolerance=tolerance)
    else:
        with refused("tolerance", tolerance):
            Recorded(FLOATS, [0.5, 1.0], tolerance=tolerance)


@stable(60)
@given(value=anything, name=st.sampled_from(["X", "y", "mask", "lengths"]))
def test_recorded_refuses_anything_else_by_name(value, name):
    if name in ("mask", "lengths"):
        assume(value is not None)
    if name == "lengths":
        assume(not (isinstance(value, (list, tuple)) and len(value) == 2))
    if name == "y":
        assume(not (isinstance(value, (list, tuple, np.ndarray)) and len(np.ravel(value)) == 2))
    with pytest.raises((TypeError, ValueError), match=f"(?s)^{name} must .*, got "):
        Recorded(**{"X": X, "y": Y, name: value})


def test_recorded_plays_its_own_samples_however_they_are_written():
    x = np.array([[0.1, 0.3, 0.2], [0.3, 0.1, 0.1]])
    env = SequenceEnv(Recorded(x, [0, 1]))
    for row in (x[0], x[0].tolist(), x[0].astype(np.float32), x[0].astype(np.float32).tolist()):
        first, _ = env.reset(seed=0, options={"inputs": row})
        np.testing.assert_array_equal(first, np.float32([0.1]))


# What a problem shows


@stable(60)
@given(value=anything)
def test_symbols_are_counted_by_an_int_from_1(value):
    if is_int(value, 1, np.inf):
        assert Symbols(value).n == value
        assert type(Symbols(value).n) is int
    else:
        with refused("n", value, "an int at least 1"):
            Symbols(value)


@stable(60)
@given(value=anything)
def test_features_are_counted_by_an_int_from_1(value):
    if is_int(value, 1, np.inf):
        assert Values(features=value).features == value
    else:
        with refused("features", value, "an int at least 1"):
            Values(features=value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 0), "low must be at most high, 0.0, got 1.0"),
        ((float("nan"), 1), "low must be a finite number, got nan"),
        ((0, float("nan")), "high must be a finite number, got nan"),
        ((0, float("inf")), "high must be a finite number, got inf"),
        ((-float("inf"), 0), "low must be a finite number, got -inf"),
        ((0, 10**400), "high must be a finite number, got 1000"),
        (("0", 1), "low must be a finite number, got '0'"),
        ((0, True), "high must be a finite number, got True"),
        ((None, 1), "low must be a finite number, got None"),
        ((0, 1j), "high must be a finite number, got 1j"),
        ((0, 1e39), "float32 holds and tells from the blank, -1e+39, got 0.0 and 1e+39"),
        ((-2e38, 2e38), "float32 holds and tells from the blank, -6e+38, got"),
        ((1e8, 1e8 + 1), "tells from the blank, 99999999.0, got 100000000.0 and 100000001.0"),
        ((0, 1e-50), "tells from the blank, -1e-50, got 0.0 and 1e-50"),
    ],
    ids=repr,
)
def test_values_have_a_range(arguments, message):
    with pytest.raises((TypeError, ValueError), match=f"^.*{re.escape(message)}"):
        Values(*arguments)


@pytest.mark.parametrize("ends", [(0, 1), (3, 3), (-2.5, -2.5), (np.float32(0.1), np.int8(5))])
def test_a_blank_lies_outside_of_a_range_of_values(ends):
    shown = Values(*ends)
    assert (shown.low, shown.high) == ends
    assert type(shown.low) is type(shown.high) is float
    assert np.float32(shown.blank) < np.float32(shown.low)


# What is wrong in a problem that a user wrote is for seqenvs.testing to say; here are the helpers
# that its constructor calls.


@stable(100)
@given(value=anything, low=st.integers(-2, 5), span=st.integers(0, 9))
def test_check_int_takes_integers_in_range_only(value, low, span):
    if is_int(value, low, low + span):
        taken = check_int("depth", value, low, low + span)
        assert taken == value
        assert type(taken) is int
    else:
        with refused("depth", value, f"an int in {low} .. {low + span}"):
            check_int("depth", value, low, low + span)


@stable(100)
@given(value=anything)
def test_check_choice_takes_the_choices_only(value):
    allowed = (False, 3, "index", None)
    if one_of(*allowed)(value):
        assert check_choice("kind", value, allowed) == value
    else:
        with refused("kind", value, "one of False, 3, 'index', None"):
            check_choice("kind", value, allowed)


# Good input, at random: whatever a constructor takes makes a sound problem.


def lengths(low, high=7):
    """An int, or a range."""
    ends = st.tuples(st.integers(low, high), st.integers(low, high))
    return st.one_of(st.integers(low, high), ends.map(lambda e: (min(e), max(e))))


def least(length):
    return length if isinstance(length, int) else length[0]


@st.composite
def echoes(draw):
    length = draw(lengths(1))
    framing = draw(st.sampled_from([ONE, MANY]))
    place = draw(st.integers(0, least(length) - 1))
    where = {"lag": place}
    if framing == MANY and draw(st.booleans()):
        where = {"position": place}
        if draw(st.booleans()):
            where["lag"] = draw(st.integers(0, 99))
    return Echo(length=length, framing=framing, num_symbols=draw(st.integers(2, 12)), **where)


@st.composite
def copies(draw):
    length = draw(lengths(1, 6))
    framing = draw(st.sampled_from(["many_to_many", MANY, ONE]))
    start = draw(st.integers(0, least(length) - 1))
    some = st.integers(1, least(length) - start)
    varied = not isinstance(length, int) and length[0] < length[1]
    output_length = draw(some if framing == MANY and varied else st.one_of(st.none(), some))
    return Copy(
        length=length,
        num_symbols=draw(st.integers(2, 12)),
        framing=framing,
        output_length=output_length,
        start=start,
        reverse=framing != ONE and draw(st.booleans()),
    )


@st.composite
def recalls(draw):
    framing = draw(st.sampled_from([ONE, MANY]))
    return Recall(
        length=draw(lengths(3) if framing == MANY else st.integers(3, 7)),
        num_values=draw(st.integers(2, 6)),
        framing=framing,
        middle=draw(st.sampled_from(["in_order", "random"])) if framing == MANY else "in_order",
        overlap=draw(st.booleans()),
    )


@st.composite
def classifies(draw):
    framing = draw(st.sampled_from([ONE, MANY]))
    return Classify(
        length=draw(lengths(1) if framing == MANY else st.integers(1, 7)),
        framing=framing,
        threshold=draw(st.one_of(st.none(), st.floats(0.01, 0.99))),
    )


@st.composite
def next_values(draw):
    framing = draw(st.sampled_from([ONE, MANY]))
    length = draw(lengths(3, 9) if framing == MANY else st.integers(2, 9))
    ranged = not isinstance(length, int) and length[0] < length[1]
    window = st.integers(2 if ranged else 1, least(length) - 1)
    return NextValue(
        length=length,
        framing=framing,
        window=draw(window) if framing == MANY else draw(st.integers(1, 99)),
        answer=draw(st.sampled_from(["value", "index"])),
    )


@st.composite
def recordings(draw):
    """Arrays of every kind; an answer is the sum of what has been shown, and so follows from it."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    count, steps = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    features = draw(st.sampled_from([(), (1,), (3,)]))
    if draw(st.booleans()) or features == (3,):
        x = rng.choice([-1.5, 0.0, 0.1, 2.0], (count, steps, *features))
    else:
        x = rng.integers(0, 4, (count, steps, *features))
    y = x.reshape(count, steps, -1).cumsum(axis=1).sum(axis=2)
    if draw(st.booleans()):
        y = np.rint(np.abs(4 * y)).astype(int)
    kind = draw(st.sampled_from(["at the end", "each step", "two at once"]))
    if kind == "at the end":
        return Recorded(x, y[:, -1])
    if kind == "two at once":
        y = np.stack([y, 2 * y], axis=2)
    time = np.arange(steps)
    mask = np.broadcast_to((time % 2 == 0) | (time == steps - 1), (count, steps))
    return Recorded(x, y, mask if draw(st.booleans()) else None)


@pytest.mark.parametrize(
    "valid",
    [echoes(), copies(), recalls(), classifies(), next_values(), recordings()],
    ids=["Echo", "Copy", "Recall", "Classify", "NextValue", "Recorded"],
)
@stable(25)
@given(data=st.data())
def test_whatever_a_constructor_takes_is_a_sound_problem(valid, data):
    problem = data.draw(valid)
    assert isinstance(problem, Problem)
    assert isinstance(problem.input_spec, (Symbols, Values))
    check_problem(problem, episodes=8)

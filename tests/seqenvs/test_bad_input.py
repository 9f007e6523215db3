"""Bad input is refused with an error that names the argument, and it changes nothing.

An error says: NAME must be ..., got VALUE. After a refused call the environment continues exactly
as a twin that never got the call.
"""

from __future__ import annotations

import enum
import inspect
import re
from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

from seqenvs import SequenceEnv, SequenceVectorEnv, batches, register
from seqenvs.problem import Problem, Symbols, Values
from seqenvs.problems import Classify, Copy, Echo, NextValue, Recall, Recorded
from seqenvs.testing import check_problem
from seqenvs.validation import check_choice, check_int

MANY = "many_to_one"
HUGE = 10**30
MODES = [mode.value for mode in AutoresetMode]
ENV, VECTOR = partial(SequenceEnv, Echo), partial(SequenceVectorEnv, Echo)
# What a person or a configuration file might pass.
ANYTHING = [
    *(*range(-1, 9), HUGE, 0.5, 1e9, None, True, False, "3", "", (3, 6), (1, 4), [3, 5], (5, 2)),
    *(MANY, "one_to_one", "many_to_many", "in_order", "random", "value", "index", {}, slice(3)),
    *(np.int8(4), np.float32(0.5), np.bool_(True), np.str_(MANY), np.arange(2)),
]
VECTORS = {
    "Discrete": partial(VECTOR, 3),
    "MultiDiscrete": partial(SequenceVectorEnv, Copy, 3, framing=MANY),
    "Box": partial(SequenceVectorEnv, NextValue, 3),
    "variable length": partial(VECTOR, 3, length=(3, 9)),
}
SINGLES = {
    "Discrete": ENV,
    "MultiDiscrete": partial(SequenceEnv, Copy, framing=MANY),
    "Box": partial(SequenceEnv, NextValue),
}


def refused(name, value, allowed="", error=(TypeError, ValueError)):
    """Expect an error that names the argument and the value, and says what is allowed."""
    got = re.escape(repr(value))
    return pytest.raises(error, match=rf"(?s)^{name} must (?=.*{re.escape(allowed)}).*got .*{got}")


def assert_sound(problem):
    check_problem(problem, episodes=8)
    bounds = problem.bounds()
    assert 0 <= bounds.chance <= bounds.memoryless <= bounds.clock <= bounds.optimum == 1


# Constructors of problems


@pytest.mark.parametrize(
    ("kind", "others", "name", "values", "allowed"),
    [
        (Echo, {}, "length", ["10", 10.0, (5,), 0, None, True, (4, 9.0)], "an int at least 1, or"),
        (Echo, {}, "length", [(9, 3), HUGE], ""),
        (Echo, {}, "lag", [10, -1, True, "1", None], "an int in 0 .. 9"),
        (Echo, {"length": (4, 10)}, "lag", [4, HUGE], "an int in 0 .. 3"),
        (Echo, {}, "num_symbols", [1, 2.0, HUGE], "an int in 2 .. "),
        (Echo, {}, "framing", ["many-to-one", "many_to_many", 1, None], "'many_to_one'"),
        (Echo, {}, "position", [3], "framing='many_to_one'"),
        (Echo, {"framing": MANY}, "position", [10, -1, "3"], "an int in 0 .. 9"),
        (Copy, {}, "output_length", [0, 6, "all"], "an int in 1 .. 5"),
        (Copy, {"start": 2}, "output_length", [4], "an int in 1 .. 3"),
        (Copy, {"length": (2, 5), "framing": MANY}, "output_length", [None], "length is a range"),
        (Copy, {}, "start", [5, -1, 1.0], "an int in 0 .. 4"),
        (Copy, {}, "reverse", [1, "True", None], "False, True"),
        (Copy, {"framing": "one_to_one"}, "reverse", [True], "before the last input"),
        (Recall, {}, "length", [2, (3, 9)], ""),
        (Recall, {}, "num_values", [1], "an int in 2 .. "),
        (Recall, {}, "middle", ["random", "sorted"], ""),
        (Recall, {}, "overlap", [0], "False, True"),
        (Classify, {}, "length", [(5, 9), 0], ""),
        (Classify, {}, "threshold", [1.5, 0, float("nan"), "0.5", np.complex64(1)], "between 0"),
        (NextValue, {}, "length", [1, (5, 9)], ""),
        (NextValue, {"framing": MANY, "window": 2}, "length", [(2, 9), (5, 5000)], ""),
        (NextValue, {"framing": MANY}, "window", [10, 0, 3.0], "in 1 .. 9"),
        (NextValue, {"framing": MANY, "length": (5, 9)}, "window", [1, 5], "in 2 .. 4"),
        (NextValue, {}, "answer", ["Index", 0], "'index'"),
        (Symbols, {}, "n", [0, 1.0, True], "an int at least 1"),
        (Values, {}, "features", [0, "1"], "an int at least 1"),
        (Values, {}, "low", [float("nan"), "0", None], "a finite number"),
        (Values, {}, "high", [float("inf"), 10**400, True, 1j], "a finite number"),
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
        ("X", [["a", "b"]], "X must be a non-empty array of numbers, .*got shape .1, 2., dtype"),
        ("X", [1, 2], r"X must be a non-empty array of numbers, .*got shape \(2,\)"),
        ("X", [[1.0, float("nan")]], r"X must be finite .*, got nan at \(0, 1\)"),
        ("X", [[1e300, 1.0]], r"X must be finite .*, got 1e\+300 at \(0, 0\)"),
        ("X", [[5, 3, -2], [1, 1, 4]], r"X must be integers in 0 .*, got -2 at \(0, 2\)"),
        ("X", np.zeros((2, 3, 2), int), "X must be floats where a step has several features, got"),
        ("y", [True, False], "y must be an array of integers or floats, got dtype bool"),
        ("y", [5], r"y must have the shape \(2,\), .*, got \(1,\)"),
        ("y", [5, -1], r"y must be integers in 0 .*, got -1 at \(1,\)"),
        ("y", [1.0, float("nan")], r"y must be finite .*, got nan at \(1,\)"),
        ("mask", [[1, 1, 1], [0, 0, 1]], r"mask must be .* bool of shape \(2, 3\), got .* int64"),
        ("mask", np.ones((3, 2), bool), r"mask must be .* bool of shape \(2, 3\), got shape"),
        (
            "mask",
            [[True] * 3, [True, True, False]],
            "mask must .* in every sample, got .* sample 1",
        ),
        ("lengths", [0, 3], r"lengths must be in 1 \.\. 3, got \[0, 3\]"),
        ("lengths", [1.0, 2.0], r"lengths must be 2 integers, got \[1.0, 2.0\]"),
        ("tolerance", 0.1, "tolerance must be None where y is integers, got 0.1"),
        ("X", [[5, 3, 2]] * 2, "samples 0 and 1 have the same inputs up to time step 2"),
    ],
)
def test_recorded_refuses_arrays_that_make_no_problem(name, value, message):
    with pytest.raises((TypeError, ValueError), match=f"^.*{message}"):
        Recorded(**{"X": [[5, 3, 2], [1, 1, 4]], "y": [5, 1], name: value})


@pytest.mark.parametrize("tolerance", [0, -1.0, float("nan"), True, "0.1", 1j])
def test_recorded_refuses_a_bad_tolerance(tolerance):
    with refused("tolerance", tolerance, "a number above 0"):
        Recorded([[0.5, 0.25], [1.0, 0.0]], [0.5, 1.0], tolerance=tolerance)


class Framing(str, enum.Enum):
    MANY = MANY


@pytest.mark.parametrize("framing", [np.str_(MANY), Framing.MANY])
def test_choices_may_be_numpy_values_and_members_of_an_enumeration(framing):
    for problem in (Echo(framing=framing), NextValue(framing=framing, window=3)):
        assert type(problem.framing) is str
        assert problem.framing == MANY
    assert Copy(reverse=np.True_).reverse is True
    assert ENV(encoding=np.str_("index")).observation_space == gymnasium.spaces.Discrete(11)
    assert check_choice("kind", np.int8(3), (False, 3)) == 3
    for value in (0, 1, "3", np.array("index"), b"index", np.True_):
        with refused("kind", value, "one of False, 3, 'index', None"):
            check_choice("kind", value, (False, 3, "index", None))


@pytest.mark.parametrize("number", [np.int8, np.uint8, np.int64])
def test_small_numpy_integers_count_as_integers_and_never_overflow(number):
    assert type(check_int("lag", number(3), 0, 3)) is int
    for kind, keywords in (
        (Echo, {"lag": 3, "length": 9}),
        (Copy, {"length": 120, "start": 3, "output_length": 110}),
        (Recall, {"length": 120, "num_values": 100}),
        (NextValue, {"framing": MANY, "length": 100, "window": 3}),
    ):
        small = kind(**{name: v if v == MANY else number(v) for name, v in keywords.items()})
        plain = kind(**keywords)
        assert small.bounds() == plain.bounds()
        pairs = (problem.batch(np.random.default_rng(0), 9) for problem in (small, plain))
        for one, other in zip(*pairs, strict=True):
            np.testing.assert_array_equal(one, other)


# Arguments of environments and data sets

OWN = {
    "encoding": ["onehot", 1, None],
    "render_mode": ["rgb", True],
    "extras": ["time_step", 3, np.array(3)],
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
makers = pytest.mark.parametrize("maker", MAKERS)


@makers
def test_every_maker_refuses_bad_values_by_name(maker):
    make = MAKERS[maker]
    taken = inspect.signature(SIGNATURES.get(maker, MAKERS[maker])).parameters
    for name in (*taken, "lag"):
        if maker == "make" and name == "render_mode":
            continue  # which Gymnasium checks first
        for value in [10, "1"] if name == "lag" else OWN.get(name, []):
            with refused(name, value):
                make(Echo, **{name: value})


@makers
def test_every_maker_refuses_an_unknown_keyword_with_those_that_are_known(maker):
    for wrong, meant in (("lga", "lag"), ("encodng", "encoding"), ("zzz", None)):
        hint = re.escape(f" (did you mean {meant!r}?)" if meant else "; known here are length, lag")
        with pytest.raises(TypeError, match=f"got an unexpected keyword argument {wrong!r}{hint}"):
            MAKERS[maker](Echo, **{wrong: 3})
    if maker[0] == "S":
        own = inspect.signature(MAKERS[maker]).parameters.values()
        with pytest.raises(TypeError, match="; known here are ") as caught:
            MAKERS[maker](Plain, zzz=3)
        known = str(caught.value).partition("; known here are ")[2].split(", ")
        assert {"problem", *known} == {p.name for p in own if p.kind != p.VAR_KEYWORD}


class Plain(Problem):
    """A problem without parameters."""

    input_spec, action_space, num_inputs = Symbols(2), Echo(num_symbols=2).action_space, (3, 3)

    def draw(self, rng, num_inputs):
        return rng.integers(0, 2, (3, len(num_inputs)))

    def answer(self, inputs, lengths):
        return inputs, np.arange(len(inputs))[:, None] < lengths


def test_a_class_that_passes_its_keywords_on_takes_them():
    class Louder(Echo):
        def __init__(self, volume=1, **others):
            super().__init__(**others)
            self.volume = volume

    problem = SequenceEnv(Louder, volume=2, lag=3).problem
    assert (problem.volume, problem.lag) == (2, 3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'lga'"):
        SequenceEnv(Louder, lga=3)
    with pytest.raises(TypeError, match=r"^'lag' can't be given beside"):
        SequenceEnv(Echo(), lag=3)


@pytest.mark.parametrize("maker", ["SequenceEnv", "SequenceVectorEnv", "batches"])
def test_what_is_no_problem_is_refused(maker):
    for problem in (
        *("no_such_module:Echo", "seqenvs.no_such_module:Echo", "seqenvs.problems:Nope"),
        *("seqenvs.problems:", ":Echo", 3, None, int, [Echo], SequenceEnv),
    ):
        with refused("problem", problem):
            MAKERS[maker](problem)


def test_a_wrong_id_is_refused_with_the_near_ones():
    with refused("problem", "SeqEcho-v0", "'module:Class'"):
        SequenceEnv("SeqEcho-v0")
    with pytest.raises(gymnasium.error.NameNotFound, match=r"`SeqEko`.*Did you mean: `SeqEcho`"):
        batches("SeqEko-v0", 2)
    with pytest.raises(gymnasium.error.VersionNotFound, match="`v7`"):
        batches("SeqEcho-v7", 2)
    with refused("problem", "CartPole-v1", "seqenvs.register"):
        batches("CartPole-v1", 2)


@pytest.mark.parametrize("problem", ["parity", "parity:", ":Parity", "a:b:c", Plain, Plain(), None])
def test_what_names_no_class_is_not_registered(problem):
    with refused("problem", problem, "'module:Class'"):
        register("TestBadInput-v0", problem)
    assert "TestBadInput-v0" not in gymnasium.registry


def test_a_module_is_imported_when_its_problem_is_made(tmp_path, monkeypatch):
    register("TestBadInput-v0", "a_module_that_is_not_there:Mine")
    try:
        with refused("problem", "a_module_that_is_not_there:Mine", "there is no module"):
            gymnasium.make("TestBadInput-v0")
    finally:
        del gymnasium.registry["TestBadInput-v0"]
    (tmp_path / "needs_more.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)  # an import that fails inside a module is not hidden
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        SequenceEnv("needs_more:Mine")


def test_make_vec_accepts_the_render_modes_that_make_accepts():
    both = [
        gymnasium.make_vec("SeqEcho-v0", 2, mode, render_mode="rgb_array_list")
        for mode in ("vector_entry_point", "sync")
    ]
    for env in both:
        env.reset(seed=3)
        env.step(np.array([1, 2]))
    pictures, wanted = (env.render() for env in both)
    np.testing.assert_array_equal(pictures, wanted)


# A refused call changes nothing.


def follow(env):
    """Everything that the rest of this episode and the next ones return."""
    env.action_space.seed(8)
    seen = []
    for _ in range(3 * env.problem.num_steps[1]):
        seen.append(env.step(env.action_space.sample()))
        ended = seen[-1][2]
        if env.spec is None and isinstance(env, SequenceEnv) and ended:
            seen.append(env.reset())
        elif env.metadata.get("autoreset_mode") == AutoresetMode.DISABLED and ended.any():
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
        assert data_equivalence(follow(self.env), follow(self.other), exact=True)


modes = pytest.mark.parametrize("mode", MODES)


def test_twins_notice_a_single_step():
    twins = Twins(ENV)
    twins.env.step(3)
    with pytest.raises(AssertionError):
        twins.are_alike()


BAD_ACTIONS = {
    "Discrete": [None, "3", {}, -1, 10, 1 << 62, 3.0, [3], np.array([3]), np.float32(3), np.True_],
    "MultiDiscrete": [
        *(None, 3, [1] * 4, [[1] * 5], [1, 2, 3, 4, 10], [-1] * 5, [1.0] * 5, ["1"] * 5),
        *([1, [2], 3, 4, 5], [1 << 70] * 5),
    ],
    "Box": [
        *(None, 0.5, [], [0.5, 0.5], [[0.5]], [1.01], [-0.01], [float("nan")], [True], ["0.5"]),
        *([0.5j], [[0.1], [0.2, 0.3]]),
    ],
}


@pytest.mark.parametrize("kind", SINGLES)
def test_a_bad_action_is_refused(kind):
    twins = Twins(SINGLES[kind])
    for action in BAD_ACTIONS[kind]:
        with refused("action", action):
            twins.env.step(action)
    twins.are_alike()


@modes
@pytest.mark.parametrize("kind", VECTORS)
def test_bad_actions_of_a_vector_environment_are_refused(kind, mode):
    twins = Twins(partial(VECTORS[kind], autoreset_mode=mode))
    for step, lead in ((twins.env.step, ()), (twins.env.step_block, (1,))):
        good = np.zeros(lead + twins.env.action_space.shape, twins.env.action_space.dtype)
        bad = [None, "abc", {}, [[1, 2], [3]], good[:0], good[..., None], good[0], 0]
        bad += [good.astype(dtype) for dtype in ("bool", "complex128", "U3", "O")]
        bad += [good + x for x in ((1.5, -0.5, np.nan) if kind == "Box" else (0.5,))]
        for actions in bad:
            with pytest.raises((TypeError, ValueError), match=r"(?s)^actions must .*, got "):
                step(actions)
    twins.are_alike()


def test_a_box_of_unlike_components_says_what_each_may_be():
    unlike = Recorded([[0, 1], [1, 0]], [[[0.0, 10], [1, 20]], [[0.5, 15], [0.5, 15]]])
    env, vector = SequenceEnv(unlike), SequenceVectorEnv(unlike, 2)
    env.reset(seed=0)
    vector.reset(seed=0)
    with refused("action", [5.0, 15.0], "[ 0. 10.] .. [ 1. 20.]"):
        env.step([5.0, 15.0])
    with pytest.raises(ValueError, match=re.escape("in [ 0. 10.] .. [ 1. 20.], got 5.0 at (1, 0)")):
        vector.step(np.array([[0.5, 15.0], [5.0, 15.0]]))


@modes
@pytest.mark.parametrize("wrong", [-1, 10, 1 << 40, -(1 << 63)])
@pytest.mark.parametrize("kind", ["Discrete", "MultiDiscrete"])
def test_an_integer_out_of_range_is_simply_wrong_in_the_vector_environment(kind, wrong, mode):
    env, other = (VECTORS[kind](autoreset_mode=mode) for _ in range(2))
    for e in (env, other):
        e.reset(seed=3)
    for _ in range(env.problem.num_steps[1]):
        result = env.step(np.full(env.action_space.shape, wrong))
        np.testing.assert_array_equal(result[0], other.step(other.action_space.sample())[0])
        assert not result[1].any()
    assert result[2].all()
    assert not result[4].get("final_info", result[4])["is_success"].any()


@pytest.mark.parametrize("kind", SINGLES)
def test_a_step_before_reset_or_after_the_end_asks_for_reset(kind):
    env, other = SINGLES[kind](render_mode="ansi"), SINGLES[kind](render_mode="ansi")
    action = env.action_space.sample()
    for call in (env.render, partial(env.step, action), partial(env.step, action)):
        with pytest.raises(ResetNeeded, match=r"call reset\(\) before"):
            call()
    for e in (env, other):
        e.reset(seed=0)
        while not e.step(action)[2]:
            pass
    for _ in range(2):
        with pytest.raises(ResetNeeded, match=r"call reset\(\) before step\(\)"):
            env.step(action)
    env.reset()
    other.reset()
    assert data_equivalence(follow(env), follow(other), exact=True)


def moves(env):
    """Every call that needs an episode under way in every sub-environment."""
    actions = env.action_space.sample()
    return (
        partial(env.step, actions),
        partial(env.step_block, actions[None]),
        partial(env.observe_block, 1),
    )


@modes
@pytest.mark.parametrize("kind", VECTORS)
def test_a_vector_environment_asks_for_reset(kind, mode):
    make = partial(VECTORS[kind], autoreset_mode=mode, render_mode="ansi")
    twins = Twins(make)
    fresh = make()
    for call in (*moves(fresh), fresh.render):
        with pytest.raises(ResetNeeded, match=r"call reset\(\)"):
            call()
    if mode != "Disabled":
        return
    with pytest.raises(ResetNeeded, match=r"reset_mask.*call reset\(\) first"):
        fresh.reset(options={"reset_mask": np.array([True, False, True])})
    ended = np.zeros(3, bool)
    while not ended.any():
        for e in (twins.env, twins.other):
            ended = e.step(e.action_space.sample())[2]
    first = int(np.flatnonzero(ended)[0])
    for call in moves(twins.env):
        with pytest.raises(ResetNeeded, match=rf"environments \[{first}.*reset_mask"):
            call()
    for e in (twins.env, twins.other):
        e.reset(options={"reset_mask": ended.copy()})
    twins.are_alike()


# Blocks


@modes
def test_a_bad_number_of_steps_is_refused(mode):
    twins = Twins(partial(VECTORS["Discrete"], autoreset_mode=mode))
    for steps in (0, -1, 1.0, "3", None, True, [2]):
        with refused("steps", steps):
            twins.env.observe_block(steps)
    twins.are_alike()


@pytest.mark.parametrize("kind", VECTORS)
def test_a_block_may_not_cross_an_end_where_autoreset_is_disabled(kind):
    twins, ends = (Twins(partial(VECTORS[kind], autoreset_mode="Disabled"), 1) for _ in range(2))
    left = 1
    while not ends.env.step(ends.env.action_space.sample())[2].any():
        left += 1
    allowed = rf"must be at most {left} steps here, got {left + 1}.* end of an episode"
    with pytest.raises(ValueError, match=f"^steps {allowed}"):
        twins.env.observe_block(left + 1)
    with pytest.raises(ValueError, match=f"^actions {allowed}"):
        twins.env.step_block(np.stack([ends.env.action_space.sample()] * (left + 1)))
    assert len(twins.env.observe_block(left)) == left
    twins.are_alike()


def test_replaced_episodes_do_not_limit_a_block():
    twins = Twins(partial(VECTOR, 2, autoreset_mode="Disabled"), steps=3)  # of ten
    for env in (twins.env, twins.other):
        env.reset(options={"reset_mask": np.array([True, False])})
        env.step(np.array([1, 2]))
        env.reset(options={"reset_mask": np.array([False, True])})
    actions = np.zeros((9, 2), int)  # as many steps as the first sub-environment has left
    shown = twins.env.observe_block(9)
    block = twins.env.step_block(actions)
    steps = [twins.other.step(row) for row in actions]
    np.testing.assert_array_equal(shown[1:], [step[0] for step in steps[:-1]])
    for k in range(4):
        np.testing.assert_array_equal(block[k], [step[k] for step in steps])


# Options of reset

WIDE = Recorded(np.arange(12, dtype=float).reshape(2, 3, 2) % 7, [0, 1])  # two features a step
REALS = "a sequence of numbers in [0.0, 1.0]"
BAD_INPUTS = [
    (Echo(), [[1] * 9, [1] * 11, [], [10] * 10, [*[1] * 9, 10]], "must have 10 time steps"),
    (Echo(length=(4, 6)), [[1] * 3, [1] * 7], "must have 4 to 6 time steps"),
    (Echo(), [[*[1] * 9, 11], [*[1] * 5, 10, *[1] * 4], [-1] * 10, [HUGE] * 10], "in 0 .. 9"),
    (Echo(), [[1.0] * 10, ["1"] * 10, "1234567890", [True] * 10, [None] * 10], "integers in 0"),
    (Echo(), [5, np.array(5), [1, [2]], [[]], {1: 2}, set(range(10)), [1j] * 10], "integers in 0"),
    (Recall(), [[1, 0, 1, 2]], "begin with one of [3, 4]"),
    (Recall(), [[3, 1, 1, 2]], "go on with [0, 1, 2]"),
    (Recall(framing=MANY, middle="random"), [[3, 0, 4, 0]], "in 0 .. 2"),
    (Classify(), [[0.5] * 9, [*[0.5] * 9, -1.0]], "must have 10 time steps"),
    (Classify(), [[*[0.5] * 9, float("nan")], [1e300] * 10, [*[0.5] * 9, 1.01]], REALS),
    (Classify(), [[*[0.5] * 5, -1.0, *[0.5] * 4], ["0.5"] * 10, [0.5j] * 10, 0.5], REALS),
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
        flat = isinstance(inputs, list) and len(inputs) > 3 and np.ndim(inputs[0]) == 0
        tried = [(inputs, allowed if mode == "single" else "")]
        tried += [([good, inputs, good], allowed)] if flat and mode != "single" else []
        for one, said in tried:
            for seed in (None, 5):  # a seed must not begin a new list of episodes either
                message = rf"(?s)^inputs (?=.*{re.escape(said)}).*must .*, got "
                with pytest.raises((TypeError, ValueError), match=message):
                    twins.env.reset(seed=seed, options={"inputs": one})
    twins.are_alike()


@modes
def test_inputs_for_three_sub_environments_nested_or_counted_wrongly_are_refused(mode):
    twins = Twins(partial(VECTORS["Discrete"], autoreset_mode=mode))
    ten = [1] * 10
    for inputs in (
        *([ten] * 2, [ten] * 4, [ten], np.ones((10, 3), int), [ten, [1] * 9, ten], [ten, 3, ten]),
        *([ten, None, ten], [[], [], []], [[[1], [2, 3]], [1], [2]], [[ten]] * 3),
        *(np.ones((3, 10, 1), int), ["1111111111"] * 3),
    ):
        with pytest.raises((TypeError, ValueError), match=r"^inputs must .*, got "):
            twins.env.reset(options={"inputs": inputs})
    twins.are_alike()


def test_trailing_blanks_are_not_counted():
    env, twin = ENV(encoding="index"), ENV(encoding="index")
    for blanks in range(3):
        inputs = [*range(10), *[10] * blanks]
        assert env.reset(options={"inputs": inputs}) == twin.reset(options={"inputs": range(10)})
        assert [env.step(0) for _ in range(10)] == [twin.step(0) for _ in range(10)]


def test_recorded_plays_its_own_samples_however_they_are_written():
    x = np.array([[0.1, 0.3, 0.2], [0.3, 0.1, 0.1]])
    env = SequenceEnv(Recorded(x, [0, 1]))
    for row in (x[0], x[0].tolist(), x[0].astype(np.float32), x[0].astype(np.float32).tolist()):
        first, _ = env.reset(seed=0, options={"inputs": row})
        np.testing.assert_array_equal(first, np.float32([0.1]))


@pytest.mark.parametrize("make", [ENV, partial(VECTOR, 3)], ids=["single", "vector"])
def test_unknown_options_are_refused(make):
    twins = Twins(make)
    for options in ({"input": [1] * 10}, {"inputs": [1] * 10, "low": 3}, {3: 4}, 5, [], "inputs"):
        message = f"options must be a dict or None, got {options!r}"
        if isinstance(options, dict):
            message = f"unknown option {[*options][-1]!r}; reset's options are inputs"
        for seed in (None, 5):
            with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}"):
                twins.env.reset(seed=seed, options=options)
    twins.are_alike()


@pytest.mark.parametrize("kind", VECTORS)
def test_a_bad_reset_mask_is_refused(kind):
    twins = Twins(partial(VECTORS[kind], autoreset_mode="Disabled"))
    for mask in (
        *([True, False, True], np.array([1, 0, 1]), np.ones(3, object), True, "all"),
        *(np.ones(2, bool), np.ones((3, 1), bool), np.array(True), np.zeros(3, bool)),
    ):
        message = r"^reset_mask must be a bool array of shape \(3,\).*, got "
        with pytest.raises((TypeError, ValueError), match=message):
            twins.env.reset(options={"reset_mask": mask})
    for keywords in ({"seed": 5}, {"inputs": [1] * 10}):
        seed, inputs = keywords.get("seed"), keywords.get("inputs")
        options = {"reset_mask": np.array([True, False, True]), "inputs": inputs}
        with pytest.raises(ValueError, match="can't be given together with seed or inputs"):
            twins.env.reset(seed=seed, options=options)
    twins.are_alike()


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_reset_mask_needs_autoreset_to_be_disabled(mode):
    twins = Twins(partial(VECTORS["Discrete"], autoreset_mode=mode))
    with pytest.raises(ValueError, match=f"reset_mask needs autoreset_mode='Disabled'.*'{mode}'"):
        twins.env.reset(options={"reset_mask": np.ones(3, bool)})
    twins.are_alike()


@pytest.mark.parametrize("make", [ENV, partial(VECTOR, 3)], ids=["single", "vector"])
def test_a_bad_seed_of_reset_is_refused(make):
    twins = Twins(make)
    for seed in (-1, 1.0, "0", True, [1, 2, 3], (1, 2, 3), np.arange(3), []):
        with refused("seed", seed):
            twins.env.reset(seed=seed)
    twins.are_alike()

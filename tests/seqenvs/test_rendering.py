"""Pictures and texts show nothing of the future and have one size."""

import sys

import gymnasium
import numpy as np
import pytest
from PIL import ImageDraw

from seqenvs.problems import Copy, Echo, NextValue, Recorded
from seqenvs.registration import IDS
from seqenvs.rendering import RENDER_MODES, Trace, render, whole_text
from seqenvs.rendering.pixels import _tile, whole_picture

_values = np.random.default_rng(0).uniform(-12, 9, (20, 12, 3))
_due = np.arange(12) % 3 > 0
PROBLEMS = {
    **{id: gymnasium.make(id).unwrapped.problem for id in IDS},
    "one step": Echo(length=1, lag=0),
    "odd width": Echo(length=13),
    "three digits": Echo(length=200, num_symbols=1000),
    "variable length": Echo(length=(3, 30), framing="many_to_one", lag=2),
    "variable copy": Copy(length=(2, 6)),
    "several components": Copy(length=7, framing="many_to_one"),
    "window": NextValue(framing="many_to_one", answer="index"),
    "several features": Recorded(_values, _values[..., :2], np.tile(_due, (20, 1))),
}


def episode(problem, seed=0):
    """Return the trace of a whole episode with random answers."""
    batch = problem.batch(np.random.default_rng(seed), 1)
    steps = int(batch.lengths[0])
    problem.action_space.seed(seed)
    answers = [problem.action_space.sample() for _ in range(steps)]
    inputs, targets, due = (array[:steps, 0] for array in batch[:3])
    return Trace("Name-v0", problem, inputs, targets, due, due / due.sum(), answers)


def upto(trace, time):
    return trace._replace(answers=trace.answers[:time])


def some_times(trace):
    return sorted({*range(0, trace.length, max(7, trace.length // 10)), trace.length})


@pytest.fixture
def drawn_text(monkeypatch):
    """Return a list that collects all text that is drawn into pictures."""
    written, write = [], ImageDraw.ImageDraw.text

    def text(draw, where, text, *arguments, **keywords):
        written.append(text)
        write(draw, where, text, *arguments, **keywords)

    monkeypatch.setattr("PIL.ImageDraw.ImageDraw.text", text)
    _tile.cache_clear()
    return written


each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


@pytest.mark.parametrize("mode", RENDER_MODES)
@each_problem
def test_no_future_leaks(problem, mode):
    trace, other = (episode(problem, seed) for seed in (0, 1))
    for time in some_times(trace)[:-1]:
        changed = [np.array(array) for array in trace[2:5]]
        for array, replaced, start in zip(changed, other[2:5], (1, 0, 1), strict=True):
            size = len(array[time + start :])
            array[time + start :] = np.resize(replaced[::-1], array.shape)[:size]
        changed[2][time + 1 :] ^= True
        twin = trace._replace(inputs=changed[0], targets=changed[1], due=changed[2])
        assert np.array_equal(render(upto(twin, time), mode), render(upto(trace, time), mode))


@pytest.mark.parametrize("mode", RENDER_MODES)
def test_a_variable_length_does_not_leak(mode):
    trace = episode(Echo(length=(3, 9), lag=1))
    shorter = trace._replace(**{name: getattr(trace, name)[:3] for name in trace._fields[2:6]})
    assert trace.length > 3
    for time in (2, 3):
        pictures = render(upto(shorter, time), mode), render(upto(trace, time), mode)
        assert np.array_equal(*pictures) == (time < 3)


def assert_size(shape):
    height, width, channels = shape
    assert (height % 2, width % 2, channels) == (0, 0, 3)
    assert 640 <= width <= 1000 and height < 5000


@each_problem
def test_frames_have_one_even_size_and_change_at_every_step(problem):
    shapes, before = set(), None
    for seed in range(3):
        trace = episode(problem, seed)
        for time in some_times(trace):
            frame = render(upto(trace, time), "rgb_array")
            assert frame.dtype == np.uint8
            assert not np.array_equal(frame, before)
            shapes.add(frame.shape)
            before = frame
    (shape,) = shapes
    assert_size(shape)


@each_problem
def test_text_is_plain_and_fits(problem):
    trace = episode(problem)
    for time in range(trace.length + 1):
        text = render(upto(trace, time), "ansi")
        assert text.isascii()
        assert text.replace("\n", "").isprintable()
        assert max(map(len, text.splitlines())) <= 100
        marker = text.splitlines()[-1]
        assert marker.endswith("^") == (time < trace.length)
        if time < trace.length:  # the marker is below the current input
            header = next(line for line in text.splitlines() if line.startswith("time step"))
            assert header[: len(marker)].split()[-1] == str(time)


TEXTS = [
    (
        ("SeqEcho-v0", {"lag": 2, "length": 6}, [5, 3, 2, 1, 9, 9], [0, 0, 5, 4]),
        """\
SeqEcho-v0   step 4 of 6   score 0.25

time step      0   1   2   3   4   5
input          5   3   2   1   9
target         .   .   5   3   ?
answer         .   .   5   4
verdict        .   .  ok   X
                               ^""",
    ),
    (
        ("SeqCopy-v0", {"framing": "many_to_one", "length": 2}, [5, 3], [[0, 0], [5, 4]]),
        """\
SeqCopy-v0   step 2 of 2   score 0.50

time step        0     1
input            5     3
target[0]        .     5
target[1]        .     3
answer[0]        .     5
answer[1]        .     4
verdict          .     X
score            .  0.50""",
    ),
]


@pytest.mark.parametrize(("played", "expected"), TEXTS, ids=["one answer", "several answers"])
def test_text_of_an_episode(played, expected):
    id, kwargs, inputs, actions = played
    env = gymnasium.make(id, render_mode="ansi", **kwargs)
    env.reset(options={"inputs": inputs})
    for action in actions:
        env.step(np.array(action))
    assert env.render() == expected


def test_what_is_left_out_is_said(drawn_text):
    note, blank, header, *_ = render(upto(episode(Copy(length=40)), 45), "ansi").splitlines()[1:]
    first = int(header.split()[3])
    assert (note, blank) == (f"left out: {first} time steps, 0 to {first - 1}", "")
    assert header.startswith("time step  < ") and header.endswith(" >")
    trace = episode(Echo(length=40))
    for time, said in ((17, ""), (40, "; left out: 20 time steps, 0 to 19")):
        render(upto(trace, time), "rgb_array")
        assert f"step {time} of 40{said}" in drawn_text


@each_problem
def test_whole_text_has_every_time_step(problem):
    trace = episode(problem)
    words = set(whole_text(trace, 10**6).split())
    for columns in (1, 30, 80, 200):
        _, _, *lines = whole_text(trace, columns).splitlines()
        headers = [line.split()[2:] for line in lines if line.startswith("time step")]
        assert [int(t) for header in headers for t in header] == list(range(trace.length))
        width = max(map(len, lines))
        assert width <= max(columns, 20)
        if len(headers) > 1:  # as many as fit
            assert width + (width - 12) // len(headers[0]) > columns
        assert set(whole_text(trace, columns).split()) == words


@each_problem
def test_whole_pictures_have_every_time_step(problem, drawn_text):
    trace = episode(problem)
    picture = whole_picture(trace)
    assert drawn_text.count("time step") == -(-trace.length // 20)
    assert {str(t) for t in range(trace.length)} <= set(drawn_text)
    assert not any("left out" in word or word == "..." for word in drawn_text)
    assert_size(picture.shape)
    if trace.length <= 10:  # one row, as at the episode's end
        assert whole_text(trace, 80) == render(trace, "ansi")
        assert np.array_equal(picture, render(trace, "rgb_array"))


@pytest.mark.parametrize("problem", [Echo(length=1000), Copy(length=30, framing="many_to_one")])
def test_a_picture_of_a_very_long_episode(monkeypatch, drawn_text, problem):
    monkeypatch.setattr("seqenvs.rendering.pixels._TALLEST", 900)
    monkeypatch.setattr("seqenvs.rendering.pixels.MOST_COLUMNS", 10)
    trace = episode(problem)
    assert len(whole_picture(trace)) < 2500
    (note,) = [word for word in drawn_text if "left out" in word]
    count, first, last = (int(word) for word in note.split() if word.isdigit())
    assert count == last - first + 1 and 0 < first < last < trace.length - 1
    drawn = [*range(first), *range(last + 1, trace.length)]
    at = drawn_text.index("time step")
    assert {str(t) for t in drawn} == {word for word in drawn_text[at:] if word.isdigit()}


def test_an_unknown_mode_and_a_missing_pillow_are_named(monkeypatch):
    with pytest.raises(ValueError, match="mode must be one of 'ansi', 'rgb_array', got 'human'"):
        render(episode(Echo()), "human")
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "seqenvs.rendering.pixels")
    assert render(episode(Echo()), "ansi")
    with pytest.raises(ImportError, match=r"pip install seqenvs\[render\]"):
        render(episode(Echo()), "rgb_array")


@pytest.mark.parametrize("mode", [*RENDER_MODES, "ansi_list", "rgb_array_list"])
@pytest.mark.parametrize("id", ["SeqEcho-v0", "SeqNext-v0", "SeqRecallMedium-v0"])
def test_vector_pictures_are_those_of_the_single_environment(id, mode):
    env = gymnasium.make(id, render_mode=mode)
    vector = gymnasium.make_vec(id, num_envs=3, render_mode=mode)
    vector.action_space.seed(0)
    env.reset(seed=4)
    vector.reset(seed=4)
    for step in range(4):
        actions = vector.action_space.sample()
        env.step(actions[0])
        vector.step(actions)
        if step != 1:  # a list then holds two frames
            pictures = vector.render()
            assert isinstance(pictures, tuple) and len(pictures) == 3
            assert np.array_equal(pictures[0], env.render())

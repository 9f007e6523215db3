"""Pictures and texts show nothing of the future and have one size."""

import sys
from itertools import combinations

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from PIL import ImageDraw

from seqenvs.problem import Values
from seqenvs.problems import Classify, Copy, Echo, NextValue
from seqenvs.registration import IDS
from seqenvs.rendering import RENDER_MODES, Trace, render, whole_text
from seqenvs.rendering.pixels import _colour, _tile, whole_picture


class Wide(Classify):
    """Several features a step and several real answers at once."""

    def __post_init__(self):
        super().__post_init__()
        self.input_spec = Values(-12.0, 9.0, 3)
        self.action_space = spaces.Box(-12, 9, (2,), np.float32)
        self.tolerance = 2.0

    def draw(self, rng, num_inputs):
        return rng.uniform(-12, 9, (num_inputs.max(), len(num_inputs), 3)).astype(np.float32)

    def answer(self, inputs, lengths):
        time = np.arange(len(inputs))[:, None]
        return inputs[..., :2], (time < lengths) & (time % 3 > 0)


PROBLEMS = {
    **{id: gymnasium.make(id).unwrapped.problem for id in IDS},
    "one step": Echo(length=1, lag=0),
    "odd width": Echo(length=13),
    "three digits": Echo(length=200, num_symbols=1000),
    "variable length": Echo(length=(3, 30), framing="many_to_one", lag=2),
    "variable copy": Copy(length=(2, 6)),
    "several components": Copy(length=7, framing="many_to_one"),
    "window": NextValue(framing="many_to_one", answer="index"),
    "wide": Wide(length=12),
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
    assert np.array_equal(render(upto(shorter, 2), mode), render(upto(trace, 2), mode))
    assert not np.array_equal(render(upto(shorter, 3), mode), render(upto(trace, 3), mode))


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
    ((height, width, channels),) = shapes
    assert (height % 2, width % 2, channels) == (0, 0, 3)
    assert 640 <= width <= 1000


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


def test_text_of_an_episode():
    env = gymnasium.make("SeqEcho-v0", lag=2, length=6, render_mode="ansi")
    env.reset(options={"inputs": [5, 3, 2, 1, 9, 9]})
    for action in (0, 0, 5, 4):
        env.step(action)
    expected = """\
SeqEcho-v0   step 4 of 6   score 0.25

time step      0   1   2   3   4   5
input          5   3   2   1   9
target         .   .   5   3   ?
answer         .   .   5   4
verdict        .   .  ok   X
                               ^"""
    assert env.render() == expected


def test_text_of_several_answers_at_once():
    env = gymnasium.make("SeqCopy-v0", framing="many_to_one", length=2, render_mode="ansi")
    env.reset(options={"inputs": [5, 3]})
    env.step(np.array([0, 0]))
    env.step(np.array([5, 4]))
    expected = """\
SeqCopy-v0   step 2 of 2   score 0.50

time step        0     1
input            5     3
target[0]        .     5
target[1]        .     3
answer[0]        .     5
answer[1]        .     4
verdict          .     X
score            .  0.50"""
    assert env.render() == expected


def test_what_is_left_out_is_said(drawn_text):
    text = render(upto(episode(Copy(length=40)), 45), "ansi")
    note, blank, header, shown, *_ = text.splitlines()[1:]
    first = int(header.split()[3])
    assert (note, blank) == (f"left out: {first} time steps, 0 to {first - 1}", "")
    assert header.startswith("time step  < ")
    assert header.endswith(" >")
    assert shown.endswith("_")
    trace = episode(Echo(length=40))
    assert any("left out: time step 0\n" in render(upto(trace, t), "ansi") for t in range(40))
    render(upto(trace, 17), "rgb_array")
    assert "step 17 of 40" in drawn_text
    render(trace, "rgb_array")
    assert "step 40 of 40; left out: 20 time steps, 0 to 19" in drawn_text


@each_problem
def test_whole_text_has_every_time_step(problem):
    trace = episode(problem)
    words = set(whole_text(trace, 10**6).split())
    for columns in (1, 30, 80, 200):
        title, _, *lines = whole_text(trace, columns).splitlines()
        assert title == render(trace, "ansi").splitlines()[0]
        headers = [line.split()[2:] for line in lines if line.startswith("time step")]
        assert [int(t) for header in headers for t in header] == list(range(trace.length))
        assert lines.count("") == len(headers) - 1
        width = max(map(len, lines))
        assert width <= max(columns, 20)
        if len(headers) > 1:  # as many as fit
            assert width + (width - 12) // len(headers[0]) > columns
        assert set(whole_text(trace, columns).split()) == words


@each_problem
def test_whole_pictures_have_every_time_step(problem, drawn_text):
    trace = episode(problem)
    height, width, channels = whole_picture(trace).shape
    assert drawn_text.count("time step") == -(-trace.length // 20)
    assert {str(t) for t in range(trace.length)} <= set(drawn_text)
    assert not any("left out" in word or word == "..." for word in drawn_text)
    assert (height % 2, width % 2, channels) == (0, 0, 3)
    assert 640 <= width <= 1000
    assert height < 5000


def test_a_whole_episode_of_one_row_is_drawn_as_at_its_end():
    trace = episode(Echo())
    assert whole_text(trace, 80) == render(trace, "ansi")
    assert np.array_equal(whole_picture(trace), render(trace, "rgb_array"))


@pytest.mark.parametrize("problem", [Echo(length=1000), Copy(length=30, framing="many_to_one")])
def test_a_picture_of_a_very_long_episode(monkeypatch, drawn_text, problem):
    monkeypatch.setattr("seqenvs.rendering.pixels._TALLEST", 900)
    monkeypatch.setattr("seqenvs.rendering.pixels.MOST_COLUMNS", 10)
    trace = episode(problem)
    assert len(whole_picture(trace)) < 2500
    (note,) = [word for word in drawn_text if "left out" in word]
    count, first, last = (int(word) for word in note.split() if word.isdigit())
    assert count == last - first + 1
    drawn = [*range(first), *range(last + 1, trace.length)]
    at = drawn_text.index("time step")
    assert {str(t) for t in drawn} == {word for word in drawn_text[at:] if word.isdigit()}
    assert 0 < first < last < trace.length - 1


# Matrices from linear RGB to the colours that are seen with protanopia, deuteranopia and tritanopia
# (Machado's model at full severity), and two from linear RGB to Ottosson's Oklab, in which
# distances match perceived differences.
MATRICES = """
 0.152286  1.052583 -0.204868   0.114503  0.786281  0.099216  -0.003882 -0.048116  1.051998
 0.367322  0.860646 -0.227968   0.280085  0.672501  0.047413  -0.011820  0.042940  0.968881
 1.255528 -0.076749 -0.178779  -0.078411  0.930809  0.147602   0.004733  0.691367  0.303900
 0.4122214708  0.5363325363  0.0514459929  0.2119034982  0.6806995451  0.1073969566
 0.0883024619  0.2817188376  0.6299787005
 0.2104542553  0.7936177850 -0.0040720468  1.9779984951 -2.4285922050  0.4505937099
 0.0259040371  0.7827717662 -0.8086757660
"""
*VISION, TO_CONES, TO_LAB = np.array(MATRICES.split(), float).reshape(5, 3, 3).transpose(0, 2, 1)


def linear(colours):
    parts = np.array(colours) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def test_the_colours_of_ten_symbols_differ_for_everybody():
    colours = linear([*map(_colour, range(10)), (255, 255, 255)])
    for vision, least in zip([np.eye(3), *VISION], (0.115, 0.08, 0.08, 0.08), strict=True):
        seen = np.cbrt(np.clip(colours @ vision, 0, 1) @ TO_CONES) @ TO_LAB
        assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) >= least


def test_the_number_on_a_colour_can_be_read():
    ink, *papers = linear([(33, 37, 41), *map(_colour, range(10))]) @ [0.2126, 0.7152, 0.0722]
    assert (min(papers) + 0.05) / (ink + 0.05) >= 4.5  # WCAG 2, level AA


@pytest.mark.parametrize("length", [2, 7, 12, 40])
def test_every_part_of_an_answer_has_its_number(drawn_text, length):
    trace = episode(Copy(length=length, num_symbols=1000, framing="many_to_one"))
    trace.targets[-1] = np.arange(length) + 500
    render(trace, "rgb_array")
    assert {str(k + 500) for k in range(length)} <= set(drawn_text)


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
            assert isinstance(pictures, tuple)
            assert len(pictures) == 3
            assert np.array_equal(pictures[0], env.render())

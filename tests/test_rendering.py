"""Pictures: nothing of the future in them, of one size, and of use to Gymnasium's wrappers."""

import sys
from itertools import pairwise

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import HumanRendering, RecordVideo

from seqenvs.problem import Values
from seqenvs.problems import Classify, Copy, Echo, NextValue
from seqenvs.registration import IDS
from seqenvs.rendering import RENDER_MODES, Trace, render


class Wide(Classify):
    """Several features a step and several real answers at once."""

    def __post_init__(self):
        super().__post_init__()
        self.shown = Values(-12.0, 9.0, 3)
        self.answers = spaces.Box(-12, 9, (2,), np.float32)
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
    "several answers": Copy(length=7, framing="many_to_one"),
    "window": NextValue(framing="many_to_one", answer="index"),
    "wide": Wide(length=12),
}


def episode(problem, seed=0):
    """A trace of a whole episode with random answers."""
    batch = problem.batch(np.random.default_rng(seed), 1)
    length = int(batch.lengths[0])
    problem.answers.seed(seed)
    due = batch.mask[:length, 0]
    return Trace(
        "Name-v0",
        problem,
        batch.inputs[:length, 0],
        batch.targets[:length, 0],
        due,
        due / due.sum(),
        [problem.answers.sample() for _ in range(length)],
    )


def upto(trace, time):
    return trace._replace(answers=trace.answers[:time])


def some_times(trace):
    return sorted({*range(0, len(trace.inputs), 7), len(trace.inputs) - 1, len(trace.inputs)})


@pytest.mark.parametrize("mode", RENDER_MODES)
@pytest.mark.parametrize("name", PROBLEMS)
def test_no_future_leaks(name, mode):
    trace, other = (episode(PROBLEMS[name], seed) for seed in (0, 1))
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
    shorter = trace._replace(
        inputs=trace.inputs[:3], targets=trace.targets[:3], due=trace.due[:3], worth=trace.worth[:3]
    )
    assert len(trace.inputs) > 3
    assert np.array_equal(render(upto(shorter, 2), mode), render(upto(trace, 2), mode))
    assert not np.array_equal(render(upto(shorter, 3), mode), render(upto(trace, 3), mode))


@pytest.mark.parametrize("name", PROBLEMS)
def test_frames_have_one_even_size(name):
    shapes = set()
    for seed in range(3):
        trace = episode(PROBLEMS[name], seed)
        for time in some_times(trace):
            frame = render(upto(trace, time), "rgb_array")
            assert frame.dtype == np.uint8
            shapes.add(frame.shape)
    ((height, width, channels),) = shapes
    assert channels == 3
    assert height % 2 == width % 2 == 0
    assert 640 <= width <= 1000


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_step_changes_the_frame(name):
    trace = episode(PROBLEMS[name])
    frames = [render(upto(trace, time), "rgb_array") for time in some_times(trace)]
    for before, after in pairwise(frames):
        assert not np.array_equal(before, after)


@pytest.mark.parametrize("name", PROBLEMS)
def test_text_is_plain_and_fits(name):
    trace = episode(PROBLEMS[name])
    for time in range(len(trace.inputs) + 1):
        text = render(upto(trace, time), "ansi")
        assert text.isascii()
        assert text.replace("\n", "").isprintable()
        assert max(map(len, text.splitlines())) <= 100
        marker = text.splitlines()[-1]
        assert marker.endswith("^") == (time < len(trace.inputs))
        if time < len(trace.inputs):  # the cursor stands below the present input, in its column
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


def test_text_of_blanks_and_a_cut():
    trace = episode(Copy(length=40))
    text = render(upto(trace, 45), "ansi")
    header, shown, *_ = text.splitlines()[2:]
    assert header.startswith("time step  < ")
    assert header.endswith(" >")
    assert shown.endswith("_")


@pytest.mark.parametrize("id", IDS)
def test_score_is_the_return(id):
    env = gymnasium.make(id, render_mode="ansi")
    env.action_space.seed(0)
    env.reset(seed=0)
    total, terminated = 0.0, False
    while not terminated:
        _, reward, terminated, *_ = env.step(env.action_space.sample())
        total += reward
    assert f"score {total:.2f}\n" in env.render()


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode must be one of 'ansi', 'rgb_array', got 'human'"):
        render(episode(Echo()), "human")


def test_without_pillow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert render(episode(Echo()), "ansi")
    with pytest.raises(ImportError, match=r"pip install seqenvs\[render\]"):
        render(episode(Echo()), "rgb_array")


@pytest.mark.parametrize("mode", RENDER_MODES)
@pytest.mark.parametrize("id", ["SeqEcho-v0", "SeqNext-v0", "SeqRecallMedium-v0"])
def test_vector_pictures_are_those_of_the_single_environment(id, mode):
    env = gymnasium.make(id, render_mode=mode)
    vector = gymnasium.make_vec(id, num_envs=3, render_mode=mode)
    vector.action_space.seed(0)
    env.reset(seed=4)
    vector.reset(seed=4)
    for _ in range(3):
        actions = vector.action_space.sample()
        env.step(actions[0])
        vector.step(actions)
        pictures = vector.render()
        assert isinstance(pictures, tuple)
        assert len(pictures) == 3
        assert np.array_equal(pictures[0], env.render())


def test_human_rendering(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = HumanRendering(gymnasium.make("SeqRecall-v0", render_mode="rgb_array"))
    env.reset(seed=0)
    env.step(0)
    assert env.render() is None
    assert env.screen_size[0] >= 640
    env.close()


def test_record_video(tmp_path):
    env = gymnasium.make("SeqRecall-v0", render_mode="rgb_array")
    folder = str(tmp_path / "videos")
    env = RecordVideo(env, folder, episode_trigger=lambda _: True, disable_logger=True)
    for _ in range(2):
        env.reset(seed=0)
        while not env.step(0)[2]:
            pass
    env.close()
    videos = sorted(tmp_path.glob("videos/*.mp4"))
    assert len(videos) == 2
    assert all(video.stat().st_size > 1000 for video in videos)

"""Every wrapper of Gymnasium on our environments: what it gives, or how it refuses them.

Two tables hold a row or more for each name in `gymnasium.wrappers` and `gymnasium.wrappers.vector`.
A name that is in neither fails, so that a release of Gymnasium with a new wrapper is noticed.
"""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces, wrappers
from gymnasium.error import DependencyNotInstalled, ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector

from seqenvs.oracle import Oracle
from seqenvs.testing import check_vector_env

GYM = tuple(int(part) for part in gymnasium.__version__.split(".")[:2])
NUMPY = tuple(int(part) for part in np.__version__.split(".")[:2])
PAGE = Path(__file__).parents[2] / "docs/integrations/gymnasium_wrappers.md"

NEXT_STEP, SAME_STEP, DISABLED = AutoresetMode
EVERY = (NEXT_STEP, SAME_STEP, DISABLED)
NOT_SAME_STEP = (NEXT_STEP, DISABLED)

# Four symbols, so that a random answer is often right, and six steps, of which two and three are
# parts.
ECHO: dict[str, Any] = {"id": "SeqEcho-v0", "num_symbols": 4, "length": 6}
VARIED: dict[str, Any] = {**ECHO, "length": (2, 6)}
NEXT: dict[str, Any] = {"id": "SeqNext-v0", "length": 7}  # Box actions; an answer is right in part
PICTURES: dict[str, Any] = {**ECHO, "render_mode": "rgb_array"}

Env = Any  # of whatever a wrapper makes of observations and actions
Check = Callable[[Path, pytest.MonkeyPatch], None]


def equal(one: Any, other: Any) -> bool:
    """Whether two structures hold the same numbers, but for rounding, in the same types."""
    if isinstance(other, (dict, tuple)):
        return data_equivalence(one, other, exact=True)
    one, other = np.asarray(one), np.asarray(other)
    same = one.shape == other.shape and one.dtype == other.dtype
    return same and np.allclose(one, other, rtol=1e-5, atol=1e-6)


def moments(values: Any) -> tuple[Any, Any]:
    """The mean and variance that Gymnasium has after these: at first 0 and 1, worth 1e-4 values."""
    values = np.asarray(values, np.float64)
    count = len(values) + 1e-4
    mean = values.sum(axis=0) / count
    return mean, (1e-4 + np.square(values).sum(axis=0)) / count - mean**2


# One environment


def newest(seen: list[Any]) -> Any:
    return seen[-1]


def as_given(action: Any) -> Any:
    return action


class Twin(NamedTuple):
    """A wrapped environment beside a plain one, and what it must give instead.

    Attributes:
        name: The wrapper.
        wrap: Wraps an environment.
        shows: What is observed, from all plain observations of the episode so far.
        answers: The answer that the environment gets, from the action.
        pays: The reward, from those of the plain steps that are one step of the wrapped.
        make: What environment.
        repeats: How many plain steps are one step of the wrapped.
    """

    name: str
    wrap: Callable[[Env], Env]
    shows: Callable[[list[Any]], Any] = newest
    answers: Callable[[Any], Any] = as_given
    pays: Callable[[list[float]], float] = sum
    make: dict[str, Any] = ECHO
    repeats: int = 1

    def check(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        env, plain = self.wrap(gymnasium.make(**self.make)), gymnasium.make(**self.make)
        env.action_space.seed(0)
        for seed in (3, None, None):
            observation, info = env.reset(seed=seed)
            first, _ = plain.reset(seed=seed)
            seen, ended = [first], False
            assert info == {}
            while not ended:
                assert equal(observation, self.shows(seen))
                assert observation in env.observation_space
                action = env.action_space.sample()
                observation, reward, ended, truncated, info = env.step(action)
                paid, wanted, last = [], {}, False
                while len(paid) < self.repeats and not last:
                    now, one, last, cut, wanted = plain.step(self.answers(action))
                    seen.append(now)
                    paid.append(one)
                assert reward == pytest.approx(self.pays(paid))
                assert (ended, truncated) == (last, cut)
                assert data_equivalence(info, wanted, exact=True)
            assert equal(observation, self.shows(seen))


class Special(NamedTuple):
    """A wrapper with a check of its own."""

    name: str
    check: Check


class Refused(NamedTuple):
    """A wrapper that is not for our environments.

    Attributes:
        name: The wrapper.
        why: The reason.
        use: Imports and applies it.
        errors: What that raises.
        word: What the message says.
    """

    name: str
    why: str
    use: Callable[[Any], Any]
    errors: tuple[type[Exception], ...]
    word: str

    def refuses(self, env: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "jax", None)
        monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace())
        with pytest.raises(self.errors) as caught:
            self.use(env)
        # Before 1.4 many of these were assertions without a message.
        assert GYM < (1, 4) or re.search(self.word, str(caught.value))

    def check(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refuses(gymnasium.make(**ECHO), monkeypatch)


def check_autoreset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = wrappers.Autoreset(gymnasium.make(**ECHO))
    streams = gymnasium.make_vec(**ECHO, num_envs=1)  # that reset at the next step, too
    assert np.array_equal(env.reset(seed=3)[0], streams.reset(seed=3)[0][0])
    ends = 0
    for step in range(30):
        one, other = env.step(step % 4), streams.step(np.array([step % 4]))
        for mine, wanted in zip(one[:4], other[:4], strict=True):
            assert np.array_equal(mine, wanted[0])
        ends += one[2]
    assert ends == 4


def check_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = wrappers.OrderEnforcing(gymnasium.make(**PICTURES).unwrapped)
    with pytest.raises(ResetNeeded, match=r"Cannot call env.step\(\) before"):
        env.step(0)
    with pytest.raises(ResetNeeded, match=r"Cannot call `env.render\(\)` before"):
        env.render()
    env.reset(seed=3)
    assert env.has_reset
    env.step(0)
    assert env.render().dtype == np.uint8


def check_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in (4, 6, 9):
        env = wrappers.TimeLimit(gymnasium.make(**ECHO), limit)
        for seed in (3, None):
            env.reset(seed=seed)
            flags = [env.step(0)[2:4] for _ in range(min(limit, 6))]
            assert not np.any(flags[:-1])
            assert flags[-1] == (limit >= 6, limit <= 6)


def check_statistics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = wrappers.RecordEpisodeStatistics(gymnasium.make(**VARIED))
    oracle = Oracle.of(env)
    env.action_space.seed(0)
    returns, lengths = [], []
    for episode in range(20):
        observation, info = env.reset(seed=3 if episode == 0 else None)
        state, paid = None, []
        while "episode" not in info:
            action, state = oracle.predict(observation, state)
            if episode % 2:
                action = env.action_space.sample()
            observation, reward, ended, _, info = env.step(action)
            paid.append(reward)
            assert ended == ("episode" in info)
        returns.append(sum(paid))
        lengths.append(len(paid))
        assert info["episode"]["r"] == returns[-1]
        assert info["episode"]["l"] == lengths[-1]
        assert 0 <= info["episode"]["t"] < 60
    assert returns[::2] == [1.0] * 10
    assert min(returns) < 1
    assert min(lengths) < max(lengths) == 6
    assert list(env.return_queue) == returns
    assert list(env.length_queue) == lengths


def check_sticky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = gymnasium.make(**ECHO, extras=["previous_action"])
    env = wrappers.StickyAction(env, repeat_action_probability=0.5)
    repeats = 0
    for episode in range(20):
        env.reset(seed=3 if episode == 0 else None)
        ended, got = False, None
        while not ended:
            action = int(env.action_space.sample())
            sticks = got is not None and copy.deepcopy(env.np_random).uniform() < 0.5
            observation, reward, ended, _, info = env.step(action)
            got = got if sticks else action
            repeats += sticks
            assert observation[:4].argmax() == got
            assert (reward > 0) == (info["due"] and info["target"] == got)
    assert 30 < repeats < 70  # of 100


def check_normalize_observation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env, plain = wrappers.NormalizeObservation(gymnasium.make(**ECHO)), gymnasium.make(**ECHO)
    seen = []
    for seed in (3, None, None):
        pairs = [(env.reset(seed=seed)[0], plain.reset(seed=seed)[0])]
        pairs += [(env.step(0)[0], plain.step(0)[0]) for _ in range(6)]
        for one, other in pairs:
            seen.append(other)
            mean, var = moments(seen)
            assert np.allclose(one, (other - mean) / np.sqrt(var + 1e-8), atol=1e-3)
            assert one in env.observation_space


def check_normalize_reward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for gamma in (0.0, 0.9):
        env = wrappers.NormalizeReward(gymnasium.make(**ECHO), gamma=gamma)
        plain = gymnasium.make(**ECHO)
        returns = [0.0]
        for seed in (3, None, None):
            env.reset(seed=seed)
            plain.reset(seed=seed)
            for action in (0, 1, 2, 3, 0, 1):
                reward, ended = plain.step(action)[1:3]
                returns.append(returns[-1] * gamma * (not ended) + reward)
                _, var = moments(returns[1:])
                assert env.step(action)[1] == pytest.approx(reward / np.sqrt(var + 1e-8))


def check_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env, plain = wrappers.RenderCollection(gymnasium.make(**PICTURES)), gymnasium.make(**PICTURES)
    frames = []
    env.reset(seed=3)
    plain.reset(seed=3)
    for action in range(3):
        frames.append(plain.render())
        env.step(action)
        plain.step(action)
    frames.append(plain.render())
    assert env.render_mode == "rgb_array_list"
    collected = env.render()
    for one, other in zip(collected, frames, strict=True):
        assert np.array_equal(one, other)
    assert env.render() == []


def check_render_observation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = wrappers.AddRenderObservation(gymnasium.make(**PICTURES))
    both = wrappers.AddRenderObservation(gymnasium.make(**PICTURES), render_only=False)
    plain = gymnasium.make(**PICTURES)
    seen = [env.reset(seed=3)[0] for env in (pixels, both, plain)]
    for action in (0, 1, 2, 3, 0, 1):
        assert np.array_equal(seen[0], plain.render())
        assert np.array_equal(seen[1]["pixels"], plain.render())
        assert np.array_equal(seen[1]["state"], seen[2])
        assert seen[0] in pixels.observation_space
        assert seen[1] in both.observation_space
        seen = [env.step(action)[0] for env in (pixels, both, plain)]


def check_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = gymnasium.make(**PICTURES)
    plain.reset(seed=3)
    clean = plain.render()
    for wrap, share in [
        (lambda env: wrappers.AddWhiteNoise(env, 0.25), (0.24, 0.26)),
        (lambda env: wrappers.ObstructView(env, 0.25, 20), (0.15, 0.26)),  # patches overlap
    ]:
        env = wrap(gymnasium.make(**PICTURES))
        env.reset(seed=3)
        picture = env.render()
        changed = (picture != clean).any(axis=-1)
        assert picture.shape == clean.shape
        assert share[0] < changed.mean() < share[1]


def assert_video(path: Path, pictures: list[Any]) -> None:
    """A video shows these pictures in this order; it is compressed, so each is only nearest."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path)]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    decoded = subprocess.run(command, capture_output=True, check=True)
    assert b" 4 fps" in decoded.stderr
    frames = np.frombuffer(decoded.stdout, np.uint8).reshape(-1, *pictures[0].shape).astype(float)
    assert len(frames) == len(pictures)
    for k, frame in enumerate(frames):
        distances = [np.abs(frame - picture).mean() for picture in pictures]
        assert np.argmin(distances) == k
        assert distances[k] < 5


def check_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env, plain = gymnasium.make(**PICTURES), gymnasium.make(**PICTURES)
    env = wrappers.RecordVideo(
        env, str(tmp_path / "videos"), episode_trigger=lambda k: k == 1, disable_logger=True
    )
    for seed in (3, None):
        env.reset(seed=seed)
        plain.reset(seed=seed)
        pictures = [plain.render()]
        for action in (0, 1, 2, 3, 0, 1):
            env.step(action)
            plain.step(action)
            pictures.append(plain.render())
    env.close()
    (path,) = (tmp_path / "videos").glob("*.mp4")
    assert path.name == "rl-video-episode-1.mp4"
    assert_video(path, pictures)


def on_screen(window: Any) -> Any:
    import pygame

    return pygame.surfarray.array3d(window).swapaxes(0, 1)


def check_human(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env, plain = wrappers.HumanRendering(gymnasium.make(**PICTURES)), gymnasium.make(**PICTURES)
    env.metadata["render_fps"] = 1000
    for seed in (3, None):
        env.reset(seed=seed)
        plain.reset(seed=seed)
        for action in (0, 1, 2):
            assert np.array_equal(on_screen(env.window), plain.render())
            env.step(action)
            plain.step(action)
    assert env.render_mode == "human"
    assert env.render() is None
    env.close()


def arrays_need_newer_numpy() -> bool:
    """Gymnasium 1.2 and 1.3 convert arrays with NumPy 2.1 or later only, and say so."""
    if not ((1, 2) <= GYM < (1, 4) and NUMPY < (2, 1)):
        return False
    for module in (wrappers, vector):
        with pytest.raises(DependencyNotInstalled, match=r"requires numpy >= 2\.1\.0"):
            _ = module.NumpyToTorch
    return True


def is_tensor_of(one: Any, other: Any) -> bool:
    """Whether a structure of tensors holds what one of arrays and numbers does."""
    if isinstance(other, dict):
        return one.keys() == other.keys() and all(is_tensor_of(one[k], other[k]) for k in other)
    array = np.asarray(other)
    return (
        isinstance(one, torch.Tensor)
        and np.array_equal(one.numpy(), array)
        and (not isinstance(other, np.ndarray) or one.numpy().dtype == array.dtype)
    )


def to_torch(module: Any, name: str) -> Callable[[Env], Env]:
    """Apply the wrapper of this name, so that tensors come out."""
    arguments = {"env_xp": np, "target_xp": torch} if name == "ArrayConversion" else {}
    return lambda env: getattr(module, name)(env, **arguments)


def check_torch(name: str) -> Check:
    def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        if arrays_need_newer_numpy():
            return
        for make in (ECHO, NEXT):
            env, plain = to_torch(wrappers, name)(gymnasium.make(**make)), gymnasium.make(**make)
            plain.action_space.seed(0)
            for seed in (3, None):
                observation, info = env.reset(seed=seed)
                assert is_tensor_of(observation, plain.reset(seed=seed)[0])
                assert info == {}
                ended = False
                while not ended:
                    action = plain.action_space.sample()
                    observation, *flags, info = env.step(torch.as_tensor(action))
                    wanted, *others, other = plain.step(action)
                    assert is_tensor_of(observation, wanted)
                    assert is_tensor_of(info, other)
                    assert flags == others
                    assert [type(flag) for flag in flags] == [float, bool, bool]
                    ended = flags[1]

    return check


def widen(env: Any, module: Any = wrappers) -> Any:
    """Wide numbers for narrow; Gymnasium 1.4 compares its bounds with what NumPy 2 warns of."""
    with np.errstate(over="ignore"):
        return module.DtypeObservation(env, np.float64)


NO_IMAGE = "observations are vectors or integers, and no images"
NO_JAX = "for environments that work with JAX arrays; ours work with NumPy's"
NO_MODULE = (DependencyNotInstalled, ImportError)
NO_PARTS = "observations have no named parts; choose them by extras="

SINGLE: list[Twin | Special | Refused] = [
    Special("AddRenderObservation", check_render_observation),
    Special("AddWhiteNoise", check_noise),
    Special("ArrayConversion", check_torch("ArrayConversion")),
    Refused(
        "AtariPreprocessing",
        "for the games of the Arcade Learning Environment",
        lambda env: wrappers.AtariPreprocessing(env),
        (ValueError, DependencyNotInstalled),
        "frame-skipping",
    ),
    Special("Autoreset", check_autoreset),
    Twin(
        "ClipAction",
        lambda env: wrappers.ClipAction(env),
        answers=lambda action: action.clip(0, 1),
        make=NEXT,
    ),
    Twin(
        "ClipReward",
        lambda env: wrappers.ClipReward(env, 0.0, 0.1),
        pays=lambda paid: min(paid[0], 0.1),
    ),
    Twin(
        "DelayObservation",
        lambda env: wrappers.DelayObservation(env, 2),
        shows=lambda seen: seen[-3] if len(seen) > 2 else np.zeros(4, np.float32),
    ),
    Twin(
        "DiscretizeAction",
        lambda env: wrappers.DiscretizeAction(env, 5),
        answers=lambda action: np.array([action / 5 + 0.1], np.float32),
        make=NEXT,
    ),
    Twin(
        "DiscretizeObservation",
        lambda env: wrappers.DiscretizeObservation(env, 4),
        shows=lambda seen: min(int((seen[-1][0] + 1) * 2), 3),
        make=NEXT,
    ),
    Twin("DtypeObservation", widen, shows=lambda seen: seen[-1].astype(np.float64)),
    Refused(
        "FilterObservation",
        NO_PARTS,
        lambda env: wrappers.FilterObservation(env, ["input"]),
        (ValueError,),
        "only usable with `Dict` and `Tuple`",
    ),
    Twin("FlattenObservation", lambda env: wrappers.FlattenObservation(env)),
    Twin(
        "FlattenObservation",
        lambda env: wrappers.FlattenObservation(env),
        shows=lambda seen: np.eye(5, dtype=np.int64)[seen[-1]],
        make={**ECHO, "encoding": "index"},
    ),
    Twin(
        "FrameStackObservation",
        lambda env: wrappers.FrameStackObservation(env, 3),
        shows=lambda seen: np.stack([seen[0], seen[0], *seen][-3:]),
    ),
    Twin(
        "FrameStackObservation",
        lambda env: wrappers.FrameStackObservation(env, 3, padding_type=4),
        shows=lambda seen: np.array([4, 4, *seen][-3:]),
        make={**ECHO, "encoding": "index"},
    ),
    Refused(
        "GrayscaleObservation",
        NO_IMAGE,
        lambda env: wrappers.GrayscaleObservation(env),
        (ValueError, AssertionError),
        "image with 3 channels",
    ),
    Special("HumanRendering", check_human),
    Refused("JaxToNumpy", NO_JAX, lambda env: wrappers.JaxToNumpy(env), NO_MODULE, "(?i)jax"),
    Refused("JaxToTorch", NO_JAX, lambda env: wrappers.JaxToTorch(env), NO_MODULE, "(?i)jax"),
    Twin(
        "MaxAndSkipObservation",
        lambda env: wrappers.MaxAndSkipObservation(env, 2),
        shows=lambda seen: np.maximum(seen[-1], seen[-2]) if len(seen) > 1 else seen[0],
        repeats=2,
    ),
    Special("NormalizeObservation", check_normalize_observation),
    Special("NormalizeReward", check_normalize_reward),
    Special("NumpyToTorch", check_torch("NumpyToTorch")),
    Special("ObstructView", check_noise),
    Special("OrderEnforcing", check_order),
    Twin("PassiveEnvChecker", lambda env: wrappers.PassiveEnvChecker(env.unwrapped)),
    Twin("PassiveEnvChecker", lambda env: wrappers.PassiveEnvChecker(env.unwrapped), make=NEXT),
    Special("RecordEpisodeStatistics", check_statistics),
    Special("RecordVideo", check_video),
    Special("RenderCollection", check_collection),
    Twin("RepeatAction", lambda env: wrappers.RepeatAction(env, 4), repeats=4),
    Twin(
        "RescaleAction",
        lambda env: wrappers.RescaleAction(env, np.float32(-1), np.float32(1)),
        answers=lambda action: (action + 1) / 2,
        make=NEXT,
    ),
    Twin(
        "RescaleObservation",
        lambda env: wrappers.RescaleObservation(env, np.float32(-1), np.float32(1)),
        shows=lambda seen: 2 * seen[-1] - 1,
    ),
    Twin(
        "ReshapeObservation",
        lambda env: wrappers.ReshapeObservation(env, (2, 2)),
        shows=lambda seen: seen[-1].reshape(2, 2),
    ),
    Refused(
        "ResizeObservation",
        NO_IMAGE,
        lambda env: wrappers.ResizeObservation(env, (2, 2)),
        (ValueError, AssertionError),
        "2D or 3D image",
    ),
    Special("StickyAction", check_sticky),
    Twin(
        "TimeAwareObservation",
        lambda env: wrappers.TimeAwareObservation(env),
        shows=lambda seen: np.append(seen[-1], len(seen) - 1),
        make={**ECHO, "max_episode_steps": 7},
    ),
    Twin(
        "TimeAwareObservation",
        lambda env: wrappers.TimeAwareObservation(env, flatten=False, normalize_time=True),
        shows=lambda seen: {"obs": seen[-1], "time": np.float32([(len(seen) - 1) / 7])},
        make={**ECHO, "max_episode_steps": 7},
    ),
    Special("TimeLimit", check_time_limit),
    Twin(
        "TransformAction",
        lambda env: wrappers.TransformAction(env, lambda action: 3 - action, None),
        answers=lambda action: 3 - action,
    ),
    Twin(
        "TransformObservation",
        lambda env: wrappers.TransformObservation(env, lambda seen: 1 - seen, None),
        shows=lambda seen: 1 - seen[-1],
    ),
    Twin(
        "TransformReward",
        lambda env: wrappers.TransformReward(env, lambda reward: 10 * reward),
        pays=lambda paid: 10 * paid[0],
    ),
]


# Many at once


class Streams(NamedTuple):
    """A wrapper of the native streams, that gives what the single one gives to each of many.

    Attributes:
        name: The wrapper.
        wrap: Wraps streams.
        single: Wraps each environment of a `SyncVectorEnv`.
        modes: The autoreset modes that the wrapper accepts.
        make: What environment.
    """

    name: str
    wrap: Callable[[Env], Env]
    single: Callable[[Env], Env]
    modes: tuple[AutoresetMode, ...] = EVERY
    make: dict[str, Any] = ECHO

    def check(self, mode: AutoresetMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        if mode not in self.modes:
            refuses_mode(self.wrap, streams(mode, **self.make))
            return
        check_vector_env(
            lambda num_envs, mode: self.wrap(streams(mode, num_envs, **self.make)),
            lambda: self.single(gymnasium.make(**self.make)),
            autoreset_modes=[mode],
            steps=40,
            tolerance=1e-6,
        )


class SpecialStreams(NamedTuple):
    """A wrapper of streams with a check of its own."""

    name: str
    wrap: Callable[[Env], Env]
    play: Callable[[Env, Env, AutoresetMode], None]
    modes: tuple[AutoresetMode, ...] = EVERY
    make: dict[str, Any] = VARIED

    def check(self, mode: AutoresetMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = streams(mode, **self.make)
        if mode not in self.modes:
            refuses_mode(self.wrap, plain)
        else:
            self.play(self.wrap(streams(mode, **self.make)), plain, mode)


class PicturedStreams(NamedTuple):
    """A wrapper of what streams render."""

    name: str
    check: Callable[[AutoresetMode, Path, pytest.MonkeyPatch], None]
    modes: tuple[AutoresetMode, ...] = EVERY


class RefusedStreams(NamedTuple):
    """A wrapper that is not for our streams, in any mode, as its single one is not."""

    name: str
    use: Callable[[Env], Any]
    modes: tuple[AutoresetMode, ...] = ()

    def check(self, mode: AutoresetMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (single,) = (row for row in SINGLE if row.name == self.name)
        refused = single._replace(use=self.use)
        if mode == SAME_STEP and single.errors != NO_MODULE:  # the mode is looked at first
            errors = ValueError, AssertionError
            refused = refused._replace(errors=errors, word="got AutoresetMode.SAME_STEP")
        refused.refuses(streams(mode, **ECHO), monkeypatch)


def streams(mode: AutoresetMode, num_envs: int = 3, **make: Any) -> Env:
    return gymnasium.make_vec(**make, num_envs=num_envs, autoreset_mode=mode)


def refuses_mode(wrap: Callable[[Env], Env], env: Env) -> None:
    """The wrapper refuses the mode, by an error of Gymnasium's own."""
    with pytest.raises((ValueError, AssertionError)) as caught:
        wrap(env)
    # Before 1.4 these were assertions without a message.
    assert GYM < (1, 4) or f"got {env.metadata['autoreset_mode']}" in str(caught.value)
    assert Path(gymnasium.__file__).parent in Path(caught.traceback[-1].path).parents


def side_by_side(env: Env, plain: Env, mode: AutoresetMode, steps: int = 40) -> Iterator[Any]:
    """Play the same in both; after each reset and step, what each returned.

    Beside it stands which streams were not just waiting for a reset.
    """
    ended = np.zeros(plain.num_envs, bool)
    plain.action_space.seed(0)
    yield env.reset(seed=3), plain.reset(seed=3), ~ended
    for _ in range(steps):
        actions = plain.action_space.sample()
        one, other = env.step(actions), plain.step(actions)
        yield one, other, ~ended if mode == NEXT_STEP else np.ones_like(ended)
        ended = other[2]
        if mode == DISABLED and ended.any():
            one, other = (each.reset(options={"reset_mask": ended.copy()}) for each in (env, plain))
            yield one, other, ended


def check_info_lists(env: Env, plain: Env, mode: AutoresetMode) -> None:
    def of(info: dict[str, Any], i: int) -> dict[str, Any]:
        own = [key for key in info if not key.startswith("_") and info[f"_{key}"][i]]
        return {k: of(info[k], i) if isinstance(info[k], dict) else info[k][i] for k in own}

    keys: set[str] = set()
    for one, other, _ in side_by_side(env, plain, mode):
        wanted = [of(other[-1], i) for i in range(3)]
        assert data_equivalence(one[-1], wanted)
        assert data_equivalence(one[:-1], other[:-1], exact=True)
        keys |= {key for info in one[-1] for key in info}
    final = {"final_obs", "final_info"} if mode == SAME_STEP else {"is_success"}
    assert keys == {"target", "due"} | final


def check_normalized_observations(env: Env, plain: Env, mode: AutoresetMode) -> None:
    seen: list[Any] = []
    for one, other, _ in side_by_side(env, plain, mode):
        seen.extend(other[0])
        mean, var = moments(seen)
        wanted = (other[0] - mean) / np.sqrt(var + 1e-8)
        assert np.allclose(one[0], wanted, atol=1e-3)
        assert one[0] in env.observation_space or GYM < (1, 3)  # the space was that of the streams
        assert data_equivalence(one[1:], other[1:], exact=True)


def check_normalized_rewards(env: Env, plain: Env, mode: AutoresetMode) -> None:
    paid: list[float] = []
    ended = np.zeros(3, bool)
    for one, other, counts in side_by_side(env, plain, mode):
        if len(other) == 2:
            ended = np.zeros(3, bool)
            continue
        # Gymnasium counted also the steps that only reset before 1.3; and 1.3 leaves out the first
        # step after an end in every mode.
        if GYM < (1, 3):
            counts = np.ones(3, bool)
        elif GYM == (1, 3):
            counts = ~ended
        ended = other[2]
        paid.extend(other[1][counts])
        _, var = moments(paid)
        assert np.allclose(one[1], other[1] / np.sqrt(var + 1e-8), rtol=1e-4)
        assert np.array_equal(one[0], other[0])


def check_stream_statistics(env: Env, plain: Env, mode: AutoresetMode) -> None:
    # Before 1.4 the first step after an end was taken for one that only resets, in this mode too.
    lost = mode == SAME_STEP and GYM < (1, 4)
    oracle, state, starts = Oracle.of(env), None, np.ones(3, bool)
    env.action_space.seed(0)
    observations, _ = env.reset(seed=3)
    totals, lengths, ended = np.zeros(3), np.zeros(3, int), np.zeros(3, bool)
    returns, steps = [], []
    for _ in range(60):
        actions, state = oracle.predict(observations, state, starts)
        actions[1:] = env.action_space.sample()[1:]
        observations, rewards, terminated, _, info = env.step(actions)
        counts = ~ended if mode == NEXT_STEP or lost else np.ones(3, bool)
        totals += rewards * counts
        lengths += counts
        assert ("episode" in info) == terminated.any()
        if terminated.any():
            assert np.array_equal(info["_episode"], terminated)
            assert np.allclose(info["episode"]["r"], totals * terminated)
            assert np.array_equal(info["episode"]["l"], lengths * terminated)
            assert (info["episode"]["t"] >= 0).all()
            assert not terminated[0] or info["episode"]["r"][0] == 1
            returns += totals[terminated].tolist()
            steps += lengths[terminated].tolist()
        totals[terminated] = lengths[terminated] = 0
        starts = ended if mode == NEXT_STEP else terminated
        ended = terminated
        if mode == DISABLED and terminated.any():
            observations, _ = env.reset(options={"reset_mask": terminated})
    assert len(steps) > 30
    assert min(returns) < max(returns) == 1
    assert max(steps) == 6
    assert np.allclose(env.return_queue, returns)
    assert list(env.length_queue) == steps


class ConvertedStreams(NamedTuple):
    """A wrapper that makes tensors of arrays."""

    name: str
    modes: tuple[AutoresetMode, ...] = NOT_SAME_STEP

    def check(self, mode: AutoresetMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        if arrays_need_newer_numpy():
            return
        wrap, plain = to_torch(vector, self.name), streams(mode, **ECHO)
        if mode not in self.modes:
            # `final_obs` is an array of objects, of which no tensor can be made: so of any streams.
            sync = SyncVectorEnv([lambda: gymnasium.make(**ECHO)] * 3, autoreset_mode=mode)
            for env in (wrap(plain), wrap(sync)):
                env.reset(seed=3)
                for _ in range(5):
                    env.step(torch.zeros(3, dtype=torch.int64))
                with pytest.raises((BufferError, TypeError), match="only support"):
                    env.step(torch.zeros(3, dtype=torch.int64))
            return
        env, plain = wrap(streams(mode, **VARIED)), streams(mode, **VARIED)
        plain.action_space.seed(0)
        results = [(env.reset(seed=3), plain.reset(seed=3))]
        for _ in range(40):
            actions = plain.action_space.sample()
            results.append((env.step(torch.as_tensor(actions)), plain.step(actions)))
            ended = results[-1][1][2]
            if mode == DISABLED and ended.any():
                # Gymnasium 1.1 takes what is in options for tensors.
                masks = torch.tensor(ended), ended.copy()
                both = zip((env, plain), masks, strict=True)
                results.append(tuple(e.reset(options={"reset_mask": m}) for e, m in both))
        for one, other in results:
            assert len(one) == len(other)
            assert all(map(is_tensor_of, one, other))


def check_stream_video(mode: AutoresetMode, tmp_path: Path, monkeypatch: Any) -> None:
    env, plain = (streams(mode, 2, **PICTURES) for _ in range(2))

    def wrap() -> Env:
        folder = str(tmp_path / "videos")
        return vector.RecordVideo(env, folder, episode_trigger=lambda k: k == 1)

    if mode == SAME_STEP:
        with pytest.warns(UserWarning, match="will not contain the last frame"):
            video = wrap()
    else:
        video = wrap()
    pictures = [
        np.concatenate(plain.render(), axis=1) for _ in side_by_side(video, plain, mode, steps=14)
    ]
    video.close()
    (path,) = (tmp_path / "videos").glob("*.mp4")
    assert path.name == "rl-video-episode-1.mp4"
    assert_video(path, pictures[6:12] if mode == SAME_STEP else pictures[7:14])


def check_stream_human(mode: AutoresetMode, tmp_path: Path, monkeypatch: Any) -> None:
    def resize(image: Any, size: tuple[int, int]) -> Any:
        assert image.shape[1::-1] == size  # the window has room for both as they are
        return image

    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(resize=resize))
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env, plain = (streams(mode, 2, **PICTURES) for _ in range(2))
    plain.reset(seed=3)
    height, width, _ = plain.render()[0].shape
    env = vector.HumanRendering(env, (2 * width, height))
    env.metadata["render_fps"] = 1000
    for _ in side_by_side(env, plain, mode, steps=8):
        assert np.array_equal(on_screen(env.window), np.concatenate(plain.render(), axis=1))
    assert env.render_mode == "human"
    env.close()


TWO_ANSWERS = spaces.Discrete(2)  # for wrappers that answer 0 or 3
HALVED = spaces.Box(0, 0.5, (4,), np.float32)
ALL_SEEN: dict[str, Any] = {
    **VARIED,
    "extras": ["previous_action", "previous_reward", "time_step", "episode_start"],
    "stack_size": 2,
}

VECTOR: list[Streams | SpecialStreams | PicturedStreams | RefusedStreams] = [
    ConvertedStreams("ArrayConversion"),
    Streams(
        "ClipAction",
        lambda env: vector.ClipAction(env),
        lambda env: wrappers.ClipAction(env),
        make=NEXT,
    ),
    Streams(
        "ClipReward",
        lambda env: vector.ClipReward(env, 0.0, 0.1),
        lambda env: wrappers.ClipReward(env, 0.0, 0.1),
        make=VARIED,
    ),
    SpecialStreams("DictInfoToList", lambda env: vector.DictInfoToList(env), check_info_lists),
    Streams(
        "DtypeObservation",
        lambda env: widen(env, vector),
        widen,
        NOT_SAME_STEP,
        VARIED,
    ),
    RefusedStreams("FilterObservation", lambda env: vector.FilterObservation(env, ["input"])),
    Streams(
        "FlattenObservation",
        lambda env: vector.FlattenObservation(env),
        lambda env: wrappers.FlattenObservation(env),
        NOT_SAME_STEP,
        {**VARIED, "encoding": "index"},
    ),
    Streams(
        "FlattenObservation",  # which writes into what the streams returned
        lambda env: vector.FlattenObservation(env),
        lambda env: wrappers.FlattenObservation(env),
        NOT_SAME_STEP,
        ALL_SEEN,
    ),
    RefusedStreams("GrayscaleObservation", lambda env: vector.GrayscaleObservation(env)),
    PicturedStreams("HumanRendering", check_stream_human),
    RefusedStreams("JaxToNumpy", lambda env: vector.JaxToNumpy(env)),
    RefusedStreams("JaxToTorch", lambda env: vector.JaxToTorch(env)),
    SpecialStreams(
        "NormalizeObservation",
        lambda env: vector.NormalizeObservation(env),
        check_normalized_observations,
        (NEXT_STEP,),
    ),
    SpecialStreams(
        "NormalizeReward",
        lambda env: vector.NormalizeReward(env, gamma=0.0),
        check_normalized_rewards,
    ),
    ConvertedStreams("NumpyToTorch"),
    SpecialStreams(
        "RecordEpisodeStatistics",
        lambda env: vector.RecordEpisodeStatistics(env),
        check_stream_statistics,
    ),
    PicturedStreams("RecordVideo", check_stream_video),
    Streams(
        "RescaleAction",
        lambda env: vector.RescaleAction(env, np.float32(-1), np.float32(1)),
        lambda env: wrappers.RescaleAction(env, np.float32(-1), np.float32(1)),
        make=NEXT,
    ),
    Streams(
        "RescaleObservation",
        lambda env: vector.RescaleObservation(env, np.float32(-1), np.float32(1)),
        lambda env: wrappers.RescaleObservation(env, np.float32(-1), np.float32(1)),
        NOT_SAME_STEP,
        VARIED,
    ),
    Streams(
        "ReshapeObservation",
        lambda env: vector.ReshapeObservation(env, (2, 2)),
        lambda env: wrappers.ReshapeObservation(env, (2, 2)),
        NOT_SAME_STEP,
        VARIED,
    ),
    RefusedStreams("ResizeObservation", lambda env: vector.ResizeObservation(env, (2, 2))),
    Streams(
        "TransformAction",
        lambda env: vector.TransformAction(env, lambda actions: 3 - actions),
        lambda env: wrappers.TransformAction(env, lambda action: 3 - action, None),
        make=VARIED,
    ),
    Streams(
        "TransformObservation",
        lambda env: vector.TransformObservation(
            env, lambda seen: seen / 2, single_observation_space=HALVED
        ),
        lambda env: wrappers.TransformObservation(env, lambda seen: seen / 2, HALVED),
        NOT_SAME_STEP,
        VARIED,
    ),
    Streams(
        "TransformReward",
        lambda env: vector.TransformReward(env, lambda rewards: 10 * rewards),
        lambda env: wrappers.TransformReward(env, lambda reward: 10 * reward),
        make=VARIED,
    ),
    Streams(
        "VectorizeTransformAction",
        lambda env: vector.VectorizeTransformAction(
            env, wrappers.TransformAction, func=lambda action: 3 * action, action_space=TWO_ANSWERS
        ),
        lambda env: wrappers.TransformAction(env, lambda action: 3 * action, TWO_ANSWERS),
        make=VARIED,
    ),
    Streams(
        "VectorizeTransformObservation",
        lambda env: vector.VectorizeTransformObservation(
            env,
            wrappers.TransformObservation,
            func=lambda seen: seen / 2,
            observation_space=HALVED,
        ),
        lambda env: wrappers.TransformObservation(env, lambda seen: seen / 2, HALVED),
        NOT_SAME_STEP,
        VARIED,
    ),
    Streams(
        "VectorizeTransformReward",
        lambda env: vector.VectorizeTransformReward(
            env, wrappers.TransformReward, func=lambda reward: 10 * reward
        ),
        lambda env: wrappers.TransformReward(env, lambda reward: 10 * reward),
        make=VARIED,
    ),
]


def in_this_release(table: list[Any], module: Any) -> list[Any]:
    """The rows whose wrapper this release of Gymnasium has, as parameters of a test."""
    return [pytest.param(row, id=row.name) for row in table if row.name in module.__all__]


@pytest.mark.parametrize("row", in_this_release(SINGLE, wrappers))
def test_single(row: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row.check(tmp_path, monkeypatch)


@pytest.mark.parametrize("mode", EVERY, ids=lambda mode: mode.value)
@pytest.mark.parametrize("row", in_this_release(VECTOR, vector))
def test_vector(
    row: Any, mode: AutoresetMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row.check(mode, tmp_path, monkeypatch)


def test_every_wrapper_is_in_the_tables() -> None:
    assert {*wrappers.__all__} - {"vector"} - {row.name for row in SINGLE} == set()
    assert {*vector.__all__} - {row.name for row in VECTOR} == set()


def test_the_page_says_what_the_tables_say() -> None:
    single = {row.name: not isinstance(row, Refused) for row in SINGLE}
    modes = {row.name: row.modes for row in VECTOR}
    page = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            name, one, many, what = (cell.strip() for cell in line.strip("|").split("|"))
            assert what
            page[name.strip("`")] = one, many
    said = {(): "no", NOT_SAME_STEP: "NextStep, Disabled", (NEXT_STEP,): "NextStep", EVERY: "all"}
    for name in sorted({*single, *modes}):
        one = {True: "yes", False: "no", None: "-"}[single.get(name)]
        assert page.pop(name) == (one, said[modes[name]] if name in modes else "-"), name
    assert not page


def test_make_vec_takes_no_wrappers_of_single_environments() -> None:
    with pytest.raises(gymnasium.error.Error, match=r"vector_entry_point.* wrappers argument"):
        gymnasium.make_vec(**ECHO, num_envs=2, wrappers=[wrappers.FlattenObservation])

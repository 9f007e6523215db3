"""Gymnasium's wrappers keep the episodes and the scores of our environments, or refuse them.

Each wrapper plays beside an environment without it. The table has a row for every name in
`gymnasium.wrappers` and `gymnasium.wrappers.vector`, so that a new wrapper of a new release is
noticed, and docs/integrations/gymnasium_wrappers.md must say the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces, wrappers
from gymnasium.error import DependencyNotInstalled
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector

from seqenvs.oracle import Oracle

torch = pytest.importorskip("torch")
pytest.importorskip("moviepy")
pytest.importorskip("pygame")

PAGE = Path(__file__).parents[2] / "docs/integrations/gymnasium_wrappers.md"
RELEASE = tuple(int(part) for part in gymnasium.__version__.split(".")[:2])
NEXT_STEP, SAME_STEP, DISABLED = AutoresetMode
EVERY, NOT_SAME_STEP = (NEXT_STEP, SAME_STEP, DISABLED), (NEXT_STEP, DISABLED)
ECHO: dict[str, Any] = {"id": "SeqEcho-v0", "num_symbols": 4, "length": 6}
INDEX: dict[str, Any] = {**ECHO, "encoding": "index"}
NEXT: dict[str, Any] = {"id": "SeqNext-v0", "length": 7}  # answers are a Box
PICTURES: dict[str, Any] = {**ECHO, "render_mode": "rgb_array"}


def same(value: Any) -> Any:
    return value


class Row(NamedTuple):
    """A wrapper, and what is the same with it and without it.

    Attributes:
        wrap: Wraps an environment, with a wrapper from this module.
        make: The environment.
        modes: The autoreset modes in which the vector wrapper accepts the vector environment.
        answers: The action without the wrapper, from the action with it.
        pays: The reward with the wrapper, from the reward without it; None if it depends on more.
        repeats: The number of steps that are one step of the wrapped environment.
    """

    wrap: Callable[[Any, Any], Any]
    make: dict[str, Any] = ECHO
    modes: tuple[AutoresetMode, ...] = EVERY
    answers: Callable[[Any], Any] = same
    pays: Callable[[Any], Any] | None = same
    repeats: int = 1


def widen(env: Any, w: Any) -> Any:
    with np.errstate(over="ignore"):  # Gymnasium 1.4 compares bounds, of which NumPy 2 warns
        return w.DtypeObservation(env, np.float64)


def show(env: Any, w: Any) -> Any:
    env = w.HumanRendering(env, *([(2000, 500)] if w is vector else []))
    env.metadata["render_fps"] = 1000
    return env


def refused(*arguments: Any, **keywords: Any) -> Row:
    return Row(lambda env, w: getattr(w, keywords["name"])(env, *arguments), modes=())


LOW, HIGH = np.float32(-1), np.float32(1)
ROWS = {
    "AddRenderObservation": Row(lambda e, w: w.AddRenderObservation(e, False), PICTURES),
    "AddWhiteNoise": Row(lambda e, w: w.AddWhiteNoise(e, 0.25), PICTURES),
    "ArrayConversion": Row(lambda e, w: w.ArrayConversion(e, np, torch), modes=NOT_SAME_STEP),
    "AtariPreprocessing": refused(name="AtariPreprocessing"),
    "Autoreset": Row(lambda e, w: w.Autoreset(e)),
    "ClipAction": Row(lambda e, w: w.ClipAction(e), NEXT, answers=lambda a: a.clip(0, 1)),
    "ClipReward": Row(lambda e, w: w.ClipReward(e, 0.0, 0.1), pays=lambda r: np.minimum(r, 0.1)),
    "DelayObservation": Row(lambda e, w: w.DelayObservation(e, 2)),
    "DictInfoToList": Row(lambda e, w: w.DictInfoToList(e)),
    "DiscretizeAction": Row(
        lambda e, w: w.DiscretizeAction(e, 5), NEXT, answers=lambda a: np.float32([a / 5 + 0.1])
    ),
    "DiscretizeObservation": Row(lambda e, w: w.DiscretizeObservation(e, 4), NEXT),
    "DtypeObservation": Row(widen, modes=NOT_SAME_STEP),
    "FilterObservation": refused(["input"], name="FilterObservation"),
    "FlattenObservation": Row(lambda e, w: w.FlattenObservation(e), INDEX, NOT_SAME_STEP),
    "FrameStackObservation": Row(lambda e, w: w.FrameStackObservation(e, 3)),
    "GrayscaleObservation": refused(name="GrayscaleObservation"),
    "HumanRendering": Row(show, PICTURES),
    "JaxToNumpy": refused(name="JaxToNumpy"),
    "JaxToTorch": refused(name="JaxToTorch"),
    "MaxAndSkipObservation": Row(lambda e, w: w.MaxAndSkipObservation(e, 2), repeats=2),
    "NormalizeObservation": Row(lambda e, w: w.NormalizeObservation(e), modes=(NEXT_STEP,)),
    "NormalizeReward": Row(lambda e, w: w.NormalizeReward(e, gamma=0.0), pays=None),
    "NumpyToTorch": Row(lambda e, w: w.NumpyToTorch(e), modes=NOT_SAME_STEP),
    "ObstructView": Row(lambda e, w: w.ObstructView(e, 0.25, 20), PICTURES),
    "OrderEnforcing": Row(lambda e, w: w.OrderEnforcing(e)),
    "PassiveEnvChecker": Row(lambda e, w: w.PassiveEnvChecker(e), NEXT),
    "RecordEpisodeStatistics": Row(lambda e, w: w.RecordEpisodeStatistics(e)),
    "RecordVideo": Row(
        lambda e, w: w.RecordVideo(e, "videos", episode_trigger=lambda k: k == 1), PICTURES
    ),
    "RenderCollection": Row(lambda e, w: w.RenderCollection(e), PICTURES),
    "RepeatAction": Row(lambda e, w: w.RepeatAction(e, 2), repeats=2),
    "RescaleAction": Row(
        lambda e, w: w.RescaleAction(e, LOW, HIGH), NEXT, answers=lambda a: (a + 1) / 2
    ),
    "RescaleObservation": Row(lambda e, w: w.RescaleObservation(e, LOW, HIGH), modes=NOT_SAME_STEP),
    "ReshapeObservation": Row(lambda e, w: w.ReshapeObservation(e, (2, 2)), modes=NOT_SAME_STEP),
    "ResizeObservation": refused((2, 2), name="ResizeObservation"),
    "StickyAction": Row(lambda e, w: w.StickyAction(e, 0.5), pays=None),
    "TimeAwareObservation": Row(
        lambda e, w: w.TimeAwareObservation(e), {**ECHO, "max_episode_steps": 7}
    ),
    "TimeLimit": Row(lambda e, w: w.TimeLimit(e, 6 + 1)),
    "TransformAction": Row(
        lambda e, w: w.TransformAction(e, lambda a: 3 - a, e.action_space), answers=lambda a: 3 - a
    ),
    "TransformObservation": Row(
        lambda e, w: w.TransformObservation(e, lambda seen: seen / 2, e.observation_space),
        modes=NOT_SAME_STEP,
    ),
    "TransformReward": Row(
        lambda e, w: w.TransformReward(e, lambda r: 10 * r), pays=lambda r: 10 * r
    ),
    "VectorizeTransformAction": Row(
        lambda e, w: w.VectorizeTransformAction(
            e, wrappers.TransformAction, func=lambda a: 3 * a, action_space=spaces.Discrete(2)
        ),
        answers=lambda a: 3 * a,
    ),
    "VectorizeTransformObservation": Row(
        lambda e, w: w.VectorizeTransformObservation(
            e,
            wrappers.TransformObservation,
            func=lambda seen: seen / 2,
            observation_space=spaces.Box(0, 0.5, (4,), np.float32),
        ),
        modes=NOT_SAME_STEP,
    ),
    "VectorizeTransformReward": Row(
        lambda e, w: w.VectorizeTransformReward(e, wrappers.TransformReward, func=lambda r: 10 * r),
        pays=lambda r: 10 * r,
    ),
}
TENSORS = ("ArrayConversion", "NumpyToTorch")
ERRORS = (ValueError, AssertionError, ImportError, DependencyNotInstalled, BufferError, TypeError)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any) -> None:
    """No window, no files, and the same optional packages everywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    if "Jax" in request.node.name:
        monkeypatch.setitem(sys.modules, "jax", None)
    opencv = SimpleNamespace(resize=lambda image, size: np.resize(image, (*size[::-1], 3)))
    monkeypatch.setitem(sys.modules, "cv2", opencv)


def given(name: str) -> Callable[[Any], Any]:
    """What a step of a wrapped environment takes, from an array or a number."""
    if name in TENSORS and (1, 2) <= RELEASE < (1, 4) and np.__version__ < "2.1":
        pytest.skip(f"gymnasium {gymnasium.__version__} converts arrays with numpy 2.1 or later")
    return torch.as_tensor if name in TENSORS else same


def assert_kept(row: Row, one: Any, other: Any) -> None:
    """What a step of the wrapped environment returned, beside a step without the wrapper."""
    _, reward, ended, cut, info = one
    _, paid, *flags, wanted = other
    assert row.pays is None or np.allclose(reward, row.pays(paid), rtol=1e-6)
    assert np.array_equal([np.asarray(ended), np.asarray(cut)], flags)
    keys = {"target", "due", *(["is_success"] if row.pays else [])} & {*wanted}
    for key in keys if isinstance(info, dict) else []:  # DictInfoToList makes a list
        assert np.array_equal(np.asarray(info[key]), wanted[key])


@pytest.mark.parametrize("name", [name for name in ROWS if name in wrappers.__all__])
def test_single(name: str) -> None:
    row, to = ROWS[name], given(name)
    if not row.modes:
        with pytest.raises(ERRORS):
            row.wrap(gymnasium.make(**row.make), wrappers)
        return
    env, plain = row.wrap(gymnasium.make(**row.make), wrappers), gymnasium.make(**row.make)
    env.action_space.seed(0)
    for seed in (3, None, None):
        observation, _ = env.reset(seed=seed)
        plain.reset(seed=seed)
        ended = False
        while not ended:
            assert name in TENSORS or observation in env.observation_space
            action = env.action_space.sample()
            one = env.step(to(action))
            paid, ended = 0.0, False
            for _ in range(row.repeats):
                if not ended:
                    _, reward, ended, cut, info = plain.step(row.answers(action))
                    paid += reward
            assert_kept(row, one, (None, paid, ended, cut, info))
            observation = one[0]
    env.close()
    assert name != "RecordVideo" or Path("videos/rl-video-episode-1.mp4").stat().st_size


@pytest.mark.parametrize("mode", EVERY, ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", [name for name in ROWS if name in vector.__all__])
@pytest.mark.filterwarnings("ignore:.*will not contain the last frame:UserWarning")
def test_vector(name: str, mode: AutoresetMode) -> None:
    row, to = ROWS[name], given(name)
    make = {**row.make, **({} if row.make is NEXT else {"length": (2, 6)})}
    envs = [gymnasium.make_vec(**make, num_envs=3, autoreset_mode=mode) for _ in range(2)]
    if mode in row.modes:
        play_beside(name, row.wrap(envs[0], vector), envs[1], to)
    else:
        with pytest.raises(ERRORS):
            play_beside(name, row.wrap(envs[0], vector), envs[1], to)


def play_beside(name: str, env: Any, plain: Any, to: Callable[[Any], Any]) -> None:
    row = ROWS[name]
    env.action_space.seed(0)
    env.reset(seed=3)
    plain.reset(seed=3)
    for _ in range(14 if row.make is PICTURES else 30):
        action = env.action_space.sample()
        one, other = env.step(to(action)), plain.step(row.answers(action))
        assert_kept(row, one, other)
        if name not in TENSORS and name != "NormalizeObservation":
            assert one[0] in env.observation_space
        if plain.metadata["autoreset_mode"] == DISABLED and (ended := other[2]).any():
            env.reset(options={"reset_mask": to(ended.copy())})
            plain.reset(options={"reset_mask": ended.copy()})
    env.close()
    assert name != "RecordVideo" or Path("videos/rl-video-episode-1.mp4").stat().st_size


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_the_oracles_episodes_have_a_return_of_1(make: Any) -> None:
    env = make(**ECHO)
    oracle = Oracle.of(env)
    w = vector if make is gymnasium.make_vec else wrappers
    env, state, returns = w.RecordEpisodeStatistics(env), None, []
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        ended = np.False_
        while not np.all(ended):
            action, state = oracle.predict(observation, state, np.ravel(np.equal(seed, -1)))
            observation, _, ended, _, info = env.step(action)
        returns.append(float(np.squeeze(info["episode"]["r"])))
        state = None
    assert returns == [1.0] * 5


def test_a_collection_holds_the_pictures_of_an_episode() -> None:
    env, plain = wrappers.RenderCollection(gymnasium.make(**PICTURES)), gymnasium.make(**PICTURES)
    pictures = []
    for step in range(4):
        for e in (env, plain):
            e.step(step) if step else e.reset(seed=3)
        pictures.append(plain.render())
    assert np.array_equal(env.render(), pictures)


def test_every_wrapper_is_in_the_table_and_the_page_agrees() -> None:
    assert {*wrappers.__all__, *vector.__all__} - {"vector"} - {*ROWS} == set()
    page = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            name, one, many, what = (cell.strip() for cell in line.strip("|").split("|"))
            assert what
            page[name.strip("`")] = one, many
    said = {(): "no", NOT_SAME_STEP: "NextStep, Disabled", (NEXT_STEP,): "NextStep", EVERY: "all"}
    for name, row in ROWS.items():
        one, many = page.pop(name)
        assert name not in wrappers.__all__ or one == ("yes" if row.modes else "no"), name
        assert name not in vector.__all__ or many == said[row.modes], name
        if RELEASE >= (1, 4):
            assert (one == "-") == (name not in wrappers.__all__), name
            assert (many == "-") == (name not in vector.__all__), name
    assert not page


def test_make_vec_takes_no_wrappers_of_single_environments() -> None:
    with pytest.raises(gymnasium.error.Error, match=r"vector_entry_point.* wrappers argument"):
        gymnasium.make_vec(**ECHO, num_envs=2, wrappers=[wrappers.FlattenObservation])

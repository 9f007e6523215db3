"""The page on Gymnasium's wrappers is right about which of them work, and in which mode.

Each wrapper is played beside an environment without it: the episodes must be the same. A new
wrapper of a new release of Gymnasium is noticed, because the page must name all of them.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces, wrappers
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector

import seqenvs  # noqa: F401 - registers the ids

torch = pytest.importorskip("torch")
pytest.importorskip("moviepy")
pytest.importorskip("pygame")

PAGE = Path(__file__).parents[2] / "docs/integrations/gymnasium_wrappers.md"
ROWS = {
    cells[1].strip(" `"): (cells[2].strip(), cells[3].strip())
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
    for cells in [line.split("|")]
}
RELEASE = tuple(int(part) for part in gymnasium.__version__.split(".")[:2])
ECHO: dict[str, Any] = {"id": "SeqEcho-v0", "num_symbols": 4, "length": 6}
NEXT: dict[str, Any] = {"id": "SeqNext-v0", "length": 7}  # answers are a Box
PICTURES: dict[str, Any] = {**ECHO, "render_mode": "rgb_array"}
MAKE = {
    **dict.fromkeys(("ClipAction", "DiscretizeAction", "DiscretizeObservation"), NEXT),
    **dict.fromkeys(("PassiveEnvChecker", "RescaleAction"), NEXT),
    **dict.fromkeys(("AddRenderObservation", "AddWhiteNoise", "HumanRendering"), PICTURES),
    **dict.fromkeys(("ObstructView", "RecordVideo", "RenderCollection"), PICTURES),
    "FlattenObservation": {**ECHO, "encoding": "index"},
    "TimeAwareObservation": {**ECHO, "max_episode_steps": 7},
}
RANGE = np.float32(-1), np.float32(1)
ARGUMENTS: dict[str, Any] = {
    "AddRenderObservation": [False],
    "AddWhiteNoise": [0.25],
    "ArrayConversion": [np, torch],
    "ClipReward": [0.0, 0.1],
    "DelayObservation": [2],
    "DiscretizeAction": [5],
    "DiscretizeObservation": [4],
    "DtypeObservation": [np.float64],
    "FilterObservation": [["input"]],
    "FrameStackObservation": [3],
    "MaxAndSkipObservation": [2],
    "ObstructView": [0.25, 20],
    "RecordVideo": ["videos"],
    "RepeatAction": [2],
    "RescaleAction": RANGE,
    "RescaleObservation": RANGE,
    "ReshapeObservation": [(2, 2)],
    "ResizeObservation": [(2, 2)],
    "StickyAction": [0.5],
    "TimeLimit": [7],
    "TransformReward": [lambda reward: 10 * reward],
    "VectorizeTransformAction": [wrappers.TransformAction],
    "VectorizeTransformObservation": [wrappers.TransformObservation],
    "VectorizeTransformReward": [wrappers.TransformReward],
}
HALF = spaces.Box(0, 0.5, (4,), np.float32)
KEYWORDS: dict[str, Any] = {
    "RecordVideo": {"episode_trigger": lambda episode: episode == 1},
    "VectorizeTransformAction": {"func": lambda a: 3 * a, "action_space": spaces.Discrete(2)},
    "VectorizeTransformObservation": {"func": lambda seen: seen / 2, "observation_space": HALF},
    "VectorizeTransformReward": {"func": lambda reward: 10 * reward},
}
ONE_STEP_IS_TWO = ("MaxAndSkipObservation", "RepeatAction")
TENSORS = ("ArrayConversion", "NumpyToTorch")
ANOTHER_SPACE = (*TENSORS, "NormalizeObservation")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any) -> None:
    """No window, no files, and the same optional packages everywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    if "Jax" in request.node.name:
        monkeypatch.setitem(sys.modules, "jax", None)
    opencv = SimpleNamespace(resize=lambda image, size: np.resize(image, (*size[::-1], 3)))
    monkeypatch.setitem(sys.modules, "cv2", opencv)


def wrap(name: str, env: Any, module: Any) -> Any:
    """Apply the wrapper of this name from this module."""
    arguments = ARGUMENTS.get(name, [])
    if name == "TransformAction":
        arguments = [lambda action: 3 - action, env.action_space]
    elif name == "TransformObservation":
        arguments = [lambda seen: seen / 2, env.observation_space]
    elif name == "HumanRendering" and module is vector:
        arguments = [(2000, 500)]
    with np.errstate(over="ignore"):  # Gymnasium 1.4 compares bounds, of which NumPy 2 warns
        wrapped = getattr(module, name)(env, *arguments, **KEYWORDS.get(name, {}))
    if name == "HumanRendering":
        wrapped.metadata["render_fps"] = 1000
    return wrapped


def play_beside(name: str, env: Any, plain: Any, masked: bool) -> None:
    """Play some steps with and without the wrapper; what is asked must be the same."""
    if name in TENSORS and (1, 2) <= RELEASE < (1, 4) and np.__version__ < "2.1":
        pytest.skip(f"gymnasium {gymnasium.__version__} converts arrays with numpy 2.1 or later")
    env.action_space.seed(0)
    plain.action_space.seed(0)
    env.reset(seed=3)
    plain.reset(seed=3)
    for _ in range(30):
        action = env.action_space.sample()
        observation, *_, info = env.step(torch.as_tensor(action) if name in TENSORS else action)
        assert name in ANOTHER_SPACE or observation in env.observation_space
        for _ in range(2 if name in ONE_STEP_IS_TWO else 1):
            *_, terminated, truncated, wanted = plain.step(plain.action_space.sample())
            if np.all(ended := terminated | truncated):
                break
        for key in {"target", "due"} & {*wanted} if isinstance(info, dict) else ():
            assert np.array_equal(np.asarray(info[key]), wanted[key])
        if np.any(ended) and (masked or np.ndim(ended) == 0):
            mask = {"options": {"reset_mask": ended}} if masked else {}
            plain.reset(**mask)
            if masked and name in TENSORS:
                mask = {"options": {"reset_mask": torch.as_tensor(ended)}}
            env.reset(**mask)
    env.close()
    assert name != "RecordVideo" or Path("videos/rl-video-episode-1.mp4").stat().st_size


def assert_as_on_the_page(name: str, works: bool, env: Any, plain: Any, module: Any) -> None:
    masked = plain.metadata.get("autoreset_mode") == AutoresetMode.DISABLED
    errors = ValueError, AssertionError, ImportError, BufferError, TypeError, gymnasium.error.Error
    with nullcontext() if works else pytest.raises(errors):
        play_beside(name, wrap(name, env, module), plain, masked)


@pytest.mark.parametrize("name", [name for name in ROWS if name in wrappers.__all__])
def test_single(name: str) -> None:
    env, plain = (gymnasium.make(**MAKE.get(name, ECHO)) for _ in range(2))
    assert_as_on_the_page(name, ROWS[name][0] == "yes", env, plain, wrappers)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("name", [name for name in ROWS if name in vector.__all__])
@pytest.mark.filterwarnings("ignore:.*will not contain the last frame:UserWarning")
def test_vector(name: str, mode: str) -> None:
    make = MAKE.get(name, ECHO)
    make = {**make, "num_envs": 3, **({} if make is NEXT else {"length": (2, 6)})}
    env, plain = (gymnasium.make_vec(**make, autoreset_mode=mode) for _ in range(2))
    works = ROWS[name][1] == "all" or mode in ROWS[name][1].split(", ")
    assert_as_on_the_page(name, works, env, plain, vector)


def test_the_page_names_every_wrapper() -> None:
    assert {*wrappers.__all__, *vector.__all__} - {"vector"} <= {*ROWS}
    if RELEASE >= (1, 4):
        for name, (single, many) in ROWS.items():
            assert (single == "-") == (name not in wrappers.__all__), name
            assert (many == "-") == (name not in vector.__all__), name

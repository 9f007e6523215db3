"""The commands ``show`` and ``play``: an episode at the terminal, answered by the oracle or you."""

from __future__ import annotations

import inspect
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from seqenvs.arguments import UsageError, usage_errors
from seqenvs.bounds import Bounds
from seqenvs.env import SequenceEnv
from seqenvs.files import write_atomically
from seqenvs.oracle import Oracle
from seqenvs.playing import PlayedStep, play
from seqenvs.problem import Problem, known_bounds
from seqenvs.rendering import whole_text


def show(id: str, parameters: dict[str, Any], seed: int | None, picture: Path | None) -> None:
    """Print an episode that the oracle answers, and draw it into the PNG file ``picture``.

    Raises:
        UsageError: No such environment or parameter, or a picture that cannot be drawn.
        OSError: The picture cannot be written.
    """
    if picture is not None:
        _check_picture(picture)
    env = _make(id, parameters)
    steps = play(Oracle.of(env), _vector_of(env), episodes=1, seed=seed)
    total = sum(float(step.reward[0]) for step in steps)
    trace = env.trace()
    print(f"{_introduction(env.problem)}\n")
    print(f"{whole_text(trace, shutil.get_terminal_size().columns)}\n")
    print(f"the oracle's return is {total:g}; {_bounds_text(known_bounds(env.problem))}")
    if picture is not None:
        from PIL import Image

        from seqenvs.rendering.pixels import whole_picture

        image = Image.fromarray(whole_picture(trace))
        write_atomically(picture, lambda path: image.save(path, format="png"))


def play_yourself(id: str, parameters: dict[str, Any], seed: int | None, episodes: int) -> None:
    """Ask the user for the answers of some episodes, and print the mean return.

    Raises:
        UsageError: No such environment or parameter.
    """
    env = _make(id, parameters)
    print(f"{_introduction(env.problem)}\n\nAn answer is {_allowed(env.action_space)}; q ends.\n")
    user = _User(env, episodes)
    try:
        for step in play(user, _vector_of(env), episodes=episodes, seed=seed):
            user.see(step)
    except (EOFError, KeyboardInterrupt):
        print("\n")
    bounds, returns = known_bounds(env.problem), user.returns
    if not returns:
        print(f"no episode was finished; {_bounds_text(bounds)}")
        return
    mean = sum(returns) / len(returns)
    played = f"{len(returns)} episode{'s' if len(returns) > 1 else ''}"
    print(f"your mean return over {played} is {mean:.2f}; {_bounds_text(bounds)}")
    if bounds is not None and bounds.needs_memory:
        score = bounds.memory_score(mean)
        print(f"memory score {score:.2f} (0: as good as a clock, 1: everything remembered)")


def _make(id: str, parameters: dict[str, Any]) -> SequenceEnv:
    with usage_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an environment of another package may lack the mode
        env = gymnasium.make(id, render_mode="ansi", **parameters).unwrapped
    if not isinstance(env, SequenceEnv):
        raise UsageError(f"{id!r} is not an environment of seqenvs; 'seqenvs list' shows them all")
    return env


def _vector_of(env: SequenceEnv) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: env], autoreset_mode=AutoresetMode.DISABLED)


def _check_picture(path: Path) -> None:
    """Refuse a file that cannot become a picture, before anything is printed."""
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise UsageError(f"--picture must be a .png file in a folder that exists, got {path}")
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise UsageError("--picture needs Pillow: pip install 'seqenvs[render]'") from error


class _User:
    """The user as an agent: sees one input at a time, and types the answers.

    On a terminal, the lines of a time step are hidden when it is over.
    """

    def __init__(self, env: SequenceEnv, episodes: int) -> None:
        self._env, self._episodes = env, episodes
        self._time, self._total, self._earned = 0, 0.0, ""
        self._lines = 0  # of this time step
        self.returns: list[float] = []

    def predict(self, observation: Any, *_: Any, **__: Any) -> tuple[Any, None]:
        """Ask for the answer to the one observation."""
        env, (low, high) = self._env, self._env.problem.num_steps
        title = f"episode {len(self.returns) + 1} of {self._episodes}, " * (self._episodes > 1)
        length = f" of {low}" if low == high else ""
        shown = _shown(env.problem, env.encode.decode(observation)[0])
        self._say(f"{title}time step {self._time}{length}   input  {shown}{self._earned}")
        if env.due_target()[0]:
            return np.asarray([self._ask_for_answer()]), None
        while self._ask("no answer is due, press Enter: "):
            self._say("nothing to type here: press Enter, or q to end")
        return np.asarray([_action(env.action_space, _limits(env.action_space)[0])]), None

    def see(self, step: PlayedStep) -> None:
        """See what the answer earned, and the whole episode after its end; hide the input."""
        self._time += 1
        self._total += float(step.reward[0])
        if step.due[0]:
            self._earned = f"   (last answer earned {step.reward[0]:.2f}, so far {self._total:.2f})"
        if sys.stdin.isatty() and sys.stdout.isatty():  # move up and clear what is below
            print(f"\x1b[{self._lines}A\x1b[J", end="", flush=True)
        self._lines = 0
        if step.ended[0]:
            print(f"{self._env.render()}\n\nreturn {self._total:.2f}\n")
            self.returns.append(self._total)
            self._time, self._total, self._earned = 0, 0.0, ""

    def _ask_for_answer(self) -> Any:
        """Ask until the answer is in the action space."""
        space = self._env.action_space
        low, high = _limits(space)
        number = float if isinstance(space, spaces.Box) else int
        while True:
            typed = self._ask("your answer: ")
            try:
                numbers = [number(word) for word in typed.replace(",", " ").split()]
            except ValueError:
                numbers = []
            within = (a <= x <= b for a, x, b in zip(low, numbers, high, strict=False))
            if len(numbers) == len(low) and all(within):
                return _action(space, numbers)
            self._say(f"an answer is due: type {_allowed(space)}, or q to end")

    def _ask(self, prompt: str) -> str:
        """Ask for a line; raise EOFError if the user wants to end."""
        typed = input(prompt)
        if not sys.stdin.isatty():
            print(typed)
        self._count_lines(prompt + typed)
        if typed.strip().lower() in ("q", "quit"):
            raise EOFError
        return typed.strip()

    def _say(self, text: str) -> None:
        print(text)
        self._count_lines(text)

    def _count_lines(self, text: str) -> None:
        self._lines += -(-len(text) // shutil.get_terminal_size().columns)


def _action(space: spaces.Space[Any], numbers: list[float]) -> Any:
    return numbers[0] if isinstance(space, spaces.Discrete) else np.array(numbers, space.dtype)


def _limits(space: spaces.Space[Any]) -> tuple[list[float], list[float]]:
    """The least and the greatest answer, component by component."""
    if isinstance(space, spaces.Box):
        return space.low.tolist(), space.high.tolist()
    sizes = np.atleast_1d(space.n if isinstance(space, spaces.Discrete) else space.nvec)  # type: ignore[attr-defined]
    return [0] * len(sizes), (sizes - 1).tolist()


def _allowed(space: spaces.Space[Any]) -> str:
    low, high = _limits(space)
    what = "a number" if isinstance(space, spaces.Box) else "an integer"
    span = f"in {min(low):g} .. {max(high):g}"
    if len(low) > 1:
        return f"{len(low)} {what.split()[1]}s {span}, with spaces between"
    return f"{what} {span}"


def _shown(problem: Problem, value: Any) -> str:
    if (value == problem.input_spec.blank).all():
        return "_ (blank)"
    return " ".join(f"{number:.4g}" for number in np.atleast_1d(value).tolist())


def _introduction(problem: Problem) -> str:
    """The first line of the problem's docstring, and its parameters."""
    first, *_ = (inspect.getdoc(type(problem)) or "").splitlines() or [""]
    return f"{first.replace('``', '')}\n{problem}".lstrip()


def _bounds_text(bounds: Bounds | None) -> str:
    if bounds is None:
        return "its bounds are not known"
    names = "chance", "memoryless", "clock"
    text = ", ".join(f"{name} {getattr(bounds, name):.3f}" for name in names)
    return text if bounds.needs_memory else f"{text}: this problem needs no memory"

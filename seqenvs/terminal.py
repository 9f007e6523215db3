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
from seqenvs.bounds import Bounds, known_bounds
from seqenvs.env import SequenceEnv
from seqenvs.files import write_atomically
from seqenvs.oracle import Oracle
from seqenvs.playing import PlayedStep, play
from seqenvs.problem import Problem
from seqenvs.rendering import whole_text


def show(id: str, parameters: dict[str, Any], seed: int | None, picture: Path | None) -> None:
    """Print an episode that the oracle answers.

    Args:
        id: The id of a seqenvs environment.
        parameters: Its parameters.
        seed: Of the episode; None for a new one each time.
        picture: A PNG file to draw the episode into as well.

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

    Args:
        id: The id of a seqenvs environment.
        parameters: Its parameters.
        seed: Of the episodes; None for new ones each time.
        episodes: How many.

    Raises:
        UsageError: No such environment or parameter.
    """
    env = _make(id, parameters)
    print(f"{_introduction(env.problem)}\n\nAn answer is {_allowed(env.action_space)}; q ends.\n")
    user, returns = _User(env, episodes), []
    try:
        for step in play(user, _vector_of(env), episodes=episodes, seed=seed):
            user.see(step)
            if step.ended[0]:
                returns.append(user.total)
                print(f"{env.render()}\n\nreturn {user.total:.2f}\n")
    except (EOFError, KeyboardInterrupt):
        print("\n")
    bounds = known_bounds(env.problem)
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
    if path.suffix.lower() != ".png" or path.is_dir():
        raise UsageError(f"--picture must be a file that ends in .png, got {path}")
    if not path.parent.is_dir():
        raise UsageError(f"--picture {path}: there is no folder {path.parent}")
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise UsageError("--picture needs Pillow: pip install 'seqenvs[render]'") from error


class _User:
    """The user as an agent: sees one input at a time, and types the answers."""

    def __init__(self, env: SequenceEnv, episodes: int) -> None:
        self._env, self._episodes, self._screen = env, episodes, _Screen()
        low, high = env.problem.num_steps
        self._length = f" of {low}" if low == high else ""
        self._episode = self._time = 0
        self.total, self._earned = 0.0, ""

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[Any, None]:
        """Ask for the answer to the one observation."""
        env = self._env
        if episode_start is not None and episode_start[0]:
            self._time, self.total, self._earned = 0, 0.0, ""
        title = f"episode {self._episode + 1} of {self._episodes}, " * (self._episodes > 1)
        shown = _shown(env.problem, env.encode.decode(observation)[0])
        self._screen.say(
            f"{title}time step {self._time}{self._length}   input  {shown}{self._earned}"
        )
        due, _ = env.due_target()
        action = (_ask if due else _wait)(self._screen, env.action_space)
        return np.asarray([action]), None

    def see(self, step: PlayedStep) -> None:
        """See what the answer earned; the input is hidden."""
        self._time += 1
        self._episode += int(step.ended[0])
        self.total += float(step.reward[0])
        if step.due[0]:
            self._earned = f"   (last answer earned {step.reward[0]:.2f}, so far {self.total:.2f})"
        self._screen.hide()


class _Screen:
    """Lines that can be hidden again, if there is a terminal to hide them on."""

    def __init__(self) -> None:
        self._echoed = sys.stdin.isatty()
        self._terminal = self._echoed and sys.stdout.isatty()
        self._lines = 0

    def say(self, text: str) -> None:
        print(text)
        self._lines += -(-len(text) // shutil.get_terminal_size().columns)

    def ask(self, prompt: str) -> str:
        """Ask for a line; raise EOFError if the user wants to end."""
        typed = input(prompt)
        if not self._echoed:
            print(typed)
        self._lines += -(-len(prompt + typed) // shutil.get_terminal_size().columns)
        if typed.strip().lower() in ("q", "quit"):
            raise EOFError
        return typed.strip()

    def hide(self) -> None:
        if self._terminal:  # move up by that many lines and clear what is below
            print(f"\x1b[{self._lines}A\x1b[J", end="", flush=True)
        self._lines = 0


def _ask(screen: _Screen, space: spaces.Space[Any]) -> Any:
    """Ask until the answer is in the space."""
    low, high = _limits(space)
    number = float if isinstance(space, spaces.Box) else int
    while True:
        typed = screen.ask("your answer: ")
        try:
            numbers = [number(word) for word in typed.replace(",", " ").split()]
        except ValueError:
            numbers = []
        within = (a <= x <= b for a, x, b in zip(low, numbers, high, strict=False))
        if len(numbers) == len(low) and all(within):
            return _action(space, numbers)
        screen.say(f"an answer is due: type {_allowed(space)}, or q to end")


def _wait(screen: _Screen, space: spaces.Space[Any]) -> Any:
    """Ask until nothing is typed; the action that is returned does not count."""
    while screen.ask("no answer is due, press Enter: "):
        screen.say("nothing to type here: press Enter, or q to end")
    return _action(space, _limits(space)[0])


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
    what = "number" if isinstance(space, spaces.Box) else "integer"
    span = f"{min(low):g} .. {max(high):g}"
    if len(low) > 1:
        return f"{len(low)} {what}s in {span}, with spaces between"
    return f"{'an' if what == 'integer' else 'a'} {what} in {span}"


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
    text = (
        f"chance {bounds.chance:.3f}, memoryless {bounds.memoryless:.3f}, clock {bounds.clock:.3f}"
    )
    return text if bounds.needs_memory else f"{text}: this problem needs no memory"

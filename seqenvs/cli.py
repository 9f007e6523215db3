"""The command line: ``python -m seqenvs``, with list, show and play."""

from __future__ import annotations

import argparse
import difflib
import importlib
import inspect
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium import spaces

from seqenvs.arguments import add_assignments, assignments
from seqenvs.bounds import known_bounds
from seqenvs.env import SequenceEnv
from seqenvs.oracle import Oracle
from seqenvs.registration import IDS, full_id
from seqenvs.rendering import Trace, whole_picture, whole_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from seqenvs.bounds import Bounds
    from seqenvs.problem import Problem


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments; those of the process if left out.

    Returns:
        The exit code: 0, or 1 if the output can't be written or its reader has gone, 2 for a wrong
        argument, 130 after Ctrl-C.
    """
    try:
        code = _run(argv)
        sys.stdout.flush()  # here, where its errors can be caught, and not as Python exits
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            words = error.strerror or error
            print(
                f"python -m seqenvs: error: the output can't be written: {words}", file=sys.stderr
            )
        # Python flushes once more as it exits, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run(argv: list[str] | None) -> int:
    """Run the command; returns 0, or 2 for a wrong argument."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
        if arguments.command is None:
            parser.print_help()
        else:
            arguments.command(arguments)
    except SystemExit as leaving:  # how argparse ends, after --help and after a wrong argument
        return int(leaving.code or 0)
    except _ArgumentError as error:
        print(f"python -m seqenvs: error: {error}", file=sys.stderr)
        return 2
    return 0


class _ArgumentError(Exception):
    """What the user can put right."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m seqenvs",
        description="Sequence-prediction problems as Gymnasium environments.",
        epilog="Try: python -m seqenvs play SeqEcho-v0 --set lag=2",
    )
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    table = commands.add_parser(
        "list",
        help="list the environments and what can be reached in them without memory",
        description="List the environments: the spaces, the steps of an episode, and the mean "
        "return of random answers (chance), of the best policy that sees the present observation "
        "only (memoryless), of the best that sees the time step too (clock), and of the best of "
        "all (optimum).",
    )
    table.add_argument("--markdown", action="store_true", help="print a Markdown table")
    table.set_defaults(command=_list)

    one = argparse.ArgumentParser(add_help=False)
    one.add_argument("id", metavar="ID", help="an environment, such as SeqEcho-v0")
    one.add_argument(
        "--seed",
        type=_int_from(0),
        metavar="N",
        help="which episodes; others every time if left out",
    )
    add_assignments(one, "--set", "a parameter, such as lag=4 or 'length=(3, 9)'")
    show = commands.add_parser(
        "show",
        parents=[one],
        help="show an episode, answered by the oracle",
        usage="%(prog)s ID [--seed N] [--set NAME=VALUE]... [--picture FILE]",
        description="Show an episode as text, answered by an oracle that remembers everything.",
    )
    show.add_argument(
        "--picture", type=Path, metavar="FILE", help="also draw it, into a file that ends in .png"
    )
    show.set_defaults(command=_show)
    play = commands.add_parser(
        "play",
        parents=[one],
        help="answer at the terminal yourself",
        usage="%(prog)s ID [--seed N] [--episodes N] [--set NAME=VALUE]...",
        description="Answer at the terminal yourself, one time step at a time. What was shown "
        "before is hidden. q, Ctrl-D or Ctrl-C ends the session.",
    )
    play.add_argument(
        "--episodes", type=_int_from(1), default=1, metavar="N", help="how many (default 1)"
    )
    play.set_defaults(command=_play)
    return parser


def _list(arguments: argparse.Namespace) -> None:
    head = ["id", "observation", "action", "steps", "chance", "memoryless", "clock", "optimum", ""]
    rows = [head, *map(_row, IDS)]
    if arguments.markdown:
        head[-1] = "note"
        rows.insert(1, ["---", "---", "---", "---:", "---:", "---:", "---:", "---:", "---"])
        for row in rows:
            print(f"| {' | '.join(row)} |")
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            f"{cell:>{width}}" if 3 <= k <= 7 else f"{cell:<{width}}"
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def _row(id: str) -> list[str]:
    env = _make(id, {})
    bounds = env.problem.bounds()
    low, high = env.problem.num_steps
    floats = bounds.chance, bounds.memoryless, bounds.clock, bounds.optimum
    return [
        id,
        _space(env.observation_space),
        _space(env.action_space),
        str(low) if low == high else f"{low}-{high}",
        *(f"{number:.4f}" for number in floats),
        "" if bounds.needs_memory else "needs no memory",
    ]


def _space(space: spaces.Space[Any]) -> str:
    """A space as Gymnasium prints it, without its dtype."""
    if isinstance(space, spaces.Box):
        return f"Box({space.low.min():g}, {space.high.max():g}, {space.shape})"
    return str(space)


def _show(arguments: argparse.Namespace) -> None:
    if arguments.picture is not None:
        _check_picture(arguments.picture)
    env = _make(arguments.id, _parameters(arguments.set))
    trace, total = _solve(env, arguments.seed)
    print(f"{_introduction(env.problem)}\n")
    print(f"{whole_text(trace, shutil.get_terminal_size().columns)}\n")
    print(f"the oracle's return is {total:g}; {_bounds_text(known_bounds(env.problem))}")
    if arguments.picture is not None:
        _save(trace, arguments.picture)


def _solve(env: SequenceEnv, seed: int | None) -> tuple[Trace, float]:
    """Have the oracle play an episode; gives what there is to be drawn, and the return."""
    oracle = Oracle.of(env)
    observation, _ = env.reset(seed=seed)
    state, total, terminated = None, 0.0, False
    while not terminated:
        action, state = oracle.predict(observation, state)
        observation, reward, terminated, _, _ = env.step(action)
        total += reward
    return env.trace(), total


def _check_picture(path: Path) -> None:
    """Refuse what can't become a picture, before anything is drawn."""
    try:
        is_folder = path.is_dir()
    except OSError as error:  # such as a name that is too long
        raise _unwritable(path, error) from error
    if is_folder:
        raise _ArgumentError(f"--picture must be a file, got {path}, which is a folder")
    if not path.name.lower().endswith(".png"):
        raise _ArgumentError(f"--picture must be a file that ends in .png, got {path}")
    if not path.parent.is_dir():
        raise _ArgumentError(f"--picture {path}: there is no folder {path.parent}")
    try:
        importlib.import_module("PIL.Image")
    except ImportError as error:
        raise _ArgumentError("--picture needs Pillow: pip install seqenvs[render]") from error


def _save(trace: Trace, path: Path) -> None:
    """Draw the episode into a file, which is whole or not there."""
    from PIL import Image

    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        Image.fromarray(whole_picture(trace)).save(unfinished, format="png")
        unfinished.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


def _unwritable(path: Path, error: OSError) -> _ArgumentError:
    return _ArgumentError(f"--picture {path} can't be written: {error.strerror or error}")


def _play(arguments: argparse.Namespace) -> None:
    env = _make(arguments.id, _parameters(arguments.set))
    print(f"{_introduction(env.problem)}\n\nAn answer is {_allowed(env.action_space)}; q ends.\n")
    returns: list[float] = []
    try:
        for episode in range(arguments.episodes):
            seed = arguments.seed if episode == 0 else None
            title = f"episode {episode + 1} of {arguments.episodes}, " * (arguments.episodes > 1)
            returns.append(_play_episode(env, seed, title))
            print(f"{env.render()}\n\nreturn {returns[-1]:.2f}\n")
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
        print(
            f"memory score {bounds.memory_score(mean):.2f} (0: nothing remembered, 1: everything)"
        )


def _play_episode(env: SequenceEnv, seed: int | None, title: str) -> float:
    """Ask for the answers of an episode, hiding each input once it has been answered."""
    screen = _Screen()
    low, high = env.problem.num_steps
    length = f" of {low}" if low == high else ""
    observation, _ = env.reset(seed=seed)
    time, total, earned, terminated = 0, 0.0, "", False
    while not terminated:
        shown = _shown(env.problem, env.encode.decode(observation))
        screen.say(f"{title}time step {time}{length}   input  {shown}{earned}")
        due, _ = env.asked()
        action = _ask(screen, env.action_space) if due else _wait(screen, env.action_space)
        observation, reward, terminated, _, _ = env.step(action)
        time, total = time + 1, total + reward
        if due:
            earned = f"   (last answer earned {reward:.2f}, so far {total:.2f})"
        screen.hide()
    return total


class _Screen:
    """Lines that can be hidden again, where there is a terminal to hide them on."""

    def __init__(self) -> None:
        self._echoed = sys.stdin.isatty()
        self._terminal = self._echoed and sys.stdout.isatty()
        self._lines = 0

    def say(self, text: str) -> None:
        print(text)
        self._lines += -(-len(text) // shutil.get_terminal_size().columns)

    def ask(self, prompt: str) -> str:
        """Ask for a line; raises EOFError where the user has had enough."""
        typed = input(prompt)
        if not self._echoed:
            print(typed)
        self._lines += -(-len(prompt + typed) // shutil.get_terminal_size().columns)
        if typed.strip().lower() in ("q", "quit"):
            raise EOFError
        return typed.strip()

    def hide(self) -> None:
        if self._terminal:  # go that many lines up and clear what is below
            print(f"\x1b[{self._lines}A\x1b[J", end="", flush=True)
        self._lines = 0


def _ask(screen: _Screen, space: spaces.Space[Any]) -> Any:
    """Ask until the answer is one of the space."""
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
            one = isinstance(space, spaces.Discrete)
            return numbers[0] if one else np.array(numbers, space.dtype)
        screen.say(f"an answer is due: type {_allowed(space)}, or q to end")


def _wait(screen: _Screen, space: spaces.Space[Any]) -> Any:
    """Ask until nothing is typed; the answer given does not count."""
    while screen.ask("no answer is due, press Enter: "):
        screen.say("nothing to type here: press Enter, or q to end")
    low, _ = _limits(space)
    return 0 if isinstance(space, spaces.Discrete) else np.array(low, space.dtype)


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
    """The first line of what the problem says of itself, and its parameters."""
    first, *_ = (inspect.getdoc(type(problem)) or "").splitlines() or [""]
    return f"{first.replace('``', '')}\n{problem}".lstrip()


def _bounds_text(bounds: Bounds | None) -> str:
    if bounds is None:
        return "its bounds are not known"
    text = (
        f"chance {bounds.chance:.3f}, memoryless {bounds.memoryless:.3f}, clock {bounds.clock:.3f}"
    )
    return text if bounds.needs_memory else f"{text}: this problem needs no memory"


def _parameters(texts: list[str]) -> dict[str, Any]:
    try:
        return assignments("--set", texts)
    except ValueError as error:
        raise _ArgumentError(str(error)) from error


# Arguments of `gymnasium.make` and of the environment that the command or the id decides.
_DECIDED = ("id", "problem", "render_mode", "max_episode_steps", "disable_env_checker")


def _make(id: str, parameters: dict[str, Any]) -> SequenceEnv:
    try:
        name = _registered(id)
        for decided in _DECIDED:
            if decided in parameters:
                known = inspect.signature(type(_made(name).problem)).parameters
                allowed = ", ".join([*known, "encoding", "extras", "stack_size"])
                raise _ArgumentError(f"--set {decided} can't be given; {id} takes {allowed}")
        return _made(name, **parameters)
    except (gymnasium.error.Error, ImportError, TypeError, ValueError) as error:
        # Gymnasium puts words of its own after the environment's.
        words = str(error).partition(" was raised from the environment creator")[0]
        raise _ArgumentError(words) from error


def _made(name: str, **parameters: Any) -> SequenceEnv:
    env = gymnasium.make(name, render_mode="ansi", **parameters).unwrapped
    if not isinstance(env, SequenceEnv):
        raise _not_ours(name)
    return env


def _registered(id: str) -> str:
    """The registered name of an environment, unless it is known before it is made not to be ours.

    Gymnasium would warn of one whose version is old, or that has no such render mode.
    """
    module, _, given = id.rpartition(":")
    if module:
        importlib.import_module(module)
    name = full_id(given)
    spec = gymnasium.registry.get(name)
    if spec is None:
        close = difflib.get_close_matches(given, IDS, 3)
        meant = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise _ArgumentError(f"unknown id {id!r}{meant}; list shows them all")
    creator: Any = spec.entry_point
    if isinstance(creator, str):
        creator = gymnasium.envs.registration.load_env_creator(creator)
    if isinstance(creator, type) and not issubclass(creator, SequenceEnv):
        raise _not_ours(id)
    return name


def _not_ours(id: str) -> _ArgumentError:
    return _ArgumentError(f"{id!r} is not an environment of seqenvs; list shows them all")


def _int_from(low: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"must be an int, at least {low}, got {text!r}")
        return int(text)

    return parse


if __name__ == "__main__":
    sys.exit(main())

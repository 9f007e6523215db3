"""The command line: ``seqenvs``, or ``python -m seqenvs``.

What a command needs is imported when it runs, so that ``seqenvs --help`` answers at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

from seqenvs.arguments import (
    UsageError,
    add_assignments,
    assignments,
    int_from,
    run_command,
    usage_errors,
)
from seqenvs.benchmark.cli import add_parsers

# Classes that `seqenvs evaluate` can load a zip file of Stable-Baselines3 with.
ALGORITHMS = {
    **{n.lower(): f"stable_baselines3:{n}" for n in ("A2C", "DDPG", "DQN", "PPO", "SAC", "TD3")},
    **{n.lower(): f"sb3_contrib:{n}" for n in ("ARS", "CrossQ", "QRDQN", "TQC", "TRPO")},
    "maskable_ppo": "sb3_contrib:MaskablePPO",
    "recurrent_ppo": "sb3_contrib:RecurrentPPO",
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments; those of the process if None.

    Returns:
        The exit code, see `seqenvs.arguments.run_command`.
    """
    if not {"", os.getcwd()} & set(sys.path):  # python -m has it there, the script has not
        sys.path.append(os.getcwd())  # "module:Class" may be a file of the working folder
    return run_command(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seqenvs",
        description="Sequence-prediction problems as Gymnasium environments.",
        epilog="Try: seqenvs play SeqEcho-v0 --set lag=2",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    table = commands.add_parser(
        "list",
        help="list the environments and their best returns without memory",
        description="List the environments: the spaces, the time steps of an episode, and the mean "
        "return of random answers (chance), of the best policy that sees the present observation "
        "only (memoryless), of the best policy that also sees the time step (clock), and of the "
        "best policy of all (optimum).",
    )
    table.add_argument("--markdown", action="store_true", help="print a Markdown table")
    table.set_defaults(run=_list)
    one = argparse.ArgumentParser(add_help=False)
    one.add_argument("id", metavar="ID", help="an environment, such as SeqEcho-v0")
    one.add_argument(
        "--seed", type=int_from(0), metavar="N", help="which episodes (default: new ones each time)"
    )
    _add_parameters(one)
    show = commands.add_parser(
        "show",
        parents=[one],
        help="show an episode, answered by the oracle",
        description="Show an episode as text, answered by an oracle that remembers everything.",
    )
    show.add_argument(
        "--picture", type=Path, metavar="FILE", help="also draw it into a file that ends in .png"
    )
    show.set_defaults(run=_show)
    play = commands.add_parser(
        "play",
        parents=[one],
        help="answer at the terminal yourself",
        description="Answer at the terminal yourself, one time step at a time. Earlier inputs are "
        "hidden. q, Ctrl-D or Ctrl-C ends the session.",
    )
    play.add_argument(
        "--episodes", type=int_from(1), default=1, metavar="N", help="how many (default: 1)"
    )
    play.set_defaults(run=_play)
    evaluate = commands.add_parser(
        "evaluate",
        help="measure what an agent reaches",
        description="Play fresh episodes with an agent and report what it reaches, beside the best "
        "returns without memory. The agent is 'module:Class' or 'module:object' with the predict() "
        "of Stable-Baselines3, or a zip file that a model of Stable-Baselines3 or sb3-contrib was "
        "saved in.",
    )
    evaluate.add_argument("agent", metavar="AGENT", help="module:Class, module:object or a .zip")
    evaluate.add_argument("--id", required=True, help="the environment, such as SeqEcho-v0")
    add_evaluate_arguments(evaluate)
    evaluate.set_defaults(run=run_evaluate)
    add_parsers(commands)
    return parser


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    add_assignments(parser, "--set", "a parameter, such as lag=4 or 'length=(3, 9)'")


def add_evaluate_arguments(evaluate: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate`` that ``python -m agents evaluate`` has, too."""
    _add_parameters(evaluate)
    evaluate.add_argument(
        "--episodes", type=int_from(1), default=1000, metavar="N", help="how many (default: 1000)"
    )
    evaluate.add_argument(
        "--seed", type=int_from(0), metavar="N", help="which episodes (default: the same each time)"
    )
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of text")
    evaluate.add_argument(
        "--algo",
        metavar="NAME",
        help=f"the algorithm of a zip file, if the file does not tell: {', '.join(ALGORITHMS)}, "
        "or module:Class",
    )
    evaluate.add_argument(
        "--trust",
        action="store_true",
        help="load a zip file; this can run code from it, so trust whoever made the file",
    )


def _show(arguments: argparse.Namespace) -> None:
    from seqenvs.terminal import show

    show(arguments.id, assignments("--set", arguments.set), arguments.seed, arguments.picture)


def _play(arguments: argparse.Namespace) -> None:
    from seqenvs.terminal import play_yourself

    parameters = assignments("--set", arguments.set)
    play_yourself(arguments.id, parameters, arguments.seed, arguments.episodes)


def _list(arguments: argparse.Namespace) -> None:
    from seqenvs.registration import IDS

    head = ["id", "observation", "action", "steps", "chance", "memoryless", "clock", "optimum", ""]
    rows = [head, *map(_row, IDS)]
    if arguments.markdown:
        head[-1] = "note"
        rows.insert(1, 3 * ["---"] + 5 * ["---:"] + ["---"])
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
    from seqenvs.task import find_task

    task = find_task(id, {})
    bounds = task.bounds
    assert task.problem is not None and bounds is not None, "every id of seqenvs has them"
    low, high = task.problem.num_steps
    numbers = bounds.chance, bounds.memoryless, bounds.clock, bounds.optimum
    return [
        id,
        _space(task.observation_space),
        _space(task.action_space),
        str(low) if low == high else f"{low}-{high}",
        *(f"{number:.4f}" for number in numbers),
        "" if bounds.needs_memory else "needs no memory",
    ]


def _space(space: Any) -> str:
    """A space as Gymnasium prints it, without its dtype."""
    if hasattr(space, "low"):
        return f"Box({space.low.min():g}, {space.high.max():g}, {space.shape})"
    return str(space)


def run_evaluate(arguments: argparse.Namespace) -> None:
    """Run ``evaluate``; ``python -m agents evaluate`` uses it for zip files, too."""
    from seqenvs.evaluation import SEED, evaluate
    from seqenvs.task import find_task

    id, name, kwargs = arguments.id, arguments.agent, assignments("--set", arguments.set)
    with usage_errors():
        find_task(id, kwargs)
    is_zip = name.endswith(".zip")
    agent = _load_zip(arguments) if is_zip else _load_agent(name, id, kwargs)
    seed = SEED if arguments.seed is None else arguments.seed
    episodes = arguments.episodes
    try:
        evaluation = evaluate(agent, id, episodes=episodes, seed=seed, progress=True, **kwargs)
    except ValueError as error:
        if not is_zip:
            raise  # with a traceback, which helps the author of the agent
        said = str(error).removeprefix("Error: ")
        raise UsageError(f"{name} cannot play {id}: {said}") from error
    print(evaluation.to_json() if arguments.json else f"{evaluation.report()}\n", end="")


def _load_agent(name: str, id: str, kwargs: dict[str, Any]) -> Any:
    """The agent that ``"module:Class"`` or ``"module:object"`` names."""
    import gymnasium

    from seqenvs.files import import_object
    from seqenvs.oracle import Oracle

    with usage_errors():
        agent = import_object(name, "AGENT must be 'module:Class', 'module:object' or a .zip file")
        if agent is Oracle:
            agent = Oracle.of(gymnasium.make(id, **kwargs))
        elif isinstance(agent, type):
            agent = agent()
    if not any(callable(getattr(agent, method, None)) for method in ("predict", "answer")):
        raise UsageError(f"AGENT {name} must have a method predict(), got {agent!r}")
    return agent


def _load_zip(arguments: argparse.Namespace) -> Any:
    """The model in a zip file of Stable-Baselines3 or sb3-contrib."""
    from seqenvs.files import import_object

    path = Path(arguments.agent)
    if not path.is_file():
        raise UsageError(f"{path} does not exist")
    if not arguments.trust:
        raise UsageError(
            f"{path} is not loaded without --trust: Stable-Baselines3 unpickles parts of its zip "
            "files, and unpickling can run any code. Give --trust if you trust whoever made the "
            "file"
        )
    name = arguments.algo or _algorithm(path)
    if ":" not in name and name not in ALGORITHMS:
        raise UsageError(f"--algo must be {', '.join(ALGORITHMS)}, or module:Class, got {name!r}")
    try:
        found = import_object(ALGORITHMS.get(name, name), "--algo must be module:Class")
    except ValueError as error:
        install = "; pip install 'seqenvs[sb3]'" if name in ALGORITHMS else ""
        raise UsageError(f"{error}{install}") from error
    try:
        return found.load(path, device="cpu")
    except Exception as error:  # a damaged file can raise anything
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f"{path} cannot be loaded with {name}: {said}") from error


def _algorithm(path: Path) -> str:
    """The name of the algorithm that saved a zip file, which its policy and settings tell."""
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(archive.read("data"))
        policy = data["policy_class"]["__module__"]
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is not a model of Stable-Baselines3: {error!r}") from error
    if policy == "stable_baselines3.common.policies":  # the policies of three algorithms
        return "trpo" if "cg_max_steps" in data else "ppo" if "clip_range" in data else "a2c"
    *_, name, _ = f"..{policy}".split(".")
    name = {"recurrent": "recurrent_ppo", "maskable": "maskable_ppo"}.get(name, name)
    if not (policy.startswith(("stable_baselines3.", "sb3_contrib.")) and name in ALGORITHMS):
        raise UsageError(f"{path} does not tell its algorithm, its policy is {policy}: give --algo")
    return name

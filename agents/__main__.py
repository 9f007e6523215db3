"""The command line: ``python -m agents train SeqEcho-v0``, ``python -m agents evaluate RUN``."""

from __future__ import annotations

import argparse
import ast
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import gymnasium

from seqenvs.bounds import known_bounds

try:
    from agents import run_folder
    from agents.evaluate import SEED, evaluate
    from agents.settings import Settings, help_of
    from agents.train import resume, start, train
except ModuleNotFoundError as error:
    sys.exit(f"The agents need {error.name}: pip install -e '.[agents]'")

STRANGERS = (
    "Never load a run folder from a stranger: its model is pickled data, which can run code."
)
OPTIONS = {"seed": int, "steps": int, "target": float, "num_envs": int, "learning_rate": float}


def main(argv: list[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 if all went well, 2 for a wrong argument or run folder, 130 after Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "evaluate":
            _evaluate(arguments)
        else:
            return _train(arguments)
    except (run_folder.RunFolderError, UsageError) as error:
        print(f"python -m agents {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0


class UsageError(Exception):
    """Arguments that don't make sense."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agents", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser(
        "train",
        help="train a recurrent PPO agent and write a run folder",
        description="Train sb3-contrib's RecurrentPPO, with an LSTM, and write a run folder. "
        "Ctrl-C stops it, and --resume goes on. " + STRANGERS,
    )
    training.add_argument("id", nargs="?", help="the environment, such as SeqEcho-v0")
    for name, type in OPTIONS.items():
        training.add_argument("--" + name.replace("_", "-"), type=type, help=help_of(name))
    training.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the environment, such as lag=4; may be given several times",
    )
    training.add_argument("--run", type=Path, help="the run folder (default: runs/ID-DATE-TIME)")
    training.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="go on with the run of this folder, with its settings; "
        "only --steps and --target can be given beside it",
    )
    evaluation = commands.add_parser(
        "evaluate",
        help="play fresh episodes with a trained agent",
        description="Play fresh episodes with a trained agent, report what it reached beside what "
        "is reached without memory, and write evaluation.json into its folder. " + STRANGERS,
    )
    evaluation.add_argument("run", type=Path, help="the folder that train wrote")
    evaluation.add_argument("--episodes", type=int, default=1000, help="how many (default: 1,000)")
    evaluation.add_argument(
        "--seed", type=int, default=SEED, help=f"seed of the episodes (default: {SEED:,})"
    )
    return parser


def _train(arguments: argparse.Namespace) -> int:
    given = {name: getattr(arguments, name) for name in OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    folder: Path
    if arguments.resume is not None:
        others = sorted(set(given) - {"steps", "target"})
        others += [name for name in ("id", "set", "run") if getattr(arguments, name)]
        if others:
            raise UsageError(
                f"{others[0]} can't be given beside --resume, which goes on with the run's own"
            )
        folder = arguments.resume
        settings = run_folder.read_settings(folder)
        try:
            settings = replace(settings, **given)
        except ValueError as error:
            raise UsageError(str(error)) from error
        training = resume(folder, settings)
        run_folder.write_settings(folder, settings)
    else:
        if arguments.id is None:
            raise UsageError("give the id of an environment, such as SeqEcho-v0, or --resume RUN")
        kwargs = dict(_parameter(text) for text in arguments.set)
        try:
            settings = Settings(id=arguments.id, kwargs=kwargs, **given)
            training = start(settings)
        except (gymnasium.error.Error, ImportError, TypeError, ValueError) as error:
            raise UsageError(f"{error}; python -m seqenvs list shows the ids") from error
        name = arguments.id.split(":")[-1]
        folder = arguments.run or Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
        run_folder.create(folder, settings)

    bounds = known_bounds(training.problem)
    if bounds is not None:
        print(
            f"{settings.id}: chance {bounds.chance:.3f}, memoryless {bounds.memoryless:.3f}, "
            f"clock {bounds.clock:.3f}, optimum 1"
        )
    print(
        f"Training until a mean return of {settings.target} or {settings.steps:,} steps, "
        f"into {folder}"
    )
    try:
        train(training, folder)
    except KeyboardInterrupt:
        print(f"Interrupted. {training.saved_steps:,} steps are saved; to go on:")
        print(f"  python -m agents train --resume {folder}")
        return 130
    steps, seconds = training.model.num_timesteps, training.curve[-1].seconds
    if training.reached_target:
        print(f"Reached the target after {steps:,} steps and {seconds:.0f} s. Next:")
    else:
        print(f"Stopped short of the target after {steps:,} steps and {seconds:.0f} s. To go on:")
        print(f"  python -m agents train --resume {folder} --steps {2 * steps}")
        print("Next:")
    print(f"  python -m agents evaluate {folder}")
    return 0


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise UsageError(f"--set must be NAME=VALUE, such as lag=4, got {text!r}")
    if value.isidentifier() and value not in ("True", "False", "None"):
        return name, value  # a word needs no quotes
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError) as error:
        raise UsageError(f"--set {name}: {value!r} is no Python number, word or list") from error


def _evaluate(arguments: argparse.Namespace) -> None:
    settings = run_folder.read_settings(arguments.run)
    model = run_folder.read_model(arguments.run)
    try:
        evaluation = evaluate(
            model, settings.id, settings.kwargs, episodes=arguments.episodes, seed=arguments.seed
        )
    except (gymnasium.error.Error, ImportError, TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    path = arguments.run / run_folder.EVALUATION
    run_folder.write(path, lambda file: file.write_text(evaluation.to_json(), encoding="utf-8"))
    print(evaluation.report())
    if arguments.seed == settings.seed:
        print("\nThe agent was trained with this seed: these episodes are not fresh.")


if __name__ == "__main__":
    sys.exit(main())

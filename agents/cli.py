"""The command line of the reference agents: ``python -m agents --help``.

Modules that take long to import, such as torch, are imported by the commands that need them.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from agents.config import AGENTS, RECURRENT_PPO, WINDOW, PPOOptions, SupervisedOptions
from agents.training import run_folder
from agents.training.run_folder import RunFolderError
from seqenvs.arguments import (
    UsageError,
    add_assignments,
    assignments,
    int_from,
    run_command,
    usage_errors,
)
from seqenvs.benchmark.cli import add_parsers
from seqenvs.cli import add_evaluate_arguments, run_evaluate
from seqenvs.files import write_atomically, write_text

if TYPE_CHECKING:
    from agents.learners import ReferenceAgent
    from seqenvs.benchmark.suites import Suite

INSTALL = "pip install -e '.[agents]'"


def main(argv: list[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments; by default those of the process.

    Returns:
        0 if all went well; 1 if a preset did not solve its problem, a claim was not confirmed, a
        job of the benchmark failed or a file cannot be written; 2 for a wrong argument or run
        folder; 130 after Ctrl-C.
    """
    return run_command(_parser(), argv, INSTALL)


def _list_options() -> str:
    """Describe the options of the agents for the help."""
    lines = []
    for title, made in ((RECURRENT_PPO, PPOOptions), ("the others", SupervisedOptions)):
        lines.append(f"options of {title}:")
        for each in fields(made):
            line = f"{each.name}: {each.metadata['help']} (default: {each.default})"
            lines += textwrap.wrap(line, 78, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m agents",
        description="Train and evaluate the reference agents, and measure what they reach.",
    )
    commands = parser.add_subparsers(metavar="COMMAND")
    _add_train(commands)
    evaluate = commands.add_parser(
        "evaluate",
        help="play fresh episodes with a trained agent",
        description="Play fresh episodes with a trained agent, print what it reaches next to the "
        "best scores without memory, and write evaluation.json into its run folder. The agent may "
        "also be a zip file of Stable-Baselines3 or sb3-contrib; then give --id.",
    )
    evaluate.set_defaults(run=_evaluate)
    evaluate.add_argument("agent", metavar="RUN", help="the folder that train wrote, or a zip file")
    evaluate.add_argument("--id", help="the environment, for a zip file")
    add_evaluate_arguments(evaluate)
    export = commands.add_parser(
        "export",
        help="write a trained agent as an ONNX model",
        description="Write one step of a trained agent as an ONNX model, whose recurrent state is "
        "input and output. Then run the model with onnxruntime and compare it with the agent.",
    )
    export.set_defaults(run=_export)
    export.add_argument("folder", metavar="RUN", type=Path, help="the folder that train wrote")
    export.add_argument("--to", type=Path, help="the file (default: RUN/model.onnx)")
    _add_experiment(
        commands,
        "prove",
        _prove,
        "run every preset with three seeds",
        "Run every preset with three seeds, and write the results and docs/presets.md.",
        "run those whose name contains this text, such as SeqEcho; docs/presets.md is not written",
    )
    _add_experiment(
        commands,
        "claims",
        _claims,
        "measure the claims of the tutorials",
        "Measure the claims of the tutorials that the problems come from, with three seeds, and "
        "write docs/claims.md with its picture.",
        "measure those whose section, text, environment or agent contains this text; docs/claims.md"
        " is not written",
    )
    add_parsers(commands, _make_suite)
    return parser


def _add_train(commands: Any) -> None:
    train = commands.add_parser(
        "train",
        help="train an agent and write a run folder",
        description=textwrap.fill(
            f"Train an agent and write a run folder. {RECURRENT_PPO} learns from rewards, the "
            "others from the right answers. What is not given comes from the preset of the agent "
            "for this environment, see docs/presets.md. Ctrl-C stops the run, and --resume "
            "continues it.",
            78,
        ),
        epilog=_list_options(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.set_defaults(run=_train)
    add = train.add_argument
    add("id", nargs="?", help="the environment, such as SeqEcho-v0")
    add("--agent", metavar="NAME", help=", ".join(AGENTS))
    add("--seed", type=int, help="of the episodes, the network and the exploration (default: 0)")
    add("--steps", type=int, help="stop after this many time steps, summed over all episodes")
    target = f"stop when the mean return of the last {WINDOW:,} episodes reaches this"
    add("--target", type=float, help=target)
    add_assignments(train, "--set", "a parameter of the environment, such as lag=4")
    add_assignments(train, "--option", "an option of the agent, such as hidden=128")
    add("--run", dest="folder", metavar="RUN", type=Path, help="default: runs/ID-DATE-TIME")
    add(
        "--resume",
        type=Path,
        metavar="RUN",
        help="continue the run in this folder with its settings; only --steps and --target can be "
        "given, too",
    )


def _add_experiment(
    commands: Any, name: str, run: Callable[..., int], help: str, description: str, only: str
) -> None:
    command = commands.add_parser(
        name,
        help=help,
        description=f"{description} Runs that are there already are not run again, unless their "
        "settings changed. Ctrl-C stops it, and the same command continues.",
    )
    command.set_defaults(run=run)
    command.add_argument("--only", default="", help=only)
    command.add_argument("--jobs", type=int_from(1), default=2, help="runs at a time (default: 2)")
    folder = Path("runs") / name
    command.add_argument(
        "--work", type=Path, default=folder, help=f"working folder (default: {folder})"
    )


def _make_suite(*arguments: Any) -> Suite:
    from agents.suites import make_suite

    return make_suite(*arguments)


@contextmanager
def _errors_of_runs() -> Iterator[None]:
    """Report errors of run folders, and of making an environment or an agent, to the user."""
    try:
        with usage_errors():
            yield
    except RunFolderError as error:
        raise UsageError(str(error)) from error


def _train(arguments: argparse.Namespace) -> int:
    from agents.training.train import train

    given = {name: getattr(arguments, name) for name in ("seed", "steps", "target")}
    given = {name: value for name, value in given.items() if value is not None}
    if given.get("target", 0) > 1:
        raise UsageError(f"--target must be at most 1, as a mean return is, got {given['target']}")
    begin = _start if arguments.resume is None else _resume
    with _errors_of_runs():
        agent, folder = begin(arguments, given)
    settings = agent.settings
    print(_introduction(agent))
    print(
        f"Training until a mean return of {settings.target} or {settings.steps:,} steps, "
        f"into {folder}"
    )
    try:
        train(agent, folder)
    except KeyboardInterrupt:
        print(f"Interrupted. {agent.saved_steps:,} steps are saved; to continue:")
        print(f"  python -m agents train --resume {folder}")
        return 130
    if not agent.reached_target:
        print(f"Stopped short of the target: {agent.summary()}. To continue:")
        print(f"  python -m agents train --resume {folder} --steps {2 * agent.steps}")
        print("Next:")
    elif agent.remembers or agent.mean_return >= settings.target:
        print(f"Reached the target: {agent.summary()}. Next:")
    else:
        print(f"Stopped, because {settings.agent} has no memory: {agent.summary()}. Next:")
    print(f"  python -m agents evaluate {folder}")
    return 0


def _start(arguments: argparse.Namespace, given: dict[str, Any]) -> tuple[ReferenceAgent, Path]:
    from agents.learners import make_agent
    from agents.presets import preset_settings

    if arguments.id is None:
        raise UsageError("give the id of an environment, such as SeqEcho-v0, or --resume RUN")
    kwargs = assignments("--set", arguments.set)
    options = assignments("--option", arguments.option)
    settings = preset_settings(
        arguments.id, kwargs, arguments.agent or RECURRENT_PPO, options, **given
    )
    agent = make_agent(settings)
    name = arguments.id.split(":")[-1]
    folder = arguments.folder or Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    run_folder.create(folder, settings)
    return agent, folder


def _resume(arguments: argparse.Namespace, given: dict[str, Any]) -> tuple[ReferenceAgent, Path]:
    from agents import learners

    others = ["seed"] if "seed" in given else []
    names = {"id": "id", "agent": "agent", "set": "set", "option": "option", "run": "folder"}
    others += [name for name, attribute in names.items() if getattr(arguments, attribute)]
    if others:
        raise UsageError(
            f"{others[0]} can't be given with --resume, which continues with the settings of the "
            "run"
        )
    folder: Path = arguments.resume
    settings = replace(run_folder.read_settings(folder), **given)
    agent = learners.AGENTS[settings.agent]()
    agent.load(folder / run_folder.CHECKPOINT, settings)
    run_folder.write_settings(folder, settings)
    return agent, folder


def _introduction(agent: ReferenceAgent) -> str:
    """Describe the environment, the agent, the bounds, and what the preset has reached before."""
    from agents.experiments import proven

    settings, bounds = agent.settings, agent.bounds
    said = f"{settings.id}, {settings.agent}"
    if bounds is not None:
        said += (
            f": chance {bounds.chance:.3f}, memoryless {bounds.memoryless:.3f}, "
            f"clock {bounds.clock:.3f}, optimum 1"
        )
    if known := proven(settings):
        steps = int(median(result.steps for result in known))
        seconds = median(result.seconds for result in known)
        solved = sum(result.solved for result in known)
        said += (
            f"\nThis preset solved it with {solved} of {len(known)} seeds, in {steps:,} steps and "
            f"{seconds:.1f} s (medians)"
        )
    if agent.sees_future:
        said += f"\n{agent.name} sees whole episodes before it answers: it could not act in them."
    return said


def _evaluate(arguments: argparse.Namespace) -> None:
    from seqenvs.evaluation import SEED, evaluate

    if arguments.agent.endswith(".zip"):
        if arguments.id is None:
            raise UsageError("--id must be given for a zip file, such as --id SeqEcho-v0")
        run_evaluate(arguments)
        return
    folder = Path(arguments.agent)
    for name in ("id", "set", "algo", "trust"):
        if getattr(arguments, name):
            raise UsageError(f"--{name} is for zip files; the settings of a run say what it is")
    from agents.learners import read_agent  # which imports torch

    seed = SEED if arguments.seed is None else arguments.seed
    with _errors_of_runs():
        agent = read_agent(folder)
        settings, count = agent.settings, arguments.episodes
        evaluation = evaluate(
            agent, settings.id, episodes=count, seed=seed, progress=True, **settings.kwargs
        )
    write_text(folder / run_folder.EVALUATION, evaluation.to_json())
    print(evaluation.to_json() if arguments.json else f"{evaluation.report()}\n", end="")
    if seed == settings.seed and not arguments.json:
        print("\nThe agent was trained with this seed: these episodes are not fresh.")


def _export(arguments: argparse.Namespace) -> None:
    from agents.learners import read_agent
    from seqenvs.evaluation import evaluate

    path = arguments.to or arguments.folder / "model.onnx"
    with _errors_of_runs():
        agent = read_agent(arguments.folder)
    try:
        from agents.export import ExportError, OnnxAgent, export

        write_atomically(path, lambda file: export(agent, file))
    except ModuleNotFoundError as error:
        raise UsageError(f"export needs {error.name}: pip install -e '.[onnx]'") from error
    except (TypeError, ExportError) as error:
        raise UsageError(str(error)) from error
    print(f"Written: {path}. With onnxruntime:\n")
    print(evaluate(OnnxAgent(path), agent.settings.id, **agent.settings.kwargs).report())


def _prove(arguments: argparse.Namespace) -> int:
    from agents.experiments import run_presets

    return 0 if run_presets(arguments.only, arguments.jobs, arguments.work) else 1


def _claims(arguments: argparse.Namespace) -> int:
    from agents.claims import run_claims

    return 0 if run_claims(arguments.only, arguments.jobs, arguments.work) else 1

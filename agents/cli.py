"""The command line of the reference agents: ``python -m agents --help``.

Modules that take long to import, such as torch, are imported by the commands that need them.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
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
    from agents.config import Settings
    from agents.training.loop import Training
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
    _add_evaluate(commands)
    _add_export(commands)
    _add_experiments(commands)
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
    train.add_argument("id", nargs="?", help="the environment, such as SeqEcho-v0")
    train.add_argument("--agent", metavar="NAME", help=", ".join(AGENTS))
    train.add_argument(
        "--seed", type=int, help="of the episodes, the network and the exploration (default: 0)"
    )
    train.add_argument(
        "--steps", type=int, help="stop after this many time steps, summed over all episodes"
    )
    train.add_argument(
        "--target",
        type=float,
        help=f"stop when the mean return of the last {WINDOW:,} episodes reaches this",
    )
    add_assignments(train, "--set", "a parameter of the environment, such as lag=4")
    add_assignments(train, "--option", "an option of the agent, such as hidden=128")
    train.add_argument(
        "--run",
        dest="folder",
        metavar="RUN",
        type=Path,
        help="the run folder (default: runs/ID-DATE-TIME)",
    )
    train.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="continue the run in this folder with its settings; only --steps and --target can be "
        "given, too",
    )


def _add_evaluate(commands: Any) -> None:
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


def _add_export(commands: Any) -> None:
    export = commands.add_parser(
        "export",
        help="write a trained agent as an ONNX model",
        description="Write one step of a trained agent as an ONNX model, whose recurrent state is "
        "input and output. Then run the model with onnxruntime and compare it with the agent.",
    )
    export.set_defaults(run=_export)
    export.add_argument("folder", metavar="RUN", type=Path, help="the folder that train wrote")
    export.add_argument("--to", type=Path, help="the file (default: RUN/model.onnx)")


def _add_experiments(commands: Any) -> None:
    prove = commands.add_parser(
        "prove",
        help="run every preset with three seeds",
        description="Run every preset with three seeds, and write the results and "
        "docs/presets.md. Runs that are there already are not run again, unless their settings "
        "changed. Ctrl-C stops it, and the same command continues.",
    )
    prove.set_defaults(run=_prove)
    prove.add_argument(
        "--only", default="", help="run those whose name contains this text, such as SeqEcho"
    )
    claims = commands.add_parser(
        "claims",
        help="measure the claims of the tutorials",
        description="Measure the claims of the tutorials that the problems come from, with three "
        "seeds, and write docs/claims.md with its picture. Runs that are there already are not run "
        "again. Ctrl-C stops it, and the same command continues.",
    )
    claims.set_defaults(run=_claims)
    claims.add_argument(
        "--only",
        default="",
        help="measure those whose section, text, environment or agent contains this text; nothing "
        "is written then",
    )
    for command, folder in ((prove, "runs/prove"), (claims, "runs/claims")):
        command.add_argument(
            "--jobs", type=int_from(1), default=2, help="runs at a time (default: 2)"
        )
        command.add_argument(
            "--work", type=Path, default=Path(folder), help=f"working folder (default: {folder})"
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
    if arguments.resume is not None:
        training, folder = _resume(arguments, given)
    else:
        training, folder = _start(arguments, given)
    settings = training.settings
    print(_introduction(training))
    print(
        f"Training until a mean return of {settings.target} or {settings.steps:,} steps, "
        f"into {folder}"
    )
    try:
        train(training, folder)
    except KeyboardInterrupt:
        print(f"Interrupted. {training.saved_steps:,} steps are saved; to continue:")
        print(f"  python -m agents train --resume {folder}")
        return 130
    if not training.reached_target:
        print(f"Stopped short of the target: {training.summary()}. To continue:")
        print(f"  python -m agents train --resume {folder} --steps {2 * training.learner.steps}")
        print("Next:")
    elif training.learner.remembers or training.mean_return >= settings.target:
        print(f"Reached the target: {training.summary()}. Next:")
    else:
        print(f"Stopped, because {settings.agent} has no memory: {training.summary()}. Next:")
    print(f"  python -m agents evaluate {folder}")
    return 0


def _start(arguments: argparse.Namespace, given: dict[str, Any]) -> tuple[Training, Path]:
    from agents.presets import preset_settings
    from agents.training.loop import start

    if arguments.id is None:
        raise UsageError("give the id of an environment, such as SeqEcho-v0, or --resume RUN")
    kwargs = assignments("--set", arguments.set)
    options = assignments("--option", arguments.option)
    agent = arguments.agent or RECURRENT_PPO
    with _errors_of_runs():
        settings = preset_settings(arguments.id, kwargs, agent, options, **given)
        training = start(settings)
        name = arguments.id.split(":")[-1]
        folder = arguments.folder or Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
        run_folder.create(folder, settings)
    return training, folder


def _resume(arguments: argparse.Namespace, given: dict[str, Any]) -> tuple[Training, Path]:
    from agents.training.loop import resume

    others = sorted(set(given) - {"steps", "target"})
    names = {"id": "id", "agent": "agent", "set": "set", "option": "option", "run": "folder"}
    others += [name for name, attribute in names.items() if getattr(arguments, attribute)]
    if others:
        raise UsageError(
            f"{others[0]} can't be given with --resume, which continues with the settings of the "
            "run"
        )
    folder: Path = arguments.resume
    with _errors_of_runs():
        settings = replace(run_folder.read_settings(folder), **given)
        training = resume(folder / run_folder.CHECKPOINT, settings)
    run_folder.write_settings(folder, settings)
    return training, folder


def _introduction(training: Training) -> str:
    """Describe the environment, the agent, the bounds, and what the preset has reached before."""
    settings, bounds = training.settings, training.bounds
    said = f"{settings.id}, {settings.agent}"
    if bounds is not None:
        said += (
            f": chance {bounds.chance:.3f}, memoryless {bounds.memoryless:.3f}, "
            f"clock {bounds.clock:.3f}, optimum 1"
        )
    said += _proven(settings)
    if training.learner.sees_future:
        said += (
            f"\n{settings.agent} sees whole episodes before it answers: it could not act in them."
        )
    return said


def _proven(settings: Settings) -> str:
    from agents.experiments import proven

    known = proven(settings)
    if not known:
        return ""
    steps = int(median(result.steps for result in known))
    seconds = median(result.seconds for result in known)
    solved = sum(result.solved for result in known)
    return (
        f"\nThis preset solved it with {solved} of {len(known)} seeds, in {steps:,} steps and "
        f"{seconds:.1f} s (medians)"
    )


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
    seed = SEED if arguments.seed is None else arguments.seed
    with _errors_of_runs():
        settings = run_folder.read_settings(folder)
        evaluation = evaluate(
            run_folder.read_learner(folder),
            settings.id,
            episodes=arguments.episodes,
            seed=seed,
            progress=True,
            **settings.kwargs,
        )
    write_text(folder / run_folder.EVALUATION, evaluation.to_json())
    print(evaluation.to_json() if arguments.json else f"{evaluation.report()}\n", end="")
    if seed == settings.seed and not arguments.json:
        print("\nThe agent was trained with this seed: these episodes are not fresh.")


def _export(arguments: argparse.Namespace) -> int:
    from seqenvs.evaluation import evaluate

    path = arguments.to or arguments.folder / "model.onnx"
    with _errors_of_runs():
        settings = run_folder.read_settings(arguments.folder)
        learner = run_folder.read_learner(arguments.folder)
    try:
        from agents.export import ExportError, OnnxAgent, export

        write_atomically(path, lambda file: export(learner, file))
    except ModuleNotFoundError as error:
        raise UsageError(f"export needs {error.name}: pip install -e '.[onnx]'") from error
    except (TypeError, ExportError) as error:
        raise UsageError(str(error)) from error
    print(f"Written: {path}. With onnxruntime:\n")
    print(evaluate(OnnxAgent(path), settings.id, **settings.kwargs).report())
    return 0


def _prove(arguments: argparse.Namespace) -> int:
    from agents.experiments import run_presets

    return 0 if run_presets(arguments.only, arguments.jobs, arguments.work) else 1


def _claims(arguments: argparse.Namespace) -> int:
    from agents.claims import run_claims

    return 0 if run_claims(arguments.only, arguments.jobs, arguments.work) else 1

"""The command line: ``python -m agents train SeqEcho-v0``, ``python -m agents evaluate RUN``."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

try:
    import gymnasium
    import numpy as np

    from agents.claims import run_claims, table
    from agents.config import AGENTS, RECURRENT_PPO, PPOOptions, SupervisedOptions
    from agents.export import ExportError, OnnxAgent, export
    from agents.presets import preset_settings
    from agents.prove import prove, proven
    from agents.training import run_folder
    from agents.training.train import WINDOW, Training, resume, start, train
    from seqenvs.arguments import add_assignments, assignments
    from seqenvs.benchmark.runner import EngineError, run_benchmark
    from seqenvs.benchmark.suites import SuiteError, read_suite
    from seqenvs.evaluation import SEED, evaluate
except ModuleNotFoundError as error:
    sys.exit(f"The agents need {error.name}: pip install -e '.[agents]'")
except KeyboardInterrupt:  # the imports take seconds
    print("Interrupted.", file=sys.stderr)
    sys.exit(130)

BENCHMARK = Path("runs/benchmark")


def main(argv: list[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 if all went well, 1 if a preset did not solve its problem, a cell of the benchmark
        failed or a file can't be written, 2 for a wrong argument or run folder, 130 after Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "train": _train,
        "evaluate": _evaluate,
        "export": _export,
        "prove": _prove,
        "claims": _claims,
        "benchmark": _benchmark,
        "report": _report,
    }
    try:
        code = commands[arguments.command](arguments)
        sys.stdout.flush()  # here, where its errors can be caught, and not as Python exits
    except (run_folder.RunFolderError, UsageError) as error:
        print(f"python -m agents {arguments.command}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # as by "| head", which has read enough
            print(f"python -m agents {arguments.command}: {error}", file=sys.stderr)
        if error.filename is None:  # Python flushes the output once more, which would fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return code


class UsageError(Exception):
    """Arguments that don't make sense."""


def _list_options() -> str:
    """The options of the agents, for the help."""
    lines = []
    for title, made in ((RECURRENT_PPO, PPOOptions), ("the others", SupervisedOptions)):
        lines.append(f"options of {title}:")
        for each in fields(made):
            line = f"{each.name}: {each.metadata['help']} (default: {each.default})"
            lines += textwrap.wrap(line, 78, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agents", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser(
        "train",
        help="train an agent and write a run folder",
        description=textwrap.fill(
            f"Train an agent and write a run folder. {RECURRENT_PPO} learns from rewards, the "
            "others from the right answers. What is not given comes from the agent's preset for "
            "this environment, see docs/presets.md. Ctrl-C stops it, and --resume goes on.",
            78,
        ),
        epilog=_list_options(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    training.add_argument("id", nargs="?", help="the environment, such as SeqEcho-v0")
    training.add_argument("--agent", metavar="NAME", help=", ".join(AGENTS))
    training.add_argument(
        "--seed", type=int, help="of the episodes, the network and the exploration (default: 0)"
    )
    training.add_argument(
        "--steps", type=int, help="stop after this many time steps of all episodes together"
    )
    training.add_argument(
        "--target",
        type=float,
        help=f"stop when the mean return of the last {WINDOW:,} episodes reaches this",
    )
    add_assignments(training, "--set", "a parameter of the environment, such as lag=4")
    add_assignments(training, "--option", "an option of the agent, such as hidden=128")
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
        "is reached without memory, and write evaluation.json into its folder.",
    )
    evaluation.add_argument("run", type=Path, help="the folder that train wrote")
    evaluation.add_argument("--episodes", type=int, default=1000, help="how many (default: 1,000)")
    evaluation.add_argument(
        "--seed", type=int, default=SEED, help=f"seed of the episodes (default: {SEED:,})"
    )
    exporting = commands.add_parser(
        "export",
        help="write a trained agent as an ONNX model",
        description="Write one step of a trained agent, with its recurrent state as input and "
        "output, as an ONNX model, and play it with onnxruntime beside the agent.",
    )
    exporting.add_argument("run", type=Path, help="the folder that train wrote")
    exporting.add_argument("--to", type=Path, help="the file (default: RUN/model.onnx)")
    proving = commands.add_parser(
        "prove",
        help="run every preset with three seeds",
        description="Run every preset with three seeds, and write agents/results.json and "
        "docs/presets.md. What is there already is not run again, unless its settings changed. "
        "Ctrl-C stops it, and the same command goes on.",
    )
    proving.add_argument("--only", default="", help="those in whose name this is, such as SeqEcho")
    proving.add_argument("--jobs", type=int, default=2, help="runs at a time (default: 2)")
    proving.add_argument(
        "--work", type=Path, default=Path("runs/prove"), help="folder of the runs under way"
    )
    claiming = commands.add_parser(
        "claims",
        help="measure the claims of the tutorials",
        description="Measure the claims of the tutorials that the problems come from, with three "
        "seeds, and write docs/claims.md with its picture. Runs that are in agents/results.json "
        "are not run again. Ctrl-C stops it, and the same command goes on.",
    )
    claiming.add_argument(
        "--only",
        default="",
        help="those in whose section, text, environment or agent this is; nothing is written then",
    )
    claiming.add_argument("--jobs", type=int, default=2, help="runs at a time (default: 2)")
    claiming.add_argument(
        "--work", type=Path, default=Path("runs/claims"), help="folder of the runs under way"
    )
    _add_benchmark(commands)
    return parser


def _add_benchmark(commands: Any) -> None:
    """The commands of the benchmark."""
    benchmarking = commands.add_parser(
        "benchmark",
        help="run a suite of agents on a suite of problems",
        description="Run agents on problems, with several seeds each, and write a file for each "
        "run and all of them to results.json. What is there already is not run again, unless its "
        "settings changed. Ctrl-C stops it, and the same command goes on.",
    )
    benchmarking.add_argument(
        "--suite",
        default="quick",
        metavar="NAME",
        help="quick, timed, full, or a JSON file such as one of these in agents/suites.json "
        "(default: quick)",
    )
    benchmarking.add_argument(
        "--dir", type=Path, default=BENCHMARK, help=f"folder of the results (default: {BENCHMARK})"
    )
    benchmarking.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="runs at a time (default: one a core)"
    )
    benchmarking.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="where to run: on this machine, or on a Ray cluster (default: local)",
    )
    benchmarking.add_argument(
        "--address",
        help="of an existing Ray cluster, such as 10.0.0.1:6379; without it, Ray is started here",
    )
    benchmarking.add_argument("--only", default="", help="those in whose name this is")
    benchmarking.add_argument(
        "--agent",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="put an agent, your own or one of ours, into every row; may be given several times",
    )
    benchmarking.add_argument("--id", help="one more environment for the matrix")
    add_assignments(benchmarking, "--set", "a parameter of that environment")
    reporting = commands.add_parser(
        "report",
        help="write the benchmark's report",
        description="Write the report of what benchmark measured.",
    )
    reporting.add_argument(
        "--dir", type=Path, default=BENCHMARK, help=f"folder of the results (default: {BENCHMARK})"
    )
    reporting.add_argument("--out", type=Path, help="folder of the report (default: DIR/report)")


def _train(arguments: argparse.Namespace) -> int:
    given = {name: getattr(arguments, name) for name in ("seed", "steps", "target")}
    given = {name: value for name, value in given.items() if value is not None}
    if given.get("target", 0) > 1:
        raise UsageError(f"--target must be at most 1, as a mean return is, got {given['target']}")
    folder: Path
    if arguments.resume is not None:
        others = sorted(set(given) - {"steps", "target"})
        names = ("id", "agent", "set", "option", "run")
        others += [name for name in names if getattr(arguments, name)]
        if others:
            raise UsageError(
                f"{others[0]} can't be given beside --resume, which goes on with the run's own"
            )
        folder = arguments.resume
        settings = run_folder.read_settings(folder)
        try:
            settings = replace(settings, **given)
            training = resume(folder, settings)
        except (gymnasium.error.Error, ImportError, TypeError, ValueError) as error:
            raise UsageError(str(error)) from error
        run_folder.write_settings(folder, settings)
    else:
        if arguments.id is None:
            raise UsageError("give the id of an environment, such as SeqEcho-v0, or --resume RUN")
        kwargs = _assignments("--set", arguments.set)
        options = _assignments("--option", arguments.option)
        try:
            settings = preset_settings(
                arguments.id, kwargs, arguments.agent or RECURRENT_PPO, options, **given
            )
        except (TypeError, ValueError) as error:
            raise UsageError(str(error)) from error
        try:
            training = start(settings)
        except gymnasium.error.Error as error:
            raise UsageError(f"{error}; python -m seqenvs list shows the ids") from error
        except (ImportError, TypeError, ValueError) as error:
            raise UsageError(str(error)) from error
        name = arguments.id.split(":")[-1]
        folder = arguments.run or Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
        run_folder.create(folder, settings)

    print(_introduction(training))
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
    if not training.reached_target:
        print(f"Stopped short of the target: {training.summary()}. To go on:")
        print(f"  python -m agents train --resume {folder} --steps {2 * training.learner.steps}")
        print("Next:")
    elif training.learner.remembers or float(np.mean(training.recent)) >= settings.target:
        print(f"Reached the target: {training.summary()}. Next:")
    else:
        print(f"Stopped, as {settings.agent} remembers nothing: {training.summary()}. Next:")
    print(f"  python -m agents evaluate {folder}")
    return 0


def _introduction(training: Training) -> str:
    """What is learned, by whom, and what is reached without memory."""
    settings, bounds = training.settings, training.bounds
    said = f"{settings.id}, {settings.agent}"
    if bounds is not None:
        said += (
            f": chance {bounds.chance:.3f}, memoryless {bounds.memoryless:.3f}, "
            f"clock {bounds.clock:.3f}, optimum 1"
        )
    known = proven(settings)
    if known:
        steps = int(median(result.steps for result in known))
        seconds = median(result.seconds for result in known)
        solved = sum(result.solved for result in known)
        said += (
            f"\nThis preset solved it with {solved} of {len(known)} seeds, in {steps:,} steps and "
            f"{seconds:.1f} s (medians)"
        )
    if training.learner.sees_future:
        said += f"\n{settings.agent} sees whole sequences before it answers: it can't act in them."
    return said


def _prove(arguments: argparse.Namespace) -> int:
    return 0 if prove(arguments.only, arguments.jobs, arguments.work) else 1


def _claims(arguments: argparse.Namespace) -> int:
    try:
        rows = run_claims(arguments.only, arguments.jobs, arguments.work)
    except ValueError as error:
        raise UsageError(str(error)) from error
    print(*table(rows), sep="\n")
    return 0 if all(row.confirmed for row in rows) else 1


def _benchmark(arguments: argparse.Namespace) -> int:
    if arguments.jobs < 1:
        raise UsageError(f"--jobs must be at least 1, got {arguments.jobs}")
    if arguments.set and arguments.id is None:
        raise UsageError("--set needs --id, the environment whose parameter it is")
    if arguments.address is not None and arguments.engine != "ray":
        raise UsageError("--address needs --engine ray")
    began = time.monotonic()
    try:
        suite = read_suite(arguments.suite).with_agents(arguments.agent)
        if arguments.id is not None:
            kwargs = _assignments("--set", arguments.set)
            suite = suite.with_environment(arguments.id, kwargs)
        failures = run_benchmark(
            suite,
            arguments.dir,
            jobs=arguments.jobs,
            engine=arguments.engine,
            address=arguments.address,
            only=arguments.only,
        )
    except (SuiteError, EngineError, TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        said = "the disk is full" if error.errno == errno.ENOSPC else str(error)
        print(
            f"python -m agents benchmark: {arguments.dir} can't be written: {said}. What was "
            "finished is kept; the same command goes on.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("Interrupted. What was finished is kept; the same command goes on.", file=sys.stderr)
        return 130
    minutes = (time.monotonic() - began) / 60
    print(f"Written in {minutes:.1f} minutes: {arguments.dir / 'results.json'}. Next:")
    print(f"  python -m agents report --dir {arguments.dir}")
    if failures:
        print(f"{len(failures)} failed:", file=sys.stderr)
        for failure in failures:
            print(f"  {failure.cell.name}: {failure.error}", file=sys.stderr)
    return 1 if failures else 0


def _report(arguments: argparse.Namespace) -> int:
    try:
        from seqenvs.benchmark.report import write_report  # which needs what no other command does
    except ModuleNotFoundError as error:
        raise UsageError(f"report needs {error.name}: pip install -e '.[benchmark]'") from error
    for path in write_report(arguments.dir, arguments.out or arguments.dir / "report"):
        print(f"Written: {path}")
    return 0


def _assignments(flag: str, texts: list[str]) -> dict[str, Any]:
    try:
        return assignments(flag, texts)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _evaluate(arguments: argparse.Namespace) -> int:
    settings = run_folder.read_settings(arguments.run)
    try:
        learner = run_folder.read_learner(arguments.run)
        evaluation = evaluate(
            learner,
            settings.id,
            settings.kwargs,
            episodes=arguments.episodes,
            seed=arguments.seed,
            progress=True,
        )
    except (gymnasium.error.Error, ImportError, TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    path = arguments.run / run_folder.EVALUATION
    run_folder.write_text(path, evaluation.to_json())
    print(evaluation.report())
    if arguments.seed == settings.seed:
        print("\nThe agent was trained with this seed: these episodes are not fresh.")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    path = arguments.to or arguments.run / "model.onnx"
    settings = run_folder.read_settings(arguments.run)
    try:
        learner = run_folder.read_learner(arguments.run)
        run_folder.write(path, lambda file: export(learner, file))
    except ModuleNotFoundError as error:
        raise UsageError(f"export needs {error.name}: pip install -e '.[onnx]'") from error
    except (gymnasium.error.Error, ImportError, TypeError, ValueError, ExportError) as error:
        raise UsageError(str(error)) from error
    print(f"Written: {path}. Played by onnxruntime:\n")
    print(evaluate(OnnxAgent(path), settings.id, settings.kwargs).report())
    return 0


if __name__ == "__main__":
    sys.exit(main())

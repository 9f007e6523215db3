"""The commands ``benchmark`` and ``report``, for every command line that has them."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqenvs.arguments import UsageError, add_assignments, assignments, int_from

if TYPE_CHECKING:
    from seqenvs.benchmark.executors import Executor
    from seqenvs.benchmark.suites import Suite

FOLDER = Path("runs/benchmark")
GO_ON = "What was finished is kept; the same command continues."

SuiteMaker = Callable[..., "Suite"]  # see `seqenvs.benchmark.suites.make_suite`


def add_parsers(commands: Any, make_suite: SuiteMaker | None = None) -> None:
    """Add the commands to a command line.

    Each parser has the default ``run``, as `seqenvs.arguments.run_command` calls it.

    Args:
        commands: What ``add_subparsers`` of an `argparse.ArgumentParser` returned.
        make_suite: Makes the suite to run; None for `seqenvs.benchmark.suites.make_suite`.
    """
    benchmark = commands.add_parser(
        "benchmark",
        help="run agents on a suite of problems",
        description="Run agents on problems, with several seeds each, and write a file for each "
        "run and all of them to results.json. Runs that are there already are not run again, "
        "unless their settings changed. Ctrl-C stops it, and the same command continues.",
    )
    benchmark.set_defaults(run=partial(run_benchmark_command, make_suite=make_suite))
    benchmark.add_argument(
        "--suite",
        default="quick",
        metavar="NAME",
        help="quick, timed, full, or a JSON file with a suite of your own (default: quick)",
    )
    benchmark.add_argument(
        "--agent",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="an agent to run in every row of the suite; may be given several times",
    )
    add_assignments(benchmark, "--option", "an argument of these agents' constructors")
    benchmark.add_argument("--id", help="one more environment for the suite's matrix")
    add_assignments(benchmark, "--set", "a parameter of that environment")
    benchmark.add_argument("--only", default="", help="run those whose name contains this text")
    benchmark.add_argument(
        "--dir", type=Path, default=FOLDER, help=f"folder of the results (default: {FOLDER})"
    )
    benchmark.add_argument(
        "--jobs",
        type=int_from(1),
        default=os.cpu_count(),
        help="runs at a time (default: one a core)",
    )
    benchmark.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="where to run: on this machine, or on a Ray cluster (default: local)",
    )
    benchmark.add_argument(
        "--address",
        help="of an existing Ray cluster, such as 10.0.0.1:6379; without it, Ray is started here",
    )
    report = commands.add_parser(
        "report",
        help="write the report of a benchmark",
        description="Write the report of the results that benchmark has written.",
    )
    report.set_defaults(run=run_report_command)
    report.add_argument(
        "--dir", type=Path, default=FOLDER, help=f"folder of the results (default: {FOLDER})"
    )
    report.add_argument("--out", type=Path, help="folder of the report (default: DIR/report)")


def run_benchmark_command(
    arguments: argparse.Namespace, *, make_suite: SuiteMaker | None = None
) -> int:
    """Run ``benchmark``; returns 0, 1 if a job failed or a file cannot be written, or 130.

    Raises:
        UsageError: An argument is wrong, or something is missing that it asks for.
    """
    if arguments.set and arguments.id is None:
        raise UsageError("--set needs --id, the environment whose parameter it is")
    if arguments.option and not arguments.agent:
        raise UsageError("--option needs --agent, the agent whose option it is")
    if arguments.address is not None and arguments.engine != "ray":
        raise UsageError("--address needs --engine ray")
    options = assignments("--option", arguments.option)
    kwargs = assignments("--set", arguments.set)
    with _needed_by("benchmark"):
        from seqenvs.benchmark import suites
        from seqenvs.benchmark.runner import RESULTS, run_benchmark
    agents = [{"agent": name, "options": options} for name in arguments.agent]
    began = time.monotonic()
    try:
        suite = (make_suite or suites.make_suite)(arguments.suite, agents, arguments.id, kwargs)
        failures = run_benchmark(
            suite, arguments.dir, only=arguments.only, execute=_executor(arguments)
        )
    except OSError as error:
        said = "the disk is full" if error.errno == errno.ENOSPC else str(error)
        print(f"{arguments.dir} can't be written: {said}. {GO_ON}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"Interrupted. {GO_ON}", file=sys.stderr)
        return 130
    minutes = (time.monotonic() - began) / 60
    print(f"Written in {minutes:.1f} minutes: {arguments.dir / RESULTS}. Next:")
    print(f"  seqenvs report --dir {arguments.dir}")
    if failures:
        print(f"{len(failures)} failed:", file=sys.stderr)
        for failure in failures:
            print(f"  {failure.job.name}: {failure.error}", file=sys.stderr)
    return 1 if failures else 0


def run_report_command(arguments: argparse.Namespace) -> int:
    """Run ``report``; returns 0.

    Raises:
        UsageError: There are no results, or something is missing that the report needs.
    """
    with _needed_by("report"):
        from seqenvs.benchmark.report import write_report
    paths = write_report(arguments.dir, arguments.out or arguments.dir / "report")
    print(f"Written: {paths[0]}; beside it {len(paths) - 1} files: leaderboard, tables, figures")
    return 0


@contextmanager
def _needed_by(command: str) -> Iterator[None]:
    """Name a package that a command needs and that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{command} needs {error.name}: pip install 'seqenvs[benchmark]'"
        ) from error


def _executor(arguments: argparse.Namespace) -> Executor:
    if arguments.engine == "ray":
        from seqenvs.benchmark.cluster import on_cluster

        return partial(on_cluster, workers=arguments.jobs, address=arguments.address)
    from seqenvs.benchmark.executors import in_processes

    return partial(in_processes, workers=arguments.jobs)

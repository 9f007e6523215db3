"""Run jobs, each once, and keep their results. A run that is killed can be continued.

A finished job is a file in ``FOLDER/jobs`` and does not run again. A job that was interrupted
continues from its checkpoint in ``FOLDER/work``. Only the process that calls `run_jobs` writes
results.
"""

from __future__ import annotations

import errno
import inspect
import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
from tqdm import tqdm

from seqenvs.benchmark.execution import find_agent, run_job
from seqenvs.benchmark.executors import Executor, Failure, JobFunction, in_process
from seqenvs.benchmark.results import (
    Job,
    JobResult,
    ResultError,
    read_result,
    result_path,
    write_result,
    write_table,
)
from seqenvs.benchmark.suites import Suite, SuiteError
from seqenvs.files import write_text
from seqenvs.task import Task, find_task

RESULTS = "results.json"


def run_jobs(
    jobs: Sequence[Job],
    folder: Path,
    *,
    execute: Executor = in_process,
    run: JobFunction = run_job,
) -> tuple[dict[str, JobResult], list[Failure]]:
    """Run the jobs that have no result in a folder, and write each result as soon as it is there.

    Args:
        jobs: The jobs.
        folder: Where results are written and looked for.
        execute: What calls ``run`` for each job: `in_process`, or `in_processes` or `on_cluster`
            with their arguments bound.
        run: What runs one job.

    Returns:
        The results of all jobs, by their keys and in the order of the jobs, and the jobs that
        raised an exception.

    Raises:
        EngineError: The executor is not available, or broke down.
        OSError: The folder cannot be written, or a disk is full.
        KeyboardInterrupt: Ctrl-C. The same call continues.
    """
    results = find_results(folder, jobs)
    missing = [job for job in jobs if job.key not in results]
    failures: list[Failure] = []
    work = folder / "work"
    for key in results:  # checkpoints that a killed run has left behind
        shutil.rmtree(work / key, ignore_errors=True)
    outcomes = execute(run, missing, work)
    with (
        tqdm(
            total=len(jobs), initial=len(results), unit="job", disable=None, dynamic_ncols=True
        ) as bar,
        closing(outcomes),
    ):
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                if outcome.disk_full:
                    raise OSError(errno.ENOSPC, outcome.error)
                failures.append(outcome)
                bar.write(f"{outcome.job.name}: {outcome.error}", file=sys.stderr)
                continue
            write_result(folder, outcome)
            shutil.rmtree(work / outcome.job.key, ignore_errors=True)
            results[outcome.job.key] = outcome
            bar.update()
            bar.write(outcome.line)
    return {job.key: results[job.key] for job in jobs if job.key in results}, failures


def run_benchmark(
    suite: Suite,
    folder: Path,
    *,
    only: str = "",
    execute: Executor = in_process,
    run: JobFunction = run_job,
) -> list[Failure]:
    """Run the jobs of a suite that have no result yet, and write all results into one file.

    Args:
        suite: The suite. It is written into the folder, too.
        folder: Where results are written and looked for. It is created if necessary.
        only: Run the jobs whose name contains this text, in upper or lower case.
        execute: See `run_jobs`.
        run: See `run_jobs`.

    Returns:
        The jobs that raised an exception.

    Raises:
        SuiteError: Something in the suite cannot be run. Then no job was run.
        EngineError, OSError, KeyboardInterrupt: See `run_jobs`.
    """
    everything = suite.jobs()
    if not everything:
        raise SuiteError("the suite has no agents: give --agent, or 'agents' in the suite's file")
    jobs = [job for job in everything if only.lower() in job.name.lower()]
    if not jobs:
        raise SuiteError(f"no job of the suite has {only!r} in its name")
    check_jobs(jobs)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "suite.json", suite.to_json())
    results, failures = run_jobs(jobs, folder, execute=execute, run=run)
    if only:
        results = {**find_results(folder, everything), **results}
    write_table(folder / RESULTS, [results[job.key] for job in everything if job.key in results])
    return failures


def find_results(folder: Path, jobs: Iterable[Job]) -> dict[str, JobResult]:
    """Read the results of jobs from a folder; damaged files are named and put aside."""
    found = {}
    for job in jobs:
        path = result_path(folder, job)
        if not path.is_file():
            continue
        try:
            found[job.key] = read_result(path)
        except ResultError as error:
            aside = folder / "damaged" / path.name
            aside.parent.mkdir(exist_ok=True)
            path.replace(aside)
            print(f"{error}; moved to {aside}, and run again", file=sys.stderr)
    return found


def check_jobs(jobs: Iterable[Job]) -> None:
    """Check that jobs can begin, before any of them does.

    Raises:
        SuiteError: An environment cannot be made, an agent is no agent, takes other options or
            cannot be stopped after a number of seconds.
    """
    agents, environments = {}, {}  # each combination once
    for job in jobs:
        agents[json.dumps([job.agent, job.options, job.seconds is None])] = job
        environments[json.dumps([job.id, job.kwargs, job.lengths])] = job
    for job in agents.values():
        _check_agent(job)
    for job in environments.values():
        _check_environment(job)


def _check_agent(job: Job) -> None:
    made = find_agent(job.agent)
    try:
        inspect.signature(made).bind(**job.options)
    except TypeError as error:
        raise SuiteError(f"agent {job.agent!r} cannot take {job.options}: {error}") from error
    if job.seconds is not None and not inspect.isgeneratorfunction(made.learn):
        raise SuiteError(
            f"agent {job.agent!r} cannot be given a budget in seconds unless its learn() is a "
            "generator function, which yields the steps learned from so far"
        )


def _check_environment(job: Job) -> None:
    task = _find_task(job, {})
    for length in job.lengths:
        other = _find_task(job, {"length": length})
        spaces = other.observation_space, other.action_space
        if spaces != (task.observation_space, task.action_space):
            raise SuiteError(
                f"id {job.id!r} has other spaces at length={length} than at {job.kwargs}: an "
                "agent cannot be evaluated there"
            )


def _find_task(job: Job, changed: dict[str, Any]) -> Task:
    kwargs = {**job.kwargs, **changed}
    try:
        return find_task(job.id, kwargs)
    except (gymnasium.error.Error, ImportError, TypeError, ValueError) as error:
        raise SuiteError(f"id {job.id!r} {kwargs}: {error}") from error

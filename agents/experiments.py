"""The presets as jobs of the benchmark, and the page that is written from their results.

`results.json` holds the results of the presets and of the claims (`agents.claims`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from statistics import fmean, median

from agents.config import Settings
from agents.presets import PRESETS, preset_settings
from agents.suites import NAMES, agent_spec, job_of
from seqenvs.benchmark.execution import EPISODES
from seqenvs.benchmark.executors import EngineError, Executor, in_processes
from seqenvs.benchmark.results import Job, JobResult, environment_name, read_table, write_table
from seqenvs.benchmark.runner import run_jobs
from seqenvs.benchmark.suites import Suite
from seqenvs.files import write_text

SEEDS = (0, 1, 2)
RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parent.parent / "docs" / "presets.md"


def presets_suite(only: str = "") -> Suite:
    """Return the presets as a suite.

    Args:
        only: Take those whose name, such as ``"SeqEcho-v0 lag=4 lstm"``, contains this text.
    """
    matrix = [
        {"id": preset.id, "kwargs": preset.kwargs, "agents": [agent_spec(settings)]}
        for preset in PRESETS
        if only in f"{environment_name(preset.id, preset.kwargs)} {preset.agent}"
        for settings in [preset_settings(preset.id, preset.kwargs, preset.agent)]
    ]
    return Suite(seeds=list(SEEDS), steps=1, matrix=matrix)


def run_presets(only: str, jobs: int, folder: Path) -> bool:
    """Run the presets that have no result yet; write the page if ``only`` is empty.

    Args:
        only: See `presets_suite`.
        jobs: How many jobs run at a time.
        folder: Where jobs write their checkpoints and results until all are finished.

    Returns:
        Whether every job solved its problem.

    Raises:
        EngineError: A job failed.
        KeyboardInterrupt: Ctrl-C. The same call continues.
    """
    results = find_or_run(presets_suite(only).jobs(), jobs, folder)
    if not only:
        write_text(PAGE, page(results))
    solved = sum(result.solved for result in results)
    print(f"{solved} of {len(results)} runs solved their problem")
    return solved == len(results)


def find_or_run(
    jobs: Sequence[Job],
    workers: int,
    folder: Path,
    path: Path = RESULTS,
    execute: Executor | None = None,
) -> list[JobResult]:
    """Return the results of jobs. Those that a file of results lacks are run and added to it.

    Args:
        jobs: The jobs.
        workers: How many of them run at a time.
        folder: See `seqenvs.benchmark.runner.run_jobs`.
        path: The file of results.
        execute: What runs the jobs, instead of processes on this machine.

    Raises:
        EngineError: A job failed.
        ResultError: The file of results is damaged.
        KeyboardInterrupt: Ctrl-C. The same call continues.
    """
    known = read_known(path)
    missing = [job for job in jobs if job.key not in known]
    if missing:
        execute = execute or partial(in_processes, workers=workers)
        found, failures = run_jobs(missing, folder, execute=execute)
        known |= {key: _without_details(result) for key, result in found.items()}
        write_table(path, sorted(known.values(), key=_order))
        if failures:
            raise EngineError(f"{len(failures)} of {len(missing)} jobs failed")
    return [known[job.key] for job in jobs]


def read_known(path: Path = RESULTS) -> dict[str, JobResult]:
    """Read a file of results by the keys of their jobs; there are none if there is no file."""
    return {result.job.key: result for result in read_table(path)} if path.is_file() else {}


def proven(settings: Settings) -> list[JobResult]:
    """Return the shipped results of an agent with these settings, for all seeds."""
    known = read_known()
    keys = [job_of(replace(settings, seed=seed)).key for seed in SEEDS]
    return [known[key] for key in keys if key in known]


def made_with_lines(results: Iterable[JobResult]) -> list[str]:
    """Return a paragraph for each combination of versions and machine of the results."""
    notes = set()
    for result in results:
        found = (f"{name} {text}" for name, text in result.versions.items() if name != "platform")
        notes.add(f"{', '.join(found)}; {result.machine}.")
    return [line for note in sorted(notes) for line in (note, "")]


def _without_details(result: JobResult) -> JobResult:
    """Return a result without what the pages do not show."""
    evaluation = replace(result.evaluation, accuracy=[])
    return replace(result, curve=[], episodes=[], evaluation=evaluation)


def _order(result: JobResult) -> tuple[str, str, str, int, str]:
    job = result.job
    return job.id, json.dumps(job.kwargs), job.agent, job.seed, job.key


INTRODUCTION = """\
# Presets

The settings that `python -m agents train ID --agent NAME` uses, and what they reached:
medians over seeds of time steps and of seconds of processor time, and the mean return
over {episodes:,} fresh episodes of each seed. *Solved* is a memory score of at least
0.9 or, where no memory is needed, a return of at least 0.99. Every run is a line of
`agents/results.json`.

Written by `python -m agents prove`, with two runs at a time, one thread each.
"""


def page(results: Sequence[JobResult]) -> str:
    """Return the table of the presets, in Markdown."""
    lines = [INTRODUCTION.format(episodes=EPISODES), *made_with_lines(results)]
    lines += [
        "| environment | agent | steps | seconds | return | memory score | seeds solved |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for _, group in groupby(results, lambda result: replace(result.job, seed=0)):
        same = list(group)
        job, reached = same[0].job, [each.evaluation for each in same]
        scores = [each.memory_score for each in reached if each.memory_score is not None]
        lines.append(
            f"| {environment_name(job.id, job.kwargs)} | {NAMES[job.agent]} "
            f"| {int(median(each.steps for each in same)):,} "
            f"| {median(each.seconds for each in same):.1f} "
            f"| {fmean(each.mean_return for each in reached):.4f} "
            f"| {f'{fmean(scores):.3f}' if scores else ''} "
            f"| {sum(each.solved for each in same)} of {len(same)} |"
        )
    return "\n".join(lines) + "\n"

"""Many runs, each a folder of its own: those that are finished are kept, the others go on."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import platform
import signal
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from agents.config import Settings, versions
from agents.training import run_folder
from agents.training.train import resume_or_start, train
from seqenvs import Bounds
from seqenvs.evaluation import evaluate

RESULTS = Path(__file__).with_name("results.json")  # shipped
EPISODES = 1000
SOLVED_SCORE, SOLVED_RETURN = 0.9, 0.99


@dataclass(frozen=True)
class Result:
    """What a run reached.

    Attributes:
        key: Of its settings, see `key_of`.
        id: The environment.
        kwargs: Its parameters.
        agent: Who learned.
        seed: Of the run.
        steps: Time steps learned from.
        seconds: Processor time spent learning, on one thread.
        mean_return: Over 1,000 fresh episodes.
        standard_error: Of that.
        success_rate: Part of the episodes in which every answer was right.
        bounds: chance, memoryless, clock and optimum.
        memory_score: None where no memory is needed.
        versions: What it ran with.
        machine: What it ran on.
    """

    key: str
    id: str
    kwargs: dict[str, Any]
    agent: str
    seed: int
    steps: int
    seconds: float
    mean_return: float
    standard_error: float
    success_rate: float
    bounds: dict[str, float]
    memory_score: float | None
    versions: str
    machine: str

    @property
    def solved(self) -> bool:
        """See `is_solved`."""
        return is_solved(self.memory_score, self.mean_return)

    @property
    def known_bounds(self) -> Bounds:
        """The bounds."""
        return Bounds(**self.bounds)


def is_solved(memory_score: float | None, mean_return: float) -> bool:
    """A memory score of at least 0.9; where no memory is needed, a return of at least 0.99."""
    if memory_score is None:
        return mean_return >= SOLVED_RETURN
    return memory_score >= SOLVED_SCORE


def key_of(settings: Settings) -> str:
    """Settings as a word: another word, another run."""
    text = json.dumps(asdict(settings), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_results(path: Path = RESULTS) -> dict[str, Result]:
    """The results that are known, by key; none if there is no file.

    Raises:
        run_folder.RunFolderError: The file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        records = json.loads(path.read_text("utf-8"))
        if not isinstance(records, list):
            raise TypeError(f"it must hold a list, got {type(records).__name__}")
        found = [Result(**record) for record in records]
    except (ValueError, TypeError) as error:
        raise run_folder.RunFolderError(f"{path} is damaged: {error}") from error
    return {result.key: result for result in found}


def run_all(
    all_settings: Iterable[Settings], *, jobs: int, work: Path, path: Path = RESULTS
) -> dict[str, Result]:
    """Train and evaluate what has no result yet.

    Each result is written when it is there. After Ctrl-C, calling this again goes on, in the middle
    of the runs that were under way.

    Args:
        all_settings: The runs.
        jobs: How many at a time, each a process with one thread.
        work: Where their folders are.
        path: The file of results.

    Returns:
        The results of all of them, by key.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    wanted = {key_of(settings): settings for settings in all_settings}
    results = read_results(path)
    missing = [settings for key, settings in wanted.items() if key not in results]
    context = multiprocessing.get_context("spawn")
    with (
        tqdm(total=len(wanted), initial=len(wanted) - len(missing), unit="run") as bar,
        # Ctrl-C reaches the processes too, and stops those that are amid a training.
        ProcessPoolExecutor(
            jobs, context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
        ) as pool,
    ):
        # No more are submitted than begin at once: those that wait in the pool can't be cancelled.
        rest = iter(missing)
        first = islice(rest, jobs)
        waiting: set[Future[Result]] = {pool.submit(_run, each, work) for each in first}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    results[result.key] = result
                    write_results(results.values(), path)
                    bar.update()
                    bar.write(line(result))
                waiting |= {pool.submit(_run, each, work) for each in islice(rest, len(done))}
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return {key: results[key] for key in wanted}


def write_results(results: Iterable[Result], path: Path = RESULTS) -> None:
    """Write what `read_results` reads, in an order that keeps differences small."""
    ordered = sorted(
        results, key=lambda each: (each.id, json.dumps(each.kwargs), each.agent, each.seed)
    )
    rows = ",\n".join(json.dumps(asdict(result)) for result in ordered)
    run_folder.write_text(path, f"[\n{rows}\n]\n")


def line(result: Result) -> str:
    """A result in a line."""
    score = "" if result.memory_score is None else f"  memory {result.memory_score:.3f}"
    return (
        f"{named(result.id, result.kwargs)}  {result.agent}  seed {result.seed}: "
        f"return {result.mean_return:.4f}{score}  {result.steps:,} steps  {result.seconds:.1f} s"
        f"{'' if result.solved else '  not solved'}"
    )


def named(id: str, kwargs: dict[str, Any]) -> str:
    """An environment with its parameters, as one reads it."""
    return " ".join([id, *(f"{name}={value}" for name, value in kwargs.items())])


def machine() -> str:
    """What this runs on."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"


def _run(settings: Settings, work: Path) -> Result:
    """Train, from the start or from where it was interrupted, and evaluate."""
    key = key_of(settings)
    folder = work / key
    training = resume_or_start(folder, settings)
    train(training, folder, quiet=True)
    reached = evaluate(training.learner, settings.id, settings.kwargs, episodes=EPISODES)
    assert reached.bounds is not None
    found = versions()
    ran_with = ", ".join(f"{name} {found[name]}" for name in found if name != "platform")
    return Result(
        key=key,
        id=settings.id,
        kwargs=settings.kwargs,
        agent=settings.agent,
        seed=settings.seed,
        steps=training.learner.steps,
        seconds=round(training.seconds, 2),
        mean_return=round(reached.mean_return, 6),
        standard_error=round(reached.standard_error, 6),
        success_rate=reached.success_rate,
        bounds=reached.bounds,
        memory_score=None if reached.memory_score is None else round(reached.memory_score, 6),
        versions=ran_with,
        machine=machine(),
    )


def group(results: Iterable[Result]) -> list[list[Result]]:
    """Results that differ by their seed alone, together, in the order of the first."""
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        name = result.id, json.dumps(result.kwargs, sort_keys=True), result.agent
        groups.setdefault(name, []).append(result)
    return list(groups.values())


def mean_of(results: Sequence[Result], name: str) -> float:
    """Mean over seeds."""
    return float(sum(getattr(result, name) for result in results) / len(results))

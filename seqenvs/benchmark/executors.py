"""Executors run a function for each of many jobs: in this process, or in several processes.

`seqenvs.benchmark.cluster` has one for a Ray cluster.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seqenvs.arguments import UsageError
from seqenvs.benchmark.results import Job, JobResult

MAX_RESTARTS = 3  # of the worker processes, without one finished job between them
WATCH_SECONDS = 0.5
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class EngineError(UsageError):
    """The processes or the cluster that run the jobs are missing or broke down."""


@dataclass(frozen=True)
class Failure:
    """A job that raised an exception.

    Attributes:
        job: The job.
        error: The exception and the place where it was raised, in one line.
        disk_full: Whether a disk is full. The other jobs would fail, too.
    """

    job: Job
    error: str
    disk_full: bool = False


Outcome = JobResult | Failure
JobFunction = Callable[[Job, Path], JobResult]  # the path is the folder of the job's checkpoints
Executor = Callable[[JobFunction, Sequence[Job], Path], Generator[Outcome, None, None]]


def attempt(run: JobFunction, job: Job, work: Path | None) -> Outcome:
    """Run a job and return its result, or a `Failure` if it raises.

    Args:
        run: The function that runs it.
        job: The job.
        work: The folder of its checkpoints; None for a temporary one.
    """
    # A number of threads that depends on the machine would change results. Libraries read these
    # when they are loaded; torch may be loaded already.
    os.environ.update(ONE_THREAD)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    try:
        if work is not None:
            return run(job, work)
        with tempfile.TemporaryDirectory() as folder:
            return run(job, Path(folder) / job.key)
    except Exception as error:  # a third-party agent can raise anything
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(f"{type(error).__name__}: {error}".split())
        disk_full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        return Failure(job, f"{said} ({Path(last.filename).name}, line {last.lineno})", disk_full)


def in_process(run: JobFunction, jobs: Sequence[Job], work: Path) -> Generator[Outcome, None, None]:
    """Run jobs one after the other in this process."""
    for job in jobs:
        yield attempt(run, job, work / job.key)


def in_processes(
    run: JobFunction, jobs: Sequence[Job], work: Path, *, workers: int
) -> Generator[Outcome, None, None]:
    """Run jobs on this machine, ``workers`` at a time. Processes that are killed are replaced.

    Raises:
        EngineError: joblib is not installed, or processes were killed again and again.
    """
    if workers == 1:
        yield from in_process(run, jobs, work)
        return
    try:
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import BrokenProcessPool
    except ModuleNotFoundError as error:
        raise EngineError(
            f"benchmark needs {error.name}: pip install 'seqenvs[benchmark]'"
        ) from error
    left = {job.key: job for job in jobs}
    restarts = 0
    while left:
        pool = Parallel(
            n_jobs=workers,
            batch_size=1,
            return_as="generator_unordered",
            backend="loky",
            initializer=_begin_worker,
            initargs=(os.getpid(),),
        )
        tasks = [delayed(attempt)(run, job, work / job.key) for job in left.values()]
        with _without_interrupts():
            outcomes = pool(tasks)
        try:
            for outcome in outcomes:
                restarts = 0
                del left[outcome.job.key]
                yield outcome
        except BrokenProcessPool as error:
            restarts += 1
            if restarts > MAX_RESTARTS:
                raise EngineError(
                    "the processes that run the jobs were killed again and again, as they are "
                    "when memory is short: try fewer --jobs"
                ) from error
            print("A process was killed; its job is run again.", file=sys.stderr)
        finally:
            with warnings.catch_warnings():
                # After Ctrl-C, joblib says that the tasks under way were of no use.
                warnings.filterwarnings("ignore", r"\d+ tasks", UserWarning)
                outcomes.close()


def _begin_worker(driver: int) -> None:
    """Ignore Ctrl-C, which the driver handles, and end when the driver ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        # Without this, a worker of a killed driver and a worker of the next driver could write
        # the same checkpoint.
        while os.getppid() == driver:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C. Processes that are started meanwhile ignore it from their first line on."""
    # Blocking the signal would delay it instead of losing it, but multiprocessing unblocks it.
    if threading.current_thread() is not threading.main_thread():  # only that one gets Ctrl-C
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

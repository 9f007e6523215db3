"""An executor that runs jobs on a Ray cluster."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

import seqenvs
from seqenvs.benchmark.executors import (
    ONE_THREAD,
    EngineError,
    Failure,
    JobFunction,
    Outcome,
    attempt,
)
from seqenvs.benchmark.results import Job

MAX_RETRIES = 10  # of a job whose node or worker dies
CONNECT_SECONDS = 5.0


def on_cluster(
    run: JobFunction, jobs: Sequence[Job], work: Path, *, workers: int, address: str | None = None
) -> Generator[Outcome, None, None]:
    """Run jobs on a Ray cluster, one on each core. Jobs of a node that dies run on another.

    Args:
        run: The function that runs a job.
        jobs: The jobs.
        work: Not used: a job that runs again begins from the start.
        workers: How many jobs at a time, where Ray is started here.
        address: The address of an existing cluster; None to start Ray here.

    Raises:
        EngineError: Ray is not installed, or there is no cluster at the address.
    """
    if not jobs:
        return
    try:
        import ray
    except ModuleNotFoundError as error:
        raise EngineError("--engine ray needs ray: pip install 'seqenvs[ray]'") from error
    if address is not None:
        check_reachable(address)
    with tempfile.TemporaryDirectory() as staged:
        stage(jobs, Path(staged))
        options: dict[str, Any] = {"address": address} if address else {"num_cpus": workers}
        try:
            ray.init(
                **options,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"working_dir": staged, "env_vars": ONE_THREAD},
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())
            raise EngineError(f"no Ray cluster at --address {address!r}: {said}") from error
    try:
        task = ray.remote(num_cpus=1, max_retries=MAX_RETRIES)(attempt)
        waiting = {task.remote(run, job, None): job for job in jobs}
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            job = waiting.pop(done)
            try:
                outcome = ray.get(done)
            except ray.exceptions.RayError as error:
                said = " ".join(str(error).split())
                outcome = Failure(job, f"{type(error).__name__}: {said[:300]}")
            yield outcome
    finally:
        ray.shutdown()


def check_reachable(address: str) -> None:
    """Raise EngineError if nothing listens at an address. Ray itself would try for minutes."""
    if address == "auto":
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and host and port.isdigit()):
        raise EngineError(f"--address must be HOST:PORT, ray://HOST:PORT or auto, got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise EngineError(f"no Ray cluster at --address {address}: {error}") from error


def stage(jobs: Iterable[Job], folder: Path) -> None:
    """Copy into a folder what the nodes of a cluster need.

    That is seqenvs, and for each module that a job names the Python files of the folder that it is
    imported from, unless the module is installed. What those import besides, such as torch, must
    be installed on the nodes.
    """
    source = Path(str(seqenvs.__file__)).parent
    shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    names = {name for job in jobs for name in (job.agent, job.id) if ":" in name}
    roots = {_root_of(name.partition(":")[0]) for name in names}
    for root in sorted(root for root in roots if root is not None):
        for path, folders, files in os.walk(root):
            folders[:] = [
                name
                for name in folders
                if not (name.startswith((".", "__")) or (Path(path, name) / "pyvenv.cfg").exists())
            ]
            for name in files:
                target = folder / Path(path).relative_to(root) / name
                if name.endswith(".py") and not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(Path(path, name), target)


def _root_of(module: str) -> Path | None:
    """Return the folder that a module is imported from; None if the module is installed."""
    spec = importlib.util.find_spec(module.partition(".")[0])
    assert spec is not None, "the module has been imported"
    if spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations))).parent
    else:
        root = Path(str(spec.origin)).parent
    return None if {"site-packages", "dist-packages"} & set(root.parts) else root

"""Run a suite's cells, each once, here or on a Ray cluster, whatever is killed meanwhile.

A cell that is finished is a file in ``DIR/cells``, and is not run again. On this machine one that
was under way goes on from its checkpoint in ``DIR/work``. Only the driver writes results.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import inspect
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

import seqenvs
from agents.config import AGENTS, versions
from agents.study import machine
from agents.training import run_folder
from agents.training.train import CHECKPOINT_SECONDS, Training, resume_or_start, save_checkpoint
from seqenvs.benchmark.results import (
    AtLength,
    Cell,
    CellResult,
    Episode,
    cell_path,
    read_cell,
    thin,
    write_cell,
)
from seqenvs.benchmark.suites import (
    Suite,
    SuiteError,
    check_cells,
    settings_of,
)
from seqenvs.evaluation import evaluate
from seqenvs.task import Task, find_task

EPISODES = 1000  # that a cell is evaluated on
SHOWN_EPISODES = 4  # that are kept for the player
SHOWN_SEED = 2_000_000  # of these
MOST_SHOWN = 32  # numbers of an observation that are kept
DIGITS = 6  # of a result
FRUITLESS_RESTARTS = 3  # of the workers, in which no cell was finished, until we give up
RAY_RETRIES = 10  # of a cell, where its node or its worker dies
CONNECT_SECONDS = 5.0
WATCH_SECONDS = 0.5
ENGINES = ("local", "ray")


class EngineError(Exception):
    """What runs the cells is not there, or broke down; the message says what to do."""


@dataclass(frozen=True)
class Failure:
    """A cell that raised.

    Attributes:
        cell: Which one.
        error: What, and where, in a line.
        full_disk: Whether a disk was full, so that the others would fail too.
    """

    cell: Cell
    error: str
    full_disk: bool = False


Outcome = CellResult | Failure


# One cell.


def run_cell(cell: Cell, work: Path) -> CellResult:
    """Train, from the start or from where it was interrupted, and evaluate.

    Args:
        cell: What is run.
        work: The folder of its checkpoint; it is there while it is needed.
    """
    began = time.monotonic()
    torch.set_num_threads(1)
    curve: list[list[Any]]
    if cell.agent in AGENTS:
        training = _train(cell, work)
        agent: Any = training.learner
        steps, seconds = training.learner.steps, training.seconds
        curve = [
            [row.steps, row.seconds, row.mean_return, row.memory_score] for row in training.curve
        ]
    else:
        agent, steps, seconds = _let_learn(cell)
        curve = _own_curve(agent, find_task(cell.id, cell.kwargs))
        steps = curve[-1][0] if curve else steps
    reached = evaluate(agent, cell.id, cell.kwargs, episodes=EPISODES)
    others = []
    for length in cell.lengths:
        there = evaluate(agent, cell.id, {**cell.kwargs, "length": length}, episodes=EPISODES)
        score = None if there.memory_score is None else round(there.memory_score, DIGITS)
        others.append(AtLength(length, round(there.mean_return, DIGITS), score, there.bounds))
    evaluation = asdict(reached)
    for name in ("mean_return", "standard_error", "memory_score"):
        if evaluation[name] is not None:
            evaluation[name] = round(evaluation[name], DIGITS)
    evaluation["accuracy"] = _plain(reached.accuracy)
    return CellResult(
        cell=cell,
        versions=versions(),
        machine=machine(),
        steps=steps,
        seconds=round(seconds, 3),
        wall_seconds=round(time.monotonic() - began, 3),
        finished=f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        curve=thin(curve),
        evaluation=type(reached)(**evaluation),
        generalisation=others,
        episodes=play(agent, cell.id, cell.kwargs),
    )


def _train(cell: Cell, work: Path) -> Training:
    """Train one of our agents; a checkpoint is left for the case that we are killed."""
    training = resume_or_start(work, settings_of(cell))
    saved = time.monotonic()
    while not (training.finished or training.seconds >= cell.most_seconds):
        training.update()
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            save_checkpoint(training, work)
            saved = time.monotonic()
    return training


def _let_learn(cell: Cell) -> tuple[Any, int, float]:
    """Somebody's own agent once it has learned, its steps and its processor seconds."""
    agent = own_agent(cell.agent)(**cell.options)
    learned = cell.most_steps
    began = time.process_time()
    learning = agent.learn(cell.id, kwargs=dict(cell.kwargs), steps=learned, seed=cell.seed)
    if isinstance(learning, Iterator):
        for so_far in learning:
            learned = int(so_far)
            if time.process_time() - began >= cell.most_seconds:
                break
    return agent, learned, time.process_time() - began


def _own_curve(agent: Any, task: Task) -> list[list[Any]]:
    """The points of an agent that has a ``curve`` of (steps, mean return); the time is unknown."""
    points = []
    for steps, mean_return in getattr(agent, "curve", None) or ():
        score = _plain(task.memory_score(float(mean_return)))
        points.append([int(steps), None, round(float(mean_return), DIGITS), score])
    return points


def own_agent(name: str) -> Any:
    """The class that ``"module:Class"`` names.

    Raises:
        SuiteError: There is none, or it lacks what an agent needs.
    """
    module, _, wanted = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), wanted)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise SuiteError(f"agent {name!r} needs {error.name}, which is not there") from error
        raise SuiteError(f"agent {name!r}: there is no module {error.name!r}") from error
    except Exception as error:  # a module that somebody wrote can raise anything
        raise SuiteError(f"agent {name!r}: {type(error).__name__}: {error}") from error
    if not isinstance(found, type):
        raise SuiteError(f"agent {name!r} must be a class, got {found!r}")
    made: Any = found
    for method in ("learn", "answer" if getattr(made, "sees_future", False) else "predict"):
        if not callable(getattr(made, method, None)):
            raise SuiteError(f"agent {name!r} must have a method {method!r}")
    try:
        inspect.signature(made.learn).bind(None, "SeqEcho-v0", kwargs={}, steps=1, seed=0)
    except TypeError as error:
        raise SuiteError(
            f"agent {name!r} must have learn(env_id, *, kwargs, steps, seed): {error}"
        ) from error
    return made


def play(agent: Any, id: str, kwargs: dict[str, Any]) -> list[Episode]:
    """Play a few fresh episodes, the same for all agents, and keep all that happens."""
    task = find_task(id, kwargs)
    env, episodes = task.env(), []
    for begin, shown in _beginnings(task):
        observations, answers, confidence, targets, due = _play_one(agent, env, begin)
        scores, _ = task.judge(answers, targets)
        episode = Episode(
            inputs=[_shown(each) for each in observations] if shown is None else shown,
            targets=[_plain(each) for each in targets],
            due=due,
            answers=[_plain(each) for each in answers],
            confidence=confidence,
            scores=[
                _plain(float(score)) if asked else None
                for score, asked in zip(scores, due, strict=True)
            ],
        )
        episodes.append(episode)
    env.close()
    return episodes


def _beginnings(task: Task) -> Iterator[tuple[dict[str, Any], list[Any] | None]]:
    """What ``reset`` is given for each episode, and in a problem's own terms what it shows."""
    problem = task.problem
    if problem is None:
        for k in range(SHOWN_EPISODES):
            yield {"seed": SHOWN_SEED + k}, None
        return
    batch = problem.batch(np.random.default_rng(SHOWN_SEED), SHOWN_EPISODES)
    for k, length in enumerate(batch.lengths.tolist()):
        inputs = batch.inputs[:length, k]
        blank = (inputs == problem.input_spec.blank).reshape(length, -1).all(axis=1)
        shown = [None if empty else _plain(each) for each, empty in zip(inputs, blank, strict=True)]
        yield {"options": {"inputs": inputs.tolist()}}, shown


def _play_one(agent: Any, env: Any, begin: dict[str, Any]) -> tuple[Any, ...]:
    """Observations, answers, how sure each of them is, targets, and where one was due."""
    observation, _ = env.reset(**begin)
    observations: list[Any] = []
    answers: list[Any] = []
    confidence: list[float | None] = []
    targets: list[Any] = []
    due: list[bool] = []
    sees_future = bool(getattr(agent, "sees_future", False))
    state, started, ended = None, np.ones(1, bool), False
    while not ended:
        observations.append(np.array(observation))  # a copy: the environment may reuse its array
        seen = observations[-1][None]
        if sees_future:  # it is asked when all has been shown
            answer, sure = [env.action_space.sample()], None
        elif hasattr(agent, "predict_with_confidence"):
            answer, sure, state = agent.predict_with_confidence(seen, state, started)
        else:
            answer, state = agent.predict(
                seen, state=state, episode_start=started, deterministic=True
            )
            sure = None
        started = np.zeros(1, bool)
        answers.append(np.asarray(answer)[0])
        confidence.append(None if sure is None else _plain(float(sure[0])))
        observation, _, terminated, truncated, info = env.step(answers[-1])
        targets.append(info["target"])
        due.append(bool(info["due"]))
        ended = terminated or truncated
    given: Any = np.stack(answers)
    if sees_future:
        whole = np.stack(observations)[None]
        if hasattr(agent, "answer_with_confidence"):
            given, surely = agent.answer_with_confidence(whole)
            confidence = confidence if surely is None else _plain(surely[0])
        else:
            given = agent.answer(whole)
        given = np.asarray(given)[0]
    return observations, given, confidence, np.stack(targets), due


def _shown(observation: Any) -> Any:
    """An observation as the player shows it; of a large one, its shape."""
    if observation.size > MOST_SHOWN:
        return f"{' x '.join(map(str, observation.shape))} numbers"
    return _plain(observation)


def _plain(value: Any) -> Any:
    """Numbers as JSON has them: rounded, a single one without its list, None for no number."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, DIGITS) if np.isfinite(value) else None
    return value


# Many cells.


def attempt(cell: Cell, work: Path | None) -> Outcome:
    """Run a cell; what it raises becomes a line, so that the other cells go on.

    Args:
        cell: What is run.
        work: The folder of its checkpoint; None for one that nobody finds again.
    """
    try:
        if work is not None:
            return run_cell(cell, work)
        with tempfile.TemporaryDirectory() as folder:
            return run_cell(cell, Path(folder) / cell.key)
    except Exception as error:  # an agent that somebody wrote can raise anything
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(f"{type(error).__name__}: {error}".split())
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        return Failure(cell, f"{said} ({Path(last.filename).name}, line {last.lineno})", full)


def _begin_worker(driver: int) -> None:
    """Leave Ctrl-C to the driver, and end with it: two processes must not write one checkpoint."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C; processes started meanwhile ignore it for good, from before their first line.

    A mask of signals would hold it back rather than lose it, but multiprocessing lifts that.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone gets Ctrl-C
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _local(cells: Sequence[Cell], jobs: int, work: Path) -> Generator[Outcome, None, None]:
    """Run cells on this machine, one process each; workers that are killed are replaced."""
    try:
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import BrokenProcessPool
    except ModuleNotFoundError as error:
        raise EngineError(f"benchmark needs {error.name}: pip install -e '.[benchmark]'") from error
    left = {cell.key: cell for cell in cells}
    fruitless = 0
    while left:
        pool = Parallel(
            n_jobs=jobs,  # with one, in this process
            batch_size=1,
            return_as="generator_unordered",
            backend="loky",
            initializer=_begin_worker,
            initargs=(os.getpid(),),
        )
        tasks = [delayed(attempt)(cell, work / cell.key) for cell in left.values()]
        with _without_interrupts():
            outcomes = pool(tasks)
        try:
            for outcome in outcomes:
                fruitless = 0
                del left[outcome.cell.key]
                yield outcome
        except BrokenProcessPool as error:
            fruitless += 1
            if fruitless > FRUITLESS_RESTARTS:
                raise EngineError(
                    "the processes that run the cells were killed again and again, as they are "
                    "when memory is short: try fewer --jobs"
                ) from error
            print("A process was killed; its cell is run again.", file=sys.stderr)
        finally:
            with warnings.catch_warnings():
                # After Ctrl-C, joblib says that the tasks under way were of no use.
                warnings.filterwarnings("ignore", r"\d+ tasks", UserWarning)
                outcomes.close()


def _ray(cells: Sequence[Cell], jobs: int, address: str | None) -> Generator[Outcome, None, None]:
    """Run cells on a Ray cluster; those of a node that dies are run on another."""
    if not cells:
        return
    try:
        import ray
    except ModuleNotFoundError as error:
        raise EngineError("--engine ray needs ray: pip install ray") from error
    if address is not None:
        _check_reachable(address)
    with tempfile.TemporaryDirectory() as staged:
        _stage(cells, Path(staged))
        options: dict[str, Any] = {"address": address} if address else {"num_cpus": jobs}
        try:
            ray.init(
                **options,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="error",
                runtime_env={"working_dir": staged, "env_vars": {"OMP_NUM_THREADS": "1"}},
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())
            raise EngineError(f"no Ray cluster at --address {address!r}: {said}") from error
    try:
        task = ray.remote(num_cpus=1, max_retries=RAY_RETRIES)(attempt)
        waiting = {task.remote(cell, None): cell for cell in cells}
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            cell = waiting.pop(done)
            try:
                outcome = ray.get(done)
            except ray.exceptions.RayError as error:
                said = " ".join(str(error).split())
                outcome = Failure(cell, f"{type(error).__name__}: {said[:300]}")
            yield outcome
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise EngineError at once where nobody listens; Ray would try for a long time."""
    if address == "auto":
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and host and port.isdigit()):
        raise EngineError(f"--address must be HOST:PORT, ray://HOST:PORT or auto, got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise EngineError(f"no Ray cluster at --address {address}: {error}") from error


def _stage(cells: Iterable[Cell], folder: Path) -> None:
    """Copy what the nodes of a cluster need: our packages, and the Python files of somebody's own.

    What those import beside their own folder's files (torch, gymnasium) must be installed there.
    """
    for package in (run_folder, seqenvs):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    named = {cell.agent for cell in cells if ":" in cell.agent}
    named |= {cell.id for cell in cells if ":" in cell.id}
    roots = {_root_of(name.partition(":")[0]) for name in named}
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
    """The folder that a module is imported from; None where it is installed."""
    spec = importlib.util.find_spec(module.partition(".")[0])
    assert spec is not None, "it has been imported"
    if spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations))).parent
    else:
        root = Path(str(spec.origin)).parent
    return None if {"site-packages", "dist-packages"} & set(root.parts) else root


def finished(folder: Path, cells: Iterable[Cell]) -> dict[str, CellResult]:
    """The results that are there, by key; damaged files are named and put aside."""
    found = {}
    for cell in cells:
        path = cell_path(folder, cell)
        if not path.is_file():
            continue
        try:
            found[cell.key] = read_cell(path)
        except run_folder.RunFolderError as error:
            aside = folder / "damaged" / path.name
            aside.parent.mkdir(exist_ok=True)
            path.replace(aside)
            print(f"{error}; moved to {aside}, and run again", file=sys.stderr)
    return found


def write_results(folder: Path, results: Iterable[CellResult]) -> Path:
    """All results in one file, in the order given, without times of day."""
    records = [asdict(result) for result in results]
    for record in records:
        del record["finished"]
    rows = ",\n".join(json.dumps(record, allow_nan=False) for record in records)
    path = folder / "results.json"
    run_folder.write_text(path, f"[\n{rows}\n]\n")
    return path


def line(result: CellResult) -> str:
    """A result in a line."""
    reached = result.evaluation
    score = "" if reached.memory_score is None else f"  memory {reached.memory_score:.3f}"
    return (
        f"{result.cell.name}: return {reached.mean_return:.4f}{score}  {result.steps:,} steps  "
        f"{result.seconds:.1f} s"
    )


def run_benchmark(
    suite: Suite,
    folder: Path,
    *,
    jobs: int,
    engine: str = "local",
    address: str | None = None,
    only: str = "",
) -> list[Failure]:
    """Run the cells of a suite that have no result yet; write each, and all in ``results.json``.

    Args:
        suite: What is run.
        folder: Where results go, and are looked for.
        jobs: How many cells at a time; on an existing cluster, as many as it has cores.
        engine: ``"local"`` or ``"ray"``.
        address: Of an existing Ray cluster; without one, Ray is started here.
        only: Run the cells in whose name this is.

    Returns:
        The cells that raised.

    Raises:
        SuiteError: Something in the suite can't be run; nothing has been.
        EngineError: What runs the cells is not there, or broke down.
        OSError: The folder can't be written.
        KeyboardInterrupt: Ctrl-C; the same call goes on.
    """
    cells = [cell for cell in suite.cells() if only.lower() in cell.name.lower()]
    if not cells:
        raise SuiteError(f"no cell of the suite has {only!r} in its name")
    for agent, timed in dict.fromkeys((cell.agent, cell.seconds is not None) for cell in cells):
        if (
            agent not in AGENTS
            and not inspect.isgeneratorfunction(own_agent(agent).learn)
            and timed
        ):
            raise SuiteError(
                f"agent {agent!r} can't be given a budget in seconds unless its learn() is a "
                "generator function, which yields now and then the steps learned from so far"
            )
    check_cells(cells)
    folder.mkdir(parents=True, exist_ok=True)
    run_folder.write_text(folder / "suite.json", suite.to_json())
    results = finished(folder, cells)
    missing = [cell for cell in cells if cell.key not in results]
    failures = []
    work = folder / "work"
    for key in results:  # we may have been killed before we did it
        shutil.rmtree(work / key, ignore_errors=True)
    outcomes = _ray(missing, jobs, address) if engine == "ray" else _local(missing, jobs, work)
    with (
        tqdm(
            total=len(cells), initial=len(results), unit="cell", disable=None, dynamic_ncols=True
        ) as bar,
        closing(outcomes),
    ):
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                if outcome.full_disk:
                    raise OSError(errno.ENOSPC, outcome.error)
                failures.append(outcome)
                bar.write(f"{outcome.cell.name}: {outcome.error}", file=sys.stderr)
                continue
            write_cell(folder, outcome)
            shutil.rmtree(work / outcome.cell.key, ignore_errors=True)
            results[outcome.cell.key] = outcome
            bar.update()
            bar.write(line(outcome))
    everything = {**finished(folder, suite.cells()), **results} if only else results
    write_results(
        folder, [everything[cell.key] for cell in suite.cells() if cell.key in everything]
    )
    return failures

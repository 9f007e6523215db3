"""Measure how costs grow, and estimate the cost of an experiment with a thousand runs.

    python -m benchmarks.scale

Measures stepping, generation and learning against the number of environments, the lag, the length,
the number of symbols and the hidden size, one at a time, and writes docs/scale.md and its picture.
In each round, all points of a line are measured once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import gymnasium
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from tqdm import tqdm

import seqenvs
from agents.experiments import read_known
from agents.learners import make_agent
from agents.presets import preset_settings
from seqenvs.benchmark.results import JobResult
from seqenvs.files import machine, versions, write_atomically, write_text

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
RUNS, MACHINES = 1000, 100
Work = Callable[[], int]  # does some work and returns the number of time steps


@dataclass(frozen=True)
class Line:
    """A line of the table: some work, and what grows.

    Attributes:
        title: The work.
        grows: The quantity that grows.
        values: Its values.
        make: Makes the work for a value.
        per: The unit of the cost: `CALL` or `STEP`.
    """

    title: str
    grows: str
    values: tuple[int, ...]
    make: Callable[[int], Work]
    per: str


def step(num_envs: int = 1024, **kwargs: Any) -> Work:
    """Make a step of all environments."""
    env = gymnasium.make_vec("SeqEcho-v0", num_envs=num_envs, **kwargs)
    env.reset(seed=0)
    actions = env.action_space.sample()

    def run() -> int:
        env.step(actions)
        return num_envs

    return run


def batch(**kwargs: Any) -> Work:
    """Make a batch of 256 episodes."""
    source = seqenvs.batches("SeqEcho-v0", 256, seed=0, **kwargs)
    return lambda: next(source).mask.size


def learn(agent: str, options: dict[str, Any], **kwargs: Any) -> Work:
    """Make an update; for PPO it includes the collection of a rollout."""
    learner = make_agent(preset_settings("SeqEcho-v0", kwargs, agent, options))

    def run() -> int:
        before = learner.steps
        return learner.update().steps - before

    return run


CALL, STEP = "a call", "a time step of an environment"
LENGTHS, LAGS, SYMBOLS = (10, 30, 100, 300, 1000), (1, 4, 16, 64, 256), (10, 30, 100, 300, 1000)
LINES = (
    Line("stepping, index encoding", "environments", (1, 16, 256, 4096, 65536),
         lambda n: step(n, encoding="index"), CALL),
    Line("stepping 1,024 environments", "lag", LAGS,
         lambda n: step(lag=n, length=n + 10, encoding="index"), CALL),
    Line("stepping 1,024 environments", "length", LENGTHS,
         lambda n: step(length=n, encoding="index"), CALL),
    Line("stepping 1,024 environments, one-hot", "symbols", SYMBOLS,
         lambda n: step(num_symbols=n), CALL),
    Line("batches of 256 episodes, index encoding", "length", LENGTHS,
         lambda n: batch(length=n, encoding="index"), STEP),
    Line("batches of 256 episodes, one-hot", "symbols", SYMBOLS,
         lambda n: batch(num_symbols=n), STEP),
    Line("recurrent PPO", "hidden size", (32, 64, 128, 256, 512),
         lambda n: learn("recurrent_ppo", {"hidden": n}), STEP),
    Line("recurrent PPO", "length", (10, 20, 40, 80, 160),
         lambda n: learn("recurrent_ppo", {}, length=n), STEP),
    Line("recurrent PPO", "environments", (16, 32, 64, 128, 256),
         lambda n: learn("recurrent_ppo", {"num_envs": n}), STEP),
    Line("recurrent PPO", "symbols", (10, 30, 100, 300),
         lambda n: learn("recurrent_ppo", {}, num_symbols=n), STEP),
    Line("supervised LSTM", "hidden size", (32, 64, 128, 256, 512),
         lambda n: learn("lstm", {"hidden": n}), STEP),
    Line("supervised LSTM", "length", (10, 20, 40, 80, 160),
         lambda n: learn("lstm", {}, length=n), STEP),
)  # fmt: skip


def measure(line: Line, rounds: int, seconds: float) -> list[float]:
    """Return the seconds for each value: the median of the rounds."""
    works = [line.make(value) for value in line.values]
    counts = []
    for work in works:
        work()
        begin, count = time.process_time(), 0
        while time.process_time() - begin < seconds / 4:
            work()
            count += 1
        counts.append(max(1, 4 * count))
    costs: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, count, found in zip(works, counts, costs, strict=True):
            begin, done = time.process_time(), 0
            for _ in range(count):
                done += work()
            spent = time.process_time() - begin
            found.append(spent / (count if line.per == CALL else done))
    return [median(found) for found in costs]


def growth(values: Sequence[int], costs: Sequence[float]) -> float:
    """Return the power of growth, from the middle of the range to its end."""
    half = len(values) // 2
    return float(np.polyfit(np.log(values[half:]), np.log(costs[half:]), 1)[0])


def as_time(seconds: float) -> str:
    """Format a time with a suitable unit."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= 2 * size or (unit == "s" and seconds >= 1):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs" if seconds >= 1e-6 else f"{seconds * 1e9:.3g} ns"


def startup() -> float:
    """Measure the seconds that a process takes to import what a run needs."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import agents.learners"], check=True)
    return time.perf_counter() - begin


def experiment_cost(results: Sequence[JobResult], startup_seconds: float, cores: int) -> list[str]:
    """Describe what a thousand runs would cost."""
    seconds = [result.seconds for result in results]
    total = mean(seconds) * RUNS
    rows = []
    for count in (1, MACHINES):
        processes = count * cores
        # A run cannot be divided, and each process starts once.
        least = max(total / processes, max(seconds)) + startup_seconds
        rows.append(f"| {count} | {processes} | {as_time(least)} |")
    return [
        f"The {len(seconds)} runs of `agents/results.json` (presets and claims, three seeds each)",
        f"learned for {as_time(mean(seconds))} of processor time on average, half of them for less",
        f"than {as_time(median(seconds))}, the longest for {as_time(max(seconds))}. {RUNS:,} such",
        f"runs are {as_time(total)} of one core. A process takes {as_time(startup_seconds)} to",
        "start, once. Divided evenly, and without the evaluations, that is",
        "",
        f"| machines of {cores} cores | processes | time |",
        "| ---: | ---: | ---: |",
        *rows,
        "",
        "A cluster is not faster than its longest run.",
    ]


def page(measured: Sequence[tuple[Line, list[float]]], cost: Sequence[str], made: str) -> str:
    """docs/scale.md."""
    lines = [
        "# Costs and how they grow",
        "",
        "Processor time on one thread, the median of the rounds. The *power of growth* is the",
        "slope of the cost in a log-log plot, from the middle of the range to its end: 0 if the",
        "cost does not grow, 1 if it is proportional. All lines are measured on `SeqEcho-v0` with",
        "the presets of the agents.",
        "",
        f"Written by `python -m benchmarks.scale`: {made}.",
        "",
        "![Cost against what grows, on logarithmic axes](scale.png)",
        "",
        "| what | grows | from, to | cost of | lowest | highest | power |",
        "| --- | --- | ---: | --- | ---: | ---: | ---: |",
    ]
    for line, costs in measured:
        lines.append(
            f"| {line.title} | {line.grows} | {line.values[0]:,}, {line.values[-1]:,} | {line.per} "
            f"| {as_time(costs[0])} | {as_time(costs[-1])} | {growth(line.values, costs):.2f} |"
        )
    return "\n".join([*lines, "", "## An experiment with a thousand runs", "", *cost]) + "\n"


def draw(measured: Sequence[tuple[Line, list[float]]], path: Path) -> None:
    """Draw a small picture for each line of the table."""
    columns = 4
    figure = Figure(figsize=(11, 8), dpi=110, layout="constrained")
    grid = figure.subplots(-(-len(measured) // columns), columns, squeeze=False).ravel()
    for axes, (line, costs) in zip(grid, measured, strict=False):
        axes.loglog(line.values, costs, "o-", color="tab:blue", ms=4)
        low, high = min(costs), max(costs)
        axes.set_ylim(low / 2, max(high * 2, low * 10))
        axes.set_title(f"{line.title}\nper {line.per.removeprefix('a ')}", fontsize=8.5)
        axes.set_xlabel(f"{line.grows}   (power {growth(line.values, costs):.2f})", fontsize=8.5)
        axes.set_xticks(line.values, [f"{value:,}" for value in line.values])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: as_time(value))
        axes.minorticks_off()
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(measured) :]:
        axes.set_axis_off()
    write_atomically(path, lambda temporary: figure.savefig(temporary))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description=__doc__.split("\n")[0]
    )
    seconds = "of each point in each round; default: %(default)s"
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=0.4, help=seconds)
    parser.add_argument("--out", type=Path, default=PAGE, help="default: docs/scale.md")
    args = parser.parse_args()
    torch.set_num_threads(1)
    measured = [(line, measure(line, args.rounds, args.seconds)) for line in tqdm(LINES)]
    found = versions()
    made = ", ".join(f"{name} {found[name]}" for name in found if name != "platform")
    results = list(read_known().values())
    cost = experiment_cost(results, startup(), int(machine().split(", ")[1].split()[0]))
    text = page(measured, cost, f"{made}; {machine()}; {args.rounds} rounds")
    write_text(args.out, text)
    draw(measured, args.out.with_suffix(".png"))
    print(text)


if __name__ == "__main__":
    main()

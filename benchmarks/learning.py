"""Measure how long recurrent PPO takes to learn: sb3-contrib's, and that of `agents`.

    python -m benchmarks.learning

A problem counts as learned when the mean return of the last 1,000 training episodes, with the
exploring policy, is 0.95. Only updates are timed, in processor time of one core: collecting a
rollout and learning from it. The candidates:

- stock: ``sb3_contrib.RecurrentPPO`` with the best settings that were found for each problem, on
  the same vector environment;
- recurrent_ppo: that of `agents`, with its preset;
- torch's gates: the same with torch's initialisation of the gates;
- GAE, entropy: the same as recurrent_ppo, with the advantages and the entropy bonus of stock;
- supervised: the same kind of network, which learns from the right answers.

The candidates take turns: all of them learn with one seed before any learns with the next, so that
other load on the machine affects all of them. A number is the median over the seeds, the upper one
if their number is even. A ratio is that of two medians of seconds. A candidate that has not learned
a problem after ``--limit`` seconds is shown as ``>120`` with the return that it reached, and its
ratios are bounds.

The second table has longer problems. Stock was not run on them.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import product
from statistics import median_high, median_low
from typing import Any, NamedTuple

import sb3_contrib
from tqdm import tqdm

from agents.config import WINDOW, Gates, PPOOptions, Settings
from agents.learners import RecurrentPPO, ReferenceAgent, make_agent
from agents.presets import preset_settings
from seqenvs.arguments import UsageError, int_from, run_command
from seqenvs.files import machine, versions

TARGET = 0.95
TO_ONE: dict[str, Any] = {"num_values": 4, "framing": "many_to_one"}
Row = tuple[str, dict[str, Any]]  # an environment and its parameters

COMPARED: dict[str, Row] = {
    "echo lag 4": ("SeqEcho-v0", {"lag": 4, "length": 14}),
    "recall over 20": ("SeqRecallMedium-v0", {}),
    "copy of 5": ("SeqCopy-v0", {}),
    "classify 10": ("SeqClassify-v0", {}),
}
LONG: dict[str, Row] = {
    "echo lag 8": ("SeqEchoMedium-v0", {}),
    "echo lag 16": ("SeqEcho-v0", {"lag": 16, "length": 32}),
    "recall over 50": ("SeqRecall-v0", {"length": 52, **TO_ONE}),
    "recall over 200": ("SeqRecall-v0", {"length": 202, **TO_ONE}),
    "copy of 10": ("SeqCopyMedium-v0", {}),
}


# Settings for stock that were found by hand, with one seed each.
_LARGE = {"rollout": 32, "minibatches": 4, "epochs": 4, "learning_rate": 3e-3, "hidden": 128}
STOCK: dict[str, dict[str, Any]] = {
    "echo lag 4": {**_LARGE, "hidden": 64, "learning_rate": 5e-3},
    "recall over 20": {**_LARGE, "rollout": 1, "minibatches": 1, "epochs": 10},
    "copy of 5": {**_LARGE, "hidden": 64, "learning_rate": 1e-2},
    "classify 10": {
        **_LARGE, "rollout": 1, "minibatches": 1, "hidden": 64, "learning_rate": 1e-2,
    },
}  # fmt: skip
ENTROPY = 0.01


class Stock(RecurrentPPO):
    """``sb3_contrib.RecurrentPPO``, whose options and defaults are those of `STOCK`."""

    def _build(self, settings: Settings) -> None:
        super()._build(settings)
        options, ours = settings.options, self.model
        assert isinstance(options, PPOOptions)
        self.model = sb3_contrib.RecurrentPPO(  # type: ignore[assignment]
            "MlpLstmPolicy",
            self.env,
            n_steps=ours.n_steps,
            batch_size=ours.batch_size,
            n_epochs=options.epochs,
            learning_rate=options.learning_rate,
            gamma=0.0,
            ent_coef=ENTROPY,
            policy_kwargs={
                "lstm_hidden_size": options.hidden,
                "shared_lstm": True,
                "enable_critic_lstm": False,
            },
            stats_window_size=ours.n_steps * options.num_envs,
            seed=settings.seed,
            device="cpu",
        )


Make = Callable[[str, Row, int], ReferenceAgent]  # from a row's name, the row and a seed


def stock(name: str, row: Row, seed: int) -> ReferenceAgent:
    """Make stock."""
    agent = Stock()
    agent.start(preset_settings(*row, options=STOCK[name], seed=seed, target=TARGET))
    return agent


def ours(**options: Any) -> Make:
    """Make `recurrent_ppo` with its preset, except for these options."""

    def make(name: str, row: Row, seed: int) -> ReferenceAgent:
        return make_agent(preset_settings(*row, options=options, seed=seed, target=TARGET))

    return make


def supervised(name: str, row: Row, seed: int) -> ReferenceAgent:
    """Make the supervised `lstm`, with as many units as `recurrent_ppo` has."""
    options = {"hidden": preset_settings(*row).options.hidden}
    return make_agent(preset_settings(*row, "lstm", options, seed=seed, target=TARGET))


OURS = {"recurrent_ppo": ours()}
CANDIDATES: dict[str, Make] = {
    "stock": stock,
    **OURS,
    "torch's gates": ours(**{each.name: each.default for each in fields(Gates)}),
    "GAE, entropy": ours(advantage="gae", entropy=ENTROPY),
    "supervised": supervised,
}


class Run(NamedTuple):
    """The result of a candidate with one seed."""

    seconds: float  # until the problem was learned; infinite if it was not
    steps: float
    reached: float  # mean return at the end


def measure(agent: ReferenceAgent, limit: float, show: Callable[[str], object]) -> Run:
    """Learn until the target or the limit."""
    while agent.seconds < limit:
        agent.update()
        show(f"{agent.mean_return:.2f} after {agent.seconds:.0f} s")
        if agent.reached_target:
            return Run(agent.seconds, agent.steps, agent.mean_return)
    return Run(math.inf, math.inf, agent.mean_return)


@dataclass
class Cell:
    """A cell of the table: the finished runs of a candidate on a problem, one for each seed."""

    limit: float
    runs: list[Run] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median of the seconds; infinite if the problem was not learned."""
        return median_high(run.seconds for run in self.runs) if self.runs else math.inf

    def __str__(self) -> str:
        if not self.runs:
            return f"{'-':>7}{'':8}"
        if self.seconds == math.inf:
            reached = median_low(run.reached for run in self.runs)
            return f"{f'>{self.limit:g}':>7}{f'at {reached:.2f}':>8}"
        steps = median_high(run.steps for run in self.runs)
        short = f"{steps / 1e6:.2f}M" if steps >= 1e6 else f"{steps / 1e3:.0f}k"
        return f"{self.seconds:7.1f}{short:>8}"


def ratio(one: Cell, other: Cell) -> str:
    """Return the ratio of the seconds, or a bound of it."""
    if one.seconds == other.seconds == math.inf or not (one.runs and other.runs):
        return "-"
    if one.seconds == math.inf:
        return f">={math.floor(10 * one.limit / other.seconds) / 10}"
    if other.seconds == math.inf:
        return f"<={math.ceil(10 * one.seconds / other.limit) / 10}"
    return f"{one.seconds / other.seconds:.1f}"


def line(name: str, cells: dict[str, Cell]) -> str:
    """Return a row of a table."""
    text = f"{name:<15}" + "".join(str(cell) for cell in cells.values())
    if len(cells) > 1:
        text += f"{ratio(cells['stock'], cells['recurrent_ppo']):>9}"
        text += f"{ratio(cells['recurrent_ppo'], cells['supervised']):>8}"
    return text


def run_table(
    title: str, rows: dict[str, Row], makes: dict[str, Make], limit: float, seeds: int, bar: Any
) -> None:
    """Measure row by row; print each when it is finished, or as far as it is after Ctrl-C."""

    def write(text: str) -> None:
        bar.write(text.rstrip(), file=sys.stdout)
        sys.stdout.flush()

    def show(what: str, how: str) -> None:
        bar.set_postfix_str(f"{what}: {how}", refresh=False)
        bar.update(0)

    if not rows:
        return
    both = len(makes) > 1
    write(f"\n{title}".rstrip(" "))
    write(f"{'':15}{''.join(f'{name:>15}' for name in makes)}{'   stock/   ours/' * both}")
    write(f"{'':15}{'      s   steps' * len(makes)}{'     ours superv.' * both}")
    for name, row in rows.items():
        cells = {candidate: Cell(limit) for candidate in makes}
        try:
            for seed, (candidate, make) in product(range(seeds), makes.items()):
                what = f"{name}, {candidate}, seed {seed}"
                run = measure(make(name, row, seed), limit, partial(show, what))
                cells[candidate].runs.append(run)
                bar.update()
        finally:
            if any(cell.runs for cell in cells.values()):
                write(line(name, cells))


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning", description=(__doc__ or "").split("\n")[0]
    )
    add = parser.add_argument
    add("--seeds", type=int_from(1), default=3, help="default: %(default)s")
    add("--limit", type=float, default=120, help="seconds of a run; default: %(default)s")
    add("--long-limit", type=float, default=300, help="of one in the second table; %(default)s")
    add("--only", default="", metavar="NAME", help="rows whose names hold this")
    add("--skip-long", action="store_true", help="leave out the second table")
    parser.set_defaults(run=_run)
    return run_command(parser, arguments)


def _run(args: argparse.Namespace) -> None:
    compared = {name: row for name, row in COMPARED.items() if args.only in name}
    long = {name: row for name, row in LONG.items() if args.only in name and not args.skip_long}
    if not compared and not long:
        raise UsageError(f"--only must be part of one of {', '.join([*COMPARED, *LONG])}")
    made_of = ", ".join(f"{name} {version}" for name, version in list(versions().items())[:-1])
    print(
        f"Seconds and steps to a mean return of {TARGET} over the last {WINDOW:,} episodes\n"
        f"{made_of},\n{machine()}, 1 thread; median of {args.seeds} seeds"
    )
    total = args.seeds * (len(compared) * len(CANDIDATES) + len(long) * len(OURS))
    interval = 1 if sys.stderr.isatty() else 30
    with tqdm(total=total, unit="run", mininterval=interval, miniters=0, leave=False) as bar:
        for make in CANDIDATES.values():  # warm up
            name, row = "classify 10", COMPARED["classify 10"]
            measure(make(name, row, 0), min(0.5, args.limit), lambda _: None)
        run_table("", compared, CANDIDATES, args.limit, args.seeds, bar)
        title = "recurrent_ppo on longer problems (stock was not run on these)"
        run_table(title, long, OURS, args.long_limit, args.seeds, bar)


if __name__ == "__main__":
    sys.exit(main())

"""The claims of the tutorials as jobs of the benchmark, and the page that is written from them.

`claims.json` holds the claims by tutorial and section. ``options``, ``target`` and ``steps`` of a
claim replace those of the preset.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from agents.config import Settings, make_options
from agents.experiments import RESULTS, SEEDS, find_or_run, made_with_lines
from agents.presets import preset_settings
from agents.suites import agent_spec
from seqenvs import Bounds, batches
from seqenvs.arguments import UsageError
from seqenvs.benchmark.execution import EPISODES
from seqenvs.benchmark.executors import Executor
from seqenvs.benchmark.results import (
    SOLVED_RETURN,
    SOLVED_SCORE,
    Job,
    JobResult,
    environment_name,
    is_solved,
)
from seqenvs.benchmark.suites import Suite
from seqenvs.bounds import irwin_hall_cdf
from seqenvs.files import write_atomically, write_text
from seqenvs.registration import find_problem

DOCS = Path(__file__).parent.parent / "docs"
TOLERANCE, FORGOTTEN_SCORE = 0.005, 0.1
MEMORIZED, CLOCK = "lstm, one sequence", "clock alone"  # not in `agents.config.AGENTS`
UPDATES, UPDATE_STEPS = 1000, 10  # on the one sequence, which has 10 time steps


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A row of the table.

    Attributes:
        tutorial: Title of the tutorial and its address, as a Markdown link.
        section: The section of our page.
        text: What is claimed.
        id: Id of the environment.
        kwargs: Its parameters.
        agent: A name from `agents.config.AGENTS`, `MEMORIZED` or `CLOCK`.
        expected: The result that confirms the claim, a key of `CHECKS`.
        given: ``options``, ``target`` and ``steps`` that replace those of the preset.
    """

    tutorial: str = ""
    section: str = ""
    text: str = ""
    id: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    agent: str
    expected: str
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> str:
        """The environment with its parameters."""
        return environment_name(self.id, self.kwargs)

    def jobs(self) -> list[Job]:
        """Return the jobs that measure the claim, one for each seed; none for `CLOCK`."""
        if self.agent == CLOCK:
            return []
        agent = "lstm" if self.agent == MEMORIZED else self.agent
        spec = agent_spec(preset_settings(self.id, self.kwargs, agent, **self.given))
        if self.agent == MEMORIZED:
            spec = {"agent": "agents.claims:OneSequence", "options": spec["options"]}
            del spec["options"]["target"]
        row = {"id": self.id, "kwargs": self.kwargs, "agents": [spec]}
        return Suite(seeds=list(SEEDS), steps=UPDATES * UPDATE_STEPS, matrix=[row]).jobs()


def _read_claims() -> Iterator[Claim]:
    for tutorial in json.loads(Path(__file__).with_name("claims.json").read_text("utf-8")):
        link = f"[{tutorial['tutorial']}]({tutorial['page']})"
        for section, rows in tutorial["sections"].items():
            for row in rows:
                given = {name: row.pop(name) for name in ("options", "target") if name in row}
                for agent in row.pop("agents"):
                    yield Claim(tutorial=link, section=section, agent=agent, given=given, **row)


CLAIMS = list(_read_claims())


@dataclass(frozen=True)
class Row:
    """What was measured for a claim.

    Attributes:
        number: The number of the row.
        claim: The claim.
        bounds: The bounds of the environment.
        returns: The mean return of each seed; one exact number where nothing was trained.
        error: The standard error of a seed's mean return, averaged over the seeds. All seeds are
            evaluated on the same episodes, so that the error of their mean is not smaller.
        results: The results of the jobs.
    """

    number: int
    claim: Claim
    bounds: Bounds
    returns: Sequence[float]
    error: float = 0.0
    results: Sequence[JobResult] = ()

    @property
    def scores(self) -> list[float]:
        """The memory score of each seed; empty if the problem needs no memory."""
        return [self.bounds.memory_score(each) for each in self.returns if self.bounds.needs_memory]

    @property
    def confirmed(self) -> bool:
        """Whether the measurement confirms the claim."""
        return CHECKS[self.claim.expected][0](self)


class OneSequence:
    """An agent that learns one sequence by heart: an LSTM that sees the same one every time.

    Args:
        **options: The options of the reference agent ``lstm``.

    Attributes:
        learns_from: What it learns from: the right answers.
    """

    learns_from = "answers"

    def __init__(self, **options: Any) -> None:
        from agents.learners.supervised import SUPERVISED

        self._agent, self._options = SUPERVISED["lstm"](), make_options("lstm", options)

    def learn(self, id: str, *, kwargs: dict[str, Any], steps: int, seed: int) -> Iterator[int]:
        """Learn for a number of time steps; yields the time steps so far."""
        agent, options = self._agent, self._options
        agent.start(Settings(id=id, kwargs=kwargs, agent="lstm", options=options, seed=seed))
        sample = next(batches(id, 1, seed=seed, **kwargs))
        while agent.steps < steps:
            known, _ = agent.fit(sample)
            yield agent.steps
        assert known[0] == 1, "the sequence has been learned by heart"

    def predict(self, *arguments: Any, **keywords: Any) -> tuple[Any, Any]:
        """Act on B observations, see `agents.learners.ReferenceAgent.predict`."""
        return self._agent.predict(*arguments, **keywords)


def _solved(row: Row) -> bool:
    scores: list[float | None] = [*row.scores] or [None] * len(row.returns)
    return all(is_solved(*pair) for pair in zip(scores, row.returns, strict=True))


# expected: (the check, its description)
CHECKS: dict[str, tuple[Callable[[Row], bool], str]] = {
    "solved": (
        _solved,
        f"every seed has a memory score of at least {SOLVED_SCORE} or, where no memory is needed, "
        f"a return of at least {SOLVED_RETURN}",
    ),
    "memoryless": (
        lambda row: abs(mean(row.returns) - row.bounds.memoryless) <= max(TOLERANCE, 3 * row.error),
        f"the mean is within three standard errors, or {TOLERANCE}, of the memoryless bound",
    ),
    "not learned": (
        lambda row: bool(row.scores) and max(row.scores) < FORGOTTEN_SCORE,
        f"the memory score of every seed is below {FORGOTTEN_SCORE}",
    ),
    "0.8892": (
        lambda row: f"{mean(row.returns):.4f}" == "0.8892",
        "computed, not trained: the best policy that sees nothing but the time step",
    ),
}


def run_claims(only: str, jobs: int, folder: Path) -> bool:
    """Measure claims, see `measure`, and print the table; returns whether all are confirmed."""
    rows = measure(only, jobs, folder)
    print(*table(rows), sep="\n")
    return all(row.confirmed for row in rows)


def measure(
    only: str,
    jobs: int,
    folder: Path,
    *,
    docs: Path = DOCS,
    path: Path = RESULTS,
    execute: Executor | None = None,
) -> list[Row]:
    """Run the jobs of claims that have no result; write the page and picture if ``only`` is empty.

    Args:
        only: Take the claims whose section, text, environment or agent contains this text.
        jobs: How many jobs run at a time.
        folder: Where jobs write their checkpoints and results until all are finished.
        docs: The folder of the page and the picture.
        path: The file of results.
        execute: See `agents.experiments.find_or_run`.

    Raises:
        UsageError: No claim contains the text.
        EngineError: A job failed.
        ResultError: The file of results is damaged.
        KeyboardInterrupt: Ctrl-C. The same call continues.
    """
    chosen = {
        number: claim
        for number, claim in enumerate(CLAIMS, 1)
        if only.lower() in f"{claim.section} {claim.text} {claim.environment} {claim.agent}".lower()
    }
    if not chosen:
        raise UsageError(f"no claim has {only!r} in its section, text, environment or agent")
    wanted = {job.key: job for claim in chosen.values() for job in claim.jobs()}
    found = find_or_run(list(wanted.values()), jobs, folder, path, execute)
    results = {result.job.key: result for result in found}
    rows = []
    for number, claim in chosen.items():
        measured = [results[job.key] for job in claim.jobs()]
        returns = [each.evaluation.mean_return for each in measured] or [clock_alone()]
        error = mean([each.evaluation.standard_error for each in measured] or [0.0])
        bounds = find_problem(claim.id, claim.kwargs).bounds()
        rows.append(Row(number, claim, bounds, returns, error, measured))
    if not only:
        draw(docs / "claims.png", rows)
        write_text(docs / "claims.md", page(rows))
    return rows


def clock_alone() -> float:
    """Return the best score on ``SeqClassify-v0`` of a policy that sees nothing but the time."""
    length, threshold = 10, 0.25
    label_zero = irwin_hall_cdf(length, threshold * length)[1:]
    return float(np.maximum(label_zero, 1 - label_zero).mean())


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield (
        "| # | claim | environment | agent | expected | memoryless | clock | return "
        "| memory score | verdict |"
    )
    yield "| ---: | --- | --- | --- | --- | ---: | ---: | ---: | ---: | --- |"
    for row in rows:
        claim = row.claim
        spread = f" ± {stdev(row.returns):.4f}" if len(row.returns) > 1 else ""
        verdict = "confirmed" if row.confirmed else "not confirmed"
        score = f"{round(mean(row.scores), 3) + 0.0:.3f}" if row.scores else "none needed"
        yield (
            f"| {row.number} | {claim.text} | {claim.environment} | {claim.agent} "
            f"| {claim.expected} | {row.bounds.memoryless:.4f} | {row.bounds.clock:.4f} "
            f"| {mean(row.returns):.4f}{spread} | {score} | {verdict} |"
        )


PAGE = """\
# The tutorials' claims, measured

What Jason Brownlee's tutorial on simple sequence prediction problems says or implies,
and the settings of three tutorials that followed it. Each claim is an environment and an
agent. `python -m agents claims` writes this page, verdicts included. {confirmed} of {count} rows \
are confirmed.

A return is the mean over {episodes:,} fresh episodes and over {seeds} seeds, ± the
standard deviation between seeds; the best is 1. *Memoryless* is the best policy that
sees only the present observation, and *clock* the best that also sees the time step;
both are exact. The memory score is 0 at the clock and 1 at the best. `recurrent_ppo`
learns from rewards, the others learn from the right answers. What is *expected*:

{expected}

*{memorized}* is the same network. It sees the same sequence {updates:,} times and
learns it by heart; the return is on other sequences. `bilstm` sees whole sequences
before it answers, so it could not act in the environment.

![Return of each row beside chance, memoryless, clock and optimum](claims.png)
"""


def page(rows: Sequence[Row]) -> str:
    """Return the page, in Markdown."""
    introduction = PAGE.format(
        confirmed=sum(row.confirmed for row in rows),
        count=len(rows),
        episodes=EPISODES,
        seeds=len(SEEDS),
        expected="\n".join(f"- *{name}*: {said}." for name, (_, said) in CHECKS.items()),
        memorized=MEMORIZED,
        updates=UPDATES,
    )
    lines, tutorial = [introduction], ""
    for section, group in groupby(rows, key=lambda row: row.claim.section):
        same = list(group)
        lines += [f"## {section}", ""]
        if same[0].claim.tutorial != tutorial:
            tutorial = same[0].claim.tutorial
            lines += [tutorial, ""]
        lines += [*table(same), ""]
    lines += ["## Made with", ""]
    lines += made_with_lines(result for row in rows for result in row.results)
    return "\n".join(lines)


MARKS = {  # bound: (marker, size, colour, width of its edge)
    "memoryless": ("s", 9, "tab:orange", 1.3),
    "clock": ("x", 6, "tab:green", 1.5),
    "chance": ("|", 13, "0.45", 1.5),
}


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Draw the return of each row, with one dot for each seed, and its bounds."""
    from matplotlib.figure import Figure

    heights: list[float] = []
    titles: dict[str, float] = {}
    y = 0.0
    for section, same in groupby(rows, key=lambda row: row.claim.section):
        titles[section] = y
        heights += [y + k for k, _ in enumerate(same, 1)]
        y = heights[-1] + 1.3
    inches = 0.2 * y + 0.9
    figure = Figure(figsize=(10, inches), dpi=100)
    axes = figure.add_axes((0.49, 0.45 / inches, 0.46, 1 - 0.9 / inches))
    axes.set(xlim=(-0.02, 1.03), ylim=(y - 0.6, -0.6), yticks=[])
    axes.set_xlabel("mean return        \u2713 confirmed   \u2717 not confirmed")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.axvline(1, color="0.6", lw=1, ls=(0, (4, 3)), zorder=0, label="optimum")

    def write(x: float, height: float, text: str, **style: Any) -> None:
        place = axes.get_yaxis_transform()
        axes.text(x, height, text, transform=place, va="center", fontsize=9, **style)

    for title, height in titles.items():
        write(-1.0, height, title, weight="bold")
    for height, row in zip(heights, rows, strict=True):
        axes.plot([0, 1], [height] * 2, color="0.9", lw=1, zorder=0)
        write(-0.96, height, f"{row.number}", ha="right", color="0.45")
        write(-0.94, height, row.claim.text)
        write(-0.03, height, row.claim.agent, ha="right")
        sign, color = ("\u2713", "tab:green") if row.confirmed else ("\u2717", "tab:red")
        write(1.04, height, sign, color=color)
        for i, value in enumerate(row.returns):
            offset = 0.24 * (i - (len(row.returns) - 1) / 2)
            axes.plot(value, height + offset, "o", ms=4, mec="none", color="tab:blue", zorder=3)
    for name, (marker, size, color, width) in MARKS.items():
        values = [getattr(row.bounds, name) for row in rows]
        style: dict[str, Any] = {"ms": size, "mfc": "none", "mec": color, "mew": width}
        axes.plot(values, heights, marker, label=name, zorder=2, **style)
    axes.plot([], [], "o", ms=4, mec="none", color="tab:blue", label="return, a dot a seed")
    figure.legend(loc="upper right", ncols=5, frameon=False, fontsize=9)
    write_atomically(path, figure.savefig)

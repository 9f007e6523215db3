"""The claims of the tutorials as jobs of the benchmark, and the page that is written from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from agents.config import Settings, make_options
from agents.experiments import RESULTS, SEEDS, find_or_run, made_with
from agents.presets import (
    AS_SHOWN,
    END,
    FIRST_2,
    LAG_4,
    OF_FIVE,
    PRESENT,
    WIDE,
    preset_settings,
)
from agents.suites import agent_spec
from seqenvs import Bounds, batches
from seqenvs.arguments import UsageError
from seqenvs.benchmark.execution import EPISODES
from seqenvs.benchmark.executors import Executor
from seqenvs.benchmark.results import (
    SOLVED_RETURN,
    SOLVED_SCORE,
    Job,
    environment_name,
    is_solved,
)
from seqenvs.benchmark.suites import Suite
from seqenvs.bounds import irwin_hall_cdf
from seqenvs.files import write_atomically, write_text
from seqenvs.registration import find_problem

DOCS = Path(__file__).parent.parent / "docs"
SITE = "https://machinelearningmastery.com/"
SOLVED, MEMORYLESS, FORGETS, CLOCK_ALONE = "solved", "memoryless", "not learned", "0.8892"
TOLERANCE, FORGOTTEN_SCORE = 0.005, 0.1
MEMORIZED, CLOCK = "lstm, one sequence", "clock alone"  # not in `agents.config.AGENTS`
UPDATES, UPDATE_STEPS = 1000, 10  # on the one sequence, which has 10 time steps


@dataclass(frozen=True)
class Claim:
    """A row of the table.

    Attributes:
        section: A key of `SECTIONS`.
        text: What is claimed.
        id: Id of the environment.
        kwargs: Its parameters.
        agent: A name from `agents.config.AGENTS`, `MEMORIZED` or `CLOCK`.
        expected: The result that confirms the claim, a key of `CHECKS`.
        given: ``options``, ``target`` and ``steps`` that replace those of the preset.
    """

    section: str
    text: str
    id: str
    kwargs: dict[str, Any]
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
        notes: The versions and machines of the runs.
    """

    number: int
    claim: Claim
    bounds: Bounds
    returns: Sequence[float]
    error: float = 0.0
    notes: frozenset[str] = frozenset()

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
        self._options = make_options("lstm", options)

    def learn(self, id: str, *, kwargs: dict[str, Any], steps: int, seed: int) -> Iterator[int]:
        """Learn for a number of time steps; yields the time steps so far."""
        from agents.learners import SupervisedLearner

        self._learner = SupervisedLearner(
            Settings(id=id, kwargs=kwargs, agent="lstm", options=self._options, seed=seed)
        )
        sample = next(batches(id, 1, seed=seed, **kwargs))
        while self._learner.steps < steps:
            known, _ = self._learner.learn(sample)
            yield self._learner.steps
        assert known[0] == 1, "the sequence has been learned by heart"

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[Any, Any]:
        """Act on B observations."""
        return self._learner.predict(observation, state, episode_start, deterministic)


def _solved(row: Row) -> bool:
    scores: list[float | None] = [*row.scores] or [None] * len(row.returns)
    return all(is_solved(*pair) for pair in zip(scores, row.returns, strict=True))


def _memoryless(row: Row) -> bool:
    return abs(mean(row.returns) - row.bounds.memoryless) <= max(TOLERANCE, 3 * row.error)


def _forgets(row: Row) -> bool:
    return bool(row.scores) and max(row.scores) < FORGOTTEN_SCORE


# expected: (the check, its description)
CHECKS: dict[str, tuple[Callable[[Row], bool], str]] = {
    SOLVED: (
        _solved,
        f"every seed has a memory score of at least {SOLVED_SCORE} or, where no memory is needed, "
        f"a return of at least {SOLVED_RETURN}",
    ),
    MEMORYLESS: (
        _memoryless,
        f"the mean is within three standard errors, or {TOLERANCE}, of the memoryless bound",
    ),
    FORGETS: (_forgets, f"the memory score of every seed is below {FORGOTTEN_SCORE}"),
    CLOCK_ALONE: (
        lambda row: f"{mean(row.returns):.4f}" == CLOCK_ALONE,
        "computed, not trained: the best policy that sees nothing but the time step",
    ),
}

# tutorial: (its page, sections of our page)
TUTORIALS = {
    "5 Examples of Simple Sequence Prediction Problems for LSTMs": (
        "sequence-prediction-problems-learning-lstm-recurrent-neural-networks/",
        [
            "1. Sequence learning problem",
            "2. Value memorization",
            "3. Echo random integer",
            "4. Echo random subsequences",
            "5. Sequence classification",
        ],
    ),
    "How to Learn to Echo Random Integers with LSTMs in Keras": (
        "learn-echo-random-integers-long-short-term-memory-recurrent-neural-networks/",
        ["Follow-up: echo random integers"],
    ),
    "How to Use an Encoder-Decoder LSTM to Echo Sequences of Random Integers": (
        "how-to-use-an-encoder-decoder-lstm-to-echo-sequences-of-random-integers/",
        ["Follow-up: echo sequences"],
    ),
    "How to Develop a Bidirectional LSTM For Sequence Classification in Python with Keras": (
        "develop-bidirectional-lstm-sequence-classification-python-keras/",
        ["Follow-up: bidirectional LSTM"],
    ),
}
SECTIONS = {name: title for title, (_, names) in TUTORIALS.items() for name in names}
_NEXT, _RECALL, _ECHO, _COPY, _CLASSIFY, _INTEGERS, _SEQUENCES, _BOTH_WAYS = SECTIONS

_N, _R, _E, _C, _S = (f"Seq{name}-v0" for name in ("Next", "Recall", "Echo", "Copy", "Classify"))

NO_CONTEXT = {"lag": 1, "length": 25, **WIDE}
FIFTH = {**END, "position": 4}
PART = {"output_length": 2, "start": 1}
SUM_20 = {"options": {"hidden": 20, "forget_bias": 3.0, "learning_rate": 3e-3}, "target": 0.997}
MLP, LSTM, BOTH = ("mlp",), ("lstm",), ("lstm", "recurrent_ppo")
SEQ2SEQ, LSTMS = ("encoder_decoder",), ("lstm", "bilstm")

# (section, claim, id, parameters, agents, expected, what differs from the preset)
_ROWS: list[tuple[str, str, str, dict[str, Any], tuple[str, ...], str, dict[str, Any]]] = [
    (_NEXT, "Next value of a sequence: an MLP can", _N, {}, MLP, SOLVED, {}),
    (_NEXT, "Next value after a window: an MLP can", _N, END, MLP, SOLVED, {}),
    (_NEXT, "Next value: an LSTM can, too", _N, {}, BOTH, SOLVED, {}),
    (_RECALL, "Recall at every step: an MLP can't", _R, {}, MLP, MEMORYLESS, {}),
    (_RECALL, "Recall at every step: an LSTM can", _R, {}, BOTH, SOLVED, {}),
    (_RECALL, "Recall at the end: an MLP can't", _R, END, MLP, MEMORYLESS, {}),
    (_RECALL, "Recall at the end: an LSTM can", _R, END, BOTH, SOLVED, {}),
    (_ECHO, "Echo with lag 0: an MLP can", _E, {"lag": 0}, MLP, SOLVED, {}),
    (_ECHO, "Echo with lag 1: an MLP can't", _E, {}, MLP, MEMORYLESS, {}),
    (_ECHO, "Echo with lag 1: an LSTM can", _E, {}, BOTH, SOLVED, {}),
    (_ECHO, "Echo from further back, lag 4: an LSTM can", _E, LAG_4, BOTH, SOLVED, {}),
    (_ECHO, "Echo the 5th of ten, at the end: an LSTM can", _E, FIFTH, BOTH, SOLVED, {}),
    (_ECHO, "A new sequence each time: echo is learned", _E, {}, LSTM, SOLVED, {}),
    (_ECHO, "One sequence by heart: others not echoed", _E, {}, (MEMORIZED,), FORGETS, {}),
    (_COPY, "Copy the whole: an MLP can't", _C, {}, MLP, MEMORYLESS, {}),
    (_COPY, "Copy the whole: an LSTM can", _C, {}, BOTH, SOLVED, {}),
    (_COPY, "Copy the whole: an encoder-decoder can", _C, {}, SEQ2SEQ, SOLVED, {}),
    (_COPY, "Copy the whole, in one answer: an LSTM can", _C, END, LSTM, SOLVED, {}),
    (_COPY, "Copy a part: an MLP can't", _C, PART, MLP, MEMORYLESS, {}),
    (_COPY, "Copy a part: an LSTM can", _C, PART, BOTH, SOLVED, {}),
    (_COPY, "Copy a part: an encoder-decoder can", _C, PART, SEQ2SEQ, SOLVED, {}),
    (_CLASSIFY, "Classify: an MLP can't", _S, {}, MLP, MEMORYLESS, {}),
    (_CLASSIFY, "Classify: a clock alone reaches 0.8892", _S, {}, (CLOCK,), CLOCK_ALONE, {}),
    (_CLASSIFY, "Classify: an LSTM passes 0.99", _S, {}, BOTH, SOLVED, {}),
    (_INTEGERS, "Echo the present one of 100: LSTM of 15", _E, PRESENT, LSTM, SOLVED, {}),
    (_INTEGERS, "Echo the one before, not seen: an MLP can't", _E, NO_CONTEXT, MLP, MEMORYLESS, {}),
    (_INTEGERS, "Echo the one before, of five: LSTM of 50", _E, OF_FIVE, LSTM, SOLVED, {}),
    (_SEQUENCES, "5 in, 5 out as they come: LSTM of 20", _C, AS_SHOWN, LSTM, SOLVED, {}),
    (_SEQUENCES, "5 in, 5 out afterwards: 150 units each", _C, WIDE, SEQ2SEQ, SOLVED, {}),
    (_SEQUENCES, "5 in, 2 out: 150 units each", _C, FIRST_2, SEQ2SEQ, SOLVED, {}),
    (_BOTH_WAYS, "Cumulative sum: 20 units, one way or both", _S, {}, LSTMS, SOLVED, SUM_20),
]
CLAIMS = [
    Claim(section, text, id, kwargs, agent, expected, given)
    for section, text, id, kwargs, agents, expected, given in _ROWS
    for agent in agents
]


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
    chosen = [
        (number, claim)
        for number, claim in enumerate(CLAIMS, 1)
        if only.lower() in f"{claim.section} {claim.text} {claim.environment} {claim.agent}".lower()
    ]
    if not chosen:
        raise UsageError(f"no claim has {only!r} in its section, text, environment or agent")
    wanted = {job.key: job for _, claim in chosen for job in claim.jobs()}
    found = find_or_run(list(wanted.values()), jobs, folder, path, execute)
    results = {result.job.key: result for result in found}
    rows = []
    for number, claim in chosen:
        bounds = find_problem(claim.id, claim.kwargs).bounds()
        measured = [results[job.key] for job in claim.jobs()]
        if measured:
            returns = [each.evaluation.mean_return for each in measured]
            error = mean(each.evaluation.standard_error for each in measured)
            notes = frozenset(map(made_with, measured))
            rows.append(Row(number, claim, bounds, returns, error, notes))
        else:
            rows.append(Row(number, claim, bounds, [clock_alone()]))
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


def page(rows: Sequence[Row]) -> str:
    """Return the page, in Markdown."""
    confirmed = sum(row.confirmed for row in rows)
    lines = [
        "# The tutorials' claims, measured",
        "",
        "What Jason Brownlee's tutorial on simple sequence prediction problems says or implies,",
        "and the settings of three tutorials that followed it. Each claim is an environment and an",
        "agent. `python -m agents claims` writes this page, verdicts included. "
        f"{confirmed} of {len(rows)} rows are confirmed.",
        "",
        f"A return is the mean over {EPISODES:,} fresh episodes and over {len(SEEDS)} seeds, ± the",
        "standard deviation between seeds; the best is 1. *Memoryless* is the best policy that",
        "sees only the present observation, and *clock* the best that also sees the time step;",
        "both are exact. The memory score is 0 at the clock and 1 at the best. `recurrent_ppo`",
        "learns from rewards, the others learn from the right answers. What is *expected*:",
        "",
        *(f"- *{name}*: {said}." for name, (_, said) in CHECKS.items()),
        "",
        f"*{MEMORIZED}* is the same network. It sees the same sequence {UPDATES:,} times and",
        "learns it by heart; the return is on other sequences. `bilstm` sees whole sequences",
        "before it answers, so it could not act in the environment.",
        "",
        "![Return of each row beside chance, memoryless, clock and optimum](claims.png)",
        "",
    ]
    tutorial = ""
    for section, same in groupby(rows, key=lambda row: row.claim.section):
        lines += [f"## {section}", ""]
        if SECTIONS[section] != tutorial:
            tutorial = SECTIONS[section]
            lines += [f"[{tutorial}]({SITE}{TUTORIALS[tutorial][0]})", ""]
        lines += [*table(list(same)), ""]
    lines += ["## Made with", ""]
    for note in sorted({note for row in rows for note in row.notes}):
        lines += [note + ".", ""]
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
    titles: list[tuple[float, str]] = []
    y = 0.0
    for section, same in groupby(rows, key=lambda row: row.claim.section):
        titles.append((y, section))
        for _ in same:
            y += 1
            heights.append(y)
        y += 1.3
    inches = 0.2 * y + 0.9
    figure = Figure(figsize=(10, inches), dpi=100)
    axes = figure.add_axes((0.49, 0.45 / inches, 0.46, 1 - 0.9 / inches))
    axes.set(xlim=(-0.02, 1.03), ylim=(y - 0.6, -0.6), yticks=[])
    axes.set_xlabel("mean return        \u2713 confirmed   \u2717 not confirmed")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.axvline(1, color="0.6", lw=1, ls=(0, (4, 3)), zorder=0, label="optimum")
    beside: dict[str, Any] = {
        "transform": axes.get_yaxis_transform(),
        "va": "center",
        "fontsize": 9,
    }
    for height, title in titles:
        axes.text(-1.0, height, title, weight="bold", **beside)
    for height, row in zip(heights, rows, strict=True):
        axes.plot([0, 1], [height] * 2, color="0.9", lw=1, zorder=0)
        axes.text(-0.96, height, f"{row.number}", ha="right", color="0.45", **beside)
        axes.text(-0.94, height, row.claim.text, **beside)
        axes.text(-0.03, height, row.claim.agent, ha="right", **beside)
        sign, color = ("\u2713", "tab:green") if row.confirmed else ("\u2717", "tab:red")
        axes.text(1.04, height, sign, color=color, **beside)
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

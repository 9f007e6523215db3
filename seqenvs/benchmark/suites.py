"""The suites of the benchmark: which cells are run, and which row of the report each belongs to.

A suite is data: see `suites.json`, or give a file of your own that holds one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import gymnasium

from agents.config import AGENTS, RECURRENT_PPO, Settings, check_positive, make_options
from agents.learners import make_learner
from agents.presets import Preset, find_preset
from seqenvs.benchmark.results import Cell
from seqenvs.task import Task, find_task
from seqenvs.validation import check_choice, check_int

SUITES = Path(__file__).with_name("suites.json")
BUDGETS = ("steps", "seconds")  # of a sweep
SWEEP_TARGET = 0.98  # where a sweep's training stops before its budget is spent
ECHO_ANSWERS = 10  # due in an episode of the horizon on echo, whatever the lag

# problem of a horizon: (id, parameters that all lags share, parameters of a lag)
_HORIZONS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "echo": ("SeqEcho-v0", {}, lambda lag: {"lag": lag, "length": lag + ECHO_ANSWERS}),
    "recall": (
        "SeqRecall-v0",
        {"framing": "many_to_one"},
        lambda lag: {"framing": "many_to_one", "num_values": 4, "length": lag + 2},
    ),
}


class SuiteError(ValueError):
    """A suite, or something in it, that can't be run."""


@dataclass(frozen=True)
class Row:
    """Cells that differ by their seed alone.

    Attributes:
        id: The environment.
        kwargs: Its parameters.
        agent: Who learns.
        cells: One for each seed.
    """

    id: str
    kwargs: dict[str, Any]
    agent: str
    cells: list[Cell]


@dataclass(frozen=True)
class Sweep:
    """An agent on a problem that is made harder step by step, with one budget.

    Attributes:
        problem: ``"echo"`` or ``"recall"``; for the capacity, ``"copy"``.
        agent: Who learns.
        steps: The budget of each cell; None for any number.
        seconds: The same in processor time; None for any time.
        points: For each lag or length in rising order, the cells, one for each seed.
    """

    problem: str
    agent: str
    steps: int | None
    seconds: float | None
    points: dict[int, list[Cell]]


@dataclass(frozen=True)
class Suite:
    """What is run. The sections are as `suites.json` has them.

    Attributes:
        seeds: Of each cell.
        steps_without_preset: The budget in ``matrix`` and ``generalisation`` of an agent that has
            no preset there, such as somebody's own.
        matrix: ``id``, ``agents``, and maybe ``kwargs``.
        horizon: ``problem``, ``agents``, ``lags`` and the budget: ``steps``, or ``seconds`` of
            processor time, or both, of which the first to be spent ends a run.
        capacity: ``agents``, ``lengths`` and the budget.
        generalisation: ``id``, ``agents``, ``length`` learned at, ``factors`` of it that are
            evaluated, and maybe ``kwargs``.
    """

    seeds: list[int]
    steps_without_preset: int
    matrix: list[dict[str, Any]] = field(default_factory=list)
    horizon: list[dict[str, Any]] = field(default_factory=list)
    capacity: list[dict[str, Any]] = field(default_factory=list)
    generalisation: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        _check_list("seeds", self.seeds, 0)
        check_int("steps_without_preset", self.steps_without_preset, 1)
        for section, (needed, optional) in _ENTRIES.items():
            entries = getattr(self, section)
            if not isinstance(entries, list):
                raise TypeError(f"{section} must be a list, got {entries!r}")
            for entry in entries:
                _check_entry(section, entry, needed, optional)

    def matrix_rows(self) -> list[Row]:
        """The matrix: a row for each environment and agent."""
        return [
            Row(entry["id"], kwargs, agent, self._preset_cells(entry["id"], kwargs, agent))
            for entry in self.matrix
            for kwargs in [entry.get("kwargs", {})]
            for agent in entry["agents"]
        ]

    def horizon_sweeps(self) -> list[Sweep]:
        """The memory horizons: cells for each problem, agent and lag."""
        return [
            sweep
            for entry in self.horizon
            for id, shared, at in [_HORIZONS[entry["problem"]]]
            for sweep in self._sweeps(entry["problem"], id, shared, entry, entry["lags"], at)
        ]

    def capacity_sweeps(self) -> list[Sweep]:
        """The capacities: cells for each agent and length of ``SeqCopy-v0``."""
        return [
            sweep
            for entry in self.capacity
            for sweep in self._sweeps(
                "copy", "SeqCopy-v0", {}, entry, entry["lengths"], lambda size: {"length": size}
            )
        ]

    def generalisation_rows(self) -> list[Row]:
        """Cells that are evaluated at other lengths, their ``lengths``, besides."""
        rows = []
        for entry in self.generalisation:
            kwargs = {**entry.get("kwargs", {}), "length": entry["length"]}
            lengths = sorted({round(entry["length"] * factor) for factor in entry["factors"]})
            rows += [
                Row(
                    entry["id"],
                    kwargs,
                    agent,
                    self._preset_cells(entry["id"], kwargs, agent, lengths),
                )
                for agent in entry["agents"]
            ]
        return rows

    def cells(self) -> list[Cell]:
        """All cells, each once, in the order of the sections."""
        rows = [*self.matrix_rows(), *self.generalisation_rows()]
        sweeps = [*self.horizon_sweeps(), *self.capacity_sweeps()]
        groups = [row.cells for row in rows]
        groups += [cells for sweep in sweeps for cells in sweep.points.values()]
        return list({cell.key: cell for cells in groups for cell in cells}.values())

    def with_agents(self, agents: Iterable[str]) -> Suite:
        """The suite with these in every row."""
        added = list(agents)

        def extend(entry: dict[str, Any]) -> dict[str, Any]:
            return {**entry, "agents": list(dict.fromkeys([*entry["agents"], *added]))}

        changed: dict[str, Any] = {
            name: [extend(entry) for entry in getattr(self, name)] for name in _ENTRIES
        }
        return replace(self, **changed)

    def with_environment(self, id: str, kwargs: dict[str, Any]) -> Suite:
        """The suite with one more environment in the matrix, for all agents that are in it."""
        agents = [agent for entry in self.matrix for agent in entry["agents"]]
        entry = {
            "id": id,
            "kwargs": kwargs,
            "agents": list(dict.fromkeys(agents or [RECURRENT_PPO])),
        }
        return replace(self, matrix=[*self.matrix, entry])

    def to_json(self) -> str:
        """The suite as a file that `read_suite` reads."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def _preset_cells(
        self, id: str, kwargs: dict[str, Any], agent: str, lengths: Iterable[int] = ()
    ) -> list[Cell]:
        unproven = Preset(id, {}, agent, target=SWEEP_TARGET, steps=self.steps_without_preset)
        preset = find_preset(id, kwargs, agent) or unproven
        return self._cells(preset, id, kwargs, preset.target, {"steps": preset.steps}, lengths)

    def _sweeps(
        self,
        problem: str,
        id: str,
        shared: dict[str, Any],
        entry: dict[str, Any],
        sizes: list[int],
        parameters: Any,
    ) -> Iterator[Sweep]:
        for agent in entry["agents"]:
            # The same options for all, so that what differs is what has to be remembered.
            preset = find_preset(id, shared, agent) or Preset(id, {}, agent)
            budget = {name: entry.get(name) for name in BUDGETS}
            points = {
                size: self._cells(preset, id, parameters(size), SWEEP_TARGET, budget)
                for size in sorted(sizes)
            }
            yield Sweep(problem, agent, points=points, **budget)

    def _cells(
        self,
        preset: Preset,
        id: str,
        kwargs: dict[str, Any],
        target: float,
        budget: dict[str, Any],
        lengths: Iterable[int] = (),
    ) -> list[Cell]:
        agent = preset.agent
        options = preset.options
        if agent in AGENTS:
            options = asdict(make_options(agent, options))
        return [
            Cell(
                id=id,
                kwargs=kwargs,
                agent=agent,
                options=options,
                seed=seed,
                target=target,
                lengths=list(lengths),
                **budget,
            )
            for seed in self.seeds
        ]


# section: (keys that an entry must have, keys that it may have)
_ENTRIES: dict[str, tuple[set[str], set[str]]] = {
    "matrix": ({"id", "agents"}, {"kwargs"}),
    "horizon": ({"problem", "agents", "lags"}, set(BUDGETS)),
    "capacity": ({"agents", "lengths"}, set(BUDGETS)),
    "generalisation": ({"id", "agents", "length", "factors"}, {"kwargs"}),
}


def _check_list(name: str, values: Any, low: int) -> None:
    if not isinstance(values, list) or not values:
        raise TypeError(f"{name} must be a list of at least one int, got {values!r}")
    for value in values:
        check_int(name, value, low)


def _check_entry(section: str, entry: Any, needed: set[str], optional: set[str]) -> None:
    """Raise TypeError or ValueError for an entry of a section that makes no sense."""
    if not isinstance(entry, dict):
        raise TypeError(f"an entry of {section} must be an object, got {entry!r}")
    for name in needed - set(entry):
        raise ValueError(f"an entry of {section} must have {name!r}, got {entry!r}")
    for name in set(entry) - needed - optional:
        allowed = ", ".join(sorted(needed | optional))
        raise ValueError(f"an entry of {section} has no {name!r}; it has {allowed}")
    agents = entry["agents"]
    if not isinstance(agents, list) or not all(isinstance(agent, str) for agent in agents):
        raise TypeError(f"agents must be a list of names, got {agents!r}")
    for agent in agents:
        if ":" not in agent:
            check_choice("agent", agent, AGENTS)
    if not isinstance(entry.get("kwargs", {}), dict):
        raise TypeError(f"kwargs must be an object, got {entry['kwargs']!r}")
    for name, low in (("lags", 1), ("lengths", 1)):
        if name in entry:
            _check_list(name, entry[name], low)
    for name in ("steps", "length"):
        if name in entry:
            check_int(name, entry[name], 1)
    if "seconds" in entry:
        check_positive("seconds", entry["seconds"])
    if set(BUDGETS) <= optional and not set(BUDGETS) & set(entry):
        raise ValueError(f"an entry of {section} must have 'steps' or 'seconds', got {entry!r}")
    if "problem" in entry:
        check_choice("problem", entry["problem"], tuple(_HORIZONS))
    factors = entry.get("factors", [1])
    if not isinstance(factors, list) or not all(
        isinstance(factor, (int, float)) and factor > 0 for factor in factors
    ):
        raise ValueError(f"factors must be a list of numbers above 0, got {factors!r}")


def read_suite(name: str) -> Suite:
    """Read a suite.

    Args:
        name: ``"quick"``, ``"full"``, or the path of a JSON file that holds one suite.

    Raises:
        SuiteError: There is none, or it makes no sense; the message says what.
    """
    shipped = json.loads(SUITES.read_text("utf-8"))
    try:
        if name in shipped:
            values = shipped[name]
        elif name.endswith(".json"):
            values = json.loads(Path(name).read_text("utf-8"))
        else:
            names = ", ".join(map(repr, shipped))
            raise SuiteError(f"suite must be {names} or the path of a .json file, got {name!r}")
        if not isinstance(values, dict):
            raise TypeError(f"it must hold an object, got {values!r}")
        known = [each.name for each in fields(Suite)]
        for key in values:
            if key not in known:
                raise ValueError(f"it has no {key!r}; it has {', '.join(known)}")
        return Suite(**values)
    except SuiteError:
        raise
    except (OSError, ValueError, TypeError) as error:
        raise SuiteError(f"suite {name}: {error}") from error


def check_cells(cells: Iterable[Cell]) -> None:
    """Check that all cells can be begun, before any of them is.

    Raises:
        SuiteError: An environment that can't be made, or an agent that can't learn it.
    """
    seen: set[str] = set()
    for cell in cells:
        word = json.dumps([cell.id, cell.kwargs, cell.agent, cell.options, cell.lengths])
        if word in seen:
            continue
        seen.add(word)
        task = _task_of(cell, {})
        for length in cell.lengths:
            other = _task_of(cell, {"length": length})
            spaces = other.observation_space, other.action_space
            if spaces != (task.observation_space, task.action_space):
                raise SuiteError(
                    f"id {cell.id!r} shows or asks for something else at length={length} than at "
                    f"{cell.kwargs}: an agent can't be evaluated there"
                )
            if cell.agent == "transformer" and (other.num_steps or 0) > (task.num_steps or 0):
                raise SuiteError(
                    f"agent 'transformer' can't be evaluated on {cell.id} at length={length}: "
                    f"it is made for the {task.num_steps} time steps that it learns from"
                )
        if task.problem is None and cell.agent in AGENTS:
            try:
                make_learner(settings_of(cell))
            except (TypeError, ValueError) as error:
                raise SuiteError(
                    f"agent {cell.agent!r} can't learn {cell.id!r}: {error}"
                ) from error


def _task_of(cell: Cell, changed: dict[str, Any]) -> Task:
    kwargs = {**cell.kwargs, **changed}
    try:
        return find_task(cell.id, kwargs)
    except (gymnasium.error.Error, ImportError, TypeError, ValueError) as error:
        raise SuiteError(f"id {cell.id!r} {kwargs}: {error}") from error


def settings_of(cell: Cell) -> Settings:
    """The settings of a cell whose agent is one of `agents.config.AGENTS`."""
    return Settings(
        id=cell.id,
        kwargs=cell.kwargs,
        agent=cell.agent,
        options=make_options(cell.agent, cell.options),
        seed=cell.seed,
        steps=cell.most_steps,
        target=cell.target,
    )

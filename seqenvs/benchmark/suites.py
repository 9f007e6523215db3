"""Suites: which agents run on which problems, with which seeds and budgets.

A suite is data. `suites.json` holds the shipped ones, which name no agents: an agent that is given
runs in every row. A JSON file of your own can name agents, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from seqenvs.benchmark.jobs import Job
from seqenvs.validation import check_choice, check_int, check_number

SUITES = Path(__file__).with_name("suites.json")
BUDGETS = ("steps", "seconds")  # of a sweep
ECHO_ANSWERS = 10  # due in an episode of the horizon on echo, whatever the lag

_Parameters = Callable[[int], dict[str, Any]]

# problem of a horizon: (id, parameters at every lag, parameters at a lag)
HORIZONS: dict[str, tuple[str, dict[str, Any], _Parameters]] = {
    "echo": ("SeqEcho-v0", {}, lambda lag: {"lag": lag, "length": lag + ECHO_ANSWERS}),
    "recall": (
        "SeqRecall-v0",
        {"framing": "many_to_one"},
        lambda lag: {"num_values": 4, "length": lag + 2},
    ),
}
CAPACITY = "SeqCopy-v0"


class SuiteError(ValueError):
    """A suite is wrong, or something in it cannot be run."""


class Row(NamedTuple):
    """The jobs of an agent on an environment, one for each seed."""

    agent: str
    jobs: list[Job]


class Sweep(NamedTuple):
    """The jobs of an agent on a problem that becomes harder, all with the same budget.

    ``problem`` is ``"echo"``, ``"recall"`` or, for the capacity, ``"copy"``. ``points`` holds the
    jobs, one for each seed, for each lag or length in rising order.
    """

    problem: str
    agent: str
    points: dict[int, list[Job]]


@dataclass(frozen=True)
class Suite:
    """What a benchmark runs. The sections are lists of objects, as in `suites.json`.

    Attributes:
        seeds: The seeds of each row.
        steps: The most time steps of a job in ``matrix`` and ``generalisation`` whose agent gives
            no number.
        agents: Agents that run in every row, see `read_agent`.
        matrix: Rows with the keys ``id`` and maybe ``kwargs``.
        horizon: Sweeps of the lag: ``problem``, ``lags`` and a budget, which is ``steps``,
            ``seconds`` of processor time, or both, of which the first to be spent ends a job.
        capacity: Sweeps of the length of ``SeqCopy-v0``: ``lengths`` and a budget.
        generalisation: Rows that are evaluated at other lengths, too: ``id``, ``length`` to learn
            at, ``factors`` of it to evaluate at, and maybe ``kwargs``.

    Each object of a section can also have ``agents``, which run in it besides the suite's.
    """

    seeds: list[int]
    steps: int
    agents: list[Any] = field(default_factory=list)
    matrix: list[dict[str, Any]] = field(default_factory=list)
    horizon: list[dict[str, Any]] = field(default_factory=list)
    capacity: list[dict[str, Any]] = field(default_factory=list)
    generalisation: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        _check_list("seeds", self.seeds, 0)
        check_int("steps", self.steps, 1)
        _check_agents(self.agents)
        for section, (needed, optional) in SECTIONS.items():
            entries = getattr(self, section)
            if not isinstance(entries, list):
                raise TypeError(f"{section} must be a list, got {entries!r}")
            for entry in entries:
                _check_entry(section, entry, needed, optional | {"agents"})

    def matrix_rows(self) -> list[Row]:
        """Return a row for each environment of the matrix and each agent."""
        return [
            self._row(entry["id"], entry.get("kwargs", {}), agent)
            for entry in self.matrix
            for agent in self._agents(entry)
        ]

    def generalisation_rows(self) -> list[Row]:
        """Return the rows whose jobs have ``lengths``."""
        rows = []
        for entry in self.generalisation:
            kwargs = {**entry.get("kwargs", {}), "length": entry["length"]}
            lengths = sorted({round(entry["length"] * factor) for factor in entry["factors"]})
            rows += [
                self._row(entry["id"], kwargs, agent, lengths) for agent in self._agents(entry)
            ]
        return rows

    def horizon_sweeps(self) -> list[Sweep]:
        """Return the sweeps of the lag, for each problem and agent."""
        return [
            sweep
            for entry in self.horizon
            for id, fixed, parameters in [HORIZONS[entry["problem"]]]
            for sweep in self._sweeps(entry, entry["problem"], id, fixed, entry["lags"], parameters)
        ]

    def capacity_sweeps(self) -> list[Sweep]:
        """Return the sweeps of the number of symbols to copy, for each agent."""
        return [
            sweep
            for entry in self.capacity
            for sweep in self._sweeps(
                entry, "copy", CAPACITY, {}, entry["lengths"], lambda length: {"length": length}
            )
        ]

    def jobs(self) -> list[Job]:
        """Return all jobs, each once, in the order of the sections."""
        groups = [row.jobs for row in (*self.matrix_rows(), *self.generalisation_rows())]
        for sweep in (*self.horizon_sweeps(), *self.capacity_sweeps()):
            groups += sweep.points.values()
        return list({job.key: job for jobs in groups for job in jobs}.values())

    def with_agents(self, agents: Iterable[Any]) -> Suite:
        """Return the suite with these agents, too, in every row."""
        return replace(self, agents=[*self.agents, *agents])

    def with_environment(self, id: str, kwargs: dict[str, Any]) -> Suite:
        """Return the suite with one more environment in the matrix, for all agents of the matrix.

        An agent that has several options in the matrix gets those of its first row.
        """
        found: dict[str, Any] = {}
        for entry in self.matrix:
            for value in entry.get("agents", []):
                found.setdefault(read_agent(value)["agent"], value)
        entry = {"id": id, "kwargs": kwargs, "agents": list(found.values())}
        return replace(self, matrix=[*self.matrix, entry])

    def to_json(self) -> str:
        """Return the text of a file that `read_suite` reads."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def _agents(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the agents of an entry and of the suite, each once."""
        agents = map(read_agent, [*entry.get("agents", []), *self.agents])
        return list({json.dumps(agent, sort_keys=True): agent for agent in agents}.values())

    def _row(
        self, id: str, kwargs: dict[str, Any], agent: dict[str, Any], lengths: Iterable[int] = ()
    ) -> Row:
        budget = {"steps": agent["steps"] or self.steps}
        return Row(agent["agent"], self._jobs(id, kwargs, agent, budget, lengths))

    def _sweeps(
        self,
        entry: dict[str, Any],
        problem: str,
        id: str,
        fixed: dict[str, Any],
        sizes: list[int],
        parameters: _Parameters,
    ) -> Iterator[Sweep]:
        budget: dict[str, Any] = {name: entry.get(name) for name in BUDGETS}
        for agent in self._agents(entry):
            points = {
                size: self._jobs(id, {**fixed, **parameters(size)}, agent, budget)
                for size in sorted(sizes)
            }
            yield Sweep(problem, agent["agent"], points)

    def _jobs(
        self,
        id: str,
        kwargs: dict[str, Any],
        agent: dict[str, Any],
        budget: dict[str, Any],
        lengths: Iterable[int] = (),
    ) -> list[Job]:
        return [
            Job(
                id=id,
                kwargs=kwargs,
                agent=agent["agent"],
                options=agent["options"],
                seed=seed,
                lengths=list(lengths),
                **budget,
            )
            for seed in self.seeds
        ]


# section: (keys that an entry must have, keys that it may have besides "agents")
SECTIONS: dict[str, tuple[set[str], set[str]]] = {
    "matrix": ({"id"}, {"kwargs"}),
    "horizon": ({"problem", "lags"}, set(BUDGETS)),
    "capacity": ({"lengths"}, set(BUDGETS)),
    "generalisation": ({"id", "length", "factors"}, {"kwargs"}),
}


def read_agent(value: Any) -> dict[str, Any]:
    """Read an agent of a suite.

    Args:
        value: ``"module:Class"``, or an object with the key ``agent``, which is that text, and
            maybe ``options``, the keyword arguments of the class's constructor, and ``steps``, the
            most time steps of a job in ``matrix`` and ``generalisation``.

    Returns:
        An object with all three keys; ``steps`` is None for those of the suite.

    Raises:
        TypeError, ValueError: The value is something else.
    """
    agent = {"agent": value} if isinstance(value, str) else value
    keys = ("agent", "options", "steps")
    if not isinstance(agent, dict) or "agent" not in agent or set(agent) - set(keys):
        raise TypeError(
            f"an agent must be 'module:Class' or an object of {', '.join(keys)}, got {value!r}"
        )
    agent = {"options": {}, "steps": None, **agent}
    if not isinstance(agent["agent"], str) or ":" not in agent["agent"]:
        raise ValueError(f"agent must be 'module:Class', got {agent['agent']!r}")
    if not isinstance(agent["options"], dict):
        raise TypeError(f"options must be an object, got {agent['options']!r}")
    if agent["steps"] is not None:
        check_int("steps", agent["steps"], 1)
    return agent


def read_suite(name: str) -> Suite:
    """Read a suite.

    Args:
        name: ``"quick"``, ``"timed"``, ``"full"``, or the path of a JSON file that holds a suite.

    Raises:
        SuiteError: There is no such suite, or it is wrong; the message says what.
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


def make_suite(
    name: str,
    agents: Iterable[Any] = (),
    id: str | None = None,
    kwargs: dict[str, Any] | None = None,
) -> Suite:
    """Read a suite and add agents and an environment to it.

    Args:
        name: See `read_suite`.
        agents: Agents to add to every row, see `read_agent`.
        id: An environment to add to the matrix.
        kwargs: Parameters of that environment.

    Raises:
        SuiteError: There is no such suite, or something in it is wrong.
    """
    suite = read_suite(name)
    if id is not None:
        suite = suite.with_environment(id, kwargs or {})
    try:
        return suite.with_agents(agents)
    except (TypeError, ValueError) as error:
        raise SuiteError(str(error)) from error


def _check_list(name: str, values: Any, low: int) -> None:
    if not isinstance(values, list) or not values:
        raise TypeError(f"{name} must be a list of at least one int, got {values!r}")
    for value in values:
        check_int(name, value, low)


def _check_agents(agents: Any) -> None:
    if not isinstance(agents, list):
        raise TypeError(f"agents must be a list, got {agents!r}")
    for agent in agents:
        read_agent(agent)


def _check_entry(section: str, entry: Any, needed: set[str], optional: set[str]) -> None:
    """Raise TypeError or ValueError for an entry of a section that is wrong."""
    if not isinstance(entry, dict):
        raise TypeError(f"an entry of {section} must be an object, got {entry!r}")
    for name in sorted(needed - set(entry)):
        raise ValueError(f"an entry of {section} must have {name!r}, got {entry!r}")
    for name in sorted(set(entry) - needed - optional):
        allowed = ", ".join(sorted(needed | optional))
        raise ValueError(f"an entry of {section} has no {name!r}; it has {allowed}")
    _check_agents(entry.get("agents", []))
    if not isinstance(entry.get("kwargs", {}), dict):
        raise TypeError(f"kwargs must be an object, got {entry['kwargs']!r}")
    for name in ("lags", "lengths"):
        if name in entry:
            _check_list(name, entry[name], 1)
    for name in ("steps", "length"):
        if name in entry:
            check_int(name, entry[name], 1)
    if "seconds" in entry and check_number("seconds", entry["seconds"]) <= 0:
        raise ValueError(f"seconds must be above 0, got {entry['seconds']!r}")
    if set(BUDGETS) <= optional and not set(BUDGETS) & set(entry):
        raise ValueError(f"an entry of {section} must have 'steps' or 'seconds', got {entry!r}")
    if "problem" in entry:
        check_choice("problem", entry["problem"], tuple(HORIZONS))
    factors = entry.get("factors", [1])
    if not isinstance(factors, list) or not all(
        isinstance(factor, (int, float)) and factor > 0 for factor in factors
    ):
        raise ValueError(f"factors must be a list of numbers above 0, got {factors!r}")

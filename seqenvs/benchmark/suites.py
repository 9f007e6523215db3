"""Suites: which agents run on which problems, with which seeds and budgets.

A suite is data. `suites.json` holds the shipped ones, which name no agents: an agent that is given
runs in every row. A JSON file of your own can name agents, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from seqenvs.arguments import UsageError
from seqenvs.benchmark.results import Job, check_positive
from seqenvs.validation import check_choice, check_int

SUITES = Path(__file__).with_name("suites.json")
SECTIONS = ("matrix", "horizon", "capacity", "generalisation")

# problem of a sweep: (id, parameters at every size, parameters at a size)
SWEEPS: dict[str, tuple[str, dict[str, Any], Callable[[int], dict[str, Any]]]] = {
    # Ten answers are due in an episode, whatever the lag.
    "echo": ("SeqEcho-v0", {}, lambda lag: {"lag": lag, "length": lag + 10}),
    "recall": (
        "SeqRecall-v0",
        {"framing": "many_to_one"},
        lambda lag: {"num_values": 4, "length": lag + 2},
    ),
    "copy": ("SeqCopy-v0", {}, lambda length: {"length": length}),
}


class SuiteError(UsageError, ValueError):
    """A suite is wrong, or something in it cannot be run."""


class Row(NamedTuple):
    """The jobs of an agent on an environment, one for each seed.

    In ``horizon`` and ``capacity``, ``problem`` is a key of `SWEEPS` and ``size`` the lag or the
    length; elsewhere they are empty and None.
    """

    section: str
    problem: str
    size: int | None
    agent: str
    jobs: list[Job]


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

    Raises:
        SuiteError: Something is missing, unknown or out of range.
    """

    seeds: list[int]
    steps: int
    agents: list[Any] = field(default_factory=list)
    matrix: list[dict[str, Any]] = field(default_factory=list)
    horizon: list[dict[str, Any]] = field(default_factory=list)
    capacity: list[dict[str, Any]] = field(default_factory=list)
    generalisation: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        _check_object("the suite", vars(self), {"seeds", "steps"}, {"agents", *SECTIONS})

    def rows(self) -> Iterator[Row]:
        """Yield all rows: section by section, agent by agent, sizes in rising order."""
        for section in SECTIONS:
            for entry in getattr(self, section):
                agents = map(read_agent, [*entry.get("agents", []), *self.agents])
                different = {json.dumps(agent, sort_keys=True): agent for agent in agents}
                for agent in different.values():
                    yield from self._rows(section, entry, agent)

    def _rows(self, section: str, entry: dict[str, Any], agent: dict[str, Any]) -> Iterator[Row]:
        problem, kwargs, budget = "", entry.get("kwargs", {}), {}
        lengths: list[int] = []
        environments: list[tuple[int | None, str, dict[str, Any]]]
        if section in ("horizon", "capacity"):
            problem = entry.get("problem", "copy")
            id, fixed, parameters = SWEEPS[problem]
            sizes = sorted(set(entry["lags" if section == "horizon" else "lengths"]))
            environments = [(size, id, {**fixed, **parameters(size)}) for size in sizes]
            budget = {name: entry.get(name) for name in ("steps", "seconds")}
        else:
            budget = {"steps": agent["steps"] or self.steps}
            if section == "generalisation":
                length = entry["length"]
                kwargs = {**kwargs, "length": length}
                lengths = sorted({round(length * factor) for factor in entry["factors"]})
            environments = [(None, entry["id"], kwargs)]
        for size, id, kwargs in environments:
            jobs = [
                Job(
                    id=id,
                    kwargs=kwargs,
                    agent=agent["agent"],
                    options=agent["options"],
                    seed=seed,
                    lengths=lengths,
                    **budget,
                )
                for seed in self.seeds
            ]
            yield Row(section, problem, size, agent["agent"], jobs)

    def jobs(self) -> list[Job]:
        """Return all jobs, each once, in the order of the rows."""
        return list({job.key: job for row in self.rows() for job in row.jobs}.values())

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


def read_agent(value: Any) -> dict[str, Any]:
    """Read an agent of a suite.

    Args:
        value: ``"module:Class"``, or an object with the key ``agent``, which is that text, and
            maybe ``options``, the keyword arguments of the class's constructor, and ``steps``, the
            most time steps of a job in ``matrix`` and ``generalisation``.

    Returns:
        An object with all three keys; ``steps`` is None for those of the suite.

    Raises:
        SuiteError: The value is something else.
    """
    agent = {"agent": value} if isinstance(value, str) else value
    _check_object("an agent", agent, {"agent"}, {"options", "steps"})
    if ":" not in agent["agent"]:
        raise SuiteError(f"agent must be 'module:Class', got {agent['agent']!r}")
    return {"options": {}, "steps": None, **agent}


def read_suite(name: str) -> Suite:
    """Read a suite.

    Args:
        name: ``"quick"``, ``"timed"``, ``"full"``, or the path of a JSON file that holds a suite.

    Raises:
        SuiteError: There is no such suite, or it is wrong; the message says what.
    """
    shipped = json.loads(SUITES.read_text("utf-8"))
    if name in shipped:
        return Suite(**shipped[name])
    if not name.endswith(".json"):
        names = ", ".join(map(repr, shipped))
        raise SuiteError(f"suite must be {names} or the path of a .json file, got {name!r}")
    try:
        return Suite(**json.loads(Path(name).read_text("utf-8")))
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
    return suite.with_agents(agents)


def _check_object(name: str, value: Any, needed: set[str], optional: set[str]) -> None:
    """Raise SuiteError if a value is not an object with these keys, or a value in it is wrong."""
    if not isinstance(value, dict):
        raise SuiteError(f"{name} must be an object, got {value!r}")
    for key in sorted(needed - set(value)):
        raise SuiteError(f"{name} must have {key!r}, got {value!r}")
    if "seconds" in optional and not {"steps", "seconds"} & set(value):
        raise SuiteError(f"{name} must have 'steps' or 'seconds', got {value!r}")
    for key, given in value.items():
        if key not in needed | optional:
            allowed = ", ".join(sorted(needed | optional))
            raise SuiteError(f"{name} has no {key!r}, it has {allowed}; got {value!r}")
        if given is None and key in optional:
            continue
        try:
            if key in _VALUES:
                _VALUES[key](key, given)
                continue
            if not isinstance(given, list) or (key in _NOT_EMPTY and not given):
                numbers = " of at least one number" if key in _NOT_EMPTY else ""
                raise TypeError(f"{key} must be a list{numbers}, got {given!r}")
            for each in given:
                _ITEMS[key](key, each)
        except (TypeError, ValueError) as error:
            raise SuiteError(str(error)) from error


def _check_entry(section: str, value: Any) -> None:
    needed, optional = _ENTRIES[section]
    _check_object(f"an entry of {section}", value, needed, optional | {"agents"})


def _check_kind(name: str, value: Any, kind: type, text: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {text}, got {value!r}")


# section: (keys that an entry must have, keys that it may have besides "agents")
_ENTRIES: dict[str, tuple[set[str], set[str]]] = {
    "matrix": ({"id"}, {"kwargs"}),
    "horizon": ({"problem", "lags"}, {"steps", "seconds"}),
    "capacity": ({"lengths"}, {"steps", "seconds"}),
    "generalisation": ({"id", "length", "factors"}, {"kwargs"}),
}
_POSITIVE_INT = partial(check_int, low=1)
_OBJECT, _TEXT = (
    partial(_check_kind, kind=kind, text=text)
    for kind, text in ((dict, "an object"), (str, "text"))
)
# key: how its value, or each item of its list, is checked
_VALUES: dict[str, Callable[[str, Any], object]] = {
    "steps": _POSITIVE_INT,
    "length": _POSITIVE_INT,
    "seconds": check_positive,
    "problem": partial(check_choice, allowed=("echo", "recall")),
    "id": _TEXT,
    "agent": _TEXT,
    "kwargs": _OBJECT,
    "options": _OBJECT,
}
_ITEMS: dict[str, Callable[[str, Any], object]] = {
    "seeds": partial(check_int, low=0),
    "lags": _POSITIVE_INT,
    "lengths": _POSITIVE_INT,
    "factors": check_positive,
    "agents": lambda _, value: read_agent(value),
    **dict.fromkeys(SECTIONS, _check_entry),
}
_NOT_EMPTY = ("seeds", "lags", "lengths", "factors")

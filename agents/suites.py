"""The suites of the benchmark with the reference agents, and the jobs of these agents."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agents.config import CLASS_NAMES, RECURRENT_PPO, Settings, make_options
from agents.presets import find_preset
from seqenvs.benchmark.results import Job
from seqenvs.benchmark.suites import SECTIONS, SWEEPS, Suite, SuiteError, read_agent, read_suite

DEFAULT_TARGET = 0.98  # where there is no preset, and in sweeps
NAMES = {f"agents:{made}": name for name, made in CLASS_NAMES.items()}

# suite: section: environment or problem: agents; "" stands for all others
_ROWS: dict[str, dict[str, dict[str, list[str]]]] = json.loads(
    Path(__file__).with_name("suites.json").read_text("utf-8")
)


def make_suite(
    name: str,
    agents: Iterable[Any] = (),
    id: str | None = None,
    kwargs: dict[str, Any] | None = None,
) -> Suite:
    """Make a suite, as `seqenvs.benchmark.suites.make_suite` does, with the reference agents.

    Shipped suites get their rows of reference agents. Wherever a reference agent is named, all its
    options are written out: those that are given, those of its preset, and the defaults. A job
    whose preset has changed is therefore another job.

    Args:
        name: ``"quick"``, ``"timed"``, ``"full"``, or the path of a JSON file.
        agents: Agents to add to every row, see `read_agent`. The names of
            `agents.config.AGENTS` are allowed, too.
        id: An environment to add to the matrix, for all agents of the matrix.
        kwargs: Parameters of that environment.

    Raises:
        SuiteError: There is no such suite, or something in it is wrong.
    """
    suite = read_suite(name)
    for section, rows in _ROWS.get(name, {}).items():
        entries = [
            {**entry, "agents": list(map(class_path, rows.get(entry.get("id", "")) or rows[""]))}
            for entry in getattr(suite, section)
        ]
        changed: dict[str, Any] = {section: entries}
        suite = replace(suite, **changed)
    if id is not None:
        suite = suite.with_environment(id, kwargs or {})
        suite.matrix[-1]["agents"] = suite.matrix[-1]["agents"] or [class_path(RECURRENT_PPO)]
    try:
        return _with_options(suite.with_agents(map(_with_class, agents)))
    except (TypeError, ValueError) as error:
        raise SuiteError(str(error)) from error


def class_path(agent: str) -> str:
    """Return the class of a reference agent as ``"agents:Class"``."""
    return f"agents:{CLASS_NAMES[agent]}"


def agent_spec(settings: Settings) -> dict[str, Any]:
    """Return the agent of settings as a suite has it, with all its options and its steps."""
    return {
        "agent": class_path(settings.agent),
        "options": _options(asdict(settings.options), settings.target),
        "steps": settings.steps,
    }


def job_of(settings: Settings) -> Job:
    """Return the job that trains and evaluates an agent with these settings."""
    spec = agent_spec(settings)
    return Job(id=settings.id, kwargs=settings.kwargs, seed=settings.seed, **spec)


def _options(options: dict[str, Any], target: float) -> dict[str, Any]:
    """Return the arguments of an agent's class. None is a default that stands for "not used"."""
    given = {name: value for name, value in options.items() if value is not None}
    return {**given, "target": target}


def _with_class(agent: Any) -> Any:
    """Replace the short name of a reference agent by its class."""
    if isinstance(agent, dict) and agent.get("agent") in CLASS_NAMES:
        return {**agent, "agent": class_path(agent["agent"])}
    return class_path(agent) if agent in CLASS_NAMES else agent


def _with_options(suite: Suite) -> Suite:
    """Write out the options of all reference agents in a suite."""
    changed: dict[str, Any] = {"agents": []}
    for section in SECTIONS:
        changed[section] = entries = []
        for entry in getattr(suite, section):
            agents = map(read_agent, [*entry.get("agents", []), *suite.agents])
            completed = [_complete(section, entry, agent) for agent in agents]
            entries.append({**entry, "agents": completed})
    return replace(suite, **changed)


def _complete(section: str, entry: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """Return an agent of a suite with all options, if it is a reference agent."""
    if spec["agent"] not in NAMES:
        return spec
    agent, sweep = NAMES[spec["agent"]], section in ("horizon", "capacity")
    if sweep:  # the preset of the problem, not of a lag, so that all lags have the same options
        id, kwargs, _ = SWEEPS[entry.get("problem", "copy")]
    else:
        id, kwargs = entry["id"], entry.get("kwargs", {})
        if section == "generalisation":
            kwargs = {**kwargs, "length": entry["length"]}
            if agent == "transformer" and max(entry["factors"]) > 1:
                raise ValueError(
                    f"agent {spec['agent']!r} cannot be evaluated at a length above "
                    f"{entry['length']}, the one that it learns at, got factors {entry['factors']}"
                )
    preset = find_preset(id, kwargs, agent)
    target, steps = DEFAULT_TARGET, spec["steps"]
    if preset is not None and not sweep:
        target, steps = preset.target, spec["steps"] or preset.steps
    given = {**(preset.options if preset else {}), **spec["options"]}
    target = given.pop("target", target)
    options = _options(asdict(make_options(agent, given)), target)
    return {**spec, "options": options, "steps": steps}

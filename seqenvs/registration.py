"""The one table of environment ids, and the one loop that registers them."""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import Any

import gymnasium
from gymnasium.envs.registration import find_highest_version, get_env_id, parse_env_id

from seqenvs.files import import_object
from seqenvs.problem import Problem

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

# id: (problem, parameters that differ from the problem's own defaults). Levels are rows; the bare
# id is the easiest, whose parameters are the defaults.
IDS: dict[str, tuple[str, dict[str, Any]]] = {
    "SeqNext-v0": ("NextValue", {}),
    "SeqNextMedium-v0": ("NextValue", {"length": 50, "framing": "many_to_one", "window": 10}),
    "SeqNextHard-v0": (
        "NextValue",
        {"length": [50, 100], "framing": "many_to_one", "window": 25, "answer": "index"},
    ),
    "SeqRecall-v0": ("Recall", {}),
    "SeqRecallMedium-v0": ("Recall", {"length": 22, "num_values": 4, "framing": "many_to_one"}),
    "SeqRecallHard-v0": (
        "Recall",
        {"length": 102, "num_values": 8, "framing": "many_to_one", "middle": "random"},
    ),
    "SeqEcho-v0": ("Echo", {}),
    "SeqEchoMedium-v0": ("Echo", {"length": 24, "lag": 8}),
    "SeqEchoHard-v0": ("Echo", {"length": 48, "lag": 16, "num_symbols": 100}),
    "SeqCopy-v0": ("Copy", {}),
    "SeqCopyMedium-v0": ("Copy", {"length": 10}),
    "SeqCopyHard-v0": ("Copy", {"length": 20, "num_symbols": 100}),
    "SeqClassify-v0": ("Classify", {}),
    "SeqClassifyMedium-v0": ("Classify", {"length": 30}),
    "SeqClassifyHard-v0": ("Classify", {"length": 100}),
}


def register(id: str, problem: str, **parameters: Any) -> None:
    """Register a problem with Gymnasium, under an id, for `gymnasium.make` and `make_vec`.

    Args:
        id: Such as ``"Mine-v0"``.
        problem: ``"module:Class"`` of a `seqenvs.Problem`, which is imported when one is made.
        **parameters: JSON-able arguments of the class; any can be overridden in ``make``.

    Raises:
        TypeError, ValueError: The problem is not named in this way.
    """
    allowed = "problem must be a str, 'module:Class' of a seqenvs.Problem"
    if not isinstance(problem, str):
        name = f"{problem.__module__}:{problem.__qualname__}" if isinstance(problem, type) else ""
        raise TypeError(
            f"{allowed}, got {problem!r}" + (f" (did you mean {name!r}?)" if name else "")
        )
    module, _, name = problem.partition(":")
    if not (module and name.isidentifier()):
        raise ValueError(f"{allowed}, got {problem!r}")
    gymnasium.register(
        id=id,
        entry_point="seqenvs.env:SequenceEnv",
        vector_entry_point="seqenvs.vector_env:SequenceVectorEnv",
        kwargs={"problem": problem, **parameters},
    )


def register_all() -> None:
    """Register every id of the table."""
    for id, (name, parameters) in IDS.items():
        register(id, f"seqenvs.problems:{name}", **parameters)


def full_id(id: str) -> str:
    """An id with its version, as `gymnasium.make` finds it: without one, the highest that is there.

    What is not registered stays as it is, as does an id that names its module.
    """
    if ":" in id or id in gymnasium.registry:
        return id
    try:
        namespace, name, version = parse_env_id(id)
    except gymnasium.error.Error:  # which gymnasium.make says
        return id
    if version is None:
        version = find_highest_version(namespace, name)
    return get_env_id(namespace, name, version)


def make_problem(
    problem: Problem | type[Problem] | str,
    parameters: dict[str, Any],
    own: tuple[str, ...] = ("encoding", "seed"),
) -> Problem:
    """Make a problem from an instance, or from a class or its ``"module:Class"`` and parameters.

    Args:
        problem: Any of these.
        parameters: Of the class.
        own: The keywords that the caller takes itself, for messages; those of what reads a problem
            as data if left out.

    Raises:
        TypeError: Not a problem, a parameter that it does not have, or one of a wrong type.
        ValueError: A parameter out of range.
    """
    if isinstance(problem, Problem):
        if parameters:
            name = next(iter(parameters))
            raise TypeError(
                f"{name!r} can't be given beside a problem made already, {problem}"
                f"{_did_you_mean(name, own)}"
            )
        return problem
    if isinstance(problem, str):
        problem = import_object(problem, "problem must be 'module:Class', a class or an instance")
    if not (isinstance(problem, type) and issubclass(problem, Problem)):
        raise TypeError(
            "problem must be a seqenvs.Problem, its class, or 'module:Class' of one, got "
            f"{problem!r}"
        )
    taken = inspect.signature(problem).parameters.values()
    known = (*(one.name for one in taken if one.kind not in _VARIADIC), *own)
    for name in parameters:
        if name not in known and not any(one.kind == one.VAR_KEYWORD for one in taken):
            raise TypeError(
                # In Python's words, which TorchRL's GymEnv looks for before it tries without.
                f"{problem.__name__} got an unexpected keyword argument {name!r}"
                f"{_did_you_mean(name, known)}; known here are {', '.join(known)}"
            )
    return problem(**parameters)


def _did_you_mean(name: str, known: tuple[str, ...]) -> str:
    """A hint at what may have been meant, or nothing."""
    close = difflib.get_close_matches(name, known, 1, 0.65)  # autoreset_mode is no render_mode
    return f" (did you mean {close[0]!r}?)" if close else ""


def find_problem(problem: str | Problem | type[Problem], parameters: dict[str, Any]) -> Problem:
    """The problem of an environment's id, or what `seqenvs.env.make_problem` makes of the rest.

    An id may name its module, as for ``gymnasium.make``: ``"seqenvs:SeqEcho-v0"``.
    """
    if isinstance(problem, str):
        module, _, name = problem.partition(":")
        if module and name and not name.isidentifier():  # an id, which its module registers
            try:
                importlib.import_module(module)
            except ModuleNotFoundError as error:
                raise ValueError(f"problem must be an id, got {problem!r}: {error}") from error
            problem = name
    if isinstance(problem, str) and ":" not in problem:
        problem = full_id(problem)
    if isinstance(problem, str) and problem in gymnasium.registry:
        defaults = {**gymnasium.spec(problem).kwargs, **parameters}
        if "problem" not in defaults:
            raise ValueError(
                f"problem must be an id that seqenvs.register registered, got {problem!r}"
            )
        return make_problem(defaults.pop("problem"), defaults)
    if isinstance(problem, str) and ":" not in problem:
        gymnasium.spec(problem)  # raises the error that names the ids which come close
    return make_problem(problem, parameters)

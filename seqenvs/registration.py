"""The table of environment ids, and their registration with Gymnasium."""

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

# id: (name of the problem, parameters that differ from its defaults). A level is a row with other
# parameters, never a subclass. The id without a level has the defaults and is the easiest.
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
    """Register a problem as an environment of `gymnasium.make` and `gymnasium.make_vec`.

    Args:
        id: The environment's id, such as ``"Mine-v0"``.
        problem: The name of a subclass of `seqenvs.Problem`, as ``"module:Class"``. The module is
            imported when an environment is made.
        **parameters: Arguments of the class. They must be JSON-able. ``make`` can override each.

    Raises:
        TypeError, ValueError: ``problem`` is not such a name.
    """
    allowed = "problem must be a str 'module:Class' that names a seqenvs.Problem"
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
    """Register all ids of `IDS`."""
    for id, (name, parameters) in IDS.items():
        register(id, f"seqenvs.problems:{name}", **parameters)


def full_id(id: str) -> str:
    """Return an id with its version. Without one, it gets the highest registered version.

    An id that is not registered, or that names its module, is returned unchanged.
    """
    if ":" in id or id in gymnasium.registry:
        return id
    try:
        namespace, name, version = parse_env_id(id)
    except gymnasium.error.Error:  # gymnasium.make raises a better error
        return id
    if version is None:
        version = find_highest_version(namespace, name)
    return get_env_id(namespace, name, version)


def make_problem(
    problem: Problem | type[Problem] | str,
    parameters: dict[str, Any],
    own: tuple[str, ...] = ("encoding", "seed"),
) -> Problem:
    """Return an instance of a problem.

    Args:
        problem: An instance, which is returned as it is, a subclass of `Problem`, or the name of
            one as ``"module:Class"``.
        parameters: The arguments of the class; empty for an instance.
        own: The other keyword arguments of the caller. Error messages list them, too. The default
            is those of `seqenvs.batches`.

    Raises:
        TypeError: ``problem`` is not a problem, or a parameter is unknown or of a wrong type.
        ValueError: A parameter is out of range.
    """
    if isinstance(problem, Problem):
        if parameters:
            name = next(iter(parameters))
            raise TypeError(
                f"{name!r} can't be given together with an instance of a problem, {problem}"
                f"{_did_you_mean(name, own)}"
            )
        return problem
    if isinstance(problem, str):
        problem = import_object(problem, "problem must be 'module:Class', a class or an instance")
    if not (isinstance(problem, type) and issubclass(problem, Problem)):
        raise TypeError(
            "problem must be a seqenvs.Problem, a subclass, or the name of one as 'module:Class', "
            f"got {problem!r}"
        )
    taken = inspect.signature(problem).parameters.values()
    known = (*(one.name for one in taken if one.kind not in _VARIADIC), *own)
    for name in parameters:
        if name not in known and not any(one.kind == one.VAR_KEYWORD for one in taken):
            raise TypeError(
                # These are Python's words: TorchRL's GymEnv looks for them and then tries without.
                f"{problem.__name__} got an unexpected keyword argument {name!r}"
                f"{_did_you_mean(name, known)}; allowed are {', '.join(known)}"
            )
    return problem(**parameters)


def _did_you_mean(name: str, known: tuple[str, ...]) -> str:
    """Return a hint at a similar name for an error message, or an empty string."""
    # With a lower cutoff, autoreset_mode would count as similar to render_mode.
    close = difflib.get_close_matches(name, known, 1, 0.65)
    return f" (did you mean {close[0]!r}?)" if close else ""


def find_problem(problem: str | Problem | type[Problem], parameters: dict[str, Any]) -> Problem:
    """Return the problem of an environment's id, or the one that `make_problem` makes.

    Args:
        problem: An environment's id, or anything that `make_problem` takes. An id may name the
            module that registers it, as in ``gymnasium.make``: ``"seqenvs:SeqEcho-v0"``.
        parameters: Parameters of the problem. They override those of the id.

    Raises:
        TypeError, ValueError: As for `make_problem`, or the id is not one of a sequence problem.
        gymnasium.error.Error: No such id is registered.
    """
    if isinstance(problem, str):
        module, _, name = problem.partition(":")
        if module and name and not name.isidentifier():  # an id; importing its module registers it
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
        gymnasium.spec(problem)  # raises an error that names similar ids
    return make_problem(problem, parameters)

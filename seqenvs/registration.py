"""The one table of environment ids, and the one loop that registers them."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.envs.registration import find_highest_version, get_env_id, parse_env_id

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

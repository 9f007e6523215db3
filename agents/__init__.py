"""Reference agents. They need a checkout: run ``python -m agents --help``, or import them.

The classes are imported when they are first used, so that ``import agents`` needs no torch::

    agent = agents.LSTM()
    for steps in agent.learn("SeqEcho-v0", kwargs={}, steps=100_000, seed=0):
        print(steps, agent.curve[-1])
    print(seqenvs.evaluate(agent, "SeqEcho-v0").report())
"""

from typing import Any

from agents.config import CLASS_NAMES

__all__ = list(CLASS_NAMES.values())


def __getattr__(name: str) -> Any:
    for agent, class_name in CLASS_NAMES.items():
        if class_name == name:
            from agents.learners import AGENTS

            return AGENTS[agent]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

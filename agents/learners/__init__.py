"""The reference agents: recurrent PPO, which learns from rewards, and those that learn answers."""

from __future__ import annotations

from agents.config import Settings
from agents.learners.base import ReferenceAgent, Row
from agents.learners.ppo import RecurrentPPO
from agents.learners.supervised import SUPERVISED, SupervisedAgent

__all__ = ["AGENTS", "RecurrentPPO", "ReferenceAgent", "Row", "SupervisedAgent", "make_agent"]

AGENTS: dict[str, type[ReferenceAgent]] = {RecurrentPPO.name: RecurrentPPO, **SUPERVISED}


def make_agent(settings: Settings) -> ReferenceAgent:
    """Make an untrained agent.

    Raises:
        TypeError, ValueError, gymnasium.error.Error: The environment cannot be made, or the agent
            cannot learn it.
    """
    agent = AGENTS[settings.agent]()
    agent.start(settings)
    return agent

"""The reference agents: recurrent PPO, which learns from rewards, and those that learn answers."""

from __future__ import annotations

from pathlib import Path

from agents.config import Settings
from agents.learners.base import ReferenceAgent, Row
from agents.learners.ppo import RecurrentPPO
from agents.learners.supervised import SUPERVISED, SupervisedAgent
from agents.training import run_folder

__all__ = [
    "AGENTS",
    "RecurrentPPO",
    "ReferenceAgent",
    "Row",
    "SupervisedAgent",
    "make_agent",
    "read_agent",
]

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


def read_agent(folder: Path) -> ReferenceAgent:
    """Read the agent of a run, for ``predict``.

    Raises:
        RunFolderError: A file is missing, damaged, or belongs to another run.
        TypeError, ValueError, ImportError, gymnasium.error.Error: The environment cannot be made.
    """
    agent = make_agent(run_folder.read_settings(folder))
    run_folder.read(folder / agent.model_file, agent.load_model)
    return agent

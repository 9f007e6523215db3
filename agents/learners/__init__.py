"""Learners: recurrent PPO, which learns from rewards, and networks that learn from answers."""

from __future__ import annotations

from agents.config import PPOOptions, Settings
from agents.learners.base import Learner
from agents.learners.ppo import PPOLearner
from agents.learners.supervised import SupervisedLearner

__all__ = ["Learner", "PPOLearner", "SupervisedLearner", "make_learner"]


def make_learner(settings: Settings) -> Learner:
    """Make an untrained agent.

    Raises:
        TypeError, ValueError, gymnasium.error.Error: The environment cannot be made, or the agent
            cannot learn it.
    """
    made = PPOLearner if isinstance(settings.options, PPOOptions) else SupervisedLearner
    return made(settings)

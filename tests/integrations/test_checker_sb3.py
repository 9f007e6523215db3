"""Stable-Baselines3's own checker is clean for every id."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import RescaleAction
from stable_baselines3.common.env_checker import check_env

from seqenvs.observations import ENCODINGS
from seqenvs.registration import IDS


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("id", IDS)
def test_sb3s_checker(id: str, encoding: str) -> None:
    env = gymnasium.make(id, encoding=encoding).unwrapped
    if isinstance(env.action_space, gymnasium.spaces.Box):
        # SB3 recommends actions in [-1, 1]; a value between 0 and 1 is the answer here, so that
        # the warning is right and Gymnasium's own wrapper is its cure.
        with pytest.warns(UserWarning, match="symmetric and normalized Box action space"):
            check_env(env)
        env = RescaleAction(env, np.float32(-1), np.float32(1))
    check_env(env)

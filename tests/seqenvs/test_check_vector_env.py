"""The checker of vector environments passes good ones and says what is wrong with a bad one."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleEnv, CartPoleVectorEnv
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from seqenvs import SequenceEnv, SequenceVectorEnv
from seqenvs.problems import Echo
from seqenvs.testing import check_vector_env

MODES = list(AutoresetMode)


Step = namedtuple("Step", "observations rewards terminated truncated info")


class CartPoles(SyncVectorEnv):
    """Gymnasium's own vector environment, in which a subclass gets one thing wrong."""

    def __init__(self, num_envs: int, mode: AutoresetMode) -> None:
        super().__init__([CartPoleEnv] * num_envs, autoreset_mode=mode)
        self.count, self.kept = 0, None


def changed(change: Callable[[CartPoles, Step, Any], Any]) -> type[CartPoles]:
    """Return a vector environment that changes the results of each step."""

    class Changed(CartPoles):
        def step(self, actions):
            self.begins = self._autoreset_envs.copy()
            return change(self, Step(*super().step(actions)), actions)

    return Changed


def write_again(env, step, actions):
    env.kept = step.observations if env.kept is None else env.kept
    env.kept[:] = step.observations
    return step._replace(observations=env.kept)


def forget_a_mask(env, step, actions):
    step.info.pop("_final_obs", None)
    return step


def change_final_observations(env, step, actions):
    for final in step.info.get("final_obs", ()):
        if final is not None:
            final[2] += 1
    return step


almost_equal = changed(lambda env, s, _: s._replace(observations=s[0] * np.float32(1 + 1e-5)))


def other_mode(num_envs, mode):
    env = CartPoles(num_envs, mode)
    env.metadata = {**env.metadata, "autoreset_mode": "same"}
    return env


class ResetsAll(CartPoles):
    def reset(self, *, seed=None, options=None):
        if options is not None:
            options = {"reset_mask": np.ones(self.num_envs, bool)}
        return super().reset(seed=seed, options=options)


class SeedsOnlyOnce(CartPoles):
    def reset(self, *, seed=None, options=None):
        self.count += seed is not None
        return super().reset(seed=None if self.count > 1 else seed, options=options)


NEXT, SAME, DISABLED = ([AutoresetMode(mode)] for mode in ("NextStep", "SameStep", "Disabled"))
WRONG = [
    (other_mode, MODES, r"metadata\['autoreset_mode'\] must be AutoresetMode\.\w+, got 'same'"),
    (lambda num_envs, mode: CartPoles(num_envs + 1, mode), MODES, r"num_envs must be 3, got 4"),
    (ResetsAll, DISABLED, r"observations of reset of \[.*True.*\] after step \d+ must equal those"),
    (SeedsOnlyOnce, MODES, r"reset with the same seed must give the same again: \[0\] at \[0, 0\]"),
    (almost_equal, MODES, r"observations of step 0 must equal"),
]
CHANGED = [
    (write_again, MODES, r"what step 0 returned must never be written again, but was: \[0\] at"),
    (forget_a_mask, SAME, r"infos of step \d+ .*: it has the keys .*, not "),
    (change_final_observations, SAME, r"infos of step \d+ .*: \['final_obs'\] \[\d\] at \[2\]: "),
    (lambda env, s, actions: actions.fill(0) or s, MODES, r"step \d+ must not change its actions"),
    (lambda e, s, _: s._replace(rewards=np.float32(s[1])), MODES, r"rewards of step 0 .*: float32"),
    (lambda e, s, _: s._replace(rewards=np.maximum(s[1], e.begins)), NEXT, "rewards .* 1.0, not 0"),
    (lambda env, s, _: tuple(s[:4]), MODES, r"step 0 must return \(observations, .*infos\), got"),
]
WRONG += [(changed(change), modes, message) for change, modes, message in CHANGED]


def test_gymnasiums_own_pass() -> None:
    check_vector_env(CartPoles, CartPoleEnv)
    check_vector_env(almost_equal, CartPoleEnv, tolerance=1e-4, steps=10)


@pytest.mark.parametrize(("wrong", "bad", "message"), WRONG)
def test_names_what_is_wrong_and_where(wrong: Any, bad: list, message: str) -> None:
    for mode in MODES:
        said = f"^with .*'{mode.value}', {message}"
        with pytest.raises(AssertionError, match=said) if mode in bad else nullcontext():
            check_vector_env(wrong, CartPoleEnv, autoreset_modes=[mode])


def test_one_generator_for_all_needs_a_begin_and_the_message_says_so() -> None:
    """Gymnasium's vectorised CartPole draws all sub-environments from one generator."""

    def begin(single: SyncVectorEnv, seed: int) -> Any:
        single.reset(seed=seed)
        states = np.random.default_rng(seed).uniform(-0.05, 0.05, (4, single.num_envs))
        for env, state in zip(single.envs, states.T, strict=True):
            env.unwrapped.state = state
        return states.T.astype(np.float32), {}

    checked = partial(
        check_vector_env,
        *(lambda num_envs, mode: CartPoleVectorEnv(num_envs), CartPoleEnv),
        autoreset_modes=NEXT,
        seed=7,
    )
    hint = r"observations of reset with a seed must equal .*; single environment i was reset with "
    with pytest.raises(AssertionError, match=hint + "seed 7 [+] i, as begin was left out.* pass a"):
        checked()
    with pytest.raises(AssertionError, match=r"rewards of step 0 must equal .*: float32"):
        checked(begin=begin)


def test_wrapped_vector_environments_of_seqenvs_need_no_begin() -> None:
    echo, wrappers = Echo(length=(2, 5)), gymnasium.wrappers
    check_vector_env(
        lambda num_envs, mode: wrappers.vector.TransformReward(
            SequenceVectorEnv(echo, num_envs, autoreset_mode=mode), lambda r: 2 * r
        ),
        lambda: wrappers.TransformReward(SequenceEnv(echo), lambda r: 2 * r),
    )

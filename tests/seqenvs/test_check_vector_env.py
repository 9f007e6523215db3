"""The checker of vector environments passes good ones and says what is wrong with a bad one."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.classic_control.cartpole import CartPoleEnv, CartPoleVectorEnv
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from seqenvs import SequenceEnv, SequenceVectorEnv
from seqenvs.problems import Echo
from seqenvs.testing import check_vector_env

MODES = list(AutoresetMode)


class CartPoles(SyncVectorEnv):
    """Gymnasium's own vector environment, in which a subclass gets one thing wrong."""

    more = 0

    def __init__(self, num_envs: int, mode: AutoresetMode) -> None:
        super().__init__([CartPoleEnv] * (num_envs + self.more), autoreset_mode=mode)
        self.count = 0

    def change(self, actions, begins, observations, rewards, terminated, truncated, info):
        return observations, rewards, terminated, truncated, info

    def step(self, actions):
        begins = self._autoreset_envs.copy()
        results = super().step(actions)
        return self.change(actions, begins, *results)


class OtherMode(CartPoles):
    def __init__(self, num_envs, mode):
        super().__init__(num_envs, mode)
        self.metadata = {**self.metadata, "autoreset_mode": "same"}


class OtherSpace(CartPoles):
    def __init__(self, num_envs, mode):
        super().__init__(num_envs, mode)
        self.observation_space = spaces.Box(0, 1, (num_envs, 4), np.float32)


class OneMore(CartPoles):
    more = 1


class WritesAgain(CartPoles):
    def change(self, actions, begins, observations, *rest):
        self._kept = observations if self.count == 0 else self._kept
        self._kept[:] = observations
        self.count += 1
        return self._kept, *rest


class Float32Rewards(CartPoles):
    def change(self, actions, begins, observations, rewards, *rest):
        return observations, rewards.astype(np.float32), *rest


class ForgetsAMask(CartPoles):
    def change(self, actions, begins, *results):
        results[-1].pop("_final_obs", None)
        return results


class WrongFinalObservation(CartPoles):
    def change(self, actions, begins, *results):
        for final in results[-1].get("final_obs", ()):
            if final is not None:
                final[2] += 1
        return results


class RewardsTheResetStep(CartPoles):
    def change(self, actions, begins, observations, rewards, *rest):
        return observations, np.where(begins, 1.0, rewards), *rest


class ResetsAll(CartPoles):
    def reset(self, *, seed=None, options=None):
        if options is not None:
            options = {"reset_mask": np.ones(self.num_envs, bool)}
        return super().reset(seed=seed, options=options)


class ChangesActions(CartPoles):
    def change(self, actions, begins, *results):
        actions[:] = 0
        return results


class SeedsOnlyOnce(CartPoles):
    def reset(self, *, seed=None, options=None):
        self.count += seed is not None
        return super().reset(seed=None if self.count > 1 else seed, options=options)


class FourResults(CartPoles):
    def change(self, actions, begins, observations, rewards, terminated, truncated, info):
        return observations, rewards, terminated | truncated, info


class AlmostEqual(CartPoles):
    def change(self, actions, begins, observations, *rest):
        return observations * np.float32(1 + 1e-5), *rest


NEXT, SAME, DISABLED = ([AutoresetMode(mode)] for mode in ("NextStep", "SameStep", "Disabled"))
WRONG = [
    (OtherMode, MODES, r"metadata\['autoreset_mode'\] must be AutoresetMode\.\w+, got 'same'"),
    (OtherSpace, MODES, r"observation_space must be Box[^~]*, got Box\(0"),
    (OneMore, MODES, r"num_envs must be 3, got 4"),
    (WritesAgain, MODES, r"what step 0 returned must never be written again, but was: \[0\] at"),
    (Float32Rewards, MODES, r"rewards of step 0 must equal .*: float32 of shape \(3,\), not float"),
    (ForgetsAMask, SAME, r"infos of step \d+ .*: it has the keys .*, not "),
    (
        WrongFinalObservation,
        SAME,
        r"infos of step \d+ .*: \['final_obs'\] \[\d\] at \[2\]: .*, not",
    ),
    (RewardsTheResetStep, NEXT, r"rewards of step \d+ must equal .*: at \[\d\]: 1.0, not 0.0"),
    (ResetsAll, DISABLED, r"observations of reset of \[.*True.*\] after step \d+ must equal those"),
    (ChangesActions, MODES, r"step \d+ must not change its actions"),
    (SeedsOnlyOnce, MODES, r"reset with the same seed must give the same again: \[0\] at \[0, 0\]"),
    (FourResults, MODES, r"step 0 must return \(observations, rewards, .*, infos\), got \("),
    (AlmostEqual, MODES, r"observations of step 0 must equal"),
]


@pytest.mark.parametrize("vectorize", [SyncVectorEnv, AsyncVectorEnv])
def test_gymnasiums_own_pass(vectorize: Any) -> None:
    check_vector_env(
        lambda num_envs, mode: vectorize([CartPoleEnv] * num_envs, autoreset_mode=mode), CartPoleEnv
    )
    check_vector_env(AlmostEqual, CartPoleEnv, tolerance=1e-4, steps=10)


@pytest.mark.parametrize(("wrong", "bad", "message"), WRONG)
def test_names_what_is_wrong_and_where(wrong: Any, bad: list, message: str) -> None:
    for mode in MODES:
        if mode in bad:
            message = rf"^with autoreset_mode '{mode.value}', {message}"
            with pytest.raises(AssertionError, match=message):
                check_vector_env(wrong, CartPoleEnv, autoreset_modes=[mode])
            message = message.partition(", ")[2]
        else:
            check_vector_env(wrong, CartPoleEnv, autoreset_modes=[mode])


def test_one_generator_for_all_needs_a_begin_and_the_message_says_so() -> None:
    """Gymnasium's vectorised CartPole draws all sub-environments from one generator."""

    def begin(single: SyncVectorEnv, seed: int) -> Any:
        single.reset(seed=seed)
        states = np.random.default_rng(seed).uniform(-0.05, 0.05, (4, single.num_envs))
        for env, state in zip(single.envs, states.T, strict=True):
            env.unwrapped.state = state
        return states.T.astype(np.float32), {}

    def check(**kwargs: Any) -> None:
        make_vec = lambda num_envs, mode: CartPoleVectorEnv(num_envs)  # noqa: E731
        check_vector_env(make_vec, CartPoleEnv, autoreset_modes=NEXT, seed=7, **kwargs)

    hint = r"observations of reset with a seed must equal .*; single environment i was reset with "
    with pytest.raises(AssertionError, match=hint + "seed 7 [+] i, as begin was left out.* pass a"):
        check()
    with pytest.raises(AssertionError, match=r"rewards of step 0 must equal .*: float32") as caught:
        check(begin=begin)
    assert "begin" not in str(caught.value)


@pytest.mark.parametrize("vectorization_mode", [None, "sync"])
def test_seqenvs_own_need_no_begin(vectorization_mode: str | None) -> None:
    def make(num_envs: int, mode: AutoresetMode) -> Any:
        modes: dict[str, Any] = {"autoreset_mode": mode}
        if vectorization_mode == "sync":
            modes = {"vector_kwargs": modes}
        return gymnasium.make_vec("SeqNext-v0", num_envs, vectorization_mode, **modes)

    check_vector_env(make, lambda: gymnasium.make("SeqNext-v0"))


def test_wrapped_vector_environments_of_seqenvs_need_no_begin() -> None:
    echo = Echo(length=(2, 5))
    check_vector_env(
        lambda num_envs, mode: gymnasium.wrappers.vector.TransformReward(
            SequenceVectorEnv(echo, num_envs, autoreset_mode=mode), lambda r: 2 * r
        ),
        lambda: gymnasium.wrappers.TransformReward(SequenceEnv(echo), lambda r: 2 * r),
    )


def test_a_fault_in_a_vector_environment_of_seqenvs_is_found() -> None:
    class Late(SequenceVectorEnv):
        def step(self, actions):
            results = super().step(actions)
            results[1][:] = 0
            return results

    with pytest.raises(AssertionError, match=r"rewards of step \d+ must equal") as caught:
        check_vector_env(
            lambda num_envs, mode: Late(Echo(lag=0), num_envs, autoreset_mode=mode),
            lambda: SequenceEnv(Echo(lag=0)),
        )
    assert "begin" not in str(caught.value)

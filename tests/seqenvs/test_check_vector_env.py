"""The checker of vector environments passes good ones and names what is wrong with a bad one."""

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


class Streams(SyncVectorEnv):
    """Gymnasium's own, in which a subclass gets one thing wrong."""

    def __init__(self, num_envs: int, mode: AutoresetMode) -> None:
        super().__init__([CartPoleEnv] * num_envs, autoreset_mode=mode)
        self.count = 0


class OtherMode(Streams):
    def __init__(self, num_envs, mode):
        super().__init__(num_envs, mode)
        self.metadata = {**self.metadata, "autoreset_mode": "same"}


class OtherSpace(Streams):
    def __init__(self, num_envs, mode):
        super().__init__(num_envs, mode)
        self.observation_space = spaces.Box(0, 1, (num_envs, 4), np.float32)


class OneStreamMore(Streams):
    def __init__(self, num_envs, mode):
        super().__init__(num_envs + 1, mode)


class WritesAgain(Streams):
    def step(self, actions):
        observations, *rest = super().step(actions)
        self._kept = observations if self.count == 0 else self._kept
        self._kept[:] = observations
        self.count += 1
        return self._kept, *rest


class Float32Rewards(Streams):
    def step(self, actions):
        observations, rewards, *rest = super().step(actions)
        return observations, rewards.astype(np.float32), *rest


class ForgetsAMask(Streams):
    def step(self, actions):
        *rest, info = super().step(actions)
        info.pop("_final_obs", None)
        return *rest, info


class WrongFinalObservation(Streams):
    def step(self, actions):
        *rest, info = super().step(actions)
        for final in info.get("final_obs", ()):
            if final is not None:
                final[2] += 1
        return *rest, info


class RewardsTheResetStep(Streams):
    def step(self, actions):
        begins = self._autoreset_envs.copy()
        observations, rewards, *rest = super().step(actions)
        return observations, np.where(begins, 1.0, rewards), *rest


class ResetsAllStreams(Streams):
    def reset(self, *, seed=None, options=None):
        if options is not None:
            options = {"reset_mask": np.ones(self.num_envs, bool)}
        return super().reset(seed=seed, options=options)


class ChangesActions(Streams):
    def step(self, actions):
        results = super().step(actions)
        actions[:] = 0
        return results


class SeedsOnlyOnce(Streams):
    def reset(self, *, seed=None, options=None):
        self.count += seed is not None
        return super().reset(seed=None if self.count > 1 else seed, options=options)


class FourResults(Streams):
    def step(self, actions):
        observations, rewards, terminated, truncated, info = super().step(actions)
        return observations, rewards, terminated | truncated, info


WRONG: dict[type[Streams], tuple[list[AutoresetMode], str]] = {
    OtherMode: (MODES, r"metadata\['autoreset_mode'\] must be AutoresetMode\.\w+, got 'same'"),
    OtherSpace: (MODES, r"observation_space must be Box[^~]*, got Box\(0"),
    OneStreamMore: (MODES, r"num_envs must be 3, got 4"),
    WritesAgain: (MODES, r"what observations of step 0 returned must never be written again"),
    Float32Rewards: (MODES, r"rewards of step 0 must equal .*: float32 of shape \(3,\), not float"),
    ForgetsAMask: ([AutoresetMode.SAME_STEP], r"infos of step \d+ .*: it has the keys .*, not "),
    WrongFinalObservation: (
        [AutoresetMode.SAME_STEP],
        r"infos of step \d+ .*: \['final_obs'\] \[\d\] at \[2\]: .*, not ",
    ),
    RewardsTheResetStep: (
        [AutoresetMode.NEXT_STEP],
        r"rewards of step \d+ must equal .*: at \[\d\]: 1.0, not 0.0",
    ),
    ResetsAllStreams: (
        [AutoresetMode.DISABLED],
        r"observations of reset of \[.*True.*\] after step \d+ must equal those of single",
    ),
    ChangesActions: (MODES, r"step \d+ must not change its actions"),
    SeedsOnlyOnce: (MODES, r"reset with the same seed must give the same again: \[0\] at \[0, 0\]"),
    FourResults: (MODES, r"step 0 must return \(observations, rewards, .*, infos\), got \("),
}


@pytest.mark.parametrize("vectorize", [SyncVectorEnv, AsyncVectorEnv])
def test_gymnasiums_own_pass(vectorize: Any) -> None:
    check_vector_env(
        lambda num_envs, mode: vectorize([CartPoleEnv] * num_envs, autoreset_mode=mode), CartPoleEnv
    )


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_names_what_is_wrong_and_where(wrong: type[Streams]) -> None:
    bad, message = WRONG[wrong]
    for mode in MODES:
        if mode in bad:
            with pytest.raises(AssertionError, match=message) as caught:
                check_vector_env(wrong, CartPoleEnv, autoreset_modes=[mode])
            assert f"with autoreset_mode {mode.value!r}, " in str(caught.value)
        else:
            check_vector_env(wrong, CartPoleEnv, autoreset_modes=[mode])


def test_real_numbers_may_differ_by_a_tolerance() -> None:
    class AlmostEqual(Streams):
        def step(self, actions):
            observations, *rest = super().step(actions)
            return observations * np.float32(1 + 1e-5), *rest

    check_vector_env(AlmostEqual, CartPoleEnv, tolerance=1e-4)
    with pytest.raises(AssertionError, match=r"observations of step 0 must equal"):
        check_vector_env(AlmostEqual, CartPoleEnv)


def test_one_generator_for_all_streams_needs_a_begin_and_the_message_says_so() -> None:
    """Gymnasium's vectorised CartPole draws all streams from one generator."""

    def make(num_envs: int, mode: AutoresetMode) -> CartPoleVectorEnv:
        return CartPoleVectorEnv(num_envs)

    def begin(single: SyncVectorEnv, seed: int) -> Any:
        single.reset(seed=seed)
        states = np.random.default_rng(seed).uniform(-0.05, 0.05, (4, single.num_envs))
        for env, state in zip(single.envs, states.T, strict=True):
            env.unwrapped.state = state
        return states.T.astype(np.float32), {}

    modes = [AutoresetMode.NEXT_STEP]
    hint = r"observations of reset with a seed must equal .*; single environment i was reset with "
    with pytest.raises(AssertionError, match=hint + "seed 7 [+] i, as begin was left out.* pass a"):
        check_vector_env(make, CartPoleEnv, autoreset_modes=modes, seed=7)
    with pytest.raises(AssertionError, match=r"rewards of step 0 must equal .*: float32") as caught:
        check_vector_env(make, CartPoleEnv, autoreset_modes=modes, seed=7, begin=begin)
    assert "begin" not in str(caught.value)


@pytest.mark.parametrize("vectorization_mode", [None, "sync"])
def test_seqenvs_own_need_no_more_than_the_two(vectorization_mode: str | None) -> None:
    def make(num_envs: int, mode: AutoresetMode) -> Any:
        modes: dict[str, Any] = {"autoreset_mode": mode}
        if vectorization_mode == "sync":
            modes = {"vector_kwargs": modes}
        return gymnasium.make_vec("SeqNext-v0", num_envs, vectorization_mode, **modes)

    check_vector_env(make, lambda: gymnasium.make("SeqNext-v0"))


def test_wrapped_streams_of_seqenvs_need_no_more_either() -> None:
    check_vector_env(
        lambda num_envs, mode: gymnasium.wrappers.vector.TransformReward(
            SequenceVectorEnv(Echo(length=(2, 5)), num_envs, autoreset_mode=mode), lambda r: 2 * r
        ),
        lambda: gymnasium.wrappers.TransformReward(
            SequenceEnv(Echo(length=(2, 5))), lambda r: 2 * r
        ),
    )


def test_a_fault_in_streams_of_seqenvs_is_found() -> None:
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

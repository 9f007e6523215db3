"""Supervised batches are the episodes that an agent sees."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import seqenvs
from seqenvs.observations import ENCODINGS
from seqenvs.problem import Problem
from seqenvs.registration import IDS
from tests.variants import VARIANTS


def assert_played(env: gymnasium.Env, samples: seqenvs.dataset.Samples, seed: int) -> None:
    """Playing the environment shows and asks what the samples hold."""
    for k, (inputs, targets, mask) in enumerate(zip(*samples, strict=True)):
        observation, _ = env.reset(seed=seed if k == 0 else None)
        time, terminated = 0, False
        while not terminated:
            assert np.array_equal(observation, inputs[time])
            observation, _, terminated, _, info = env.step(env.action_space.sample())
            assert np.array_equal(info["target"], targets[time])
            assert info["due"] == mask[time]
            time += 1
        assert not mask[time:].any()
        for blank in inputs[time:]:
            assert np.array_equal(observation, blank)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("id", IDS)
def test_batches_are_what_an_agent_sees(id: str, encoding: str) -> None:
    samples = next(seqenvs.batches(id, 6, seed=11, encoding=encoding))
    assert_played(gymnasium.make(id, encoding=encoding), samples, seed=11)


@pytest.mark.parametrize("problem", VARIANTS, ids=str)
def test_batches_of_every_framing(problem: Problem) -> None:
    samples = next(seqenvs.batches(problem, 6, seed=11))
    assert_played(seqenvs.SequenceEnv(problem), samples, seed=11)


def test_streams_play_the_batches() -> None:
    env = gymnasium.make_vec("SeqCopy-v0", num_envs=5, autoreset_mode="SameStep")
    batches = seqenvs.batches("SeqCopy-v0", 5, seed=3)
    observations, _ = env.reset(seed=3)
    for _ in range(4):
        inputs, targets, mask = next(batches)
        for time in range(inputs.shape[1]):
            assert np.array_equal(observations, inputs[:, time])
            observations, _, _, _, info = env.step(np.zeros(5, int))
            info = info.get("final_info", info)
            assert np.array_equal(info["target"], targets[:, time])
            assert np.array_equal(info["due"], mask[:, time])


@pytest.mark.parametrize("id", IDS)
def test_shapes_and_dtypes(id: str) -> None:
    inputs, targets, mask = next(seqenvs.batches(id, 4, seed=0))
    assert inputs.dtype == np.float32
    assert inputs.ndim == 3
    assert inputs.shape[:2] == targets.shape[:2] == mask.shape
    assert mask.dtype == np.bool_
    assert mask.any(axis=1).all()
    assert all(array.flags.c_contiguous and array.flags.writeable for array in (inputs, mask))


def test_batch_size_does_not_change_the_episodes() -> None:
    small, large = (
        seqenvs.batches("SeqEcho-v0", 7, seed=2),
        seqenvs.batches("SeqEcho-v0", 21, seed=2),
    )
    parts = [next(small) for _ in range(3)]
    for joined, whole in zip(
        map(np.concatenate, zip(*parts, strict=True)), next(large), strict=True
    ):
        assert np.array_equal(joined, whole)


def test_parameters_and_generators() -> None:
    inputs, _, mask = next(seqenvs.batches("SeqEcho-v0", 3, seed=np.random.default_rng(1), lag=4))
    assert mask[:, :4].sum() == 0
    assert inputs.shape == (3, 10, 10)
    fresh = [next(seqenvs.batches("SeqEcho-v0", 3)).X for _ in range(2)]
    assert not np.array_equal(*fresh)


def test_an_id_may_name_its_module():
    named, plain = (
        next(seqenvs.batches(id, 3, seed=0, lag=2)) for id in ("seqenvs:SeqEcho-v0", "SeqEcho-v0")
    )
    assert all(np.array_equal(one, other) for one, other in zip(named, plain, strict=True))
    with pytest.raises(ValueError, match="problem must be an id, got 'nowhere:SeqEcho-v0'"):
        seqenvs.batches("nowhere:SeqEcho-v0", 3)
    with pytest.raises(gymnasium.error.NameNotFound):
        seqenvs.batches("seqenvs:SeqEko-v0", 3)

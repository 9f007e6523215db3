"""Supervised batches are the episodes that an agent sees."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import seqenvs
from seqenvs.observations import ENCODINGS
from seqenvs.registration import IDS
from tests.variants import VARIANTS


def assert_played(env, samples, seed):
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
        assert mask.any() and not mask[time:].any()
        assert all(np.array_equal(observation, blank) for blank in inputs[time:])


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("id", IDS)
def test_batches_are_what_an_agent_sees(id, encoding):
    samples = next(seqenvs.batches(id, 6, seed=11, encoding=encoding))
    env = gymnasium.make(id, encoding=encoding)
    assert_played(env, samples, seed=11)
    assert samples.X.dtype == env.observation_space.dtype
    assert samples.y.dtype == env.action_space.dtype and samples.mask.dtype == bool
    assert samples.X.shape[:2] == samples.y.shape[:2] == samples.mask.shape
    assert all(array.flags.c_contiguous and array.flags.writeable for array in samples)


@pytest.mark.parametrize("problem", VARIANTS, ids=str)
def test_batches_of_every_framing(problem):
    samples = next(seqenvs.batches(problem, 6, seed=11))
    assert_played(seqenvs.SequenceEnv(problem), samples, seed=11)


def test_batch_size_does_not_change_the_episodes():
    small, large = (seqenvs.batches("SeqEcho-v0", size, seed=2) for size in (7, 21))
    parts = zip(*(next(small) for _ in range(3)), strict=True)
    for joined, whole in zip(map(np.concatenate, parts), next(large), strict=True):
        assert np.array_equal(joined, whole)


def test_parameters_seeds_and_ids_that_name_their_module():
    inputs, _, mask = next(seqenvs.batches("SeqEcho-v0", 3, seed=np.random.default_rng(1), lag=4))
    assert mask[:, :4].sum() == 0 and inputs.shape == (3, 10, 10)
    fresh = [next(seqenvs.batches("SeqEcho-v0", 3)).X for _ in range(2)]
    assert not np.array_equal(*fresh)
    named, plain = (
        next(seqenvs.batches(id, 3, seed=0, lag=2)) for id in ("seqenvs:SeqEcho-v0", "SeqEcho-v0")
    )
    assert all(np.array_equal(one, other) for one, other in zip(named, plain, strict=True))
    with pytest.raises(ValueError, match="problem must be an id, got 'nowhere:SeqEcho-v0'"):
        seqenvs.batches("nowhere:SeqEcho-v0", 3)
    with pytest.raises(gymnasium.error.NameNotFound):
        seqenvs.batches("seqenvs:SeqEko-v0", 3)

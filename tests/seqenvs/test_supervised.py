"""Supervised batches are the episodes that an agent sees."""

import gymnasium
import numpy as np
import pytest

import seqenvs
from seqenvs.observations import ENCODINGS
from seqenvs.registration import IDS
from tests.variants import VARIANTS


@pytest.mark.parametrize(
    ("id", "kwargs"),
    [(id, {"encoding": encoding}) for id in IDS for encoding in ENCODINGS]
    + [(problem, {}) for problem in VARIANTS],
    ids=str,
)
def test_batches_are_what_an_agent_sees(id, kwargs):
    samples = next(seqenvs.batches(id, 6, seed=11, **kwargs))
    make = gymnasium.make if isinstance(id, str) else seqenvs.SequenceEnv
    env = make(id, **kwargs)
    assert samples.X.dtype == env.observation_space.dtype
    assert samples.y.dtype == env.action_space.dtype and samples.mask.dtype == bool
    assert all(array.flags.c_contiguous and array.flags.writeable for array in samples)
    for k, (inputs, targets, mask) in enumerate(zip(*samples, strict=True)):
        observation, _ = env.reset(seed=11 if k == 0 else None)
        time, terminated = 0, False
        while not terminated:
            assert np.array_equal(observation, inputs[time])
            observation, _, terminated, _, info = env.step(env.action_space.sample())
            assert np.array_equal(info["target"], targets[time])
            assert info["due"] == mask[time]
            time += 1
        assert mask.any() and not mask[time:].any()
        assert all(np.array_equal(observation, blank) for blank in inputs[time:])


def test_neither_batch_size_nor_the_form_of_id_and_seed_change_the_episodes():
    small = seqenvs.batches("SeqEcho-v0", 7, seed=2, lag=4)
    large = seqenvs.batches("seqenvs:SeqEcho-v0", 21, seed=np.random.default_rng(2), lag=4)
    parts = zip(*(next(small) for _ in range(3)), strict=True)
    for joined, whole in zip(map(np.concatenate, parts), next(large), strict=True):
        assert np.array_equal(joined, whole)
    assert not np.array_equal(next(seqenvs.batches("SeqEcho-v0", 7)).X, next(small).X)
    with pytest.raises(ValueError, match="problem must be an id, got 'nowhere:SeqEcho-v0'"):
        seqenvs.batches("nowhere:SeqEcho-v0", 3)

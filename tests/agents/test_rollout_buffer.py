"""Minibatches of whole sequences, and outcome advantages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.learners.recurrent_ppo import SequenceRolloutBuffer
from tests.agents.ppo import PROBLEMS, flat, make_env, make_model


def filled(model):
    """The model's buffer, after a rollout."""
    _, callback = model._setup_learn(1)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)
    return model.rollout_buffer


@pytest.mark.parametrize("problem", ["aligned", "ragged"])
@pytest.mark.parametrize("batch_size", [None, 11, 13, 1000])
def test_minibatches_are_the_rollout_in_whole_sequences(problem, batch_size):
    model = make_model(make_env(PROBLEMS[problem]), n_steps=22)
    filled(model)  # the next rollout begins amid episodes
    buffer = model.rollout_buffer
    model.collect_rollouts(
        model.env, model._setup_learn(1, reset_num_timesteps=False)[1], buffer, 22
    )
    assert not hasattr(buffer, "hidden_states_pi")
    buffer.values[:] = np.arange(22)[:, None] + 22 * np.arange(4)  # a name for each step
    starts = buffer.episode_starts.copy()
    assert not starts[0].all()
    seen = []
    for sample in buffer.get(batch_size):
        sequences = sample.lstm_states.pi[0].shape[1]
        mask = sample.mask.reshape(sequences, -1).bool()
        names = sample.old_values.reshape(sequences, -1)
        begins = sample.episode_starts.reshape(sequences, -1)
        assert not begins[:, 1:].any()
        for i in range(sequences):
            steps = names[i][mask[i]].long()
            assert bool((steps == steps[0] + torch.arange(len(steps))).all())
            stream, first = divmod(int(steps[0]), 22)
            last = first + len(steps)
            assert starts[first, stream] == begins[i, 0]
            assert last == 22 or starts[last, stream]
            for kept, states in zip(
                flat(buffer.first_states), flat(sample.lstm_states), strict=True
            ):
                expected = kept[:, stream] if first == 0 else torch.zeros_like(kept[:, stream])
                assert torch.equal(states[:, i], expected)
            seen.extend(steps.tolist())
    assert sorted(seen) == list(range(88))


def test_no_minibatch_is_a_remainder():
    """The normalised advantage of a single step would be NaN."""
    model = make_model(make_env({"id": "SeqEcho-v0", "lag": 0, "length": 1}), n_steps=10)
    sizes = [len(sample.mask) for sample in filled(model).get(13)]
    assert sizes == [10] * 4


def test_outcome_advantages_by_hand():
    buffer = SequenceRolloutBuffer(
        2, spaces.Box(-1, 1, (1,)), spaces.Discrete(2), (2, 1, 2, 8), "cpu", 1.0, 0.0, 2
    )
    buffer.outcome = True
    buffer.rewards[:] = [[1, 0], [0, 0.25]]
    buffer.log_probs[:] = np.log([[0.3, 0.5], [0.8, 0.99]])
    buffer.values[:] = [[0.5, 0.25], [1, -1]]  # the mean reward of a right answer is 0.625
    buffer.compute_returns_and_advantage(torch.zeros(2), np.zeros(2, bool))
    expected = np.array([[1, -0.8], [-4, 1]])
    expected /= np.sqrt(np.mean(expected**2))
    np.testing.assert_allclose(buffer.advantages, expected, rtol=1e-5)
    np.testing.assert_allclose(buffer.returns, buffer.rewards, atol=1e-6)
    assert buffer.advantages.dtype == np.float32
    buffer.rewards[:] = 0
    buffer.log_probs[:] = np.log([[0.98, 0.99], [1, 1e-9]])
    buffer.compute_returns_and_advantage(torch.zeros(2), np.zeros(2, bool))
    expected = np.array([[-25, -12.5], [-50, 0]])  # the odds are at most 50
    expected /= np.sqrt(np.mean(expected**2))
    np.testing.assert_allclose(buffer.advantages, expected, rtol=1e-4)

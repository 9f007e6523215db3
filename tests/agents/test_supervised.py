"""Supervised learners: heads, one gradient step, and acting one step at a time."""

from __future__ import annotations

from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium import spaces

import seqenvs
from agents.learners import SupervisedLearner, make_learner
from agents.learners.heads import ObservationEncoder, best_actions, make_head
from agents.networks import NETWORKS
from seqenvs.dataset import Samples
from seqenvs.evaluation import evaluate
from tests.agents.common import ACTORS, settings_of

UNLIKE = spaces.MultiDiscrete([2, 5, 3])
every_actor = pytest.mark.parametrize("name", ACTORS)


def learner_of(name="lstm", id="SeqEcho-v0", kwargs=None, **options) -> SupervisedLearner:
    return make_learner(settings_of(name, id, kwargs or {}, **{"hidden": 16, **options}))


def samples_of(learner, size, seed=4) -> Samples:
    settings = learner.settings
    return next(seqenvs.batches(settings.id, size, seed=seed, **settings.kwargs))


@pytest.mark.parametrize("space", [spaces.Discrete(4), UNLIKE], ids=str)
def test_choices_are_independent_categories(space):
    head = make_head(space)
    counts = space.nvec if space is UNLIKE else np.array([space.n])
    outputs = torch.randn(20_000, head.outputs, generator=torch.Generator().manual_seed(0))
    outputs[1:] = outputs[:1]
    logits = torch.split(head.scores(outputs), counts.tolist(), -1)
    best = head.best(outputs)
    assert best[0] in space and best.dtype == space.dtype
    assert np.array_equal(
        best.reshape(-1, len(counts))[0], [int(one[0].argmax()) for one in logits]
    )
    drawn = head.sample(outputs, torch.Generator().manual_seed(1)).reshape(-1, len(counts))
    for component, one in zip(drawn.T, logits, strict=True):
        expected = one[0].softmax(-1)
        frequency = np.bincount(component, minlength=len(expected)) / len(component)
        np.testing.assert_allclose(frequency, expected, atol=0.015)
    sure = float(torch.stack([one[0].softmax(-1).max() for one in logits]).prod())
    assert head.confidence(outputs)[0] == pytest.approx(sure, abs=1e-6)
    targets = drawn[:5].reshape(5, *space.shape)
    each = [
        torch.nn.functional.cross_entropy(one[:5], torch.from_numpy(drawn[:5, k]))
        for k, one in enumerate(logits)
    ]
    assert head.loss(outputs[:5], targets) == pytest.approx(float(sum(each)) / len(each), abs=1e-6)


def test_a_box_is_learned_in_its_own_units():
    space = spaces.Box(np.float32([10, -3]), np.float32([30, -1]))
    head = make_head(space)
    outputs = torch.tensor([[0.0, 1.0], [0.25, 0.5], [-1.0, 2.0]])
    expected = np.float32([[10, -1], [15, -2], [10, -1]])
    assert np.array_equal(head.best(outputs), expected)
    assert np.array_equal(head.sample(outputs, torch.Generator()), expected)
    assert head.best(outputs).dtype == np.float32 and head.confidence(outputs) is None
    assert head.loss(outputs[:2], expected[:2] + np.float32([10, -1])) == pytest.approx(0.5)


@pytest.mark.parametrize("space", [spaces.Discrete(3), UNLIKE, spaces.Box(-1, 1, (2,))], ids=str)
def test_best_actions_are_in_the_space(space):
    count = {"Discrete": 3, "MultiDiscrete": 10, "Box": 2}[type(space).__name__]
    scores = 3 * torch.randn(6, count, generator=torch.Generator().manual_seed(0))
    assert all(action in space for action in best_actions(space, scores).numpy())


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3, start=1),
        spaces.MultiDiscrete([[2, 2]]),
        spaces.MultiDiscrete([2, 2], start=[0, 1]),
        spaces.Box(0, np.inf, (2,)),
        spaces.Box(0, 1, (2, 2)),
        spaces.Box(0, 1, (2,), np.float64),
        spaces.Tuple([]),
    ],
    ids=str,
)
def test_other_action_spaces_are_refused(space):
    with pytest.raises(TypeError, match="action_space must be"):
        make_head(space)


@pytest.mark.parametrize("space", [spaces.MultiBinary(3), spaces.Discrete(3, start=1)], ids=str)
def test_other_observation_spaces_are_refused(space):
    with pytest.raises(TypeError, match="observation_space must be"):
        ObservationEncoder(space)


def test_observations_of_any_layout():
    encoder = ObservationEncoder(spaces.Box(0, 1, (2, 5)))
    shown = np.random.default_rng(0).random((3, 4, 2, 5), np.float32)
    expected = torch.from_numpy(shown.reshape(3, 4, 10).copy())
    for given in (shown, shown.astype(float), np.asfortranarray(shown), shown[::-1][::-1]):
        given.flags.writeable = False
        assert torch.equal(encoder(given), expected)
    one_hot = ObservationEncoder(spaces.Discrete(3))(np.array([[0, 2]]))
    assert one_hot.tolist() == [[[1, 0, 0], [0, 0, 1]]]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("id", "kwargs"),
    [
        ("SeqCopy-v0", {"length": [2, 5]}),
        ("SeqCopy-v0", {"framing": "many_to_one"}),
        ("SeqNext-v0", {}),
    ],
)
def test_learning_returns_what_an_environment_would_pay(name, id, kwargs):
    learner = learner_of(name, id, kwargs)
    samples = samples_of(learner, 20)
    answers = learner.answer(samples.X)
    assert answers.shape == samples.y.shape and answers.dtype == samples.y.dtype
    returns, successes = learner.learn(samples)
    score, right = learner.task.judge(answers, samples.y)
    expected = (score * samples.mask).sum(axis=1) / samples.mask.sum(axis=1)
    np.testing.assert_allclose(returns, expected, atol=1e-6)
    assert np.array_equal(successes, (right | ~samples.mask).all(axis=1))
    lengths = samples.mask.shape[1] - samples.mask[:, ::-1].argmax(axis=1)
    assert learner.steps == lengths.sum()


def test_samples_without_due_answers_are_refused():
    learner = learner_of()
    samples = samples_of(learner, 2)
    with pytest.raises(ValueError, match="samples must have an answer that is due"):
        learner.learn(samples._replace(mask=np.zeros_like(samples.mask)))


@pytest.mark.parametrize("encoding", ["one_hot", "index"])
@every_actor
def test_predict_answers_one_step_at_a_time(name, encoding):
    learner = learner_of(name, "SeqCopy-v0", {"length": [2, 5], "encoding": encoding})
    samples = samples_of(learner, 6)
    whole, sure = learner.answer_with_confidence(samples.X)
    state = None
    for time in range(samples.X.shape[1]):
        actions, confidence, _ = learner.predict_with_confidence(samples.X[:, time], state)
        actions, state = learner.predict(samples.X[:, time], state, np.full(6, time == 0))
        assert np.array_equal(actions, whole[:, time])
        assert actions.dtype == learner.task.action_space.dtype
        np.testing.assert_allclose(confidence, sure[:, time], atol=1e-5)
    action, state = learner.predict(samples.X[2, 0])  # a single observation
    assert action == whole[2, 0] and action in learner.task.action_space
    assert learner.predict(samples.X[2, 1], state)[0] == whole[2, 1]


@every_actor
def test_an_episode_may_start_in_the_middle_of_a_batch(name):
    learner = learner_of(name)
    shown, first = samples_of(learner, 3).X, np.array([0, 2, 3])
    state = None
    for time in range(4):
        _, state = learner.predict(shown[:, time], state, first == time)
    for row in range(3):
        alone = None
        for time in range(first[row], 4):
            _, alone = learner.predict(shown[row : row + 1, time], alone)
        for part, same in zip(state, alone, strict=True):
            np.testing.assert_allclose(part[row], same[0], atol=1e-5)


def test_sampled_actions_are_those_of_the_seed():
    one, same = learner_of("mlp"), learner_of("mlp")
    shown = samples_of(one, 500).X[:, 0]
    drawn = one.predict(shown, deterministic=False)[0]
    assert np.array_equal(drawn, same.predict(shown, deterministic=False)[0])
    assert not np.array_equal(drawn, one.predict(shown, deterministic=False)[0])
    assert np.array_equal(one.predict(shown)[0], one.predict(shown)[0])


def test_predict_refuses():
    with pytest.raises(TypeError, match=r"bilstm sees the future.*answer\(\)"):
        learner_of("bilstm").predict(np.zeros((1, 10)))
    with pytest.raises(ValueError, match=r"observation must be of shape \(10,\).*got \(2, 9\)"):
        learner_of().predict(np.zeros((2, 9)))
    transformer, state = learner_of("transformer", kwargs={"length": 2}), None
    for _ in range(2):
        _, state = transformer.predict(np.zeros((2, 10)), state)
    with pytest.raises(ValueError, match=r"at least 3 time steps.*steps=2"):
        transformer.predict(np.zeros((2, 10)), state)


def test_the_seed_decides_the_weights_and_torch_is_left_alone():
    before = torch.get_rng_state()
    one, same, other = (learner_of(seed=seed).network.head.weight for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(before, torch.get_rng_state())


def test_annealing_shortens_the_steps():
    learner = learner_of(anneal=500, learning_rate=0.01)
    for expected in (0.01, 0.01 * (1 - 80 / 500), 0.01 * (1 - 160 / 500)):
        learner.update()
        assert learner._optimizer.param_groups[0]["lr"] == pytest.approx(expected)
    while learner.steps < 600:
        learner.update()
    learner.update()
    assert learner._optimizer.param_groups[0]["lr"] == pytest.approx(0.0001)


@pytest.mark.parametrize(
    ("name", "id", "kwargs", "batches", "reached"),
    [
        ("window_mlp", "SeqEcho-v0", {}, 150, 0.99),
        ("lstm", "SeqRecall-v0", {}, 60, 0.99),
        ("lstm", "SeqEcho-v0", {"length": 6, "num_symbols": 4}, 150, 0.95),
        ("encoder_decoder", "SeqCopy-v0", {"length": 2, "num_symbols": 3}, 150, 0.95),
    ],
)
def test_they_learn_and_act(name, id, kwargs, batches, reached):
    learner = learner_of(name, id, kwargs, hidden=64)
    for samples in islice(seqenvs.batches(id, 32, seed=0, **kwargs), batches):
        learner.learn(samples)
    assert evaluate(learner, id, episodes=200, **kwargs).mean_return >= reached
    fresh = samples_of(learner, 200, seed=5)
    assert (learner.answer(fresh.X) == fresh.y)[fresh.mask].mean() >= reached - 0.05


def test_the_transformer_must_know_the_longest_episode(monkeypatch):
    task = SimpleNamespace(num_steps=None)
    monkeypatch.setattr("agents.learners.base.find_task", lambda id, kwargs: task)
    with pytest.raises(TypeError, match="register 'SeqEcho-v0' with max_episode_steps"):
        learner_of("transformer")

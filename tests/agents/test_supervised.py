"""Supervised agents: heads, one gradient step, and acting one step at a time."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from gymnasium import spaces

import seqenvs
from agents.learners import SupervisedAgent, make_agent
from agents.learners.heads import ObservationEncoder, make_head
from agents.networks import NETWORKS
from seqenvs.dataset import Samples
from seqenvs.evaluation import evaluate
from tests.agents.common import ACTORS, settings_of

UNLIKE = spaces.MultiDiscrete([2, 5, 3])
every_actor = pytest.mark.parametrize("name", ACTORS)


def agent_of(name="lstm", id="SeqEcho-v0", kwargs=None, **options) -> SupervisedAgent:
    return make_agent(settings_of(name, id, kwargs or {}, **{"hidden": 16, **options}))


def samples_of(agent, size, seed=4) -> Samples:
    settings = agent.settings
    return next(seqenvs.batches(settings.id, size, seed=seed, **settings.kwargs))


@pytest.mark.parametrize("space", [spaces.Discrete(4), UNLIKE], ids=str)
def test_choices_are_independent_categories(space):
    head = make_head(space)
    counts = np.atleast_1d(space.n if isinstance(space, spaces.Discrete) else space.nvec)
    outputs = torch.randn(1, head.outputs, generator=torch.Generator().manual_seed(0))
    outputs = outputs.expand(20_000, -1)
    chances = [one[0].softmax(-1) for one in torch.split(head.scores(outputs), counts.tolist(), -1)]
    best = head.best(outputs)
    assert best[0] in space and best.dtype == space.dtype
    assert best[0].ravel().tolist() == [int(chance.argmax()) for chance in chances]
    drawn = head.sample(outputs, torch.Generator().manual_seed(1)).reshape(-1, len(counts))
    for component, chance in zip(drawn.T, chances, strict=True):
        frequency = np.bincount(component, minlength=len(chance)) / len(component)
        np.testing.assert_allclose(frequency, chance, atol=0.015)
    sure = np.prod([float(chance.max()) for chance in chances])
    assert head.confidence(outputs)[0] == pytest.approx(sure, abs=1e-6)
    each = [-chance[drawn[:5, k]].log().mean() for k, chance in enumerate(chances)]
    loss = head.loss(outputs[:5], drawn[:5].reshape(5, *space.shape))
    assert loss == pytest.approx(float(sum(each)) / len(each), abs=1e-6)


def test_a_box_is_learned_in_its_own_units():
    space = spaces.Box(np.float32([10, -3]), np.float32([30, -1]))
    head = make_head(space)
    outputs = torch.tensor([[0.0, 1.0], [0.25, 0.5], [-1.0, 2.0]])
    expected = np.float32([[10, -1], [15, -2], [10, -1]])
    assert np.array_equal(head.best(outputs), expected)
    assert np.array_equal(head.sample(outputs, torch.Generator()), expected)
    assert head.best(outputs).dtype == np.float32 and head.confidence(outputs) is None
    assert head.loss(outputs[:2], expected[:2] + np.float32([10, -1])) == pytest.approx(0.5)


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
def test_other_spaces_are_refused(space):
    with pytest.raises(TypeError, match="action_space must be"):
        make_head(space)
    if not isinstance(space, spaces.Box):
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
    agent = agent_of(name, id, kwargs)
    samples = samples_of(agent, 20)
    answers = agent.answer(samples.X)
    assert answers.shape == samples.y.shape and answers.dtype == samples.y.dtype
    returns, successes = agent.fit(samples)
    score, right = agent.task.judge(answers, samples.y)
    expected = (score * samples.mask).sum(axis=1) / samples.mask.sum(axis=1)
    np.testing.assert_allclose(returns, expected, atol=1e-6)
    assert np.array_equal(successes, (right | ~samples.mask).all(axis=1))
    lengths = samples.mask.shape[1] - samples.mask[:, ::-1].argmax(axis=1)
    assert agent.steps == lengths.sum()
    with pytest.raises(ValueError, match="samples must have an answer that is due"):
        agent.fit(samples._replace(mask=np.zeros_like(samples.mask)))


@pytest.mark.parametrize("encoding", ["one_hot", "index"])
@every_actor
def test_predict_answers_one_step_at_a_time(name, encoding):
    agent = agent_of(name, "SeqCopy-v0", {"length": [2, 5], "encoding": encoding})
    samples = samples_of(agent, 6)
    whole, sure = agent.answer_with_confidence(samples.X)
    # Episodes 3, 4 and 5 start two steps late: what was seen before does not count.
    first, rows, state = np.array([0, 0, 0, 2, 2, 2]), np.arange(6), None
    for time in range(samples.X.shape[1]):
        at = np.maximum(time - first, 0)
        shown, starts = samples.X[rows, at], time == first
        _, confidence, _ = agent.predict_with_confidence(shown, state, starts)
        actions, state = agent.predict(shown, state, starts)
        begun = time >= first
        assert np.array_equal(actions[begun], whole[rows, at][begun])
        assert actions.dtype == agent.task.action_space.dtype
        np.testing.assert_allclose(confidence[begun], sure[rows, at][begun], atol=1e-5)
    action, state = agent.predict(samples.X[2, 0])  # a single observation
    assert action == whole[2, 0] and action in agent.task.action_space
    assert agent.predict(samples.X[2, 1], state)[0] == whole[2, 1]


def test_sampled_actions_are_those_of_the_seed():
    one, same = agent_of("mlp"), agent_of("mlp")
    shown = samples_of(one, 500).X[:, 0]
    drawn = one.predict(shown, deterministic=False)[0]
    assert np.array_equal(drawn, same.predict(shown, deterministic=False)[0])
    assert not np.array_equal(drawn, one.predict(shown, deterministic=False)[0])
    assert np.array_equal(one.predict(shown)[0], one.predict(shown)[0])


def test_predict_refuses():
    with pytest.raises(TypeError, match=r"bilstm sees the future.*answer\(\)"):
        agent_of("bilstm").predict(np.zeros((1, 10)))
    with pytest.raises(ValueError, match=r"observation must be of shape \(10,\).*got \(2, 9\)"):
        agent_of().predict(np.zeros((2, 9)))
    agent = agent_of("transformer", kwargs={"length": 2})
    state = agent.predict(np.zeros((2, 10)), agent.predict(np.zeros((2, 10)))[1])[1]
    with pytest.raises(ValueError, match=r"at least 3 time steps.*steps=2"):
        agent.predict(np.zeros((2, 10)), state)


def test_the_seed_decides_the_weights_and_torch_is_left_alone():
    before = torch.get_rng_state()
    one, same, other = (agent_of(seed=seed).network.head.weight for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(before, torch.get_rng_state())


def test_annealing_shortens_the_steps():
    agent = agent_of(anneal=500, learning_rate=0.01)
    for steps in range(0, 640, 80):
        assert agent.steps == steps
        agent.update()
        expected = max(0.01 * (1 - steps / 500), 0.0001)
        assert agent._optimizer.param_groups[0]["lr"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "id", "kwargs", "batches", "reached"),
    [
        ("window_mlp", "SeqEcho-v0", {}, 150, 0.99),
        ("lstm", "SeqRecall-v0", {}, 60, 0.99),
        ("encoder_decoder", "SeqCopy-v0", {"length": 2, "num_symbols": 3}, 150, 0.95),
    ],
)
def test_they_learn_and_act(name, id, kwargs, batches, reached):
    agent = agent_of(name, id, kwargs, hidden=64)
    for samples in islice(seqenvs.batches(id, 32, seed=0, **kwargs), batches):
        agent.fit(samples)
    assert evaluate(agent, id, episodes=200, **kwargs).mean_return >= reached
    fresh = samples_of(agent, 200, seed=5)
    assert (agent.answer(fresh.X) == fresh.y)[fresh.mask].mean() >= reached - 0.05

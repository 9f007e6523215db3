"""Supervised learners: the same samples from any source, and what they do with them."""

from __future__ import annotations

import io
from itertools import islice

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

import seqenvs
from agents.learners.supervised import SupervisedLearner, samples_from_env
from agents.networks import NETWORKS
from seqenvs.dataset import Samples
from seqenvs.evaluation import evaluate
from seqenvs.observations import ENCODINGS
from seqenvs.problem import Problem
from seqenvs.registration import IDS
from tests.variants import VARIANTS

ACTORS = [name for name, network in NETWORKS.items() if not network.sees_future]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


def learner_of(env: gymnasium.Env, network: str = "lstm", **options) -> SupervisedLearner:
    """A small learner for an environment of seqenvs."""
    inner = env.unwrapped
    shown = inner.problem.input_spec
    row = np.full((1, shown.features) if shown.features > 1 else 1, shown.blank, shown.dtype)
    options = {"steps": inner.problem.num_steps[1], "hidden": 16, "seed": 3, **options}
    blank = inner.encode(row)[0]
    tolerance = inner.problem.tolerance
    return SupervisedLearner(
        env.observation_space,
        env.action_space,
        network,
        blank=blank,
        tolerance=tolerance,
        **options,
    )


def assert_equal(one: Samples, other: Samples) -> None:
    for array, same in zip(one, other, strict=True):
        assert array.dtype == same.dtype
        assert np.array_equal(array, same)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("id", IDS)
def test_playing_gives_the_batches(id: str, encoding: str) -> None:
    played = samples_from_env(gymnasium.make(id, encoding=encoding), 5, seed=7)
    for one, other in islice(
        zip(played, seqenvs.batches(id, 5, seed=7, encoding=encoding), strict=False), 2
    ):
        assert_equal(one, other)


@pytest.mark.parametrize("problem", VARIANTS, ids=str)
def test_playing_gives_the_batches_of_every_framing(problem: Problem) -> None:
    played = samples_from_env(seqenvs.SequenceEnv(problem), 5, seed=7)
    for one, other in islice(zip(played, seqenvs.batches(problem, 5, seed=7), strict=False), 2):
        assert_equal(one, other)


class Foreign(gymnasium.Env):
    """Not of seqenvs: counts down from a random number in the one array that it has."""

    observation_space = spaces.Box(-1, 9, (1,), np.float32)
    action_space = spaces.Discrete(3)

    def __init__(self, missing: str = "") -> None:
        self.missing = missing

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.input_spec = np.array([self.np_random.integers(1, 6)], np.float32)
        return self.input_spec, {}

    def step(self, action):
        info = {"target": int(self.input_spec[0]) % 3, "due": bool(self.input_spec[0] < 3)}
        self.input_spec -= 1
        info.pop(self.missing, None)
        return self.input_spec, 0.0, False, bool(self.input_spec[0] == 0), info


def test_any_environment_can_be_played() -> None:
    inputs, y, mask = next(samples_from_env(Foreign(), 8, seed=0))
    longest = int(inputs[:, 0, 0].max())
    assert longest > inputs[:, 0, 0].min()
    shown = np.maximum(inputs[:, :1, 0] - np.arange(longest), 0)
    assert np.array_equal(inputs[..., 0], shown)
    assert np.array_equal(mask, (shown > 0) & (shown < 3))
    assert np.array_equal(y, np.where(mask, shown % 3, 0))
    assert y.dtype == np.int64


@pytest.mark.parametrize("missing", ["target", "due"])
def test_what_an_environment_must_report(missing: str) -> None:
    with pytest.raises(KeyError, match=f"env must report '{missing}'"):
        next(samples_from_env(Foreign(missing), 1, seed=0))


def test_bad_arguments_of_playing() -> None:
    with pytest.raises(ValueError, match="batch_size must be an int at least 1, got 0"):
        samples_from_env(Foreign(), 0, seed=0)
    with pytest.raises(TypeError, match="seed must be an int at least 0, got None"):
        samples_from_env(Foreign(), 1, seed=None)


def test_both_sources_teach_the_same() -> None:
    env = gymnasium.make("SeqCopy-v0", length=[2, 5])
    weights = []
    for source in (
        samples_from_env(env, 4, seed=1),
        seqenvs.batches("SeqCopy-v0", 4, seed=1, length=(2, 5)),
    ):
        learner = learner_of(env)
        for samples in islice(source, 5):
            learner.learn(samples)
        weights.append(learner.network.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("problem", VARIANTS[:3] + VARIANTS[8:13] + VARIANTS[20:], ids=str)
def test_learning_returns_what_an_environment_would_pay(name: str, problem: Problem) -> None:
    learner = learner_of(seqenvs.SequenceEnv(problem), name)
    samples = next(seqenvs.batches(problem, 20, seed=2))
    answers = learner.answer(samples.X)
    assert answers.shape == samples.y.shape and answers.dtype == samples.y.dtype
    returns, successes = learner.learn(samples)
    score, right = problem.judge(answers, samples.y)
    expected = (score * samples.mask).sum(axis=1) / samples.mask.sum(axis=1)
    np.testing.assert_allclose(returns, expected, atol=1e-6)
    assert returns.dtype == np.float64
    assert np.array_equal(successes, (right | ~samples.mask).all(axis=1))
    lengths = samples.mask.shape[1] - samples.mask[:, ::-1].argmax(axis=1)
    assert learner.steps_learned == lengths.sum()


def test_multi_discrete_of_unlike_components() -> None:
    space = spaces.MultiDiscrete([2, 5, 3])
    learner = SupervisedLearner(spaces.Discrete(4), space, steps=1, hidden=8)
    shown = np.arange(400).reshape(400, 1) % 4
    targets = np.stack([shown % 2, shown + 1, shown % 3], axis=-1)
    samples = Samples(shown, targets, np.ones(shown.shape, bool))
    returns = [learner.learn(samples)[0].mean() for _ in range(150)]
    assert returns[0] < 0.8 and returns[-1] == 1
    drawn, _ = learner.predict(np.arange(400) % 4, deterministic=False)
    assert all(answer in space for answer in drawn)
    assert np.array_equal(learner.answer(shown), targets)


def test_a_box_is_learned_in_its_own_units() -> None:
    space = spaces.Box(np.float32([10, -3]), np.float32([30, -1]))
    learner = SupervisedLearner(spaces.Discrete(2), space, "mlp", steps=1, tolerance=0.5)
    shown = np.arange(64).reshape(64, 1) % 2
    targets = np.where(shown[..., None] == 0, [12, -1.5], [30, -3]).astype(np.float32)
    samples = Samples(shown, targets, np.ones(shown.shape, bool))
    for _ in range(200):
        returns, successes = learner.learn(samples)
    assert returns.min() > 0.95 and successes.all()
    answers, _ = learner.predict(np.array([0, 1]), deterministic=False)
    assert all(answer in space for answer in answers)
    np.testing.assert_allclose(answers, targets[:2, 0], atol=0.5)


def test_nothing_due_is_no_lesson() -> None:
    learner = SupervisedLearner(spaces.Discrete(2), spaces.Discrete(2), steps=3)
    nothing = np.zeros((2, 3), int)
    with pytest.raises(ValueError, match="samples must have an answer that is due"):
        learner.learn(Samples(nothing, nothing, nothing == 1))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ACTORS)
def test_predict_is_answer_one_step_at_a_time(name: str, encoding: str) -> None:
    env = gymnasium.make("SeqCopy-v0", length=[2, 5], encoding=encoding)
    learner = learner_of(env, name)
    samples = next(seqenvs.batches("SeqCopy-v0", 6, seed=4, encoding=encoding, length=(2, 5)))
    whole, state = learner.answer(samples.X), None
    for time in range(samples.X.shape[1]):
        answers, state = learner.predict(samples.X[:, time], state, np.full(6, time == 0))
        assert np.array_equal(answers, whole[:, time])
        assert answers.dtype == env.action_space.dtype
    answer, state = learner.predict(samples.X[2, 0])  # a single observation
    assert answer == whole[2, 0] and answer in env.action_space
    assert learner.predict(samples.X[2, 1], state)[0] == whole[2, 1]


@pytest.mark.parametrize("name", ACTORS)
def test_an_episode_may_start_in_the_middle_of_a_batch(name: str) -> None:
    learner = learner_of(gymnasium.make("SeqEcho-v0"), name, steps=4)
    shown, first = next(seqenvs.batches("SeqEcho-v0", 3, seed=4)).X, np.array([0, 2, 3])
    state = None
    for time in range(4):
        _, state = learner.predict(shown[:, time], state, first == time)
    for row in range(3):
        alone = None
        for time in range(first[row], 4):
            _, alone = learner.predict(shown[row : row + 1, time], alone)
        for part, same in zip(state, alone, strict=True):
            np.testing.assert_allclose(part[row], same[0], atol=1e-5)


def test_observations_of_any_layout() -> None:
    learner = learner_of(gymnasium.make("SeqEcho-v0"))
    shown = next(seqenvs.batches("SeqEcho-v0", 3, seed=4)).X
    answers = learner.answer(shown)
    shown.flags.writeable = False
    assert np.array_equal(learner.answer(shown), answers)
    assert np.array_equal(learner.answer(shown[::-1]), answers[::-1])
    assert np.array_equal(learner.answer(shown.astype(int)), answers)
    flat = SupervisedLearner(
        spaces.Box(0, 1, (2, 5)), spaces.Discrete(10), steps=10, hidden=16, seed=3
    )
    assert np.array_equal(flat.answer(shown.reshape(3, 10, 2, 5)), answers)


def test_drawn_answers_follow_the_network_and_the_seed() -> None:
    env = gymnasium.make("SeqEcho-v0", num_symbols=3)
    shown = np.tile(np.eye(3, dtype=np.float32)[:1], (30_000, 1))
    learner, same = learner_of(env, "mlp"), learner_of(env, "mlp")
    drawn = learner.predict(shown, deterministic=False)[0]
    logits = learner.network(torch.from_numpy(shown[None, :1]))[0, 0]
    frequencies = np.bincount(drawn, minlength=3) / len(drawn)
    np.testing.assert_allclose(frequencies, logits.softmax(0).detach(), atol=0.01)
    assert np.array_equal(drawn, same.predict(shown, deterministic=False)[0])
    assert len(set(learner.predict(shown)[0].tolist())) == 1


def test_predict_refuses() -> None:
    env = gymnasium.make("SeqEcho-v0")
    with pytest.raises(TypeError, match=r"bilstm sees the future.*answer\(\)"):
        learner_of(env, "bilstm").predict(np.zeros((1, 10)))
    with pytest.raises(ValueError, match=r"observation must be of shape \(10,\).*got \(2, 9\)"):
        learner_of(env).predict(np.zeros((2, 9)))
    transformer, state = learner_of(env, "transformer", steps=2), None
    for _ in range(2):
        _, state = transformer.predict(np.zeros((2, 10)), state)
    with pytest.raises(ValueError, match=r"3 time steps or more.*steps=2"):
        transformer.predict(np.zeros((2, 10)), state)


@pytest.mark.parametrize("name", NETWORKS)
def test_learning_goes_on_from_what_was_saved(name: str) -> None:
    env = gymnasium.make("SeqCopy-v0")
    learner, batches = learner_of(env, name), seqenvs.batches("SeqCopy-v0", 8, seed=0)
    for samples in islice(batches, 2):
        learner.learn(samples)
    if name in ACTORS:
        learner.predict(samples.X[:, 0], deterministic=False)
    file = io.BytesIO()
    torch.save(learner.state_dict(), file)
    file.seek(0)
    other = learner_of(env, name, seed=99)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.steps_learned == learner.steps_learned == 2 * 8 * 10
    samples = next(batches)
    assert np.array_equal(learner.learn(samples), other.learn(samples))
    assert np.array_equal(learner.answer(samples.X), other.answer(samples.X))
    for one, same in zip(learner.network.parameters(), other.network.parameters(), strict=True):
        assert torch.equal(one, same)
    if name in ACTORS:
        drawn = [each.predict(samples.X[:, 0], deterministic=False)[0] for each in (learner, other)]
        assert np.array_equal(*drawn)


def test_the_weights_are_the_seeds_and_torch_is_left_alone() -> None:
    before = torch.get_rng_state()
    env = gymnasium.make("SeqEcho-v0")
    one, same, other = (learner_of(env, seed=seed).network.head.weight for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"observation_space": spaces.MultiBinary(3)}, TypeError, "observation_space must be"),
        (
            {"observation_space": spaces.Discrete(3, start=1)},
            TypeError,
            "observation_space must be",
        ),
        ({"action_space": spaces.Discrete(3, start=1)}, TypeError, "action_space must be"),
        ({"action_space": spaces.MultiDiscrete([[2, 2]])}, TypeError, "action_space must be"),
        (
            {"action_space": spaces.MultiDiscrete([2, 2], start=[0, 1])},
            TypeError,
            "action_space must be",
        ),
        ({"action_space": spaces.Box(0, np.inf, (2,))}, TypeError, "action_space must be"),
        ({"action_space": spaces.Box(0, 1, (2, 2))}, TypeError, "action_space must be"),
        ({"action_space": spaces.Tuple([])}, TypeError, "action_space must be"),
        ({"network": "cnn"}, ValueError, "network must be one of"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be above 0, got 0.0"),
        ({"max_grad_norm": -1.0}, ValueError, "max_grad_norm must be above 0, got -1.0"),
        ({"tolerance": -0.1}, ValueError, "tolerance must be at least 0, got -0.1"),
        ({"seed": -1}, ValueError, "seed must be an int at least 0, got -1"),
        ({"blank": 4}, ValueError, r"blank must be in Discrete\(4\), got 4"),
        ({"network": "encoder_decoder"}, ValueError, "blank must be a tensor"),
        ({"units": 3}, TypeError, "units"),
    ],
)
def test_bad_arguments(arguments: dict, error: type[Exception], message: str) -> None:
    given = {
        "observation_space": spaces.Discrete(4),
        "action_space": spaces.Discrete(2),
        "steps": 5,
        **arguments,
    }
    with pytest.raises(error, match=message):
        SupervisedLearner(**given)


@pytest.mark.parametrize(
    ("name", "id", "kwargs", "batches", "reached"),
    [
        ("mlp", "SeqEcho-v0", {"lag": 0}, 80, 0.99),
        ("window_mlp", "SeqEcho-v0", {}, 150, 0.99),
        ("lstm", "SeqEcho-v0", {"length": 6, "num_symbols": 4}, 150, 0.95),
        ("lstm", "SeqRecall-v0", {}, 60, 0.99),
        ("encoder_decoder", "SeqCopy-v0", {"length": 2, "num_symbols": 3}, 150, 0.95),
    ],
)
def test_they_learn_and_act(name: str, id: str, kwargs: dict, batches: int, reached: float) -> None:
    env = gymnasium.make(id, **kwargs)
    learner = learner_of(env, name, hidden=64, learning_rate=1e-2)
    for samples in islice(seqenvs.batches(id, 32, seed=0, **kwargs), batches):
        learner.learn(samples)
    evaluation = evaluate(learner, id, kwargs, episodes=200)
    assert evaluation.mean_return >= reached
    fresh = next(seqenvs.batches(id, 200, seed=5, **kwargs))
    assert (learner.answer(fresh.X) == fresh.y)[fresh.mask].mean() >= reached - 0.05


@pytest.mark.parametrize("name", ACTORS)
def test_untaught_networks_can_be_evaluated(name: str) -> None:
    kwargs = {"length": [3, 9]}
    learner = learner_of(gymnasium.make("SeqEcho-v0", **kwargs), name)
    evaluation = evaluate(learner, "SeqEcho-v0", kwargs, episodes=300, deterministic=False)
    assert evaluation.mean_return == pytest.approx(0.1, abs=0.05)

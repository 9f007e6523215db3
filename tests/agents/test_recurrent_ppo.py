"""Whole-sequence recurrent PPO: equal to sb3-contrib's, and however its rollouts are played."""

from __future__ import annotations

import copy
import pickle

import gymnasium
import numpy as np
import pytest
import sb3_contrib
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnvWrapper, VecMonitor

from agents.learners.recurrent_ppo import SequencePolicy, SequencePPO, SequenceRolloutBuffer
from seqenvs import SequenceVectorEnv
from seqenvs.adapters.sb3 import make_sb3_env

ALIGNED = {"id": "SeqEcho-v0", "lag": 2, "length": 5}
RAGGED = {"id": "SeqEcho-v0", "length": [3, 9]}
PROBLEMS = {
    "aligned": ALIGNED,
    "ragged": RAGGED,
    "index": {**RAGGED, "encoding": "index"},
    "many answers": {"id": "SeqCopy-v0", "framing": "many_to_one", "length": 4},
    "box": {"id": "SeqNext-v0"},
}
CRITICS = {
    "separate": {"shared_lstm": False, "enable_critic_lstm": True},
    "shared": {"shared_lstm": True, "enable_critic_lstm": False},
    "none": {"shared_lstm": False, "enable_critic_lstm": False},
}
every_critic = pytest.mark.parametrize("critic", CRITICS)
every_problem = pytest.mark.parametrize("problem", PROBLEMS)
BUFFERED = ("observations", "actions", "rewards", "episode_starts", "values", "log_probs")
LEARNED = ("advantages", "returns")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


class Watching(BaseCallback):
    """Looks at every step, and stops at one if asked."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.stop_at = stop_at
        self.seen = []

    def _on_step(self):
        self.seen.append(self.locals["rewards"].copy())
        return self.n_calls != self.stop_at


class Wrapped(VecEnvWrapper):
    """Changes nothing, which nobody can know."""

    def reset(self):
        return self.venv.reset()

    def step_wait(self):
        return self.venv.step_wait()


def make_env(problem=ALIGNED, num_envs=4, seed=3, monitor=True):
    return make_sb3_env(num_envs=num_envs, seed=seed, monitor=monitor, **problem)


def make_model(env, algorithm=SequencePPO, policy=None, **kwargs):
    kwargs = {"n_steps": 10, "batch_size": 16, "n_epochs": 2, "seed": 1, "device": "cpu"} | kwargs
    policy = {"lstm_hidden_size": 8, "net_arch": [8], **CRITICS["shared"], **(policy or {})}
    return algorithm("MlpLstmPolicy", env, policy_kwargs=policy, **kwargs)


def flat(states):
    return [part for pair in states for part in pair]


def assert_close(one, other, **kwargs):
    torch.testing.assert_close(one, other, **{"atol": 1e-5, "rtol": 1e-5, **kwargs})


def assert_same_parameters(one, other, **kwargs):
    for name, value in one.policy.state_dict().items():
        assert_close(value, other.policy.state_dict()[name], **kwargs, msg=name)


class Recorded(SequencePPO):
    """Keeps what each rollout gave."""

    def train(self):
        buffer = self.rollout_buffer
        kept = {name: getattr(buffer, name).copy() for name in (*BUFFERED, *LEARNED)}
        self.rollouts = [*getattr(self, "rollouts", ()), kept]
        super().train()


@pytest.fixture
def count_steps(monkeypatch):
    """How often the environment made a step, or a block of them."""
    counts = {"step": 0, "step_block": 0}
    for name in counts:
        method = getattr(SequenceVectorEnv, name)

        def counted(self, actions, name=name, method=method):
            counts[name] += 1
            return method(self, actions)

        monkeypatch.setattr(SequenceVectorEnv, name, counted)
    return counts


def assert_same_rollouts(one, other, state=True):
    assert len(one.rollouts) == len(other.rollouts)
    for mine, its in zip(one.rollouts, other.rollouts, strict=True):
        for name in (*BUFFERED, *LEARNED):
            assert mine[name].dtype == its[name].dtype and mine[name].shape == its[name].shape
            np.testing.assert_allclose(mine[name], its[name], atol=1e-4, rtol=1e-4, err_msg=name)
    if not state:
        return
    assert one.num_timesteps == other.num_timesteps
    np.testing.assert_array_equal(one._last_obs, other._last_obs)
    np.testing.assert_array_equal(one._last_episode_starts, other._last_episode_starts)
    for mine, its in zip(flat(one._last_lstm_states), flat(other._last_lstm_states), strict=True):
        assert_close(mine, its, atol=1e-4, rtol=1e-4)


def assert_same_episodes(one, other):
    assert [float(e["r"]) for e in one.ep_info_buffer] == pytest.approx(
        [float(e["r"]) for e in other.ep_info_buffer], abs=1e-4
    )
    assert [e["l"] for e in one.ep_info_buffer] == [e["l"] for e in other.ep_info_buffer]
    assert list(one.ep_success_buffer) == list(other.ep_success_buffer)
    assert {type(x) for x in one.ep_success_buffer} == {type(x) for x in other.ep_success_buffer}


@every_problem
@pytest.mark.parametrize("critic", ["shared", "separate"])
def test_rollouts_are_the_same_however_they_are_played(problem, critic, count_steps):
    models, ways, counts = [], ("block", "foreseen", "stepping"), []
    for way in ways:
        env = make_env(PROBLEMS[problem])
        # 11 steps: the aligned problem's episodes, of 5, are cut.
        model = make_model(
            Wrapped(env) if way == "stepping" else env,
            Recorded,
            CRITICS[critic],
            n_steps=11,
            gamma=0.9,
        )
        before = dict(count_steps)
        acts = []
        act = model.policy.act
        model.policy.act = lambda *args, act=act, acts=acts: (acts.append(1), act(*args))[1]
        callback = None if way == "block" else Watching()
        model.learn(3 * 11 * 4, callback)
        if callback is not None:
            np.testing.assert_allclose(
                callback.seen, np.concatenate([r["rewards"] for r in model.rollouts]), atol=1e-6
            )
        made = {name: count_steps[name] - before[name] for name in before}
        counts.append((made["step"], made["step_block"], len(acts)))
        models.append((model, env))
    assert counts == [(0, 3, 3), (33, 0, 3), (33, 0, 33)]
    (first, env), *others = models
    assert len(first.ep_info_buffer) > 0
    for other, its_env in others:
        assert_same_rollouts(first, other)
        assert_same_episodes(first, other)
        assert_same_parameters(first, other, atol=1e-3, rtol=1e-3)
        np.testing.assert_allclose(env.episode_returns, its_env.episode_returns, atol=1e-4)
        np.testing.assert_array_equal(env.episode_lengths, its_env.episode_lengths)
        assert env.episode_count == its_env.episode_count
        for mine, its in zip(first.ep_info_buffer, other.ep_info_buffer, strict=True):
            assert mine.keys() == its.keys()
            assert [type(v) for v in mine.values()] == [type(v) for v in its.values()]


def test_a_block_needs_no_monitor(count_steps):
    block = make_model(make_env(RAGGED, monitor=False), Recorded)
    block.learn(80)
    assert count_steps == {"step": 0, "step_block": 2}
    loop = make_model(make_env(RAGGED, monitor=False), Recorded)
    loop.learn(80, Watching())
    assert_same_rollouts(block, loop)
    assert_same_episodes(block, loop)
    assert not block.ep_info_buffer and block.ep_success_buffer


@pytest.mark.parametrize("keeping", ["file", "keywords", "function", "subclass"])
def test_whoever_looks_at_steps_sees_them(keeping, tmp_path, count_steps):
    class Other(VecMonitor):
        pass

    venv, callback = make_env(monitor=False), None
    if keeping == "file":
        env = VecMonitor(venv, str(tmp_path / "log"))
    elif keeping == "keywords":
        env = VecMonitor(venv, info_keywords=("due",))
    elif keeping == "subclass":
        env = Other(venv)
    else:
        env, seen = VecMonitor(venv), []

        def callback(variables, _):
            return seen.append(variables["rewards"]) or True

    model = make_model(env)
    model.learn(40, callback)
    assert count_steps == {"step": 10, "step_block": 0}
    assert len(model.ep_info_buffer) == 8
    if keeping == "file":
        assert len((tmp_path / "log.monitor.csv").read_text().splitlines()) == 2 + 8
    elif keeping == "keywords":
        assert all("due" in episode for episode in model.ep_info_buffer)
    elif keeping == "function":
        assert len(seen) == 10
    env.close()


@pytest.mark.parametrize("stop_at", [1, 4, 6, 10])
@pytest.mark.parametrize("critic", ["shared", "separate"])
def test_a_callback_can_stop_a_rollout_that_was_foreseen(stop_at, critic):
    models = []
    for wrap in (Wrapped, lambda env: env):
        # Episodes of 5 steps: one ends in the step at which a rollout is stopped, and none.
        model = make_model(wrap(make_env()), Recorded, CRITICS[critic])
        model.learn(80, Watching(10 + stop_at))
        assert model.num_timesteps == 40 + 4 * stop_at
        assert model.policy.noise is None and model.policy.foreseen is None
        models.append(model)
    assert len(models[0].rollouts) == 1
    assert_same_rollouts(*models)
    for model in models:
        set_random_seed(5)
        model.learn(80, Watching(), reset_num_timesteps=False)
    assert_same_rollouts(*models)
    assert_same_parameters(*models, atol=1e-3, rtol=1e-3)


def test_a_callback_that_fails_leaves_the_policy_as_it_was():
    class Failing(BaseCallback):
        def _on_step(self):
            raise RuntimeError("no")

    model = make_model(make_env())
    with pytest.raises(RuntimeError, match="no"):
        model.learn(40, Failing())
    assert model.policy.noise is None and model.policy.foreseen is None
    model.learn(40)


@pytest.mark.parametrize("wrap", [Wrapped, lambda env: env])
def test_the_policy_can_be_copied_and_saved_while_a_rollout_is_played(wrap, tmp_path):
    class Copying(BaseCallback):
        def _on_step(self):
            for twin in (
                copy.deepcopy(self.model.policy),
                pickle.loads(pickle.dumps(self.model.policy)),
            ):
                assert twin.noise is None and twin.foreseen is None
                obs = self.model.policy.obs_to_tensor(self.model._last_obs)[0]
                assert len(twin(obs, self.model._last_lstm_states, torch.ones(4))) == 4
            self.model.predict(self.model._last_obs)
            self.model.save(tmp_path / "model")
            return True

    watched, plain = (make_model(wrap(make_env()), Recorded, seed=None) for _ in range(2))
    plain.policy.load_state_dict(watched.policy.state_dict())
    watched.learn(40, Copying())
    assert len(watched.rollouts) == 1
    SequencePPO.load(tmp_path / "model")


def stock_policy(critic, observations, answers, **kwargs):
    arguments = {"lstm_hidden_size": 8, "net_arch": [8], **CRITICS[critic], **kwargs}
    made = []
    for policy in (RecurrentActorCriticPolicy, SequencePolicy):
        torch.manual_seed(0)
        made.append(policy(observations, answers, lambda _: 1e-3, **arguments))
    stock, ours = made
    for name, value in stock.state_dict().items():
        assert torch.equal(value, ours.state_dict()[name])  # nothing else is drawn
    return stock, ours


def random_states(sequences, layers=1):
    return RNNStates(*(tuple(torch.randn(2, layers, sequences, 8)) for _ in range(2)))


@every_critic
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("starts", ["none", "first", "anywhere"])
def test_the_policy_is_sb3_contribs(critic, layers, starts):
    space = spaces.Box(-1, 1, (5,))
    stock, ours = stock_policy(critic, space, spaces.Discrete(4), n_lstm_layers=layers)
    torch.manual_seed(1)
    sequences, steps = 6, 9
    obs = torch.randn(sequences * steps, 5)
    begins = torch.zeros(sequences, steps)
    begins[:, 0] = starts != "none"
    if starts == "anywhere":
        begins = (torch.rand(sequences, steps) < 0.2).float()
    begins, states = begins.flatten(), random_states(sequences, layers)
    actions = torch.randint(4, (sequences * steps,))

    results = []
    for policy in (stock, ours):
        values, log_probs, entropy = policy.evaluate_actions(obs, actions, states, begins)
        policy.zero_grad()
        (values.square().mean() + log_probs.mean() + entropy.mean()).backward()
        gradients = [p.grad for p in policy.parameters()]
        torch.manual_seed(2)
        with torch.no_grad():
            *forward, after = policy(obs, states, begins)
            predicted = policy.predict_values(obs, states.vf, begins)
            one_step = policy(obs[:sequences], states, begins[:sequences], deterministic=True)
        results.append(
            [
                *(values, log_probs, entropy, predicted),
                *(*forward, *flat(after)),
                *(*one_step[:3], *flat(one_step[3])),
                *gradients,
            ]
        )
    for mine, its in zip(*results, strict=True):
        assert_close(mine, its)


@every_critic
def test_predict_is_sb3_contribs_with_an_episode_that_begins_in_some_streams(critic):
    space = spaces.Box(-1, 1, (5,))
    stock, ours = stock_policy(critic, space, spaces.Discrete(4))
    rng, state, its_state = np.random.default_rng(0), None, None
    for step in range(8):
        obs = rng.uniform(-1, 1, (3, 5)).astype(np.float32)
        begins = np.array([step == 0, step in (0, 3), step == 5])
        actions, state = ours.predict(obs, state, begins, deterministic=True)
        its_actions, its_state = stock.predict(obs, its_state, begins, deterministic=True)
        np.testing.assert_array_equal(actions, its_actions)
        np.testing.assert_allclose(state, its_state, atol=1e-6)
    fresh, _ = ours.predict(obs[0], None, np.array([True]), deterministic=True)
    assert fresh.shape == ()


@pytest.mark.parametrize(
    ("problem", "steps"), [("aligned", 10), ("aligned", 12), ("ragged", 14), ("box", 13)]
)
@every_critic
def test_an_update_is_sb3_contribs(problem, steps, critic, monkeypatch):
    """The second rollout's, so that it begins amid episodes if the first has cut them."""
    options = {"n_steps": steps, "batch_size": 4 * steps, "n_epochs": 1, "gamma": 0.9}
    options |= {"ent_coef": 0.01, "clip_range_vf": 0.2}
    stock = make_model(
        make_env(PROBLEMS[problem]), sb3_contrib.RecurrentPPO, CRITICS[critic], **options
    )
    ours = make_model(make_env(PROBLEMS[problem]), SequencePPO, CRITICS[critic], **options)
    assert_same_parameters(stock, ours, atol=0, rtol=0)
    _, callback = stock._setup_learn(1)
    ours._setup_learn(1)
    for _ in range(2):
        first_states = copy.deepcopy(stock._last_lstm_states)
        data = stock.rollout_buffer
        stock.collect_rollouts(stock.env, callback, data, steps)
    assert any(state.any() for state in flat(first_states))
    ours.rollout_buffer.reset()
    arrays = {name: getattr(data, name).copy() for name in (*BUFFERED, *LEARNED)}
    ours.rollout_buffer.fill(lstm_states=first_states, **arrays)
    monkeypatch.setattr(np.random, "randint", lambda *_: 0)  # stock would rotate the rollout
    before = copy.deepcopy(ours.policy.state_dict())
    stock.train()
    ours.train()
    assert_same_parameters(stock, ours)
    assert any((value != before[name]).any() for name, value in ours.policy.state_dict().items())
    for name in ("loss", "value_loss", "entropy_loss", "approx_kl", "explained_variance"):
        its = stock.logger.name_to_value[f"train/{name}"]
        assert ours.logger.name_to_value[f"train/{name}"] == pytest.approx(its, abs=1e-5, rel=1e-4)


@pytest.mark.parametrize("problem", ["aligned", "ragged", "index"])
def test_returns_and_advantages_are_sb3s(problem):
    model = make_model(make_env(PROBLEMS[problem]), Recorded, gamma=0.9)
    model.learn(40)
    (rollout,) = model.rollouts
    dones, last = model._last_episode_starts, model._last_lstm_states
    other = make_model(make_env(PROBLEMS[problem]), Recorded, gamma=0.9)
    with torch.no_grad():
        obs = torch.as_tensor(model._last_obs)
        value = other.policy.predict_values(obs, last.vf, torch.tensor(dones).float())
    stock = sb3_contrib.RecurrentPPO("MlpLstmPolicy", make_env(PROBLEMS[problem]), n_steps=10)
    buffer = stock.rollout_buffer
    buffer.gamma = 0.9
    for name in BUFFERED:
        setattr(buffer, name, rollout[name])
    buffer.compute_returns_and_advantage(value, dones)
    np.testing.assert_allclose(rollout["advantages"], buffer.advantages, atol=1e-5)
    np.testing.assert_allclose(rollout["returns"], buffer.returns, atol=1e-5)


def test_a_time_limit_is_bootstrapped_in_any_other_environment():
    env = DummyVecEnv([lambda: gymnasium.make("CartPole-v1", max_episode_steps=7)] * 2)
    model = make_model(env, Recorded, gamma=0.9)
    model.learn(20)
    (rollout,) = model.rollouts
    truncated = rollout["episode_starts"][1:] > 0
    assert truncated[6].all()
    others = np.delete(rollout["rewards"], np.flatnonzero(truncated.any(1)), axis=0)
    assert (others == 1).all() and (rollout["rewards"][6] != 1).all()


def test_a_stock_policy_and_unforeseen_answers_are_played_as_by_sb3_contrib():
    env = DummyVecEnv([lambda: gymnasium.make("CartPole-v1")] * 2)
    kwargs = {"policy_kwargs": {"lstm_hidden_size": 8}, "n_steps": 10, "device": "cpu", "seed": 0}
    stock = sb3_contrib.RecurrentPPO("MlpLstmPolicy", env, **kwargs)
    ours = SequencePPO(RecurrentActorCriticPolicy, env, **kwargs)
    rollouts = []
    for model in (stock, ours):
        torch.manual_seed(0)
        env.seed(0)
        _, callback = model._setup_learn(1)
        model.collect_rollouts(env, callback, model.rollout_buffer, 10)
        rollouts.append(model.rollout_buffer)
    for name in (*BUFFERED, *LEARNED):
        np.testing.assert_array_equal(*(getattr(rollout, name) for rollout in rollouts))
    ours.learn(20)


def filled(model):
    """The model's buffer, after a rollout."""
    _, callback = model._setup_learn(1)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)
    return model.rollout_buffer


@pytest.mark.parametrize("batch_size", [None, 40, 20, 7])
def test_aligned_episodes_are_not_padded(batch_size):
    buffer = filled(make_model(make_env()))
    samples = list(buffer.get(batch_size))
    assert len(samples) == {None: 1, 40: 1, 20: 2, 7: 6}[batch_size]
    assert sum(len(sample.mask) for sample in samples) == 40
    for sample in samples:
        assert bool((sample.mask == 1).all())
        assert sample.lstm_states.pi[0].shape == (1, len(sample.mask) // 5, 8)
    if len(samples) == 1:
        (whole,) = samples
        for mine, its in (
            (whole.observations, buffer.observations),
            (whole.actions, buffer.actions),
        ):
            assert np.shares_memory(mine.numpy(), its)


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
    """One step's advantage, normalised, is not a number."""
    model = make_model(make_env({"id": "SeqEcho-v0", "lag": 0, "length": 1}), n_steps=10)
    sizes = [len(sample.mask) for sample in filled(model).get(13)]
    assert sizes == [10] * 4
    model = make_model(make_env({"id": "SeqEcho-v0", "lag": 0, "length": 1}), batch_size=39)
    model.learn(40)
    assert all(value.isfinite().all() for value in model.policy.state_dict().values())


def test_outcome_advantages_by_hand():
    buffer = SequenceRolloutBuffer(
        2, spaces.Box(-1, 1, (1,)), spaces.Discrete(2), (2, 1, 2, 8), "cpu", 1.0, 0.0, 2
    )
    buffer.outcome = True
    buffer.rewards[:] = [[1, 0], [0, 0.25]]
    buffer.log_probs[:] = np.log([[0.3, 0.5], [0.8, 0.99]])
    buffer.values[:] = [[0.5, 0.25], [1, -1]]  # what is paid is 0.625 on average
    buffer.compute_returns_and_advantage(torch.zeros(2), np.zeros(2, bool))
    expected = np.array([[1, -0.8], [-4, 1]])
    expected /= np.sqrt(np.mean(expected**2))
    np.testing.assert_allclose(buffer.advantages, expected, rtol=1e-5)
    np.testing.assert_allclose(buffer.returns, buffer.rewards, atol=1e-6)
    assert buffer.advantages.dtype == np.float32
    buffer.rewards[:] = 0
    buffer.log_probs[:] = np.log([[0.98, 0.99], [1, 1e-9]])
    buffer.compute_returns_and_advantage(torch.zeros(2), np.zeros(2, bool))
    expected = np.array([[-25, -12.5], [-50, 0]])
    expected /= np.sqrt(np.mean(expected**2))
    np.testing.assert_allclose(buffer.advantages, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("problem", "options", "error", "said"),
    [
        ("box", {"advantage": "outcome", "gamma": 0}, TypeError, "answers are Discrete, got Box"),
        ("many answers", {"advantage": "outcome", "gamma": 0}, TypeError, "got MultiDiscrete"),
        ("aligned", {"advantage": "outcome"}, ValueError, "gamma must be 0 .* got 0.99"),
        ("aligned", {"advantage": "other"}, ValueError, "advantage must be .* got 'other'"),
        ("aligned", {"policy": {"cell": "rnn"}}, ValueError, "cell must be .* got 'rnn'"),
        ("aligned", {"policy": {"gates": {"chrono": 1}}}, ValueError, "chrono must be .* got 1"),
    ],
)
def test_what_makes_no_sense_is_refused(problem, options, error, said):
    with pytest.raises(error, match=said):
        make_model(make_env(PROBLEMS[problem]), **options)


def test_dict_observations_are_refused():
    class Dicts(gymnasium.Env):
        observation_space = spaces.Dict({"a": spaces.Box(-1, 1, (2,))})
        action_space = spaces.Discrete(2)

    with pytest.raises(TypeError, match="must not have Dict observations"):
        SequencePPO("MlpLstmPolicy", DummyVecEnv([Dicts]))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@every_critic
def test_gates_begin_as_asked(cell, critic):
    model = make_model(
        make_env(), policy={"cell": cell, "gates": {"forget_bias": 3.0}, **CRITICS[critic]}
    )
    rnns = [model.policy.lstm_actor, model.policy.lstm_critic]
    assert (rnns[1] is not None) == (critic == "separate")
    for rnn in rnns[: 1 + (critic == "separate")]:
        assert isinstance(rnn, torch.nn.GRU if cell == "gru" else torch.nn.LSTM)
        assert bool((rnn.bias_ih_l0[8:16] + rnn.bias_hh_l0[8:16] == 3).all())
    optimized = {id(p) for group in model.policy.optimizer.param_groups for p in group["params"]}
    assert optimized == {id(p) for p in model.policy.parameters()}


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("advantage", ["gae", "outcome"])
def test_save_and_load_change_nothing(cell, advantage, tmp_path):
    env = make_env(RAGGED)
    options = {"advantage": advantage, "gamma": 0.0}
    policy = {"cell": cell, "n_lstm_layers": 2, "optimizer_kwargs": {"eps": 1e-6}}
    model = make_model(env, policy=policy, **options)
    model.learn(80)
    model.save(tmp_path / "model")
    loaded = SequencePPO.load(tmp_path / "model", env=env)
    assert loaded.advantage == advantage
    assert isinstance(loaded.rollout_buffer, SequenceRolloutBuffer)
    assert loaded.rollout_buffer.outcome == (advantage == "outcome")
    assert loaded.policy.optimizer.param_groups[0]["eps"] == 1e-6
    assert_same_parameters(model, loaded, atol=0, rtol=0)
    fresh = make_model(make_env(RAGGED), policy=policy, **options, seed=9)
    fresh.set_parameters(tmp_path / "model")
    bare = SequencePPO.load(tmp_path / "model")
    obs = env.reset()
    states = [None] * 4
    for step in range(12):
        begins = np.array([step == 0, step in (0, 5), step == 0, step in (0, 8)])
        results = [
            each.predict(obs, state, begins, deterministic=True)
            for each, state in zip((model, loaded, fresh, bare), states, strict=True)
        ]
        states = [state for _, state in results]
        for actions, state in results[1:]:
            np.testing.assert_array_equal(actions, results[0][0])
            np.testing.assert_array_equal(state, results[0][1])
        obs = env.step(results[0][0])[0]
    loaded.learn(80)
    assert loaded.num_timesteps == 80
    resumed = SequencePPO.load(tmp_path / "model", env=make_env(RAGGED))
    resumed.learn(80, reset_num_timesteps=False)
    assert resumed.num_timesteps == 160


def test_a_gru_forgets_where_an_episode_begins():
    space = spaces.Box(-1, 1, (5,))
    policy = SequencePolicy(
        space, spaces.Discrete(4), lambda _: 1e-3, cell="gru", lstm_hidden_size=8
    )
    torch.manual_seed(0)
    obs, begins = torch.randn(3 * 6, 5), torch.zeros(3, 6)
    begins[1, 4] = begins[2, 0] = 1
    actions, states = torch.randint(4, (18,)), random_states(3)
    whole = policy.evaluate_actions(obs, actions, states, begins.flatten())
    stepped = []
    for step in range(6):
        part = [x.reshape(3, 6, *x.shape[1:])[:, step] for x in (obs, actions)]
        values, log_probs, entropy = policy.evaluate_actions(*part, states, begins[:, step])
        stepped.append((values, log_probs, entropy))
        states = policy(part[0], states, begins[:, step])[3]
    for mine, its in zip(whole, zip(*stepped, strict=True), strict=True):
        assert_close(mine, torch.stack(its, dim=1).flatten(0, 1))


@pytest.mark.parametrize(
    ("advantage", "steps", "problem"),
    [
        ("outcome", 60_000, {"id": "SeqEcho-v0", "lag": 4, "length": 14}),
        ("gae", 60_000, {"id": "SeqEcho-v0", "lag": 1, "length": 14}),
    ],
)
def test_it_learns(advantage, steps, problem):
    model = make_model(
        make_env(problem, 64, seed=0),
        policy={"net_arch": [64], "lstm_hidden_size": 64, "gates": {"delay_line": 4.0}},
        advantage=advantage,
        n_steps=14,
        batch_size=896,
        n_epochs=3,
        learning_rate=5e-3,
        gamma=0.0,
        ent_coef=0.0,
        normalize_advantage=advantage == "gae",
        seed=0,
    )
    model.learn(steps)
    assert np.mean([episode["r"] for episode in model.ep_info_buffer]) >= 0.9

"""Recurrent PPO on whole sequences, in blocks or step by step, computes what sb3-contrib's does."""

from __future__ import annotations

import copy

import gymnasium
import numpy as np
import pytest
import sb3_contrib
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnvWrapper, VecMonitor

from agents.learners.recurrent_ppo import SequencePolicy, SequencePPO, SequenceRolloutBuffer
from agents.learners.recurrent_ppo.policy import draw_noise
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
    """Keeps a copy of each rollout."""

    def train(self):
        buffer = self.rollout_buffer
        kept = {name: getattr(buffer, name).copy() for name in (*BUFFERED, *LEARNED)}
        self.rollouts = [*getattr(self, "rollouts", ()), kept]
        super().train()


class Stepping(Recorded):
    """Collects rollouts step by step, with the random numbers that a block would use."""

    def collect_rollouts(self, env, callback, buffer, n_rollout_steps):
        noise = iter(draw_noise(self.action_space, n_rollout_steps, env.num_envs))

        def forward(obs, states, starts):
            return self.policy.act(obs, states, starts, next(noise))

        self.policy.forward = forward
        return sb3_contrib.RecurrentPPO.collect_rollouts(
            self, env, callback, buffer, n_rollout_steps
        )


def assert_same_rollouts(one, other):
    assert len(one.rollouts) == len(other.rollouts)
    for mine, its in zip(one.rollouts, other.rollouts, strict=True):
        for name in (*BUFFERED, *LEARNED):
            assert mine[name].dtype == its[name].dtype and mine[name].shape == its[name].shape
            np.testing.assert_allclose(mine[name], its[name], atol=1e-4, rtol=1e-4, err_msg=name)
    assert one.num_timesteps == other.num_timesteps
    np.testing.assert_array_equal(one._last_obs, other._last_obs)
    np.testing.assert_array_equal(one._last_episode_starts, other._last_episode_starts)
    for mine, its in zip(flat(one._last_lstm_states), flat(other._last_lstm_states), strict=True):
        assert_close(mine, its, atol=1e-4, rtol=1e-4)


class Watching(BaseCallback):
    """Looks at every step, and stops at one if told to."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.stop_at = stop_at

    def _on_step(self):
        return self.n_calls != self.stop_at


class Wrapped(VecEnvWrapper):
    """Changes nothing, but might."""

    def reset(self):
        return self.venv.reset()

    def step_wait(self):
        return self.venv.step_wait()


@pytest.fixture
def count_steps(monkeypatch):
    """How often the environment was stepped, and how often by a block."""
    counts = {"step": 0, "step_block": 0}
    for name in counts:
        method = getattr(SequenceVectorEnv, name)

        def counted(self, actions, name=name, method=method, **kwargs):
            counts[name] += 1
            return method(self, actions, **kwargs)

        monkeypatch.setattr(SequenceVectorEnv, name, counted)
    return counts


@every_problem
@pytest.mark.parametrize(("critic", "cell"), [("shared", "lstm"), ("separate", "gru")])
def test_a_block_gives_what_single_steps_give(problem, critic, cell, count_steps):
    models, envs = [], []
    for kind in (Recorded, Stepping):
        env = make_env(PROBLEMS[problem])
        # 11 steps: the episodes of the aligned problem, of 5 steps, are cut.
        policy = {**CRITICS[critic], "cell": cell}
        model = make_model(env, kind, policy, n_steps=11, gamma=0.9)
        model.learn(3 * 11 * 4)
        models.append(model)
        envs.append(env)
    assert count_steps == {"step": 33, "step_block": 3}
    block, stepped = models
    assert_same_rollouts(block, stepped)
    assert_same_parameters(block, stepped, atol=1e-3, rtol=1e-3)
    assert len(block.ep_info_buffer) == len(stepped.ep_info_buffer) > 0
    for mine, its in zip(block.ep_info_buffer, stepped.ep_info_buffer, strict=True):
        assert mine["l"] == its["l"] and mine["r"] == pytest.approx(its["r"], abs=1e-4)
        assert {k: type(v) for k, v in mine.items()} == {k: type(v) for k, v in its.items()}
    assert list(block.ep_success_buffer) == list(stepped.ep_success_buffer)
    np.testing.assert_allclose(envs[0].episode_returns, envs[1].episode_returns, atol=1e-4)
    np.testing.assert_array_equal(envs[0].episode_lengths, envs[1].episode_lengths)
    assert envs[0].episode_count == envs[1].episode_count


@pytest.mark.parametrize("way", ["callback", "file", "keywords", "subclass", "wrapper"])
def test_single_steps_where_something_may_look_at_them(way, tmp_path, count_steps):
    class Other(VecMonitor):
        pass

    venv = make_env(monitor=False)
    env = {
        "callback": lambda: VecMonitor(venv),
        "file": lambda: VecMonitor(venv, str(tmp_path / "log")),
        "keywords": lambda: VecMonitor(venv, info_keywords=("due",)),
        "subclass": lambda: Other(venv),
        "wrapper": lambda: VecMonitor(Wrapped(venv)),
    }[way]()
    model = make_model(env)
    model.learn(40, Watching() if way == "callback" else None)
    assert count_steps == {"step": 10, "step_block": 0}
    assert len(model.ep_info_buffer) == 8
    assert all(("due" in episode) == (way == "keywords") for episode in model.ep_info_buffer)
    env.close()


def test_a_callback_can_stop_a_rollout_and_learning_goes_on(count_steps):
    model = make_model(make_env(monitor=False), Recorded)
    model.learn(80, Watching(stop_at=14))
    assert model.num_timesteps == 4 * 14 and len(model.rollouts) == 1
    last = model._last_obs.copy()
    model.learn(40, reset_num_timesteps=False)
    assert count_steps == {"step": 14, "step_block": 1}
    np.testing.assert_array_equal(model.rollouts[1]["observations"][0], last.reshape(4, -1))
    assert not model.ep_info_buffer and model.ep_success_buffer  # there is no monitor


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


@pytest.mark.parametrize(
    ("problem", "options", "error", "said"),
    [
        ("box", {"advantage": "outcome", "gamma": 0}, TypeError, "actions are Discrete, got Box"),
        ("many answers", {"advantage": "outcome", "gamma": 0}, TypeError, "got MultiDiscrete"),
        ("aligned", {"advantage": "outcome"}, ValueError, "gamma must be 0 .* got 0.99"),
        ("aligned", {"advantage": "other"}, ValueError, "advantage must be .* got 'other'"),
        ("aligned", {"policy": {"cell": "rnn"}}, ValueError, "cell must be .* got 'rnn'"),
        ("aligned", {"policy": {"gates": {"chrono": 1}}}, ValueError, "chrono must be .* got 1"),
    ],
)
def test_bad_arguments(problem, options, error, said):
    with pytest.raises(error, match=said):
        make_model(make_env(PROBLEMS[problem]), **options)


def test_dict_observations_are_refused():
    class Dicts(gymnasium.Env):
        observation_space = spaces.Dict({"a": spaces.Box(-1, 1, (2,))})
        action_space = spaces.Discrete(2)

    with pytest.raises(TypeError, match="must not have Dict observations"):
        SequencePPO("MlpLstmPolicy", DummyVecEnv([Dicts]))


@pytest.mark.parametrize(("cell", "advantage"), [("lstm", "gae"), ("gru", "outcome")])
def test_save_and_load_change_nothing(cell, advantage, tmp_path):
    policy = {"cell": cell, "n_lstm_layers": 2, "optimizer_kwargs": {"eps": 1e-6}}
    model = make_model(make_env(RAGGED), policy=policy, advantage=advantage, gamma=0.0)
    model.learn(80)
    model.save(tmp_path / "model")
    loaded = SequencePPO.load(tmp_path / "model", env=make_env(RAGGED))
    assert loaded.advantage == advantage
    assert isinstance(loaded.rollout_buffer, SequenceRolloutBuffer)
    assert loaded.rollout_buffer.outcome == (advantage == "outcome")
    assert loaded.policy.optimizer.param_groups[0]["eps"] == 1e-6
    assert_same_parameters(model, loaded, atol=0, rtol=0)
    obs, state, its_state = loaded.env.reset(), None, None
    for step in range(6):
        starts = np.array([step == 0, step in (0, 5), step == 0, step in (0, 3)])
        actions, state = model.predict(obs, state, starts, deterministic=True)
        its_actions, its_state = loaded.predict(obs, its_state, starts, deterministic=True)
        np.testing.assert_array_equal(actions, its_actions)
        np.testing.assert_array_equal(state, its_state)
        obs = loaded.env.step(actions)[0]
    loaded.learn(80, reset_num_timesteps=False)
    assert loaded.num_timesteps == 160


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


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@every_critic
def test_gates_are_initialised(cell, critic):
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

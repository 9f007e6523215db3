"""The tools of Stable-Baselines3 work over the native streams as over its own vector environments.

`test_adapter_sb3` compares the adapter with ``DummyVecEnv`` over one list of episodes; here are
``make_vec_env`` and its seeds, the wrappers, the callbacks, saving, and what is refused.
"""

from __future__ import annotations

import re

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from sb3_contrib import RecurrentPPO
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.callbacks import EvalCallback, StopTrainingOnRewardThreshold
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import (
    SubprocVecEnv,
    VecFrameStack,
    VecNormalize,
)

from seqenvs.adapters.sb3 import SequenceVecEnv, make_sb3_env
from seqenvs.oracle import Oracle

ID = "SeqEcho-v0"
CASES = [
    (ID, {"lag": 2}),
    (ID, {"encoding": "index", "length": (3, 9)}),
    ("SeqNext-v0", {}),
    ("SeqRecall-v0", {"framing": "many_to_one"}),
    ("SeqCopy-v0", {"framing": "many_to_one", "length": 4}),
]
SIZES = {"n_steps": 10, "batch_size": 20, "n_epochs": 1, "device": "cpu", "seed": 0}


def without_time(infos):
    """Infos with the seconds that an episode took left out: they are never equal."""
    for info in infos:
        if "episode" in info:
            assert info["episode"].pop("t") >= 0
    return infos


def assert_play_alike(ours, theirs, steps=30, rows=slice(None)):
    """Those streams of theirs, beside all of ours, answered alike."""
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert data_equivalence(ours.reset(), theirs.reset()[rows], exact=True)
    ours.action_space.seed(0)
    ends = 0
    for _ in range(steps):
        actions = np.stack([ours.action_space.sample() for _ in range(theirs.num_envs)])
        mine, other = ours.step(actions[rows]), theirs.step(actions)
        for part, its in zip(mine[:3], other[:3], strict=True):
            its = its[rows].astype(part.dtype)  # SubprocVecEnv's rewards are float64
            assert data_equivalence(part, its, exact=True)
        pairs = zip(without_time(mine[3]), without_time(list(other[3])[rows]), strict=True)
        for info, its in pairs:
            assert info.keys() == its.keys()
            for key, value in info.items():
                if key == "episode":
                    assert value == pytest.approx(its[key], abs=1e-6)  # Monitor rounds
                else:
                    assert data_equivalence(value, its[key], exact=True)
        ends += int(mine[2].sum())
    assert ends > 0


@pytest.mark.parametrize(("id", "kwargs"), CASES)
def test_a_stream_of_make_vec_env_plays_the_native_episodes_of_its_own_seed(id, kwargs):
    for stream in range(2):
        theirs = make_vec_env(id, 2, seed=5, env_kwargs=kwargs)  # with Monitor, and seeds 5 and 6
        ours = make_sb3_env(id, 1, seed=5 + stream, **kwargs)
        assert_play_alike(ours, theirs, rows=slice(stream, stream + 1))


def test_given_sequences_are_played_alike_by_make_vec_env():
    kwargs = {"lag": 1, "length": 4}
    ours, theirs = make_sb3_env(ID, 3, **kwargs), make_vec_env(ID, 3, env_kwargs=kwargs)
    for venv in (ours, theirs):
        venv.set_options([{"inputs": x} for x in ([1, 2, 3, 4], [4, 0, 2, 1], [3, 3, 0, 2])])
    assert ours.reset().argmax(axis=1).tolist() == [1, 4, 3]
    theirs.reset()
    for answers in ([0, 0, 0], [1, 4, 3], [2, 0, 3]):
        mine, other = ours.step(np.array(answers)), theirs.step(np.array(answers))
        for part, its in zip(mine[:3], other[:3], strict=True):
            assert data_equivalence(part, its, exact=True)
    assert np.array_equal(mine[1], np.full(3, 1 / 3, np.float32))


def test_processes_of_make_vec_env_play_the_same():
    # A process imports what stands before the colon; "SeqEcho-v0" alone it would not know.
    theirs = make_vec_env(f"seqenvs:{ID}", 1, seed=5, vec_env_cls=SubprocVecEnv)
    try:
        assert_play_alike(make_sb3_env(ID, 1, seed=5), theirs, steps=12)
    finally:
        theirs.close()


def test_the_algorithms_seed_is_the_streams():
    venv = make_sb3_env(ID, 4, seed=7)
    PPO("MlpPolicy", venv, **SIZES | {"seed": 3})
    assert np.array_equal(venv.reset(), make_sb3_env(ID, 4, seed=3).reset())


@pytest.mark.parametrize("id", [ID, "SeqNext-v0"])
def test_a_stack_holds_the_last_frames_of_this_episode_only(id):
    bare, stacked = make_sb3_env(id, 3, seed=0), VecFrameStack(make_sb3_env(id, 3, seed=0), 3)
    size = bare.observation_space.shape[0]
    shown = [bare.reset()]
    seen = stacked.reset()
    for _ in range(25):
        frames = [np.zeros_like(shown[0])] * (3 - len(shown)) + shown[-3:]
        assert np.array_equal(seen, np.concatenate(frames, axis=1))
        actions = np.stack([bare.action_space.sample() for _ in range(3)])
        observation, _, ended, _ = bare.step(actions)
        seen, _, _, infos = stacked.step(actions)
        if ended.all():
            for i, info in enumerate(infos):
                last = [frame[i] for frame in shown[-2:]]
                assert np.array_equal(
                    info["terminal_observation"][: 2 * size], np.concatenate(last)
                )
            shown = []
        shown.append(observation)


def test_the_monitor_beneath_a_normaliser_counts_what_was_paid():
    venv = VecNormalize(make_sb3_env(ID, 3, seed=0), norm_obs=False, gamma=0.0, clip_reward=0.01)
    oracle = Oracle(venv.get_attr("problem")[0])
    assert evaluate_policy(oracle, venv, n_eval_episodes=6) == (pytest.approx(1), pytest.approx(0))


def test_evaluation_stops_training_and_keeps_the_best(tmp_path):
    problem = {"lag": 0, "length": 5, "num_symbols": 3}
    stop = StopTrainingOnRewardThreshold(0.99, verbose=0)
    folder = str(tmp_path)
    evaluation = VecNormalize(
        make_sb3_env(ID, 10, seed=1, **problem), training=False, norm_reward=False
    )
    callback = EvalCallback(
        evaluation,
        callback_on_new_best=stop,
        n_eval_episodes=20,
        eval_freq=20,
        log_path=folder,
        best_model_save_path=folder,
        verbose=0,
    )
    env = VecNormalize(make_sb3_env(ID, 32, **problem), gamma=0.0)
    sizes = SIZES | {"n_steps": 20, "batch_size": 160, "n_epochs": 4, "learning_rate": 3e-3}
    model = PPO("MlpPolicy", env, gamma=0.0, **sizes)
    model.learn(50_000, callback)
    assert model.num_timesteps < 50_000
    assert callback.best_mean_reward >= 0.99
    assert np.array_equal(evaluation.obs_rms.mean, env.obs_rms.mean)
    written = np.load(tmp_path / "evaluations.npz")
    assert written["results"].shape == written["successes"].shape == written["ep_lengths"].shape
    assert (written["ep_lengths"] == 5).all()
    assert np.array_equal(written["successes"][-1], written["results"][-1] > 0.999)
    best = PPO.load(tmp_path / "best_model", device="cpu")
    assert evaluate_policy(best, evaluation, n_eval_episodes=50)[0] >= 0.95


def test_what_is_saved_plays_and_learns_on(tmp_path):
    venv = make_sb3_env(ID, 2, lag=2)
    model = RecurrentPPO("MlpLstmPolicy", venv, **SIZES)
    model.learn(40)
    model.save(tmp_path / "model")
    loaded = RecurrentPPO.load(tmp_path / "model", env=make_sb3_env(ID, 5, lag=2), device="cpu")
    assert loaded.n_envs == 5  # another number of streams than it was saved with
    fresh, states, starts = make_sb3_env(ID, 4, seed=9, lag=2), [None, None], np.ones(4, bool)
    observations, bare_states = fresh.reset(), None
    differs = False
    for _ in range(20):
        pairs = [
            each.predict(observations, state, starts, deterministic=True)
            for each, state in zip((model, loaded), states, strict=True)
        ]
        (actions, state), (its, other) = pairs
        states = [state, other]
        assert np.array_equal(actions, its)
        assert all(np.array_equal(a, b) for a, b in zip(state, other, strict=True))
        _, bare_states = model.predict(observations, bare_states, deterministic=True)
        differs |= not starts.all() and not np.array_equal(bare_states[0], state[0])
        observations, _, starts, _ = fresh.step(actions)
    assert differs  # without episode_start the state runs on over the end of an episode
    loaded.learn(50, reset_num_timesteps=False)
    assert loaded.num_timesteps == 90


@pytest.mark.parametrize(("algorithm", "id"), [(DQN, ID), (SAC, "SeqNext-v0")])
def test_algorithms_with_a_replay_buffer_take_the_streams(algorithm, id):
    model = algorithm(
        "MlpPolicy", make_sb3_env(id, 2), learning_starts=8, buffer_size=100, device="cpu", seed=0
    )
    model.learn(40)
    assert model.replay_buffer.dones[: model.replay_buffer.pos].any()
    assert not model.replay_buffer.timeouts.any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: gymnasium.make_vec(ID, num_envs=2, vectorization_mode="sync"),
        lambda: gymnasium.make_vec("CartPole-v1", num_envs=2),
        lambda: gymnasium.wrappers.vector.RecordEpisodeStatistics(
            gymnasium.make_vec(ID, num_envs=2, autoreset_mode="SameStep")
        ),
        lambda: make_vec_env(ID, 2),
        lambda: make_sb3_env(ID, 2),
        lambda: ID,
        lambda: None,
    ],
    ids=["sync", "another's", "wrapped", "SB3's", "adapted already", "id", "None"],
)
def test_what_cannot_be_adapted_is_told_what_is_needed(make):
    env = make()
    said = rf"^env must be a seqenvs.SequenceVectorEnv, got {re.escape(repr(env))}.*make_sb3_env"
    with pytest.raises(TypeError, match=said):
        SequenceVecEnv(env)


@pytest.mark.parametrize("monitor", [True, False])
def test_a_step_needs_a_reset(monitor):
    venv = make_sb3_env(ID, 2, monitor=monitor)
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"call reset\(\) before step\(\)"):
        venv.step(np.zeros(2, np.int64))
    assert venv.reset().shape == (2, 10)


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (1.5, TypeError), ("a", TypeError)])
def test_a_wrong_seed_is_refused_at_construction(seed, error):
    with pytest.raises(error, match=f"seed must be an int at least 0, got {seed!r}"):
        make_sb3_env(ID, 2, seed=seed)

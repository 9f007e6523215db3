"""The Stable-Baselines3 adapter equals SB3's own vector environments over single ones."""

from __future__ import annotations

import pickle
import re

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.wrappers import RescaleAction
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecMonitor

import seqenvs
from seqenvs.adapters.sb3 import SequenceVecEnv, make_sb3_env
from seqenvs.episodes import EpisodeStream
from seqenvs.observations import ENCODINGS
from seqenvs.oracle import Oracle
from seqenvs.registration import IDS

ID = "SeqEcho-v0"
CASES = [(id, {}) for id in IDS] + [
    (ID, {"encoding": "index"}),
    (ID, {"encoding": "normalized", "length": (3, 9), "lag": 2}),
    (ID, {"length": 1, "lag": 0}),
    ("SeqCopy-v0", {"framing": "many_to_one", "length": (2, 5), "output_length": 2}),
    ("SeqRecall-v0", {"framing": "many_to_one", "length": (3, 6)}),
    ("SeqNext-v0", {"answer": "index"}),
]


class PlaysFromStream(gymnasium.Wrapper):
    """Begins each episode with the next inputs of a stream that several environments share."""

    def __init__(self, env, stream):
        super().__init__(env)
        self.stream = stream

    def reset(self, *, seed=None, options=None):
        batch = self.stream.take(1)
        return self.env.reset(seed=seed, options={"inputs": batch.inputs[: batch.lengths[0], 0]})


def dummy_over_singles(id, num_envs, seed, **kwargs):
    """SB3's vector environment over single ones that play the episodes of a native one's seed."""
    rng = gymnasium.utils.seeding.np_random(seed)[0]
    stream = EpisodeStream(gymnasium.make(id, **kwargs).unwrapped.problem, rng)
    make = [lambda: PlaysFromStream(gymnasium.make(id, **kwargs), stream) for _ in range(num_envs)]
    return DummyVecEnv(make)


def assert_play_alike(ours, theirs, steps, rows=slice(None)):
    """Play all of ours beside these rows of theirs; two of three answers are the oracle's."""
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    observations, shown = ours.reset(), theirs.reset()
    assert data_equivalence(observations, shown[rows], exact=True)
    assert list(ours.reset_infos) == list(theirs.reset_infos)[rows]
    oracle, rng = Oracle.of(ours.unwrapped.env), np.random.default_rng(0)
    ours.action_space.seed(0)
    state, starts, ends = None, np.ones(theirs.num_envs, bool), 0
    for _ in range(steps):
        right, state = oracle.predict(shown, state, starts)
        random = np.stack([ours.action_space.sample() for _ in range(theirs.num_envs)])
        keep = rng.random(theirs.num_envs).reshape(-1, *[1] * (right.ndim - 1)) < 0.67
        actions = np.where(keep, right, random).astype(right.dtype)
        mine, (shown, rewards, starts, infos) = ours.step(actions[rows]), theirs.step(actions)
        # The rewards of SubprocVecEnv are float64.
        for one, other in zip(mine, (shown, rewards.astype(np.float32), starts), strict=False):
            assert data_equivalence(one, other[rows], exact=True)
        for info, its in zip(mine[3], list(infos)[rows], strict=True):
            assert info.keys() == its.keys()
            if "episode" in info:  # of a monitor, which rounds, and measures seconds
                one, other = info.pop("episode"), its.pop("episode")
                assert one["r"] == pytest.approx(other["r"], abs=1e-6) and one["l"] == other["l"]
            for key, value in info.items():
                assert type(value) is type(its[key])
                assert data_equivalence(value, its[key], exact=True)
        ends += int(mine[2].sum())
    assert ends > 0 or ours.get_attr("problem")[0].num_steps[0] > 30


@pytest.mark.parametrize(("id", "kwargs"), CASES)
def test_equals_dummy_vec_env_over_single_environments(id, kwargs):
    ours = make_sb3_env(id, 3, seed=5, monitor=False, **kwargs)
    steps = min(60, 2 * ours.get_attr("problem")[0].num_steps[1] + 2)
    assert_play_alike(ours, dummy_over_singles(id, 3, 5, **kwargs), steps)


@pytest.mark.parametrize(("id", "kwargs"), [CASES[0], CASES[-5], CASES[-3]])
def test_each_environment_of_make_vec_env_plays_the_episodes_of_its_own_seed(id, kwargs):
    for k in range(2):  # with Monitor, and the seeds 5 and 6
        theirs = make_vec_env(id, 2, seed=5, env_kwargs=kwargs)
        assert_play_alike(make_sb3_env(id, 1, seed=5 + k, **kwargs), theirs, 30, slice(k, k + 1))


def test_processes_of_make_vec_env_play_the_same():
    # A process imports what stands before the colon; "SeqEcho-v0" alone it would not know.
    theirs = make_vec_env(f"seqenvs:{ID}", 1, seed=5, vec_env_cls=SubprocVecEnv)
    try:
        assert_play_alike(make_sb3_env(ID, 1, seed=5), theirs, 12)
    finally:
        theirs.close()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("id", IDS)
def test_sb3s_checker(id, encoding):
    env = gymnasium.make(id, encoding=encoding).unwrapped
    if isinstance(env.action_space, gymnasium.spaces.Box):
        # SB3 recommends actions in [-1, 1]. A value between 0 and 1 is the answer here.
        with pytest.warns(UserWarning, match="symmetric and normalized Box action space"):
            check_env(env)
        env = RescaleAction(env, np.float32(-1), np.float32(1))
    check_env(env)


def test_nothing_that_was_returned_changes_or_is_shared():
    venv = make_sb3_env(ID, 2, seed=0)
    shown = [venv.reset()]
    copies = [shown[0].copy()]
    for _ in range(25):
        observations, _, _, infos = venv.step(np.zeros(2, np.int64))
        shown.append(observations)
        copies.append(observations.copy())
        assert "mine" not in infos[0]
        infos[0]["mine"] = 1
        assert "mine" not in infos[1]
    assert np.array_equal(shown, copies)


@pytest.mark.parametrize("id", [ID, "SeqNext-v0", "SeqCopy-v0"])
def test_evaluate_policy_gives_the_oracle_exactly_one(id):
    venv = make_sb3_env(id, 3, seed=0)
    oracle, ends = Oracle(venv.get_attr("problem")[0]), []

    def keep_last(values, _):
        if values["done"]:
            ends.append(values["info"])

    mean, spread = evaluate_policy(oracle, venv, n_eval_episodes=7, callback=keep_last)
    assert (mean, spread) == (pytest.approx(1), pytest.approx(0, abs=1e-6))
    steps = venv.get_attr("problem")[0].num_steps[1]
    for info in ends:
        assert info["episode"]["r"] == pytest.approx(1) and info["episode"]["l"] == steps
        assert info["is_success"] is True and info["TimeLimit.truncated"] is False
    assert isinstance(venv, VecMonitor)
    assert not isinstance(make_sb3_env(ID, 3, monitor=False), VecMonitor)


def test_seed_is_that_of_the_native_environment_and_is_used_once():
    native = seqenvs.SequenceVectorEnv(
        seqenvs.problems.Echo(), 4, autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP
    )
    venv = make_sb3_env(ID, 4)
    assert venv.seed(7) == [7, 8, 9, 10]
    assert np.array_equal(venv.reset(), native.reset(seed=7)[0])
    assert np.array_equal(venv.reset(), native.reset()[0])
    PPO("MlpPolicy", venv, seed=7, n_steps=2, batch_size=8, device="cpu")  # an algorithm seeds, too
    assert np.array_equal(venv.reset(), native.reset(seed=7)[0])


def test_options_play_given_sequences_once():
    venv = make_sb3_env(ID, 2, seed=0, length=3)
    venv.set_options({"inputs": [1, 2, 3]})
    assert venv.reset().argmax(axis=-1).tolist() == [1, 1]
    venv.set_options([{"inputs": [4, 5, 6]}, {"inputs": [7, 8, 9]}])
    assert venv.reset().argmax(axis=-1).tolist() == [4, 7]
    assert venv.step(np.zeros(2, np.int64))[0].argmax(axis=-1).tolist() == [5, 8]
    assert len({tuple(venv.reset().argmax(axis=-1)) for _ in range(9)}) > 1
    for options, message in (
        ([{"inputs": [4, 5, 6]}, {}], "one dict, or 2 with the same keys"),
        ({"colour": 1}, "unknown option 'colour'"),
    ):
        venv.set_options(options)
        with pytest.raises(ValueError, match=message):
            venv.reset()


def test_attributes_and_methods_are_per_index():
    venv = make_sb3_env(ID, 3, lag=2)
    assert [problem.lag for problem in venv.get_attr("problem")] == [2, 2, 2]
    assert [spec.id for spec in venv.get_attr("spec", indices=[0, 2])] == [ID] * 2
    assert venv.get_attr("action_space", indices=0) == [gymnasium.spaces.Discrete(10)]
    assert venv.get_attr("observation_space")[2].shape == (10,)
    assert venv.has_attr("problem") and not venv.has_attr("action_masks")
    venv.set_attr("note", "mine")
    assert venv.get_attr("note") == ["mine"] * 3
    with pytest.raises(ValueError, match="indices must be None or all 3 sub-environments"):
        venv.set_attr("note", "mine", indices=[0])
    assert venv.env_is_wrapped(Monitor, indices=[0, 1]) == [False, False]
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"call reset\(\) before step\(\)"):
        venv.step(np.zeros(3, np.int64))
    venv.reset()
    (block,) = venv.env_method("observe_block", 2, indices=[0])
    assert block.shape == (2, 3, 10)
    for name in ("reset", "step", "step_block", "close"):
        with pytest.raises(ValueError, match="acts on all 3 sub-environments"):
            venv.env_method(name)


def test_pickles_in_the_middle_of_an_episode():
    venv = make_sb3_env(ID, 2, seed=0, monitor=False)
    venv.reset()
    venv.step(np.zeros(2, np.int64))
    twin = pickle.loads(pickle.dumps(venv))
    for _ in range(25):
        steps = [each.step(np.zeros(2, np.int64)) for each in (venv, twin)]
        assert data_equivalence(*steps, exact=True)


def test_images_are_one_for_each_environment():
    with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
        assert make_sb3_env(ID, 2).get_images() == [None, None]
    venv = make_sb3_env(ID, 4, seed=0, render_mode="rgb_array")
    venv.reset()
    images = venv.get_images()
    height, width, _ = images[0].shape
    assert len(images) == 4 and venv.render().shape == (2 * height, 2 * width, 3)
    assert np.array_equal(venv.env_method("render", indices=[2])[0], images[2])


@pytest.mark.parametrize(
    ("algorithm", "id", "kwargs"),
    [
        (PPO, ID, {"encoding": "index"}),
        (PPO, "SeqNext-v0", {}),
        (PPO, "SeqCopy-v0", {"framing": "many_to_one"}),
        (DQN, ID, {}),
        (SAC, "SeqNext-v0", {}),
    ],
)
def test_algorithms_take_every_kind_of_space(algorithm, id, kwargs):
    options = {"n_steps": 8, "batch_size": 8, "n_epochs": 1}
    if algorithm is not PPO:
        options = {"learning_starts": 8, "buffer_size": 100}
    algorithm("MlpPolicy", make_sb3_env(id, 2, **kwargs), device="cpu", **options).learn(40)


@pytest.mark.parametrize(
    "env",
    [
        gymnasium.make(ID),
        gymnasium.make_vec(ID, num_envs=2, vectorization_mode="sync"),
        RecordEpisodeStatistics(gymnasium.make_vec(ID, num_envs=2, autoreset_mode="SameStep")),
        make_sb3_env(ID, 2),
        ID,
    ],
)
def test_what_cannot_be_adapted_is_told_what_is_needed(env):
    said = rf"^env must be a seqenvs.SequenceVectorEnv, got {re.escape(repr(env))}.*make_sb3_env"
    with pytest.raises(TypeError, match=said):
        SequenceVecEnv(env)


@pytest.mark.parametrize(
    ("id", "given", "error", "message"),
    [
        (ID, {"lagg": 1}, TypeError, "unexpected keyword argument 'lagg'"),
        ("CartPole-v1", {}, TypeError, r"registered, got 'CartPole-v1'; .*make_vec_env"),
        (ID, {"autoreset_mode": "NextStep"}, TypeError, "must be left out, .* got 'NextStep'"),
        (ID, {"vectorization_mode": "sync"}, TypeError, "must be left out, .* got 'sync'"),
        (ID, {"seed": -1}, ValueError, "seed must be an int at least 0, got -1"),
        (ID, {"seed": "a"}, TypeError, "seed must be an int at least 0, got 'a'"),
    ],
)
def test_wrong_arguments(id, given, error, message):
    with pytest.raises(error, match=message):
        make_sb3_env(id, 2, **given)


def test_an_id_may_name_its_module_but_another_autoreset_mode_is_refused():
    assert make_sb3_env(f"seqenvs:{ID}", 2, seed=0, lag=3).reset().shape == (2, 10)
    with pytest.raises(ValueError, match=r"autoreset_mode='SameStep'.*got 'NextStep'"):
        SequenceVecEnv(gymnasium.make_vec(ID, num_envs=2))

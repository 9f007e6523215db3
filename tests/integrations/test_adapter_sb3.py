"""The Stable-Baselines3 adapter equals SB3's own vector environments over single ones."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.wrappers import RescaleAction
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

import seqenvs
from seqenvs.adapters.sb3 import SequenceVecEnv, make_sb3_env
from seqenvs.episodes import EpisodeStream
from seqenvs.observations import ENCODINGS
from seqenvs.oracle import Oracle
from seqenvs.registration import IDS
from tests.refused import refused

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


def assert_play_alike(ours, theirs, steps, rows=slice(None)):
    """Play all of ours beside these rows of theirs; most answers are the oracle's."""
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
        actions = random if rng.random() < 0.2 else right
        mine, (shown, rewards, starts, infos) = ours.step(actions[rows]), theirs.step(actions)
        for one, other in zip(mine, (shown, rewards, starts), strict=False):
            assert data_equivalence(one, other[rows], exact=True)
        for info, its in zip(mine[3], list(infos)[rows], strict=True):
            assert info.keys() == its.keys()
            if "episode" in info:  # of a monitor, which rounds, and measures seconds
                one, other = info.pop("episode"), its.pop("episode")
                assert one["r"] == pytest.approx(other["r"], abs=1e-6) and one["l"] == other["l"]
            assert data_equivalence(info, its, exact=True)
        ends += int(mine[2].sum())
    assert ends > 0 or ours.get_attr("problem")[0].num_steps[0] > 30


@pytest.mark.parametrize(("id", "kwargs"), CASES)
def test_equals_dummy_vec_env_over_single_environments(id, kwargs):
    ours = make_sb3_env(id, 3, seed=5, monitor=False, **kwargs)
    (problem, *_), rng = ours.get_attr("problem"), gymnasium.utils.seeding.np_random(5)[0]
    stream = EpisodeStream(problem, rng)
    theirs = DummyVecEnv([lambda: PlaysFromStream(gymnasium.make(id, **kwargs), stream)] * 3)
    assert_play_alike(ours, theirs, min(60, 2 * problem.num_steps[1] + 2))


@pytest.mark.parametrize(("id", "kwargs"), [CASES[0], CASES[-5], CASES[-3]])
def test_each_environment_of_make_vec_env_plays_the_episodes_of_its_own_seed(id, kwargs):
    for k in range(2):  # with Monitor, and the seeds 5 and 6
        theirs = make_vec_env(id, 2, seed=5, env_kwargs=kwargs)
        assert_play_alike(make_sb3_env(id, 1, seed=5 + k, **kwargs), theirs, 30, slice(k, k + 1))


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


def test_seed_is_that_of_the_native_environment_and_is_used_once():
    native = seqenvs.SequenceVectorEnv(seqenvs.problems.Echo(), 4, autoreset_mode="SameStep")
    venv = make_sb3_env(f"seqenvs:{ID}", 4)
    assert venv.seed(7) == [7, 8, 9, 10]
    assert np.array_equal(venv.reset(), native.reset(seed=7)[0])
    assert np.array_equal(venv.reset(), native.reset()[0])
    PPO("MlpPolicy", venv, seed=7, n_steps=2, batch_size=8, device="cpu")  # an algorithm seeds, too
    assert np.array_equal(venv.reset(), native.reset(seed=7)[0])


def test_options_play_given_sequences_once():
    venv = make_sb3_env(ID, 2, seed=0, length=3, encoding="index")
    venv.set_options({"inputs": [1, 2, 3]})
    assert venv.reset().tolist() == [1, 1]
    venv.set_options([{"inputs": [4, 5, 6]}, {"inputs": [7, 8, 9]}])
    assert venv.reset().tolist() == [4, 7]
    assert len({tuple(venv.reset()) for _ in range(9)}) > 1
    venv.set_options([{"inputs": [4, 5, 6]}, {}])
    with pytest.raises(ValueError, match="one dict, or 2 with the same keys"):
        venv.reset()


def test_attributes_and_methods_are_per_index():
    venv = make_sb3_env(ID, 3, lag=2)
    assert [problem.lag for problem in venv.get_attr("problem")] == [2, 2, 2]
    assert venv.get_attr("action_space", indices=0) == [gymnasium.spaces.Discrete(10)]
    venv.set_attr("note", "mine")
    assert venv.get_attr("note", indices=[0, 2]) == ["mine"] * 2
    with refused("indices", [0], "None or all 3 sub-environments"):
        venv.set_attr("note", "mine", indices=[0])
    assert venv.env_is_wrapped(Monitor, indices=[0, 1]) == [False, False]
    venv.reset()
    (block,) = venv.env_method("observe_block", 2, indices=[0])
    assert block.shape == (2, 3, 10)
    with pytest.raises(ValueError, match="acts on all 3 sub-environments"):
        venv.env_method("step_block")


def test_images_are_one_for_each_environment():
    assert make_sb3_env(ID, 2).get_images() == [None, None]
    venv = make_sb3_env(ID, 4, seed=0, render_mode="rgb_array")
    venv.reset()
    images = venv.get_images()
    height, width, _ = images[0].shape
    assert len(images) == 4 and venv.render().shape == (2 * height, 2 * width, 3)
    assert np.array_equal(venv.env_method("render", indices=[2])[0], images[2])


@pytest.mark.parametrize(("algorithm", "id"), [(PPO, "SeqCopy-v0"), (DQN, ID), (SAC, "SeqNext-v0")])
def test_algorithms_take_every_kind_of_space(algorithm, id):
    off_policy = {"learning_starts": 8, "buffer_size": 100}
    options = {"n_steps": 8, "batch_size": 8} if algorithm is PPO else off_policy
    env = make_sb3_env(id, 2, framing="many_to_one", encoding="index")
    algorithm("MlpPolicy", env, device="cpu", **options).learn(40)


def test_wrong_arguments():
    for env in (gymnasium.make(ID), make_sb3_env(ID, 2), ID):
        with refused("env", env, "make_sb3_env"):
            SequenceVecEnv(env)
    with refused("env", "NextStep", "autoreset_mode='SameStep'"):
        SequenceVecEnv(gymnasium.make_vec(ID, num_envs=2))
    with refused("id", "CartPole-v1", "make_vec_env"):
        make_sb3_env("CartPole-v1", 2)
    for name, value in (("autoreset_mode", "NextStep"), ("vectorization_mode", ""), ("seed", -1)):
        with refused(name, value):
            make_sb3_env(ID, 2, **{name: value})

"""Agents play episodes, are measured, and are recorded."""

import json
import sys
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace
from unittest.mock import Mock

import gymnasium
import numpy as np
import pytest

import seqenvs
from seqenvs import Oracle, evaluate
from seqenvs.cli import ALGORITHMS, main
from seqenvs.evaluation import near_bound, play, record_episodes, sample_batches
from seqenvs.files import import_object
from seqenvs.registration import IDS
from seqenvs.task import find_task
from tests.refused import refused
from tests.third_party import Cheat, Constant, Whole

VARIABLE = {"length": [2, 9]}
COPY = "SeqCopy-v0", {"framing": "many_to_one"}
CASES = [
    *((id, {}) for id in IDS),
    COPY,
    ("SeqNext-v0", {"framing": "many_to_one"}),
    ("SeqEcho-v0", {"encoding": "index", **VARIABLE}),
    ("SeqEcho-v0", {"encoding": "normalized", **VARIABLE}),
    ("SeqEcho-v0", {"extras": ["time_step"], "stack_size": 2, **VARIABLE}),
]
each_case = pytest.mark.parametrize(("id", "kwargs"), CASES)


def test_the_episodes_that_count_are_the_first_to_begin():
    env = find_task("SeqEcho-v0", VARIABLE).vector_env(3)
    steps = list(play(Constant(), env, episodes=10, seed=1))
    names = "episode", "time", "ended", "active"
    episode, time, ended, active = (np.stack([getattr(s, name) for s in steps]) for name in names)
    assert (active == (episode < 10)).all() and ended[active].sum() == 10
    batch = next(seqenvs.batches("SeqEcho-v0", 10, seed=1, **VARIABLE))
    for number, due in enumerate(batch.mask):  # an answer is due in the last step
        length = np.flatnonzero(due)[-1] + 1
        assert time[episode == number].tolist() == list(range(length))
        assert np.flatnonzero(ended[episode == number]) == [length - 1]


def test_states_and_episode_starts_are_passed_on():
    agent = Constant()
    evaluate(agent, "SeqEcho-v0", length=3, episodes=6, deterministic=False)
    assert agent.calls == [(None, True, False), (1, False, False), (2, False, False)]


def test_play_resets_only_to_go_on():
    env = find_task("SeqEcho-v0", {"length": 3}).vector_env(2)
    steps = list(play(Constant(), env, episodes=2, seed=0))
    assert len(steps) == 3 and steps[-1].ended.all()
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(2, np.int64))
    assert len(list(islice(play(Constant(), env), 100))) == 100
    with pytest.raises(ValueError, match=r"env must have autoreset_mode 'Disabled', got .*NEXT"):
        next(play(Constant(), gymnasium.make_vec("SeqEcho-v0", num_envs=2)))


@pytest.mark.parametrize(("id", "kwargs"), CASES[:-1])
def test_playing_gives_the_batches_of_the_data_set(id, kwargs):
    task = find_task(id, kwargs)
    played, drawn = (sample_batches(task, 5, seed=7, play_env=play) for play in (True, False))
    for _ in range(3):
        for one, other in zip(next(played), next(drawn), strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


def test_a_third_party_environment_gives_batches():
    task, lengths, sample = find_task("Cued-v0", {}), [], np.arange(8)
    for X, y, mask in islice(sample_batches(task, 8, seed=0), 20):  # noqa: N806
        last = mask.argmax(1)
        assert (mask.sum(1) == 1).all() and X.shape[1] == last.max() + 1
        assert (y[sample, last] == X[:, 0].argmax(-1)).all() and not y[~mask].any()
        after = np.arange(X.shape[1]) > last[:, None]
        assert (X[after].argmax(-1) == 4).all()  # the final observation is repeated
        lengths += (last + 1).tolist()
    assert abs(np.mean(lengths) - 3) < 0.2  # lengths 2, 3 and 4 are equally likely
    with pytest.raises(KeyError, match="env must report 'target' in the info of each step"):
        next(sample_batches(replace(task, kwargs={"fault": "nothing"}), 2, seed=0))


@each_case
def test_the_oracle_evaluates_to_exactly_one(id, kwargs):
    evaluation = evaluate(Oracle.of(gymnasium.make(id, **kwargs)), id, episodes=20, **kwargs)
    assert evaluation.mean_return == evaluation.success_rate == 1.0
    assert evaluation.standard_error == 0.0 and set(evaluation.accuracy) <= {None, 1.0}
    none = id in ("SeqNext-v0", "SeqNextMedium-v0") or "stack_size" in kwargs
    assert evaluation.memory_score == (None if none else 1.0)
    assert bool(evaluation.no_memory_score) == none


def test_an_evaluation_is_of_the_episodes_that_were_asked_for(monkeypatch):
    first, other = (evaluate(Constant(), "SeqEcho-v0", seed=s, **VARIABLE) for s in (0, 1))
    monkeypatch.setitem(sys.modules, "tqdm", None)  # without which there is no progress bar
    again = evaluate(Constant(), "SeqEcho-v0", seed=0, progress=True, **VARIABLE)
    assert first == again != other
    _, y, mask = next(seqenvs.batches("SeqEcho-v0", 1000, seed=0, **VARIABLE))
    right = (y == 0) & mask
    returns = right.sum(1) / mask.sum(1)
    assert first.mean_return == pytest.approx(returns.mean(), abs=1e-12)
    assert first.success_rate == (returns == 1).mean()
    expected = right[:, 1:].sum(0) / mask[:, 1:].sum(0)
    assert first.accuracy == [None, *map(pytest.approx, expected)]


def test_a_third_party_environment_is_measured_by_its_answers():
    for agent in (Cheat(), Whole()):
        found = evaluate(agent, "Cued-v0", episodes=300)
        assert (found.mean_return, found.success_rate) == (1.0, 1.0)
        assert found.sees_future == isinstance(agent, Whole)
        assert found.accuracy == [None, 1.0, 1.0, 1.0]
        assert found.bounds is None and found.memory_score is None
        assert "memory score  none: the bounds of this environment are not known" in found.report()
    found = evaluate(Constant(), "Cued-v0")
    assert abs(found.mean_return - 0.25) < 0.05 and found.mean_return == found.success_rate


@pytest.mark.parametrize(
    ("algorithm", "id", "kwargs"),
    [
        ("ppo", *COPY),
        ("a2c", "SeqEcho-v0", {"lag": 2}),
        ("dqn", "SeqEcho-v0", {"lag": 2}),
        ("trpo", "SeqEcho-v0", {"lag": 2}),
        ("qrdqn", "SeqEcho-v0", {"encoding": "index"}),
        ("recurrent_ppo", "SeqEcho-v0", {"length": (2, 9)}),
        ("recurrent_ppo", *COPY),
    ],
)
def test_models_of_stable_baselines3(algorithm, id, kwargs, tmp_path, capsys):
    pytest.importorskip("sb3_contrib")
    policy = "MlpLstmPolicy" if "recurrent" in algorithm else "MlpPolicy"
    options = {"buffer_size": 100} if "dqn" in algorithm else {}
    env = gymnasium.make(id, **kwargs)
    model = import_object(ALGORITHMS[algorithm])(policy, env, seed=0, device="cpu", **options)
    found = evaluate(model, id, episodes=100, **kwargs)
    model.save(tmp_path / "model.zip")
    command = ["evaluate", str(tmp_path / "model.zip"), "--trust", "--episodes=100", "--json"]
    settings = [f"--set={key}={value}" for key, value in kwargs.items()]
    assert main([*command, f"--id={id}", *settings]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(found.to_json())
    assert main([*command, "--id=SeqClassify-v0"]) == 2
    assert "cannot play SeqClassify-v0: " in capsys.readouterr().err


def test_observations_are_normalized_as_in_training():
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
    env = vec_env.VecNormalize(vec_env.DummyVecEnv([lambda: gymnasium.make("SeqEcho-v0")]))
    env.obs_rms.mean = np.full(10, 0.5)
    predict = Mock(return_value=([0], None))
    agent = SimpleNamespace(predict=predict, get_vec_normalize_env=lambda: env)
    evaluate(agent, "SeqEcho-v0", episodes=1)
    seen = [call.args[0] for call in predict.call_args_list]
    assert np.unique(np.round(seen, 3)).tolist() == [-0.5, 0.5]


def test_wrong_arguments_of_evaluate():
    with refused("agent", Constant, "an object that has predict()"):
        evaluate(Constant, "SeqEcho-v0")
    for name, value in (("episodes", 0), ("seed", -1)):
        with refused(name, value, "an int at least"):
            evaluate(Constant(), "SeqEcho-v0", **{name: value})


def test_a_report_fits_a_terminal_and_names_the_bound_that_was_reached():
    report = evaluate(Constant(), "SeqEchoHard-v0", num_symbols=10, episodes=500).report()
    assert all(len(line) <= 80 for line in report.splitlines()) and "500 episodes" in report
    assert ", which is the memoryless bound" in report
    assert near_bound(seqenvs.Bounds(0.1, 0.2, 0.3), 0.299, 0.001) == ", which is the clock bound"
    assert near_bound(seqenvs.Bounds(0.1, 0.2, 0.3), 0.25, 0.001) == ""


@each_case
def test_recorded_episodes_are_plain_data(id, kwargs):
    for episode in record_episodes(Oracle.of(gymnasium.make(id, **kwargs)), id, kwargs):
        json.dumps(vars(episode), allow_nan=False)
        due = [score for score in episode.scores if score is not None]
        assert due == pytest.approx([1.0] * sum(episode.due), abs=1e-6)
        if (id, kwargs) == ("SeqCopy-v0", {}):
            half = len(episode.inputs) // 2
            assert episode.inputs[half:] == [None] * half  # blanks


class Confident(Constant):
    def predict_with_confidence(self, observation, state, episode_start):
        actions, state = self.predict(observation, state, episode_start)
        return actions, np.linspace(0.1, 0.4, len(actions)), state


class ConfidentWhole(Whole):
    def answer_with_confidence(self, observations):
        return self.answer(observations), np.full(observations.shape[:2], 1 / 3)


def test_recorded_episodes_are_the_same_for_all_agents():
    agents = Cheat(), Confident(), ConfidentWhole(), Whole()
    recorded = [record_episodes(agent, "Cued-v0", {}) for agent in agents]
    for k, (a, *others) in enumerate(zip(*recorded, strict=True)):
        steps = len(a.due)
        assert all((a.inputs, a.targets) == (b.inputs, b.targets) for b in others)
        assert a.due == [False] * (steps - 1) + [True] and a.answers[-1] == a.targets[-1]
        assert a.scores == others[1].scores == others[2].scores == [None] * (steps - 1) + [1.0]
        assert sum(a.inputs[0]) == 1 and len(a.inputs[0]) == 6
        confidence = [None, round(0.1 * (k + 1), 6), 0.333333, None]
        assert [b.confidence for b in (a, *others)] == [[sure] * steps for sure in confidence]
    picture, *_ = record_episodes(Constant(), "Cued-v0", {"sight": "picture"})
    assert set(picture.inputs) == {"3 x 2 x 7 numbers"}

"""Anybody's environment that reports its answers can be learned, evaluated and shown."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from agents.cli import main
from agents.config import NETWORKS, RECURRENT_PPO, make_options
from agents.learners.supervised import samples_from_env
from agents.presets import preset_settings
from agents.training.train import resume, start, train
from seqenvs import batches
from seqenvs.benchmark.results import Cell
from seqenvs.benchmark.runner import play, run_cell
from seqenvs.benchmark.suites import SuiteError, check_cells
from seqenvs.evaluation import evaluate
from seqenvs.task import find_task

SIGHTS = {
    "vector": spaces.Box(0.0, 1.0, (6,), np.float32),
    "picture": spaces.Box(0.0, 1.0, (3, 2, 7), np.float32),
    "index": spaces.Discrete(6),
}
ANSWERS = {
    "one": spaces.Discrete(4),
    "two": spaces.MultiDiscrete([4, 2]),
    "level": spaces.Box(-1.0, 3.0, (1,), np.float32),
}


class Cued(gymnasium.Env):
    """A cue, blank steps, and at the end: what was the cue?

    Nothing here is as seqenvs does it: rewards are of another scale, episodes end by truncation,
    the target is None where none is due, and infos hold other things too.
    """

    def __init__(self, sight="vector", answer="one", wait=(1, 3), fault=None):
        self.observation_space, self.action_space = SIGHTS[sight], ANSWERS[answer]
        self.answer, self.wait, self.fault = answer, wait, fault

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cue, self.time = int(self.np_random.integers(4)), 0
        self.left = int(self.np_random.integers(self.wait[0], self.wait[1] + 1))
        self.answers = []
        return self._see(self.cue), {}

    def _see(self, symbol):
        if isinstance(self.observation_space, spaces.Discrete):
            return symbol
        seen = np.zeros(self.observation_space.shape, np.float32)
        seen.flat[symbol] = 1.0
        return seen

    @property
    def right(self):
        return {"one": self.cue, "two": [self.cue, self.cue % 2], "level": [float(self.cue) - 1]}[
            self.answer
        ]

    def step(self, action):
        self.answers.append(action)
        due = self.left == 0
        self.left -= 1
        info = {"target": self.right if due else None, "due": due, "note": self.time or None}
        if self.fault == "nothing":
            info = {}
        elif self.fault == "target":
            info = {"target": 9, "due": True}
        reward = (10 if np.array_equal(action, self.right) else -10) if due else -1
        ended = due and self.fault != "endless"
        return self._see(5 if self.left == 0 else 4), reward, False, ended, info


gymnasium.register("Cued-v0", entry_point=Cued)
gymnasium.register("CuedShort-v0", entry_point=Cued, max_episode_steps=20)


def settings_of(agent, id="CuedShort-v0", kwargs=None, options=None, **given):
    return preset_settings(id, kwargs or {}, agent, options or {}, **given)


def test_a_problem_is_known_by_its_problem():
    task, env = find_task("SeqEcho-v0", {"lag": 2}), gymnasium.make("SeqEcho-v0", lag=2)
    problem = env.unwrapped.problem
    assert (task.num_steps, task.usual_steps, task.tolerance) == (10, 10, problem.tolerance)
    assert task.bounds == problem.bounds() and (task.blank == env.unwrapped.encode.blank).all()
    made = next(batches("SeqEcho-v0", 3, seed=1, lag=2))
    for play_it in (False, True):
        for one, other in zip(made, next(task.samples(3, seed=1, play=play_it)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_problem_in_a_wrapper_of_its_own_is_played_with_it():
    def wrapped(**kwargs):
        env = gymnasium.make("SeqRecall-v0", **kwargs).unwrapped
        return gymnasium.wrappers.TransformObservation(
            env, lambda seen: 1 - seen, env.observation_space
        )

    gymnasium.register("Inverted-v0", entry_point=wrapped)
    try:
        task = find_task("Inverted-v0", {})
        assert task.problem is None and task.num_steps is None
        X, y, mask = next(task.samples(2, seed=0))  # noqa: N806
        plain = next(batches("SeqRecall-v0", 2, seed=0))
        np.testing.assert_array_equal(X[mask], 1 - plain.X[mask])
        np.testing.assert_array_equal(y, plain.y)
    finally:
        del gymnasium.registry["Inverted-v0"]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("sight", SIGHTS)
def test_what_is_reported_is_of_one_form_and_can_be_stacked(sight, answer):
    task = find_task("Cued-v0", {"sight": sight, "answer": answer})
    assert (task.problem, task.num_steps, task.bounds, task.tolerance) == (None, None, None, 0.0)
    env = task.vector_env(5)
    env.reset(seed=3)
    env.action_space.seed(3)
    asked = 0
    for _ in range(12):
        actions = env.action_space.sample()
        _, _, _, truncated, info = env.step(actions)
        assert info["due"].dtype == bool and info["due"].shape == (5,)
        assert info["target"].dtype == task.action_space.dtype
        assert info["target"].shape == actions.shape
        assert not info["target"][~info["due"]].any()
        asked += info["due"].sum()
        score, right = task.judge(actions, info["target"])
        if truncated.any():
            ended = info["episode"]
            np.testing.assert_allclose(ended["r"][truncated], score[truncated])
            assert (info["is_success"][truncated] == right[truncated]).all()
            env.reset(options={"reset_mask": truncated})
    assert asked


class Cheat:
    """Reads the cue off the first observation, for so many episodes at a time."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        cue = observation.reshape(len(observation), -1).argmax(1)
        state = cue if state is None else np.where(episode_start, cue, state)
        return state, state


class Constant:
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.zeros(len(observation), int), None


class Whole:
    sees_future = True

    def answer(self, observations):
        cue = observations[:, 0].argmax(-1)
        return np.repeat(cue[:, None], observations.shape[1], axis=1)


def test_an_agent_is_measured_by_its_answers_whatever_is_paid():
    for agent in (Cheat(), Whole()):
        found = evaluate(agent, "Cued-v0", episodes=300)
        assert (found.mean_return, found.success_rate) == (1.0, 1.0)
        assert found.accuracy[0] is None and found.accuracy[1:] == [1.0, 1.0, 1.0]
        assert found.bounds is None and found.memory_score is None
        assert "unknown" in found.report()
    found = evaluate(Constant(), "Cued-v0", episodes=2000)
    assert abs(found.mean_return - 0.25) < 0.04 and found.mean_return == found.success_rate
    assert evaluate(Cheat(), "Cued-v0", {"sight": "picture"}, episodes=9).mean_return == 1.0


@pytest.mark.parametrize("agent", [RECURRENT_PPO, "lstm", "transformer", "bilstm"])
def test_agents_learn_it(agent):
    training = start(settings_of(agent, steps=60_000))
    while not training.finished:
        training.update()
    assert training.reached_target
    found = evaluate(training.learner, "CuedShort-v0", episodes=200)
    assert found.mean_return > 0.95


@pytest.mark.parametrize("agent", [RECURRENT_PPO, *sorted(set(NETWORKS) - {"encoder_decoder"})])
@pytest.mark.parametrize(("sight", "answer"), [("picture", "level"), ("index", "two")])
def test_every_agent_can_be_run_on_every_space(tmp_path, agent, sight, answer):
    cell = Cell(
        id="CuedShort-v0",
        kwargs={"sight": sight, "answer": answer},
        agent=agent,
        options=asdict(make_options(agent, {"hidden": 8})),
        seed=0,
        steps=300,
        target=2.0,
    )
    check_cells([cell])
    result = run_cell(cell, tmp_path / "work")
    assert 0 <= result.evaluation.mean_return <= 1 and result.curve
    shown = result.episodes[0].inputs[0]
    assert shown == ("3 x 2 x 7 numbers" if sight == "picture" else shown)
    assert isinstance(shown, str if sight == "picture" else int)


def test_shown_episodes_are_the_same_for_all_agents():
    one, other = play(Cheat(), "Cued-v0", {}), play(Constant(), "Cued-v0", {})
    whole = play(Whole(), "Cued-v0", {})
    for a, b, c in zip(one, other, whole, strict=True):
        assert a.inputs == b.inputs == c.inputs and a.targets == b.targets == c.targets
        assert a.due == [*[False] * (len(a.due) - 1), True] and a.scores[-1] == c.scores[-1] == 1.0
        assert a.scores[:-1] == [None] * (len(a.due) - 1) and a.answers[-1] == a.targets[-1]
        assert sum(a.inputs[0]) == 1 and len(a.inputs[0]) == 6


@pytest.mark.parametrize("agent", [RECURRENT_PPO, "gru"])
def test_a_resumed_run_is_that_which_was_not_interrupted(tmp_path, agent):
    settings = settings_of(agent, options={"hidden": 8}, steps=3000, target=2.0)
    whole = start(settings)
    while not whole.finished:
        whole.update()
    begun = start(settings_of(agent, options={"hidden": 8}, steps=1000, target=2.0))
    train(begun, tmp_path, quiet=True)
    again = resume(tmp_path, settings)
    train(again, tmp_path, quiet=True)
    curves = [[(row.steps, row.mean_return) for row in each.curve] for each in (whole, again)]
    assert curves[0] == curves[1] and len(curves[0]) > 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kwargs": {"fault": "nothing"}}, "reports 'target' and 'due'.*which reports nothing"),
        ({"kwargs": {"fault": "target"}}, r"must report a 'target' in Discrete\(4\), got 9"),
        ({"kwargs": {"fault": "endless"}, "id": "Cued-v0"}, "must have episodes that end"),
        ({"kwargs": {"sigth": "index"}}, "unexpected keyword argument 'sigth'"),
        ({"id": "Cued-v0", "agent": "transformer"}, "register 'Cued-v0' with max_episode_steps"),
        ({"agent": "encoder_decoder"}, "can't learn 'CuedShort-v0': blank must be"),
        ({"lengths": [3]}, "unexpected keyword argument 'length'"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is(given, said):
    agent = given.get("agent", "lstm")
    values = {"id": "CuedShort-v0", "agent": agent, "options": asdict(make_options(agent, {}))}
    with pytest.raises(SuiteError, match=said):
        check_cells([Cell(**{**values, "seed": 0, "steps": 9, "target": 1.0, **given})])


def test_what_stops_reporting_is_named():
    env = gymnasium.make("Cued-v0", disable_env_checker=True)
    samples = samples_from_env(env, 2, seed=0)
    next(samples)
    env.unwrapped.fault = "nothing"
    with pytest.raises(KeyError, match="env must report 'target'"):
        next(samples)


def test_it_is_trained_and_evaluated_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    arguments = [
        "train",
        "tests.seqenvs.test_task:CuedShort-v0",
        "--agent",
        "gru",
        "--steps",
        "20000",
    ]
    assert main([*arguments, "--run", "run", "--set", "wait=[1, 2]"]) == 0
    assert main(["evaluate", "run", "--episodes", "100"]) == 0
    said = capsys.readouterr().out
    assert "Reached the target" in said and "memory score  unknown, as the bounds are" in said

"""One job: learning with a budget and checkpoints, evaluation, third-party agents."""

from __future__ import annotations

import gymnasium
import pytest
from gymnasium import spaces

from seqenvs.benchmark.execution import find_agent, run_job
from seqenvs.benchmark.suites import SuiteError
from tests.seqenvs.benchmark.agents import job_of, own, timeless


def test_a_result_says_what_the_agent_reached(tmp_path):
    job = job_of(own("OracleAgent"), kwargs={"length": 6}, lengths=[3, 4])
    result = run_job(job, tmp_path / "work")
    assert result.job == job and result.steps == 400 and result.learns_from == "answers"
    (first, spent, *reached), last = result.curve
    assert [first, *reached] == [200, 1.0, 1.0] and last[0] == 400
    assert 0 <= spent <= last[1] <= result.seconds + 1e-3 and result.wall_seconds > 0
    reached = result.evaluation
    assert (reached.id, reached.kwargs, reached.episodes) == (job.id, job.kwargs, 1000)
    assert reached.memory_score == 1.0 and reached.accuracy == [None, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert [(each.length, each.mean_return) for each in result.generalisation] == [(3, 1), (4, 1)]
    assert [episode.scores for episode in result.episodes] == [[None] + [1.0] * 5] * 4
    assert not (tmp_path / "work").exists()  # too short for a checkpoint


def test_a_budget_in_seconds_ends_a_job(tmp_path):
    result = run_job(job_of(steps=None, seconds=0.05), tmp_path)
    assert 0.05 <= result.seconds < 1 and result.steps == result.curve[-1][0] > 100


def test_a_job_continues_from_its_checkpoint(tmp_path, capsys):
    def run(folder, fails=""):
        job = job_of(options={"fails": fails}, steps=600)
        result = run_job(job, tmp_path / folder, checkpoint_seconds=-1)
        seconds = [point[1] for point in result.curve]
        assert seconds == sorted(seconds) and seconds[-1] <= result.seconds + 1e-3
        return timeless(result)

    whole = run("whole")
    assert whole["steps"] == 600 and len(whole["curve"]) == 12
    killed = tmp_path / "killed"
    with pytest.raises(KeyError):
        run("killed", "bug")
    assert [path.name for path in killed.iterdir()] == ["checkpoint-100"]
    (killed / "checkpoint-150").mkdir()
    (killed / "checkpoint-150" / "agent").write_text("ha")  # killed while it was written
    assert run("killed") == whole
    (checkpoint,) = killed.iterdir()
    (checkpoint / "agent").write_text("ha")
    assert run("killed") == whole  # begun anew
    assert "checkpoint-600 is damaged and left out: JSONDecodeError" in capsys.readouterr().err


WRONG = """
class NoPredict:
    def learn(self, id, *, kwargs, steps, seed): ...

class OtherTeacher(NoPredict):
    learns_from = "books"
    def predict(self, observation, state, episode_start): ...

class OtherLearn(OtherTeacher):
    def learn(self, id): ...
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:Agent", "there is no module 'no_such_module'"),
        ("wrong_agents:Missing", "has no attribute 'Missing'"),
        ("wrong_agents:NoPredict", "must have a method 'predict'"),
        ("wrong_agents:OtherLearn", r"must have learn\(id, \*, kwargs, steps, seed\)"),
        ("wrong_agents:OtherTeacher", "learns_from must be one of 'rewards', .*got 'books'"),
        ("wrong_agents:__name__", "must be a class, got 'wrong_agents'"),
        ("lacking_module:A", "'lacking_module:A' needs no_such_module"),
        ("raising_module:A", "'raising_module:A': ZeroDivisionError"),
    ],
)
def test_what_is_no_agent_is_refused(tmp_path, monkeypatch, name, said):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "wrong_agents.py").write_text(WRONG)
    (tmp_path / "raising_module.py").write_text("1 / 0\n")
    (tmp_path / "lacking_module.py").write_text("import no_such_module\n")
    with pytest.raises(SuiteError, match=said):
        find_agent(name)


class Cued(gymnasium.Env):
    """What was the cue, one time step ago?"""

    observation_space, action_space = spaces.Discrete(5), spaces.Discrete(4)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cue, self.due = int(self.np_random.integers(4)), True
        return self.cue, {}

    def step(self, action):
        self.due = due = not self.due
        return 4, float(due and action == self.cue), due, False, {"target": self.cue, "due": due}


gymnasium.register("CuedJob-v0", entry_point=Cued, max_episode_steps=2)


def test_an_agent_and_an_environment_that_report_little(tmp_path):
    result = run_job(job_of(own("RandomAgent"), id=f"{__name__}:CuedJob-v0", kwargs={}), tmp_path)
    assert (result.learns_from, result.steps, result.curve) == ("unknown", 400, [])
    assert result.evaluation.bounds is None and result.evaluation.memory_score is None
    assert result.episodes[0].due == [False, True]

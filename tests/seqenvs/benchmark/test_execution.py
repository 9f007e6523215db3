"""One job: learning with a budget and checkpoints, evaluation, third-party agents."""

from __future__ import annotations

import gymnasium
import pytest
from gymnasium import spaces

from seqenvs.benchmark.execution import find_agent, run_job
from seqenvs.benchmark.suites import SuiteError
from tests.seqenvs.benchmark.agents import job_of, own, timeless


def test_a_result_says_what_the_agent_reached(tmp_path):
    job = job_of("OracleAgent", kwargs={"length": 6}, lengths=[3, 4])
    result = run_job(job, tmp_path / "work")
    assert result.job == job and result.steps == 400 and result.learns_from == "answers"
    assert [[steps, *rest] for steps, _, *rest in result.curve] == [
        [200, 1.0, 1.0],
        [400, 1.0, 1.0],
    ]
    assert 0 <= result.curve[0][1] <= result.curve[1][1] <= result.seconds + 1e-3
    assert result.wall_seconds > 0 and result.finished.endswith("Z")
    assert "numpy" in result.versions and "cores" in result.machine
    reached = result.evaluation
    assert (reached.id, reached.kwargs, reached.episodes) == (job.id, job.kwargs, 1000)
    assert reached.memory_score == 1.0 and reached.accuracy == [None, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert [(each.length, each.mean_return) for each in result.generalisation] == [(3, 1), (4, 1)]
    assert len(result.episodes) == 4
    for episode in result.episodes:
        assert episode.answers[1:] == episode.inputs[:-1] == episode.targets[1:]
        assert episode.due == [False] + [True] * 5
        assert episode.scores == [None] + [1.0] * 5 and episode.confidence == [None] * 6
    assert not (tmp_path / "work").exists()  # too short for a checkpoint


def test_agents_that_only_answer_whole_episodes_or_report_nothing(tmp_path):
    result = run_job(job_of("FutureAgent", kwargs={}), tmp_path)
    assert result.evaluation.sees_future and result.learns_from == "unknown"
    assert result.curve == [] and result.steps == 400
    assert result.episodes[0].answers == [0] * 10


def test_a_budget_in_seconds_ends_a_job(tmp_path):
    result = run_job(job_of("EndlessAgent", steps=None, seconds=0.05), tmp_path)
    assert 0.05 <= result.seconds < 1 and result.steps > 1


def test_a_job_continues_from_its_checkpoint(tmp_path, capsys):
    def run(folder, die_at):
        job = job_of(options={"die_at": die_at}, steps=600)
        return run_job(job, tmp_path / folder, checkpoint_seconds=-1)

    whole = run("whole", -1)
    assert whole.curve[-1][0] == whole.steps == 600 and len(whole.curve) == 12
    with pytest.raises(MemoryError):
        run("killed", 7)
    (checkpoint,) = (tmp_path / "killed").iterdir()
    assert checkpoint.name == "checkpoint-350"
    half = tmp_path / "killed" / "checkpoint-400"  # killed before it was whole
    half.mkdir()
    (half / "agent").write_text("ha")
    again = run("killed", -1)
    expected = {**timeless(whole.to_dict()), "job": 0}
    assert {**timeless(again.to_dict()), "job": 0} == expected
    seconds = [point[1] for point in again.curve]
    assert seconds == sorted(seconds) and seconds[-1] <= again.seconds + 1e-3

    (checkpoint,) = (tmp_path / "killed").iterdir()
    (checkpoint / "agent").write_text("ha")
    assert {**timeless(run("killed", -1).to_dict()), "job": 0} == expected  # begun anew
    assert "checkpoint-600 is damaged and left out: JSONDecodeError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:Agent", "there is no module 'no_such_module'"),
        ("tests.no_such:Agent", "there is no module 'tests.no_such'"),
        (own("NoSuchAgent"), "has no attribute 'NoSuchAgent'"),
        (own("NoPredict"), "must have a method 'predict'"),
        (own("OtherLearn"), r"must have learn\(id, \*, kwargs, steps, seed\)"),
        (own("OtherTeacher"), "learns_from must be one of 'rewards', .*got 'books'"),
        (own("own"), "must be a class"),
        ("lacking_module:A", "'lacking_module:A' needs no_such_module"),
        ("raising_module:A", "'raising_module:A': ZeroDivisionError"),
    ],
)
def test_what_is_no_agent_is_refused(tmp_path, monkeypatch, name, said):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "raising_module.py").write_text("1 / 0\n")
    (tmp_path / "lacking_module.py").write_text("import no_such_module\n")
    with pytest.raises(SuiteError, match=said):
        find_agent(name)


class Cued(gymnasium.Env):
    """A cue, two blank steps, and then: what was the cue?"""

    observation_space, action_space = spaces.Discrete(5), spaces.Discrete(4)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cue, self.time = int(self.np_random.integers(4)), 0
        return self.cue, {}

    def step(self, action):
        self.time += 1
        due = self.time == 3
        info = {"target": self.cue, "due": due}
        return 4, float(due and action == self.cue), due, False, info


gymnasium.register("Cued-v0", entry_point=Cued, max_episode_steps=3)


def test_a_third_party_environment(tmp_path):
    """Its steps report ``target`` and ``due``; its bounds are not known."""
    job = job_of("RandomAgent", id=f"{__name__}:Cued-v0", kwargs={})
    result = run_job(job, tmp_path)
    assert result.evaluation.bounds is None and result.evaluation.memory_score is None
    assert result.evaluation.accuracy[:2] == [None, None]
    assert result.episodes[0].due == [False, False, True]

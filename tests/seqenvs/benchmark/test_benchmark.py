"""The benchmark: its cells and suites, and that a run which is killed goes on as if it had not."""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from agents.cli import main
from agents.config import make_options
from agents.learners import make_learner
from agents.presets import preset_settings
from agents.training.run_folder import CHECKPOINT, RunFolderError
from seqenvs import Oracle, batches
from seqenvs.benchmark import runner as benchmark
from seqenvs.benchmark import suites
from seqenvs.benchmark.results import (
    MOST_POINTS,
    Cell,
    cell_path,
    read_cell,
    read_cells,
    thin,
    write_cell,
)
from seqenvs.benchmark.runner import (
    EngineError,
    Failure,
    attempt,
    own_agent,
    play,
    run_benchmark,
    run_cell,
)
from seqenvs.benchmark.suites import Suite, SuiteError, check_cells, read_suite

ROOT = Path(__file__).parents[3]


class OracleAgent:
    """Learns nothing, and is right."""

    def __init__(self):
        self.curve = []

    def learn(self, env_id, *, kwargs, steps, seed):
        self.oracle = Oracle.of(gymnasium.make(env_id, **kwargs))
        for part in (steps // 2, steps):
            self.curve.append((part, 1.0))
            yield part

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return self.oracle.predict(observation, state, episode_start, deterministic)


class RandomAgent:
    """Learns nothing, and answers at random."""

    def learn(self, env_id, *, kwargs, steps, seed):
        self.space = gymnasium.make(env_id, **kwargs).action_space
        self.space.seed(seed)

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.array([self.space.sample() for _ in observation]), state


class EndlessAgent(RandomAgent):
    """Learns until it is stopped."""

    def learn(self, env_id, *, kwargs, steps, seed):
        super().learn(env_id, kwargs=kwargs, steps=steps, seed=seed)
        assert steps == sys.maxsize
        yield from itertools.count(1)


class FutureAgent:
    """Answers whole episodes, always 0."""

    sees_future = True

    def learn(self, env_id, *, kwargs, steps, seed):
        pass

    def answer(self, observations):
        return np.zeros(observations.shape[:2], int)


class BuggyAgent(RandomAgent):
    def learn(self, env_id, *, kwargs, steps, seed):
        raise KeyError("a bug\nof two lines")


class FullAgent(RandomAgent):
    def learn(self, env_id, *, kwargs, steps, seed):
        raise OSError(errno.ENOSPC, "No space left on device")


class DyingAgent(RandomAgent):
    def learn(self, env_id, *, kwargs, steps, seed):
        os.kill(os.getpid(), signal.SIGKILL)


class NoPredict:
    def learn(self, env_id, *, kwargs, steps, seed):
        pass


class OtherLearn(RandomAgent):
    def learn(self, env_id):
        pass


def own(name):
    return f"tests.seqenvs.benchmark.test_benchmark:{name}"


TINY = {
    "seeds": [0, 1],
    "steps_without_preset": 500,
    "matrix": [
        {"id": "SeqEcho-v0", "agents": ["mlp", own("OracleAgent")]},
        {"id": "SeqNext-v0", "agents": ["bilstm"]},
    ],
    "horizon": [
        {"problem": "echo", "agents": ["lstm"], "steps": 400, "lags": [2, 1]},
        {"problem": "recall", "agents": ["recurrent_ppo"], "steps": 400, "lags": [1]},
    ],
    "capacity": [{"agents": ["lstm"], "steps": 300, "lengths": [2]}],
    "generalisation": [
        {"id": "SeqClassify-v0", "length": 6, "factors": [0.5, 2], "agents": ["mlp"]}
    ],
}


def cell_of(**given):
    values = {"id": "SeqEcho-v0", "kwargs": {"length": 5}, "agent": "mlp", "options": {}}
    return Cell(**{**values, "seed": 0, "steps": 400, "target": 2.0, **given})


def untimed(value):
    """A result without its seconds."""
    if isinstance(value, list):
        return [untimed(each) for each in value]
    if not isinstance(value, dict):
        return value
    left = {name: untimed(each) for name, each in value.items()}
    for name in ("seconds", "wall_seconds"):
        left.pop(name, None)
    if "curve" in left:
        left["curve"] = [[point[0], *point[2:]] for point in left["curve"]]
    return left


def read_results(folder):
    return untimed(json.loads((folder / "results.json").read_text()))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A suite that was run in this process, by two others."""
    folder = tmp_path_factory.mktemp("benchmark")
    assert run_benchmark(Suite(**TINY), folder, jobs=2) == []
    return folder


@pytest.fixture
def result(finished):
    return read_cells(finished)[0][0]


# Cells.


def test_a_cell_has_a_key_of_all_that_it_is():
    cell = cell_of(kwargs={"length": (3, 5)})
    assert cell == cell_of(kwargs={"length": [3, 5]}) and len(cell.key) == 16
    others = {"id": "SeqCopy-v0", "kwargs": {}, "agent": "lstm", "options": {"hidden": 8}}
    others |= {"seed": 1, "steps": 401, "target": 0.9, "lengths": [7]}
    keys = {replace(cell, **{name: value}).key for name, value in others.items()}
    assert len(keys | {cell.key}) == 1 + len(others)
    assert cell_of().key == "01442f0effe309ca"  # files that are there must be found again
    assert cell_of(seconds=1.5).key != cell_of(seconds=2).key != cell_of(seconds=None).key
    assert cell_of().name == "SeqEcho-v0 length=5  mlp  seed 0"


def test_a_cell_must_have_a_budget():
    assert cell_of(steps=None, seconds=1).seconds == 1
    with pytest.raises(ValueError, match="steps or seconds must be given"):
        cell_of(steps=None)


def test_a_cell_must_be_jsonable():
    with pytest.raises(ValueError, match=r"kwargs must be JSON-able, got .*complex"):
        cell_of(kwargs={"length": 1j})


def test_a_cell_is_read_as_it_was_written(result, tmp_path):
    path = write_cell(tmp_path, result)
    assert path == cell_path(tmp_path, result.cell)
    assert read_cell(path) == result
    (path.parent / f".{path.name}").write_text("half")  # killed while it wrote
    assert read_cells(tmp_path) == ([result], [])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[:100], "Unterminated string|Expecting"),
        (lambda text: "[]", "must hold an object, got list"),
        (lambda text: "{}", "'cell' is missing"),
        (lambda text: text.replace('"seed": ', '"seed": 7'), "its settings are those of"),
        (lambda text: text.replace('"curve": [[', '"curve": [[1, '), "must have four numbers"),
        (lambda text: text.replace('"machine": "', '"machine": 7, "x": "'), "'machine' must be"),
        (lambda text: text.replace('"due": [', '"due": [true, '), "must be of one length"),
        (lambda text: text.replace('"success_rate"', '"rate"'), "success_rate|unexpected"),
    ],
)
def test_a_damaged_cell_is_named(result, tmp_path, damage, said):
    path = write_cell(tmp_path, result)
    path.write_text(damage(path.read_text()))
    with pytest.raises(RunFolderError, match=rf"{path.name} is damaged: .*({said})"):
        read_cell(path)
    assert read_cells(tmp_path) == ([], [path])


@pytest.mark.parametrize("size", [0, 1, MOST_POINTS, MOST_POINTS + 1, 5000])
def test_a_long_curve_is_thinned(size):
    curve = [[i, 0.0, 0.0, None] for i in range(size)]
    thinned = thin(curve)
    steps = [point[0] for point in thinned]
    assert len(steps) == min(size, MOST_POINTS) and steps == sorted(set(steps))
    assert thinned[:1] == curve[:1] and thinned[-1:] == curve[-1:]


# Suites.


@pytest.mark.parametrize("name", ["quick", "timed", "full"])
def test_the_suites_that_are_shipped_can_be_run(name):
    suite = read_suite(name)
    cells = suite.cells()
    check_cells(cells)
    assert len({cell.key for cell in cells}) == len(cells) > 100
    assert {cell.seed for cell in cells} == set(suite.seeds)
    for sweep in suite.horizon_sweeps():
        options = [cell.options for point in sweep.points.values() for cell in point]
        assert all(each == options[0] for each in options)


def test_a_suite_says_which_cells_belong_together():
    suite = Suite(**TINY)
    assert [(row.id, row.agent) for row in suite.matrix_rows()] == [
        ("SeqEcho-v0", "mlp"),
        ("SeqEcho-v0", own("OracleAgent")),
        ("SeqNext-v0", "bilstm"),
    ]
    echo, recall = suite.horizon_sweeps()
    assert (echo.problem, echo.agent, list(echo.points)) == ("echo", "lstm", [1, 2])
    assert [cell.kwargs for cell in echo.points[2]] == [{"lag": 2, "length": 12}] * 2
    assert [cell.seed for cell in echo.points[2]] == [0, 1]
    assert echo.points[1][0].options["delay_line"] == 4.0  # of the preset
    assert recall.points[1][0].kwargs == {
        "framing": "many_to_one",
        "num_values": 4,
        "length": 3,
    }
    (capacity,) = suite.capacity_sweeps()
    assert capacity.points[2][0].kwargs == {"length": 2} and capacity.points[2][0].steps == 300
    (row,) = suite.generalisation_rows()
    assert row.cells[0].lengths == [3, 12] and row.cells[0].kwargs == {"length": 6}
    matrix = suite.matrix_rows()
    assert matrix[0].cells[0].steps == 500
    groups = [*matrix, row]
    sweeps = [cells for sweep in (echo, recall, capacity) for cells in sweep.points.values()]
    keys = {cell.key for group in groups for cell in group.cells}
    keys |= {cell.key for cells in sweeps for cell in cells}
    assert keys == {cell.key for cell in suite.cells()} and len(keys) == 16


def test_a_suite_can_be_extended_written_and_read(tmp_path):
    suite = Suite(**TINY).with_agents(["gru", "mlp"]).with_environment("SeqCopy-v0", {"length": 2})
    assert suite.matrix[0]["agents"] == ["mlp", own("OracleAgent"), "gru"]
    assert suite.matrix[-1] == {
        "id": "SeqCopy-v0",
        "kwargs": {"length": 2},
        "agents": ["mlp", own("OracleAgent"), "gru", "bilstm"],
    }
    path = tmp_path / "suite.json"
    path.write_text(suite.to_json())
    assert read_suite(str(path)) == suite


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seeds": []}, "seeds must be a list of at least one int"),
        ({"seeds": [-1]}, "seeds must be an int at least 0, got -1"),
        ({"steps_without_preset": 0}, "steps_without_preset must be an int at least 1"),
        ({"horizons": []}, "it has no 'horizons'; it has seeds, .*horizon"),
        ({"matrix": {}}, "matrix must be a list"),
        ({"matrix": [7]}, "an entry of matrix must be an object, got 7"),
        ({"matrix": [{"id": "SeqEcho-v0"}]}, "an entry of matrix must have 'agents'"),
        (
            {"matrix": [{"id": "SeqEcho-v0", "agents": [], "lag": 1}]},
            "an entry of matrix has no 'lag'; it has agents, id, kwargs",
        ),
        ({"matrix": [{"id": "SeqEcho-v0", "agents": "lstm"}]}, "agents must be a list of names"),
        ({"matrix": [{"id": "SeqEcho-v0", "agents": ["x"]}]}, "agent must be one of .*got 'x'"),
        (
            {"matrix": [{"id": "SeqEcho-v0", "agents": ["mlp"], "kwargs": 3}]},
            "kwargs must be an object, got 3",
        ),
        (
            {"horizon": [{"problem": "copy", "agents": [], "steps": 1, "lags": [1]}]},
            "problem must be one of 'echo', 'recall', got 'copy'",
        ),
        ({"capacity": [{"agents": [], "steps": 1, "lengths": [0]}]}, "lengths must be an int"),
        (
            {"capacity": [{"agents": [], "lengths": [2]}]},
            "an entry of capacity must have 'steps' or 'seconds'",
        ),
        (
            {"horizon": [{"problem": "echo", "agents": [], "lags": [1], "seconds": 0}]},
            "seconds must be above 0, got 0",
        ),
        (
            {
                "generalisation": [
                    {"id": "SeqEcho-v0", "agents": ["mlp"], "length": 5, "factors": [0]}
                ]
            },
            "factors must be a list of numbers above 0",
        ),
    ],
)
def test_a_suite_that_makes_no_sense_is_refused(tmp_path, change, said):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"seeds": [0], "steps_without_preset": 1, **change}))
    with pytest.raises(SuiteError, match=f"mine.json: {said}"):
        read_suite(str(path))


def test_a_suite_that_is_not_there(tmp_path):
    with pytest.raises(
        SuiteError, match=r"suite must be 'quick', 'timed', 'full' or the path.*got 'fast'"
    ):
        read_suite("fast")
    with pytest.raises(SuiteError, match="No such file"):
        read_suite(str(tmp_path / "none.json"))
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(SuiteError, match="must hold an object"):
        read_suite(str(tmp_path / "list.json"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"id": "SeqNone-v0"}, "SeqNone"),
        ({"kwargs": {"lagg": 1}}, "unexpected keyword argument 'lagg'"),
        ({"kwargs": {"lag": 99}}, "lag must be an int in 0 .. 9"),
        ({"id": "CartPole-v1", "kwargs": {}}, "id must be one that seqenvs.register registered"),
        ({"id": "no_such_module:X-v0"}, "No module named 'no_such_module'"),
        ({"agent": "transformer", "lengths": [9]}, "made for the 5 time steps"),
        (
            {"id": "SeqRecall-v0", "lengths": [9]},
            "shows or asks for something else at length=9",
        ),
    ],
)
def test_a_cell_that_cannot_be_run_is_refused_before_any_is(given, said):
    with pytest.raises(SuiteError, match=said):
        check_cells([cell_of(**given)])


# Running them.


@pytest.mark.parametrize("agent", ["gru", "recurrent_ppo", own("EndlessAgent")])
def test_a_budget_in_seconds_ends_a_run(tmp_path, agent):
    options = {} if agent.startswith("tests") else asdict(make_options(agent, {}))
    cell = cell_of(agent=agent, options=options, steps=None, seconds=0.2)
    result = run_cell(cell, tmp_path / "work")
    assert result.seconds >= 0.2 and result.steps > 1
    if agent == "gru":  # the update that spent it was the last
        assert result.curve[-2][1] < 0.2 <= result.curve[-1][1]


def test_seconds_need_an_agent_that_can_be_stopped(tmp_path):
    entry = {"problem": "echo", "agents": [own("RandomAgent")], "lags": [1], "seconds": 1}
    suite = Suite(seeds=[0], steps_without_preset=1, horizon=[entry])
    with pytest.raises(SuiteError, match=r"RandomAgent' can't be given a budget in seconds"):
        run_benchmark(suite, tmp_path / "b", jobs=1)


def test_a_suite_is_run(finished):
    suite = Suite(**TINY)
    results, damaged = read_cells(finished)
    assert damaged == [] and len(results) == len(suite.cells())
    assert not any((finished / "work").iterdir())
    assert read_suite(str(finished / "suite.json")) == suite
    by_key = {result.cell.key: result for result in results}
    written = json.loads((finished / "results.json").read_text())
    assert [Cell(**each["cell"]) for each in written] == suite.cells()
    assert "finished" not in written[0]
    for result in results:
        cell, reached = result.cell, result.evaluation
        assert (reached.id, reached.kwargs) == (cell.id, cell.kwargs)
        assert reached.episodes == 1000 and 0 <= reached.mean_return <= 1
        assert result.curve[-1][0] == result.steps
        assert [each.length for each in result.generalisation] == cell.lengths
        assert len(result.episodes) == 4
        assert "torch" in result.versions and "cores" in result.machine
        assert result.finished.endswith("Z") and result.wall_seconds > 0
    mlp, oracle, future = (by_key[row.cells[0].key] for row in suite.matrix_rows())
    assert oracle.evaluation.memory_score == 1.0 and mlp.evaluation.memory_score < 0.1
    assert oracle.curve == [[250, None, 1.0, 1.0], [500, None, 1.0, 1.0]]
    assert future.evaluation.sees_future and future.evaluation.memory_score is None
    for episode in oracle.episodes:
        assert episode.answers[1:] == episode.inputs[:-1] == episode.targets[1:]
        assert episode.due == [False] + [True] * 9
        assert episode.scores == [None] + [1.0] * 9
        assert episode.confidence == [None] * 10
    assert all(0.1 <= sure <= 1 for sure in mlp.episodes[0].confidence)
    assert mlp.episodes[0].inputs == oracle.episodes[0].inputs  # the same for all agents
    assert future.episodes[0].confidence == [None] * 9  # of numbers


def test_what_is_there_is_not_run_again(finished, tmp_path, monkeypatch, capsys):
    for path in (finished / "cells").iterdir():
        target = tmp_path / "cells" / path.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    first, second = Suite(**TINY).cells()[:2]
    cell_path(tmp_path, first).write_text("{")
    cell_path(tmp_path, second).unlink()
    ran = []

    def local(cells, jobs, work):
        ran.extend(cells)
        yield from (attempt(cell, work / cell.key) for cell in cells)

    monkeypatch.setattr(benchmark, "_local", local)
    assert run_benchmark(Suite(**TINY), tmp_path, jobs=2) == []
    assert ran == [first, second]
    name = f"{first.key}.json"
    errors = capsys.readouterr().err
    assert f"{name} is damaged" in errors and "run again" in errors
    assert (tmp_path / "damaged" / name).read_text() == "{"
    assert read_results(tmp_path) == read_results(finished)
    changed = {**TINY, "capacity": [{"agents": ["lstm"], "steps": 301, "lengths": [2]}]}
    run_benchmark(Suite(**changed), tmp_path, jobs=2)
    assert [cell.steps for cell in ran[2:]] == [301, 301]  # other settings, another run


def test_a_cell_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    cell = cell_of(agent="gru", steps=3000, options={"hidden": 8})
    whole = run_cell(cell, tmp_path / "whole")
    assert not (tmp_path / "whole" / CHECKPOINT).exists()  # it was too short for one
    monkeypatch.setattr(benchmark, "CHECKPOINT_SECONDS", 0)
    update, updates = benchmark.Training.update, []

    def killed(training):
        if len(updates) == 7:
            raise MemoryError
        updates.append(training.learner.steps)
        update(training)

    monkeypatch.setattr(benchmark.Training, "update", killed)
    failure = attempt(cell, tmp_path / "work")
    assert isinstance(failure, Failure) and "MemoryError" in failure.error
    monkeypatch.setattr(benchmark.Training, "update", update)
    assert (tmp_path / "work" / CHECKPOINT).is_file()
    again = run_cell(cell, tmp_path / "work")
    assert untimed(json.loads(again.to_json())) | {"finished": 0} == untimed(
        json.loads(whole.to_json())
    ) | {"finished": 0}


@pytest.mark.parametrize(
    ("id", "kwargs", "agent"),
    [
        ("SeqCopy-v0", {"length": 3}, "recurrent_ppo"),
        ("SeqCopy-v0", {"length": 3}, "encoder_decoder"),
        ("SeqCopy-v0", {"length": 2, "framing": "many_to_one"}, "recurrent_ppo"),
        ("SeqCopy-v0", {"length": 2, "framing": "many_to_one"}, "lstm"),
        ("SeqClassify-v0", {}, "bilstm"),
        ("SeqNext-v0", {}, "recurrent_ppo"),
        ("SeqNext-v0", {}, "mlp"),
    ],
)
def test_an_agent_says_how_sure_it_is(id, kwargs, agent):
    """A drawn answer is the likeliest one as often as the agent says that it is."""
    learner = make_learner(preset_settings(id, kwargs, agent))
    samples = next(batches(id, 1, seed=0, **kwargs))
    count = 4000
    if learner.sees_future:
        answers, confidence = learner.answer_with_confidence(samples.X)
        assert np.array_equal(answers, learner.answer(samples.X))
        assert confidence.shape == answers.shape == (1, 10)
        assert ((confidence >= 0.5) & (confidence <= 1)).all()
        return
    observations = np.repeat(samples.X[0, :1], count, axis=0)
    second = np.repeat(samples.X[0, 1:2], count, axis=0)
    starts = np.ones(count, bool)
    _, _, state = learner.predict_with_confidence(observations, None, starts)
    answers, confidence, after = learner.predict_with_confidence(second, state, ~starts)
    expected, expected_after = learner.predict(second, state, ~starts)
    assert np.array_equal(answers, expected)
    assert all(np.array_equal(one, other) for one, other in zip(after, expected_after, strict=True))
    if id == "SeqNext-v0":
        assert confidence is None
        return
    drawn, _ = learner.predict(second, state, ~starts, deterministic=False)
    matches = (drawn == answers).reshape(count, -1).all(axis=1)
    assert confidence.shape == (count,)
    assert matches.mean() == pytest.approx(confidence[0], abs=0.035)


def test_episodes_of_any_kind_can_be_played():
    for id, kwargs in (
        ("SeqCopy-v0", {"length": [2, 4]}),
        ("SeqCopy-v0", {"length": 3, "framing": "many_to_one"}),
        ("SeqNext-v0", {"framing": "many_to_one"}),
        ("SeqClassify-v0", {"extras": ["time_step"], "stack_size": 2}),
    ):
        oracle = Oracle.of(gymnasium.make(id, **kwargs))
        for episode in play(oracle, id, kwargs):
            json.dumps(episode.__dict__, allow_nan=False)
            due = [score for score in episode.scores if score is not None]
            assert due == pytest.approx([1.0] * sum(episode.due), abs=1e-6)
    agent = RandomAgent()
    agent.learn("SeqCopy-v0", kwargs={}, steps=1, seed=0)
    assert play(agent, "SeqCopy-v0", {})[0].inputs[5:] == [None] * 5  # nothing is shown
    assert play(FutureAgent(), "SeqCopy-v0", {})[0].answers == [0] * 10


# Somebody's own.


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:Agent", "there is no module 'no_such_module'"),
        ("tests.no_such:Agent", "there is no module 'tests.no_such'"),
        (own("NoSuchAgent"), "has no attribute 'NoSuchAgent'"),
        (own("NoPredict"), "must have a method 'predict'"),
        (own("OtherLearn"), r"must have learn\(env_id, \*, kwargs, steps, seed\)"),
        (own("own"), "must be a class"),
    ],
)
def test_an_agent_that_is_none_is_refused(name, said):
    with pytest.raises(SuiteError, match=said):
        own_agent(name)


def test_a_module_that_raises_or_lacks_something_is_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "raising_module.py").write_text("1 / 0\n")
    (tmp_path / "lacking_module.py").write_text("import no_such_module\n")
    with pytest.raises(SuiteError, match="'raising_module:A': ZeroDivisionError"):
        own_agent("raising_module:A")
    with pytest.raises(SuiteError, match="'lacking_module:A' needs no_such_module"):
        own_agent("lacking_module:A")


def small(*agents, **given):
    return Suite(
        seeds=[0],
        steps_without_preset=300,
        matrix=[{"id": "SeqEcho-v0", "kwargs": {"length": 3}, "agents": list(agents)}],
        **given,
    )


def write_small(path, *agents):
    path.write_text(small(*agents).to_json())
    return str(path)


def test_a_cell_that_raises_does_not_stop_the_others(tmp_path, capsys):
    suite = write_small(tmp_path / "suite.json", own("BuggyAgent"), own("RandomAgent"))
    arguments = ["benchmark", "--suite", suite, "--dir", str(tmp_path / "b"), "--jobs", "2"]
    assert main(arguments) == 1
    output, errors = capsys.readouterr()
    assert "RandomAgent  seed 0: return 0." in output
    assert "1 failed:" in errors and "Traceback" not in errors
    lines = [line for line in errors.splitlines() if "KeyError: 'a bug" in line]
    assert len(lines) == 2 and all("(test_benchmark.py, line " in line for line in lines)
    assert len(json.loads((tmp_path / "b" / "results.json").read_text())) == 1


def test_workers_that_die_again_and_again_end_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "FRUITLESS_RESTARTS", 1)
    suite = write_small(tmp_path / "suite.json", own("DyingAgent"))
    arguments = ["benchmark", "--suite", suite, "--dir", str(tmp_path / "b"), "--jobs", "2"]
    assert main(arguments) == 2
    assert "were killed again and again" in capsys.readouterr().err


def in_process(cells, jobs, work):
    yield from (attempt(cell, work / cell.key) for cell in cells)


def test_a_full_disk_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "_local", in_process)
    write, written = write_cell, []

    def full(folder, result):
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(write(folder, result))

    monkeypatch.setattr(benchmark, "write_cell", full)
    suite = write_small(tmp_path / "suite.json", "mlp", own("RandomAgent"))
    arguments = ["benchmark", "--suite", suite, "--dir", str(tmp_path / "b")]
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert len(errors.splitlines()) == 1 and "the disk is full" in errors
    assert [read_cell(path).cell.agent for path in written] == ["mlp"]


def test_a_disk_that_is_full_where_a_cell_is_run_stops_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "_local", in_process)
    suite = write_small(tmp_path / "suite.json", own("FullAgent"), "mlp")
    assert main(["benchmark", "--suite", suite, "--dir", str(tmp_path / "b")]) == 1
    assert "the disk is full" in capsys.readouterr().err
    assert not (tmp_path / "b" / "cells").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--suite", "fast"], "suite must be 'quick', 'timed', 'full' or the path"),
        (["--jobs", "0"], "--jobs must be at least 1, got 0"),
        (["--set", "lag=1"], "--set needs --id"),
        (["--address", "127.0.0.1:1"], "--address needs --engine ray"),
        (["--only", "nothing at all"], "no cell of the suite has 'nothing at all' in its name"),
        (["--agent", "no_such_module:A"], "there is no module 'no_such_module'"),
        (["--agent", "lstn"], "agent must be one of"),
        (["--id", "SeqNone-v0"], "SeqNone"),
        (["--id", "CartPole-v1"], "id must be one that seqenvs.register registered"),
        (["--id", "SeqEcho-v0", "--set", "lag=99"], "lag must be an int in 0 .. 9"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, capsys, arguments, said):
    folder = tmp_path / "b"
    assert main(["benchmark", "--dir", str(folder), *arguments]) == 2
    errors = capsys.readouterr().err
    assert said in errors and len(errors.splitlines()) == 1
    assert not folder.exists()


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "b").write_text("")
    suite = write_small(tmp_path / "suite.json", "mlp")
    assert main(["benchmark", "--suite", suite, "--dir", str(tmp_path / "b")]) == 1
    assert "can't be written" in capsys.readouterr().err


def test_an_environment_of_ones_own_and_a_part_of_the_suite(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "_local", in_process)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_ids.py").write_text(
        "import seqenvs\nseqenvs.register('OwnEcho-v0', 'seqenvs.problems:Echo', length=4)\n"
    )
    suite = write_small(tmp_path / "suite.json", "mlp")
    folder = tmp_path / "b"
    arguments = ["benchmark", "--suite", suite, "--dir", str(folder)]
    arguments += ["--id", "own_ids:OwnEcho-v0", "--set", "lag=2", "--agent", own("OracleAgent")]
    assert main([*arguments, "--only", "OwnEcho"]) == 0
    assert capsys.readouterr().out.count("own_ids:OwnEcho-v0 lag=2") == 2
    results, _ = read_cells(folder)
    assert {result.cell.agent for result in results} == {"mlp", own("OracleAgent")}
    assert {len(result.episodes[0].inputs) for result in results} == {4}
    assert main(arguments) == 0
    assert len(json.loads((folder / "results.json").read_text())) == 4


# Killed.

LONG = Suite(
    seeds=[0, 1, 2],
    steps_without_preset=300,
    matrix=[{"id": "SeqEcho-v0", "kwargs": {"length": 3}, "agents": ["mlp"]}],
    capacity=[{"agents": ["lru"], "steps": 20_000, "lengths": [16]}],
)


def begin(folder, suite, *arguments):
    folder.mkdir(exist_ok=True)
    (folder / "given.json").write_text(suite.to_json())
    command = [sys.executable, "-m", "agents", "benchmark", "--jobs", "2", *arguments]
    return subprocess.Popen(
        [*command, "--suite", str(folder / "given.json"), "--dir", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(process, holds):
    deadline = time.monotonic() + 120
    while not holds():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_cells(process, folder, count):
    wait_for(process, lambda: len(list((folder / "cells").glob("[!.]*.json"))) >= count)


def group_of(process):
    """The processes that are left of it and of what it started."""
    found = subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, text=True)
    return found.stdout.split()


def kill(process, sent=signal.SIGKILL):
    os.killpg(process.pid, sent)
    try:
        return process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_run_that_is_killed_goes_on(tmp_path):
    assert run_benchmark(LONG, tmp_path / "whole", jobs=2) == []
    killed = tmp_path / "killed"
    process = begin(killed, LONG)
    wait_for_cells(process, killed, 4)
    process.kill()  # its workers live on, and must notice
    process.communicate(timeout=60)
    before = {path.name: path.stat().st_mtime_ns for path in (killed / "cells").iterdir()}
    assert not (killed / "results.json").exists() and 4 <= len(before) <= 6
    assert run_benchmark(LONG, killed, jobs=2) == []
    after = {path.name: path.stat().st_mtime_ns for path in (killed / "cells").iterdir()}
    assert before.items() <= after.items() and len(after) == 6
    assert read_results(killed) == read_results(tmp_path / "whole")


@pytest.mark.parametrize("early", [False, True])
def test_ctrl_c_says_how_to_go_on(tmp_path, early):
    endless = replace(
        LONG, capacity=[{"agents": ["lru"], "steps": 10**9, "lengths": [16]}], seeds=[0]
    )
    process = begin(tmp_path, endless)
    if early:  # its workers are still importing what they need
        wait_for(process, lambda: len(group_of(process)) >= 3)
        time.sleep(0.3)
    else:
        wait_for_cells(process, tmp_path, 1)
    _, errors = kill(process, signal.SIGINT)
    assert process.returncode == 130
    # Not all of it: joblib's tracker of semaphores may warn of one that was being made.
    assert errors.startswith("Interrupted. What was finished is kept; the same command goes on.\n")
    assert "Traceback" not in errors
    deadline = time.monotonic() + 30
    while group_of(process):
        assert time.monotonic() < deadline, "processes were left behind"
        time.sleep(0.1)


@pytest.mark.full
def test_a_run_that_is_killed_at_random_moments_goes_on(tmp_path):
    assert run_benchmark(LONG, tmp_path / "whole", jobs=2) == []
    moments, killed = random.Random(0), tmp_path / "killed"
    for count in (0, 2, 4):
        process = begin(killed, LONG)
        wait_for_cells(process, killed, count)
        time.sleep(moments.uniform(0, 3 if count == 0 else 0.5))
        kill(process)
    process = begin(killed, LONG)
    wait_for_cells(process, killed, 4)
    for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(pid), signal.SIGKILL)  # of the workers, while it goes on
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert read_results(killed) == read_results(tmp_path / "whole")


def test_joblib_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(EngineError, match=r"benchmark needs joblib: pip install -e '\.\[benchmark"):
        list(benchmark._local([cell_of()], 1, Path()))


def test_ray_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match="--engine ray needs ray: pip install ray"):
        list(benchmark._ray([cell_of()], 1, None))


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:1", "127.0.0.1:99999", "ray://[::1]:1"])
def test_a_cluster_that_is_not_there_is_named(address):
    began = time.monotonic()
    with pytest.raises(EngineError, match="--address"):
        benchmark._check_reachable(address)
    assert time.monotonic() - began < 10


def test_the_horizons_are_of_known_problems():
    assert set(suites._HORIZONS) == {"echo", "recall"}

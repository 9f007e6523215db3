"""The report says what the results say, whatever is missing or damaged."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import trim_mean

from seqenvs.benchmark.report import leaderboard, write_report
from seqenvs.benchmark.report.figures import make_figures
from seqenvs.benchmark.report.finding import find
from seqenvs.benchmark.report.page import make_page, page_data, to_json
from seqenvs.benchmark.report.reading import ECHO, GENERALISATION, MATRIX, read_folder
from seqenvs.benchmark.report.tables import make_tables
from seqenvs.benchmark.results import Job, ResultError, result_path, write_result
from seqenvs.benchmark.statistics import estimate, interval, memory_horizon
from seqenvs.benchmark.suites import Suite
from tests.seqenvs.benchmark.synthetic import LSTM, MLP, PPO, SUITE, make_result, write_suite

ECHO_JOB = Job(id="SeqEcho-v0", agent=LSTM, seed=0, steps=30_000)


def report(folder):
    """The results, the tables, the data of the page and the Markdown."""
    results = read_folder(folder)
    tables = make_tables(results)
    data = json.loads(to_json(page_data(results, tables)))
    return results, tables, data, leaderboard(results, tables, find(tables))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    write_suite(folder, SUITE)
    return folder


def test_the_files_say_what_the_results_say(whole, tmp_path):
    out = tmp_path / "new" / "report"
    paths = write_report(whole, out)
    assert set(paths) == {path for path in out.rglob("*") if path.is_file()}
    html = paths[0].read_text("utf-8")
    # Nothing is fetched: no attribute and no rule of the style names an address.
    outside = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    assert not re.search(r'(src|href)="(?!#)|url\(|@import', outside)
    assert "default-src 'none'" in html and "{{" not in outside
    names = {"finding", "horizon-echo", "capacity", "generalisation-1"}
    assert {path.stem for path in (out / "figures").iterdir()} == names
    for name in names:
        svg = (out / "figures" / f"{name}.svg").read_text("utf-8")
        assert svg.startswith("<svg") and "LSTM" in svg
        assert (out / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")

    tables = {path.stem: pd.read_csv(path) for path in (out / "tables").iterdir()}
    assert len(tables["results"]) == len(SUITE.jobs())
    jobs = [job for job in SUITE.jobs() if (job.agent, job.kwargs) == (LSTM, {})]
    scores = [make_result(job).evaluation.memory_score for job in jobs if job.id == "SeqEcho-v0"]
    table = tables["leaderboard"].set_index(["environment", "agent"])
    row = table.loc["SeqEcho-v0", "LSTM"]
    low, high = interval(scores)
    assert row.memory_score == pytest.approx(trim_mean(scores, 0.25))
    assert [row.memory_score_low, row.memory_score_high] == pytest.approx([low, high])
    assert (row.chance, row.clock, row.optimum, row.learns_from) == (0.1, 0.1, 1, "right answers")
    assert np.isnan(table.loc["SeqNext-v0", "LSTM"].memory_score)
    overall = tables["overall"].set_index("agent").loc["LSTM"]
    assert (overall.environments, overall.scored, overall.memory_score) == (2, 1, row.memory_score)
    text = (out / "leaderboard.md").read_text("utf-8")
    assert f"| {row.memory_score:.3f} ({low:.3f} to {high:.3f}) | " in text
    assert "| RecurrentPPO | rewards |" in text and f"{len(SUITE.jobs())} runs" in text
    assert list(tables["generalisation"].length) == [5, 10, 20]
    with pytest.raises(ResultError, match=r"index.html cannot be written"):
        write_report(whole, paths[0])
    with pytest.raises(ResultError, match="holds no result to report: give the folder"):
        write_report(out, out)


def test_statistics():
    assert interval([0.5, 0.6]) is None
    values = [0.1, 0.4, 0.5, 0.9]
    assert interval(values) == interval(values)
    assert estimate("x", values)["x"] == pytest.approx(0.45)  # the ends are cut off
    assert estimate("x") == {"x": None, "x_low": None, "x_high": None}
    # Each stratum is resampled by itself: where its seeds agree, nothing varies.
    assert interval([0, 0, 0], [1, 1, 1]) == (0.5, 0.5)
    low, high = interval([0, 0, 0, 0], [0.4, 0.5, 0.6, 0.7])
    assert 0 < low < high < 0.35
    assert memory_horizon({1: 0.9, 2: 0.6, 4: 0.5}, [4, 2, 1]) == 4
    assert memory_horizon({1: 0.9, 2: 0.49, 4: 1.0}, [4, 2, 1]) == 1
    assert memory_horizon({1: 0.9, 4: 1.0}, [4, 2, 1]) is None  # 2 is not known, and decides
    assert memory_horizon({1: 0.1}, [4, 2, 1]) == 0


def test_horizons_and_finding(tmp_path):
    def score(job):
        reach = {LSTM: [2, 4, 8], PPO: [2, 2, 2]}.get(job.agent, [1, 1, 1])
        return float(job.kwargs.get("lag", 1) <= reach[job.seed])

    write_suite(tmp_path, SUITE, score)
    results, tables, _, text = report(tmp_path)
    horizons = tables["horizons"].set_index(["section", "agent"])
    lstm = horizons.loc[ECHO, "LSTM"]
    assert [lstm[name] for name in ("horizon", "least", "most", "seeds")] == [4, 2, 8, 3]
    assert horizons.loc[ECHO, "RecurrentPPO"].horizon == 2
    scores = tables["scores_by_size"].query("section == @ECHO and agent == 'LSTM'")
    assert list(scores["size"]) == [1, 2, 4, 8]
    assert list(scores.memory_score) == pytest.approx([1, 1, 2 / 3, 1 / 3])
    assert "| LSTM | right answers | 4 | 2 to 8 | 3 |" in text
    assert "| LSTM | right answers | ≥ 4 | 4 to 4 | 3 |" in text  # the capacity
    finding = find(tables)
    assert finding.answer in text and finding.answer == (
        "RecurrentPPO, which learned from rewards, remembers 2 time steps back; LSTM, which "
        "learned from right answers, remembers 4 time steps back."
    )
    rows = make_figures(results.agents.agent, tables, finding)["finding"]["datasets"]["rows"]
    bars = [(row["agent"], row["value"]) for row in rows if not row["heading"]]
    assert bars == [("RecurrentPPO", 2), ("LSTM", 4)]


@pytest.mark.parametrize(
    ("section", "bars", "answer"),
    [
        ({"capacity": [{"steps": 1000, "lengths": [2, 4]}]}, 13, "20 agents .* at least 4 symbols"),
        ({"matrix": [{"id": "SeqEcho-v0"}]}, 13, "20 agents .* score 0.50"),
        ({"matrix": [{"id": "SeqNext-v0"}]}, 0, "No result has a memory score"),
    ],
)
def test_findings_of_many_agents_and_of_other_sections(tmp_path, section, bars, answer):
    suite = Suite([0], 1000, [f"mine:Agent{i}" for i in range(20)], **section)
    write_suite(tmp_path, suite, scores=lambda job: 0.5)
    results, tables, *_ = report(tmp_path)
    finding = find(tables)
    assert re.search(answer, finding.answer) and len(finding.bars) == bars
    assert ("finding" in make_figures(results.agents.agent, tables, finding)) is (bars > 0)


def test_missing_and_damaged_results_are_named(tmp_path):
    def skip(job):
        return job.agent == MLP or (job.kwargs.get("lag"), job.seed, job.agent) == (2, 1, LSTM)

    write_suite(tmp_path, SUITE, scores=lambda job: 1.0, skip=skip)
    count = len(list((tmp_path / "jobs").iterdir()))
    jobs = [job for job in SUITE.jobs() if job.agent == PPO and not job.kwargs]
    wrong = [("accuracy", ["good"]), ("bounds", {"chance": 0.1}), ("mean_return", float("nan"))]
    for job, (name, value) in zip(jobs, wrong, strict=True):
        values = asdict(make_result(job))
        values["evaluation"][name] = value
        result_path(tmp_path, job).write_text(json.dumps(values))
    (tmp_path / "jobs" / "half.json").write_text('{"job": {')
    (tmp_path / "jobs" / ".half.json").write_text("{")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "old.json").write_text("")
    results, tables, _, text = report(tmp_path)
    damaged = {f"{job.key}.json" for job in jobs} | {"half.json", "damaged/old.json"}
    assert set(results.damaged.file) == damaged and all(results.damaged.reason)
    assert len(results.runs) == count - 3
    missing = tables["missing"].set_index(["section", "environment", "agent"])
    assert len(missing) == 4 and missing.loc[MATRIX, "SeqEcho-v0", MLP].there == 0
    assert missing.loc[ECHO, "SeqEcho-v0 lag=2 length=12", LSTM].seeds == "1"
    assert "10 results of the suite are missing" in text
    row = tables["horizons"].query("section == @ECHO and agent == 'LSTM'").iloc[0]
    assert (row.seeds, row.unknown, row.horizon) == (2, 1, 8)


def test_results_that_are_not_in_the_suite(tmp_path):
    """They are where the suite has their environments."""
    write_suite(tmp_path, SUITE)
    (tmp_path / "suite.json").write_text(replace(SUITE, agents=[], steps=7).to_json())
    job = replace(ECHO_JOB, kwargs={"length": [5, 9]}, lengths=[20])
    write_result(tmp_path, make_result(job))
    results, *_ = report(tmp_path)
    assert set(zip(results.runs.environment, results.runs.section, strict=True)) >= {
        ("SeqEcho-v0 length=10", GENERALISATION),
        ("SeqEcho-v0 length=[5, 9]", GENERALISATION),
        ("SeqEcho-v0 lag=2 length=12", ECHO),
        ("SeqEcho-v0", MATRIX),
    }
    notes = "\n".join(results.notes)
    assert "results are not in the suite" in notes
    assert "has no 'length' that is a number" in notes
    (tmp_path / "suite.json").unlink()
    results, *_ = report(tmp_path)
    assert set(results.runs.section) == {MATRIX, GENERALISATION}
    assert "missing is not known" in results.notes[0] and results.expected.empty


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"options": {"hidden": 8}}, {"LSTM (hidden=8)", "LSTM (hidden=null)"}),
        ({"steps": 10}, {"LSTM (steps=10)", "LSTM (steps=30000)"}),
        ({"agent": "mine:LSTM"}, {"agents:LSTM", "mine:LSTM"}),
        ({"learns_from": "rewards"}, {"LSTM (from=rewards)", "LSTM (from=right answers)"}),
        ({"id": "SeqCopy-v0", "options": {"x": 1}}, {"LSTM"}),
    ],
)
def test_names_tell_agents_apart(tmp_path, changes, names):
    write_result(tmp_path, make_result(ECHO_JOB))
    source = changes.pop("learns_from", "answers")
    result = make_result(replace(ECHO_JOB, seed=1, **changes))
    write_result(tmp_path, replace(result, learns_from=source))
    assert set(read_folder(tmp_path).agents.agent) == names


def test_text_of_results_is_never_markup(tmp_path):
    """Names may be anything; bounds, seconds and confidence may be unknown."""
    name = "evil:</script><script>alert(1)</script>|<!--`*_[x](y)\n# head"
    result = make_result(replace(ECHO_JOB, id=name, agent=name))
    episode = result.episodes[0]
    unknown = [None] * len(episode.due)
    strange = replace(episode, confidence=unknown, inputs=[[0.5, {"a": name}]] * len(unknown))
    result = replace(
        result,
        machine=name,
        versions={name: name},
        evaluation=replace(result.evaluation, id=name, bounds=None, memory_score=None),
        curve=[[steps, None, value, None] for steps, _, value, _ in result.curve],
        episodes=[strange],
    )
    write_result(tmp_path, result)
    results, tables, data, text = report(tmp_path)
    html = make_page(results, tables, find(tables), {"figure": name})
    assert html.count("</script>") == 4 and "<!--<" not in html and "<script>alert" not in html
    embedded = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert json.loads(embedded[1]) == data
    (agent,) = data["places"][0]["agents"]
    assert agent["seconds"] is None and agent["steps"] and data["places"][0]["bounds"] is None
    assert agent["episodes"]["0"][0][0][0][0] == 0.5
    assert not re.search(r"(?<!\\)[`\[\]]|<|^#|[^\\ ]\|[^ \n]", text, re.M)


def test_curves_and_accuracies(tmp_path):
    for seed, (end, reached) in enumerate([(1000, 0.2), (10_000, 0.5), (10_000, 0.8)]):
        curve = [[100, 0.1, 0.1, None], [end, end / 1000, reached, None]]
        job = replace(ECHO_JOB, seed=seed, kwargs={"length": 500})
        write_result(tmp_path, replace(make_result(job, 1.0), curve=curve))
    *_, data, _ = report(tmp_path)
    (agent,) = data["places"][0]["agents"]
    steps, *columns = agent["steps"]  # median, lowest, highest
    assert (steps[0], steps[-1]) == (100, 10_000)
    assert [column[0] for column in columns] == [0.1, 0.1, 0.1]
    assert [column[-1] for column in columns] == [0.5, 0.2, 0.8]  # the first stopped at 1000
    accuracy = agent["accuracy"]  # the means of 5 time steps each
    assert (accuracy["width"], accuracy["length"], len(accuracy["values"])) == (5, 500, 100)


def test_what_is_thinned_is_said(whole, monkeypatch):
    monkeypatch.setattr("seqenvs.benchmark.report.page.EPISODE_BYTES", 8000)
    *_, data, _ = report(whole)
    agents = [agent for place in data["places"] for agent in place["agents"]]
    kept = [len(each) for agent in agents for each in agent["episodes"].values()]
    assert 0 < sum(kept) < 100 and any(f" {sum(kept)} of " in line for line in data["thinned"])
    assert max(len(agent["episodes"]) for agent in agents) == 1


@pytest.mark.full
def test_10000_results_within_60_seconds_and_2_gb(tmp_path):
    for index in range(10_000):
        place, agent = index // 200, index // 5 % 40
        kwargs = {"lag": 1 + place % 20, "length": 20 + place}
        job = replace(ECHO_JOB, kwargs=kwargs, agent=f"mine:Agent{agent}", seed=index % 5)
        write_result(tmp_path, make_result(job))
    command = [sys.executable, "-m", "seqenvs", "report", "--dir", str(tmp_path)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 60 and after.ru_maxrss * 1024 < 2e9
    assert (tmp_path / "report" / "index.html").stat().st_size < 5e6

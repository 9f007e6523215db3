"""The report: what it says is what is in the cells, whatever is missing or damaged."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from agents.training.run_folder import RunFolderError
from seqenvs.benchmark.report import (
    CAPACITY,
    ECHO,
    GENERALISATION,
    MATRIX,
    gather,
    interval,
    leaderboard,
    memory_horizon,
    page,
    page_data,
    write_report,
)
from seqenvs.benchmark.results import Cell, write_cell
from seqenvs.benchmark.suites import Suite, read_suite
from tests.seqenvs.benchmark.synthetic_cells import make_result

SUITE = Suite(
    seeds=[0, 1, 2],
    steps_without_preset=100_000,
    matrix=[
        {"id": "SeqNext-v0", "agents": ["lstm", "mlp"]},
        {"id": "SeqEcho-v0", "agents": ["recurrent_ppo", "lstm", "mlp"]},
    ],
    horizon=[{"problem": "echo", "agents": ["lstm"], "steps": 100_000, "lags": [1, 2, 4, 8]}],
    capacity=[{"agents": ["lstm"], "steps": 100_000, "lengths": [2, 4]}],
    generalisation=[
        {"id": "SeqEcho-v0", "length": 10, "agents": ["lstm"], "factors": [0.5, 1, 2]},
    ],
)


def write_suite(folder, suite=SUITE, scores=None, skip=lambda cell: False):
    for cell in suite.cells():
        if not skip(cell):
            write_cell(folder, make_result(cell, scores(cell) if scores else None))
    (folder / "suite.json").write_text(suite.to_json())


def embedded(html, name="data"):
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', html, re.S)
    return json.loads(found[1])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    write_suite(folder)
    return folder


def test_files_are_written(whole, tmp_path):
    paths = write_report(whole, tmp_path / "new" / "report")
    assert [path.name for path in paths] == ["leaderboard.md", "index.html"]
    html = paths[1].read_text("utf-8")
    data = embedded(html)
    assert data["provenance"]["cells"] == len(SUITE.cells())
    assert not (data["missing"] or data["damaged"] or data["notes"])
    assert not list((tmp_path / "new" / "report").glob(".*"))
    # Nothing is asked of the network: no address is loaded by an attribute or a rule of style.
    outside = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    assert not re.search(r'(src|href)="(?!#)|url\(|@import', outside)
    assert "default-src 'none'" in html and "{{" not in outside


def test_leaderboard_has_means_intervals_and_bounds(whole):
    found = gather(whole)
    row = page_data(found)["leaderboard"][1]
    assert row["environment"] == "SeqEcho-v0"
    assert row["bounds"] == {"chance": 0.1, "memoryless": 0.1, "clock": 0.1, "optimum": 1}
    group = next(
        each
        for each in found.groups
        if each.environment == "SeqEcho-v0" and each.agent == "lstm" and MATRIX in each.sections
    )
    entry = next(each for each in row["rows"] if each["agent"] == "lstm")
    assert entry["score"]["y"] == pytest.approx(np.mean(group.scores), abs=1e-4)
    low, high = interval(group.scores)
    assert (entry["score"]["low"], entry["score"]["high"]) == pytest.approx((low, high), abs=1e-4)
    assert low <= np.mean(group.scores) <= high
    text = leaderboard(found)
    assert "| agent | SeqNext-v0 | SeqEcho-v0 |" in text
    assert f"**{np.mean(group.scores):.3f}** ({low:.3f} to {high:.3f})" in text
    assert "| *clock* | 1.000 | 0.100 |" in text
    assert "scipy.stats.bootstrap" in text
    assert text.splitlines()[-1].startswith(f"{len(SUITE.cells())} runs, ")
    assert all(machine in text for machine in found.machines)


def test_interval_needs_seeds_and_is_repeatable():
    assert interval([0.5, 0.6]) is None
    assert interval([0.5, 0.5, 0.5]) == (0.5, 0.5)
    values = [0.1, 0.4, 0.5, 0.9]
    assert interval(values) == interval(values)
    assert interval([8.0, 8.0, 16.0], np.median) == (8, 16)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({1: 0.9, 2: 0.6, 4: 0.5}, 4),
        ({1: 0.9, 2: 0.49, 4: 1.0}, 1),
        ({1: 0.1, 2: 1.0, 4: 1.0}, 0),
        ({1: 0.9, 4: 1.0}, None),  # 2 is not known, and decides
        ({1: 0.1}, 0),
    ],
)
def test_memory_horizon(scores, expected):
    assert memory_horizon(scores, [4, 2, 1]) == expected


def test_horizon_is_the_median_over_seeds(tmp_path):
    reach = [2, 4, 8]
    write_suite(
        tmp_path,
        scores=lambda cell: 1.0 if cell.kwargs.get("lag", 1) <= reach[cell.seed] else 0.0,
    )
    data = page_data(gather(tmp_path))
    (row,) = data["horizons"]["echo"]["rows"]
    assert (row["horizon"], row["least"], row["most"], row["seeds"]) == (4, 2, 8, 3)
    assert (row["low"], row["high"], row["swept"]) == (2, 8, 8)
    points = data["horizons"]["echo"]["points"]
    assert [point["x"] for point in points] == [1, 2, 4, 8]
    assert [point["y"] for point in points] == pytest.approx([1, 1, 2 / 3, 1 / 3], abs=1e-4)
    assert data["horizons"]["copy"]["rows"][0]["horizon"] == 4
    assert data["horizons"]["recall"] == {"points": [], "rows": []}
    text = leaderboard(gather(tmp_path))
    assert "| agent | Memory horizon: echo, 100,000 steps | Capacity, 100,000 steps |" in text
    assert "| lstm | 4 (2 to 8) | ≥ 4 |" in text


def test_a_budget_in_seconds_is_told_and_the_matrix_may_be_empty(tmp_path):
    sweep = {"problem": "recall", "agents": ["gru"], "seconds": 2.5, "lags": [2, 8]}
    write_suite(tmp_path, Suite(seeds=[0, 1], steps_without_preset=9, horizon=[sweep]))
    text = leaderboard(gather(tmp_path))
    assert "| agent | Memory horizon: recall, 2.5 s |" in text and "*clock*" not in text
    assert re.search(r"\| gru \| .*, 2 seeds \|", text)
    (row,) = page_data(gather(tmp_path))["horizons"]["recall"]["rows"]
    assert (row["steps"], row["seconds"]) == (None, 2.5)


def test_a_seed_without_a_lag_that_decides_is_left_out(tmp_path):
    write_suite(
        tmp_path,
        scores=lambda cell: 1.0,
        skip=lambda cell: cell.kwargs.get("lag") == 2 and cell.seed == 1,
    )
    (row,) = page_data(gather(tmp_path))["horizons"]["echo"]["rows"]
    assert (row["seeds"], row["unknown"], row["horizon"], row["low"]) == (2, 1, 8, None)


def test_generalisation_is_relative_to_the_length_learned_at(whole):
    (environment,) = page_data(gather(whole))["generalisation"]
    assert environment["environment"] == "SeqEcho-v0 length=10"
    assert [(point["x"], point["length"]) for point in environment["points"]] == [
        (0.5, 5),
        (1, 10),
        (2, 20),
    ]


def test_a_length_that_varies_has_no_factor_and_is_noted(tmp_path):
    cell = Cell(
        id="SeqEcho-v0",
        kwargs={"length": [5, 10]},
        agent="lstm",
        seed=0,
        steps=30_000,
        target=1,
        lengths=[20],
    )
    result = make_result(replace(cell, lengths=[]))
    write_cell(tmp_path, replace(result, cell=cell))
    data = page_data(gather(tmp_path))
    assert data["generalisation"] == []
    assert any("has no 'length' that is a number" in note for note in data["notes"])


def test_what_is_missing_is_listed(tmp_path):
    write_suite(
        tmp_path, skip=lambda cell: cell.agent == "mlp" or (cell.id, cell.seed) == ("SeqCopy-v0", 2)
    )
    data = page_data(gather(tmp_path))
    rows = {(row["section"], row["environment"], row["agent"]): row for row in data["missing"]}
    assert rows[MATRIX, "SeqEcho-v0", "mlp"]["there"] == 0
    assert rows[CAPACITY, "SeqCopy-v0 length=4", "lstm"]["seeds"] == [2]
    assert len(rows) == 4
    assert "cells are missing" in leaderboard(gather(tmp_path))


def test_damaged_files_are_named(tmp_path):
    write_suite(tmp_path)
    cells = sorted((tmp_path / "cells").glob("*.json"))
    cells[0].write_text('{"cell": {')
    values = json.loads(cells[1].read_text())
    values["evaluation"]["accuracy"] = ["good"]
    cells[1].write_text(json.dumps(values))
    values = json.loads(cells[2].read_text())
    values["evaluation"]["bounds"] = {"chance": 0.1}
    cells[2].write_text(json.dumps(values))
    (tmp_path / "cells" / ".half.json").write_text("{")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "old.json").write_text("")
    data = page_data(gather(tmp_path))
    named = [name for name, _ in data["damaged"]]
    assert named == [cells[0].name, cells[1].name, cells[2].name, "damaged/old.json"]
    assert all(reason for _, reason in data["damaged"])
    assert data["provenance"]["cells"] == len(cells) - 3


def test_numbers_that_are_not_finite_are_damage(tmp_path):
    write_suite(tmp_path)
    path = sorted((tmp_path / "cells").glob("*.json"))[0]
    path.write_text(
        re.sub(
            r'"mean_return": [\d.]+, "standard', '"mean_return": NaN, "standard', path.read_text()
        )
    )
    assert gather(tmp_path).damaged[0][0] == path.name


def test_a_folder_without_cells_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="holds no cell to report: give the folder"):
        write_report(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_place_that_can_not_be_written_is_refused(whole, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=r"file can't be written"):
        write_report(whole, tmp_path / "file")


def test_without_a_suite_cells_are_told_by_their_form(tmp_path):
    write_suite(tmp_path)
    (tmp_path / "suite.json").unlink()
    found = gather(tmp_path)
    assert found.suite_name in ("quick", "timed", "full") and found.notes
    sections = {(group.environment, *sorted(group.sections)) for group in found.groups}
    assert ("SeqEcho-v0 length=10", GENERALISATION) in sections
    assert ("SeqEcho-v0 lag=2 length=12", ECHO) in sections
    assert ("SeqCopy-v0 length=2", CAPACITY) in sections
    assert ("SeqEcho-v0", MATRIX) in sections


def test_a_damaged_suite_is_named(tmp_path):
    write_suite(tmp_path)
    (tmp_path / "suite.json").write_text("{")
    assert gather(tmp_path).damaged[0][0] == "suite.json"


def test_agents_of_one_name_are_told_apart_by_their_settings(tmp_path):
    for hidden in (8, 16):
        cell = Cell(
            id="SeqEcho-v0",
            agent="lstm",
            options={"hidden": hidden, "layers": 1},
            seed=0,
            steps=30_000,
            target=0.9,
        )
        write_cell(tmp_path, make_result(cell))
    names = {group.agent for group in gather(tmp_path).groups}
    assert names == {"lstm (hidden=8)", "lstm (hidden=16)"}


def test_sweeps_of_other_settings_are_lines_of_their_own(tmp_path):
    write_suite(tmp_path)
    for cell in SUITE.cells():
        if "lag" in cell.kwargs:
            write_cell(tmp_path, make_result(replace(cell, steps=500_000)))
    data = page_data(gather(tmp_path))
    rows = {row["agent"]: row["seeds"] for row in data["horizons"]["echo"]["rows"]}
    assert rows == {"lstm (steps=100000)": 3, "lstm (steps=500000)": 3}
    assert any("12 cells have settings that are not in the suite" in note for note in data["notes"])


def test_an_agent_of_somebody_elses(tmp_path):
    """Bounds, seconds and confidence may be unknown, and a name may be anything."""
    name = "evil:</script><script>alert(1)</script>|<!--"
    cell = Cell(id="Mine-v0", agent=name, seed=0, steps=30_000, target=0.9)
    result = make_result(cell)
    episode = result.episodes[0]
    unknown = [None] * len(episode.due)
    result = replace(
        result,
        evaluation=replace(result.evaluation, bounds=None, memory_score=None),
        curve=[[steps, None, value, None] for steps, _, value, _ in result.curve],
        episodes=[replace(episode, confidence=unknown, inputs=[[0.5, 1.0]] * len(episode.due))],
    )
    write_cell(tmp_path, result)
    html = page(page_data(gather(tmp_path)))
    assert html.count("</script>") == 4 and "<!--<" not in html
    data = embedded(html)
    assert data["agents"] == [name]
    (agent,) = data["places"][0]["agents"]
    assert agent["seconds"] is None and agent["steps"]
    assert data["leaderboard"][0]["bounds"] is None
    assert agent["episodes"]["0"][0][0][0] == [0.5, 1]
    assert "unknown" in leaderboard(gather(tmp_path))
    assert "<script>" not in leaderboard(gather(tmp_path))


def test_curves_are_medians_that_keep_their_last_value(tmp_path):
    for seed, (end, reached) in enumerate([(1000, 0.2), (10_000, 0.5), (10_000, 0.8)]):
        cell = Cell(id="SeqEcho-v0", agent="lstm", seed=seed, steps=30_000, target=0.9)
        curve = [[100, 0.1, 0.1, None], [end, end / 1000, reached, None]]
        write_cell(tmp_path, replace(make_result(cell), curve=curve))
    (agent,) = page_data(gather(tmp_path))["places"][0]["agents"]
    steps, middle, low, high = agent["steps"]
    assert (steps[0], steps[-1]) == (100, 10_000)
    assert (middle[0], low[0], high[0]) == (0.1, 0.1, 0.1)
    assert (middle[-1], low[-1], high[-1]) == (0.5, 0.2, 0.8)


def test_what_is_thinned_is_said(tmp_path, monkeypatch):
    write_suite(tmp_path)
    monkeypatch.setattr("seqenvs.benchmark.report.EPISODE_BYTES", 4000)
    data = page_data(gather(tmp_path))
    agents = [agent for place in data["places"] for agent in place["agents"]]
    kept = sum(len(each) for agent in agents for each in agent["episodes"].values())
    assert 0 < kept < 100
    assert any(f"{kept} of " in line for line in data["thinned"])
    # The first of each before any second one.
    assert max(len(agent["episodes"]) for agent in agents) == 1


def test_accuracy_of_long_episodes_is_gathered_in_columns(tmp_path):
    cell = Cell(
        id="SeqEcho-v0", kwargs={"length": 500}, agent="lstm", seed=0, steps=30_000, target=1
    )
    write_cell(tmp_path, make_result(cell, 1.0))
    (agent,) = page_data(gather(tmp_path))["places"][0]["agents"]
    accuracy = agent["accuracy"]
    assert (accuracy["width"], accuracy["length"], len(accuracy["values"])) == (5, 500, 100)
    assert accuracy["values"][0] == 1


def test_the_full_suite_stays_below_5_mb(tmp_path):
    suite = read_suite("full")
    for cell in suite.cells():
        write_cell(tmp_path, make_result(cell))
    (tmp_path / "suite.json").write_text(suite.to_json())
    assert write_report(tmp_path, tmp_path)[1].stat().st_size < 5_000_000


MEASURE = """
import resource, sys, time
from pathlib import Path
from seqenvs.benchmark.report import write_report
start = time.perf_counter()
path = write_report(Path(sys.argv[1]), Path(sys.argv[2]))[1]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(time.perf_counter() - start, peak * 1024, path.stat().st_size)
"""


@pytest.mark.full
def test_10000_cells_within_60_seconds_and_2_gb(tmp_path):
    for index in range(10_000):
        place, agent = index // 200, index // 5 % 40
        cell = Cell(
            id="SeqEcho-v0",
            kwargs={"lag": 1 + place % 20, "length": 20 + place},
            agent=f"mine:Agent{agent}",
            seed=index % 5,
            steps=1_000_000,
            target=0.98,
        )
        write_cell(tmp_path, make_result(cell))
    command = [sys.executable, "-c", MEASURE, str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, memory, size = map(float, done.stdout.split())
    assert seconds < 60 and memory < 2e9 and size < 5e6

"""The benchmark of growth: its fits, its times, and the page that it writes."""

from __future__ import annotations

import time

import pytest

from agents.experiments import read_known
from benchmarks.scale import (
    CALL,
    LINES,
    STEP,
    Line,
    as_time,
    draw,
    experiment_cost,
    growth,
    measure,
    page,
)


def test_growth_is_the_power_from_the_middle_on():
    values = [1, 10, 100, 1000, 10_000]
    assert growth(values, [v**1.5 for v in values]) == pytest.approx(1.5)
    assert growth(values, [7.0] * 5) == pytest.approx(0)
    assert growth(values, [100, 100, 100, 1000, 10_000]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3.2e-9, "3.2 ns"), (4.56e-6, "4.56 µs"), (0.012, "12 ms"), (1.5, "1.5 s"), (90, "90 s"),
        (150, "2.5 min"), (7300, "2.03 h"), (200_000, "2.31 days"),
    ],
)  # fmt: skip
def test_times_are_read_at_a_glance(seconds, said):
    assert as_time(seconds) == said


@pytest.mark.parametrize(("per", "least"), [(CALL, 2e-3), (STEP, 2e-4)])
def test_costs_are_of_a_call_or_of_a_step(per, least):
    def make(value):
        def work():
            until = time.process_time() + value / 1000
            while time.process_time() < until:
                pass
            return 10

        return work

    small, large = measure(Line("waiting", "time", (2, 20), make, per), 2, 0.02)
    assert small >= least and large >= 5 * small


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.title}, {line.grows}")
def test_every_line_works_at_its_least(line):
    assert line.make(line.values[0])() > 0


def test_the_page_and_its_picture(tmp_path):
    measured = [(line, [1e-6 * value for value in line.values]) for line in LINES]
    results = list(read_known().values())
    text = page(measured, experiment_cost(results, 2.0, 2), "made here")
    assert text.count("| 1.00 |") == len(LINES)
    assert "made here" in text and "| 100 | 200 |" in text
    draw(measured, tmp_path / "scale.png")
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")

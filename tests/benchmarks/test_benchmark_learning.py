"""The benchmark of learning prints its tables, also where nobody gets there in time."""

import math

import pytest

from benchmarks import learning


class Quick:
    """Has learned at once."""

    def __init__(self, name, row, seed):
        self.seconds, self.steps, self.mean_return, self.reached_target = 1e-9, 2000, 1.0, True

    def update(self):
        pass


def test_it_prints_a_row_with_bounds(capsys, monkeypatch):
    monkeypatch.setitem(learning.CANDIDATES, "recurrent_ppo", Quick)
    assert learning.main(["--only", "classify", "--seeds", "1", "--limit", "0.01"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "1 thread; median of 1 seeds" in printed[2]
    names, _, row = printed[-3:]
    assert [name for name in learning.CANDIDATES if name not in names] == []
    assert row.startswith("classify 10")
    assert ">0.01 at 0." in row
    assert ">=" in row and "<=" in row
    assert max(len(text) for text in printed[3:]) <= 110


def test_the_second_table_is_of_recurrent_ppo_alone(capsys):
    assert learning.main(["--only", "lag 8", "--seeds", "2", "--long-limit", "0.1"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-4].startswith("recurrent_ppo on longer problems (stock was not run on these)")
    assert printed[-1].split()[:4] == ["echo", "lag", "8", ">0.1"]


def test_ctrl_c_prints_what_is_there(capsys, monkeypatch):
    calls = []

    def make(name, row, seed):
        calls.append(seed)
        if len(calls) == 12:  # the first five warm up
            raise KeyboardInterrupt
        return Quick(name, row, seed)

    for name in learning.CANDIDATES:
        monkeypatch.setitem(learning.CANDIDATES, name, make)
    assert learning.main(["--only", "copy of 5"]) == 130
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.split() == ["copy", "of", "5", *["0.0", "2k"] * 5, *row.split()[-2:]]


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (20.0, 3.0, "6.7"),
        (math.inf, 7.0, ">=17.1"),
        (7.0, math.inf, "<=0.1"),
        (math.inf, math.inf, "-"),
    ],
)
def test_a_ratio_or_its_bound(one, other, text):
    cells = [learning.Cell(120, [learning.Run(each, each, 0.5)]) for each in (one, other)]
    assert learning.ratio(*cells) == text


def test_wrong_options_exit_2(capsys):
    assert learning.main(["--only", "nothing"]) == learning.main(["--seeds", "0"]) == 2
    assert "--only must be part of one of echo lag 4" in capsys.readouterr().err

"""The benchmark of generation: its candidates give the same batches, and a row is printed."""

import re
from itertools import islice

import numpy as np
import pytest

import seqenvs
from benchmarks import generation

TINY = ["--batch", "3", "--rounds", "1", "--seconds", "0.001"]
MORE = ("SeqNextHard-v0", "SeqRecallMedium-v0", "SeqEchoMedium-v0", "SeqCopyMedium-v0")


def test_it_prints_a_row_for_each_id(capsys):
    assert generation.main(TINY) == 0
    head, _, names, *rows = capsys.readouterr().out.splitlines()
    assert "batches of 3" in head and "'one_hot'" in head and "median of 1 rounds" in head
    assert [row.split()[0] for row in rows] == list(generation.IDS)
    assert [len(row.split()) for row in rows] == [len(names.split()) + 1] * len(rows)
    figures = r" *\d+\.\d\dM" + r" *\d+\.\d\d" * 4 + r" *\d+\.\d\dM"
    assert all(re.fullmatch(figures, row.removeprefix(row.split()[0])) for row in rows)
    assert max(map(len, [names, *rows])) <= 100


@pytest.mark.parametrize("encoding", ["one_hot", "index", "normalized"])
@pytest.mark.parametrize("id", [*generation.IDS, *MORE])
def test_all_but_the_floor_give_the_same_batches(id, encoding):
    candidates = generation.sources(id, 5, encoding)
    wanted = list(islice(candidates.pop("batches"), 3))
    for batch in islice(candidates.pop("floor"), 3):
        for array, like in zip(batch, wanted[0], strict=True):
            assert (array.shape, array.dtype) == (like.shape, like.dtype)
            assert array.flags.c_contiguous and array.flags.owndata
    assert sorted(candidates) == ["played", "torch", "vector"]
    for source in candidates.values():
        for batch, like in zip(islice(source, 3), wanted, strict=True):
            for array, right in zip(batch, like, strict=True):
                np.testing.assert_array_equal(np.asarray(array), right)
                assert np.asarray(array).dtype == right.dtype


@pytest.mark.parametrize("id", [*generation.IDS, *MORE])
def test_as_many_steps_are_counted_as_were_drawn(id):
    length = next(seqenvs.batches(id, 1)).mask.size
    for source in generation.sources(id, 5, "index").values():
        drawn = []
        counted = generation.draw((drawn.append(batch) or batch for batch in source), 3)
        assert [batch[0].shape[:2] for batch in drawn] == [(5, length)] * 3
        assert counted == 3 * 5 * length


def test_the_floor_draws_what_a_batch_draws():
    """In each of the steps that are drawn a one-hot row holds a single 1, and each symbol comes."""
    for id, steps in [("SeqRecall-v0", 1), ("SeqEcho-v0", 10), ("SeqCopy-v0", 5)]:
        problem = seqenvs.SequenceEnv(f"seqenvs.problems:{id[3:-3]}").problem
        one, other = islice(generation.floor(problem, 200, "one_hot"), 2)
        assert (one[0][:, :steps].sum(axis=-1) == 1).all()
        assert one[0][:, :steps].any(axis=(0, 1)).all()
        assert [(one[0] != other[0])[:, step].any() for step in range(steps)] == [True] * steps
        np.testing.assert_array_equal(one[0][:, steps:], other[0][:, steps:])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ids", "SeqEchoo-v0"], "SeqEchoo"),
        (["--ids", "SeqEcho-v0", "CartPole-v1"], "encoding"),
        (["--ids", "no_such_module:SeqEcho-v0"], "no_such_module"),
        (["--encoding", "morse"], "encoding must be one of"),
        (["--batch", "0"], "batch_size must be"),
        (["--rounds", "0"], "above 0"),
        (["--seconds", "0"], "above 0"),
    ],
)
def test_wrong_options_exit_2_in_one_line(arguments, said, capsys, monkeypatch):
    monkeypatch.delattr(generation, "measure")
    with pytest.raises(SystemExit, match="2"):
        generation.main(arguments)
    printed = capsys.readouterr()
    *_, last = printed.err.splitlines()
    assert last.startswith("python -m benchmarks.generation: error: ") and said in last
    assert not printed.out


def test_ctrl_c_ends_it(capsys, monkeypatch):
    measured = []

    def measure(loops, rounds, seconds):
        if measured:
            raise KeyboardInterrupt
        measured.append(loops)
        return {name: [1e6] for name in loops}

    monkeypatch.setattr(generation, "measure", measure)
    assert generation.main(TINY) == 130
    *_, row, last = capsys.readouterr().out.splitlines()
    assert row.split() == ["SeqNext-v0", "1.00M", *["1.00"] * 4, "0.11M"]
    assert last.startswith("Interrupted")

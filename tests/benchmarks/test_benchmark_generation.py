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
    head, _, _, names, *rows = capsys.readouterr().out.splitlines()
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
    assert generation.draw(iter(wanted), 3) == 3 * wanted[0].mask.size
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
        (["--ids", "SeqEcho-v0", "CartPole-v1"], "encoding"),
        (["--encoding", "morse"], "encoding must be one of"),
        (["--batch", "0"], "batch_size must be"),
        (["--rounds", "0"], "must be an int, at least 1"),
    ],
)
def test_wrong_options_exit_2(arguments, said, capsys):
    assert generation.main(arguments) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]

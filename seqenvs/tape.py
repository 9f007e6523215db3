"""Episodes laid end to end, time-major: what environments and data sets read.

`EpisodeStream` is the endless list of episodes that one generator gives. Every reader takes
episodes from it in order, so that the same seed gives the same episodes to a single
environment, to N streams and to a data set. `Tape` lays them end to end in N streams, of which
every one moves by one row a step.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqenvs.bounds import answer_parts

if TYPE_CHECKING:
    from seqenvs.problem import Problem

# Steps drawn at once, whoever reads: part of the data's definition, like the rule itself.
DRAW_STEPS = 1 << 15


class Strip(NamedTuple):
    """Episodes side by side, one a column; R is the longest possible episode's steps and one more.

    ``due``, ``worth`` and ``last`` are (R, 1) where all columns agree, which numpy broadcasts.

    Attributes:
        inputs: (R, B) or (R, B, F); blank below an episode's end.
        targets: (R, B) or (R, B, K).
        due: (R, B) or (R, 1) bool, whether an answer is due.
        worth: (R, B) or (R, 1) float64, what a right answer is worth.
        last: (R, B) or (R, 1) bool, whether the episode ends with this step.
        lengths: (B,) int64.
    """

    inputs: Any
    targets: Any
    due: Any
    worth: Any
    last: Any
    lengths: Any

    def columns(self, start: int, stop: int) -> Strip:
        """The episodes start .. stop - 1, as views."""
        *rows, lengths = self
        some = (a[:, start:stop] if a.shape[1] > 1 else a for a in rows)
        return Strip(*some, lengths[start:stop])

    def rows(self, start: int, stop: int) -> Strip:
        """The rows start .. stop - 1, as views."""
        return Strip(*(a[start:stop] for a in self[:5]), self.lengths)

    @staticmethod
    def stack(strips: list[Strip]) -> Strip:
        """Lay strips of the same streams below each other; the lengths are the first one's."""
        stacked = []
        for arrays in zip(*(strip[:5] for strip in strips), strict=True):
            width = max(a.shape[1] for a in arrays)
            full = [np.broadcast_to(a, (len(a), width, *a.shape[2:])) for a in arrays]
            stacked.append(np.concatenate(full))
        return Strip(*stacked, strips[0].lengths)

    @staticmethod
    def join(strips: list[Strip]) -> Strip:
        """Lay strips beside each other."""
        if len(strips) == 1:
            return strips[0]
        joined = []
        for arrays in zip(*strips, strict=True):
            first = arrays[0]
            shared = first.ndim == 2 and all(a.shape == (len(first), 1) for a in arrays)
            if shared and all(np.array_equal(a, first) for a in arrays):
                joined.append(first)
                continue
            full = [
                np.broadcast_to(a, (len(a), len(strip.lengths))) if a.ndim == 2 else a
                for a, strip in zip(arrays, strips, strict=True)
            ]
            joined.append(np.concatenate(full, axis=min(1, first.ndim - 1)))
        return Strip(*joined)


class EpisodeStream:
    """The endless list of a problem's episodes that a generator gives.

    Args:
        problem: The problem.
        rng: The generator, used by nobody else from here on.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.problem = problem
        self.rng = rng
        self.rows = problem.num_steps[1] + 1
        self._strip: Strip | None = None
        self._next = 0

    def take(self, size: int) -> Strip:
        """Take the next ``size`` episodes."""
        strips = []
        while size > 0:
            if self._strip is None or self._next == len(self._strip.lengths):
                self._strip, self._next = self._draw(), 0
            stop = min(self._next + size, len(self._strip.lengths))
            strips.append(self._strip.columns(self._next, stop))
            size -= stop - self._next
            self._next = stop
        return Strip.join(strips)

    def give_back(self, strip: Strip) -> None:
        """Put episodes back that were taken and not played, to be taken next."""
        if self._strip is None or self._next == len(self._strip.lengths):
            self._strip = strip
        else:
            rest = self._strip.columns(self._next, len(self._strip.lengths))
            self._strip = Strip.join([strip, rest])
        self._next = 0

    def _draw(self) -> Strip:
        size = max(1, DRAW_STEPS // (self.rows - 1))
        return lay_out(self.problem, self.problem.batch(self.rng, size))


def lay_out(problem: Problem, batch: Any) -> Strip:
    """Turn a batch into a strip: pad it to the longest episode and one blank row."""
    steps, size = batch.mask.shape
    rows = problem.num_steps[1] + 1

    def pad(array: Any, fill: Any = 0) -> Any:
        padded = np.full((rows, *array.shape[1:]), fill, array.dtype)
        padded[:steps] = array
        return padded

    due = batch.mask
    last = np.arange(steps)[:, None] == batch.lengths - 1
    if size > 1 and (due == due[:, :1]).all() and (last == last[:, :1]).all():
        due, last = due[:, :1], last[:, :1]
    return Strip(
        pad(batch.inputs, problem.shown.blank),
        pad(batch.targets),
        pad(due),
        pad(answer_parts(due)),
        pad(last),
        batch.lengths,
    )


class Tape:
    """N streams of episodes laid end to end; one cursor moves by one row a step in all of them.

    `restart` begins it.

    Args:
        stream: Where episodes come from.
        num_streams: N.
        gap: Blank rows between an episode and the next; None if the next is laid only when asked.

    Attributes:
        window: The rows from some way above the cursor to some way below it.
        row: The cursor, an index into the window's rows.
        ends: The window's rows with which an episode may end.
    """

    window: Strip
    row: int
    ends: set[int]

    def __init__(self, stream: EpisodeStream, num_streams: int, gap: int | None) -> None:
        self.stream = stream
        self.num_streams = num_streams
        self.gap = gap
        self._aligned = stream.problem.num_steps[0] == stream.problem.num_steps[1]
        self._starts: Any = None  # (N,), the row at which each stream's next episode begins
        self._next_start = 0
        self._unplayed: list[tuple[int, Strip]] = []  # laid below the cursor, and at which row
        self._writable = False  # the window is no view of the stream's episodes
        self.row = 0

    def restart(self, given: Strip | None = None) -> None:
        """Begin all streams anew, with the given episodes or the next N; the next ones follow."""
        for row, strip in reversed(self._unplayed):
            if row > self.row:
                self.stream.give_back(strip)
        self._unplayed = []
        strip = self.stream.take(self.num_streams) if given is None else given
        self.row = 0
        self.ends = set((np.unique(strip.lengths) - 1).tolist())
        self.window = strip
        self._writable = False
        self._starts = None
        self._next_start = sys.maxsize
        if self.gap is not None:
            self._starts = strip.lengths + self.gap
            self._next_start = int(self._starts.min())
        self._aligned = len(self.ends) == 1 and self.stream.rows - 1 == self.stream.problem.num_steps[0]
        if self._aligned:
            self.window = strip.rows(0, self._next_start)

    def restart_some(self, streams: Any) -> None:
        """Lay fresh episodes into some streams, (N,) bool, from the cursor's row on. Needs no gap."""
        if streams.all():
            self.restart()
        else:
            self._aligned = False
            self._lay(np.flatnonzero(streams), self.row)

    def peek(self, rows: int) -> Strip:
        """The ``rows`` rows from the cursor on, as views; lays what is missing."""
        while self._next_start < self.row + rows:
            self._lay_next(rows)
        return self.window.rows(self.row, self.row + rows)

    def advance(self, rows: int = 1) -> None:
        """Move the cursor down over rows that exist, to one that exists then."""
        self.row += rows
        while self._next_start <= self.row:
            self._lay_next(1)

    def _lay_next(self, rows: int) -> None:
        """Lay the episodes that begin soonest, and if all streams are in step, more of them at once."""
        if not self._aligned:
            self._lay(np.flatnonzero(self._starts == self._next_start), self._next_start)
            return
        if self.row >= self._next_start:
            self.restart()
            return
        period = self.stream.rows - 1 + self.gap
        rounds = -(-(self.row + rows - self._next_start) // period)
        strips = [self.stream.take(self.num_streams) for _ in range(rounds)]
        kept = self.window.rows(self.row, self._next_start)
        self.window = Strip.stack([kept, *(strip.rows(0, period) for strip in strips)])
        self._shift(self.row)
        for strip in strips:
            self._unplayed.append((self._next_start, strip))
            self.ends.add(self._next_start + period - self.gap - 1)
            self._next_start += period
        self._starts = np.full(self.num_streams, self._next_start)

    def _lay(self, streams: Any, row: int) -> None:
        """Lay the next episodes into these streams, in their order, from this row on."""
        depth = self.stream.rows
        if row + depth > len(self.window.inputs) or not self._writable:
            row = self._make_room(row)
        strip = self.stream.take(len(streams))
        for array, fresh in zip(self.window[:5], strip[:5], strict=True):
            array[row : row + depth, streams] = fresh
        self._unplayed = [(at, laid) for at, laid in self._unplayed if at > self.row]
        self._unplayed.append((row, strip))
        self.ends.update((row + np.unique(strip.lengths) - 1).tolist())
        if self.gap is not None:
            self._starts[streams] = row + strip.lengths + self.gap
            self._next_start = int(self._starts.min())

    def _make_room(self, row: int) -> int:
        """Drop the rows above the cursor and append blank ones; gives the row's new index."""
        kept = self.window.rows(self.row, len(self.window.inputs))
        size = max(4 * self.stream.rows, row - self.row + 2 * self.stream.rows)
        arrays = []
        for index, array in enumerate(kept[:5]):
            shape = (size, self.num_streams, *array.shape[2:])
            fill = self.stream.problem.shown.blank if index == 0 else 0
            arrays.append(np.full(shape, fill, array.dtype))
            arrays[-1][: len(array)] = array
        shift = self.row
        self._shift(shift)
        self.window = Strip(*arrays, kept.lengths)
        self._writable = True
        return row - shift

    def _shift(self, rows: int) -> None:
        """Count rows from the cursor's on."""
        self.row -= rows
        self.ends = {end - rows for end in self.ends if end >= rows}
        self._unplayed = [(at - rows, strip) for at, strip in self._unplayed]
        if self.gap is not None:
            self._next_start -= rows
            self._starts = self._starts - rows

"""The render modes, and the episodes that a vector environment keeps to render them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqenvs.rendering.text import current_text
from seqenvs.rendering.trace import Trace
from seqenvs.validation import check_choice

if TYPE_CHECKING:
    from seqenvs.episodes import Rows
    from seqenvs.problem import Problem

RENDER_MODES = ("ansi", "rgb_array")


def render(trace: Trace, mode: str) -> Any:
    """Draw an episode up to the current time step, without its future inputs and targets.

    An episode that is too long for one picture is cut: the last time steps are drawn, and the
    number of earlier ones is written.

    Returns:
        For ``"ansi"`` a string of about 100 columns at most, without control characters. For
        ``"rgb_array"`` an (H, W, 3) uint8 array. H and W are even, as video encoders require, and
        the same for all steps and episodes of a problem.

    Raises:
        ValueError: ``mode`` is not one of `RENDER_MODES`.
        ImportError: ``mode`` is ``"rgb_array"`` and Pillow is not installed.
    """
    if check_choice("mode", mode, RENDER_MODES) == "ansi":
        return current_text(trace)
    from seqenvs.rendering.pixels import current_picture

    return current_picture(trace)


class TraceRecorder:
    """Keeps the traces of N sub-environments.

    With a ``_list`` at the end of ``render_mode``, the frames of all steps since the episode began,
    or since the last `render`, are rendered and kept.
    """

    def __init__(self, name: str, problem: Problem, num_envs: int, render_mode: str) -> None:
        self.name = name
        self.problem = problem
        self.render_mode = render_mode.removesuffix("_list")
        self.traces: list[Any] = [None] * num_envs
        self._frames: list[list[Any]] | None = None
        if render_mode.endswith("_list"):
            self._frames = [[] for _ in range(num_envs)]

    def begin(self, envs: Any, rows: Rows) -> None:
        """Begin episodes where ``envs``, (N,) bool; ``rows`` hold at least all their steps."""
        for i in np.flatnonzero(envs).tolist():
            columns = [array[:, i if array.shape[1] > 1 else 0] for array in rows]
            steps = int(columns[-1].argmax()) + 1
            inputs, targets, weight = (column[:steps] for column in columns[:-1])
            self.traces[i] = Trace(self.name, self.problem, inputs, targets, weight > 0, weight, [])
            if self._frames is not None:
                self._frames[i] = []
                self._add_frame(i)

    def record(self, rows: Rows, actions: Any, ended: Any, same_step: bool) -> None:
        """Keep the (K, N, ...) actions of K steps, and begin the episodes that begin meanwhile.

        ``rows`` begin at the first of these steps and go on beyond the end of all episodes.
        ``ended``, (N,) bool or None, says which episodes had ended before. With ``same_step``, the
        step that ends an episode also begins the next one.
        """
        size = len(self.traces)
        ended = np.zeros(size, bool) if ended is None else ended
        for k, given in enumerate(np.array(actions)):
            for i in np.flatnonzero(~ended).tolist():
                self.traces[i].answers.append(given[i])
                if self._frames is not None:
                    self._add_frame(i)
            last = np.broadcast_to(rows.last[k], size)
            self.begin(last if same_step else ended, rows.part(k + 1, len(rows.last)))
            ended = last

    def render(self) -> tuple[Any, ...]:
        """Return a frame for each sub-environment, or the list of those that were kept."""
        if self._frames is None:
            return tuple(render(trace, self.render_mode) for trace in self.traces)
        frames, self._frames = self._frames, [[] for _ in self._frames]
        return tuple(frames)

    def _add_frame(self, index: int) -> None:
        assert self._frames is not None
        self._frames[index].append(render(self.traces[index], self.render_mode))

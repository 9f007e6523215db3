"""The render modes, and the function that draws an episode in one of them."""

from __future__ import annotations

from typing import Any

from seqenvs.rendering.pixels import current_picture
from seqenvs.rendering.text import current_text
from seqenvs.rendering.trace import Trace

RENDER_MODES = ("ansi", "rgb_array")


def render(trace: Trace, mode: str) -> Any:
    """Draw an episode up to the current time step, without its future inputs and targets.

    An episode that is too long for one picture is cut: the last time steps are drawn, and the
    number of earlier ones is written.

    Args:
        trace: The episode and the answers so far.
        mode: ``"ansi"`` or ``"rgb_array"``.

    Returns:
        For ``"ansi"`` a string of about 100 columns at most, without control characters. For
        ``"rgb_array"`` an (H, W, 3) uint8 array. H and W are even, as video encoders require, and
        the same for all steps and episodes of a problem.

    Raises:
        ValueError: ``mode`` is not one of `RENDER_MODES`.
        ImportError: ``mode`` is ``"rgb_array"`` and Pillow is not installed.
    """
    if mode not in RENDER_MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, RENDER_MODES))}, got {mode!r}")
    return current_text(trace) if mode == "ansi" else current_picture(trace)

"""Draw an episode and the agent's answers as text or as an image (`seqenvs.rendering.pixels`)."""

from seqenvs.rendering.recorder import RENDER_MODES, TraceRecorder, render
from seqenvs.rendering.text import whole_text
from seqenvs.rendering.trace import Trace

__all__ = ["RENDER_MODES", "Trace", "TraceRecorder", "render", "whole_text"]

"""Draw an episode and the agent's answers as text or as an image."""

from seqenvs.rendering.modes import RENDER_MODES, render
from seqenvs.rendering.pixels import whole_picture
from seqenvs.rendering.recorder import TraceRecorder
from seqenvs.rendering.text import whole_text
from seqenvs.rendering.trace import Trace

__all__ = ["RENDER_MODES", "Trace", "TraceRecorder", "render", "whole_picture", "whole_text"]

"""Train an agent in a run folder, with a progress bar, checkpoints and TensorBoard logs."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import configure
from tqdm import tqdm

from agents.config import Settings
from agents.training import run_folder
from agents.training.curve import draw_curve
from agents.training.loop import Row, Training
from seqenvs.files import write_atomically

SAVE_SECONDS = 10.0  # between checkpoints, and between lines where there is no progress bar


def save(training: Training, folder: Path) -> None:
    """Write all files of a run, first the checkpoint."""
    training.save(folder / run_folder.CHECKPOINT)
    learner = training.learner
    write_atomically(folder / learner.model_file, learner.save_model)
    run_folder.write_rows(folder / run_folder.CURVE, Row._fields, training.curve)
    draw_curve(
        folder / run_folder.PICTURE, title(training.settings), training.curve, training.bounds
    )


def title(settings: Settings) -> str:
    """Return the environment, its parameters and the agent in one line."""
    parameters = (f"{name}={value!r}" for name, value in settings.kwargs.items())
    return "  ".join([settings.id, *parameters, settings.agent])


class _StopRequest:
    """Makes Ctrl-C a request to stop after the present update; a second one interrupts at once."""

    made = False

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def __enter__(self) -> _StopRequest:
        self._previous = signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _request(self, *_: object) -> None:
        if self.made:
            raise KeyboardInterrupt
        self.made = True
        if not self._quiet:
            tqdm.write(
                "Stopping after this update (Ctrl-C again: stop now, at the last checkpoint)"
            )


def train(training: Training, folder: Path, *, quiet: bool = False) -> None:
    """Train until the target, the last step or Ctrl-C. The folder is complete in any case.

    Args:
        training: A new or resumed training run.
        folder: Its run folder.
        quiet: Print nothing.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed. The run can be resumed.
    """
    logger = configure(str(folder / "tensorboard"), ["tensorboard"])
    saved = shown = time.monotonic()
    with _StopRequest(quiet) as stop, _progress_bar(training, quiet) as bar:
        save(training, folder)
        for row in training.run():
            for name in ("mean_return", "success_rate", "memory_score"):
                if getattr(row, name) is not None:
                    logger.record(f"rollout/{name}", getattr(row, name))
            logger.dump(row.steps)
            now = time.monotonic()
            bar.set_postfix_str(_describe(row), refresh=False)
            bar.update(min(row.steps, training.settings.steps) - bar.n)
            if not quiet and bar.disable and now - shown > SAVE_SECONDS:
                shown = now
                print(
                    f"{row.steps:>11,} steps  {row.seconds:>6.0f} s  {_describe(row)}", flush=True
                )
            if now - saved > SAVE_SECONDS:
                save(training, folder)
                saved = time.monotonic()
            if stop.made:
                break
        save(training, folder)
    logger.close()
    if stop.made and not training.finished:
        raise KeyboardInterrupt


def _progress_bar(training: Training, quiet: bool) -> tqdm[Any]:
    return tqdm(
        total=training.settings.steps,
        initial=min(training.learner.steps, training.settings.steps),
        disable=True if quiet else None,  # None: disabled where the output is not a terminal
        dynamic_ncols=True,
        bar_format="{n:,}/{total:,} steps |{bar}| {elapsed}{postfix}",
        leave=False,
    )


def _describe(row: Row) -> str:
    score = "" if row.memory_score is None else f"  memory {row.memory_score:.3f}"
    return f"return {row.mean_return:.3f}{score}"

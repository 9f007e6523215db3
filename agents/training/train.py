"""Train an agent in a run folder, with a progress bar, checkpoints and TensorBoard logs."""

from __future__ import annotations

import csv
import signal
import time
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import configure
from tqdm import tqdm

from agents.learners import ReferenceAgent, Row
from agents.training import run_folder
from agents.training.curve import draw_curve
from seqenvs.files import write_atomically

SAVE_SECONDS = 10.0  # between checkpoints, and between lines where there is no progress bar


def save(agent: ReferenceAgent, folder: Path) -> None:
    """Write all files of a run, first the checkpoint."""
    agent.save(folder / run_folder.CHECKPOINT)
    write_atomically(folder / agent.model_file, agent.save_model)
    write_atomically(folder / run_folder.CURVE, lambda file: _write_curve(agent, file))
    settings = agent.settings
    parameters = (f"{name}={value!r}" for name, value in settings.kwargs.items())
    title = "  ".join([settings.id, *parameters, settings.agent])
    draw_curve(folder / run_folder.PICTURE, title, agent.rows, agent.bounds)


def _write_curve(agent: ReferenceAgent, path: Path) -> None:
    """Write the learning curve as CSV, in which None is an empty cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([Row._fields, *agent.rows])


class _StopRequest:
    """Makes Ctrl-C a request to stop after the present update; a second one interrupts at once."""

    made = False

    def __enter__(self) -> _StopRequest:
        self._previous = signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _request(self, *_: object) -> None:
        if self.made:
            raise KeyboardInterrupt
        self.made = True
        tqdm.write("Stopping after this update (Ctrl-C again: stop now, at the last checkpoint)")


def train(agent: ReferenceAgent, folder: Path) -> None:
    """Train until the target, the last step or Ctrl-C. The folder is complete in any case.

    Args:
        agent: An agent that was started or loaded.
        folder: Its run folder.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed. The run can be resumed.
    """
    logger = configure(str(folder / "tensorboard"), ["tensorboard"])
    saved = shown = time.monotonic()
    with _StopRequest() as stop, _progress_bar(agent) as bar:
        save(agent, folder)
        for row in agent.run():
            for name in ("mean_return", "success_rate", "memory_score"):
                if getattr(row, name) is not None:
                    logger.record(f"rollout/{name}", getattr(row, name))
            logger.dump(row.steps)
            now = time.monotonic()
            bar.set_postfix_str(_describe(row), refresh=False)
            bar.update(min(row.steps, agent.settings.steps) - bar.n)
            if bar.disable and now - shown > SAVE_SECONDS:
                shown = now
                print(
                    f"{row.steps:>11,} steps  {row.seconds:>6.0f} s  {_describe(row)}", flush=True
                )
            if now - saved > SAVE_SECONDS:
                save(agent, folder)
                saved = time.monotonic()
            if stop.made:
                break
        save(agent, folder)
    logger.close()
    if stop.made and not agent.finished:
        raise KeyboardInterrupt


def _progress_bar(agent: ReferenceAgent) -> tqdm[Any]:
    return tqdm(
        total=agent.settings.steps,
        initial=min(agent.steps, agent.settings.steps),
        disable=None,  # disabled where the output is not a terminal
        dynamic_ncols=True,
        bar_format="{n:,}/{total:,} steps |{bar}| {elapsed}{postfix}",
        leave=False,
    )


def _describe(row: Row) -> str:
    score = "" if row.memory_score is None else f"  memory {row.memory_score:.3f}"
    return f"return {row.mean_return:.3f}{score}"

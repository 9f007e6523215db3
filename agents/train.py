"""Recurrent PPO, trained on the native vector environment; interrupted and resumed without loss."""

from __future__ import annotations

import io
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecMonitor
from tqdm import tqdm

from agents import run_folder
from agents.curve import Row, draw_curve
from agents.settings import Settings
from seqenvs import Bounds, Problem
from seqenvs.adapters.sb3 import make_sb3_env
from seqenvs.bounds import known_bounds

WINDOW = 1000  # episodes over which the mean return decides that training is over
CHECKPOINT_SECONDS = 10.0


@dataclass
class Training:
    """A training under way.

    Attributes:
        settings: What it is made of.
        model: The agent, with its optimizer.
        env: The training environment, which the agent plays.
        curve: A point for each update.
        saved_steps: How many steps the last checkpoint holds.
    """

    settings: Settings
    model: RecurrentPPO
    env: VecMonitor
    curve: list[Row]
    saved_steps: int = 0

    @property
    def problem(self) -> Problem:
        """The problem that is learned."""
        problem: Problem = self.env.get_attr("problem")[0]
        return problem

    @property
    def recent_return(self) -> float | None:
        """Mean return of the last episodes, once there are enough to judge by."""
        recent = self.model.ep_info_buffer
        if recent is None or len(recent) < WINDOW:
            return None
        return float(np.mean([episode["r"] for episode in recent]))

    @property
    def reached_target(self) -> bool:
        """Whether there is nothing left to learn."""
        return self.recent_return is not None and self.recent_return >= self.settings.target

    @property
    def finished(self) -> bool:
        """Whether the training is over."""
        return self.reached_target or self.model.num_timesteps >= self.settings.steps


def start(settings: Settings) -> Training:
    """Begin a training; raises what ``gymnasium.make_vec`` raises."""
    _use_one_thread()
    env = make_sb3_env(settings.id, settings.num_envs, **settings.kwargs)
    assert isinstance(env, VecMonitor)
    longest = env.get_attr("problem")[0].num_steps[1]
    # Long enough for an episode to end in each stream, and where all are as long, whole ones: an
    # update then sees each from its start, with no stale state to begin from.
    rollout = longest * -(-settings.rollout // longest)
    model = RecurrentPPO(
        "MlpLstmPolicy",
        env,
        n_steps=rollout,
        batch_size=-(-rollout * settings.num_envs // settings.minibatches),
        n_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        gamma=settings.gamma,
        ent_coef=settings.entropy,
        policy_kwargs={
            "lstm_hidden_size": settings.lstm_size,
            "shared_lstm": True,
            "enable_critic_lstm": False,
            "log_std_init": settings.log_std,
        },
        stats_window_size=WINDOW,
        seed=settings.seed,
        device="cpu",
    )
    return Training(settings, model, env, [])


def resume(folder: Path, settings: Settings) -> Training:
    """Go on from a folder's checkpoint; ``settings`` may have other ``steps`` and ``target``."""
    _use_one_thread()
    checkpoint = run_folder.read_checkpoint(folder)
    env = VecMonitor(checkpoint["env"])
    env.episode_returns, env.episode_lengths, env.episode_count = checkpoint["monitor"]
    model = RecurrentPPO.load(
        io.BytesIO(checkpoint["model"]), env=env, device="cpu", force_reset=False
    )
    model._last_lstm_states = checkpoint["lstm_states"]  # which SB3 does not save
    random.setstate(checkpoint["random"])
    np.random.set_state(checkpoint["numpy"])
    torch.set_rng_state(checkpoint["torch"])
    return Training(settings, model, env, checkpoint["curve"])


def _use_one_thread() -> None:
    """A network this small is slower on two, and on another number rounds otherwise."""
    torch.set_num_threads(1)


def save(training: Training, folder: Path) -> None:
    """Write all that a run leaves behind. Call it between updates, when the state is whole."""
    model, env = training.model, training.env
    packed = io.BytesIO()
    model.save(packed)
    checkpoint = {
        "model": packed.getvalue(),
        "lstm_states": model._last_lstm_states,
        "env": env.venv,  # VecMonitor itself can't be pickled
        "monitor": (env.episode_returns, env.episode_lengths, env.episode_count),
        "curve": training.curve,
        "random": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
    }
    run_folder.write_checkpoint(folder, checkpoint)
    run_folder.write(folder / run_folder.MODEL, lambda path: path.write_bytes(packed.getvalue()))
    run_folder.write_rows(folder / run_folder.CURVE, Row._fields, training.curve)
    parameters = (f"{name}={value!r}" for name, value in training.settings.kwargs.items())
    title = "  ".join([training.settings.id, *parameters])
    draw_curve(folder / run_folder.PICTURE, title, training.curve, known_bounds(training.problem))
    training.saved_steps = model.num_timesteps


class _StopRequest:
    """Ctrl-C asks to stop after the update under way; a second one interrupts at once."""

    asked = False

    def __enter__(self) -> _StopRequest:
        self._previous = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        tqdm.write(
            "Stopping after this update (Ctrl-C again: at once, back to the last checkpoint)"
        )


def train(training: Training, folder: Path) -> None:
    """Train until the target, the last step or Ctrl-C, and leave the folder complete.

    Raises:
        KeyboardInterrupt: Ctrl-C; the folder is complete and can be resumed.
    """
    model, settings = training.model, training.settings
    model.set_logger(configure(str(folder / "tensorboard"), ["tensorboard"]))
    bounds = known_bounds(training.problem)
    before = training.curve[-1].seconds if training.curve else 0.0
    began = saved = shown = time.monotonic()
    with _StopRequest() as stop, _progress_bar(training) as bar:
        save(training, folder)
        while not (training.finished or stop.asked):
            episodes = training.env.episode_count
            model.learn(model.n_steps * settings.num_envs, reset_num_timesteps=False)
            now = time.monotonic()
            ended = training.env.episode_count - episodes
            training.curve.append(_row(training, before + now - began, ended, bounds))
            bar.set_postfix_str(_describe(training.curve[-1]), refresh=False)
            bar.update(min(model.num_timesteps, settings.steps) - bar.n)
            if bar.disable and now - shown > CHECKPOINT_SECONDS:
                shown = now
                row = training.curve[-1]
                print(
                    f"{row.steps:>11,} steps  {row.seconds:>6.0f} s  {_describe(row)}", flush=True
                )
            if now - saved > CHECKPOINT_SECONDS:
                save(training, folder)
                saved = time.monotonic()
        save(training, folder)
    model.logger.close()
    if stop.asked and not training.finished:
        raise KeyboardInterrupt


def _row(training: Training, seconds: float, ended: int, bounds: Bounds | None) -> Row:
    model = training.model
    returns = [episode["r"] for episode in model.ep_info_buffer or ()][-ended:]
    mean_return = float(np.mean(returns))
    score = None
    if bounds is not None and bounds.needs_memory:
        score = round(bounds.memory_score(mean_return), 6)
    return Row(
        steps=model.num_timesteps,
        seconds=round(seconds, 3),
        episodes=training.env.episode_count,
        mean_return=round(mean_return, 6),
        success_rate=round(float(np.mean(list(model.ep_success_buffer or ())[-ended:])), 6),
        memory_score=score,
    )


def _progress_bar(training: Training) -> tqdm[Any]:
    return tqdm(
        total=training.settings.steps,
        initial=min(training.model.num_timesteps, training.settings.steps),
        disable=None,  # where the output is no terminal, lines are printed instead
        dynamic_ncols=True,
        bar_format="{n:,}/{total:,} steps |{bar}| {elapsed}{postfix}",
        leave=False,
    )


def _describe(row: Row) -> str:
    score = "" if row.memory_score is None else f"  memory {row.memory_score:.3f}"
    return f"return {row.mean_return:.3f}{score}"

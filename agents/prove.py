"""Run every preset with three seeds: `results.json` and docs/presets.md say what they reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from agents.config import Settings
from agents.presets import PRESETS, preset_settings
from agents.study import EPISODES, Result, group, key_of, mean_of, named, read_results, run_all
from agents.training import run_folder

SEEDS = (0, 1, 2)
PAGE = Path(__file__).parent.parent / "docs" / "presets.md"


def all_settings(only: str = "") -> list[Settings]:
    """The runs of the presets in whose name, such as ``SeqEcho-v0 lag=4 lstm``, ``only`` is."""
    return [
        preset_settings(preset.id, preset.kwargs, preset.agent, seed=seed)
        for preset in PRESETS
        if only in f"{named(preset.id, preset.kwargs)} {preset.agent}"
        for seed in SEEDS
    ]


def proven(settings: Settings) -> list[Result]:
    """The shipped results of these settings, with any of the seeds."""
    results = read_results()
    keys = [key_of(replace(settings, seed=seed)) for seed in SEEDS]
    return [results[key] for key in keys if key in results]


def prove(only: str, jobs: int, work: Path) -> bool:
    """Run what has no result yet, and write the page if nothing was left out.

    Returns:
        Whether everything is solved.
    """
    results = list(run_all(all_settings(only), jobs=jobs, work=work).values())
    if not only:
        run_folder.write_text(PAGE, page(results))
    return all(result.solved for result in results)


def page(results: Sequence[Result]) -> str:
    """The table of the presets, in Markdown."""
    lines = [
        "# Presets",
        "",
        "What `python -m agents train ID --agent NAME` uses, and what it reached: medians over the",
        "seeds of steps and of seconds of processor time, and the mean return over",
        f"{EPISODES:,} fresh episodes of each seed. *Solved* is a memory score of at least",
        "0.9, or where no memory is needed, a return of at least 0.99. Every run is a line of",
        "`agents/results.json`.",
        "",
        "Written by `python -m agents prove`, with two runs side by side, one thread each.",
        "",
    ]
    for made in sorted({f"{result.versions}; {result.machine}" for result in results}):
        lines += [made + ".", ""]
    lines += [
        "| environment | agent | steps | seconds | return | memory score | seeds solved |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for same in group(results):
        first = same[0]
        score = "" if first.memory_score is None else f"{mean_of(same, 'memory_score'):.3f}"
        lines.append(
            f"| {named(first.id, first.kwargs)} | {first.agent} "
            f"| {int(median(result.steps for result in same)):,} "
            f"| {median(result.seconds for result in same):.1f} "
            f"| {mean_of(same, 'mean_return'):.4f} | {score} "
            f"| {sum(result.solved for result in same)} of {len(same)} |"
        )
    return "\n".join(lines) + "\n"

"""The report of a benchmark: one page, a Markdown leaderboard, tables and figures.

Needs the extra ``benchmark``.
"""

from __future__ import annotations

from pathlib import Path

from seqenvs.benchmark.report.figures import make_figures, write_figures
from seqenvs.benchmark.report.finding import find
from seqenvs.benchmark.report.page import make_page
from seqenvs.benchmark.report.reading import read_folder
from seqenvs.benchmark.report.tables import make_tables
from seqenvs.benchmark.report.texts import leaderboard
from seqenvs.benchmark.results import ResultError
from seqenvs.files import write_text

PAGE, LEADERBOARD, TABLES, FIGURES = "index.html", "leaderboard.md", "tables", "figures"


def write_report(folder: Path, out: Path) -> list[Path]:
    """Write the report of a benchmark.

    Args:
        folder: The folder of the benchmark.
        out: The folder of the report, which is made if necessary. It gets the page
            ``index.html``, ``leaderboard.md``, the tables as CSV files in ``tables``, and the
            figures as SVG and PNG files in ``figures``.

    Returns:
        The paths of all files; that of the page is the first.

    Raises:
        ResultError: No result in the folder can be read, or ``out`` cannot be written.
    """
    results = read_folder(folder)
    tables = make_tables(results)
    finding = find(tables)
    figures = make_figures(list(results.agents.agent), tables, finding)
    texts = {
        out / PAGE: make_page(results, tables, finding, figures),
        out / LEADERBOARD: leaderboard(results, tables, finding),
    }
    for name, table in tables.items():
        texts[out / TABLES / f"{name}.csv"] = table.drop(columns="returns", errors="ignore").to_csv(
            index=False
        )
    try:
        for each in (out / TABLES, out / FIGURES):
            each.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            write_text(path, text)
        return [*texts, *write_figures(out / FIGURES, figures)]
    except OSError as error:
        raise ResultError(f"{out} cannot be written: {error}") from error

"""`longwave authority`: what a user's own panel of adopters says of early authority.

Registered on the one command line (`longwave.pipelines.cli`), whose contract it follows. Nothing but the file is read; a home
is needed only as the place of what does not fit in memory, and of panels that a person added (`local_panels`). What is printed
for a person holds the same numbers as the JSON, whose shape `authority_answer` describes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from longwave.pipelines.console import check_out, plain_console, write_out
from longwave.warehouse.home import Home
from rich.table import Table


def authority(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Text with a header, or Parquet: adopter, year, attention[, adoption_year, end_year, field, cluster, place, …].",
        ),
    ],
    json_out: Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write the answer as JSON.")] = None,
    html_out: Annotated[
        Path | None, typer.Option("--html", metavar="OUT", help="Write the answer as one page.")
    ] = None,
) -> None:
    """Read early authority off a panel of adopters: who stays ahead, what an early start goes with, whether quality does.

    One row an adopter and year. Columns: adopter (a name), year, attention (0 or more); adoption_year (empty: never adopted),
    end_year (a dated end: missing is not dead), field (what adopters are compared within), cluster (what they may be alike
    by, such as an owner), place (where names are given again, as call signs are: one name in two places is two adopters).
    Every other column of numbers is held constant, and must be from before the adoption: named by its year (standing_2010),
    else of the year of its row. What was measured from the adoption on alone is refused.

    In place of a file, magazines or platforms: the file in LONGWAVE_HOME/local/magazines or platforms, as its publisher gave
    it. It is read here alone: nothing of it is ever published.

    Who was early by Rogers' categories, and by those of a Bass curve, is told where there is a column adoption_year; the
    half-life of early ranks where at least six later years span two of them, and 100 adopters are seen in each.

    Premiums are per year of earlier adoption, of adopters at least three years old, and never causal. A warning says where
    there are too few adopters to decide anything, and how many would do.

    Parquet, and text over 50 MB, is read out of core: persistence of all adopters, all else of a sample of them.

    Exit codes: 0 read, with or without warnings; 1 the figures are refused; 2 wrong usage.
    """
    from longwave.pipelines.authority_answer import answer, answered
    from longwave.pipelines.intake import NoSuchFile
    from longwave.pipelines.local_panels import LOCAL, local_panel
    from longwave.pipelines.settings import Settings

    for out, option in ((json_out, "--json"), (html_out, "--html")):
        check_out(out, option, file)
    if json_out and html_out and json_out.expanduser().absolute() == html_out.expanduser().absolute():
        raise typer.BadParameter("--json and --html name the same file", param_hint="--html")
    home = Settings().house()
    try:
        if str(file) in LOCAL and not file.exists():
            _check_private((json_out, html_out), home)
            document = answered(local_panel(home.local, str(file)), home.spill)
        else:
            document = answer(file.expanduser(), home.spill)
    except NoSuchFile as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from None
    console = plain_console()
    _print(document)
    if json_out:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_out(json_out, text, "--json")
        console.print(f"JSON: {json_out}")
    if html_out:
        from longwave.reports.authority import page

        write_out(html_out, page(document), "--html")
        console.print(f"page: {html_out}")


def _check_private(outs: tuple[Path | None, Path | None], home: Home) -> None:
    """Refuse to write what rests on private rows into what is published."""
    for out, option in zip(outs, ("--json", "--html"), strict=True):
        where = out.expanduser().resolve() if out else None
        if where and any(where.is_relative_to(site.resolve()) for site in (home.site, home.hosted)):
            raise typer.BadParameter(f"{out} is published, and this rests on rows that may not be", param_hint=option)


def _print(document: dict[str, Any]) -> None:
    """The answer for a person."""
    from longwave.reports.authority import CATEGORY_COLUMNS, COLUMNS, category_tables, facts, heading, tables

    console = plain_console()
    console.print(heading(document))
    for warning in document["warnings"]:
        console.print(f"  warning: {warning}")
    made = [(COLUMNS, *one) for one in tables(document)] + [
        (CATEGORY_COLUMNS, *one) for one in category_tables(document)
    ]
    for columns, title, rows in made:
        table = Table(title, *columns[1:], box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        console.print()
        console.print(table)
    console.print()
    for name, text in facts(document):
        console.print(f"  {name + ':':<28} {text}")

"""The commands that judge a user's own figures: assess.

Registered on the one command line (`longwave.pipelines.cli`), whose contract they follow. What is printed for a person
holds the same numbers as the JSON.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from longwave.pipelines.console import check_out, plain_console, write_out
from longwave.pipelines.settings import Settings
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from longwave.pipelines.assessing import Answer

MOST_TOLD = 3
MOST_LISTED = 30
MOST_INDENTED = 100
LONGEST_HORIZON = 30


class UnitOption(StrEnum):
    """What the values of a user's file are."""

    PERCENT = "percent"
    FRACTION = "fraction"
    COUNT = "count"


def assess(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A text file with a header: year, value[, series][, launch].")
    ],
    launch: Annotated[
        int | None, typer.Option("--launch", metavar="YEAR", min=1000, max=2200, help="Year of launch of every series.")
    ] = None,
    unit: Annotated[
        UnitOption | None,
        typer.Option("--unit", help="percent (of 100), fraction (of 1) or count; asked where unclear."),
    ] = None,
    ceiling: Annotated[
        float | None,
        typer.Option(
            "--ceiling", metavar="C", help="The most there can be, in the unit; 100 for percent, none for counts."
        ),
    ] = None,
    horizon: Annotated[
        int, typer.Option("--horizon", metavar="N", min=1, max=LONGEST_HORIZON, help="Years ahead.")
    ] = 10,
    json_out: Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write the answer as JSON.")] = None,
    html_out: Annotated[
        Path | None, typer.Option("--html", metavar="OUT", help="Write the answer as one page.")
    ] = None,
) -> None:
    """Assess a young medium from its own yearly figures: forecast, settled level, and how much can be known by now.

    Learns from the finished series of the warehouse, so `longwave run` comes first. Separators: comma, semicolon, tab or
    bar; decimal commas, percent signs and gaps are read. What could mean two things is refused with its lines, and with
    what to state: fractions or percent, 1,234 or 1.234. A ripeness needs a launch: --launch, or a column launch.

    Exit codes: 0 assessed, with or without warnings; 1 the figures are refused, or nothing is recorded yet; 2 wrong usage.
    """
    from longwave.pipelines.assessing import answer
    from longwave.pipelines.intake import NoSuchFile
    from longwave.pipelines.intake_series import TwoLaunches

    _check_options(unit, ceiling)
    for out, option in ((json_out, "--json"), (html_out, "--html")):
        check_out(out, option, file)
    if json_out and html_out and json_out.expanduser().absolute() == html_out.expanduser().absolute():
        raise typer.BadParameter("--json and --html name the same file", param_hint="--html")
    console = plain_console()
    try:
        found = answer(
            Settings().house(),
            file.expanduser(),
            unit=unit.value if unit else None,
            ceiling=ceiling,
            launch=launch,
            horizon=horizon,
            told=console.print,
        )
    except NoSuchFile as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from None
    except TwoLaunches as error:
        raise typer.BadParameter(str(error), param_hint="--launch") from None
    _print(console, found.document)
    if json_out:
        write_out(json_out, _json(found.document), "--json")
        console.print(f"JSON: {json_out}")
    if html_out:
        write_out(html_out, _page(found), "--html")
        console.print(f"page: {html_out}")


def _check_options(unit: UnitOption | None, ceiling: float | None) -> None:
    """Refuse a ceiling that no value can have, or that a share cannot have."""
    if ceiling is None:
        return
    from longwave.pipelines.intake_series import LEAST_LEVEL, MOST_LEVEL

    if not LEAST_LEVEL <= ceiling <= MOST_LEVEL:
        said = f"{ceiling:g} is no ceiling; give a number over 0, of at most {MOST_LEVEL:g}"
        raise typer.BadParameter(said, param_hint="--ceiling")
    whole = {UnitOption.PERCENT: 100.0, UnitOption.FRACTION: 1.0}.get(unit) if unit else None
    if whole and ceiling > whole:
        said = f"a share in {unit} is at most {whole:g}; state --unit count if there can be more"
        raise typer.BadParameter(said, param_hint="--ceiling")


def _json(document: dict[str, Any]) -> str:
    """The document, indented where a person might read it."""
    indent = 2 if len(document["series"]) <= MOST_INDENTED else None
    return json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


def _page(found: Answer) -> str:
    import polars as pl
    from longwave.reports.assess import page

    curve = found.curve
    frame = None
    if curve is not None:
        columns = {"information": curve.information, "lo": curve.lo, "hi": curve.hi}
        frame = pl.DataFrame({"age": range(len(curve.information)), **columns}).with_columns(
            pl.col(pl.Float64).fill_nan(None)
        )
    return page(found.document, found.observed, frame)


def _print(console: Console, document: dict[str, Any]) -> None:
    """The answer for a person: a few series in full, many as one line each."""
    given, series = document["input"], document["series"]
    learnt = given["learnt_from"]
    console.print(
        f"{given['series']:,} series, {given['observations']:,} observations in {given['unit']}; learnt from "
        f"{learnt['series']} series, newest vintage {learnt['newest_vintage']}"
    )
    for warning in document["warnings"]:
        console.print(f"  warning: {warning}")
    if len(series) > MOST_TOLD:
        _print_list(console, series, given["unit"])
        return
    for each in series:
        _print_series(console, each, given["unit"])


def _print_series(console: Console, series: dict[str, Any], unit: str) -> None:
    from longwave.reports.assess import amount, between, facts
    from longwave.reports.own_page import visible

    console.print(f"\n{visible(series['series'])}")
    for name, text in facts(series, unit):
        console.print(f"  {name + ':':<24} {text}")
    for warning in series["warnings"]:
        console.print(f"  {'warning:':<24} {warning}")
    if series["forecast"]:
        table = Table("year", "forecast", "50 %", "80 %", "90 %", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for row in series["forecast"]:
            intervals = [between(row["intervals"][level], unit) for level in ("0.5", "0.8", "0.9")]
            table.add_row(str(row["year"]), amount(row["point"], unit), *intervals)
        console.print()
        console.print(table)


def _print_list(console: Console, series: list[dict[str, Any]], unit: str) -> None:
    from longwave.reports.assess import summary_cells

    table = Table(
        "series", "age", "last", "forecast", "settled level", "ripeness", "warnings", box=None, pad_edge=False
    )
    for each in series[:MOST_LISTED]:
        table.add_row(*summary_cells(each, unit))
    console.print()
    console.print(table)
    if len(series) > MOST_LISTED:
        console.print(f"… and {len(series) - MOST_LISTED:,} more: --json OUT has all")

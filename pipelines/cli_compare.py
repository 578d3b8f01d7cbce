"""`longwave compare`: whether presence and outcome go together in a user's own pairs.

Registered on the one command line (`longwave.pipelines.cli`), whose contract it follows. Nothing but the file is read; no
home is needed. What is printed for a person holds the same numbers as the JSON, whose shape `comparing` describes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from longwave.pipelines.console import check_out, plain_console, write_out
from rich.table import Table

if TYPE_CHECKING:
    from longwave.pipelines.comparing import Answer

MOST_INDENTED = 1000


def compare(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A text file with a header: presence, outcome[, adopter, group, cluster, …]."
        ),
    ],
    json_out: Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write the answer as JSON.")] = None,
    html_out: Annotated[
        Path | None, typer.Option("--html", metavar="OUT", help="Write the answer as one page.")
    ] = None,
) -> None:
    """Compare presence and outcome, pair by pair: correlated, equivalent to none, or not decided.

    One row a pair. Columns: presence and outcome (numbers); adopter (a name, each once); group (field or class within which
    a presence is big or small); cluster (what pairs may be alike by, such as an owner); age (years since adoption). Every
    other column of numbers is held constant beside. Ranks are compared, so units do not matter. A missing value is refused.

    That two things do not correlate is said only where 300 pairs or more show it; otherwise a warning says how many would.

    Exit codes: 0 compared, with or without warnings; 1 the figures are refused; 2 wrong usage.
    """
    from longwave.pipelines.comparing import answer
    from longwave.pipelines.intake import NoSuchFile

    for out, option in ((json_out, "--json"), (html_out, "--html")):
        check_out(out, option, file)
    if json_out and html_out and json_out.expanduser().absolute() == html_out.expanduser().absolute():
        raise typer.BadParameter("--json and --html name the same file", param_hint="--html")
    try:
        found = answer(file.expanduser())
    except NoSuchFile as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from None
    console = plain_console()
    _print(found.document)
    if json_out:
        write_out(json_out, _json(found.document), "--json")
        console.print(f"JSON: {json_out}")
    if html_out:
        write_out(html_out, _page(found), "--html")
        console.print(f"page: {html_out}")


def _json(document: dict[str, Any]) -> str:
    """The document, indented where a person might read it."""
    indent = 2 if len(document["percentiles"]) <= MOST_INDENTED else None
    return json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


def _page(found: Answer) -> str:
    from longwave.pipelines.comparing import ranked
    from longwave.reports.compare import MOST_DRAWN, page

    return page(found.document, ranked(found.pairs, MOST_DRAWN))


def _print(document: dict[str, Any]) -> None:
    """The answer for a person."""
    from longwave.reports.compare import cells, facts, heading, lines, sentence

    console = plain_console()
    console.print(f"{heading(document)} ({sentence(document)})")
    for warning in document["warnings"]:
        console.print(f"  warning: {warning}")
    table = Table("", "estimate", "90 %", "95 %", "n", "units", "reading", box=None, pad_edge=False)
    for name, found in lines(document):
        table.add_row(*cells(name, found))
    console.print()
    console.print(table)
    console.print()
    for name, text in facts(document):
        console.print(f"  {name + ':':<28} {text}")

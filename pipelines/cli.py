"""The command line. People script it: what a command takes, prints and returns is a contract.

Exit codes: 0 done; 1 data refused, verification failed or busy; 2 wrong usage.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import nullcontext
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from longwave.pipelines import (
    cli_assess,
    cli_authority,
    cli_capture,
    cli_compare,
    cli_forecast,
    cli_operations,
    cli_upkeep,
)
from longwave.pipelines.console import console_of, outcome_of
from longwave.pipelines.lacking import lacking
from longwave.pipelines.settings import Settings
from longwave.warehouse.errors import LongwaveError
from longwave.warehouse.home import Home, default_home
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

app = typer.Typer(
    name="longwave",
    help=(
        "Archive the yearly figures of how media were taken up, and say with evidence how early anyone could have known.\n\n"
        "All state lives under LONGWAVE_HOME. Exit codes: 0 done; 1 data refused, verification failed or busy; 2 wrong usage."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
founding_app = typer.Typer(
    no_args_is_help=True, help="The embedded facts: build them from original files, or check them."
)
app.add_typer(founding_app, name="founding")
app.command()(cli_capture.refresh)
app.command("export")(cli_capture.export)
app.command("import")(cli_capture.import_)
app.command()(cli_assess.assess)
app.command()(cli_authority.authority)
app.command()(cli_compare.compare)
app.command()(cli_forecast.backtest)
app.command()(cli_upkeep.upkeep)

AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE", help="Only what the sources said by this date, YYYY-MM-DD."),
]


class Form(StrEnum):
    """How `query` prints rows."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def _date(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; write YYYY-MM-DD, such as 2024-06-30") from None


@app.command()
def run(
    as_of: AsOf = None,
    live: Annotated[
        bool, typer.Option("--live", help="Fetch from the sources first; without it, nothing is fetched.")
    ] = False,
) -> None:
    """The main job: observe every source, find, decide the claims, publish the site.

    Uses the captures held. What is unchanged is not done again. With --as-of the study is run as it would have come out on
    that date, in a home of its own, and published to site-asof/DATE/.
    """
    from longwave.pipelines.beside import helper
    from longwave.pipelines.engine import run_job
    from longwave.pipelines.progress import listening
    from longwave.pipelines.refresh import chosen
    from longwave.warehouse.lock import run_lock

    day = _date(as_of)
    if live and day:
        raise typer.BadParameter("what the sources say today is not what they said by a date", param_hint="--live")
    settings = Settings()
    home = settings.house().prepare()
    started = time.monotonic()
    console = console_of()
    console.print(f"longwave: {'asking, ' if live else ''}observing, finding, deciding, publishing …")
    told = listening(console, "sources", len(chosen([]))) if live else nullcontext()
    with run_lock(home.lock, settings.wait), told, helper(settings.engine == "beside"):
        outcome = run_job(home, "run", {"as_of": day or "", "live": live})
    seconds = time.monotonic() - started
    where = Home(home.root / "as-of" / day) if day else home
    site = (home.root / "site-asof" / day if day else home.site) / "index.html"
    _print_run(console, outcome, where, site, seconds)
    troubled = [step.asset for step in outcome.steps if outcome_of(step) in ("failed", "refused")]
    if troubled:
        console.print(
            f"  not renewed: {', '.join(troubled)}; their figures stand as they were (`longwave sources` says why)"
        )
        raise typer.Exit(1)


def _print_run(console: Console, outcome: Any, home: Home, site: Path, seconds: float) -> None:
    from longwave.warehouse.results import standing_claims
    from longwave.warehouse.store import reader

    changed = outcome.changed
    sources = [s for s in outcome.steps if s.asset.startswith("sources/") and s.metadata.get("vintages")]
    fresh = [asset for asset in changed if asset.startswith("sources/")]
    console.print(f"  {len(sources)} sources observed, {len(fresh)} changed")
    if changed:
        console.print(f"  steps done: {', '.join(a for a in changed if not a.startswith('sources/')) or 'none'}")
    else:
        console.print("  nothing changed: every step stands as it was")
    with reader(home) as con:
        entries = standing_claims(con)
    console.print()
    for entry in entries:
        said = f"{entry['verdict']} (on vintages to {entry['decided_on']})"
        console.print(f"  {entry['id']:<4} {said}: {entry['claim']}")
    console.print(f"\n  {seconds:.1f} s\n  site: {site}")


@app.command()
def sources(
    probe: Annotated[bool, typer.Option("--probe", help="Try one live request each; nothing is kept.")] = False,
) -> None:
    """Each source: licence, the date its reader was proven on a real response, newest vintage, coverage, freshness.

    Before the first run only what a source declares is known: its years read "not observed yet". Without --probe nothing is
    asked of anyone. With it, each source is asked once and its answer read; the exit code is 1 if any did not do well.
    """
    from longwave.pipelines.freshness import freshness
    from longwave.pipelines.sources import SOURCES
    from longwave.warehouse.answers import sightings
    from longwave.warehouse.export import catalogue
    from longwave.warehouse.store import reader

    if probe:
        _probe()
        return
    home = Settings().house()
    held: dict[str, Any] = {}
    seen: dict[str, Any] = {}
    if home.read_copy.exists():
        with reader(home) as con:
            held = {str(row["source"]): row for row in catalogue(con)}
            seen = sightings(con)
    columns = ("source", "licence", "proven on", "newest vintage", "years", "rows", "last asked", "state", "next")
    table = Table(*columns, box=None, pad_edge=False)
    for spec in SOURCES.values():
        row = held.get(spec.source, {})
        vintages = row.get("vintages") or [{}]
        years = f"{row['first_year']}–{row['last_year']}" if row.get("first_year") else "not observed yet"
        state = freshness(spec, seen.get(spec.source), datetime.now(UTC).date())
        table.add_row(
            spec.source,
            spec.licence + ("" if spec.redistribute else " (not passed on)"),
            spec.proven or "never",
            vintages[-1].get("vintage", "–"),
            years,
            str(row.get("rows") or "–"),
            state.last_asked,
            state.word,
            state.next_due,
        )
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def _probe() -> None:
    from longwave.pipelines.fetch import Fetcher
    from longwave.pipelines.probe import probe as ask_once
    from longwave.pipelines.refresh import chosen
    from longwave.pipelines.sources import SOURCES

    console, bad = console_of(), 0
    with Fetcher(Settings()) as fetcher:
        for source in chosen([]):
            found = ask_once(SOURCES[source], fetcher, datetime.now(UTC))
            bad += not found.well
            console.print(f"{source}: {'well' if found.well else 'not well'}: {found.said}", markup=False)
    if bad:
        raise typer.Exit(1)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT over the tables and views of the warehouse.")],
    as_of: AsOf = None,
    form: Annotated[Form, typer.Option("--format", help="How to print the rows.")] = Form.TABLE,
) -> None:
    """Ask the warehouse. Read-only and sandboxed: no files, no network, no settings.

    The view `observations` holds one row a series and period: medium, metric, unit, adopter, code, year, value, source,
    vintage, flags. `revisions` holds every change (added, revised, restored, withdrawn), `year_coverage` says which years are
    complete, `observations_as_of(DATE)` reads at a date. `longwave query "describe observations"` lists columns.
    """
    from longwave.warehouse.ask import ask

    day = _date(as_of)
    columns, rows = ask(Settings().house(), sql, day)
    if form is Form.JSON:
        text = json.dumps([dict(zip(columns, row, strict=True)) for row in rows], ensure_ascii=False, default=str)
        sys.stdout.write(text + "\n")
    elif form is Form.CSV:
        import csv

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(["" if value is None else value for value in row] for row in rows)
    else:
        table = Table(*columns, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*["" if value is None else str(value) for value in row])
        Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200).print(table)


@app.command()
def report(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where to write; the home's site/ if not given, with --base-url its site-hosted/.",
        ),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", help="Address of the folder on the host that the site is for."),
    ] = None,
) -> None:
    """Write the site from the results that stand, without running anything else.

    The same results give the same bytes. A folder that stands at --out is replaced as a whole, or left as it was. With
    --base-url each page names its own address, the feed's links are absolute, and sitemap.xml lists all pages; the home's
    own site, which opens from disk, stays as it is.
    """
    from longwave.pipelines.base_url import base_url as checked
    from longwave.pipelines.publish import write_report
    from longwave.warehouse.lock import run_lock

    try:
        where = checked(base_url) if base_url is not None else ""
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--base-url") from None
    settings = Settings()
    home = settings.house()
    with run_lock(home.prepare().lock, settings.wait):
        target = (out or (home.hosted if where else home.site)).expanduser().resolve()
        files = write_report(home, target, where)
    console_of().print(f"{len(files)} files: {target / 'index.html'}")


@app.command()
def verify(
    fast: Annotated[
        bool, typer.Option("--fast", help="Read only what changed, by size and times, since it was last found sound.")
    ] = False,
) -> None:
    """Every byte of the archive against its digests, every founding fact and observation against the capture it points to.

    Changes nothing. Each problem is a line that names file and record, source or capture; with any of them the exit code
    is 1.
    """
    from longwave.pipelines.verify import verify as verify_all

    settings = Settings()
    found = verify_all(settings.house(), settings.founding, fast=fast)
    console = console_of()
    for line in [*found.problems, *found.explained]:
        console.print(line, markup=False)
    if found.problems:
        console.print(
            f"{len(found.problems)} problems in {found.captures} captures and {found.records} archived records"
        )
        raise typer.Exit(1)
    console.print(
        f"{found.captures} captures and {found.records} archived records verified: every byte against its digest, every "
        "version against its capture" + ("; what had not changed since was passed over" if fast else "")
    )


@founding_app.command("build")
def founding_build(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the original files.")],
) -> None:
    """Re-record the embedded facts from a folder of original files, by the sources' own readers.

    The originals are those that originals.csv lists, by their path below DIR. LONGWAVE_FOUNDING names the folder written
    to; without it, the embedded facts themselves are rewritten.
    """
    from longwave.pipelines.founding import build

    settings = Settings()
    rows = build(_folder(folder), settings.founding)
    console_of().print(f"{len(rows)} originals re-recorded in {settings.founding}")


@founding_app.command("check")
def founding_check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the original files.")],
) -> None:
    """Rebuild the embedded facts from a folder of original files, in memory, and compare.

    Writes nothing. Each difference is a line that names the source, the vintage and the original; with any of them the
    exit code is 1.
    """
    from longwave.pipelines.founding import check

    settings = Settings()
    differences = check(_folder(folder), settings.founding)
    console = console_of()
    for difference in differences:
        console.print(difference, markup=False)
    if differences:
        console.print("the embedded facts are not those of these originals; rebuild them: longwave founding build DIR")
        raise typer.Exit(1)
    console.print("the embedded facts are exactly what the readers make of these originals")


def _folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is no folder", param_hint="DIR")
    return folder


app.command()(cli_operations.prune)
app.command()(cli_operations.ui)


def main() -> None:
    """Entry point: expected failures become one message and exit code 1, wrong usage typer's own 2."""
    try:
        app()
    except ValidationError as error:
        wrong = error.errors()[0]
        name = f"LONGWAVE_{str(wrong['loc'][0]).upper()}"
        # These hold secrets; what is wrong with them is said without them.
        given = "not usable" if name in ("LONGWAVE_ALERT_WEBHOOK", "LONGWAVE_POSTGRES") else repr(wrong["input"])
        sys.stderr.write(f"longwave: {name} is {given}: {wrong['msg']}\n")
        sys.exit(2)
    except LongwaveError as error:
        sys.stderr.write(f"longwave: {error}\n")
        sys.exit(1)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # a panic of a library in Rust is no Exception
        if (told := lacking(error, _place())) is None:
            raise
        sys.stderr.write(f"longwave: {told}\n")
        sys.exit(1)


def _place() -> Home:
    """The home, for whom no file can be opened any more: settings look into some."""
    named = os.environ.get("LONGWAVE_HOME", "")
    return Home(Path(named).expanduser() if named else default_home())


if __name__ == "__main__":
    main()

"""The commands that ask the sources and keep what they said: refresh, export, import.

Registered on the one command line (`longwave.pipelines.cli`), whose contract they follow.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from longwave.pipelines.console import console_of, write_summary
from longwave.pipelines.settings import Settings
from longwave.warehouse.home import Home


def refresh(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE …]", help="Which sources; all that can be asked if none.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked; ask nothing, change nothing.")
    ] = False,
    retry: Annotated[
        Path | None,
        typer.Option("--retry", metavar="SUMMARY", help="Only what this run's summary says failed or was refused."),
    ] = None,
    from_archive: Annotated[
        str | None,
        typer.Option("--from-archive", metavar="A..B", help="Recover past vintages of these years from a web archive."),
    ] = None,
    per: Annotated[
        str | None,
        typer.Option("--per", metavar="year", help="With --from-archive: one past vintage a year is enough."),
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option("--accept", metavar="CAPTURE", help="Accept an archived answer that a comparison refused."),
    ] = None,
    why: Annotated[
        str | None, typer.Option("--why", metavar="TEXT", help="With --accept: the reason, kept with it for good.")
    ] = None,
) -> None:
    """Ask the sources, archive what they answer, observe it. Finds and publishes nothing: `longwave run` does.

    A source that has not changed costs one conditional request. A refused answer is kept in the archive, and the figures
    stay as they were; the exit code is then 1. A summary of the run lies in runs/ of LONGWAVE_HOME.
    """
    from longwave.pipelines.refresh import UnknownSource, chosen, recoverable, to_retry

    _refuse_combinations(per, from_archive, accept, why)
    if dry_run and accept:
        raise typer.BadParameter("an acceptance asks nothing; leave one of the two out", param_hint="--dry-run")
    per_year = per == "year"
    try:
        if retry:
            names, from_archive, per_year = to_retry(retry)
        else:
            names = chosen(sources or [])
            # Named sources that no archive can be asked for are an error; among all of them they are passed over.
            names = recoverable(names) if from_archive and not sources else names
    except UnknownSource as error:
        raise typer.BadParameter(str(error), param_hint="--retry" if retry else "SOURCE") from None
    settings = Settings()
    if dry_run:
        _say_plan(settings.house(), names, from_archive, per_year)
        return
    if accept:
        names = [_accept(settings, accept, str(why))]
    if not names:
        console_of().print("nothing to retry: every source of that run was reached and accepted")
        return
    house = {"live": not (from_archive or accept), "from_archive": from_archive or "", "per_year": per_year}
    _run(settings, names, house)


def _refuse_combinations(per: str | None, from_archive: str | None, accept: str | None, why: str | None) -> None:
    from longwave.pipelines.wayback import Years

    if from_archive:
        try:
            Years.parse(from_archive, per_year=False)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--from-archive") from None
    if per not in (None, "year") or (per and not from_archive):
        raise typer.BadParameter("only `--from-archive A..B --per year`", param_hint="--per")
    if bool(accept) != bool(why and why.strip()):
        raise typer.BadParameter("an acceptance needs both: --accept CAPTURE --why TEXT", param_hint="--accept")


def _say_plan(home: Home, names: list[str], from_archive: str | None, per_year: bool) -> None:
    from longwave.pipelines.refresh import planned
    from longwave.pipelines.wayback import Years

    console = console_of()
    years = Years.parse(from_archive, per_year=per_year) if from_archive else None
    for line in planned(home, names, datetime.now(UTC).date(), years):
        console.print(line, markup=False)


def _accept(settings: Settings, identifier: str, why: str) -> str:
    """Write a person's acceptance down, in the index and beside the bytes; returns the answer's source."""
    from longwave.pipelines.capture import accept
    from longwave.pipelines.refresh import utc_now
    from longwave.warehouse.lock import run_lock

    home = settings.house().prepare()
    with run_lock(home.lock, settings.wait):
        return accept(home, identifier, why, utc_now())


def _run(settings: Settings, names: list[str], house: dict[str, Any]) -> None:
    from longwave.pipelines.engine import run_job
    from longwave.pipelines.progress import heard, listening
    from longwave.pipelines.refresh import summarise
    from longwave.warehouse.lock import run_lock

    home, console, started = settings.house().prepare(), console_of(), time.monotonic()
    if not settings.contact and not settings.mirror and (house["live"] or house["from_archive"]):
        console.print("LONGWAVE_CONTACT is not set: publishers see no way to reach whoever runs this")
    run = f"refresh-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    with run_lock(home.lock, settings.wait), listening(console, "sources", len(names)):
        try:
            run_job(home, "refresh", house, names)
        except KeyboardInterrupt:
            console.print(f"interrupted: {len(heard())} of {len(names)} sources done, nothing half-done")
            raise typer.Exit(130) from None
        finally:
            # Whatever ended it: what was done is known, and --retry takes up the rest.
            outcomes = heard()
            summary = summarise(run, names, outcomes, time.monotonic() - started, house)
            path = write_summary(home, run, summary)
            console.print(f"summary: {path}")
    counts = {word: sum(o.outcome == word for o in outcomes) for word in ("changed", "unchanged", "refused", "failed")}
    said = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
    console.print(f"{len(outcomes)} sources: {said}")
    if counts["refused"] or counts["failed"]:
        console.print(f"try those again: longwave refresh --retry {path}")
        raise typer.Exit(1)


def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write; an older export of that name is replaced.")
    ],
) -> None:
    """A private backup of everything in one file: archive, warehouse, registry, your own files, each with its digest.

    A schedule on a hosted machine keeps its archive this way. It holds sources that may not be passed on: what can be
    published is site/data alone.
    """
    from longwave.warehouse.lock import run_lock
    from longwave.warehouse.move import export_home, finish_import

    settings = Settings()
    home = settings.house().prepare()
    with run_lock(home.lock, settings.wait):
        finish_import(home)
        members = export_home(home, file.expanduser())
    console_of().print(f"{len(members)} files, {file.stat().st_size} bytes: {file}")


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An export of longwave.")],
) -> None:
    """Bring an export into an empty LONGWAVE_HOME. Everything in it is verified before anything is put in its place.

    A home that holds something is left as it is, with exit code 1; so is one that a damaged file was brought to.
    """
    from longwave.warehouse.lock import run_lock
    from longwave.warehouse.move import import_home

    settings = Settings()
    home = settings.house().prepare()
    with run_lock(home.lock, settings.wait):
        members = import_home(file.expanduser(), home)
    console_of().print(f"{len(members)} files verified and imported into {home.root}; `longwave run` publishes them")

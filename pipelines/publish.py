"""What a release says, put together from the warehouse's results, and published whole: `site.new`, then a rename.

Words that state a number are made from the number. Nothing here fits anything or draws anything.
"""

from __future__ import annotations

import inspect
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import duckdb
from longwave.models import (
    arrivals,
    channels,
    claims,
    curves,
    forecasters,
    panels,
    persistence,
    ranks,
    revisions,
    ripeness,
    upkeep,
)
from longwave.pipelines.blocks import figure_blocks
from longwave.pipelines.steps import digest_of, facts_digest
from longwave.reports import site as report
from longwave.warehouse import merge, revision_frames, views
from longwave.warehouse import panels as warehouse_panels
from longwave.warehouse.errors import LongwaveError, UnusableHome
from longwave.warehouse.export import catalogue, export_parquet, newest_vintage
from longwave.warehouse.home import Home, disk_trouble
from longwave.warehouse.panels import freeze
from longwave.warehouse.results import capture_contents, launch_facts, standing_claims, unused_series
from longwave.warehouse.store import reader

QUESTION = "When a new medium takes root, how early can anyone know what it will become?"
LEDE = """When a new medium takes root, its early adopters seem to have more authority than they would otherwise be given, and \
skill with the medium passes for expertise. A few years of it show little of its ultimate shape: with radio, television and \
the internet the long-run impact was clear only after a decade or two. Is that so?

This is a study of the yearly figures, as their publishers gave them at the time and as they have been rewritten since. \
Every estimate carries its interval and leads to the files it was read from. Where the evidence does not decide a question, the \
verdict says so."""
HOW_TO_REPRODUCE = "make run"


def assemble(con: duckdb.DuckDBPyConnection, entries: Sequence[Mapping[str, Any]], release: Mapping[str, str]) -> Any:
    """The content of a release.

    Args:
        con: a reader with `standing` frozen.
        entries: the claims' entries of findings.json.
        release: version, newest_vintage, inputs_digest.

    """
    return report.SiteContent(
        question=QUESTION,
        lede=LEDE,
        claims=list(entries),
        figures=figure_blocks(con),
        sources=catalogue(con),
        release=dict(release) | {"how_to_reproduce": HOW_TO_REPRODUCE},
        facts=launch_facts(con).to_dicts(),
        excluded=unused_series(con).to_dicts(),
        methods=_methods(),
    )


# What the methods page says is what the code says of itself: docstrings of the modules and functions that do the work.
_METHODS: dict[str, tuple[Any, ...]] = {
    "How early could anyone have known": (ripeness, ripeness.information_by_age, panels.fixed_sample),
    "What a forecast may see": (forecasters,),
    "Diffusion curves": (curves,),
    "Early lead and later rank": (persistence, ranks, ranks.partial_tau_b, persistence.persistence),
    "How much histories get rewritten": (
        revisions,
        revisions.summary,
        revisions.by_age,
        revisions.since_first_published,
        arrivals,
        arrivals.arrival_thirds,
        arrivals.latecomers,
        revision_frames,
    ),
    "Channel and truth": (channels, channels.differences, channels.association),
    "Relationship upkeep": (upkeep,),
    "Claims and verdicts": (claims,),
    "Launch years and levels": (warehouse_panels,),
    "What was known when": (merge, views),
}
_BOUNDARY = ("Belongs here", "Args:", "Returns:", "Raises:")


def _methods() -> list[tuple[str, list[str]]]:
    """Heading and paragraphs: docstrings without what they say to programmers."""
    return [(title, [text for part in parts for text in _paragraphs(part)]) for title, parts in _METHODS.items()]


def _paragraphs(part: Any) -> list[str]:
    paragraphs = [" ".join(p.split()) for p in (inspect.getdoc(part) or "").split("\n\n")]
    return [p.replace("``", "").replace("`", "") for p in paragraphs if not p.startswith(_BOUNDARY)]


def publish(content: Any, con: duckdb.DuckDBPyConnection, site: Path) -> list[Path]:
    """Write the site beside its place, then put it there by rename; a failure leaves the old site as it was.

    Raises:
        UnusableHome: the folder holds something that is no site of ours, or cannot be written.

    """
    _refuse_foreign(site)
    with disk_trouble(site):
        site.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(site)
        # Both folders have names of their own, so nothing of anyone else's is in the way of a rename.
        working = Path(tempfile.mkdtemp(prefix=f".{site.name}.", dir=site.parent))
        fresh, retired = working / "new", working / "old"
        try:
            _write_pages(content, fresh)
            export_parquet(con, fresh / "data")
            _swap(fresh, site, retired)
        finally:
            shutil.rmtree(working, ignore_errors=True)
    return sorted(path for path in site.rglob("*") if path.is_file())


def _clear_leftovers(site: Path) -> None:
    """Take away the working folders of publications that were killed: ours alone, told by what is in them."""
    for folder in site.parent.glob(f".{site.name}.*"):
        inside = {path.name for path in folder.iterdir()} if folder.is_dir() else {"a file"}
        if inside <= {"new", "old"}:
            shutil.rmtree(folder, ignore_errors=True)


def _write_pages(content: Any, folder: Path) -> None:
    try:
        report.publish(content, folder)
    except report.ContentError as error:
        raise LongwaveError(str(error)) from error


def _swap(fresh: Path, site: Path, retired: Path) -> None:
    if site.exists():
        site.rename(retired)
    try:
        fresh.rename(site)
    except OSError:
        if retired.exists():
            retired.rename(site)
        raise


def _refuse_foreign(site: Path) -> None:
    """A folder with other things in it is never replaced."""
    if site.is_dir() and any(site.iterdir()) and not (site / "findings.json").is_file():
        raise UnusableHome(f"{site} holds files that are no site of longwave; name a new or empty folder")
    if site.exists() and not site.is_dir():
        raise UnusableHome(f"{site} is a file; name a folder")


def release_of(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Version, newest vintage, and digest of the captures' contents and the facts that the results were made from."""
    return {
        "version": metadata.version("longwave"),
        "newest_vintage": str(newest_vintage(con)),
        "inputs_digest": digest_of(facts_digest(), *capture_contents(con)),
    }


def write_report(home: Home, site: Path) -> list[Path]:
    """Publish the results that stand.

    Raises:
        UnusableHome: nothing was found yet, or the folder cannot be written.

    """
    with reader(home) as con:
        freeze(con)
        entries = standing_claims(con)
        if not entries:
            raise UnusableHome(f"no claim was decided in {home.root} yet; start with `longwave run`")
        return publish(assemble(con, entries, release_of(con)), con, site)

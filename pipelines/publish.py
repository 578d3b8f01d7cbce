"""What a release says, put together from the warehouse's results, and published whole: `site.new`, then a rename.

Words that state a number are made from the number. Nothing here fits anything or draws anything.
"""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import duckdb
from longwave.models import (
    arrivals,
    backtest,
    categories,
    channels,
    claims,
    curve_comparison,
    curves,
    fans,
    forecasts_by_age,
    half_life,
    hindsight,
    horizons,
    identification,
    impact,
    mean_ratio,
    noise,
    panels,
    persistence,
    premium,
    presence,
    quality,
    rank_orders,
    rank_pairs,
    ranks,
    reliability,
    revisions,
    ripeness,
    scores,
    selection,
    speed,
    standings,
    top_ranks,
    truncation,
    upkeep,
    visibility,
)
from longwave.pipelines import find_hindsight
from longwave.pipelines.beyond import beyond_one_machine
from longwave.pipelines.blocks import figure_blocks
from longwave.pipelines.blocks_fans import ripeness_clock
from longwave.pipelines.blocks_media import media_pages
from longwave.pipelines.blocks_vintages import said_when
from longwave.pipelines.steps import code_digest, digest_of, facts_digest, folder_digest
from longwave.reports import site as report
from longwave.reports.simulations import Simulated
from longwave.warehouse import curve_frames, merge, revision_frames, views
from longwave.warehouse import panels as warehouse_panels
from longwave.warehouse.errors import LongwaveError, UnusableHome
from longwave.warehouse.evidence import standing_values
from longwave.warehouse.export import FILES, catalogue, export_data, newest_vintage
from longwave.warehouse.home import Home, disk_trouble
from longwave.warehouse.panels import freeze
from longwave.warehouse.records import records
from longwave.warehouse.releases import releases
from longwave.warehouse.results import (
    capture_contents,
    findings,
    launch_facts,
    standing_claims,
    unused_series,
)
from longwave.warehouse.series_lines import series_lines
from longwave.warehouse.store import reader

QUESTION = "When a new medium takes root, how early can anyone know what it will become?"
LEDE = """When a new medium takes root, its early adopters seem to have more authority than they would otherwise be given, and \
skill with the medium passes for expertise. A few years of it show little of its ultimate shape: with radio, television and \
the internet the long-run impact was clear only after a decade or two. Is that so?

This is a study of the yearly figures, as their publishers gave them at the time and as they have been rewritten since. \
Every estimate from them carries its interval and leads to the files it was read from; what is arithmetic on stated inputs is \
called so. Where the evidence does not decide a question, the verdict says so."""
SIMULATIONS = "simulations"
# What a run follows from: assets name all steps, and the site everything that pages are made of.
_MADE_BY = ("longwave.pipelines.assets", "longwave.pipelines.publish", "longwave.reports.site")


def how_to_reproduce(sources: Sequence[Mapping[str, Any]], base_url: str = "") -> str:
    """The commands that give the same site again: from the embedded facts alone, or from a backup where more is held.

    Args:
        sources: the catalogue.
        base_url: as the site was written with.

    """
    embedded = all(vintage["kind"] == "re-recorded" for source in sources for vintage in source["vintages"])
    made = (
        "make run"
        if embedded
        else "longwave import BACKUP    # what `longwave export BACKUP` wrote where this was made\nlongwave run"
    )
    return f"{made}\nlongwave report --out site --base-url {base_url}" if base_url else made


def assemble(
    con: duckdb.DuckDBPyConnection,
    entries: Sequence[Mapping[str, Any]],
    release: Mapping[str, str],
    base_url: str = "",
) -> Any:
    """The content of a release.

    Args:
        con: a reader with `standing` frozen.
        entries: the claims' entries of findings.json.
        release: version, newest_vintage, inputs_digest, code_digest.
        base_url: where the site will stand; "" where that is not known.

    """
    sources = catalogue(con)
    blocks, media = media_pages(con, entries)
    rewritten, stated = said_when(con)
    return report.SiteContent(
        question=QUESTION,
        lede=LEDE,
        claims=list(entries),
        figures=[*rewritten, *figure_blocks(con), *blocks],
        sources=sources,
        release=dict(release) | {"how_to_reproduce": how_to_reproduce(sources, base_url)},
        releases=releases(con),
        downloads=FILES,
        base_url=base_url,
        lines=series_lines(con),
        first_lines=[f"{line.source}/{line.measure}/{line.adopter}" for line in warehouse_panels.ADOPTION_LINES],
        facts=launch_facts(con).to_dicts(),
        excluded=unused_series(con).to_dicts(),
        methods=_methods(),
        simulations=simulated(),
        clock=ripeness_clock(findings(con)),
        media=media,
        stated=stated,
        evidence=standing_values(con),
    )


# What the methods page says is what the code says of itself: docstrings of the modules and functions that do the work.
_METHODS: dict[str, tuple[Any, ...]] = {
    "How early could anyone have known": (ripeness, ripeness.information_by_age, panels.fixed_sample),
    "What a forecast may see": (visibility, forecasts_by_age),
    # By name: it brings a large library with it, and only its text is wanted.
    "The forecaster that learns": ("longwave.models.forecasting",),
    "Today's media, and forecasts of then": (fans.fans, fans.ripe_at),
    "The forecast that could have been made at any age": (hindsight, find_hindsight),
    "How forecasts are scored": (backtest, visibility, scores, horizons),
    "Diffusion curves": (curves, curve_frames),
    "What curves can tell": (
        identification,
        identification.identification,
        curve_comparison,
        truncation,
    ),
    "Early lead and later rank": (
        persistence,
        ranks,
        ranks.partial_tau_b,
        persistence.persistence,
        top_ranks,
        reliability,
        reliability.attenuation,
        reliability.overlap,
        noise,
        half_life,
    ),
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
    "Early authority": (premium, premium.matched, mean_ratio, quality, selection, categories),
    "What early authority foretells in another medium": (impact, impact.predict_out_of_medium),
    "Presence and outcome": (
        presence,
        presence.rank_correlation,
        presence.reading,
        presence.within_less_pooled,
        rank_orders,
        rank_pairs,
    ),
    "How platforms stood first and last": (standings, standings.shares_of_a_whole, standings.shares_of_people),
    "How fast media were taken up": (speed, speed.predicted, speed.predicted_by_rank),
    "Channel and truth": (channels, channels.differences, channels.association),
    "Relationship upkeep": (upkeep,),
    "Claims and verdicts": (claims,),
    "Launch years and levels": (warehouse_panels,),
    "What was known when": (merge, views),
}
_BOUNDARY = ("Belongs here", "Args:", "Returns:", "Raises:")


def _methods() -> list[tuple[str, list[str]]]:
    """Heading and paragraphs: docstrings without what they say to programmers."""
    said = [(title, [text for part in parts for text in _paragraphs(part)]) for title, parts in _METHODS.items()]
    return [*said, *([("Beyond one machine", beyond)] if (beyond := beyond_one_machine()) else [])]


def simulated() -> Simulated:
    """What studies with a known truth found, as the record has it; nothing where there is none."""
    for record in records(SIMULATIONS):
        return Simulated(record.about["asked"], record.tables["studies"])
    return Simulated()


def _paragraphs(part: Any) -> list[str]:
    said = (_said_by(part) if isinstance(part, str) else inspect.getdoc(part)) or ""
    # Each item of a list is a paragraph of its own.
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\n(?:- )?|\n- ", said)]
    # What is code there or stressed is read as words here.
    return [re.sub(r"`|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)", "", p) for p in paragraphs if not p.startswith(_BOUNDARY)]


def _said_by(module: str) -> str | None:
    """The docstring of a module that is not imported for it."""
    package, _, name = module.rpartition(".")
    return ast.get_docstring(ast.parse((resources.files(package) / f"{name}.py").read_bytes()))


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
        fresh, retired, data = working / "new", working / "old", working / "data"
        try:
            # What is passed on is written beside the pages: the libraries that write it need little of Python.
            with ThreadPoolExecutor(1) as pool:
                passed_on = pool.submit(export_data, con, data, content.release)
                _write_pages(content, fresh)
                passed_on.result()
            for part in sorted(data.iterdir()):
                part.rename(fresh / "data" / part.name)
            _swap(fresh, site, retired)
        finally:
            shutil.rmtree(working, ignore_errors=True)
    return sorted(path for path in site.rglob("*") if path.is_file())


def _clear_leftovers(site: Path) -> None:
    """Take away the working folders of publications that were killed: ours alone, told by what is in them."""
    for folder in site.parent.glob(f".{site.name}.*"):
        inside = {path.name for path in folder.iterdir()} if folder.is_dir() else {"a file"}
        if inside <= {"new", "old", "data"}:
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
    """Version, newest vintage, and digests: of the captures' contents and facts that the results were made from, of the code."""
    return {
        "version": metadata.version("longwave"),
        "newest_vintage": str(newest_vintage(con)),
        "inputs_digest": digest_of(facts_digest(), *capture_contents(con)),
        "code_digest": digest_of(code_digest(_MADE_BY), folder_digest(resources.files("longwave.reports"), "")),
    }


def write_report(home: Home, site: Path, base_url: str = "") -> list[Path]:
    """Publish the results that stand.

    Args:
        home: whose results.
        site: where to; replaced as a whole.
        base_url: where the site will stand, with "/" at its end; "" where that is not known.

    Raises:
        UnusableHome: nothing was found yet, or the folder cannot be written.

    """
    _refuse_foreign(site)  # before the pages are made, which takes seconds
    with reader(home) as con:
        freeze(con)
        entries = standing_claims(con)
        if not entries:
            raise UnusableHome(f"no claim was decided in {home.root} yet; start with `longwave run`")
        return publish(assemble(con, entries, release_of(con), base_url), con, site)

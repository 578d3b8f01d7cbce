"""What a site is made of: plain values, handed over by the pipeline, checked before anything is drawn.

Belongs here: the shape of the content and the refusals. Not here: wording, HTML, drawing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
import polars as pl
from longwave.reports import media, simulations, vintages
from longwave.reports.places import REGISTER, claim_page, source_page
from longwave.reports.series_files import LINES
from longwave.reports.simulations import Simulated

Row = Mapping[str, Any]

VERDICTS = (
    "supported",
    "contradicted",
    "mixed",
    "too early",
    "undecided",
    "not testable with what is held",
)
PAGES = {
    "index.html": "Findings",
    "media.html": "Media",
    "ripeness.html": "Ripeness",
    "forecasts.html": "Forecasts",
    "claims.html": "Claims",
    "curves.html": "Curves",
    "revisions.html": "Revisions",
    "compare.html": "Compare",
    "data.html": "Data",
    "sources.html": "Sources",
    "methods.html": "Methods",
    "about.html": "About",
}
UNDER = {"sources.html": "data.html", "about.html": ""}
"""Fixed pages that the navigation does not name, and the page of it under which each is found ("": the foot of every page)."""
CLAIM_KEYS = ("id", "claim", "verdict", "result_class", "threshold_status", "by", "caveats", "decided_on")
BY_KEYS = ("panel", "role", "n", "clusters", "measure", "estimate", "interval", "level", "threshold", "holds")
SOURCE_KEYS = (
    "source",
    "title",
    "publisher",
    "homepage",
    "licence",
    "citation",
    "redistribute",
    "vintages",
    "first_year",
    "last_year",
    "rows",
)
VINTAGE_KEYS = ("capture", "vintage", "vintage_precision", "url", "size", "sha256", "rows", "reader_version", "kind")
FACT_KEYS = ("medium", "place", "year", "event", "citation", "url", "status")
EXCLUDED_KEYS = ("series", "source", "reason")
CLOCK_KEYS = ("medium", "title", "age", "target", "known", "interval", "level", "note", "readable")
RELEASED_KEYS = ("number", "vintage", "version", "inputs_digest", "claims")
EVIDENCE = (
    "source",
    "series",
    "measure",
    "medium",
    "metric",
    "unit",
    "adopter",
    "code",
    "period",
    "value",
    "flag",
    "capture",
)
RELEASE_KEYS = ("version", "newest_vintage", "inputs_digest", "how_to_reproduce")

FIRST_FIGURE = "adoption-age"

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class ContentError(ValueError):
    """The content cannot be published as it is; the message says what is wrong and where."""


@dataclass(frozen=True)
class FigureBlock:
    """One figure of the page with everything that must stand beside it.

    ``id`` names the anchor, the JSON block and ``data/<id>.csv``: lower-case letters, digits, "-" and "_".
    ``heading`` is the subject of the section (neighbours with the same heading share one); the finding and
    the subtitle are the figure's own, ``figure.layout.title.text`` and ``.title.subtitle.text``.
    ``frame`` is what was drawn, one row a number: the table and the CSV are made from it.
    ``alt`` says in a sentence or two what a reader who cannot see the figure should know.
    ``note`` says how to read it and what it leaves out (may be empty). ``source_ids`` name its sources.
    ``unit`` is the unit of the values, ``n`` what they rest on, in words ("14 countries", "n = 31 series").
    ``line_columns`` name the columns that tell one line from another; guessed when empty.

    ``page`` is the file on which it stands in full, of ``PAGES`` or a medium's; ``claims`` are the claims whose evidence it is.
    A figure of ``claims.html`` that names claims stands on the page of the first of them (``page_of``). On the page
    of every other claim that it names stands its static picture, which leads to it. So it is in full in one place.

    ``series`` are the series whose observations it draws, where they are few: each is a link to its evidence.
    """

    id: str
    heading: str
    figure: go.Figure
    frame: pl.DataFrame
    alt: str
    note: str
    source_ids: Sequence[str]
    unit: str
    n: str | int
    line_columns: Sequence[str] = ()
    page: str = "index.html"
    claims: Sequence[str] = ()
    series: Sequence[str] = ()


def page_of(block: FigureBlock) -> str:
    """Return the file on which a figure stands in full."""
    return claim_page(block.claims[0]) if block.page == REGISTER and block.claims else block.page


@dataclass(frozen=True)
class SiteContent:
    """All that a release says. Nothing on the site comes from anywhere else.

    ``question`` is the page's heading, ``lede`` the paragraphs under it (parted by a blank line).

    ``claims``: dicts in the shape of ``findings.json`` (``id``, ``claim``, ``verdict``, ``result_class``,
    ``threshold_status``, ``by``, ``caveats``, ``would_test_it``, ``decided_on``); each row of ``by`` has
    ``panel``, ``role``, ``n``, ``clusters``, ``measure``, ``estimate``, ``interval`` ([lo, hi] or null),
    ``level``, ``threshold`` (number, text or null), ``holds``, ``captures``. Shown too when present:
    ``hypothesis``, ``threshold_date``, ``threshold_history`` (texts), ``fragile`` (text: which contributor, left out,
    changes the verdict), ``panels`` (the state of each primary panel: for, against, open), ``not_after_holm`` (panels),
    ``history`` (earlier verdicts: ``verdict``, ``decided_on``); of a row of ``by`` ``side`` (below, above, between).

    ``sources``: dicts with ``source`` (the id), ``title``, ``publisher``, ``homepage``, ``licence``,
    ``citation``, ``redistribute`` (bool), ``first_year``, ``last_year``, ``rows`` and ``vintages``, dicts:
    ``capture`` (its id), ``vintage`` (ISO date), ``vintage_precision`` (how that date is known), ``url`` (of the original),
    ``size`` (bytes), ``sha256``, ``rows``, ``reader_version``, ``kind`` (``re-recorded`` where the figures
    are held but not the file, else how the bytes are held). Shown too when present: ``archived`` (the records
    behind captures that were fetched: ``capture``, ``part``, ``url``, ``fetched_at``, ``payload_sha256``,
    ``file``, ``offset``), ``refused`` (``vintage``, ``size``, ``sha256``, ``why``) and ``warnings``
    (``vintage``, ``check``, ``expected``, ``found``),
    ``cadence`` (how often its publisher renews it), ``csv`` (the file of its values in ``data/``)
    and ``proven_on``: on which real response its reader was proven, or None.

    ``facts``: launch years, dicts with ``medium``, ``place``, ``year``, ``event``, ``citation``, ``url``,
    ``status`` (``verified`` | ``unverified``). ``excluded``: dicts with ``series``, ``source``, ``reason``.

    ``evidence``: one row a value that stands, of sources that may be passed on: ``source``, ``series``, ``measure``,
    ``medium``, ``metric``, ``unit``, ``adopter``, ``code``, ``period`` (text), ``value``, ``flag`` and ``capture``, which
    first said it; in the order in which it is shown.

    ``clock``: today's media, dicts with ``medium``, ``title``, ``age`` (reached by the figures held, or None),
    ``target`` (the age whose level is to be known), ``known`` (the information on it at that age, or None), ``interval``,
    ``level``, ``note``, ``readable`` (from when it can be read, in words).

    ``media``: a page each; a figure stands on the page of a medium by its ``page``.
    ``stated``: what each vintage of a source said, for the figure ``vintages.FIGURE``, which a reader slides through them.

    ``release``: ``version``, ``newest_vintage``, ``inputs_digest``, ``how_to_reproduce`` (commands, as text).
    ``downloads``: files that whoever publishes puts into ``data/`` besides, each with what it holds.

    ``lines``: one row a value of the series that can be compared (columns ``series_files.LINES``, rows of a series together),
    ``first_lines`` the series compared at first, whose picture without JavaScript is that of the figure ``FIRST_FIGURE``.

    ``release``: ``version``, ``newest_vintage``, ``inputs_digest``, ``how_to_reproduce`` (commands, as text); shown too when
    present: ``code_digest``.
    ``releases``: every release, the present one last: ``number``, ``vintage``, ``version``, ``inputs_digest``, ``claims``.
    ``base_url``: where the site will stand, with "/" at its end; "" where that is not known.
    ``methods``: pairs (heading, paragraphs), plain text; ``simulations``: what studies with a known truth found of them.
    """

    question: str
    lede: str
    claims: Sequence[Row]
    figures: Sequence[FigureBlock]
    sources: Sequence[Row]
    release: Row
    facts: Sequence[Row] = ()
    excluded: Sequence[Row] = ()
    methods: Sequence[tuple[str, Sequence[str]]] = field(default=())
    simulations: Simulated = field(default_factory=Simulated)
    clock: Sequence[Row] = ()
    media: Sequence[media.Medium] = ()
    stated: Sequence[vintages.Stated] = ()
    releases: Sequence[Row] = ()
    downloads: Sequence[tuple[str, str]] = ()
    base_url: str = ""
    lines: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=dict.fromkeys(LINES, pl.String)))
    first_lines: Sequence[str] = ()
    evidence: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=dict.fromkeys(EVIDENCE, pl.String)))


def check(content: SiteContent) -> None:
    """Refuse content that cannot be published; raise :class:`ContentError` naming every fault."""
    faults = [
        *_missing("claim", content.claims, "id", CLAIM_KEYS),
        *_missing("source", content.sources, "source", SOURCE_KEYS),
        *_missing("fact", content.facts, "medium", FACT_KEYS),
        *_missing("excluded series", content.excluded, "series", EXCLUDED_KEYS),
        *_missing("release", [content.release], "version", RELEASE_KEYS),
        *_missing("clock, medium", content.clock, "medium", CLOCK_KEYS),
        *_missing("release", content.releases, "number", RELEASED_KEYS),
    ]
    if not faults:
        faults = [
            *_claim_faults(content),
            *_source_faults(content),
            *_figure_faults(content),
            *_rows_faults("evidence", content, content.evidence, EVIDENCE),
            *_rows_faults("lines", content, content.lines, LINES),
            *_media_faults(content),
            *_stated_faults(content),
            *simulations.faults(content.simulations),
        ]
    if faults:
        raise ContentError("the site was not written:\n  " + "\n  ".join(faults))


def _missing(what: str, rows: Iterable[Row], name: str, keys: Sequence[str]) -> list[str]:
    """Name the keys that rows lack."""
    return [
        f"{what} {row.get(name, f'number {position}')!s}: no {key!r}; give it, None where there is none"
        for position, row in enumerate(rows, start=1)
        for key in keys
        if key not in row
    ]


def _claim_faults(content: SiteContent) -> list[str]:
    """Unknown verdicts, repeated ids, incomplete results."""
    faults = _id_faults("claim", [str(claim["id"]) for claim in content.claims], claim_page)
    for claim in content.claims:
        if claim["verdict"] not in VERDICTS:
            faults.append(f"claim {claim['id']}: verdict {claim['verdict']!r}; known: {', '.join(VERDICTS)}")
        faults += _missing(f"claim {claim['id']}, result", claim["by"], "panel", BY_KEYS)
    return faults


def _source_faults(content: SiteContent) -> list[str]:
    """Repeated ids, incomplete vintages."""
    faults = _id_faults("source", [str(source["source"]) for source in content.sources], source_page)
    for source in content.sources:
        faults += _missing(f"source {source['source']}, vintage", source["vintages"], "vintage", VINTAGE_KEYS)
    return faults


def _figure_faults(content: SiteContent) -> list[str]:
    """Ids that cannot name a file, unknown sources, rows that may not be passed on."""
    faults = _repeats("figure", [block.id for block in content.figures])
    known = {str(source["source"]) for source in content.sources}
    closed = _closed(content)
    claims = {str(claim["id"]) for claim in content.claims}
    pages = [*PAGES, *(medium.page for medium in content.media)]
    for block in content.figures:
        if not _IDENTIFIER.fullmatch(block.id):
            faults.append(f"figure {block.id!r}: an id is lower-case letters, digits, '-' and '_'")
        if block.page not in pages:
            faults.append(f"figure {block.id}: there is no page {block.page}; the pages are {', '.join(pages)}")
        unknown = sorted(set(block.source_ids) - known)
        if unknown:
            faults.append(f"figure {block.id}: sources {unknown} are not among the site's sources")
        untold = sorted(set(block.claims) - claims)
        if untold:
            faults.append(
                f"figure {block.id}: claims {untold} are not among those decided; run `longwave run`, or name another"
            )
        barred = sorted(_sources_in(block.frame) & closed)
        if barred:
            faults.append(f"figure {block.id}: rows of {barred} may not be passed on; leave them out")
    return faults


def _media_faults(content: SiteContent) -> list[str]:
    """What a medium's page names and the site has not."""
    claims, sources = (
        [str(row[name]) for row in rows] for rows, name in ((content.claims, "id"), (content.sources, "source"))
    )
    return media.faults(content.media, [block.id for block in content.figures], claims, sources, _closed(content))


def _stated_faults(content: SiteContent) -> list[str]:
    """What the slider over vintages lacks, or may not show."""
    names = [str(source["source"]) for source in content.sources]
    return vintages.faults(content.stated, [block.id for block in content.figures], names, _closed(content))


def _rows_faults(what: str, content: SiteContent, rows: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    """Columns that are missing, rows that may not be passed on, sources that are not there."""
    lacking = [name for name in columns if name not in rows.columns]
    if lacking:
        return [f"{what}: no column {', '.join(lacking)}; it has {', '.join(rows.columns)}"]
    named = _sources_in(rows)
    barred, unknown = named & _closed(content), named - {str(source["source"]) for source in content.sources}
    faults = [f"{what}: rows of {sorted(barred)} may not be passed on; leave them out"] if barred else []
    return faults + ([f"{what}: sources {sorted(unknown)} are not among the site's sources"] if unknown else [])


def _closed(content: SiteContent) -> set[str]:
    """Sources whose rows may not be passed on."""
    return {str(source["source"]) for source in content.sources if not source["redistribute"]}


def _sources_in(frame: pl.DataFrame) -> set[str]:
    """Ids in the column ``source`` of a frame, empty where it has none (a finding, not a row of a source)."""
    if "source" not in frame.columns:
        return set()
    return {str(value) for value in frame["source"].unique().to_list()}


def _id_faults(what: str, names: Sequence[str], page: Callable[[str], str]) -> list[str]:
    """Name ids that are empty, occur twice, or would share a page."""
    if not all(names):
        return [f"a {what} has an empty id; give it one"]
    shared = _repeats(f"the page of a {what}", [page(name) for name in sorted(set(names))])
    return _repeats(what, names) + [f"{fault}: ids must differ in more than case" for fault in shared]


def _repeats(what: str, names: Sequence[str]) -> list[str]:
    """Name what occurs twice."""
    return [f"{what} {name}: given twice" for name in sorted({n for n in names if names.count(n) > 1})]

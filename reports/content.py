"""What a site is made of: plain values, handed over by the pipeline, checked before anything is drawn.

Belongs here: the shape of the content and the refusals. Not here: wording, HTML, drawing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
import polars as pl

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
    "claims.html": "Claims",
    "revisions.html": "Revisions",
    "sources.html": "Sources",
    "methods.html": "Methods",
}
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
VINTAGE_KEYS = ("vintage", "vintage_precision", "url", "size", "sha256", "rows", "reader_version", "kind")
FACT_KEYS = ("medium", "place", "year", "event", "citation", "url", "status")
EXCLUDED_KEYS = ("series", "source", "reason")
RELEASE_KEYS = ("version", "newest_vintage", "inputs_digest", "how_to_reproduce")

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
    ``line_columns`` name the columns that tell one line from another; guessed when empty. ``page`` is the file it stands on.
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


@dataclass(frozen=True)
class SiteContent:
    """All that a release says. Nothing on the site comes from anywhere else.

    ``question`` is the page's heading, ``lede`` the paragraphs under it (parted by a blank line).

    ``claims``: dicts in the shape of ``findings.json`` (``id``, ``claim``, ``verdict``, ``result_class``,
    ``threshold_status``, ``by``, ``caveats``, ``would_test_it``, ``decided_on``); each row of ``by`` has
    ``panel``, ``role``, ``n``, ``clusters``, ``measure``, ``estimate``, ``interval`` ([lo, hi] or null),
    ``level``, ``threshold`` (number, text or null), ``holds``, ``captures``. Shown too when present:
    ``hypothesis``, ``threshold_date``, ``fragile`` (text: which contributor, left out, changes the verdict).

    ``sources``: dicts with ``source`` (the id), ``title``, ``publisher``, ``homepage``, ``licence``,
    ``citation``, ``redistribute`` (bool), ``first_year``, ``last_year``, ``rows`` and ``vintages``, dicts:
    ``vintage`` (ISO date), ``vintage_precision`` (how that date is known), ``url`` (of the original),
    ``size`` (bytes), ``sha256``, ``rows``, ``reader_version``, ``kind`` (``re-recorded`` where the figures
    are held but not the file, else how the bytes are held). Shown too when present: ``archived`` (the records
    behind captures that were fetched: ``capture``, ``part``, ``url``, ``fetched_at``, ``payload_sha256``,
    ``file``, ``offset``), ``refused`` (``vintage``, ``size``, ``sha256``, ``why``) and ``warnings``
    (``vintage``, ``check``, ``expected``, ``found``),
    and ``proven_on``: on which real response its reader was proven, or None.

    ``facts``: launch years, dicts with ``medium``, ``place``, ``year``, ``event``, ``citation``, ``url``,
    ``status`` (``verified`` | ``unverified``). ``excluded``: dicts with ``series``, ``source``, ``reason``.

    ``release``: ``version``, ``newest_vintage``, ``inputs_digest``, ``how_to_reproduce`` (commands, as text).
    ``methods``: pairs (heading, paragraphs), plain text.
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


def check(content: SiteContent) -> None:
    """Refuse content that cannot be published; raise :class:`ContentError` naming every fault."""
    faults = [
        *_missing("claim", content.claims, "id", CLAIM_KEYS),
        *_missing("source", content.sources, "source", SOURCE_KEYS),
        *_missing("fact", content.facts, "medium", FACT_KEYS),
        *_missing("excluded series", content.excluded, "series", EXCLUDED_KEYS),
        *_missing("release", [content.release], "version", RELEASE_KEYS),
    ]
    if not faults:
        faults = [*_claim_faults(content), *_source_faults(content), *_figure_faults(content)]
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
    faults = _repeats("claim", [str(claim["id"]) for claim in content.claims])
    for claim in content.claims:
        if claim["verdict"] not in VERDICTS:
            faults.append(f"claim {claim['id']}: verdict {claim['verdict']!r}; known: {', '.join(VERDICTS)}")
        faults += _missing(f"claim {claim['id']}, result", claim["by"], "panel", BY_KEYS)
    return faults


def _source_faults(content: SiteContent) -> list[str]:
    """Repeated ids, incomplete vintages."""
    faults = _repeats("source", [str(source["source"]) for source in content.sources])
    for source in content.sources:
        faults += _missing(f"source {source['source']}, vintage", source["vintages"], "vintage", VINTAGE_KEYS)
    return faults


def _figure_faults(content: SiteContent) -> list[str]:
    """Ids that cannot name a file, unknown sources, rows that may not be passed on."""
    faults = _repeats("figure", [block.id for block in content.figures])
    known = {str(source["source"]) for source in content.sources}
    closed = {str(source["source"]) for source in content.sources if not source["redistribute"]}
    for block in content.figures:
        if not _IDENTIFIER.fullmatch(block.id):
            faults.append(f"figure {block.id!r}: an id is lower-case letters, digits, '-' and '_'")
        if block.page not in PAGES:
            faults.append(f"figure {block.id}: there is no page {block.page}; the pages are {', '.join(PAGES)}")
        unknown = sorted(set(block.source_ids) - known)
        if unknown:
            faults.append(f"figure {block.id}: sources {unknown} are not among the site's sources")
        barred = sorted(_sources_in(block.frame) & closed)
        if barred:
            faults.append(f"figure {block.id}: rows of {barred} may not be passed on; leave them out")
    return faults


def _sources_in(frame: pl.DataFrame) -> set[str]:
    """Ids in the column ``source`` of a frame, empty where it has none (a finding, not a row of a source)."""
    if "source" not in frame.columns:
        return set()
    return {str(value) for value in frame["source"].unique().to_list()}


def _repeats(what: str, names: Sequence[str]) -> list[str]:
    """Name what occurs twice."""
    return [f"{what} {name}: given twice" for name in sorted({n for n in names if names.count(n) > 1})]

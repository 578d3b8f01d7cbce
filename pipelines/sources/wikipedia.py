"""Wikipedia's table of the most-subscribed YouTube channels: one day's list of the largest, in millions of subscribers.

The table is the first of the page with a column of channels and one of Subscribers (millions). It speaks of the day it
states (caption, or a last row "As of …"), else of the day it was served. A channel that leaves the list is no zero: each
answer speaks of its own day alone. Brand channels, marked in a column of their own, are kept like the others; footnotes
and marks are taken off the names. The revision that was read stands in the page and in its ETag, both archived. The HTML
comes from Wikimedia's host for programs, since robots.txt of en.wikipedia.org keeps programs from /api/ and /w/.
"""

from __future__ import annotations

import re

import polars as pl
from longwave.pipelines.sources._cells import day_in, on_days
from longwave.pipelines.sources._html import HtmlTable, tables, to_frame
from longwave.pipelines.sources._spec import Original, SourceSpec, one_request
from longwave.pipelines.sources._table import numbers, refused
from longwave.warehouse.tidy import Measure

_NAMES = ("Name", "Channel", "Channel name")
_COUNT = re.compile(r"^Subscribers? ?\((in )?millions?\)$", re.IGNORECASE)
_AS_OF = re.compile(r"^as of\b", re.IGNORECASE)


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one day's list."""
    name = original.name
    table, channel, count = _found(name, tables(name, original.data))
    notes = [row[0] for row in table.rows[1:] if len(set(row)) == 1 and _AS_OF.match(row[0])]
    listed = HtmlTable(table.title, table.line, tuple(row for row in table.rows if row[0] not in notes))
    day = next((stated for text in (*notes, table.title) if (stated := day_in(text))), original.day)
    if day is None:
        raise refused(name, "day", "a day in the caption or under the table, or the day it was served", "neither")
    frame = to_frame(name, listed, missing=["", "—", "–", "N/A"])
    frame = numbers(name, frame, count).filter(pl.col(count).is_not_null() & pl.col(channel).is_not_null())
    rows = frame.select(pl.col(channel).alias("entity"), pl.col(count).alias("value"))
    return on_days(rows, "subscribers", day)


def _found(name: str, found: list[HtmlTable]) -> tuple[HtmlTable, str, str]:
    """The table with its column of channels and its column of subscribers."""
    for table in found:
        header = table.rows[0] if table.rows else ()
        channels, counts = [c for c in header if c in _NAMES], [c for c in header if _COUNT.match(c)]
        if len(channels) == 1 and len(counts) == 1:
            return table, channels[0], counts[0]
    seen = [f"line {t.line}: {', '.join(t.rows[0]) if t.rows else 'empty'}"[:200] for t in found]
    expected = f"one with a column {' or '.join(_NAMES)} and a column Subscribers (millions)"
    raise refused(name, "table", expected, f"none among {len(found)} tables", seen)


_PAGE = "https://en.wikipedia.org/wiki/List_of_most-subscribed_YouTube_channels"
_URL = "https://api.wikimedia.org/core/v1/wikipedia/en/page/List_of_most-subscribed_YouTube_channels/html"

SPECS = (
    SourceSpec(
        source="wikipedia_youtube",
        title="List of most-subscribed YouTube channels",
        publisher="Wikipedia contributors",
        homepage=_PAGE,
        url=_URL,
        allowed_hosts=("api.wikimedia.org",),
        licence="CC BY-SA 4.0",
        citation="Wikipedia contributors, List of most-subscribed YouTube channels, the revision named in the archived page",
        cadence="daily",
        media_type="text/html",
        measures=(Measure("subscribers", "social", "subscribers", "million_subscribers", "accounts", None, 0, 9000),),
        reader=read,
        proven_on=None,
        adopter_kind="account",
        place="WLD",
        scope="period",
        endpoints=one_request(_URL, "html", archived=_PAGE),
        refresh="weekly",
    ),
)

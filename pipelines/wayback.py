"""Past vintages from the Internet Archive: what its index holds of an address, and each capture as it was archived.

Belongs here: the CDX index's form, and which of its captures are wanted. What comes goes the way of every other answer:
archived here as served, dated by the day it was captured there, read and judged like any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from longwave.pipelines.capture import Came
from longwave.pipelines.fetch import Fetcher, FetchFailed
from longwave.pipelines.sources import SourceSpec
from longwave.pipelines.sources._spec import Endpoint

HOST = "web.archive.org"
_CDX = f"https://{HOST}/cdx/search/cdx"
_COLUMNS = ("timestamp", "original", "statuscode")
_REPLAYED = re.compile(rf"^https://{re.escape(HOST)}/web/(\d{{14}})id_/")


@dataclass(frozen=True)
class Years:
    """The span of years wanted, ends included, and whether one capture a year is enough."""

    first: int
    last: int
    per_year: bool = False

    @classmethod
    def parse(cls, text: str, *, per_year: bool) -> Years:
        """From `2012..2024`, or one year.

        Raises:
            ValueError: not of that form, or the end is before the beginning.

        """
        match = re.fullmatch(r"(\d{4})(?:\.\.(\d{4}))?", text.strip())
        if match is None:
            raise ValueError(f"{text!r} is no span of years; write 2012..2024")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"{text!r} ends before it begins; write {last}..{first}")
        return cls(first, last, per_year)


def address_of(endpoint: Endpoint) -> str | None:
    """The address under which a web archive may hold an endpoint's data; None where it changes from day to day."""
    return endpoint.archived or (endpoint.parts[0].url if endpoint.parts[0].lasting else None)


def index_address(url: str, years: Years) -> str:
    """The question to the archive's index: which captures it holds of an address."""
    query = {
        "url": url,
        "output": "json",
        "from": str(years.first),
        "to": str(years.last),
        "filter": "statuscode:200",
        "collapse": "timestamp:4" if years.per_year else "digest",
    }
    return f"{_CDX}?{urlencode(query)}"


def listed(fetcher: Fetcher, url: str, years: Years) -> list[datetime]:
    """Times of the captures that the archive's index holds of an address, in order.

    Raises:
        FetchFailed: the index could not be had, or is not of the form it is documented in.

    """
    address = index_address(url, years)
    answer = fetcher.get(address, hosts=[HOST], form="json")[-1].payload
    try:
        rows = json.loads(answer)
        header, *captures = rows or [list(_COLUMNS)]
        at = header.index("timestamp")
        times = sorted({datetime.strptime(row[at], "%Y%m%d%H%M%S").replace(tzinfo=UTC) for row in captures})
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise FetchFailed(
            address,
            "index",
            f"the archive's index is not a table with a column timestamp: {error}",
            "look at the answer; the index's form may have changed",
        ) from None
    return [time for time in times if years.first <= time.year <= years.last]


def captures(
    fetcher: Fetcher, spec: SourceSpec, endpoint: Endpoint, times: Sequence[datetime]
) -> Iterator[Came | FetchFailed]:
    """Each capture as the archive holds it, or why it could not be had; one that fails stops none of the others."""
    for time in times:
        try:
            yield _capture(fetcher, spec, endpoint, time)
        except FetchFailed as failure:
            yield failure


def _capture(fetcher: Fetcher, spec: SourceSpec, endpoint: Endpoint, time: datetime) -> Came:
    part, url = endpoint.parts[0], address_of(endpoint)
    asked = f"https://{HOST}/web/{time:%Y%m%d%H%M%S}id_/{url}"
    exchanges = fetcher.get(asked, hosts=[HOST], form=part.form, max_body=spec.max_bytes)
    # The archive redirects to the capture it has nearest to the time asked: that is when it was served.
    replayed = _REPLAYED.match(exchanges[-1].url)
    served = datetime.strptime(replayed[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC) if replayed else time
    if endpoint.pages(served.date(), exchanges[-1].payload):
        raise FetchFailed(
            asked, "pages", "the archived answer is one page of several", "recover another year; pages are not paired"
        )
    return Came(endpoint, ((part, exchanges),), served, via=HOST)

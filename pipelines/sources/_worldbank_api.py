"""The World Bank's API, version 2: pages of JSON, each an array of a head and its rows, and what they must agree on.

The head gives the number of pages and of rows in all, and `lastupdated`, the publisher's vintage. Pages are asked one
after another, so a body may change between two requests: heads that differ are refused as a whole. An error comes with
status 200, as an array of one object with the publisher's message.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from datetime import date
from functools import partial

import polars as pl
from longwave.pipelines.sources._json import read_json, text_of
from longwave.pipelines.sources._spec import Endpoint, Original, Part
from longwave.pipelines.sources._table import refused
from longwave.warehouse.errors import Refused

_ADDRESS = "https://api.worldbank.org/v2/country/all/indicator/{}?format=json&per_page=20000&page={}"
# 17,490 rows are one page of 20,000; an answer that speaks of more pages than this is in error, and nobody asks for them.
_MOST_PAGES = 20
_AGREE = ("pages", "per_page", "total", "lastupdated")

Head = Mapping[object, object]


def endpoint(indicator: str, measure: str) -> Endpoint:
    """What is asked for one indicator: the first page, and those that it says there are."""
    return Endpoint((Part("data", _ADDRESS.format(indicator, 1), "json"),), measure, partial(_further, indicator))


def _further(indicator: str, _: date, payload: bytes) -> tuple[Part, ...]:
    """Pages from the second on; none where the first is not what it should be, which its reader refuses."""
    try:
        head, _rows = _page("page 1", payload)
    except Refused:
        return ()
    pages = min(_count(head, "pages"), _MOST_PAGES)
    return tuple(Part(f"page-{n}", _ADDRESS.format(indicator, n), "json") for n in range(2, pages + 1))


def last_updated(original: Original) -> date | None:
    """The publisher's date of the edition; None where the first page does not give one."""
    try:
        return date.fromisoformat(text_of(_page("page 1", original.parts["data"])[0], "lastupdated"))
    except (KeyError, Refused, ValueError):
        return None


def read_pages(original: Original, known: Collection[str]) -> tuple[str, pl.DataFrame]:
    """The indicator that all pages give, and rows of entity, code, year and value; null where there is no figure.

    Raises:
        Refused: an error message of the publisher, a page that is missing or of another edition, rows too few or too
            many, another indicator than the known one asked for, or a row that is no yearly figure.

    """
    name = original.name
    pages = [_page(f"{name}: {part}", original.parts[part]) for part in sorted(original.parts, key=_number)]
    _refuse_disagreement(name, [head for head, _ in pages], len(original.parts))
    rows = [row for _, page in pages for row in page]
    total = _count(pages[0][0], "total")
    if len(rows) != total or not rows:
        raise refused(name, "rows", f"{total} rows, as the pages say", f"{len(rows)}")
    faults = [f"row {n}: {fault}" for n, row in enumerate(rows, start=1) if (fault := _fault(row))]
    if faults:
        raise refused(name, "rows", "a named area, a year and a number or null", f"{len(faults)} other rows", faults)
    indicators = {text_of(row, "indicator", "id") for row in rows}
    asked = {indicator for indicator in known if f"/indicator/{indicator}?" in original.url}
    if indicators != asked:
        raise refused(name, "indicator", f"the one asked for: {original.url}", ", ".join(sorted(indicators))[:200])
    return indicators.pop(), _frame(rows)


def _number(part: str) -> int:
    return int(part.removeprefix("page-")) if re.fullmatch(r"page-\d+", part) else 1


def _page(name: str, data: bytes) -> tuple[Head, list[Head]]:
    """Head and rows of one page."""
    value = read_json(name, data)
    parts = value if isinstance(value, list) else []
    head = parts[0] if parts and isinstance(parts[0], dict) else {}
    if messages := head.get("message"):
        said = [f"{text_of(m, 'key')}: {text_of(m, 'value')}" for m in messages if isinstance(m, dict)]
        raise refused(name, "answer", "figures", "a message of the publisher", said or [str(messages)[:200]])
    if len(parts) != 2 or not head:
        raise refused(name, "answer", "an array of a head and rows", str(value)[:100])
    rows = parts[1] or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise refused(name, "answer", "a list of rows", str(rows)[:100])
    return head, rows


def _count(head: Head, key: str) -> int:
    """A whole number of the head, which older answers give as text; -1 where there is none."""
    text = str(head.get(key))
    return int(text) if re.fullmatch(r"\d{1,9}", text) else -1


def _refuse_disagreement(name: str, heads: list[Head], parts: int) -> None:
    pages = _count(heads[0], "pages")
    if pages != parts or [_count(head, "page") for head in heads] != list(range(1, parts + 1)):
        found = ", ".join(str(head.get("page")) for head in heads)
        raise refused(name, "pages", f"pages 1 to {pages}", f"pages {found}")
    for key in _AGREE:
        said = sorted({str(head.get(key)) for head in heads})
        if len(said) > 1:
            raise refused(name, "one edition", f"the same {key} on every page", f"{' and '.join(said)}: fetch it again")


def _fault(row: Head) -> str:
    """What is wrong with a row; empty when nothing is."""
    value, year = row.get("value"), text_of(row, "date")
    if not text_of(row, "country", "value") and not text_of(row, "countryiso3code"):
        return "no area"
    if not re.fullmatch(r"\d{4}", year):
        return f"date {row.get('date')!r}"
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
    ):
        return f"value {value!r}"
    return ""


def _frame(rows: list[Head]) -> pl.DataFrame:
    """Rows as columns; an income group has no three-letter code here, so that its name says which it is."""
    named = [(text_of(r, "country", "value"), text_of(r, "countryiso3code") or None) for r in rows]
    said = [(*who, int(text_of(r, "date")), r.get("value")) for who, r in zip(named, rows, strict=True)]
    schema = {"entity": pl.String, "code": pl.String, "year": pl.Int32, "value": pl.Float64}
    return pl.DataFrame(said, schema=schema, orient="row", strict=False)

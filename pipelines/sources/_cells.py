"""What several sources write alike: handles of accounts, ISSN, days in words, the text of a page, entries of a dictionary.

Which columns a table has, and what its cells mean, is its reader's matter.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date, datetime

import polars as pl
from longwave.pipelines.sources._table import refused, utf_8
from longwave.warehouse.tidy import tidy

_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAY = re.compile(rf"({_MONTH})\.? (\d{{1,2}}), ?(\d{{4}})|(\d{{1,2}}) ({_MONTH}) (\d{{4}})", re.IGNORECASE)
_UNSEEN = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)


def handle(column: str) -> pl.Expr:
    """The account that a handle names: lower case, since the platform tells no cases apart."""
    return pl.format("@{}", pl.col(column).str.strip_chars().str.strip_prefix("@").str.to_lowercase())


def lowest_issn(column: str) -> pl.Expr:
    """The lowest of the ISSN in a cell, as NNNN-NNNN, whatever their order; null where there is none."""
    found = pl.col(column).str.to_uppercase().str.extract_all(r"\b\d{4}-?\d{3}[\dX]\b")
    bare = found.list.eval(pl.element().str.replace("-", "", literal=True))
    lowest = bare.list.eval(pl.element().filter(pl.element() != "00000000")).list.min()
    return pl.format("{}-{}", lowest.str.head(4), lowest.str.tail(4))


def entries(node: object, key: str) -> Iterator[dict[str, object]]:
    """Every object of a JSON value, however deep, that has a key."""
    if isinstance(node, dict) and key in node:
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from entries(child, key)


def on_days(frame: pl.DataFrame, measure: str | pl.Expr, day: date | None = None) -> pl.DataFrame:
    """Tidy columns from a frame with `entity`, `value` and a day: its own `period_start`, or one for every row."""
    named = pl.lit(measure) if isinstance(measure, str) else measure
    dated = frame if day is None else frame.with_columns(pl.lit(day).alias("period_start"))
    return tidy(dated.with_columns(named.alias("measure"), pl.lit("date").alias("period_kind")))


def refuse_rows(name: str, bad: pl.DataFrame, rule: str, expected: str, *columns: str) -> None:
    """Refuse a file for the rows of `bad`, each named by its line and by what stands in the columns; none: nothing."""
    if not bad.is_empty():
        told = bad.sort("line").select("line", *columns).head(20)
        rows = [f"line {line}: {', '.join(repr(cell) for cell in cells)}" for line, *cells in told.iter_rows()]
        raise refused(name, rule, expected, f"{bad.height} other rows", rows)


def plain(name: str, data: bytes, expected: str) -> str:
    """Text of a page or of a plain file with blanks folded; of a page without what is not shown.

    Raises:
        Refused: the file is empty, or no UTF-8 text.

    """
    return shown(utf_8(name, data, expected))


def shown(text: str) -> str:
    """What a reader sees of a text, with blanks folded: of HTML without tags, comments, scripts and styles."""
    bare = re.sub(r"<[^<>]+>", " ", _UNSEEN.sub(" ", text)) if "</" in text else text
    return " ".join(html.unescape(bare).split())


def day_in(text: str) -> date | None:
    """The first day written out in a text: June 30, 2016 or 30 June 2016."""
    for found in _DAY.finditer(text):
        month, day, year = (found[1], found[2], found[3]) if found[1] else (found[5], found[4], found[6])
        try:
            return datetime.strptime(f"{day} {month} {year}", "%d %B %Y").date()
        except ValueError:
            continue
    return None

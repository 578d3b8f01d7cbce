"""Reading tables out of HTML pages strictly: which table it is, and its cells as text.

A table is known by its title: its caption, or else the last heading before it. Numbers stay text here; what a cell
means, and which marks stand for a missing value, is its reader's matter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from longwave.pipelines.sources._table import is_page, refused, utf_8
from lxml import etree, html

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
# No publisher's table spans so much; a page that says 65,535 would fill the memory.
_WIDEST_SPAN = 200
_FOOTNOTE = re.compile(r"(?<=[^\s*†‡§¶])\s*[*†‡§¶]+$")


@dataclass(frozen=True)
class HtmlTable:
    """A table of a page: its title, the line it begins on, and rows of text; cells that span stand in every place."""

    title: str
    line: int
    rows: tuple[tuple[str, ...], ...]


def tables(name: str, data: bytes, title_class: str = "") -> list[HtmlTable]:
    """Every table of a page that holds no other table, in order.

    Args:
        name: file name for errors.
        data: the page, UTF-8.
        title_class: class of an element that serves as a heading beside h1 to h6.

    Raises:
        Refused: the page is empty, no HTML page, not UTF-8, or ends before `</html>`.

    """
    utf_8(name, data, "an HTML page")
    if not is_page(data):
        raise refused(name, "text", "an HTML page", "another text")
    if b"</html" not in data.lower():
        raise refused(name, "whole page", "a page that ends with </html>", "a page cut short")
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        root: Any = html.document_fromstring(data, parser=parser)
    except etree.ParserError:
        raise refused(name, "text", "an HTML page", "a page without an element") from None
    return list(_walk(root, title_class))


def _walk(root: Any, title_class: str) -> Iterator[HtmlTable]:
    heading = ""
    for element in root.iter():
        if element.tag in _HEADINGS or (title_class and title_class in (element.get("class") or "").split()):
            heading = _text(element) or heading
        elif element.tag == "table" and element.find(".//table") is None:
            caption = element.find("caption")
            title = _text(caption) if caption is not None else ""
            yield HtmlTable(title or heading, element.sourceline or 0, tuple(_rows(element)))


def _rows(table: Any) -> Iterator[tuple[str, ...]]:
    """Rows of cells, spans repeated."""
    hanging: dict[int, tuple[int, str]] = {}
    for row in table.iter("tr"):
        cells: list[str] = []
        for cell in row:
            if cell.tag in ("td", "th"):
                _fill(cells, hanging)
                down, text = _span(cell, "rowspan"), _text(cell)
                for _ in range(_span(cell, "colspan")):
                    if down > 1:
                        hanging[len(cells)] = (down - 1, text)
                    cells.append(text)
        _fill(cells, hanging)
        if cells:
            yield tuple(cells)


def _fill(cells: list[str], hanging: dict[int, tuple[int, str]]) -> None:
    """Add what hangs down from the rows above at the next places."""
    while len(cells) in hanging:
        place = len(cells)
        left, text = hanging.pop(place)
        if left > 1:
            hanging[place] = (left - 1, text)
        cells.append(text)


def _span(cell: Any, name: str) -> int:
    text = (cell.get(name) or "1").strip()
    # Python takes no number of thousands of digits, and nine tell that the widest span is reached.
    return min(max(int(text.lstrip("0")[:9] or "0"), 1), _WIDEST_SPAN) if text.isdecimal() else 1


def _text(element: Any) -> str:
    """Text of an element, without footnote references, scripts and what is hidden; blanks folded."""
    return " ".join("".join(_pieces(element)).split())


def _pieces(element: Any) -> Iterator[str]:
    hidden = "display:none" in (element.get("style") or "").replace(" ", "")
    if element.tag not in ("sup", "script", "style") and not hidden:
        yield element.text or ""
        for child in element:
            yield from _pieces(child)
            yield child.tail or ""
        yield " " if element.tag in ("br", "p", "div", "li") else ""


def titled(name: str, found: Sequence[HtmlTable], title: str, columns: Collection[str]) -> HtmlTable:
    """The one table of a title whose header has the named columns; a table served twice is one.

    Raises:
        Refused: there is none, or there are several that differ.

    """
    same = [table for table in found if table.title.casefold() == title.casefold()]
    fitting = {table.rows: table for table in same if table.rows and set(columns) <= set(_header(table))}
    if len(fitting) != 1:
        seen = [
            f"line {t.line}: {t.title!r}: {', '.join(t.rows[0]) if t.rows else 'empty'}"[:200] for t in same or found
        ]
        expected = f"one table {title!r} with {', '.join(sorted(columns))}"
        raise refused(name, "table", expected, f"{len(fitting)} among {len(found)} tables", seen)
    return next(iter(fitting.values()))


def _header(table: HtmlTable) -> list[str]:
    return [_FOOTNOTE.sub("", cell) for cell in table.rows[0]]


def to_frame(name: str, table: HtmlTable, missing: Collection[str] = ("",)) -> pl.DataFrame:
    """A table as text columns with a column `line`, the row's number under the header; footnote marks are taken off.

    Raises:
        Refused: a column stands twice or has no name, a row is short or long, or there is no row.

    """
    header = _header(table)
    if len(set(header)) < len(header) or "" in header:
        raise refused(name, "columns", "every column named, and once", ", ".join(header)[:300])
    rows = [[_FOOTNOTE.sub("", cell) for cell in row] for row in table.rows[1:]]
    uneven = [f"line {n}: {len(row)} fields" for n, row in enumerate(rows, start=1) if len(row) != len(header)]
    if uneven:
        raise refused(name, "rows", f"{len(header)} fields a row", f"{len(uneven)} other rows", uneven)
    if not rows:
        raise refused(name, "not empty", "at least one row under the header", "none")
    text = pl.DataFrame(rows, schema=dict.fromkeys(header, pl.String), orient="row")
    return text.with_columns(pl.all().replace(list(missing), None)).with_row_index("line", offset=1)

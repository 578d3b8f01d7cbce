"""The Atom feed of verdicts and releases: an entry each time that a claim's verdict became what it is, and each release.

Belongs here: the feed's form (RFC 4287). Not here: how a verdict is dated (`longwave.warehouse.verdicts`), what makes a
release (`longwave.warehouse.releases`). Both are dated by vintage.

Links are relative to the feed, so that it holds wherever the site stands; where that is known they are absolute. Ids follow
from claim, date and verdict, or from a release's number and inputs, alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.etree import ElementTree as Tree

from longwave.reports.content import SiteContent
from longwave.reports.places import FEED, claim_page
from longwave.reports.releases import file_of, views

_ATOM = "http://www.w3.org/2005/Atom"


class Entry(NamedTuple):
    """One entry of the feed; ``page`` is where it leads, within the site."""

    id: str
    title: str
    page: str
    summary: str


def atom(content: SiteContent) -> str:
    """Return the feed as text: one entry a verdict and a release, the newest first, without claims never decided."""
    root = Tree.Element("feed", {"xmlns": _ATOM})
    _text(root, "id", _id("feed"))
    _text(root, "title", f"longwave: {content.question}")
    _text(root, "updated", _time(str(content.release["newest_vintage"])))
    _text(Tree.SubElement(root, "author"), "name", "longwave")
    Tree.SubElement(root, "link", {"rel": "self", "href": content.base_url + FEED})
    Tree.SubElement(root, "link", {"href": content.base_url + "index.html"})
    told = [
        (date, str(claim["id"]), _of_verdict(claim, date, verdict, before))
        for claim in content.claims
        for date, verdict, before in _verdicts(claim)
    ]
    # A release comes before its verdicts, and a later one of a day before an earlier: "~" is after every letter.
    told += [
        (row["vintage"], f"~{row['number']:09d}", _of_release(row, said["said"]))
        for row, said in zip(content.releases, views(content.releases), strict=True)
    ]
    for date, _, entry in sorted(told, key=lambda one: one[:2], reverse=True):
        _write(root, date, entry, content.base_url)
    Tree.indent(root, "")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Tree.tostring(root, encoding="unicode") + "\n"


def _verdicts(claim: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
    """Return a claim's verdicts with their dates, the first first, each with the one before it."""
    history = [*(claim.get("history") or ()), claim]
    dated = [(str(row["decided_on"]), str(row["verdict"])) for row in history if row["decided_on"]]
    return [(date, verdict, dated[at - 1][1] if at else None) for at, (date, verdict) in enumerate(dated)]


def _of_verdict(claim: Mapping[str, Any], decided: str, verdict: str, before: str | None) -> Entry:
    return Entry(
        _id(str(claim["id"]), decided, verdict),
        f"{claim['id']}: {verdict}" + (f", before: {before}" if before else ""),
        claim_page(str(claim["id"])),
        f"{claim['claim']} On vintages to {decided}: {verdict}.",
    )


def _of_release(row: Mapping[str, Any], said: str) -> Entry:
    return Entry(
        _id("release", str(row["number"]), str(row["vintage"]), str(row["inputs_digest"])),
        f"Release {row['number']}, on vintages to {row['vintage']}",
        file_of(row["number"]),
        f"{said[0].upper()}{said[1:]}." if said else "The first release.",
    )


def _write(root: Tree.Element, date: str, told: Entry, base_url: str) -> None:
    entry = Tree.SubElement(root, "entry")
    _text(entry, "id", told.id)
    _text(entry, "title", told.title)
    _text(entry, "updated", _time(date))
    Tree.SubElement(entry, "link", {"href": base_url + told.page})
    _text(entry, "summary", told.summary)


def _text(parent: Tree.Element, tag: str, text: str) -> None:
    Tree.SubElement(parent, tag).text = text


def _time(day: str) -> str:
    """Return a vintage's date as Atom writes a time: a vintage has no hour."""
    return f"{day}T00:00:00Z"


def _id(*parts: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("longwave", *parts))).urn

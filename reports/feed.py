"""The Atom feed of verdicts: an entry each time that a claim's verdict became what it is, dated by vintage.

Belongs here: the feed's form (RFC 4287). Not here: how a verdict is dated (`longwave.warehouse.verdicts`).

Links are relative to the feed, so that it holds wherever the site stands; ids follow from claim, date and verdict alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as Tree

from longwave.reports.places import FEED, claim_page

_ATOM = "http://www.w3.org/2005/Atom"


def atom(claims: Sequence[Mapping[str, Any]], title: str, newest_vintage: str) -> str:
    """Return the feed as text: one entry a verdict, the newest first, without those of claims never decided.

    Args:
        claims: entries of findings.json.
        title: what the site is about.
        newest_vintage: ISO date, the feed's own.

    """
    root = Tree.Element("feed", {"xmlns": _ATOM})
    _text(root, "id", _id("feed"))
    _text(root, "title", f"longwave: {title}")
    _text(root, "updated", _time(newest_vintage))
    _text(Tree.SubElement(root, "author"), "name", "longwave")
    Tree.SubElement(root, "link", {"rel": "self", "href": FEED})
    Tree.SubElement(root, "link", {"href": "index.html"})
    told = [(claim, *verdict) for claim in claims for verdict in _verdicts(claim)]
    for claim, decided, verdict, before in sorted(told, key=lambda e: (e[1], str(e[0]["id"])), reverse=True):
        _entry(root, claim, decided, verdict, before)
    Tree.indent(root, "")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Tree.tostring(root, encoding="unicode") + "\n"


def _verdicts(claim: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
    """Return a claim's verdicts with their dates, the first first, each with the one before it."""
    history = [*(claim.get("history") or ()), claim]
    dated = [(str(row["decided_on"]), str(row["verdict"])) for row in history if row["decided_on"]]
    return [(date, verdict, dated[at - 1][1] if at else None) for at, (date, verdict) in enumerate(dated)]


def _entry(root: Tree.Element, claim: Mapping[str, Any], decided: str, verdict: str, before: str | None) -> None:
    entry = Tree.SubElement(root, "entry")
    _text(entry, "id", _id(str(claim["id"]), decided, verdict))
    _text(entry, "title", f"{claim['id']}: {verdict}" + (f", before: {before}" if before else ""))
    _text(entry, "updated", _time(decided))
    Tree.SubElement(entry, "link", {"href": claim_page(str(claim["id"]))})
    _text(entry, "summary", f"{claim['claim']} On vintages to {decided}: {verdict}.")


def _text(parent: Tree.Element, tag: str, text: str) -> None:
    Tree.SubElement(parent, tag).text = text


def _time(day: str) -> str:
    """Return a vintage's date as Atom writes a time: a vintage has no hour."""
    return f"{day}T00:00:00Z"


def _id(*parts: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("longwave", *parts))).urn

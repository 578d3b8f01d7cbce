"""How sources, and longwave itself, are cited: as text and as BibTeX.

Belongs here: the form of citations. Not here: the sources' own words (the content).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SOFTWARE = {
    "title": "longwave: a longitudinal study of how media are taken up",
    "author": "The longwave authors",
    "licence": "MIT",
}
"""What CITATION.cff says, which an installed longwave has no copy of; a test holds the two together."""
DAYS = {"daily": 1, "weekly": 7, "monthly": 31, "quarterly": 92, "yearly": 366, "every one to two years": 731}
"""Days between two figures of a publisher, by its cadence in words; one that ended has none."""
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


def source_text(source: Mapping[str, Any], newest: str) -> str:
    """Return how a source is cited in a sentence: its own words, the newest vintage held, its terms."""
    held = f", vintage of {newest}" if newest else ""
    return f"{str(source['citation']).rstrip('.')}{held}. {source['homepage']} ({source['licence']})."


def source_bibtex(source: Mapping[str, Any], newest: str) -> str:
    """Return a source as a BibTeX entry; its key is the source's id."""
    return _entry(
        str(source["source"]),
        {
            "title": str(source["title"]),
            "author": "{" + _plain(str(source["publisher"])) + "}",
            "year": newest[:4],
            "howpublished": rf"\url{{{source['homepage']}}}",
            "note": f"{source['citation']}. Vintage of {newest}. Licence: {source['licence']}"
            if newest
            else f"{source['citation']}. Licence: {source['licence']}",
        },
    )


def software_text(release: Mapping[str, Any]) -> str:
    """Return how a release of longwave is cited in a sentence."""
    return (
        f"{SOFTWARE['author']}, {SOFTWARE['title']}, version {release['version']}, on vintages to "
        f"{release['newest_vintage']}."
    )


def software_bibtex(release: Mapping[str, Any]) -> str:
    """Return a release of longwave as a BibTeX entry."""
    return _entry(
        "longwave",
        {
            "title": SOFTWARE["title"],
            "author": "{" + SOFTWARE["author"] + "}",
            "year": str(release["newest_vintage"])[:4],
            "version": str(release["version"]),
            "note": f"Findings on vintages to {release['newest_vintage']}, inputs {release['inputs_digest']}",
        },
    )


def _entry(key: str, fields: Mapping[str, str]) -> str:
    """Return an entry; what has a form of its own (a name in braces, an address) is passed through."""
    raw = ("author", "howpublished")
    lines = [f"  {name} = {{{text if name in raw else _plain(text)}}}," for name, text in fields.items() if text]
    return "\n".join([f"@misc{{{key},", *lines, "}"])


def _plain(text: str) -> str:
    """Return text that TeX sets as it stands, in one line."""
    return "".join(_SPECIAL.get(mark, mark) for mark in re.sub(r"\s+", " ", text))

"""The site as files: HTML pages, figures, pictures, tables and `findings.json`, from content alone.

Belongs here: what is written. Not here: the content's shape (`content.py`), which page shows what (`pages.py`), its
words (`wording.py`), its drawing (`svg.py`, `figures/`).
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from longwave.reports import (
    hosting,
    media,
    palette,
    places,
    releases,
    series_files,
    simulations,
    svg,
    vintages,
    wording,
)
from longwave.reports.content import PAGES, VERDICTS, ContentError, FigureBlock, SiteContent, check, page_of
from longwave.reports.feed import atom
from longwave.reports.figures import base
from longwave.reports.pages import CSP, render
from markupsafe import Markup
from plotly.io.json import to_json_plotly

__all__ = ["CSP", "PAGES", "VERDICTS", "ContentError", "FigureBlock", "SiteContent", "publish"]

_PICTURE_STYLE = """.lw-svg { color: var(--ink); background: var(--paper); }
.lw-halo { stroke: var(--paper); }
"""
_DASHES = {"dash": "5 3", "dot": "1.5 2.5", "dashdot": "5 2.5 1.5 2.5"}


def publish(content: SiteContent, out: Path) -> list[Path]:
    """Write the whole site into ``out``, a folder that is new or empty; return the files written, sorted.

    Raises :class:`ContentError`, before anything is written, where the content cannot be published.
    """
    check(content)
    if out.exists() and any(out.iterdir()):
        raise ContentError(f"{out} is not empty; publish into a new folder and rename it")
    with _uncollected():
        texts = _texts(content)
    for name, text in texts.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode("utf-8"))
    return sorted(out / name for name in texts)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Within it, garbage that refers to itself is left for later.

    Pages are made of a million short texts, which hold nothing, and which Python's collector would walk again and again: a
    third of the time that they take.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _texts(content: SiteContent) -> dict[str, str]:
    """Return every file's text, by name."""
    views = {block.id: _figure_view(block) for block in content.figures}
    return {
        **render(content, views),
        **_pictures(views),
        "findings.json": _findings(content.claims, content.release),
        **_released(content),
        **series_files.files(content.lines, {s["source"]: s["title"] for s in content.sources}, content.first_lines),
        places.FEED: atom(content),
        "site.css": palette.style_tokens() + _static("site.css"),
        **{name: _static(name) for name in ("site.js", "compare.js", "freshness.js")},
        **({"hindsight.js": _static("hindsight.js")} if content.media else {}),
        **media.files(content.media),
        **({"vintages.js": _static("vintages.js")} if content.stated else {}),
        **vintages.files(content.stated),
        "plotly.min.js": (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8"),
        **{f"data/{block.id}.csv": block.frame.write_csv() for block in content.figures},
        **simulations.files(content.simulations),
    }


def _released(content: SiteContent) -> dict[str, str]:
    """Return the findings of every release, where they stand for good; and, on a host of a known address, the site's map."""
    told = ("number", "version", "inputs_digest")
    past = {
        releases.file_of(row["number"]): _findings(
            row["claims"], {**{name: row[name] for name in told}, "newest_vintage": row["vintage"]}, indent=None
        )
        for row in content.releases
    }
    return {**past, **hosting.files(content)}


def _findings(claims: Sequence[Mapping[str, Any]], release: Mapping[str, Any], indent: int | None = 2) -> str:
    """Return `findings.json`: the claims as they were handed over, and the release; those of releases, which add up, in short."""
    document = {"version": 1, "claims": list(claims), "release": release}
    try:
        text = json.dumps(document, indent=indent, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ContentError(f"findings.json: {error}; write None where there is no number") from error
    return text + "\n"


def _pictures(views: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return every figure's static picture as a file of its own, wide and narrow."""
    style = palette.style_tokens() + _PICTURE_STYLE
    return {
        places.picture(name, form): svg.standing_alone(view["pictures"][form], style)
        for name, view in views.items()
        for form in ("wide", "narrow")
    }


def _static(name: str) -> str:
    """Return the text of a file that is served as it is."""
    return (files("longwave.reports") / "static" / name).read_text(encoding="utf-8")


def _figure_view(block: FigureBlock) -> dict[str, Any]:
    """Return all that stands on a page for one figure."""
    layout = block.figure.layout
    title = svg.plain(layout.title.text or "") or block.heading
    n = block.n if isinstance(block.n, str) else f"n = {palette.integer(block.n)}"
    drawing = block.figure.to_plotly_json()
    wide, narrow = base.form(drawing), base.form(drawing, narrow=True)
    pictures = {
        name: Markup(svg.picture(form, width, int(form["layout"]["height"]), block.alt, title=title))  # noqa: S704 escaped there
        for name, form, width in (("wide", wide, base.WIDE), ("narrow", narrow, base.NARROW))
    }
    return {
        "id": block.id,
        "href": f"{page_of(block)}#{places.figure_anchor(block.id)}",
        "title": title,
        "subtitle": svg.plain(layout.title.subtitle.text or ""),
        "unit": block.unit,
        "n": n,
        "alt": block.alt,
        "note": block.note,
        "source_ids": list(block.source_ids),
        "series": list(block.series),
        "pictures": pictures,
        "size": (base.WIDE, int(wide["layout"]["height"])),
        "key": [{**entry, "dashes": _DASHES.get(entry["dash"], "")} for entry in base.key(block.figure)],
        "labelled": base.labelled(block.figure),
        "json": _json_block(json.loads(to_json_plotly(wide))),
        "table": wording.figure_table(block),
    }


def _json_block(figure: Mapping[str, Any]) -> Markup:
    """Return a figure as JSON that no HTML parser can mistake for anything else."""
    text = json.dumps(figure, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 escaped above

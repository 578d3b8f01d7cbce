"""Which page shows what: the fixed pages, one for every claim, one for every source, one for every medium.

A figure stands in full on one page (`content.page_of`); on the page of every other claim whose evidence it is stands its
static picture, which leads there. Navigation names the fixed pages; a claim's page is found under Claims, a source's
under Sources, a medium's under Media.

Belongs here: what a template is given. Not here: words (`wording.py`, `evidence.py`), files (`site.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
from longwave.reports import (
    citing,
    evidence,
    media,
    palette,
    places,
    releases,
    series_files,
    simulations,
    vintages,
    wording,
)
from longwave.reports.content import FIRST_FIGURE, PAGES, UNDER, FigureBlock, SiteContent, page_of

Views = Mapping[str, Mapping[str, Any]]

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "base-uri 'none'"
)


def render(content: SiteContent, views: Views) -> dict[str, str]:
    """Return the HTML pages by file name.

    Args:
        content: what the site says, checked.
        views: what a page shows of each figure, by id.

    """
    environment = _environment()
    shared = _shared(content)
    return {
        **_fixed(environment, content, views, shared),
        **_of_claims(environment, content, views, shared),
        **_of_sources(environment, content, views, shared),
        **_of_media(environment, content, views, shared),
    }


def _shared(content: SiteContent) -> dict[str, Any]:
    """Return what every page may name."""
    sources = [wording.source_view(source) for source in content.sources]
    captures = {
        str(vintage["capture"]): f"{source['page']}#{places.capture_anchor(str(vintage['capture']))}"
        for source in sources
        for vintage in source["vintages"]
    }
    return {
        "content": content,
        "release": content.release,
        "condition": wording.CONDITION,
        "csp": CSP,
        "pages": {page: title for page, title in PAGES.items() if page not in UNDER},
        "base_url": content.base_url,
        "sources": sources,
        "n_captures": len(captures),
        "n_without_address": sum(not vintage["url"] for source in sources for vintage in source["vintages"]),
        "n_held": sum(bool(source["vintages"]) for source in sources),
        "source_by_id": {str(source["source"]): source for source in sources},
        "series_pages": evidence.series_pages(content.evidence),
        "series_names": evidence.series_names(content.evidence),
        "capture_pages": captures,
        "lede": [part.strip() for part in content.lede.split("\n\n") if part.strip()],
        "claims": [wording.claim_view(claim, captures) for claim in content.claims],
        "media": [{"title": medium.title, "page": medium.page} for medium in content.media],
        "clock": [wording.clock_view(medium) for medium in content.clock],
    }


def _fixed(
    environment: jinja2.Environment, content: SiteContent, views: Views, shared: Mapping[str, Any]
) -> dict[str, str]:
    """Return the pages that are always there."""
    introduced = [
        {**media.introduction(medium), "picture": views.get(medium.explored or "")} for medium in content.media
    ]
    return {
        page: environment.get_template(f"{page}.j2").render(
            shared,
            page=page,
            under=UNDER.get(page, page),
            page_title=title,
            sections=_sections(content.figures, views, page),
            **_of_page(page, content, views),
            introduced=introduced,
        )
        for page, title in PAGES.items()
    }


def _of_page(page: str, content: SiteContent, views: Views) -> dict[str, Any]:
    """Return what one fixed page alone is given."""
    released = releases.views(content.releases)
    if page == "index.html" and len(released) > 1:
        before, now = content.releases[-2:]
        return {
            "since": released[-2],
            "changed": releases.changes(before["claims"], now["claims"]),
            "most": releases.MOST,
        }
    if page == "compare.html":
        compared = not content.lines.is_empty()
        return {"compared": compared, "still": views.get(FIRST_FIGURE), "figures": series_files.FIGURES}
    if page == "methods.html":
        return {"simulated": simulations.view(content.simulations)}
    if page == "revisions.html":
        return {"stated": vintages.view(content.stated), "redrawn": vintages.FIGURE}
    if page == "data.html":
        closed = [source for source in content.sources if not source["redistribute"]]
        return {"closed": closed, "simulations": None if content.simulations.studies.is_empty() else simulations.FILE}
    if page == "about.html":
        return {
            "releases": released,
            "number": released[-1]["number"] if released else None,
            "software": citing.SOFTWARE,
            "software_text": citing.software_text(content.release),
            "software_bibtex": citing.software_bibtex(content.release),
        }
    return {"changed": None}


def _of_claims(
    environment: jinja2.Environment, content: SiteContent, views: Views, shared: Mapping[str, Any]
) -> dict[str, str]:
    """Return each claim's page, in the order of the registry, with its neighbours."""
    template = environment.get_template("claim.html.j2")
    claims: Sequence[Mapping[str, Any]] = shared["claims"]
    made = {}
    for at, claim in enumerate(claims):
        page = claim["page"]
        elsewhere = [b for b in content.figures if claim["id"] in b.claims and page_of(b) != page]
        made[page] = template.render(
            shared,
            page=page,
            under=places.REGISTER,
            page_title=f"{claim['id']}: {claim['claim']}",
            claim=claim,
            sections=_sections(content.figures, views, page),
            elsewhere=[views[block.id] for block in elsewhere],
            before=claims[at - 1] if at else None,
            after=claims[at + 1] if at + 1 < len(claims) else None,
        )
    return made


def _of_sources(
    environment: jinja2.Environment, content: SiteContent, views: Views, shared: Mapping[str, Any]
) -> dict[str, str]:
    """Return each source's page: its captures, and its series with the values that stand."""
    template = environment.get_template("source.html.j2")
    made = {}
    for source in shared["sources"]:
        vintages = {str(vintage["capture"]): str(vintage["vintage"]) for vintage in source["vintages"]}
        made[source["page"]] = template.render(
            shared,
            page=source["page"],
            under=UNDER.get(places.CATALOGUE, places.CATALOGUE),
            page_title=source["title"],
            source=source,
            drawn=[views[block.id] for block in content.figures if source["source"] in block.source_ids],
            measures=evidence.measures(content.evidence, str(source["source"]), vintages),
        )
    return made


def _of_media(
    environment: jinja2.Environment, content: SiteContent, views: Views, shared: Mapping[str, Any]
) -> dict[str, str]:
    """Return each medium's page: its figures, the slider over its past, the table beside it, what it rests on."""
    template = environment.get_template("medium.html.j2")
    claims = {str(claim["id"]): claim for claim in shared["claims"]}
    return {
        medium.page: template.render(
            shared,
            page=medium.page,
            under="media.html",
            page_title=medium.title,
            medium=media.view(medium, claims),
            sections=_sections(content.figures, views, medium.page),
        )
        for medium in content.media
    }


def _sections(figures: Sequence[FigureBlock], views: Views, page: str) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Return the figures of one page under their headings."""
    own = [block for block in figures if page_of(block) == page]
    return [(heading, [views[block.id] for block in blocks]) for heading, blocks in wording.sections(own)]


def _environment() -> jinja2.Environment:
    """Return the templates' environment: everything escaped, nothing undefined passes."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        integer=palette.integer,
        size=palette.size,
        anchor=places.anchor,
        capture_anchor=places.capture_anchor,
        picture=places.picture,
        address=wording.address,
    )
    return environment


def _template(name: str) -> str:
    """Return a template's text."""
    return (files("longwave.reports") / "templates" / name).read_text(encoding="utf-8")

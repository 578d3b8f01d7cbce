"""What a site on a host of a known address has besides: a map of its pages, and a word to crawlers.

Belongs here: absolute addresses. Not here: canonical links, which stand in the pages' template. Opened from disk the site has
no address, and none of this is written.
"""

from __future__ import annotations

from xml.etree import ElementTree as Tree

from longwave.reports import places
from longwave.reports.content import PAGES, SiteContent

_MAP = "http://www.sitemaps.org/schemas/sitemap/0.9"


def pages(content: SiteContent) -> list[str]:
    """Return every page of the site, by file name."""
    claims = [places.claim_page(str(claim["id"])) for claim in content.claims]
    sources = [places.source_page(str(source["source"])) for source in content.sources]
    return [*PAGES, *claims, *sources]


def files(content: SiteContent) -> dict[str, str]:
    """Return `sitemap.xml`, and `robots.txt` where the site is all that its host has: crawlers look for it nowhere else."""
    if not content.base_url:
        return {}
    root = Tree.Element("urlset", {"xmlns": _MAP})
    for page in pages(content):
        url = Tree.SubElement(root, "url")
        Tree.SubElement(url, "loc").text = content.base_url + ("" if page == "index.html" else page)
        Tree.SubElement(url, "lastmod").text = str(content.release["newest_vintage"])
    Tree.indent(root, "")
    text = '<?xml version="1.0" encoding="utf-8"?>\n' + Tree.tostring(root, encoding="unicode") + "\n"
    at_the_top = content.base_url.partition("://")[2].count("/") == 1
    robots = {"robots.txt": f"User-agent: *\nAllow: /\nSitemap: {content.base_url}sitemap.xml\n"} if at_the_top else {}
    return {"sitemap.xml": text, **robots}

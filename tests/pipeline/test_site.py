"""The site of a real run: a page a claim and a source, every link answered, light enough, each number led to its bytes."""

import gzip
import hashlib
import itertools
import json
import re
from html import unescape
from urllib.parse import unquote, urldefrag

import html5lib
import pytest
from frictionless import Package
from longwave.models.claims import load_registry
from longwave.pipelines.told import TITLES
from longwave.reports import palette, places
from longwave.reports.content import PAGES

FRONT = 300_000
PAGE_GZIPPED = 2_500_000
SITE = 30_000_000
DATA = 40_000_000
# Larger files are held against their schema up to so many rows, which take a second each; digests of all are, whole.
ROWS = 2_000
LINK = re.compile(r'<a\s[^>]*?href="([^"]*)"|<(?:img|link|script|source)\s[^>]*?(?:src|href|srcset)="([^"]*)"')
BROUGHT = re.compile(r'<(?:img|script|source|link rel="stylesheet")\s[^>]*?(?:src|href|srcset)="([^"]*)"')
# A list of thousands is the same few lines again and again; its first fifty stand for the rest.
REPEATED = (r'<li id="series-[^"]*">[^<]*</li>\n', r'<details class="series"><summary>.*?</details>\n')
ANCHOR = re.compile(r'\sid="([^"]*)"')


@pytest.fixture(scope="module")
def pages(full_home):
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(full_home.site.glob("*.html"))}


@pytest.fixture(scope="module")
def links(pages):
    """What each page leads to: address without what stands after it, and the anchor."""
    found = {}
    for page, text in pages.items():
        hrefs = {unescape(a or b) for a, b in LINK.findall(text)}
        found[page] = {urldefrag(href) for href in hrefs if not href.startswith(("http:", "https:", "data:"))}
    return found


def test_every_claim_source_and_medium_has_a_page_and_nothing_else_has(full_home, pages, query):
    claims = [places.claim_page(claim["id"]) for claim in load_registry()["claims"]]
    sources = [places.source_page(row["source"]) for row in query(full_home.home, "select source from sources")]
    media = [places.medium_page(name) for name in TITLES]
    assert set(pages) == {*PAGES, *claims, *sources, *media}
    assert len(pages) == len(PAGES) + len(claims) + len(sources) + len(media)
    for page in media:
        assert f'href="{page}"' in pages["media.html"]
    for page in claims:
        assert f'href="{page}"' in pages["index.html"]
        assert f'href="{page}"' in pages["claims.html"]


def test_every_link_within_the_site_is_answered(full_home, pages, links):
    anchors = {page: set(ANCHOR.findall(text)) for page, text in pages.items()}
    lost = [
        (page, target, fragment)
        for page, own in links.items()
        for target, fragment in own
        if (target and not (full_home.site / unquote(target)).is_file())
        or (fragment and unquote(fragment) not in anchors[target or page])
    ]
    assert lost == []
    assert sum(len(own) for own in links.values()) > 1000


def thinned(text):
    for repeated in REPEATED:
        count = itertools.count()
        text = re.sub(repeated, lambda m, count=count: m.group() if next(count) < 50 else "", text, flags=re.S)
    return text


def test_every_page_is_html_that_a_strict_parser_takes(pages):
    for page, text in pages.items():
        try:
            html5lib.HTMLParser(strict=True).parse(thinned(text))
        except html5lib.html5parser.ParseError as error:
            pytest.fail(f"{page}: {error}")


def test_ids_are_unique_on_every_page(pages):
    repeated = {page: len(ids) - len(set(ids)) for page, ids in ((p, ANCHOR.findall(t)) for p, t in pages.items())}
    assert {page: n for page, n in repeated.items() if n} == {}


def test_the_front_page_and_every_other_are_light(full_home, pages):
    assert len(pages["index.html"].encode()) < FRONT
    packed = {}

    def gzipped(name):
        if name not in packed:
            packed[name] = len(gzip.compress((full_home.site / name).read_bytes(), 6))
        return packed[name]

    # In all: the page, its scripts, its style and its pictures.
    brought = {page: {page, *(unescape(name) for name in BROUGHT.findall(text))} for page, text in pages.items()}
    assert {"plotly.min.js", "site.js", "site.css"} < brought["index.html"]
    heavy = {page: sum(gzipped(name) for name in names if ":" not in name) for page, names in brought.items()}
    assert {page: size for page, size in heavy.items() if size >= PAGE_GZIPPED} == {}
    files = [path for path in full_home.site.rglob("*") if path.is_file()]
    data = full_home.site / "data"
    assert sum(path.stat().st_size for path in files if not path.is_relative_to(data)) < SITE
    assert sum(path.stat().st_size for path in files if path.is_relative_to(data)) < DATA


def test_the_data_package_is_valid(full_home):
    package = Package(str(full_home.site / "data" / "datapackage.json"))
    tables = [resource for resource in package.resources if resource.path.endswith(".csv")]
    assert len(tables) > 25
    for resource in tables:
        report = resource.validate(limit_rows=ROWS)
        assert report.valid, report.flatten(["title", "message"])[:3]
    for resource in package.resources:
        octets = (full_home.site / "data" / resource.path).read_bytes()
        assert resource.bytes == len(octets)
        assert resource.hash == f"sha256:{hashlib.sha256(octets).hexdigest()}"


def test_a_page_loads_the_series_that_it_offers_and_no_file_is_left_over(full_home, pages):
    named = {page: re.findall(r'data-file="([^"]*)"', text) for page, text in pages.items()}
    offered = [file for files in named.values() for file in files]
    folders = (full_home.site / name for name in ("hindsight", "vintages"))
    held = sorted(str(path.relative_to(full_home.site)) for folder in folders for path in folder.iterdir())
    assert sorted(offered) == held
    assert named["revisions.html"][0] == "vintages/grapher_internet_share-users_share.js"
    assert len(named["revisions.html"]) > 3
    # The United States and the world stand first, and every place of the panels is there.
    internet = named[places.medium_page("internet")]
    assert internet[0] == "hindsight/internet-USA-individuals.js"
    assert "hindsight/internet-WLD.js" in internet[:3]
    assert len(internet) > 150
    assert len(named[places.medium_page("radio")]) > 15


def test_what_a_medium_says_of_age_20_is_what_was_found(full_home, pages, query):
    (row,) = query(
        full_home.home,
        "select estimate, lo, hi, n from findings where step = 'findings/hindsight' and measure = 'hindsight' and k = 8 "
        "and subject = 'owid_technology_diffusion/adoption/Radio'",
    )
    text = unescape(pages[places.medium_page("radio")])
    table = re.search(r'id="forecasts-by-age".*?</table>', text, re.S).group()
    said = [palette.two_figures(row["estimate"]), palette.span(row["lo"], row["hi"])]
    cells = ['<td class="num">8</td>', '<td class="num">1928</td>', *(f'<td class="num">{word}</td>' for word in said)]
    (line,) = (part for part in table.split("<tr>") if cells[0] in part and cells[1] in part)
    assert all(cell in line for cell in cells)
    assert row["lo"] < row["estimate"] < row["hi"]


def test_every_claim_that_rests_on_captures_leads_to_each_of_them(full_home, links):
    claims = json.loads((full_home.site / "findings.json").read_text())["claims"]
    for claim in claims:
        captures = {capture for row in claim["by"] for capture in row["captures"]}
        named = {fragment for _, fragment in links[places.claim_page(claim["id"])]}
        assert {places.capture_anchor(capture) for capture in captures} <= named, claim["id"]


def test_the_adoption_figure_leads_to_its_series_and_they_to_their_captures(full_home, pages, query):
    shown = re.search(r'<figure[^>]*id="figure-adoption-age".*?</figure>', pages["index.html"], re.S).group()
    series = {urldefrag(href) for href, _ in LINK.findall(shown) if "#series-" in href}
    assert len(series) >= 4
    for page, fragment in series:
        part = re.search(rf'<div id="{re.escape(fragment)}">.*?</div>', pages[page], re.S).group()
        leads = [href for href, _ in LINK.findall(part)]
        assert leads
        for href in leads:
            row = re.search(rf'<tr id="{re.escape(href[1:])}">.*?</tr>', pages[page], re.S).group()
            assert re.search(r"\b[0-9a-f]{64}\b", row)
            assert "<td" in row


def test_the_values_shown_are_those_that_stand(full_home, pages, query):
    sql = (
        "select s.source, count(*) n from observation_versions v join series s using (series) "
        "join sources o using (source) where o.redistribute and v.known_to = 'infinity' group by 1"
    )
    shown = re.compile(r'<p><a href="#capture-[^"]*">[^<]*</a> ([^<]*)</p>')
    listed = re.compile(r'<li id="series-[^"]*">[^<]*</li>')
    for row in query(full_home.home, sql):
        page = pages[places.source_page(row["source"])]
        alone = len(listed.findall(page))
        assert alone + sum(text.count("; ") + 1 for text in shown.findall(page)) == row["n"], row["source"]

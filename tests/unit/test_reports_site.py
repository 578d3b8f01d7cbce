"""The site's files: the same bytes twice, nothing hostile gets through, every page stands on its own."""

import csv
import dataclasses
import functools
import importlib.util
import io
import json
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urldefrag

import html5lib
import polars as pl
import pytest
from longwave.reports import wording
from longwave.reports.site import CSP, PAGES, ContentError, publish

_spec = importlib.util.spec_from_file_location("fake_site", Path(__file__).with_name("fake_site.py"))
fake_site = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake_site)

HTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site") / "site"
    publish(fake_site.content(), out)
    return out


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    out = tmp_path_factory.mktemp("hostile") / "site"
    publish(fake_site.content(fake_site.HOSTILE), out)
    return out


@functools.cache
def _parsed(page):
    return html5lib.HTMLParser(strict=True).parse(page.read_text(encoding="utf-8"))


def _all(tree, name):
    return list(tree.iter(f"{HTML}{name}"))


def test_publishing_twice_gives_the_same_bytes(site, tmp_path):
    written = publish(fake_site.content(), tmp_path / "again")
    names = [path.relative_to(tmp_path / "again") for path in written]
    assert names == sorted(path.relative_to(site) for path in site.rglob("*") if path.is_file())
    for name in names:
        assert (site / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "old.html").write_text("old")
    with pytest.raises(ContentError, match="not empty"):
        publish(fake_site.content(), tmp_path)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("which", ["site", "hostile"])
def test_pages_parse_strictly_and_carry_the_policy(page, which, request):
    tree = _parsed(request.getfixturevalue(which) / page)
    policies = [m.get("content") for m in _all(tree, "meta") if m.get("http-equiv")]
    assert policies == [CSP]
    assert CSP == (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; base-uri 'none'"
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_what_all_results_are_conditional_on(site, page):
    assert wording.CONDITION in (site / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_headings_are_in_order_and_ids_unique(site, page):
    tree = _parsed(site / page)
    heading = re.compile(rf"{re.escape(HTML)}h[1-6]")
    levels = [int(node.tag[-1]) for node in tree.iter() if heading.fullmatch(str(node.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [node.get("id") for node in tree.iter() if node.get("id")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("page", PAGES)
def test_no_code_stands_in_a_page_and_nothing_is_loaded_from_elsewhere(hostile, page):
    tree = _parsed(hostile / page)
    for script in _all(tree, "script"):
        if script.get("src"):
            assert script.get("src") in ("plotly.min.js", "site.js")
            assert script.get("defer") is not None
        else:
            assert script.get("type") == "application/json"
    loaded = [node.get("src") for node in tree.iter() if node.get("src")]
    loaded += [node.get("href") for node in _all(tree, "link")]
    assert not [address for address in loaded if "//" in address]
    assert not [name for node in tree.iter() for name in node.attrib if str(name).lower().startswith("on")]
    assert not [a for a in _all(tree, "a") if a.get("href", "").lower().startswith("javascript")]


def test_hostile_words_are_shown_and_never_run(hostile):
    for page in PAGES:
        text = (hostile / page).read_text(encoding="utf-8")
        assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in (hostile / "index.html").read_text(encoding="utf-8")
    tree = _parsed(hostile / "index.html")
    blocks = [s.text for s in _all(tree, "script") if s.get("type") == "application/json"]
    assert len(blocks) == len(fake_site.figures())
    assert not any(set(block) & set("<>&") for block in blocks)
    assert any("\\u003cscript" in block or "&lt;script" in json.dumps(json.loads(block)) for block in blocks)
    assert fake_site.HOSTILE in "".join(_all(tree, "main")[0].itertext())


def test_figures_have_all_that_must_stand_beside_them(site):
    tree = _parsed(site / "index.html")
    blocks = fake_site.figures()
    shown = _all(tree, "figure")
    assert [node.get("id") for node in shown] == [f"figure-{block.id}" for block in blocks]
    for node, block in zip(shown, blocks, strict=True):
        words = " ".join(node.itertext())
        assert block.note in words
        assert block.alt in words
        titles = {source["source"]: source["title"] for source in fake_site.content().sources}
        assert all(titles[source] in words for source in block.source_ids)
        assert block.source_ids
        assert len(list(node.iter("{http://www.w3.org/2000/svg}svg"))) >= 2
        drawing = json.loads(next(iter(_all(node, "script"))).text)
        assert len(drawing["data"]) == len(block.figure.data)
        rows = _all(_all(node, "tbody")[0], "tr")
        assert len(rows) == block.frame.height or len(rows) <= wording.MOST_ROWS


def test_data_of_each_figure_is_there_as_csv(site):
    for block in fake_site.figures():
        text = (site / "data" / f"{block.id}.csv").read_text(encoding="utf-8")
        rows = list(csv.reader(io.StringIO(text)))
        assert rows[0] == block.frame.columns
        assert len(rows) == block.frame.height + 1


def test_a_long_table_shows_the_first_rows_of_every_line():
    frame = pl.DataFrame({"label": [f"line {i % 7}" for i in range(2000)], "year": range(2000)})
    block = dataclasses.replace(fake_site.figures()[0], frame=frame)
    table = wording.figure_table(block)
    assert table.cut
    assert {row[0] for row in table.rows} == {f"line {i}" for i in range(7)}
    assert 350 <= len(table.rows) <= wording.MOST_ROWS


def test_findings_are_the_claims_as_given(site):
    content = fake_site.content()
    document = json.loads((site / "findings.json").read_text(encoding="utf-8"))
    assert document == {"version": 1, "claims": content.claims, "release": content.release}


def test_findings_without_a_number_are_refused(tmp_path):
    claims = fake_site.claims("x")
    claims[0]["by"][0]["estimate"] = float("nan")
    with pytest.raises(ContentError, match="None where there is no number"):
        publish(dataclasses.replace(fake_site.content(), claims=claims), tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_links_between_files_resolve(site):
    ids = {page: {n.get("id") for n in _parsed(site / page).iter() if n.get("id")} for page in PAGES}
    for page in PAGES:
        for link in [*_all(_parsed(site / page), "a"), *_all(_parsed(site / page), "link")]:
            target, fragment = urldefrag(link.get("href"))
            if target.startswith(("https:", "http:", "data:")):
                continue
            assert not target or (site / unquote(target)).is_file(), link.get("href")
            assert not fragment or fragment in ids[target or page], link.get("href")


def test_a_verdict_stands_with_its_interval_its_n_and_its_threshold(site):
    claims = _all(_parsed(site / "index.html"), "li")
    first = next(" ".join("".join(li.itertext()).split()) for li in claims if li.get("id") == "claim-C6")
    assert first.startswith("supported C6 The first few years")
    assert "0.21 (95 % interval 0.041–0.36; n = 46, 22 groups); threshold 0.5" in first
    assert "Threshold of 2001-02-03 (prospective: written down before the result was seen)." in first
    assert "Few series are independent of one another." in first


def test_sources_show_where_each_vintage_came_from(site):
    words = " ".join("".join(_parsed(site / "sources.html").itertext()).split())
    for part in (
        "CC BY 4.0",
        "https://example.org/files/households.csv",
        "0123456789abcdef" * 4,
        "123 kB",
    ):
        assert part in words
    assert "re-recorded, reader 1" in words
    assert "unverified: written after the publisher’s documentation" in words
    for part in (*fake_site.sources("x")[0]["archived"][0].values(), *fake_site.sources("x")[0]["refused"][0].values()):
        shown = {999: "999 bytes", "fedcba9876543210" * 4: "fedcba987654"}.get(part, part)
        assert str(shown) in words or shown == "x"
    assert "day, from the publisher's own update date" in words


def _with_figure(**changes):
    content = fake_site.content()
    return dataclasses.replace(content, figures=[dataclasses.replace(content.figures[0], **changes)])


def _closed():
    content = fake_site.content()
    return dataclasses.replace(content, sources=[{**content.sources[0], "redistribute": False}])


def _with_claim(**changes):
    content = fake_site.content()
    return dataclasses.replace(content, claims=[{**content.claims[0], **changes}])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_with_figure(id="../escape"), "an id is lower-case letters"),
        (_with_figure(source_ids=["elsewhere"]), "elsewhere"),
        (_with_figure(page="nowhere.html"), "no page nowhere.html"),
        (_closed(), "may not be passed on"),
        (_with_claim(verdict="true"), "verdict 'true'"),
        (_with_claim(by=[{"panel": "x"}]), "no 'estimate'"),
        (dataclasses.replace(fake_site.content(), sources=fake_site.sources("x") * 2), "given twice"),
        (dataclasses.replace(fake_site.content(), release={"version": "1"}), "no 'newest_vintage'"),
    ],
    ids=["id", "source", "page", "closed", "verdict", "by", "twice", "release"],
)
def test_content_that_cannot_be_published_is_refused_before_anything_is_written(content, words, tmp_path):
    with pytest.raises(ContentError, match=re.escape(words)):
        publish(content, tmp_path / "site")
    assert not (tmp_path / "site").exists()

"""The site's files: the same bytes twice, nothing hostile gets through, every page stands on its own."""

import csv
import dataclasses
import functools
import io
import json
import re
from itertools import pairwise
from urllib.parse import unquote, urldefrag
from xml.etree import ElementTree

import fake_site
import html5lib
import polars as pl
import pytest
from longwave.reports import wording
from longwave.reports.simulations import Simulated
from longwave.reports.site import CSP, PAGES, ContentError, publish

HTML = "{http://www.w3.org/1999/xhtml}"
CLAIM_PAGES = ("claim-c6.html", "claim-c4a.html", "claim-c4.html")
SOURCE_PAGE = f"source-{fake_site.SOURCE}.html"
EVERY = (*PAGES, *CLAIM_PAGES, SOURCE_PAGE, "medium-radio.html")


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
    written = publish(fake_site.content.__wrapped__(), tmp_path / "again")
    names = [path.relative_to(tmp_path / "again") for path in written]
    assert names == sorted(path.relative_to(site) for path in site.rglob("*") if path.is_file())
    for name in names:
        assert (site / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "old.html").write_text("old")
    with pytest.raises(ContentError, match="not empty"):
        publish(fake_site.content(), tmp_path)


@pytest.mark.parametrize("page", EVERY)
@pytest.mark.parametrize("which", ["site", "hostile"])
def test_pages_parse_strictly_and_carry_the_policy(page, which, request):
    tree = _parsed(request.getfixturevalue(which) / page)
    policies = [m.get("content") for m in _all(tree, "meta") if m.get("http-equiv")]
    assert policies == [CSP]
    assert CSP == (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; base-uri 'none'"
    )


@pytest.mark.parametrize("page", EVERY)
def test_every_page_says_what_all_results_are_conditional_on(site, page):
    assert wording.CONDITION in (site / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", EVERY)
def test_headings_are_in_order_and_ids_unique(site, page):
    tree = _parsed(site / page)
    heading = re.compile(rf"{re.escape(HTML)}h[1-6]")
    levels = [int(node.tag[-1]) for node in tree.iter() if heading.fullmatch(str(node.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [node.get("id") for node in tree.iter() if node.get("id")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("page", EVERY)
def test_no_code_stands_in_a_page_and_nothing_is_loaded_from_elsewhere(hostile, page):
    tree = _parsed(hostile / page)
    for script in _all(tree, "script"):
        if script.get("src"):
            assert script.get("src") in (
                "plotly.min.js",
                "site.js",
                "hindsight.js",
                "vintages.js",
                "compare.js",
                "compare/index.js",
                "freshness.js",
            )
            assert script.get("defer") is not None
        else:
            assert script.get("type") == "application/json"
    loaded = [node.get("src") for node in tree.iter() if node.get("src")]
    loaded += [node.get("href") for node in _all(tree, "link")]
    assert not [address for address in loaded if "//" in address]
    assert not [name for node in tree.iter() for name in node.attrib if str(name).lower().startswith("on")]
    assert not [a for a in _all(tree, "a") if a.get("href", "").lower().startswith("javascript")]


def test_hostile_words_are_shown_and_never_run(hostile):
    for page in EVERY:
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
    ids = {page: {n.get("id") for n in _parsed(site / page).iter() if n.get("id")} for page in EVERY}
    assert set(EVERY) == {path.name for path in site.glob("*.html")}
    for page in EVERY:
        for image in [*_all(_parsed(site / page), "img"), *_all(_parsed(site / page), "source")]:
            assert (site / (image.get("src") or image.get("srcset"))).is_file()
        for link in [*_all(_parsed(site / page), "a"), *_all(_parsed(site / page), "link")]:
            target, fragment = urldefrag(link.get("href"))
            if target.startswith(("https:", "http:", "data:")):
                continue
            assert not target or (site / unquote(target)).is_file(), link.get("href")
            assert not fragment or fragment in ids[target or page], link.get("href")


def _words(node):
    return " ".join("".join(node.itertext()).split())


def _main(page):
    return _words(_all(_parsed(page), "main")[0])


def test_the_front_page_tells_of_each_claim_its_verdict_a_sentence_and_an_interval(site):
    cards = {li.get("id"): li for li in _all(_parsed(site / "index.html"), "li") if li.get("id")}
    assert list(cards) == ["claim-C6", "claim-C4a", "claim-C4"]
    first = _words(cards["claim-C6"])
    assert first.startswith("supported C6 The first few years")
    assert "Of 2 primary results: 2 on the claim’s side of the threshold." in first
    assert "0.21 (95 % interval 0.041–0.36; n = 46, 22 groups); threshold 0.5" in first
    assert "No result is held that could test it." in _words(cards["claim-C4"])
    for li, page in zip(cards.values(), CLAIM_PAGES, strict=True):
        assert page in [a.get("href") for a in _all(li, "a")]
        assert not _all(li, "figure")


def test_a_card_shows_first_the_results_that_lie_on_a_side_either_side_alike():
    row = fake_site.claims("x")[0]["by"][0]
    holds = {"first": None, "second": False, "third": None, "fourth": True, "fifth": None}
    by = [{**row, "panel": panel, "holds": side} for panel, side in holds.items()]
    by[0]["estimate"] = None
    view = wording.claim_view({**fake_site.claims("x")[0], "by": by})
    assert [shown["panel"] for shown in view["card"]] == ["second", "fourth", "third"]
    assert view["more"] == 2
    assert [shown["panel"] for shown in view["results"]] == list(holds)
    assert view["tally"] == (
        "Of 5 primary results: 1 on the claim’s side of the threshold, 1 on the other side, 3 that do not decide it."
    )


def test_a_result_whose_estimate_alone_counts_is_not_told_as_one_whose_interval_does():
    row = fake_site.claims("x")[0]["by"][0]
    sides = [(True, False), (None, False), (True, True), (False, True)]
    by = [{**row, "holds": holds, "sign_only": sign} for holds, sign in sides]
    assert wording.claim_view({**fake_site.claims("x")[0], "by": by})["tally"] == (
        "Of 4 primary results: 1 on the claim’s side of the threshold, 1 that does not decide it. "
        "Of 2 of them it counts only on which side the estimate lies, not its interval: "
        "1 on the claim’s side of the threshold, 1 on the other side."
    )


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("fewer than 15 clusters", "too few independent groups to decide, 15 are needed"),
        ("correlated", "correlated"),
        (None, ""),
    ],
)
def test_a_note_says_what_a_reader_from_outside_understands(note, words):
    assert wording.result_view({**fake_site.claims("x")[0]["by"][0], "note": note})["note"] == words


@pytest.mark.parametrize(("threshold", "words"), [([1.0, 1.0], "1"), ([1, 2], "1 to 2"), ([-0.1, 0.1], "−0.1 to 0.1")])
def test_a_range_of_one_number_is_that_number(threshold, words):
    row = {**fake_site.claims("x")[0]["by"][0], "threshold": threshold}
    assert wording.result_view(row)["threshold"] == words


@pytest.mark.parametrize(
    ("side", "words"), [(True, "lies on the claim’s side"), (False, "other side"), (None, "not decide")]
)
def test_one_result_is_told_in_one_sentence(side, words):
    row = {**fake_site.claims("x")[0]["by"][0], "holds": side}
    assert words in wording.claim_view({**fake_site.claims("x")[0], "by": [row]})["tally"]


def test_a_claims_page_says_all_that_it_rests_on(site):
    words = _main(site / "claim-c6.html")
    for part in (
        "The first few years of a medium show little of its ultimate shape.",
        "supported",
        "Information at ages 3 and 5 is under one half.",
        "Threshold of 2001-02-03 (prospective: written down before the result was seen).",
        "2001-02-04: the age was named",
        "0.21 (95 % interval 0.041–0.36; n = 46, 22 groups); threshold 0.5: the interval is on the claim’s side",
        "household shares, pooled: for the claim",
        "without television",
        "Verdict since the vintage of 2022-06-21.",
        "Before: undecided, from the vintage of 2019-07-27.",
        "Few series are independent of one another.",
        "Series of media that failed.",
    ):
        assert part in words, part
    links = [a.get("href") for a in _all(_parsed(site / "claim-c6.html"), "a")]
    assert f"{SOURCE_PAGE}#capture-2022-06-21-01234567" in links
    # A capture that is no longer held is named, and leads nowhere.
    assert "gone@2001-01-01#00000000" in words
    assert not [href for href in links if "gone" in href]


def test_a_figure_stands_in_full_on_one_page_and_as_a_picture_where_else_it_is_evidence(site):
    whole = {page: [f.get("id") for f in _all(_parsed(site / page), "figure") if f.get("id")] for page in EVERY}
    ids = [name for names in whole.values() for name in names]
    assert sorted(ids) == sorted(f"figure-{block.id}" for block in fake_site.content().figures)
    assert whole["claim-c6.html"] == ["figure-errors-of-claims"]
    assert whole["claims.html"] == ["figure-errors-of-none"]
    assert whole["claim-c4a.html"] == []
    (shown,) = _all(_parsed(site / "claim-c4a.html"), "figure")
    assert {a.get("href") for a in _all(shown, "a")} == {"claim-c6.html#figure-errors-of-claims"}
    (image,) = _all(shown, "img")
    assert (image.get("src"), image.get("alt")) == (
        "pictures/errors-of-claims.svg",
        "Invented errors that fall with age.",
    )


def test_a_picture_stands_alone(site, hostile):
    for block in fake_site.content().figures:
        for name in (f"{block.id}.svg", f"{block.id}-narrow.svg"):
            root = ElementTree.parse(site / "pictures" / name).getroot()
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert "prefers-color-scheme: dark" in root.find("{http://www.w3.org/2000/svg}style").text
            tags = {node.tag.split("}")[1] for node in ElementTree.parse(hostile / "pictures" / name).iter()}
            assert "script" not in tags


def test_from_a_figure_to_the_capture_of_an_observation_in_three_clicks(site):
    figure = next(
        f for f in _all(_parsed(site / "claim-c6.html"), "figure") if f.get("id") == "figure-errors-of-claims"
    )
    first = [a.get("href") for a in _all(figure, "a") if "#series-" in a.get("href")]
    assert len(first) == 1
    assert "not/held/here" in _words(figure)
    page, fragment = urldefrag(first[0])
    tree = _parsed(site / page)
    series = next(node for node in tree.iter() if node.get("id") == fragment)
    assert _words(series).endswith("2019-07-27 1921: 1; 1923: 0.000079 2022-06-21 1922: 2.125")
    second = {a.get("href") for a in _all(series, "a")}
    rows = {f"#{row.get('id')}": _words(row) for row in _all(tree, "tr") if row.get("id")}
    assert second == set(rows)
    assert all("0123456789abcdef" * 4 in words for words in rows.values())
    assert "96.6 [carried forward]" in _main(site / page)


def test_rows_of_a_source_that_may_not_be_passed_on_are_refused_as_evidence_and_never_shown(tmp_path):
    content = fake_site.content()
    closed = [{**content.sources[0], "redistribute": False}]
    shut = dataclasses.replace(content, sources=closed, figures=(), media=(), stated=())
    with pytest.raises(ContentError, match=r"evidence: rows of .* may not be passed on"):
        publish(shut, tmp_path / "site")
    shut = dataclasses.replace(shut, evidence=content.evidence.clear())
    with pytest.raises(ContentError, match=r"lines: rows of .* may not be passed on"):
        publish(shut, tmp_path / "site")
    publish(dataclasses.replace(shut, lines=content.lines.clear()), tmp_path / "site")
    assert "Its rows may not be passed on, so none stands here." in _main(tmp_path / "site" / SOURCE_PAGE)


@pytest.mark.parametrize(
    ("url", "words"), [("https://example.org/x", "and the original’s address"), (None, "all but 2 with")]
)
def test_captures_are_said_to_have_an_address_where_all_have_one(url, words, tmp_path):
    content = fake_site.content()
    (source,) = content.sources
    vintages = [{**vintage, "url": url} for vintage in source["vintages"][:2]]
    publish(dataclasses.replace(content, sources=[{**source, "vintages": vintages}]), tmp_path / "site")
    assert words in _main(tmp_path / "site" / "index.html")


def test_how_ripe_todays_media_are(site):
    words = _main(site / "index.html")
    assert (
        "Social media, 17 years after launch in the figures held 0.81 of 1 (95 % interval 0.70–0.90); readable from 2012"
        in words
    )
    assert "this much was known of other media at the age" in words
    assert "Smartphones, 25 years after launch in the figures held Readable from 2005. Seen." in words
    assert "Podcasts . No verified launch year" not in words
    assert "Podcasts No verified launch year: no ripeness." in words


def test_the_feed_has_an_entry_a_verdict_dated_by_its_vintage(site, hostile):
    names = {"a": "http://www.w3.org/2005/Atom"}
    root = ElementTree.parse(site / "verdicts.atom").getroot()
    entries = [
        (e.findtext("a:title", "", names), e.findtext("a:updated", "", names)) for e in root.findall("a:entry", names)
    ]
    assert entries == [
        ("Release 2, on vintages to 2022-06-21", "2022-06-21T00:00:00Z"),
        ("C6: supported, before: undecided", "2022-06-21T00:00:00Z"),
        ("C4a: undecided", "2022-06-21T00:00:00Z"),
        ("Release 1, on vintages to 2019-07-27", "2019-07-27T00:00:00Z"),
        ("C6: undecided", "2019-07-27T00:00:00Z"),
    ]
    assert len({e.findtext("a:id", "", names) for e in root.iter()}) > 3
    assert root.findtext("a:updated", "", names) == "2022-06-21T00:00:00Z"
    assert {link.get("href") for link in root.findall("a:entry/a:link", names)} == {
        "claim-c6.html",
        "claim-c4a.html",
        "releases/1/findings.json",
        "releases/2/findings.json",
    }
    assert fake_site.HOSTILE in ElementTree.parse(hostile / "verdicts.atom").getroot().findtext("a:title", "", names)


def test_sources_show_where_each_vintage_came_from(site):
    words = _main(site / SOURCE_PAGE)
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
    return dataclasses.replace(content, figures=[dataclasses.replace(content.figures[0], **changes)], stated=())


def _closed():
    content = fake_site.content()
    return dataclasses.replace(content, sources=[{**content.sources[0], "redistribute": False}])


def _with_claim(**changes):
    content = fake_site.content()
    return dataclasses.replace(content, claims=[{**content.claims[0], **changes}])


def _with_ids(*ids):
    content = fake_site.content()
    claims = [{**content.claims[0], "id": name} for name in ids]
    return dataclasses.replace(content, claims=claims, figures=content.figures[:1], stated=())


def _simulated(studies):
    return dataclasses.replace(fake_site.content(), simulations=Simulated(fake_site.simulations().asked, studies))


def _elsewhere():
    return fake_site.evidence().with_columns(source=pl.lit("elsewhere"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_with_figure(id="../escape"), "an id is lower-case letters"),
        (_with_figure(source_ids=["elsewhere"]), "elsewhere"),
        (_with_figure(page="nowhere.html"), "no page nowhere.html"),
        (_with_figure(claims=["C6", "C99"]), "claims ['C99'] are not among those decided; run `longwave run`"),
        (_with_ids("C6", "c6"), "the page of a claim claim-c6.html: given twice: ids must differ in more than case"),
        (_with_ids("C6", ""), "a claim has an empty id"),
        (
            dataclasses.replace(fake_site.content(), evidence=pl.DataFrame({"source": ["x"]})),
            "evidence: no column series",
        ),
        (dataclasses.replace(fake_site.content(), evidence=_elsewhere()), "evidence: sources ['elsewhere']"),
        (dataclasses.replace(fake_site.content(), clock=[{"medium": "social"}]), "clock, medium social: no 'title'"),
        (_closed(), "may not be passed on"),
        (
            dataclasses.replace(fake_site.content(), lines=fake_site.lines().with_columns(source=pl.lit("elsewhere"))),
            "lines: sources ['elsewhere']",
        ),
        (dataclasses.replace(fake_site.content(), releases=[{"number": 1}]), "release 1: no 'vintage'"),
        (_with_claim(verdict="true"), "verdict 'true'"),
        (_with_claim(by=[{"panel": "x"}]), "no 'estimate'"),
        (dataclasses.replace(fake_site.content(), sources=fake_site.sources("x") * 2), "given twice"),
        (dataclasses.replace(fake_site.content(), release={"version": "1"}), "no 'newest_vintage'"),
        (
            _simulated(fake_site.simulations().studies.drop("rate")),
            "simulations: no column rate; write the record anew",
        ),
        (
            _simulated(fake_site.simulations().studies.with_columns(stands=pl.lit("fine"))),
            "simulations: 'fine' is no way to stand",
        ),
    ],
    ids=[
        "id",
        "source",
        "page",
        "claims",
        "case",
        "empty",
        "columns",
        "evidence",
        "clock",
        "closed",
        "lines",
        "releases",
        "verdict",
        "by",
        "twice",
        "release",
        "simulations",
        "stands",
    ],
)
def test_content_that_cannot_be_published_is_refused_before_anything_is_written(content, words, tmp_path):
    with pytest.raises(ContentError, match=re.escape(words)):
        publish(content, tmp_path / "site")
    assert not (tmp_path / "site").exists()

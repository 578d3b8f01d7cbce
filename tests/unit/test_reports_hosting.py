"""What the site has on a host of a known address, its releases, its citations, and the scripts of series to compare."""

import dataclasses
import json
import re
from xml.etree import ElementTree

import fake_site
import pytest
import yaml
from longwave.pipelines import publish as publishing
from longwave.pipelines.base_url import base_url
from longwave.pipelines.publish import how_to_reproduce
from longwave.reports import citing, releases, series_files
from longwave.reports.site import publish

HOST = "https://example.org/longwave/"


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    out = tmp_path_factory.mktemp("hosted") / "site"
    # One figure is enough here.
    content = fake_site.content()
    publish(dataclasses.replace(content, figures=content.figures[:1], media=(), stated=(), base_url=HOST), out)
    return out


# --- a host


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("https://example.org", "https://example.org/"),
        ("HTTP://Example.org:8080/a/b//", "http://example.org:8080/a/b/"),
        (" https://[2001:db8::1]/x ", "https://[2001:db8::1]/x/"),
    ],
)
def test_an_address_is_written_in_one_way(given, made):
    assert base_url(given) == made


@pytest.mark.parametrize(
    "given",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "https://",
        "https://example.org/?q=1",
        "https://example.org/#top",
        "https://me:secret@example.org/",
        "https://example.org:port/",
        "https://exa mple.org/",
        "https://example.org/a b/",
        'https://example.org/"onload="x',
        "javascript:alert(1)",
    ],
)
def test_what_is_no_address_of_a_folder_is_refused_with_one_that_is(given):
    with pytest.raises(ValueError, match=r"such as https://example\.org/longwave/"):
        base_url(given)


def test_a_bad_address_is_wrong_usage_and_nothing_is_written(inside, tmp_path):
    result = inside(["report", "--out", str(tmp_path / "out"), "--base-url", "example.org"], tmp_path / "home")
    assert result.returncode == 2
    assert "--base-url" in result.stderr
    assert "names no host" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "folder", "where"),
    [
        ([], "home/site", ""),
        (["--base-url", HOST], "home/site-hosted", HOST),
        (["--base-url", HOST, "--out", "{0}/there"], "there", HOST),
    ],
)
def test_a_site_for_a_host_does_not_take_the_place_of_the_homes_own(
    inside, tmp_path, monkeypatch, options, folder, where
):
    written = []
    monkeypatch.setattr(publishing, "write_report", lambda home, *target: written.append(target) or [])
    result = inside(["report", *(option.format(tmp_path) for option in options)], tmp_path / "home")
    assert result.returncode == 0
    assert written == [(tmp_path / folder, where)]
    assert str(tmp_path / folder / "index.html") in result.stdout.replace("\n", "")


def test_every_page_names_its_address_and_the_map_lists_it(hosted):
    pages = {path.name for path in hosted.glob("*.html")}
    for page in pages:
        (link,) = re.findall(r'<link rel="canonical" href="([^"]*)">', (hosted / page).read_text())
        assert link == HOST + ("" if page == "index.html" else page)
    root = ElementTree.parse(hosted / "sitemap.xml").getroot()
    names = {"m": "http://www.sitemaps.org/schemas/sitemap/0.9"}
    listed = [url.findtext("m:loc", "", names) for url in root.findall("m:url", names)]
    assert sorted(listed) == sorted(HOST + ("" if page == "index.html" else page) for page in pages)
    assert {url.findtext("m:lastmod", "", names) for url in root} == {"2022-06-21"}
    assert not (hosted / "robots.txt").exists(), "crawlers look for it at the top of a host alone"
    feed = ElementTree.parse(hosted / "verdicts.atom").getroot()
    assert all(link.get("href").startswith(HOST) for link in feed.iter("{http://www.w3.org/2005/Atom}link"))


def test_a_site_that_is_all_of_its_host_speaks_to_crawlers(tmp_path):
    content = dataclasses.replace(fake_site.content(), figures=[], media=(), stated=(), base_url="https://example.org/")
    publish(content, tmp_path / "site")
    assert "Sitemap: https://example.org/sitemap.xml" in (tmp_path / "site" / "robots.txt").read_text()


def test_a_site_without_an_address_names_none(tmp_path):
    publish(dataclasses.replace(fake_site.content(), figures=[], media=(), stated=()), tmp_path / "site")
    assert not (tmp_path / "site" / "sitemap.xml").exists()
    assert "canonical" not in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.parametrize(
    ("kind", "address", "commands"),
    [
        ("re-recorded", "", "make run"),
        ("re-recorded", HOST, f"make run\nlongwave report --out site --base-url {HOST}"),
        (
            "live",
            "",
            "longwave import BACKUP    # what `longwave export BACKUP` wrote where this was made\nlongwave run",
        ),
    ],
)
def test_how_to_reproduce_follows_from_what_is_held(kind, address, commands):
    assert how_to_reproduce([{"vintages": [{"kind": "re-recorded"}, {"kind": kind}]}], address) == commands


# --- releases


def test_the_findings_of_every_release_stand_for_good(hosted):
    first, second = (json.loads((hosted / releases.file_of(number)).read_text()) for number in (1, 2))
    assert first["release"] == {
        "number": 1,
        "version": "0.0",
        "inputs_digest": "1" * 64,
        "newest_vintage": "2019-07-27",
    }
    assert [claim["id"] for claim in first["claims"]] == ["C6", "C4a"]
    assert second["claims"] == json.loads((hosted / "findings.json").read_text())["claims"]


def test_the_front_page_says_what_changed(hosted):
    page = (hosted / "index.html").read_text()
    part = re.search(r'<section[^>]*aria-labelledby="changed">.*?</section>', page, re.S).group()
    words = " ".join(re.sub(r"<[^>]*>", " ", part).split())
    assert "Since release 1 , on vintages to 2019-07-27:" in words
    assert "C6 : supported , before: undecided" in words
    assert "C4 : not testable with what is held , a new claim" in words
    assert "0.12 (95 % interval −0.13 to 0.36), before: 0.10 (95 % interval −0.13 to 0.36)" in words.replace(
        "\u202f", " "
    )
    assert releases.file_of(1) in part


def test_the_first_release_has_nothing_before_it(tmp_path):
    content = fake_site.content()
    publish(
        dataclasses.replace(content, figures=[], media=(), stated=(), releases=content.releases[:1]), tmp_path / "site"
    )
    assert "What changed" not in (tmp_path / "site" / "index.html").read_text()
    assert "The first release." in (tmp_path / "site" / "verdicts.atom").read_text()


def test_a_claim_that_is_gone_and_sensitivities_alone_are_said():
    before, after = (row["claims"] for row in fake_site.releases())
    assert releases.summary(releases.changes(after, before)) == (
        "C6 undecided (before: supported); C4 no more; 1 primary result with other numbers"
    )
    assert releases.summary(releases.changes(after, after)) == "other numbers of sensitivities alone"


# --- citations


def test_longwave_is_cited_as_its_file_says(root):
    told = yaml.safe_load((root / "CITATION.cff").read_text())
    (author,) = told["authors"]
    assert {"title": told["title"], "author": author["name"], "licence": told["license"]} == citing.SOFTWARE


def test_a_source_in_bibtex_survives_what_tex_reads_otherwise():
    (source,) = fake_site.sources("Tea & milk, 50 % {off}")
    entry = citing.source_bibtex({**source, "homepage": "https://example.org/a_b"}, "2022-06-21")
    assert entry.startswith("@misc{synthetic_households,\n")
    assert r"  title = {Tea \& milk, 50 \% \{off\}}," in entry
    assert r"  howpublished = {\url{https://example.org/a_b}}," in entry
    assert "  year = {2022}," in entry
    plain = re.sub(r"\\[{}]", "", entry)
    assert plain.count("{") == plain.count("}")
    assert "year" not in citing.source_bibtex(source, "").split("note")[0]


# --- series to compare


def test_the_scripts_hold_every_value_in_the_order_of_the_index():
    made = series_files.files(fake_site.lines(), {fake_site.SOURCE: "Told"}, [fake_site.RADIO, "not/held/here"])
    assert sorted(made) == ["compare/index.js", "compare/others.js"]
    index = json.loads(re.fullmatch(r"longwaveIndex\((.*)\);\n", made["compare/index.js"]).group(1))
    ids = [index["prefixes"][row[0]] + row[1] for row in index["series"]]
    assert ids == fake_site.lines()["series"].unique(maintain_order=True).to_list()
    assert [row[2:4] for row in index["series"]] == [[0, "USA"], ["Ghana", 0], ["Ghana", 0]]
    assert index["first"] == [fake_site.RADIO]
    assert index["sources"] == [["Told", f"source-{fake_site.SOURCE}.html"]]
    assert [medium[:2] for medium in index["media"]] == [["radio", "others"], ["internet", "others"]]
    values = json.loads(re.fullmatch(r'longwaveValues\("others",(.*)\);\n', made["compare/others.js"]).group(1))
    radio, ghana, users = values
    assert radio == [1920, 1, 1921, [1, 2.125, 7.9e-05, *[None] * 6, 48, 55.5], [1930]]
    assert ghana == [None, 0, 1990, [20, 30]]
    assert users == [None, 0, 1999, [1234600, 2345700]]


def test_nothing_to_compare_writes_nothing():
    assert series_files.files(fake_site.lines().clear(), {}, []) == {}

"""Guards on complete bodies: a page where a table was promised, a bot challenge, nothing at all, half of something."""

import codecs
import json
from datetime import UTC, datetime

import pytest
from longwave.pipelines.bodies import challenge_in, check_body
from longwave.warehouse.exchange import Exchange

URL = "https://data.example.org/figures"
CSV = "Entity,Code,Year,Users\nFrance,FRA,2001,26.3\n"
PAGE = "<!DOCTYPE html>\n<html lang='en'><head><title>Fact sheet</title></head><body><p>{}</p></body></html>\n"
CHECKS = ["media type", "magic", "no challenge", "not empty", "whole"]


def served(body, media_type="text/csv; charset=utf-8", **headers):
    data = body.encode() if isinstance(body, str) else body
    given = [("Content-Type", media_type), *((name.replace("_", "-"), value) for name, value in headers.items())]
    kept = tuple((name, value) for name, value in given if value is not None)
    return Exchange(URL, (), 200, "OK", kept, data, data, datetime(2026, 3, 4, tzinfo=UTC), "93.184.215.14")


def failed(exchange, form):
    """Names of the checks that an answer fails; every check is there, and blocks."""
    results = check_body("data", exchange, form)
    assert [result.check for result in results] == CHECKS
    assert all(result.blocking for result in results)
    assert all(result.rows == (() if result.passed else (f"data, {URL}",)) for result in results)
    return [result.check for result in results if not result.passed]


def found(exchange, form, check):
    return next(result.found for result in check_body("data", exchange, form) if result.check == check)


GOOD = [
    (CSV, "text/csv", "csv"),
    (CSV, "TEXT/CSV;charset=utf-8", "csv"),
    (CSV, "text/plain", "csv"),
    (CSV, "application/octet-stream", "csv"),
    (CSV, None, "csv"),
    ("\ufeff" + CSV, "text/csv", "csv"),
    (codecs.BOM_UTF16_LE + CSV.encode("utf-16-le"), "text/csv", "csv"),
    ("Paÿs;Année\n".encode("latin-1") * 90_000, "text/csv", "csv"),
    ("name,note\nTurnstile,<b>bold</b> captcha-delivery.com just a moment\n", "text/csv", "csv"),
    ("\n\n year  value\n < 5 of them\n", "text/plain", "text"),
    ("<5\n", "text/plain", "text"),
    ('[{"page":1},[]]', "application/json;charset=utf-8", "json"),
    (b"\xef\xbb\xbf {}", "application/json", "json"),
    (PAGE.format("television"), "text/html", "html"),
    ("<!-- saved -->\n<html><body></body></HTML >\n<!-- served in 3 ms -->", "application/xhtml+xml", "html"),
    # What ordinary pages behind these services bear.
    (PAGE.format('<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script>'), "text/html", "html"),
    (PAGE.format('<script src="/_Incapsula_Resource?SWJIYLWA=1"></script>'), "text/html", "html"),
    (PAGE.format('<script src="https://js.datadome.co/tags.js"></script>'), "text/html", "html"),
    (PAGE.format("A CAPTCHA asks whether you are human. Access denied is what it says then."), "text/html", "html"),
    (PAGE.format("text " * 5000 + "<div class='g-recaptcha'>subscribe</div>"), "text/html", "html"),
]


@pytest.mark.parametrize(("body", "media_type", "form"), GOOD)
def test_what_publishers_serve_passes(body, media_type, form):
    assert failed(served(body, media_type), form) == []


@pytest.mark.parametrize("form", ["csv", "json", "text"])
@pytest.mark.parametrize(
    "page",
    [
        PAGE.format("We are down for maintenance"),
        "\ufeff \r\n<html><body>Error</body></html>",
        "<HEAD><TITLE>Moved</TITLE></HEAD>",
        "<!-- error --><p>Error",
    ],
)
def test_a_page_in_place_of_a_table(page, form):
    exchange = served(page, "text/plain")
    assert "magic" in failed(exchange, form)
    assert found(exchange, form, "magic") in ("an HTML page", repr(page.lstrip("\ufeff \r\n")[:40]))


def test_other_markup_in_place_of_a_table():
    assert failed(served('<?xml version="1.0"?><error/>'), "csv") == ["magic"]
    assert failed(served("<error>no such file</error>"), "csv") == ["magic"]


@pytest.mark.parametrize(
    ("media_type", "form"),
    [
        ("text/html", "csv"),
        ("text/html", "json"),
        ("application/json", "csv"),
        ("image/png", "text"),
        ("text/csv", "json"),
        (None, "json"),
        (None, "html"),
        ("text/plain", "html"),
    ],
)
def test_a_media_type_that_is_not_the_forms(media_type, form):
    body = {"csv": CSV, "json": "{}", "text": "a", "html": PAGE}[form]
    exchange = served(body, media_type)
    assert failed(exchange, form) == ["media type"]
    assert found(exchange, form, "media type") == (media_type or "no Content-Type")


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PK\x03\x04", "ZIP"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\xd0\xcf\x11\xe0", "Excel"),
        (b"\x89PNG\r\n", "PNG"),
        (b"year\x00value", "NUL"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "text", "html"])
def test_other_kinds_of_files_are_named(start, kind, form):
    exchange = served(start + b" and so on </html>", "text/html" if form == "html" else "text/plain")
    assert failed(exchange, form) == ["magic"]
    assert kind in found(exchange, form, "magic")


def test_a_table_in_place_of_a_page():
    assert failed(served(CSV, "text/html"), "html") == ["magic", "whole"]


CHALLENGES = {
    "Cloudflare": [
        "<!DOCTYPE html><html lang='en-US'><head><title>Just a moment...</title></head><body></body></html>",
        "<html><head><title>Attention Required! | Cloudflare</title></head><body></body></html>",
        "<html><body><script>window._cf_chl_opt = {cvId: '3'};</script></body></html>",
        "<html><body><form id='cf-chl-widget'></form></body></html>",
    ],
    "DataDome": [
        (
            "<html><head><title>x.org</title></head><body><script>var dd={'rt':'c','host':'geo.captcha-delivery.com'}"
            "</script></body></html>"
        )
    ],
    "Akamai": [
        (
            "<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY><H1>Access Denied</H1>You don't have permission"
            ' to access "http&#58;" on this server.<P>\nReference&#32;&#35;18&#46;2d<P>https://errors.edgesuite.net/18'
            "</BODY></HTML>"
        ),
    ],
    "Imperva": [
        (
            "<html><body><iframe src='/_Incapsula_Resource?CWUDNSAI=5'>Request unsuccessful. Incapsula incident ID: 4-5"
            "</iframe></body></html>"
        ),
        "<html><head><title>Pardon Our Interruption</title></head><body></body></html>",
    ],
    "PerimeterX": ["<html><body><div id='px-captcha'></div></body></html>"],
    "AWS WAF": ["<html><head><script>window.gokuProps = {};</script></head><body></body></html>"],
    "a bot check": [
        "<html><head><title>Robot Check</title></head><body></body></html>",
        "<html><body>Our systems have detected unusual traffic from your computer network.</body></html>",
    ],
    "captcha": [
        "<html><body><form><div class='g-recaptcha' data-sitekey='k'></div></form></body></html>",
        "<html><body><div class='cf-turnstile'></div></body></html>",
    ],
}


@pytest.mark.parametrize(("who", "page"), [(who, page) for who, pages in CHALLENGES.items() for page in pages])
def test_a_bot_challenge_is_recognised_on_a_page_and_in_place_of_a_table(who, page):
    assert failed(served(page, "text/html"), "html") == ["no challenge"]
    assert {"magic", "no challenge"} <= set(failed(served(page), "csv"))
    assert f"a bot challenge ({who}" in found(served(page, "text/html"), "html", "no challenge")


@pytest.mark.parametrize(("name", "value"), [("cf-mitigated", "challenge"), ("x-amzn-waf-action", " Captcha")])
def test_a_bot_challenge_is_recognised_by_its_header(name, value):
    assert challenge_in(((name.upper(), value),), b"") == f"a bot challenge ({name.upper()}: {value.strip()})"
    assert challenge_in(((name, "none"),), CSV.encode()) is None


@pytest.mark.parametrize("body", ["", " \r\n\t", "\ufeff", "\ufeff\n", codecs.BOM_UTF16_LE])
@pytest.mark.parametrize(("form", "also"), [("csv", []), ("text", []), ("json", ["whole"]), ("html", ["whole"])])
def test_an_empty_body(body, form, also):
    exchange = served(body, "text/html" if form == "html" else "text/plain")
    assert failed(exchange, form) == ["not empty", *also]


def test_white_space_longer_than_what_is_looked_at_is_still_empty():
    assert failed(served(" " * 300_000), "csv") == ["not empty"]
    assert failed(served(" " * 300_000 + "a"), "csv") == []


def test_a_length_that_is_not_the_bodys():
    exchange = served(CSV, Content_Length=str(len(CSV) + 1))
    assert failed(exchange, "csv") == ["whole"]
    assert found(exchange, "csv", "whole") == f"{len(CSV)} bytes where Content-Length says {len(CSV) + 1}"
    assert failed(served(CSV, Content_Length=str(len(CSV))), "csv") == []


def test_the_length_is_that_of_the_body_as_sent():
    packed = Exchange(
        URL,
        (),
        200,
        "OK",
        (("Content-Type", "text/csv"), ("Content-Length", "9"), ("Content-Encoding", "gzip")),
        b"\x1f\x8b packed"[:9],
        CSV.encode(),
        datetime(2026, 3, 4, tzinfo=UTC),
        "93.184.215.14",
    )
    assert failed(packed, "csv") == []


@pytest.mark.parametrize(
    "body",
    [
        '[{"page":1},[{"value":3',
        '{"a":1}{"b":2}',
        '{"a":1}<!-- served by 4 -->',
        '{"a":\xff}'.encode("latin-1"),
        "[" * 100_000,
        "[" + "9" * 10_000 + "]",
    ],
)
def test_json_that_does_not_come_to_its_end(body):
    assert failed(served(body, "application/json"), "json") == ["whole"]


def test_json_that_is_no_table():
    assert failed(served('"maintenance"', "application/json"), "json") == ["magic"]
    assert failed(served("maintenance", "application/json"), "json") == ["magic", "whole"]


def test_a_page_that_breaks_off():
    assert failed(served(PAGE.format("a")[:-10], "text/html"), "html") == ["whole"]
    assert failed(served(PAGE.format("a " * 400_000)[:-10], "text/html"), "html") == ["whole"]


def test_a_body_made_to_be_slow_is_no_slower():
    """Patterns are tried on the beginning only, and none of them takes time beyond its length (one took a minute here)."""
    page = PAGE.format("<title>access denied</title>" * 9000 + " " * 2_000_000)
    assert failed(served(page, "text/html"), "html") == []
    rows = json.dumps([{"a": number} for number in range(100_000)])
    assert failed(served(rows, "application/json"), "json") == []

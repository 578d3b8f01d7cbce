"""What a whole body must be before a reader sees it: not empty, whole, of the form promised, and no bot-challenge page.

Belongs here: checks on one complete answer's bytes and headers. Does not belong here: an answer that is not complete or
not allowed, which is never kept (`longwave.pipelines.fetch`), and what its rows must satisfy (`longwave.warehouse.tidy`).

A body that fails is archived all the same and refused as a whole: the results say what was expected and what was found.

- media type: the Content-Type is one that publishers were seen to use for the form.
- magic: the first bytes are those of the form: no HTML page for a table, no ZIP, PDF or picture for text.
- no challenge: not the page that asks a visitor to prove to be human, by marks that ordinary pages do not bear.
- not empty: more than white space.
- whole: as long as its Content-Length says; JSON can be read to its end, HTML is closed.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping

from longwave.pipelines.sources._spec import MEDIA_TYPES, Form
from longwave.warehouse.exchange import Exchange, Headers
from longwave.warehouse.tidy import CheckResult

_HEAD = 1 << 18
_SMALL_PAGE = 20_000

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP file"),
    (b"PK\x05\x06", "an empty ZIP file"),
    (b"%PDF-", "a PDF"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"7z\xbc\xaf", "a 7z file"),
    (b"Rar!", "a RAR file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
)
_MARKS_OF_ORDER: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARKUP = re.compile(r"<[!?a-z/]", re.IGNORECASE)
_PAGE = re.compile(r"<(!doctype html|html|head|body|!--|\?xml)", re.IGNORECASE)
_CLOSED = re.compile(r"</html\s*>", re.IGNORECASE)
_STARTS: Mapping[Form, str] = {
    "csv": "text, no markup",
    "text": "text, no markup",
    "json": "text that begins with { or [",
    "html": "an HTML page",
}

# Marks of a challenge or block page. An ordinary page behind the same service bears others (its beacons and tags).
_CHALLENGES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for name, pattern in (
        ("Cloudflare", r"<title>\s*(just a moment|attention required! \| cloudflare|one moment, please)"),
        ("Cloudflare", r"_cf_chl_opt|cf-chl-|cf_chl_|cf-browser-verification|/challenge-platform/h/\w+/orchestrate/"),
        ("Cloudflare", r"<title>\s*access denied \| [^<]* used cloudflare"),
        ("DataDome", r"captcha-delivery\.com"),
        # Each mark is one place on the page: two with anything between them would take quadratic time on a hostile page.
        ("Akamai", r"errors\.edgesuite\.net|<title>\s*access denied\s*</title>\s*</head>\s*<body>\s*<h1>access denied"),
        ("Akamai", r"sec-if-cpt-container|/_sec/cp_challenge/"),
        ("Imperva Incapsula", r"request unsuccessful\. incapsula|incapsula incident id"),
        ("Imperva", r"<title>\s*pardon our interruption"),
        ("PerimeterX", r"id=.px-captcha|window\._pxblockscript"),
        ("AWS WAF", r"window\.gokuprops"),
        ("a bot check", r"<title>\s*(human verification|security check|are you a robot|bot verification|robot check)"),
        ("a bot check", r"<title>\s*(checking your browser|ddos-guard|verify(ing)? (that )?you are (a )?human)"),
        ("a bot check", r"unusual traffic from your (computer|network)"),
    )
)
_CAPTCHA = re.compile(
    r"g-recaptcha|h-captcha|hcaptcha\.com/1/api|cf-turnstile|name=.captcha|enter the characters you see", re.IGNORECASE
)
_CHALLENGE_HEADERS = {"cf-mitigated": ("challenge",), "x-amzn-waf-action": ("challenge", "captcha")}


def check_body(name: str, exchange: Exchange, form: Form) -> list[CheckResult]:
    """Run every check on a complete answer; all of them block.

    Args:
        name: of the part within its answer; a failed check names it, with its address.
        exchange: a complete answer with status 200.
        form: what the body was promised to be.

    Returns:
        `media type`, `magic`, `no challenge`, `not empty`, `whole`, passed or not.

    """
    head = _text(exchange.payload[:_HEAD])
    challenge = challenge_in(exchange.headers, exchange.payload)
    empty = not _text(exchange.payload[:_HEAD]).strip() and not exchange.payload[_HEAD:].strip()
    said_type, type_fits = _media_type(exchange, form)
    seen, magic_fits = _seen(exchange.payload, head, form)
    flaw = _flaw(exchange, form)
    where = f"{name}, {exchange.url}"
    return [
        _result(where, "media type", type_fits, " or ".join(MEDIA_TYPES[form]), said_type),
        _result(where, "magic", empty or magic_fits, _STARTS[form], "nothing" if empty else seen),
        _result(where, "no challenge", challenge is None, "the page itself", challenge or "no mark of a bot challenge"),
        _result(where, "not empty", not empty, "at least one character", f"{len(exchange.payload):,} bytes"),
        _result(where, "whole", flaw is None, "a body that is complete", flaw or f"{len(exchange.body):,} bytes"),
    ]


def _result(where: str, check: str, passed: bool, expected: str, found: str) -> CheckResult:
    return CheckResult(check, passed, True, expected, found, () if passed else (where,))


def _media_type(exchange: Exchange, form: Form) -> tuple[str, bool]:
    """What the Content-Type says, and whether it fits; without one a body is taken as bytes (RFC 9110, 8.3)."""
    header = exchange.header("Content-Type")
    said = (header or "application/octet-stream").partition(";")[0].strip().lower()
    return said if header else "no Content-Type", said in MEDIA_TYPES[form]


def _text(data: bytes) -> str:
    """Bytes as text good enough to look for ASCII in, by their byte order mark."""
    for mark, encoding in _MARKS_OF_ORDER:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return data.decode("latin-1")


def _seen(payload: bytes, head: str, form: Form) -> tuple[str, bool]:
    """What a body begins with, in words, and whether that fits its form."""
    kind = next((kind for signature, kind in _SIGNATURES if payload.startswith(signature)), None)
    if kind is None and "\x00" in head[:4096]:
        kind = "binary data (NUL bytes)"
    if kind is not None:
        return kind, False
    start = head.lstrip()
    page, quoted = _PAGE.match(start) is not None, repr(start[:40])
    if form == "html":
        return ("an HTML page" if page else quoted), page
    if form == "json":
        return quoted, start[:1] in ("{", "[")
    return ("an HTML page" if page else quoted), _MARKUP.match(start) is None


def challenge_in(headers: Headers, payload: bytes) -> str | None:
    """Whose bot challenge an answer is, or None if it is none.

    Words are looked for in markup only: a table may well hold them.
    """
    for key, value in headers:
        if value.strip().lower() in _CHALLENGE_HEADERS.get(key.lower(), ()):
            return f"a bot challenge ({key}: {value.strip()})"
    page = _text(payload[:_HEAD])
    if _MARKUP.match(page.lstrip()) is None:
        return None
    for name, mark in _CHALLENGES:
        found = mark.search(page)
        if found:
            return f"a bot challenge ({name}: {' '.join(found.group().split())[:60]!r})"
    # A form on a long page may have a captcha; a page with little else is one.
    found = _CAPTCHA.search(page) if len(payload) < _SMALL_PAGE else None
    return f"a bot challenge (captcha: {found.group()!r})" if found else None


def _flaw(exchange: Exchange, form: Form) -> str | None:
    """What shows that a body is not whole, or None."""
    declared = exchange.header("Content-Length")
    if declared is not None and declared.strip() != str(len(exchange.body)):
        return f"{len(exchange.body):,} bytes where Content-Length says {declared.strip()}"
    if form == "json":
        return _json_flaw(exchange.payload)
    if form == "html" and not _CLOSED.search(_text(exchange.payload)):
        return "no </html>"
    return None


def _json_flaw(payload: bytes) -> str | None:
    try:
        json.loads(payload)
    except RecursionError:
        return "JSON nested too deeply to be read"
    except ValueError as error:
        return f"no complete JSON: {error}"
    return None

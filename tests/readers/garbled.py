"""Answers of every source, and ways in which an answer can be garbled that keep to its form: cells, rows, columns, tags, keys.

A plan is a list of (way, number): each way takes what it draws from a generator seeded with its number, so that a plan says
all there is to say of a garbled answer and shrinks to the one way that matters.
"""

import copy
import gzip
import json
import random
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import test_readers as _readers
from longwave.pipelines.observe import check_capture
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import Original
from longwave.warehouse.errors import Refused
from longwave.warehouse.tidy import map_to_series

EXCERPTS = Path(__file__).parent / "excerpts"
DAY = date(2026, 7, 20)


@dataclass(frozen=True)
class Case:
    """What a source's reader is given: parts by name, `data` first, the address, the day; a founding file is no answer."""

    name: str
    source: str
    url: str
    parts: dict[str, bytes]
    day: date = DAY
    founding: bool = False


def _live(source, endpoint=0, day=DAY, **files):
    parts = {name.replace("_", "-"): (EXCERPTS / file).read_bytes() for name, file in files.items()}
    declared = SOURCES[source].endpoints[endpoint]
    return Case(f"{source} live {declared.measure}".strip(), source, declared.parts[0].address(day), parts, day)


def cases():
    """Every excerpt in the form its source serves: founding files, and live answers with all their parts."""
    founding = [
        Case(f"{e.source} {e.file}", e.source, e.url, {"data": e.data()}, date.fromisoformat(e.vintage), True)
        for e in _readers.ALL
    ]
    fetched = [
        _live(
            "grapher_internet_share",
            data="grapher_internet_share_2026-02-22.csv",
            metadata="grapher_internet_share_2026-02-22.metadata.json",
        ),
        _live(
            "grapher_platform_users", data="grapher_platform_users.csv", metadata="grapher_platform_users.metadata.json"
        ),
        _live("wdi", data="wdi_api_users_page-1.json", page_2="wdi_api_users_page-2.json"),
        *[_live(f"pew_{name}", data=f"pew_{name}_page.html") for name in ("platforms", "audio", "network_news")],
        _live("pew_cable_news", data="pew_cable_news_page.html"),
        *[_live("fcc_stations", n, data=f"fcc_{name}.txt") for n, name in enumerate(("am", "fm", "tv"))],
        _live("fcc_totals", data="fcc_totals_page.html", release="fcc_totals_release.txt"),
        _live("itu", data="itu_dictionary.json", values="itu_radio.csv"),
        _live("scimago", day=date(2025, 7, 20), data="scimago_2024.csv"),
        _live("wikipedia_youtube", day=date(2026, 10, 1), data="wikipedia_youtube.html"),
    ]
    return [*founding, *fetched]


# --- what a cell may turn into ---------------------------------------------------------------------------------------

CELLS = (
    *(
        "",
        " ",
        "NA",
        "null",
        "None",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "-1",
        "0",
        "-0.0",
        "1e-320",
        "99999999999999999999",
    ),
    *("12,5", "1.234.567,8", "1 234", "50%", "0x1F", "१२", "½", "—", "…", "true", "2026-02-30", "0000-01-01", "10000"),
    *("-5000", "2400", "1899.5", "12/31/1999", "1999-W01", "USA", "OWID_WRL", "\ufeff", "\u202eabc\u202c", "\u0007"),
    *("=cmd()", "<script>alert(1)</script>", "'; DROP TABLE series; --", "{}", "{0.__class__}", "%s%n", "../../x", '"'),
    *('""', "a\nb", "a\rb", "\\", "\x00", "\u2028", "\ud7ff", "𝔘", "A" * 5_000, "9" * 5_000, "(" * 500),
)
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _cell(rng, old):
    """Another text in the place of one: a hostile one, or the old one bent a little."""
    kind = rng.randrange(4)
    if kind == 0 and (found := NUMBER.search(old)):
        number = float(found[0])
        return rng.choice([str(-number), str(number * 1e6), str(number + 0.1), found[0] * 3, found[0] + "e5"])
    if kind == 1 and old:
        place = rng.randrange(len(old))
        return (
            old[:place] + rng.choice(["", old[place] * 2, "\u00a0", ",", ";", "\t", '"', "<", "é"]) + old[place + 1 :]
        )
    return rng.choice(CELLS)


# --- ways that know the form -----------------------------------------------------------------------------------------


def _lines(rng, text):
    lines = text.split("\n")
    way, place = rng.randrange(7), rng.randrange(len(lines))
    if way == 0:
        del lines[place]
    elif way == 1:
        lines.insert(place, lines[rng.randrange(len(lines))])
    elif way == 2:
        lines = lines[:place]
    elif way == 3:
        rng.shuffle(lines)
    elif way == 4:
        lines.insert(place, rng.choice(CELLS))
    elif way == 5:
        lines = lines[place:]
    else:
        lines += lines[1:] * rng.randrange(1, 4)
    return "\n".join(lines)


def _separator(lines):
    return max(",;\t|", key=lambda mark: sum(line.count(mark) for line in lines[:20]))


def _cells(rng, text):
    """One to five cells of a table turn into others."""
    lines = text.split("\n")
    mark = _separator(lines)
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(lines))
        cells = lines[place].split(mark)
        at = rng.randrange(len(cells))
        cells[at] = _cell(rng, cells[at])
        lines[place] = mark.join(cells)
    return "\n".join(lines)


def _columns(rng, text):
    """A column goes, doubles, moves, changes its name or turns into one text throughout."""
    lines = text.split("\n")
    mark = _separator(lines)
    rows = [line.split(mark) for line in lines]
    at, to = rng.randrange(max(map(len, rows))), rng.randrange(max(map(len, rows)))
    way, filler = rng.randrange(5), _cell(rng, "12")
    for number, row in enumerate(rows):
        if at >= len(row):
            continue
        if way == 0:
            del row[at]
        elif way == 1:
            row.insert(min(to, len(row)), row[at])
        elif way == 2:
            row.insert(min(to, len(row) - 1), row.pop(at))
        elif way == 3:
            row[at] = filler if number == 0 else row[at]
        else:
            row[at] = row[at] if number == 0 else filler
    return "\n".join(mark.join(row) for row in rows)


def _form(rng, text):
    """The same table written otherwise: another separator, quotes, line ends, decimal marks."""
    mark = _separator(text.split("\n"))
    way = rng.randrange(5)
    if way == 0:
        return text.replace(mark, rng.choice(",;\t|"))
    if way == 1:
        return text.replace("\n", "\r\n" if rng.random() < 0.5 else "\r")
    if way == 2:
        return re.sub(r"(?<=\d)\.(?=\d)", ",", text)
    if way == 3:
        return text.replace('"', "") if '"' in text else f'"{text}"'
    return re.sub(r"(?<=\d)(?=(\d{3})+\b)", rng.choice([",", " ", "'"]), text)


_PLAIN = (None, True, False, 0, -1, 1e308, 10**400, "\ud800", "", "NA", [], {}, [[]], {"a": {}}, [None])


def _places(value, found):
    """Every (container, key) of a JSON value."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        found.append((value, key))
        _places(value[key], found)
    return found


def _bend(rng, container, key, removable):
    """Another value, or none, under a key of a JSON container."""
    old, way = container[key], rng.randrange(6)
    if way == 0 and removable:
        container.pop(key)
    elif way == 1:
        container[key] = _cell(rng, str(old))
    elif way == 2:
        container[key] = [old]
    elif way == 3 and isinstance(old, list) and old:
        container[key] = [*old, *old[: rng.randrange(1, len(old) + 1)]]
    elif way == 4 and isinstance(container, dict):
        container[rng.choice(["", "value", "date", "x" * 300])] = copy.deepcopy(old)
    else:
        container[key] = copy.deepcopy(rng.choice(_PLAIN))


def _json(rng, text):
    """Values of a JSON text go, double, or turn into ones of another kind."""
    try:
        value = [json.loads(text)]
    except (ValueError, RecursionError):
        return text[: rng.randrange(len(text) + 1)]
    for _ in range(rng.randrange(1, 5)):
        container, key = rng.choice(_places(value, []))
        _bend(rng, container, key, removable=container is not value)
    if rng.random() < 0.05:
        return "[" * 50_000 + json.dumps(value[0]) + "]" * 50_000
    return json.dumps(value[0])


_TAG = re.compile(r"<[^>]+>")


def _html(rng, text):
    """Tags go, double, change their kind or get attributes; what stands between them turns into something else."""
    for _ in range(rng.randrange(1, 5)):
        tags = list(_TAG.finditer(text))
        if not tags:
            return text
        tag = rng.choice(tags)
        way = rng.randrange(7)
        if way == 0:
            new = ""
        elif way == 1:
            new = tag[0] * rng.randrange(2, 6)
        elif way == 2:
            spans = [
                f' {kind}="{n}"'
                for kind in ("colspan", "rowspan")
                for n in ("65535", "-1", "0", "9" * 40, "9" * 5_000, "²")
            ]
            new = tag[0][:-1] + rng.choice(spans) + ">"
        elif way == 3:
            new = tag[0] + _cell(rng, "12")
        elif way == 4:
            new = rng.choice(
                ["<table>", "</table>", "<tr>", "</tr>", "<td>", "<th>", "</html>", "<!--", "<script>", "<p>"]
            )
        elif way == 5:
            start = min(tag.start(), rng.choice(tags).start())
            text = text[:start] + text[tag.end() :]
            continue
        else:
            new = tag[0] + "<div>" * rng.choice([10, 300, 3_000])
        text = text[: tag.start()] + new + text[tag.end() :]
    return text


def _words(rng, text):
    """A word of the text, or the blanks that keep columns apart, turns into another."""
    words = list(re.finditer(r"\S+|[ \t]{2,}", text))
    if not words:
        return text
    word = rng.choice(words)
    return text[: word.start()] + _cell(rng, word[0]) + text[word.end() :]


# --- ways that know nothing ------------------------------------------------------------------------------------------


def _bytes(rng, data):
    """Bytes flip, go, double or come from nowhere."""
    for _ in range(rng.randrange(1, 6)):
        if not data:
            return data
        start = rng.randrange(len(data))
        end = min(len(data), start + rng.choice([1, 1, 1, 4, 64, 1024]))
        new = rng.choice(
            [b"", data[start:end] * 2, rng.randbytes(end - start), bytes([data[start] ^ 1 << rng.randrange(8)])]
        )
        data = data[:start] + new + data[end:]
    return data


def _whole(rng, data):
    """The whole answer is something else: cut short, empty, packed, in another encoding, an error page."""
    text = data.decode("utf-8", "replace")
    return rng.choice(
        [
            lambda: data[: rng.randrange(len(data) + 1)],
            lambda: b"",
            lambda: b"\n" * rng.randrange(1, 2_000),
            lambda: gzip.compress(data, mtime=0),
            lambda: text.encode(rng.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7"]), "replace"),
            lambda: text.encode("latin-1", "replace"),
            lambda: b"<!doctype html><html><body><h1>503</h1></body></html>",
            lambda: b'{"error": "not found"}',
            lambda: rng.randbytes(rng.randrange(4_000)),
            lambda: data + data,
        ]
    )()


_TABLE = (_cells, _cells, _columns, _lines, _form)
WAYS = {
    "table": _TABLE,
    "json": (_json, _json, _words),
    "html": (_html, _html, _words, _lines),
    "text": (_words, *_TABLE),
}


def form_of(data):
    """What a part is written in, by its first byte: enough to choose the ways that know it."""
    start = data.lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
    return "json" if start in (b"{", b"[") else "html" if start == b"<" else "table" if b"," in data[:500] else "text"


def garble(case, plan):
    """The parts of a case after every step of a plan of (way, number)."""
    parts = dict(case.parts)
    for way, number in plan:
        rng = random.Random(number)
        name = rng.choice(sorted(parts))
        data = parts[name]
        if way == "gone":
            if name != "data":
                del parts[name]
        elif way == "whole":
            parts[name] = _whole(rng, data)
        elif way == "bytes":
            parts[name] = _bytes(rng, data)
        else:
            known = rng.choice(WAYS[form_of(data)])
            text = data.decode("utf-8", "surrogateescape") or "\n"
            parts[name] = known(rng, text).encode("utf-8", "surrogateescape")
    return parts


PLAN_WAYS = ("form", "form", "form", "form", "bytes", "whole", "gone")


def outcome(case, parts):
    """What becomes of an answer on the way into the warehouse: `read`, `stopped by a check`, or the rule that refused it."""
    spec = SOURCES[case.source]
    served = ({}, None) if case.founding else (parts, case.day)
    original = Original(case.source, parts["data"], case.url, None, *served)
    try:
        frame, words = spec.read(original), spec.words(original)
    except Refused as refused:
        return "refused: " + refused.problems[0].rule, refused
    spec.stated(original)
    checks = check_capture(spec, frame, words, case.day)
    if any(check.blocking and not check.passed for check in checks):
        return "stopped by a check", None
    map_to_series(frame, case.source, spec.measures, adopter_kind=spec.adopter_kind, place=spec.place)
    return "read", None

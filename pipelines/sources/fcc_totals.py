"""Broadcast Station Totals of the Federal Communications Commission: licensed stations by service at the end of a quarter.

A release is a page of text: a service and its number, a TOTAL after each group, and the TOTAL BROADCAST STATIONS. The
figures speak of the date in its title. Groups must add up to their totals and these to the last, or the release is
refused. The page of totals links to the releases; the newest that it names by date is read as text.
"""

from __future__ import annotations

import re
from datetime import date

import polars as pl
from longwave.pipelines.sources._cells import day_in, on_days, plain, shown
from longwave.pipelines.sources._spec import Endpoint, Original, Part, SourceSpec
from longwave.pipelines.sources._table import refused
from longwave.warehouse.tidy import Measure

SERVICES = {
    "AM STATIONS": "AM stations",
    "FM COMMERCIAL": "FM commercial stations",
    "FM EDUCATIONAL": "FM educational stations",
    "FM TRANSLATORS & BOOSTERS": "FM translators and boosters",
    "LOW POWER FM": "low power FM stations",
    **{f"{band} COMMERCIAL TV": f"{band} commercial television" for band in ("UHF", "VHF")},
    **{f"{band} EDUCATIONAL TV": f"{band} educational television" for band in ("UHF", "VHF")},
    **{f"CLASS A {band} STATIONS": f"{band} class A television" for band in ("UHF", "VHF")},
    **{f"{band} TRANSLATORS": f"{band} television translators" for band in ("UHF", "VHF")},
    **{f"{band} LOW POWER TV": f"{band} low power television" for band in ("UHF", "VHF")},
}
_ALL = "TOTAL BROADCAST STATIONS"
_ROW = re.compile(r"([A-Za-z][A-Za-z &/-]*[A-Za-z])[ :.]*?((?: (?:\d{1,3}(?:,\d{3}){1,2}|\d{1,9})(?![\d,]))+)")
_LINK = re.compile(r'<a\b[^>]*"(https://docs\.fcc\.gov/public/attachments/DOC-\w+)\.\w+"[^>]*>(.*?)</a>', re.DOTALL)


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one release: stations licensed by service on the day it states."""
    name = original.name
    text = plain(name, original.parts.get("release", original.data), "a release of station totals")
    stated = re.search(r"\bas of\b.{0,40}", text, re.IGNORECASE)
    day = day_in(stated[0]) if stated else None
    if day is None:
        raise refused(name, "date", "BROADCAST STATION TOTALS AS OF a day", text[:200])
    rows = _added_up(name, text[text.upper().find("AM STATIONS") :])
    named = {"entity": [SERVICES[label] for label, _ in rows], "value": [float(number) for _, number in rows]}
    return on_days(pl.DataFrame(named), "licensed_stations", day)


def _added_up(name: str, text: str) -> list[tuple[str, int]]:
    """Services and their numbers, each group checked against its total and all of them against the last."""
    services: list[tuple[str, int]] = []
    group = total = 0
    for found in _ROW.finditer(text):
        label, stated = found[1].upper(), [int(n.replace(",", "")) for n in found[2].split()]
        if label in ("TOTAL", _ALL):
            added = total if label == _ALL else group
            if stated[0] != added:
                what = f"{label} after {services[-1][0] if services else 'nothing'}"
                raise refused(name, "sums", f"{what}: {stated[0]:,}, as stated", f"{added:,} when added up")
            if label == _ALL:
                return services
            group = 0
        elif label not in SERVICES or label in dict(services) or len(set(stated)) > 1:
            raise refused(name, "services", f"each of {', '.join(SERVICES)} once", found[0])
        else:
            services.append((label, stated[0]))
            group, total = group + stated[0], total + stated[0]
    raise refused(name, "totals", f"services, their totals and {_ALL}", f"{len(services)} services without it")


def newest_release(_: date, page: bytes) -> tuple[Part, ...]:
    """The release that the page of totals names by the latest date, as text; none where it names none."""
    links = _LINK.findall(page.decode("utf-8", "replace"))
    dated = [(day, url) for url, text in links if (day := day_in(shown(text)))]
    return (Part("release", f"{max(dated)[1]}.txt", "text"),) if dated else ()


_URL = "https://www.fcc.gov/media/broadcast-station-totals"

SPECS = (
    SourceSpec(
        source="fcc_totals",
        title="Broadcast Station Totals",
        publisher="Federal Communications Commission, Media Bureau",
        homepage=_URL,
        url=_URL,
        allowed_hosts=("www.fcc.gov", "docs.fcc.gov"),
        licence="public domain (17 U.S.C. 105)",
        citation="Federal Communications Commission, Broadcast Station Totals, quarterly news release",
        cadence="quarterly",
        media_type="text/plain",
        measures=(Measure("licensed_stations", "radio", "licensed_stations", "stations", "stations", None, 0, 1e5),),
        reader=read,
        proven_on=None,
        adopter_kind="service",
        place="USA",
        scope="period",
        endpoints=(Endpoint((Part("data", _URL, "html"),), further=newest_release),),
    ),
)

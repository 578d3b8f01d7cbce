"""Content for tests of the site: shaped like the real one, and invented from end to end."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import polars as pl
from longwave.reports import media, vintages
from longwave.reports.figures import adoption, hindsight, persistence, ripeness
from longwave.reports.figures import vintages as said_when
from longwave.reports.media import Medium, Told
from longwave.reports.simulations import LISTS, Simulated
from longwave.reports.site import FigureBlock, SiteContent
from longwave.reports.vintages import Stated

HOSTILE = "<script>alert(1)</script>"
SOURCE = "synthetic_households"
CAPTURES = (f"{SOURCE}@2022-06-21#01234567", f"{SOURCE}@2019-07-27#89abcdef")
RADIO = f"{SOURCE}/adoption/Radio"

LINES = (
    ("radio", "Radio, United States households", "United States", 1920, 2000, 96.0, 11.0, 0.34),
    ("television", "Television, United States households", "United States", 1945, 2015, 98.0, 9.0, 0.55),
    ("internet", "Internet, United States adults", "United States", 1991, 2024, 93.0, 10.0, 0.30),
    ("internet", "Internet, world population", "World", 1991, 2024, 74.0, 21.0, 0.17),
    ("social", "Social media, United States adults", "United States", 2004, 2021, 72.0, 7.0, 0.42),
)


def adoption_frame(name: str | None = None) -> pl.DataFrame:
    """Logistic curves, with a break, a sparse stretch and an interpolated one; `name` renames the first."""
    rows = []
    for medium, label, place, launch, last, ceiling, middle, speed in LINES:
        for year in range(launch + 1, last + 1):
            if medium == "radio" and year > 1960 and year % 4:
                continue
            age = year - launch
            value = ceiling / (1 + math.exp(-speed * (age - middle))) + 0.6 * math.sin(age)
            flag = "break" if (medium, year) == ("social", 2015) else "interpolated" if year == 1970 else None
            shown = name if name and medium == "radio" else label
            rows.append((medium, shown, place, year, age, round(max(value, 0.1), 2), "% (invented)", SOURCE, flag))
    return pl.DataFrame(rows, schema=list(adoption.COLUMNS), orient="row")


def information_frame(name: str | None = None) -> pl.DataFrame:
    """Information that rises with age from below zero, in three groups and two forecasters."""
    rows = []
    panels = (
        ("pooled", "All groups, averaged", 46, 8.0),
        ("radio", name or "Radio, invented countries", 24, 9.0),
    )
    for panel, title, n, middle in (*panels, ("television", "Television, invented countries", 22, 6.5)):
        for forecaster, worse in (("damped trend", 0.0), ("logistic", 0.25)):
            for age in range(1, 16):
                known = 1 - 1.9 * math.exp(-age / middle) - worse * math.exp(-age / 8) + 0.02 * math.sin(3 * age)
                half = 0.34 * math.exp(-age / 9) + 0.03
                rows.append((panel, title, forecaster, age, known, known - half, min(known + half, 0.99), n))
    return pl.DataFrame(rows, schema=list(ripeness.INFORMATION), orient="row")


def error_frame() -> pl.DataFrame:
    """Errors that fall with age beside climatology's, which do not."""
    rows = []
    for panel, title, start in (
        ("radio", "Radio, invented countries", 24.0),
        ("television", "Television", 21.0),
    ):
        for age in range(1, 16):
            error = start * math.exp(-age / 7)
            rows.append((panel, title, "damped trend", age, error, 22.0, 0.78 + 0.002 * age, 3.1 * error))
    return pl.DataFrame(rows, schema=list(ripeness.ERRORS), orient="row")


def persistence_frame(name: str | None = None) -> pl.DataFrame:
    """Rank correlations that fall with the horizon, given wealth and not."""
    rows = []
    for medium, fall, n in ((name or "radio", 34.0, 31), ("television", 26.0, 38), ("internet", 22.0, 120)):
        for k in (5, 10):
            for measure, less in (("partial_tau_b", 0.22), ("tau_b", 0.0)):
                for horizon in range(k + 5, 31, 5):
                    tau = math.exp(-(horizon - k) / fall) - less
                    rows.append((medium, k, horizon, measure, tau, tau - 3 / n**0.9, tau + 3 / n**0.9, n))
    return pl.DataFrame(rows, schema=list(persistence.COLUMNS), orient="row")


def claims(text: str) -> list[dict[str, object]]:
    """Three claims with three verdicts; every number invented."""
    row = {
        "panel": "household shares, pooled",
        "role": "primary",
        "n": 46,
        "clusters": 22,
        "measure": "information at age 5",
        "estimate": 0.2134,
        "interval": [0.0412, 0.3561],
        "level": 0.95,
        "threshold": 0.5,
        "side": "below",
        "holds": True,
        "captures": [CAPTURES[0], "gone@2001-01-01#00000000"],
    }
    first = {
        "id": "C6",
        "claim": "The first few years of a medium show little of its ultimate shape.",
        "hypothesis": "Information at ages 3 and 5 is under one half.",
        "verdict": "supported",
        "result_class": "evidence",
        "threshold_status": "prospective",
        "threshold_date": "2001-02-03",
        "threshold_history": ["2001-02-04: the age was named, before its result was seen."],
        "panels": {"household shares, pooled": "for"},
        "history": [{"verdict": "undecided", "decided_on": "2019-07-27"}],
        "by": [
            row,
            {**row, "measure": "readable age", "estimate": 12, "interval": [10, 15], "threshold": "10 to 20"},
            {**row, "role": "sensitivity", "panel": "without television", "estimate": 0.28, "holds": None},
        ],
        "caveats": [
            "Few series are independent of one another.",
            "Launch by first 1 % moves the age by a year.",
        ],
        "would_test_it": "Series of media that failed.",
        "decided_on": "2022-06-21",
    }
    second = {
        **first,
        "id": "C4a",
        "claim": "The places that lead in a new medium stay ahead.",
        "hypothesis": None,
        "verdict": "undecided",
        "history": [],
        "panels": {"countries, radio": "open"},
        "threshold_status": "after quick look",
        "by": [
            {
                **row,
                "panel": "countries, radio",
                "measure": "partial_tau_b",
                "estimate": 0.12,
                "interval": [-0.13, 0.36],
                "threshold": 0.0,
                "side": "above",
                "holds": None,
            }
        ],
        "caveats": ["Wealth drives every medium."],
        "would_test_it": None,
    }
    third = {
        **second,
        "id": "C4",
        "claim": text,
        "verdict": "not testable with what is held",
        "panels": {},
        "by": [],
        "would_test_it": "A panel of early stations with their audiences.",
        "caveats": [],
        "decided_on": None,
    }
    return [first, second, third]


def figures(text: str | None = None) -> list[FigureBlock]:
    """The five figures of the front page; `text` stands in every label and note where it is given."""
    age, info, errors, last = (
        adoption_frame(text),
        information_frame(text),
        error_frame(),
        persistence_frame(text),
    )
    note = text or "Lines break where more than five years have no figure. Invented for a test."

    def block(id_: str, heading: str, figure: object, frame: pl.DataFrame, unit: str, n: str) -> FigureBlock:
        return FigureBlock(
            id=id_,
            heading=text or heading,
            figure=figure,
            frame=frame,
            alt=text or f"{heading}: invented lines that rise and flatten.",
            note=note,
            source_ids=[SOURCE],
            unit=text or unit,
            n=n,
        )

    taken, known, ahead = "How fast media were taken up", "How early one could know", "Do early leaders stay ahead"
    return [
        block("adoption-age", taken, adoption.on_age(age), age, "percent", "5 series"),
        block("adoption-year", taken, adoption.on_calendar(age), age, "percent", "5 series"),
        block("information", known, ripeness.information_by_age(info), info, "share", ""),
        block("error", known, ripeness.error_by_age(errors), errors, "points", ""),
        block("persistence", ahead, persistence.by_horizon(last), last, "τ-b", ""),
    ]


def evidence_figures(text: str | None = None) -> list[FigureBlock]:
    """Figures that stand on no fixed page but the register: one of two claims, one of none."""
    frame = error_frame()
    shared = FigureBlock(
        id="errors-of-claims",
        heading=text or "How wrong one would have been",
        figure=ripeness.error_by_age(frame),
        frame=frame,
        alt=text or "Invented errors that fall with age.",
        note=text or "Invented for a test.",
        source_ids=[SOURCE],
        unit="points",
        n="2 media",
        page="claims.html",
        claims=("C6", "C4a"),
        series=(RADIO, "not/held/here"),
    )
    return [shared, replace(shared, id="errors-of-none", claims=())]


def evidence(text: str | None = None) -> pl.DataFrame:
    """Two series, one with a value that a later capture revised, one with a value carried forward."""
    same = {"source": SOURCE, "measure": "adoption", "metric": "adoption", "unit": "percent"}
    radio = {**same, "series": RADIO, "medium": "radio", "adopter": text or "Radio", "code": "USA"}
    stereo = {
        **same,
        "series": text or f"{SOURCE}/adoption/Stereo",
        "medium": "stereo",
        "adopter": "Stereo",
        "code": None,
    }
    rows = [
        {**radio, "period": "1921", "value": 1.0, "flag": None, "capture": CAPTURES[1]},
        {**radio, "period": "1922", "value": 2.125, "flag": None, "capture": CAPTURES[0]},
        {**radio, "period": "1923", "value": 7.9e-05, "flag": None, "capture": CAPTURES[1]},
        {**stereo, "period": "1970", "value": 96.6, "flag": "carried_forward", "capture": CAPTURES[0]},
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def lines(text: str | None = None) -> pl.DataFrame:
    """Radio with a gap and a break, radio elsewhere without a launch, a count of people; `text` names the first."""
    same = {"source": SOURCE, "metric": "adoption", "medium": "radio", "unit": "percent", "cited": True, "launch": 1920}
    radio = {**same, "series": RADIO, "adopter": text or "Radio", "code": "USA"}
    ageless = {"launch": None, "cited": False, "code": "GHA", "adopter": "Ghana"}
    ghana = {**same, **ageless, "series": f"{SOURCE}/adoption/GHA"}
    users = {**same, **ageless, "series": f"{SOURCE}/users/GHA", "medium": "internet", "unit": "persons"}
    values = (
        (radio, {1921: 1.0, 1922: 2.125, 1923: 7.9e-05, 1930: 48.0, 1931: 55.5}),
        (ghana, {1990: 20.0, 1991: 30.0}),
        (users, {1999: 1234567.0, 2000: 2345678.0}),
    )
    rows = [
        {**series, "year": year, "value": value, "break": year == 1930}
        for series, own in values
        for year, value in own.items()
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def simulations(text: str | None = None) -> Simulated:
    """Three rows of two models: one outside in every way, one that is cautious, one that is within."""
    none = dict.fromkeys(
        ("gave_least", "bias_at_0_lowest", "bias_at_0_highest", "rate", "wrong_lowest", "wrong_highest")
    )
    within = none | {
        "model": text or "Ripeness",
        "estimand": text or "Readable age",
        "simulated": text or "invented curves",
        "assumptions": "hold",
        "unit": "years",
        "truths": "",
        "truth_lowest": 5.0,
        "truth_highest": 12.0,
        "worlds": 3,
        "figures": 3,
        "replicates_least": 2000,
        "replicates_most": 2000,
        "bias_percent_lowest": -4.12,
        "bias_percent_highest": 3.01,
        "asked_bias_percent": 10.0,
        "of_bias": 3,
        "level_lowest": 0.95,
        "level_highest": 0.95,
        "asked_points": 2.0,
        "coverage_lowest": 0.9435,
        "coverage_highest": 0.9605,
        "chance_points": 0.4873,
        "of_coverage": 3,
        "of_rate": 0,
        **{f"{name}_{part}": [] for name in LISTS for part in ("in", "by")},
        "stands": "within",
        "files": "invented.json",
        "seed": "7",
        "commit": "0123456789abcdef",
    }
    cautious = within | {
        "coverage_highest": 0.9825,
        "too_high_in": [text or "6 clusters"],
        "too_high_by": [0.9825],
        "stands": "cautious",
    }
    outside = within | {
        "model": text or "Curves",
        "assumptions": "broken",
        "truth_lowest": None,
        "truths": text or "drawn",
        "replicates_least": 500,
        "gave_least": 0.9876,
        "bias_at_0_lowest": -0.25,
        "bias_at_0_highest": 4.9908,
        "bias_percent_highest": 4.4e302,
        "biased_in": [text or "a of one curve"],
        "biased_by": [4.4e302],
        "coverage_lowest": 0.2605,
        "too_low_in": ["hidden", "seen"],
        "too_low_by": [0.2605, 0.92],
        "rate": 0.05,
        "wrong_lowest": 0.0365,
        "wrong_highest": 0.7395,
        "of_rate": 2,
        "too_many_in": ["hidden"],
        "too_many_by": [0.7395],
        "too_few_in": ["seen"],
        "too_few_by": [0.0365],
        "stands": "outside",
        "files": "invented.json, second.json, third.json",
        "commit": "0123456789abcdef, fedcba9876543210",
    }
    asked = {"bias_percent": 10.0, "points": 2.0, "part_of_rate": 0.2, "replicates": 2000}
    return Simulated(asked, pl.DataFrame([within, cautious, outside], infer_schema_length=None))


def releases(text: str | None = None) -> list[dict[str, object]]:
    """Two: in the second a verdict and a number are other ones, and a claim is new."""
    now = claims(text or "When a medium takes root, its early adopters get more influence than others.")
    first, second = ({**claim, "by": [dict(row) for row in claim["by"]]} for claim in now[:2])
    first["verdict"] = "undecided"
    second["by"][0]["estimate"] = 0.1
    return [
        {"number": 1, "vintage": "2019-07-27", "version": "0.0", "inputs_digest": "1" * 64, "claims": [first, second]},
        {"number": 2, "vintage": "2022-06-21", "version": "0.0-test", "inputs_digest": "2" * 64, "claims": now},
    ]


def sources(text: str) -> list[dict[str, object]]:
    """One invented source with two vintages."""
    vintage = {
        "capture": CAPTURES[0],
        "vintage": "2022-06-21",
        "vintage_precision": "day, from the publisher's own update date",
        "url": "https://example.org/files/households.csv",
        "size": 123456,
        "sha256": "0123456789abcdef" * 4,
        "rows": 1204,
        "reader_version": "1",
        "kind": "re-recorded",
    }
    return [
        {
            "source": SOURCE,
            "title": text,
            "publisher": "Institute of Invented Figures",
            "homepage": "https://example.org/",
            "licence": "CC BY 4.0",
            "citation": f"{text} (2022). Institute of Invented Figures.",
            "redistribute": True,
            "vintages": [
                vintage,
                {**vintage, "capture": CAPTURES[1], "vintage": "2019-07-27", "url": "javascript:alert(1)"},
            ],
            "first_year": 1921,
            "last_year": 2024,
            "rows": 12045,
            "proven_on": None,
            "archived": [
                {
                    "capture": f"{SOURCE}@2022-06-21.20220621080000#01234567",
                    "part": "data",
                    "url": text,
                    "fetched_at": "2022-06-21 08:00:00",
                    "payload_sha256": "0123456789abcdef" * 4,
                    "file": f"{SOURCE}/{SOURCE}-2022.warc.gz",
                    "offset": 512,
                }
            ],
            "refused": [{"vintage": "2022-07-01", "size": 999, "sha256": "fedcba9876543210" * 4, "why": text}],
            "warnings": [{"vintage": "2022-06-21", "check": "size", "expected": text, "found": text}],
        }
    ]


def told(text: str | None = None) -> list[Told]:
    """Two invented series with two cuts each, one of shares and one of counts, one without a launch."""
    made = []
    for key, label, share, launch, most in (
        ("USA", "United States", True, 1920, 90.0),
        ("CHE", "Switzerland", False, None, 40.0),
    ):
        years = range(1922, 1946)
        levels = pl.DataFrame({"year": years, "value": [most / (1 + math.exp(-0.3 * (y - 1932))) for y in years]})
        fans = []
        for cut in (1928, 1936):
            start = float(levels.filter(pl.col("year") == cut)["value"][0])
            for ahead in (1, 2, 5, 10, 20):
                point, wide = start + ahead, {50: ahead, 80: 2 * ahead, 90: 3 * ahead}
                ends = [end for level in wide for end in (max(point - wide[level], 0.0), point + wide[level])]
                age = None if launch is None else cut - launch
                fans.append((cut, age, cut - 1921, cut + ahead, point, *ends))
        said = [(1928, 1940, 50.04, 40.0, 60.0), (1936, 1946, 70.0, 60.0, 80.0)]
        made.append(
            Told(
                key,
                SOURCE,
                text or f"{label}, % of households",
                text or "% of households",
                share,
                launch,
                levels,
                pl.DataFrame(fans, schema=list(media.FANS), orient="row"),
                pl.DataFrame(said if launch else [], schema=list(media.SAID), orient="row"),
                (1935,) if share else (),
            )
        )
    return made


def medium_figure(text: str | None = None) -> FigureBlock:
    """The invented fan that the slider of the medium's page redraws."""
    first, cut = told(text)[0], 1928
    own = (
        first.fans.filter(pl.col("origin") == cut).rename({"point": "forecast"}).select(*hindsight.COLUMNS[2:9], "year")
    )
    seen = first.levels.with_columns(
        known=pl.when(pl.col("year") <= cut).then("value"), happened=pl.when(pl.col("year") > cut).then("value")
    )
    frame = seen.join(own, on="year", how="full", coalesce=True).select(hindsight.COLUMNS).sort("year")
    return FigureBlock(
        id="radio-hindsight",
        heading=text or "The forecast that could have been made",
        figure=hindsight.at_cut(
            frame,
            medium="radio",
            share=True,
            span=media.span(first, cut),
            title=text or "Half of the invented forecasts held what came",
            subtitle=text or "United States, % of households",
            breaks=first.breaks,
        ),
        frame=frame,
        alt=text or "An invented fan.",
        note=text or "Invented for a test.",
        source_ids=[SOURCE],
        unit="% of households",
        n="2 series to pick from",
        page="medium-radio.html",
        series=(RADIO,),
    )


def medium(text: str | None = None) -> Medium:
    """The page of one medium."""
    row = {"series": text or "United States, % of households", "age": 8, "cut": 1928, "n_known": 7, "year": 1940}
    row |= {"point": 50.0, "lo": 40.0, "hi": 60.0, "came": 82.0}
    return Medium(
        id="radio",
        title=text or "Radio",
        lede=text or "How radio was taken up, invented.",
        ripeness=text or "Invented radio: readable from age 12",
        explored="radio-hindsight",
        cut=1928,
        told=told(text),
        table=[row, {**row, "age": 16, "cut": 1936, "came": None}],
        breaks=[
            {
                "place": text or "United States",
                "years": "1935",
                "reason": text or "a new count",
                "citation": text or "Invented Chronicle, 1936",
                "address": "javascript:alert(1)",
                "status": "unverified",
            }
        ],
        claims=["C6"],
        sources=[SOURCE],
        families=["Bass", text or "Logistic"],
        fits=[{"label": text or "Radio", "n": 81, "found": ["98", text or "100†"], "apart": 2.0}],
        fits_said=text or "Two invented families lie 2 points apart.",
    )


def stated(text: str | None = None) -> list[Stated]:
    """Two invented measures: shares in three vintages, and counts of two media in two."""
    places = text or "World"
    rows = [
        ("WLD", places, "internet", "% of people", "2018-09-21", [2000, 2001, 2003], [7.0, 8.0, 12.04]),
        ("WLD", places, "internet", "% of people", "2019-07-27", [2000, 2001, 2003, 2004], [7.0, 8.5, 12.0, 14.0]),
        ("WLD", places, "internet", "% of people", "2022-06-21", [2001, 2003, 2004], [8.5, 12.0, 15.0]),
        ("GHA", "Ghana", "internet", "% of people", "2019-07-27", [2000, 2001], [0.2, 0.3]),
        ("GHA", "Ghana", "internet", "% of people", "2022-06-21", [2000, 2001], [0.2, 0.3]),
    ]
    others = [
        ("Radio", text or "Radio", "radio", "sets per 100 people", "2018-09-21", [1950, 1951], [200.0, 210.0]),
        ("Radio", text or "Radio", "radio", "sets per 100 people", "2022-06-21", [1950, 1951], [201.0, 300.0]),
        ("Stereo", "Stereo", "stereo", "sets per 100 people", "2018-09-21", [1970], [2.0]),
        ("Stereo", "Stereo", "stereo", "sets per 100 people", "2022-06-21", [1970, 1972], [2.0, 3.0]),
    ]
    return [
        Stated(
            key,
            SOURCE,
            text or label,
            share,
            tolerance,
            pl.DataFrame([dict(zip(vintages.LINES, row, strict=True)) for row in own]),
            own[0][0],
        )
        for key, label, share, tolerance, own in (
            ("invented-share", "Internet, invented", True, 0.05, rows),
            ("invented-counts", "Technologies, invented", False, 1.0, others),
        )
    ]


def stated_figure(text: str | None = None) -> FigureBlock:
    """The invented vintages that the slider of the page on revisions goes through."""
    first = stated(text)[0]
    own = first.lines.filter(pl.col("key") == "WLD")
    then, now = (
        pl.DataFrame({"year": row["year"], name: row["value"]})
        for name, row in (("stated", own.row(0, named=True)), ("newest", own.row(-1, named=True)))
    )
    frame = then.join(now, on="year", how="full", coalesce=True).select(said_when.COLUMNS).sort("year")
    return FigureBlock(
        id=vintages.FIGURE,
        heading=text or "One series as each vintage had it",
        figure=said_when.as_stated(
            frame,
            medium="internet",
            share=True,
            title=vintages.title(first, "WLD", "2018-09-21"),
            subtitle=vintages.subtitle(first, "WLD", "2018-09-21"),
        ),
        frame=frame,
        alt=text or "Invented figures of two vintages.",
        note=text or "Invented for a test.",
        source_ids=[SOURCE],
        unit="% of people",
        n="2 series to pick from",
        page="revisions.html",
    )


@cache
def content(text: str | None = None) -> SiteContent:
    """The whole site; `text`, where given, stands wherever words from outside can stand.

    Drawn once, for whoever changes none of it; `content.__wrapped__` draws it anew.
    """
    fact = {
        "medium": "radio",
        "place": "United States",
        "year": 1920,
        "event": text or "First scheduled broadcast (invented).",
        "citation": text or "Invented Chronicle, 1920",
        "url": "https://example.org/chronicle",
        "status": "unverified",
    }
    return SiteContent(
        question=text or "How many years must pass before anyone can tell what a new medium will become?",
        lede=text
        or "Invented figures for a test of the page. Radio, television and the internet were each "
        "called decisive within a few years of their launch. This page asks how much could be known then.\n\n"
        "It gives every answer with its interval, and says where the record is too short for one.",
        claims=claims(text or "When a medium takes root, its early adopters get more influence than others."),
        figures=[*figures(text), *evidence_figures(text), medium_figure(text), stated_figure(text)],
        media=[medium(text)],
        stated=stated(text),
        sources=sources(text or "Household technologies (invented)"),
        facts=[fact, {**fact, "medium": "television", "year": 1945, "url": None, "status": "verified"}],
        excluded=[{"series": text or "Stereos", "source": SOURCE, "reason": "Starts at 96.6 %: left-truncated."}],
        release={
            "version": "0.0-test",
            "newest_vintage": "2022-06-21",
            "inputs_digest": "fedcba9876543210" * 4,
            "how_to_reproduce": text or "git checkout v0.0-test\nmake run",
        },
        clock=[
            {
                "medium": "social",
                "title": text or "Social media",
                "age": 17,
                "target": 20,
                "known": 0.81,
                "interval": [0.7, 0.9],
                "level": 0.95,
                "note": text or "its figures end in 2021",
                "readable": "readable from 2012 (95 % interval 2010 to 2014)",
            },
            {
                "medium": "smartphone",
                "title": "Smartphones",
                "age": 25,
                "target": 20,
                "known": None,
                "interval": [None, None],
                "level": None,
                "note": "seen",
                "readable": "readable from 2005",
            },
            {
                "medium": "podcasting",
                "title": "Podcasts",
                "age": None,
                "target": 20,
                "known": None,
                "interval": [None, None],
                "level": None,
                "note": "no verified launch year: no ripeness",
                "readable": None,
            },
        ],
        evidence=evidence(text),
        lines=lines(text),
        first_lines=[RADIO, "not/held/here"],
        releases=releases(text),
        simulations=simulations(text),
        methods=[(text or "Ripeness", [text or "Information is one minus a ratio of squared errors.", "So."])],
    )

"""The fans of ripeness: what could have been said of the four media in their time, and what can be said of today's.

Words that state a number are made from it. A series' own rows are shown only where its source may be passed on.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl
from longwave.pipelines.ripening import AS_OF, HEADLINE, LEVELS, TARGET_AGE, THEN, TODAY, YOUNG
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import fans

EARLY = "How early could anyone have known"
THEN_TITLES = {"radio": "Radio", "television": "Television", "internet": "Internet", "social": "Social media"}
YOUNG_TITLES = {"social": "Social media", "podcasting": "Podcasts", "smartphone": "Smartphones", "tablet": "Tablets"}
UNITS = {
    "radio": "% of households",
    "television": "sets per 100 people",
    "internet": "% of people",
    "social": "% of adults",
    "podcasting": "% of people aged 12 or older",
    "smartphone": "% of adults",
    "tablet": "% of adults",
}


def _fan_frame(points: pl.DataFrame, mode: str, titles: dict[str, str], shown: Collection[str]) -> pl.DataFrame:
    """One row a year of each medium, as the figure of fans draws it."""
    own = points.filter(pl.col("mode") == mode, pl.col("x_kind") == "year", pl.col("subject").is_in(list(shown)))
    keys = ["subject", "x"]
    levels = own.filter(pl.col("measure") == "level").select(*keys, level="y")
    frame = levels
    for level in LEVELS:
        part = own.filter(pl.col("measure") == f"forecast_{level}")
        ends = {f"lo{level}": pl.col("lo"), f"hi{level}": pl.col("hi")}
        point = {"forecast": pl.col("y")} if level == LEVELS[0] else {}
        frame = frame.join(part.select(*keys, **point, **ends), on=keys, how="full", coalesce=True)
    first = pl.col("x").filter(pl.col("forecast").is_not_null()).min().over("subject")
    order = {name: i for i, name in enumerate(titles)}
    return (
        frame.with_columns(first=first)
        .filter(pl.col("first").is_not_null())
        .select(
            medium="subject",
            panel_title=pl.col("subject").replace_strict(titles),
            unit=pl.col("subject").replace_strict(UNITS),
            origin=(pl.col("first") - 1).cast(pl.Int32),
            year=pl.col("x").cast(pl.Int32),
            known=pl.when(pl.col("x") < pl.col("first")).then("level"),
            forecast="forecast",
            **{end: pl.col(end) for end in fans.ENDS},
            happened=pl.when(pl.col("x") >= pl.col("first")).then("level"),
        )
        .sort(pl.col("medium").replace_strict(order), "year")
    )


def then_block(findings: pl.DataFrame, points: pl.DataFrame, passed_on: Collection[str]) -> FigureBlock | None:
    """What could have been said at the time, beside what happened; None where nothing may be shown."""
    shown = [then.medium for then in THEN if then.series.split("/")[0] in passed_on]
    frame = _fan_frame(points, AS_OF, THEN_TITLES, shown)
    if frame.is_empty():
        return None
    return FigureBlock(
        id="then-and-after",
        heading=EARLY,
        figure=fans.then_and_after(frame),
        frame=frame,
        alt="Radio, television, internet, social media: the levels known at a year, the forecast of then, and what happened.",
        note=(
            "What the forecaster would have said with nothing observed after the year named, of any series (pseudo-real-time: "
            "the figures as one later vintage has them, cut at that year). Television has no one series of its rise; the yearly "
            "count of sets per 100 people is taken, as the shares of households come from two publishers decades apart. The "
            f"question on social media may have changed between 2014 and 2017. {_said_then(findings)}"
        ),
        source_ids=sorted({then.series.split("/")[0] for then in THEN if then.medium in shown}),
        series=[then.series for then in THEN if then.medium in set(frame["medium"])],
        unit="per 100 of what each panel names",
        n=f"{frame['medium'].n_unique()} media, one country",
        line_columns=("medium",),
    )


def _said_then(findings: pl.DataFrame) -> str:
    """Forecast and outcome at the target age, or as late as was observed."""
    rows = findings.filter(pl.col("mode") == AS_OF)
    said = []
    for then in THEN:
        own = rows.filter(pl.col("subject") == then.medium)
        both = own.filter(pl.col("measure") == "forecast").join(
            own.filter(pl.col("measure") == "outcome").select("horizon", actual="estimate"), on="horizon"
        )
        if not both.is_empty():
            row = both.sort((pl.col("horizon") - TARGET_AGE).abs(), "horizon").row(0, named=True)
            interval = palette.span(row["lo"], row["hi"])
            said.append(
                f"{THEN_TITLES[then.medium]}, said in {then.origin} of age {row['horizon']}: "
                f"{palette.two_figures(row['estimate'])} ({interval}), came out {palette.two_figures(row['actual'])}"
            )
    return f"With 80 % intervals: {'; '.join(said)}." if said else ""


def today_block(findings: pl.DataFrame, points: pl.DataFrame, passed_on: Collection[str]) -> FigureBlock | None:
    """Today's media with their ripeness; None where nothing may be shown."""
    shown = [medium for medium, series in YOUNG.items() if series.split("/")[0] in passed_on]
    frame = _fan_frame(points, TODAY, YOUNG_TITLES, shown)
    if frame.is_empty():
        return None
    rows = findings.filter(pl.col("mode") == HEADLINE, pl.col("subject").is_in(shown))
    return FigureBlock(
        id="todays-media",
        heading="Today's media",
        figure=fans.ahead(frame, title=_ripe_title(rows)),
        frame=frame,
        alt="Levels of social media, podcasts, smartphones and tablets in the United States, and forecast fans from there.",
        note=(
            "Ripeness is the information of the pooled curve at the age that a medium's figures reach, counted from its verified "
            "launch; a medium can be read from the year in which that curve reaches 0.9 and stays there. The figures held end "
            f"years ago, and the fans start where they end. {_ripe_words(rows)}"
        ),
        source_ids=sorted({YOUNG[medium].split("/")[0] for medium in shown}),
        series=[series for medium, series in YOUNG.items() if medium in set(frame["medium"])],
        unit="per 100 of what each panel names",
        n=f"{frame['medium'].n_unique()} media, one country",
        line_columns=("medium",),
    )


def ripeness_clock(findings: pl.DataFrame) -> list[dict[str, Any]]:
    """Today's media as the front page tells of them, the least ripe first; in the shape of `SiteContent.clock`."""
    rows = findings.filter(pl.col("mode") == HEADLINE, pl.col("subject").is_in(list(YOUNG)))
    known = rows.filter(pl.col("measure") == "ripeness").sort("estimate", "k", nulls_last=True)
    when = {row["subject"]: row for row in rows.filter(pl.col("measure") == "readable_year").iter_rows(named=True)}
    return [
        {
            "medium": row["subject"],
            "title": YOUNG_TITLES[row["subject"]],
            "age": row["k"] if row["k"] >= 0 else None,
            "target": TARGET_AGE,
            "known": row["estimate"],
            "interval": [row["lo"], row["hi"]],
            "level": row["level"],
            "note": row["note"],
            "readable": _readable_year(when[row["subject"]]) if row["subject"] in when else None,
        }
        for row in known.iter_rows(named=True)
    ]


def _ripe_title(rows: pl.DataFrame) -> str:
    """Which of today's media the figures held are old enough to read."""
    ripe = rows.filter(pl.col("measure") == "ripeness", pl.col("estimate").is_not_null())
    if ripe.is_empty():
        return "Today's media, and the years ahead"
    said = [
        f"{YOUNG_TITLES[row['subject']].lower()} {palette.two_figures(row['estimate'])}"
        for row in ripe.sort("estimate", "subject").iter_rows(named=True)
    ]
    return f"How much can be known of today's media from the figures held: {', '.join(said)} of 1"


def _ripe_words(rows: pl.DataFrame) -> str:
    said = []
    for medium, title in YOUNG_TITLES.items():
        own = rows.filter(pl.col("subject") == medium)
        ripe = own.filter(pl.col("measure") == "ripeness")
        if ripe.is_empty():
            continue
        row = ripe.row(0, named=True)
        year = own.filter(pl.col("measure") == "readable_year")
        when = "" if year.is_empty() else _readable_year(year.row(0, named=True))
        if row["estimate"] is None:
            said.append(", ".join(part for part in (f"{title}: {row['note']}", when) if part))
            continue
        interval = palette.span(row["lo"], row["hi"])
        said.append(
            f"{title}: age {row['k']}, ripeness {palette.two_figures(row['estimate'])} ({interval}; {row['note']}), {when}"
        )
    return f"{'; '.join(said)}." if said else ""


def _readable_year(row: dict[str, Any]) -> str:
    if row["estimate"] is None:
        return str(row["note"])
    ends = ("not known" if row[end] is None else f"{row[end]:g}" for end in ("lo", "hi"))
    return f"readable from {row['estimate']:g} (95 % interval {' to '.join(ends)})"

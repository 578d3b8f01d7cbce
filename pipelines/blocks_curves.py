"""The figures of what curves can tell: which rows of the results each is drawn from, and the words beside it.

No family is called the best by its sum of squares: one that contains another always has the smaller one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import polars as pl
from longwave.models.identification import AGES, FINITE, FIRST_BY, MEASURES, MIN_CLUSTERS, POOLED
from longwave.models.truncation import LEAST, PUBLISHED
from longwave.pipelines.curve_fits import CEILING
from longwave.pipelines.curve_study import (
    ABSTAINED,
    CHANGE,
    CHANGED_PANELS,
    COMPARED_FROM,
    FITTED,
    FORESEEN,
    FROM_FIRST,
    HELD_OUT,
    LONG_ENOUGH,
    NAIVE,
    OBSERVED,
    OF_INCREMENTS,
    OF_LEVELS,
    RISEN_TO,
    WEIGHT,
    YEARS_ON,
)
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import curves as figure
from longwave.reports.figures.truncation import sentence as truncation_sentence
from longwave.reports.figures.truncation import truncation
from longwave.warehouse.panels import ADOPTION_LINES, PANELS, sources_behind

PAGE = "curves.html"
TITLES = {
    "bass": "Bass",
    "logistic": "Logistic",
    "gompertz": "Gompertz",
    "gamma_shifted_gompertz": "gamma/shifted Gompertz",
    "weibull": "Weibull",
    "richards": "Richards",
}
EARLY = "How early do the figures identify a ceiling"
FOUR = "Six families through the same figures"
BESIDE = "Which family explains, and which foresees"
TRUNCATION = "What estimates do as more of a curve is seen"
WIDEST = 100.0
CURVES_NOTE = (
    f"Beyond the dotted line nothing was observed. A share whose free fit has no finite ceiling below {CEILING:g} % is "
    f"drawn with the ceiling held to {CEILING:g} % at most; its status in the table says so. How far the curves lie "
    "apart is no interval: they may all be wrong the same way, and where all assume the same end they agree."
)
_PANELS = {name: panel.title for name, panel in PANELS.items()} | {POOLED: "All panels, equally weighted"}
_ORDER = {name: i for i, name in enumerate([POOLED, *PANELS])}


def curve_blocks(findings: pl.DataFrame, points: pl.DataFrame, passed_on: Collection[str]) -> list[FigureBlock]:
    """Every figure of the study that the results can fill, in the page's order.

    Args:
        findings: rows of `findings`.
        points: rows of `finding_curves`.
        passed_on: sources whose own rows may be shown.

    """
    made: list[Callable[[], FigureBlock | None]] = [
        lambda: _identification(points),
        lambda: _media(points, passed_on),
        lambda: _families(findings),
        lambda: _change(findings),
    ]
    return [replace(block, page=PAGE) for block in (make() for make in made) if block is not None]


def _named(column: str) -> pl.Expr:
    """Families as a reader calls them."""
    return pl.col(column).replace(TITLES).alias("family")


def _by_family(column: str) -> pl.Expr:
    return pl.col(column).replace_strict({name: i for i, name in enumerate(TITLES)}, default=len(TITLES))


def _percent(*names: str) -> list[pl.Expr]:
    return [pl.col(name) * 100 for name in names]


def _counted(drawn: pl.DataFrame) -> str:
    """How many series the numbers of a figure rest on, from the fewest to the most."""
    n = drawn.filter(pl.col("n") > 0)["n"].to_list()
    return f"n = {palette.years(min(n), max(n))} series"


# --- identification


def _identification(points: pl.DataFrame) -> FigureBlock | None:
    rows = points.filter(pl.col("measure").is_in(MEASURES), pl.col("x_kind") == "age")
    order = {measure: i for i, measure in enumerate(figure.WORDS)}
    frame = (
        rows.with_columns(pl.col("y").alias("estimate"), pl.col("x").cast(pl.Int32).alias("age"))
        .with_columns(_percent("estimate", "lo", "hi"))
        .sort(
            pl.col("subject").replace_strict(_ORDER, default=None),
            _by_family("mode"),
            pl.col("measure").replace_strict(order, default=None),
            "age",
        )
        .select(
            pl.col("subject").replace(_PANELS).alias("panel"),
            _named("mode"),
            "measure",
            "age",
            "estimate",
            "lo",
            "hi",
            "n",
        )
    )
    drawn = frame.filter(pl.col("panel") == _PANELS[POOLED])
    if drawn.is_empty():
        return None
    sizes = rows.filter(pl.col("measure") == FINITE, pl.col("x") == AGES[-1])
    counted = dict(sizes.select("subject", "n").iter_rows())
    said = "; ".join(f"{_PANELS[name]}: {counted[name]}" for name in PANELS if name in counted)
    return FigureBlock(
        id="ceiling-by-age",
        heading=EARLY,
        figure=figure.identification(drawn),
        frame=frame,
        alt=(
            "For each of six families, the share of series with a finite ceiling, with none, and with a parameter on a bound, "
            "by the age up to which figures were fitted, and the share of the ceilings that figures have since exceeded."
        ),
        note=(
            "No finite ceiling: the fit gets better the higher the ceiling, so the figures up to that age say nothing about "
            "where it is. A parameter on a bound: the figures do not tell the family from a simpler one at its edge. What is "
            "missing from 100 %: too few figures for the family, or figures that never rise. A finite "
            "ceiling is still no right one: the dashed line counts those that figures observed later lie above by more than "
            "10 %, which asks for no end of the history; ceilings that were too high are not counted. The same series at all "
            f"ages: observed at or before age {FIRST_BY}, at age {AGES[0]} and at or after age {AGES[-1]}, not left-truncated "
            f"({said}). Groups "
            f"with under {MIN_CLUSTERS} of them are in the table only. Fits on cumulative levels, free; every one is in the "
            "warehouse, in the table curve_fits."
        ),
        source_ids=sources_behind(POOLED),
        unit="% of series",
        n=_counted(drawn),
        line_columns=("panel", "family", "measure"),
    )


# --- the media


def media_frame(points: pl.DataFrame, passed_on: Collection[str]) -> pl.DataFrame:
    """The figures of each medium and the curves through them, as `figure.media` draws them; may be empty."""
    # The dots are a source's own rows: those of a source that may not be passed on are not shown, nor curves alone.
    lines = {line.label: line for line in ADOPTION_LINES}
    dots = points.filter(pl.col("measure") == OBSERVED).with_columns(
        source=pl.col("mode").replace_strict({label: line.source for label, line in lines.items()}, default=None)
    )
    dots = dots.filter(pl.col("source").is_in(list(passed_on)))
    shown = dots.select("subject", pl.col("mode").alias("label"), "source").unique()
    drawn = points.filter(pl.col("measure") == FITTED).join(shown, on="subject")
    order = {line.medium: i for i, line in enumerate(ADOPTION_LINES)}
    both = pl.concat(
        [
            dots.with_columns(pl.col("mode").alias("label"), pl.lit(figure.OBSERVED).alias("family"), at=pl.lit(-1)),
            drawn.with_columns(_named("mode"), at=_by_family("mode")),
        ],
        how="diagonal_relaxed",
    )
    both = both.clear() if drawn.is_empty() else both
    return both.sort(pl.col("subject").replace_strict(order, default=None), "at", "x").select(
        pl.col("subject").alias("medium"),
        "label",
        "family",
        pl.col("x").cast(pl.Int32).alias("t"),
        pl.col("y").alias("value"),
        "unit",
        pl.col("flag").alias("status"),
        "source",
    )


def _media(points: pl.DataFrame, passed_on: Collection[str]) -> FigureBlock | None:
    frame = media_frame(points, passed_on)
    if frame.is_empty():
        return None
    return FigureBlock(
        id="curves-of-media",
        heading=FOUR,
        figure=figure.media(frame),
        frame=frame,
        alt=f"Curves of six families through the figures of each medium in the United States, and {YEARS_ON} years on.",
        note=CURVES_NOTE,
        source_ids=frame["source"].unique(maintain_order=True).to_list(),
        unit="as each panel says",
        n=f"{frame['medium'].n_unique()} media, one country",
        line_columns=("medium", "family"),
    )


# --- families side by side


def _families(findings: pl.DataFrame) -> FigureBlock | None:
    order = {measure: i for i, measure in enumerate([WEIGHT, *FORESEEN.values(), ABSTAINED])}
    rows = findings.filter(pl.col("measure").is_in(list(order)))
    shares = pl.col("measure").is_in([WEIGHT, ABSTAINED])
    frame = rows.sort(
        pl.col("subject").replace_strict(_ORDER, default=None),
        pl.col("measure").replace_strict(order, default=None),
        _by_family("mode"),
    ).select(
        pl.col("subject").replace(_PANELS).alias("panel"),
        "measure",
        _named("mode"),
        *[pl.when(shares).then(100 * pl.col(name)).otherwise(name).alias(name) for name in ("estimate", "lo", "hi")],
        "n",
        pl.when(shares).then(pl.lit("%")).otherwise("unit").alias("unit"),
    )
    drawn = frame.filter(pl.col("panel") == _PANELS[POOLED], pl.col("estimate").is_not_null())
    if drawn.is_empty():
        return None
    return FigureBlock(
        id="families-side-by-side",
        heading=BESIDE,
        figure=figure.families(drawn),
        frame=frame,
        alt=f"Mean share of the AICc weight, and error of the last {HELD_OUT} figures left out of the fit, by family.",
        note=(
            "AICc sets the sum of squares against the number of parameters; by the sum alone a family beats every one that it "
            "contains. A family whose best fit lies on a bound or has no finite ceiling gets no weight there. The errors are "
            f"those of the last {HELD_OUT} figures, forecast from all before them, on series for which every family has a "
            "forecast; the table says how often each had none. Shares, in points, and counts, in things per 100 people, have "
            f"no common mean and stand apart. A share is held to {CEILING:g} % unless its own figures are higher. Series of at "
            f"least {COMPARED_FROM} figures, not left-truncated. The {NAIVE} is what costs nothing."
        ),
        source_ids=sources_behind(POOLED),
        unit="% of the weight; points; things per 100 people",
        n=_counted(drawn),
        line_columns=("panel", "measure"),
    )


# --- systematic change


def _signed(parameter: str) -> str:
    """Write a published change with its sign."""
    return f"{PUBLISHED[parameter]:+g}".replace("-", "\u2212")


def _label(subject: str) -> str:
    """A set of series as the figure calls it."""
    short = {
        "us-households": "US homes",
        "internet-countries": "internet",
        f"{OF_INCREMENTS},": "simulated increments",
        f"{OF_LEVELS},": "simulated levels",
    }
    for long, name in short.items():
        subject = subject.replace(long, name)
    return subject.replace(" %", "\u202f%")


def _change(findings: pl.DataFrame) -> FigureBlock | None:
    rows = findings.filter(pl.col("measure") == CHANGE, pl.col("estimate").is_not_null())
    order = {name: i for i, name in enumerate(f"{name}{tail}" for name in PANELS for tail in ("", FROM_FIRST))}
    frame = rows.sort(pl.col("subject").replace_strict(order, default=len(order)), "subject").select(
        pl.col("mode").alias("parameter"),
        pl.col("subject").map_elements(_label, return_dtype=pl.String).alias("label"),
        pl.col("estimate").alias("percent"),
        "lo",
        "hi",
        pl.col("mode").replace_strict(PUBLISHED, default=None).alias("published"),
        "n",
        pl.col("note").alias("cuts"),
    )
    wide = frame.filter(pl.col("hi") - pl.col("lo") > WIDEST)["label"].unique().to_list()
    drawn = frame.filter(~pl.col("label").is_in(wide))
    if drawn.is_empty():
        return None
    held = frame.filter(pl.col("published").is_between("lo", "hi")).height
    left = (
        f" In the table only, since an interval is wider than {WIDEST:g} points: {', '.join(sorted(wide))}."
        if wide
        else ""
    )
    return FigureBlock(
        id="systematic-change",
        heading=TRUNCATION,
        figure=truncation(drawn, title=truncation_sentence(frame)),
        frame=frame,
        alt="Change in percent of the Bass estimates of ceiling, imitation and innovation when 10 % more penetration was seen.",
        note=(
            "Van den Bulte and Lilien (1997) found, over twelve innovations, that with 10 % more observed penetration the "
            f"estimated ceiling changes by roughly {_signed('m')} %, q by {_signed('q')} % and p by "
            f"{_signed('p')} %. The title counts directions, not sizes: the published size lies in the interval for {held} of "
            f"{frame.height} changes in the table. Here: the regression of the logarithm "
            "of each estimate on the logarithm of the level observed last, within series, over all cuts from the "
            f"{LEAST}th figure on; Bass on the increments. Our series: shares that reached {RISEN_TO:g} %, with "
            f"at least {LONG_ENOUGH} figures, not left-truncated. A Bass curve is 0 when it begins: at the launch, or in the "
            "year before the first 1 %; and, where that is not the year before the first figure, once more as if it were. "
            "Simulated: Bass "
            "curves with a ceiling of 100 and independent errors, of the levels, in points, or of the increments, which is "
            "what these fits suppose, in percent of the largest; all change there is the estimator's own doing. Cuts at which "
            f"the estimates are not identified are left out; the table counts them.{left}"
        ),
        source_ids=sorted({s for name in CHANGED_PANELS for s in PANELS[name].sources()}),
        unit="percent",
        n=f"{drawn['label'].n_unique()} sets of series",
        line_columns=("label", "parameter"),
    )

"""The figures of how much histories get rewritten: which rows of the results each is drawn from, and the words beside it.

A subject is one measure of one source. Covariates are in the data and in no figure. With very many subjects the figures
show those with the most figures in two vintages; the tables keep all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl
from longwave.models.arrivals import ARRIVAL_LEVEL, BY_THIRD
from longwave.models.revisions import (
    AGGREGATES,
    ALL_PAIRS,
    MIN_ADOPTERS,
    MIN_EVENTS,
    POINTS,
    RELATIVE,
    SINCE_FIRST,
)
from longwave.pipelines.sources import SOURCES
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import revisions as figure

HEADING = "How much do histories get rewritten"
PAGE = "revisions.html"
MOST_PANELS = 6
FOLLOWED_AT_LEAST = 30
_WORDS = {
    "in_both": "in_both_vintages",
    "zeros": "of_them_zero",
    "differing": "differing_at_all",
    "revised": "revised",
    "added": "added",
    "withdrawn": "withdrawn",
}
_TOLERANCE = {
    "points": f"Shares: revised is over {POINTS:g} points",
    "% of the larger figure": f"Counts and rates: revised is over {100 * RELATIVE:g} %",
}


def revision_blocks(findings: pl.DataFrame, points: pl.DataFrame) -> list[FigureBlock]:
    """Every figure of the study that the results can fill, in the page's order.

    Args:
        findings: rows of `findings`.
        points: rows of `finding_curves`.

    """
    shown = subjects(findings)
    if shown.is_empty():
        return []
    made: list[Callable[[], FigureBlock | None]] = [
        lambda: _by_vintage(findings, shown),
        lambda: _by_age(points, shown),
        lambda: _size_by_age(points, shown),
        lambda: _since_first(points, shown),
        lambda: _latecomers(findings, points, shown),
    ]
    return [replace(block, page=PAGE) for block in (make() for make in made) if block is not None]


def subjects(findings: pl.DataFrame) -> pl.DataFrame:
    """Subjects with a share revised, those with the most vintages and figures first: subject, source, title, medium, rank."""
    shares = findings.filter(pl.col("measure") == "share_revised", pl.col("estimate").is_not_null())
    own = shares.filter(~pl.col("mode").str.ends_with(AGGREGATES))
    pairs = own.filter(pl.col("mode") != ALL_PAIRS).group_by("subject").agg(pl.len().alias("pairs"))
    counted = own.filter(pl.col("mode") == ALL_PAIRS).select("subject", "n").join(pairs, on="subject")
    rows = []
    for subject, n, n_pairs in counted.sort("subject").iter_rows():
        source, _, name = subject.partition("/")
        spec = SOURCES.get(source)
        medium = next((m.medium for m in spec.measures if m.measure == name), "covariate") if spec else "covariate"
        if spec and medium != "covariate":
            several = spec.adopter_kind == "technology"
            publisher = spec.publisher.split(";")[0].split(",")[0]
            said = f"{'Technologies' if several else medium[:1].upper() + medium[1:]}, {publisher}"
            rows.append((subject, source, said, "" if several else medium, n, n_pairs))
    columns = {"subject": pl.String, "source": pl.String, "title": pl.String, "medium": pl.String}
    frame = pl.DataFrame(rows, schema={**columns, "n": pl.Int64, "pairs": pl.Int64}, orient="row")
    alike = pl.col("title").is_duplicated()
    return (
        frame.with_columns(
            pl.when(alike).then(pl.format("{} ({})", "title", "subject")).otherwise("title").alias("title")
        )
        .sort(["pairs", "n", "subject"], descending=[True, True, False])
        .with_row_index("rank")
        .select("subject", "source", "title", "medium", "rank")
    )


def _drawn(frame: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """The rows of the subjects that a figure has room for."""
    kept = shown.filter(pl.col("title").is_in(frame["title"].unique().to_list())).head(MOST_PANELS)
    return frame.filter(pl.col("title").is_in(kept["title"].to_list()))


def _rest(frame: pl.DataFrame, drawn: pl.DataFrame) -> str:
    left = frame["title"].n_unique() - drawn["title"].n_unique()
    more = "1 more history is" if left == 1 else f"{left} more histories are"
    return f" {more} in the table only." if left else ""


def _sources(frame: pl.DataFrame, shown: pl.DataFrame) -> list[str]:
    titles = frame["title"].unique().to_list()
    return shown.filter(pl.col("title").is_in(titles))["source"].unique(maintain_order=True).to_list()


def _percent(*names: str) -> list[pl.Expr]:
    return [pl.col(name) * 100 for name in names]


# --- between vintages


def _by_vintage(findings: pl.DataFrame, shown: pl.DataFrame) -> FigureBlock | None:
    frame = _vintage_frame(findings, shown)
    drawn = _drawn(frame.filter(pl.col("who") == "adopters", pl.col("estimate").is_not_null()), shown)
    if drawn.is_empty():
        return None
    return FigureBlock(
        id="revisions-by-vintage",
        heading=HEADING,
        figure=figure.by_vintage(drawn),
        frame=frame,
        alt="Share of figures revised from one vintage to the next, by source, with 95 % bands.",
        note=(
            "Each line spans the time between two vintages held; these times differ, so the lines are no rates. A figure is one "
            "year of one country, territory or technology that stands in both and is not zero in the earlier. It is revised "
            f"when a share differs by more than {POINTS:g} points, anything else by more than {100 * RELATIVE:g} % of the "
            "larger of the two; a rate is revised with its count or with its population. Values carried forward do not count. "
            "The table has the sizes, what was added and withdrawn, and aggregates such as the World apart. Bands: bootstrap "
            f"over countries or technologies, none where fewer than {MIN_EVENTS} had a figure revised.{_rest(frame, drawn)}"
        ),
        source_ids=_sources(frame, shown),
        unit="% of figures",
        n=f"{drawn['title'].n_unique()} histories, {drawn.height} pairs of vintages",
        line_columns=("title", "who"),
    )


def _vintage_frame(findings: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """One row a pair of vintages and kind of adopter, with its counts, shares and sizes."""
    rows = findings.join(shown, on="subject").filter(pl.col("mode").str.contains(" to "), pl.col("mode") != ALL_PAIRS)
    key = ["subject", "mode"]
    counts = rows.filter(pl.col("measure").is_in(list(_WORDS))).pivot("measure", index=key, values="estimate")
    base = rows.filter(pl.col("measure") == "share_revised").select(
        *key, "rank", "title", "medium", *_percent("estimate", "lo", "hi"), "n", pl.col("n_clusters").alias("adopters")
    )
    median = _named(rows, "median_size", {"estimate": "median_size", "lo": "median_lo", "hi": "median_hi"})
    outer = _named(rows, "size_90", {"estimate": "size_90", "unit": "unit_of_size"})
    pair = pl.col("mode").str.strip_suffix(AGGREGATES).str.split(" to ")
    whole = base.join(counts, on=key).join(median, on=key).join(outer, on=key)
    return (
        whole.with_columns(
            pair.list.first().alias("earlier"),
            pair.list.last().alias("later"),
            pl.when(pl.col("mode").str.ends_with(AGGREGATES))
            .then(pl.lit("aggregates"))
            .otherwise(pl.lit("adopters"))
            .alias("who"),
            pl.col("unit_of_size").replace_strict(_TOLERANCE).alias("tolerance"),
            *[pl.col(name).cast(pl.Int64).alias(new) for name, new in _WORDS.items()],
        )
        .sort("who", "rank", "earlier")
        .select(
            *["title", "medium", "who", "earlier", "later", "tolerance", "estimate", "lo", "hi", "n", "adopters"],
            *[*_WORDS.values(), "median_size", "median_lo", "median_hi", "size_90", "unit_of_size"],
        )
    )


def _named(rows: pl.DataFrame, measure: str, names: dict[str, str]) -> pl.DataFrame:
    """Columns of one measure under names of their own, by subject and mode."""
    chosen = [pl.col(name).alias(new) for name, new in names.items()]
    return rows.filter(pl.col("measure") == measure).select("subject", "mode", *chosen)


# --- by age


def _ages(points: pl.DataFrame, shown: pl.DataFrame, measures: Sequence[str]) -> pl.DataFrame:
    rows = points.filter(pl.col("measure").is_in(list(measures)), pl.col("x_kind") == "figure_age")
    return rows.join(shown, on="subject").with_columns(
        pl.col("x").cast(pl.Int32).alias("age"), pl.col("y").alias("estimate")
    )


_AGE_NOTE = (
    "Age counts from the year a figure is about to the year of the earlier vintage of the pair: when a figure was first "
    "published is known only for those that entered after the first vintage held. "
)


def _by_age(points: pl.DataFrame, shown: pl.DataFrame) -> FigureBlock | None:
    rows = _ages(points, shown, ["share_revised"]).with_columns(_percent("estimate", "lo", "hi"))
    frame = rows.sort("rank", pl.col("mode") != ALL_PAIRS, "mode", "age").select(
        "title", "medium", pl.col("mode").alias("pair"), "age", "estimate", "lo", "hi", "n"
    )
    if frame.is_empty():
        return None
    drawn = _drawn(frame, shown)
    return FigureBlock(
        id="revisions-by-age",
        heading=HEADING,
        figure=figure.by_age(drawn),
        frame=frame,
        alt="Share of figures revised from one vintage to the next, by the figure's age, a panel a history, with 95 % bands.",
        note=(
            f"{_AGE_NOTE}Thick: all pairs of vintages together; thin: each pair, where there are several. Ages with fewer than "
            f"{MIN_ADOPTERS} adopters are left out; no band where fewer than {MIN_EVENTS} had a figure revised."
            f" Ages over {figure.OLDEST} are in the table only.{_rest(frame, drawn)}"
        ),
        source_ids=_sources(frame, shown),
        unit="% of figures",
        n=f"{drawn['title'].n_unique()} histories",
        line_columns=("title", "pair"),
    )


def _size_by_age(points: pl.DataFrame, shown: pl.DataFrame) -> FigureBlock | None:
    rows = _ages(points, shown, ["median_size", "size_90"])
    frame = rows.sort("rank", "measure", "age").select(
        "title", "medium", "unit", "age", "measure", "estimate", "lo", "hi", "n"
    )
    # A single age is no line; it stays in the table.
    several = frame.filter(pl.col("age").n_unique().over("title") > 1)
    if several.is_empty():
        return None
    drawn = _drawn(several, shown)
    return FigureBlock(
        id="revision-size-by-age",
        heading=HEADING,
        figure=figure.size_by_age(drawn),
        frame=frame,
        alt="Median and 90th percentile of the size of revision among revised figures, by the figure's age.",
        note=(
            f"{_AGE_NOTE}Shares in points; counts and rates in percent of the larger of the two figures. Only figures that were "
            f"revised; ages with fewer than {MIN_ADOPTERS} of them, or from fewer than {MIN_EVENTS} adopters, are left out."
            f"{_rest(frame, drawn)}"
        ),
        source_ids=_sources(frame, shown),
        unit="as each panel says",
        n=f"{drawn['title'].n_unique()} histories",
        line_columns=("title", "measure"),
    )


def _since_first(points: pl.DataFrame, shown: pl.DataFrame) -> FigureBlock | None:
    rows = points.filter(pl.col("measure") == SINCE_FIRST).join(shown, on="subject")
    frame = (
        rows.with_columns(
            pl.col("mode").str.strip_prefix("first published ").alias("first_published"),
            pl.col("x").alias("years"),
            pl.col("y").alias("estimate"),
        )
        .with_columns(_percent("estimate", "lo", "hi"))
        .sort("rank", "first_published", "years")
        .select("title", "medium", "first_published", "years", "estimate", "lo", "hi", "n")
    )
    drawn = frame.filter(pl.col("n").max().over("title", "first_published") >= FOLLOWED_AT_LEAST)
    if drawn.is_empty():
        return None
    return FigureBlock(
        id="revisions-since-first",
        heading=HEADING,
        figure=figure.since_first(drawn),
        frame=frame,
        alt="Share of figures that stand otherwise than first published, by years since first publication, with 95 % bands.",
        note=(
            "The exact version, for the few figures whose first vintage is held: those that a source added after the first "
            "vintage of it that we have. They are the youngest, and say little of the rest. A figure was published some time "
            "between the vintage before and the one in which it first stood, so the years are a lower bound; between vintages "
            f"nothing is known, the lines only join them. Groups of fewer than {FOLLOWED_AT_LEAST} figures are in the table only."
        ),
        source_ids=_sources(frame, shown),
        unit="% of figures",
        n=f"{drawn.group_by('title', 'first_published').len().height} groups of figures",
        line_columns=("title", "first_published"),
    )


# --- latecomers


def _latecomers(findings: pl.DataFrame, points: pl.DataFrame, shown: pl.DataFrame) -> FigureBlock | None:
    rows = _ages(points, shown, [BY_THIRD]).with_columns(_percent("estimate", "lo", "hi"))
    gaps = findings.filter(pl.col("measure") == "difference_within_age", pl.col("mode") == ALL_PAIRS).select(
        "subject",
        (100 * pl.col("estimate")).alias("difference"),
        (100 * pl.col("lo")).alias("difference_lo"),
        (100 * pl.col("hi")).alias("difference_hi"),
    )
    order = {third: i for i, third in enumerate((figure.EARLIEST, "middle", figure.LATEST))}
    frame = (
        rows.join(gaps, on="subject", how="left")
        .sort("rank", pl.col("mode").replace_strict(order, default=None), "age")
        .select(
            *("title", "medium"),
            pl.col("mode").alias("third"),
            *("age", "estimate", "lo", "hi", "n", "difference", "difference_lo", "difference_hi"),
        )
    )
    if frame.is_empty():
        return None
    drawn = _drawn(frame, shown)
    subjects = shown.filter(pl.col("title").is_in(drawn["title"].unique().to_list()))
    return FigureBlock(
        id="revisions-latecomers",
        heading=HEADING,
        figure=figure.latecomers(drawn),
        frame=frame,
        alt="Share of figures revised, by age, of the third of places that reached 10 % first, and of the last, with 95 % bands.",
        note=(
            f"Thirds of countries and territories by the year in which they first reached {ARRIVAL_LEVEL:g} % (or "
            f"{ARRIVAL_LEVEL:g} per 100 people) in the earlier vintage of each pair, so that the revision has no say in who is "
            "late; those not yet there come last. A description, no cause: latecomers differ in more than their arrival. "
            "Histories of one publisher share its populations, and are no evidence independent of one another. "
            f"{_crude(findings, subjects)}{_rest(frame, drawn)}"
        ),
        source_ids=_sources(frame, shown),
        unit="% of figures",
        n="all pairs of vintages together",
        line_columns=("title", "third"),
    )


def _crude(findings: pl.DataFrame, subjects: pl.DataFrame) -> str:
    """Say what each third shows as it stands, the difference with its interval, and who could not be placed."""
    rows = findings.filter(pl.col("mode") == ALL_PAIRS)
    numbers = {(row["subject"], row["measure"]): row for row in rows.iter_rows(named=True)}
    said = []
    for subject, title in subjects.select("subject", "title").iter_rows():
        late, early, gap = (
            numbers[subject, name] for name in ("share_revised_latest", "share_revised_earliest", "difference")
        )
        if late["estimate"] is None or early["estimate"] is None:
            continue
        interval = (
            "no interval, too few revised"
            if gap["lo"] is None
            else f"95 % interval of the difference {palette.span(100 * gap['lo'], 100 * gap['hi'])} points"
        )
        unknown = numbers[subject, "arrival_unknown"]["estimate"]
        said.append(
            f"{title}: {palette.share(late['estimate'])} of the latest third's {palette.integer(late['n'])} figures, "
            f"{palette.share(early['estimate'])} of the earliest's {palette.integer(early['n'])} ({interval}; "
            f"{unknown:g} places left out, whose figures begin over {ARRIVAL_LEVEL:g})"
        )
    return f"At all ages: {'; '.join(said)}." if said else ""

"""The studies of presence and of speed: panels of adopters and reference series in, rows of the findings tables out.

Presence is the number of followers in the newest month held, outcome the standing of 2010, before it. Journals that share an
account with another are left out: the followers are those of both. Publishers are clusters, and a journal that is its
publisher's only one is a cluster of its own: there is nothing that it would be alike with. A field is
the first category listed; a journal without one is compared within none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from longwave.models import presence, speed
from longwave.models.adopters import AdopterPanel
from longwave.models.presence import Estimate
from longwave.pipelines.beside import both
from longwave.pipelines.claim_names import ALL_PAIRS, AMONG_ALL, IN_FIELD, JOURNALS, NEWSPAPERS, SPEED
from longwave.pipelines.find import N_BOOT, SEED, Rows

CORRELATION = "rank correlation"
LEAST_IN_FIELD = 20
OTHERS = "other fields"
# The primary comparison has as many resamples as every finding; what stands beside it needs no third figure.
N_BOOT_BESIDE = 499
FOLLOWERS_BEFORE = 2011.0
"""Accounts opened from here on were opened after the period that the standing speaks of."""
DRAWN = 500
LEAST_PAIRS = 10
SAME_AGE = 3.0
"""Years that accounts may have been opened apart to be of one age: with fewer, most fields have no ten to compare."""
PERCENTILE = "percentile"


@dataclass(frozen=True)
class Variant:
    """Pairs to compare under a name, within fields or over all, with a covariate held constant or none; τ-b beside or not."""

    mode: str
    pairs: pl.DataFrame
    within: bool = False
    covariate: str | None = None
    primary: bool = False


# --- presence


def presence_rows(panels: Mapping[str, AdopterPanel]) -> Rows:
    """All that is found of presence and outcome, by panel; a panel in which nothing is held at this date has no rows."""
    rows = Rows()
    for found in (journal_presence(panels[JOURNALS]), newspaper_presence(panels[NEWSPAPERS])):
        rows.findings += found.findings
        rows.curves += found.curves
    return rows


def journal_presence(panel: AdopterPanel) -> Rows:
    """Followers and standing of journals: the correlation, what fields make of it, sensitivities, and points to draw."""
    rows = Rows()
    pairs = journal_pairs(panel)
    if pairs.height < LEAST_PAIRS:
        return rows
    fields = ((ALL_PAIRS, pairs), *_other_fields(pairs), *_left_out(pairs))
    for found in both(_of_journals, [*_variants(panel, pairs), *fields]):
        rows.add(found)
    _add_points(rows, pairs)
    return rows


def newspaper_presence(panel: AdopterPanel) -> Rows:
    """Copies and finalists of newspapers, the same way: fifty, the largest of their time, in another medium."""
    rows = Rows()
    first = panel.attention.group_by("adopter").agg(pl.col("attention").sort_by("at").first().alias("presence"))
    won = (
        panel.covariates.filter(pl.col("name") == "finalists")
        .sort("at")
        .group_by("adopter")
        .agg(pl.col("value").first())
    )
    pairs = first.join(won, on="adopter").rename({"value": "outcome"}).sort("adopter")
    if pairs.height >= LEAST_PAIRS:
        own = pairs.with_columns(pl.col("adopter").alias("cluster"))
        _add_correlation(rows, NEWSPAPERS, Variant(ALL_PAIRS, own, primary=True))
    return rows


def journal_pairs(panel: AdopterPanel, *, newest: bool = True) -> pl.DataFrame:
    """One row a journal: adopter, presence, outcome, cluster, field, age, opened, documents; sorted by adopter.

    Args:
        panel: of journals.
        newest: followers in the newest month held; else in the first.

    """
    months = panel.attention["at"]
    at = months.max() if newest else months.min()
    followers = panel.attention.filter(pl.col("at") == pl.lit(at, pl.Float64)).select(
        "adopter", pl.col("attention").alias("presence")
    )
    latest = panel.covariates.sort("at").group_by("adopter", "name").agg(pl.col("value").last())
    known = latest.pivot("name", index="adopter", values="value") if latest.height else latest.select("adopter")
    for name in ("sjr", "documents"):
        known = known if name in known.columns else known.with_columns(pl.lit(None, pl.Float64).alias(name))
    flags = pl.col("flags").fill_null("").str.split(",")
    joined = (
        panel.adopters.filter(~flags.list.contains("shared_account"))
        .join(followers, on="adopter")
        .join(known, on="adopter")
        .filter(pl.col("sjr").is_not_null())
    )
    return joined.select(
        "adopter",
        "presence",
        pl.col("sjr").alias("outcome"),
        pl.coalesce("cluster", pl.format("journal {}", "adopter")).alias("cluster"),
        pl.coalesce("field", pl.format("no field: {}", "adopter")).alias("field"),
        (pl.lit(at, pl.Float64) - pl.col("adopted")).alias("age"),
        pl.col("adopted").alias("opened"),
        "documents",
    ).sort("adopter")


def _of_journals(asked: Variant | tuple[str, pl.DataFrame]) -> Rows:
    """What one way to look at journals says; of a mode and its pairs, what fields make of it."""
    rows = Rows()
    if isinstance(asked, Variant):
        _add_correlation(rows, JOURNALS, asked)
    else:
        mode, pairs = asked
        _add_fields(rows, mode, pairs, N_BOOT if mode == ALL_PAIRS else N_BOOT_BESIDE)
    return rows


def _variants(panel: AdopterPanel, pairs: pl.DataFrame) -> Iterator[Variant]:
    """All pairs first, then every other way to look at them."""
    aged = pairs.filter(pl.col("age").is_not_null())
    yield Variant(ALL_PAIRS, pairs, primary=True)
    yield Variant("within fields", pairs, within=True, primary=True)
    yield Variant("given the account’s age", aged, covariate="age")
    yield Variant("within fields, given the account’s age", aged, within=True, covariate="age")
    yield Variant("accounts opened from 2011 on", pairs.filter(pl.col("opened") >= FOLLOWERS_BEFORE))
    top = pairs["presence"].quantile(0.99, "higher")
    yield Variant("without the top 1 % of followers", pairs.filter(pl.col("presence") < top))
    yield Variant("with citable documents", pairs.filter(pl.col("documents") > 0))
    yield Variant("first month of followers", journal_pairs(panel, newest=False))
    for mode, chosen in _left_out(pairs):
        yield Variant(mode, chosen)


def _left_out(pairs: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Pairs without the largest contributor of each kind."""
    for column, words in (("cluster", "without the largest publisher"), ("field", "without the largest field")):
        counted = pairs[column].value_counts().sort("count", column, descending=[True, False])
        yield words, pairs.filter(pl.col(column) != counted[column][0])


def _other_fields(pairs: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Pairs with fields of fewer than twenty journals taken together, and without them."""
    small = pl.len().over("field") < LEAST_IN_FIELD
    merged = pl.when(small).then(pl.lit(OTHERS)).otherwise("field").alias("field")
    yield "small fields taken together", pairs.with_columns(merged)
    yield "without small fields", pairs.filter(~small)


def _add_correlation(rows: Rows, subject: str, variant: Variant) -> None:
    """Spearman's ρ with both intervals, the p at the margin, τ-b, and the pairs that would decide."""
    pairs = variant.pairs
    if not _comparable(pairs):
        return
    covariates = [] if variant.covariate is None else [pairs[variant.covariate].to_numpy()]
    groups = pairs["field"].to_list() if variant.within else None
    columns: tuple[Any, ...] = (pairs["presence"].to_numpy(), pairs["outcome"].to_numpy())
    same: dict[str, Any] = {"clusters": pairs["cluster"].to_list(), "groups": groups, "seed": SEED}
    same["n_boot"] = N_BOOT if variant.primary else N_BOOT_BESIDE
    found = presence.rank_correlation(*columns, covariates=covariates, **same)
    said = presence.reading(found)
    _add(rows, subject, "spearman", variant.mode, found, found.outer, presence.OUTER, note=said)
    if found.n >= presence.LEAST_FOR_NONE:
        _add(rows, subject, "spearman_inner", variant.mode, found, found.inner, presence.INNER)
    if found.bca is not None:
        _add(rows, subject, "spearman_bca", variant.mode, found, found.bca, presence.OUTER)
    counts = {"n": found.n, "n_clusters": found.clusters}
    rows.finding(subject, "p_at_margin", variant.mode, estimate=found.p_margin, unit="p-value", **counts)
    rows.finding(subject, "pairs_needed", variant.mode, estimate=presence.pairs_needed(found), unit="pairs", **counts)
    rows.finding(subject, "effective_clusters", variant.mode, estimate=found.effective, unit="clusters", **counts)
    if variant.primary:
        tau = presence.kendall(*columns, **same)
        _add(rows, subject, "tau_b", variant.mode, tau, tau.outer, presence.OUTER)


def _comparable(pairs: pl.DataFrame) -> bool:
    """Whether there are pairs enough, of more than one cluster, that differ in both."""
    enough = pairs.height >= LEAST_PAIRS and pairs["cluster"].n_unique() > 1
    return enough and pairs["presence"].n_unique() > 1 and pairs["outcome"].n_unique() > 1


def _add_fields(rows: Rows, mode: str, pairs: pl.DataFrame, n_boot: int) -> None:
    """τ-b within fields less τ-b over all pairs."""
    if not _comparable(pairs):
        return
    columns = (pairs["presence"].to_numpy(), pairs["outcome"].to_numpy(), pairs["field"].to_list())
    clusters = pairs["cluster"].to_list()
    found = presence.within_less_pooled(*columns, clusters=clusters, n_boot=n_boot, seed=SEED)
    _add(rows, JOURNALS, "within_less_pooled", mode, found, found.outer, presence.OUTER)


def _add(
    rows: Rows,
    subject: str,
    measure: str,
    mode: str,
    found: Estimate,
    interval: presence.Interval,
    level: float,
    note: str | None = None,
) -> None:
    rows.finding(
        subject,
        measure,
        mode,
        estimate=found.value,
        lo=interval[0],
        hi=interval[1],
        level=level,
        n=found.n,
        n_clusters=found.clusters,
        unit=CORRELATION,
        note=note,
    )


def _add_points(rows: Rows, pairs: pl.DataFrame) -> None:
    """Journals as percentiles of all, and of their own field at their age: a part of them as points, the middle of all."""
    aged = pairs.filter(pl.col("age").is_not_null())
    own = aged["field"].to_list(), aged["age"].to_numpy(), SAME_AGE
    whole = ["all"] * pairs.height
    for mode, chosen, among in ((AMONG_ALL, pairs, (whole,)), (IN_FIELD, aged, own)):
        x, y = (presence.class_percentiles(chosen[column], *among)[0] for column in ("presence", "outcome"))
        known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        if not len(known):
            continue
        for at in known[np.unique(np.linspace(0, len(known) - 1, min(DRAWN, len(known))).astype(int))].tolist():
            rows.curve(
                JOURNALS, f"standing {mode}", chosen["adopter"][at], "presence", x[at], y=float(y[at]), unit=PERCENTILE
            )
        tenths = np.floor(x[known] / 10).clip(0, 9)
        for tenth in np.unique(tenths):
            inside = known[tenths == tenth]
            place, level = (float(np.median(of[inside])) for of in (x, y))
            counted = {"n": len(inside), "unit": PERCENTILE}
            rows.curve(JOURNALS, f"middle standing {mode}", "", "presence", place, y=level, **counted)


# --- speed

RULES = {
    "as observed": speed.Rule(),
    "observations up to ten years apart": speed.Rule(most_gap=10),
    "interpolated observations too": speed.Rule(interpolated=True),
    "interpolated ones, up to ten years apart": speed.Rule(most_gap=10, interpolated=True),
    "observed below 10 %": speed.Rule(first_mark=False),
}
IN_QUESTION = "social"
LEAST_REFERENCES = 15


def adoption_speed(series: pl.DataFrame) -> Rows:
    """Years from 10 to 50 % of the medium in question, against the prediction intervals of the references.

    Args:
        series: series, concept_group, medium, year, value, interpolated; shares of one country's people or households.

    """
    rows = Rows()
    asked = series.filter(pl.col("medium") == IN_QUESTION)
    peers = series.filter(pl.col("medium") != IN_QUESTION)
    for mode, rule in RULES.items():
        own, all_peers = speed.speeds(asked, rule), speed.speeds(peers, rule)
        concepts, known = speed.by_concept(all_peers), own.drop_nulls("years")
        if known.height == 1 and concepts.height >= 3:
            _add_speed(rows, mode, float(known["years"][0]), concepts["years"].to_numpy())
        if mode == next(iter(RULES)):
            _add_years(rows, own, concepts)
            reasons = all_peers.filter(pl.col("years").is_null())
            for reason, count in reasons["reason"].value_counts(sort=True).iter_rows():
                rows.finding(SPEED, "series_left_out", reason, estimate=count, n=all_peers.height, unit="series")
    return rows


def _add_speed(rows: Rows, mode: str, years: float, peers: speed.FloatArray) -> None:
    """The years, as they are and as a multiple of the references' centre, with prediction intervals of one more series."""
    found, ranked = speed.predicted(peers), speed.predicted_by_rank(peers)
    counts = {"n": found.n, "n_clusters": found.n}
    few = f" of the {LEAST_REFERENCES} asked for" if found.n < LEAST_REFERENCES else ""
    note = f"{found.n} reference technologies{few}"
    for measure, given in (("years_10_to_50", found), ("years_10_to_50_by_rank", ranked)):
        ends = {"lo": given.lo, "hi": given.hi, "level": given.level}
        rows.finding(SPEED, measure, mode, estimate=years, unit="years", note=note, **ends, **counts)
    # The interval of the ratio is the prediction interval turned round: 1 is inside where the years are.
    ends = {"lo": years / found.hi, "hi": years / found.lo, "level": found.level}
    rows.finding(SPEED, "speed_ratio", mode, estimate=years / found.centre, unit="ratio", note=note, **ends, **counts)
    p = speed.p_outside(years, peers)
    rows.finding(SPEED, "p_outside", mode, estimate=p, unit="p-value", **counts)


def _add_years(rows: Rows, own: pl.DataFrame, concepts: pl.DataFrame) -> None:
    """Years of each concept, the fastest first, and of the medium in question."""
    for rank, (concept, years) in enumerate(concepts.select("concept_group", "years").iter_rows()):
        rows.curve(SPEED, "years_10_to_50", concept, "rank", rank, y=years, unit="years")
    for concept, years in own.drop_nulls("years").select("concept_group", "years").iter_rows():
        rows.curve(SPEED, "years_10_to_50_in_question", concept, "rank", 0, y=years, unit="years")

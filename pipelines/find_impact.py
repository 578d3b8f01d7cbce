"""The study of long-run impact across media: does an early lead of places, as other media teach it, foretell a later one.

What is predicted and how is said in `longwave.models.impact`; here only which years are compared, and which rows are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl
from longwave.models.adopters import AdopterPanel
from longwave.models.impact import LEVEL, MODELS, predict_out_of_medium
from longwave.pipelines import find
from longwave.pipelines.claim_names import ADDS, PLACES, SKILL
from longwave.pipelines.find import Rows

SIZE = ("log_gdp_per_head", "log_population")
YEARS_LATER = 20
UNIT = "share of squared error"


def media_of_places(panels: Mapping[str, AdopterPanel]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Places by medium with early authority, later impact, and size before adoption; and the years compared.

    Early is as in the study of persistence: ten years after the medium's first launch anywhere, or the first year with at
    least 15 places. Late is twenty years after that, or the last fifth year before for which most of them have reported.
    Places that were far along when first counted have no early years here, and are left out: newspapers are, by that.

    Returns:
        medium, adopter, cluster, authority, impact and the columns of ``SIZE`` (null where not known); medium, k, horizon, n.

    """
    parts, years = [], []
    for medium, panel in sorted(panels.items()):
        seen = panel.adopters.filter(~pl.col("flags").str.split(",").list.contains("left_truncated")).select("adopter")
        frame = panel.attention.join(seen, on="adopter", how="semi").select(
            "adopter",
            pl.col("adopter").alias("code"),
            (pl.col("at") - panel.first_launch).round().cast(pl.Int32).alias("k"),
            pl.col("attention").alias("value"),
        )
        early = find.early_year(frame)
        late = [] if early is None else [k for k in find.horizons(frame, early) if k <= early + YEARS_LATER]
        if not late:
            continue
        at = [frame.filter(pl.col("k") == k).select("adopter", "value") for k in (early, late[-1])]
        size = [pl.Series(name, panel.prior(name)) for name in SIZE]
        part = (
            panel.adopters.select("adopter", pl.coalesce("cluster", "adopter").alias("cluster"))
            .with_columns(size)
            .join(at[0].rename({"value": "authority"}), on="adopter")
            .join(at[1].rename({"value": "impact"}), on="adopter")
            .with_columns(pl.lit(medium).alias("medium"))
        )
        parts.append(part)
        years.append((medium, early, late[-1], part.height))
    schema = {"medium": pl.String, "k": pl.Int64, "horizon": pl.Int64, "n": pl.Int64}
    return pl.concat(parts) if parts else pl.DataFrame(), pl.DataFrame(years, schema=schema, orient="row")


def impact_rows(panels: Mapping[str, AdopterPanel]) -> Rows:
    """Skill of every model on every medium left out, over all of them, and what each column adds to the boosting."""
    rows = Rows()
    frame, years = media_of_places(panels)
    if years.height < 3:
        return rows
    found = predict_out_of_medium(frame, SIZE, n_boot=find.N_BOOT, seed=find.SEED)
    compared = {medium: f"years {k} and {horizon} since first launch" for medium, k, horizon, _ in years.iter_rows()}
    for row in found.skills:
        # From few subregions there is no interval.
        lo, hi, level = (row.lo, row.hi, LEVEL) if math.isfinite(row.lo) else (None, None, None)
        said = (compared.get(row.medium), None if lo is not None else "too few subregions for an interval")
        rows.finding(
            PLACES,
            f"{SKILL}/{row.model}",
            row.medium,
            estimate=row.skill,
            lo=lo,
            hi=hi,
            level=level,
            n=row.n,
            n_clusters=row.clusters,
            unit=UNIT,
            note="; ".join(part for part in said if part) or None,
        )
    for column, estimate, _ in found.importance.iter_rows():
        note = "descriptive, the mean over the media left out: what the fitted models use, without an interval"
        rows.finding(PLACES, f"{ADDS}/{column}", MODELS[-1], estimate=estimate, n=frame.height, unit=UNIT, note=note)
    return rows

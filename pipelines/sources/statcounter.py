"""StatCounter's shares of referrals from social platforms, by month: one wide table a country, rows that sum to 100.

A share of referrals to the sites it tracks is no count of users. Columns and their order differ between countries. A zero
before a platform is tracked looks like a zero after its decline: both are kept as served. The month under way is served
too, from its days so far.
"""

from __future__ import annotations

from urllib.parse import quote

import polars as pl
from longwave.pipelines.sources._spec import Original, SourceSpec, one_request
from longwave.pipelines.sources._table import days, decode, numbers, read_table, refused
from longwave.warehouse.tidy import Measure, tidy

_SUM_WITHIN = 0.5


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one country's months."""
    name = original.name
    table = read_table(name, decode(name, original.data), ["Date"])
    platforms = [column for column in table.columns if column not in ("line", "Date")]
    long = table.unpivot(platforms, index=["line", "Date"], variable_name="entity", value_name="value")
    long = numbers(name, long.filter(pl.col("value").is_not_null()), "value")
    _refuse_wrong_sums(name, long)
    dated = days(name, long, "Date", "%Y-%m", "YYYY-MM").with_columns(pl.lit("month").alias("period_kind"))
    if original.day is not None:
        # Shares of an open month are shares of its first days; every later answer would pass for a revision of them.
        dated = dated.filter(pl.col("period_start") != original.day.replace(day=1))
    return tidy(dated.with_columns(pl.lit("referral_share").alias("measure")))


def _refuse_wrong_sums(name: str, long: pl.DataFrame) -> None:
    sums = long.group_by("line", "Date").agg(pl.col("value").sum()).sort("line")
    bad = sums.filter((pl.col("value") - 100).abs() > _SUM_WITHIN)
    if not bad.is_empty():
        rows = [f"line {line}: {month}: {total:.2f}" for line, month, total in bad.iter_rows()]
        raise refused(name, "sums", f"shares of a month sum to 100 ± {_SUM_WITHIN}", f"{bad.height} months", rows)


_COUNTRIES = {
    "gb": ("GBR", "United Kingdom"),
    "jp": ("JPN", "Japan"),
    "kr": ("KOR", "South Korea"),
    "us": ("USA", "United States"),
}


_QUERY = (
    "device=Desktop%20%26%20Mobile%20%26%20Tablet%20%26%20Console&device_hidden=desktop%2Bmobile%2Btablet%2Bconsole"
    "&multi-device=true&statType_hidden=social_media&region_hidden={region}&granularity=monthly&statType=Social%20Media"
    "&region={country}&fromInt=201305&toInt={{day:%Y%m}}&fromMonthYear=2013-05&toMonthYear={{day:%Y-%m}}&csv=1"
)


def _spec(region: str, code: str, country: str) -> SourceSpec:
    page = f"https://gs.statcounter.com/social-media-stats/all/{country.lower().replace(' ', '-')}"
    query = _QUERY.format(region=region.upper(), country=quote(country))
    return SourceSpec(
        source=f"statcounter_social_{region}",
        title=f"Social media stats, {country}",
        publisher="StatCounter Global Stats",
        homepage=page,
        url=f"{page}/chart.php",
        allowed_hosts=("gs.statcounter.com",),
        licence="CC BY-SA 3.0",
        citation=f"StatCounter Global Stats, Social Media Stats {country}, from May 2013",
        cadence="monthly",
        media_type="text/csv",
        measures=(Measure("referral_share", "social", "referral_share", "percent", "referrals", "referrals", 0, 100),),
        reader=read,
        proven_on="2023-06-07",
        adopter_kind="platform",
        place=code,
        endpoints=one_request(f"{page}/chart.php?{query}", "csv"),
    )


SPECS = tuple(_spec(region, code, country) for region, (code, country) in _COUNTRIES.items())

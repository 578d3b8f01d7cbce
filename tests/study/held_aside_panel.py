"""The panel held aside: how it was made from the original, where it lies, and its digest. Nothing here forecasts.

The rule, written down before any forecaster was tuned: of Comin and Hobijn's HCCTA (2004), every variable that counts
equipment which people or firms take up, is no medium and no means of communication, is not among the measures the
warehouse observes, and has at least 15 years in at least 15 countries: private cars and commercial cars, per 100 people
of the data set's own population; and, for a panel of shares, the one process of the data set that entered within its
span and displaced others: the part of crude steel made in oxygen furnaces, of all processes reported that year. The
automobile in the United States is in the development data under another name, so United States cars are left out.
"""

import hashlib
from pathlib import Path

import polars as pl
from longwave.warehouse.world import codes_by_name

FILE = Path(__file__).parent / "held_aside" / "hccta_2004_cars_and_oxygen_steel.csv"
CARS = {"Private Cars": "private car", "Commercial Cars": "commercial vehicle"}
OXYGEN = "steel - blast oxygen"


def digest():
    """SHA-256 of the file's bytes, as the registry has it."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()


def rebuilt(original):
    """The panel from the bytes of hcctad.txt: series, medium, place, unit_class, year, value; six decimals."""
    table = pl.read_csv(original, infer_schema=False, null_values=["."])
    long = table.unpivot(index=["Variable", "Year"], variable_name="country").drop_nulls()
    long = long.with_columns(pl.col("Year").cast(pl.Int32), pl.col("value").cast(pl.Float64))
    parts = [_per_100(long), _oxygen(long)]
    rows = pl.concat(parts).with_columns(pl.col("country").replace_strict(codes_by_name("hccta")).alias("place"))
    return (
        rows.filter(~((pl.col("place") == "USA") & (pl.col("unit_class") == "count")))
        .select(
            pl.format("{}, {}", "medium", "place").alias("series"),
            "medium",
            "place",
            "unit_class",
            pl.col("Year").alias("year"),
            pl.col("value").round(6),
        )
        .sort("series", "year")
    )


def _per_100(long):
    people = long.filter(pl.col("Variable") == "Population").select("country", "Year", people="value")
    cars = long.filter(pl.col("Variable").is_in(list(CARS))).join(people, on=["country", "Year"])
    return cars.select(
        "country",
        "Year",
        pl.col("Variable").replace_strict(CARS).alias("medium"),
        pl.lit("count").alias("unit_class"),
        value=100 * pl.col("value") / pl.col("people"),
    )


def _oxygen(long):
    steel = long.filter(pl.col("Variable").str.starts_with("steel - "))
    total = steel.group_by("country", "Year").agg(total=pl.col("value").sum(), processes=pl.len())
    oxygen = steel.filter(pl.col("Variable") == OXYGEN).join(total, on=["country", "Year"])
    # A year in which nothing but oxygen steel is reported says nothing of its part.
    return oxygen.filter(pl.col("total") > 0, pl.col("processes") > 1).select(
        "country",
        "Year",
        pl.lit("oxygen steel").alias("medium"),
        pl.lit("share").alias("unit_class"),
        value=100 * pl.col("value") / pl.col("total"),
    )

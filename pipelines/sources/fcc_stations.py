"""Stations licensed in the United States, by the FCC's AM, FM and TV Query: call sign, community, facility, power.

Text of `list=4`: fields between pipes, padded with blanks, in a fixed order, one row a record. Kept are licensed records
(LIC) of full-power services at home. An AM station has a record for the day and one for the night: its power is that of
the day or of unlimited hours. Of several records of one facility the strongest counts. FM and television power is the
effective radiated one, horizontal, else vertical. A row speaks of the day it was served: licence dates are not in `list=4`.
A station is call sign, community and facility: a call sign that moves to another facility is another station.
"""

from __future__ import annotations

import polars as pl
from longwave.pipelines.sources._cells import on_days, refuse_rows
from longwave.pipelines.sources._spec import Endpoint, Original, Part, SourceSpec
from longwave.pipelines.sources._table import decode, refused
from longwave.warehouse.tidy import Measure

# Where a field stands between the pipes; the first is 1.
_PLACES = {"call": 1, "service": 3, "hours": 6, "status": 9, "city": 10, "state": 11, "country": 12}
_PLACES |= {"power": 14, "vertical": 15, "facility": 18}
_NORTH_SOUTH, _EAST_WEST, _FIELDS_AT_LEAST = 19, 23, 28
_SERVICES = {"AM": "am_station_power", "FM": "fm_station_power", "DTV": "tv_station_power"}
_BY_DAY = ["Daytime", "Unlimited"]
_POWER = r"^(\d+\.?\d*|\.\d+) *kW$"


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one query: power of each licensed station in kilowatts."""
    name = original.name
    if original.day is None:
        raise refused(name, "day", "the day it was served: a query states none", "none")
    records = _records(name, original.data)
    measure = pl.col("service").replace_strict(_SERVICES, default=None).alias("measure")
    by_day = (pl.col("service") != "AM") | pl.col("hours").is_in(_BY_DAY)
    home = (pl.col("status") == "LIC") & (pl.col("country") == "US") & by_day
    kept = records.with_columns(measure).filter(home & pl.col("measure").is_not_null())
    kept = kept.with_columns(_kilowatts(name, kept, "power"), _kilowatts(name, kept, "vertical"))
    value = pl.when(pl.col("power") > 0).then("power").otherwise(pl.coalesce("vertical", "power"))
    entity = pl.format("{} ({}, {}; facility {})", "call", "city", "state", "facility")
    named = kept.with_columns(entity.alias("entity"), value.alias("value")).drop_nulls("value")
    strongest = named.sort("value", "line", descending=[True, False]).unique(["measure", "facility"], keep="first")
    return on_days(strongest, pl.col("measure"), original.day)


def _records(name: str, data: bytes) -> pl.DataFrame:
    """Fields of every record; a row of another form is refused: one field more would move all that follow."""
    lines = [(n, line) for n, line in enumerate(decode(name, data).split("\n"), start=1) if line.strip()]
    split = [(n, [field.strip() for field in line.split("|")]) for n, line in lines]
    bad = [f"line {n}: {'|'.join(fields)[:80]}" for n, fields in split if not _is_record(fields)]
    if bad:
        raise refused(name, "records", "call sign, …, facility, N or S, …, W or E, …", f"{len(bad)} others", bad)
    rows = [[n, *(fields[place] for place in _PLACES.values())] for n, fields in split]
    return pl.DataFrame(rows, {"line": pl.Int64, **dict.fromkeys(_PLACES, pl.String)}, orient="row")


def _is_record(fields: list[str]) -> bool:
    if len(fields) <= _FIELDS_AT_LEAST or fields[0] or fields[-1] or not fields[_PLACES["call"]]:
        return False
    where = fields[_NORTH_SOUTH] in ("N", "S") and fields[_EAST_WEST] in ("W", "E")
    return where and fields[_PLACES["facility"]].isdecimal()


def _kilowatts(name: str, kept: pl.DataFrame, field: str) -> pl.Expr:
    """One field as kilowatts; `-`, blank and, of AM, `Directional` are no number."""
    said = kept.filter(~pl.col(field).is_in(["", "-", "Directional"]) & ~pl.col(field).str.contains(_POWER))
    refuse_rows(name, said, "power", "a number of kW, or -", "call", field)
    return pl.col(field).str.extract(_POWER, 1).cast(pl.Float64)


def _measure(service: str, medium: str, high: float) -> Measure:
    return Measure(_SERVICES[service], medium, "station_power", "kilowatts", "stations", None, 0, high)


def _query(service: str, query: str) -> Endpoint:
    url = f"https://transition.fcc.gov/fcc-bin/{query}list=4&size=9"
    return Endpoint((Part("data", url, "text"),), _SERVICES[service])


SPECS = (
    SourceSpec(
        source="fcc_stations",
        title="AM Query, FM Query and TV Query",
        publisher="Federal Communications Commission, Media Bureau",
        homepage="https://www.fcc.gov/media/radio/am-query",
        url="https://transition.fcc.gov/fcc-bin/amq",
        allowed_hosts=("transition.fcc.gov",),
        licence="public domain (17 U.S.C. 105)",
        citation="Federal Communications Commission, AM Query, FM Query and TV Query, text output",
        cadence="daily",
        media_type="text/plain",
        measures=(_measure("AM", "radio", 100), _measure("FM", "radio", 1000), _measure("DTV", "television", 5000)),
        reader=read,
        proven_on=None,
        adopter_kind="station",
        place="USA",
        scope="period",
        endpoints=(_query("AM", "amq?freq=530&fre2=1700&type=0&"), _query("FM", "fmq?serv=FM&"), _query("DTV", "tvq?")),
    ),
)

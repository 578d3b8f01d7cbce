"""The one evaluation of the panel held aside as rows of the findings tables: by unit class near, by medium far ahead.

The panel stands in `facts/held_aside.csv`; its record is `measured/held-aside.json`, made once and never renewed, or the
panel would become one that forecasts are made to fit. Names: the subject is `backtest/held-aside/share/WHO`,
`backtest/held-aside/count/WHO` and, many years ahead, `backtest/held-aside/MEDIUM`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

import polars as pl
from longwave.models.scoreboard import ALL
from longwave.warehouse.records import Record

RECORD: Final = "held-aside"
MODE: Final = "held aside, evaluated once"
UNITS: Final = {"count": "logarithms", "share": "points"}
OURS: Final = "adoption"


def told(kept: Iterable[Record], vintages: Iterable[date]) -> list[Record]:
    """The evaluations to be told, parted as `backtest_rows` reads records.

    An evaluation cannot be made again when facts come in, so it stands at any later date too; what it says is about the
    code and the facts that it names. At an earlier date than its facts it was not to be had.

    Args:
        kept: records of evaluations.
        vintages: of the captures at hand that forecasts learn from.

    """
    newest = max(vintages, default=date.min)
    standing = (record for record in kept if date.fromisoformat(str(record.about["newest_vintage"])) <= newest)
    return [part for record in standing for part in _parts(record)]


def _parts(record: Record) -> list[Record]:
    mode, data = MODE.split(", ")
    about = dict(record.about) | {"mode": mode, "data": data, "forecaster": OURS}
    near = [_near(record, about, kind, unit) for kind, unit in UNITS.items()]
    far = record.tables["relative_errors"]
    asked = far.filter(pl.col("ages") == ALL, pl.col("asked") == ALL).group_by("panel").agg(pl.col("n").max())
    return [
        *near,
        Record(record.name, about | {"n_forecasts": int(asked["n"].sum())}, {"relative_errors": far}, record.digest),
    ]


def _near(record: Record, about: Mapping[str, Any], kind: str, unit: str) -> Record:
    tables = {
        name: record.tables[name].filter(pl.col("unit_class") == kind).with_columns(_plain(record.tables[name]))
        for name in ("scores", "against", "coverage")
    }
    forecasts = int(tables["coverage"]["n_values"].max())  # type: ignore[arg-type]
    same = {"protocol": f"{about['protocol']}/{kind}", "unit": unit, "n_forecasts": forecasts}
    return Record(f"{record.name}-{kind}", dict(about) | same, tables, record.digest)


def _plain(table: pl.DataFrame) -> list[pl.Expr]:
    """Forecasters under the names that the backtests have."""
    columns = [name for name in ("forecaster", "peer") if name in table.columns]
    return [pl.col(name).str.strip_suffix(" (peer)").replace("ours", OURS) for name in columns]

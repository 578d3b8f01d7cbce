"""Results that take longer than a run may: measured apart, kept beside the code with counts, seed and commit.

Belongs here: reading and writing the files of `measured/`, one a result, tables as rows. Does not: what is measured (the
studies under `tests/study`), what is made of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import polars as pl
from longwave.warehouse.errors import Problem, Refused

DECIMALS: Final = 4
_REMEDY: Final = "write it anew with `make study`"


@dataclass(frozen=True)
class Record:
    """A result: `about`, what was asked and what it rests on; `tables`, frames by name; `digest`, of its file."""

    name: str
    about: Mapping[str, Any]
    tables: Mapping[str, pl.DataFrame]
    digest: str = ""


def records(prefix: str, folder: Path | None = None) -> list[Record]:
    """Every record whose name begins so, by name.

    Raises:
        Refused: a file is not a record; names it.

    """
    place = folder or Path(str(resources.files("longwave.warehouse") / "measured"))
    return [_read(path) for path in sorted(place.glob(f"{prefix}*.json"))]


def _read(path: Path) -> Record:
    try:
        data = path.read_bytes()
        held = json.loads(data)
        tables = {
            name: pl.DataFrame(table["rows"], schema=table["columns"], orient="row", infer_schema_length=None)
            for name, table in held["tables"].items()
        }
        return Record(path.stem, held["about"], tables, hashlib.sha256(data).hexdigest())
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        problem = Problem("shape", str(path), "a record: about, and tables with columns and rows", str(error), ())
        raise Refused(str(path), [problem], _REMEDY) from error


def write_record(record: Record, folder: Path) -> Path:
    """Write a record: one row a line, numbers to four decimals, so that what changed can be read in a comparison."""
    tables = ",\n".join(f"  {json.dumps(name)}: {_table(frame)}" for name, frame in record.tables.items())
    about = json.dumps(record.about, indent=1, ensure_ascii=False, allow_nan=False)
    path = folder / f"{record.name}.json"
    path.write_text(f'{{\n"about": {about},\n"tables": {{\n{tables}\n}}\n}}\n', encoding="utf-8")
    return path


def _table(frame: pl.DataFrame) -> str:
    rounded = [
        [round(value, DECIMALS) if isinstance(value, float) else value for value in row] for row in frame.iter_rows()
    ]
    lines = ",\n    ".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rounded)
    return f'{{"columns": {json.dumps(frame.columns)}, "rows": [\n    {lines}\n  ]}}'

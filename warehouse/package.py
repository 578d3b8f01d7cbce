"""The data package (Frictionless Data Package, version 1): what each file passed on holds, made from the declared tables.

Belongs here: the descriptor's form. Does not belong here: which rows are passed on (`passed_on.py`), the files (`export.py`).

Text tables carry a schema with keys and foreign keys, so that any reader of the standard can hold the rows against it.
Parquet carries its own types; its entry says size, digest, licences and columns. Nothing states the day of writing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
from longwave.warehouse.passed_on import Export, columns_of

LICENCES: Mapping[str, tuple[str, str]] = {
    "CC0 1.0": ("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "CC BY 4.0": ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
    "CC BY-SA 3.0": ("CC-BY-SA-3.0", "https://creativecommons.org/licenses/by-sa/3.0/"),
    "CC BY-SA 4.0": ("CC-BY-SA-4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
}
"""Licences with a name of their own. Other terms are said in words, with the page on which the publisher is read about."""
_TYPES: Mapping[type[dy.Column], str] = {
    dy.String: "string",
    dy.Bool: "boolean",
    dy.Int32: "integer",
    dy.Int64: "integer",
    dy.Float64: "number",
    dy.Date: "date",
    dy.Datetime: "datetime",
}


@dataclass(frozen=True)
class Packed:
    """A file of an export: its name in the package, and the one source that it is of, where it is of one."""

    name: str
    export: Export
    path: Path
    frame: pl.DataFrame
    source: str = ""


def package(
    folder: Path, tables: Sequence[Packed], sources: pl.DataFrame, release: Mapping[str, str]
) -> dict[str, Any]:
    """Return the descriptor of the files that were written.

    Args:
        folder: where the descriptor will lie; paths are relative to it.
        tables: the files, as they stand on disk.
        sources: the rows of `sources` that are passed on.
        release: version, newest_vintage, inputs_digest.

    """
    told = sources.to_dicts()
    held = {table.source for table in tables if table.source}
    return {
        "profile": "data-package",
        "name": "longwave",
        "title": "How media were taken up, by the vintages in which their publishers said so",
        "description": (
            "Figures as their publishers gave them, each with the capture that first said it. latest-… are the values that "
            "stand, a file a source; observations.parquet holds every vintage. Every source keeps its own terms."
        ),
        "version": release["version"],
        "newest_vintage": release["newest_vintage"],
        "inputs_digest": release["inputs_digest"],
        "licenses": _unique(licence(row) for row in told),
        "sources": [_source(row) for row in told if row["source"] in held],
        "resources": [_resource(table, folder, told) for table in tables],
    }


def _unique(rows: Any) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for row in rows:
        if row not in found:
            found.append(row)
    return found


def licence(source: Mapping[str, Any]) -> dict[str, str]:
    """Return the terms of a source as the standard writes them."""
    name, path = LICENCES.get(str(source["licence"]), ("", str(source["homepage"])))
    return {**({"name": name} if name else {}), "title": str(source["licence"]), "path": path}


def _source(row: Mapping[str, Any]) -> dict[str, str]:
    return {"title": str(row["citation"]), "path": str(row["homepage"])}


def _resource(table: Packed, folder: Path, sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    octets = table.path.read_bytes()
    own = [row for row in sources if row["source"] == table.source]
    title = f"{table.export.title}: {own[0]['title']}" if own else table.export.title
    text = table.path.suffix == ".csv"
    about = {
        "name": table.name,
        "title": title,
        "path": table.path.relative_to(folder).as_posix(),
        "format": table.path.suffix[1:],
        "mediatype": "text/csv" if text else "application/vnd.apache.parquet",
        **({"profile": "tabular-data-resource", "encoding": "utf-8"} if text else {"type": "file"}),
        "bytes": len(octets),
        "hash": f"sha256:{hashlib.sha256(octets).hexdigest()}",
    }
    told = {"licenses": [licence(row) for row in own], "sources": [_source(row) for row in own]} if own else {}
    return {**about, **told, "schema": _schema(table)}


def _schema(table: Packed) -> dict[str, Any]:
    """Return fields, primary key and foreign keys of the rows."""
    fields = [_field(name, column, table.frame[name]) for name, column in columns_of(table.export, table.frame).items()]
    keys = [
        {"fields": list(columns), "reference": {"resource": other, "fields": list(columns)}}
        for other, columns in table.export.refers.items()
    ]
    return {
        "fields": fields,
        "missingValues": [""],
        "primaryKey": list(table.export.key),
        **({"foreignKeys": keys} if keys else {}),
    }


def _field(name: str, column: dy.Column, values: pl.Series) -> dict[str, Any]:
    """Return a column's entry. Where rows leave a column open (`known_to`, an address nobody knows) it is not required."""
    empty = values.null_count() + (int((values == "").sum()) if values.dtype == pl.String else 0)
    required = not column.nullable and not empty
    pattern = getattr(column, "regex", None)
    constraints = {**({"required": True} if required else {}), **({"pattern": pattern} if pattern else {})}
    return {
        "name": name,
        "type": _TYPES[type(column)],
        "description": column.description or "",
        **({"constraints": constraints} if constraints else {}),
    }

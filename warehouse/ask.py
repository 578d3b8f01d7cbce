"""One read-only question to the readers' copy: sandboxed, and dates at infinity shown as `infinity`."""

from __future__ import annotations

from typing import Any

import duckdb
from longwave.warehouse.errors import LongwaveError
from longwave.warehouse.home import Home
from longwave.warehouse.store import reader


class BadQuery(LongwaveError):
    """A question the warehouse cannot answer: not one statement, or an error in it."""


def ask(home: Home, sql: str, as_of: str | None = None) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows of one query; dates come as ISO text.

    Raises:
        BadQuery: more than one statement, or DuckDB's own message for an error in it.
        UnusableHome: nothing was recorded yet.

    """
    with reader(home, as_of) as con:
        try:
            statements = con.extract_statements(sql)
            if len(statements) != 1:
                raise BadQuery(f"one statement at a time; this is {len(statements)}")
            relation = con.sql(sql)
            if relation is None:
                raise BadQuery("only questions that return rows: SELECT, DESCRIBE, SUMMARIZE")
            return list(relation.columns), [tuple(_text(v) for v in row) for row in relation.fetchall()]
        except duckdb.Error as error:
            raise BadQuery(f"{str(error).strip()}\ntables and views: longwave query 'show tables'") from error


def _text(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return "infinity" if getattr(value, "year", 0) == 9999 else value.isoformat()
    return value

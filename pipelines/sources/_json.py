"""Reading JSON strictly: text that is whole, with every number finite. What the values mean is its reader's matter."""

from __future__ import annotations

import json
from collections.abc import Mapping

from longwave.pipelines.sources._table import decode, refused


def read_json(name: str, data: bytes) -> object:
    """The value of a JSON text; an empty file, an HTML page, another encoding, NaN or a text cut short are refused."""
    text = decode(name, data, "JSON")
    try:
        value: object = json.loads(text, parse_constant=_not_finite)
    except json.JSONDecodeError as error:
        raise refused(name, "JSON", "a whole JSON text", f"line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise refused(name, "JSON", "finite numbers, in a text of bounded depth", str(error)[:200]) from None
    return value


def _not_finite(text: str) -> float:
    raise ValueError(f"{text} for a number")


def text_of(row: Mapping[object, object], *keys: str) -> str:
    """The text under a path of keys; empty where there is none or it is no text."""
    value: object = row
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value.strip() if isinstance(value, str) else ""

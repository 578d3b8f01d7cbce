"""Reading JSON strictly: text that is whole, with every number finite. What the values mean is its reader's matter."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from longwave.pipelines.sources._table import decode, refused

_LONGEST_NUMBER = 300  # digits of a whole number that is still a float


def read_json(name: str, data: bytes) -> object:
    """The value of a JSON text; an empty file, an HTML page, another encoding, NaN or a text cut short are refused."""
    text = decode(name, data, "JSON")
    try:
        value: object = json.loads(text, parse_constant=_not_finite, parse_int=_whole, parse_float=_finite)
        if "\\u" in text:
            _no_half_characters(value)
    except json.JSONDecodeError as error:
        raise refused(name, "JSON", "a whole JSON text", f"line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise refused(
            name, "JSON", "finite numbers and whole characters, in a text of bounded depth", str(error)[:200]
        ) from None
    return value


def _not_finite(text: str) -> float:
    raise ValueError(f"{text} for a number")


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} for a number")
    return number


def _no_half_characters(value: object) -> None:
    """Escapes can spell half a character, which is no text that can be stored."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"half a character, {error.object[error.start]!a}") from None


def text_of(row: Mapping[object, object], *keys: str) -> str:
    """The text under a path of keys; empty where there is none or it is no text."""
    value: object = row
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value.strip() if isinstance(value, str) else ""

"""What the page of a source shows of its series: each with its values, by the capture that first said them.

Belongs here: values in words. Not here: which values stand (`longwave.warehouse.evidence`), HTML (the templates).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
from longwave.reports import palette, places

# Over so many series of a measure, those of one value are lines under their capture: a part that folds for each would make
# one page heavier than all others.
MANY = 1000
_MEASURE = ("measure", "metric", "unit")
_SERIES = ("series", "medium", "adopter", "code")


def series_pages(evidence: pl.DataFrame) -> dict[str, str]:
    """Return where each series stands: file and anchor, by id."""
    pairs = evidence.select("series", "source").unique("series", maintain_order=True)
    return {name: f"{places.source_page(source)}#{places.series_anchor(name)}" for name, source in pairs.iter_rows()}


def series_names(evidence: pl.DataFrame) -> dict[str, str]:
    """Return what each series is called in a link, by id: its adopter and what is counted."""
    rows = evidence.select("series", "adopter", "metric").unique("series", maintain_order=True)
    return {name: f"{adopter}, {str(metric).replace('_', ' ')}" for name, adopter, metric in rows.iter_rows()}


def measures(evidence: pl.DataFrame, source: str, vintages: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the series of a source under what they measure.

    Args:
        evidence: the content's frame.
        source: its id.
        vintages: the date of each of its captures, by id.

    Returns:
        For each measure ``name``, ``title``, ``series`` and ``listed``; for each series ``anchor``, ``adopter``, ``code``,
        ``first`` and ``last`` period, ``n`` values and ``said``: ``href``, ``vintage`` and ``text`` of each capture that first
        said some. ``listed``, where a measure has more than ``MANY`` series: those of one value, not in ``series``, by capture:
        its ``href`` and ``vintage``, and of each series ``anchor``, ``adopter``, ``code`` and ``text``.

    """
    own = _as_text(evidence.filter(pl.col("source") == source))
    said = own.group_by([*_MEASURE, *_SERIES, "capture"], maintain_order=True).agg(
        pl.col("text").str.join("; "),
        pl.col("period").min().alias("first"),
        pl.col("period").max().alias("last"),
        pl.len().alias("n"),
    )
    found: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for row in said.iter_rows(named=True):
        key = tuple(row[name] for name in _MEASURE)
        _add(found.setdefault(key, {}), row, vintages)
    return [
        {"name": key[0], "title": _title(key, series.values()), **_folded_and_listed(list(series.values()))}
        for key, series in found.items()
    ]


def _folded_and_listed(series: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Part the series of a measure: each folded by itself, or, where they are many, those of one value under its capture."""
    if len(series) <= MANY:
        return {"series": series, "listed": []}
    if len({own["code"] for own in series}) == 1:
        # The same place behind thousands of names tells nothing of any.
        series = [{**own, "code": None} for own in series]
    listed: dict[str, dict[str, Any]] = {}
    for own in series:
        if own["n"] == 1:
            (said,) = own["said"]
            part = listed.setdefault(said["href"], {"href": said["href"], "vintage": said["vintage"], "series": []})
            part["series"].append({**{name: own[name] for name in ("anchor", "adopter", "code")}, "text": said["text"]})
    return {"series": [own for own in series if own["n"] > 1], "listed": list(listed.values())}


def _as_text(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with their period and value as the page writes them, every digit of the value kept."""
    flag = (
        pl.when(pl.col("flag").is_null())
        .then(pl.lit(""))
        .otherwise(" [" + pl.col("flag").str.replace_all("_", " ") + "]")
    )
    value = pl.col("value").cast(pl.String).str.strip_suffix(".0").fill_null(palette.NOTHING)
    return rows.with_columns(text=pl.col("period") + ": " + value + flag)


def _title(key: Sequence[Any], series: Iterable[Mapping[str, Any]]) -> str:
    """Say what is measured, of which medium where it is one, and in which unit."""
    media = {str(own["medium"]) for own in series}
    words = [*(media if len(media) == 1 else ()), *key[1:]]
    return ", ".join(str(word).replace("_", " ") for word in words)


def _add(series: dict[str, dict[str, Any]], row: Mapping[str, Any], vintages: Mapping[str, str]) -> None:
    """Put what one capture said of a series beside what others said of it."""
    name = row["series"]
    own = series.setdefault(
        name,
        {
            "id": name,
            "anchor": places.series_anchor(name),
            "medium": row["medium"],
            "adopter": row["adopter"],
            "code": row["code"],
            "first": row["first"],
            "last": row["last"],
            "n": 0,
            "said": [],
        },
    )
    own["first"], own["last"] = min(own["first"], row["first"]), max(own["last"], row["last"])
    own["n"] += row["n"]
    own["said"].append(
        {
            "href": f"#{places.capture_anchor(row['capture'])}",
            "vintage": vintages.get(row["capture"], row["capture"]),
            "text": row["text"],
        }
    )

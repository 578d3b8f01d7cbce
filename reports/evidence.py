"""What the page of a source shows of its series: each with its values, by the capture that first said them.

Belongs here: values in words. Not here: which values stand (`longwave.warehouse.evidence`), HTML (the templates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    pages = {source: places.source_page(source) for source in pairs["source"].unique()}
    return {name: f"{pages[source]}#{places.series_anchor(name)}" for name, source in pairs.iter_rows()}


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
        its ``href`` and ``vintage``, and of each series anchor, adopter, code and text.

    """
    own = _as_text(evidence.filter(pl.col("source") == source))
    said = own.group_by([*_MEASURE, *_SERIES, "capture"], maintain_order=True).agg(
        pl.col("text").str.join("; "),
        pl.col("period").min().alias("first"),
        pl.col("period").max().alias("last"),
        pl.len().alias("n"),
    )
    captures = {
        name: {"href": f"#{places.capture_anchor(name)}", "vintage": vintages.get(name, name)}
        for name in said["capture"].unique()
    }
    parts = said.partition_by(*_MEASURE, maintain_order=True, as_dict=True)
    return [
        {"name": key[0], "title": _title(key, rows["medium"]), **_folded_and_listed(rows, captures)}
        for key, rows in parts.items()
    ]


def _folded_and_listed(
    said: pl.DataFrame, captures: Mapping[str, Mapping[str, str]]
) -> dict[str, list[dict[str, Any]]]:
    """Part the series of a measure: each folded by itself, or, where they are many, those of one value under its capture."""
    if said["series"].n_unique() <= MANY:
        return {"series": _folded(said, captures), "listed": []}
    if said["code"].n_unique() == 1:
        # The same place behind thousands of names tells nothing of any.
        said = said.with_columns(code=pl.lit(None, dtype=pl.String))
    one = pl.col("n").sum().over("series") == 1
    # Tuples, not dictionaries: of these there are tens of thousands, and whatever can refer to others is walked by the
    # collector of garbage again and again.
    listed = [
        {
            **captures[rows["capture"][0]],
            "series": list(zip(_anchors(rows), *rows[["adopter", "code", "text"]], strict=True)),
        }
        for rows in said.filter(one).partition_by("capture", maintain_order=True)
    ]
    return {"series": _folded(said.filter(~one), captures), "listed": listed}


def _anchors(rows: pl.DataFrame) -> list[str]:
    return [places.series_anchor(name) for name in rows["series"]]


def _as_text(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with their period and value as the page writes them, every digit of the value kept."""
    flag = (
        pl.when(pl.col("flag").is_null())
        .then(pl.lit(""))
        .otherwise(" [" + pl.col("flag").str.replace_all("_", " ") + "]")
    )
    value = pl.col("value").cast(pl.String).str.strip_suffix(".0").fill_null(palette.NOTHING)
    return rows.with_columns(text=pl.col("period") + ": " + value + flag)


def _title(key: Sequence[Any], media: pl.Series) -> str:
    """Say what is measured, of which medium where it is one, and in which unit."""
    words = [*(media.unique() if media.n_unique() == 1 else ()), *key[1:]]
    return ", ".join(str(word).replace("_", " ") for word in words)


def _folded(said: pl.DataFrame, captures: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return each series with what each capture said of it; a row of ``said`` is what one capture did."""
    series: dict[str, dict[str, Any]] = {}
    columns = said.select(*_SERIES, "capture", "text", "first", "last", "n")
    for name, medium, adopter, code, capture, text, first, last, n in columns.iter_rows():
        told = {**captures[capture], "text": text}
        own = series.get(name)
        if own is None:
            anchor = places.series_anchor(name)
            own = {"id": name, "anchor": anchor, "medium": medium, "adopter": adopter, "code": code}
            series[name] = own | {"first": first, "last": last, "n": n, "said": [told]}
        else:
            own["first"], own["last"] = min(own["first"], first), max(own["last"], last)
            own["n"] += n
            own["said"].append(told)
    return list(series.values())

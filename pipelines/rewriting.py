"""The study of how much histories get rewritten: the frame of paired vintages in, rows of the findings tables out.

What is computed is said in `longwave.models.revisions`; here only which adopters it is given, which of its numbers are
kept, and under which names the pages find them. The mode of a finding names the two vintages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from longwave.models import arrivals, revisions
from longwave.models.arrivals import BY_THIRD
from longwave.models.revisions import AGGREGATES, SINCE_FIRST
from longwave.pipelines.find import N_BOOT, SEED, Rows

OVERLAP = "aggregates overlap one another, so no interval is given"
# An aggregate is counted apart, and with it whatever is no adopter of its own: former states, names without a code.
NO_ADOPTERS = ("aggregate", "former", "unmapped")
PLACES = ("country", "territory")
LEVELS = ("percent", "per_100_people")
SHARE = "share of figures"
_COUNTS = (
    "in_both",
    "differing",
    "revised",
    "added",
    "withdrawn",
    "zeros",
    "zeros_revised",
)
_ADOPTERS = ("not_reached", "arrival_unknown")


def rewriting(frame: pl.DataFrame) -> Rows:
    """What became of the figures of every source between its vintages, by age, since first publication and by arrival.

    Args:
        frame: of `longwave.warehouse.revision_frames.revision_frame`.

    """
    rows = Rows()
    for (subject,), part in frame.sort("subject").partition_by("subject", as_dict=True, maintain_order=True).items():
        own = part.filter(~pl.col("adopter_kind").is_in(NO_ADOPTERS))
        aggregates = part.filter(pl.col("adopter_kind").is_in(NO_ADOPTERS))
        if not own.is_empty():
            _add_subject(rows, str(subject), own)
        if not aggregates.is_empty():
            table = revisions.summary(aggregates, n_boot=0, seed=SEED)
            _add(rows, str(subject), table, _unit_of_size(part), suffix=AGGREGATES, note=OVERLAP)
    return rows


def _add_subject(rows: Rows, subject: str, own: pl.DataFrame) -> None:
    unit = _unit_of_size(own)
    _add(rows, subject, revisions.summary(own, n_boot=N_BOOT, seed=SEED), unit)
    for row in revisions.by_age(own, n_boot=N_BOOT, seed=SEED).iter_rows(named=True):
        words = SHARE if row["measure"] == "share_revised" else unit
        rows.curve(subject, row["measure"], row["pair"], "figure_age", row["age"], unit=words, **_point(row))
    for row in revisions.since_first_published(own, n_boot=N_BOOT, seed=SEED).iter_rows(named=True):
        first = f"first published {row['first_published']}"
        rows.curve(subject, SINCE_FIRST, first, "years_since_first", row["years"], unit=SHARE, **_point(row))
        pair = f"{row['first_published']} to {row['later']}"
        rows.finding(subject, SINCE_FIRST, pair, **_number(row, SHARE, row["reason"]))
    places = own.filter(pl.col("adopter_kind").is_in(PLACES), pl.col("unit").is_in(LEVELS))
    if not places.is_empty():
        _add(rows, subject, arrivals.latecomers(places, n_boot=N_BOOT, seed=SEED), unit)
        for row in arrivals.thirds_by_age(places, n_boot=N_BOOT, seed=SEED).iter_rows(named=True):
            rows.curve(subject, BY_THIRD, row["third"], "figure_age", row["age"], unit=SHARE, **_point(row))


def _unit_of_size(part: pl.DataFrame) -> str:
    return "points" if part["unit_class"][0] == "share" else "% of the larger figure"


def _add(
    rows: Rows, subject: str, table: pl.DataFrame, unit_of_size: str, *, suffix: str = "", note: str | None = None
) -> None:
    for row in table.iter_rows(named=True):
        measure = row["measure"]
        if measure in _COUNTS:
            unit = "figures"
        elif measure in _ADOPTERS:
            unit = "adopters"
        else:
            unit = unit_of_size if measure in ("median_size", "size_90") else SHARE
        rows.finding(subject, measure, f"{row['pair']}{suffix}", **_number(row, unit, note or row["reason"]))


def _number(row: Mapping[str, Any], unit: str, note: str | None) -> dict[str, object]:
    level = None if row["lo"] is None else 0.95
    names = {"estimate": row["estimate"], "lo": row["lo"], "hi": row["hi"], "level": level, "n": row["n"]}
    return names | {"n_clusters": row["n_adopters"], "unit": unit, "note": note}


def _point(row: Mapping[str, Any]) -> dict[str, object]:
    level = None if row["lo"] is None else 0.95
    return {"y": row["estimate"], "lo": row["lo"], "hi": row["hi"], "level": level, "n": row["n"]}

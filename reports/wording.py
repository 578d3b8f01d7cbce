"""What stands on a page, in words: claims, sources and tables made ready for the templates.

Belongs here: sentences and cells. Not here: HTML (the templates), files (`site.py`), numbers (`palette.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from longwave.reports import palette
from longwave.reports.content import ContentError, FigureBlock

CONDITION = "All results are conditional on the medium having been recorded at all: failures leave few series."
MOST_ROWS = 400
_MEASURES = {
    "tau_b": "τ-b",
    "tau_b_survivors": "rank correlation (τ-b)",
    "partial_tau_b": "rank correlation given prior wealth (Kendall’s partial τ-b)",
    "partial_tau_b_copula": "rank correlation given prior wealth (partial τ-b, 0 when wealth alone drives both)",
    "information_mse": "information about the level at age 20",
    "information_mae": "information about the level at age 20 (absolute errors)",
    "readable_age": "age from which the level at age 20 can be read",
    "rho": "Spearman’s ρ",
    "mae": "mean absolute error",
    "largest_difference": "largest difference between two channels, in points",
    "cards_each": "yearly cards for each of 1,000 relationships at 5 hours a week",
    "hours_by_layers": "hours a week by layers of closeness",
    "hours_by_cards": "hours a week",
}
_LINE_COLUMNS = ("label", "panel", "forecaster", "medium", "k", "measure", "place")
_PLAIN_NUMBERS = {"year", "age", "k", "horizon", "vintage", "first_year", "last_year"}
_SAFE_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_STATUS = {
    "prospective": "written down before the result was seen",
    "after quick look": "written down after a quick look at the data",
}


@dataclass(frozen=True)
class Table:
    """A table's head and cells as text, and whether rows were left out of it."""

    columns: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[str]]
    total: int

    @property
    def cut(self) -> bool:
        """Say whether the table shows less than there is."""
        return len(self.rows) < self.total


# --- claims


def claim_view(claim: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page says of one claim."""
    primary = [row for row in claim["by"] if row["role"] == "primary"]
    rest = [row for row in claim["by"] if row["role"] != "primary"]
    return {
        "id": claim["id"],
        "anchor": anchor(str(claim["id"])),
        "claim": claim["claim"],
        "hypothesis": claim.get("hypothesis"),
        "verdict": claim["verdict"],
        "firm": claim["verdict"] in ("supported", "contradicted"),
        "arithmetic": claim["result_class"] == "conditional arithmetic",
        "results": [result_view(row) for row in primary],
        "others": [result_view(row) for row in rest],
        "captures": sorted({str(capture) for row in claim["by"] for capture in row.get("captures") or ()}),
        "threshold": _threshold_sentence(claim),
        "threshold_history": list(claim.get("threshold_history") or ()),
        "decided": _decided_sentence(claim),
        "caveats": list(claim["caveats"] or ()),
        "fragile": claim.get("fragile"),
        "corrected": bool(claim.get("not_after_holm")),
        "would_test_it": claim.get("would_test_it"),
    }


def result_view(row: Mapping[str, Any]) -> dict[str, str]:
    """Return one result as the parts of a sentence."""
    low, high = row["interval"] or (None, None)
    level = palette.share(row["level"]) if row["level"] is not None else ""
    # Conditional arithmetic has a range without a level, and nothing that was sampled.
    arithmetic = not level and low is not None
    n = f"n\u00a0=\u00a0{palette.integer(row['n'])}" if row["n"] is not None and not arithmetic else ""
    clusters = f"{palette.integer(row['clusters'])} groups" if row["clusters"] is not None else ""
    return {
        "panel": str(row.get("panel_title") or row["panel"]),
        "measure": " ".join(part for part in (measure(str(row["measure"])), _when(row), _variant(row)) if part),
        "estimate": palette.two_figures(row["estimate"]) if row["estimate"] is not None else "no estimate",
        "note": str(row.get("note") or ""),
        "exact": _exact_words(row),
        "interval": _range(low, high) if arithmetic else _interval(level, low, high),
        "n": ", ".join(part for part in (n, clusters) if part),
        "threshold": _threshold(row["threshold"]),
        "holds": _side(row["holds"], "range" if arithmetic else "interval"),
    }


def _interval(level: str, low: float | None, high: float | None) -> str:
    """Return an interval in words; both ends missing is no interval."""
    return "no interval" if low is None and high is None else f"{level} interval {palette.span(low, high)}".strip()


def _range(low: float | None, high: float | None) -> str:
    """Return the range of conditional arithmetic, which has no level, in words."""
    return "from the stated inputs" if low == high else f"range {palette.span(low, high)}"


def _when(row: Mapping[str, Any]) -> str:
    """Say at which age, or between which years since first launch, where a result has them."""
    k, horizon = row.get("k", -1), row.get("horizon", -1)
    if str(row["measure"]).startswith("information") and k >= 0:
        return f"known at age {k}"
    return f"between years {k} and {horizon} after first launch" if k >= 0 and horizon >= 0 else ""


def _variant(row: Mapping[str, Any]) -> str:
    """Name the variant of a sensitivity; a primary result is the plain one."""
    mode = row.get("mode")
    return f"[{str(mode).replace('_', ' ')}]" if mode and row["role"] != "primary" else ""


def _exact_words(row: Mapping[str, Any]) -> str:
    """Return the exact value and bounds, for those who point at the rounded ones."""
    numbers = [row["estimate"], *(row["interval"] or ())]
    return " / ".join(palette.exact(number) for number in numbers if number is not None)


def measure(name: str) -> str:
    """Return the name of a measure as it is read."""
    return _MEASURES.get(name, name.replace("_", " "))


def _side(holds: bool | None, what: str = "interval") -> str:
    """Say on which side of the threshold a result lies."""
    if holds is None:
        return "this does not decide it"
    return f"the {what} is on the claim’s side" if holds else f"the {what} is on the other side"


def _threshold(value: Any) -> str:
    """Return a threshold as it was declared."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return " to ".join(_threshold(part) for part in value)
    return palette.exact(float(value)) if isinstance(value, int | float) else str(value)


def _threshold_sentence(claim: Mapping[str, Any]) -> str:
    """Say when the threshold was set, and whether the result was known then."""
    status = str(claim["threshold_status"])
    words = f"{status}: {_STATUS[status]}" if status in _STATUS else status
    date = claim.get("threshold_date")
    return f"Threshold of {date} ({words})." if date else f"Threshold {words}."


def _decided_sentence(claim: Mapping[str, Any]) -> str:
    """Say from which vintage on the verdict stands."""
    return f"Verdict since the vintage of {claim['decided_on']}." if claim["decided_on"] else ""


# --- figures and tables


def figure_table(block: FigureBlock) -> Table:
    """Return a figure's data: all rows up to 400, else the first rows of each line."""
    frame = block.frame
    shown = frame if frame.height <= MOST_ROWS else _first_rows(frame, block.line_columns)
    numeric = [frame.schema[name].is_numeric() for name in frame.columns]
    rows = [[cell(value, name) for name, value in zip(frame.columns, row, strict=True)] for row in shown.iter_rows()]
    heads = [name.replace("_", " ") for name in frame.columns]
    return Table(heads, numeric, rows, frame.height)


def _first_rows(frame: pl.DataFrame, line_columns: Sequence[str]) -> pl.DataFrame:
    """Return the first rows of each line, so many that the table stays readable."""
    columns = [name for name in (line_columns or _LINE_COLUMNS) if name in frame.columns]
    if not columns:
        return frame.head(MOST_ROWS)
    lines = frame.select(columns).n_unique()
    each = max(1, MOST_ROWS // lines)
    return frame.group_by(columns, maintain_order=True).head(each).select(frame.columns).head(MOST_ROWS)


def cell(value: Any, column: str = "") -> str:
    """Return one value as a table shows it."""
    if value is None:
        return palette.NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value) if column in _PLAIN_NUMBERS else palette.exact(float(value))
    return str(value)


def sections(figures: Sequence[FigureBlock]) -> list[tuple[str, list[FigureBlock]]]:
    """Put neighbouring figures with the same heading into one section."""
    grouped: list[tuple[str, list[FigureBlock]]] = []
    for block in figures:
        if grouped and grouped[-1][0] == block.heading:
            grouped[-1][1].append(block)
        else:
            grouped.append((block.heading, [block]))
    return grouped


# --- sources


def source_view(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the catalogue says of one source."""
    return {
        **source,
        "anchor": anchor(str(source["source"])),
        "address": address(source["homepage"]),
        "span": palette.years(source["first_year"], source["last_year"]),
        "vintages": [vintage_view(vintage) for vintage in source["vintages"]],
        "re_recorded": any(_re_recorded(vintage) for vintage in source["vintages"]),
    }


def vintage_view(vintage: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the catalogue says of one vintage."""
    held = "re-recorded" if _re_recorded(vintage) else str(vintage["kind"]).replace("_", " ")
    return {**vintage, "address": address(vintage["url"]), "held": held}


def _re_recorded(vintage: Mapping[str, Any]) -> bool:
    """Say whether the figures are held in the project's own form rather than as served."""
    return str(vintage["kind"]).replace("_", "-") in ("re-recorded", "founding")


def address(url: Any) -> str | None:
    """Return an address that may become a link (http or https), else None."""
    return str(url) if url and _SAFE_ADDRESS.fullmatch(str(url)) else None


def anchor(name: str) -> str:
    """Return a name as an anchor: letters, digits, "-" and "_" stay, others become their code points."""
    safe = re.sub(r"[^A-Za-z0-9_-]", lambda m: f".{ord(m.group()):x}.", name)
    if not safe:
        raise ContentError("a source or claim has an empty id; give it one")
    return safe

"""What stands on a page, in words: claims, sources and tables made ready for the templates.

Belongs here: sentences and cells. Not here: HTML (the templates), files (`site.py`), numbers (`palette.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from longwave.reports import citing, gauge, palette
from longwave.reports.content import FigureBlock
from longwave.reports.places import anchor, claim_page, source_page

CONDITION = "All results are conditional on the medium having been recorded at all: failures leave few series."
MOST_ROWS = 400
CARD_RESULTS = 3
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
    "spearman": "rank correlation of presence and outcome (Spearman’s ρ)",
    "within_less_pooled": "rank correlation (τ-b) within fields less over all pairs",
    "speed_ratio": "years from 10 to 50 % of adults, as a multiple of the references’ centre",
    "largest_difference": "largest difference between two channels, in points",
    "cards_each": "yearly cards for each of 1,000 relationships at 5 hours a week",
    "hours_by_layers": "hours a week by layers of closeness",
    "hours_by_cards": "hours a week",
    "premium_absolute_growth": "yearly net new attention per year of earlier opening, in %",
    "premium_log_cumulative": "attention piled up per year of earlier opening (earliness and exposure, not separable), in %",
    "premium_per_account_year": "attention per year of the account’s age, per year of earlier opening, in %",
    "premium_growth_rate": "growth rate, in points a year per year of earlier opening",
    "tau_difference": "rank correlation of attention with prior standing within fields (τ-b), early openers’ less late ones’",
}
_LINE_COLUMNS = ("label", "panel", "forecaster", "medium", "k", "measure", "place")
_PLAIN_NUMBERS = {"year", "age", "k", "horizon", "vintage", "first_year", "last_year"}
_FEW = re.compile(r"fewer than (\d+) clusters")
_SAFE_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_STATUS = {
    "prospective": "written down before the result was seen",
    "after quick look": "written down after a quick look at the data",
}


_STATES = {"for": "for the claim", "against": "against it", "open": "open"}


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


def claim_view(claim: Mapping[str, Any], captures: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what the pages say of one claim.

    Args:
        claim: an entry of findings.json.
        captures: where each capture stands, by id; one that stands nowhere is named without a link.

    """
    primary = [row for row in claim["by"] if row["role"] == "primary"]
    rest = [row for row in claim["by"] if row["role"] != "primary"]
    along = {name: gauge.scale(row for row in claim["by"] if row["measure"] == name) for name in _measures(claim["by"])}
    results = [{**result_view(row), "gauge": gauge.gauge(row, along[row["measure"]])} for row in primary]
    first = _deciding_first(primary)[:CARD_RESULTS]
    rests_on = sorted({str(capture) for row in claim["by"] for capture in row.get("captures") or ()})
    return {
        "id": claim["id"],
        "anchor": anchor(str(claim["id"])),
        "page": claim_page(str(claim["id"])),
        "claim": claim["claim"],
        "hypothesis": claim.get("hypothesis"),
        "verdict": claim["verdict"],
        "firm": claim["verdict"] in ("supported", "contradicted"),
        "arithmetic": claim["result_class"] == "conditional arithmetic",
        "result_class": claim["result_class"],
        "results": results,
        "card": [results[at] for at in first],
        "more": len(primary) - len(first),
        "tally": _tally(primary),
        "panels": _panel_states(claim),
        "others": [{**result_view(row), "gauge": gauge.gauge(row, along[row["measure"]])} for row in rest],
        "captures": [{"capture": name, "href": (captures or {}).get(name)} for name in rests_on],
        "threshold": _threshold_sentence(claim),
        "threshold_date": claim.get("threshold_date"),
        "threshold_status": claim["threshold_status"],
        "threshold_history": list(claim.get("threshold_history") or ()),
        "decided": _decided_sentence(claim),
        "decided_on": claim["decided_on"],
        "history": list(claim.get("history") or ()),
        "caveats": list(claim["caveats"] or ()),
        "fragile": claim.get("fragile"),
        "corrected": bool(claim.get("not_after_holm")),
        "signs_differ": bool(claim.get("signs_differ")),
        "would_test_it": claim.get("would_test_it"),
    }


def _measures(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the measures of results: those of one measure share a scale."""
    return list(dict.fromkeys(row["measure"] for row in rows))


def _deciding_first(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the places of results, those that lie on a side (either) before those that do not, else as registered."""
    return sorted(range(len(rows)), key=lambda at: (rows[at]["holds"] is None, rows[at]["estimate"] is None, at))


def _tally(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say in a sentence how many primary results lie on which side, and of how many it is the estimate alone that does."""
    if not rows:
        return "No result is held that could test it."
    if len(rows) == 1:
        where = {True: "lies on the claim’s side of its threshold", False: "lies on the other side of its threshold"}
        return f"The one primary result {where.get(rows[0]['holds'], 'does not decide it')}."
    signs = [row["holds"] for row in rows if row.get("sign_only")]
    said = [f"Of {len(rows)} primary results: {_sides([row['holds'] for row in rows if not row.get('sign_only')])}."]
    if signs:
        said.append(
            f"Of {len(signs)} of them it counts only on which side the estimate lies, not its interval: {_sides(signs)}."
        )
    return " ".join(said)


def _sides(sides: Sequence[bool | None]) -> str:
    """Say how many of several lie on which side."""
    counts = (
        (sides.count(True), "on the claim’s side of the threshold"),
        (sides.count(False), "on the other side"),
        (sides.count(None), "that does not decide it" if sides.count(None) == 1 else "that do not decide it"),
    )
    return ", ".join(f"{n} {words}" for n, words in counts if n)


def _panel_states(claim: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each primary panel's title and state, after the correction for several tests."""
    titles = {row["panel"]: str(row.get("panel_title") or row["panel"]) for row in claim["by"]}
    return [
        (titles.get(panel, panel), _STATES.get(state, state)) for panel, state in (claim.get("panels") or {}).items()
    ]


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
        "note": _said(str(row.get("note") or "")),
        "exact": _exact_words(row),
        "size": n,
        "clusters": clusters,
        "interval": _range(low, high) if arithmetic else _interval(level, low, high),
        "n": ", ".join(part for part in (n, clusters) if part),
        "threshold": _threshold(row["threshold"]),
        "holds": _side(row["holds"], "estimate" if row.get("sign_only") else "range" if arithmetic else "interval"),
    }


def _said(note: str) -> str:
    """Return a note of a result as a reader from outside understands it."""
    few = _FEW.fullmatch(note)
    return f"too few independent groups to decide, {few[1]} are needed" if few else note


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
        return " to ".join(dict.fromkeys(_threshold(part) for part in value))
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


def clock_view(medium: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the front page says of one of today's media: how much is known at the age its figures reach."""
    low, high = medium["interval"] or (None, None)
    level = palette.share(medium["level"]) if medium["level"] is not None else ""
    return {
        "title": medium["title"],
        "age": medium["age"],
        "target": medium["target"],
        "known": palette.two_figures(medium["known"]) if medium["known"] is not None else "",
        "interval": _interval(level, low, high),
        "note": str(medium["note"] or ""),
        "readable": str(medium["readable"] or ""),
        "meter": gauge.meter(medium["known"], medium["interval"], palette.colour(str(medium["medium"]))),
    }


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
    newest = max((str(vintage["vintage"]) for vintage in source["vintages"]), default="")
    cadence = str(source.get("cadence") or "")
    return {
        **source,
        "cadence": cadence,
        "csv": source.get("csv"),
        "days": citing.DAYS.get(cadence, 0),
        "cite": citing.source_text(source, newest),
        "bibtex": citing.source_bibtex(source, newest),
        "anchor": anchor(str(source["source"])),
        "page": source_page(str(source["source"])),
        "address": address(source["homepage"]),
        "span": palette.years(source["first_year"], source["last_year"]),
        "vintages": [vintage_view(vintage) for vintage in source["vintages"]],
        "newest": newest,
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

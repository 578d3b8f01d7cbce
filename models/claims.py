"""The claims registry and the one rule engine that turns findings into verdicts.

A criterion compares one finding with a threshold: it holds when the interval lies wholly on the claim's side, it is
against when the interval lies wholly on the other, and is open otherwise. A panel is for the claim when all its primary
criteria hold (an intersection-union test, so its p-value is the largest of them) and against it when one is against.
Holm's correction runs over all primary tests planned; sensitivities never move a verdict.

Conditional arithmetic tests nothing: its range follows from stated inputs, has no p-value, and is not corrected. A criterion
with a `stress` says what else was put in the primary result's place (a contributor left out, another input); where the result
does not stand then, the claim is reported as fragile, which does not move the verdict either.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from importlib import resources
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

ALPHA = 0.05
# A group under this many independent clusters decides nothing (a readable age asks as many): the bootstrap
# of a handful is no interval.
MIN_CLUSTERS = 15
ARITHMETIC = "conditional arithmetic"
FINDING_KEY = ("subject", "measure", "mode", "k", "horizon")

NOT_HELD: dict[str, Any] = {
    **dict.fromkeys(("estimate", "lo", "hi", "level", "n_clusters", "measure")),
    "n": 0,
    "unit": "",
    "note": "nothing was held of this at this date",
}

VERDICTS = ("supported", "contradicted", "mixed", "too early", "undecided", "not testable with what is held")


def load_registry() -> dict[str, Any]:
    """The registry as read from `claims.toml`, checked.

    Raises:
        ValueError: a claim or criterion lacks a field, states no threshold or an unknown one.

    """
    text = (resources.files("longwave.models") / "claims.toml").read_text(encoding="utf-8")
    return parse_registry(text)


def parse_registry(text: str) -> dict[str, Any]:
    """A registry from its text; see `load_registry`."""
    registry = tomllib.loads(text)
    needed = (
        "id",
        "claim",
        "hypothesis",
        "result_class",
        "threshold_status",
        "threshold_date",
        "caveats",
        "criteria",
    )
    for claim in registry["claims"]:
        lacking = [name for name in needed if name not in claim]
        if lacking:
            raise ValueError(f"claim {claim.get('id', '?')} lacks {', '.join(lacking)}")
        for criterion in claim["criteria"]:
            sides = [side for side in ("below", "above", "between") if side in criterion]
            if len(sides) != 1 or criterion.get("role") not in ("primary", "sensitivity"):
                raise ValueError(f"claim {claim['id']}: a criterion needs one of below, above, between, and a role")
            if criterion["role"] == "primary" and "stress" in criterion:
                raise ValueError(f"claim {claim['id']}: a primary criterion is what is stressed, and has none itself")
    ids = [claim["id"] for claim in registry["claims"]]
    if len(set(ids)) != len(ids):
        raise ValueError("two claims share an id")
    return registry


def evaluate(
    registry: Mapping[str, Any], findings: pl.DataFrame, captures: Mapping[str, Sequence[str]], newest: date
) -> list[dict[str, Any]]:
    """Every claim's entry of `findings.json`, without `decided_on`.

    Args:
        registry: from `load_registry`.
        findings: rows of the findings table (subject, measure, mode, k, horizon, estimate, lo, hi, level, n, …).
        captures: for each subject, the captures its panel rests on.
        newest: newest vintage read.

    A criterion whose finding is not there (nothing was held of it at this date) is open and says so.

    """
    by_key = {tuple(row[name] for name in FINDING_KEY): row for row in findings.iter_rows(named=True)}
    entries = [_entry(claim, by_key, captures) for claim in registry["claims"]]
    _decide(entries, int(registry["m_primary"]))
    for entry in entries:
        entry["newest_vintage"] = str(newest)
    return entries


def _entry(
    claim: Mapping[str, Any],
    findings: Mapping[tuple[Any, ...], Mapping[str, Any]],
    captures: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    rows = []
    arithmetic = claim["result_class"] == ARITHMETIC
    for criterion in claim["criteria"]:
        place = (criterion["mode"], criterion.get("k", -1), criterion.get("horizon", -1))
        finding = findings.get((criterion["panel"], criterion["measure"], *place), NOT_HELD)
        row = _by(criterion, finding, captures.get(criterion["panel"], ()), arithmetic)
        if row["p"] is not None and "p_measure" in criterion:
            # A test of its own, dual to an interval whose width gives no p-value: a simultaneous one.
            row["p"] = findings.get((criterion["panel"], criterion["p_measure"], *place), NOT_HELD)["estimate"]
        rows.append(row)
    return {
        "id": claim["id"],
        "claim": claim["claim"],
        "hypothesis": claim["hypothesis"],
        "verdict": "undecided",
        "result_class": claim["result_class"],
        "threshold_status": claim["threshold_status"],
        "threshold_date": str(claim["threshold_date"]),
        "threshold_history": list(claim.get("threshold_history", [])),
        "by": rows,
        "fragile": fragile(rows),
        "caveats": list(claim["caveats"]),
        "would_test_it": claim.get("would_test_it", ""),
    }


def fragile(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """What a primary result that lies on a side does not stand, None where it stands everything it was put to."""
    primary = {_quantity(row): row["holds"] for row in rows if row["role"] == "primary"}
    put = [(row, primary.get(_quantity(row))) for row in rows if row["stress"]]
    turned = [row["stress"] for row, held in put if held is not None and row["holds"] is not held]
    return f"The result does not stand {', nor '.join(turned)}." if turned else None


def _quantity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["panel"], row["measure"], row["k"], row["horizon"]


def _by(
    criterion: Mapping[str, Any], finding: Mapping[str, Any], captures: Sequence[str], arithmetic: bool
) -> dict[str, Any]:
    side = next(name for name in ("below", "above", "between") if name in criterion)
    decides = finding["estimate"] is not None if arithmetic else _decides(finding)
    tested = criterion["role"] == "primary" and not arithmetic
    interval = [finding["lo"], finding["hi"]]
    return {
        "panel": criterion["panel"],
        "role": criterion["role"],
        "n": finding["n"],
        "clusters": finding["n_clusters"],
        "measure": criterion["measure"],
        "mode": criterion["mode"],
        "k": criterion.get("k", -1),
        "horizon": criterion.get("horizon", -1),
        "unit": finding["unit"],
        "estimate": finding["estimate"],
        "interval": interval,
        "level": finding["level"],
        "side": side,
        "threshold": criterion[side],
        "decides": decides,
        "holds": holds(side, criterion[side], finding["lo"], finding["hi"]) if decides else None,
        # Everything but the primary tests is descriptive: no p-value stands beside it.
        "p": _p_value(side, criterion[side], finding) if tested else None,
        "stress": criterion.get("stress"),
        "note": finding["note"] or (None if arithmetic else _why_not(finding)),
        "captures": list(captures),
    }


def _decides(finding: Mapping[str, Any]) -> bool:
    """Whether a finding has an interval that could decide anything.

    It needs enough clusters (where the finding knows of none, enough of what it counts), and a spread: a forecaster that
    chose climatology itself scores exactly 0 in every resample, which says that it had nothing to choose by and not that
    nothing could be known.
    """
    if finding["estimate"] is None or _size(finding) < MIN_CLUSTERS:
        return False
    degenerate = finding["measure"] != "readable_age" and finding["lo"] is not None and finding["lo"] == finding["hi"]
    return not degenerate


def _why_not(finding: Mapping[str, Any]) -> str | None:
    if finding["estimate"] is None or _decides(finding):
        return None
    few = f"fewer than {MIN_CLUSTERS} clusters" if _size(finding) < MIN_CLUSTERS else ""
    return few or "the forecaster chosen is climatology itself, so nothing was put to the test"


def _size(finding: Mapping[str, Any]) -> int:
    return int(finding["n"] if finding["n_clusters"] is None else finding["n_clusters"])


def holds(side: str, threshold: Any, lo: float | None, hi: float | None) -> bool | None:
    """Whether an interval lies wholly on the claim's side (True), wholly on the other (False), or neither (None).

    `lo`/`hi` null: unbounded on that end. `between` [a, b]: inside the closed range, or wholly outside it.
    """
    low = -np.inf if lo is None else lo
    high = np.inf if hi is None else hi
    if side == "below":
        return True if high < threshold else (False if low > threshold else None)
    if side == "above":
        return True if low > threshold else (False if high < threshold else None)
    return (
        True
        if threshold[0] <= low and high <= threshold[1]
        else (False if high < threshold[0] or low > threshold[1] else None)
    )


def _p_value(side: str, threshold: Any, finding: Mapping[str, Any]) -> float | None:
    """Two-sided p against the threshold from the interval's half-width, normal approximation; null for a range.

    Used only for Holm's order: the verdict itself rests on the interval.
    """
    estimate, lo, hi, level = (finding[name] for name in ("estimate", "lo", "hi", "level"))
    if side == "between" or None in (estimate, lo, hi, level) or hi <= lo:
        return None
    z = (estimate - threshold) / ((hi - lo) / (2 * stats.norm.ppf(0.5 + level / 2)))
    return float(2 * stats.norm.sf(abs(z)))


def panel_states(rows: Sequence[Mapping[str, Any]], arithmetic: bool = False) -> dict[str, tuple[str, float | None]]:
    """State (`for`, `against`, `open`) and p-value of every primary panel of one claim; arithmetic needs no p-value."""
    states: dict[str, tuple[str, float | None]] = {}
    for panel in dict.fromkeys(row["panel"] for row in rows if row["role"] == "primary"):
        own = [row for row in rows if row["panel"] == panel and row["role"] == "primary"]
        against = [row for row in own if row["holds"] is False]
        if against:
            # Any one of several criteria could have turned against the claim by chance: Bonferroni within the panel.
            known = [row["p"] for row in against if row["p"] is not None]
            states[panel] = ("against", min(1.0, min(known) * len(own)) if known else None)
        elif all(row["holds"] for row in own):
            known = [row["p"] for row in own if row["p"] is not None]
            unknown: tuple[str, float | None] = ("for" if arithmetic else "open", None)
            states[panel] = ("for", max(known)) if known else unknown
        else:
            states[panel] = ("open", None)
    return states


def holm(p_values: Sequence[float], m: int) -> list[bool]:
    """Which of these p-values stand after Holm's step-down correction for `m` planned tests (Holm 1979)."""
    order = np.argsort(p_values)
    kept = [False] * len(p_values)
    for rank, index in enumerate(order):
        if p_values[index] > ALPHA / (m - rank):
            break
        kept[index] = True
    return kept


def _decide(entries: Sequence[dict[str, Any]], m: int) -> None:
    states = [panel_states(entry["by"], entry["result_class"] == ARITHMETIC) for entry in entries]
    tests = [(i, panel, p) for i, own in enumerate(states) for panel, (_, p) in own.items() if p is not None]
    kept = holm([p for _, _, p in tests], max(m, len(tests)))
    lost = {(i, panel) for (i, panel, _), keep in zip(tests, kept, strict=True) if not keep}
    for i, (entry, own) in enumerate(zip(entries, states, strict=True)):
        final = {panel: "open" if (i, panel) in lost else state for panel, (state, _) in own.items()}
        able = any(row["decides"] for row in entry["by"] if row["role"] == "primary")
        entry["verdict"] = verdict(list(final.values()) if able else [])
        entry["panels"] = final
        # What an interval alone would decide and Holm's correction does not: said, so that nobody has to work it out.
        entry["not_after_holm"] = [panel for panel, state in final.items() if state != own[panel][0]]


def verdict(states: Sequence[str]) -> str:
    """The word for the states of a claim's primary panels; none that could decide: not testable."""
    found = set(states)
    if not found:
        return "not testable with what is held"
    if {"for", "against"} <= found:
        return "mixed"
    if found == {"for"}:
        return "supported"
    return "contradicted" if found == {"against"} else "undecided"

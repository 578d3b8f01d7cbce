"""The claims registry and the one rule engine that turns findings into verdicts.

A criterion compares one finding with a threshold: it holds when the interval lies wholly on the claim's side, it is
against when the interval lies wholly on the other, and is open otherwise. A panel is for the claim when all its primary
criteria hold (an intersection-union test, so its p-value is the largest of them) and against it when one is against.
Holm's correction runs over all primary tests planned; sensitivities never move a verdict.

Equivalence has an interval of its own: where a criterion names an `inside_measure`, it holds when the interval of that
measure (90 % for two one-sided tests at 5 %) lies inside the range, and is against when its own (95 %) lies wholly beyond. A
criterion with `only_against` can be contradicted and never confirmed: unless it is contradicted, it decides nothing.

Conditional arithmetic tests nothing: its range follows from stated inputs, has no p-value, and is not corrected. A criterion
with a `stress` says what else was put in the primary result's place (a contributor left out, another input); where the result
does not stand then, the claim is reported as fragile, which does not move the verdict either.

A primary criterion with `sign_only` stands beside another of its panel: the same question asked of another outcome. Its estimate
alone counts, and the panel decides only where all of them lie on one side: one whose interval holds 0 counts like any other, one
that is 0 or was not measured lies on no side, and a sensitivity of another sign changes nothing.

A claim with `horizon_claim` speaks of the long run: where the longest horizon that its panels observed is under ten years, it is
too early for any verdict.
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
MIN_HORIZON = 10
"""Years that must have been observed at the longest before a claim about the long run is decided."""
LONGEST_HORIZON = "longest_horizon"
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
            if criterion.get("sign_only") and (criterion["role"] != "primary" or "between" in criterion):
                raise ValueError(f"claim {claim['id']}: a sign is asked of a primary criterion, below or above")
            if criterion["role"] == "primary" and "stress" in criterion:
                raise ValueError(f"claim {claim['id']}: a primary criterion is what is stressed, and has none itself")
            if "inside_measure" in criterion and sides != ["between"]:
                raise ValueError(f"claim {claim['id']}: only a range (between) has an inside_measure")
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
        if "inside_measure" in criterion and row["decides"]:
            inner = findings.get((criterion["panel"], criterion["inside_measure"], *place), NOT_HELD)
            row |= _equivalence(row, inner)
        if "p_measure" in criterion and row["role"] == "primary" and row["estimate"] is not None:
            # A test of its own, dual to intervals whose width gives no p-value: simultaneous ones, those of a range, and
            # those of few clusters, whose tails are longer than the normal's.
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
        "longest_horizon": _longest_horizon(claim, findings),
        "caveats": list(claim["caveats"]),
        "would_test_it": claim.get("would_test_it", ""),
    }


def _equivalence(row: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """What an interval of its own says for a range: against as the row's interval has it, for as the inner one has."""
    inside = holds("between", row["threshold"], inner["lo"], inner["hi"])
    return {
        "holds": False if row["holds"] is False else (True if inside else None),
        "inside_interval": [inner["lo"], inner["hi"]],
        "inside_level": inner["level"],
    }


def _longest_horizon(claim: Mapping[str, Any], findings: Mapping[tuple[Any, ...], Mapping[str, Any]]) -> float | None:
    """Years of the longest horizon that a claim's primary panels observed; None where it is not about the long run."""
    panels = (
        {row["panel"] for row in claim["criteria"] if row["role"] == "primary"} if claim.get("horizon_claim") else ()
    )
    seen = [findings.get((panel, LONGEST_HORIZON, "observed", -1, -1), NOT_HELD)["estimate"] for panel in panels]
    return max((years for years in seen if years is not None), default=None)


def fragile(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """What a primary result does not stand: one that lies on a side, or one left open; None where it stands everything."""
    primary = {_quantity(row): row for row in rows if row["role"] == "primary" and not row["sign_only"]}
    put = [(row, primary[_quantity(row)]) for row in rows if row["stress"] and _quantity(row) in primary]
    turned = [row["stress"] for row, own in put if own["holds"] is not None and row["holds"] is not own["holds"]]
    said = [f"The result does not stand {', nor '.join(turned)}."] if turned else []
    for side, words in ((True, "on the claim’s side"), (False, "on the other side")):
        # Left open for want of anything to decide by is another thing: such a result has nothing to lose.
        moved = [row["stress"] for row, own in put if own["decides"] and own["holds"] is None and row["holds"] is side]
        said += [f"What is left open would lie {words} {', or '.join(moved)}."] if moved else []
    return " ".join(said) or None


def _quantity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["panel"], row["measure"], row["k"], row["horizon"]


def _by(
    criterion: Mapping[str, Any], finding: Mapping[str, Any], captures: Sequence[str], arithmetic: bool
) -> dict[str, Any]:
    side = next(name for name in ("below", "above", "between") if name in criterion)
    decides = finding["estimate"] is not None if arithmetic else _decides(finding)
    sign_only = bool(criterion.get("sign_only"))
    bounds = (finding["estimate"],) * 2 if sign_only else (finding["lo"], finding["hi"])
    held = holds(side, criterion[side], *bounds) if decides else None
    if criterion.get("only_against") and held is not False:
        decides, held = False, None
    tested = criterion["role"] == "primary" and not arithmetic and not sign_only
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
        "sign_only": sign_only,
        "holds": held,
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
        beside = [row for row in rows if row["panel"] == panel and row["role"] == "primary"]
        state = _panel_state([row for row in beside if not row["sign_only"]], arithmetic)
        states[panel] = ("open", None) if _signs_differ(state[0], beside) else state
    return states


def _panel_state(own: Sequence[Mapping[str, Any]], arithmetic: bool) -> tuple[str, float | None]:
    """State and p-value of one panel's primary criteria."""
    against = [row for row in own if row["holds"] is False]
    if against:
        # Any one of several criteria could have turned against the claim by chance: Bonferroni within the panel.
        known = [row["p"] for row in against if row["p"] is not None]
        return "against", min(1.0, min(known) * len(own)) if known else None
    if own and all(row["holds"] for row in own):
        known = [row["p"] for row in own if row["p"] is not None]
        return ("for", max(known)) if known else ("for" if arithmetic else "open", None)
    return "open", None


def _signs_differ(state: str, beside: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a result that an interval decides stands beside an outcome whose estimate does not lie on that side."""
    return state != "open" and any(row["sign_only"] and row["holds"] is not (state == "for") for row in beside)


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
        entry["signs_differ"] = _undecided_by_sign(entry["by"])
        if able and entry["longest_horizon"] is not None and entry["longest_horizon"] < MIN_HORIZON:
            entry["verdict"] = "too early"
        # What an interval alone would decide and Holm's correction does not: said, so that nobody has to work it out.
        entry["not_after_holm"] = [panel for panel, state in final.items() if state != own[panel][0]]


def _undecided_by_sign(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Primary panels that an interval alone would decide, and whose other outcomes do not agree with it in sign."""
    interval_alone = panel_states([{**row, "sign_only": False} for row in rows if not row["sign_only"]])
    whole = panel_states(rows)
    return [panel for panel, state in interval_alone.items() if state[0] != whole[panel][0]]


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

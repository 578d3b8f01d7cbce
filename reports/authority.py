"""The answer of `longwave authority` in words, for the terminal, and as one HTML page in the site's dress.

Belongs here: sentences and the page. Not here: the numbers (they come as the document that --json writes), drawing
(`figures/authority.py`), how such a page is made (`own_page.py`).

Names of a user's file and columns are a stranger's text: shown with control characters escaped, and escaped again by the
template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl
from longwave.reports import palette
from longwave.reports.figures import authority as figure
from longwave.reports.own_page import drawn, rendered, visible
from longwave.warehouse.errors import printable

CONDITION: Final = (
    "Never causal: who adopts early differs in more than what is held constant. Results are conditional on an adopter having "
    "been recorded at all: failures leave few figures."
)
COLUMNS: Final = ("", "estimate", "95 %", "n", "note")
_PERCENT: Final = f"{palette.THIN_SPACE}%"
_OUTCOMES: Final = {
    "absolute_growth": "yearly net new attention, %",
    "log_cumulative": "attention piled up, %",
    "per_account_year": "attention per year since adoption, %",
    "growth_rate": "growth rate, points a year",
}
_PERSISTENCE: Final = {
    "tau_b_dead_last": "τ-b, the dead last",
    "tau_b_survivors": "τ-b among survivors",
    "spearman_survivors": "Spearman’s ρ among survivors",
    "survival_low": "survival of the lower third",
    "survival_middle": "survival of the middle third",
    "survival_high": "survival of the upper third",
    "retention": "share of the top that stays",
    "displacement": "share of the later top that came later",
}
_BOUNDS: Final = {
    "none": "",
    "censored_first": "those not seen ranked first",
    "censored_last": "those not seen ranked last",
    "unknown_entered": "unknown entries as early",
    "unknown_not_entered": "unknown entries as late",
}

Json = Mapping[str, Any]


def heading(document: Json) -> str:
    """What the premium's interval says, as a title."""
    found = document["premium"]["outcomes"]["absolute_growth"]
    who = f"{palette.integer(found['n'])} adopters"
    if found["estimate"] is None or found["interval"] is None:
        return f"No premium can be read off these {who}"
    low, high = found["interval"]
    size = f"{palette.two_figures(abs(found['estimate']))}{_PERCENT}"
    if low <= 0 <= high:
        return f"Undecided in {who}: whether an earlier start goes with more new attention a year cannot be told"
    gain = "more" if low > 0 else "less"
    agree = "all four outcomes agree in sign" if _agree(document) else "the sign depends on the outcome"
    return f"In {who} a year’s earlier start goes with {size} {gain} new attention a year; {agree}"


def _agree(document: Json) -> bool:
    estimates = [found["estimate"] for found in document["premium"]["outcomes"].values()]
    return None not in estimates and len({estimate > 0 for estimate in estimates}) == 1


def tables(document: Json) -> list[tuple[str, list[list[str]]]]:
    """Tables of the answer: a title, and rows in the columns ``COLUMNS``."""
    premium, gap, ranks = document["premium"], document["quality"], document["persistence"]
    outcomes = [_cells(words, premium["outcomes"][name]) for name, words in _OUTCOMES.items()]
    outcomes.append(_cells("… pairs matched by prior standing, %", premium["matched"]))
    made = [("per year of earlier adoption", outcomes)]
    if gap["reason"] is None:
        rows = [_cells(_cohort(gap[name]), gap[name] | {"estimate": gap[name]["tau_b"]}) for name in ("early", "late")]
        n = gap["early"]["n"] + gap["late"]["n"]
        rows.append(
            _cells("difference, early less late", {"estimate": gap["difference"], "interval": gap["interval"], "n": n})
        )
        made.append((f"attention with {visible(gap['covariate'])}, τ-b", rows))
    if ranks["readings"]:
        rows = [
            _cells(_PERSISTENCE[row["measure"]], row, _BOUNDS.get(row["bound"], row["bound"]))
            for row in ranks["readings"]
        ]
        if ranks["half_life"]["reason"] is None:
            rows.append(_cells("half-life of early ranks, years", ranks["half_life"], _halved(ranks["half_life"])))
        made.append((f"rank of {ranks['early']} and of {ranks['late']}", rows))
    return made


def _cells(name: str, found: Json, note: str = "") -> list[str]:
    """One estimate as a row of a table."""
    estimate, interval = found["estimate"], found["interval"]
    shown = palette.NOTHING if estimate is None else palette.two_figures(estimate)
    between = palette.NOTHING if interval is None else palette.span(*interval)
    return [name, shown, between, palette.integer(found["n"]), found.get("reason") or note]


def _halved(found: Json) -> str:
    """What a half-life rests on."""
    of = f", of {palette.integer(found['sampled'])} adopters drawn" if found["sampled"] else ""
    years = palette.years(found["first"], found["last"])
    return f"τ-b {palette.two_figures(found['at_start'])} at once; {found['horizons']} later years, {years}{of}"


def _cohort(found: Json) -> str:
    return f"adopted {found['since']} to {found['until']}"


def facts(document: Json) -> list[tuple[str, str]]:
    """What is said besides the estimates, as pairs of a name and a sentence."""
    given, premium, gap = document["input"], document["premium"], document["quality"]
    first, last = given["years"]
    said = [
        ("Panel", f"{palette.integer(given['adopters'])} adopters, {palette.years(first, last)}"),
        ("Watched", f"from {premium['since']} to {premium['until']}, adopters at least three years old at the start"),
        ("Held constant", ", ".join(visible(name) for name in given["covariates"]) or "nothing"),
    ]
    if premium["left_out"]:
        told = "; ".join(f"{palette.integer(count)} {visible(reason)}" for reason, count in premium["left_out"].items())
        said.append(("Left out", told))
    if gap["reason"] is None:
        age = "at the end of the watch" if gap["at_age"] is None else f"at {gap['at_age']} years since adoption"
        said.append(("Attention compared", age))
    else:
        said.append(("Attention and quality", gap["reason"]))
    if given["sampled"]:
        said.append(("Sample", f"{palette.integer(given['sampled'])} adopters: all but the ranks is of these alone"))
    ranks = document["persistence"]
    if ranks["readings"]:
        said.append(("Intervals of ranks", ranks["intervals"]))
        if ranks["half_life"]["reason"]:
            said.append(("No half-life of ranks", ranks["half_life"]["reason"]))
        seen = ranks["readings"][0]
        said.append(
            (
                "Missing is not dead",
                f"{seen['dead']} with a dated end, {seen['censored']} not seen in {ranks['late']}: both ways",
            )
        )
    said.append(("Piled up", "shows earliness and exposure, which are not separable: who came earlier has had longer"))
    return said


def page(document: Json) -> str:
    """The answer as one page."""
    frame = _frame(document)
    picture = None
    if frame.height:
        fig = figure.in_rows(
            frame,
            title="Four outcomes of an earlier start",
            subtitle=f"Per year of earlier adoption; bands: 95{_PERCENT} intervals",
            x_title="per year of earlier adoption: %, and for the growth rate points a year",
        )
        picture = drawn(fig, "Four outcomes per year of earlier adoption, each with its interval.")
        picture["title"] = "Four outcomes of an earlier start"
    return rendered(
        "authority.html.j2",
        heading=heading(document),
        file=visible(document["input"]["file"]),
        warnings=[printable(warning) for warning in document["warnings"]],
        picture_of=picture,
        tables=tables(document),
        columns=COLUMNS,
        facts=facts(document),
        condition=CONDITION,
    )


def _frame(document: Json) -> pl.DataFrame:
    """Rows of the picture: the outcomes that have an estimate."""
    found = document["premium"]
    named = [(words, found["outcomes"][name]) for name, words in _OUTCOMES.items()]
    named.append(("… pairs matched by prior standing, %", found["matched"]))
    rows = [
        (name, one["estimate"], *one["interval"], figure.OURS if at == 0 else "beside")
        for at, (name, one) in enumerate(named)
        if one["estimate"] is not None and one["interval"] is not None
    ]
    schema = {"name": pl.String, "estimate": pl.Float64, "lo": pl.Float64, "hi": pl.Float64, "kind": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")

"""The answer of `longwave compare` in words, for the terminal, and as one HTML page in the site's dress.

Belongs here: sentences and the page. Not here: the numbers (they come as the document that --json writes), drawing
(`figures/presence.py`), how such a page is made (`own_page.py`).

Names of a user's adopters and groups are a stranger's text: shown with control characters escaped, and escaped again by the
template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl
from longwave.reports import palette
from longwave.reports.figures import presence
from longwave.reports.own_page import drawn, rendered, visible
from longwave.reports.palette import hundredths as _two

MOST_DRAWN: Final = 2000
MOST_LISTED: Final = 2000
CONDITION: Final = (
    "Ranks are compared. A correlation says that two things go together in these pairs, and nothing about why, nor about pairs "
    "that are not in the file."
)
_NAMES: Final = {
    "all_pairs": "all pairs",
    "given": "given the covariates",
    "within_groups": "within groups",
    "within_groups_given": "within groups, given covariates",
}
_OTHERS: Final = {"tau_b": "Kendall’s τ-b, all pairs", "within_less_pooled": "τ-b within groups less all pairs"}
_PERCENT: Final = f"{palette.THIN_SPACE}%"

Json = Mapping[str, Any]


def lines(document: Json) -> list[tuple[str, Json]]:
    """The estimates there are, each with its name: Spearman's ρ first, then τ-b."""
    return [(words, document[name]) for name, words in (_NAMES | _OTHERS).items() if document[name] is not None]


def cells(name: str, found: Json) -> list[str]:
    """One estimate as a row of the table."""
    inner, outer = (_ends(found["intervals"][level]) for level in ("0.9", "0.95"))
    counts = [palette.integer(found[count]) for count in ("n", "clusters")]
    return [name, _two(found["estimate"]), inner, outer, *counts, found["reading"] or palette.NOTHING]


def _ends(interval: Sequence[float]) -> str:
    return f"{_two(interval[0])} to {_two(interval[1])}"


def heading(document: Json) -> str:
    """The reading of all pairs, as a title."""
    reading, pairs = document["reading"], f"{palette.integer(document['input']['pairs'])} pairs"
    if reading == "correlated":
        less = document["all_pairs"]["estimate"] < 0
        return f"Correlated in {pairs}: more presence goes with {'less' if less else 'more'} of the outcome"
    within = f", to within {document['input']['margin']:g}" if reading.startswith("equivalent") else ""
    return f"{reading[0].upper()}{reading[1:]} in {pairs}{within}"


def sentence(document: Json) -> str:
    """The correlation of all pairs with its interval."""
    found = document["all_pairs"]
    return f"Spearman’s ρ {_two(found['estimate'])}, 95{_PERCENT} interval {_ends(found['intervals']['0.95'])}"


def facts(document: Json) -> list[tuple[str, str]]:
    """What is said besides the estimates, as pairs of a name and a sentence."""
    given = document["input"]
    said = [
        ("Reading", document["reading"]),
        (
            "Told from the margin",
            f"a correlation of {document['detectable']:.2f} or more in size, four times in five, with as many such pairs",
        ),
        (
            "To show that there is none",
            f"about {palette.integer(document['pairs_needed'])} such pairs, if there is none",
        ),
    ]
    if given["covariates"]:
        said.append(("Held constant", ", ".join(visible(name) for name in given["covariates"])))
    if given["groups"]:
        said.append(("Groups", palette.integer(given["groups"])))
    if given["clusters"]:
        effective = palette.two_figures(document["all_pairs"]["effective_clusters"])
        said.append(("Clusters", f"{palette.integer(given['clusters'])}; by their sizes they count as {effective}"))
    return said


def page(document: Json, pairs: pl.DataFrame) -> str:
    """The page.

    Args:
        document: what --json writes.
        pairs: presence, outcome (percentiles of all pairs) and name, of those to be drawn.

    """
    listed = document["percentiles"]
    given = document["input"]
    return rendered(
        "own_compare.html.j2",
        heading=heading(document),
        file=f"{visible(given['file'])}: {sentence(document)}.",
        warnings=document["warnings"],
        condition=CONDITION,
        readings=_readings(document),
        facts=facts(document),
        rows=[cells(name, found) for name, found in lines(document)],
        scatter=_scatter(document, pairs),
        listed=[_listed(row) for row in listed[:MOST_LISTED]],
        aged="age" in given["covariates"],
        total=len(listed),
    )


def _listed(row: Json) -> list[str]:
    percentile = palette.NOTHING if row["percentile"] is None else f"{row['percentile']:.0f}"
    named = palette.NOTHING if row["adopter"] is None else visible(row["adopter"])
    return [
        str(row["line"]),
        named,
        visible(row["group"]),
        palette.exact(row["presence"], 4),
        percentile,
        str(row["peers"]),
    ]


def _readings(document: Json) -> dict[str, Any]:
    """The picture of all estimates of ρ against the margin."""
    frame = pl.DataFrame(
        [
            {
                "name": words,
                "estimate": found["estimate"],
                "lo": found["intervals"]["0.95"][0],
                "hi": found["intervals"]["0.95"][1],
                "inner_lo": found["intervals"]["0.9"][0],
                "inner_hi": found["intervals"]["0.9"][1],
                "reading": found["reading"],
            }
            for name, words in _NAMES.items()
            if (found := document[name]) is not None
        ]
    )
    title = "How far presence and outcome go together"
    margin = document["input"]["margin"]
    subtitle = f"Spearman’s ρ; bands: 95{_PERCENT} intervals, darker 90{_PERCENT}; dashed: {margin:g} either way"
    fig = presence.correlations(frame, margin=margin, title=title, subtitle=subtitle)
    return {"title": title, **drawn(fig, f"{title}. The table below the picture has every number.")}


def _scatter(document: Json, pairs: pl.DataFrame) -> dict[str, Any]:
    total = document["input"]["pairs"]
    title = "Each pair by its place among all"
    part = (
        f"{palette.integer(pairs.height)} of {palette.integer(total)} pairs" if pairs.height < total else "a dot a pair"
    )
    subtitle = f"Percentiles of presence and outcome, {part}; line: middle outcome by presence"
    fig = presence.scatter(
        pairs, title=title, subtitle=subtitle, x_title="presence, percentile", y_title="outcome, percentile"
    )
    return {"title": title, **drawn(fig, f"{title}: {subtitle}.")}

"""The curves fitted to the technologies beside: which ceiling each family finds, as a page has it in a table."""

from __future__ import annotations

from typing import Any

import polars as pl
from longwave.models.families import FAMILIES
from longwave.pipelines.blocks_curves import TITLES
from longwave.pipelines.curve_fits import CEILING
from longwave.reports import palette

_OTHERWISE = {"no_finite_ceiling": "none finite", "too_few_points": "too few figures", "no_growth": "no growth"}


def ceilings(series: pl.DataFrame, fits: pl.DataFrame) -> list[dict[str, Any]]:
    """One row a technology: what the families find, over all its figures.

    A share whose free fit has no finite ceiling of at most ``CEILING`` percent has the fit that is held to that.

    Args:
        series: series and label, in the order of the page; shares.
        fits: series, family, capped, status, m, n of the fits to all that was observed.

    Returns:
        label, n (figures fitted), found (a text a family, in the order of ``FAMILIES``), apart (points between the lowest and
        the highest ceiling that no bound chose; None with fewer than two). Series without fits are left out.

    """
    by_key = {(row["series"], row["family"], row["capped"]): row for row in fits.iter_rows(named=True)}
    rows = []
    for name, label in series.select("series", "label").iter_rows():
        chosen = [_chosen(by_key, name, family) for family in FAMILIES]
        if all(fit is None for fit in chosen):
            continue
        found = [fit["m"] for fit in chosen if fit and fit["status"] == "ok"]
        rows.append(
            {
                "label": label,
                "n": max(fit["n"] for fit in chosen if fit),
                "found": [_words(fit) for fit in chosen],
                "apart": max(found) - min(found) if len(found) > 1 else None,
            }
        )
    return rows


def families() -> list[str]:
    """What the families are called, in the order of the columns."""
    return [TITLES[name] for name in FAMILIES]


def _chosen(fits: dict[tuple[str, str, bool], dict[str, Any]], series: str, family: str) -> dict[str, Any] | None:
    free = fits.get((series, family, False))
    if free and free["status"] == "ok" and free["m"] <= CEILING:
        return free
    return fits.get((series, family, True), free)


def _words(fit: dict[str, Any] | None) -> str:
    if fit is None:
        return palette.NOTHING
    if fit["status"] in _OTHERWISE:
        return _OTHERWISE[fit["status"]]
    return palette.two_figures(fit["m"]) + ("†" if fit["status"] == "on_bound" else "")


def sentence(rows: list[dict[str, Any]]) -> str:
    """Say how far the families' ceilings lie apart, of the technologies where several find one; empty where none does."""
    apart = sorted(row["apart"] for row in rows if row["apart"] is not None)
    if not apart:
        return ""
    middle = apart[(len(apart) - 1) // 2]
    return (
        f"Through the same figures of a technology the families find ceilings {palette.span(apart[0], apart[-1])} points apart; "
        f"for half of the {palette.integer(len(apart))} technologies, {palette.two_figures(middle)} points or less; "
        "those marked † aside, which a bound chose and not the figures."
    )

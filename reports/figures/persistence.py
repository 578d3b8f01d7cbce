"""Do the places that lead early still lead later: rank correlations by horizon, a panel a medium.

Frames have the columns medium, k, horizon, measure, estimate, lo, hi, n. ``k`` is the year at which places
are first ranked, ``horizon`` the later one; both count from the medium's first launch anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base

COLUMNS = ("medium", "k", "horizon", "measure", "estimate", "lo", "hi", "n")
PRIMARY, RAW = "partial_tau_b", "tau_b"
WORDS = {PRIMARY: "given prior wealth (partial τ\u2011b)", RAW: "as ranked (τ\u2011b)"}


def by_horizon(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw Kendall's τ-b between early and later ranks, given prior wealth where known, with 95 % bands."""
    base.require(frame, COLUMNS, "persistence by horizon")
    unknown = sorted(set(frame["measure"].unique().to_list()) - set(WORDS))
    if unknown:
        raise ValueError(f"persistence by horizon: measures {unknown}; known are {', '.join(WORDS)}")
    panels = [(str(key[0]), rows) for key, rows in frame.group_by("medium", maintain_order=True)]
    fig = base.sheet(
        title or _sentence(panels),
        subtitle or "Kendall's τ-b between places’ early and later ranks, 1 = the same order; 95\u202f% intervals",
    )
    names = base.lay_out(fig, len(panels), panel_height=270)
    low = min(-0.1, *(_extreme(rows, "lo", least=True) for _, rows in panels))
    first, last = _extreme(frame, "horizon", least=True), _extreme(frame, "horizon", least=False)
    for name, (medium, rows) in zip(names, panels, strict=True):
        base.add_axes(
            fig,
            x_title="years since first launch anywhere",
            x_range=(first - 1, last + 1),
            y_range=(max(-1.0, low - 0.03), 1.05),
            panel=name,
        )
        base.add_panel_title(fig, name, _capital(medium), _sample(rows))
        base.add_level(fig, 0, "order unrelated", panel=name, at="left")
        _draw_panel(fig, name, medium, rows)
    return fig.figure()


def _draw_panel(fig: base.Sheet, name: str, medium: str, rows: pl.DataFrame) -> None:
    """Draw a medium: a line for each early year and measure; the primary measure has the band."""
    lead = _lead(rows)
    starts = sorted(rows["k"].unique().to_list())
    for (k, measure), line in rows.group_by("k", "measure", maintain_order=True):
        line = line.drop_nulls("estimate").sort("horizon")
        if line.is_empty():
            continue
        leads = measure == lead
        colour = palette.colour(medium) if leads else palette.REFERENCE[2]
        bounded = line.drop_nulls(["lo", "hi"])
        if leads and not bounded.is_empty():
            ages, low, high = (bounded[c].to_list() for c in ("horizon", "lo", "hi"))
            opacity = 0.18 if len(starts) == 1 else 0.12
            base.add_band(fig, ages, low, high, colour, panel=name, opacity=opacity)
        base.add_line(
            fig,
            line["horizon"].to_list(),
            line["estimate"].to_list(),
            name=f"ranked {k} years after launch, {WORDS[str(measure)]}",
            colour=colour,
            dash=base.DASHES[starts.index(k) % len(base.DASHES)],
            width=2.5 if leads else 1.25,
            hover=_hover(medium, int(k), str(measure)),
            words=[_interval(row) for row in line.iter_rows(named=True)],
            panel=name,
            markers=leads,
            key=True,
        )


def _lead(rows: pl.DataFrame) -> str:
    """Return the measure that is read: given prior wealth where there is one."""
    return PRIMARY if PRIMARY in rows["measure"].to_list() else RAW


def _hover(medium: str, k: int, measure: str) -> str:
    """Return the template of what is said of a line's points."""
    return (
        f"<b>{base.literal(_capital(medium))}</b>, {WORDS[measure]}<br>"
        f"year {k} against year %{{x}}: %{{y:.3~g}}<br>%{{text}}"
    )


def _interval(row: dict[str, object]) -> str:
    """Say between which bounds one rank correlation lies, and on how many places it rests."""
    bounds = " to ".join(
        palette.exact(value, 3) if isinstance(value := row[key], int | float) else palette.NOTHING
        for key in ("lo", "hi")
    )
    return f"95\u202f% interval {bounds}, n = {row['n']} places"


def _sentence(panels: Sequence[tuple[str, pl.DataFrame]]) -> str:
    """Say for how many media the order of the early years still shows at the longest horizon."""
    lasting = 0
    horizons: list[int] = []
    for _, rows in panels:
        last = rows.filter(pl.col("measure") == _lead(rows)).drop_nulls(["estimate", "lo"]).sort("horizon", "k")
        if last.is_empty():
            continue
        row = last.row(-1, named=True)
        horizons.append(int(row["horizon"]))
        lasting += row["lo"] > 0
    if not horizons:
        return "Whether places that lead early still lead later: no intervals to judge by"
    when = palette.years(min(horizons), max(horizons))
    what = f"After {when} years, the early order of places still shows"
    if lasting == len(horizons):
        return what if len(horizons) == 1 else f"{what} in each of {len(horizons)} media"
    if lasting == 0:
        return f"After {when} years, the early order of places can no longer be told from chance"
    return f"{what} in {lasting} of {len(horizons)} media"


def _sample(rows: pl.DataFrame) -> str:
    """Say how many places a panel rests on."""
    counts = rows["n"].drop_nulls().to_list()
    wealth = "given prior wealth" if _lead(rows) == PRIMARY else "prior wealth not held"
    return f"n = {palette.years(min(counts), max(counts))} places, {wealth}" if counts else wealth


def _extreme(rows: pl.DataFrame, column: str, *, least: bool) -> float:
    """Return the smallest or largest value of a column, 0 where it has none."""
    values = rows[column].cast(pl.Float64).drop_nulls().to_list()
    return (min(values) if least else max(values)) if values else 0.0


def _capital(text: str) -> str:
    """Write the first letter large, leaving the others."""
    return text[:1].upper() + text[1:]

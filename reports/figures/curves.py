"""What curves can tell: how early a ceiling is identified, what families agree on, and which of them explains or foresees.

Frames have the columns named beside each function; a family is called as its title. Truncation has a module of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base

IDENTIFIED = ("family", "measure", "age", "estimate", "lo", "hi", "n")
MEDIA = ("medium", "label", "family", "t", "value", "unit", "status")
COMPARED = ("measure", "family", "estimate", "lo", "hi", "n")
OBSERVED = "observed"
CARRIED_ON = "last figure carried on"
WEIGHT, SHARES, COUNTS = "aicc_weight", "error_of_last_three_shares", "error_of_last_three_counts"
SPOKEN_AGE = 5
LAST = 3
"""How many figures are left out of a fit, and forecast."""
EXCEEDED_BY = 10
"""Percent over a ceiling from which on it is exceeded."""
_SPELT = {2: "two", 3: "three", 4: "four", 5: "five", 10: "ten", 15: "fifteen", 20: "twenty"}
WORDS = {
    "finite_ceiling": "a finite ceiling",
    "ceiling_exceeded": f"of these ceilings, since exceeded by more than {EXCEEDED_BY}\u202f%",
    "no_finite_ceiling": "no finite ceiling",
    "on_bound": "a parameter on a bound",
}
_LINES = {
    "finite_ceiling": (palette.LIGHT["ink"], "solid", 2.5),
    "ceiling_exceeded": (palette.LIGHT["ink"], "dash", 2.0),
    "no_finite_ceiling": (palette.REFERENCE[1], "solid", 2.0),
    "on_bound": (palette.REFERENCE[0], "dot", 1.75),
}
_COLOURS = (palette.LIGHT["ink"], palette.REFERENCE[0], palette.REFERENCE[1])
_NAMES = {"internet": "the internet", "social": "social media"}
_HALF = 0.16
"""Half the width of a band, where two families stand 1 apart."""


def identification(frame: pl.DataFrame, *, title: str | None = None) -> go.Figure:
    """Draw, for each family, the share of series by what the fit at each age found, in percent.

    Raises:
        ValueError: a column is missing, there are no rows, or a measure is not known.

    """
    base.require(frame, IDENTIFIED, "identification")
    unknown = sorted(set(frame["measure"]) - set(WORDS))
    if unknown:
        raise ValueError(f"identification: measure {unknown[0]!r} is not one of {', '.join(WORDS)}")
    fig = base.sheet(
        title or _identified_sentence(frame),
        "Percent of series by what a fit to all figures up to each age found; mean of the groups of countries, each weighing "
        "the same; bands: 95\u202f% intervals",
    )
    families = frame["family"].unique(maintain_order=True).to_list()
    for name, family in zip(base.lay_out(fig, len(families), panel_height=230), families, strict=True):
        rows = frame.filter(pl.col("family") == family)
        base.add_axes(
            fig,
            x_title="years since launch",
            x_range=(float(rows["age"].min()) - 0.5, float(rows["age"].max()) + 0.5),  # type: ignore[arg-type]
            y_range=(0, 104),
            y_suffix="\u202f%",
            panel=name,
            y={"dtick": 25},
        )
        base.add_panel_title(fig, name, str(family))
        for rank, measure in enumerate(WORDS):
            _draw_share(fig, name, measure, rows.filter(pl.col("measure") == measure).sort("age"), rank)
    return fig.figure()


def _draw_share(fig: base.Sheet, panel: str, measure: str, rows: pl.DataFrame, rank: int) -> None:
    """Draw one share over age, with its band where it is the one that is read."""
    if rows.is_empty():
        return
    colour, dash, width = _LINES[measure]
    bounded = rows.filter(pl.col("lo").is_not_null() & pl.col("hi").is_not_null())
    if measure in ("finite_ceiling", "ceiling_exceeded") and not bounded.is_empty():
        age, low, high = (bounded[column].to_list() for column in ("age", "lo", "hi"))
        base.add_band(fig, age, low, high, colour, panel=panel, opacity=0.12)
    base.add_line(
        fig,
        rows["age"].to_list(),
        rows["estimate"].to_list(),
        name=WORDS[measure],
        colour=colour,
        dash=dash,
        width=width,
        hover=f"<b>{base.literal(rows['family'][0])}</b>, age %{{x}}<br>{WORDS[measure]}: %{{y:.3~g}}\u202f%<br>%{{text}}",
        words=[_interval(row) for row in rows.iter_rows(named=True)],
        panel=panel,
        rank=rank,
    )


def _interval(row: dict[str, Any]) -> str:
    """Say between which bounds a number lies and how many series it rests on."""
    return f"95\u202f% interval {palette.exact(row['lo'], 3)} to {palette.exact(row['hi'], 3)}, n = {row['n']}"


def _identified_sentence(frame: pl.DataFrame) -> str:
    """Say at which rate ceilings are found early on, and how they fared."""
    at = frame.filter(pl.col("age") == SPOKEN_AGE, pl.col("estimate").is_not_null())
    found = at.filter(pl.col("measure") == "finite_ceiling")["estimate"].to_list()
    wrong = at.filter(pl.col("measure") == "ceiling_exceeded")["estimate"].to_list()
    if not found:
        return "How early figures identify a ceiling"
    said = f"{_spelt(SPOKEN_AGE).capitalize()} years in, {_range(found)} of series have a finite ceiling, by family"
    return (
        f"{said}; the figures have since exceeded {_range(wrong)} of these ceilings by more than {EXCEEDED_BY}\u202f%"
        if wrong
        else said
    )


def _spelt(number: float) -> str:
    """Write a small whole number as prose has it."""
    return _SPELT.get(int(number), palette.integer(number))


def _range(values: Sequence[float]) -> str:
    """Write from where to where percentages go."""
    low, high = palette.integer(min(values)), palette.integer(max(values))
    return f"{low if low == high else f'{low}{palette.EN_DASH}{high}'}{palette.THIN_SPACE}%"


# --- the media


def media(frame: pl.DataFrame, *, title: str | None = None) -> go.Figure:
    """Draw the curves of each medium through what was observed, and on.

    Raises:
        ValueError: a column is missing, or there are no rows.

    """
    base.require(frame, MEDIA, "curves of the media")
    fig = base.sheet(
        title or _agreement_sentence(frame),
        "Curves of each family fitted to all figures of a medium in the United States (dots), and "
        f"{_spelt(_years_on(frame))} years on",
    )
    panels = [(str(key[0]), rows) for key, rows in frame.group_by("medium", maintain_order=True)]
    families = [name for name in frame["family"].unique(maintain_order=True) if name != OBSERVED]
    for name, (medium, rows) in zip(base.lay_out(fig, len(panels), panel_height=270), panels, strict=True):
        ends = rows["t"].cast(pl.Float64)
        base.add_axes(
            fig,
            x_title="years since launch",
            x_range=(0, float(ends.max()) + 1),  # type: ignore[arg-type]
            y_range=(0, float(rows["value"].max()) * 1.1),  # type: ignore[arg-type]
            panel=name,
        )
        heading = {"social": "Social media"}.get(medium, medium[:1].upper() + medium[1:])
        base.add_panel_title(fig, name, heading, str(rows["unit"][0]))
        for position, family in enumerate(families):
            _draw_curve(fig, name, rows.filter(pl.col("family") == family).sort("t"), position)
        _draw_points(fig, name, medium, rows.filter(pl.col("family") == OBSERVED).sort("t"))
    return fig.figure()


def _draw_curve(fig: base.Sheet, panel: str, rows: pl.DataFrame, position: int) -> None:
    """Draw one family's curve."""
    if rows.is_empty():
        return
    base.add_line(
        fig,
        rows["t"].to_list(),
        rows["value"].to_list(),
        name=str(rows["family"][0]),
        colour=_COLOURS[position % len(_COLOURS)],
        dash="solid" if position < len(_COLOURS) else "dash",
        width=1.75,
        hover=f"<b>{base.literal(rows['family'][0])}</b>, year %{{x}} after launch<br>%{{y:.3~g}}<br>%{{text}}",
        words=[base.escaped(status).replace("_", " ") for status in rows["status"]],
        panel=panel,
        rank=position,
    )


def _draw_points(fig: base.Sheet, panel: str, medium: str, rows: pl.DataFrame) -> None:
    """Draw what was observed as dots, and a line where that ends."""
    if rows.is_empty():
        return
    fig.add_trace(
        x=rows["t"].to_list(),
        y=rows["value"].to_list(),
        mode="markers",
        name=base.escaped(rows["label"][0]),
        marker={"size": 4.5, "color": palette.colour(medium)},
        hovertemplate="%{fullData.name}, year %{x} after launch: %{y:.4~g}<extra></extra>",
        xaxis=f"x{panel}",
        yaxis=f"y{panel}",
        meta={"key": False},
    )
    last = float(rows["t"][-1])
    fig.add_shape(
        type="line",
        xref=f"x{panel}",
        yref=f"y{panel} domain",
        x0=last,
        x1=last,
        y0=0,
        y1=1,
        layer="below",
        line={"color": palette.LIGHT["muted"], "width": 1, "dash": "dot"},
    )


def _agreement_sentence(frame: pl.DataFrame) -> str:
    """Say how far apart the curves end, and where the last figure lies outside all of them."""
    curves, dots = frame.filter(pl.col("family") != OBSERVED), frame.filter(pl.col("family") == OBSERVED)
    span = [pl.col("value").min().alias("low"), pl.col("value").max().alias("high")]
    # Only shares lie points apart; what is counted per 100 people has no common scale with them.
    shares = curves.filter(pl.col("unit").str.starts_with("%"))
    ends = shares.filter(pl.col("t") == pl.col("t").max().over("medium")).group_by("medium").agg(*span, pl.len())
    apart = sorted(pair["high"] - pair["low"] for pair in ends.filter(pl.col("len") > 1).iter_rows(named=True))
    if not apart:
        return "Families of curves through the same figures"
    on = _spelt(_years_on(frame)).capitalize()
    said = f"{on} years on, the curves of a share lie {_apart(apart[0], apart[-1])} points apart"
    last = dots.filter(pl.col("t") == pl.col("t").max().over("medium")).select("medium", "t", figure="value")
    there = curves.join(last, on=["medium", "t"]).group_by("medium", "figure", maintain_order=True).agg(span)
    outside = there.filter(~pl.col("figure").is_between("low", "high"))["medium"].to_list()
    return f"{said}; the last figure lies outside all of them for {_listed(outside)}" if outside else said


def _years_on(frame: pl.DataFrame) -> int:
    """How many years the curves go on after the last figure; the same for every medium."""
    ends = frame.group_by("medium", pl.col("family") == OBSERVED).agg(pl.col("t").max())
    last = ends.filter("family").join(ends.filter(~pl.col("family")), on="medium", suffix="_drawn")
    return int((last["t_drawn"] - last["t"]).max())  # type: ignore[arg-type]


def _apart(low: float, high: float) -> str:
    """Write how far apart, from the least to the most."""
    return palette.two_figures(low) if low == high else palette.span(low, high)


def _listed(media: Sequence[str]) -> str:
    """List media as a sentence has them."""
    names = [_NAMES.get(medium, medium) for medium in media]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


# --- side by side


def families(frame: pl.DataFrame, *, title: str | None = None) -> go.Figure:
    """Draw each family's mean share of the AICc weight, and its error on the last figures, left out of the fit.

    Raises:
        ValueError: a column is missing, or there are no rows.

    """
    base.require(frame, COMPARED, "families")
    fig = base.sheet(
        title or _compared_sentence(frame),
        "Means over series, groups weighing the same; bands: 95\u202f% intervals",
    )
    panels = {
        WEIGHT: ("What explains", "share of the AICc weight, percent", "\u202f%"),
        SHARES: ("What foresees a share", f"error of the last {_spelt(LAST)}, points", ""),
        COUNTS: ("What foresees a count", f"error of the last {_spelt(LAST)}, per 100 people", ""),
    }
    shown = [name for name in panels if name in set(frame["measure"])]
    most = max(frame.filter(pl.col("measure") == name).height for name in shown)
    for name, measure in zip(base.lay_out(fig, len(shown), panel_height=44 * most), shown, strict=True):
        rows = frame.filter(pl.col("measure") == measure)
        heading, second, suffix = panels[measure]
        top = max(value for value in (*rows["hi"].to_list(), *rows["estimate"].to_list()) if value is not None)
        base.add_axes(
            fig,
            x_title="",
            x_range=(0, top * 1.1),
            y_range=(-most - 0.4, -0.4),
            panel=name,
            x={"ticksuffix": suffix},
            y={"tickvals": [], "showgrid": False},
        )
        base.add_panel_title(fig, name, heading, second)
        for place, row in enumerate(rows.iter_rows(named=True), start=1):
            _draw_mean(fig, name, -place, row, suffix)
    return fig.figure()


def _draw_mean(fig: base.Sheet, panel: str, place: int, row: dict[str, Any], suffix: str) -> None:
    """Draw one mean as a point with its band, the family's name above it."""
    if row["lo"] is not None and row["hi"] is not None:
        sides = [row["lo"], row["hi"]]
        low, high = [place - _HALF] * 2, [place + _HALF] * 2
        base.add_band(fig, sides, low, high, palette.REFERENCE[1], panel=panel, opacity=0.35)
    base.add_line(
        fig,
        [row["estimate"]],
        [place],
        name=str(row["family"]),
        colour=palette.REFERENCE[0] if row["family"] == CARRIED_ON else palette.LIGHT["ink"],
        hover=f"<b>{base.literal(row['family'])}</b><br>%{{x:.3~g}}{suffix}<br>%{{text}}",
        words=[_interval(row)],
        panel=panel,
        markers=True,
        key=False,
    )
    fig.add_note(
        xref=f"x{panel} domain",
        yref=f"y{panel}",
        x=0,
        y=place,
        yshift=8,
        text=base.escaped(row["family"]),
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        font={"size": 12, "color": palette.LIGHT["muted"]},
    )


def _compared_sentence(frame: pl.DataFrame) -> str:
    """Say whose weight leads and what foresees best; no family is named where intervals leave it open."""
    known = frame.filter(pl.col("estimate").is_not_null())
    weight, parts = known.filter(pl.col("measure") == WEIGHT), []
    if not weight.is_empty():
        leading = weight.sort("estimate", descending=True).row(0, named=True)
        others = weight.filter(pl.col("family") != leading["family"])["hi"].max()
        clear = others is not None and leading["lo"] is not None and leading["lo"] > others
        parts.append(
            f"{leading['family']} explains most for its parameters" if clear else "No family explains clearly most"
        )
    foreseen = {
        of: _foreseen(known.filter(pl.col("measure") == name)) for name, of in ((SHARES, "shares"), (COUNTS, "counts"))
    }
    found = {of: said for of, said in foreseen.items() if said}
    if len(set(found.values())) < len(found):
        parts.append(f"of shares as of counts, {found['shares']}")
    else:
        parts += [f"of {of}, {said}" for of, said in found.items()]
    return "; ".join(parts) or "Families of curves side by side"


def _foreseen(errors: pl.DataFrame) -> str:
    """Say whether curves foresee better than the last figure carried on, and how firmly; nothing where one is missing."""
    curves, naive = errors.filter(pl.col("family") != CARRIED_ON), errors.filter(pl.col("family") == CARRIED_ON)
    if curves.is_empty() or naive.is_empty():
        return ""
    best, plain = curves.sort("estimate").row(0, named=True), naive.row(0, named=True)
    if plain["estimate"] < best["estimate"]:
        # Of every curve: the best on average need not be the one whose interval reaches lowest.
        lows = curves["lo"].to_list()
        clear = plain["hi"] is not None and None not in lows and plain["hi"] < min(lows)
        firmly = "" if clear else "on average "
        return f"carrying the last figure on foresees the next {_spelt(LAST)} {firmly}better than any curve"
    firmly = "" if plain["lo"] is not None and best["hi"] is not None and best["hi"] < plain["lo"] else "on average "
    return f"the best curve foresees the next {_spelt(LAST)} {firmly}better than the last figure carried on"

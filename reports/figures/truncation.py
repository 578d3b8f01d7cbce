"""What estimates of a Bass curve do as more of it is seen: the systematic change that Van den Bulte and Lilien found.

Frames have the columns parameter (m, p, q), label, percent, lo, hi, published, n; a row is one parameter in one set of
series, ``percent`` its change when 10 % more penetration has been observed, ``lo`` to ``hi`` its 95 % interval.
"""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base

COLUMNS = ("parameter", "label", "percent", "lo", "hi", "published", "n")
PARAMETERS = {"m": "the ceiling, m", "q": "imitation, q", "p": "innovation, p"}
_NAMED = 4  # sets whose names have room on the axis of a panel
_HALF = 0.16
"""Half the width of a band, where two sets stand 1 apart."""


def truncation(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw the change of each parameter by set of series, beside the published one.

    Raises:
        ValueError: a column is missing, there are no rows, or a parameter is none of m, p and q.

    """
    base.require(frame, COLUMNS, "truncation")
    unknown = sorted(set(frame["parameter"]) - set(PARAMETERS))
    if unknown:
        raise ValueError(f"truncation: parameter {unknown[0]!r} is not one of {', '.join(PARAMETERS)}")
    panels = [(name, frame.filter(pl.col("parameter") == name)) for name in PARAMETERS]
    panels = [(name, rows) for name, rows in panels if not rows.is_empty()]
    sets = list(dict.fromkeys(frame["label"].to_list()))
    named = {label: str(number) if len(sets) > _NAMED else label for number, label in enumerate(sets, start=1)}
    fig = base.sheet(title or sentence(frame), subtitle or _subtitle(named))
    for name, (parameter, rows) in zip(base.lay_out(fig, len(panels), panel_height=270), panels, strict=True):
        _draw(fig, name, parameter, rows, named)
    return fig.figure()


def _subtitle(named: dict[str, str]) -> str:
    """Say what is drawn, and which number stands for which set where there is no room for names."""
    words = "Change of Bass estimates when 10\u202f% more penetration has been observed, percent; bands: 95\u202f% intervals"
    key = "; ".join(f"{short}: {label}" for label, short in named.items() if short != label)
    return f"{words}. {key}" if key else words


def _draw(fig: base.Sheet, name: str, parameter: str, rows: pl.DataFrame, named: dict[str, str]) -> None:
    """Draw one panel: a point and a band for each set, the published value across."""
    published = float(rows["published"][0])
    ends = [0.0, published, *rows["lo"].to_list(), *rows["hi"].to_list()]
    margin = 0.08 * (max(ends) - min(ends))
    base.add_axes(
        fig,
        x_title="",
        x_range=(0.4, rows.height + 0.6),
        y_range=(min(ends) - margin, max(ends) + margin),
        y_suffix="\u202f%",
        panel=name,
        x={
            "tickvals": list(range(1, rows.height + 1)),
            "ticktext": [named[label] for label in rows["label"].to_list()],
        },
    )
    base.add_panel_title(fig, name, PARAMETERS[parameter])
    base.add_level(fig, 0.0, panel=name)
    base.add_level(fig, published, "published", panel=name, dash="dash", below=published < 0)
    for place, row in enumerate(rows.iter_rows(named=True), start=1):
        sides = [place - _HALF, place + _HALF]
        base.add_band(fig, sides, [row["lo"]] * 2, [row["hi"]] * 2, palette.REFERENCE[1], panel=name, opacity=0.35)
        words = f"95\u202f% interval {palette.exact(row['lo'], 3)} to {palette.exact(row['hi'], 3)}, n = {row['n']}"
        base.add_line(
            fig,
            [place],
            [row["percent"]],
            name=row["label"],
            colour=palette.LIGHT["ink"],
            hover=f"<b>{base.literal(row['label'])}</b><br>{parameter}: %{{y:.3~g}}\u202f%<br>%{{text}}",
            words=[words],
            panel=name,
            markers=True,
            key=False,
        )


def sentence(frame: pl.DataFrame) -> str:
    """Say in how many sets all estimates move in the published directions, of all sets that there are."""
    agreeing = frame.group_by("label").agg((pl.col("percent").sign() == pl.col("published").sign()).all().alias("all"))
    if agreeing["all"].all():
        return "The more of a curve is seen, the higher its ceiling and the slower its imitation are estimated"
    return (
        "How estimates change as more of a curve is seen: all in the published directions in "
        f"{agreeing['all'].sum()} of {agreeing.height} sets"
    )

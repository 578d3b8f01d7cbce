"""How much histories get rewritten: between vintages, by age, since first publication, and whose.

Frames have a subject (one measure of one source), its title and medium; shares are in percent of figures. A subject's line
has its medium's colour; a group of media is drawn in ink, and two subjects of one medium differ by dash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base, labels

ALL_PAIRS = "all pairs"
VINTAGES = ("title", "medium", "tolerance", "earlier", "later", "estimate", "lo", "hi", "n")
AGES = ("title", "medium", "pair", "age", "estimate", "lo", "hi", "n")
SIZES = ("title", "medium", "unit", "age", "measure", "estimate", "lo", "hi", "n")
SINCE = ("title", "medium", "first_published", "years", "estimate", "lo", "hi", "n")
THIRDS = (
    "title",
    "medium",
    "third",
    "age",
    "estimate",
    "lo",
    "hi",
    "n",
    "difference",
    "difference_lo",
    "difference_hi",
)
EARLIEST, LATEST = "earliest", "latest"
_SHARE = f"{palette.THIN_SPACE}%"
_MOST_LINES = 4
OLDEST = 40
"""Ages above this are in the table only: few histories have any."""
_DAYS = 365.25


@dataclass(frozen=True)
class _Look:
    """Colour and dash of one subject's line."""

    colour: str
    dash: str


def _looks(frame: pl.DataFrame) -> dict[str, _Look]:
    """Give each title its look, in the order in which titles first occur."""
    others: list[str] = []
    seen: dict[str, int] = {}
    looks: dict[str, _Look] = {}
    for title, medium in frame.unique("title", maintain_order=True).select("title", "medium").iter_rows():
        colour = palette.LIGHT["ink"]
        if medium:
            if medium not in palette.MEDIA and medium not in others:
                others.append(medium)
            colour = palette.colour(medium, others.index(medium) if medium in others else 0)
        position = seen.get(colour, 0)
        seen[colour] = position + 1
        looks[title] = _Look(colour, base.DASHES[position % len(base.DASHES)])
    return looks


# --- between vintages


def by_vintage(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw the share of figures that each vintage revised, as a step from the earlier vintage to the later, with its band.

    One panel for each tolerance: what counts as revised differs between shares and all else.
    """
    base.require(frame, VINTAGES, "revisions between vintages")
    panels = [(str(key[0]), rows) for key, rows in frame.group_by("tolerance", maintain_order=True)]
    fig = base.sheet(
        title or _vintage_sentence(frame),
        subtitle or f"Share of figures revised from one vintage to the next; bands: 95{_SHARE} intervals",
    )
    looks = _looks(frame)
    first, last = (_year(value) for value in (frame["earlier"].min(), frame["later"].max()))
    for name, (tolerance, rows) in zip(base.lay_out(fig, len(panels), panel_height=290), panels, strict=True):
        base.add_axes(
            fig,
            x_title="date of the vintage",
            x_range=(first - 0.3, last + 0.3),
            y_range=(0, 1.1 * max(1.0, _top(rows))),
            y_suffix=_SHARE,
            panel=name,
        )
        base.add_panel_title(fig, name, tolerance)
        for subject, line in rows.group_by("title", maintain_order=True):
            _draw_steps(fig, name, str(subject[0]), line.sort("later"), looks[str(subject[0])])
    return fig.figure()


def _draw_steps(fig: base.Sheet, panel: str, name: str, line: pl.DataFrame, look: _Look) -> None:
    """Draw one subject: a level for each pair of vintages, over the time between them."""
    xs: list[float] = []
    ys: list[float | None] = []
    words: list[str] = []
    for row in line.iter_rows(named=True):
        span = [_year(row["earlier"]), _year(row["later"])]
        said = f"{row['earlier']} to {row['later']}<br>{_interval(row)}"
        if row["lo"] is not None and row["hi"] is not None:
            base.add_band(fig, span, [row["lo"]] * 2, [row["hi"]] * 2, look.colour, panel=panel)
        # The gap stands between two levels: a later vintage is no continuation of the one before.
        xs += [*span, span[1]]
        ys += [row["estimate"], row["estimate"], None]
        words += [said, said, ""]
    hover = f"<b>{base.literal(name)}</b><br>%{{y:.3~g}} % revised<br>%{{text}}"
    base.add_line(
        fig, xs, ys, name=name, colour=look.colour, dash=look.dash, hover=hover, words=words, panel=panel, markers=True
    )


def _vintage_sentence(frame: pl.DataFrame) -> str:
    """Say between which shares the figures of a source are revised from one vintage to the next."""
    known = frame.drop_nulls("estimate")
    least, most = (known.sort("estimate", "title").row(at, named=True) for at in (0, -1))
    if known.height == 1:
        return f"{most['title']}: {_percent(most['estimate'])} of the figures were revised from one vintage to the next"
    return (
        f"From one vintage to the next, between {_percent(least['estimate'])} ({least['title']}) and "
        f"{_percent(most['estimate'])} ({most['title']}) of the figures were revised"
    )


# --- by age


def by_age(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw the share of figures revised by their age: all pairs of vintages with a band, each pair thin."""
    base.require(frame, AGES, "revisions by age")
    frame = frame.filter(pl.col("age") <= OLDEST)
    panels = [(str(key[0]), rows) for key, rows in frame.group_by("title", maintain_order=True)]
    lead = frame.filter(pl.col("pair") == ALL_PAIRS)
    fig = base.sheet(
        title or _age_sentence(lead),
        subtitle or f"Share of figures revised from one vintage to the next, by age; bands: 95{_SHARE} intervals",
    )
    looks, oldest, top = _looks(frame), _oldest(frame), 1.08 * max(1.0, _top(lead))
    for name, (subject, rows) in zip(base.lay_out(fig, len(panels), panel_height=240), panels, strict=True):
        _age_axes(fig, name, oldest, top)
        _name_panel(fig, name, subject, _sample(rows.filter(pl.col("pair") == ALL_PAIRS)))
        pairs = [pair for pair in rows["pair"].unique(maintain_order=True).to_list() if pair != ALL_PAIRS]
        for position, pair in enumerate(pairs[-_MOST_LINES:] if len(pairs) > 1 else []):
            line = rows.filter(pl.col("pair") == pair).sort("age")
            dash = base.DASHES[1 + position % (len(base.DASHES) - 1)]
            _draw_ages(fig, name, f"{subject}, {pair}", line, _Look(palette.REFERENCE[2], dash), width=1.25)
        line = rows.filter(pl.col("pair") == ALL_PAIRS).sort("age")
        _draw_ages(fig, name, subject, line, _Look(looks[subject].colour, "solid"), band=True)
    return fig.figure()


def _name_panel(fig: base.Sheet, panel: str, subject: str, second: str) -> None:
    """Write what is counted above a panel, and under it who publishes it: the first line leaves room for the buttons."""
    first, _, publisher = subject.partition(", ")
    base.add_panel_title(fig, panel, first, f"{publisher}; {second}" if publisher else second)


def _age_axes(fig: base.Sheet, panel: str, oldest: float, top: float, suffix: str = _SHARE) -> None:
    """Give a panel the axis of ages that all share, and shares up to ``top``."""
    base.add_axes(
        fig,
        x_title="age of the figure, years",
        x_range=(0, oldest + 1),
        y_range=(0, top),
        y_suffix=suffix,
        panel=panel,
    )


def _draw_ages(
    fig: base.Sheet,
    panel: str,
    name: str,
    line: pl.DataFrame,
    look: _Look,
    *,
    width: float = 2.5,
    band: bool = False,
    unit: str = "% revised",
    key: str = "",
) -> None:
    """Draw one line over ages, broken where an age has no figure; its band stands where there is an interval."""
    if band:
        for run in _runs(line.drop_nulls(["lo", "hi"])):
            ages, low, high = (run[column].to_list() for column in ("age", "lo", "hi"))
            base.add_band(fig, ages, low, high, look.colour, panel=panel, opacity=0.18)
    xs: list[float] = []
    ys: list[float | None] = []
    words: list[str] = []
    for run in _runs(line.drop_nulls("estimate")):
        if xs:
            xs, ys, words = [*xs, xs[-1]], [*ys, None], [*words, ""]
        xs += run["age"].to_list()
        ys += run["estimate"].to_list()
        words += [_interval(row) for row in run.iter_rows(named=True)]
    hover = f"<b>{base.literal(name)}</b><br>age %{{x}}: %{{y:.3~g}} {base.literal(unit)}<br>%{{text}}"
    base.add_line(
        fig,
        xs,
        ys,
        name=key or name,
        colour=look.colour,
        dash=look.dash,
        width=width,
        hover=hover,
        words=words,
        panel=panel,
        key=bool(key),
    )


def _runs(line: pl.DataFrame) -> list[pl.DataFrame]:
    """Part a line where ages are left out."""
    ages = line["age"].to_list()
    cuts = [0, *[i + 1 for i, (a, b) in enumerate(pairwise(ages)) if b != a + 1], len(ages)]
    return [line[start:stop] for start, stop in pairwise(cuts) if stop > start]


def _age_sentence(lead: pl.DataFrame) -> str:
    """Say how the subject with the most vintages, the first, treats young figures and old ones."""
    subject = lead["title"][0]
    line = lead.filter(pl.col("title") == subject).drop_nulls("estimate").sort("age")
    young, old = (_pooled(line, low, high) for low, high in ((0, 5), (10, 14)))
    if young is None or old is None:
        return "How often figures are revised, by their age"
    return (
        f"{subject}: {_percent(young)} of the figures up to 5 years old were revised from one vintage to the next, "
        f"{_percent(old)} of those aged 10 to 14"
    )


def _pooled(line: pl.DataFrame, low: int, high: int) -> float | None:
    """Return the share over several ages, each with its figures."""
    rows = line.filter(pl.col("age").is_between(low, high))
    total = sum(rows["n"].to_list())
    return sum(e * n for e, n in zip(rows["estimate"], rows["n"], strict=True)) / total if total else None


def size_by_age(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw the size of revision among revised figures by their age: the median with its band, the 90th percentile thin."""
    base.require(frame, SIZES, "size of revision by age")
    panels = [(str(key[0]), rows) for key, rows in frame.group_by("title", maintain_order=True)]
    fig = base.sheet(
        title or _size_sentence(frame),
        subtitle or f"Size of revision among revised figures, by age; band: 95{_SHARE} interval of the median",
    )
    looks, oldest = _looks(frame), _oldest(frame)
    for name, (subject, rows) in zip(base.lay_out(fig, len(panels), panel_height=240), panels, strict=True):
        unit, highest = str(rows["unit"][0]), float(rows["estimate"].cast(pl.Float64).max() or 1.0)  # type: ignore[arg-type]
        _age_axes(fig, name, oldest, 1.1 * max(highest, _top(rows.filter(pl.col("measure") == "median_size"))), "")
        _name_panel(fig, name, subject, f"in {unit}")
        outer = rows.filter(pl.col("measure") == "size_90").sort("age")
        inner = rows.filter(pl.col("measure") == "median_size").sort("age")
        thin = _Look(palette.REFERENCE[2], "dash")
        _draw_ages(fig, name, subject, outer, thin, width=1.5, unit=unit, key="90th percentile")
        _draw_ages(fig, name, subject, inner, _Look(looks[subject].colour, "solid"), band=True, unit=unit, key="median")
    return fig.figure()


def _size_sentence(frame: pl.DataFrame) -> str:
    """Say how large the revisions of the first subject are, over ages."""
    subject = frame["title"][0]
    rows = frame.filter(pl.col("title") == subject, pl.col("measure") == "median_size").drop_nulls("estimate")
    low, high = (float(value) for value in (rows["estimate"].min(), rows["estimate"].max()))  # type: ignore[arg-type]
    unit = rows["unit"][0]
    said = palette.span(low, high) if high > low else palette.two_figures(low)
    return f"{subject}: where a figure is revised, the median revision is {said} {unit}, by age"


# --- since first publication


def since_first(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw the share of figures that no longer stand as first published, by years since; a line for each first vintage."""
    base.require(frame, SINCE, "revisions since first publication")
    fig = base.sheet(
        title or _since_sentence(frame),
        subtitle
        or "Share of figures that stand otherwise than first published, where the vintage of first publication is known; "
        f"bands: 95{_SHARE} intervals",
        height=420,
    )
    base.add_axes(
        fig,
        x_title="years since the vintage in which the figure first stood",
        x_range=(0, 1.05 * float(frame["years"].max())),  # type: ignore[arg-type]
        y_range=(0, 1.15 * max(1.0, _top(frame))),
        y_suffix=_SHARE,
        x={"hoverformat": ".1f"},
    )
    looks = _looks(frame)
    ends = []
    for position, ((subject, first), rows) in enumerate(
        frame.group_by("title", "first_published", maintain_order=True)
    ):
        line, look = rows.sort("years"), looks[str(subject)]
        _draw_since(fig, str(subject), str(first), line, _Look(look.colour, base.DASHES[position % len(base.DASHES)]))
        last = line.row(-1, named=True)
        text = f"{subject}, first published by {first} (n\u00a0=\u00a0{line['n'][0]})"
        ends.append(labels.EndLabel(last["years"], last["estimate"], text, palette.ink(look.colour)))
    labels.add_end_labels(fig, ends)
    return fig.figure()


def _draw_since(fig: base.Sheet, subject: str, first: str, line: pl.DataFrame, look: _Look) -> None:
    """Draw one line from nought, where every figure stands as first published."""
    bounded = line.drop_nulls(["lo", "hi"])
    if not bounded.is_empty():
        years, low, high = (bounded[column].to_list() for column in ("years", "lo", "hi"))
        base.add_band(fig, [0.0, *years], [0.0, *low], [0.0, *high], look.colour)
    base.add_line(
        fig,
        [0.0, *line["years"].to_list()],
        [0.0, *line["estimate"].to_list()],
        name=f"{subject}, first published by {first}",
        colour=look.colour,
        dash=look.dash,
        hover=f"<b>{base.literal(subject)}</b>, first published by {first}<br>%{{x:.1f}} years later: %{{y:.3~g}} %<br>%{{text}}",
        words=["as first published", *[_interval(row) for row in line.iter_rows(named=True)]],
        markers=True,
    )


def _since_sentence(frame: pl.DataFrame) -> str:
    """Say of the figures followed longest how many stand otherwise."""
    row = frame.sort("years", "n").row(-1, named=True)
    most = frame.filter(pl.col("title") == frame["title"][0]).sort("years", "n").row(-1, named=True)
    row = most if most["n"] >= row["n"] else row
    return (
        f"{row['title']}: of the figures first published by {row['first_published']}, {_percent(row['estimate'])} stood "
        f"otherwise {palette.two_figures(row['years'])} years later"
    )


# --- latecomers


def latecomers(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw the share of figures revised by age: of the adopters that came first, in between, and last."""
    base.require(frame, THIRDS, "revisions of latecomers")
    frame = frame.filter(pl.col("age") <= OLDEST)
    panels = [(str(key[0]), rows) for key, rows in frame.group_by("title", maintain_order=True)]
    fig = base.sheet(
        title or _latecomer_sentence(panels),
        subtitle
        or f"Share of figures revised, by age, in thirds of the year in which a place first reached 10{_SHARE}; bands: "
        f"95{_SHARE} intervals; differences age for age",
    )
    looks, oldest, top = _looks(frame), _oldest(frame), min(100.0, 1.08 * max(1.0, _top(frame)))
    for name, (subject, rows) in zip(base.lay_out(fig, len(panels), panel_height=260), panels, strict=True):
        _age_axes(fig, name, oldest, top)
        base.add_panel_title(fig, name, subject, _difference(rows.row(0, named=True)))
        grey = looks[subject].colour in (palette.REFERENCE[0], palette.REFERENCE[2])
        styles = {
            "middle": _Look(palette.REFERENCE[2], "dot"),
            EARLIEST: _Look(palette.REFERENCE[0], "dash"),
            # A grey medium would not stand out from the other thirds.
            LATEST: _Look(palette.LIGHT["ink"] if grey else looks[subject].colour, "solid"),
        }
        for third, look in styles.items():
            line = rows.filter(pl.col("third") == third).sort("age")
            if not line.is_empty():
                thin = third == "middle"
                words = f"{subject}, {third} third"
                width, key = (1.25 if thin else 2.5), f"{third} third to reach 10{_SHARE}"
                _draw_ages(fig, name, words, line, look, width=width, band=not thin, key=key)
    return fig.figure()


def _difference(row: dict[str, object]) -> str:
    """Say by how much the latest third exceeds the earliest among figures of one age."""
    value, low, high = (row[name] for name in ("difference", "difference_lo", "difference_hi"))
    if not isinstance(value, int | float):
        return "too few figures to compare"
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return "too few revised places to compare the thirds"
    sign = "+" if value > 0 else ""
    return f"latest − earliest: {sign}{palette.two_figures(value)} points ({palette.span(low, high)})"


def _latecomer_sentence(panels: Sequence[tuple[str, pl.DataFrame]]) -> str:
    """Say in how many subjects latecomers' figures are revised more often than those of the first, at one age."""
    rows = [rows.row(0, named=True) for _, rows in panels]
    judged = [row for row in rows if row["difference_lo"] is not None and row["difference_hi"] is not None]
    more = sum(row["difference_lo"] > 0 for row in judged)
    fewer = sum(row["difference_hi"] < 0 for row in judged)
    if not judged:
        return "Whether the histories of latecomers are the ones rewritten: too few revisions to say"
    if more == len(judged):
        every = "" if more == 1 else f", in each of the {more} histories with enough of them"
        return f"Age for age, latecomers’ figures are revised more often than those of the first{every}"
    if not more and not fewer:
        return "Latecomers’ figures cannot be shown to be revised more often than those of the first"
    return (
        f"Age for age, latecomers’ figures are revised more often in {more} of {len(judged)} histories, less in {fewer}"
    )


# --- words and numbers


def _interval(row: dict[str, object]) -> str:
    """Say between which bounds one number lies, and on how many figures it rests."""
    bounds = [row[name] for name in ("lo", "hi")]
    known = [value for value in bounds if isinstance(value, int | float)]
    said = "no interval" if len(known) < 2 else " to ".join(palette.exact(value, 3) for value in known)
    return (
        f"95{_SHARE} interval {said}, n = {row['n']} figures" if len(known) == 2 else f"{said}, n = {row['n']} figures"
    )


def _sample(rows: pl.DataFrame) -> str:
    """Say how many figures a panel rests on."""
    return f"n = {palette.integer(sum(rows['n'].to_list()))} figures"


def _percent(value: float) -> str:
    """Write a share in percent; none at all is a word."""
    return "none" if value == 0 else f"{palette.two_figures(value)}{_SHARE}"


def _year(value: object) -> float:
    """Return a date, or its ISO form, as a year with its part."""
    day = value if isinstance(value, date) else date.fromisoformat(str(value))
    return day.year + (day.timetuple().tm_yday - 1) / _DAYS


def _top(rows: pl.DataFrame) -> float:
    """Return the highest of estimates and bounds, 0 where there is none."""
    values = [v for name in ("estimate", "hi") for v in rows[name].cast(pl.Float64).drop_nulls().to_list()]
    return max(values, default=0.0)


def _oldest(frame: pl.DataFrame) -> float:
    """Return the highest age drawn."""
    return float(frame["age"].max())  # type: ignore[arg-type]

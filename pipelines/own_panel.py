"""A user's panel of adopters: a file with a row for each adopter and year in, the declared form out.

Belongs here: what such a file must be, and what of it was known before an adoption. Not here: how columns are read
(`panel_intake`), what a model makes of the panel (`authority_answer`).

Years are whole. Attention of a year stands at its middle, an adoption at the beginning of its year and an end at the end of its
own. A covariate speaks of the year that its name ends in (`standing_2010`), else of the year of its row, and stands at the end
of it: only what was known before the year of an adoption was known before the adoption.

An adopter is its name, and its place where the file tells one: names are given again (a call sign of 1922 is that of 2022 only if
the place agrees).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl
from longwave.models.adopters import ADOPTERS, ATTENTION, COVARIATES, AdopterPanel
from longwave.pipelines.intake import counted, lines_of, refuse_lines, refused, said
from longwave.pipelines.panel_intake import PanelFile, Role, check_rows, check_unique, check_varies, read_panel

ROLES: Final = (
    Role("adopter", "text", required=True),
    Role("year", "year", required=True),
    Role("attention", "number", required=True),
    Role("adoption_year", "year", gaps=True),
    Role("end_year", "year", gaps=True),
    Role("field", "text"),
    Role("cluster", "text"),
    Role("place", "text"),
)
_OF_ADOPTER: Final = ("adoption_year", "end_year", "field", "cluster")
_DATED: Final = re.compile(r"^(?P<name>.+)_(?P<year>1[0-9]{3}|20[0-9]{2}|21[0-9]{2})$")


@dataclass(frozen=True)
class OwnPanel:
    """A user's panel: ``known`` names the covariates known before adoption, in the order of the header."""

    file: PanelFile
    panel: AdopterPanel
    known: tuple[str, ...]
    has_adoption_years: bool
    warnings: tuple[str, ...]


def read_own_panel(path: Path) -> OwnPanel:
    """Read and check a user's panel.

    Raises:
        NoSuchFile: there is no such file.
        Refused: with the lines at fault and what to do.

    """
    return own_panel(read_panel(path, ROLES, covariate_gaps=True))


def own_panel(file: PanelFile) -> OwnPanel:
    """Check a file read by ``ROLES``, and make the panel of it.

    Raises:
        Refused: as `read_own_panel`.

    """
    file = _told_apart(file)
    check_rows(file)
    check_unique(file, "adopter", "year")
    present = [name for name in _OF_ADOPTER if file.has(name)]
    # That nobody has ended, or all in one year, is no fault.
    varying = [name for name in present if name != "end_year"]
    check_varies(file, "adopter", "year", "attention", *varying, *file.covariates)
    _check_same(file, present)
    _check_attention(file)
    frame, notes = _with_adoption(file)
    _check_times(file, frame)
    covariates = _covariates(file, frame)
    adopters = _adopters(file, frame)
    inside = pl.col("year") >= pl.col("adoption_year")
    if file.has("end_year"):
        # A 0 after a dated end says what the end says, and is no reading (as in a file read out of core).
        inside &= pl.col("end_year").is_null() | (pl.col("year") <= pl.col("end_year"))
    attention = frame.filter(inside).select("adopter", (pl.col("year") + 0.5).alias("at"), "attention")
    panel = AdopterPanel(
        medium=file.name,
        unit="attention",
        first_launch=float(adopters["adopted"].drop_nulls().to_numpy().min()),
        adopters=adopters.select([pl.col(name).cast(kind) for name, kind in ADOPTERS.items()]),
        attention=attention.select([pl.col(name).cast(kind) for name, kind in ATTENTION.items()]),
        covariates=covariates,
    )
    names = tuple(dict.fromkeys(_named(column)[0] for column in file.covariates))
    return OwnPanel(file, panel, names, file.has("adoption_year"), (*file.warnings, *notes))


def _named(column: str) -> tuple[str, int | None]:
    """A covariate's name and the year that it speaks of; None: the year of its row."""
    found = _DATED.match(column)
    return (found["name"], int(found["year"])) if found else (column, None)


def _told_apart(file: PanelFile) -> PanelFile:
    """The file with the place in the name of each adopter whose name stands in several places."""
    if not file.has("place"):
        return file
    several = pl.col("place").n_unique().over("adopter") > 1
    named = pl.when(several).then(pl.format("{} ({})", "adopter", "place")).otherwise("adopter").alias("adopter")
    names = file.frame.filter(several)["adopter"].n_unique()
    notes = [f"{counted(names, 'name')} in several places: told apart by place, one adopter for each"] if names else []
    return replace(file, frame=file.frame.with_columns(named).drop("place"), warnings=(*file.warnings, *notes))


def _check_same(file: PanelFile, columns: Sequence[str]) -> None:
    """Refuse an adopter that has two fields, two clusters, or two years of adoption or of an end."""
    for column in columns:
        several = file.frame.filter(pl.col(column).n_unique().over("adopter") > 1).sort("adopter", "line")
        told = several.select("line", pl.format("{}: {}", "adopter", pl.col(column).cast(pl.String).fill_null("none")))
        rule, mend = f"{column} of an adopter", f"give each adopter one {column} in all of its rows"
        refuse_lines(file.name, told, rule, "the same in all of its rows", mend, "adopter")


def _check_attention(file: PanelFile) -> None:
    below = file.frame.filter(pl.col("attention") < 0)
    refuse_lines(file.name, below, "attention", "counts or shares of 0 and more", "mend these rows", "attention")
    order = file.frame.sort("line").with_columns(pl.col("year").diff().over("adopter").alias("step"))
    back = order.filter(pl.col("step") < 0)
    refuse_lines(file.name, back, "order of years", "each adopter's years ascending", "sort the rows by year", "year")


def _with_adoption(file: PanelFile) -> tuple[pl.DataFrame, list[str]]:
    """Rows with a year of adoption: as given, else the first year with attention, null where there was none."""
    first = pl.col("year").filter(pl.col("attention") > 0).min().over("adopter")
    if file.has("adoption_year"):
        return file.frame, []
    note = (
        "no column adoption_year: the first year with attention stands in, which is too late for everyone who was there when the "
        "file begins"
    )
    return file.frame.with_columns(first.alias("adoption_year")), [note]


def _check_times(file: PanelFile, frame: pl.DataFrame) -> None:
    """Refuse attention before an adoption or after an end, an end before the adoption, and a panel nobody adopted in."""
    early = frame.filter(pl.col("attention") > 0, pl.col("year") < pl.col("adoption_year"))
    mend = "give the year of the first attention, or none where it is not known, or mend the attention"
    refuse_lines(file.name, early, "adoption_year", "no later than the first attention", mend, "adoption_year")
    never = frame.filter(pl.col("attention") > 0, pl.col("adoption_year").is_null())
    mend = "give the year of adoption, or remove these adopters and say so where you show the result"
    refuse_lines(file.name, never, "adoption_year", "a year for every adopter that has attention", mend, "adopter")
    if file.has("end_year"):
        turned = frame.filter(pl.col("end_year") < pl.col("adoption_year"))
        refuse_lines(file.name, turned, "end_year", "no earlier than adoption_year", "mend these rows", "end_year")
        late = frame.filter(pl.col("attention") > 0, pl.col("year") > pl.col("end_year"))
        refuse_lines(file.name, late, "end_year", "no attention after it", "mend these rows", "end_year")
    if frame["adoption_year"].drop_nulls().is_empty():
        raise refused(file.name, "adoption_year", "adopters", "nobody with attention", "give the attention of adopters")


def _adopters(file: PanelFile, frame: pl.DataFrame) -> pl.DataFrame:
    ended = pl.col("end_year").first() + 1.0 if file.has("end_year") else pl.lit(None, pl.Float64)
    own = {
        "cluster": pl.col("cluster").first() if file.has("cluster") else pl.col("adopter").first(),
        "field": pl.col("field").first() if file.has("field") else pl.lit("all"),
    }
    keyed = frame.group_by(pl.col("adopter").alias("_key"), maintain_order=True).agg(
        pl.col("adoption_year").first().cast(pl.Float64).alias("adopted"),
        ended.alias("ended"),
        *(value.alias(name) for name, value in own.items()),
    )
    return keyed.rename({"_key": "adopter"}).with_columns(pl.lit("").alias("flags"))


def _covariates(file: PanelFile, frame: pl.DataFrame) -> pl.DataFrame:
    """Every covariate at the end of the year that it speaks of; refused where it is known from after the adoption alone."""
    parts = []
    for column in file.covariates:
        name, year = _named(column)
        spoken = pl.lit(year) if year is not None else pl.col("year")
        known = frame.filter(pl.col(column).is_not_null()).select(
            "line",
            "adopter",
            "adoption_year",
            spoken.alias("of"),
            pl.lit(name).alias("name"),
            pl.col(column).alias("value"),
        )
        if year is not None:
            _check_same(file, [column])
        parts.append(known)
    if not parts:
        return pl.DataFrame(schema=COVARIATES)
    held = pl.concat(parts)
    before = pl.col("adoption_year").is_null() | (pl.col("of") < pl.col("adoption_year"))
    leaking = held.filter(before.any().over("adopter", "name").not_()).sort("name", "line")
    if leaking.height:
        _refuse_leak(file, leaking)
    unique = held.unique(["adopter", "name", "of"], keep="first", maintain_order=True)
    made: pl.DataFrame = unique.with_columns((pl.col("of") + 1.0).alias("at")).select(
        [pl.col(column).cast(kind) for column, kind in COVARIATES.items()]
    )
    return made


def _refuse_leak(file: PanelFile, leaking: pl.DataFrame) -> None:
    names = leaking["name"].unique(maintain_order=True).to_list()
    listed = ", ".join(said(name) for name in names[:10])
    rows = [
        f"line {line}: {said(adopter)} adopted in {adopted}, {name} is of {of}"
        for line, adopter, adopted, name, of in leaking.select(
            "line", "adopter", "adoption_year", "name", "of"
        ).iter_rows()
    ]
    remedy = (
        "give what was known before the adoption, named by its year (such as standing_2010), or leave the column out: what was "
        "measured afterwards may be what the attention made of it"
    )
    found = f"{listed} known from the adoption on alone, in {lines_of(leaking['line'].to_list())}"
    raise refused(file.name, "covariates after adoption", "covariates from before the adoption", found, remedy, rows)

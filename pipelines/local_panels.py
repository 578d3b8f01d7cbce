"""Panels that a person adds to a home and that may not be passed on: magazines by circulation, platforms by monthly users.

Belongs here: where such a file stands, its own form, and its traps. Not here: what an own panel must be (`own_panel`), what is
made of it (`authority_answer`).

The file stands as its publisher gave it in `LONGWAVE_HOME/local/<panel>/`. Only `longwave authority <panel>` reads it, and what
it finds goes where the owner says (`--json`, `--html`), never into the site: a run opens nothing in `local/`, so that no figure,
page or data file can hold a value of it, and the backup of a home, which is its owner's, alone holds the file. (Chosen so:
findings of private rows could be published, but a file that is not read cannot leak.)

Missing is not dead: titles stop being audited, and platforms being counted, long before they end. An end is a cited row of
`facts/endings.csv`; figures after it are carried forward by the publisher, and are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl
from longwave.pipelines.intake import NoSuchFile, counted, refuse_lines, refused
from longwave.pipelines.own_panel import OwnPanel, own_panel
from longwave.pipelines.panel_intake import PanelFile, Role, read_panel
from longwave.warehouse.world import load_fact

_GROUPS: Final = r"(?i)\b(group|unit|combination)$"
PRIVATE: Final = "rows of this file may not be passed on: what is written stays with whoever owns the file"


@dataclass(frozen=True)
class LocalPanel:
    """A panel of the folder `local/`: its `endings` stand in the table of facts under that medium."""

    panel: str
    title: str
    citation: str
    endings: str
    roles: tuple[Role, ...]
    read: Callable[[PanelFile], PanelFile]


def local_panel(folder: Path, panel: str) -> OwnPanel:
    """Read a panel that a person added.

    Args:
        folder: `LONGWAVE_HOME/local`.
        panel: a name in ``LOCAL``.

    Raises:
        NoSuchFile: no file is there, or several are; with where it goes and who publishes it.
        Refused: it is of another form; with the lines at fault.

    """
    known = LOCAL[panel]
    found = sorted(path for path in (folder / panel).glob("*") if path.is_file() and not path.name.startswith("."))
    if len(found) != 1:
        there = counted(len(found), "file") if found else "no file"
        raise NoSuchFile(f"{there} in {folder / panel}: put one there as CSV: {known.title} ({known.citation})")
    file = known.read(read_panel(found[0], known.roles, covariate_gaps=True))
    return own_panel(_ended(file, known.endings))


def _magazines(file: PanelFile) -> PanelFile:
    """Titles by year; entries that are groups of titles are left out, since their titles may stand beside them."""
    # A title that the file does not name goes by its code.
    frame = file.frame.with_columns(pl.coalesce("title", "code"))
    for one, other in (("code", "title"), ("title", "code")):
        several = frame.filter(pl.col(other).n_unique().over(one) > 1).unique(["code", "title"], keep="first")
        refuse_lines(file.name, several, f"{other} of a {one}", "one", f"give each {one} one {other}", "code", "title")
    groups = pl.col("title").str.contains(_GROUPS)
    n = frame.filter(groups)["title"].n_unique()
    notes = [f"{counted(n, 'group')} of titles left out: an audience of several magazines is that of none"] if n else []
    kept = frame.filter(~groups).select(
        "line", pl.col("title").alias("adopter"), "year", pl.col("mean_issue_circulation").alias("attention")
    )
    return replace(file, frame=kept, covariates=(), warnings=(*file.warnings, *notes))


def _platforms(file: PanelFile) -> PanelFile:
    """Platforms by year; a 0 is filler of years before or after, and no reading."""
    if len(file.covariates) != 1:
        found = ", ".join(file.covariates) or "none"
        raise refused(file.name, "columns", "one column of users beside Entity and Year", found, "leave one of them")
    users = file.covariates[0]
    filler = pl.col(users).is_null() | (pl.col(users) == 0)
    n = file.frame.filter(filler).height
    notes = [f"{counted(n, 'row')} of 0 or nothing left out: filler, and no end"] if n else []
    notes.append(
        "monthly and registered users are mixed by the publisher: levels of two platforms are not quite one thing"
    )
    kept = file.frame.filter(~filler).select(
        "line", pl.col("entity").alias("adopter"), "year", pl.col(users).alias("attention")
    )
    return replace(file, frame=kept, covariates=(), warnings=(*file.warnings, *notes))


def _ended(file: PanelFile, medium: str) -> PanelFile:
    """The file with the year of each cited end, and without what stands after it."""
    endings = load_fact("endings").filter(
        pl.col("medium") == medium, pl.col("status") == "verified", pl.col("event") == "ended"
    )
    dated = endings.select("adopter", pl.col("day").str.slice(0, 4).cast(pl.Int32).alias("end_year"))
    joined = file.frame.join(dated, on="adopter", how="left", maintain_order="left")
    after = pl.col("year") > pl.col("end_year")
    late = joined.filter(after)
    notes = [
        f"{late['adopter'].n_unique()} of {file.frame['adopter'].n_unique()} go on after their cited end: left out"
    ]
    cited = joined.filter(pl.col("end_year").is_not_null())["adopter"].n_unique()
    said = f"{counted(cited, 'adopter')} with a cited end; whoever else stops is not seen, and not dead"
    notes = [PRIVATE, said, *(notes if late.height else [])]
    return replace(file, frame=joined.filter(~after.fill_null(False)), warnings=(*notes, *file.warnings))


LOCAL: Final[dict[str, LocalPanel]] = {
    local.panel: local
    for local in (
        LocalPanel(
            "magazines",
            "circulation of magazines in the United States by title and year",
            "Circulating American Magazines, James Madison University, from reports of the Audit Bureau of Circulations",
            "magazines",
            (
                Role("code", "text", required=True),
                Role("title", "text", required=True, gaps=True),
                Role("year", "year", required=True),
                Role("mean_issue_circulation", "number", required=True),
                Role("issues", "number", gaps=True),
                Role("certified_issues", "number", gaps=True),
            ),
            _magazines,
        ),
        LocalPanel(
            "platforms",
            "monthly users of platforms of social media, those that ended among them",
            "Statista and The Next Web, compiled by Our World in Data: Number of people using social media platforms",
            "social",
            (
                Role("entity", "text", required=True),
                Role("code", "text", gaps=True),
                Role("year", "year", required=True),
            ),
            _platforms,
        ),
    )
}
"""Panels that have a form of their own, by the name of their folder."""

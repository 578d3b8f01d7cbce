"""Layers of closeness: the table of facts, or one of a person's own in the same form, as `longwave.models.upkeep` wants them.

The form: one row a layer and quantity, with the columns layer, quantity, low, value, high; the layers from the inside out; the
quantities people_up_to, contacts_per_year and minutes_per_contact. Other columns (citation, url, status, note) may stand there.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
from longwave.models.upkeep import Layer, Range, check_layers
from longwave.warehouse.errors import Problem, Refused
from longwave.warehouse.world import load_fact

QUANTITIES = ("people_up_to", "contacts_per_year", "minutes_per_contact")
COLUMNS = ("layer", "quantity", "low", "value", "high")
_REMEDY = 'mend the table, or copy the default one: longwave query "from closeness" --format csv'


def layers(table: pl.DataFrame | None = None) -> list[Layer]:
    """Layers of closeness from the inside out.

    Args:
        table: the columns of the form, numbers as numbers; the table of facts if not given.

    Raises:
        ValueError: a layer's number is no range, or the table cannot be filled from the inside.

    """
    frame = load_fact("closeness") if table is None else table
    given = {(row["layer"], row["quantity"]): row for row in frame.iter_rows(named=True)}
    found = []
    for name in frame["layer"].unique(maintain_order=True):
        people, contacts, minutes = (
            Range(*(given[name, quantity][end] for end in ("low", "value", "high"))) for quantity in QUANTITIES
        )
        found.append(Layer(name, int(people.value), contacts, minutes))
    check_layers(found)
    return found


def read_layers(path: Path) -> list[Layer]:
    """Layers of closeness from a file.

    Raises:
        Refused: the file is missing, is no table of that form, or a row of it is no range; says which line.

    """
    try:
        table = pl.read_csv(path.read_bytes(), infer_schema=False).with_row_index("line", offset=2)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _refused(path, "table", "a comma-separated table", str(error).splitlines()[0]) from None
    lacking = [name for name in COLUMNS if name not in table.columns]
    if lacking:
        raise _refused(path, "columns", ", ".join(COLUMNS), f"no {', '.join(lacking)}")
    numbers = ("low", "value", "high")
    typed = table.with_columns(pl.col(name).str.strip_chars().cast(pl.Float64, strict=False) for name in numbers)
    _refuse_rows(path, typed, table)
    counted = typed.group_by("layer", maintain_order=True).agg(pl.col("quantity").sort())
    for layer, quantities in counted.iter_rows():
        if quantities != sorted(QUANTITIES):
            raise _refused(path, "quantities", f"{', '.join(QUANTITIES)} of each layer once", f"{layer}: {quantities}")
    try:
        return layers(typed)
    except ValueError as error:
        raise _refused(path, "layers", "layers that can be filled from the inside", str(error)) from None


def _refuse_rows(path: Path, typed: pl.DataFrame, table: pl.DataFrame) -> None:
    low, value, high = (pl.col(name) for name in ("low", "value", "high"))
    ranges = (low >= 0) & (low <= value) & (value <= high) & high.is_finite()
    bad = typed.filter(~ranges.fill_null(False) | pl.col("layer").is_null())["line"]
    if len(bad):
        shown = table.filter(pl.col("line").is_in(bad.implode())).head(5).select("line", *COLUMNS).iter_rows()
        rows = tuple(f"line {line}: {', '.join(str(v or '') for v in values)}" for line, *values in shown)
        expected = "a layer, and numbers with 0 <= low <= value <= high"
        raise _refused(path, "ranges", expected, f"{len(bad)} rows at fault", rows)


def _refused(path: Path, rule: str, expected: str, found: str, rows: tuple[str, ...] = ()) -> Refused:
    return Refused(str(path), [Problem(rule, str(path), expected, found, rows)], _REMEDY)

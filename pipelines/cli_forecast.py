"""The command that says how good forecasts would have been: backtest.

Registered on the one command line (`longwave.pipelines.cli`), whose contract it follows.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from longwave.pipelines.console import console_of
from rich.console import Console

if TYPE_CHECKING:
    from longwave.pipelines.backtests import Outcome


class Protocol(StrEnum):
    """Which windows are forecast."""

    PUBLISHED = "published"
    RIPENESS = "ripeness"


class Mode(StrEnum):
    """What a forecast may see."""

    ONE = "leave-one-out"
    COUNTRY = "leave-country-out"
    MEDIUM = "leave-medium-out"
    AS_OF = "as-of"


class Data(StrEnum):
    """Which version of the figures it sees."""

    TRUNCATED = "truncated"
    VINTAGE = "vintage"


def backtest(
    protocol: Annotated[
        Protocol,
        typer.Option(
            "--protocol", help="published: the windows of the published benchmark; ripeness: by age, far ahead."
        ),
    ] = Protocol.PUBLISHED,
    mode: Annotated[
        Mode | None,
        typer.Option(
            "--mode",
            help="What is taken from what is learnt; by default leave-one-out (published), leave-medium-out (ripeness).",
        ),
    ] = None,
    data: Annotated[
        Data,
        typer.Option(
            "--data", help="truncated: today's figures cut at the origin; vintage: only those published by then."
        ),
    ] = Data.TRUNCATED,
    out: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write every window and the summary to this file.")
    ] = None,
    forecaster: Annotated[
        str | None,
        typer.Option("--forecaster", metavar="NAME", help="adoption (by default) or a simple one: damped_trend."),
    ] = None,
) -> None:
    """Forecast from many past origins and score what came out, with what a forecast may see stated.

    The published benchmark is run on the founding facts and needs neither a network nor an earlier run. The other
    protocol reads what was observed, or the founding facts where nothing was.
    """
    from longwave.pipelines.backtests import FORECASTERS, LEARNS, Request, run

    named = forecaster or LEARNS
    if named not in FORECASTERS:
        raise typer.BadParameter(f"{named!r} is none of {', '.join(FORECASTERS)}", param_hint="--forecaster")
    if out is not None:
        _require_place(out)
    chosen = mode or (Mode.ONE if protocol is Protocol.PUBLISHED else Mode.MEDIUM)
    if data is Data.VINTAGE and chosen is not Mode.AS_OF:
        message = "what was published by an origin holds nothing later: it goes with --mode as-of only"
        raise typer.BadParameter(message, param_hint="--data vintage")
    console = console_of()
    outcome = run(Request(protocol.value, chosen.value, data.value, named), lambda line: console.print(f"  {line}"))
    if out is not None:
        _write(out, outcome)
    _print(console, outcome)
    if out is not None:
        console.print(f"\nwritten: {out}")


def _require_place(out: Path) -> None:
    """A file that cannot be written is said before the work, not after it."""
    folder = out.expanduser().parent
    if not folder.is_dir() or out.expanduser().is_dir():
        raise typer.BadParameter(f"{out} cannot be written: no such folder, or a folder itself", param_hint="--json")


def _write(out: Path, outcome: Outcome) -> None:
    from longwave.pipelines.backtests import as_json
    from longwave.warehouse.home import disk_trouble

    text = json.dumps(as_json(outcome), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with disk_trouble(out):
        out.expanduser().write_text(text, encoding="utf-8")


def _print(console: Console, outcome: Outcome) -> None:
    request = outcome.request
    console.print(f"\nprotocol {request.protocol}, mode {request.mode}, data {request.data}: {request.forecaster}")
    for warning in outcome.warnings:
        console.print(f"  note: {warning}")
    if outcome.forecasts.is_empty():
        console.print("  no window can be forecast from this data")
    elif request.protocol == "published":
        _print_published(console, outcome)
    else:
        _print_ripeness(console, outcome)


def _print_published(console: Console, outcome: Outcome) -> None:
    scores, coverage = outcome.tables["scores"].to_dicts(), outcome.tables["coverage"].to_dicts()
    heads = ("forecaster", "MAE by window", "MAE by series", "MAE, Bass converged", "WIS by series", "in 50/80/90 %")
    console.print(_line(heads))
    for name in dict.fromkeys(row["forecaster"] for row in scores):
        mine = {(r["part"], r["measure"], r["average"]): r for r in scores if r["forecaster"] == name}
        inside = [r["coverage"] for r in coverage if r["forecaster"] == name and r["regime"] == "all"]
        shares = "/".join(f"{100 * share:.0f}" for share in inside)
        console.print(_line((name, *(_number(mine.get(key)) for key in _COLUMNS), shares)))
    console.print("\nours minus the peer (95 %, concept groups resampled; under 0: ours is better)")
    console.print(_line(("peer", "MAE by window", "MAE by series", "MAE, Bass converged", "WIS by series", "")))
    for name in dict.fromkeys(row["peer"] for row in outcome.tables["against"].to_dicts()):
        mine = {
            (r["part"], r["measure"], r["average"]): r
            for r in outcome.tables["against"].to_dicts()
            if r["peer"] == name
        }
        console.print(_line((name, *(_number(mine.get(key)) for key in _COLUMNS), "")))
    console.print("\nas printed in the paper: mean absolute error over its windows; where Bass converged")
    for row in outcome.tables["published"].to_dicts():
        said = f"{_plain(row['mae'])} ({row['n_windows']} windows)"
        console.print(_line((row["model"], said, _plain(row["mae_converged"]), "", "", "")))


def _line(cells: tuple[str, ...]) -> str:
    """Cells in columns of one width; what is printed can be cut at them."""
    return "  ".join(f"{cell:<19}" for cell in cells).rstrip()


_COLUMNS = (
    ("all", "mae", "window"),
    ("all", "mae", "series"),
    ("bass converged", "mae", "window"),
    ("all", "wis", "series"),
)


def _print_ripeness(console: Console, outcome: Outcome) -> None:
    console.print(f"{'panel':<21}{'ages, against':<25}{'relative MAE':<21}{'MAE, theirs':<16}questions (groups)")
    for row in outcome.tables["relative_errors"].to_dicts():
        if row["asked"] == "all" and row["ages"] in ("all", "up to 8") and row["ratio"] is not None:
            ratio = {"value": row["ratio"], "lo": row["lo"], "hi": row["hi"]}
            sizes = (f"{_plain(row['mae'])}, {_plain(row['mae_reference'])}", f"{row['n']} ({row['n_clusters']})")
            against = f"{row['ages']}, {row['reference']}"
            console.print(f"{row['panel']:<21}{against:<25}{_number(ratio):<21}{sizes[0]:<16}{sizes[1]}")
    console.print("relative MAE under 1: ours is better; in points, for counts in natural logarithms")


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _number(row: dict[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return "–"
    limits = "" if row["lo"] is None else f" [{row['lo']:.2f}, {row['hi']:.2f}]"
    return f"{row['value']:.2f}{limits}"

"""What one release says that the one before it did not, in words; and the files of all releases.

Belongs here: the difference of two lists of claims. Not here: what makes a release (`longwave.warehouse.releases`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from longwave.reports import palette, wording
from longwave.reports.places import claim_page

Claims = Sequence[Mapping[str, Any]]
_ROW = ("panel", "role", "measure", "mode", "k", "horizon")
MOST = 12
"""Changed numbers that the front page names; the rest are counted."""


def file_of(number: int) -> str:
    """Return where the findings of a release stand for good."""
    return f"releases/{number}/findings.json"


def views(releases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what pages say of each release, the first first: number, vintage, version, file, and what changed in a sentence."""
    return [
        {
            **{name: release[name] for name in ("number", "vintage", "version")},
            "file": file_of(release["number"]),
            "said": summary(changes(releases[at - 1]["claims"], release["claims"])) if at else "",
        }
        for at, release in enumerate(releases)
    ]


def changes(before: Claims, after: Claims) -> dict[str, list[dict[str, Any]]]:
    """Return what differs between two releases.

    Returns:
        ``verdicts``: claim, page, verdict and before (None: a claim that was not there); ``gone``: claims that are no more;
        ``estimates``: claim, page, words, value and before (as read), of primary results that are in both or new.

    """
    old = {str(claim["id"]): claim for claim in before}
    new = {str(claim["id"]): claim for claim in after}
    verdicts = [
        {"claim": name, "page": claim_page(name), "verdict": claim["verdict"], "before": _verdict(old.get(name))}
        for name, claim in new.items()
        if _verdict(old.get(name)) != claim["verdict"]
    ]
    estimates = [row for name, claim in new.items() if name in old for row in _estimates(name, old[name], claim)]
    return {"verdicts": verdicts, "gone": [{"claim": name} for name in old if name not in new], "estimates": estimates}


def _verdict(claim: Mapping[str, Any] | None) -> str | None:
    return None if claim is None else str(claim["verdict"])


def _estimates(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the primary results whose estimate or interval reads differently."""
    held = {_key(row): row for row in old["by"]}
    changed = []
    for row in new["by"]:
        was = held.get(_key(row))
        if row["role"] != "primary" or (was is not None and _numbers(was) == _numbers(row)):
            continue
        view = wording.result_view(row)
        changed.append(
            {
                "claim": name,
                "page": claim_page(name),
                "words": f"{view['panel']}, {view['measure']}",
                "value": f"{view['estimate']} ({view['interval']})",
                "before": None if was is None else f"{palette.two_figures(was['estimate'])} ({_interval(was)})",
            }
        )
    return changed


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in _ROW)


def _numbers(row: Mapping[str, Any]) -> list[Any]:
    return [row["estimate"], list(row["interval"] or ()), row["n"]]


def _interval(row: Mapping[str, Any]) -> str:
    return str(wording.result_view(row)["interval"])


def summary(changed: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Say in a sentence how many verdicts and primary results changed; which, where they are verdicts."""
    told = [
        f"{row['claim']} {row['verdict']}" + (f" (before: {row['before']})" if row["before"] else " (new)")
        for row in changed["verdicts"]
    ]
    told += [f"{row['claim']} no more" for row in changed["gone"]]
    n = len(changed["estimates"])
    if n:
        told.append(f"{palette.integer(n)} primary {'result' if n == 1 else 'results'} with other numbers")
    return "; ".join(told) or "other numbers of sensitivities alone"

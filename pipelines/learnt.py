"""What the warehouse taught: the fitted forecaster, kept under LONGWAVE_HOME/cache so that a command need not fit again.

Belongs here: what is learnt from, and the cache. Not here: the forecaster (`longwave.models`), what is asked of it.

It learns from every series of record of the warehouse that stands (`longwave run` makes it); without one there is
nothing to learn from, and no curve of information either, so the error says to run. Fitting on the embedded facts
instead would give another answer before the first run than after it.

The cache is keyed by all that a fit follows from: the captures' contents, the facts, the findings, the code, the
versions of the libraries. A file counts only if its name and first line state that key and its bytes have the SHA-256 in
that line; nothing is unpickled before. Anything else is fitted again and replaced. Exports leave the cache out, and an
import refuses it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import polars as pl
from longwave.models.assess import Forecaster, InformationCurve
from longwave.models.histories import Histories
from longwave.pipelines.steps import digest_of, folder_digest, step_key
from longwave.warehouse.export import newest_vintage
from longwave.warehouse.home import Home
from longwave.warehouse.panels import freeze
from longwave.warehouse.reference_series import reference_frame
from longwave.warehouse.results import capture_contents, findings, step_keys
from longwave.warehouse.store import reader

SEED: Final = 20261123
CURVE_STEP: Final = "findings/information_by_age"
CURVE_OF: Final = {"subject": "pooled", "measure": "information_mse", "mode": "leave-medium-out"}


@dataclass(frozen=True)
class Learnt:
    """A fitted forecaster with what stands beside it.

    ``references``: what it learnt from; ``curve``: None where the study of it has not run; ``newest_vintage``: ISO date.
    """

    forecaster: Forecaster
    references: Histories
    curve: InformationCurve | None
    newest_vintage: str


def learnt(home: Home, told: Callable[[str], None] = lambda _: None) -> Learnt:
    """What the warehouse of a home taught, from the cache or fitted now; ``told`` hears that it is being fitted.

    Raises:
        UnusableHome: nothing is recorded there yet.

    """
    with reader(home) as con:
        key = _key(con)
        kept = _kept(home, key)
        if kept is not None:
            return kept
        told("learning from the finished series of the warehouse …")
        references = references_of(con)
        curve, vintage = _curve(con), newest_vintage(con)
    found = Learnt(fitted(references), references, curve, vintage.isoformat())
    _keep(home, key, found)
    return found


def references_of(con: duckdb.DuckDBPyConnection) -> Histories:
    """Every series of record, as the newest vintage has it."""
    freeze(con)
    return Histories.from_frame(reference_frame(con).drop("launch_convention"))


def fitted(references: Histories) -> Forecaster:
    """The forecaster, fitted. Its intervals rest on errors on media not seen, for a user's medium is in no reference."""
    from longwave.models.forecasting import AdoptionForecaster  # slow to import, and not asked for where one is kept

    return AdoptionForecaster(seed=SEED, hold_out="family").fit(references)


def _key(con: duckdb.DuckDBPyConnection) -> str:
    """Key of a fit. Of the code all of `models` and `warehouse` counts: to find what is used takes longer than to fit."""
    steps = step_keys(con)
    code = {name: folder_digest(resources.files(f"longwave.{name}"), "") for name in ("models", "warehouse")}
    inputs = {
        **code,
        "here": digest_of(Path(__file__).read_bytes()),
        "captures": digest_of(*capture_contents(con)),
        "world": steps.get("world/facts", ""),
        "curve": steps.get(CURVE_STEP, ""),
    }
    return step_key(("longwave.pipelines",), inputs, {"seed": SEED, "python": platform.python_version()})


def _curve(con: duckdb.DuckDBPyConnection) -> InformationCurve | None:
    """The pooled curve of information by age in leave-medium-out, None where it has not been worked out."""
    found = findings(con, CURVE_STEP).filter(*(pl.col(name) == value for name, value in CURVE_OF.items())).sort("k")
    if found.is_empty():
        return None
    known = {}
    for name in ("estimate", "lo", "hi"):
        known[name] = np.full(int(found["k"][-1]) + 1, np.nan)
        known[name][found["k"].to_numpy()] = found[name].fill_null(np.nan).to_numpy()
    return InformationCurve(
        known["estimate"], known["lo"], known["hi"], float(found["level"][0]), int(found["horizon"][0])
    )


def _folder(home: Home) -> Path:
    return home.root / "cache"


def _file(home: Home, key: str) -> Path:
    return _folder(home) / f"forecaster-{key[:32]}.bin"


def _kept(home: Home, key: str) -> Learnt | None:
    """What the cache holds under a key; None where it holds nothing, or anything but what was written."""
    try:
        head, _, body = _file(home, key).read_bytes().partition(b"\n")
        stated = json.loads(head)
        if stated != {"key": key, "sha256": hashlib.sha256(body).hexdigest()}:
            return None
        found = pickle.loads(body)  # noqa: S301 - own home, and the digest covers it
    except Exception:
        # Whatever is wrong with a cache, the remedy is to fit again.
        return None
    return found if isinstance(found, Learnt) else None


def _keep(home: Home, key: str, found: Learnt) -> None:
    """Write the cache by rename, and remove what older keys left. A home that cannot be written goes without one."""
    body = pickle.dumps(found, protocol=5)
    head = json.dumps({"key": key, "sha256": hashlib.sha256(body).hexdigest()}).encode()
    path = _file(home, key)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            fresh.write_bytes(head + b"\n" + body)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        for other in path.parent.glob("forecaster-*.bin"):
            if other != path:
                other.unlink(missing_ok=True)

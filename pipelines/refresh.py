"""Refreshing sources: ask, archive, observe, one source after the other, and say what came of each.

Belongs here: the order of the steps for one source and the summary of many. Runs without the orchestrator: its assets call
`refresh_source`, and so does whoever wants no more than that. A source that fails or is refused stops none of the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
from longwave.pipelines import wayback
from longwave.pipelines.capture import Captured, Now, capture_source, keep, recover
from longwave.pipelines.fetch import Fetcher, FetchFailed
from longwave.pipelines.observe import Held, Observed, held_originals, observe
from longwave.pipelines.sources import SOURCES, SourceSpec
from longwave.pipelines.steps import digest_of, facts_digest, folder_digest, step_key
from longwave.warehouse import answers as index
from longwave.warehouse.archive import Archive, ArchiveDamaged, NotArchivable
from longwave.warehouse.errors import Busy, LongwaveError, Refused, UnusableHome
from longwave.warehouse.founding_files import OriginalRow
from longwave.warehouse.home import Home
from longwave.warehouse.results import capture_contents
from longwave.warehouse.store import Warehouse, reader

AGAIN = ("failed", "refused", "not reached")


class UnknownSource(LongwaveError):
    """A name that no source has, or a file that is no summary: wrong usage."""


@dataclass
class SourceOutcome:
    """What refreshing one source came to: changed, unchanged, refused or failed, with the reasons."""

    source: str
    outcome: str
    requests: int = 0
    received_bytes: int = 0
    captures: list[str] = field(default_factory=list)
    added: int = 0
    revised: int = 0
    withdrawn: int = 0
    refused: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, recovered: Captured) -> None:
        """Count in what came of recovering past vintages before."""
        self.requests += recovered.requests
        self.received_bytes += recovered.received
        self.failures = [*recovered.failures, *self.failures]
        guarded = [f"{a.answer}: {a.why}" for a in recovered.answers if a.status == "refused"]
        self.refused = list(dict.fromkeys([*guarded, *self.refused]))
        if self.failures or self.refused:
            self.outcome = "failed" if self.failures else "refused"

    @property
    def line(self) -> str:
        """One line for a person."""
        counts = f"{self.added} added, {self.revised} revised, {self.withdrawn} withdrawn"
        said = {
            "changed": f"changed: {counts}",
            "unchanged": "unchanged",
            "refused": "refused: " + "; ".join(self.refused),
            "failed": "failed: " + "; ".join(self.failures),
        }
        return f"{self.source}: {said.get(self.outcome, self.outcome)}"


def utc_now() -> datetime:
    """The clock of live captures."""
    return datetime.now(UTC)


def source_key(
    spec: SourceSpec, founding: Path, rows: Sequence[OriginalRow], con: duckdb.DuckDBPyConnection | None = None
) -> str:
    """The key under which a source's founding facts and archived answers are read: facts, founding files, reader.

    With a connection also what is held of the source that tells which of its rows are carried forward.
    """
    inputs = {"facts": facts_digest(), "captures": folder_digest(founding / spec.source, repr(rows))}
    if spec.reference and con is not None:
        inputs["reference"] = digest_of(*capture_contents(con, spec.reference))
    return step_key(("longwave.pipelines.observe", type(spec).__module__, spec.reader.__module__), inputs, {})


def refresh_source(
    warehouse: Warehouse, spec: SourceSpec, held: Held, fetcher: Fetcher | None, now: Now = utc_now
) -> tuple[SourceOutcome, Observed]:
    """Ask one source (unless there is no fetcher), archive what it answered, and observe what is held of it.

    Args:
        warehouse: the writer, open; nothing counts before its transaction ends.
        spec: the source.
        held: its founding rows and the archive.
        fetcher: the way to the network; None observes without asking.
        now: the clock.

    Raises:
        Refused: a founding fact of this installation breaks a rule.

    """
    asked = capture_source(warehouse, held.archive, spec, fetcher, now) if fetcher else Captured(spec.source)
    key = source_key(spec, held.folder, held.rows, warehouse.con)
    observed = observe(warehouse, spec, held, key)
    return _outcome(asked, observed), observed


def _outcome(asked: Captured, observed: Observed) -> SourceOutcome:
    # What the guards on bytes refused, and what was refused before and is served again, observing did not meet.
    again = [f"{a.answer}: {a.why}" for a in asked.answers if a.status == "refused"]
    told = {line.partition(": ")[0] for line in observed.refused}
    rest = [line for line in dict.fromkeys([*again, *observed.standing]) if line.partition(": ")[0] not in told]
    refused = [*observed.refused, *rest]
    outcome = "failed" if asked.failures else "refused" if refused else "changed" if observed.changed else "unchanged"
    return SourceOutcome(
        observed.source,
        outcome,
        asked.requests,
        asked.received,
        observed.captures,
        sum(c.added for c in observed.counts),
        sum(c.revised for c in observed.counts),
        sum(c.withdrawn for c in observed.counts),
        refused,
        asked.failures,
        list(dict.fromkeys(observed.warnings)),
    )


def of_one_source(error: LongwaveError) -> bool:
    """Whether an error concerns one source alone, so that the others go on: not a full disk, nor a founding fact."""
    return not isinstance(error, Refused | UnusableHome | Busy)


def refresh_sources(
    home: Home, founding: Path, sources: Iterable[str], fetcher: Fetcher, now: Now = utc_now
) -> list[SourceOutcome]:
    """Refresh sources in order, without the orchestrator; the caller holds the run lock."""
    archive, rows = Archive(home.archive), held_originals(founding)
    with Warehouse(home) as warehouse:
        recover(warehouse, archive)
    outcomes = []
    for source in sources:
        held = Held(founding, [row for row in rows if row.source == source], archive)
        try:
            with Warehouse(home) as warehouse:
                outcomes.append(refresh_source(warehouse, SOURCES[source], held, fetcher, now)[0])
        except LongwaveError as error:
            if not of_one_source(error):
                raise
            outcomes.append(SourceOutcome(source, "failed", failures=[str(error)]))
    return outcomes


def recover_vintages(
    home: Home, spec: SourceSpec, fetcher: Fetcher, years: wayback.Years, say: Callable[[str], None]
) -> Captured:
    """Bring past vintages of a source from a web archive; each is kept as it comes, so that a killed run resumes.

    Args:
        home: the installation.
        spec: the source.
        fetcher: the way to the network.
        years: which years.
        say: told of each capture.

    """
    archive, result = Archive(home.archive), Captured(spec.source)
    for endpoint in spec.endpoints:
        url = wayback.address_of(endpoint)
        if url is None:
            result.failures.append(
                f"{spec.source}: {endpoint.parts[0].url}: its address changes from day to day, so a web archive cannot be "
                "asked for it"
            )
            continue
        try:
            times = _missing(home, spec, endpoint.measure, wayback.listed(fetcher, url, years))
        except FetchFailed as failure:
            result.failures.append(str(failure))
            continue
        for came in wayback.captures(fetcher, spec, endpoint, times):
            if isinstance(came, FetchFailed):
                result.failures.append(str(came))
                continue
            try:
                with Warehouse(home) as warehouse:
                    result.add(came, keep(warehouse, archive, spec, came))
            except (NotArchivable, ArchiveDamaged) as error:
                result.failures.append(str(error))
                continue
            say(f"{spec.source}: {came.served_at:%Y-%m-%d} recovered")
    return result


def _missing(home: Home, spec: SourceSpec, measure: str, times: Sequence[datetime]) -> list[datetime]:
    with Warehouse(home) as warehouse:
        held = {a.served_at for a in index.answers_of(warehouse.con, spec.source) if a.measure == measure}
    return [time for time in times if time not in held]


# --- what a person asks for


def chosen(names: Sequence[str]) -> list[str]:
    """The sources named, each with an endpoint to ask; all that have one where none is named.

    Raises:
        LongwaveError: a name that no source has, or a source that nothing can be asked of.

    """
    unknown = [name for name in names if name not in SOURCES]
    if unknown:
        known = ", ".join(sorted(SOURCES))
        raise UnknownSource(f"no source is called {', '.join(unknown)}; the sources are {known}")
    silent = [name for name in names if not SOURCES[name].endpoints]
    if silent:
        raise UnknownSource(
            f"{', '.join(silent)}: nothing to ask; its figures are embedded and its publisher has ended it"
        )
    return list(dict.fromkeys(names)) or [name for name, spec in SOURCES.items() if spec.endpoints]


def recoverable(sources: Sequence[str]) -> list[str]:
    """Those of the sources that a web archive can be asked for: an address that is the same every day."""
    return [s for s in sources if any(wayback.address_of(endpoint) for endpoint in SOURCES[s].endpoints)]


def planned(home: Home, sources: Sequence[str], day: date, years: wayback.Years | None = None) -> list[str]:
    """What a refresh would ask, a line each, with when each source was last asked; asks nothing and writes nothing."""
    asked: Mapping[str, Mapping[str, Any]] = {}
    if home.read_copy.exists():
        with reader(home) as con:
            asked = index.sightings(con)
    lines = []
    for source in sources:
        last = asked.get(source, {}).get("last_asked")
        since = f"only if changed since {last:%Y-%m-%d}" if last else "for the first time"
        for endpoint in SOURCES[source].endpoints:
            if years is not None:
                url = wayback.address_of(endpoint)
                lines += (
                    [f"{source}: GET {wayback.index_address(url, years)}, and each capture it lists"] if url else []
                )
                continue
            lines += [f"{source}: {part.name}: GET {part.address(day)} ({since})" for part in endpoint.parts]
            if endpoint.further is not None:
                lines.append(f"{source}: and the further pages that the first one names")
    return lines


def summarise(
    run: str,
    sources: Sequence[str],
    outcomes: Sequence[SourceOutcome],
    seconds: float,
    house: Mapping[str, Any],
) -> dict[str, Any]:
    """The run's summary: how it was asked, and each source's outcome, those not reached included. JSON, for `--retry`."""
    done = {outcome.source for outcome in outcomes}
    rest = [SourceOutcome(source, "not reached") for source in sources if source not in done]
    return {
        "version": 1,
        "command": "refresh",
        "run": run,
        "seconds": round(seconds, 3),
        "from_archive": house.get("from_archive", ""),
        "per_year": bool(house.get("per_year", False)),
        "sources": [asdict(outcome) for outcome in [*outcomes, *rest]],
    }


def to_retry(path: Path) -> tuple[list[str], str, bool]:
    """From a summary: the sources that failed, were refused or not reached, and the years and cadence of a recovery.

    Raises:
        UnknownSource: the file is no summary of a refresh.

    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        summary: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if summary["command"] == "refresh":
            names = [
                row["source"] for row in summary["sources"] if row["outcome"] in AGAIN and row["source"] in SOURCES
            ]
            return names, str(summary["from_archive"]), bool(summary["per_year"])
    raise UnknownSource(
        f"{path} is no summary of a refresh; they lie in runs/ of LONGWAVE_HOME, and name their command"
    )

"""A year of schedules with the clock set forward tick by tick: sources grow, fail, vanish, are refused and come back.

What must come of each tick is worked out here by plain bookkeeping, from the script alone: outcome of each source, what the
archive grows by, which alerts begin and end on which day, and of which sources what follows is found anew.
"""

import gzip
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import test_twice as twice
from longwave.pipelines.alerts import after_run, read_state
from longwave.pipelines.automation import touched_by
from longwave.pipelines.ledger import Record
from longwave.pipelines.sources import SOURCES
from longwave.warehouse import answers as index
from longwave.warehouse.store import Warehouse, reader

made = twice.made

FIRST = date(2027, 1, 1)
PAGE = b"<!doctype html><html><body><h1>We are improving our service</h1></body></html>"
LATE_AFTER = {"weekly": 15, "monthly": 63, "yearly": 733}  # two cycles and a day


def months(day):
    return (day.year - FIRST.year) * 12 + day.month - FIRST.month


def grown(body, day):
    """StatCounter's table with a row more for each month since the year began, and last year's rows as they were."""
    *_, last = body.decode().rstrip("\n").split("\n")
    shares = last.split(",")[1:]
    rows = [f"{2023 + (5 + n) // 12}-{(5 + n) % 12 + 1:02d}," + ",".join(shares) for n in range(months(day) + 1)]
    return body.rstrip(b"\n") + "".join(f"\n{row}" for row in rows).encode() + b"\n"


def listed(body, day):
    """Wikipedia's list, renewed on the first look of each month: another day, another count."""
    stated = day.replace(day=1) - timedelta(days=1)
    counted = body.replace(b"<td>517</td>", f"<td>{517 + months(day)}</td>".encode())
    return counted.replace(b"21&nbsp;September&nbsp;2026", f"{stated:%-d}&nbsp;{stated:%B}&nbsp;{stated.year}".encode())


def renewed(body, day):
    """SCImago's ranks, which say of which year they are: in February, of the year before the last."""
    return body.replace(b"(2024)", f"({day.year - 2})".encode())


# What a source does from one day to another, the first of which counts; everything else answers as it always did.
SCRIPT = {
    "statcounter_social_jp": [("fails", date(2027, 3, 1), date(2027, 8, 1))],
    "statcounter_social_kr": [("vanishes", date(2027, 2, 1), date(2027, 10, 1))],
    "statcounter_social_us": [
        ("page", date(2027, 2, 1), date(2027, 3, 1)),
        ("page", date(2027, 9, 1), date(2027, 11, 1)),
    ],
    "grapher_mobile": [("cut", date(2027, 6, 1), date(2027, 7, 1))],
    "pew_platforms": [("fails", date(2027, 2, 1), date(2027, 3, 1))],
}
GROWING = {"scimago": renewed, "statcounter_social_gb": grown, "wikipedia_youtube": listed}


def starts(cron, day):
    """When a schedule starts on a day, None where it does not; its fields are numbers or stars."""
    minute, hour, *fields = cron.split()
    if any(
        field not in ("*", str(n)) for field, n in zip(fields, (day.day, day.month, day.isoweekday() % 7), strict=True)
    ):
        return None
    return datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=UTC)


def state_of(source, day):
    return next((what for what, start, end in SCRIPT.get(source, ()) if start <= day < end), "well")


@dataclass
class Expected:
    """The bookkeeping: what was last taken from a source, and since when something is the matter with it."""

    last: dict = field(default_factory=dict)
    body: dict = field(default_factory=dict)
    edition: dict = field(default_factory=dict)
    stored: dict = field(default_factory=dict)
    refused_since: dict = field(default_factory=dict)
    standing: set = field(default_factory=set)

    def ask(self, source, day, bodies):
        """The outcome of asking a source, and the bytes that have to be kept."""
        state = state_of(source, day)
        if state in ("fails", "vanishes"):
            return "failed", 0
        self.last[source] = day
        kept = 0
        for name, body in bodies.items():
            # Bytes that were seen before, whenever that was, are kept once.
            seen = self.stored.setdefault((source, name), set())
            kept += 0 if body in seen else len(gzip.compress(body))
            seen.add(body)
        if state != "well":
            self.refused_since.setdefault(source, day)
            return "refused", kept
        self.refused_since.pop(source, None)
        # A new edition of what tells which rows are carried forward has a source read anew, and here changes nothing in it.
        edition = self.body.get(SOURCES[source].reference)
        reread, changed = self.edition.get(source) != edition, self.body.get(source) != bodies
        self.edition[source], self.body[source] = edition, bodies
        if reread and not changed:
            return "read anew", kept
        return ("changed" if changed else "unchanged"), kept

    def alerts(self, day):
        """Alerts that begin and that are over on a day, as (state, kind, source)."""
        now = {("refused capture", source) for source in self.refused_since}
        for source, last in self.last.items():
            if day >= last + timedelta(days=LATE_AFTER[SOURCES[source].refresh]):
                now.add(("stale source", source))
        begun = {("begun", *alert) for alert in now - self.standing}
        over = {("over", *alert) for alert in self.standing - now}
        self.standing = now
        return begun | over


class Year:
    """A home whose schedules tick: every source of `sources` is asked on its own days, over a publisher on loopback."""

    def __init__(self, world, reply, monkeypatch, definitions, sources):
        monkeypatch.setenv("LONGWAVE_HOME", str(world.home.root))
        self.world, self.reply, self.definitions = world, reply, definitions
        self.sources, self.expected = sources, Expected()
        world.home.prepare()
        world.day = datetime(2027, 1, 1, tzinfo=UTC)
        self.endpoints = {}
        for source in sources:
            twice.serve(world, reply, monkeypatch, source)
            self.endpoints[source] = SOURCES[source].endpoints
        self.sensor = next(s for s in definitions.sensors if s.name == "changed_captures")
        self.instance, self.cursor = dg.DagsterInstance.ephemeral(), None
        self.outcomes, self.alerts, self.runs, self.kept = Counter(), [], [], 0

    def ticks(self, days):
        """(time, schedule) of every tick of the refresh schedules as they are declared, in order."""
        schedules = [schedule for schedule in self.definitions.schedules if schedule.name != "monthly"]
        coming = [FIRST + timedelta(days=n) for n in range(days)]
        ticks = [(starts(s.cron_schedule, day), s.name.removeprefix("refresh_")) for s in schedules for day in coming]
        return sorted((time, cycle) for time, cycle in ticks if time is not None)

    def bodies(self, source, day):
        """What a source serves on a day, by endpoint and part; puts it at its addresses."""
        found = {}
        for endpoint in self.endpoints[source]:
            first = (twice.EXCERPTS / twice.RESPONSES[(source, endpoint.measure, "data")]).read_bytes()
            further = endpoint.further(day, first) if endpoint.further else ()
            for part in (*endpoint.parts, *further):
                body = (twice.EXCERPTS / twice.RESPONSES[(source, endpoint.measure, part.name)]).read_bytes()
                body = GROWING[source](body, day) if source in GROWING else body
                state = state_of(source, day)
                body = (
                    PAGE
                    if state == "page"
                    else body[: len(body) // 2]
                    if state == "cut" and part.name == "data"
                    else body
                )
                status = {"fails": 503, "vanishes": 404}.get(state, 200)
                answer = self.reply(
                    body, type="text/html" if state == "page" else twice.TYPES[part.form], status=status
                )
                self.world.serve(answer, url=part.address(day))
                found[f"{endpoint.measure} {part.name}"] = body
        return found

    def tick(self, time, cycle):
        """Ask the sources of one cycle; everything that came of it is what the bookkeeping says."""
        day, told = time.date(), {}
        self.world.day = time
        asked = [source for source in self.sources if SOURCES[source].refresh == cycle]
        before, grew, records = self.bytes(), 0, len(self.world.records())
        for source in asked:
            bodies = self.bodies(source, day)
            outcome, kept = self.expected.ask(source, day, bodies)
            found = self.refresh(source)
            assert found.outcome == {"read anew": "changed"}.get(outcome, outcome), (day, source, found.line)
            told[source], grew = outcome, grew + kept
            self.outcomes[outcome] += 1
        self.kept += grew
        # Beside the bodies a record has its headers, and an answer a manifest: no more than two thousand bytes each.
        more = len(self.world.records()) - records
        assert grew * 0.95 <= self.bytes() - before <= grew * 1.05 + 2_000 * more, day
        self.told(day, self.expected.alerts(day))
        self.found(day, {source for source, outcome in told.items() if outcome == "changed"})

    def refresh(self, source):
        day = self.world.day
        options = {"now": lambda: day, "sleep": lambda seconds: None}
        home, founding = self.world.home, self.world.founding
        fetcher = self.world.fetcher(**options)
        try:
            return made.refresh_sources(home, founding, [source], fetcher, lambda: day)[0]
        finally:
            fetcher.close()

    def bytes(self):
        return sum(path.stat().st_size for path in self.world.home.archive.rglob("*") if path.suffix != ".cdxj")

    def told(self, day, expected):
        """The alerts of a run on this day are those that were worked out."""
        before = {alert.key for alert in self.standing()}
        with reader(self.world.home) as con:
            state = after_run(self.world.home, con, Record(f"run-{day}", "refresh"), "", day)
        now = {alert.key: alert for alert in state.standing.values()}
        changes = {("begun", key) for key in now.keys() - before} | {("over", key) for key in before - now.keys()}
        assert changes == {(what, f"{kind}/{source}") for what, kind, source in expected}, day
        self.alerts += [(str(day), *change) for change in sorted(changes)]

    def standing(self):
        return read_state(self.world.home).standing.values()

    def found(self, day, changed):
        """What follows is asked for exactly where a capture changed, and all that follows from it."""
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, definitions=self.definitions)
        answer = self.sensor(context)
        if isinstance(answer, dg.SkipReason):
            assert not changed, (day, changed, answer.skip_message)
            return
        first, self.cursor = self.cursor is None, answer.cursor
        (request,) = answer.run_requests
        assert changed, day
        if not first:
            assert request.tags["longwave/changed"] == ",".join(sorted(changed))[:200], day
            assert request.asset_selection == touched_by(sorted(changed), self.definitions.resolve_asset_graph()), day
        self.runs.append((str(day), sorted(changed)))

    def ends_well(self):
        """The archive verifies, and holds an answer for each that was taken, dated in the order in which they came."""
        assert self.world.broken() == []
        with Warehouse(self.world.home) as warehouse:
            for source in self.sources:
                held = index.answers_of(warehouse.con, source)
                served = [answer.served_at for answer in sorted(held, key=lambda answer: answer.order)]
                assert served == sorted(served)

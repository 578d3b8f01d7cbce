"""A source made for the tests of capture, its table, and a home that asks it on days of the test's choosing."""

from datetime import UTC, datetime, timedelta

from longwave.pipelines.refresh import refresh_sources
from longwave.pipelines.sources._spec import SourceSpec, one_request
from longwave.pipelines.sources._table import decode, from_years, numbers, read_table, years
from longwave.warehouse import answers as index
from longwave.warehouse.archive import Archive
from longwave.warehouse.archive_check import verify_archive
from longwave.warehouse.founding_files import OriginalRow
from longwave.warehouse.store import Warehouse, reader
from longwave.warehouse.tidy import Measure, tidy
from warcio.checker import Checker

URL = "https://figures.example.org/made.csv"
FIRST = datetime(2025, 3, 1, 9, 0, 0, tzinfo=UTC)
PLACES = [
    "AUT",
    "BEL",
    "BRA",
    "CAN",
    "DEU",
    "ESP",
    "FRA",
    "GBR",
    "IRQ",
    "ITA",
    "JPN",
    "NAM",
    "NLD",
    "POL",
    "SWE",
    "USA",
]
MEASURE = Measure("users_share", "internet", "users_share", "percent", "individuals", "population", 0, 100)


def read(_, original):
    name = original.name
    table = read_table(name, decode(name, original.data), ["Entity", "Code", "Year", "Share"])
    table = years(name, numbers(name, table, "Share"), "Year")
    columns = {"Entity": "entity", "Code": "code", "Year": "year", "Share": "value"}
    return tidy(from_years(table.rename(columns), "users_share"))


SPEC = SourceSpec(
    source="made",
    title="Made for the tests",
    publisher="Nobody",
    homepage="https://figures.example.org",
    url=URL,
    allowed_hosts=("figures.example.org",),
    licence="CC0 1.0",
    citation="Nobody (2025)",
    cadence="yearly",
    media_type="text/csv",
    measures=(MEASURE,),
    reader=read,
    proven_on=None,
    endpoints=one_request(URL, "csv"),
)


def table(change=lambda rows: rows, header="Entity,Code,Year,Share", end="\n", separator=",", first=2015):
    """A table of 16 countries over six years, changed."""
    rows = [[code, code, str(first + n), f"{i + 3 * n + 0.5}"] for i, code in enumerate(PLACES) for n in range(6)]
    return end.join([header, *[separator.join(row) for row in change(rows)]]) + end


GOOD = table()


class World:
    """A home, a publisher on loopback, and days on which it is asked."""

    def __init__(self, home, server, fetcher, founding):
        self.home, self.server, self.fetcher, self.founding = home, server, fetcher, founding
        self.day = FIRST

    def serve(self, *replies, url=URL):
        self.server.publish(url, *replies)

    def refresh(self, days=1, sources=("made",), **options):
        """Ask on a later day; the outcome of the one source."""
        self.day += timedelta(days=days)
        day = self.day
        found = refresh_sources(
            self.home, self.founding, sources, self.fetcher(now=lambda: day, **options), lambda: day
        )
        assert self.broken() == []
        return found[0]

    def broken(self):
        """What is wrong with the archive, by our own check and by the tool that everybody has."""
        with Warehouse(self.home) as warehouse:
            known = index.records(warehouse.con)
        problems = verify_archive(self.home.archive, known)
        for path in Archive(self.home.archive).files():
            checker = Checker(Arguments(path))
            checker.process_all()
            problems += [f"warcio check {path}"] if checker.exit_value else []
        return problems

    def values(self):
        """Every value that stands, by code and year."""
        with reader(self.home) as con:
            return {
                (code, year): value
                for code, year, value in con.execute("SELECT code, year, value FROM observations").fetchall()
            }

    def tables(self):
        with Warehouse(self.home) as warehouse:
            return {
                name: warehouse.con.execute(f"SELECT * EXCLUDE (recorded_at) FROM {name} ORDER BY ALL").fetchall()
                for name in ("observation_versions", "captures")
            }

    def answers(self):
        with Warehouse(self.home) as warehouse:
            return index.answers_of(warehouse.con, "made")

    def records(self, kind=None):
        with Warehouse(self.home) as warehouse:
            return [r for r in index.records(warehouse.con) if kind in (None, r.record_type)]


class Arguments:
    """What warcio's checker takes from its command line."""

    def __init__(self, path):
        self.inputs, self.verbose = [str(path)], False


def empty_founding(folder):
    """Founding facts without a fact."""
    folder.mkdir()
    (folder / "originals.csv").write_text(",".join(OriginalRow.__dataclass_fields__) + "\n")
    return folder

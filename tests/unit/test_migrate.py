"""A warehouse that an older version wrote: brought forward by the writer, whole or not at all, refused by readers until then.

`warehouse-format-1.duckdb.xz` was written by the last version of format 1, that of format 2 by the last of format 2: the same
three captures of two sources.
"""

import lzma
from pathlib import Path

import duckdb
import pytest
from longwave.warehouse import migrate
from longwave.warehouse.ask import ask
from longwave.warehouse.errors import UnusableHome
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse, renew_read_copy
from longwave.warehouse.tables import SCHEMA_VERSION

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
SOURCE = "grapher_internet_share"
KEPT = ("captures", "series", "observation_versions", "steps")
AS_OF = {
    "2022-12-31": [("Iraq", 2015, 58.0), ("Iraq", 2016, 60.0), ("Namibia", 2015, 25.7)],
    "2023-04-12": [("Iraq", 2015, 16.8), ("Iraq", 2016, 60.0), ("Namibia", 2015, 25.7), ("Namibia", 2016, 31.0)],
}


def unpacked(folder, version):
    home = Home(folder / "old")
    home.root.mkdir()
    packed = FIXTURES / f"warehouse-format-{version}.duckdb.xz"
    home.warehouse.write_bytes(lzma.decompress(packed.read_bytes()))
    renew_read_copy(home)
    return home


@pytest.fixture(params=sorted(migrate.MIGRATIONS))
def old(request, tmp_path):
    """A home that an older version made, with its readers' copy; of every older format."""
    return unpacked(tmp_path, request.param)


@pytest.fixture
def first(tmp_path):
    """A home of the first format."""
    return unpacked(tmp_path, 1)


def rows(home, table):
    with duckdb.connect(str(home.warehouse), read_only=True) as con:
        return con.execute(f'SELECT * FROM "{table}" ORDER BY ALL').fetchall()


def declared(home):
    """Every table with its columns, types, nullability and key, by plain DuckDB."""
    with duckdb.connect(str(home.warehouse), read_only=True) as con:
        names = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {name: con.execute(f'DESCRIBE "{name}"').fetchall() for name in names}


def iraq(home, as_of=None):
    sql = f"SELECT adopter, year, value FROM observations WHERE source = '{SOURCE}' ORDER BY ALL"
    return ask(home, sql, as_of)[1]


def bring_forward(home):
    with Warehouse(home) as warehouse:
        assert warehouse.read("SELECT version FROM longwave_version")["version"].to_list() == [SCHEMA_VERSION]


def test_there_is_a_way_from_every_older_format_and_a_fixture_of_each():
    assert sorted(migrate.MIGRATIONS) == list(range(1, SCHEMA_VERSION))
    assert sorted(path.name for path in FIXTURES.glob("warehouse-format-*")) == [
        f"warehouse-format-{number}.duckdb.xz" for number in migrate.MIGRATIONS
    ]


def test_every_row_is_kept(old):
    before = {name: rows(old, name) for name in KEPT}
    scope = rows(old, "capture_scope")
    assert len(before["observation_versions"]) == 7
    bring_forward(old)
    assert {name: rows(old, name) for name in KEPT} == before
    # The first format knew no span of periods.
    assert rows(old, "capture_scope") == [(*row, None, None)[:5] for row in scope]


def test_the_tables_are_those_of_a_new_warehouse(old, made_home):
    bring_forward(old)
    assert declared(old) == declared(made_home)


@pytest.mark.parametrize("as_of", AS_OF)
def test_as_of_a_date_gives_what_it_gave(old, as_of):
    with duckdb.connect(str(old.warehouse), read_only=True) as con:
        con.execute("SET VARIABLE as_of = ?::DATE", [as_of])
        sql = f"SELECT adopter, year, value FROM observations WHERE source = '{SOURCE}' ORDER BY ALL"
        assert con.execute(sql).fetchall() == AS_OF[as_of], "as the older version answered"
    bring_forward(old)
    assert iraq(old, as_of) == AS_OF[as_of]


def test_it_takes_new_captures_before_and_after_those_it_has(old, record):
    with Warehouse(old) as warehouse:
        late = record(warehouse, SOURCE, "2023-01-01", {("Iraq", 2015): 44.0})
        new = record(warehouse, SOURCE, "2025-01-01", {("Iraq", 2015): 15.2})
    assert (late.added, late.revised, late.withdrawn) == (0, 1, 2)
    assert (new.added, new.revised, new.withdrawn) == (0, 1, 3)
    assert iraq(old) == [("Iraq", 2015, 15.2)]
    assert iraq(old, "2023-02-01") == [("Iraq", 2015, 44.0)]
    assert iraq(old, "2022-12-31") == AS_OF["2022-12-31"]
    assert iraq(old, "2024-01-01") == AS_OF["2023-04-12"]


def test_a_readers_copy_of_the_older_format_says_what_to_do_until_a_writer_came(old):
    with pytest.raises(UnusableHome, match=r"warehouse\.read\.duckdb has format \d.*Run `longwave run` once"):
        iraq(old)
    bring_forward(old)
    assert iraq(old) == AS_OF["2023-04-12"]


def test_a_run_that_fails_after_it_leaves_the_copy_to_the_next(old, record):
    with pytest.raises(KeyError), Warehouse(old) as warehouse:
        record(warehouse, "no such source", "2025-01-01", {("Iraq", 2015): 15.2})
    assert rows(old, "longwave_version") == [(SCHEMA_VERSION,)]
    bring_forward(old)
    assert iraq(old) == AS_OF["2023-04-12"]


def spoil(home, statement):
    with duckdb.connect(str(home.warehouse)) as con:
        con.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE answers AS SELECT 1 AS theirs",
        "DROP TABLE capture_scope",
        "ALTER TABLE capture_scope ADD COLUMN period_to DATE",
    ],
    ids=["a table in the way", "a table missing", "half brought forward"],
)
def test_a_step_that_fails_leaves_the_file_as_it_was(first, statement):
    spoil(first, statement)
    tables = declared(first)
    held = {name: rows(first, name) for name in tables}
    with pytest.raises(UnusableHome, match=r"from format 1 to format 2: .*put a backup"), Warehouse(first):
        pass
    assert declared(first) == tables
    assert {name: rows(first, name) for name in tables} == held


def test_an_error_between_the_steps_and_the_commit_leaves_the_file_as_it_was(first, monkeypatch):
    """The facts and views are loaded in the same transaction: without them the new format is not there either."""
    tables = declared(first)
    monkeypatch.setattr("longwave.warehouse.store.VIEWS", ("CREATE VIEW observations AS SELECT nonsense FROM nowhere",))
    with pytest.raises(duckdb.Error), Warehouse(first):
        pass
    assert declared(first) == tables
    assert rows(first, "longwave_version") == [(1,)]


@pytest.mark.parametrize("change", ["UPDATE longwave_version SET version = 0", "DELETE FROM longwave_version"])
def test_a_format_that_no_version_wrote_is_refused(first, change):
    spoil(first, change)
    renew_read_copy(first)
    for use in (bring_forward, iraq):
        with pytest.raises(UnusableHome, match="format 0, which no version wrote"):
            use(first)

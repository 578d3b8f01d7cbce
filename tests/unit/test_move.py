"""Moving a home: what comes out of an import is what went into the export, or nothing; any flipped bit is found."""

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
from datetime import date

import duckdb
import fake_archive as fake
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longwave.warehouse import move
from longwave.warehouse.archive import Archive
from longwave.warehouse.archive_check import verify_archive
from longwave.warehouse.ask import ask
from longwave.warehouse.errors import LongwaveError, UnusableHome
from longwave.warehouse.home import Home
from longwave.warehouse.move import FORMAT, MANIFEST, SEAL, NotAnExport, export_home, finish_import, import_home
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tables import SCHEMA_VERSION, polars_schema

VERDICTS = [("authority_fades", 1, "undecided"), ("authority_fades", 2, "supported")]


def verdict(claim, nth, word):
    """A row of the registry's history."""
    row = {"claim": claim, "nth": nth, "decided_on": date(2026, 1, nth), "verdict": word, "result": "{}"}
    return pl.DataFrame([row], schema=polars_schema("verdicts"))


def fill(home):
    """A history of verdicts, an archive, and a user's own file of a name that is not ASCII and long."""
    with Warehouse(home) as warehouse:
        for row in VERDICTS:
            warehouse.insert("verdicts", verdict(*row))
    fake.fill(home.archive)
    own = home.local / "mine" / f"Hörer {'x' * 120}.csv"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"year,value\n1930,1\n")
    (own.parent / "empty.csv").touch()


@pytest.fixture
def full(made_home):
    fill(made_home)
    return made_home


@pytest.fixture
def exported(full, tmp_path):
    file = tmp_path / "backup.tar"
    export_home(full, file)
    return file


@pytest.fixture
def empty(tmp_path):
    """A home as a run that holds the lock finds it."""
    home = Home(tmp_path / "elsewhere").prepare()
    home.lock.touch()
    return home


def contents(home):
    """Everything that is moved, with its bytes."""
    names = [home.warehouse, *home.archive.rglob("*"), *home.local.rglob("*")]
    return {path.relative_to(home.root).as_posix(): path.read_bytes() for path in names if path.is_file()}


def history(home):
    return ask(home, "SELECT claim, nth, verdict FROM verdicts ORDER BY ALL", None)[1]


def untouched(home):
    """Nothing was put into a home, and nothing is left of the attempt."""
    return sorted(path.name for path in home.root.iterdir()) == ["dagster", "run.lock", "runs"]


# --- there and back --------------------------------------------------------------------------------------------------


def test_what_was_exported_is_what_is_imported(full, exported, empty):
    before = contents(full)
    names = import_home(exported, empty)
    assert names == sorted(before)
    assert contents(empty) == before
    assert history(empty) == history(full) == VERDICTS
    assert sorted(path.name for path in empty.root.iterdir()) == sorted(
        ["archive", "local", "warehouse.duckdb", "warehouse.read.duckdb", "dagster", "run.lock", "runs"]
    )
    assert verify_archive(empty.archive, Archive(full.archive).recover({})) == []


def test_a_home_without_archive_or_own_files_moves_too(made_home, tmp_path, empty):
    assert export_home(made_home, tmp_path / "a.tar") == ["warehouse.duckdb"]
    assert import_home(tmp_path / "a.tar", empty) == ["warehouse.duckdb"]
    assert history(empty) == []


def test_a_home_whose_folder_is_not_there_yet_is_made(exported, tmp_path):
    home = Home(tmp_path / "a" / "b")
    import_home(exported, home)
    assert history(home) == VERDICTS


def test_an_imported_home_goes_on(exported, empty):
    import_home(exported, empty)
    with Warehouse(empty) as warehouse:
        warehouse.insert("verdicts", verdict("another", 1, "refuted"))
    assert history(empty) == [("another", 1, "refuted"), *VERDICTS]
    with pytest.raises(LongwaveError, match="already holds"):
        import_home(exported, empty)


def test_equal_homes_give_equal_files(full, exported, tmp_path):
    export_home(full, tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == exported.read_bytes()
    os.utime(full.archive / "hccta" / "hccta-2025.cdxj", (1, 1))
    (full.local / "mine" / "empty.csv").chmod(0o600)
    export_home(full, exported)
    assert (tmp_path / "again.tar").read_bytes() == exported.read_bytes(), "no times and no owners in it"
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_any_tool_unpacks_it_and_its_digests_can_be_checked_by_hand(full, exported, tmp_path):
    folder = tmp_path / "by hand"
    with tarfile.open(exported) as tar:
        names = tar.getnames()
        tar.extractall(folder, filter="data")
    assert (names[0], names[-1]) == (MANIFEST, SEAL)
    assert names[1:-1] == sorted(names[1:-1])
    listed = json.loads((folder / MANIFEST).read_text())
    assert listed["format"] == FORMAT
    for member in listed["members"]:
        data = (folder / member["name"]).read_bytes()
        assert (member["size"], member["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    ending = 2 * 512 + 2 * 512
    assert (folder / SEAL).read_text().strip() == hashlib.sha256(exported.read_bytes()[:-ending]).hexdigest()


def test_what_can_be_made_again_stays_behind(full, tmp_path):
    full.prepare()
    full.site.mkdir()
    (full.site / "index.html").write_text("x")
    (full.runs / "summary.json").write_text("{}")
    names = export_home(full, tmp_path / "b.tar")
    assert [name for name in names if name.startswith(("site", "runs", "dagster", "warehouse.read", "run.lock"))] == []


KILLED = """
import os, sys
import duckdb
con = duckdb.connect(sys.argv[1])
con.execute("SET checkpoint_threshold = '1TB'")
con.execute("INSERT INTO steps VALUES ('one', 'key', 'digest', TIMESTAMP '2026-01-01')")
os._exit(9)
"""


def test_what_a_killed_run_committed_is_in_the_export(full, tmp_path, empty):
    """The database keeps it in a log beside the file until the next one opens it."""
    subprocess.run([sys.executable, "-c", KILLED, str(full.warehouse)], check=False)
    assert full.warehouse.with_name("warehouse.duckdb.wal").is_file()
    export_home(full, tmp_path / "b.tar")
    import_home(tmp_path / "b.tar", empty)
    assert ask(empty, "SELECT step FROM steps", None)[1] == [("one",)]


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    """The folder of a home with an empty warehouse."""
    home = Home(tmp_path_factory.mktemp("blank") / "home")
    with Warehouse(home):
        pass
    return home.root


@settings(max_examples=12, deadline=None)
@given(
    files=st.dictionaries(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
            lambda name: name not in (".", "..")
        ),
        st.binary(max_size=2000) | st.sampled_from([bytes(511), bytes(512), bytes(513)]),
        max_size=4,
    )
)
def test_any_files_come_back(blank, tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("any")
    home, other = Home(folder / "home"), Home(folder / "other")
    shutil.copytree(blank, home.root)
    (home.local / "mine").mkdir(parents=True)
    for name, data in files.items():
        (home.local / "mine" / name).write_bytes(data)
    export_home(home, folder / "f.tar")
    import_home(folder / "f.tar", other)
    assert contents(other) == contents(home)
    shutil.rmtree(folder)


# --- what is not exported --------------------------------------------------------------------------------------------


def test_nothing_recorded_is_nothing_to_export(tmp_path, home):
    with pytest.raises(LongwaveError, match="nothing to export"):
        export_home(home, tmp_path / "a.tar")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inside", ["archive/b.tar", "local/b.tar", "warehouse.duckdb"])
def test_an_export_does_not_lie_in_what_it_holds(full, inside):
    before = contents(full)
    with pytest.raises(LongwaveError, match="lies among the files"):
        export_home(full, full.root / inside)
    assert contents(full) == before


def test_a_link_among_the_files_is_refused(full, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    (full.local / "mine" / "link.csv").symlink_to(secret)
    with pytest.raises(LongwaveError, match=r"link\.csv is a link"):
        export_home(full, tmp_path / "b.tar")
    (full.local / "mine" / "link.csv").unlink()
    os.mkfifo(full.local / "mine" / "pipe")
    with pytest.raises(LongwaveError, match="pipe is a link or a device"):
        export_home(full, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


def test_a_file_that_changes_under_the_export_is_noticed(full, tmp_path, monkeypatch):
    measured = move._measured

    def then_changed(home, name):
        member = measured(home, name)
        if name.endswith("hccta-2025.cdxj"):
            (home.root / name).write_bytes(b"other")
        return member

    monkeypatch.setattr(move, "_measured", then_changed)
    with pytest.raises(LongwaveError, match=r"hccta-2025\.cdxj changed while it was exported"):
        export_home(full, tmp_path / "b.tar")
    assert list(tmp_path.glob("b.tar*")) == []


LIMITED = """
import resource, signal, sys
from pathlib import Path
from longwave.warehouse.errors import UnusableHome
from longwave.warehouse.home import Home
from longwave.warehouse import move
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
try:
    getattr(move, sys.argv[1])(*(Home(Path(a[5:])) if a.startswith("home:") else Path(a) for a in sys.argv[2:4]))
except UnusableHome as error:
    print("UnusableHome:", error)
"""


def limited(function, *arguments, size):
    named = [f"home:{a.root}" if isinstance(a, Home) else str(a) for a in arguments]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, function, *named, str(size)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_disk_leaves_the_older_export(full, exported):
    before = exported.read_bytes()
    (full.local / "mine" / "more").write_bytes(bytes(100))
    assert limited("export_home", full, exported, size=100_000).startswith(f"UnusableHome: cannot write {exported}")
    assert exported.read_bytes() == before
    assert list(exported.parent.glob("*.part")) == []


def test_a_full_disk_leaves_the_home_empty(exported, empty):
    assert limited("import_home", exported, empty, size=100_000).startswith(f"UnusableHome: cannot write {empty.root}")
    assert untouched(empty)
    import_home(exported, empty)
    assert history(empty) == VERDICTS


def test_a_folder_that_is_not_there_is_a_clear_error(full, tmp_path):
    with pytest.raises(UnusableHome, match="No such file"):
        export_home(full, tmp_path / "none" / "b.tar")


# --- what is not imported --------------------------------------------------------------------------------------------


def refused(file, home, message, kind=NotAnExport):
    with pytest.raises(kind, match=message) as caught:
        import_home(file, home)
    assert str(file) in str(caught.value) or str(home.root) in str(caught.value)
    assert untouched(home)


@pytest.mark.parametrize("holding", ["archive/hccta/x", "local/mine/x", "warehouse.duckdb", "warehouse.read.duckdb"])
def test_a_home_that_holds_something_is_left_alone(exported, empty, holding):
    (empty.root / holding).parent.mkdir(parents=True, exist_ok=True)
    (empty.root / holding).write_text("theirs")
    before = sorted(empty.root.rglob("*"))
    with pytest.raises(LongwaveError, match=rf"already holds {holding.partition('/')[0]}; .*LONGWAVE_HOME=FOLDER"):
        import_home(exported, empty)
    assert sorted(empty.root.rglob("*")) == before
    assert (empty.root / holding).read_text() == "theirs"


def test_empty_folders_are_nothing(exported, empty):
    (empty.archive / "hccta").mkdir(parents=True)
    empty.local.mkdir()
    import_home(exported, empty)
    assert history(empty) == VERDICTS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no export of longwave"),
        (b"PK\x03\x04 a zip\n" * 100, "no export of longwave"),
        (bytes(10_240), "no export of longwave"),
        (b"year,value\n" * 500, "no export of longwave"),
    ],
)
def test_another_file_is_refused(tmp_path, empty, content, message):
    file = tmp_path / "other"
    file.write_bytes(content)
    refused(file, empty, message)


def test_a_tar_of_something_else_a_folder_and_no_file_are_refused(tmp_path, empty):
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(__file__, "test.py")
    refused(tmp_path / "other.tar", empty, "no export of longwave")
    refused(tmp_path / "none.tar", empty, "there is no file")
    refused(tmp_path, empty, "cannot read")


def test_a_file_cut_anywhere_is_refused(exported, empty, tmp_path):
    data = exported.read_bytes()
    rng = random.Random(3)
    sizes = [1, 511, 512, 1024, 5000, len(data) - 1, len(data) - 512, len(data) - 2048]
    for size in [*sizes, *(rng.randrange(len(data)) for _ in range(10))]:
        (tmp_path / "cut.tar").write_bytes(data[:size])
        refused(tmp_path / "cut.tar", empty, "damaged|cut short")
    (tmp_path / "cut.tar").write_bytes(data + b"\0")
    refused(tmp_path / "cut.tar", empty, "damaged")


def test_a_flipped_bit_is_found_wherever_it_is(exported, empty, tmp_path):
    """In every byte of the first and last header, of the list's beginning and the padding, and anywhere else."""
    data = exported.read_bytes()
    rng = random.Random(4)
    places = [
        *range(0, 700, 7),
        *range(len(data) - 2100, len(data), 13),
        *(rng.randrange(len(data)) for _ in range(60)),
    ]
    padding = data.index(b"\n]\n}\n") if b"\n]\n}\n" in data else data.index(b"}\n\0") + 4
    for byte in [*places, padding, padding + 3]:
        damaged = bytearray(data)
        damaged[byte] ^= 1 << rng.randrange(8)
        (tmp_path / "flipped.tar").write_bytes(damaged)
        with pytest.raises(NotAnExport):
            import_home(tmp_path / "flipped.tar", empty)
    assert untouched(empty)
    (tmp_path / "flipped.tar").write_bytes(data)
    import_home(tmp_path / "flipped.tar", empty)


# Sealed files that the project's own export would not make: what a guard behind the seal refuses.


def member(name, size=0, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info


def sealed(file, members, listed=None, form=FORMAT):
    """A file of (TarInfo, bytes) with list and seal that fit, or with another list."""
    if listed is None:
        digest = lambda data: hashlib.sha256(data).hexdigest()  # noqa: E731
        listed = [{"name": info.name, "size": len(data), "sha256": digest(data)} for info, data in members]
    text = json.dumps({"format": form, "members": listed}).encode()
    whole = b""
    for info, data in [(member(MANIFEST, len(text)), text), *members]:
        whole += info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % 512)
    seal = hashlib.sha256(whole).hexdigest().encode() + b"\n"
    info = member(SEAL, len(seal))
    file.write_bytes(whole + info.tobuf(tarfile.PAX_FORMAT) + seal + bytes(512 - len(seal)) + bytes(1024))
    return file


@pytest.fixture
def database(full):
    data = full.warehouse.read_bytes()
    return member("warehouse.duckdb", len(data)), data


def test_the_crafted_files_below_are_refused_for_what_is_wrong_with_them(tmp_path, database, empty):
    """One with nothing wrong is taken."""
    own = (member("local/mine/a.csv", 3), b"abc")
    assert import_home(sealed(tmp_path / "a.tar", [own, database]), empty) == ["local/mine/a.csv", "warehouse.duckdb"]


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "archive/../../outside",
        "/outside",
        "local//outside",
        "local/./outside",
        "local",
        "archive/",
        "site/index.html",
        "run.lock",
        "warehouse.read.duckdb",
        "warehouse.duckdb/x",
        "",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, database, empty, name):
    file = sealed(tmp_path / "a.tar", [(member(name, 3), b"abc"), database])
    refused(file, empty, "would lie outside")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, "warehouse.duckdb"),
        (tarfile.DIRTYPE, ""),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""),
        (tarfile.CONTTYPE, ""),
    ],
)
def test_what_is_no_plain_file_is_refused(tmp_path, database, empty, kind, link):
    file = sealed(tmp_path / "a.tar", [(member("local/mine/x", 0, kind, link), b""), database])
    refused(file, empty, "is a link, a folder or a device|members it lists")


def test_members_that_are_missing_more_or_twice_are_refused(tmp_path, database, empty):
    own = (member("local/mine/a.csv", 3), b"abc")
    entry = {"name": "local/mine/a.csv", "size": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    base = {"name": "warehouse.duckdb", "size": len(database[1]), "sha256": hashlib.sha256(database[1]).hexdigest()}
    refused(sealed(tmp_path / "1.tar", [own, database], [base]), empty, "missing or more")
    refused(sealed(tmp_path / "2.tar", [database], [entry, base]), empty, "missing or more")
    refused(sealed(tmp_path / "3.tar", [own, own, database], [entry, entry, base]), empty, "listed twice")
    refused(sealed(tmp_path / "4.tar", [database, own], [entry, base]), empty, "missing or more")
    refused(sealed(tmp_path / "5.tar", [own], [entry]), empty, "the warehouse is not listed")
    refused(sealed(tmp_path / "6.tar", [own, database], [entry | {"size": 4}, base]), empty, "size and SHA-256 listed")
    refused(
        sealed(tmp_path / "7.tar", [own, database], [entry | {"sha256": "0"}, base]), empty, "size and SHA-256 listed"
    )


@pytest.mark.parametrize("listed", [None, [], 3, "x", [3], [{"name": "a"}], {"members": []}])
def test_a_list_that_is_none_is_refused(tmp_path, database, empty, listed):
    text = json.dumps(listed if isinstance(listed, dict) else {"format": FORMAT, "members": listed})
    file = tmp_path / "a.tar"
    with tarfile.open(file, "w") as tar:
        tar.addfile(member(MANIFEST, len(text)), io.BytesIO(text.encode()))
    refused(file, empty, "list of members that cannot be read|damaged")


def test_a_newer_format_is_refused_by_name(tmp_path, database, empty):
    file = sealed(tmp_path / "a.tar", [database], form=FORMAT + 1)
    refused(file, empty, f"format {FORMAT + 1}, newer than the {FORMAT} this version knows; install the newer")


def test_a_newer_warehouse_and_none_at_all_are_refused(tmp_path, full, empty):
    with duckdb.connect(str(full.warehouse)) as con:
        con.execute("UPDATE longwave_version SET version = ?", [SCHEMA_VERSION + 1])
    data = full.warehouse.read_bytes()
    newer = sealed(tmp_path / "a.tar", [(member("warehouse.duckdb", len(data)), data)])
    refused(newer, empty, f"format {SCHEMA_VERSION + 1}, newer", UnusableHome)
    no_database = sealed(tmp_path / "b.tar", [(member("warehouse.duckdb", 4), b"none")])
    refused(no_database, empty, "warehouse in the export cannot be opened")


# --- killed ----------------------------------------------------------------------------------------------------------

KILL = """
import os, sys
from pathlib import Path
from longwave.warehouse.home import Home
from longwave.warehouse.move import import_home
left, rename = int(sys.argv[3]), Path.rename
def killed(self, target):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    return rename(self, target)
Path.rename = killed
import_home(Path(sys.argv[1]), Home(Path(sys.argv[2])))
"""


@pytest.mark.parametrize("renames", range(4))
def test_an_import_that_is_killed_is_nothing_or_all(full, exported, empty, renames):
    """Before the first rename nothing is decided; after it the next command brings it to its end."""
    arguments = [sys.executable, "-c", KILL, str(exported), str(empty.root), str(renames)]
    assert subprocess.run(arguments, check=False).returncode == 9
    if renames == 0:
        assert not empty.warehouse.exists()
        assert not empty.archive.exists()
        assert finish_import(empty) is None
    else:
        assert finish_import(empty) is not None
        assert contents(empty) == contents(full)
        assert history(empty) == VERDICTS
        shutil.rmtree(empty.root)
        empty.prepare()
        empty.lock.touch()
        assert subprocess.run(arguments, check=False).returncode == 9
    assert import_home(exported, empty) == sorted(contents(full)), "and the same import again succeeds"
    assert contents(empty) == contents(full)
    assert [path.name for path in empty.root.glob("import*")] == []
    assert finish_import(empty) is None


def test_a_decided_import_does_not_overwrite_what_came_in_between(exported, empty):
    arguments = [sys.executable, "-c", KILL, str(exported), str(empty.root), "1"]
    assert subprocess.run(arguments, check=False).returncode == 9
    empty.warehouse.write_text("another's")
    with pytest.raises(LongwaveError, match="stands in the way of an import; move it away"):
        finish_import(empty)
    assert empty.warehouse.read_text() == "another's"
    empty.warehouse.unlink()
    assert finish_import(empty) is not None
    assert history(empty) == VERDICTS

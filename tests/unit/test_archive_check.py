"""Any flipped bit of the archive is found and named, nothing sound is blamed, and no damage makes the check crash."""

import json
import random
import re
import shutil
import time
import zlib
from dataclasses import replace
from datetime import timedelta

import fake_archive as fake
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longwave.warehouse import archive_check, warc
from longwave.warehouse.archive import Archive, index_path
from longwave.warehouse.archive_check import verify_archive
from longwave.warehouse.exchange import StoredRecord
from warcio.checker import Checker

PROBLEM = re.compile(
    r"archive file [a-z]+/[a-z]+-20[0-9]{2}\.(warc\.gz|cdxj)(, record at [0-9]+)? \(source (grapher|hccta)\): ."
)


@pytest.fixture
def filled(tmp_path):
    return fake.fill(tmp_path / "archive")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """An archive to be copied: its folder, its rows, its files and their bytes."""
    archive, index = fake.fill(tmp_path_factory.mktemp("pristine") / "archive")
    files = [each for path in archive.files() for each in (path, index_path(path))]
    return archive.root, index.rows, {path.relative_to(archive.root): path.read_bytes() for path in files}


def flip(path, byte, bit):
    data = bytearray(path.read_bytes())
    data[byte] ^= 1 << bit
    path.write_bytes(data)


def test_a_sound_archive_has_no_problems(filled):
    archive, index = filled
    assert verify_archive(archive.root, index.rows) == []
    assert verify_archive(archive.root, None) == []
    naive = [replace(row, fetched_at=row.fetched_at.replace(tzinfo=None)) for row in index.rows]
    assert verify_archive(archive.root, naive) == [], "the database keeps UTC without a zone"


def test_an_archive_that_is_not_there_is_empty(tmp_path, filled):
    assert verify_archive(tmp_path / "none", []) == []
    missing = verify_archive(tmp_path / "none", filled[1].rows)
    assert len(missing) == 3
    assert all("is missing" in line for line in missing)


# --- flips -----------------------------------------------------------------------------------------------------------

# Where the second record of the first file is flipped: bytes from its beginning, or from its end.
PLACES = {
    "gzip magic": 0,
    "gzip method": 2,
    "gzip flags": 3,
    "gzip time": 5,
    "gzip level": 8,
    "gzip system": 9,
    "the fields": 60,
    "the body": 400,
    "near the end": -20,
    "the checksum": -6,
    "the size": -1,
}


@pytest.mark.parametrize("bit", [0, 6])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("witnesses", ["the warehouse", "the index alone"])
def test_a_flip_in_a_record_names_file_record_and_source(filled, place, bit, witnesses):
    archive, index = filled
    row = index.rows[1]
    at = row.offset + PLACES[place] + (row.length if PLACES[place] < 0 else 0)
    flip(archive.root / row.file, at, bit)
    problems = verify_archive(archive.root, index.rows if witnesses == "the warehouse" else None)
    assert problems
    assert all(PROBLEM.match(line) for line in problems), problems
    assert any(
        line.startswith(f"archive file {row.file}, record at {row.offset} (source grapher)") for line in problems
    )
    others = [line for line in problems if f"record at {row.offset} " not in line]
    assert all(row.record in line for line in others), "only what refers to it is named beside it"


def test_flips_in_gzip_headers_pass_another_tools_check(filled):
    """So that the digest of the stored bytes is needed: time, level and system of a gzip header are in no checksum."""
    archive, index = filled
    path = archive.root / index.rows[1].file
    for byte in (4, 5, 6, 7, 8, 9):
        before = path.read_bytes()
        flip(path, index.rows[1].offset + byte, 3)
        command = type("Command", (), {"inputs": [str(path)], "verbose": False})
        assert Checker(command).process_all() == 0
        assert len(verify_archive(archive.root, None)) > 0
        path.write_bytes(before)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("sought", [b"org,example", b'"offset"', b'"stored_sha256": "', b"\n", b"T09:30", b"{"])
def test_a_flip_in_an_index_line_names_its_record(filled, sought, known):
    archive, index = filled
    path = index_path(archive.root / index.rows[1].file)
    lines = path.read_bytes()
    flip(path, lines.index(sought, lines.index(b"\n") + 1) + len(sought) - 1, 1)
    problems = verify_archive(archive.root, index.rows if known else None)
    assert any(f"grapher-2025.cdxj, record at {index.rows[1].offset} (source grapher)" in line for line in problems)
    assert all(PROBLEM.match(line) for line in problems), problems
    assert "grapher-2025.warc.gz" not in "".join(line for line in problems if "stored bytes" not in line)


def test_a_flip_of_the_last_newline_of_an_index_is_found(filled):
    archive, index = filled
    path = index_path(archive.root / index.rows[1].file)
    for bit in range(8):
        flip(path, -1, bit)
        assert verify_archive(archive.root, index.rows) != []
        assert verify_archive(archive.root, None) != []
        flip(path, -1, bit)
    assert verify_archive(archive.root, index.rows) == []


def changed(value):
    """Another value of the kind."""
    if isinstance(value, int):
        return value ^ 1
    if value is None or isinstance(value, str):
        return f"{value or ''}x"
    return value + timedelta(microseconds=1)


@pytest.mark.parametrize("name", list(StoredRecord.__dataclass_fields__))
def test_a_row_of_the_warehouse_that_differs_is_found(filled, name):
    archive, index = filled
    row = index.rows[1]
    rows = [replace(r, **{name: changed(getattr(r, name))}) if r is row else r for r in index.rows]
    problems = verify_archive(archive.root, rows)
    assert problems
    if name not in ("file", "offset"):
        assert any(f"record at {row.offset} (source" in line for line in problems)
        assert any(name in line or "SHA-256 recorded" in line for line in problems)


def test_random_flips_are_found_every_one(pristine, tmp_path):
    """Twelve anywhere; a hundred in tests/soak/test_flips.py."""
    root, rows, files = pristine
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    rng = random.Random(20261126)
    for _ in range(12):
        name = rng.choice(sorted(files))
        byte, bit = rng.randrange(len(files[name])), rng.randrange(8)
        flip(copy / name, byte, bit)
        assert verify_archive(copy, rows), (name, byte, bit)
        assert verify_archive(copy, None), (name, byte, bit)
        (copy / name).write_bytes(files[name])
    assert verify_archive(copy, rows) == []


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_damage_makes_it_crash(pristine, tmp_path_factory, data):
    """Bytes overwritten, cut, doubled or put in, several times, in any files."""
    root, rows, files = pristine
    copy = tmp_path_factory.mktemp("damaged") / "copy"
    shutil.copytree(root, copy)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(files)))
        content = (copy / name).read_bytes()
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 400)))
        put = data.draw(st.binary(max_size=40))
        (copy / name).write_bytes(content[:start] + put + content[end:])
    same = all((copy / name).read_bytes() == content for name, content in files.items())
    for known in (rows, None):
        assert (verify_archive(copy, known) == []) == same
    shutil.rmtree(copy)


# --- what is whole and yet wrong -------------------------------------------------------------------------------------


def member(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def rewritten(archive, row, change):
    """Write a file anew with one record changed, and its index made to fit: what only the digests inside can tell."""
    path = archive.root / row.file
    data = path.read_bytes()
    stored = data[row.offset : row.offset + row.length]
    path.write_bytes(data[: row.offset] + member(change(warc.unpack(stored))) + data[row.offset + row.length :])
    index_path(path).unlink()
    return archive.recover({})


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (b"\r\n\r\nradio", b"\r\n\r\nRADIO", ["WARC-Block-Digest", "WARC-Payload-Digest", "Longwave-Payload-SHA256"]),
        (b"Body-Length: 8", b"Body-Length: 9", ["Longwave-Body-Length"]),
        (b"Payload-Length: 8", b"Payload-Length: 9", ["Longwave-Payload-Length"]),
        (b"Source: hccta", b"Source: other", ["its source is other"]),
    ],
)
def test_the_digests_inside_a_record_are_made_again(filled, old, new, named):
    archive, index = filled
    row = next(r for r in index.rows if r.body_bytes == 8)
    rewritten(archive, row, lambda data: data.replace(old, new))
    problems = verify_archive(archive.root, None)
    assert len(problems) == len(named)
    assert all(any(f"record at {row.offset}" in line and name in line for line in problems) for name in named)


def test_a_revisit_of_nothing_and_of_another_payload_are_named(filled):
    archive, index = filled
    first, revisit = index.rows[1], next(row for row in index.rows if row.record_type == "revisit")
    other = "0" * 8 + first.record[8:]
    rows = rewritten(archive, revisit, lambda data: data.replace(first.record.encode(), other.encode()))
    (problem,) = verify_archive(archive.root, None)
    assert (
        f"record at {revisit.offset} (source grapher): the record it refers to, {other}, is not in the archive"
        in problem
    )
    (changed_row,) = [row for row in rows if row.refers_to == other]
    back = rewritten(archive, changed_row, lambda data: data.replace(other.encode(), first.record.encode()))
    assert verify_archive(archive.root, back) == []
    digest = str(first.payload_sha256).encode()
    rewritten(archive, revisit, lambda data: data.replace(digest, b"0" * 64))
    (problem,) = verify_archive(archive.root, None)
    assert "holds another payload" in problem


def test_a_record_that_is_there_twice_is_named(filled):
    archive, index = filled
    row = index.rows[1]
    path = archive.root / row.file
    path.write_bytes(path.read_bytes() + path.read_bytes()[row.offset : row.offset + row.length])
    archive.recover(index.ends())
    assert any(f"the record {row.record} is there twice" in line for line in verify_archive(archive.root, None))


@pytest.mark.parametrize("garbage", [b"\0", b"\x1f\x8b\x08\0", bytes(5000)])
def test_bytes_behind_the_last_record_are_named(filled, garbage):
    archive, index = filled
    path = archive.files()[0]
    end = path.stat().st_size
    path.write_bytes(path.read_bytes() + garbage)
    (problem,) = verify_archive(archive.root, index.rows)
    assert f"grapher-2025.warc.gz, record at {end} (source grapher)" in problem


def test_a_gap_and_an_index_in_another_order_are_named(filled):
    archive, index = filled
    path = archive.files()[0]
    data, lines = path.read_bytes(), index_path(path).read_bytes()
    row = index.rows[2]
    path.write_bytes(data[: row.offset] + data[row.offset + row.length :])
    assert len(verify_archive(archive.root, index.rows)) > 5, "every record behind it lies elsewhere"
    path.write_bytes(data)
    one, two, *rest = lines.splitlines(keepends=True)
    index_path(path).write_bytes(b"".join([two, one, *rest]))
    (problem,) = verify_archive(archive.root, index.rows)
    assert "grapher-2025.cdxj (source grapher): its lines are not in the order of the records" in problem
    index_path(path).write_bytes(b"".join([one, one, two, *rest]))
    (problem,) = verify_archive(archive.root, index.rows)
    assert "not in the order" in problem
    index_path(path).write_bytes(lines + b"a line of nobody\n")
    (problem,) = verify_archive(archive.root, index.rows)
    assert "no record has the line b'a line of nobody" in problem


def test_rows_without_a_record_and_records_without_a_row_are_named(filled):
    archive, index = filled
    last = index.rows[-1]
    (problem,) = verify_archive(archive.root, index.rows[:-1])
    assert f"record at {last.offset} (source hccta): the warehouse has no row of it" in problem
    path = archive.root / last.file
    path.write_bytes(path.read_bytes()[: last.offset])
    lines = index_path(path).read_bytes().splitlines(keepends=True)
    index_path(path).write_bytes(b"".join(lines[:-1]))
    (problem,) = verify_archive(archive.root, index.rows)
    assert "the warehouse has a row of it, and no readable record is there" in problem


def test_files_that_are_missing_or_do_not_belong_are_named(filled):
    archive, index = filled
    path = archive.files()[0]
    (archive.root / "notes.txt").write_text("mine")
    (path.parent / "hccta-2025.warc.gz").write_bytes(path.read_bytes())
    (path.parent / "grapher-2024.warc.gz").touch()
    index_path(path).unlink()
    problems = verify_archive(archive.root, index.rows)
    assert [line for line in problems if line.startswith("archive file notes.txt: is no file of the archive")]
    assert [line for line in problems if line.startswith("archive file grapher/hccta-2025.warc.gz: is no file")]
    assert [
        line for line in problems if "grapher-2024.warc.gz, record at 0 (source grapher): the file is empty" in line
    ]
    assert [line for line in problems if "grapher-2024.cdxj: is missing" in line]
    assert [
        line for line in problems if "grapher-2025.cdxj: is missing (source grapher); the next run makes it" in line
    ]
    assert len(problems) == 5
    path.unlink()
    assert [line for line in verify_archive(archive.root, index.rows) if "grapher-2025.warc.gz: is missing" in line]


def test_a_file_without_its_first_record_is_named(tmp_path, filled):
    archive, index = filled
    path = archive.files()[0]
    path.write_bytes(path.read_bytes()[index.rows[0].length :])
    index_path(path).unlink()
    archive.recover({})
    assert [line for line in verify_archive(archive.root, None) if "does not begin with a warcinfo" in line]


def test_a_file_that_cannot_be_read_is_named(filled, monkeypatch):
    archive, index = filled

    def broken(file, offset):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(archive_check.warc, "read_member", broken)
    assert "the file cannot be read: Input/output error" in verify_archive(archive.root, index.rows)[0]


# --- only what changed -----------------------------------------------------------------------------------------------


@pytest.fixture
def read(monkeypatch):
    """Names of the files that are read."""
    names, check = [], archive_check._check_file

    def watched(root, name, known):
        names.append(name)
        return check(root, name, known)

    monkeypatch.setattr(archive_check, "_check_file", watched)
    return names


def test_fast_reads_what_changed_since_the_last_sound_check(tmp_path, filled, read):
    archive, index = filled
    state = tmp_path / "runs" / "verified.json"
    assert verify_archive(archive.root, index.rows, state=state, fast=True) == []
    assert len(read) == 3
    read.clear()
    assert verify_archive(archive.root, index.rows, state=state, fast=True) == []
    assert read == []
    index.append(archive, "grapher", fake.exchange(b"new", at=fake.DAY + timedelta(days=60)))
    assert verify_archive(archive.root, index.rows, state=state, fast=True) == []
    assert read == ["grapher/grapher-2025.warc.gz"]
    read.clear()
    time.sleep(0.05)  # The kernel's clock of changes ticks a few times in a hundredth of a second.
    path = archive.root / "hccta" / "hccta-2025.cdxj"
    flip(path, 30, 1)
    for _ in range(2):
        assert verify_archive(archive.root, index.rows, state=state, fast=True) != []
    assert read == ["hccta/hccta-2025.warc.gz"] * 2, "what was not sound is read again"
    flip(path, 30, 1)
    assert verify_archive(archive.root, index.rows, state=state) == []
    assert len(read) == 5, "a full check reads everything"


def test_fast_still_sees_the_warehouse_and_what_refers_where(tmp_path, filled, read):
    archive, index = filled
    state = tmp_path / "verified.json"
    assert verify_archive(archive.root, index.rows, state=state) == []
    read.clear()
    rows = [replace(index.rows[0], licence="other"), *index.rows[1:]]
    (problem,) = verify_archive(archive.root, rows, state=state, fast=True)
    assert "the warehouse says otherwise of licence" in problem
    assert verify_archive(archive.root, index.rows, state=state, fast=True) == []
    assert read == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sound": 1, "sha256": 2}', "\0", "changed"])
def test_a_damaged_state_has_everything_read(tmp_path, filled, read, text):
    archive, index = filled
    state = tmp_path / "verified.json"
    verify_archive(archive.root, index.rows, state=state)
    kept = json.loads(state.read_text())
    kept["sound"]["hccta/hccta-2025.warc.gz"][0][0] += 1
    state.write_text(json.dumps(kept) if text == "changed" else text)
    read.clear()
    assert verify_archive(archive.root, index.rows, state=state, fast=True) == []
    assert len(read) == 3
    assert list(tmp_path.glob("*.new")) == []


def test_an_archive_of_many_records_is_checked_in_one_pass(tmp_path):
    archive, index = Archive(tmp_path / "archive"), fake.Index()
    many = [fake.exchange(b"%d" % n, at=fake.DAY + timedelta(seconds=n)) for n in range(300)]
    index.append(archive, "hccta", *many)
    assert verify_archive(archive.root, index.rows) == []
    flip(archive.files()[0], index.rows[300].offset + 50, 2)
    flip(archive.files()[0], index.rows[500].offset + 50, 2)
    named = {line.split(" (")[0] for line in verify_archive(archive.root, index.rows)}
    assert named == {f"archive file hccta/hccta-2025.warc.gz, record at {index.rows[n].offset}" for n in (300, 500)}

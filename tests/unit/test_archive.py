"""The archive: what was served comes back byte for byte, nothing is stored twice, and a killed or failed append loses nothing."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zlib
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import fake_archive as fake
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longwave.warehouse import warc
from longwave.warehouse.archive import Archive, ArchiveDamaged, NotArchivable, contiguous_ends, index_path
from longwave.warehouse.archive_check import verify_archive
from longwave.warehouse.cdxj import read_index_line, urlkey
from longwave.warehouse.errors import LongwaveError, UnusableHome
from longwave.warehouse.exchange import StoredRecord
from longwave.warehouse.home import Home
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

REVISIT = "http://netpreserve.org/warc/1.1/revisit/"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "archive"


@pytest.fixture
def filled(root):
    return fake.fill(root)


def by_warcio(path):
    """Type, fields, HTTP status line and content of every record, as another tool reads them."""
    with path.open("rb") as file:
        return [
            (
                record.rec_type,
                dict(record.rec_headers.headers),
                record.http_headers.statusline if record.http_headers else None,
                record.content_stream().read(),
            )
            for record in ArchiveIterator(file)
        ]


# --- what comes back -------------------------------------------------------------------------------------------------


def test_the_files_are_by_source_and_year_and_made_when_first_written(root):
    archive = Archive(root)
    assert archive.files() == []
    assert archive.append("hccta", [], licence="", held=lambda _: None) == []
    assert not root.exists()
    archive, _ = fake.fill(root)
    names = [path.relative_to(root).as_posix() for path in archive.files()]
    assert names == ["grapher/grapher-2025.warc.gz", "hccta/hccta-2025.warc.gz", "hccta/hccta-2026.warc.gz"]
    assert all(index_path(path).is_file() for path in archive.files())
    home = Home(root.parent)
    assert (home.archive, home.local) == (root, root.parent / "local")


def test_the_year_is_that_in_utc(root):
    late = datetime(2025, 12, 31, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    (first, *_) = fake.Index().append(Archive(root), "hccta", fake.exchange(at=late))
    assert first.file == "hccta/hccta-2026.warc.gz"


def test_every_row_says_what_was_on_the_wire(filled):
    archive, index = filled
    response = index.rows[1]
    sent = fake.exchange(packed=True, headers=(("ETag", '"one"'),))
    assert response.record_type == "response"
    assert (response.source, response.licence, response.peer) == ("grapher", fake.LICENCE, sent.peer)
    assert (response.url, response.final_url, response.status) == (fake.URL, fake.URL, 200)
    assert response.fetched_at == fake.DAY, "to the microsecond"
    assert [tuple(pair) for pair in json.loads(response.headers)] == list(sent.headers)
    assert (response.body_bytes, response.payload_bytes) == (len(sent.body), len(fake.TABLE))
    assert response.payload_sha256 == hashlib.sha256(fake.TABLE).hexdigest()
    stored = (archive.root / response.file).read_bytes()[response.offset : response.offset + response.length]
    assert response.stored_sha256 == hashlib.sha256(stored).hexdigest()
    assert archive.payload(response) == fake.TABLE
    assert [row.record_type for row in index.rows[:3]] == ["warcinfo", "response", "request"]
    assert index.rows[2].status is index.rows[2].headers is index.rows[2].payload_sha256 is None


def test_the_last_hop_of_a_redirect_is_the_final_address_of_all(filled):
    _, index = filled
    hops = [row for row in index.rows if row.source == "hccta" and row.record_type == "response"][:2]
    assert [row.url.rpartition("/")[2] for row in hops] == ["old", "new"]
    assert {row.final_url for row in hops} == {"https://figures.example.org/new"}
    assert [row.status for row in hops] == [301, 200]


def test_several_answers_in_one_append_keep_their_own_final_address(root):
    plain = fake.exchange(b"1", url="https://figures.example.org/1")
    hop = fake.exchange(b"2", url="https://figures.example.org/2", status=302)
    rows = fake.Index().append(
        Archive(root), "hccta", plain, hop, fake.exchange(b"3", url="https://figures.example.org/3")
    )
    answers = [row for row in rows if row.record_type == "response"]
    assert [row.final_url[-1] for row in answers] == ["1", "3", "3"]


def test_another_tool_reads_the_same(filled):
    archive, index = filled
    for path in archive.files():
        rows = [row for row in index.rows if archive.root / row.file == path]
        records = by_warcio(path)
        assert [kind for kind, *_ in records] == [row.record_type for row in rows]
        for row, (kind, named, status, content) in zip(rows, records, strict=True):
            assert named["WARC-Record-ID"] == f"<urn:uuid:{row.record}>"
            assert named["Longwave-Source"] == row.source
            assert named["Longwave-Licence"] == fake.LICENCE
            if kind == "response":
                assert content == archive.payload(row)
                assert named["WARC-Payload-Digest"] == row.warc_digest
                assert named["WARC-IP-Address"] == "93.184.216.34"
                assert status.startswith(str(row.status))
                assert named["Longwave-Payload-SHA256"] == row.payload_sha256
                assert (named["Longwave-Via"], named["Longwave-Final-URI"]) == ("direct", row.final_url)
            if kind == "request":
                assert named["WARC-Concurrent-To"] == records[rows.index(row) - 1][1]["WARC-Record-ID"]


def test_warcio_check_passes_and_sees_a_changed_body(filled, capsys):
    archive, index = filled
    command = type("Command", (), {"inputs": [str(path) for path in archive.files()], "verbose": True})
    assert Checker(command).process_all() == 0
    assert capsys.readouterr().out.count("digest pass") == sum(row.record_type != "revisit" for row in index.rows)
    row = next(r for r in index.rows if r.record_type == "response" and r.body_bytes == 8)
    path = archive.root / row.file
    stored = path.read_bytes()[row.offset : row.offset + row.length]
    other = warc.unpack(stored).replace(b"radio\x00\xff\n", b"RADIO\x00\xff\n")
    path.write_bytes(path.read_bytes().replace(stored, other_member(other)))
    assert Checker(command).process_all() == 1, "so that passing says something"


def other_member(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def test_the_request_is_the_one_sent(filled):
    archive, _ = filled
    with archive.files()[0].open("rb") as file:
        _, _, request, *_ = [
            warc.parse_record(warc.unpack(warc.read_member(file, row.offset)[0])) for row in filled[1].rows[:3]
        ]
    lines = request.block.split(b"\r\n")
    assert lines[:2] == [b"GET /data/users.csv?v=1 HTTP/1.1", b"Host: figures.example.org"]
    assert lines[-2:] == [b"", b""]


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.org", b"/"),
        ("https://example.org?a=1", b"/?a=1"),
        ("https://example.org/a?b#c", b"/a?b"),
    ],
)
def test_the_target_of_a_request_follows_from_the_address(root, url, target):
    rows = fake.Index().append(Archive(root), "hccta", fake.exchange(url=url))
    block = Archive(root)._read(rows[2]).block
    assert block.startswith(b"GET " + target + b" HTTP/1.1\r\n")


def test_the_first_record_says_what_wrote_the_file(filled):
    archive, index = filled
    for path in archive.files():
        kind, named, _, content = by_warcio(path)[0]
        assert kind == "warcinfo"
        assert named["WARC-Filename"] == path.name
        assert b"software: longwave/" in content
        assert b"warc-1.1" in content
    assert [row.record_type for row in index.rows].count("warcinfo") == len(archive.files())


def test_equal_exchanges_give_equal_bytes(tmp_path):
    one, _ = fake.fill(tmp_path / "one")
    other, _ = fake.fill(tmp_path / "other")
    for path, twin in zip(one.files(), other.files(), strict=True):
        assert path.read_bytes() == twin.read_bytes()
        assert index_path(path).read_bytes() == index_path(twin).read_bytes()
    member = one.files()[0].read_bytes()
    assert member[4:8] == bytes(4), "no time in the gzip header"


def test_every_record_has_an_identifier_of_its_own(filled):
    _, index = filled
    assert len({row.record for row in index.rows}) == len(index.rows)


NAMES = st.from_regex(r"X-[A-Za-z0-9-]{1,12}", fullmatch=True)
TEXTS = st.text(
    st.characters(max_codepoint=255, exclude_characters=[chr(n) for n in [*range(9), *range(10, 32), 127]]), max_size=30
)


@settings(max_examples=60, deadline=None)
@given(
    payload=st.binary(max_size=3000)
    | st.sampled_from([b"\r\n\r\n", b"WARC/1.1\r\n", b"\x1f\x8b\x08", b"HTTP/1.1 200 OK\r\n\r\n"]),
    headers=st.lists(st.tuples(NAMES, TEXTS), max_size=4),
    packed=st.booleans(),
    reason=TEXTS,
)
def test_any_bytes_and_headers_come_back(tmp_path_factory, payload, headers, packed, reason):
    folder = tmp_path_factory.mktemp("any")
    archive, index = Archive(folder / "archive"), fake.Index()
    sent = replace(fake.exchange(payload, packed=packed, headers=tuple(headers)), reason=reason)
    rows = index.append(archive, "hccta", sent)
    assert archive.payload(rows[1]) == payload
    record = archive._read(rows[1])
    assert record.http[1] == sent.body
    assert [tuple(pair) for pair in json.loads(rows[1].headers)] == list(sent.headers)
    assert record.http[0].split(b"\r\n")[0] == f"HTTP/1.1 200 {reason}".encode("latin-1")
    assert verify_archive(archive.root, index.rows) == []
    shutil.rmtree(folder)


def test_a_header_beyond_latin_1_is_kept_as_utf_8(root):
    rows = fake.Index().append(Archive(root), "hccta", fake.exchange(headers=(("X-Name", "Ελλάδα"),)))
    assert "Ελλάδα".encode() in Archive(root)._read(rows[1]).block


# --- nothing twice ---------------------------------------------------------------------------------------------------


def test_the_same_bytes_again_are_a_revisit(filled):
    archive, index = filled
    revisits = [row for row in index.rows if row.record_type == "revisit"]
    first = index.rows[1]
    assert len(revisits) == 3
    fields_of = [dict(archive._read(row).fields) for row in revisits]
    assert [named["WARC-Profile"] for named in fields_of] == [
        REVISIT + "identical-payload-digest",
        "urn:longwave:revisit:identical-decoded-payload",
        REVISIT + "server-not-modified",
    ]
    for row, named in zip(revisits, fields_of, strict=True):
        assert named["WARC-Refers-To"] == f"<urn:uuid:{first.record}>"
        assert named["WARC-Refers-To-Target-URI"] == first.url
        assert named["WARC-Refers-To-Date"] == "2025-03-01T09:30:00.123456Z"
        assert (row.refers_to, row.payload_sha256, row.payload_bytes) == (
            first.record,
            first.payload_sha256,
            len(fake.TABLE),
        )
        assert archive.payload(row) == archive.payload(row, first) == fake.TABLE
        assert archive._read(row).http[1] == b"", "the body is not stored again"
    assert json.loads(revisits[2].headers)[-1] == ["ETag", '"one"'], "its own head is kept"
    assert [row.status for row in revisits] == [200, 200, 304]


def test_a_payload_that_came_compressed_otherwise_is_not_passed_off_as_the_same_bytes(filled):
    _, index = filled
    _, recompressed, unchanged = [row for row in index.rows if row.record_type == "revisit"]
    assert recompressed.warc_digest != index.rows[1].warc_digest
    assert unchanged.warc_digest == index.rows[1].warc_digest


def test_two_equal_answers_of_one_append_are_stored_once(root):
    archive, index = Archive(root), fake.Index()
    one, two = (fake.exchange(url=f"https://figures.example.org/{name}") for name in "ab")
    rows = index.append(archive, "hccta", one, two)
    assert [row.record_type for row in rows] == ["warcinfo", "response", "request", "revisit", "request"]
    assert rows[3].refers_to == rows[1].record
    assert archive.payload(rows[3]) == fake.TABLE


def test_other_bytes_are_no_revisit(root):
    archive, index = Archive(root), fake.Index()
    index.append(archive, "hccta", fake.exchange())
    rows = index.append(archive, "hccta", fake.exchange(fake.TABLE + b"x", at=fake.DAY + timedelta(days=1)))
    assert [row.record_type for row in rows] == ["response", "request"]


def test_a_304_after_a_revisit_refers_to_the_response(filled):
    archive, index = filled
    later = fake.exchange(b"", status=304, at=fake.DAY + timedelta(days=300))
    rows = index.append(archive, "grapher", later)
    assert rows[0].refers_to == index.rows[1].record
    assert archive.payload(rows[0]) == fake.TABLE


def test_a_304_where_nothing_is_held_is_refused(root):
    with pytest.raises(NotArchivable, match=r"users\.csv.* answered to hccta: it says 304"):
        fake.Index().append(Archive(root), "hccta", fake.exchange(b"", status=304))
    assert not root.exists()
    assert issubclass(NotArchivable, LongwaveError)


# --- what cannot be kept ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"headers": (("X-A", "b\r\nX-C: d"),)}, "line break"),
        ({"headers": (("X-A", "b\x00"),)}, "control character"),
        ({"headers": (("X A", "b"),)}, "not the name of an HTTP header"),
        ({"headers": (("", "b"),)}, "not the name of an HTTP header"),
        ({"headers": (("Transfer-Encoding", "chunked"),)}, "must be renamed"),
        ({"url": "https://example.org/a b"}, "white space"),
        ({"url": "https://example.org/a\nWARC-Type: x"}, "white space"),
        ({"url": "example.org"}, "not an address"),
        ({"reason": "OK\r\nX: y"}, "line break"),
        ({"via": "a\nb"}, "line break"),
        ({"peer": "1\n2"}, "line break"),
        ({"payload": b"other"}, "not its body with the content-coding undone"),
        ({"headers": (("Content-Encoding", "br"),)}, "content-coding br"),
        ({"headers": (("Content-Encoding", "gzip"),)}, "cannot be unpacked"),
        ({"fetched_at": datetime(2025, 3, 1)}, "has no zone"),
    ],
)
def test_what_would_break_a_record_is_refused_and_nothing_is_written(root, change, message):
    archive, index = Archive(root), fake.Index()
    index.append(archive, "hccta", fake.exchange(b"good"))
    before = archive.files()[0].read_bytes()
    fine, bad = fake.exchange(b"fine"), replace(fake.exchange(b"bad"), **change)
    with pytest.raises(NotArchivable, match=message):
        index.append(archive, "hccta", fine, bad)
    assert archive.files()[0].read_bytes() == before
    assert verify_archive(root, index.rows) == []


@pytest.mark.parametrize("source", ["", "../up", "a/b", "A", "a b", "."])
def test_a_source_that_is_no_identifier_gets_no_file(tmp_path, root, source):
    with pytest.raises(ValueError, match="not the identifier"):
        fake.Index().append(Archive(root), source, fake.exchange())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("coding", "body", "payload"),
    [
        ("gzip", b"", b""),
        ("identity", b"ab", b"ab"),
        ("X-GZIP", zlib.compress(b"ab", wbits=31), b"ab"),
        ("gzip", zlib.compress(b"a", wbits=31) + zlib.compress(b"b", wbits=31), b"ab"),
        ("gzip, gzip", zlib.compress(zlib.compress(b"a", wbits=31), wbits=31), None),
    ],
)
def test_codings_that_are_undone(coding, body, payload):
    undone = warc.undo_coding([("Content-Encoding", coding)], body, 100)
    assert undone == (payload if payload is not None else b"a")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (zlib.compress(bytes(101), wbits=31), "more than the 100 bytes"),
        (zlib.compress(b"abc", wbits=31)[:-9], "cut short"),
        (zlib.compress(b"abc", wbits=31) + b"tail", "cannot be unpacked"),
        (b"plain", "cannot be unpacked"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_not_read(body, message):
    with pytest.raises(ValueError, match=message):
        warc.undo_coding([("content-encoding", "gzip")], body, 100)


def test_a_record_that_unpacks_to_too_much_is_not_read(monkeypatch):
    monkeypatch.setattr(warc, "MAX_RECORD_BYTES", 2**20)
    member = other_member(bytes(2**20 + 1))
    with pytest.raises(ValueError, match="unpacks to more than"):
        warc.read_member(io.BytesIO(member), 0)
    with pytest.raises(ValueError, match="more than a record"):
        warc.compose_answer("hccta", fake.exchange(bytes(2**20)), fake.URL, "", None)


RECORD = b"WARC/1.1\r\nWARC-Type: metadata\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (RECORD.replace(b"h: 3", b"h: 2"), "its length"),
        (RECORD.replace(b"h: 3", b"h: 4"), "its length"),
        (RECORD + b"more", "its length"),
        (RECORD[:-1], "its length"),
        (RECORD.replace(b"h: 3", b"h: 99999999999"), "its length"),
        (RECORD.replace(b"h: 3", b"h: -3"), "does not begin like"),
        (RECORD.replace(b"h: 3", b"h: " + b"9" * 5000), "does not begin like"),
        (RECORD.replace(b"1.1", b"1.0"), "does not begin like"),
        (RECORD.replace(b"Content-Length", b"Content-Size"), "Content-Length is missing"),
        (b"\xff" + RECORD, "utf-8"),
        (b"", "Content-Length is missing"),
    ],
)
def test_bytes_that_are_not_exactly_one_record_are_refused(data, message):
    assert warc.parse_record(RECORD).block == b"abc"
    with pytest.raises(ValueError, match=message):
        warc.parse_record(data)


def test_bytes_that_are_not_exactly_one_member_are_refused():
    assert warc.unpack(other_member(b"a")) == b"a"
    with pytest.raises(ValueError, match="more bytes follow"):
        warc.unpack(other_member(b"a") + other_member(b"b"))
    with pytest.raises(warc.Torn, match="the file ends inside"):
        warc.unpack(other_member(b"a")[:-1])
    with pytest.raises(ValueError, match="cannot be unpacked"):
        warc.unpack(b"plain")


# --- notes -----------------------------------------------------------------------------------------------------------


def test_a_note_says_something_of_records(filled):
    archive, index = filled
    note = next(row for row in index.rows if row.record_type == "metadata")
    assert archive.body_of_note(note) == {"answer": "grapher@2025-03-01", "parts": {"data": index.rows[1].record}}
    assert (note.file, note.url, note.refers_to) == (index.rows[1].file, fake.URL, index.rows[1].record)
    about = index.rows[1:3]
    why = {"accepted": "grapher@x", "why": "rebased – seen by hand"}
    later = archive.note("grapher", about, why, fake.DAY.replace(year=2031), licence="another")
    assert later.file == about[0].file, "beside what it is about, whenever it is written"
    assert archive.body_of_note(later) == why
    assert archive._read(later).all("Longwave-About") == [f"<urn:uuid:{row.record}>" for row in about]
    assert later.licence == "another"
    with pytest.raises(ValueError, match="at least one record"):
        archive.note("grapher", [], {}, fake.DAY, licence="")


# --- index lines -----------------------------------------------------------------------------------------------------


def test_index_lines_say_all_that_the_rows_say(filled):
    archive, index = filled
    read = []
    for path in archive.files():
        lines = index_path(path).read_bytes().splitlines(keepends=True)
        read += [read_index_line(line, path.relative_to(archive.root).as_posix()) for line in lines]
        for line in lines:
            key, time, rest = line.decode().split(" ", 2)
            entry = json.loads(rest)
            assert key == urlkey(entry["url"])
            assert time == datetime.fromisoformat(entry["fetched_at"]).strftime("%Y%m%d%H%M%S")
            assert entry["filename"] == path.name
    assert sorted(read, key=lambda row: (row.file, row.offset)) == sorted(
        index.rows, key=lambda row: (row.file, row.offset)
    )
    assert {field.name for field in fields(StoredRecord)} == set(vars(read[0]))
    mimes = {row["mime"] for row in [json.loads(line.split(b" ", 2)[2]) for line in lines]}
    assert mimes == {"application/warc-fields", "text/csv", "application/http; msgtype=request"}


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://doc.iowa.gov/", "gov,iowa,doc)/"),
        ("https://doc.iowa.gov", "gov,iowa,doc)/"),
        ("HTTPS://WWW.Example.ORG/A/B.csv", "org,example)/a/b.csv"),
        ("http://www2.example.org:80/a/", "org,example)/a"),
        ("https://example.org:443/a#top", "org,example)/a"),
        ("https://example.org:8443/", "org,example:8443)/"),
        ("https://example.org/x?b=2&A=1", "org,example)/x?a=1&b=2"),
        ("https://example.org?b=2", "org,example)/?b=2"),
        ("https://user:secret@example.org/", "org,example)/"),
        ("https://93.184.216.34/a", "93.184.216.34)/a"),
        ("https://[2606:2800::1]:8443/a", "[2606:2800::1]:8443)/a"),
        ("https://example.org./", "org,example)/"),
        ("hccta-2025.warc.gz", "-"),
        ("urn:x", "-"),
    ],
)
def test_the_key_of_an_address(url, key):
    assert urlkey(url) == key


@pytest.mark.parametrize("line", [b"", b"a b\n", b"a b {}\n", b"a b []\n", b"\xff b {}\n", b"a b " + b"[" * 100_000])
def test_what_is_no_index_line_is_a_value_error(line):
    with pytest.raises(ValueError):
        read_index_line(line, "f")


# --- closed and opened again, killed, full ---------------------------------------------------------------------------


def test_a_sound_archive_needs_no_recovery(filled):
    archive, index = filled
    before = {path: path.read_bytes() for path in archive.root.rglob("*") if path.is_file()}
    assert archive.recover(index.ends()) == []
    assert {path: path.read_bytes() for path in archive.root.rglob("*") if path.is_file()} == before


def cut(path, size):
    with path.open("r+b") as file:
        file.truncate(size)


@pytest.fixture(scope="module")
def appended(tmp_path_factory):
    """A file after two appends: its bytes, its index, its rows, and where the first append ended."""
    archive, index = Archive(tmp_path_factory.mktemp("appended") / "archive"), fake.Index()
    index.append(archive, "hccta", fake.exchange(b"one"))
    acknowledged = index.ends()
    hop = fake.exchange(b"hop", url="https://figures.example.org/hop", status=302, at=fake.DAY + timedelta(days=1))
    index.append(archive, "hccta", hop, fake.exchange(b"two" * 100, at=fake.DAY + timedelta(days=1)))
    (path,) = archive.files()
    return path.read_bytes(), index_path(path).read_bytes(), index.rows, acknowledged


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_cut_anywhere_it_keeps_what_is_acknowledged_and_adopts_what_is_whole(tmp_path_factory, appended, data):
    warc_bytes, lines, rows, acknowledged = appended
    (name, end), *_ = acknowledged.items()
    size = data.draw(st.integers(end, len(warc_bytes)), label="bytes of the WARC")
    kept = data.draw(st.integers(0, len(lines)), label="bytes of its index")
    folder = tmp_path_factory.mktemp("cut")
    archive, index = Archive(folder), fake.Index()
    (folder / name).parent.mkdir()
    (folder / name).write_bytes(warc_bytes[:size])
    index_path(folder / name).write_bytes(lines[:kept])
    index.rows = [row for row in rows if row.offset < end]
    adopted = archive.recover(acknowledged)
    whole = [row for row in rows if row.offset + row.length <= size]
    assert index.rows + adopted == whole
    assert (folder / name).read_bytes() == warc_bytes[: whole[-1].offset + whole[-1].length]
    index.rows += adopted
    assert verify_archive(folder, index.rows) == []
    assert archive.recover(index.ends()) == [], "and then there is nothing left to do"
    index.append(archive, "hccta", fake.exchange(b"three", at=fake.DAY + timedelta(days=2)))
    assert verify_archive(folder, index.rows) == [], "and it goes on"
    shutil.rmtree(folder)


@pytest.mark.parametrize("garbage", [bytes(700), b"\x1f\x8b\x08\x00" + b"\xff" * 500, b"text"])
def test_what_an_unsynced_write_left_behind_is_cut(filled, garbage):
    archive, index = filled
    path = archive.files()[0]
    before = path.read_bytes()
    path.write_bytes(before + garbage)
    assert archive.recover(index.ends()) == []
    assert path.read_bytes() == before
    assert verify_archive(archive.root, index.rows) == []


def test_a_file_torn_in_its_first_record_is_begun_again(root):
    archive, index = Archive(root), fake.Index()
    rows = index.append(archive, "hccta", fake.exchange())
    path = archive.files()[0]
    cut(path, rows[0].length - 1)
    index_path(path).unlink()
    assert archive.recover({}) == []
    assert archive.files() == []
    index.rows = []
    index.append(archive, "hccta", fake.exchange())
    path.with_name("hccta-2024.warc.gz").touch()
    assert archive.recover(index.ends()) == []
    assert archive.files() == [path], "a file that was made and never written is removed"
    assert verify_archive(root, index.rows) == []


def test_an_archive_without_a_warehouse_is_adopted_whole(filled):
    archive, index = filled
    for path in archive.files():
        index_path(path).unlink()
    adopted = archive.recover({})
    assert sorted(adopted, key=lambda row: row.record) == sorted(index.rows, key=lambda row: row.record)
    assert verify_archive(archive.root, adopted) == []


def test_acknowledged_bytes_that_are_gone_are_not_passed_over(filled):
    archive, index = filled
    path = archive.files()[0]
    whole = path.read_bytes()
    cut(path, len(whole) - 1)
    with pytest.raises(
        ArchiveDamaged, match=rf"{path.name} has {len(whole) - 1} bytes, and the warehouse knows {len(whole)}"
    ):
        archive.recover(index.ends())
    path.unlink()
    with pytest.raises(ArchiveDamaged, match=f"{path.name} is missing"):
        archive.recover(index.ends())


@pytest.mark.parametrize("by", ["warehouse", "index"])
def test_a_damaged_record_is_not_cut_like_a_torn_one(filled, by):
    """What the warehouse or an index line acknowledges was whole: cutting it would destroy what lies behind."""
    archive, index = filled
    path = archive.files()[0]
    data = bytearray(path.read_bytes())
    data[index.rows[1].offset + 100] ^= 1
    path.write_bytes(data)
    known = {}
    if by == "warehouse":
        known = index.ends()
        index_path(path).unlink()
    with pytest.raises(ArchiveDamaged, match=rf"record at {index.rows[1].offset}: .*longwave verify"):
        archive.recover(known)
    assert path.read_bytes() == data


def test_nothing_is_added_to_a_file_that_was_not_made_good(filled):
    archive, index = filled
    path = archive.files()[0]
    path.write_bytes(path.read_bytes() + b"\x1f\x8b")
    with pytest.raises(ArchiveDamaged, match="does not end where its index"):
        index.append(archive, "grapher", fake.exchange(b"new", at=fake.DAY + timedelta(days=50)))
    archive.recover(index.ends())
    lines = index_path(path).read_bytes()
    index_path(path).write_bytes(lines[:-1])
    with pytest.raises(ArchiveDamaged, match="does not end where its index"):
        index.append(archive, "grapher", fake.exchange(b"new", at=fake.DAY + timedelta(days=50)))
    archive.recover(index.ends())
    assert index_path(path).read_bytes() == lines


def test_an_index_line_longer_than_the_window_is_found(root):
    archive, index = Archive(root), fake.Index()
    index.append(archive, "hccta", fake.exchange(headers=tuple((f"X-{n}", "v" * 200) for n in range(400))))
    index.append(archive, "hccta", fake.exchange(b"more", at=fake.DAY + timedelta(days=1)))
    lines = index_path(archive.files()[0]).read_bytes()
    assert len(lines) > 2**16
    assert max(contiguous_ends(lines, "f")) == archive.files()[0].stat().st_size


FULL_DISK = """
import importlib.util, resource, signal, sys
from datetime import timedelta
from pathlib import Path
from longwave.warehouse.archive import Archive
from longwave.warehouse.errors import UnusableHome
spec = importlib.util.spec_from_file_location("fake", sys.argv[1])
fake = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fake)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
import random
noise = random.Random(1).randbytes(50_000)
try:
    Archive(Path(sys.argv[2])).append("grapher", [fake.exchange(noise, at=fake.DAY + timedelta(days=90))], licence="l",
                                      held=lambda digest: None)
except UnusableHome as error:
    print("UnusableHome:", error)
"""


@pytest.mark.parametrize("new", [True, False], ids=["a new file", "a file that stands"])
def test_a_disk_that_fills_half_way_leaves_the_file_as_it_was(tmp_path, root, new):
    archive, index = Archive(root), fake.Index()
    if not new:
        archive, index = fake.fill(root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(Path(fake.__file__)), str(root), "20000"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith(f"UnusableHome: cannot write {root}"), done.stderr
    assert "LONGWAVE_HOME" in done.stdout
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert archive.recover(index.ends()) == []
    index.append(archive, "grapher", fake.exchange(b"with space again", at=fake.DAY + timedelta(days=91)))
    assert verify_archive(root, index.rows) == []


@pytest.mark.parametrize("failing", [1, 2, 3], ids=["the WARC", "its index", "the folder"])
def test_an_append_that_is_interrupted_is_taken_back(filled, monkeypatch, failing):
    """Ctrl-C comes where the disk is waited for."""
    archive, index = filled
    before = {path: path.read_bytes() for path in archive.root.rglob("*") if path.is_file()}
    calls, fsync = [], os.fsync

    def interrupted(descriptor):
        calls.append(descriptor)
        if len(calls) == failing:
            raise KeyboardInterrupt
        fsync(descriptor)

    monkeypatch.setattr("longwave.warehouse.archive.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index.append(archive, "grapher", fake.exchange(b"new", at=fake.DAY.replace(year=2027)))
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in archive.root.rglob("*") if path.is_file()} == before
    assert verify_archive(archive.root, index.rows) == []


def test_the_warc_is_on_the_disk_before_its_index_and_both_before_the_append_returns(filled, monkeypatch):
    archive, index = filled
    order, fsync = [], os.fsync

    def watched(descriptor):
        order.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr("longwave.warehouse.archive.os.fsync", watched)
    index.append(archive, "new_source", fake.exchange(b"new"))
    path = archive.root / "new_source" / "new_source-2025.warc.gz"
    assert order == [each.stat().st_ino for each in (path, index_path(path), path.parent, archive.root)]


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "archive").write_text("a file\n")
    with pytest.raises(UnusableHome, match="LONGWAVE_HOME"):
        fake.Index().append(Archive(tmp_path / "archive"), "hccta", fake.exchange())


# --- damage seen when a payload is asked for -------------------------------------------------------------------------


def test_a_payload_is_checked_before_it_is_given(filled):
    archive, index = filled
    path, response = archive.root / index.rows[1].file, index.rows[1]
    whole = path.read_bytes()
    data = bytearray(whole)
    data[response.offset + 4] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        ArchiveDamaged, match=rf"grapher-2025.warc.gz, record at {response.offset} \(source grapher\): its stored"
    ):
        archive.payload(response)
    path.write_bytes(whole)
    with pytest.raises(ArchiveDamaged, match="does not have the SHA-256 recorded"):
        archive.payload(replace(response, payload_sha256="0" * 64))
    revisit = next(row for row in index.rows if row.record_type == "revisit")
    with pytest.raises(ArchiveDamaged, match="is not in the archive"):
        archive.payload(replace(revisit, refers_to="0" * 36))
    with pytest.raises(ArchiveDamaged, match="does not have the SHA-256 recorded"):
        archive.payload(
            revisit, next(row for row in index.rows if row.source == "hccta" and row.record_type == "response")
        )
    with pytest.raises(ArchiveDamaged, match="holds no JSON"):
        archive.body_of_note(response)
    path.unlink()
    with pytest.raises(ArchiveDamaged, match="the file is missing"):
        archive.payload(response)

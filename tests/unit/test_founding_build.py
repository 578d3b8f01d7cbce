"""The embedded facts against the original files, where these stand: LONGWAVE_ORIGINALS names their folder.

Without it these tests are skipped; with LONGWAVE_REQUIRE_ORIGINALS=1 they fail instead.
"""

import hashlib
import subprocess
from collections import defaultdict
from pathlib import Path

import polars as pl
import pytest
from longwave.pipelines.founding import build, check, read_originals_of
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.errors import LongwaveError, Refused
from longwave.warehouse.founding_files import founding_folder, read_originals, write_originals
from longwave.warehouse.home import checkout

pytestmark = pytest.mark.originals
CARRIED = {
    "Computer": [*range(1993, 1998), *range(1999, 2003), 2004, *range(2006, 2010), 2017, 2018, 2019],
    "Landline": [2019],
    "Ebook reader": [2019],
    "Microcomputer": [2017, 2018, 2019],
    "Tablet": [2018, 2019],
}


@pytest.fixture
def mirror(originals, tmp_path):
    """Links to the originals of one source, to be replaced by changed copies; and founding facts listing only these."""

    def _mirror(source):
        rows = [row for row in read_originals(founding_folder()) if row.source == source]
        for row in rows:
            path = tmp_path / "originals" / row.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to((originals / row.path).resolve())
        (tmp_path / "founding").mkdir()
        write_originals(tmp_path / "founding", rows)
        return tmp_path / "originals", tmp_path / "founding", rows

    return _mirror


def rewrite(path, change):
    data = path.read_bytes()
    changed = change(data)
    assert changed != data
    path.unlink()
    path.write_bytes(changed)


def test_founding_check_finds_no_difference(originals):
    assert check(originals, founding_folder()) == []


def test_founding_build_writes_the_embedded_files_again_byte_for_byte(originals, tmp_path):
    embedded = founding_folder()
    write_originals(tmp_path, read_originals(embedded))
    assert len(build(originals, tmp_path)) == len(read_originals(embedded))
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.csv")}
    held = {path.relative_to(embedded): path.read_bytes() for path in embedded.rglob("*.csv")}
    assert set(made) == set(held)
    assert [str(name) for name in made if made[name] != held[name]] == []


def test_a_changed_value_is_reported(mirror):
    folder, founding, (row,) = mirror("owid_wb_broadband")
    assert check(folder, founding) == []
    rewrite(folder / row.path, lambda data: data.replace(b"1.551676605", b"1.651676605"))
    found = check(folder, founding)
    assert [line.split(": ")[1].split()[0] for line in found] == ["sha256", "content_sha256"]
    assert all(line.startswith(f"{row.source} {row.vintage} ({row.path}): ") for line in found)
    assert row.content_sha256 in found[1]


def test_a_row_less_is_reported(mirror):
    folder, founding, (row,) = mirror("owid_wb_broadband")
    rewrite(folder / row.path, lambda data: b"".join(data.splitlines(keepends=True)[:-1]))
    names = [line.split(": ")[1].split()[0] for line in check(folder, founding)]
    assert names == ["bytes", "sha256", "rows", "content_sha256"]


def test_other_bytes_that_say_the_same_are_reported_as_bytes_alone(mirror):
    folder, founding, (row,) = mirror("owid_wb_broadband")
    rewrite(folder / row.path, lambda data: data.replace(b"\n", b"\r\n"))
    assert [line.split(": ")[1].split()[0] for line in check(folder, founding)] == ["bytes", "sha256"]


def test_a_reader_of_another_version_is_reported(mirror):
    folder, founding, (row,) = mirror("owid_wb_broadband")
    path = founding / "originals.csv"
    path.write_text(path.read_text().replace(f"{row.content_sha256},{row.reader_version}", f"{row.content_sha256},0"))
    assert [line.split(": ")[1] for line in check(folder, founding)] == [
        f"reader_version is {row.reader_version}, recorded 0"
    ]


def test_a_damaged_original_is_refused_by_name(mirror):
    folder, founding, (row,) = mirror("owid_wb_broadband")
    rewrite(folder / row.path, lambda data: data.replace(b"1.551676605", b"155.1676605"))
    with pytest.raises(Refused, match="values in range") as caught:
        check(folder, founding)
    assert row.path in str(caught.value)


def test_a_missing_original_is_named(mirror):
    folder, founding, (row,) = mirror("owid_wb_broadband")
    (folder / row.path).unlink()
    with pytest.raises(LongwaveError, match=Path(row.path).name):
        check(folder, founding)


def test_no_file_of_the_project_is_an_original(originals):
    top = checkout()
    assert top is not None, "the sources are not a checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=top,
        capture_output=True,
        check=True,
    )
    ours = [path for name in listed.stdout.decode().split("\0") if name and (path := top / name).is_file()]
    assert len(ours) > 100
    theirs = defaultdict(set)
    for path in originals.rglob("*"):
        if path.is_file() and path.stat().st_size:
            theirs[path.stat().st_size].add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert sum(map(len, theirs.values())) > 50
    copies = [
        str(path.relative_to(top))
        for path in ours
        if path.stat().st_size in theirs
        and hashlib.sha256(path.read_bytes()).hexdigest() in theirs[path.stat().st_size]
    ]
    assert copies == []


def test_the_24_values_carried_forward_and_no_other_repeat(originals):
    wanted = ("grapher_technology_adoption", SOURCES["grapher_technology_adoption"].reference)
    rows = [row for row in read_originals(founding_folder()) if row.source in wanted]
    frames = {row.source: frame for row, _, frame, _ in read_originals_of(originals, rows)}
    frame = frames["grapher_technology_adoption"].with_columns(pl.col("period_start").dt.year().alias("year"))
    carried = frame.filter(pl.col("flag") == "carried_forward")
    assert {name: group["year"].sort().to_list() for (name,), group in carried.group_by("entity")} == CARRIED
    shown = dict(zip(frame.select("entity", "year").iter_rows(), frame["value"], strict=True))
    repeats = {(name, year) for (name, year), value in shown.items() if shown.get((name, year - 1)) == value}
    assert (frame.height, len(repeats), carried.height) == (484, 113, 24)
    assert set(carried.select("entity", "year").iter_rows()) < repeats

"""What is refused, in what words, and that nothing of it stays: through the real command line.

The damaged file belongs to the source that is observed first, so that a refusal costs one short process.
"""

import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys

import duckdb
import polars as pl
import pytest
from longwave.pipelines.observe import read_founding
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.errors import Refused
from longwave.warehouse.founding_files import read_originals
from longwave.warehouse.tables import SCHEMA_VERSION

SOURCE = "grapher_broadband"
FILE = "2022-04-08.broadband.csv"
HEADER = ["code", "entity", "period", "per_100_people", "flag"]
KNOWN = {"warehouse.duckdb", "warehouse.read.duckdb", "run.lock", "dagster", "runs", "site"}


def lines_of(path):
    return path.read_text().splitlines(keepends=True)


def set_line(path, number, text):
    """Put another text into line `number`, counted from 1 as an editor does."""
    lines = lines_of(path)
    assert lines[number - 1] != text
    lines[number - 1] = text
    path.write_text("".join(lines))


def set_field(path, number, column, text):
    """Put another text into one column of line `number`."""
    fields = lines_of(path)[number - 1].rstrip("\n").split(",")
    fields[HEADER.index(column)] = text
    set_line(path, number, ",".join(fields) + "\n")


def drop_column(path):
    pl.read_csv(path, infer_schema=False).drop("period").write_csv(path)


def double_a_row(path):
    set_line(path, 40, lines_of(path)[38])


def value_out_of_range(path):
    set_field(path, 40, "per_100_people", "120.5")


def other_unit(path):
    set_line(path, 1, "code,entity,period,percent,flag\n")


def unknown_code(path):
    set_field(path, 40, "code", "QQQ")


def text_for_a_number(path):
    set_field(path, 40, "per_100_people", "n/a")


def period_after_the_vintage(path):
    set_field(path, 40, "period", "2031")


def period_that_is_none(path):
    set_field(path, 40, "period", "17th")


def nobody(path):
    set_line(path, 40, ",,2015,0.5,\n")


def more_fields(path):
    set_line(path, 40, lines_of(path)[39].replace("\n", ",,,,\n"))


def empty(path):
    path.write_text("")


def header_alone(path):
    path.write_text(lines_of(path)[0])


def web_page(path):
    path.write_text("<!DOCTYPE html>\n<html><body>Please accept our cookies</body></html>\n")


def missing(path):
    path.unlink()


def truncated(path):
    path.write_text("".join(lines_of(path)[:-40]))


def one_digit(path):
    set_field(path, 40, "per_100_people", "0.77")


# What each must say beside the file: the rule, the row where one is at fault, and what was expected or found.
DAMAGES = {
    drop_column: ["columns", "the column period"],
    double_a_row: ["one row a key", "line 39", "line 40"],
    value_out_of_range: ["values in range", "line 40", "120.5", "0 to 120"],
    other_unit: ["unit", "headed per_100_people", "found percent"],
    unknown_code: ["known codes", "line 40", "QQQ"],
    empty: ["not empty", "0 bytes"],
    web_page: ["an HTML page", "a comma-separated table"],
    missing: ["a file of founding facts", "found none"],
    truncated: ["digest"],
}
MORE_DAMAGES = {
    text_for_a_number: ["number in per_100_people", "line 40", "n/a"],
    period_after_the_vintage: ["periods in range", "line 40", "2031", "2022-04-08"],
    period_that_is_none: ["period", "line 40", "17th"],
    nobody: ["entity", "line 40", "a code or a name"],
    more_fields: ["as many fields as the header has"],
    header_alone: ["not empty", "0 rows"],
    one_digit: ["digest"],
}


def named(damages):
    return [pytest.param(damage, said, id=damage.__name__) for damage, said in damages.items()]


def read(founding, source=SOURCE):
    rows = [row for row in read_originals(founding) if row.source == source]
    return read_founding(SOURCES[source], founding, rows)


@pytest.mark.parametrize(("damage", "said"), named(DAMAGES | MORE_DAMAGES))
def test_a_reader_refuses_what_is_damaged_and_accepts_what_is_whole(founding, damage, said):
    (whole,) = read(founding)
    assert whole.frame.height == whole.row.rows
    damage(founding / SOURCE / FILE)
    with pytest.raises(Refused) as refused:
        read(founding)
    for words in [*said, "founding build DIR"]:
        assert words in str(refused.value)


@pytest.fixture(scope="module")
def refusing(full_home, tmp_path_factory):
    """A copy of the real run's home that every refusal leaves as it was, for the next one."""
    copy = tmp_path_factory.mktemp("refusing") / "home"
    shutil.copytree(full_home.home, copy)
    yield copy
    shutil.rmtree(copy)


@pytest.fixture(scope="module")
def as_it_was(full_home, dump, contents):
    return dump(full_home.home), contents(full_home.site)


@pytest.mark.parametrize(("damage", "said"), named(DAMAGES))
def test_a_run_refuses_it_and_leaves_everything_as_it_was(
    inside, refusing, as_it_was, founding, dump, contents, damage, said
):
    damage(founding / SOURCE / FILE)
    result = inside(["run"], refusing, LONGWAVE_FOUNDING=founding)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    # A digest is of all files of one vintage; every other rule names its file.
    file = FILE if damage is not truncated else "2022-04-08."
    for words in [SOURCE, file, *said, "longwave founding build DIR"]:
        assert words in result.stderr
    assert "site:" not in result.stdout
    assert (dump(refusing), contents(refusing / "site")) == as_it_was
    assert {path.name for path in refusing.iterdir()} == KNOWN


def test_after_a_refusal_a_whole_file_is_accepted_and_a_second_run_changes_nothing(
    longwave, home_copy, as_it_was, founding, dump, contents
):
    stamps = {path: path.stat().st_mtime_ns for path in (home_copy / "site").rglob("*")}
    whole = (founding / SOURCE / FILE).read_bytes()
    value_out_of_range(founding / SOURCE / FILE)
    assert longwave(["run"], home_copy, LONGWAVE_FOUNDING=founding).returncode == 1
    (founding / SOURCE / FILE).write_bytes(whole)
    result = longwave(["run"], home_copy, LONGWAVE_FOUNDING=founding)
    assert result.returncode == 0, result.stderr
    assert "nothing changed" in result.stdout
    assert " 0 changed" in result.stdout
    assert (dump(home_copy), contents(home_copy / "site")) == as_it_was
    assert {path: path.stat().st_mtime_ns for path in (home_copy / "site").rglob("*")} == stamps


@pytest.fixture
def small_disk(tmp_path):
    """Make a file system of a given size in a folder; None where this process may not mount."""
    mounted = []

    def mount(size, *options):
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "tmpfs", str(folder)]
        if os.geteuid() != 0 or not shutil.which("mount"):
            return None
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return None
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def refused_in_words(result, *words):
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("longwave: ")
    for said in words:
        assert said in result.stderr


@pytest.mark.parametrize("command", ["run", "report", "query"])
def test_a_home_under_a_file_is_refused(inside, tmp_path, command):
    (tmp_path / "file").write_text("no folder")
    arguments = {"query": ["query", "select 1"]}.get(command, [command])
    result = inside(arguments, tmp_path / "file" / "home")
    refused_in_words(result, str(tmp_path / "file" / "home"))
    assert (tmp_path / "file").read_text() == "no folder"


def test_a_home_that_cannot_be_written_is_refused(longwave, tmp_path, small_disk):
    folder = small_disk("1m", "ro")
    if folder is None:
        assert os.geteuid() != 0, "root without the right to mount cannot make a folder unwritable"
        folder = tmp_path / "read-only"
        folder.mkdir()
        folder.chmod(0o500)
    refused_in_words(longwave(["run"], folder / "home"), str(folder / "home"), "LONGWAVE_HOME")
    assert list(folder.iterdir()) == []


def limit_to(size):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    return limit


def test_a_run_without_file_handles_says_so(inside, tmp_path):
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, allowed[1]))
    try:
        result = inside(["run"], tmp_path / "home")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
    refused_in_words(result, str(tmp_path / "home"), "Too many open files", "ulimit -n")


def test_what_a_library_panics_for_without_file_handles_is_told_as_that(clean_environment, tmp_path):
    """Polars raises what is no Exception: with so few handles it is what meets their end first."""
    program = (
        "import os, resource, sys\n"
        "from longwave.pipelines import cli\n"
        "os.close(lowest := os.open(os.devnull, os.O_RDONLY))\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 2, lowest + 2))\n"
        "sys.argv = ['longwave', 'run']\n"
        "cli.main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=clean_environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(f"longwave: cannot write {tmp_path / 'home'}")
    assert "ulimit -n" in ended.stderr.splitlines()[-1]


def test_a_full_disk_ends_a_first_run_without_half_a_site(longwave, tmp_path, small_disk, clean_environment):
    folder = small_disk("6m")
    home = (folder or tmp_path) / "home"
    if folder is None:
        result = subprocess.run(
            [sys.executable, "-m", "longwave.pipelines.cli", "run"],
            env=clean_environment(home),
            preexec_fn=limit_to(6 * 2**20),
            capture_output=True,
            text=True,
            check=False,
        )
    else:
        result = longwave(["run"], home)
    refused_in_words(result, str(home), "LONGWAVE_HOME")
    assert not (home / "site").exists()
    assert [path for path in home.iterdir() if "site" in path.name or path.suffix == ".new"] == []


def test_a_disk_that_fills_while_publishing_keeps_the_site_that_stands(home_copy, clean_environment, contents):
    """A limit on the size of one file, under that of the largest file of the site, stands for the full disk.

    The second report finds a lock left by a process that is gone, which holds nobody up: it waits for none.
    """
    before = contents(home_copy / "site")
    largest = max(path.stat().st_size for path in (home_copy / "site").rglob("*"))
    command = [sys.executable, "-m", "longwave.pipelines.cli", "report"]
    told = {"env": clean_environment(home_copy), "capture_output": True, "text": True, "check": False}
    result = subprocess.run(command, preexec_fn=limit_to(largest - 1), **told)
    refused_in_words(result, str(home_copy / "site"), "LONGWAVE_HOME")
    assert contents(home_copy / "site") == before
    drawn = (home_copy / "site").stat().st_ino
    (home_copy / "run.lock").write_text(json.dumps({"pid": 1, "started": "2020-01-01T00:00:00", "command": []}))
    told["env"] |= {"LONGWAVE_WAIT": "0"}
    allowed = subprocess.run(command, preexec_fn=limit_to(2 * largest), **told)
    assert allowed.returncode == 0, allowed.stderr
    assert (home_copy / "site").stat().st_ino != drawn
    assert contents(home_copy / "site") == before
    assert {path.name for path in home_copy.iterdir()} == KNOWN


def test_a_folder_that_is_no_site_is_not_replaced(inside, home_copy, tmp_path, contents):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("irreplaceable")
    refused_in_words(inside(["report", "--out", str(tmp_path / "letters")], home_copy), "letters")
    assert contents(tmp_path / "letters") == {"dear.txt": b"irreplaceable"}


def test_a_warehouse_of_a_newer_version_is_refused(inside, home_copy, contents):
    site = contents(home_copy / "site")
    for name in ("warehouse.duckdb", "warehouse.read.duckdb"):
        with duckdb.connect(str(home_copy / name)) as con:
            con.execute("UPDATE longwave_version SET version = version + 1")
    bytes_before = (home_copy / "warehouse.duckdb").read_bytes()
    for arguments in (["run"], ["query", "select 1"], ["report"]):
        refused_in_words(inside(arguments, home_copy), f"format {SCHEMA_VERSION + 1}", "newer", "install")
    assert (home_copy / "warehouse.duckdb").read_bytes() == bytes_before
    assert contents(home_copy / "site") == site


def test_a_file_that_is_no_warehouse_is_refused(inside, tmp_path):
    (tmp_path / "warehouse.duckdb").write_bytes(b"this is no database\n" * 1000)
    refused_in_words(inside(["run"], tmp_path), "warehouse.duckdb", "move it away")
    assert (tmp_path / "warehouse.duckdb").read_bytes().startswith(b"this is no database")


_HOLDER = """
import sys
from pathlib import Path
from longwave.warehouse.lock import run_lock
with run_lock(Path(sys.argv[1]), 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("command", ["run", "report"])
def test_a_lock_held_by_another_process_is_respected(inside, home_copy, clean_environment, contents, command):
    site = contents(home_copy / "site")
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(home_copy / "run.lock")],
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        result = inside([command], home_copy, LONGWAVE_WAIT="1")
        holder.stdin.close()
        assert holder.wait(timeout=30) == 0
    refused_in_words(result, f"process {holder.pid}", "waited 1 s", "LONGWAVE_WAIT")
    assert contents(home_copy / "site") == site
    with (home_copy / "run.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--live", "--as-of", "2024-06-30"], "by a date"),
        (["refresh", "nobody"], "no source is called nobody"),
        (["run", "--as-of", "2024-13-01"], "YYYY-MM-DD"),
        (["query", "select 1", "--as-of", "yesterday"], "YYYY-MM-DD"),
        (["query", "select 1", "--format", "xml"], "xml"),
        (["query"], "SQL"),
        (["run", "--fast"], "--fast"),
        (["founding", "check", "no-such-folder"], "no folder"),
        (["ui", "--host", "0.0.0.0"], "login"),
        (["fly"], "fly"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_wrong_usage_exits_with_2(longwave, inside, tmp_path, arguments, said):
    # One of them as a process of its own: that is where exit codes count.
    result = (longwave if arguments == ["fly"] else inside)(arguments, tmp_path / "home")
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select nothing from nowhere", "nowhere"),
        ("select 1; select 2", "one statement"),
        ("delete from observation_versions", "read-only"),
        ("select * from read_csv('/etc/passwd')", "disabled"),
        ("copy (select 1) to 'stolen.csv'", "disabled"),
        ("set enable_external_access = true", "lock"),
    ],
)
def test_a_question_that_is_none_exits_with_1(inside, full_home, tmp_path, monkeypatch, sql, said):
    monkeypatch.chdir(tmp_path)
    result = inside(["query", sql], full_home.home)
    refused_in_words(result, said)
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_nothing_recorded_yet_is_said_with_the_remedy(longwave, tmp_path):
    refused_in_words(longwave(["query", "select 1"], tmp_path), "longwave run")
    assert list(tmp_path.iterdir()) == []


def test_verify_names_a_changed_value(inside, home_copy, founding):
    whole = inside(["verify"], home_copy, LONGWAVE_FOUNDING=founding)
    assert whole.returncode == 0, whole.stderr
    one_digit(founding / SOURCE / FILE)
    with duckdb.connect(str(home_copy / "warehouse.read.duckdb")) as con:
        con.execute("UPDATE observation_versions SET value = value + 1 WHERE series = 'hccta/televisions/USA'")
    result = inside(["verify"], home_copy, LONGWAVE_FOUNDING=founding)
    assert result.returncode == 1
    assert SOURCE in result.stdout
    assert "hccta@" in result.stdout
    assert "2 problems" in result.stdout

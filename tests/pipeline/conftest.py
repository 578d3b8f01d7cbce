"""What the tests of the whole pipeline share: questions to a home, damaged founding facts, the wheel, homes made once."""

import json
import shutil
import signal
import subprocess
import sys
import time

import duckdb
import polars as pl
import pytest
from longwave.warehouse.founding_files import founding_folder, read_originals, write_originals

AS_OF = "2024-06-30"


@pytest.fixture(scope="session")
def query(inside):
    """Rows of `longwave query --format json`, of which there are many: in this process, the README's in their own."""

    def ask(home, sql, *options):
        result = inside(["query", sql, "--format", "json", *options], home)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return ask


@pytest.fixture(scope="session")
def contents():
    """Every file below a folder with its bytes; of the DuckDB file, whose bytes are nobody's promise, the rows."""

    def read(folder):
        files = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}
        return {name: _rows(p) if p.suffix == ".duckdb" else p.read_bytes() for name, p in files.items()}

    def _rows(path):
        with duckdb.connect(str(path), read_only=True) as con:
            return _sums(con, [name for (name,) in con.execute("SHOW TABLES").fetchall()])

    return read


def _sums(con, tables):
    """How many rows each table has, and sums over all of them: equal for the same rows in whatever order."""
    sums = "SELECT count(*), bit_xor(hash(whole_row)), sum(hash(whole_row)) FROM {} AS whole_row"
    return {name: con.execute(sums.format(name)).fetchone() for name in tables}


@pytest.fixture(scope="session")
def dump():
    """The logical content of the writer's file, by table: what a refused run must leave as it was."""

    def rows(home, tables=("observation_versions", "captures", "series", "checks", "findings", "verdicts", "steps")):
        with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
            return _sums(con, tables)

    return rows


@pytest.fixture
def founding(tmp_path):
    """A copy of the embedded facts, to be damaged."""
    copy = tmp_path / "founding"
    shutil.copytree(founding_folder(), copy)
    return copy


@pytest.fixture(scope="session")
def wheel(tmp_path_factory, root):
    """The wheel of this tree, built without a network from a copy of what git knows or would know."""
    source, out = tmp_path_factory.mktemp("source") / "tree", tmp_path_factory.mktemp("wheel")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (root / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    (path,) = out.glob("*.whl")
    return path


class Installed:
    """The wheel installed into a folder, to be run from a folder that is no checkout."""

    def __init__(self, folder):
        self.target, self.cwd, self.data = folder / "target", folder / "elsewhere", folder / "data"
        self.program = [str(self.target / "bin" / "longwave")]

    @property
    def settings(self):
        return {"PYTHONPATH": self.target, "XDG_DATA_HOME": self.data}

    @property
    def elsewhere(self):
        """Settings of a run that is to come out the same: another hash seed, time zone, language and number of threads."""
        threads = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        other = {"PYTHONHASHSEED": "4711", "TZ": "Pacific/Kiritimati", "LANG": "C"}
        return self.settings | other | dict.fromkeys(threads, "1")

    @property
    def home(self):
        """Where an installation without a checkout and without LONGWAVE_HOME keeps its state."""
        return self.data / "longwave"


@pytest.fixture(scope="session")
def unpacked(build_once, request):
    """The wheel installed into a folder by itself."""

    def make(folder):
        it = Installed(folder)
        it.cwd.mkdir()
        wheel = request.getfixturevalue("wheel")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]
        pip = subprocess.run([*command, str(it.target), str(wheel)], capture_output=True, text=True, check=False)
        assert pip.returncode == 0, pip.stderr

    return Installed(build_once("installed", make))


# What rests on facts of after AS_OF; everything else the wheel finds anew in `cut_home`.
AGAIN = ("backtests", "speed", "authority", "presence", "revisions")


@pytest.fixture(scope="session")
def installed(build_once, unpacked, full_home, longwave):
    """The wheel, gone on elsewhere with a copy of the real run's home: some findings and the site were taken out of it."""
    taken = [f"findings/{name}" for name in AGAIN]

    def make(folder):
        shutil.copytree(full_home.home, unpacked.home, ignore=shutil.ignore_patterns("site"))
        with duckdb.connect(str(unpacked.home / "warehouse.duckdb")) as con:
            for table in ("findings", "finding_curves", "series_notes", "steps"):
                con.execute(f"DELETE FROM {table} WHERE list_contains(?, step)", [taken])
        result = longwave(["run"], program=unpacked.program, cwd=unpacked.cwd, **unpacked.elsewhere)
        assert result.returncode == 0, result.stderr
        (folder / "stdout.txt").write_text(result.stdout)

    folder = build_once("gone-on", make)
    unpacked.stdout, unpacked.again = (folder / "stdout.txt").read_text(), [*taken, "site"]
    return unpacked


@pytest.fixture(scope="session")
def asof_home(build_once, full_home, longwave):
    """A copy of the full home in which `run --as-of` ran; what it printed beside it, in `ran.json`."""

    def make(folder):
        shutil.copytree(full_home.home, folder / "home")
        result = longwave(["run", "--as-of", AS_OF], folder / "home")
        assert result.returncode == 0, result.stderr
        told = {name: getattr(result, name) for name in ("returncode", "stdout", "stderr")}
        (folder / "ran.json").write_text(json.dumps({"args": result.args[-3:]} | told))

    return build_once("asof", make) / "home"


@pytest.fixture(scope="session")
def cut_home(build_once, clean_environment, unpacked, longwave):
    """A home that only ever had the captures up to that date; its first run was killed, its second was not.

    Both are runs of the wheel, elsewhere. `observed.json` beside the home says what the killed run left.
    """

    def make(folder):
        home, facts = folder / "home", folder / "founding"
        shutil.copytree(founding_folder(), facts)
        write_originals(facts, [row for row in read_originals(facts) if str(row.vintage) <= AS_OF])
        settings = unpacked.elsewhere | {"LONGWAVE_FOUNDING": facts}
        left = _kill_while_observing([*unpacked.program, "run"], home, clean_environment(home, **settings))
        (folder / "observed.json").write_text(json.dumps(left))
        result = longwave(["run"], home, program=unpacked.program, cwd=unpacked.cwd, **settings)
        assert result.returncode == 0, result.stderr
        (folder / "stdout.txt").write_text(result.stdout)

    return build_once("cut", make) / "home"


def _kill_while_observing(command, home, environment):
    """Start a run, wait until the readers see some sources, kill it; returns the sources then in the warehouse."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and len(_sources_seen(home)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    return sorted(_sources_seen(home))


def _sources_seen(home):
    try:
        with duckdb.connect(str(home / "warehouse.read.duckdb"), read_only=True) as con:
            return [row[0] for row in con.execute("SELECT source FROM sources").fetchall()]
    except duckdb.Error:
        return []


@pytest.fixture(scope="session")
def without_digest():
    """Findings of a home without the step's key, which names the inputs as well."""

    def read(home):
        with duckdb.connect(str(home / "warehouse.read.duckdb"), read_only=True) as con:
            frame = con.sql("SELECT * EXCLUDE (code_digest) FROM findings ORDER BY ALL").pl()
        assert isinstance(frame, pl.DataFrame)
        return frame

    return read

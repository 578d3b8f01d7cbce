"""Names that mean something to a terminal, a shell, SQL, a template or a file system are text; some are refused by name."""

import made_world as made
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.store import reader

STEERING = {
    "a terminal's escape": "\x1b[31mred\x1b[2J",
    "a bell": "a\x07b",
    "direction turned": "\u202egnp.exe",
    "direction isolated": "\u2066a\u2069",
    "a line separator": "a\u2028b",
    "a thousand characters": "A" * 1_000,
}
PLAIN = {
    "markup": "<script>alert(1)</script>",
    "SQL": "'; DROP TABLE series; --",
    "a shell's": "$(touch hit) `touch hit`",
    "a path": "../../../hit",
    "a format": "{0.__class__}%s%n{{ 7*7 }}",
    "Persian with a joiner": "می\u200cخواهم",
}


def named(name):
    """The table with Namibia's rows under another name, without a code."""
    return made.table(
        lambda rows: [[name, "", *rest] if code == "NAM" else [e, code, *rest] for e, code, *rest in rows]
    )


@pytest.fixture
def world(home, server, fetcher, tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", made.SPEC)
    return made.World(home, server, fetcher, made.empty_founding(tmp_path / "founding"))


@pytest.mark.parametrize("name", STEERING.values(), ids=STEERING)
def test_a_name_that_steers_what_shows_it_is_refused_and_shown_as_escapes(world, name):
    world.serve(named(name))
    found = world.refresh()
    assert found.outcome == "refused"
    (line,) = found.refused
    assert "readable names" in line
    assert len(line) < 2_000
    assert all(c.isprintable() or c == "\n" for c in line)
    assert world.values() == {}


@pytest.mark.parametrize("name", PLAIN.values(), ids=PLAIN)
def test_a_name_that_means_something_elsewhere_is_a_name(world, inside, name):
    world.serve(named(name))
    assert world.refresh().outcome == "changed"
    with reader(world.home) as con:
        held = con.execute("SELECT DISTINCT adopter FROM series WHERE code IS NULL").fetchall()
    assert held == [(name,)]
    shown = inside(["query", "SELECT adopter FROM series WHERE code IS NULL", "--format", "csv"], world.home.root)
    assert shown.returncode == 0, shown.stderr
    assert name in shown.stdout.replace('""', '"')
    assert list(world.home.root.parent.rglob("*hit*")) == []

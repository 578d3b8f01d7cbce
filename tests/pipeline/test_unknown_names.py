"""A name that the world does not know: kept, warned about, and in no panel."""

import sys

import dagster as dg
from longwave.pipelines.observe import Held, observe
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.archive import Archive
from longwave.warehouse.founding_files import file_of, read_originals, read_source, write_originals
from longwave.warehouse.founding_files import named as named_rows
from longwave.warehouse.home import Home
from longwave.warehouse.panels import adopters_frame, adoption_frame, freeze, left_out
from longwave.warehouse.store import Warehouse, reader
from longwave.warehouse.tidy import content_digest

SOURCE = "grapher_broadband"


def add_rows(founding, source, measure, rows):
    """Put rows into a source's newest capture and record the digest of what it then says, as a rebuild would."""
    rows_of = [row for row in read_originals(founding) if row.source == source]
    newest = rows_of[-1]
    path = file_of(founding, source, newest.vintage, measure)
    path.write_text(path.read_text() + "".join(f"{row}\n" for row in rows))
    *_, (_, frame) = read_source(founding, rows_of, SOURCES[source].measures)
    made = newest.__class__(
        **vars(newest) | {"rows": frame.height, "content_sha256": content_digest(named_rows(frame))}
    )
    write_originals(founding, [made if row == newest else row for row in read_originals(founding)])
    return newest.capture


ATLANTIS = [f",Atlantis,{year},{(year - 2000) * 3.5}," for year in range(2001, 2022)]


# The main job for two sources alone: what follows from a name that no panel reads is the test below's.
_OBSERVE = """
import sys
from longwave.pipelines.engine import run_job
from longwave.pipelines.settings import Settings
print(run_job(Settings().house(), "run", {}, sys.argv[1:]).changed)
"""


def test_an_unknown_name_without_a_code_is_kept_unmapped_and_warned_about(longwave, home_copy, founding, query):
    capture = add_rows(founding, SOURCE, "broadband", ATLANTIS)
    program = (sys.executable, "-c", _OBSERVE)
    result = longwave([SOURCE, "hccta"], home_copy, program=program, LONGWAVE_FOUNDING=founding)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == f"['sources/{SOURCE}']"
    assert query(home_copy, "select adopter, adopter_kind, code, place from series where adopter = 'Atlantis'") == [
        {"adopter": "Atlantis", "adopter_kind": "unmapped", "code": None, "place": None}
    ]
    held = query(home_copy, "select year, value, code from observations where adopter = 'Atlantis' order by year")
    assert [row["year"] for row in held] == list(range(2001, 2022))
    assert held[0] == {"year": 2001, "value": 3.5, "code": None}
    warned = f"select passed, blocking, found from checks where capture = '{capture}' and \"check\" = 'mapped names'"
    (check,) = query(home_copy, warned)
    assert (check["passed"], check["blocking"]) == (False, False)
    assert "Atlantis" in check["found"]
    with dg.DagsterInstance.from_config(str(home_copy / "dagster")) as instance:
        newest, *_ = instance.get_run_records()
        log = instance.all_logs(newest.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        told = {entry.dagster_event.event_specific_data.asset_key.path[-1]: entry.dagster_event for entry in log}
        check = told[SOURCE].event_specific_data
        other = told["hccta"].event_specific_data
    assert check.passed
    assert "Atlantis" in check.metadata["warnings"].value
    assert "Atlantis" not in other.metadata["warnings"].value


def test_an_unknown_name_is_left_out_of_every_panel(home_copy, founding):
    source, known = "grapher_internet_share", "grapher_internet_share/users_share/AFG"
    before = {}
    with reader(Home(home_copy)) as con:
        freeze(con)
        before = {"adoption": adoption_frame(con), "internet": adopters_frame(con, "internet")}
    assert known in before["adoption"]["series"]
    add_rows(founding, source, "users_share", ATLANTIS)
    rows = [row for row in read_originals(founding) if row.source == source]
    with Warehouse(Home(home_copy)) as warehouse:
        observe(warehouse, SOURCES[source], Held(founding, rows, Archive(home_copy / "archive")), "a key of its own")
    with reader(Home(home_copy)) as con:
        held = con.execute("SELECT count(*) FROM observations WHERE adopter = 'Atlantis'").fetchall()
        freeze(con)
        after = {"adoption": adoption_frame(con), "internet": adopters_frame(con, "internet")}
        unused = left_out(con)
    assert held == [(len(ATLANTIS),)]
    assert [why for series, why in unused if "Atlantis" in series] == ["a name without a code"]
    assert after["adoption"].equals(before["adoption"])
    assert after["internet"].equals(before["internet"])

"""Panels that a person adds to a home: their forms and traps on rows made up, and that nothing of them is published."""

from pathlib import Path

import polars as pl
import pytest
from longwave.pipelines.intake import NoSuchFile
from longwave.pipelines.local_panels import LOCAL, local_panel
from longwave.warehouse.errors import Refused
from longwave.warehouse.world import load_fact

POISON = "731946205"
MAGAZINES = "code,title,year,mean_issue_circulation,issues,certified_issues\n"
PLATFORMS = "Entity,Year,Monthly active users (made up)\n"


def magazines():
    """Sixteen titles, two of them a group and one without a name; Look ends in 1971, number 3 is not seen after 1950."""
    titles = ["Look", "Made Fiction Group", "", *(f"Title {at}" for at in range(3, 16))]
    rows = [
        f"c{at},{title},{year},{1000 * (at + 1) + (year - 1940) * (at % 4)},12,12"
        for at, title in enumerate(titles)
        for year in range(1940, 1973, 2)
        if not (at == 0 and year > 1970) and not (at == 3 and year > 1950)
    ]
    return MAGAZINES + "\n".join(rows) + "\n"


def platforms():
    """Twelve platforms; Orkut ended in 2014 and is carried forward, Buzz has zeros after its end and one before it began."""
    rows = [f"Made {at},{year},{10**6 * (at + 1)}" for at in range(10) for year in range(2010, 2019)]
    rows += [f"Orkut,{year},{5 * 10**7}" for year in range(2010, 2019)]
    rows += [f"Google Buzz,{year},{170 if 2010 <= year <= 2011 else 0}" for year in range(2009, 2019)]
    return PLATFORMS + "\n".join(rows) + "\n"


def put(home, panel, content, name="as served.csv"):
    folder = Path(home) / "local" / panel
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content, encoding="utf-8")
    return Path(home) / "local"


def test_magazines_groups_are_left_out_and_only_a_cited_end_is_one(tmp_path):
    own = local_panel(put(tmp_path, "magazines", magazines()), "magazines")
    adopters = own.panel.adopters
    assert adopters.height == 15
    assert "Made Fiction Group" not in set(adopters["adopter"])
    assert "c2" in set(adopters["adopter"]), "a title that has no name goes by its code"
    ended = dict(adopters.select("adopter", "ended").drop_nulls().iter_rows())
    assert ended == {"Look": 1972.0}
    assert own.panel.attention.filter(pl.col("adopter") == "Title 3")["at"].max() == 1950.5
    said = " ".join(own.warnings)
    for part in (
        "may not be passed on",
        "1 adopter with a cited end",
        "1 group of titles left out",
        "too late for everyone",
    ):
        assert part in said


def test_platforms_after_a_cited_end_nothing_is_counted_and_zeros_are_filler(tmp_path):
    own = local_panel(put(tmp_path, "platforms", platforms()), "platforms")
    last = dict(own.panel.attention.group_by("adopter").agg(pl.col("at").max()).iter_rows())
    assert (last["Orkut"], last["Google Buzz"], last["Made 1"]) == (2014.5, 2011.5, 2018.5)
    assert own.panel.attention.filter(pl.col("adopter") == "Google Buzz")["at"].min() == 2010.5
    assert own.panel.adopters.filter(pl.col("ended").is_not_null())["adopter"].to_list() == ["Google Buzz", "Orkut"]
    said = " ".join(own.warnings)
    for part in (
        "8 rows of 0",
        "1 of 12 go on after their cited end",
        "mixed by the publisher",
        "2 adopters with a cited end",
    ):
        assert part in said


def test_the_command_reads_them_by_name_and_the_ended_are_dead(inside, tmp_path, monkeypatch):
    monkeypatch.setattr("longwave.pipelines.persisting.N_BOOT", 50)
    home = tmp_path / "home"
    put(home, "platforms", platforms())
    result = inside(["authority", "platforms", "--json", str(tmp_path / "p.json")], home)
    assert result.returncode == 0, result.stderr
    assert "may not be passed on" in result.stdout
    found = pl.read_json(tmp_path / "p.json")["persistence"][0]
    dead = {(row["measure"], row["bound"]): row["dead"] for row in found["readings"]}
    assert dead["tau_b_dead_last", "none"] == 2
    (home / "site").mkdir()
    refused = inside(["authority", "platforms", "--html", str(home / "site" / "p.html")], home)
    assert refused.returncode == 2
    assert "is published" in refused.stderr
    assert list((home / "site").iterdir()) == []


@pytest.mark.parametrize(
    ("panel", "files", "told"),
    [
        ("magazines", [], "no file in"),
        ("platforms", ["a.csv", "b.csv"], "2 files in"),
    ],
)
def test_no_file_or_several_say_where_one_goes_and_who_publishes_it(tmp_path, panel, files, told):
    for name in files:
        put(tmp_path, panel, platforms(), name)
    with pytest.raises(NoSuchFile) as caught:
        local_panel(tmp_path / "local", panel)
    assert told in str(caught.value)
    assert LOCAL[panel].citation in str(caught.value)


@pytest.mark.parametrize(
    ("panel", "content", "told"),
    [
        ("magazines", magazines() + "c4,Another,1941,5,1,1\n", ["title of a code", "'c4'", "'Another'"]),
        ("magazines", magazines().replace("code,", "key,"), ["columns", "code"]),
        ("magazines", magazines().replace("c5,Title 5,1940,6000", "c5,Title 5,1940,many"), ["mean_issue_circulation", "many"]),
        ("platforms", PLATFORMS.replace("\n", ",Also\n") + "A,2010,5,6\n", ["one column of users"]),
        ("platforms", platforms() + "Made 1,2010,7\n", ["each adopter and year once"]),
    ],
)  # fmt: skip
def test_another_form_is_refused_with_its_lines(tmp_path, panel, content, told):
    with pytest.raises(Refused) as caught:
        local_panel(put(tmp_path, panel, content), panel)
    for part in told:
        assert part in str(caught.value)


def test_endings_of_both_are_cited():
    cited = load_fact("endings").filter(pl.col("status") == "verified")
    assert {local.endings for local in LOCAL.values()} <= set(cited["medium"])


def test_nothing_but_the_command_opens_the_folder(root):
    """What is never read cannot leak: beside the command, only the private backup of a home knows of the folder."""
    named = {
        str(path.relative_to(root))
        for folder in ("pipelines", "warehouse", "reports", "models")
        for path in (root / folder).rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in ("home.local", "local_panels", '"local"'))
    }
    assert named == {
        "pipelines/cli_authority.py",
        "warehouse/home.py",
        "warehouse/move.py",
    }


@pytest.mark.originals
def test_the_real_files_are_of_these_forms(tmp_path, originals):
    for panel, folder in (("magazines", "magazines"), ("platforms", "owid")):
        (tmp_path / "local" / panel).mkdir(parents=True)
        (tmp_path / "local" / panel / "real.csv").symlink_to(next((originals / "local_only" / folder).glob("*.csv")))
        own = local_panel(tmp_path / "local", panel)
        assert own.panel.adopters["ended"].drop_nulls().len() >= 4
        assert any("left out" in warning for warning in own.warnings)

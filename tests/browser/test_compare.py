"""What a reader takes away from Compare, in a real browser: the values and the picture, each with its source."""

import csv
import dataclasses
from pathlib import Path
from xml.etree import ElementTree

import fake_site
import pytest
import watched
from longwave.reports.site import publish

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / "site"
    publish(dataclasses.replace(fake_site.content(), figures=[], media=(), stated=()), out)
    return out


def taken(page, name):
    """The file that a button hands over."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name, exact=True).click()
    return waiting.value.suggested_filename, Path(waiting.value.path())


@pytest.mark.parametrize("width", [390, 1280])
def test_values_and_pictures_are_handed_over_with_what_they_are(browser, site, width):
    with watched.Watched(browser, site.as_uri(), viewport={"width": width, "height": 900}) as seen:
        page = seen.open("compare.html", drawn=False)
        page.get_by_role("button", name="Values (CSV)").wait_for()
        name, path = taken(page, "Values (CSV)")
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        assert name == "compare.csv"
        assert {row["series"] for row in rows} == {fake_site.RADIO}
        assert [(row["year"], row["value"]) for row in rows[:2]] == [("1921", "1"), ("1922", "2.125")]
        assert {(row["unit"], row["launch"], row["source"]) for row in rows} == {
            ("percent", "1920", "Household technologies (invented)")
        }
        name, path = taken(page, "picture (SVG)")
        drawn = " ".join(ElementTree.parse(path).getroot().itertext())
        assert name == "compare.svg"
        assert page.locator("#picked-title").inner_text().split(",")[0] in drawn
        assert "Household technologies (invented)" in drawn
        # A narrow picture has no labels at its lines: there the key goes with it.
        assert drawn.count("Radio, USA") == 2
        name, path = taken(page, "picture (PNG)")
        image = path.read_bytes()
        assert (name, image[:8]) == ("compare.png", b"\x89PNG\r\n\x1a\n")
        assert int.from_bytes(image[16:20]) == 2 * (960 if width == 1280 else 420)
        # Two units, two pictures: each is taken by its own name.
        page.get_by_label("Find a series").fill("ghana")
        page.get_by_label("of the calendar").check()
        for at in range(2):
            page.locator("#found input").nth(at).check()
        name, path = taken(page, "Values of persons (CSV)")
        assert name == "compare-persons.csv"
        assert path.read_text(encoding="utf-8").count("\n") == 3
        assert page.evaluate(watched.OVERFLOW) <= 0
        assert seen.faults == []

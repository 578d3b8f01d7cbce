"""The slider over vintages in a real browser, on invented content: by keyboard, by the address, at both widths."""

import dataclasses

import fake_site
import pytest
import watched
from longwave.reports.site import publish

pytestmark = pytest.mark.browser


# What each trace is drawn from: the vintage chosen, and the newest.
DRAWN = """() => Object.fromEntries(document.querySelector('#figure-said-when .plot').data.map(
    trace => [trace.meta.role, trace.x.map((x, i) => [x, trace.y[i]])]))"""
TOLD = "words => document.querySelector('[data-said]').textContent.replace(/\\u00a0/g, ' ').includes(words)"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("vintages") / "site"
    publish(dataclasses.replace(fake_site.content(), figures=[fake_site.stated_figure()], media=()), out)
    return out


def said(page, words):
    """Wait until the page says so, and its figure was drawn from what it says."""
    page.wait_for_function(TOLD, arg=words)
    page.wait_for_function(
        f"() => ({DRAWN})().stated.length === Number(document.querySelector('[data-said]')"
        ".textContent.match(/has (\\d+)/)[1])"
    )


@pytest.mark.parametrize("width", [390, 1280])
def test_the_keyboard_goes_through_the_vintages_and_the_address_restores_one(browser, site, width):
    options = {"viewport": {"width": width, "height": 900}}
    newest = [[2001, 8.5], [2003, 12], [2004, 15]]
    with watched.Watched(browser, site.as_uri(), **options) as seen:
        page = seen.open("revisions.html")
        figure, slider = page.locator("#figure-said-when"), page.get_by_label("As they stood in the vintage of")
        # The title that the page came with is the one that its script says.
        before = figure.locator("h3").inner_text()
        said(page, "has 3 figures, 2000–2003. The newest, of 21 June 2022, gives 1 of them otherwise")
        assert figure.locator("h3").inner_text() == before
        assert page.evaluate(DRAWN) == {"stated": [[2000, 7], [2001, 8], [2003, 12.04]], "newest": newest}
        slider.focus()
        page.keyboard.press("ArrowRight")
        said(
            page,
            "has 4 figures, 2000–2004. The newest, of 21 June 2022, gives 1 of them otherwise, by more than 0.05 points",
        )
        assert page.locator("[data-said]").inner_text().endswith(", leaves out 1.")
        assert figure.locator("h3").inner_text().endswith("said 14\u202f% of 2004, the newest says 15\u202f%")
        assert slider.get_attribute("aria-valuetext").replace("\u00a0", " ") == "vintage of 27 July 2019"
        assert page.evaluate("location.hash") == "#of=invented-share&series=WLD&vintage=2019-07-27"
        page.keyboard.press("End")
        said(page, "The vintage of 21 June 2022, the newest, has 3 figures, 2001–2004.")
        assert page.evaluate(DRAWN) == {"stated": newest, "newest": newest}
        page.get_by_label("Figures of").select_option("invented-counts")
        said(page, "has 2 figures, 1950–1951")
        assert page.locator("[data-what]").inner_text() == "Technology"
        page.get_by_label("Technology").select_option("Stereo")
        said(
            page,
            "has 1 figure, 1970. The newest, of 21 June 2022, gives none of them otherwise, by more than 1\u202f%, and adds 1.",
        )
        assert "sets per 100 people" in figure.locator(".whence").inner_text()
        assert page.evaluate(watched.OVERFLOW) <= 0
        assert seen.faults == []
        address = page.url.removeprefix(site.as_uri() + "/")
    with watched.Watched(browser, site.as_uri(), **options) as seen:
        page = seen.open(address)
        said(page, "has 1 figure, 1970.")
        assert page.get_by_label("Technology").input_value() == "Stereo"
        page = seen.open("revisions.html#of=invented-share&series=WLD&vintage=2021-01-01")
        page.reload()
        # Between two vintages the earlier stood.
        said(page, "The vintage of 27 July 2019 has 4 figures, 2000–2004.")
        assert page.evaluate("() => document.querySelector('[data-vintages]').getBoundingClientRect().top") < 900
        assert seen.faults == []


def test_without_javascript_the_picture_and_the_table_stand(browser, site):
    with watched.Watched(browser, site.as_uri(), java_script_enabled=False) as seen:
        page = seen.open("revisions.html", drawn=False)
        figure = page.locator("#figure-said-when")
        assert not page.locator("[data-vintages]").is_visible()
        assert figure.locator(".static.wide").bounding_box()["height"] > 150
        figure.locator("summary").click()
        assert figure.locator("tbody tr").count() == 4
        assert seen.faults == []

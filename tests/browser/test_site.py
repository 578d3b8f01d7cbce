"""What the site does in a real browser, on invented content: figures, colours, keys, print, and pages without JavaScript."""

import json
from pathlib import Path
from xml.etree import ElementTree

import fake_site
import pytest
import watched
from longwave.reports.places import claim_page, series_anchor, source_page
from longwave.reports.site import PAGES, publish

pytestmark = pytest.mark.browser


COUNTS, OVERFLOW, UNFOLD, Watched = watched.COUNTS, watched.OVERFLOW, watched.UNFOLD, watched.Watched
EVERY = (
    *PAGES,
    *(claim_page(claim["id"]) for claim in fake_site.claims("x")),
    source_page(fake_site.SOURCE),
    "medium-radio.html",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("browser") / "site"
    publish(fake_site.content(), out)
    return out


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    out = tmp_path_factory.mktemp("hostile") / "site"
    publish(fake_site.content(fake_site.HOSTILE), out)
    return out


def test_figures_are_drawn_without_an_error_or_an_outside_request(browser, site):
    with Watched(browser, site.as_uri()) as seen:
        page = seen.open()
        counts = page.evaluate(COUNTS)
        assert [name for name, *_ in counts] == [f"fig-{block.id}" for block in fake_site.figures()]
        for name, drawn, expected in counts:
            assert drawn == expected > 0, name
        assert not any(svg.is_visible() for svg in page.query_selector_all(".static"))
        for other in EVERY[1:]:
            seen.open(other, drawn=False)
        assert seen.faults == []


def test_nothing_overflows_and_nothing_bars_a_reader(browser, site):
    """Every branch of every template is in this site; the pages of a real run are looked at beside it."""
    with Watched(browser, site.as_uri(), viewport={"width": 390, "height": 900}, color_scheme="dark") as seen:
        for name in EVERY:
            page = seen.open(name, drawn=name == "index.html")
            page.evaluate(UNFOLD)
            assert page.evaluate(OVERFLOW) <= 0, name
            assert seen.violations() == [], name
        assert seen.faults == []


def test_the_page_follows_the_colour_scheme_and_the_width(browser, site):
    ink = "() => getComputedStyle(document.querySelector('#figure-adoption-age .plot .xtick text')).fill"
    with Watched(browser, site.as_uri(), viewport={"width": 1280, "height": 900}) as seen:
        page = seen.open()
        before = page.evaluate(ink)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(f"before => ({ink})() !== before", arg=before)
        labels = "() => document.querySelectorAll('#figure-adoption-age .plot .annotation').length"
        assert page.evaluate(labels) == len(fake_site.LINES)
        page.set_viewport_size({"width": 390, "height": 900})
        page.wait_for_function(f"() => ({labels})() === 0")
        assert page.locator("#figure-adoption-age .key").is_visible()
        # Figures in view are drawn anew first; the others are as wide as they were until it is their turn.
        page.wait_for_function(watched.FORM, arg="narrow dark")
        assert page.evaluate(OVERFLOW) <= 0
        assert seen.faults == []


@pytest.mark.parametrize("width", [390, 1280])
def test_without_javascript_claims_and_pictures_are_there(browser, site, width):
    options = {"java_script_enabled": False, "viewport": {"width": width, "height": 900}}
    with Watched(browser, site.as_uri(), **options) as seen:
        page = seen.open(drawn=False)
        assert page.locator(".verdict").all_inner_texts() == [c["verdict"].capitalize() for c in fake_site.claims("x")]
        for block in fake_site.figures():
            shown = [s for s in page.query_selector_all(f"#figure-{block.id} .static") if s.is_visible()]
            assert len(shown) == 1
            assert shown[0].bounding_box()["height"] > 150
        assert not page.get_by_role("button").count()
        page.locator("#figure-adoption-age summary").click()
        rows = page.locator("#figure-adoption-age tbody tr")
        assert rows.count() > len(fake_site.LINES)
        assert rows.first.is_visible()
        assert seen.faults == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_figure_of_another_page_is_a_picture_that_leads_there(browser, site, width):
    options = {"java_script_enabled": False, "viewport": {"width": width, "height": 900}}
    with Watched(browser, site.as_uri(), **options) as seen:
        page = seen.open("claim-c4a.html", drawn=False)
        image = page.locator(".pictured img")
        image.scroll_into_view_if_needed()
        assert image.bounding_box()["height"] > 150
        page.locator(".pictured figcaption a").click()
        page.wait_for_url("**/claim-c6.html#figure-errors-of-claims")
        assert page.locator("#figure-errors-of-claims").is_visible()
        assert seen.faults == []


def test_a_link_to_a_series_shows_its_values_and_they_lead_to_their_capture(browser, site):
    with Watched(browser, site.as_uri()) as seen:
        page = seen.open("claim-c6.html")
        page.locator("#figure-errors-of-claims .under a[href*='#series-']").click()
        values = page.locator(f"[id='{series_anchor(fake_site.RADIO)}']")
        values.get_by_text("1922: 2.125").wait_for()
        values.get_by_role("link", name="2022-06-21").click()
        assert page.locator("tr:target").is_visible()
        assert "0123456789abcdef" * 4 in page.locator("tr:target").inner_text()
        assert seen.faults == []


FAN = """() => [...document.querySelectorAll('#figure-radio-hindsight .plot .scatterlayer .js-fill')].map(
    path => path.getAttribute('d'))"""


@pytest.mark.parametrize("width", [390, 1280])
def test_the_slider_redraws_the_fan_and_the_link_restores_the_view(browser, site, width):
    with Watched(browser, site.as_uri(), viewport={"width": width, "height": 900}) as seen:
        page = seen.open("medium-radio.html")
        said, slider = page.locator("[data-said]"), page.get_by_label("Forecast made at the end of")
        page.wait_for_function("() => document.querySelector('[data-said]').textContent.includes('7 figures')")
        assert (
            "Of 1940 (age 20) the forecast says 50, 80\u202f% interval 40–60. 83 came, outside the interval."
            in said.inner_text()
        )
        heading = page.locator("#figure-radio-hindsight h3")
        assert heading.inner_text() == "Half of the invented forecasts held what came"
        before = page.evaluate(FAN)
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"before => JSON.stringify(({FAN})()) !== JSON.stringify(before)", arg=before)
        assert slider.get_attribute("aria-valuetext") == "end of 1936, 16 years after launch"
        assert "15 figures were known, the last 69 in 1936." in said.inner_text()
        assert page.evaluate("location.hash") == "#cut=1936&place=USA"
        page.get_by_label("Place").select_option("CHE")
        page.wait_for_function("() => location.hash === '#cut=1936&place=CHE'")
        assert "Switzerland" in page.locator("#figure-radio-hindsight .subtitle").inner_text()
        assert heading.inner_text() == "Switzerland, % of households: what could have been said, year by year"
        page.get_by_label("Place").select_option("USA")
        page.wait_for_function("() => location.hash === '#cut=1936&place=USA'")
        assert heading.inner_text() == "Half of the invented forecasts held what came"
        assert seen.faults == []
    with Watched(browser, site.as_uri(), viewport={"width": width, "height": 900}) as seen:
        page = seen.open("medium-radio.html#cut=1928&place=CHE")
        page.wait_for_function("() => document.querySelector('[data-said]').textContent.includes('7 figures')")
        assert page.get_by_label("Place").input_value() == "CHE"
        assert page.evaluate("() => document.querySelector('[data-explorer]').getBoundingClientRect().top") < 900
        assert page.evaluate(OVERFLOW) <= 0
        assert seen.faults == []


def test_hostile_words_do_nothing(browser, hostile):
    with Watched(browser, hostile.as_uri()) as seen:
        page = seen.open()
        assert page.locator("h1").inner_text() == fake_site.HOSTILE
        assert page.evaluate("() => document.querySelectorAll('.plot script').length") == 0
        notes = page.locator("#figure-information .plot .annotation-text").all_text_contents()
        assert any(fake_site.HOSTILE in note for note in notes)
        page = seen.open("medium-radio.html")
        page.wait_for_function("() => document.querySelector('[data-said]').textContent.includes('7 figures')")
        assert fake_site.HOSTILE in page.locator("#figure-radio-hindsight .subtitle").inner_text()
        assert seen.faults == []


def test_nothing_offers_to_send_the_figure_away(browser, site):
    with Watched(browser, site.as_uri()) as seen:
        page = seen.open()
        page.locator("#figure-adoption-age .plot").hover()
        titles = page.evaluate(
            "() => [...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title || b.ariaLabel || b.title)"
        )
        assert titles
        assert not [t for t in titles if any(w in json.dumps(t).lower() for w in ("share", "cloud", "studio", "logo"))]


def test_the_keyboard_reaches_the_text(browser, site):
    with Watched(browser, site.as_uri()) as seen:
        page = seen.open()
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.getElementById('main').contains(document.activeElement)")


def test_the_keyboard_works_the_controls(browser, site):
    with Watched(browser, site.as_uri()) as seen:
        page = seen.open("claim-c6.html")
        focus = "() => { const e = document.activeElement; return [e.tagName, getComputedStyle(e).outlineStyle]; }"
        page.locator("#figure-errors-of-claims .under a[href$='.csv']").first.focus()
        reached = []
        for _ in range(4):
            page.keyboard.press("Tab")
            reached.append(page.evaluate(focus))
        assert [tag for tag, _ in reached] == ["A", "BUTTON", "A", "SUMMARY"]
        assert {outline for _, outline in reached} == {"solid"}
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        table = page.locator("#figure-errors-of-claims .scroll")
        assert table.is_visible()
        assert table.evaluate("e => e === document.activeElement")
        assert seen.faults == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_figure_is_handed_over_as_a_picture_with_its_finding_and_its_source(browser, site, width):
    with Watched(browser, site.as_uri(), viewport={"width": width, "height": 900}) as seen:
        page = seen.open()
        # What is drawn for the picture is looked at where Plotly is given it.
        page.evaluate(
            "() => { const made = Plotly.downloadImage; Plotly.downloadImage = (figure, options) => {"
            " window.handed = JSON.stringify(figure); return made(figure, options); }; }"
        )
        with page.expect_download() as waiting:
            page.get_by_role("button", name="picture (PNG)").first.click()
        assert waiting.value.suggested_filename == "adoption-age.png"
        image = Path(waiting.value.path()).read_bytes()
        handed = json.loads(page.evaluate("() => window.handed"))
        assert image[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(image[16:20]) == 2 * handed["layout"]["width"] == 2 * (960 if width == 1280 else 420)
        written = " ".join([handed["layout"]["title"]["text"], *(n["text"] for n in handed["layout"]["annotations"])])
        written = written.replace("<br>", " ")
        assert page.locator("#figure-adoption-age h3").inner_text() in written
        assert "Household technologies (invented)" in written
        with page.expect_download() as waiting:
            page.get_by_role("link", name="picture (SVG)").first.click()
        assert waiting.value.suggested_filename == "adoption-age.svg"
        drawn = " ".join(ElementTree.parse(waiting.value.path()).getroot().itertext())
        assert "Household technologies (invented)" in drawn
        assert page.locator("#figure-adoption-age h3").inner_text().split()[0] in drawn
        # Where lines have no labels of their own, the key goes with them.
        keyed = [trace["name"] for trace in handed["data"] if trace.get("showlegend")]
        assert len(keyed) == (0 if width == 1280 else len(fake_site.LINES))
        assert seen.faults == []


def test_on_paper_pictures_stand_for_figures_and_ink_is_dark(browser, site):
    with Watched(browser, site.as_uri(), viewport={"width": 390, "height": 900}, color_scheme="dark") as seen:
        page = seen.open()
        page.emulate_media(media="print", color_scheme="dark")
        figure = page.locator("#figure-adoption-age")
        assert figure.locator(".static.wide").is_visible()
        for gone in (".plot", ".static.narrow", "details", "button"):
            assert not figure.locator(gone).first.is_visible(), gone
        assert not page.locator(".top nav").is_visible()
        assert page.locator(".verdict").first.is_visible()
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(253, 253, 251)"


COMPARED = (
    "() => [...document.querySelectorAll('.compared')].map(p => p.querySelectorAll('.scatterlayer .trace').length)"
)


def _compared(page, traces):
    """Wait until the pictures on Compare have so many traces each."""
    page.wait_for_function(f"want => JSON.stringify(({COMPARED})()) === JSON.stringify(want)", arg=traces)


@pytest.mark.parametrize("width", [390, 1280])
def test_series_are_found_picked_compared_and_come_back_by_the_address(browser, site, width):
    options = {"viewport": {"width": width, "height": 900}}
    with Watched(browser, site.as_uri(), **options) as seen, Watched(browser, site.as_uri(), **options) as other:
        page = seen.open("compare.html", drawn=False)
        _compared(page, [2])  # a line and the cross of its break
        assert not page.locator("#still").is_visible()
        page.get_by_label("Find a series").fill("ghana")
        for at in range(2):
            page.locator("#found input").nth(at).focus()
            page.keyboard.press("Space")
        assert "Without an age, so only on the calendar: Radio, Ghana; Internet, Ghana" in page.inner_text("#told")
        page.get_by_label("of the calendar").check()
        _compared(page, [3, 1])
        page.get_by_label("one each").check()
        _compared(page, [4])
        page.get_by_text("Table of the values").click()
        assert "1931\t55.5\t–\t–" in page.inner_text("#values")
        assert page.evaluate(OVERFLOW) <= 0

        again = other.open(page.url.removeprefix(site.as_uri() + "/"), drawn=False)
        _compared(again, [4])
        names = [name.inner_text() for name in again.locator("#picked a").all()]
        assert names == ["Radio, USA", "Radio, Ghana", "Internet, Ghana"]
        assert again.get_by_label("of the calendar").is_checked()
        again.get_by_role("button", name="Remove Radio, Ghana").press("Enter")
        _compared(again, [3])
        assert again.evaluate("() => document.activeElement.getAttribute('aria-label')") == "Remove Internet, Ghana"
        again.locator("#picked a").first.click()
        again.wait_for_url("**/source-*.html#series-*")
        assert again.locator("[id='" + series_anchor(fake_site.RADIO) + "']").is_visible()
        assert seen.faults == other.faults == []


def test_compare_without_javascript_shows_the_four_media_and_with_hostile_words_no_harm(browser, site, hostile):
    with Watched(browser, site.as_uri(), java_script_enabled=False) as seen:
        page = seen.open("compare.html", drawn=False)
        assert not page.locator("#compare").is_visible()
        assert page.locator("noscript").is_visible()
        assert page.locator("#still .static.wide").bounding_box()["height"] > 150
        assert seen.faults == []
    with Watched(browser, hostile.as_uri()) as seen:
        page = seen.open("compare.html", drawn=False)
        _compared(page, [2])
        assert fake_site.HOSTILE in page.inner_text("#picked")
        assert seen.faults == []

"""In which order a page draws its figures, in a real browser: those that a reader sees first, and in the end all."""

import dataclasses

import fake_site
import pytest
import watched
from longwave.reports.site import publish

pytestmark = pytest.mark.browser


IDS = [f"fig-{block.id}" for block in fake_site.figures()]
# Notes each figure as it is drawn.
NOTED = """window.order = [];
new MutationObserver(all => all.forEach(one => window.order.push(one.target.dataset.figure))).observe(
    document, {subtree: true, attributeFilter: ['data-drawn']});"""
BARE = "delete window.IntersectionObserver; delete window.requestIdleCallback;"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("drawing") / "site"
    publish(dataclasses.replace(fake_site.content(), figures=fake_site.figures(), media=(), stated=()), out)
    return out


def order(browser, site, script, address):
    with watched.Watched(browser, site.as_uri(), viewport={"width": 1280, "height": 600}) as seen:
        seen.page.add_init_script(script)
        page = seen.open(address)
        assert all(drawn == given > 0 for _, drawn, given in page.evaluate(watched.COUNTS))
        assert seen.faults == []
        return page.evaluate("() => window.order")


def test_what_the_address_leads_to_is_drawn_first_and_each_figure_once(browser, site):
    drawn = order(browser, site, NOTED, "index.html#figure-persistence")
    assert drawn[0] == "fig-persistence"
    assert sorted(drawn) == sorted(IDS)


def test_what_comes_near_is_drawn_at_once_and_what_is_far_waits(browser, site):
    with watched.Watched(browser, site.as_uri(), viewport={"width": 1280, "height": 600}) as seen:
        # A browser that is never idle.
        seen.page.add_init_script("window.requestIdleCallback = () => 0;" + NOTED)
        page = seen.open(drawn=False)
        page.locator("#figure-persistence").scroll_into_view_if_needed()
        page.wait_for_function("() => window.order.includes('fig-persistence')")
        assert IDS[0] not in page.evaluate("() => window.order.slice(0, window.order.indexOf('fig-persistence'))")
        assert seen.faults == []


def test_a_browser_that_cannot_tell_what_is_in_view_draws_all(browser, site):
    assert order(browser, site, BARE + NOTED, "index.html") == IDS

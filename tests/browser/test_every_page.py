"""Every page of a real run in a real browser: opened, measured, read by axe-core; found by what stands in the folder.

Pages of one template are one kind (`source-….html`). All are opened narrow and light; one of a kind is then made wider and
dark in place, which costs less than opening it anew.
"""

import json

import pytest
import watched

pytestmark = pytest.mark.browser


WIDTHS = (390, 1024, 1600)
# Folded parts of a longer page are not all laid open: they are one loop of the template, and take seconds each time.
LONG = 1_000_000


@pytest.fixture(scope="module")
def pages(full_home):
    return sorted(path.name for path in full_home.site.glob("*.html"))


def kind(name):
    return name.removesuffix(".html").partition("-")[0]


def poorest(site, pages):
    """The page of each kind with least in it."""
    return set({kind(name): name for name in sorted(pages, key=lambda n: -(site / n).stat().st_size)}.values())


def of_each_kind(site, pages):
    """One page of each kind, that with most in it of those that are not long."""
    best = {}
    for name in sorted(pages, key=lambda name: (site / name).stat().st_size):
        if (site / name).stat().st_size < LONG or kind(name) not in best:
            best[kind(name)] = name
    return set(best.values())


def overflows(page, width, scheme):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(watched.FORM, arg=f"{'narrow' if width == WIDTHS[0] else 'wide'} {scheme}", timeout=60_000)
    return page.evaluate(watched.OVERFLOW) > 0


def test_every_page_from_disk(browser, full_home, pages):
    """Drawn whole, nothing asked of anyone, nothing beyond the edge, nothing that bars a reader.

    Sources have one template and many pages, as have claims and media: axe-core reads the page with most in it and that with
    least.
    """
    kinds = of_each_kind(full_home.site, pages)
    read = kinds | poorest(full_home.site, pages)
    assert len(kinds) >= 8
    wrong, drawn = {}, 0
    with watched.Watched(browser, full_home.site.as_uri(), viewport={"width": 390, "height": 900}) as seen:
        for name in pages:
            seen.page.set_viewport_size({"width": 390, "height": 900})
            seen.page.emulate_media(color_scheme="light")
            page, found = seen.open(name), []
            counts = page.evaluate(watched.COUNTS)
            drawn += len(counts)
            found += [figure for figure, traces, given in counts if not traces == given > 0]
            if (full_home.site / name).stat().st_size < LONG:
                page.evaluate(watched.UNFOLD)
            found += ["overflows at 390"] if page.evaluate(watched.OVERFLOW) > 0 else []
            if name in kinds:
                # Each width and each scheme; what is beyond an edge does not hang on its colour.
                steps = [(390, "dark"), (1024, "dark"), (1600, "light")]
                found += [
                    f"overflows at {width}, {scheme}" for width, scheme in steps if overflows(page, width, scheme)
                ]
            if name in read:
                found += seen.violations()
            found += seen.faults
            seen.faults.clear()
            if found:
                wrong[name] = found
    assert wrong == {}
    claims = json.loads((full_home.site / "findings.json").read_text())["claims"]
    assert drawn > len(claims)


def test_every_kind_of_page_over_http(browser, full_home, pages):
    """Where a page comes from is a matter of its template; what it brings is there, as every page from disk shows."""
    with watched.served(full_home.site) as at, watched.Watched(browser, at) as seen:
        page = seen.open()
        assert all(traces == given > 0 for _, traces, given in page.evaluate(watched.COUNTS))
        for name in sorted(of_each_kind(full_home.site, pages)):
            seen.open(name, drawn=False)
            assert seen.faults == [], name


def test_without_javascript_the_claims_and_the_tables_are_there(browser, full_home):
    claims = json.loads((full_home.site / "findings.json").read_text())["claims"]
    with watched.Watched(browser, full_home.site.as_uri(), java_script_enabled=False) as seen:
        page = seen.open(drawn=False)
        assert page.locator(".verdict").all_inner_texts() == [claim["verdict"].capitalize() for claim in claims]
        page = seen.open("ripeness.html", drawn=False)
        figures = page.locator("[data-figure]")
        assert figures.count() >= 5
        for nth in range(figures.count()):
            figure = figures.nth(nth)
            assert figure.locator(".static.wide").is_visible()
            figure.locator("summary").first.click()
            assert figure.locator("tbody tr").first.is_visible()
        assert seen.faults == []

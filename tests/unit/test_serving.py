"""The site beside the UI: served on this machine alone, on a free port where its own is taken, there or not there yet."""

import urllib.error
import urllib.request

import pytest
from longwave.pipelines.serving import site_served


def test_a_site_is_served_as_it_stands_and_a_port_that_is_taken_is_no_hindrance(tmp_path):
    site = tmp_path / "site"
    with site_served(site, 0) as first, site_served(site, int(first.rsplit(":", 1)[1])) as second:
        assert first != second
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{first}/index.html")
        site.mkdir()
        (site / "index.html").write_text("published")
        for address in (first, second):
            assert address.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(f"{address}/index.html") as answer:
                assert answer.read() == b"published"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{first}/index.html")

"""`longwave report` never replaces a folder that is not a site of ours."""

import pytest
from longwave.pipelines.publish import _clear_leftovers, _refuse_foreign, _swap
from longwave.warehouse.errors import UnusableHome


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UnusableHome, match="no site of longwave"):
        _refuse_foreign(tmp_path)
    (tmp_path / "thesis.tex").unlink()
    _refuse_foreign(tmp_path)
    (tmp_path / "findings.json").write_text("{}")
    (tmp_path / "index.html").write_text("")
    _refuse_foreign(tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "site").write_text("")
    with pytest.raises(UnusableHome, match="is a file"):
        _refuse_foreign(tmp_path / "site")
    _refuse_foreign(tmp_path / "not there yet")


def test_a_killed_publication_leaves_nothing_behind_and_nothing_else_is_touched(tmp_path):
    killed, own = tmp_path / ".site.x1y2", tmp_path / ".site.notes"
    for folder in (killed / "new" / "data", own):
        folder.mkdir(parents=True)
    (own / "thesis.tex").write_text("years of work")
    _clear_leftovers(tmp_path / "site")
    assert not killed.exists()
    assert (own / "thesis.tex").is_file()


def test_a_swap_that_fails_puts_the_old_site_back(tmp_path):
    site, retired = tmp_path / "site", tmp_path / "old"
    site.mkdir()
    (site / "index.html").write_text("old")
    with pytest.raises(OSError):
        _swap(tmp_path / "never made", site, retired)
    assert (site / "index.html").read_text() == "old"
    fresh = tmp_path / "new"
    fresh.mkdir()
    (fresh / "index.html").write_text("new")
    _swap(fresh, site, retired)
    assert (site / "index.html").read_text() == "new"

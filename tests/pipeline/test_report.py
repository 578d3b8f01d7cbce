"""`longwave report` never replaces a folder that is not a site of ours."""

import pytest
from longwave.pipelines.publish import _refuse_foreign
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

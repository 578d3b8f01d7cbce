"""The wheel: everything git knows of the four folders and nothing else, and it runs where no checkout is."""

import json
import re
import subprocess
import sys
import zipfile

import pytest
from longwave.warehouse.home import checkout, default_home

FOLDERS = ("models", "pipelines", "reports", "warehouse")

_WHERE = """
import json, sys
import longwave.pipelines.definitions, longwave.pipelines.publish, longwave.pipelines.verify
from longwave.warehouse.founding_files import founding_folder
from longwave.warehouse.home import checkout, default_home
modules = {n: m.__file__ for n, m in sys.modules.items() if n.startswith("longwave.") and getattr(m, "__file__", None)}
print(json.dumps({"modules": modules, "home": str(default_home()), "founding": str(founding_folder()),
                  "checkout": str(checkout())}))
"""


def tracked(root):
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *FOLDERS]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(name for name in names if name and (root / name).is_file())


def test_the_wheel_holds_what_git_knows_and_nothing_else(wheel, root):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    content = sorted(name.removeprefix("longwave/") for name in names if ".dist-info/" not in name)
    assert content == tracked(root)
    assert len(content) > 80


def test_the_wheel_holds_the_files_as_they_are(wheel, root):
    with zipfile.ZipFile(wheel) as archive:
        differing = [name for name in tracked(root) if archive.read(f"longwave/{name}") != (root / name).read_bytes()]
    assert differing == []


def test_the_wheel_says_who_it_is(wheel, root):
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA")]
        (entry,) = [archive.read(name).decode() for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    assert "Requires-Python: <3.15,>=3.11" in metadata
    assert "License-Expression: MIT" in metadata
    assert (root / "README.md").read_text().splitlines()[0] in metadata
    assert "longwave = longwave.pipelines.cli:main" in entry


@pytest.fixture(scope="module")
def seen(unpacked, clean_environment):
    """What the installed package finds of itself, asked in its own process."""
    made = subprocess.run(
        [sys.executable, "-c", _WHERE],
        env=clean_environment(**unpacked.settings),
        cwd=unpacked.cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


def test_what_runs_elsewhere_is_the_wheel(seen, unpacked):
    assert len(seen["modules"]) > 30
    assert [name for name, file in seen["modules"].items() if not file.startswith(str(unpacked.target))] == []
    assert seen["founding"].startswith(str(unpacked.target))


def test_without_a_checkout_the_home_is_the_platforms_data_folder(seen, unpacked):
    assert seen["checkout"] == "None"
    assert seen["home"] == str(unpacked.home)


def test_in_a_checkout_the_home_is_var(root):
    assert checkout() == root
    assert default_home() == root / "var"


def test_the_wheel_takes_what_a_checkout_did_for_done(installed):
    """To the key of every step its code, its facts and what they were found from are the same; the rest it does anew."""
    (done,) = re.findall("steps done: (.*)", installed.stdout)
    assert sorted(done.split(", ")) == sorted(installed.again)
    assert " 0 changed" in installed.stdout


def test_the_wheel_runs_elsewhere(installed, longwave):
    assert f"site: {installed.home / 'site' / 'index.html'}" in installed.stdout
    assert (installed.home / "site" / "index.html").is_file()
    assert list(installed.cwd.iterdir()) == []
    for arguments, said in (
        (["query", "select count(*) n from observations where medium = 'radio'", "--format", "csv"], "n\n"),
        (["sources"], "owid_technology_diffusion"),
        (["verify"], "archived records verified"),
    ):
        result = longwave(arguments, program=installed.program, cwd=installed.cwd, **installed.settings)
        assert result.returncode == 0, result.stderr
        assert said in result.stdout
    assert list(installed.cwd.iterdir()) == []

"""The lines of the house: who imports whom, where SQL and the network may be, how long things are, what a key covers."""

import ast
import functools
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from longwave.pipelines import steps
from longwave.warehouse.founding_files import founding_folder

FOLDERS = ("models", "pipelines", "reports", "warehouse")
MAY_IMPORT = {
    "models": {"models"},
    "warehouse": {"warehouse"},
    "reports": {"reports", "warehouse"},
    "pipelines": {"pipelines", "reports", "warehouse", "models"},
}
SQL = re.compile(r"\b(SELECT\s.+\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|DELETE\s+FROM|UPDATE\s+\w+\s+SET)\b", re.I | re.S)
CLOCKS = {"today", "now", "utcnow", "time", "time_ns", "localtime", "gmtime"}


# A dozen tests read the same trees, and none changes them.
parsed = functools.cache(ast.parse)


def modules(root, *folders):
    """Path and syntax tree of every module below folders."""
    found = [path for folder in folders or FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    assert found
    return [(path.relative_to(root), parsed(path.read_text(encoding="utf-8"))) for path in found]


def imported(tree):
    """Dotted names of what a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
            # `from longwave import models` names the folder in the alias.
            yield from (f"longwave.{alias.name}" for alias in node.names if node.module == "longwave")


def texts(tree):
    """Every string of a module that is not a docstring, the constant parts of f-strings included."""
    said = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value
        if isinstance(node, ast.JoinedStr):
            yield " x ".join(part.value for part in node.values if isinstance(part, ast.Constant))


def tracked(root):
    """Files of the tree: those git knows, and new ones it does not ignore."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in names if name and (root / name).is_file()]


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_run_one_way(root, folder):
    wrong = []
    for path, tree in modules(root, folder):
        for name in imported(tree):
            parts = name.split(".")
            if parts[0] == "longwave" and len(parts) > 1 and parts[1] not in MAY_IMPORT[folder]:
                wrong.append(f"{path}: {name}")
    assert wrong == []


def test_the_line_is_drawn_where_imports_are(root):
    """The test above sees the imports: pipelines do use all three others."""
    seen = {
        name.split(".")[1] for _, tree in modules(root, "pipelines") for name in imported(tree) if "longwave." in name
    }
    assert seen == set(FOLDERS)


def test_our_own_modules_are_imported_by_their_full_name(root):
    bare = [
        f"{path}: {name}"
        for path, tree in [*modules(root), *modules(root, "tests")]
        for name in imported(tree)
        if name.startswith(".") or name.split(".")[0] in FOLDERS
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("folder", "banned"),
    [
        ("models", {"duckdb", "dagster", "httpx", "requests", "urllib", "socket", "jinja2", "plotly"}),
        ("reports", {"dagster", "httpx", "requests", "urllib", "socket", "sklearn", "scipy"}),
        ("warehouse", {"dagster", "httpx", "requests", "urllib", "socket", "jinja2", "plotly", "sklearn", "scipy"}),
    ],
)
def test_a_folder_uses_no_library_of_another_folders_work(root, folder, banned):
    used = {(name.split(".")[0], str(path)) for path, tree in modules(root, folder) for name in imported(tree)}
    assert [pair for pair in sorted(used) if pair[0] in banned] == []


NETWORK = re.compile(
    r"(aiohttp|asyncio|ftplib|http\.client|httpcore|httpx|requests|socket|socketserver|ssl|urllib\.request|urllib3)(\..+)?"
)


def test_only_the_fetcher_and_its_transport_touch_the_network(root):
    touching = {
        path.name
        for path, tree in modules(root, "pipelines")
        if any(NETWORK.fullmatch(name) for name in imported(tree))
    }
    assert touching == {"fetch.py", "transport.py"}


def test_sql_stands_in_the_warehouse_alone(root):
    found = [
        f"{path}: {text[:60]}"
        for path, tree in modules(root, "models", "reports", "pipelines")
        for text in texts(tree)
        if SQL.search(text)
    ]
    assert found == []
    assert any(SQL.search(text) for _, tree in modules(root, "warehouse") for text in texts(tree))


def test_models_and_pages_ask_no_clock(root):
    asked = [
        f"{path}:{node.lineno}"
        for path, tree in modules(root, "models", "reports")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in CLOCKS
        and isinstance(node.value, ast.Name | ast.Attribute)
        and ast.unparse(node.value).split(".")[-1] in {"date", "datetime", "time", "dt"}
    ]
    assert asked == []


def functions(root):
    for path, tree in modules(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}:{node.name}", node.end_lineno - node.lineno + 1


def test_nine_functions_in_ten_are_under_45_lines(root):
    lengths = dict(functions(root))
    assert len(lengths) > 100
    long = {name: length for name, length in lengths.items() if length >= 45}
    assert len(long) <= 0.1 * len(lengths), long


def test_no_module_is_over_500_lines(root):
    lengths = {str(path): len((root / path).read_text(encoding="utf-8").splitlines()) for path, _ in modules(root)}
    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_the_founding_facts_are_small():
    sizes = {path.name: path.stat().st_size for path in founding_folder().rglob("*") if path.is_file()}
    assert len(sizes) > 20
    assert {name: size for name, size in sizes.items() if size > 1_500_000} == {}
    assert sum(path.stat().st_size for path in founding_folder().rglob("*") if path.is_file()) < 10_000_000


# Written in parts, so that this file does not find itself.
REGISTRIES = ["py" + "pi.org", "python" + "hosted.org", "index" + "-url =", "registry." + "npm", "extra-" + "index-url"]
MACHINE = re.compile(r"(?<![\w.:/*}])/(?:" + "|".join(["home", "root", "work", "Users", "mnt", "opt"]) + r")/[\w.]")


def test_no_file_names_a_package_registry_or_a_machines_path(root):
    found, read = [], 0
    for name in tracked(root):
        try:
            text = (root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        read += 1
        found += [f"{name}: {word}" for word in REGISTRIES if word in text]
        found += [f"{name}: {match.group()}" for match in MACHINE.finditer(text)]
    assert read > 80
    assert found == []


def test_a_machines_path_would_be_seen():
    assert MACHINE.search("see /" + "home/ada/data.csv")
    assert MACHINE.search('"/' + 'work/main"')
    assert not MACHINE.search("https://example.org/" + "home/page")


# Module and the steps whose key it must change, and no other. Views reach the studies through the frames they read.
CHANGES = {
    "models/curves.py": ["curves", "fits", "hindsight", "pages", "studies"],
    "models/curve_solver.py": ["curves", "fits", "hindsight", "pages", "studies"],
    "models/identification.py": ["curves", "pages"],
    "models/forecasting.py": ["hindsight", "pages", "studies"],
    "models/hindsight.py": ["hindsight", "pages"],
    "models/presence.py": ["pages", "presence"],
    "models/ranks.py": ["curves", "hindsight", "pages", "platforms", "presence", "studies"],
    "models/standings.py": ["pages", "platforms"],
    "pipelines/curve_fits.py": ["curves", "fits", "pages"],
    "pipelines/find.py": ["curves", "hindsight", "pages", "platforms", "presence", "studies"],
    "reports/svg.py": ["pages"],
    "warehouse/views.py": ["pages", "world"],
    "pipelines/cli.py": [],
    "pipelines/verify.py": [],
}
_KEYS = """
import json, sys
from pathlib import Path
from longwave.pipelines import steps

top = Path(sys.argv[1])
assert steps.__file__.startswith(str(top)), steps.__file__
STEPS = {
    "studies": ("longwave.pipelines.ripening",),
    "hindsight": ("longwave.pipelines.find_hindsight",),
    "fits": ("longwave.pipelines.curve_fits",),
    "curves": ("longwave.pipelines.curve_study",),
    "platforms": ("longwave.pipelines.find_platforms",),
    "presence": ("longwave.pipelines.find_presence",),
    "pages": ("longwave.pipelines.publish", "longwave.reports.site"),
    "world": ("longwave.warehouse.world", "longwave.warehouse.views"),
}

def keys():
    steps.code_digest.cache_clear()
    return {name: steps.step_key(modules, {}, {}) for name, modules in STEPS.items()}

found, before = {}, keys()
for module in json.loads(sys.argv[2]):
    path = top / "longwave" / module
    source = path.read_text(encoding="utf-8")
    path.write_text(source + "\\n# a comment\\n", encoding="utf-8")
    after = keys()
    path.write_text(source, encoding="utf-8")
    found[module] = sorted(name for name in STEPS if after[name] != before[name])
assert keys() == before
print(json.dumps(found))
"""


def of_longwave(tree):
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    said = sorted(ast.unparse(node) for node in names)
    return [text for text in said if re.search(r"\blongwave\b", text)]


def test_a_key_finds_in_the_lines_of_imports_what_stands_in_the_whole_module(root):
    for path, tree in modules(root):
        assert of_longwave(steps._import_statements((root / path).read_bytes())) == of_longwave(tree), path


@pytest.mark.parametrize(
    "source",
    [
        "if True:\n    from longwave.models import (\n        curves,  # (some)\n        fans,\n    )\nx = (1,\n 2)\n",
        "import os, longwave.models.fans\n",
        "from longwave.models \\\n    import fans\n",
        "from longwave.models import \\\n    fans, curves\nfrom longwave . reports import site as s\n",
        "def f():\n\tfrom longwave import models  # noqa\n\treturn models\n",
    ],
)
def test_however_an_import_is_written_a_key_finds_it(source):
    found = of_longwave(steps._import_statements(source.encode()))
    assert found
    assert found == of_longwave(ast.parse(source))


def test_a_changed_module_changes_the_keys_of_the_steps_that_use_it(root, tmp_path, clean_environment):
    """In a copy of the four folders, where nobody minds."""
    for folder in FOLDERS:
        left_out = shutil.ignore_patterns("__pycache__", "founding")
        shutil.copytree(root / folder, tmp_path / "longwave" / folder, ignore=left_out)
    kept = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    made = subprocess.run(
        [sys.executable, "-c", _KEYS, str(tmp_path), json.dumps(list(CHANGES))],
        env=clean_environment(PYTHONPATH=os.pathsep.join([str(tmp_path), *kept])),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout) == CHANGES


def test_every_step_names_the_code_it_follows_from(root):
    """Each key of an asset names modules, and each of them is there."""
    trees = [
        tree
        for path, tree in modules(root, "pipelines")
        if path.name in ("assets.py", "finding_assets.py", "refresh.py")
    ]
    calls = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "step_key"
    ]
    named = [element.value for call in calls for element in call.args[0].elts if isinstance(element, ast.Constant)]
    assert len(calls) >= 6
    assert {
        "longwave.pipelines.find",
        "longwave.pipelines.ripening",
        "longwave.pipelines.observe",
        "longwave.pipelines.publish",
    } <= set(named)
    for name in named:
        assert (root / (name.removeprefix("longwave.").replace(".", "/") + ".py")).is_file(), name

"""Step keys: the SHA-256 of everything a step's result follows from. An equal key means there is nothing to do.

A key covers the inputs' digests, the parameters and seed, the source files of the modules the step uses (with all that
they import from longwave, found by reading their imports) and the versions of the installed dependencies.
"""

from __future__ import annotations

import ast
import hashlib
import json
import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from importlib import metadata, util
from importlib.resources.abc import Traversable
from pathlib import Path

import polars as pl
from longwave.warehouse.world import FACT_TABLES, QUOTED, load_fact

_IMPORT = re.compile(
    rb"^[ \t]*((?:from[ \t]+longwave\b|import[ \t][^\n]*\blongwave\b)[^\n(]*(?:\([^)]*\))?[^\n]*)", re.MULTILINE
)


def digest_of(*parts: str | bytes) -> str:
    """SHA-256 of parts, each with its length, so that no two lists of parts collide."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()


def frame_digest(frame: pl.DataFrame) -> str:
    """SHA-256 of a frame's columns and rows, as text."""
    return digest_of(frame.write_csv(float_precision=None))


def facts_digest() -> str:
    """Digest of every table of facts about the world."""
    return digest_of(*[frame_digest(load_fact(name)) for name in (*FACT_TABLES, *QUOTED)])


def step_key(modules: tuple[str, ...], inputs: Mapping[str, str], parameters: Mapping[str, object]) -> str:
    """Key of a step.

    Args:
        modules: the longwave modules whose code the result follows from.
        inputs: digest of each input, by name.
        parameters: parameters and seed.

    """
    text = json.dumps({"inputs": dict(inputs), "parameters": dict(parameters)}, sort_keys=True, default=str)
    return digest_of(text, code_digest(modules), dependencies_digest())


@cache
def code_digest(modules: tuple[str, ...]) -> str:
    """SHA-256 of the source of modules and of every longwave module they import, directly or not."""
    sources = _closure(modules)
    return digest_of(*[part for name in sorted(sources) for part in (name, sources[name])])


def _closure(modules: tuple[str, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    queue = list(modules)
    while queue:
        name = queue.pop()
        spec = util.find_spec(name) if name not in found else None
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            continue
        found[name] = Path(spec.origin).read_bytes()
        queue += _imports(found[name])
        # A reader's module need stand in no package.
        queue += [package] if (package := name.rpartition(".")[0]) else []
    return found


@cache
def _imports(source: bytes) -> tuple[str, ...]:
    """What a source imports of longwave; found once a process, since most steps share most of their modules."""
    names: list[str] = []
    for node in ast.walk(_import_statements(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *[f"{node.module}.{alias.name}" for alias in node.names]]
    return tuple(name for name in names if name.startswith("longwave.") and _is_module(name))


def _import_statements(source: bytes) -> ast.Module:
    """The lines that import something of longwave, parsed; to parse all else besides takes most of a second.

    A line that only looks like one (in a text) may name a module more. Where the lines alone are no Python, all is parsed.
    """
    lines = b"\n".join(_IMPORT.findall(source.replace(b"\\\n", b" ")))
    try:
        return ast.parse(lines)
    except SyntaxError:
        return ast.parse(source)


def _is_module(name: str) -> bool:
    package, _, last = name.rpartition(".")
    # The outermost package is not one folder where longwave is installed for work on it.
    return util.find_spec(name) is not None if package == "longwave" else last in _modules_in(package)


@cache
def _modules_in(package: str) -> frozenset[str]:
    """The modules of a package, by one look at its folder; none where it is no package."""
    try:
        spec = util.find_spec(package)
    except ModuleNotFoundError:
        return frozenset()
    folders = spec.submodule_search_locations if spec else None
    return frozenset(module.name for module in pkgutil.iter_modules(folders)) if folders else frozenset()


@cache
def dependencies_digest() -> str:
    """SHA-256 of the versions of what longwave depends on, as installed here."""
    required = [r for r in metadata.requires("longwave") or [] if "extra ==" not in r]
    names = sorted({r.split(";")[0].split(">")[0].split("=")[0].strip() for r in required})
    versions = [f"{name}=={metadata.version(name)}" for name in names if _installed(name)]
    return digest_of(*versions)


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def folder_digest(folder: Path | Traversable, extra: str) -> str:
    """SHA-256 of every file below a folder with its name, and of an extra text; a missing folder is empty."""
    root = Path(str(folder))
    files = sorted(p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts) if root.is_dir() else []
    return digest_of(extra, *[part for p in files for part in (str(p.relative_to(root)), p.read_bytes())])

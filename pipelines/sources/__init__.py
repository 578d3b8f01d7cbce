"""One module a source, or a family of sources of one format: a typed declaration and a reader (bytes to tidy frame).

`SOURCES` is collected from the modules of this folder; no list is kept by hand.
"""

from __future__ import annotations

import importlib
import pkgutil

from longwave.pipelines.sources._spec import SourceSpec


def _collect() -> dict[str, SourceSpec]:
    found: dict[str, SourceSpec] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        if not module.name.startswith("_"):
            for spec in importlib.import_module(f"{__name__}.{module.name}").SPECS:
                if spec.source in found:
                    raise ValueError(f"two sources are called {spec.source}")
                found[spec.source] = spec
    return found


SOURCES: dict[str, SourceSpec] = _collect()

__all__ = ["SOURCES", "SourceSpec"]

"""What the UI shows of every asset beyond the step itself: its docstring, columns, tags, code, and its page on the site.

All of it follows from what is declared elsewhere; an asset added anywhere is dressed too. Not here: what one run found, which
each step tells (`asset_parts.told`).
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
from longwave.pipelines import sources as source_modules
from longwave.pipelines.settings import Settings
from longwave.pipelines.sources import SOURCES
from longwave.reports.places import CATALOGUE, REGISTER, claim_page, source_page
from longwave.warehouse.tables import TABLES
from longwave.warehouse.world import FACT_TABLES, load_fact

FRONT = "index.html"
PAGES: dict[str, str] = {
    "world/facts": f"{CATALOGUE}#launch-years",
    "findings/information_by_age": "ripeness.html",
    "findings/hindsight": "media.html",
    "findings/backtests": "forecasts.html",
    "findings/curve_fits": "curves.html",
    "findings/curves": "curves.html",
    "findings/persistence": claim_page("C4a"),
    "findings/revisions": "revisions.html",
    "findings/channels": claim_page("C3"),
    "findings/upkeep": claim_page("C7"),
    "findings/presence": claim_page("C1"),
    "findings/speed": claim_page("C2"),
    "findings/authority": claim_page("C4"),
    "findings/impact": claim_page("C4a"),
    "findings/platforms": claim_page("C4a"),
    "claims": REGISTER,
}
"""The page on which an asset can be read, where it is neither the front page nor a source's own."""
_HELD_IN = {"sources": "observation_versions", "findings": "findings", "claims": "verdicts"}


def dressed(assets: Iterable[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """Give every asset its docstring, columns, tags, code and page.

    Tags: `source/<id>` and `medium/<medium>` of a source; of what is found, those of the sources it names, where these are
    fewer than all (then nobody looks for it by source).
    """
    every = list(assets)
    media = {spec.key: _media(spec.tags) for asset in every for spec in asset.specs if spec.group_name == "sources"}
    return [_dressed(asset, media) for asset in every]


def page_of(key: dg.AssetKey) -> str:
    """File and anchor of the page on which an asset can be read, within the site."""
    group, *rest = key.path
    if group == "sources":
        return source_page(rest[0])
    return PAGES.get(key.to_user_string(), FRONT)


def _dressed(asset: dg.AssetsDefinition, media: Mapping[dg.AssetKey, set[str]]) -> dg.AssetsDefinition:
    step = asset.op.compute_fn
    function = getattr(step, "decorated_fn", step)

    def look(spec: dg.AssetSpec) -> dg.AssetSpec:
        more = {
            "dagster/column_schema": _columns(spec),
            "dagster/code_references": _code(spec, function),
            "page": _page(spec.key),
        }
        return spec.replace_attributes(
            description=_described(spec, function),
            tags={**spec.tags, **_tags(spec, media)},
            metadata={**spec.metadata, **more},
        )

    return asset.map_asset_specs(look)


def _described(spec: dg.AssetSpec, function: Any) -> str:
    """What it is, and what the step says of itself: of a source, what its module says."""
    said = _module_of(spec) if spec.group_name == "sources" else function
    return "\n\n".join(part for part in (spec.description, inspect.getdoc(said)) if part)


def _media(tags: Mapping[str, str]) -> set[str]:
    return {tag for tag in tags if tag.startswith("medium/")}


def _tags(spec: dg.AssetSpec, media: Mapping[dg.AssetKey, set[str]]) -> dict[str, str]:
    if spec.group_name == "sources":
        return {f"source/{spec.key.path[-1]}": ""}
    named = [dep.asset_key for dep in spec.deps if dep.asset_key in media]
    if len(named) == len(media):
        return {}
    found = {f"source/{key.path[-1]}" for key in named}.union(*(media[key] for key in named))
    return dict.fromkeys(sorted(found), "")


def _columns(spec: dg.AssetSpec) -> dg.TableSchema:
    """The columns of the table in which it is held, as declared; of the site, those of its list of files."""
    if spec.group_name == "world":
        frames = {name: load_fact(name) for name in FACT_TABLES}
        return dg.TableSchema(
            [
                dg.TableColumn(f"{table}.{name}", str(kind).lower())
                for table, frame in frames.items()
                for name, kind in frame.schema.items()
            ]
        )
    if spec.group_name == "publish":
        return dg.TableSchema(
            [
                dg.TableColumn("file", "string", description="path within the site"),
                dg.TableColumn("bytes", "int64", description="its size"),
            ]
        )
    held = TABLES["curve_fits" if spec.key.path[-1] == "curve_fits" else _HELD_IN[str(spec.group_name)]]
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                str(column.dtype).lower(),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=held.key == [name]),
            )
            for name, column in held.schema.columns().items()
        ]
    )


def _module_of(spec: dg.AssetSpec) -> ModuleType | None:
    """The module that declares a source."""
    declared = SOURCES[spec.key.path[-1]]
    modules = (module for module in vars(source_modules).values() if isinstance(module, ModuleType))
    return next((module for module in modules if declared in getattr(module, "SPECS", ())), None)


def _code(spec: dg.AssetSpec, function: Any) -> dg.CodeReferencesMetadataValue:
    """Where the step stands in the code; of a source, its own module first."""
    places: list[tuple[str, int]] = []
    module = _module_of(spec) if spec.group_name == "sources" else None
    if module is not None and module.__file__:
        places.append((module.__file__, 1))
    places.append((inspect.getsourcefile(function) or "", function.__code__.co_firstlineno))
    with warnings.catch_warnings():
        # "In beta" concerns those who write for other versions of Dagster; the lock holds ours.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.CodeReferencesMetadataValue(
            code_references=[
                dg.LocalFileCodeReference(file_path=file, line_number=line, label=Path(file).name)
                for file, line in places
            ]
        )


def _page(key: dg.AssetKey) -> dg.MetadataValue[Any]:
    """A link where the site is served (`longwave ui` does), else the path of the page."""
    served, page = Settings().site_url, page_of(key)
    if served:
        return dg.MetadataValue.url(f"{served.rstrip('/')}/{page}")
    return dg.MetadataValue.path(str(Settings().house().site / page.partition("#")[0]))

"""What the assets of all layers share: their owner, the facts they rest on, keys of sources, a table for the UI."""

from __future__ import annotations

import dagster as dg
import polars as pl

OWNER = "team:longwave"
WORLD = dg.AssetKey(["world", "facts"])


def preview(frame: pl.DataFrame, rows: int = 8) -> dg.MarkdownMetadataValue:
    """The first rows as a Markdown table for the UI."""
    head = frame.head(rows)
    lines = ["| " + " | ".join(head.columns) + " |", "|" + "---|" * len(head.columns)]
    lines += ["| " + " | ".join(str(v).replace("|", "/") for v in row) + " |" for row in head.iter_rows()]
    return dg.MetadataValue.md("\n".join(lines))


def source_keys(sources: list[str]) -> list[dg.AssetKey]:
    """Keys of the assets of some sources, each once."""
    return [dg.AssetKey(["sources", source]) for source in dict.fromkeys(sources)]

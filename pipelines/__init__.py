"""Orchestration: when, and in what order. Dagster assets, checks, schedules, the sources' readers, the command line.

No arithmetic and no SQL here: what could run without Dagster belongs to `longwave.models` or `longwave.warehouse`.
"""

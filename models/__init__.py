"""Arithmetic: pure functions and estimators on arrays and frames.

No I/O, no Dagster, no DuckDB, no clock; what is random takes a seed.
"""

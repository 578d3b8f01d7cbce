"""Orchestration: when, and in what order. Dagster assets, checks, schedules, the sources' readers, the command line.

No arithmetic and no SQL here: what could run without Dagster belongs to `longwave.models` or `longwave.warehouse`.
"""

import os

# Before numpy is loaded. OpenBLAS parts a product by its threads, and where a part ends a sum may round otherwise: the last
# bit of what is published would hang on a machine's cores. The products here are small; what takes long has its own threads.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

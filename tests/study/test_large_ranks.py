"""How often the intervals of persistence out of core hold, in panels whose persistence is known.

Panels of 6,000 adopters, the smallest that are read so, their clusters dealt to 1,000 groups, in one block (blocks and the
database give the same figures: the first test here, and `tests/unit/test_large_panels.py`). The truth is a panel of 4,000,000
adopters without clusters (clusters do not change it, `rank_worlds.py`). Asked: bias under 1 % or 0.003, 95 % intervals that hold
in 93 to 97 %. Retention and
displacement: `test_top_ranks.py`.
Writes `results/large_ranks.json`; figures are quoted from that file only.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.pipelines.persisting import of_large
from longwave.warehouse.large_panels import GROUPS, LargePanel

sys.path.insert(0, str(Path(__file__).parent))
from rank_worlds import EARLY, LATE, covered, drawn, frame, readings

REPLICATES = 2_000
ADOPTERS = 6_000
OF_TRUTH = 4_000_000
SEED = 20261126
RESULT = Path(__file__).parent / "results" / "large_ranks.json"
WORLDS = {
    "adopters alone": {},
    "counts, many of them tied": {"counts": True},
    "ranks that hardly move": {"rho": 0.97},
    "300 clusters of 20": {"kind": 300},
    "40 clusters of 150": {"kind": 40},
    "clusters as publishers": {"kind": "publishers"},
}


def dealt(rng, n, settings):
    """Rows of one panel, its clusters dealt to groups by chance."""
    *panel, codes = drawn(n, rng, **settings)
    return readings(*panel, rng.integers(0, GROUPS, codes.max() + 1)[codes], GROUPS)


def summary(settings, replicates, rng):
    """By reading: truth, bias, spread of the estimates, standard error as the intervals' width says, coverage."""
    alike = {name: value for name, value in settings.items() if name != "kind"}
    true = np.array([row["estimate"] for row in dealt(np.random.default_rng(SEED), OF_TRUTH, alike)])
    return covered(true, [dealt(rng, ADOPTERS, settings) for _ in range(replicates)])


@pytest.fixture(scope="module")
def found():
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    made = {}
    for number, (name, settings) in enumerate(WORLDS.items()):
        made[name] = summary(settings, REPLICATES, np.random.default_rng([SEED, number]))
        print(name, made[name])
    head = {"replicates": REPLICATES, "adopters": ADOPTERS, "of_truth": OF_TRUTH, "seed": SEED, "commit": commit}
    RESULT.write_text(json.dumps(head | {"worlds": made}, indent=1) + "\n", encoding="utf-8")
    return made


def test_one_block_gives_what_the_database_gives(tmp_path):
    rng = np.random.default_rng(1)
    x, y, state, codes = drawn(ADOPTERS, rng, kind="publishers", counts=True)
    with LargePanel(tmp_path / "spill", threads=1) as panel:
        panel.take_frame(frame(x, y, state, codes), early=EARLY, late=LATE)
        theirs = of_large(panel, 500)
        named = panel.con.execute(
            "SELECT c, (hash('c' || c) % $1)::INTEGER FROM range($2) t(c) ORDER BY c", [GROUPS, int(codes.max()) + 1]
        ).fetchall()
    ours = readings(x, y, state, np.array([group for _, group in named])[codes], GROUPS)
    both = pl.DataFrame(ours, infer_schema_length=None).join(theirs, on=["measure", "bound"])
    assert both.height == len(ours)
    for name in ("estimate", "lo", "hi"):
        assert both[name].to_numpy() == pytest.approx(both[f"{name}_right"].to_numpy(), abs=1e-12)


@pytest.mark.parametrize("name", WORLDS)
def test_intervals_hold_as_often_as_they_say(found, name):
    for reading, row in found[name].items():
        assert abs(row["bias"]) < max(0.01 * abs(row["truth"]), 0.003), (reading, row)
        assert 0.93 <= row["coverage"] <= 0.97, (reading, row)

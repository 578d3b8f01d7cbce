"""Single-bit flips anywhere in an archive, each in a copy of its own: every one is found, named, and crashes nothing.

`LONGWAVE_SOAK_FLIPS` flips (default 100), over all bytes of all files alike. Writes `results/flips.json`.
"""

import json
import os
import random
import re
import shutil

import fake_archive as fake
from longwave.warehouse.archive_check import verify_archive

FLIPS = int(os.environ.get("LONGWAVE_SOAK_FLIPS", "100"))
SEED = 20261126


def test_every_flipped_bit_is_found(tmp_path, results, commit):
    archive, index = fake.fill(tmp_path / "archive")
    files = {path: path.read_bytes() for path in sorted(archive.root.rglob("*")) if path.is_file()}
    places = [(path, byte) for path, content in files.items() for byte in range(len(content))]
    rng = random.Random(SEED)
    found = {"with the warehouse": 0, "by the archive alone": 0}
    by_kind = {"warc": 0, "cdxj": 0}
    missed = []
    for path, byte in rng.sample(places, FLIPS):
        bit = rng.randrange(8)
        copy = tmp_path / "copy"
        shutil.copytree(archive.root, copy)
        data = bytearray(files[path])
        data[byte] ^= 1 << bit
        (copy / path.relative_to(archive.root)).write_bytes(data)
        by_kind["cdxj" if path.suffix == ".cdxj" else "warc"] += 1
        stem = path.relative_to(archive.root).as_posix().partition(".")[0]
        for witness, known in (("with the warehouse", index.rows), ("by the archive alone", None)):
            named = [line for line in verify_archive(copy, known) if re.search(rf"{stem}\.\w+.*\(source \w+\)", line)]
            found[witness] += bool(named)
            missed += [] if named else [f"{path.name} byte {byte} bit {bit} {witness}"]
        shutil.rmtree(copy)
    result = {"flips": FLIPS, "in": by_kind, "found": found, "bytes": len(places), "seed": SEED, "commit": commit}
    (results / "flips.json").write_text(json.dumps(result, indent=2) + "\n")
    assert missed == []
    assert found == {"with the warehouse": FLIPS, "by the archive alone": FLIPS}

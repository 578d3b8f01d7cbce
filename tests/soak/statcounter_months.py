"""StatCounter's table as it grows by a month each time it is asked for, and what a home holds of it."""

import duckdb

SOURCE = "statcounter_social_gb"


def months(count):
    """StatCounter's table with so many months."""
    rows = [f"{2009 + n // 12}-{n % 12 + 1:02d},{50 + n % 20},30.5,{19.5 - n % 20}" for n in range(count)]
    return "\n".join(['"Date","Facebook","Twitter","YouTube"', *rows]) + "\n"


def held(home):
    """(answers that count, all answers, months that stand, keys that stand twice)."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        counted, every = con.execute(
            "SELECT count(*) FILTER (status = 'accepted'), count(*) FROM answers WHERE source = ?", [SOURCE]
        ).fetchone()
        (standing,) = con.execute("SELECT count(DISTINCT period_start) FROM observations").fetchone()
        (twice,) = con.execute(
            """SELECT count(*) FROM (SELECT series, period_start, period_kind, known_from FROM observation_versions
               GROUP BY ALL HAVING count(*) > 1)"""
        ).fetchone()
    return counted, every, standing, twice

"""Worlds of adopters whose answer is known: when each opened, what it was known for before, and the attention it gets.

Cluster sizes are as unequal as publishers are: a few have hundreds of adopters, most have a handful, and those with one are
merged. Adopters of a cluster open at like times and share part of their luck. Attention is a level that gains a flow each
year; what is read of it carries an error in proportion to the level, so that a tenth of the yearly gains read negative.
"""

import numpy as np
import polars as pl

PREMIUM = 0.10  # yearly net new attention per year of earlier adoption, as a share, where there is a premium
WORLDS = ("no effect", "exposure only", "true premium", "quality confounding", "measurement noise only")
LAST = 2024.0
WATCHED = 1.25


def clusters(n, rng):
    """Codes (n,) of clusters as unequal as publishers: sizes fall with the rank, a sixth of the adopters alone and merged."""
    weights = 1.0 / (3.0 + np.arange(90)) ** 1.2
    drawn = np.sort(rng.choice(90, size=n - n // 6, p=weights / weights.sum()))
    return np.concatenate([drawn, np.full(n // 6, 90)])


def shared(codes, alone, share, rng):
    """A standard normal draw (n,), ``share`` of whose variance is common to a cluster; the merged ones share nothing."""
    common = rng.standard_normal(codes.max() + 1)[codes]
    own = rng.standard_normal(len(codes))
    mixed = np.sqrt(share) * common + np.sqrt(1.0 - share) * own
    return np.where(codes == alone, own, mixed)


def world(name, n, rng, *, hidden=0.0):
    """One panel as the premium reads it.

    ``hidden``: correlation of earliness with a quality that nothing measured before adoption shows (0 but where asked for).
    """
    codes = clusters(n, rng)
    field = rng.integers(0, max(n // 80, 2), size=n)
    flavour = 0.5 * rng.standard_normal(field.max() + 1)[field]
    standing = shared(codes, 90, 0.1, rng)
    size = 0.5 * standing + np.sqrt(0.75) * rng.standard_normal(n)
    unseen = rng.standard_normal(n)
    drawn = shared(codes, 90, 0.15, rng)
    pull = 0.5 if name == "quality confounding" else 0.1
    when = pull * standing + hidden * unseen + np.sqrt(1.0 - pull**2 - hidden**2) * drawn
    age = np.clip(8.5 + 2.5 * when, 4.3, 13.0)
    luck = np.exp(0.8 * shared(codes, 90, 0.1, rng) - 0.32)
    lately = np.exp(0.9 * shared(codes, 90, 0.1, rng) - 0.405)
    strength = (0.6 * standing + 0.3 * size) * (name != "no effect") + flavour + 0.5 * (hidden > 0) * unseen
    bonus = np.log1p(PREMIUM) if name == "true premium" else 0.0
    flow = 120.0 * np.exp(strength + bonus * (age - 8.5)) * luck
    # Without an effect, and where only the reading moves, attention was there from the start: it has not piled up.
    still = name in ("no effect", "measurement noise only")
    before = flow * (np.full(n, 8.5) if still else age) - flow * WATCHED
    gain = 0.03 * before if name == "measurement noise only" else flow * WATCHED * lately
    read = [level * (1.0 + 0.03 * rng.standard_normal(n)) for level in (before, before + gain)]
    return pl.DataFrame(
        {
            "adopter": [f"a{i:05d}" for i in range(n)],
            "cluster": [f"c{code:02d}" if code < 90 else f"alone{i}" for i, code in enumerate(codes)],
            "field": [f"f{code:02d}" for code in field],
            "opened": LAST - age,
            "flags": "",
            "first_at": LAST - WATCHED,
            "last_at": LAST,
            "first": read[0],
            "last": read[1],
            "known_standing": standing,
            "known_size": size,
        }
    )


BENT = ("standing acts bent", "standing read with error", "heavy tails")
UNSEEN = ("who gains little is not seen", "who gains little is not seen, the later above all")


def astray(how, base, n, rng):
    """A panel of the world ``base`` in which something that the premium takes for granted does not hold.

    The logarithm of what is expected is not straight in the standing; the standing is read with an error (a third of what is
    read); gains vary as Pareto's law of 1.5 has it, which has no variance; those that gain little for what they are known for
    have no last reading, about a quarter of all, whenever they opened or mostly if they opened late.
    """
    frame = world(base, n, rng)
    standing, gain = frame["known_standing"].to_numpy(), (frame["last"] - frame["first"]).to_numpy()
    if how == "standing acts bent":
        factor = np.exp(0.3 * (standing**2 - 1.0))
        return frame.with_columns(pl.col("first", "last") * factor)
    if how == "standing read with error":
        return frame.with_columns(known_standing=pl.Series(standing + np.sqrt(0.5) * rng.standard_normal(n)))
    if how == "heavy tails":
        # 1 + Pareto's draw has a mean of 3.
        return frame.with_columns(last=pl.Series(frame["first"].to_numpy() + gain * (1.0 + rng.pareto(1.5, n)) / 3.0))
    lag = np.argsort(np.argsort(gain / np.exp(0.6 * standing))) / n
    late = np.argsort(np.argsort(frame["opened"].to_numpy())) / n
    missing = (1.0 - lag) ** 3 if how == UNSEEN[0] else 2.0 * late * (1.0 - lag) ** 3
    return frame.filter(pl.Series(rng.random(n) >= missing))


def cohorts(early, late, n, rng):
    """Adopters of 2011–13 and 2016–18 whose attention goes with their standing as a correlation of ``early`` and ``late`` says.

    Standing and the rest are as alike within a cluster, so that the truth of τ-b within a field is 2/π · arcsin(correlation).
    """
    codes = clusters(n, rng)
    standing, rest = shared(codes, 90, 0.1, rng), shared(codes, 90, 0.1, rng)
    first = rng.random(n) < 0.55
    goes = np.where(first, early, late)
    return pl.DataFrame(
        {
            "adopter": [f"a{i:05d}" for i in range(n)],
            "cluster": [f"c{code:02d}" for code in codes],
            "field": [f"f{code:02d}" for code in rng.integers(0, max(n // 18, 2), size=n)],
            "opened": np.where(first, 2011.0, 2016.0) + 3.0 * rng.random(n),
            "attention": goes * standing + np.sqrt(1.0 - goes**2) * rest,
            "standing": standing,
        }
    )

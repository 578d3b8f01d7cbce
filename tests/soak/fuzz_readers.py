"""One process of the fuzzing of readers: one case, one way of drawing inputs. Prints one line of JSON.

    python fuzz_readers.py drawn|hypothesis|atheris CASE COUNT SEED FILE

What is being tried stands in FILE, so that whatever ends the process can be told. An input that takes longer than five
seconds ends it.
"""

import json
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from pathlib import Path

LONGEST_SECONDS = 5
MOST_BYTES = 1 << 30

# A script of its own, so nobody has put the readers' tests where modules are looked for.
READERS = Path(__file__).resolve().parents[1] / "readers"


class Tally:
    """What became of the inputs of a case, and what they cost."""

    def __init__(self, garbled, case, current):
        self.garbled, self.case = garbled, case
        self.current = os.open(current, os.O_WRONLY | os.O_CREAT)
        self.outcomes, self.unforeseen, self.slowest, self.tried = Counter(), [], 0.0, 0

    def one(self, parts, label):
        os.pwrite(self.current, label.encode()[:4_000].ljust(4_000), 0)
        signal.setitimer(signal.ITIMER_REAL, LONGEST_SECONDS)
        started = time.perf_counter()
        what, refused = self.garbled.outcome(self.case, parts)
        self.slowest = max(self.slowest, time.perf_counter() - started)
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.tried += 1
        self.outcomes[what.partition(":")[0]] += 1
        if what.startswith("refused: reader"):
            self.unforeseen.append([refused.problems[0].found[:200], label])

    def told(self):
        return json.dumps(
            {
                "case": self.case.name,
                "inputs": self.tried,
                "outcomes": dict(self.outcomes),
                "unforeseen": self.unforeseen[:5],
                "unforeseen_count": len(self.unforeseen),
                "slowest_seconds": round(self.slowest, 3),
                "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
        )


def by_drawing(garbled, tally, count, number):
    """Plans of a generator: what costs least an input."""
    rng = random.Random(number)
    for _ in range(count):
        plan = [(rng.choice(garbled.PLAN_WAYS), rng.randrange(2**32)) for _ in range(rng.randrange(1, 5))]
        tally.one(garbled.garble(tally.case, plan), json.dumps(plan))


def by_hypothesis(garbled, tally, count, number):
    """Plans drawn by hypothesis."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st

    plans = st.lists(st.tuples(st.sampled_from(garbled.PLAN_WAYS), st.integers(0, 2**32 - 1)), min_size=1, max_size=4)

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(plans)
    def tried(plan):
        tally.one(garbled.garble(tally.case, plan), json.dumps(plan))

    tried()


def by_atheris(tally, count, number, atheris):
    """The first part's bytes, led by which lines of the readers they reach; starts from the answer itself."""
    corpus = Path(sys.argv[5]).parent / "corpus"
    corpus.mkdir(exist_ok=True)
    (corpus / "answer").write_bytes(tally.case.parts["data"])

    def tried(data):
        if tally.tried < count:
            tally.one(tally.case.parts | {"data": data}, data[:1_500].hex())
            if tally.tried == count:  # libFuzzer leaves by _exit: what was counted is told before
                print(tally.told(), flush=True)

    flags = [f"-runs={count}", f"-seed={number}", f"-rss_limit_mb={MOST_BYTES >> 20}", "-max_len=20000", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *flags, f"-artifact_prefix={corpus}/", str(corpus)], tried)
    atheris.Fuzz()


def main():
    way, name, count, number, current = sys.argv[1:]
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    sys.path.insert(0, str(READERS))
    if way == "atheris":
        import atheris

        with atheris.instrument_imports(include=["longwave.pipelines.sources"], enable_loader_override=False):
            import garbled
    else:
        import garbled
    case = next(case for case in garbled.cases() if case.name == name)
    tally = Tally(garbled, case, current)
    if way == "atheris":
        by_atheris(tally, int(count), int(number), atheris)
    else:
        by = {"drawn": by_drawing, "hypothesis": by_hypothesis}[way]
        by(garbled, tally, int(count), int(number))
        print(tally.told())


if __name__ == "__main__":
    main()

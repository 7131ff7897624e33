"""`python -m tests.support.guest KERNEL TESTS… [options of pytest]`: runs tests in a guest and prints the results."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter

from tests.support.guest import kernels, run


def main() -> int:
    """0 when no test failed, 1 when one did or the guest broke off, 2 when there can be no guest."""
    if len(sys.argv) < 3 or sys.argv[1] not in kernels.SUITES:
        print(__doc__, f"KERNEL: {' or '.join(kernels.SUITES)}", sep="\n", file=sys.stderr)
        return 2
    word, *arguments = sys.argv[1:]
    began = time.monotonic()
    counted: Counter[str] = Counter()
    try:
        kernels.fetch(word)
        for result in run.results(word, arguments):
            counted[result.outcome] += 1
            reason = f": {result.text}" if result.outcome == "skipped" else ""
            recorded = "".join(f", {name}: {found}" for name, found in result.properties)
            print(f"{result.outcome:8}{result.seconds:6.1f} s  {result.test}{reason}{recorded}", flush=True)
            if result.outcome == "failed":
                print(result.text, flush=True)
    except LookupError as error:
        print(f"no guest: {error}", file=sys.stderr)
        return 2
    except run.HungError as error:
        counted["broken off"] += 1
        print(f"broken off: {error}", flush=True)
    figures = ", ".join(f"{number} {word}" for word, number in sorted(counted.items()))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = f"{time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of processor time"
    print(f"{word}: {figures or 'no tests'} in {taken}")
    return 1 if counted["failed"] or counted["broken off"] else 0


if __name__ == "__main__":
    raise SystemExit(main())

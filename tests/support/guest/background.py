"""Guests that run beside the rest of a test session; each of their results is asked for when its turn comes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.support.guest import run

if TYPE_CHECKING:
    from collections.abc import Sequence


class Guest:
    """One guest's tests, from `start` on in a thread; `result` waits for that of one test.

    Not a value: it fills while the session goes on.
    """

    def __init__(self, word: str, wanted: list[str]) -> None:
        self.word, self._wanted = word, wanted
        self._results: dict[str, run.Result] = {}
        #: why no more results come: "" means that all tests were run
        self._over: str | None = None
        self._missing = ""
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._collect, name=f"guest {word}")

    def start(self) -> None:
        """Boots."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the guest, whatever it is doing."""
        self._stopped.set()
        if self._thread.ident:
            self._thread.join()

    def outcomes(self, tests: Sequence[str]) -> dict[str, str]:
        """What became of each of these tests; nothing where there was no guest, or they were not all wanted."""
        if not {*tests} <= {*self._wanted} or (tests and self.result(tests[0]) and self._missing):
            return {}
        return {test: self.result(test).outcome for test in tests}

    def result(self, test: str) -> run.Result:
        """What became of that test; of one that was not run, a failure that says why, or a skip without a guest."""
        with self._changed:
            self._changed.wait_for(lambda: test in self._results or self._over is not None)
            if test in self._results:
                return self._results[test]
            if self._missing:
                return run.Result(test, "skipped", f"no guest with kernel {self.word}: {self._missing}", 0.0)
            why, self._over = self._over, "the guest broke off, see the first test that says so"  # told once
            return run.Result(test, "failed", why or "the guest collected no such test", 0.0)

    def _collect(self) -> None:
        over = "stopped"
        try:
            for result in run.results(self.word, self._wanted, self._stopped):
                with self._changed:
                    self._results[result.test] = result
                    self._changed.notify_all()
            over = ""
        except LookupError as error:
            self._missing = str(error)
        except run.HungError as error:
            over = f"the guest broke off: {error}"
        finally:
            with self._changed:
                self._over = over
                self._changed.notify_all()

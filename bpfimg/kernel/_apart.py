"""A function that runs in a process of its own, while the caller goes on: a second processor for a long look."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Apart:
    """Starts `function` in a child of this process; `result` waits for what it returns: plain values, as JSON has
    them.

    A process with several threads is not forked, one without a second processor has nothing of it: there the function
    runs when its result is asked for. So it does when the child was killed. Leave with `with`, or ask for the result.
    """

    __slots__ = ("_function", "_pid", "_pipe")

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._pid, self._pipe = 0, -1
        threading = sys.modules.get("threading")
        if (threading is not None and threading.active_count() > 1) or len(os.sched_getaffinity(0)) < 2:
            return
        self._pipe, out = os.pipe2(os.O_CLOEXEC)
        try:
            self._pid = os.fork()
        except OSError:
            os.close(self._pipe)
            self._pipe = -1
        if self._pid == 0 and self._pipe >= 0:
            os.close(self._pipe)  # or its own end would keep it from hearing that nobody listens any more
            _child(function, out)
        os.close(out)

    def result(self) -> Any:
        """What the function returned; raises what it raises."""
        if self._pipe < 0:
            return self._function()
        parts = []
        while part := os.read(self._pipe, 1 << 20):
            parts.append(part)
        self._end(kill=False)
        try:
            return json.loads(b"".join(parts))
        except ValueError:
            return self._function()  # it was killed, or it failed: once more here, where that can be said

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *_: object) -> None:
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        pipe, self._pipe = self._pipe, -1
        pid, self._pid = self._pid, 0
        if pipe < 0:
            return
        os.close(pipe)
        with suppress(ProcessLookupError, ChildProcessError):  # somebody else waits for all children
            if kill:
                os.kill(pid, 9)  # nobody wants to know any more
            os.waitpid(pid, 0)


def _child(function: Callable[[], Any], out: int) -> None:
    """Never returns: nothing of what the parent has to do at its end is done here."""
    code = 1
    try:
        data = json.dumps(function(), check_circular=False).encode()
        while data:
            data = data[os.write(out, data) :]
        code = 0
    finally:
        os._exit(code)

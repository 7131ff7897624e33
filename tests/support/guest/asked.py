"""What a guest asks this machine to do, because it is slow there: compile. Requests and answers are files.

In a guest `tests.support.tools.run` writes a request; `answering` is this machine's side.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support import tools

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAUSE = 0.02
_PATIENCE = 120.0


def ask(folder: Path, number: str, command: list[str], given: bytes) -> tuple[int, bytes, bytes]:
    """The status and both outputs of a command that the machine around this guest runs."""
    request, answer = folder / f"{number}.request", folder / f"{number}.answer"
    _write(request, {"command": command, "given": _text(given)})
    deadline = time.monotonic() + _PATIENCE
    while not answer.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the machine around this guest did not answer {command}")
        time.sleep(_PAUSE)
    said = json.loads(answer.read_text(encoding="ascii"))
    answer.unlink()
    return said["status"], base64.b64decode(said["out"]), base64.b64decode(said["err"])


@contextmanager
def answering(folder: Path) -> Iterator[None]:
    """A thread that answers what is asked in `folder` for as long as this lasts."""
    folder.mkdir()
    over = threading.Event()
    thread = threading.Thread(target=_serve, args=(folder, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _serve(folder: Path, over: threading.Event) -> None:
    while not over.wait(_PAUSE):
        for request in sorted(folder.glob("*.request")):
            asked = json.loads(request.read_text(encoding="ascii"))
            status, out, err = tools.run_here(asked["command"], base64.b64decode(asked["given"]))
            _write(request.with_suffix(".answer"), {"status": status, "out": _text(out), "err": _text(err)})
            request.unlink()


def _write(path: Path, document: dict[str, Any]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(document), encoding="ascii")
    draft.rename(path)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

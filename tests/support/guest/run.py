"""Tests in a guest: one boot, one pytest, results as they come, and an end whatever the guest does."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.features import VARIABLE
from tests.support.guest import asked, kernels, machine

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
#: A guest hangs that has said nothing for so many seconds of its own work, or of anybody's clock: on a busy machine it
#: may wait for long until it is its turn.
SILENT_WORK, SILENCE = 150.0, 600.0
_PAUSE = 0.1
# No cache of pytest's: the guest cannot write there. Tracebacks of all threads when a test stands still.
_PYTEST = "-p no:cacheprovider -p tests.support.guest.inside -q --color=no --tb=short -o faulthandler_timeout=150"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one test in a guest: "passed", "failed" or "skipped", and why; what it recorded beside."""

    test: str
    outcome: str
    text: str
    seconds: float
    properties: tuple[tuple[str, object], ...] = ()


class HungError(Exception):
    """A guest that ended, or was ended, before its tests did; says what it last did."""


def results(word: str, arguments: list[str], stopped: threading.Event | None = None) -> Iterator[Result]:
    """Boots the guest of that kernel, runs pytest there with these arguments; yields results as they come.

    Ids of tests may be thousands. Raises `LookupError` where there can be no guest, and `HungError` where it ends
    early or is `stopped`, or says nothing for long.
    """
    reason = kernels.lacking(word)
    kernel = kernels.find(word)
    if reason or kernel is None:
        raise LookupError(reason)
    environ = [f"{name}={text}" for name, text in os.environ.items() if name.startswith("BPFIMG_TEST_")]
    environ += [f"{VARIABLE}={word}", "PYTHONDONTWRITEBYTECODE=1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1"]
    ids = [argument for argument in arguments if argument.partition("::")[0].endswith(".py") and "::" in argument]
    words = [
        *(argument for argument in arguments if argument not in ids),
        *{each.partition("::")[0]: 0 for each in ids},
    ]
    command = ["env", *environ, str(ROOT / ".venv/bin/python"), "-m", "pytest", *_PYTEST.split(), *words]
    with tempfile.TemporaryDirectory(prefix=f"bpfimg-guest-{word}-") as folder:
        out = Path(folder)
        (out / "wanted").write_text("\n".join(ids), encoding="utf-8")
        with asked.answering(out / "asked"), machine.running(kernel, out, ROOT, command) as qemu:
            yield from collected(out, qemu, stopped or threading.Event())


def collected(out: Path, qemu: subprocess.Popen[bytes], stopped: threading.Event) -> Iterator[Result]:
    """The results that a running guest writes; raises `HungError` when it ends too early, or says nothing for long."""
    begun, last, worked = "", time.monotonic(), 0.0
    for line in _lines(out / "results", qemu):
        if stopped.is_set():
            break
        if line is not None:
            last, worked = time.monotonic(), _worked(qemu)
            begun = line.get("begun", begun)
            if "test" in line:
                yield Result(**{**line, "properties": tuple(map(tuple, line.get("properties", ())))})
            if "ended" in line:
                if line["ended"] > 1:  # 0 and 1: all tests were run
                    raise HungError(f"pytest ended with {line['ended']}: {_tail(out / 'log')}")
                return
        elif (silence := time.monotonic() - last) > SILENCE or _worked(qemu) - worked > SILENT_WORK:
            raise HungError(f"nothing for {silence:.0f} s, last {begun or 'before the first test'}\n{_tails(out)}")
    raise HungError(f"the guest ended, last {begun or 'before the first test'}\n{_tails(out)}")


def _worked(process: subprocess.Popen[bytes]) -> float:
    """The processor time that it has had."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _lines(path: Path, qemu: subprocess.Popen[bytes]) -> Iterator[dict[str, Any] | None]:
    """Each line of results as soon as it is whole; None for each moment without one; ends with QEMU."""
    at, rest = 0, b""
    while True:
        ended = qemu.poll() is not None  # asked before reading: what came before the end is still read
        data = b""
        if path.exists():
            with path.open("rb") as file:
                file.seek(at)
                data = file.read()
        at += len(data)
        *whole, rest = (rest + data).split(b"\n")
        yield from map(json.loads, whole)
        if ended:
            return
        if not whole:
            yield None
            time.sleep(_PAUSE)


def _tails(out: Path) -> str:
    return "\n".join(f"{name}: {_tail(out / name)}" for name in ("log", "console"))


def _tail(path: Path, size: int = 4000) -> str:
    if not path.exists():
        return "(nothing)"
    return path.read_bytes()[-size:].decode(errors="replace").replace("\r", "").strip() or "(nothing)"

"""The trial as a command, for a kernel that was booted for it: an object's file in, one JSON document out.

`python -m bpfimg.load._trial_agent FILE [PROGRAM ...]` in the folder of the file writes `answer` there. It needs the
standard library, libbpf, and the rooms from `load` downward. Whoever reads the answer trusts nothing in it: an object
may have taken over the kernel that gave it.
"""

from __future__ import annotations

import json
import os
import sys

from bpfimg.errors import BytecodeError, Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

ANSWER = "answer"
VERSION = 1


def main(words: Sequence[str]) -> None:
    """Tries the programs, and writes the answer."""
    with open(words[0], "rb") as file:
        document = answer(file.read(), words[1:])
    with open(ANSWER, "w", encoding="utf-8") as out:
        json.dump(document, out)


def answer(data: bytes, programs: Sequence[str] = ()) -> dict[str, object]:
    """What this kernel says of each program; of an object that cannot be tried at all `error` says why."""
    from bpfimg.load import trial

    system = os.uname()
    found: dict[str, object] = {
        "version": VERSION,
        "release": system.release,
        "machine": system.machine,
        "byte_order": sys.byteorder,
        "libbpf": None,
        "error": None,
        "programs": [],
    }
    try:
        from bpfimg.kernel import libbpf

        found["libbpf"] = libbpf.version()
        tried = trial.each(data, name="object", programs=programs, say=_say)
    except Error as error:
        kind = "object" if isinstance(error, BytecodeError | UsageError) else "kernel"
        found["error"] = {"kind": kind, "words": str(error)[:1000], "hint": error.hint[:1000]}
    else:
        found["programs"] = [{name: getattr(each, name) for name in trial.Tried.__slots__} for each in tried]
    return found


def _say(program: str) -> None:
    """On the console, so that its end names the program that a kernel did not survive."""
    os.write(2, f"trying {program!r}\n".encode("utf-8", "backslashreplace"))


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a kernel in a guest answered, read as strictly as anything that a stranger sends.

An object that took over that kernel can write whatever it likes: nothing in an answer is more than numbers within
bounds, words from a list and short texts, and it must be about the programs that were asked for, no others.
"""

from __future__ import annotations

import re

from bpfimg._json import NotStrict, strict_object
from bpfimg.errors import quoted
from bpfimg.inspect._check_tried import Asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.bytecode import ProgramSpec
    from bpfimg.load import trial

LIMIT = 4 * 1024 * 1024
_TOP = {"version", "release", "machine", "byte_order", "libbpf", "error", "programs"}
_RELEASE = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,127}")
_TEXTS = {"subject": 1000, "error": 1000, "source": 1000, "hint": 1000, "log": 4000, "type": 64}
_NAMES = {"program": 4096, "section": 4096}
_NUMBERS = {"errno": 1 << 16, "size": 1 << 32, "jited": 1 << 32}
_MAYBE = {"insns": 1 << 40, "states": 1 << 40, "peak_states": 1 << 40, "stack": 1 << 32}


class _Wrong(ValueError):  # noqa: N818  # it becomes the words of a column
    """Not an answer; `str()` says why."""


def answered(data: bytes, programs: Sequence[ProgramSpec], name: str, *, release: str = "", package: str = "") -> Asked:
    """What the kernel called `name` said of the programs; for an answer that is none, `error` says what is wrong.

    `release` is what is known of that kernel; where nothing is, its own word counts.
    """
    try:
        document = strict_object(data, limit=LIMIT, depth=4)
        said = _release(document)
        error = document["error"]
        if error is not None:
            kind, words, hint = _error(error)
            return Asked(name, release or said, package, error=words, hint=hint, kind=kind)
        return Asked(name, release or said, package, _tried(document["programs"], programs))
    except (NotStrict, _Wrong) as wrong:
        words = f"its answer {wrong}" if isinstance(wrong, NotStrict) else str(wrong)
        hint = "the program that it was tried with may have damaged that kernel"
        return Asked(name, release, package, error=f"what the guest said is no answer: {words}", hint=hint)


def _release(document: dict[str, object]) -> str:
    if document.keys() != _TOP:
        raise _Wrong("its answer has other fields than an answer has")
    if document["version"] != 1 or type(document["version"]) is not int:
        raise _Wrong("its answer is of another version, expected 1")
    release = document["release"]
    if type(release) is not str or not _RELEASE.fullmatch(release):
        raise _Wrong(f"its release is {quoted(release)}, expected one such as 6.1.0-49-amd64")
    return release


def _error(found: object) -> tuple[str, str, str]:
    if type(found) is not dict or found.keys() != {"kind", "words", "hint"}:
        raise _Wrong("its error has other fields than an error has")
    if found["kind"] not in ("object", "kernel"):
        raise _Wrong("its error is of no kind that there is")
    words, hint = (_text(found[key], key, 1000) for key in ("words", "hint"))
    return found["kind"], words or "it gives no reason", hint


def _tried(found: object, programs: Sequence[ProgramSpec]) -> tuple[trial.Tried, ...]:
    wanted = sorted(each.name for each in programs)
    if type(found) is not list or len(found) != len(wanted):
        raise _Wrong("it is not about the programs that were asked for")
    said = tuple(_one(each) for each in found)
    if sorted(each.program for each in said) != wanted:
        raise _Wrong("it is not about the programs that were asked for")
    return said


def _one(found: object) -> trial.Tried:
    from bpfimg.load import trial

    if type(found) is not dict or found.keys() != set(trial.Tried.__slots__):
        raise _Wrong("what it says of a program has other fields than a trial has")
    result, kind, optional = found["result"], found["kind"], found["optional"]
    if result not in trial.RESULTS or kind not in trial.KINDS or type(optional) is not bool:
        raise _Wrong(f"what it says of {quoted(found['program'])} is no result that there is")
    texts = {key: _text(found[key], key, most) for key, most in (_TEXTS | _NAMES).items()}
    if (result == trial.LOADED) != (kind == "") or (result == trial.LOADED) != (texts["error"] == ""):
        raise _Wrong(f"what it says of {quoted(found['program'])} contradicts itself")
    fields: dict[str, object] = {"optional": optional, "result": result, "kind": kind}
    fields |= texts
    fields |= {key: _number(found[key], key, most) for key, most in _NUMBERS.items()}
    fields |= {key: None if found[key] is None else _number(found[key], key, most) for key, most in _MAYBE.items()}
    return trial.Tried(**fields)  # type: ignore[arg-type]  # each was looked at, by name


def _text(found: object, what: str, most: int) -> str:
    if type(found) is not str or len(found) > most:
        raise _Wrong(f"its {what} is no text of at most {most} characters")
    return found


def _number(found: object, what: str, below: int) -> int:
    if type(found) is not int or not 0 <= found < below:
        raise _Wrong(f"its {what} is no number below {below}")
    return found

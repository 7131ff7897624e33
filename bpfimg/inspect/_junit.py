"""Results as JUnit's XML, in the form that Jenkins, GitLab, GitHub's actions and editors read alike.

Equal cases give equal bytes: no times, no host names.
"""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
#: what stands for characters that XML 1.0 has no way to write
_LOST = "\N{REPLACEMENT CHARACTER}"


@value(frozen=True, slots=True)
class Case:
    """One thing that was looked at, and what came of it; it passed when neither `failure` nor `skipped` is given.

    name       what it is called: "BL011", "xdp_count on 6.1.0-49-amd64"
    group      what it belongs to ("classname"): the object, the kernel
    failure    one sentence why it failed, "" when it did not
    kind       the short word for the failure: a rule's number, a reason's kind
    text       more about the failure, in lines
    skipped    why it was not looked at, "" when it was
    output     what it printed ("system-out")
    file, line the source that it is about, as the repository has it; "" and 0 where unknown
    seconds    how long it took, None where nobody measured
    """

    name: str
    group: str
    failure: str = ""
    kind: str = ""
    text: str = ""
    skipped: str = ""
    output: str = ""
    file: str = ""
    line: int = 0
    seconds: float | None = None


def junit(name: str, cases: Sequence[Case]) -> str:
    """The document with one suite called `name`; its cases in their order."""
    counts = {
        "tests": len(cases),
        "failures": sum(bool(case.failure) for case in cases),
        "errors": 0,
        "skipped": sum(bool(case.skipped) and not case.failure for case in cases),
    }
    total = sum(case.seconds or 0 for case in cases)
    spent = {"time": f"{total:.3f}"} if any(case.seconds is not None for case in cases) else {}
    suite = _tag("testsuite", {"name": name, **{key: str(number) for key, number in counts.items()}, **spent})
    lines = ["<testsuites>", f"  {suite}", *(line for case in cases for line in _case(case))]
    return _HEAD + "\n".join([*lines, "  </testsuite>", "</testsuites>", ""])


def _case(case: Case) -> list[str]:
    words = {"classname": case.group, "name": case.name}
    if case.seconds is not None:
        words["time"] = f"{case.seconds:.3f}"
    if case.file:
        words["file"] = case.file
        if case.line:
            words["line"] = str(case.line)
    inner = []
    if case.failure:
        failure = _tag("failure", {"message": case.failure, "type": case.kind or "failure"})
        inner.append(f"      {failure}{_text(case.text or case.failure)}</failure>")
    elif case.skipped:
        inner.append(f"      {_tag('skipped', {'message': case.skipped})}</skipped>")
    if case.output:
        inner.append(f"      <system-out>{_text(case.output)}</system-out>")
    if not inner:
        return [f"    {_tag('testcase', words)[:-1]}/>"]
    return [f"    {_tag('testcase', words)}", *inner, "    </testcase>"]


def _tag(name: str, words: dict[str, str]) -> str:
    return f"<{name}{''.join(f' {key}={_quoted(text)}' for key, text in words.items())}>"


def _quoted(text: str) -> str:
    """In quotes, with line ends that survive: a reader turns bare ones into blanks."""
    text = _text(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return f'"{text}"'


def _text(text: str) -> str:
    """With the characters of markup escaped, and those that XML cannot hold replaced."""
    held = "".join(c if _possible(c) else _LOST for c in text)
    return held.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _possible(c: str) -> bool:
    """Whether XML 1.0 has that character (production 2)."""
    return c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c >= "\U00010000"

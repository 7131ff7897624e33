"""Compatibility reports: on which kernels programs were tried, what came of it, and what a rule asks of that.

A report's own verdict decides nothing: it is found out again from what the report says of each program.
"""

from __future__ import annotations

import re

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._policy._readers import boolean, one_of, texts
from bpfimg.sign._strict import Junk, fields, items, mapping, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

COMPATIBILITY = "urn:bpfimg:compatibility:1"
"""A compatibility report: the predicate is what `bpfimg check -o json` prints (`schemas/check.schema.json`)."""

OK, UNKNOWN, FAILS = "ok", "unknown", "fails"
_RESULTS = (OK, UNKNOWN, FAILS)  # the better ones first
_KERNEL = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,127}")
_MOST = 4096
_DOES = {FAILS: "some of its programs do not load", UNKNOWN: "it is not known of all of its programs whether they load"}


@value(frozen=True, slots=True)
class TriedOn:
    """A kernel whose verifier was asked, and what came of it: ok, unknown or fails."""

    release: str
    result: str


@value(frozen=True, slots=True)
class Compatible:
    """What a rule asks of a report: the programs were tried on the `kernels` (6.1 is any 6.1) and, if `this_kernel`, on
    the very release that runs here, and nothing worse than `result` came of it there. Without either it is asked of
    every kernel on which they were tried, at least one."""

    kernels: tuple[str, ...] = ()
    result: str = OK
    this_kernel: bool = False

    def lacks(self, predicate: object, release: str) -> str:
        """Says why the report in `predicate` is not enough on the kernel `release`; "" when it is."""
        try:
            tried = tried_on(predicate)
        except Junk as junk:
            return f"its report cannot be read: {junk}"
        if not tried:
            return "its report says of no kernel that it was asked itself"
        wanted = [(f"a kernel {word}", [one for one in tried if _is(one.release, word)]) for word in self.kernels]
        if self.this_kernel:
            wanted.append((f"this kernel ({quoted(release)[1:-1]})", [one for one in tried if one.release == release]))
        for what, found in wanted or [("", list(tried))]:
            if not found:
                return f"it was not tried on {what}"
            worst = max(found, key=lambda one: _RESULTS.index(one.result))
            if _RESULTS.index(worst.result) > _RESULTS.index(self.result):
                return f"on {worst.release} {_DOES[worst.result]}"
        return ""

    def __str__(self) -> str:
        where = [f"kernel {word}" for word in self.kernels] + ["the kernel that runs here"] * self.this_kernel
        does = "its programs load" if self.result == OK else "none of its programs fails"
        return f"{does} on {' and '.join(where) or 'every kernel on which they were tried'}"


def compatible(value: object, what: str) -> Compatible:
    """Returns what a rule asks; raises `Junk`."""
    what = f"{what}: compatibility"
    found = fields(value, what, (), ("kernels", "result", "thisKernel"))
    kernels = texts(found["kernels"], f"{what}: kernels", least=1, most=64) if "kernels" in found else ()
    for word in kernels:
        if not _KERNEL.fullmatch(word):
            raise Junk(f"{what}: kernels holds {quoted(word)}, expected a release or the beginning of one, such as 6.1")
    return Compatible(
        kernels,
        one_of(found.get("result", OK), f"{what}: result", (OK, UNKNOWN)),
        boolean(found.get("thisKernel", False), f"{what}: thisKernel"),
    )


def tried_on(predicate: object) -> tuple[TriedOn, ...]:
    """Returns the kernels of a report that were asked themselves, in its order; raises `Junk` for what is no report.

    What is there beside what counts here is passed over.
    """
    report = mapping(predicate, "the report")
    most = report.get("max_insns")
    found = []
    for each in items(report.get("kernels"), "kernels", most=_MOST):
        kernel = mapping(each, "a kernel")
        if kernel.get("by") != "verifier":
            continue  # its types alone
        release = string(kernel.get("release"), "a kernel's release")
        if not _KERNEL.fullmatch(release):
            raise Junk(f"a kernel's release is {quoted(release)}, expected one such as 6.1.0-49-amd64")
        programs = items(kernel.get("programs"), f"programs on {release}", most=_MOST)
        results = [result for one in programs for result in _results(one, most)]
        # where no program counts, nobody has found out anything
        found.append(TriedOn(release, max(results, key=_RESULTS.index, default=UNKNOWN)))
    return tuple(found)


def _results(value: object, most: object) -> Iterator[str]:
    """What a report says of a program, in each place where it says it; nothing for one that is not loaded unasked."""
    program = mapping(value, "a program")
    optional = boolean(program.get("optional"), "a program's optional")
    said = [one_of(program.get("result"), "a program's result", _RESULTS)]
    for each in items(program.get("reasons"), "reasons", most=_MOST):
        effect = string(mapping(each, "a reason").get("effect"), "a reason's effect")
        said += [effect] if effect in _RESULTS else []
    trial = program.get("trial")
    if trial is None:
        said.append(UNKNOWN)  # nobody has asked that kernel
    elif not boolean(mapping(trial, "a trial").get("loaded"), "a trial's loaded"):
        said.append(FAILS if said[0] == OK else UNKNOWN)
    else:
        insns = mapping(trial, "a trial").get("insns")
        over = type(most) is int and (type(insns) is not int or insns > most)
        said += [FAILS] if over else []
    if not optional:
        yield from said


def _is(release: str, word: str) -> bool:
    """6.1 is 6.1, 6.1.0-49-amd64 and 6.1-rc3, and not 6.12."""
    return release == word or (release.startswith(word) and not release[len(word)].isalnum())

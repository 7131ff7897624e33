"""What a rule may demand beside signatures: attestations and what is in them, rising versions, a maximum age."""

from __future__ import annotations

import re

from bpfimg.errors import quoted
from bpfimg.sign._policy._compatibility import COMPATIBILITY, compatible
from bpfimg.sign._policy._conditions import EQUALS, EXISTS, MATCHES, ONE_OF, POINTER, Condition, same, scalar
from bpfimg.sign._policy._patterns import Pattern
from bpfimg.sign._policy._readers import boolean, one_of, text, texts
from bpfimg.sign._policy._rules import VERSION, Attested, Rollback
from bpfimg.sign._policy._versions import version_key
from bpfimg.sign._strict import Junk, fields, items, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.sign._policy._rules import Authority

    Named = Callable[[tuple[str, ...], str], tuple[Authority, ...]]

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_AGE = re.compile(r"P(?!\Z)(?:([0-9]{1,5})D)?(?:T([0-9]{1,5})H)?")
_TESTS = (EQUALS, ONE_OF, MATCHES, EXISTS)


def attestations(value: object, what: str, authorities: Named) -> tuple[Attested, ...]:
    """Returns the attestations that must be there; `authorities` resolves names. Raises `Junk`."""
    return tuple(
        _attested(one, f"{what}: attestations[{i}]", authorities)
        for i, one in enumerate(items(value, f"{what}: attestations", most=32))
    )


def _attested(value: object, what: str, authorities: Named) -> Attested:
    found = fields(value, what, ("predicateType", "requireAny"), ("conditions", "compatibility"))
    kind = text(found["predicateType"], f"{what}: predicateType", most=512)
    if not _TYPE.fullmatch(kind):
        raise Junk(f"{what}: predicateType is {quoted(kind)}, expected a URI such as https://slsa.dev/provenance/v1")
    names = texts(found["requireAny"], f"{what}: requireAny", least=1, most=64)
    given = items(found.get("conditions", []), f"{what}: conditions", most=64)
    conditions = tuple(_condition(one, f"{what}: conditions[{i}]") for i, one in enumerate(given))
    asked = None
    if "compatibility" in found:
        asked = compatible(found["compatibility"], what)
        if kind != COMPATIBILITY:
            raise Junk(f"{what} has compatibility, which only attestations of the type {COMPATIBILITY} speak of")
    return Attested(kind, authorities(names, what), conditions, asked)


def _condition(value: object, what: str) -> Condition:
    found = fields(value, what, ("pointer",), _TESTS)
    pointer = string(found["pointer"], f"{what}: pointer")
    if len(pointer) > 512 or not POINTER.fullmatch(pointer):
        raise Junk(f"{what}: pointer is {quoted(pointer)}, expected a JSON pointer such as '/runDetails/builder/id'")
    tests = [test for test in _TESTS if test in found]
    if len(tests) != 1:
        raise Junk(f"{what} has {len(tests)} of {', '.join(_TESTS)}, expected exactly one")
    (test,) = tests
    wanted, place = found[test], f"{what}: {test}"
    if test == EXISTS:
        return Condition(pointer, test, boolean(wanted, place))
    if test == MATCHES:
        return Condition(pointer, test, Pattern.parse(string(wanted, place), place))
    if test == EQUALS:
        return Condition(pointer, test, _scalar(wanted, place))
    choices = tuple(_scalar(one, f"an entry of {place}") for one in items(wanted, place, least=1, most=64))
    if any(same(one, other) for i, one in enumerate(choices) for other in choices[:i]):
        raise Junk(f"{place} holds an entry twice")
    return Condition(pointer, test, choices)


def _scalar(value: object, what: str) -> str | float | bool | None:
    if not scalar(value):
        raise Junk(f"{what} is an object or a list, expected a string, a number, a boolean or null")
    return value  # type: ignore[return-value]  # `scalar` has just said so


def rollback(value: object, what: str) -> Rollback | None:
    """Returns the protection against going back, None when it is off; raises `Junk`."""
    what = f"{what}: rollback"
    found = fields(value, what, ("mode",), ("annotation", "minVersion"))
    mode = one_of(found["mode"], f"{what}: mode", ("off", "monotonic"))
    annotation = text(found.get("annotation", VERSION), f"{what}: annotation", most=256)
    minimum = None
    if "minVersion" in found:
        minimum = text(found["minVersion"], f"{what}: minVersion", most=256)
        try:
            version_key(minimum)
        except Junk as junk:
            raise Junk(f"{what}: minVersion: {junk}") from None
        if mode == "off":
            raise Junk(f"{what} has a minVersion, which says nothing in the mode 'off', expected 'monotonic'")
    return Rollback(annotation, minimum) if mode == "monotonic" else None


def max_age(value: object, what: str) -> int:
    """Returns a duration (`P30D`, `PT12H`, `P1DT6H`) in seconds; raises `Junk`."""
    what = f"{what}: maxSignatureAge"
    found = _AGE.fullmatch(string(value, what))
    seconds = 3600 * (24 * int(found[1] or 0) + int(found[2] or 0)) if found else 0
    if not seconds:
        raise Junk(f"{what} is {quoted(value)}, expected days and hours such as P30D, PT12H or P1DT6H")
    return seconds

"""What an image states of its object in detail, against the object: every difference is said (BI-46, BI-47)."""

from __future__ import annotations

from bpfimg.errors import ImageError, quoted
from bpfimg.image._describe import DEFAULTS, described
from bpfimg.image._description import PREFIX, SCHEMA
from bpfimg.image._json import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpfimg.bytecode import Dissection
    from bpfimg.image._description import Description

__all__ = ["disagreements"]

SHOWN = 20
"""Sentences about one part; an image can lie at any length."""
MEMBERS = {
    "programs": "section type attach_type target sleepable frags multi autoload instructions helpers kfuncs ksyms maps",
    "maps": "type key_size value_size key_type value_type max_entries flags map_extra pinning legacy inner",
    "globals": "section type size read_only default",
    "btf": "size lines core",
}
"""What is compared; members that are not here are those of a later writer and mean nothing to this reader."""
KINDS = (
    "program_type", "attach_type", "map_type", "map_flag", "helper", "kfunc", "ksym", "kconfig", "btf", "isa",
    "feature",
)  # fmt: skip


def disagreements(description: Description, dissection: Dissection) -> Iterator[tuple[str, str, str]]:
    """(rule, what it is about, sentence) for each; nothing for an image that states nothing."""
    if description.schema != SCHEMA:
        if description.schema or description.parts:
            what = f"the description has the schema {quoted(description.schema)}, expected {SCHEMA}: it is not compared"
            yield "BI-46", PREFIX + "schema", what
        return
    real = described(dissection, {})
    for part in ("programs", "maps", "globals", "btf", "requires", "license", "byte-order"):
        if part in description.omitted and part not in description.parts:
            continue
        try:
            stated = description.read(part)
        except ImageError as error:
            yield "BI-46", PREFIX + part, str(error).removesuffix(" (BI-46)")
            continue
        yield from _counted(part, _part(part, stated, real.get(part)))


def _counted(part: str, found: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    more = 0
    for number, (about, sentence) in enumerate(found):
        if number < SHOWN:
            yield "BI-47", about, sentence
        more = number + 1 - SHOWN
    if more > 0:
        yield "BI-47", PREFIX + part, f"{PREFIX}{part} disagrees with the object in {more} more points"


def _part(part: str, stated: object, real: object) -> Iterator[tuple[str, str]]:
    label = PREFIX + part
    if part in ("license", "byte-order"):
        if stated != real:
            yield label, f"{label} says {_shown(stated)}, the object says {_shown(real)}"
    elif part == "requires":
        yield from _requires(label, stated, real if isinstance(real, dict) else {})
    elif part == "btf":
        for member, sentence in _members(label, "BTF", part, _object(stated), _object(real)):
            yield f"{label}: {member}", sentence
    else:
        yield from _named(label, part, stated, real if isinstance(real, list) else [])


def _named(label: str, part: str, stated: object, real: list[Mapping[str, object]]) -> Iterator[tuple[str, str]]:
    """Lists of objects with a name: the n-th of a name here is the n-th of that name there."""
    if stated is not None and not (isinstance(stated, list) and all(_is_named(each) for each in stated)):
        yield label, f"{label} holds {_shown(stated)}, expected a list of objects with a name"
        return
    told, found = _by_name(stated if isinstance(stated, list) else []), _by_name(real)
    for name, number in sorted(told.keys() | found.keys()):
        about = f"{label}: {quoted(name)[1:-1]}"
        if (name, number) not in found:
            yield about, f"{label} names {quoted(name)}, which the object does not have"
        elif (name, number) not in told:
            yield about, f"{label} does not name {quoted(name)}"
        else:
            for member, sentence in _members(label, quoted(name), part, told[name, number], found[name, number]):
                yield f"{about}: {member}", sentence


def _is_named(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("name"), str)


def _by_name(entries: list[Mapping[str, object]]) -> dict[tuple[str, int], Mapping[str, object]]:
    found: dict[tuple[str, int], Mapping[str, object]] = {}
    counts: dict[str, int] = {}
    for entry in entries:
        name = str(entry.get("name"))
        counts[name] = counts.get(name, 0) + 1
        found[name, counts[name]] = entry
    return found


def _members(
    label: str, what: str, part: str, stated: Mapping[str, object], real: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    for member in MEMBERS[part].split():
        told, found = (_known(each.get(member, DEFAULTS.get(member))) for each in (stated, real))
        if type(told) is not type(found) or told != found:
            yield member, f"{label} gives {what} {member} {_shown(told)}, the object {_shown(found)}"


def _known(member: object) -> object:
    """An inner map in full: what is left out of it is what it is not."""
    if isinstance(member, dict) and "type" in member:
        return {word: member.get(word, DEFAULTS.get(word)) for word in MEMBERS["maps"].split()}
    return member


def _requires(label: str, stated: object, real: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Kinds and names; since which kernel is what the writer's tables know, and nothing that an object could say."""
    if stated is not None and not isinstance(stated, dict):
        yield label, f"{label} holds {_shown(stated)}, expected an object of kinds"
        return
    told = _object(stated)
    for kind in KINDS:
        names, found = _object(told.get(kind)), _object(real.get(kind))
        for name in sorted(names.keys() | found.keys()):
            what = f"{kind.replace('_', ' ')} {quoted(name)}"
            if name not in found:
                yield f"{label}: {kind}", f"{label} asks for {what}, which the object does not need"
            elif name not in names:
                yield f"{label}: {kind}", f"{label} does not ask for {what}, which the object needs"


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else canonical(value).decode()
    return text if isinstance(value, int) and len(text) < 24 else quoted(text)

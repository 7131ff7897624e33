"""What a person should know of an index: how its images differ, and what no byte order shows."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bpfimg.image import BytecodeImage

__all__ = ["Difference", "differences", "shared"]

#: words of the label for programs that read registers, each CPU's at other places
_REGISTERS = ("kprobe", "kretprobe", "uprobe", "uretprobe", "perf_event")


@value(frozen=True, slots=True)
class Difference:
    """A program or map (`kind`) that two platforms do not have alike; the type is None where there is none."""

    kind: str
    name: str
    platforms: tuple[str, str]
    types: tuple[str | None, str | None]

    def __str__(self) -> str:
        (one, other), (type_of_one, type_of_other) = self.platforms, self.types
        if type_of_one is None:
            return f"{self.kind} {quoted(self.name)} ({type_of_other}) is in {other} and not in {one}"
        if type_of_other is None:
            return f"{self.kind} {quoted(self.name)} ({type_of_one}) is in {one} and not in {other}"
        return f"{self.kind} {quoted(self.name)} is {type_of_one} in {one} and {type_of_other} in {other}"


def differences(images: Sequence[BytecodeImage]) -> tuple[Difference, ...]:
    """How programs and maps of each image differ from the first one's; empty when all have the same."""
    found: list[Difference] = []
    for other in images[1:]:
        first = images[0]
        between = str(first.platform), str(other.platform)
        found += _between("program", first.labels.programs, other.labels.programs, between)
        found += _between("map", first.labels.maps, other.labels.maps, between)
    return tuple(found)


def _between(
    kind: str, one: Mapping[str, str], other: Mapping[str, str], platforms: tuple[str, str]
) -> Iterator[Difference]:
    for name in sorted(one.keys() | other.keys()):
        types = one.get(name), other.get(name)
        if types[0] != types[1]:
            yield Difference(kind, name, platforms, types)


def shared(images: Sequence[BytecodeImage]) -> tuple[str, ...]:
    """A sentence for each object that stands under several CPUs although its programs read registers (BI-26)."""
    found: dict[bytes, list[BytecodeImage]] = {}
    for image in images:
        found.setdefault(image.bytecode, []).append(image)
    return tuple(filter(None, (_sentence(group) for group in found.values() if len(group) > 1)))


def _sentence(group: Sequence[BytecodeImage]) -> str:
    programs = [name for name, word in group[0].labels.programs.items() if word in _REGISTERS]
    if not programs:
        return ""
    more = f" and {len(programs) - 1} more" if len(programs) > 1 else ""
    where = ", ".join(str(image.platform) for image in group)
    return (
        f"one object is for {where}, but {quoted(programs[0])}{more} may read registers, which are elsewhere on each: "
        "its arguments are right on the CPU that it was compiled for"
    )

"""The file names that cilium/ebpf's bpf2go gives objects: for which machines is one?"""

from __future__ import annotations

from bpfimg._value import value

__all__ = ["Bpf2go", "bpf2go"]

#: byte order: bpf2go's word for the machine -> GOARCH, the usual one first. Words of all its versions; `386`, `mipsle`
#: and the like are those of bpfman's builder.
_WORDS = {
    "little": "386:386 x86:amd64,386 arm:arm arm64:arm64 loongarch:loong64 loong64:loong64 mips:mipsle,mips64le "
    "mipsle:mipsle mips64le:mips64le powerpc:ppc64le ppc64:ppc64le ppc64le:ppc64le riscv:riscv64 riscv64:riscv64",
    "big": "mips:mips,mips64 mips64:mips64 powerpc:ppc64 ppc64:ppc64 s390:s390x s390x:s390x",
}
_ORDERS = {"bpfel": "little", "bpfeb": "big"}


@value(frozen=True, slots=True)
class Bpf2go:
    """What a name says: `stem` is the program's, `architectures` are Go's words for `machine`.

    A `machine` of "" stands for all of `byte_order`. One without architectures does not have that byte order:
    `NAME_arm64_bpfeb.o`.
    """

    stem: str
    byte_order: str
    machine: str
    architectures: tuple[str, ...]


def bpf2go(path: str) -> Bpf2go | None:
    """What bpf2go's name of an object says: `NAME_x86_bpfel.o`, before 2023 `NAME_bpfel_x86.o`, `NAME_bpfeb.o`.

    None for other names.
    """
    name = path.rpartition("/")[2]
    if not name.endswith(".o"):
        return None
    parts = name.removesuffix(".o").split("_")
    if len(parts) >= 3 and parts[-2] in _ORDERS and _known(parts[-1]):
        parts[-2:] = parts[-1], parts[-2]
    if len(parts) < 2 or parts[-1] not in _ORDERS or not parts[0]:
        return None
    order = _ORDERS[parts[-1]]
    if len(parts) == 2 or not _known(parts[-2]):
        return Bpf2go("_".join(parts[:-1]), order, "", ())
    return Bpf2go("_".join(parts[:-2]), order, parts[-2], _table(order).get(parts[-2], ()))


def _known(word: str) -> bool:
    return any(word in _table(order) for order in _WORDS)


def _table(order: str) -> dict[str, tuple[str, ...]]:
    rows = (row.split(":") for row in _WORDS[order].split())
    return {word: tuple(architectures.split(",")) for word, architectures in rows}

"""The types of a generated dispatcher, as BTF: what the kernel asks of a program whose functions are replaced.

`int f(struct xdp_md *)` for each function, global. The kernel goes by the struct's name, so it needs no members
(https://docs.kernel.org/bpf/btf.html).
"""

from __future__ import annotations

import struct

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_MAGIC, _VERSION = 0xEB9F, 1
_INT, _PTR, _STRUCT, _FUNC, _FUNC_PROTO = 1, 2, 4, 12, 13
_SIGNED_32 = 1 << 24 | 32
_GLOBAL = 1
_FIRST_FUNCTION = 5


@value(frozen=True, slots=True)
class Types:
    """`btf` as BTF_LOAD takes it; `functions` are the ids of the FUNCs, in the order of the names."""

    btf: bytes
    functions: tuple[int, ...]


def types(context: str, functions: Sequence[str]) -> Types:
    """The types of a program with those functions, each of which has a pointer to `struct context` and returns int."""
    strings = bytearray(1)

    def named(text: str) -> int:
        at = len(strings)
        strings.extend(text.encode() + b"\0")
        return at

    rows = [
        _type(named("int"), _INT, 4) + struct.pack("=I", _SIGNED_32),
        _type(named(context), _STRUCT, 0),
        _type(0, _PTR, 2),
        _type(0, _FUNC_PROTO, 1, 1) + struct.pack("=II", named("ctx"), 3),
        *(_type(named(name), _FUNC, 4, _GLOBAL) for name in functions),
    ]
    body = b"".join(rows)
    head = struct.pack("=HBBIIIII", _MAGIC, _VERSION, 0, 24, 0, len(body), len(body), len(strings))
    return Types(head + body + strings, tuple(range(_FIRST_FUNCTION, _FIRST_FUNCTION + len(functions))))


def _type(name: int, kind: int, size: int, length: int = 0) -> bytes:
    return struct.pack("=III", name, kind << 24 | length, size)

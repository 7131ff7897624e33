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

_MAGIC, _VERSION, _HEADER = 0xEB9F, 1, 24
_INT, _PTR, _STRUCT, _FUNC, _FUNC_PROTO = 1, 2, 4, 12, 13
_SIGNED_32 = 1 << 24 | 32
_STATIC, _GLOBAL = 0, 1
_PROTOTYPE = 4  # types that a prototype needs, itself the last


@value(frozen=True, slots=True)
class Types:
    """`btf` as BTF_LOAD takes it; `functions` are the ids of the FUNCs, in the order of the names."""

    btf: bytes
    functions: tuple[int, ...]


def types(context: str, functions: Sequence[str], inner: Sequence[str] = ()) -> Types:
    """The types of a program with those functions, each of which has a pointer to `struct context` and returns int:
    global ones, and behind them static ones."""
    strings = bytearray(1)
    linkages = [_GLOBAL] * len(functions) + [_STATIC] * len(inner)
    rows = _prototype(context, 1, strings)
    for name, linkage in zip((*functions, *inner), linkages, strict=True):
        rows += _type(_named(strings, name), _FUNC, _PROTOTYPE, linkage)
    first = _PROTOTYPE + 1
    return Types(whole(rows, bytes(strings)), tuple(range(first, first + len(linkages))))


def extended(context: str, rows: bytes, strings: bytes, count: int) -> tuple[bytes, bytes, int]:
    """Types and strings with a prototype for `struct context` behind them, and its id; `count` are their ids, that of
    void included."""
    longer = bytearray(strings)
    return rows + _prototype(context, count, longer), bytes(longer), count + _PROTOTYPE - 1


def whole(rows: bytes, strings: bytes) -> bytes:
    """Types and strings with a header before them."""
    head = (_MAGIC, _VERSION, 0, _HEADER, 0, len(rows), len(rows), len(strings))
    return struct.pack("=HBBIIIII", *head) + rows + strings


def _prototype(context: str, first: int, strings: bytearray) -> bytes:
    return b"".join(
        [
            _type(_named(strings, "int"), _INT, 4) + struct.pack("=I", _SIGNED_32),
            _type(_named(strings, context), _STRUCT, 0),
            _type(0, _PTR, first + 1),
            _type(0, _FUNC_PROTO, first, 1) + struct.pack("=II", _named(strings, "ctx"), first + 2),
        ]
    )


def _named(strings: bytearray, text: str) -> int:
    at = len(strings)
    strings.extend(text.encode() + b"\0")
    return at


def _type(name: int, kind: int, size: int, length: int = 0) -> bytes:
    return struct.pack("=III", name, kind << 24 | length, size)

"""Writes BTF by hand, sound or not: what a compiler would never emit is what the reader must survive."""

from __future__ import annotations

import struct

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(1, 12)
FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(12, 20)


class BtfWriter:
    """Types get the ids 1, 2, 3, … in the order in which they are added; 0 is void."""

    def __init__(self, byte_order: str = "little") -> None:
        self._order = "<" if byte_order == "little" else ">"
        self._strings = b"\0"
        self._types = b""
        self._count = 0

    def string(self, text: str | bytes) -> int:
        if not text:
            return 0
        offset = len(self._strings)
        self._strings += (text.encode() if isinstance(text, str) else text) + b"\0"
        return offset

    def add(
        self, kind: int, name: str | bytes = "", target: int = 0, *words: int, vlen: int = 0, flag: bool = False
    ) -> int:
        """One type: `target` is its size or the type it leads to, `words` are what follows the common 12 bytes."""
        info = int(flag) << 31 | kind << 24 | vlen
        common = struct.pack(self._order + "III", self.string(name), info, target)
        self._types += common + struct.pack(f"{self._order}{len(words)}I", *words)
        self._count += 1
        return self._count

    def integer(self, name: str = "int", size: int = 4, encoding: int = 1) -> int:
        return self.add(INT, name, size, encoding << 24 | size * 8)

    def array(self, element: int, count: int) -> int:
        return self.add(ARRAY, "", 0, element, element, count)

    def variable(self, name: str, target: int, linkage: int = 1) -> int:
        return self.add(VAR, name, target, linkage)

    def section(self, name: str, *variables: tuple[int, int, int]) -> int:
        """A DATASEC of (variable, offset, size)."""
        words = [word for variable in variables for word in variable]
        size = sum(size for _, _, size in variables)
        return self.add(DATASEC, name, size, *words, vlen=len(variables))

    def data(self, *, magic: int = 0xEB9F, version: int = 1, header: int = 24) -> bytes:
        head = struct.pack(
            self._order + "HBBIIIII",
            magic,
            version,
            0,
            header,
            0,
            len(self._types),
            len(self._types),
            len(self._strings),
        )
        return head.ljust(header, b"\0") + self._types + self._strings

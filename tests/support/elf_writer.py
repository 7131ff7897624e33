"""Writes ELF objects for eBPF by hand, with as many sections, symbols and relocations as one likes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

PROGBITS, SYMTAB, STRTAB, NOBITS, REL = 1, 2, 3, 8, 9
WRITE, ALLOC, EXECUTE = 1, 2, 4
NOTYPE, OBJECT, FUNC, SECTION = range(4)
LOCAL, GLOBAL, WEAK = range(3)


@dataclass
class ElfWriter:
    """Sections get the indexes 1, 2, 3 …, symbols too; little-endian."""

    sections: list[tuple[str, int, int, bytes, int, int, int]] = field(default_factory=list)
    symbols: list[bytes] = field(default_factory=lambda: [bytes(24)])
    _strings: bytearray = field(default_factory=lambda: bytearray(1))
    _known: dict[str, int] = field(default_factory=dict)

    def section(
        self, name: str, content: bytes, *, kind: int = PROGBITS, flags: int = ALLOC, link: int = 0, info: int = 0
    ) -> int:
        """The index of a new section. NOBITS: `content` is not written, its length counts."""
        entry = {SYMTAB: 24, REL: 16}.get(kind, 0)
        self.sections.append((name, kind, flags, content, link, info, entry))
        return len(self.sections)

    def code(self, name: str, content: bytes) -> int:
        return self.section(name, content, flags=ALLOC | EXECUTE)

    def symbol(self, name: str, section: int, value: int, size: int, *, kind: int = FUNC, bind: int = GLOBAL) -> int:
        """The index of a new symbol."""
        self.symbols.append(struct.pack("<IBBHQQ", self.string(name), bind << 4 | kind, 0, section, value, size))
        return len(self.symbols) - 1

    def relocations(self, section: int, rows: list[tuple[int, int, int]]) -> int:
        """(offset, symbol, type) of what changes `section`; the symbol table becomes the second last section."""
        content = b"".join(struct.pack("<QII", offset, kind, symbol) for offset, symbol, kind in rows)
        return self.section(".rel", content, kind=REL, flags=0, link=-1, info=section)

    def string(self, text: str) -> int:
        if not text:
            return 0
        if text not in self._known:
            self._known[text] = len(self._strings)
            self._strings += text.encode() + b"\0"
        return self._known[text]

    def data(self) -> bytes:
        names = [self.string(name) for name, *_ in self.sections]
        names += [self.string(".symtab"), self.string(".strtab")]
        table, strings = len(self.sections) + 1, len(self.sections) + 2
        whole = [
            *self.sections,
            (".symtab", SYMTAB, 0, b"".join(self.symbols), strings, 1, 24),
            (".strtab", STRTAB, 0, bytes(self._strings), 0, 0, 0),
        ]
        body = bytearray(64)
        rows = [bytes(64)]
        for at, (_name, kind, flags, content, link, info, entry) in zip(names, whole, strict=True):
            body += bytes(-len(body) % 8)
            place = len(body)
            if kind != NOBITS:
                body += content
            rows.append(
                struct.pack(
                    "<IIQQQQIIQQ", at, kind, flags, 0, place, len(content), table if link < 0 else link, info, 8, entry
                )
            )
        body += bytes(-len(body) % 8)
        header = (
            b"\x7fELF\2\1\1"
            + bytes(9)
            + struct.pack("<HHIQQQIHHHHHH", 1, 247, 1, 0, 0, len(body), 0, 64, 0, 0, 64, len(rows), strings)
        )
        body[:64] = header
        return bytes(body) + b"".join(rows)

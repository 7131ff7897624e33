"""Names in C: what may stand there as it is, what has to be mended, and no name for two things."""

from __future__ import annotations

from bpfimg.btf import _kinds as kinds

#: what C itself calls its numbers
INTEGERS = frozenset(
    (
        *("char", "signed char", "unsigned char", "short", "short int", "short unsigned int", "unsigned short"),
        *("int", "unsigned int", "long", "long int", "long unsigned int", "unsigned long", "long long"),
        *("long long int", "long long unsigned int", "unsigned long long", "_Bool"),
        *("__int128", "unsigned __int128", "__int128 unsigned"),
    )
)
FLOATS = frozenset(("float", "double", "long double"))
_KEYWORDS = frozenset(
    (
        *("auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern"),
        *("float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed"),
        *("sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while"),
    )
)
_BY_SIZE = {1: "char", 2: "short", 4: "int", 8: "long long", 16: "__int128"}
_REAL = {4: "float", 8: "double"}


def identifier(name: str) -> str:
    """The name if C takes it, else with underscores in it: "Foo<u8>" is Foo_u8_."""
    if name.isascii() and name.isidentifier():
        return name if name not in _KEYWORDS else f"{name}_"
    mended = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    return mended if mended and not mended[0].isdigit() else f"_{mended}"


def literal(text: str) -> str:
    """The text as a string of C."""
    return '"' + "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "?" for c in text) + '"'


def alias(name: str, size: int, encoding: int, *, real: bool) -> str:
    """A typedef for a number that C calls otherwise: "typedef unsigned int u32;"."""
    if real and size in _REAL:
        return f"typedef {_REAL[size]} {name};"
    if size not in _BY_SIZE:
        return f"typedef unsigned char {name}[{size}];"
    if encoding & kinds.INT_BOOL and size == 1:
        return f"typedef _Bool {name};"
    return f"typedef {'signed' if encoding & kinds.INT_SIGNED else 'unsigned'} {_BY_SIZE[size]} {name};"


class Names:
    """Who has which name: struct, union and enum share one set of names, everything else another. Mutable."""

    def __init__(self) -> None:
        self._tags: dict[str, tuple[str, int]] = {}
        self._ordinary: dict[str, object] = {}
        self._given: dict[object, str] = {}

    def tag(self, name: str, word: str, owner: int) -> str:
        """The tag of the type `owner`; owner 0 is a declaration, which is of whatever has the name."""
        given = self._given.get((word, owner)) if owner else None
        if given is None:
            given = self._given[(word, owner)] = self._claim(identifier(name), word, owner)
        return given

    def _claim(self, name: str, word: str, owner: int) -> str:
        free, number = name, 1
        while not self._may_have(free, word, owner):
            number += 1
            free = f"{name}___{number}"
        if owner or free not in self._tags:
            self._tags[free] = (word, owner)
        return free

    def _may_have(self, name: str, word: str, owner: int) -> bool:
        had, by = self._tags.get(name, (word, 0))
        return had == word and (not owner or by in (0, owner))

    def ordinary(self, name: str, owner: object) -> str:
        """The name of a typedef or enumerator."""
        if owner not in self._given:
            wanted = free = identifier(name)
            number = 1
            while free in self._ordinary:
                number += 1
                free = f"{wanted}___{number}"
            self._ordinary[free] = owner
            self._given[owner] = free
        return self._given[owner]

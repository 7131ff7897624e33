"""BTF types as C: full definitions, in an order that a compiler takes, with the same layout.

What a type holds by value is defined before it; what it only points to is declared ("struct task_struct;"). Names that
C does not allow are mended, names that come twice get a number, as bpftool does it. Types nobody vouches for are
bounded: steps, depth and the size of the text.
"""

from __future__ import annotations

from bpfimg.btf import _kinds as kinds
from bpfimg.btf._layout import Member, arranged
from bpfimg.btf._names import FLOATS, INTEGERS, Names, alias, identifier, literal
from bpfimg.btf._render import grouped
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.btf._layout import Arrangement
    from bpfimg.btf._read import Btf

_DEPTH = 40
_STEPS = 200_000
_TEXT = 1 << 20
_BUILT_IN = "__builtin_va_list"  # a typedef that compilers bring along
_MODES = {1: "QI", 2: "HI", 4: "SI", 8: "DI"}


def declaration(btf: Btf, type_id: int) -> str:
    """The C definitions that `spelled(btf, type_id)` needs, one after another; "" where C has the type anyway.

    An anonymous struct, union or enum is defined itself; a VAR or FUNC is declared, too. `BytecodeError` for types that
    no C has (a struct that holds itself, members that overlap), and for what would be larger than 1 MiB.
    """
    writer = _Writer(btf)
    writer.need(type_id, 0, complete=True, inside=0)
    kind = btf.kind(type_id)
    if kind in (kinds.VAR, kinds.FUNC):
        writer.say(writer.declare(btf.target(type_id), identifier(btf.name(type_id)), 0) + ";")
    elif kind in kinds.WORDS and not btf.name(type_id):
        writer.say(writer.declare(type_id, "", 0) + ";")
    return "\n".join(writer.lines) + "\n" if writer.lines else ""


class _Writer:
    """Definitions so far; mutable while they are written."""

    def __init__(self, btf: Btf) -> None:
        self.lines: list[str] = []
        self._btf = btf
        self._names = Names()
        self._said: set[int] = set()  # typedefs, enums and complete structs
        self._declared: set[str] = set()
        self._open: set[int] = set()  # structs whose members are being looked at
        self._arrangements: dict[int, Arrangement] = {}
        self._steps = self._text = 0

    def say(self, line: str) -> None:
        self.lines.append(line)

    def need(self, type_id: int, depth: int, *, complete: bool, inside: int) -> None:
        """Writes what must come before a use of the type. `complete`: not only behind a pointer. `inside`: the struct
        that is written next, so that it need not be declared for its own members."""
        btf = self._btf
        type_id, complete = self._core(type_id, depth, complete=complete)
        kind = btf.kind(type_id)
        if kind == kinds.TYPEDEF:
            self._typedef(type_id, depth)
            if complete:
                self.need(btf.target(type_id), depth + 1, complete=True, inside=inside)
        elif kind == kinds.FUNC_PROTO:
            for part in (btf.target(type_id), *(parameter for _, parameter in btf.parameters(type_id))):
                self.need(part, depth + 1, complete=False, inside=inside)
        elif kind in kinds.COMPOSITES:
            self._composite(type_id, depth, complete=complete, inside=inside)
        elif kind in kinds.ENUMS and btf.name(type_id):
            self._once(type_id, lambda: self._body(type_id, depth, tag=True) + ";")
        elif kind == kinds.FWD:
            self._declare_tag(type_id)
        elif kind in (kinds.INT, kinds.FLOAT) and btf.name(type_id) not in (INTEGERS | FLOATS):
            self._once(type_id, lambda: self._alias(type_id, kind))

    def _core(self, type_id: int, depth: int, *, complete: bool) -> tuple[int, bool]:
        """The type that has a name, or members, behind pointers, arrays and qualifiers; whether it must be complete."""
        btf = self._btf
        for _ in range(_DEPTH):
            self._step(depth)
            kind = btf.kind(type_id)
            if kind == kinds.ARRAY:
                complete, type_id = True, btf.array(type_id)[0]  # C has no arrays of incomplete types
            elif kind in kinds.QUALIFIERS or kind in (kinds.PTR, kinds.TYPE_TAG, kinds.VAR, kinds.FUNC):
                complete, type_id = complete and kind != kinds.PTR, btf.target(type_id)
            else:
                return type_id, complete
        raise btf.endless(type_id)

    def declare(self, type_id: int, name: str, depth: int) -> str:
        """A declaration of `name` with that type, without a semicolon; "" as name gives the type alone."""
        btf, declarator = self._btf, name
        qualifiers: list[str] = []
        tags: list[str] = []
        for _ in range(_DEPTH):
            self._step(depth)
            kind = btf.kind(type_id)
            if kind in kinds.QUALIFIERS:
                qualifiers.append(kinds.QUALIFIERS[kind])
            elif kind == kinds.TYPE_TAG:
                tags.append(f"__attribute__((btf_type_tag({literal(btf.name(type_id))})))")
            elif kind == kinds.PTR:
                words = " ".join((*qualifiers, *tags))
                declarator = f"*{words}{' ' if words and declarator else ''}{declarator}"
                qualifiers, tags = [], []
            elif kind == kinds.FUNC_PROTO:
                declarator = f"{grouped(declarator)}({self._parameters(type_id, depth)})"
                qualifiers, tags = [], []
            elif kind != kinds.ARRAY:
                base = self._base(type_id, kind, depth)
                return " ".join(word for word in (*qualifiers, base, *tags, declarator) if word)
            if kind == kinds.ARRAY:
                type_id, count = btf.array(type_id)
                declarator = f"{grouped(declarator)}[{count}]"
            else:
                type_id = btf.target(type_id)
        raise btf.endless(type_id)

    def _once(self, type_id: int, text: Callable[[], str]) -> None:
        if type_id not in self._said:
            self._said.add(type_id)
            self.say(text())

    def _step(self, depth: int, text: int = 0) -> None:
        self._steps += 1
        self._text += text
        if depth > _DEPTH or self._steps > _STEPS or self._text > _TEXT:
            raise BytecodeError(
                f"the types in section .BTF that are asked for are nested more than {_DEPTH} deep, "
                f"or need more than {_TEXT} bytes of C"
            )

    def _typedef(self, type_id: int, depth: int) -> None:
        if type_id in self._said or self._btf.name(type_id) == _BUILT_IN:
            return
        self._said.add(type_id)
        target = self._btf.target(type_id)
        self.need(target, depth + 1, complete=False, inside=0)
        name = self._names.ordinary(self._btf.name(type_id), type_id)
        self.say(f"typedef {self.declare(target, name, depth + 1)};")

    def _composite(self, type_id: int, depth: int, *, complete: bool, inside: int) -> None:
        named = bool(self._btf.name(type_id))
        if type_id in self._said:
            return
        if named and not complete:
            if type_id != inside:
                self._declare_tag(type_id)
            return
        if type_id in self._open:
            raise BytecodeError(f"type {type_id} in section .BTF holds itself, expected it to have an end")
        self._open.add(type_id)
        for _name, member in self._btf.members(type_id):
            self._step(depth)
            self.need(member, depth + 1, complete=True, inside=type_id if named else inside)
        self._open.discard(type_id)
        if named:
            self._once(type_id, lambda: self._body(type_id, depth, tag=True) + ";")

    def _declare_tag(self, type_id: int) -> None:
        line = f"{self._tag(type_id)};"
        if line not in self._declared:
            self._declared.add(line)
            self.say(line)

    def _tag(self, type_id: int) -> str:
        btf, kind = self._btf, self._btf.kind(type_id)
        if kind == kinds.FWD:
            word = "union" if btf.flag(type_id) else "struct"
            return f"{word} {self._names.tag(btf.name(type_id), word, 0)}"
        return f"{kinds.WORDS[kind]} {self._names.tag(btf.name(type_id), kinds.WORDS[kind], type_id)}"

    def _alias(self, type_id: int, kind: int) -> str:
        """What another language or compiler calls an integer, as a typedef."""
        btf = self._btf
        encoding = btf.integer(type_id) if kind == kinds.INT else 0
        name = self._names.ordinary(btf.name(type_id), type_id)
        return alias(name, btf.target(type_id), encoding, real=kind == kinds.FLOAT)

    def _base(self, type_id: int, kind: int, depth: int) -> str:
        btf = self._btf
        if kind == kinds.VOID:
            return "void"
        if kind == kinds.FWD or (kind in kinds.WORDS and btf.name(type_id)):
            return self._tag(type_id)
        if kind in kinds.WORDS:
            return self._body(type_id, depth + 1, tag=False)
        if kind in (kinds.INT, kinds.FLOAT) and btf.name(type_id) in (INTEGERS | FLOATS):
            return btf.name(type_id)
        if kind in (kinds.INT, kinds.FLOAT, kinds.TYPEDEF):
            return self._names.ordinary(btf.name(type_id), type_id)
        raise BytecodeError(f"type {type_id} in section .BTF is of kind {kind}, which C has no word for")

    def _parameters(self, type_id: int, depth: int) -> str:
        self._step(depth)
        rows = list(self._btf.parameters(type_id))
        words = [
            self.declare(parameter, identifier(self._btf.string(name)) if name else "", depth + 1)
            if parameter or at < len(rows) - 1
            else "..."
            for at, (name, parameter) in enumerate(rows)
        ]
        return ", ".join(words) or "void"

    def _body(self, type_id: int, depth: int, *, tag: bool) -> str:
        kind = self._btf.kind(type_id)
        head = self._tag(type_id) if tag else kinds.WORDS[kind]
        if kind in kinds.ENUMS:
            return self._enum(type_id, head)
        arrangement = self._arrangement(type_id, depth)
        lines = list(self._members(type_id, depth, arrangement))
        words = ["packed"] if arrangement.packed else []
        words += [f"aligned({arrangement.attribute})"] if arrangement.attribute else []
        after = f" __attribute__(({', '.join(words)}))" if words else ""
        text = "".join(f"\t{line};\n" for line in lines)
        return f"{head} {{\n{text}}}{after}" if lines else f"{head} {{}}{after}"

    def _members(self, type_id: int, depth: int, arrangement: Arrangement) -> Iterator[str]:
        btf, used = self._btf, set[str]()
        rows = zip(btf.fields(type_id), arrangement.padding, arrangement.aligned, strict=True)
        for (name_at, member, _offset, width), padding, aligned in rows:
            yield from self._padded(padding, used)
            bare = btf.bare(member)
            name = btf.string(name_at)
            if not name and btf.kind(bare) in kinds.COMPOSITES:
                line = self._body(bare, depth + 1, tag=False).replace("\n", "\n\t")
            else:
                name = _free(identifier(name or "__unnamed"), used)
                line = self.declare(member, name, depth + 1).replace("\n", "\n\t")
                line += f" : {width}" if width else ""
            line += f" __attribute__((aligned({aligned})))" if aligned else ""
            self._step(depth, len(line) if "\n" not in line else 0)
            yield line
        yield from self._padded(arrangement.tail, used)

    def _padded(self, padding: tuple[str | int, ...], used: set[str]) -> Iterator[str]:
        for pad in padding:
            yield pad if isinstance(pad, str) else f"unsigned char {_free('__pad', used)}[{-pad}]"

    def _arrangement(self, type_id: int, depth: int) -> Arrangement:
        if type_id in self._arrangements:
            return self._arrangements[type_id]
        btf = self._btf
        members: list[Member] = []
        for _name, member, offset, width in btf.fields(type_id):
            self._step(depth)
            bits, align = self._measured(member, depth)
            members.append(Member(offset, bits, width, align))
        union = btf.kind(type_id) == kinds.UNION
        found = arranged(members, btf.target(type_id), union=union)
        if found is None:
            raise BytecodeError(
                f"type {type_id} ({quoted(btf.name(type_id))}) in section .BTF has members that overlap, "
                f"or reach beyond its {btf.target(type_id)} bytes"
            )
        self._arrangements[type_id] = found
        return found

    def _measured(self, type_id: int, depth: int) -> tuple[int, int]:
        """Size in bits, and alignment in bytes, as it is declared here."""
        btf, size = self._btf, self._btf.size(type_id) * 8
        for _ in range(_DEPTH):
            self._step(depth)
            type_id = btf.bare(type_id)
            kind = btf.kind(type_id)
            if kind == kinds.ARRAY:
                type_id = btf.array(type_id)[0]
            elif kind in kinds.COMPOSITES:
                return size, self._arrangement(type_id, depth + 1).align
            else:
                own = btf.size(type_id)
                return size, own if own in (1, 2, 4, 8, 16) else 1
        raise btf.endless(type_id)

    def _enum(self, type_id: int, head: str) -> str:
        btf, rows = self._btf, list(self._btf.enumerators(type_id))
        used = [self._names.ordinary(btf.string(name), (type_id, at)) for at, (name, _) in enumerate(rows)]
        size = btf.target(type_id)
        # compilers before LLVM 15 say of no enum that it has negative values: those that do not fit are
        values = [number - (1 << 32) if size < 4 and number >> 8 * size > 0 else number for _, number in rows]
        attribute = _sized(values, size)
        lines = [f"\t{name} = {_number(number)},\n" for name, number in zip(used, values, strict=True)]
        self._step(0, sum(map(len, lines)))
        if not lines:  # a forward declaration of an enum, which C does not have
            lines = [f"\t{self._names.ordinary('__unknown', type_id)} = 0,\n"]
        word, _, tag = head.partition(" ")
        return f"{word} {attribute}{tag}{' ' if tag else ''}{{\n{''.join(lines)}}}"


def _sized(values: list[int], size: int) -> str:
    """The attribute that makes an enum of these values `size` bytes large, "" where it is that anyway."""
    signed = min(values, default=0) < 0
    least = next((n for n in (1, 2, 4) if max(values, default=0) < 1 << 8 * n - signed), 8)
    while signed and least < 8 and min(values) < -(1 << 8 * least - 1):
        least *= 2
    if size == max(least, 4) or size not in _MODES:
        return ""
    return "__attribute__((packed)) " if size == least else f"__attribute__((mode({_MODES[size]}))) "


def _number(number: int) -> str:
    if number >= 1 << 63:
        return f"{number}ULL"
    if number == -(1 << 63):
        return "-9223372036854775807LL - 1"
    return f"{number}LL" if not -(1 << 31) <= number < 1 << 32 else str(number)


def _free(name: str, used: set[str]) -> str:
    """The name, with a number if there is a member of that name already."""
    free, number = name, 1
    while free in used:
        number += 1
        free = f"{name}{number}"
    used.add(free)
    return free

"""A program that is in the kernel, whoever loaded it: what the kernel says of it, and its code as it runs."""

from __future__ import annotations

import sys

from bpfimg._value import replace, value
from bpfimg.errors import BytecodeError, Error, KernelError
from bpfimg.inspect._kernel._views import moment, word
from bpfimg.kernel import abi, bpf, dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpfimg.btf import Btf, LineInfo
    from bpfimg.bytecode import Instruction

    Document = dict[str, object]

_ENOENT = 2
_CALL, _FUNCTION = 0x85, 1  # operation code of a call, its source for a sub-program
_MAP, _MAP_VALUE, _CALLBACK = 1, 2, 4  # sources of a 64-bit load
_KERNEL_TYPES = 1 << 20


def program(number: int, *, code: bool = False, types: bool = False) -> Document:
    """The program of that id, as JSON-able values; needs CAP_SYS_ADMIN.

    With `code`, its translated instructions: what the verifier has made of them (calls of helper functions may be
    replaced by what they do, maps have their ids). With `types`, the keys and values of its maps as C. Raises `Error`
    where there is no such program, KernelError as the kernel answers.
    """
    try:
        fd = bpf.program_by_id(number)
    except KernelError as error:
        if error.errno == _ENOENT:
            hint = "`bpfimg list --all` shows what there is"
            raise Error(f"there is no program {number} in this kernel", hint=hint) from error
        raise
    with fd:
        info, shown = bpf.program_info(fd), dump.program_dump(fd)
    btf = _btf(info.btf_id)
    maps = [found for found in map(_map, info.map_ids) if found is not None]
    functions = _functions(shown, btf, info.name)
    document: Document = {
        "id": info.id,
        "name": functions[0].name if functions[0].name.startswith(info.name) else info.name,
        "type": word(abi.PROGRAM_TYPES, info.type),
        "tag": info.tag,
        "target": _target(info.attach_btf_obj_id, info.attach_btf_id),
        "gpl": info.gpl,
        "loaded_at": moment(info.loaded_at),
        "uid": info.uid,
        "btf_id": info.btf_id or None,
        "xlated_size": info.xlated_size,
        "jited_size": info.jited_size,
        "memlock": info.memlock,
        "verified_instructions": info.verified_insns,
        "run_time": info.run_time,
        "run_count": info.run_count,
        "maps": [_described(found) for found in maps],
        "functions": [{"name": each.name, "instructions": (each.end - each.start) // 8} for each in functions],
    }
    if code:
        from bpfimg.inspect._code import written

        rows = _Code(shown, btf, functions, {found.id: found.name for found in maps}).functions()
        document["code"] = [{"name": each.name, "instructions": written(lines)} for each, lines in rows]
    if types:
        document["types"] = [entry for found in maps for entry in _types(found)]
    return document


@value(frozen=True, slots=True)
class _Extent:
    """One function: bytes `start` to `end` of the translated code."""

    name: str
    start: int
    end: int


def _functions(shown: dump.ProgramDump, btf: Btf | None, name: str) -> list[_Extent]:
    """The program itself, then its sub-programs; one function where the kernel knows no more."""
    size = len(shown.code)
    records = sorted((at * 8, type_id) for at, type_id in shown.functions if at * 8 < size or not at)
    if btf is None or not records or records[0][0]:
        return [_Extent(name, 0, size)]
    ends = [start for start, _ in records[1:]] + [size]
    return [
        _Extent(_named(btf, type_id, f"function_{at}"), start, end)
        for at, ((start, type_id), end) in enumerate(zip(records, ends, strict=True))
    ]


def _named(btf: Btf, type_id: int, other: str) -> str:
    try:
        return btf.name(type_id) or other
    except BytecodeError:
        return other


def _btf(number: int, *, kernel: bool = False) -> Btf | None:
    """The types of that id; None where there are none, or none that can be read."""
    if not number:
        return None
    from bpfimg.btf import Btf, Limits

    try:
        data = dump.btf_data(number)
        return Btf(data, sys.byteorder, Limits(types=_KERNEL_TYPES, bytes=64 << 20) if kernel else Limits())
    except (KernelError, BytecodeError):
        return None


def _target(object_id: int | None, type_id: int | None) -> str | None:
    """What a tracing program, LSM program or extension is for: a function or type of the kernel or of a program."""
    if not type_id:
        return None
    btf = _btf(object_id, kernel=True) if object_id else None
    return _named(btf, type_id, f"type {type_id}") if btf is not None else f"type {type_id}"


def _map(number: int) -> bpf.MapInfo | None:
    try:
        with bpf.map_by_id(number) as fd:
            return bpf.map_info(fd)
    except KernelError:
        return None  # it has gone meanwhile


def _described(found: bpf.MapInfo) -> Document:
    from bpfimg.btf import spelled

    btf = _btf(found.btf_id)

    def type_of(type_id: int) -> str | None:
        try:
            return spelled(btf, type_id) if btf is not None and type_id else None
        except BytecodeError:
            return None

    return {
        "id": found.id,
        "name": found.name,
        "type": word(abi.MAP_TYPES, found.type),
        "key_size": found.key_size,
        "value_size": found.value_size,
        "key_type": type_of(found.btf_key_type_id),
        "value_type": type_of(found.btf_value_type_id),
        "max_entries": found.max_entries,
        "flags": found.flags,
        "memlock": found.memlock,
    }


def _types(found: bpf.MapInfo) -> Iterator[Document]:
    from bpfimg.inspect._types import entry

    btf = _btf(found.btf_id)
    if btf is None:
        return
    for part, type_id in (("key", found.btf_key_type_id), ("value", found.btf_value_type_id)):
        if type_id:
            yield entry(btf, "map", found.name, part, type_id)


class _Code:
    """Instructions with the names of what they call and use."""

    def __init__(
        self, shown: dump.ProgramDump, btf: Btf | None, functions: list[_Extent], maps: Mapping[int, str]
    ) -> None:
        from bpfimg.bytecode import Instruction

        self._rows = Instruction.decode(shown.code, sys.byteorder)
        self._functions = functions
        self._starts = {each.start: each.name for each in functions}
        self._maps = maps
        self._lines = dict(_lines(shown, btf)) if btf is not None else {}
        calls = (row.immediate for row in self._rows if row.raw[0] == _CALL and row.source != _FUNCTION)
        self._kernel = dump.called_functions(frozenset(imm for imm in calls if imm is not None))

    def functions(self) -> Iterator[tuple[_Extent, list[Instruction]]]:
        """Each function with its instructions; offsets count from its first one."""
        rows = [self._named(row) for row in self._rows]
        branches = (row.target for row in rows if row.target is not None)
        starts = sorted(set(branches) & {row.offset for row in rows})
        labels = {offset: f"L{number}" for number, offset in enumerate(starts, 1)}
        for each in self._functions:
            inside = [row for row in rows if each.start <= row.offset < each.end]
            yield each, [self._moved(row, each.start, labels) for row in inside]

    def _moved(self, row: Instruction, start: int, labels: Mapping[int, str]) -> Instruction:
        target = row.target - start if row.target is not None else None
        label, line = labels.get(row.offset, ""), self._lines.get(row.offset)
        return replace(row, offset=row.offset - start, target=target, label=label, line=line)

    def _named(self, row: Instruction) -> Instruction:
        if row.source is None or row.immediate is None:
            return row
        low = row.immediate & 0xFFFFFFFF
        if row.raw[0] == _CALL:
            return replace(row, target=None, refers=self._called(row, row.immediate))
        if row.source in (_MAP, _MAP_VALUE):
            name = self._maps.get(low)
            return replace(row, text=row.text.replace("[fd:", "[id:"), refers=("map", name) if name else None)
        if row.source == _CALLBACK:
            distance = low - (1 << 32) if low >> 31 else low
            name = self._starts.get(row.offset + 8 + 8 * distance)
            return replace(row, refers=("callback", name) if name else None)
        return row

    def _called(self, row: Instruction, imm: int) -> tuple[str, str] | None:
        if row.source != _FUNCTION:
            name = self._kernel.get(imm)
            return ("helper" if row.source == 0 else "kfunc", name) if name else None
        # compiled programs have the distance where branches have it, and the number of the function in its place
        distance = int.from_bytes(row.raw[2:4], sys.byteorder, signed=True) or imm
        name = self._starts.get(row.offset + 8 + 8 * distance)
        return ("function", name) if name else None


def _lines(shown: dump.ProgramDump, btf: Btf) -> Iterator[tuple[int, LineInfo]]:
    from bpfimg.btf import LineInfo

    for at, file, text, place in shown.lines:
        try:
            yield at * 8, LineInfo(at * 8, btf.string(file), btf.string(text), place >> 10, place & 0x3FF)
        except BytecodeError:
            continue

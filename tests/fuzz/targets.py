"""What is done with one input, and what must hold: whatever is in it, it is read, or it is one `bpfimg.Error`.

An input is an object file, an executable of user space, raw BTF (it begins with BTF's magic number), JSON (labels as
they stand in an image), or of the room of trust (`trust` says what is done with that).
"""

from __future__ import annotations

import functools
import itertools
import json
import zlib
from typing import TYPE_CHECKING

from bpfimg.btf import Btf, KernelTypes, Limits, Resolver, declaration, question, spelled, values
from bpfimg.bytecode import check_header, dissect, executable, requirements, variables
from bpfimg.errors import BytecodeError, Error
from tests.fuzz.trust.mutate import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.bytecode import Dissection

_BTF_MAGIC = {b"\x9f\xeb": "little", b"\xeb\x9f": "big"}
_MESSAGE_MAX = 700
_TYPES_OF_A_KERNEL = 500  # one that is the square of its types to resolve is not what anybody is handed
_MANY = 40  # of things of which an input may have thousands: looked at one by one in the tests of each reader


_PROGRAM_LIMITS = executable.Limits(symbols=1 << 16, string_bytes=1 << 20, probes=1 << 10)


class BrokenError(AssertionError):
    """Something that must hold does not: as bad as a crash."""


def exercise(data: bytes, *, every: bool = True) -> bool:
    """Does with the input what bpfimg does with a file; whether it could be read.

    `every`: all steps, else the reading and four of the others, the same ones for the same input.
    """
    if data.startswith(HEAD):
        from tests.fuzz.trust import read

        return read.exercise(data)
    try:
        if data[:2] in _BTF_MAGIC:
            _types(data, _BTF_MAGIC[data[:2]])
        elif data[:1] in (b"{", b"["):
            _labels(data)
        elif data[:4] == b"\x7fELF" and data[16:18] in (b"\2\0", b"\3\0", b"\0\2", b"\0\3"):
            _program(data)
        else:
            _object(data, every=every)
    except Error as error:
        _sentence(error)
        return False
    return True


def _program(data: bytes) -> None:
    """An executable that a probe is to go into."""
    file = executable.read(lambda at, size: data[at : at + size], len(data), _PROGRAM_LIMITS)
    for step in (_functions, _probes, _build_id, _libraries):
        try:
            step(file, data)
        except Error as error:
            _sentence(error)


def _functions(file: executable.Executable, _data: bytes) -> None:
    for symbol in itertools.islice(executable.functions(file), _MANY):
        places = {each.address for each in executable.named(file, symbol.name)}
        if symbol.address not in places and "@" not in symbol.name:
            raise BrokenError("a function that is listed is not found by its name")
        offset = file.file_offset(symbol.address)
        if offset is not None and file.code_address(offset) is None:
            raise BrokenError("a function's place in the file is not one of code")
    for name in ("work", "malloc", "work@", "@", "x" * 5000):
        executable.named(file, name)


def _probes(file: executable.Executable, _data: bytes) -> None:
    for probe in executable.probes(file)[:_MANY]:
        for machine in ("x86_64", "aarch64"):
            try:
                executable.arguments(probe.arguments, machine)
            except Error as error:
                _sentence(error)


def _build_id(file: executable.Executable, _data: bytes) -> None:
    number = executable.build_id(file)
    if number is not None and not number.isalnum():
        raise BrokenError("a build id that is no number")


def _libraries(_file: executable.Executable, data: bytes) -> None:
    """The list of libraries: bytes of any file behind its beginning."""
    executable.libraries(b"glibc-ld.so.cache1.1" + data[20:])


def _sentence(error: Error) -> None:
    """What a person gets to see: one line, no control characters, not the whole file."""
    message = str(error)
    if not message.isprintable() or len(message) > _MESSAGE_MAX:
        raise BrokenError(f"a message of {len(message)} characters, or with unprintable ones: {message[:200]!r}")


def _object(data: bytes, *, every: bool) -> None:
    found = dissect(data)
    if found.object.byte_order != check_header(data) or found.object.size != len(data):
        raise BrokenError("byte order or size are not those of the file")
    if any(len(spec.initial) != spec.size for spec in found.object.globals):
        raise BrokenError("a global has not as many bytes as its type")
    chosen = STEPS if every else [STEPS[(zlib.crc32(data) >> shift) % len(STEPS)] for shift in (0, 6, 12, 18)]
    for step in chosen:
        try:
            step(found)
        except Error as error:
            _sentence(error)


# --- steps: each is given an object that could be read, and may refuse it for reasons of its own


def _report(found: Dissection) -> None:
    from bpfimg.inspect import report

    json.dumps(report(found.object), allow_nan=False)


def _details(found: Dissection) -> None:
    from bpfimg.inspect import report

    names = [function.name for function in (*found.object.programs, *found.object.functions)]
    json.dumps(report(found, code=names[:_MANY], types=True, core=True), allow_nan=False)


def _requirements(found: Dissection) -> None:
    requirements(found.object)


def _strip(found: Dissection) -> None:
    stripped = dissect(found.without_dwarf())
    if [p.name for p in stripped.object.programs] != [p.name for p in found.object.programs]:
        raise BrokenError("the stripped object has other programs")
    if stripped.object.maps != found.object.maps or stripped.object.globals != found.object.globals:
        raise BrokenError("the stripped object has other maps or globals")
    if any(section.name.startswith(".debug") for section in stripped.object.sections):
        raise BrokenError("DWARF is still there")


def _disassemble(found: Dissection) -> None:
    disassembly = found.disassembly()
    for function in itertools.islice((*found.object.programs, *found.object.functions), _MANY):
        try:
            rows = disassembly.of(function.name)
        except BytecodeError as error:
            _sentence(error)
            continue
        if any(not row.text.isprintable() for row in rows):
            raise BrokenError("an instruction with control characters")


def _lines(found: Dissection) -> None:
    if found.ext is not None:
        _ = found.ext.lines, found.ext.functions, found.ext.count()


def _core(found: Dissection) -> None:
    """Relocations in words, and resolved against the object's own types and against other ones."""
    if found.ext is None or found.types is None:
        return
    relocations = [each for rows in found.ext.core.values() for each in itertools.islice(rows, _MANY)][:_MANY]
    for relocation in relocations:
        try:
            question(found.types, relocation)
        except BytecodeError as error:
            _sentence(error)
    for kernel in (lambda: KernelTypes("itself", found.types), lambda: _kernel(found.types.byte_order)):
        resolver = Resolver(found.types, kernel())
        for relocation in relocations:
            resolution = resolver.resolve(relocation, bytes(16))
            if not resolution.reason.isprintable():
                raise BrokenError("the reason of a resolution has control characters")


def _declarations(found: Dissection) -> None:
    if found.types is not None:
        _declare(found.types)


def _declare(types: Btf) -> None:
    step = max(1, len(types) // _MANY)
    for type_id in range(0, len(types), step):
        for write in (_spelled, declaration):
            try:
                write(types, type_id)
            except BytecodeError as error:
                _sentence(error)


def _spelled(types: Btf, type_id: int) -> str:
    return spelled(types, type_id)


def _lint(found: Dissection) -> None:
    from bpfimg.inspect import _lint, _lint_model

    for problem in _lint.problems(found.elf.data, _lint_model.Context()):
        if not problem.message.isprintable():
            raise BrokenError("a problem with control characters")


def _graph(found: Dissection) -> None:
    from bpfimg.inspect import _mermaid, _svg, graph

    drawn = graph(found)
    _mermaid.mermaid(drawn)
    _svg.svg(drawn, "title")


def _page(found: Dissection) -> None:
    """Nothing but what is ours is markup on the page of an object."""
    import re

    from bpfimg.inspect import page
    from tests.support.html import ELEMENTS

    about = page.About("host", "Linux", "2026-01-01T00:00:00Z", "0")
    text = page.image(page.Subject("name", "", "sha256:0", found), about)
    if not text.isascii() or not text.replace("\n", "").isprintable():
        raise BrokenError("a page with control characters")
    if {name.lower() for name in re.findall("<([A-Za-z0-9]+)", text)} - ELEMENTS:
        raise BrokenError("a page with elements of somebody else")


def _describe(found: Dissection) -> None:
    """What an image would state of the object is what the object says."""
    from bpfimg.image import Description, Labels, _compare

    Labels.from_labels(Labels.of(found.object).to_dict())
    description = Description.of(found)
    if list(_compare.disagreements(description, found)):
        raise BrokenError("the labels made of the object disagree with it")
    again = Description.from_labels(description.to_labels())
    if not again.omitted and again.to_members() != description.to_members():  # omitted: too long for a label
        raise BrokenError("the labels do not say what the document says")


def _diff(found: Dissection) -> None:
    from bpfimg.inspect import _diff

    if _diff.objects(found, found):
        raise BrokenError("an object differs from itself")


def _check(found: Dissection) -> None:
    """Whether the object could be loaded into kernels with its own types, and with others."""
    from bpfimg.inspect import check

    kernels = [_kernel(found.object.byte_order)]
    if found.types is not None and len(found.types) < _TYPES_OF_A_KERNEL:
        kernels.append(KernelTypes("itself", found.types))
    checked = check.against(found, kernels)
    json.dumps(check.report(checked), allow_nan=False)
    check.markdown("object", checked)


STEPS: list[Callable[[Dissection], None]] = [
    _report,
    _details,
    _requirements,
    _strip,
    _disassemble,
    _lines,
    _core,
    _declarations,
    _lint,
    _graph,
    _page,
    _describe,
    _diff,
    _check,
]


def _types(data: bytes, byte_order: str) -> None:
    variables(data, byte_order=byte_order)
    types = Btf(data, byte_order, Limits())
    _declare(types)
    _values(types)
    found = _sound()
    if found.types is not None and found.ext is not None:  # broken types as those of a kernel
        resolver = Resolver(found.types, KernelTypes("broken", types))
        for relocation in itertools.chain.from_iterable(found.ext.core.values()):
            resolver.resolve(relocation)


def _values(types: Btf) -> None:
    """What a map with these types would show, and whether that can be written again."""
    for type_id in range(1, min(len(types), _MANY)):
        for data in (bytes(256), bytes(range(256))):
            try:
                value = values.decode(types, type_id, data)
                json.dumps(values.shown(value), allow_nan=False)
                values.total([value, value])
                values.encode(types, type_id, values.shown(value), initial=data)
                if values.difference(types, type_id, types, type_id):
                    raise BrokenError("a type differs from itself")
            except Error as error:
                _sentence(error)


def _labels(data: bytes) -> None:
    from bpfimg.image import Description, Labels, _compare

    try:
        labels = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(labels, dict) or not all(isinstance(word, str) for word in labels.values()):
        return
    try:
        Labels.from_labels(labels)
    except Error as error:
        _sentence(error)
    description = Description.from_labels(labels)
    for part, stated, real in _compare.disagreements(description, _sound()):
        if not f"{part} {stated} {real}".isprintable():
            raise BrokenError("a disagreement has control characters")
    description.to_members()


@functools.cache
def _sound() -> Dissection:
    """An object that the labels of another are held against."""
    from tests.support import corpus

    return dissect(corpus.one("core_everywhere.el"))


@functools.cache
def _kernel(byte_order: str) -> KernelTypes:
    """Types that have what the corpus asks for, in another shape: what a kernel is to an object."""
    from tests.support import corpus

    types = dissect(corpus.one("core_flavors.el" if byte_order == "little" else "core_flavors.eb")).types
    assert types is not None
    return KernelTypes("other", types)

"""Rules about an object as a whole: its slot, size, sections and types."""

from __future__ import annotations

from bpfimg.btf import kinds
from bpfimg.errors import quoted
from bpfimg.image import BPFMAN_LIMIT, MACHINES, bpf2go
from bpfimg.inspect._lint_model import Found
from bpfimg.inspect._rules_license import some

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode import Dissection
    from bpfimg.inspect._lint_model import Context

#: folders whose names say nothing of who compiled, or where
_PUBLIC = ("/usr/include/", "/usr/lib/", "/usr/local/include/")
_HOMES = ("/home/", "/root/", "/Users/")
_DATA = (".data", ".rodata", ".bss")
_STT_OBJECT = 1


def wrong_byte_order(dissection: Dissection, context: Context) -> Iterator[Found]:
    """BL002: for the file's name (bpf2go's custom) and for the platforms that the caller names."""
    have = dissection.object.byte_order
    stated = bpf2go(context.name)
    if stated is not None and stated.byte_order != have:
        name = quoted(context.name.rpartition("/")[2])
        words = f"the object is {have}-endian, its file name says {stated.byte_order}-endian ({name})"
        yield Found(words, hint=_RECOMPILE)
    for platform in context.platforms:
        row = MACHINES.get(platform.removeprefix("linux/").partition("/")[0])
        if row is not None and row[0] != have:
            yield Found(f"the object is {have}-endian, {platform} is {row[0]}-endian", hint=_RECOMPILE)


_RECOMPILE = "compile with clang -target bpfel (little) or -target bpfeb (big)"


def object_too_large(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL005."""
    size = dissection.object.size
    if size > BPFMAN_LIMIT:
        yield Found(
            f"the object has {size} bytes, bpfman takes at most {BPFMAN_LIMIT}", hint="strip it with llvm-strip -g"
        )


def dwarf_left_in(dissection: Dissection, context: Context) -> Iterator[Found]:
    """BL006."""
    obj = dissection.object
    if obj.dwarf_size:
        share = 100 * obj.dwarf_size // max(obj.size, 1)
        yield Found(
            f"{obj.dwarf_size} of {obj.size} bytes ({share} %) are DWARF, which no loader reads",
            hint="strip with llvm-strip -g, which keeps BTF; `bpfimg build` does so by itself",
            severity="" if context.shipped else "note",
        )


def leaked_path(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL007."""
    if dissection.ext is None:
        return
    found = sorted(file for file in dissection.ext.files() if file.startswith("/") and not file.startswith(_PUBLIC))
    if found:
        worst = next((file for file in found if file.startswith(_HOMES)), found[0])
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield Found(
            f"the line information holds the path {quoted(worst)}{more} of the machine that compiled it",
            kind="section",
            about=".BTF.ext",
            hint="compile with -ffile-prefix-map=DIR=. or from the folder of the source",
            severity="" if worst.startswith(_HOMES) else "note",
        )


def no_program(dissection: Dissection, context: Context) -> Iterator[Found]:
    """BL008."""
    obj = dissection.object
    if obj.programs:
        return
    names = [function.name for function in obj.functions if not function.local]
    said = f": {quoted(names[0])} is in section .text, where only sub-programs are" if names else ""
    yield Found(
        f"the object has no program{said}",
        hint='name a program type for each program, as in SEC("xdp")' if names else "",
        severity="" if names or context.shipped else "note",
    )


def no_btf(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL014."""
    obj = dissection.object
    if not obj.has_btf and (obj.programs or obj.maps):
        yield Found(
            "the object has no BTF: no types of maps and globals, no CO-RE, no source lines in verifier messages",
            hint="compile with clang -g; strip with llvm-strip -g, never with plain strip",
        )


def global_without_btf(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL015."""
    if dissection.object.has_btf:
        return
    sections = {s.index: s.name for s in dissection.elf.sections if s.name.startswith(_DATA)}
    names: dict[str, list[str]] = {}
    for symbol in dissection.elf.symbols if sections else ():
        if symbol.kind == _STT_OBJECT and not symbol.local and symbol.section in sections:
            names.setdefault(sections[symbol.section], []).append(symbol.name)
    for section, found in sorted(names.items()):
        yield Found(
            f"section {quoted(section)} has globals ({some(tuple(sorted(found)))}), but no BTF names them: "
            "nobody can set them before load",
            kind="section",
            about=section,
            hint="compile with clang -g",
        )


def no_line_info(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL016."""
    obj = dissection.object
    if obj.has_btf and obj.programs and not obj.has_line_info:
        yield Found(
            "the BTF has no source lines, so verifier messages will show none",
            kind="section",
            about=".BTF.ext",
            hint="keep section .BTF.ext when stripping: llvm-strip -g does",
        )


def version_section(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL038."""
    if any(section.name == "version" for section in dissection.elf.sections):
        yield Found(
            "section 'version' ties the object to one kernel version, for kprobes of kernels before 5.0",
            kind="section",
            about="version",
            hint="leave it out: since 5.0 the kernel does not look at it",
        )


def dangling_type(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL039: of functions only, which is where compilers are known to do it."""
    types = dissection.types
    if types is None:
        return
    for type_id in range(1, len(types)):
        if types.kind(type_id) == kinds.FUNC and not 0 < types.target(type_id) < len(types):
            yield Found(
                f"the BTF gives function {quoted(types.name(type_id))} the type {types.target(type_id)}, "
                f"expected one below {len(types)}: libbpf 1.5 and newer refuse the object",
                kind="section",
                about=".BTF",
                hint="compile with -g, not with -gline-tables-only",
            )
            return

"""Rules about an object as a whole: its slot, size, sections, licence and types."""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.image import MACHINES
from bpfimg.inspect._lint_model import MIB, Found
from bpfimg.inspect._rules_code import order_in_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode import Dissection
    from bpfimg.inspect._lint_model import Context

BPFMAN_LIMIT = 16 * MIB
#: `license_is_gpl_compatible` in the kernel's include/linux/license.h
GPL_COMPATIBLE = frozenset(
    ("GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL")
)
_GPL_TYPES = {"lsm": "LSM programs", "struct_ops": "struct_ops programs"}
#: folders whose names say nothing of who compiled, or where
_PUBLIC = ("/usr/include/", "/usr/lib/", "/usr/local/include/")
_HOMES = ("/home/", "/root/", "/Users/")
_DATA = (".data", ".rodata", ".bss")
_STT_OBJECT = 1


def wrong_byte_order(dissection: Dissection, context: Context) -> Iterator[Found]:
    """BL002: for the file's name (bpf2go's custom) and for the platforms that the caller names."""
    have = dissection.object.byte_order
    stated, _ = order_in_name(context.name)
    if stated not in ("", have):
        name = quoted(context.name.rpartition("/")[2])
        yield Found(f"the object is {have}-endian, its file name says {stated}-endian ({name})", hint=_RECOMPILE)
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


def no_license(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL011."""
    if dissection.object.programs and not dissection.object.license:
        yield Found(
            "the object states no licence, so the kernel counts it as proprietary",
            kind="section",
            about="license",
            hint='char LICENSE[] SEC("license") = "GPL"; or "Dual BSD/GPL", "Dual MIT/GPL", ...',
        )


def gpl_only(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL012: the verifier's three reasons, in `check_helper_call`, `add_kfunc_call` and `check_attach_btf_id`."""
    license_ = dissection.object.license
    if license_ in GPL_COMPATIBLE:
        return
    for program in dissection.object.programs:
        uses = program.uses
        if uses.gpl_only:
            what = "the GPL-only helper function " + _some(uses.gpl_only)
        elif uses.kfuncs:
            what = "the kernel function " + _some(uses.kfuncs)
        elif program.type in _GPL_TYPES:
            yield _not_gpl(program.name, f"{_GPL_TYPES[program.type]} need a GPL-compatible licence", license_)
            continue
        else:
            continue
        yield _not_gpl(program.name, f"program {quoted(program.name)} uses {what}", license_)


def _not_gpl(name: str, why: str, license_: str) -> Found:
    said = f"licence {quoted(license_)} is not GPL-compatible" if license_ else "there is no licence"
    return Found(
        f"{why}, but {said}: the kernel refuses it",
        kind="program",
        about=name,
        hint=f"the kernel takes exactly these: {', '.join(sorted(GPL_COMPATIBLE))}",
    )


def _some(names: tuple[str, ...]) -> str:
    return quoted(names[0])[1:-1] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def odd_license(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL013."""
    license_ = dissection.object.license
    words = license_.upper().replace("LGPL", "").replace("AGPL", "")
    if license_ not in GPL_COMPATIBLE and "GPL" in words:
        yield Found(
            f"licence {quoted(license_)} looks like the GPL, but the kernel compares whole words and takes it for "
            "proprietary",
            kind="section",
            about="license",
            hint=f"the kernel takes exactly these: {', '.join(sorted(GPL_COMPATIBLE))}",
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
            f"section {quoted(section)} has globals ({_some(tuple(sorted(found)))}), but no BTF names them: "
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

"""Words to the bytes of a global variable, by its BTF type: range, sign and size are checked before the load.

Numbers are decimal, or 0x, 0o, 0b; leading zeros do not change the base (`01` is 1, as the peers' raw form means
it). `hex:01ff` gives raw bytes in the object's own order, `be:80` a number in network byte order. Arrays of char take
text, other arrays `[1,2,3]`, of which the rest is zero; structs and unions take `{"a": 1}`, of which the rest is as in
the object. Arrays of bytes, and what is called __be32 or struct in6_addr, take addresses: 10.0.0.1, fe80::1.
"""

from __future__ import annotations

from bpfimg.btf import Btf, Limits, values
from bpfimg.errors import BytecodeError, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bpfimg.bytecode import GlobalSpec
    from bpfimg.kernel import OpenObject

    Initial = Callable[[GlobalSpec], bytes]

NETWORK = "be:"
_SHOWN = 30


def set_globals(opened: OpenObject, texts: Mapping[str, str], byte_order: str) -> dict[str, str]:
    """Gives globals of an open object their values; returns their types, by the names that were given.

    UsageError for a name or value that does not go with the object.
    """
    from bpfimg import bytecode

    btf = opened.btf()
    specs = bytecode.variables(btf, byte_order=byte_order) if btf else ()
    sections = {handle.section: handle for handle in opened.maps if handle.section}

    def initial(spec: GlobalSpec) -> bytes:
        handle = sections.get(spec.section)
        if handle is None:
            raise BytecodeError(f"global {quoted(spec.name)} is in section {quoted(spec.section)}, which has no map")
        return handle.initial()[spec.offset : spec.offset + spec.size]

    if not btf:
        for name in texts:
            find_global(specs, name)
    found = encode_globals(Btf(btf, byte_order, Limits()), specs, texts, initial) if btf else ()
    for spec, data in found:
        sections[spec.section].set_initial(spec.offset, data)
    return {name: spec.type for name, (spec, _) in zip(texts, found, strict=True)}


def encode_globals(
    types: Btf, specs: Sequence[GlobalSpec], texts: Mapping[str, str], initial: Initial
) -> tuple[tuple[GlobalSpec, bytes], ...]:
    """Every `name: text` with its global and its bytes; the first that is wrong is a UsageError.

    `initial` gives what a global has in the object.
    """
    ids = {
        (section, offset): types.target(variable)
        for section, type_id in types.data_sections().items()
        for variable, offset, _ in types.variables(type_id)
    }
    found = []
    for name, text in texts.items():
        spec = find_global(specs, name)
        found.append((spec, encode_global(types, ids[spec.section, spec.offset], spec, text, initial(spec))))
    return tuple(found)


def encode_global(types: Btf, type_id: int, spec: GlobalSpec, text: str, initial: bytes) -> bytes:
    """Returns the bytes of `text` for the global `spec`: its whole size, in the object's byte order.

    UsageError when the text is not a value of that type, or is out of its range; the message says what is.
    """
    what = f"global {spec.name!r}"
    letters = spec.kind == "array" and spec.type.startswith("char[") and spec.type.count("[") == 1
    if letters and len(text) >= 2 and text[0] == text[-1] == '"':  # quotes that the shell did not take
        text = text[1:-1]
    network = text.startswith(NETWORK) and not letters
    if network:
        text = text[len(NETWORK) :]
    try:
        written = text.strip()[:1] in ("[", "{") and spec.kind in ("array", "struct", "union")
        value = values.parse(text) if written else text
    except UsageError as error:
        raise UsageError(f"{what} ({spec.type}): {error}", hint=error.hint) from error
    data = values.encode(types, type_id, value, initial=initial, what=what, network=network)
    return data.ljust(spec.size, b"\0")


def find_global(specs: Sequence[GlobalSpec], name: str) -> GlobalSpec:
    """The global of that name; UsageError with the names that exist when there is none, those most like it first.

    `SECTION:NAME` chooses where two sources of an object have a static of the same name.
    """
    settable = [spec for spec in specs if is_settable(spec)]
    found = [spec for spec in settable if spec.name == name]
    section, colon, bare = name.rpartition(":")
    if not found and colon:
        found = [spec for spec in settable if (spec.section, spec.name) == (section, bare)]
    if len(found) > 1:
        raise _several(found, name)
    if found:
        return found[0]
    # a dot is what compilers put into the names of function-level statics: format strings, nobody's setting
    plain = sorted((spec for spec in settable if "." not in spec.name), key=lambda spec: spec.name)
    near = _near(name, [spec.name for spec in plain])
    plain.sort(key=lambda spec: near.index(spec.name) if spec.name in near else len(near))
    known = [f"{spec.name} ({spec.type})" for spec in plain]
    listed = ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")
    raise UsageError(
        f"the object has no global {quoted(name)}, {_expected(len(known))}",
        hint=f"it has: {listed}"
        if known
        else "it has none: it was built without global variables, or without BTF (-g)",
    )


def _near(name: str, names: list[str]) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(name[:128], names[:4096], 3)


def _expected(count: int) -> str:
    return (
        f"expected one of its {count} globals" if count > 1 else "expected its one global" if count else "nor any other"
    )


def _several(found: Sequence[GlobalSpec], name: str) -> UsageError:
    sections = sorted({spec.section for spec in found})
    if len(sections) == len(found):
        hint = "say which: " + ", ".join(f"{section}:{found[0].name}" for section in sections)
    else:
        hint = (
            "they are statics of several sources, in one section: only another name in the source can tell them apart"
        )
    return UsageError(f"the object has {len(found)} globals called {quoted(name)}, expected one", hint=hint)


def is_settable(spec: GlobalSpec) -> bool:
    """True for globals whose value is ours to give: not the kernel's (.kconfig, .ksyms) nor string literals."""
    return spec.section.split(".")[1:2] in (["rodata"], ["data"], ["bss"])

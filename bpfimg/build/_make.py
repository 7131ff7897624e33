"""A recipe to images: each slot's files are read or compiled, linked, stripped, and packed with what they say."""

from __future__ import annotations

from bpfimg._value import field, value
from bpfimg.build._build import image, object_name
from bpfimg.build._made import Built, Source
from bpfimg.bytecode import dissect
from bpfimg.errors import BytecodeError, ImageError, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bpfimg.build._inputs import Slot
    from bpfimg.bytecode import Dissection
    from bpfimg.oci import Platform

__all__ = ["Recipe", "images"]

#: an object file above the spec's limit (BI-27) is refused after this much was read
_READ_LIMIT = 64 * 1024 * 1024 + 1
_REPEATED = "org.opencontainers.image."  # podman and skopeo show labels, oras and catalogues annotations


@value(frozen=True, slots=True)
class Recipe:
    """What to make of which files. `cpu` is "v1" to "v4", None for the compiler's choice; `created` seconds since 1970.

    `link`: the files of a slot become one object; else each slot has one file. `strip`: DWARF is taken off.
    """

    slots: tuple[Slot, ...]
    defines: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    compiler: str = "clang"
    cpu: str | None = None
    link: bool = False
    strip: bool = True
    variant: str = "image"
    created: int = 0
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        sources = any(_is_c(path) for slot in self.slots for path in slot.paths)
        if self.slots and not sources and (self.defines or self.includes or self.cpu):
            path = self.slots[0].paths[0]
            raise UsageError(
                f"{quoted(path)} is not a C source, so macros, include folders and instruction set have no meaning",
                hint="a C source is a file that ends in .c",
            )
        if self.link and not self.strip:
            raise UsageError("DWARF cannot be kept where objects are linked: libbpf's linker leaves it out")


@value(frozen=True, slots=True)
class _Part:
    """One file of a slot as an object, as it came, and what went into it."""

    name: str
    dissection: Dissection
    sources: tuple[Source, ...]
    arguments: tuple[str, ...] = ()


def images(recipe: Recipe, *, warn: Callable[[str], None] | None = None) -> tuple[Built, ...]:
    """One image for each slot with what went into it; `warn` is given the compiler's warnings.

    Annotations `org.opencontainers.image.*` are repeated as labels. The same files give the same images, in any folder.
    Raises BytecodeError for files that cannot be read, compiled or linked, or are no eBPF objects, ImageError for one
    of the wrong byte order (BI-25), NotSupported where libbpf cannot link them.
    """
    read: dict[str, _Part] = {}
    found = []
    for slot in recipe.slots:
        parts = [_part(path, slot.platform, recipe, read, warn) for path in slot.paths]
        found.append(_built(slot, parts, recipe))
    return tuple(found)


def _is_c(path: str) -> bool:
    return path.endswith(".c")


def _part(
    path: str, platform: Platform, recipe: Recipe, read: dict[str, _Part], warn: Callable[[str], None] | None
) -> _Part:
    if _is_c(path):
        from bpfimg.build._clang import compiled

        made = compiled(
            path,
            arch=platform.architecture,
            defines=recipe.defines,
            includes=recipe.includes,
            compiler=recipe.compiler,
            cpu=recipe.cpu,
            warn=warn,
        )
        return _Part(path, _dissected(path, made.bytecode), made.sources, made.arguments)
    if path not in read:
        content = _read(path)
        read[path] = _Part(path, _dissected(path, content), (Source.of(path.rpartition("/")[2], content, "object"),))
    return read[path]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_READ_LIMIT)
    except FileNotFoundError as error:
        hint = "what makes it comes first, as make or go generate; or give the C source in its place"
        raise BytecodeError(f"{path!r} cannot be read: {error.strerror}", hint=hint) from error
    except OSError as error:
        raise BytecodeError(f"{path!r} cannot be read: {error.strerror}") from error


def _built(slot: Slot, parts: Sequence[_Part], recipe: Recipe) -> Built:
    looked = [part.dissection for part in parts]
    compilers = sorted({each.object.producer for each in looked if each.object.producer})
    linker = None
    if recipe.link:
        bytecode, linker = _linked(parts)
        whole = dissect(bytecode)
        stripped = sum(each.object.dwarf_size for each in looked)
    else:
        (whole,) = looked
        bytecode = whole.without_dwarf() if recipe.strip else whole.elf.data
        stripped = whole.object.size - len(bytecode)
    old = tuple(item.name for item in whole.object.maps if item.legacy) if recipe.strip else ()
    if old:
        bytecode = _declared(slot.paths[0], bytecode)
        whole = dissect(bytecode)
    toolchain = {"compiler": "; ".join(compilers)} if compilers else {}
    if linker:
        toolchain["linker"] = linker
    repeated = {name: text for name, text in recipe.annotations.items() if name.startswith(_REPEATED)}
    try:
        made = image(
            bytecode,
            platform=slot.platform,
            file_name=object_name(slot.paths[0]),
            created=recipe.created,
            labels={**repeated, **recipe.labels},
            annotations=recipe.annotations,
            toolchain=toolchain,
            variant=recipe.variant,
            dissection=whole,
        )
    except ImageError as error:
        raise ImageError(f"{quoted(slot.paths[0])}: {error}", rules=error.rules, hint=error.hint) from error
    except BytecodeError as error:
        raise BytecodeError(f"{quoted(slot.paths[0])}: {error}", hint=error.hint) from error
    return Built(
        image=made,
        sources=_sorted([source for part in parts for source in part.sources]),
        compiler="; ".join(compilers) if any(part.arguments for part in parts) and compilers else None,
        arguments=next((part.arguments for part in parts if part.arguments), ()),
        stripped=stripped,
        linker=linker,
        declared=old,
    )


def _dissected(name: str, bytecode: bytes) -> Dissection:
    """What is in the object; BytecodeError names the file, for there may be many."""
    try:
        return dissect(bytecode)
    except BytecodeError as error:
        raise BytecodeError(f"{quoted(name)}: {error}", hint=error.hint) from error


def _declared(name: str, bytecode: bytes) -> bytes:
    """The object with maps that libbpf takes; BytecodeError, naming the file, where that cannot be made of them."""
    try:
        return dissect(bytecode).with_declared_maps()
    except BytecodeError as error:
        raise BytecodeError(f"{quoted(name)}: {error}", hint=error.hint) from error


def _linked(parts: Sequence[_Part]) -> tuple[bytes, str]:
    """The one object, and who linked it. The parts have been read by our own bounded reader before."""
    from bpfimg.kernel import libbpf, linker

    orders = [part.dissection.object.byte_order for part in parts]
    for part, order in zip(parts, orders, strict=True):
        if order != orders[0]:
            first = f"{quoted(parts[0].name)} is {orders[0]}-endian"
            raise BytecodeError(f"{quoted(part.name)} is {order}-endian and {first}, expected one byte order to link")
    joined = linker.link([(part.name, part.dissection.elf.data) for part in parts], byte_order=orders[0])
    return joined, f"libbpf {libbpf.version()}"


def _sorted(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Each once; headers, which several inputs may share, after the inputs and by name."""
    once = list(dict.fromkeys(sources))
    inputs = [source for source in once if source.kind != "header"]
    headers = sorted((source for source in once if source.kind == "header"), key=lambda source: source.path)
    return (*inputs, *headers)

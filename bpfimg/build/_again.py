"""Is an image what these inputs make? Built again, compared, and the first part that differs named."""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.errors import ImageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bpfimg.build._made import Built
    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Descriptor, Source

__all__ = ["difference"]


def difference(
    built: Sequence[Built], source: Source, there: Descriptor, *, annotations: Mapping[str, str] | None = None
) -> str | None:
    """None when `there` in `source` is, byte for byte, the image that was built; else a clause on what differs first.

    Looked at in this order: platforms, then for each the object by its sections, file name, time, labels, annotations,
    and last what no value shows, the documents' own form. Raises as `BytecodeImage.fetch` does.
    """
    from bpfimg.build._store import store
    from bpfimg.oci import Memory

    images = [each.image for each in built]
    ours = store(images, Memory(source.repository), annotations=annotations)
    if ours.digest == there.digest:
        return None
    return next(_differences(images, source, there, annotations or {}), None) or (
        f"the documents say the same in another form: {there.digest} there, {ours.digest} here"
    )


def _differences(
    images: Sequence[BytecodeImage], source: Source, there: Descriptor, annotations: Mapping[str, str]
) -> Iterator[str]:
    from bpfimg.oci import Index, parse_document

    if there.is_index:
        document = parse_document(source.fetch(there), there.media_type)
        assert isinstance(document, Index)
        have, want = {str(each.platform) for each in document.manifests}, {str(each.platform) for each in images}
        if have != want:
            yield f"its platforms are {', '.join(sorted(have))}, these inputs make {', '.join(sorted(want))}"
        if dict(document.annotations) != dict(annotations):
            yield "the annotations of the index differ"
    elif len(images) > 1:
        yield f"it is a single manifest, these inputs make an index of {len(images)}"
    from bpfimg.image import BytecodeImage

    for image in sorted(images, key=lambda each: str(each.platform)):
        try:
            other = BytecodeImage.fetch(source, there, image.platform)
        except ImageError as error:
            yield f"{image.platform}: {error}"
            continue
        for clause in _image(other, image):
            yield f"{image.platform}: {clause}"


def _image(there: BytecodeImage, here: BytecodeImage) -> Iterator[str]:
    if str(there.platform) != str(here.platform):
        yield f"it is for {there.platform}"
    if there.bytecode != here.bytecode:
        yield from _object(there.bytecode, here.bytecode)
    if there.variant != here.variant:
        yield f"it is of the variant {there.variant}, here {here.variant}"
    for what in ("file_name", "created"):
        one, other = getattr(there, what), getattr(here, what)
        if one != other:
            yield f"{what.replace('_', ' ')} is {quoted(one)}, here {quoted(other)}"
    pairs = (
        ("label", {**there.labels.to_dict(), **there.extra_labels}, {**here.labels.to_dict(), **here.extra_labels}),
        ("description", there.description.parts, here.description.parts),
        ("annotation", there.annotations, here.annotations),
    )
    for what, theirs, ours in pairs:
        for name in sorted({*theirs, *ours}):
            if theirs.get(name) != ours.get(name):
                yield f"{what} {quoted(name)} is {_said(theirs.get(name))}, here {_said(ours.get(name))}"
    if replace(there, descriptor=None) != replace(here, descriptor=None):
        yield "config and manifest say different things"


def _said(text: str | None) -> str:
    return "absent" if text is None else quoted(text)


def _object(there: bytes, here: bytes) -> Iterator[str]:
    """The first section that differs, for two objects that do."""
    from bpfimg.bytecode import dissect

    whole = [dissect(data) for data in (there, here)]
    dwarf = [each.object.dwarf_size for each in whole]
    if dwarf[0] != dwarf[1]:
        yield f"the object has {dwarf[0]} bytes of DWARF, here {dwarf[1]}"
    one, other = ({s.name: s.content for s in each.elf.sections} for each in whole)
    for name in [*one, *(name for name in other if name not in one)]:
        theirs, ours = one.get(name), other.get(name)
        if theirs != ours:
            yield f"section {quoted(name)} of the object {_how(theirs, ours)}"
    yield f"the object has the same sections and {len(there)} bytes, here {len(here)}: its tables differ"


def _how(theirs: bytes | None, ours: bytes | None) -> str:
    if theirs is None or ours is None:
        return "is only here" if theirs is None else "is only there"
    if len(theirs) != len(ours):
        return f"has {len(theirs)} bytes, here {len(ours)}"
    at = next(i for i, (a, b) in enumerate(zip(theirs, ours, strict=True)) if a != b)
    return f"differs from byte {at} of {len(ours)} on"

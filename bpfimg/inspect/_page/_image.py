"""The page of an image or object: what it says, what is in it, what it needs, what is wrong with it."""

from __future__ import annotations

from bpfimg.inspect._page._code import code_of
from bpfimg.inspect._page._document import About, Part, document
from bpfimg.inspect._page._html import markup, tag
from bpfimg.inspect._page._object import functions, globals_, maps, needs, newest, picture, programs, sections
from bpfimg.inspect._page._parts import cut, digest
from bpfimg.inspect._page._problems import disagreements, problems
from bpfimg.inspect._page._vouched import labels, vouched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.inspect._page._html import Content
    from bpfimg.inspect._page._subject import Subject


def image(subject: Subject, about: About) -> str:
    """Returns the page of an image or of an object file: HTML in ASCII, the same for the same values."""
    made = f"Made by bpfimg {about.version} on {about.time}. This page has no scripts and asks nothing of anybody."
    title = f"{'Image' if subject.seen else 'Object'} {cut(subject.name)}"
    return document(title, _facts(subject), _lead(subject), list(_parts(subject)), made)


def _facts(subject: Subject) -> Iterator[tuple[str, Content]]:
    obj, seen = subject.dissection.object, subject.seen
    if seen is not None:
        yield "Reference", cut(subject.name)
        yield "Digest", digest(subject.digest)
        others = [str(each) for each in seen.platforms if each != seen.image.platform]
        also = f"; also there: {', '.join(others)}" if others else ""
        yield "Platform", f"{seen.image.platform}{also}"
        yield "Variant", seen.image.variant
        yield "File", cut(seen.image.file_name)
        yield "Says it was created", cut(seen.image.created)
        yield "Toolchain, as it says", cut(seen.image.description.parts.get("toolchain", ""))
    yield "Object", markup(digest(subject.object_digest), f", {obj.size} bytes")
    yield "Licence", cut(obj.license) or "none"
    yield "Byte order", obj.byte_order
    lines = "with" if obj.has_line_info else "without"
    yield "BTF", f"{obj.btf_size} bytes, {lines} source lines" if obj.has_btf else "none"
    yield "CO-RE", "yes" if obj.has_core_relocations else "no"
    yield "Compiler", cut(obj.producer or "")
    yield "Kernel", newest(obj)


def _lead(subject: Subject) -> Content:
    counts = {word: sum(each.severity == word for each in subject.problems) for word in ("error", "warning", "note")}
    said = [f"{number} {word}{'s' * (number != 1)}" for word, number in counts.items() if number]
    words = ", ".join(said) or "Nothing is wrong with the object"
    verdict = f" The image is {subject.belief.verdict}." if subject.seen else ""
    return tag("p", tag("a", words, href="#problems"), f".{verdict}")


def _parts(subject: Subject) -> Iterator[Part]:
    obj = subject.dissection.object
    yield Part("problems", "Problems", problems(subject.problems))
    if subject.seen is not None:
        yield Part("vouched", "Who vouches for it", vouched(subject))
        if subject.seen.findings:
            yield Part("findings", "What its labels say otherwise", disagreements(subject.seen))
        yield Part("labels", "Labels and annotations", labels(subject.seen))
    yield Part("picture", "Picture", picture(subject.dissection))
    yield Part("programs", "Programs", programs(obj))
    yield Part("maps", "Maps", maps(obj))
    yield Part("globals", "Globals", globals_(obj))
    if obj.functions or obj.externs:
        yield Part("functions", "Sub-programs and what the kernel defines", functions(obj))
    yield Part("needs", "What a kernel needs to have", needs(obj))
    yield Part("sections", "Sections of the file", sections(obj))
    yield Part("code", "Source and instructions", code_of(subject.dissection))

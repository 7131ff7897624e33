"""Taking a name away, with what was said about the image that nobody can ask for any more."""

from __future__ import annotations

from bpfimg.errors import DigestMismatch, ImageError, NotFound
from bpfimg.oci._about import COSIGN_ENDINGS
from bpfimg.oci._digest import Digest
from bpfimg.oci._model import Index
from bpfimg.oci._store._entries import NAME, REPOSITORY, SUBJECT, Entries, annotations_of, described
from bpfimg.oci._store._naming import save
from bpfimg.oci._store._stored import stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._store._layout import Layout


def remove(layout: Layout, selector: str | Digest) -> Descriptor | None:
    """As `Layout.remove`."""
    with layout.lock():
        entries = Entries.load(layout.path, layout.limits.layout)
        lines = kept(layout, entries, selector) if isinstance(selector, Digest) else tagged(layout, entries, selector)
        entries.drop(lines)
        try:
            found = described(next(iter(lines.values())), str(selector))
            _drop_evidence(layout, entries, found)
        except ImageError:
            found = None
        save(layout.path, entries, layout.limits)
    return found


def tagged(layout: Layout, entries: Entries, tag: str) -> dict[bytes, object]:
    """Returns the entries that a tag means; NotFound when there is none."""
    for name in layout.names(tag):
        if lines := dict(entries.with_annotation(NAME, name)):
            return lines
    raise NotFound(f"the store {layout.path} has no {layout.repository}:{tag}")


def kept(layout: Layout, entries: Entries, digest: Digest) -> dict[bytes, object]:
    """Returns the entries that keep an image by its digest; NotFound when there is none."""
    ours, names = {}, []
    for line, entry in entries.with_digest(digest):
        annotations = annotations_of(entry)
        if NAME in annotations:
            names.append(str(annotations[NAME]))
        elif annotations.get(REPOSITORY) == str(layout.repository) and SUBJECT not in annotations:
            ours[line] = entry
    if not ours:
        mine = [name for name in names if name.startswith(f"{layout.repository}:")]
        raise NotFound(
            f"the store {layout.path} does not keep {layout.repository}@{digest}",
            hint=f"what has that digest is called {mine[0]}" if mine else "",
        )
    return ours


def _drop_evidence(layout: Layout, entries: Entries, found: Descriptor) -> None:
    """Takes out the entries about an image, and about its children, of which none of its repository is left."""
    ours = (f"{layout.repository}:", f"{layout.repository}@")
    gone = family(layout, found)
    for each in stored(entries if layout.short_names else entries.with_text(str(layout.repository))):
        if gone and (layout.short_names or each.name.startswith(ours)):
            gone -= family(layout, each.descriptor)
    for digest in gone:
        entries.drop(
            line
            for line, entry in entries.with_annotation(SUBJECT, str(digest))
            if annotations_of(entry).get(REPOSITORY) in (None, str(layout.repository))
        )
        for ending in COSIGN_ENDINGS:
            entries.drop(line for line, _ in entries.with_annotation(NAME, layout.own_name(digest.tag + ending)))


def family(layout: Layout, descriptor: Descriptor) -> set[Digest]:
    """Returns the digests of an image and of what an index among them lists."""
    found, ahead = {descriptor.digest}, [descriptor] if descriptor.is_index else []
    while ahead:
        try:
            document = layout.document(ahead.pop())
        except (NotFound, DigestMismatch, ImageError):
            continue
        for child in document.manifests if isinstance(document, Index) else ():
            if child.digest not in found:
                found.add(child.digest)
                ahead += [child] if child.is_index else []
    return found

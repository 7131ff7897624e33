"""Copy is the only transfer: push, pull, save and mirror differ in which place is the source.

The order is what makes a copy that was cut short harmless: content before the manifest that names it, children
before their index, a subject before what refers to it, and the tag last of all.
"""

from __future__ import annotations

from bpfimg.errors import ImageError, NotFound
from bpfimg.oci._ahead import Ahead
from bpfimg.oci._cosign import TAG_ENDINGS, merge
from bpfimg.oci._descriptor import Descriptor, Platform
from bpfimg.oci._digest import Digest
from bpfimg.oci._media import EMPTY, EMPTY_CONTENT, SIGSTORE_BUNDLE
from bpfimg.oci._model import Index, Manifest, parse_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci._target import Source, Target

_NESTING = 2
"""An index may hold indexes of manifests; a referrer may have referrers of its own. No deeper."""
_EVIDENCE = 256
"""Referrers and cosign tags that one copy takes along, of all children together."""
_BYTES, _PARTS = 1 << 30, 4096
"""How much one copy moves in all: each part has its limit, a stranger's list of parts needs one as well."""


def copy(
    source: Source,
    selector: str | Digest,
    target: Target,
    tag: str | None,
    *,
    referrers: bool = True,
    platform: Platform | None = None,
) -> Descriptor:
    """Copies the image that `selector` names, names it `tag` (None: not at all), and returns its descriptor.

    Of an index every child goes along, with `platform` only the one for it; the index document itself stays as it
    is, so digests do not change. With `referrers`, signatures and other artifacts about the image and its children
    go along, in both forms: manifests with a `subject`, and cosign's `.sig` and `.att` tags. Signatures that the
    target has already stay.
    """
    with Ahead(source) as ahead:
        errand = _Errand(ahead, target, platform)
        top = source.resolve(selector)
        raw = b""
        evidence: list[_Evidence] = []
        if referrers:
            errand.look_soon(top.digest)
        for part, raw in errand.parts(top):  # the last one is the top itself
            if referrers and part.is_document:
                evidence += errand.evidence(part.digest)
            if part.digest != top.digest:
                errand.push(part, raw)
        ahead.fetch_soon(descriptor for _, descriptor, _ in evidence)
        target.push(top, raw, tag=None if evidence else tag)
        for each in evidence:
            errand.bring(*each)
        if evidence and tag is not None:
            target.tag(top, tag)
    return top


class _TooMuch(ImageError):  # noqa: N818 - named as errors.py names its classes
    """The copy as a whole is beyond its bounds: no piece of junk to pass over."""


_Evidence = tuple[Digest, Descriptor, str | None]
"""What it is about, the manifest, and cosign's tag when it is found by one."""


class _Errand:
    """One copy: from where, to where, and what is done already."""

    def __init__(self, source: Ahead, target: Target, platform: Platform | None) -> None:
        self._source = source
        self._target = target
        self._platform = platform
        self._pushed: set[Digest] = set()
        self._count = 0
        self._bytes = self._parts = 0

    def parts(self, descriptor: Descriptor, nesting: int = _NESTING) -> Iterator[tuple[Descriptor, bytes]]:
        """Yields what the target lacks of an image, in the order to push it; manifests and indexes in any case."""
        raw = self._fetch(descriptor, nesting)
        document = parse_document(raw, descriptor.media_type)
        if isinstance(document, Manifest):
            children: tuple[Descriptor, ...] = (document.config, *document.layers)
        elif not nesting:
            raise ImageError(f"indexes are nested deeper than {_NESTING} levels at {descriptor.digest}")
        else:
            children = (document.select(self._platform),) if self._platform else document.manifests
        lacking = [child for child in children if child.is_document or not self._target.exists(child)]
        self._spend(descriptor, lacking)
        self._source.fetch_soon(child for child in lacking if child.digest not in self._pushed and not _is_empty(child))
        for child in lacking:
            if child.digest in self._pushed:
                continue  # one child may stand under several platforms, one layer in several manifests
            if child.is_document:
                yield from self.parts(child, nesting - 1)
            else:
                yield child, EMPTY_CONTENT if _is_empty(child) else self._source.fetch(child)
        yield descriptor, raw

    def _spend(self, descriptor: Descriptor, parts: list[Descriptor]) -> None:
        self._parts += len(parts)
        self._bytes += sum(part.size for part in parts)
        if self._bytes > _BYTES or self._parts > _PARTS:
            raise _TooMuch(
                f"what goes with the image comes to over {_BYTES} bytes or {_PARTS} parts at {descriptor.digest}"
            )

    def look_soon(self, digest: Digest) -> None:
        """Says that `evidence` will be asked."""
        self._source.look_soon(digest, (digest.tag + ending for ending in TAG_ENDINGS))

    def _fetch(self, descriptor: Descriptor, nesting: int) -> bytes:
        try:
            return self._source.fetch(descriptor)
        except NotFound as error:
            if nesting == _NESTING:
                raise
            what = f"for {descriptor.platform} " if descriptor.platform else ""
            raise NotFound(
                f"the image {what}({descriptor.digest}) that the index names is not there: {error}",
                hint="an index that was pulled for one platform is not whole: pull it with --all-platforms first",
            ) from error

    def push(self, descriptor: Descriptor, content: bytes) -> None:
        self._target.push(descriptor, content)
        self._pushed.add(descriptor.digest)

    def evidence(self, digest: Digest) -> Iterator[_Evidence]:
        """Yields what the source knows about `digest`."""
        for entry in self._source.referrers(digest):
            yield digest, entry, None
        for ending in TAG_ENDINGS:
            try:
                found = self._source.resolve(digest.tag + ending)
            except NotFound:
                continue
            yield digest, found, digest.tag + ending

    def bring(self, subject: Digest, descriptor: Descriptor, tag: str | None, nesting: int = _NESTING) -> None:
        """Copies one piece of evidence. Junk is passed over: anybody who may push can list it beside the real ones."""
        self._count += 1
        if self._count > _EVIDENCE:
            raise ImageError(f"more than {_EVIDENCE} signatures and other referrers go with {subject}")
        if tag is not None:
            self._bring_tagged(descriptor, tag)
            return
        try:
            document = parse_document(self._source.fetch(descriptor), descriptor.media_type)
            if document.subject is None or document.subject.digest != subject:
                return
        except (NotFound, ImageError):
            return
        if not self._push_whole(descriptor):
            return
        if nesting > 1 and not _is_signature(document):
            for about, entry, name in self.evidence(descriptor.digest):
                if entry.digest not in self._pushed:
                    self.bring(about, entry, name, nesting - 1)

    def _push_whole(self, descriptor: Descriptor) -> bool:
        """Pushes an artifact with its parts, one after the other, and says True; False when the source lacks one or
        has junk in its place. What was pushed until then is content that nothing names."""
        parts = self.parts(descriptor)
        while True:
            try:
                part, content = next(parts, (None, b""))
            except _TooMuch:
                raise
            except (NotFound, ImageError):
                return False
            if part is None:
                return True
            self.push(part, content)

    def _bring_tagged(self, descriptor: Descriptor, tag: str) -> None:
        mine = parse_document(self._source.fetch(descriptor), descriptor.media_type)
        if self._merged(mine, tag)[0] is None:
            return
        for part, content in self.parts(descriptor):
            self.push(part, content)
        # the source may be slow, and others wait for this lock: from here on nothing is asked of it
        with self._target.lock():
            merged, config = self._merged(mine, tag)
            if isinstance(merged, Manifest) and merged is not mine:
                self._target.push(merged.config, config)
                self._target.push(merged.descriptor, merged.raw, tag=tag)
            elif merged is not None:
                self._target.tag(descriptor, tag)

    def _merged(self, mine: Manifest | Index, tag: str) -> tuple[Manifest | Index | None, bytes]:
        """Returns what is to stand under the tag and, where it is new, its config; None when that stands there."""
        theirs = self._there(tag)
        if not (isinstance(mine, Manifest) and isinstance(theirs, Manifest)):
            return mine, b""
        merged, config = merge(theirs, mine)
        return (None if merged is theirs else merged), config

    def _there(self, tag: str) -> Manifest | Index | None:
        try:
            found = self._target.resolve(tag)
            return parse_document(self._target.fetch(found), found.media_type)
        except NotFound:
            return None


def _is_empty(descriptor: Descriptor) -> bool:
    return descriptor.media_type == EMPTY and descriptor.digest.matches(EMPTY_CONTENT)


def _is_signature(document: Manifest | Index) -> bool:
    """A Sigstore bundle. Nobody signs those, so nobody needs to ask the registry who did."""
    if not isinstance(document, Manifest):
        return False
    types = (document.artifact_type or "", *(layer.media_type for layer in document.layers))
    return any(each.startswith(SIGSTORE_BUNDLE) for each in types)

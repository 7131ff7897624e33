"""Checking a layout: every byte of it is hashed, and every name is followed to the end."""

from __future__ import annotations

import os
from collections import Counter

from bpfimg._value import replace, value
from bpfimg.errors import DigestMismatch, ImageError, NotFound, StoreError
from bpfimg.oci._check import checked
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._model import Index
from bpfimg.oci._reference import Repository
from bpfimg.oci._store._entries import NAME, REPOSITORY, SUBJECT, annotations_of, described, stamp
from bpfimg.oci._store._files import (
    SCRATCH,
    closing,
    descriptor_pieces,
    discard,
    open_file,
    put_back,
    set_aside,
    store_error,
)
from bpfimg.oci._store._graph import blobs
from bpfimg.oci._store._layout import Layout, load
from bpfimg.oci._store._naming import blob_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.oci._digest import Digest
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._store._entries import Entries

    Finding = tuple[str, Digest, str]

_AGAIN = 3  # times that the names are followed when others change them meanwhile


@value(frozen=True, slots=True)
class Problem:
    """What is wrong, and with which images: none for content that nothing names.

    `kind` is "damaged" (content is not what it is called), "missing" (an image is not whole), "unreadable" (an entry
    or manifest is none) or "duplicate" (two entries have one name). `repaired` says that damaged content was removed.
    """

    kind: str
    digest: Digest | None
    names: tuple[str, ...]
    what: str
    repaired: bool = False


@value(frozen=True, slots=True)
class Checked:
    """What was looked at: how much content, how many bytes of it, how many entries; and what is wrong with it."""

    blobs: int
    bytes: int
    entries: int
    problems: tuple[Problem, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong any more."""
        return all(problem.repaired and not problem.names for problem in self.problems)


def fsck(
    path: str, *, repair: bool = False, limits: Limits = DEFAULT, heard: Callable[[str], None] | None = None
) -> Checked:
    """Returns what is wrong with the layout at `path`; it takes no lock, writers may be at work.

    `heard` is told the digest of each piece of content before that is hashed.

    With `repair` damaged content is removed, so that other tools miss it as well and the next pull brings it again.
    StoreError when the layout as a whole cannot be read.
    """
    check = _Check(path, limits)
    load(path, limits)
    if os.path.isdir(f"{path}/blobs"):
        try:
            check.content(heard)
        except OSError as error:
            raise store_error("read", path, error) from error
    problems, entries = check.names()
    if repair:
        problems = [_repaired(path, each) for each in problems]
    return Checked(len(check.good) + len(check.bad), sum(check.good.values()), entries, tuple(problems))


class _Check:
    def __init__(self, path: str, limits: Limits) -> None:
        self.good: dict[Digest, int] = {}
        self.bad: dict[Digest, str] = {}
        self._path = path
        self._limits = limits
        self._layout = Layout(path, Repository("localhost", "store"), limits=limits)
        self._known: dict[Digest, tuple[Finding, ...]] = {}

    def content(self, heard: Callable[[str], None] | None) -> None:
        """Hashes all that is there."""
        for _, digest, found in blobs(self._path):
            if digest is not None and found is not None:
                if heard is not None:
                    heard(str(digest))
                self._hash(digest)

    def _hash(self, digest: Digest) -> None:
        try:
            # a writer may have put it right while it was read
            size = _hashed(self._path, digest) or _hashed(self._path, digest)
        except FileNotFoundError:
            return
        if size is None:
            self.bad[digest] = f"the content of {blob_name(digest)} has another digest"
        else:
            self.good[digest] = size

    def names(self) -> tuple[list[Problem], int]:
        """Follows all entries; returns the problems, and how many entries there are."""
        for _ in range(_AGAIN):
            before = stamp(self._path)
            self._known.clear()
            entries = load(self._path, self._limits)
            found, count = self._follow_all(entries)
            if not found or stamp(self._path) == before:
                break
        named = {digest for _, digest, _ in found if digest}
        for digest, what in self.bad.items():
            if digest not in named:
                found["damaged", digest, what] = {}
        return [Problem(kind, digest, tuple(names), what) for (kind, digest, what), names in found.items()], count

    def _follow_all(self, entries: Entries) -> tuple[dict[tuple[str, Digest | None, str], dict[str, None]], int]:
        found: dict[tuple[str, Digest | None, str], dict[str, None]] = {}
        names: Counter[str] = Counter()
        count = 0
        for count, entry in enumerate(entries, 1):
            name = _name(entry, count)
            names[name] += NAME in annotations_of(entry)
            try:
                top = described(entry, name)
            except ImageError as error:
                found["unreadable", None, str(error)] = {name: None}
                continue
            for finding in self._follow(top, self._limits.nesting):
                found.setdefault(finding, {})[name] = None
        for name, times in names.items():
            if times > 1:
                found["duplicate", None, f"{times} entries of index.json have this name"] = {name: None}
        return found, count

    def _follow(self, descriptor: Descriptor, nesting: int) -> tuple[Finding, ...]:
        found = tuple(self._part(descriptor))
        if found or not descriptor.is_document:
            return found
        if descriptor.digest not in self._known:
            self._known[descriptor.digest] = tuple(self._document(descriptor, nesting))
        return self._known[descriptor.digest]

    def _document(self, descriptor: Descriptor, nesting: int) -> Iterator[Finding]:
        try:
            document = self._layout.document(descriptor)
        except (NotFound, DigestMismatch, ImageError) as error:
            yield "unreadable", descriptor.digest, str(error)
            return
        if not isinstance(document, Index):
            for part in document.parts:
                yield from self._part(part)
            return
        # an index that was pulled for one platform is not whole, and need not be
        there = [child for child in document.manifests if self._is_there(child)]
        if document.manifests and not there:
            yield "missing", descriptor.digest, "none of the images that this index lists is there"
        for child in there:
            if nesting < 1 and child.is_index:
                yield "unreadable", child.digest, "indexes are nested too deep"
            else:
                yield from self._follow(child, nesting - 1)

    def _part(self, part: Descriptor) -> Iterator[Finding]:
        if not self._is_there(part):
            yield "missing", part.digest, "this content is not there"
        elif part.digest in self.bad:
            yield "damaged", part.digest, self.bad[part.digest]
        elif self.good[part.digest] != part.size:
            size = self.good[part.digest]
            yield "unreadable", part.digest, f"it has {size} bytes, and what names it says {part.size}"

    def _is_there(self, part: Descriptor) -> bool:
        if part.digest not in self.good and part.digest not in self.bad:
            try:
                self._hash(part.digest)  # it came after the content was listed
            except (OSError, StoreError):
                return False
        return part.digest in self.good or part.digest in self.bad


def _name(entry: object, number: int) -> str:
    annotations = annotations_of(entry)
    if NAME in annotations:
        return str(annotations[NAME])
    digest = entry.get("digest") if isinstance(entry, dict) else None
    if SUBJECT in annotations:
        return f"the referrer {digest} of {annotations.get(REPOSITORY, '')}@{annotations[SUBJECT]}"
    return f"{annotations[REPOSITORY]}@{digest}" if REPOSITORY in annotations else f"entry {number} of index.json"


def _hashed(path: str, digest: Digest, draft: str = "") -> int | None:
    """The size of content, None when it is not what it is called."""
    place = f"{path}/{SCRATCH}/{draft}" if draft else f"{path}/{blob_name(digest)}"
    with closing(open_file(place)) as file:
        size = os.fstat(file).st_size
        try:
            for _ in checked(Descriptor("", digest, size), descriptor_pieces(file, size), place):
                pass
        except DigestMismatch:
            return None
    return size


def _repaired(path: str, problem: Problem) -> Problem:
    """Removes damaged content, unless somebody has put it right meanwhile."""
    if problem.kind != "damaged" or problem.digest is None:
        return problem
    try:
        draft = set_aside(path, blob_name(problem.digest))
        if _hashed(path, problem.digest, draft) is not None:
            put_back(path, draft, blob_name(problem.digest))
        else:
            discard(path, [draft])
    except FileNotFoundError:
        pass
    except OSError as error:
        raise store_error("repair", path, error) from error
    return replace(problem, repaired=True)

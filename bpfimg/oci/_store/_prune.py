"""Removing content that nothing names, beside writers that are at work.

What is there stays when an entry of the index leads to it, when it is about something that stays, when the caller says
so, and when it is young: a writer puts content there before it gives it a name.
"""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, nullcontext

from bpfimg._value import value
from bpfimg.errors import ImageError, StoreError, UsageError
from bpfimg.oci._about import cosign_subject
from bpfimg.oci._digest import Digest
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._store._entries import NAME, REPOSITORY, SUBJECT, annotations_of, described
from bpfimg.oci._store._files import SCRATCH, discard, put_back, set_aside, store_error, sweep
from bpfimg.oci._store._graph import Graph, blobs
from bpfimg.oci._store._layout import load
from bpfimg.oci._store._lock import FileLock
from bpfimg.oci._store._naming import STALE, blob_name, save

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._store._entries import Entries


@value(frozen=True, slots=True)
class Pruned:
    """What went, or would go.

    `removed` is content with its size, `drafts` the sizes of what killed writers had left; `forgotten` are signatures
    and other referrers of images that are no longer there. `spared` are the sizes of content that nothing names and
    that is young; `foreign` are files among the content that are none of the store's: they stay.
    """

    removed: tuple[tuple[Digest, int], ...] = ()
    drafts: tuple[int, ...] = ()
    forgotten: tuple[Descriptor, ...] = ()
    spared: tuple[int, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def freed(self) -> int:
        """Bytes in all."""
        return sum(size for _, size in self.removed) + sum(self.drafts)


def prune(
    path: str,
    *,
    keep: Iterable[Digest] = (),
    older: float = STALE,
    dry_run: bool = False,
    lock_timeout: float = 30.0,
    limits: Limits = DEFAULT,
) -> Pruned:
    """Removes what nothing names and nobody has used for `older` seconds from the layout at `path`.

    `keep` are images that stay as well. StoreError, and nothing is removed, when an entry or a manifest cannot be read:
    what belongs to it would not be known.
    """
    entries = load(path, limits)
    if not os.path.isdir(f"{path}/blobs"):
        return Pruned()
    lock: AbstractContextManager[None] = nullcontext() if dry_run else FileLock(f"{path}/.lock", lock_timeout)
    with lock:
        entries = load(path, limits)
        graph = Graph(path, limits)
        since = time.time() - older
        forgotten = _mark(path, entries, graph, keep, since)
        if forgotten and not dry_run:
            entries.drop(forgotten)
            save(path, entries, limits)
        try:
            removed, spared, foreign = _sweep(path, graph.marked, since, dry_run)
            # a draft that is being written is none of those: its writer may wait for a slow registry
            drafts = sweep(path, max(older, STALE), dry_run=dry_run) if os.path.isdir(f"{path}/{SCRATCH}") else []
        except OSError as error:
            raise store_error("prune", path, error) from error
    return Pruned(tuple(removed), tuple(drafts), tuple(forgotten.values()), tuple(spared), tuple(foreign))


def _mark(path: str, entries: Entries, graph: Graph, keep: Iterable[Digest], since: float) -> dict[bytes, Descriptor]:
    """Marks all that stays, and returns the entries that do not: what is about an image that is gone."""
    about: list[tuple[bytes, Descriptor, Digest]] = []
    for number, (line, entry) in enumerate(entries.pairs()):
        try:
            found = described(entry, f"{number + 1} of index.json")
            subject = _subject(entry, found, graph)
        except (ImageError, UsageError) as error:
            raise StoreError(
                f"{error}: what belongs to it is not known, so nothing is removed",
                hint=f"mend or remove that entry of {path}/index.json",
            ) from error
        if subject is None:
            graph.mark(found)
        else:
            about.append((line, found, subject))
    for digest in keep:
        graph.keep(digest)
    return _mark_evidence(path, graph, about, since)


def _subject(entry: object, found: Descriptor, graph: Graph) -> Digest | None:
    """What an entry is about, None when it stands for itself."""
    annotations = annotations_of(entry)
    if NAME in annotations:
        return cosign_subject(str(annotations[NAME]))
    if SUBJECT in annotations:
        return Digest.parse(str(annotations[SUBJECT]))
    document = graph.document(found) if found.is_document and REPOSITORY not in annotations else None
    return document.subject.digest if document and document.subject else None


def _mark_evidence(
    path: str, graph: Graph, about: list[tuple[bytes, Descriptor, Digest]], since: float
) -> dict[bytes, Descriptor]:
    """Marks what is about something marked, and what is young: its subject may be on its way. Returns the rest."""
    while True:
        waiting = []
        for each in about:
            _, found, subject = each
            if subject in graph.marked or _changed(path, found.digest) >= since:
                graph.mark(found, must=False)
            else:
                waiting.append(each)
        if len(waiting) == len(about):
            return {line: found for line, found, _ in waiting}
        about = waiting


def _changed(path: str, digest: Digest) -> float:
    try:
        return os.stat(f"{path}/{blob_name(digest)}").st_mtime
    except OSError:
        return 0.0


def _sweep(
    path: str, marked: set[Digest], since: float, dry_run: bool
) -> tuple[list[tuple[Digest, int]], list[int], list[str]]:
    removed: list[tuple[Digest, int]] = []
    spared: list[int] = []
    foreign: list[str] = []
    for name, digest, found in blobs(path):
        if digest is None or found is None:
            foreign.append(name)
        elif digest in marked:
            continue
        elif found.st_mtime >= since or not (dry_run or _remove(path, name, since)):
            spared.append(found.st_size)
        else:
            removed.append((digest, found.st_size))
    return removed, spared, foreign


def _remove(path: str, name: str, since: float) -> bool:
    """Removes content; False when a writer came upon it in the meantime and counts on it."""
    draft = set_aside(path, name)
    if os.stat(f"{path}/{SCRATCH}/{draft}", follow_symlinks=False).st_mtime >= since:
        put_back(path, draft, name)
        return False
    discard(path, [draft])
    return True

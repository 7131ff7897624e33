"""A second name for an image of the local store, with what is known about the image."""

from __future__ import annotations

from bpfimg.errors import NotFound
from bpfimg.oci._copying._cosign import TAG_ENDINGS, merge
from bpfimg.oci._model import Manifest
from bpfimg.oci._store._removal import family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._store._layout import Layout


def retag(source: Layout, selector: str | Digest, target: Layout, tag: str) -> Descriptor:
    """Lets `tag` of `target` name what `selector` names in `source`, and returns it; both are of one directory.

    Signatures and other referrers count for one repository: they are said of the other as well. What is not whole (an
    index that was pulled for one platform) stays as it is. NotFound when it is not there.
    """
    top = source.resolve(selector)
    source.document(top)
    if source.repository != target.repository:
        for digest in family(source, top):
            _bring(source, target, digest)
    target.tag(top, tag)
    return top


def _bring(source: Layout, target: Layout, digest: Digest) -> None:
    for found in source.referrers(digest):
        target.push(found, source.fetch(found))
    for ending in TAG_ENDINGS:
        tag = digest.tag + ending
        try:
            mine = source.resolve(tag)
        except NotFound:
            continue
        with target.lock():
            _merge(target, mine, tag)


def _merge(target: Layout, mine: Descriptor, tag: str) -> None:
    try:
        theirs, new = target.document(target.resolve(tag)), target.document(mine)
    except NotFound:
        target.tag(mine, tag)
        return
    if isinstance(theirs, Manifest) and isinstance(new, Manifest):
        merged, config = merge(theirs, new)
        if merged is not theirs and merged is not new:
            target.push(merged.config, config)
            target.push(merged.descriptor, merged.raw)
        target.tag(merged.descriptor, tag)

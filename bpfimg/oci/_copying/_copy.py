"""Copy is the only transfer: push, pull, save and mirror differ in which place is the source.

The order is what makes a copy that was cut short harmless: content before the manifest that names it, children
before their index, a subject before what refers to it, and the tag last of all.
"""

from __future__ import annotations

from bpfimg.oci._copying._ahead import Ahead
from bpfimg.oci._copying._crew import Crew
from bpfimg.oci._copying._ends import Ends, Unwatched
from bpfimg.oci._copying._evidence import Evidence
from bpfimg.oci._copying._move import Mover
from bpfimg.oci._copying._together import Together
from bpfimg.oci._copying._tree import Document, Tree, Trees
from bpfimg.oci._descriptor import Descriptor, Platform
from bpfimg.oci._limits import DEFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpfimg.oci._copying._progress import Progress
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._target import Source, Target


def copy(
    source: Source,
    selector: str | Digest | Descriptor,
    target: Target,
    tag: str | None,
    *,
    referrers: bool = True,
    platform: Platform | Sequence[Platform] | None = None,
    limits: Limits = DEFAULT,
    progress: Progress | None = None,
    at_once: int = 8,
    together: Together | None = None,
    lenient: bool = False,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Descriptor:
    """Copies the image that `selector` names, names it `tag` (None: not at all), and returns its descriptor.

    `selector` is what `source.resolve` takes, or what it gave: then it is not asked again.
    Of an index every child goes along, with `platform` only those for it; the index document itself stays as it
    is, so digests do not change. With `referrers`, signatures and other artifacts about the image and its children
    go along, in both forms: manifests with a `subject`, and cosign's `.sig` and `.att` tags. Signatures that the
    target has already stay. `warn` hears of each that is listed and cannot be had; with `lenient` those beyond `limits`
    are passed over, too: for whom the image matters more than what anybody may have listed beside it.

    Blobs over 4 MiB are streamed. At most `at_once` requests are under way at a time, fewer where a place says that
    more are not worth it. Copies that go on side by side, to one registry, share a `Together`. Raises what the places
    raise, and ImageError for what exceeds `limits`.
    """
    platforms = (platform,) if isinstance(platform, Platform) else tuple(platform or ())
    with Crew(min(at_once, max(source.at_once, target.at_once))) as crew:
        writers = crew if target.at_once > 1 else Crew(1)
        ends = Ends(Ahead(source, crew), target, writers, limits, progress or Unwatched(), together or Together())
        trees, mover = Trees(ends, platforms), Mover(ends)
        evidence = Evidence(ends, trees, mover, warn=warn, lenient=lenient)
        top = selector if isinstance(selector, Descriptor) else source.resolve(selector)
        if referrers:
            evidence.look_soon([top.digest])
        tree = trees.read(top)
        digests = [each.descriptor.digest for each in tree.documents]
        if referrers:
            evidence.look_soon(digests)
        for error in mover.move(tree.blobs).values():
            raise error
        found = evidence.about(digests) if referrers else []
        _push(tree, ends, None if found else tag)
        if found:
            evidence.bring(found)
        if tag is None:
            target.keep(top)
        elif found:
            target.tag(top, tag)
    return top


def _push(tree: Tree, ends: Ends, tag: str | None) -> None:
    """Pushes the documents, level by level."""

    def push(each: Document) -> None:
        ends.target.push(each.descriptor, each.document.raw)

    for level in tree.levels[:-1]:
        ends.writers.each(push, level)
    ends.target.push(tree.top.descriptor, tree.top.document.raw, tag=tag)

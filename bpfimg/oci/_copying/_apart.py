"""Signatures that are kept in a repository of their own, apart from the images that they are about."""

from __future__ import annotations

from bpfimg.oci._copying._ahead import Ahead
from bpfimg.oci._copying._crew import Crew
from bpfimg.oci._copying._ends import Ends, Unwatched
from bpfimg.oci._copying._evidence import Evidence
from bpfimg.oci._copying._move import Mover
from bpfimg.oci._copying._together import Together
from bpfimg.oci._copying._tree import Trees
from bpfimg.oci._limits import DEFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpfimg.oci._copying._progress import Progress
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._target import Source, Target


def gather(
    source: Source,
    digests: Sequence[Digest],
    target: Target,
    *,
    limits: Limits = DEFAULT,
    progress: Progress | None = None,
    at_once: int = 8,
    warn: Callable[[str], None] = lambda sentence: None,
) -> int:
    """Copies signatures and other artifacts about images, and not the images; returns how many were found.

    They come in both forms, as with `copy`, and those that the target has already stay. What is listed and cannot be
    had, or is beyond `limits`, is passed over, and `warn` hears of it. Raises what the places raise: nothing found is a
    finding, an error is none.
    """
    with Crew(min(at_once, max(source.at_once, target.at_once))) as crew:
        writers = crew if target.at_once > 1 else Crew(1)
        ends = Ends(Ahead(source, crew), target, writers, limits, progress or Unwatched(), Together())
        evidence = Evidence(ends, Trees(ends, ()), Mover(ends), warn=warn, lenient=True)
        evidence.look_soon(digests)
        found = evidence.about(digests)
        if found:
            evidence.bring(found)
    return len(found)

"""Documents about what was built, and where they go.

An SBOM is about one object, so it refers to the image of each platform. Provenance is about the whole build: there is
one, it refers to what the reference names, and its subjects are that and every image in it.
"""

from __future__ import annotations

from bpfimg.build._provenance import LOCAL, check_builder, provenance
from bpfimg.build._referrer import Document, Referrer, attach, content_of, referrers
from bpfimg.build._sbom import FORMATS, sbom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.build._made import Built
    from bpfimg.oci import Descriptor, Repository

__all__ = [
    "FORMATS",
    "LOCAL",
    "Document",
    "Referrer",
    "attach",
    "check_builder",
    "content_of",
    "origin",
    "referrers",
    "sbom",
    "sboms",
]


def sboms(built: Sequence[Built], repository: Repository, form: str) -> list[tuple[Descriptor, Document]]:
    """The SBOM of each image with what it is about, before anything is stored: see `sbom` for what can go wrong."""
    return [(each, sbom(one, each, repository, form)) for one, each in zip(built, _images(built), strict=True)]


def origin(
    built: Sequence[Built], top: Descriptor, repository: Repository, builder: str = LOCAL
) -> tuple[Descriptor, Document]:
    """The provenance of a build that was stored as `top`, with what it is about."""
    subjects = dict.fromkeys([top.digest, *(each.digest for each in _images(built))])
    return top, provenance(built, list(subjects), repository, builder=builder)


def _images(built: Sequence[Built]) -> list[Descriptor]:
    return [each.image.pack().manifest.descriptor for each in built]

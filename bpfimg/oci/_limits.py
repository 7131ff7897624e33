"""How much of what a stranger sends is looked at: one value, with every bound of this room."""

from __future__ import annotations

from bpfimg._value import value

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@value(frozen=True, slots=True)
class Limits:
    """Bounds on documents and content; sizes in bytes. What exceeds one is refused (ImageError), never cut off.

    The defaults are those of registries (4 MiB for a manifest: distribution-spec 1.1, 'Pushing Manifests') and of the
    bytecode image specification.
    """

    document: int = 4 * MIB
    """One manifest or index."""
    index_entries: int = 256
    manifest_layers: int = 256
    nesting: int = 2
    """Indexes within indexes; referrers of referrers."""
    blob: int = 64 * MIB
    """Content that is taken into memory as a whole."""
    copy: int = GIB
    """All content that one copy moves; a blob that is streamed is bound by this alone."""
    copy_parts: int = 4096
    referrers: int = 64
    """Referrers of one subject."""
    evidence: int = 256
    """Referrers and cosign tags that one copy takes along, of all children together."""
    pages: int = 64
    """Pages of one list: tags, repositories, referrers."""
    names: int = 100_000
    """Tags or repositories in one list."""
    layout: int = 64 * MIB
    """The `index.json` of a layout: some 150,000 images."""
    archive: int = 4 * GIB
    """What a compressed archive of images may unpack to."""
    archive_entries: int = 65_536
    """Files and folders in one archive of images."""


DEFAULT = Limits()

"""What an image is, and where it lives.

Values: `Digest`, `Descriptor`, `Platform`, `Manifest`, `Index` (both with their raw bytes), `Repository`, `Reference`.
Places, each bound to one repository: `Memory`, `Layout` (an OCI image layout on disk), `Registry`. They are `Source`s
and `Target`s: everything read is checked for size and digest. `copy` moves an image with its signatures between them.
`places` has the other transports, options, limits and credentials.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import _places as places
    from bpfimg.oci._copying._copy import copy
    from bpfimg.oci._descriptor import Descriptor, Platform
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._http._registry import Registry
    from bpfimg.oci._memory import Memory
    from bpfimg.oci._model import Index, Manifest, parse_document
    from bpfimg.oci._reference import Reference, Repository
    from bpfimg.oci._store._layout import Layout
    from bpfimg.oci._target import Source, Target

__all__ = [
    "Descriptor",
    "Digest",
    "Index",
    "Layout",
    "Manifest",
    "Memory",
    "Platform",
    "Reference",
    "Registry",
    "Repository",
    "Source",
    "Target",
    "copy",
    "parse_document",
    "places",
]

__getattr__ = opened(
    __name__,
    {
        "Descriptor": "_descriptor",
        "Digest": "_digest",
        "Index": "_model",
        "Layout": "_store._layout",
        "Manifest": "_model",
        "Memory": "_memory",
        "Platform": "_descriptor",
        "Reference": "_reference",
        "Registry": "_http._registry",
        "Repository": "_reference",
        "Source": "_target",
        "Target": "_target",
        "copy": "_copying._copy",
        "parse_document": "_model",
        "places": "_places*",
    },
)

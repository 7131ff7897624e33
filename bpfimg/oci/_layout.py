"""An OCI image layout on disk."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._memory import Memory as Layout

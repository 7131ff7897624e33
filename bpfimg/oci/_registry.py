"""A repository in a registry."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._memory import Memory as Registry

__all__ = ["Registry"]

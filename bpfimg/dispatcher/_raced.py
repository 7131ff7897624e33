"""Somebody else was faster."""

from __future__ import annotations

from bpfimg.errors import KernelError


class Raced(KernelError):  # noqa: N818  # the names are those of the house
    """The hook, or what was read of it, is not what it was a moment ago: to be read again, and tried again."""

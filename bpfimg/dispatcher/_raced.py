"""The error that means: look again."""

from __future__ import annotations

from bpfimg.errors import AttachError


class Raced(AttachError):  # noqa: N818  # as Busy
    """Somebody else has changed the hook since it was read; reading it again, and trying again, may do."""

"""How much of a stranger's image this program is willing to look at, and how it says no."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import ImageError

__all__ = ["BPFMAN_LIMIT", "DEFAULT", "KIB", "MIB", "Limits", "broken", "check_unpacked"]

KIB = 1024
MIB = 1024 * KIB
BPFMAN_LIMIT = 16 * MIB


@value(frozen=True, slots=True, eq=False)  # never compared or shown: half the time at start-up
class Limits:
    """Bounds on what is read (BI-27); sizes in bytes. What exceeds one is refused, never cut.

    The defaults are those of the spec; a registry takes no manifest over 4 MiB, bpfman no object over 16 MiB.
    """

    manifest: int = 4 * MIB
    config: int = 4 * MIB
    label_value: int = 256 * KIB
    json_depth: int = 64
    layer: int = 64 * MIB
    unpacked: int = 256 * MIB
    ratio: int = 200
    ratio_from: int = 1 * MIB
    members: int = 1024
    """Of gzip, or frames of zstd."""
    zstd_blocks: int = 65_536
    zstd_window_log: int = 25
    tar_members: int = 1024
    tar_extensions: int = 1 * MIB
    object: int = 64 * MIB


DEFAULT = Limits()


def broken(rule: str, message: str, *, hint: str = "") -> ImageError:
    """The exception for an image that breaks `rule` of the spec: `broken("BI-4", "the layer ...")`."""
    return ImageError(f"{message} ({rule})", rules=(rule,), hint=hint)


def check_unpacked(unpacked: int, packed: int, limits: Limits) -> None:
    """ImageError (BI-27) when the first `packed` bytes of a layer hold more than it may."""
    if unpacked > limits.unpacked:
        raise broken("BI-27", f"the layer unpacks to over {limits.unpacked} bytes, the limit")
    if unpacked > limits.ratio_from and unpacked > limits.ratio * packed:
        raise broken(
            "BI-27", f"the layer unpacks to over {limits.ratio} times its size, the limit: {packed} bytes so far"
        )

"""A layer in zstd from a stranger to bytes, within limits."""

from __future__ import annotations

from bpfimg._zstd import Bounds, NotZstd, NoZstd, TooMuch, unzstd
from bpfimg.image._limits import DEFAULT, broken, check_unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image._limits import Limits

__all__ = ["unpack_zstd"]


def unpack_zstd(data: bytes, *, limits: Limits = DEFAULT) -> bytearray:
    """Everything that the frames of `data` hold, in order.

    Raises ImageError: BI-4 when nothing here unpacks zstd; BI-10 when it is no zstd stream, is cut, damaged, or has
    something after its last frame; BI-27 when it holds or wants more than `limits` allow, which is noticed within 1 MiB
    of output.
    """
    bounds = Bounds(limits.zstd_window_log, limits.members, limits.zstd_blocks)
    out = bytearray()
    try:
        for content, packed in unzstd((data,), bounds):
            out += content
            check_unpacked(len(out), packed, limits)
    except NotZstd as error:
        raise broken("BI-10", f"the layer {error}") from error
    except TooMuch as error:
        raise broken("BI-27", f"the layer {error}") from error
    except NoZstd as error:
        hint = (
            "pip install 'bpfimg[zstd]' or use Python 3.14; or make the image with gzip, as bpfman reads no zstd either"
        )
        what = "the layer is compressed with zstd, which Python unpacks since 3.14 or with the package zstandard"
        raise broken("BI-4", what, hint=hint) from error
    return out

"""Copy is the only transfer."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._descriptor import Descriptor, Platform
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._target import Source, Target


def copy(
    source: Source,
    selector: str | Digest,
    target: Target,
    tag: str | None,
    *,
    referrers: bool = True,
    platform: Platform | None = None,
) -> Descriptor:
    raise NotImplementedError

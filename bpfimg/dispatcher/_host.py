"""The host with chains: what command line and programs open."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load import Host


def host(bpffs: str = "/sys/fs/bpf", *, lock_timeout: float = 30.0, tc: str = "auto") -> Host:
    """Returns the host whose XDP and tc hooks take many programs, as `bpfimg run` has it; see `load.Host`."""
    from bpfimg.dispatcher import _chains
    from bpfimg.load import Host

    return Host(bpffs, lock_timeout=lock_timeout, tc=tc, chains=_chains)

"""The host with chains: what command line and programs open."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load import Host


class _Late:
    """The chains of a host, imported when they are first asked for: those who only look have no use for them."""

    def __getattr__(self, name: str) -> object:
        from bpfimg.dispatcher import _chains

        return getattr(_chains, name)


def host(bpffs: str = "/sys/fs/bpf", *, lock_timeout: float = 30.0, tc: str = "auto") -> Host:
    """Returns the host whose XDP and tc hooks take many programs, as `bpfimg run` has it; see `load.Host`."""
    from bpfimg.load import Host

    return Host(bpffs, lock_timeout=lock_timeout, tc=tc, chains=_Late())  # type: ignore[arg-type]

"""libbpf through ctypes: open, configure and load an object; XDP and clsact by netlink."""

from __future__ import annotations

from bpfimg.kernel._handles import MapHandle, ProgramHandle
from bpfimg.kernel._libbpf_net import (
    XdpState,
    tc_attach,
    tc_destroy,
    tc_detach,
    tc_query,
    xdp_attach,
    xdp_query,
)
from bpfimg.kernel._library import use, version
from bpfimg.kernel._object import OpenObject, open_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel._verifier_figures import Figures

__all__ = [
    "MapHandle",
    "OpenObject",
    "ProgramHandle",
    "XdpState",
    "figures",
    "open_object",
    "tc_attach",
    "tc_destroy",
    "tc_detach",
    "tc_query",
    "use",
    "version",
    "xdp_attach",
    "xdp_query",
]


def figures(log: str) -> Figures:
    """The figures at the end of what the verifier wrote: how far it went, and with what."""
    from bpfimg.kernel import _verifier_figures

    return _verifier_figures.figures(log)

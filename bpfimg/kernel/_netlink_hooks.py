"""BPF programs on the hooks of netfilter in one network namespace, as nfnetlink dumps them.

The layouts are those of `linux/netfilter/nfnetlink_hook.h`.
"""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.kernel._netlink_dump import NETFILTER, Dumps, attribute, attributes

_HOOK_GET = 12 << 8  # NFNL_SUBSYS_HOOK, NFNL_MSG_HOOK_GET
_FAMILIES, _HOOKS = (2, 10), range(5)  # NFPROTO_IPV4 and NFPROTO_IPV6
_HOOKNUM, _PRIORITY, _CHAIN_INFO = 1, 2, 6
_DESCRIPTION, _TYPE, _BPF, _BPF_ID = 1, 2, 2, 1


@value(frozen=True, slots=True)
class Hooked:
    """A program on a hook: numbers of the protocol family and of the hook as netfilter has them; in running order."""

    family: int
    hook: int
    priority: int
    prog_id: int


def netfilter() -> tuple[Hooked, ...]:
    """Returns them, empty where this kernel does not tell (before 6.4, or without nfnetlink_hook)."""
    found: list[Hooked] = []
    try:
        with Dumps(NETFILTER) as dumps:
            for family in _FAMILIES:
                for hook in _HOOKS:
                    found += _on(dumps, family, hook)
    except OSError:
        return ()
    return tuple(found)


def _on(dumps: Dumps, family: int, hook: int) -> list[Hooked]:
    request = struct.pack(">BBH", family, 0, 0) + attribute(_HOOKNUM, struct.pack(">I", hook))
    found = []
    for body in dumps.ask(_HOOK_GET, request, 4):
        about = dict(attributes(body[4:]))
        chain = dict(attributes(about.get(_CHAIN_INFO, b"")))
        number = dict(attributes(chain.get(_DESCRIPTION, b""))).get(_BPF_ID, b"")
        if _big(chain.get(_TYPE, b"")) == _BPF and _big(number):
            priority = _big(about.get(_PRIORITY, b""))
            found.append(Hooked(family, hook, priority - (1 << 32) if priority >> 31 else priority, _big(number)))
    return found


def _big(content: bytes) -> int:
    return int.from_bytes(content, "big") if len(content) == 4 else 0

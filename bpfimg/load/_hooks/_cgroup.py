"""Hooks of control groups."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.load._hooks import _checks as check

_TYPES = ("cgroup_skb", "cgroup_sock", "cgroup_sock_addr", "cgroup_device", "cgroup_sysctl", "cgroup_sockopt")


@value(frozen=True, slots=True)
class Cgroup:
    """A control group (v2) and all below it: `path` of its directory, or relative to where cgroup2 is mounted.

    `attach_type` (the kernel's word, `cgroup_inet_ingress`) is only needed where the section leaves it open.
    """

    path: str
    attach_type: str | None = None

    def __post_init__(self) -> None:
        check.path("cgroup", self.path)
        if self.attach_type is not None:
            check.word("attach type", self.attach_type)

    @property
    def word(self) -> str:
        """`cgroup`, on the command line and in records."""
        return "cgroup"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type in (*_TYPES, "sock_ops") or (type, attach_type) == ("lsm", "lsm_cgroup")

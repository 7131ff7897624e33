"""Hooks of control groups."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError
from bpfimg.load._hooks import _checks as check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._candidate import Candidate

#: program type -> the attach types that it has on control groups, in the kernel's words
ATTACH_TYPES = {
    "cgroup_skb": ("cgroup_inet_ingress", "cgroup_inet_egress"),
    "cgroup_sock": (
        "cgroup_inet_sock_create",
        "cgroup_inet_sock_release",
        "cgroup_inet4_post_bind",
        "cgroup_inet6_post_bind",
    ),
    "cgroup_sock_addr": (
        "cgroup_inet4_bind",
        "cgroup_inet6_bind",
        *(f"cgroup_{family}_connect" for family in ("inet4", "inet6", "unix")),
        *(f"cgroup_{family}_{what}" for what in ("sendmsg", "recvmsg") for family in ("udp4", "udp6", "unix")),
        *(f"cgroup_{family}_get{end}name" for end in ("peer", "sock") for family in ("inet4", "inet6", "unix")),
    ),
    "sock_ops": ("cgroup_sock_ops",),
    "cgroup_device": ("cgroup_device",),
    "cgroup_sysctl": ("cgroup_sysctl",),
    "cgroup_sockopt": ("cgroup_getsockopt", "cgroup_setsockopt"),
    "lsm": ("lsm_cgroup",),
}
_KNOWN = tuple(word for words in ATTACH_TYPES.values() for word in words)


@value(frozen=True, slots=True)
class Cgroup:
    """A control group (v2) and all below it: `path` of its directory, or relative to where cgroup2 is mounted.

    `attach_type` (the kernel's word, `cgroup_inet_egress`) is only needed where the section leaves it open, or where
    several programs fit. `target` is the LSM hook of an lsm_cgroup program whose section names none.
    """

    path: str
    attach_type: str | None = None
    target: str | None = None

    def __post_init__(self) -> None:
        check.path("control group", self.path)
        if self.attach_type is not None:
            check.one_of("known attach type of control groups", self.attach_type, _KNOWN)
        if self.target is not None:
            check.word("target", self.target)

    @property
    def word(self) -> str:
        """`cgroup`, on the command line and in records."""
        return "cgroup"

    def takes(self, type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        known = ATTACH_TYPES.get(type, ())
        if attach_type is not None and attach_type not in known:
            return False
        return (
            bool(known) if self.attach_type is None else self.attach_type in ((attach_type,) if attach_type else known)
        )

    def resolved(self, name: str, type: str, attach_type: str | None) -> str:
        """The attach type of such a program; UsageError when neither its section nor this hook says it."""
        found = attach_type or self.attach_type
        if found is None:
            raise UsageError(
                f"the section of program {name} leaves open where it goes in a control group,"
                f" expected an attach type: {', '.join(ATTACH_TYPES.get(type, _KNOWN))}",
                hint="say it with --attach-type",
            )
        return found

    def load_attach_type(self, program: Candidate) -> int:
        """The attach type that the kernel has to know when it loads the program."""
        from bpfimg.kernel import abi

        return abi.ATTACH_TYPES.index(self.resolved(program.name, program.type, program.attach_type))

    @property
    def load_target(self) -> str | None:
        """What the kernel has to bind the program to when it loads it."""
        return self.target

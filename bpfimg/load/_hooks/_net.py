"""Hooks of the network: interfaces, network namespaces, maps of sockets.

Priorities go from 0 to 2^31-1 and the lower runs first; that is the range that libxdp's and bpfman's dispatchers
store. Ties keep the order in which they were attached. Names of actions and defaults are those of libxdp (xdp) and
bpfman (tc); `dispatcher_return` is always among them, because a chain that does not go on after an emptied slot
would end there.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError
from bpfimg.load._hooks import _checks as check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._candidate import Candidate

#: action name -> the number that a program returns for it
XDP_ACTIONS = {"aborted": 0, "drop": 1, "pass": 2, "tx": 3, "redirect": 4, "dispatcher_return": 31}
TC_ACTIONS = {
    "unspec": -1,
    "ok": 0,
    "reclassify": 1,
    "shot": 2,
    "pipe": 3,
    "stolen": 4,
    "queued": 5,
    "repeat": 6,
    "redirect": 7,
    "trap": 8,
    "dispatcher_return": 30,
}
#: hook -> its actions
ACTIONS = {"xdp": XDP_ACTIONS, "tc": TC_ACTIONS}
SOCKMAP_ATTACH_TYPES = {
    "sk_msg": ("sk_msg_verdict",),
    "sk_skb": ("sk_skb_verdict", "sk_skb_stream_verdict", "sk_skb_stream_parser"),
}
MODES = ("auto", "native", "generic", "offload")
#: how many programs share a hook: freplace (slots of a dispatcher, as libxdp has it), fused (one generated program),
#: auto (as it is there already, else freplace where the kernel takes such programs, else fused)
DISPATCHERS = ("auto", "freplace", "fused")
#: versions of libxdp's protocol; auto is that of the dispatcher that is there, else v2, which every xdp-loader reads
PROTOCOLS = ("auto", "v2", "v3")
DIRECTIONS = ("ingress", "egress")


@value(frozen=True, slots=True)
class Xdp:
    """The receive path of an interface, before the kernel's network stack.

    `mode`: auto (native where the driver has it, else generic), native, generic, offload. `netns`: a path, or a
    name below /var/run/netns; None is the caller's own. `dispatcher`: auto, freplace, fused; `protocol`: the version of
    libxdp's dispatchers that a first program starts (auto, v2, v3). `exclusive`: alone on the interface, by a link.
    """

    interface: str
    priority: int = 50
    proceed_on: tuple[str, ...] = ("pass", "dispatcher_return")
    mode: str = "auto"
    netns: str | None = None
    dispatcher: str = "auto"
    protocol: str = "auto"
    exclusive: bool = False

    def __post_init__(self) -> None:
        check.interface(self.interface)
        check.priority(self.priority)
        check.one_of("mode of XDP", self.mode, MODES)
        check.one_of("dispatcher", self.dispatcher, DISPATCHERS)
        check.one_of("version of libxdp's protocol", self.protocol, PROTOCOLS)
        if self.exclusive and self.dispatcher != "auto":
            raise UsageError(f"an exclusive XDP program and dispatcher {self.dispatcher}, expected one of the two")
        check.netns(self.netns)
        object.__setattr__(self, "proceed_on", check.actions(self.proceed_on, XDP_ACTIONS))

    @property
    def word(self) -> str:
        """`xdp`, on the command line and in records."""
        return "xdp"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type == "xdp" and attach_type in (None, "xdp")  # else one for a devmap or cpumap


@value(frozen=True, slots=True)
class Tc:
    """Traffic control of an interface, in one direction: a TCX link where the kernel has it, a clsact filter otherwise.

    Many of ours share it, by `priority` and `proceed_on`. `netns` and `dispatcher` as for Xdp.
    """

    interface: str
    direction: str
    priority: int = 50
    proceed_on: tuple[str, ...] = ("pipe", "dispatcher_return")
    netns: str | None = None
    dispatcher: str = "auto"

    def __post_init__(self) -> None:
        check.interface(self.interface)
        check.one_of("direction", self.direction, DIRECTIONS)
        check.one_of("dispatcher", self.dispatcher, DISPATCHERS)
        check.priority(self.priority)
        check.netns(self.netns)
        object.__setattr__(self, "proceed_on", check.actions(self.proceed_on, TC_ACTIONS))

    @property
    def word(self) -> str:
        """`tc`, on the command line and in records."""
        return "tc"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type == "sched_cls"


@value(frozen=True, slots=True)
class Tcx:
    """A TCX link on an interface, in one direction: any number, ordered by priority among ours. `netns` as for Xdp.

    The kernel goes on to the next only after unspec (-1), and moves no link: so there is no proceed-on, and the
    priority is for the moment of attaching. Tc has both.
    """

    interface: str
    direction: str
    priority: int = 50
    netns: str | None = None

    def __post_init__(self) -> None:
        check.interface(self.interface)
        check.one_of("direction", self.direction, DIRECTIONS)
        check.priority(self.priority)
        check.netns(self.netns)

    @property
    def word(self) -> str:
        """`tcx`, on the command line and in records."""
        return "tcx"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type == "sched_cls"


@value(frozen=True, slots=True)
class Netkit:
    """A netkit device (kernel 6.7), on its primary or its peer side: any number, ordered by priority among ours."""

    interface: str
    side: str = "primary"
    priority: int = 50
    netns: str | None = None

    def __post_init__(self) -> None:
        check.interface(self.interface)
        check.one_of("side", self.side, ("primary", "peer"))
        check.priority(self.priority)
        check.netns(self.netns)

    @property
    def word(self) -> str:
        """`netkit`, on the command line and in records."""
        return "netkit"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type == "sched_cls"


@value(frozen=True, slots=True)
class Netfilter:
    """A hook of netfilter (kernel 6.4): `family` ipv4 or ipv6, `point` what nft(8) calls hook, `priority` as there too.

    The lower priority runs first; several programs may not have the same one. `defrag` asks for whole datagrams.
    """

    family: str = "ipv4"
    point: str = "prerouting"
    priority: int = 0
    defrag: bool = False
    netns: str | None = None

    def __post_init__(self) -> None:
        check.one_of("family", self.family, ("ipv4", "ipv6"))
        check.one_of("netfilter hook", self.point, ("prerouting", "input", "forward", "output", "postrouting"))
        if not -check.MAX_PRIORITY <= self.priority < check.MAX_PRIORITY:
            raise UsageError(
                f"priority {self.priority} is out of range,"
                f" expected {-check.MAX_PRIORITY} to {check.MAX_PRIORITY - 1} (the lower runs first)"
            )
        check.netns(self.netns)

    @property
    def word(self) -> str:
        """`netfilter`, on the command line and in records."""
        return "netfilter"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type == "netfilter"


@value(frozen=True, slots=True)
class Netns:
    """A network namespace as a whole: `kind` is sk_lookup or flow_dissector. `netns` None is the caller's own."""

    kind: str
    netns: str | None = None

    def __post_init__(self) -> None:
        check.one_of("kind", self.kind, ("sk_lookup", "flow_dissector"))
        check.netns(self.netns)

    @property
    def word(self) -> str:
        """`sk_lookup` or `flow_dissector`."""
        return self.kind

    def takes(self, type: str, attach_type: str | None) -> bool:
        """True for programs of that type."""
        return type == self.kind


@value(frozen=True, slots=True)
class Sockmap:
    """The sockets in a map of sockets: `kind` is sk_msg or sk_skb, `map` a name in the same load, an id or a pin.

    `attach_type` (the kernel's word) is for sk_skb programs whose section leaves it open; they are verdicts else.
    """

    kind: str
    map: str
    attach_type: str | None = None

    def __post_init__(self) -> None:
        check.one_of("kind", self.kind, ("sk_msg", "sk_skb"))
        check.path("map", self.map)
        if self.attach_type is not None:
            check.one_of(f"known attach type of {self.kind}", self.attach_type, SOCKMAP_ATTACH_TYPES[self.kind])

    @property
    def word(self) -> str:
        """`sk_msg` or `sk_skb`."""
        return self.kind

    def takes(self, type: str, attach_type: str | None) -> bool:
        """True for programs of that type, and of the attach type if this hook says one."""
        return type == self.kind and (self.attach_type is None or attach_type in (None, self.attach_type))

    def resolved(self, attach_type: str | None) -> str:
        """The attach type of a program whose section says this one, or none."""
        return attach_type or self.attach_type or SOCKMAP_ATTACH_TYPES[self.kind][0]

    def load_attach_type(self, program: Candidate) -> int:
        """The attach type that the program is loaded with."""
        from bpfimg.kernel import abi

        return abi.ATTACH_TYPES.index(self.resolved(program.attach_type))

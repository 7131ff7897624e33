"""What flows through this room: members, and the chain that a hook runs. Frozen."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.dispatcher._words import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.dispatcher._plan import Plan
    from bpfimg.load import members


@value(frozen=True, slots=True)
class Member:
    """A program of a chain: `program` is the kernel id of what runs, or was loaded for it; `name` its full name.

    `proceed_on` is a mask (see `_words`). `link` is the id of our link, 0 for a program of others. `frags`: it takes
    packets of several buffers. `returns` are all results that its code can have, None where that cannot be told.
    """

    program: int
    name: str
    priority: int
    proceed_on: int
    link: int = 0
    frags: bool = False
    returns: tuple[int, ...] | None = None


@value(frozen=True, slots=True)
class Source:
    """What a fused program takes of a member: its code, its BTF as the kernel has it (b"" if none), and descriptors of
    the maps that `Code.maps` counts (0 for those that it does not use)."""

    code: members.Code
    btf: bytes
    maps: tuple[int, ...]


@value(frozen=True, slots=True)
class Spot:
    """A hook that takes many: `hook` is xdp or tc, `direction` ingress or egress for tc and "" for xdp, of an interface
    of the network namespace with that inode. `netns` is a path that led there, None for the caller's own."""

    hook: str
    direction: str
    interface: str
    ifindex: int
    netns: str | None
    inode: int

    @property
    def words(self) -> str:
        """For messages and records: `eth0`, `eth0 ingress`."""
        return f"{self.interface} {self.direction}".rstrip()

    @property
    def name(self) -> str:
        """The name of its directory in bpffs."""
        return f"{self.inode}-{self.ifindex}-{self.direction or self.hook}"


@value(frozen=True, slots=True)
class Chain:
    """The programs that a hook runs, in order, as the kernel and what is pinned say.

    `builder` is freplace, fused, or direct for a member that is attached by itself; `dispatcher` is the kernel id of
    the program that the hook runs. `way` is netlink (XDP), tcx or clsact; `mode` native or generic (XDP). `protocol` is
    libxdp's version of an XDP dispatcher, 0 for one that is not libxdp's. `damage` says in words what is wrong with it,
    `note` what is worth telling: why it is in generic mode.
    """

    spot: Spot
    plan: Plan
    builder: str
    way: str
    dispatcher: int
    mode: str = ""
    protocol: int = 0
    damage: tuple[str, ...] = ()
    note: str = ""

    def proceed_on(self, member: Member) -> tuple[str, ...]:
        """The names of the results after which the chain goes on behind that member."""
        return names(self.spot.hook, member.proceed_on)

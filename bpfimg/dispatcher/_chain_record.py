"""What is written down about a chain that bpfimg has built, beside the pins that keep it together. Frozen, JSON.

One record for each program that was put on a hook for a chain, never changed: it says what that program runs. It
counts for as long as the hook runs that program.
"""

from __future__ import annotations

import json

from bpfimg._value import replace, value
from bpfimg.dispatcher._model import Chain, Member, Spot
from bpfimg.dispatcher._plan import Plan
from bpfimg.errors import DamagedRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = 1
MAX_BYTES = 64 * 1024
BUILDERS = ("freplace", "fused", "direct")
WAYS = ("netlink", "tcx", "clsact")


@value(frozen=True, slots=True)
class ChainRecord:
    """A chain as it was built; `handle` and `priority` are those of its filter where the way is clsact;
    for tcx `priority` is the one by which its link was placed among others, which the kernel never moves.

    `protocol` is libxdp's version of an XDP dispatcher, else 0. `inlined` says of each member of a fused program
    whether it stands in its main function. `note` is worth telling: why it is in generic mode.
    """

    spot: Spot
    plan: Plan
    builder: str
    way: str
    protocol: int = 0
    handle: int = 0
    priority: int = 0
    inlined: tuple[bool, ...] = ()
    note: str = ""

    def chain(self, dispatcher: int, mode: str = "", damage: tuple[str, ...] = ()) -> Chain:
        """The chain, seen on its hook as the program with that id."""
        return Chain(self.spot, self.plan, self.builder, self.way, dispatcher, mode, self.protocol, damage, self.note)

    def at(self, spot: Spot) -> ChainRecord:
        """The same on a hook that has moved: another namespace, number or name of its interface."""
        return replace(self, spot=spot)

    def to_text(self) -> str:
        """As it is written."""
        spot = self.spot
        document: dict[str, object] = {
            "version": VERSION,
            "hook": spot.hook,
            "direction": spot.direction,
            "interface": spot.interface,
            "ifindex": spot.ifindex,
            "netns": spot.netns,
            "netns_inode": spot.inode,
            "builder": self.builder,
            "way": self.way,
            "protocol": self.protocol,
            "handle": self.handle,
            "priority": self.priority,
            "inlined": list(self.inlined),
            "note": self.note,
            "members": [_written(member) for member in self.plan.members],
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> ChainRecord:
        """Reads it; DamagedRecord for what is none."""
        try:
            if len(text) > MAX_BYTES:
                raise ValueError(f"{len(text)} bytes")
            document = json.loads(text)
            if document["version"] != VERSION:
                raise ValueError(f"version {document['version']!r}, expected {VERSION}")
            spot = Spot(
                hook=_one_of(document["hook"], ("xdp", "tc")),
                direction=_one_of(document["direction"], ("", "ingress", "egress")),
                interface=_text(document["interface"]),
                ifindex=_number(document["ifindex"], 1 << 31),
                netns=None if document["netns"] is None else _text(document["netns"]),
                inode=_number(document["netns_inode"], 1 << 32),
            )
            return cls(
                spot=spot,
                plan=Plan(spot.hook, tuple(map(_member, document["members"]))),
                builder=_one_of(document["builder"], BUILDERS),
                way=_one_of(document["way"], WAYS),
                protocol=_number(document["protocol"], 256),
                handle=_number(document["handle"], 1 << 32),
                priority=_number(document["priority"], 1 << 32),
                inlined=tuple(map(bool, document["inlined"])),
                note=_text(document.get("note", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise DamagedRecord(f"the record of a chain lacks or misuses {error}"[:300]) from error


def _written(member: Member) -> dict[str, object]:
    document: dict[str, object] = {
        "program": member.program,
        "name": member.name,
        "priority": member.priority,
        "proceed_on": member.proceed_on,
    }
    document |= {"link": member.link} if member.link else {}
    document |= {"frags": True} if member.frags else {}
    return document | ({"returns": list(member.returns)} if member.returns is not None else {})


def _member(document: Any) -> Member:
    returns = document.get("returns")
    return Member(
        program=_number(document["program"], 1 << 32),
        name=_text(document["name"]),
        priority=_number(document["priority"], 1 << 32),
        proceed_on=_number(document["proceed_on"], 1 << 32),
        link=_number(document.get("link", 0), 1 << 32),
        frags=bool(document.get("frags", False)),
        returns=None if returns is None else tuple(int(result) for result in returns),
    )


def _number(found: Any, below: int) -> int:
    number = int(found)
    if not 0 <= number < below:
        raise ValueError(f"the number {number}"[:80])
    return number


def _text(found: Any) -> str:
    if not isinstance(found, str) or "\0" in found:
        raise TypeError(f"a {type(found).__name__} as text")
    return found


def _one_of(found: Any, words: tuple[str, ...]) -> str:
    if found not in words:
        raise ValueError(f"the word {found!r}"[:80])
    return str(found)

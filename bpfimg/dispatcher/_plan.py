"""The order of programs on a hook. Arithmetic only: nothing here asks this machine.

The lower priority runs first. A newcomer goes behind those of the same priority that are there; so does a member that
is given another priority. Nothing else changes the order: it is kept as it was found, also where others (libxdp sorts
programs of one priority by name) have put it together.
"""

from __future__ import annotations

from bpfimg._value import replace, value
from bpfimg.dispatcher._words import ALWAYS
from bpfimg.errors import SlotsFull, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.dispatcher._model import Member

#: what one chain holds: libxdp's record has ten slots, a fused program as much as the verifier takes
LIMITS = {"freplace": 10, "fused": 64, "direct": 64}
MAX_PRIORITY = (1 << 31) - 1


@value(frozen=True, slots=True)
class Plan:
    """The members of a chain, the first to run first."""

    hook: str
    members: tuple[Member, ...] = ()

    def __len__(self) -> int:
        return len(self.members)

    def member(self, program: int) -> Member | None:
        """The member that is that program; None when there is none."""
        return next((each for each in self.members if each.program == program), None)

    def of_link(self, link: int) -> Member | None:
        """The member that is that link of ours; None when there is none."""
        return next((each for each in self.members if each.link == link), None) if link else None

    def position(self, priority: int) -> int:
        """Where a newcomer of that priority goes: before the first that has a higher number."""
        return next((at for at, each in enumerate(self.members) if each.priority > priority), len(self.members))

    def joined(self, member: Member, limit: int) -> Plan:
        """With a newcomer. SlotsFull: there are `limit` already. UsageError: that program is in it."""
        if self.member(member.program) is not None:
            raise UsageError(
                f"program {member.program} ({quoted(member.name)}) is in this chain already, expected one that is not",
                hint="load it a second time to have it twice",
            )
        if len(self.members) >= limit:
            raise SlotsFull(
                f"the chain has {len(self.members)} programs, expected fewer than {limit}",
                hint="take one off first; a fused dispatcher takes more than ten"
                if limit == LIMITS["freplace"]
                else "",
            )
        at = self.position(member.priority)
        return replace(self, members=(*self.members[:at], _sound(member), *self.members[at:]))

    def left(self, program: int) -> Plan:
        """Without a member; the same where it is not in it."""
        return replace(self, members=tuple(each for each in self.members if each.program != program))

    def changed(self, program: int, priority: int | None = None, proceed_on: int | None = None) -> Plan:
        """With another priority or mask for a member; the same where neither differs. KeyError: no such member."""
        member = self.member(program)
        if member is None:
            raise KeyError(program)
        changed = replace(member, proceed_on=member.proceed_on if proceed_on is None else proceed_on | ALWAYS)
        if priority is None or priority == member.priority:
            return replace(self, members=tuple(changed if each is member else each for each in self.members))
        rest = self.left(program)
        return rest.joined(replace(changed, priority=priority), len(self.members))

    def exchanged(self, program: int, newcomer: Member) -> Plan:
        """With a newcomer in the very place of a member, where its priority lets it be there; else as a newcomer."""
        member = self.member(program)
        if member is None:
            raise KeyError(program)
        if newcomer.priority != member.priority:
            return self.left(program).joined(newcomer, len(self.members))
        return replace(self, members=tuple(_sound(newcomer) if each is member else each for each in self.members))


def _sound(member: Member) -> Member:
    # libxdp's record has 32 bits, and others may use them all; a hook of ours takes 31
    if not 0 <= member.priority <= 0xFFFFFFFF:
        raise UsageError(f"priority {member.priority} is out of range, expected 0 to {MAX_PRIORITY}")
    return replace(member, proceed_on=member.proceed_on | ALWAYS)

"""What a Host needs of the room above it, where hooks take many programs: `dispatcher` gives it one of these."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol

    from bpfimg.kernel import OpenObject
    from bpfimg.load._attach import Attachment, Loaded, Scene
    from bpfimg.load._candidate import Candidate
    from bpfimg.load._families._place import Place
    from bpfimg.load._hooks import Hook
    from bpfimg.load._host import Host, Load
    from bpfimg.load._records import LinkRecord

    class Chains(Protocol):
        """Programs of ours as members of chains. The record of a member has `how` "dispatcher", and its pin `link` is
        that of the member's program: the links or code that make it run are the chain's."""

        def takes(self, hook: Hook) -> bool:
            """True when a program on that hook becomes a member of a chain."""

        def as_extension(self, host: Host, program: Candidate, hooks: Sequence[Hook]) -> bool:
            """True when the program is to be loaded as one that takes the place of a dispatcher's function."""

        def extend(self, opened: OpenObject, program: Candidate) -> AbstractContextManager[object] | None:
            """Sets the program up so, before the load; what it gives stays open until that is done. None: its types
            do not let it be loaded so, and it is loaded as what it is."""

        def attach(self, program: Loaded, hook: Hook, scene: Scene) -> Attachment:
            """A member that is not in its chain yet: `enter` of the attachment makes it one, in one atomic step."""

        def taken_over(self, old: Load, link: LinkRecord, hook: Hook, program: Loaded, scene: Scene) -> Attachment:
            """The attachment that puts `program` in the place that a member of the old load has in its chain."""

        def give_back(self, host: Host, record: LinkRecord) -> None:
            """Gives the place that a member has taken from another (`record.replaces`) back to that, if it has it."""

        def release(self, host: Host, record: LinkRecord) -> bool:
            """Takes a member out of its chain; False when chain, interface or namespace are gone, or it is not in."""

        def release_unread(self, host: Host, link: int) -> None:
            """Takes a member out of its chain whose record is lost: the chain still says which link of ours it is."""

        def is_attached(self, host: Host, record: LinkRecord) -> bool:
            """True while the member is in the chain that its hook runs."""

        def change(
            self, host: Host, record: LinkRecord, priority: int | None, proceed_on: tuple[str, ...] | None
        ) -> None:
            """Gives a member another priority or other results to go on after, in one atomic step."""

        def anchors(self, host: Host, ifindex: int, inode: int, direction: str) -> Mapping[int, int]:
            """Kernel link id -> priority of the TCX link by which a chain of ours is on that direction, if it is."""

        def foresee(self, hook: Hook, scene: Scene) -> str:
            """How a program would become a member there, in words."""

        def holder(self, host: Host, place: Place) -> tuple[str, str] | None:
            """Returns (who, what to do about it) where a chain runs on an interface; None where none does."""

        def evict(self, host: Host, interface: str, program: int, netns: str | None) -> None:
            """Takes a program of others out of the XDP chain of an interface, in one atomic step."""

        def collect(self, host: Host) -> tuple[str, ...]:
            """Removes what is pinned of dispatchers that run nowhere in sight, whosever; returns what went."""

        def sweep(self, host: Host, links: Sequence[LinkRecord]) -> None:
            """Mends what killed writers and others left of chains, under the lock; `links` are all of ours."""

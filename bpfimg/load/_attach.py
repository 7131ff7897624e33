"""Attaching a loaded program: what a family of hooks is given, and what it hands to the transaction."""

from __future__ import annotations

from bpfimg._value import replace, value
from bpfimg.load._hooks import _words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Any

    from bpfimg.kernel import Fd
    from bpfimg.load._hooks import Hook
    from bpfimg.load._host import Host, Load
    from bpfimg.load._records import LinkRecord


@value(frozen=True, slots=True)
class Loaded:
    """A program in the kernel: a descriptor that somebody else closes, its kernel id and its full name."""

    fd: int
    id: int
    name: str


@value(frozen=True, slots=True)
class Scene:
    """What an attach may look at: how this host attaches Tc hooks, and what is loaded already."""

    tc: str
    loads: Sequence[Load]

    @classmethod
    def of(cls, host: Host) -> Scene:
        """The scene now; taken under the lock it stays true for our own programs."""
        return cls(host.tc, host.loads())


class Attachment:
    """An attachment that is not committed yet: closing it takes the program off its hook again.

    `record` is complete but for its id. Pinning `pin` is the commit. `enter`, called with the link's id when the
    record is published, does what outlives a kill (a netlink attach); the record says how to undo it.
    """

    def __init__(
        self,
        record: LinkRecord,
        link: Fd | None,
        pin: int,
        enter: Callable[[LinkRecord], None] | None = None,
        parts: Sequence[Fd] = (),
    ) -> None:
        self.record = record
        self.pin = pin
        self._link = link
        self.parts = tuple(parts)
        self._enter = enter

    def enter(self, record: LinkRecord) -> None:
        """Makes it real where opening a link did not: the record, with its id, must be published by now."""
        if self._enter is not None:
            self._enter(record)

    def with_metadata(self, metadata: Mapping[str, str]) -> LinkRecord:
        """The record with the user's words in it."""
        return replace(self.record, metadata=dict(metadata))

    def __enter__(self) -> Attachment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (*self.parts, *([self._link] if self._link is not None else [])):
            each.close()


def attach(program: Loaded, hook: Hook, scene: Scene) -> Attachment:
    """Attaches `program` to `hook`; AttachError, Busy or NotSupported when that cannot be."""
    attachment: Attachment = _family(hook).attach(program, hook, scene)
    return attachment


def check(hook: Hook) -> None:
    """Looks whether the place exists, without attaching: the interface in its namespace, the tracepoint, the function.

    AttachError when it does not; NotSupported for what this kernel, or bpfimg, cannot do.
    """
    _family(hook).check(hook)


def _family(hook: Hook) -> Any:
    """The file of the hook's family: only that one is imported."""
    return __import__(f"bpfimg.load._families.{_words.family(hook)}", fromlist=["*"])

"""Attaching a loaded program: what a family of hooks is given, and what it hands to the transaction."""

from __future__ import annotations

from bpfimg._value import replace, value
from bpfimg.errors import Error, KernelError, UsageError, quoted
from bpfimg.kernel import bpf
from bpfimg.load._hooks import _words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Any

    from bpfimg.kernel import Fd, OpenObject
    from bpfimg.load._chains import Chains
    from bpfimg.load._code import Code
    from bpfimg.load._hooks import Hook
    from bpfimg.load._host import Host, Load
    from bpfimg.load._records import LinkRecord

#: how a member of a chain is attached, in its record
MEMBER = "dispatcher"


@value(frozen=True, slots=True)
class Loaded:
    """A program in the kernel: a descriptor that somebody else closes, its kernel id and its full name.

    `type` and `section` are as in its record, `attach_type` is the number that it was loaded with, `target` what it
    was bound to where the section does not say it. `extension`: it was loaded to take the place of a function of
    dispatchers, and goes nowhere else. `code` is what it is made of, for chains; None where that was not kept.
    """

    fd: int
    id: int
    name: str
    type: str = ""
    section: str = ""
    attach_type: int = 0
    target: str = ""
    extension: bool = False
    code: Code | None = None

    def btf(self) -> bytes:
        """The types of its object, as the kernel holds them; b"" where it was loaded without."""
        from bpfimg.kernel import dump

        number = bpf.program_info(self.fd, memlock=False).btf_id
        return dump.btf_data(number) if number else b""


class Unit:
    """What came from the same object as a program: its maps, by the names that they have there.

    `maps` are descriptors that somebody else closes, or the paths of pins, opened when they are asked for. `object` is
    the loaded object itself, None for what was loaded before.
    """

    def __init__(self, maps: Mapping[str, int | str], opened: OpenObject | None = None) -> None:
        self.object = opened
        self._maps = dict(maps)
        self._opened: list[Fd] = []
        self.names = tuple(self._maps)

    def map(self, name: str) -> int:
        """The descriptor of a map, valid while the attachment is made; UsageError lists the names for a wrong one."""
        found = self._maps.get(name)
        if found is None:
            raise UsageError(f"there is no map {quoted(name)} in what is loaded, expected {', '.join(self.names)}")
        if isinstance(found, str):
            self._opened.append(bpf.get(found))
            self._maps[name] = found = self._opened[-1].fileno()
        return found

    def __enter__(self) -> Unit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._opened:
            each.close()


class _Loads:
    """What is loaded on a host, read when it is first looked at: members of chains have no use for it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._found: tuple[Load, ...] | None = None

    def __iter__(self) -> Iterator[Load]:
        if self._found is None:
            self._found = self._host.loads()
        return iter(self._found)


@value(frozen=True, slots=True)
class Scene:
    """What an attach may look at: how this host attaches Tc hooks, what is loaded already, the program's own object.

    `opened` are the attachments of the same transaction that were made before this one: nothing lists them yet.
    `host` is None where no bpffs was found: then nothing is ours.
    """

    tc: str
    loads: Iterable[Load]
    unit: Unit = Unit({})
    opened: tuple[Attachment, ...] = ()
    host: Host | None = None

    @property
    def chains(self) -> Chains | None:
        """What takes many programs on one hook; None where each hook takes one."""
        return self.host.chains if self.host is not None else None

    @classmethod
    def of(cls, host: Host, unit: Unit | None = None) -> Scene:
        """The scene now; taken under the lock it stays true for our own programs."""
        return cls(host.tc, _Loads(host), unit or Unit({}), host=host)


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
        *,
        take: Callable[[], None] | None = None,
    ) -> None:
        self.record = record
        self.pin = pin
        self._link = link
        self.parts = tuple(parts)
        self.take = take
        self._enter = enter  # `take` exchanges the program of a link that is another load's: then that is the commit

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
    attachment: Attachment = family(hook.word).attach(program, hook, scene)
    return attachment


def check(hook: Hook) -> None:
    """Looks whether the place exists, without attaching: the interface in its namespace, the tracepoint, the function.

    AttachError when it does not; NotSupported for what this kernel, or bpfimg, cannot do.
    """
    family(hook.word).check(hook)


def configure(opened: OpenObject, program: str, hook: Hook) -> None:
    """Lets the family set up the open object before it is loaded, where it has `configure(opened, program, hook)`
    (the program's name): what depends on the kernel as well as on the hook."""
    look = getattr(family(hook.word), "configure", None)
    if look is not None:
        look(opened, program, hook)


def undo(host: Host, record: LinkRecord) -> bool:
    """Takes off what has no kernel link of its own, by its record alone, with `release(record)` of the hook's family;
    members of chains by the host's `chains`.

    False when it is not there (any more), or is not ours. It is called for what was never attached, too, and for
    records that somebody else wrote: a hook that always has a kernel link has nothing to take off.
    """
    if record.how == MEMBER:
        return chains_of(host).release(host, record)
    release = getattr(family(record.hook), "release", None)
    return bool(release(record)) if release is not None else False


def is_attached(host: Host, record: LinkRecord) -> bool:
    """True while what has no kernel link of its own is on its hook: `is_attached(record)` of the hook's family, or of
    the host's `chains`."""
    if record.how == MEMBER:
        return chains_of(host).is_attached(host, record)
    look = getattr(family(record.hook), "is_attached", None)
    return bool(look(record)) if look is not None else False


def refuse_extension(program: Loaded, where: str) -> None:
    """UsageError for a program that was loaded for the slots of dispatchers, and is to go `where` it cannot."""
    if program.extension:
        raise UsageError(
            f"program {quoted(program.name)} was loaded for a dispatcher, which the kernel does not attach {where}",
            hint="run the image again for this hook",
        )


def chains_of(host: Host) -> Chains:
    """What changes chains on this host; Error when it was opened without."""
    if host.chains is None:
        raise Error(
            "a program of ours is a member of a chain of programs, which this host was opened without",
            hint="open it with bpfimg.dispatcher.host()",
        )
    return host.chains


def family(word: str) -> Any:
    """The file of the hook's family: only that one is imported."""
    if word not in _words.WORDS:
        raise KernelError(f"hook {quoted(word)} is not one that this version of bpfimg knows", errno=95)
    return __import__(f"bpfimg.load._families.{_words.WORDS[word][3]}", fromlist=["*"])

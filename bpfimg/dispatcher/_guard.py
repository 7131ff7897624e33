"""Our own pins of a chain, which keep it together whatever happens to those that others know.

::

    <bpffs>/bpfimg/chains/<namespace>-<ifindex>-<xdp|ingress|egress>/
      <id>/                  one for each program put on that hook for a chain: its kernel id
        record               ChainRecord
        dispatcher           the program itself
        slot-<n>-link        freplace: the link that holds slot n, and
        slot-<n>-prog        the program in it
        entry                tcx: the link by which the hook runs the program

A directory counts for as long as the hook runs the program that it is called after; all others are garbage once the
hook runs a newer one, or nothing of ours is left in them. No pin here is removed by detaching what it holds: the same
link may be pinned in two of these while one takes the place of the other.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, suppress

from bpfimg._value import value
from bpfimg.dispatcher._chain_record import ChainRecord
from bpfimg.errors import DamagedRecord, KernelError
from bpfimg.kernel import bpf, bpffs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.dispatcher._model import Spot
    from bpfimg.kernel import Fd
    from bpfimg.load import Host

CHAINS = "chains"
RECORD = "record"
ENTRY = "entry"
DISPATCHER = "dispatcher"
_WORK = "tmp-"  # what the writers of `load` sweep


@value(frozen=True, slots=True)
class Guard:
    """The directory of one chain, and its record; None where that cannot be read."""

    path: str
    dispatcher: int
    record: ChainRecord | None

    @property
    def entry(self) -> str:
        """Where the link by which a tc hook runs it is pinned."""
        return f"{self.path}/{ENTRY}"

    def slot(self, number: int, kind: str) -> str:
        """Where `link` or `prog` of a slot is pinned."""
        return f"{self.path}/slot-{number}-{kind}"


def guards(host: Host, spot: Spot | None = None) -> Iterator[Guard]:
    """All directories of chains, or those of one hook."""
    top = f"{host.directory}/{CHAINS}"
    for place in [spot.name] if spot is not None else _listed(top):
        for name in _listed(f"{top}/{place}"):
            if name.isascii() and name.isdigit():
                found = guard(f"{top}/{place}/{name}")
                if found is not None:
                    yield found


def guard(path: str) -> Guard | None:
    """What is at `path`; None where there is nothing."""
    if not os.path.isdir(path) or os.path.islink(path):
        return None
    try:
        record: ChainRecord | None = ChainRecord.from_text(bpffs.read_record(f"{path}/{RECORD}"))
    except DamagedRecord:
        record = None
    except KernelError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL):  # that it cannot be read now says nothing about it
            raise
        record = None  # it is not there, or something else is
    return Guard(path, int(os.path.basename(path)), record)


def guard_of(host: Host, spot: Spot, dispatcher: int) -> Guard | None:
    """The directory of the chain that the hook runs as that program."""
    return guard(f"{host.directory}/{CHAINS}/{spot.name}/{dispatcher}")


def publish(
    host: Host,
    dispatcher: int,
    record: ChainRecord,
    slots: Sequence[tuple[Fd | int, Fd | int]] = (),
    program: Fd | int | None = None,
) -> Guard:
    """Makes the directory in one step; one that is there for the same program gets the new record in one step."""
    place = f"{host.directory}/{CHAINS}/{record.spot.name}"
    path = f"{place}/{dispatcher}"
    for folder in (f"{host.directory}/{CHAINS}", place):
        if not os.path.isdir(folder):
            with suppress(FileExistsError):
                bpffs.make_directory(folder)
    work = f"{host.directory}/{_WORK}{os.getpid()}-{os.urandom(6).hex()}"
    with ExitStack() as undo:
        undo.callback(_removed, work)
        bpffs.make_directory(work)
        bpffs.write_record(f"{work}/{RECORD}", record.to_text())
        made = Guard(work, dispatcher, record)
        if program is not None:
            bpf.pin(program, f"{work}/{DISPATCHER}")
        for number, (link, member) in enumerate(slots):
            bpf.pin(link, made.slot(number, "link"))
            bpf.pin(member, made.slot(number, "prog"))
        if os.path.isdir(path):
            bpffs.rename(f"{work}/{RECORD}", f"{path}/{RECORD}", replace=True)
        else:
            bpffs.rename(work, path)
            undo.pop_all()
    return Guard(path, dispatcher, record)


def _removed(work: str) -> None:
    with suppress(KernelError):  # the error that brought us here says more, and the next writer sweeps it
        remove(work)


def remove(path: str) -> None:
    """Removes a directory with its pins; what hangs on them alone goes with them, in the kernel's own time."""
    for name in _listed(path):
        bpffs.unlink(f"{path}/{name}")
    place = os.path.dirname(path)
    with suppress(OSError):  # other chains are there
        os.rmdir(path)
        if os.path.basename(os.path.dirname(place)) == CHAINS:
            os.rmdir(place)
            os.rmdir(os.path.dirname(place))


def _listed(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path)) if not os.path.islink(path) else []
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise bpffs.translated("list", path, error) from error

"""Chains that the kernel keeps in order (TCX, netkit): a bpf_link goes in by its priority among ours."""

from __future__ import annotations

import errno
import struct
from time import sleep

from bpfimg._value import value
from bpfimg.errors import AttachError, KernelError, SlotsFull
from bpfimg.kernel import abi, bpf
from bpfimg.load._decide import Anchor, place
from bpfimg.load._families._place import refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import Fd
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._families._place import Place
    from bpfimg.load._records import LinkRecord

_BY_LINK_ID = abi.F_LINK | abi.F_ID  # the anchor is the id of a link
_TRIES = 16  # each change by another writer of the same chain can spoil one
_MOST = 63  # BPF_MPROG_MAX, less the end mark
_PAUSE = 0.0005  # seconds, longer with each try


@value(frozen=True, slots=True)
class Chain:
    """One chain: its attach type, and how records say that a link is in it.

    `name` is for messages ("TCX"); `words` are the hooks whose links stand in it; the field `field` of their record
    is `end` (`direction`: ingress; `side`: peer).
    """

    name: str
    attach_type: int
    words: tuple[str, ...]
    field: str
    end: str

    def has(self, link: LinkRecord, where: Place) -> bool:
        """True for links of this chain of that interface."""
        there = (link.how, link.ifindex, link.netns_inode, link.spec.get(self.field))
        return link.hook in self.words and there == ("link", where.ifindex, where.inode, self.end)


def link_in(chain: Chain, program: Loaded, where: Place, priority: int, scene: Scene) -> Fd:
    """Creates the link, in the namespace of `where`: before the first of ours that has a higher number, else behind
    our last, else at the end. Links and programs of others keep their places, and may change meanwhile.

    SlotsFull: there are 63 already. AttachError: that program is in the chain.
    """
    ours = _ours(chain, where, scene)
    for tries in range(2 * _TRIES):
        try:
            _, links, revision = bpf.prog_query(where.ifindex, chain.attach_type)
            # Whoever never stops changing the chain would keep us out for ever: then the anchor, which is ours, has to
            # say it alone. The kernel puts a link right beside it, wherever that is by now, or tells that it has gone.
            seen = revision if tries < _TRIES else 0
            return _created(chain, program, where, place(links, ours, priority), seen)
        except KernelError as error:
            # ESTALE: the chain has changed since we looked; ENOENT: our anchor has gone.
            if error.errno not in (errno.ESTALE, errno.ENOENT):
                raise _explained(error, chain, program, where) from error
        sleep(tries * _PAUSE)
    raise AttachError(
        f"the {chain.name} chain of {where.interface} {chain.end} lost what we stand beside {_TRIES} times; try again"
    )


def position(chain: Chain, where: Place, priority: int, scene: Scene) -> str:
    """Where a link would go in, in words: `2nd of 3 in the TCX chain`."""
    _, links, _ = bpf.prog_query(where.ifindex, chain.attach_type)
    anchor = place(links, _ours(chain, where, scene), priority)
    if anchor.before:
        number = links.index(anchor.before) + 1
    else:
        number = links.index(anchor.after) + 2 if anchor.after else len(links) + 1
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number // 10 != 1 else 0, "th")
    return f"{number}{ending} of {len(links) + 1} in the {chain.name} chain"


def _created(chain: Chain, program: Loaded, where: Place, anchor: Anchor, revision: int) -> Fd:
    relative = anchor.before or anchor.after
    flags = 0
    if relative:
        flags = _BY_LINK_ID | (abi.F_BEFORE if anchor.before else abi.F_AFTER)
    extra = struct.pack("=IIQ", relative, 0, revision)
    return bpf.link_create(program.fd, where.ifindex, chain.attach_type, flags=flags, extra=extra)


def _ours(chain: Chain, where: Place, scene: Scene) -> dict[int, int]:
    """Kernel link id -> priority of our links in this chain. What the kernel calls them is asked, not remembered."""
    found: dict[int, int] = {}
    for load in scene.loads:
        for link in load.links:
            if not chain.has(link, where):
                continue
            try:
                with bpf.get(load.link_pin(link.id)) as fd:
                    found[bpf.link_info(fd).id] = link.priority or 0
            except KernelError:
                continue  # its pin has vanished
    for made in scene.opened:
        if chain.has(made.record, where):
            found[bpf.link_info(made.pin).id] = made.record.priority or 0
    if "tc" in chain.words and scene.chains is not None and scene.host is not None:
        found |= scene.chains.anchors(scene.host, where.ifindex, where.inode, chain.end)
    return found


def _explained(error: KernelError, chain: Chain, program: Loaded, where: Place) -> AttachError | KernelError:
    if error.errno == errno.EEXIST:
        return AttachError(
            f"program {program.id} is attached to {where.interface} {chain.end} already; {chain.name} takes a program"
            " once",
            hint="load it a second time to attach it twice",
        )
    if error.errno == errno.ERANGE:
        return SlotsFull(
            f"the {chain.name} chain of {where.interface} {chain.end} has {_MOST} programs, expected fewer",
            hint="take one off first; all programs of tc hooks together are one" if "tc" in chain.words else "",
        )
    return refused(where, error)

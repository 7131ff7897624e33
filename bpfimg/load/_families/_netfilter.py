"""netfilter (kernel 6.4 and newer): a bpf_link on a hook of a network namespace, ordered by priority with everybody."""

from __future__ import annotations

import errno
import struct

from bpfimg.errors import AttachError, Busy, KernelError, NotSupported, UsageError
from bpfimg.kernel import abi, bpf
from bpfimg.load._attach import Attachment
from bpfimg.load._families._place import Place, again, shown, within
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Netfilter
    from bpfimg.load._records import LinkRecord

_FAMILIES = {"ipv4": 2, "ipv6": 10}  # NFPROTO_IPV4, NFPROTO_IPV6
_HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}  # enum nf_inet_hooks
_DEFRAG = 1  # BPF_F_NETFILTER_IP_DEFRAG
_BEHIND_DEFRAG = -400  # NF_IP_PRI_CONNTRACK_DEFRAG


def check(hook: Netfilter) -> None:
    """AttachError when there is no such namespace; NotSupported(feature="netfilter") when the kernel is too old."""
    from bpfimg.kernel import features

    within(hook.netns, lambda place: None)
    if features.has("netfilter") is False:
        raise NotSupported("this kernel takes no netfilter programs (they came with 6.4)", feature="netfilter")


def foresee(hook: Netfilter, scene: Scene) -> str:
    """Busy when a program of ours has that priority there; those of others are not known before."""

    def inside(place: Place) -> str:
        for link in (link for load in scene.loads for link in load.links):
            there = (link.hook, link.netns_inode, link.spec.get("family"), link.spec.get("point"), link.priority)
            if there == ("netfilter", place.inode, hook.family, hook.point, hook.priority):
                raise _busy(hook, place)
        return ""

    return within(hook.netns, inside)


def changed(record: LinkRecord) -> str:
    """That the namespace has gone: a link of netfilter never says so. Empty while it is there."""
    return "" if again(record.netns, record.netns_inode)[0] else "its network namespace has gone"


def attach(program: Loaded, hook: Netfilter, scene: Scene) -> Attachment:
    """Attaches; Busy when a program has that priority on that hook already, whoever attached it."""

    def inside(place: Place) -> Attachment:
        extra = struct.pack(
            "=IIiI", _FAMILIES[hook.family], _HOOKS[hook.point], hook.priority, _DEFRAG if hook.defrag else 0
        )
        try:
            link = bpf.link_create(program.fd, 0, abi.ATTACH_NETFILTER, extra=extra)
        except KernelError as error:
            raise _explained(error, hook, place) from error
        where = f"{hook.family} {hook.point} priority {hook.priority} in {shown(place)}"
        return Attachment(recorded(program, hook, where, place=place), link, link.fileno())

    return within(hook.netns, inside)


def _explained(error: KernelError, hook: Netfilter, place: Place) -> AttachError | KernelError | UsageError:
    where = f"{hook.family} {hook.point} in {shown(place)}"
    if error.errno == errno.EBUSY:
        return _busy(hook, place)
    if error.errno == errno.ERANGE:
        if hook.defrag and hook.priority <= _BEHIND_DEFRAG:
            return UsageError(
                f"priority {hook.priority} comes before fragments are put together,"
                f" expected more than {_BEHIND_DEFRAG} with --defrag"
            )
        return UsageError(f"the kernel keeps priority {hook.priority} for itself, expected one between the two ends")
    if error.errno == errno.EAFNOSUPPORT:
        return NotSupported(
            f"this kernel was built without netfilter for {hook.family}", feature="netfilter", errno=error.errno
        )
    if hook.defrag and error.errno in (errno.EOPNOTSUPP, errno.ENOENT):
        return NotSupported(
            f"this kernel cannot put fragments of {hook.family} together for BPF (it came with 6.6)",
            feature="netfilter-defrag",
            errno=error.errno,
            hint=f"the module nf_defrag_{hook.family} does it; or go without --defrag",
        )
    return KernelError(f"cannot attach to netfilter {where}: {error}", errno=error.errno, hint=error.hint)


def _busy(hook: Netfilter, place: Place) -> Busy:
    return Busy(
        f"{hook.family} {hook.point} in {shown(place)} has a program with priority {hook.priority} already,"
        " expected another priority",
        owner="another netfilter program",
        hint=f"take another number: --priority {hook.priority + 1} runs right behind it",
    )

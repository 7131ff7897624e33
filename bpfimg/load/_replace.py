"""One load takes the place of another, without a moment in which neither runs.

Where the kernel can exchange the program of a link (XDP, TCX, netkit, control groups, network namespaces) the new load
has a link directory of its own with a pin of the very same kernel link, and a record that says whose place it takes;
it counts once the kernel runs the new program there. Everything else is attached beside the old one, which goes
afterwards. What each step leaves when the process is killed right after it (see also `_publish`):

====================================  ===================================================================
all until the first exchange          a load that is unfinished; swept, and the old one runs on
LINK_UPDATE of the first link on      the same, if there are more: the sweeper gives those links back
LINK_UPDATE of the last link          COMMIT: the new load is there, and hides the old one
unpin links of the old load           the same; the sweeper goes on
remove the old load                   the new state
====================================  ===================================================================
"""

from __future__ import annotations

import os

from bpfimg._value import replace
from bpfimg.kernel import bpf, bpffs
from bpfimg.load import _paths
from bpfimg.load._attach import MEMBER, Attachment, chains_of
from bpfimg.load._host import read_load, runs
from bpfimg.load._moment import now
from bpfimg.load._same import same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Hook
    from bpfimg.load._host import Host, Load
    from bpfimg.load._records import LinkRecord

#: hooks whose kernel links take another program (`update_prog` of their link type)
_EXCHANGES = ("xdp", "tc", "tcx", "netkit", "cgroup", "sk_lookup", "flow_dissector")
_ORDER_IS_OURS = {"xdp": ("priority", "proceed_on")}  # the kernel knows nothing of these: they may change


def taken_over(old: Load, hook: Hook, program: Loaded, taken: Sequence[int], scene: Scene) -> Attachment | None:
    """The attachment that puts `program` in the place of the old load's on the same hook; None where that cannot be.

    `taken` are links of the old load that others of the new one have got already.
    """
    for link in old.links:
        pin = old.link_pin(link.id)
        if link.how == MEMBER and link.id not in taken and scene.chains is not None and scene.chains.takes(hook):
            if same(hook, link, without=("priority", "proceed_on")):
                return scene.chains.taken_over(old, link, hook, program, scene)
            continue
        if link.hook not in _EXCHANGES or link.how != "link" or link.parts or link.id in taken:
            continue
        if same(hook, link, without=_ORDER_IS_OURS.get(link.hook, ())) and runs(pin, link.program_id):
            return _takeover(old, link, hook, program)
    return None


def _takeover(old: Load, link: LinkRecord, hook: Hook, program: Loaded) -> Attachment:
    fd = bpf.get(old.link_pin(link.id))
    changed = {name: _listed(getattr(hook, name)) for name in _ORDER_IS_OURS.get(link.hook, ())}
    record = replace(
        link,
        id=0,
        program_id=program.id,
        program_name=program.name,
        created=now(),
        spec={**link.spec, **changed},
        replaces=(old.id, link.id, link.program_id),
    )
    return Attachment(record, fd, fd.fileno(), take=lambda: bpf.link_update(fd, program.fd))


def _listed(found: object) -> object:
    return list(found) if isinstance(found, tuple) else found


def give_back(host: Host, path: str, record: LinkRecord) -> bool:
    """Lets go of a link that is still the old load's, at `path` of the new one; False when it is not (any more)."""
    if not record.replaces:
        return False
    load, link, program = record.replaces
    directory = host.directory
    if record.how == MEMBER:
        if not os.path.lexists(f"{directory}/{load}/{_paths.LINKS}/{link}/{_paths.LINK}"):
            return False
        chains_of(host).give_back(host, record)
        bpffs.unlink(f"{path}/{_paths.LINK}")
        return True
    if not os.path.lexists(f"{directory}/{load}/{_paths.LINKS}/{link}/{_paths.LINK}"):
        return False
    pin = f"{path}/{_paths.LINK}"
    if not os.path.lexists(pin):
        return True
    if runs(pin, record.program_id):
        old = read_load(f"{directory}/{load}")
        pins = dict(zip(old.program_ids, old.program_pins(), strict=True)) if old and old.record else {}
        with bpf.get(pin) as fd, bpf.get(pins[program]) if program in pins else bpf.program_by_id(program) as before:
            bpf.link_update(fd, before)
    bpffs.unlink(pin)
    return True

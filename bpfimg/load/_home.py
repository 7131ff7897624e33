"""Where a link of ours lives, also while its load is being published or taken away: for those who build chains."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import DamagedRecord, KernelError
from bpfimg.kernel import bpffs
from bpfimg.load import _paths
from bpfimg.load._host import Load, read_link
from bpfimg.load._records import LoadRecord, decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._host import Host
    from bpfimg.load._records import LinkRecord


@value(frozen=True, slots=True)
class Home:
    """The load that a link belongs to, with its record whole, and the record of the link; `path` is the link's
    directory, and `committed` says whether it counts for readers."""

    load: Load
    link: LinkRecord
    path: str
    committed: bool


def home(host: Host, link: int) -> Home | None:
    """Where that link of ours is; None when it is nowhere, or what is written down about it cannot be read."""
    for name in _paths.listed(host.directory):
        path = f"{host.directory}/{name}"
        folder = f"{path}/{_paths.LINKS}/{link}"
        if (_paths.is_id(name) or name.startswith(_paths.WORK)) and os.path.isdir(folder):
            try:
                record = read_link(folder)
                load = LoadRecord.from_dict(decode(bpffs.read_record(f"{path}/{_paths.RECORD}")))
            except (KernelError, DamagedRecord, ValueError):
                return None
            return Home(Load(load.id, path, load), record, folder, os.path.lexists(f"{folder}/{_paths.LINK}"))
    return None

"""What a `run` or `load` would do, found out by doing all of it that changes nothing."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import KernelError, NotSupported, VerifierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import bpf
    from bpfimg.load import Hook, Host, LoadRecord, Origin, Prepared

_EPERM = 1


@value(frozen=True, slots=True)
class PlannedLink:
    """An attachment that would be made: `note` says how, where that can be known before."""

    program: str
    hook: Hook
    note: str = ""


@value(frozen=True, slots=True)
class Plan:
    """The steps of a `run` or `load` in their order: programs and maps are loaded, links made.

    `record` is what would be written down, with ids of 0. `maps` are (name, what the kernel says), `programs` what the
    kernel says of its programs: both from a load into the kernel that was closed again. Where this process may not
    load, they are empty and `not_tried` says why. `warnings` say what else would fail.
    """

    record: LoadRecord
    links: tuple[PlannedLink, ...]
    maps: tuple[tuple[str, bpf.MapInfo], ...] = ()
    programs: tuple[bpf.ProgramInfo, ...] = ()
    not_tried: str = ""
    warnings: tuple[str, ...] = ()


def plan(host: Host, prepared: Prepared, origin: Origin) -> Plan:
    """Asks the kernel what it would say: loads the object and closes it, looks at the hooks, attaches nothing.

    Raises what the kernel would refuse it with: VerifierError, NotSupported, AttachError, Busy, KernelError.
    """
    from bpfimg.kernel import bpf

    record = prepared.record(origin)
    links = tuple(PlannedLink(name, hook, host.foresee(hook)) for name, hook in prepared.attach)
    warnings = tuple(_warnings(host))
    try:
        prepared.load()
    except (VerifierError, NotSupported):
        raise
    except KernelError as error:
        if error.errno != _EPERM or os.geteuid() == 0:
            raise
        return Plan(record, links, not_tried=str(error), warnings=warnings)
    maps = tuple((name, bpf.map_info(fd)) for name, fd in prepared.maps)
    return Plan(record, links, maps, prepared.infos(), warnings=warnings)


def _warnings(host: Host) -> list[str]:
    from bpfimg.kernel import bpffs

    try:
        bpffs.require(host.bpffs)
    except KernelError as error:
        return [str(error)]
    return []

"""Maps of sockets (sk_msg, sk_skb): a bpf_link where the kernel has them for such maps (6.10), else an attachment
without a link, which lives with the map and is taken off by its record.

A socket runs what the map has when it is put there, and goes on with that until it is taken out.
"""

from __future__ import annotations

import errno
import os

from bpfimg.errors import AttachError, Busy, KernelError, NotSupported, UsageError, quoted
from bpfimg.kernel import Fd, abi, bpf
from bpfimg.load._attach import Attachment
from bpfimg.load._families._owner import described
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Sockmap
    from bpfimg.load._records import LinkRecord

_TYPES = ("sockmap", "sockhash")
_FROM_NOW = "runs for sockets that are put into the map from now on"
_GONE = (errno.ENOENT, errno.EINVAL)


def check(hook: Sockmap) -> None:
    """AttachError when there is no such map; one that the object itself brings is not looked for."""
    if _is_foreign(hook.map):
        _opened(hook.map).close()


def attach(program: Loaded, hook: Sockmap, scene: Scene) -> Attachment:
    """Attaches; Busy when the map has a program of that kind already, because the kernel would take that one off."""
    from bpfimg import bytecode

    rule = bytecode.section_rule(program.section)
    word = hook.resolved(rule.attach_type if rule else abi.ATTACH_TYPES[program.attach_type])
    attach_type = abi.ATTACH_TYPES.index(word)
    with _opened(hook.map) if _is_foreign(hook.map) else Fd(os.dup(scene.unit.map(hook.map))) as map:
        info = bpf.map_info(map)
        _check_type(info, hook)
        where = f"map {info.name} (id {info.id}) {word.removeprefix(hook.kind).strip('_')}"
        _check_free(map, attach_type, where, scene, info.id)
        details = {"map_id": info.id, "map_name": info.name, "attach_type": word}
        absolute = {"map": os.path.abspath(hook.map)} if "/" in hook.map else {}
        try:
            link = bpf.link_create(program.fd, map.fileno(), attach_type)
        except KernelError as error:
            reason = _no_links(error)
            if not reason:
                raise _explained(error, where, scene, info.id) from error
        else:
            record = recorded(program, hook, where, details=details, absolute=absolute, note=_FROM_NOW)
            return Attachment(record, link, link.fileno())
        note = f"{_FROM_NOW}; {reason}"
        record = recorded(program, hook, where, how="attach", details=details, absolute=absolute, note=note)
        held = Fd(os.dup(map.fileno()))  # by its id it could only be opened with CAP_SYS_ADMIN
    return Attachment(record, held, program.fd, enter=lambda _: bpf.prog_attach(held, program.fd, attach_type))


def foresee(hook: Sockmap, scene: Scene) -> str:
    """Busy when a map that is there already has a program; a map of the object itself is new, and free."""
    if not _is_foreign(hook.map):
        return ""
    with _opened(hook.map) as map:
        info = bpf.map_info(map)
        _check_type(info, hook)
        _check_free(map, abi.ATTACH_TYPES.index(hook.resolved(None)), f"map {info.name} (id {info.id})", scene, info.id)
    return _FROM_NOW


def release(record: LinkRecord) -> bool:
    """Takes the program off the map; False when the map or the program have gone, or it is not there any more."""
    try:
        with bpf.map_by_id(_map_id(record)) as map, bpf.program_by_id(record.program_id) as program:
            bpf.prog_detach(map, program, _attach_type(record))
    except KernelError as error:
        if error.errno not in _GONE:
            raise
        return False
    return True


def is_attached(record: LinkRecord) -> bool:
    """True while the program is on the map."""
    try:
        with bpf.map_by_id(_map_id(record)) as map:
            return record.program_id in bpf.prog_query(map.fileno(), _attach_type(record))[0]
    except KernelError as error:
        if error.errno not in _GONE:
            raise
        return False


def _map_id(record: LinkRecord) -> int:
    found = (record.details or {}).get("map_id")
    return found if isinstance(found, int) and 0 < found < 1 << 32 else 0xFFFFFFFF  # an id that no map has


def _attach_type(record: LinkRecord) -> int:
    word = (record.details or {}).get("attach_type")
    return abi.ATTACH_TYPES.index(word) if word in abi.ATTACH_TYPES else abi.ATTACH_TYPES.index("sk_msg_verdict")


def _is_foreign(map: str) -> bool:
    return "/" in map or map.isdecimal()


def _opened(map: str) -> Fd:
    """A map by its id or its pin."""
    try:
        fd = bpf.get(map) if "/" in map else bpf.map_by_id(int(map))
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise
        what = "is pinned at" if "/" in map else "has the id"
        raise AttachError(f"no map {what} {quoted(map)}", hint="`bpfimg maps` shows them") from error
    if bpf.kind(fd) == "map":
        return fd
    fd.close()
    raise AttachError(f"{quoted(map)} is not the pin of a map")


def _check_type(info: bpf.MapInfo, hook: Sockmap) -> None:
    word = abi.MAP_TYPES[info.type] if info.type < len(abi.MAP_TYPES) else f"type {info.type}"
    if word not in _TYPES:
        raise UsageError(
            f"map {quoted(info.name)} is of type {word}, expected a {' or a '.join(_TYPES)} for {hook.kind}"
        )


def _check_free(map: Fd, attach_type: int, where: str, scene: Scene, number: int) -> None:
    # Asked first: an attach without a link takes off what is there, and so does a link what has none.
    programs = bpf.prog_query(map.fileno(), attach_type)[0]
    if programs:
        raise _busy(where, programs[0], scene, number)


def _busy(where: str, program: int, scene: Scene, number: int) -> Busy:
    who, remedy = described(program, scene.loads, lambda link: (link.details or {}).get("map_id") == number)
    return Busy(f"{where} already has {who}", owner=who, hint=remedy)


def _no_links(error: KernelError) -> str:
    """Why there can be no link: this kernel has none for such maps; empty when that is not the reason."""
    if error.errno != errno.EINVAL:
        return ""
    from bpfimg.kernel import features

    none = features.has("sockmap-link") is False
    return "without a bpf link: they came for maps of sockets with kernel 6.10" if none else ""


def _explained(error: KernelError, where: str, scene: Scene, number: int) -> AttachError | KernelError:
    if error.errno == errno.EBUSY:
        return Busy(
            f"{where} has a verdict program of the other kind already",
            owner="another program",
            hint="a map takes either sk_skb_verdict or sk_skb_stream_verdict",
        )
    if error.errno in (errno.EOPNOTSUPP, 524):
        return NotSupported(
            f"this kernel cannot attach to {where} (a parser needs CONFIG_BPF_STREAM_PARSER)",
            feature="sockmap",
            errno=error.errno,
        )
    return KernelError(f"cannot attach to {where}: {error}", errno=error.errno, hint=error.hint)

"""What is inconsistent about bpfimg's part of this host, and what mends it. Looking changes nothing."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import KernelError, NotSupported
from bpfimg.kernel import bpffs, features
from bpfimg.kernel import libbpf as libraries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.inspect import Inventory, LinkView, ProgramView
    from bpfimg.load import Host

_ERROR, _WARNING, _NOTE = "error", "warning", "note"
_MENDED = (_WARNING, "bpfimg gc")  # by the next command that changes the host, too
#: what may be wrong with a chain -> how bad that is, and what mends it
_CHAINS = {
    "damaged-chain": (_ERROR, "take it off (XDP: ip link set dev IFACE xdp off), and attach its programs again"),
    "lost-code": (_WARNING, "unload the program, and run its image again"),
    "unshared-chain": _MENDED,
    "unguarded-chain": _MENDED,
    "stale-chain": _MENDED,
    "stale-dispatcher": _MENDED,
}


@value(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    `id` is a stable word. `severity`: error (something does not run that should, or runs unseen), warning (it will
    trouble somebody), note (this host cannot do everything). `where` is a path, a program or a link; `remedy` a command
    or an advice, empty where there is nothing to do.
    """

    id: str
    severity: str
    where: str
    what: str
    remedy: str = ""


def doctor(host: Host) -> tuple[Finding, ...]:
    """Returns what is wrong with this host as bpfimg needs it, the worst first; nothing when all is well."""
    found = [*_library(), *_kernel()]
    try:
        bpffs.require(host.bpffs)
    except KernelError as error:
        found.append(Finding("no-bpffs", _ERROR, host.bpffs, str(error), error.hint))
    else:
        found += _store(host)
    order = (_ERROR, _WARNING, _NOTE)
    return tuple(sorted(found, key=lambda each: order.index(each.severity)))


def _library() -> Iterator[Finding]:
    try:
        libraries.version()
    except (NotSupported, KernelError) as error:
        yield Finding("no-libbpf", _ERROR, "libbpf.so.1", str(error), error.hint)


def _kernel() -> Iterator[Finding]:
    if features.has("btf") is False:
        yield Finding(
            "no-kernel-btf",
            _NOTE,
            "/sys/kernel/btf/vmlinux",
            "this kernel has no BTF: objects that need CO-RE, fentry or kfuncs do not load",
            "use a kernel that was built with CONFIG_DEBUG_INFO_BTF",
        )
    if features.has("tracefs") is False:
        yield Finding(
            "no-tracefs",
            _NOTE,
            "/sys/kernel/tracing",
            "tracefs is not mounted: tracepoints cannot be found",
            "mount -t tracefs tracefs /sys/kernel/tracing",
        )


def _store(host: Host) -> Iterator[Finding]:
    from bpfimg.inspect._kernel._host import host as look

    try:
        inventory = look(host)
    except KernelError as error:
        yield Finding("not-readable", _ERROR, host.directory, str(error), error.hint)
        return
    yield from _directory(host)
    yield from _unfinished(inventory)
    yield from chains(host)
    for view in inventory.programs:
        yield from _program(view)
    for link in inventory.links:
        yield from _link(link)


def chains(host: Host) -> Iterator[Finding]:
    """What is wrong with chains of programs, and with what is pinned of them, in all network namespaces in reach."""
    if not any(os.path.isdir(path) for path in (f"{host.directory}/chains", f"{host.bpffs}/xdp")):
        return
    from bpfimg import dispatcher
    from bpfimg.inspect._kernel import _namespaces, _processes

    unseen: list[str] = []
    places = _namespaces.reachable(_processes.look().networks, unseen)
    for fault in dispatcher.faults(host, {each.inode: each.path for each in places}):
        severity, remedy = _CHAINS[fault.id]
        yield Finding(fault.id, severity, fault.where, fault.what, remedy)


def _directory(host: Host) -> Iterator[Finding]:
    try:
        seen = os.lstat(host.directory)
        names = sorted(os.listdir(host.directory))
    except OSError:
        return  # nothing was loaded yet
    if seen.st_uid not in (0, os.geteuid()) or seen.st_mode & 0o022:
        yield Finding(
            "open-directory",
            _ERROR,
            host.directory,
            f"user {seen.st_uid} owns it, mode {seen.st_mode & 0o777:04o}: others can take our programs off",
            f"chown root:root {host.directory}; chmod 0700 {host.directory}",
        )
    for name in names:
        ours = name == "chains" or name.startswith("tmp-") or (name.isascii() and name.isdigit() and len(name) <= 10)
        if not ours:
            path = f"{host.directory}/{name}"
            yield Finding("not-ours", _WARNING, path, "bpfimg did not make it, and leaves it alone", f"rm -r {path}")


def _unfinished(inventory: Inventory) -> Iterator[Finding]:
    for words in inventory.unfinished:
        path, _, running = words.partition(": ")
        what = f"a change that a killed command left; {running}" if running else "a change that a killed command left"
        yield Finding("unfinished", _ERROR if running else _WARNING, path, what, "bpfimg gc")


def _program(view: ProgramView) -> Iterator[Finding]:
    if view.damage and view.load is not None:
        yield Finding("damaged", _ERROR, f"program {view.id}", view.damage, f"bpfimg unload {view.load}")


def _link(view: LinkView) -> Iterator[Finding]:
    if view.id is None:
        return
    where = f"link {view.id}"
    if view.hook == "damaged" or view.record is None:
        yield Finding("damaged-link", _ERROR, where, "its record cannot be read", f"bpfimg detach {view.id}")
    elif view.state != "attached" and view.position is not None:
        what = f"{view.hook} {view.target}: {view.reason}"
        yield Finding("empty-slot", _ERROR, where, what, "bpfimg gc")
    elif view.state != "attached":
        why = f": {view.reason}" if view.how == "dispatcher" else ": the program does not run there any more"
        what = f"{view.hook} {view.target} is {view.state}{why}"
        yield Finding("stale-link", _WARNING, where, what, f"bpfimg detach {view.id}, or bpfimg gc --stale")
    elif view.moved:
        what = f"{view.hook} {view.target} was moved to another network namespace, and its program with it"
        shared = "; tools of libxdp may not find it there before the chain is changed" if view.protocol else ""
        yield Finding("moved-link", _NOTE, where, what + shared)

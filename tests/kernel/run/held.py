"""What of ours the kernel has: programs, maps, what is attached; and the paths below our directory."""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from bpfimg.errors import KernelError
from bpfimg.kernel import abi, bpf, features, netlink, netns
from tests.support import loads
from tests.support.loads import TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpfimg.kernel import Fd
    from bpfimg.load import Host
    from tests.support.netns import Namespace

T = TypeVar("T")

_SOCKMAP, _VERDICT = abi.MAP_TYPES.index("sockmap"), abi.ATTACH_TYPES.index("sk_msg_verdict")


class Held:
    """Counts what the kernel holds; names of ours begin with `TAG`."""

    def __init__(self, host: Host, ns: Namespace, kind: str = "") -> None:
        self._host, self._ns, self._kind = host, ns, kind
        self._programs = Kept(bpf.program_ids, bpf.program_by_id, _program_name, _is_ours)
        self._maps = Kept(bpf.map_ids, bpf.map_by_id, lambda fd: bpf.map_info(fd).name, _is_ours)
        self._all_links = Kept(
            bpf.link_ids, bpf.link_by_id, lambda fd: bpf.link_info(fd).prog_id, lambda program: bool(_named(program))
        )
        self._table_way = "link" if kind == "struct_ops" and features.has("struct-ops-link") else "attach"

    def __call__(self) -> tuple[int, int, int, int, list[str]]:
        """How many programs, maps, attachments and filters of ours the kernel has, and the paths in our directory."""
        programs = self._programs.found()
        attached = len(self._links(programs)) + len(self._on_maps()) + self._has_table()
        return len(programs), len(self._maps.found()), attached, len(self._filters()), loads.tree(self._host)

    def name(self, program: int) -> str:
        """The name of one of our programs; empty for others."""
        return _named(program)

    def running(self) -> set[tuple[str, int]]:
        """("link", "clsact" or "attach", program id) of all of ours that the kernel has attached; 0 is a table."""
        programs = self._programs.found()
        found = {("link", program) for program in self._links(programs)}
        found |= {("attach", program) for program in self._on_maps()}
        found |= {(self._table_way, 0)} if self._has_table() else set()
        return found | {("clsact", program) for program in self._filters() if program in programs}

    def _links(self, programs: dict[int, str]) -> list[int]:
        return [program for program in self._all_links.found().values() if program in programs]

    def _on_maps(self) -> list[int]:
        """Programs on our maps of sockets."""
        found: list[int] = []
        for number in self._maps.found() if self._kind == "sockmap" else ():
            with suppress(KernelError), bpf.map_by_id(number) as fd:
                if bpf.map_info(fd).type == _SOCKMAP:
                    found += bpf.prog_query(fd.fileno(), _VERDICT)[0]
        return found

    def _has_table(self) -> bool:
        if self._kind != "struct_ops":
            return False
        with open("/proc/sys/net/ipv4/tcp_available_congestion_control", encoding="ascii") as file:
            return f"{TAG}ops" in file.read().split()

    def _filters(self) -> list[int]:
        return [each.prog_id for each in netns.call(self._ns.path, netlink.filters)]


def settled(look: Callable[[], T], expected: T) -> T:
    """What is seen once it is as expected, or after a while: the kernel lets go of what is unpinned a moment later."""
    deadline = time.monotonic() + 10
    while (seen := look()) != expected and time.monotonic() < deadline:
        time.sleep(0.001)
    return seen


class Kept(Generic[T]):
    """Objects of the kernel that are ours; others, of which there may be thousands, are looked at once."""

    def __init__(
        self,
        ids: Callable[[], Iterable[int]],
        by_id: Callable[[int], Fd],
        look: Callable[[Fd], T],
        ours: Callable[[T], bool],
    ) -> None:
        self._ids, self._by_id, self._look, self._ours = ids, by_id, look, ours
        self._foreign: set[int] = set()

    def found(self) -> dict[int, T]:
        """Id -> what was looked at."""
        found = {}
        for number in self._ids():
            if number in self._foreign:
                continue
            try:
                with self._by_id(number) as fd:
                    seen = self._look(fd)
            except KernelError as error:
                if error.errno not in (errno.ENOENT, errno.EAGAIN):  # gone, or not whole yet
                    raise
                continue
            if self._ours(seen):
                found[number] = seen
            else:
                self._foreign.add(number)
        return found


def _is_ours(name: str) -> bool:
    return name.startswith(TAG)


def _named(program: int) -> str:
    """The name of a program of ours; empty for others, for one that has gone, and for 0."""
    with suppress(KernelError), bpf.program_by_id(program) as fd:
        name = _program_name(fd)
        return name if _is_ours(name) else ""
    return ""


def _program_name(fd: Fd) -> str:
    return bpf.program_info(fd, memlock=False).name

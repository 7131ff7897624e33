"""The chains that the kernel itself keeps in order: ours by priority, others where they are, whoever writes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, SlotsFull, UsageError
from bpfimg.kernel import abi, bpf, netlink, netns
from bpfimg.load import hooks
from bpfimg.load._hooks import Tcx
from tests.support import loads, strangers_tc
from tests.support.features import needs

if TYPE_CHECKING:
    from bpfimg.load import Host, Load
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, needs("tcx")]

ROOT = Path(__file__).parents[3]


def run(host: Host, ns: Namespace, name: str, priority: int, result: int = -1) -> Load:
    hook = Tcx(ns.interface, "ingress", priority, ns.path)
    return loads.run(host, loads.tc(name, result), hook, name)


def names(host: Host, ns: Namespace) -> list[str]:
    """The chain: names of our loads, `x` for what others have there."""
    ours = {load.id: load.name for load in host.loads()}
    return [ours.get(program, "x") for program, _ in strangers_tc.links(ns, "ingress")]


def test_ours_go_by_priority_and_others_stay_where_they_are(host: Host, ns: Namespace) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(strangers_tc.program()) for _ in range(2))
        stack.enter_context(strangers_tc.link(ns, "ingress", first))
        run(host, ns, "b50", 50)
        assert names(host, ns) == ["x", "b50"]
        stack.enter_context(strangers_tc.link(ns, "ingress", second))
        assert names(host, ns) == ["x", "b50", "x"]
        run(host, ns, "c50", 50)
        run(host, ns, "d70", 70)
        run(host, ns, "a10", 10)
        run(host, ns, "e60", 60)
        assert names(host, ns) == ["x", "a10", "b50", "c50", "e60", "d70", "x"]
        loads.detach(host, host.find("c50").links[0].id)
        assert names(host, ns) == ["x", "a10", "b50", "e60", "d70", "x"]


def test_programs_without_a_link_stay_too(host: Host, ns: Namespace) -> None:
    with strangers_tc.program() as head, strangers_tc.program() as tail:
        strangers_tc.plain(ns, "ingress", tail)
        run(host, ns, "b50", 50)
        strangers_tc.plain(ns, "ingress", head, strangers_tc.HEAD)
        run(host, ns, "a10", 10)
        run(host, ns, "c90", 90)
        assert names(host, ns) == ["x", "x", "a10", "b50", "c90"]
        assert host.foresee(Tcx(ns.interface, "ingress", 60, ns.path)) == "5th of 6 in the TCX chain"


def test_a_link_of_ours_that_somebody_has_taken_off_is_no_anchor(host: Host, ns: Namespace) -> None:
    lost = run(host, ns, "lost", 60)
    with bpf.get(lost.link_pin(lost.links[0].id)) as link:
        bpf.link_detach(link)
    run(host, ns, "b50", 50)
    run(host, ns, "c70", 70)
    run(host, ns, "a10", 10)
    assert names(host, ns) == ["a10", "b50", "c70"]


def test_the_chain_goes_on_only_after_unspec(host: Host, ns: Namespace) -> None:
    """-1 goes on; each other result is the verdict of the whole chain: that is why a Tcx hook has no proceed-on."""
    behind = run(host, ns, "behind", 90)
    before = loads.hits(behind)
    for result, arrives in ((-1, True), (0, True), (2, False), (3, True)):
        loaded = run(host, ns, "judge", 10, result)
        assert ns.ping() is arrives
        assert loads.hits(loaded) == 1
        assert loads.hits(behind) - before == (1 if result == -1 else 0), result
        before = loads.hits(behind)
        with host.writer() as writer:
            writer.unload(loaded.id)


def test_a_word_for_what_it_cannot_have(ns: Namespace) -> None:
    with pytest.raises(UsageError, match="proceed_on"):
        hooks.from_dict({"kind": "tcx", "interface": ns.interface, "direction": "ingress", "proceed_on": ["ok"]})


def test_its_priority_is_for_the_moment_of_attaching(host: Host, ns: Namespace) -> None:
    """The kernel moves no link: off and on again is another program for a moment, and that is for the user to say."""
    link = run(host, ns, "one", 50).links[0].id
    with host.writer() as writer, pytest.raises(UsageError, match="which moves no link") as caught:
        writer.change(link, priority=10)
    assert "detach it" in caught.value.hint


def test_the_same_program_twice_and_more_than_there_is_room_for(host: Host, ns: Namespace) -> None:
    loaded = run(host, ns, "one", 50)
    again = Tcx(ns.interface, "ingress", 60, ns.path)
    with loads.nothing_left(host), pytest.raises(AttachError, match="TCX takes a program once"):
        loads.attach(host, loaded.id, again)
    with ExitStack() as stack:
        for _ in range(62):
            other = stack.enter_context(strangers_tc.program())
            stack.enter_context(strangers_tc.link(ns, "ingress", other))
        assert len(names(host, ns)) == 63
        for priority in (10, 60):
            with loads.nothing_left(host), pytest.raises(SlotsFull, match="has 63 programs"):
                run(host, ns, "toomany", priority)
        stack.pop_all().close()
    assert names(host, ns) == ["one"]


def test_one_who_never_stops_changing_the_chain_keeps_nobody_out(host: Host, ns: Namespace) -> None:
    stop, changes = threading.Event(), []

    def hammer() -> None:
        with strangers_tc.program() as other:
            index, attach_type = _place(ns)
            while not stop.is_set():
                bpf.link_create(other, index, attach_type, flags=random.choice((0, abi.F_BEFORE))).close()
                changes.append(1)

    prepared = [(f"p{n}", priority) for n, priority in enumerate((50, 10, 90, 50, 30))]
    for name, _ in prepared:
        loads.tc(name)  # compiled before
    thread = threading.Thread(target=netns.call, args=(ns.path, hammer))
    thread.start()
    try:
        for name, priority in prepared:
            run(host, ns, name, priority)
    finally:
        stop.set()
        thread.join()
    assert changes
    assert names(host, ns) == ["p1", "p4", "p0", "p3", "p2"]


_WRITER = """
import sys
from bpfimg.kernel import bpf
from bpfimg.load import Host
from bpfimg.load._hooks import Tcx
from tests.support import loads
bpffs, interface, path, name = sys.argv[1:5]
host, data = Host(bpffs, lock_timeout=60), sys.stdin.buffer.read()
for n, priority in enumerate(map(int, sys.argv[5:])):
    loaded = loads.run(host, data, Tcx(interface, "ingress", priority, path), f"{name}-{n}-{priority}")
    if n == 2:
        with host.writer() as writer:
            writer.unload(loaded.id)
"""

_STRANGER = """
import random, struct, sys
from bpfimg.errors import KernelError
from bpfimg.kernel import abi, bpf, netlink, netns
from tests.support import strangers_tc
interface, path, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
chance = random.Random(seed)
def work():
    index = netlink.interface_index(interface)
    kept = []
    for n in range(400):
        program = strangers_tc.program(name=f"x{seed}_{n}")
        _, links, _ = bpf.prog_query(index, abi.ATTACH_TCX_INGRESS)
        known = [each for each in links if each]
        flags, anchor = chance.choice(((0, 0), (abi.F_BEFORE, 0), (abi.F_AFTER, 1), (abi.F_BEFORE, 1)))
        if anchor:
            if not known:
                continue
            flags, anchor = flags | abi.F_LINK | abi.F_ID, chance.choice(known)
        try:
            link = bpf.link_create(program, index, abi.ATTACH_TCX_INGRESS, flags=flags,
                                   extra=struct.pack("=IIQ", anchor, 0, 0))
        except KernelError as error:
            assert error.errno == 2, error  # its anchor has gone
            program.close()
            continue
        program.close()
        if n < 5:
            kept.append(link)
        else:
            link.close()
    print(len(kept), flush=True)
    sys.stdin.read()
netns.call(path, work)
"""


def test_many_writers_of_one_chain(host: Host, ns: Namespace) -> None:
    """Six of ours and three others attach and detach at once: each success is there, ours in the order of priorities,
    those of one priority in the order in which they came."""
    data, chance = loads.tc("crowd"), random.Random(8)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with ExitStack() as stack:
        others = [
            stack.enter_context(_python(_STRANGER, [ns.interface, ns.path, str(seed)], environ)) for seed in range(3)
        ]
        ours = []
        for n in range(6):
            wanted = [str(chance.choice((10, 20, 30))) for _ in range(4)]
            words = [host.bpffs, ns.interface, ns.path, f"w{n}", *wanted]
            process = stack.enter_context(_python(_WRITER, words, environ))
            assert process.stdin is not None
            process.stdin.write(data)
            process.stdin.close()
            ours.append(process)
        for process in ours:
            assert process.stdout is not None
            assert process.wait(120) == 0, process.stdout.read()
        for process in others:
            assert process.stdout is not None
            assert process.stdout.readline().strip().isdigit()
        _check_order(host, ns)
        for process in others:
            process.communicate()


def _check_order(host: Host, ns: Namespace) -> None:
    found = strangers_tc.links(ns, "ingress")
    ours = {load.id: load for load in host.loads()}
    assert len(ours) == 18, "three of the four of each writer stay"
    there = [ours[program] for program, _ in found if program in ours]
    assert len(there) == len(ours)
    priorities = [load.links[0].priority or 0 for load in there]
    assert priorities == sorted(priorities)
    for priority in set(priorities):
        same = [load.links[0] for load in there if load.links[0].priority == priority]
        # the ids of our links grow in the order in which they were attached, which the lock has put them in
        assert [link.id for link in same] == sorted(link.id for link in same)


def _python(code: str, words: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    argv = ["nice", sys.executable, "-W", "ignore", "-c", code, *words]
    return subprocess.Popen(
        argv, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def _place(ns: Namespace) -> tuple[int, int]:
    return netlink.interface_index(ns.interface), strangers_tc.ATTACH_TYPES["ingress"]

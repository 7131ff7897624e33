"""What the command says of a host: chains in running order, statistics, what may not be seen. It changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.errors import KernelError
from bpfimg.kernel import abi, bpf, netlink, netns
from bpfimg.load import Host
from bpfimg.load._hooks import Tc, Xdp
from tests.support import loads
from tests.support.cli import Cli
from tests.support.features import native, needs
from tests.support.netns import bpffs, namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, needs("bpffs", "xdp")]
STATS = Path("/proc/sys/kernel/bpf_stats_enabled")


@pytest.fixture
def host() -> Iterator[Host]:
    with bpffs() as mount:
        found = Host(mount, lock_timeout=5)
        yield found
        loads.clear(found)
        assert loads.programs_left() == []


@pytest.fixture
def ns() -> Iterator[Namespace]:
    with namespace() as found:
        yield found


@pytest.fixture
def cli(host: Host, tmp_path: Path) -> Cli:
    return Cli(tmp_path, {"BPFIMG_BPFFS": host.bpffs})


@needs("tcx")
def test_the_chain_on_an_interface_is_shown_in_running_order(host: Host, ns: Namespace, cli: Cli) -> None:
    loaded = loads.run(host, loads.xdp(), Xdp(ns.interface, netns=ns.path))
    mine = loads.run(host, loads.tc(), Tc(ns.interface, "ingress", netns=ns.path), name="mine")
    index = netns.call(ns.path, netlink.interface_index, ns.interface)
    with bpf.prog_load_trivial(abi.PROG_TYPE_SCHED_CLS) as foreign:
        flags, before = abi.F_BEFORE, abi.ATTACH_TCX_INGRESS
        with netns.call(ns.path, bpf.link_create, foreign, index, before, flags=flags):
            number = bpf.program_info(foreign).id
            status = cli.json("status", "status", ns.interface, "--netns", ns.name)["status"]
            xdp, tcx = status
            assert (xdp["hook"], xdp["interface"], xdp["netns"]) == ("xdp", ns.interface, ns.path)
            assert [each["program"]["id"] for each in xdp["chain"]] == [loaded.id]
            assert (tcx["hook"], tcx["direction"]) == ("tcx", "ingress")
            chain = [(each["program"]["id"], each["application"], each["link"]["position"]) for each in tcx["chain"]]
            assert chain == [(number, None, 0), (mine.id, "mine", 1)]
            text = cli("status", ns.interface, "--netns", ns.name).stdout
            places = [text.index(str(each)) for each in (loaded.id, number, mine.id)]
            assert places == sorted(places)
            assert f"{ns.interface} in {ns.name}" in text
            assert cli("status", "-q", ns.interface, "--netns", ns.name).stdout.count("\n") == 2
    error = cli.error("status", "nothere0", "--netns", ns.name, expect=1)
    assert "no interface" in error["message"]


def test_statistics_are_counted_for_a_time_and_then_not_any_longer(host: Host, ns: Namespace, cli: Cli) -> None:
    loaded = loads.run(host, loads.xdp(), Xdp(ns.interface, netns=ns.path))
    before = STATS.read_text()
    ping = ["nsenter", f"--net=/var/run/netns/{ns.peer}", "ping", "-n", "-q", "-i", "0.01", "-w", "30", ns.address]
    with subprocess.Popen(ping, stdout=subprocess.DEVNULL) as pinging:
        try:
            (entry,) = cli.json("programs", "list", "--stats", "0.5")["programs"]
        finally:
            pinging.kill()
    sample = entry["sample"]
    assert sample["seconds"] >= 0.5
    assert sample["runs"] > 0
    assert sample["run_time"] > 0
    assert sample["mean"] * sample["runs"] == pytest.approx(sample["run_time"], rel=0.01)
    assert STATS.read_text() == before
    info = inspect.host(host).programs[0].info
    ns.ping()
    after = inspect.host(host).programs[0].info
    assert info is not None
    assert after is not None
    assert (info.id, info.run_count) == (loaded.id, after.run_count)
    assert "RUNS/S" in cli("list", "--stats", "0.01").stdout
    cli.error("list", "--stats", "never", expect=2)


def test_a_foreign_program_is_shown_in_full(host: Host, ns: Namespace, cli: Cli) -> None:
    foreign = bpf.prog_load_trivial(abi.PROGRAM_TYPES.index("raw_tracepoint"))
    with foreign, bpf.raw_tracepoint_open("mm_vmscan_kswapd_wake", foreign) as link:
        number = bpf.program_info(foreign).id
        text = cli("get", str(number)).stdout
        assert "raw_tracepoint mm_vmscan_kswapd_wake" in text
        assert f"kernel link {bpf.link_info(link).id}, link" in text
        assert f"({os.getpid()})" in text
        (entry,) = cli.json("programs", "get", str(number))["programs"]
        assert (entry["managed"], entry["links"][0]["state"]) == (False, "attached")


def test_links_are_chosen_by_the_word_of_their_hook(host: Host, ns: Namespace, cli: Cli) -> None:
    mine = loads.run(host, loads.xdp(), Xdp(ns.interface, netns=ns.path))
    foreign = bpf.prog_load_trivial(abi.PROGRAM_TYPES.index("raw_tracepoint"))
    with foreign, bpf.raw_tracepoint_open("mm_vmscan_kswapd_wake", foreign):
        number = bpf.program_info(foreign).id
        for words, wanted in ((("--type", "xdp"), mine.id), (("--type", "raw_tracepoint"), number)):
            found = {each["program_id"] for each in cli.json("links", "links", "--all", *words)["links"]}
            assert found & {mine.id, number} == {wanted}
        found = {each["program_id"] for each in cli.json("links", "links", "--all", "--application", "app")["links"]}
        assert found & {mine.id, number} == {mine.id}


def test_ours_say_where_they_are_in_the_chain_on_request(host: Host, ns: Namespace, cli: Cli) -> None:
    loaded = loads.run(host, loads.xdp(), Xdp(ns.interface, netns=ns.path))
    assert "position" not in cli("get", str(loaded.id)).stdout
    assert "position:" in cli("get", "--all", str(loaded.id)).stdout


def test_a_link_that_was_taken_off_says_why_it_is_stale(host: Host, ns: Namespace, cli: Cli) -> None:
    loads.run(host, loads.xdp(), Xdp(ns.interface, netns=ns.path))
    ns.exec(["ip", "link", "del", ns.interface])
    (entry,) = cli.json("links", "links")["links"]
    assert entry["state"] == "stale"
    assert entry["reason"] == "its interface has gone, or it was detached by force"
    assert f"stale: {entry['reason']}" in cli("links").stdout


def test_names_of_others_do_not_drive_the_terminal(host: Host, cli: Cli) -> None:
    """A process may call itself what it likes."""
    code = "import sys; open('/proc/self/comm','wb').write(b'\\x1b[31m\\nx'); print(flush=True); sys.stdin.read()"
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP) as program:
        argv = [sys.executable, "-I", "-S", "-c", code]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "pass_fds": (program.fileno(),)}
        with subprocess.Popen(argv, **pipes) as process:  # type: ignore[call-overload]
            assert process.stdout is not None
            process.stdout.readline()
            try:
                text = cli("list", "--all").stdout + cli("get", str(bpf.program_info(program).id)).stdout
            finally:
                process.kill()
    assert f"({process.pid})" in text
    assert "\x1b" not in text


def test_what_may_not_be_seen_is_said_with_the_capability_that_it_takes(host: Host) -> None:
    """By a process that has given its capabilities away; the descriptors of others are closed to it, too."""
    code = (
        "import os; os.setgroups([]); os.setuid(65534)\n"
        "from bpfimg import inspect\nfrom bpfimg.load import Host\n"
        f"try: inspect.host(Host({host.bpffs!r}), all=True)\n"
        "except Exception as error: print(type(error).__name__, error, error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "KernelError" in done.stdout, done.stderr
    assert "missing: CAP_SYS_ADMIN" in done.stdout


@pytest.mark.alone
def test_looking_changes_nothing_and_leaks_nothing(host: Host, ns: Namespace) -> None:
    loads.run(host, loads.xdp(), Xdp(ns.interface, netns=ns.path))
    inspect.host(host, all=True, maps=True, types=True)
    with loads.nothing_left(host):
        for _ in range(5):
            inspect.host(host, all=True, maps=True, types=True)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@native("two processes race for a second; a guest has one processor")
def test_programs_that_come_and_go_meanwhile_do_no_harm(host: Host) -> None:
    code = (
        "from bpfimg.kernel import bpf, abi\nprint(flush=True)\n"
        "while True:\n"
        " with bpf.prog_load_trivial(17) as p, bpf.raw_tracepoint_open('mm_vmscan_kswapd_wake', p): pass\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            for _ in range(6):
                found = inspect.host(host, all=True, maps=True, types=True)
                known = {view.id for view in found.programs}
                assert all(view.program_id in known for view in found.links if view.program_id)
        finally:
            process.kill()


def test_all_is_listed_where_bpffs_is_not_mounted(tmp_path: Path) -> None:
    with pytest.raises(KernelError):
        inspect.host(Host(str(tmp_path)))
    found = inspect.host(Host(str(tmp_path)), all=True)
    assert any("is not a BPF filesystem" in line for line in found.unseen)


def test_lists_of_types_keep_to_their_schemas(cli: Cli) -> None:
    assert any(each["name"] == "vmlinux" for each in cli.json("btf", "list", "--btf")["btf"])
    cli.json("struct-ops", "list", "--struct-ops")
    cli.error("list", "--btf", "--struct-ops", expect=2)

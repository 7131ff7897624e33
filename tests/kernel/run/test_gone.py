"""What a link is on goes away under it: a listing says so, detach and unload go through."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect, load, run
from bpfimg.load._hooks import Cgroup, Tc, Tcx, Uprobe, Xdp
from tests.kernel.run.held import settled
from tests.support import loads
from tests.support.features import needs
from tests.support.loads import TAG
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bpfimg.load import Hook, Host, Load

pytestmark = pytest.mark.kernel

_PROGRAMS = {
    "cgroup": f'SEC("cgroup_skb/ingress") int {TAG}g(void *ctx) {{ return 1; }}',
    "uprobe": f'SEC("uprobe") int {TAG}u(void *ctx) {{ return 0; }}',
}


def program(kind: str) -> bytes:
    if kind == "xdp":
        return loads.xdp()
    if kind in _PROGRAMS:
        return compile_source(_PROGRAMS[kind] + 'char LICENSE[] SEC("license") = "GPL";')
    return loads.tc()


@contextmanager
def interface(kind: str) -> Iterator[tuple[Hook, Callable[[], None]]]:
    with loads.doomed_namespace() as ns:
        yield _net(kind, ns.interface, ns.path), lambda: loads.sh("ip", "-n", ns.name, "link", "del", ns.interface)


@contextmanager
def namespace(kind: str) -> Iterator[tuple[Hook, Callable[[], None]]]:
    with loads.doomed_namespace() as ns:
        yield _net(kind, ns.interface, ns.path), lambda: loads.sh("ip", "netns", "del", ns.name)


@contextmanager
def container(kind: str) -> Iterator[tuple[Hook, Callable[[], None]]]:
    """A process with network and mounts of its own, as a container has them; the hook knows it by its process."""
    argv = [
        "unshare",
        "--net",
        "--mount",
        "sh",
        "-c",
        "ip link add veth0a type veth peer name veth0b && echo && exec cat",
    ]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        def end() -> None:
            process.kill()
            process.wait()

        try:
            yield _net(kind, "veth0a", f"/proc/{process.pid}/ns/net"), end
        finally:
            end()


def _net(kind: str, name: str, path: str) -> Hook:
    if kind == "xdp":
        return Xdp(name, netns=path)
    return (Tcx if kind == "tcx" else Tc)(name, "ingress", netns=path)


@pytest.mark.parametrize("verb", ["detach", "unload"])
@pytest.mark.parametrize("place", [interface, namespace, container])
@pytest.mark.parametrize("kind", ["xdp", "tcx", "clsact"])
def test_the_network_goes(kind: str, place: Callable[..., object], verb: str, host: Host) -> None:
    if kind == "tcx":
        needs("tcx")
    host.tc = "clsact" if kind == "clsact" else "auto"
    with ExitStack() as stack:
        hook, remove = stack.enter_context(place(kind))  # type: ignore[arg-type]
        goes(host, program(kind), hook, remove, verb)


@pytest.mark.parametrize("verb", ["detach", "unload"])
def test_the_control_group_goes(verb: str, host: Host) -> None:
    needs("cgroup", "cgroup-link")
    from bpfimg.kernel import cgroups

    path = f"{cgroups.mount()}/bpfimg-{os.getpid()}-gone"
    os.mkdir(path)
    try:
        goes(host, program("cgroup"), Cgroup(path), lambda: os.rmdir(path), verb)
    finally:
        if os.path.isdir(path):
            os.rmdir(path)


@pytest.mark.parametrize("verb", ["detach", "unload"])
def test_the_traced_file_goes(verb: str, host: Host, tmp_path: Path) -> None:
    needs("uprobe")
    target = tmp_path / "target"
    shutil.copy("/bin/true", target)
    entry = struct.unpack_from("<Q", target.read_bytes(), 24)[0]  # of a file that is mapped as it lies
    hook = Uprobe(str(target), offset=entry)
    goes(host, program("uprobe"), hook, target.unlink, verb)


def goes(host: Host, data: bytes, hook: Hook, remove: Callable[[], None], verb: str) -> None:
    """A bystander of the same host keeps running; what is listed afterwards is not said to be attached."""
    loaded = loads.run(host, data, hook)
    number = loaded.links[0].id
    bystander: Load = loads.only_load(host, loads.xdp("stays"), "stays")
    assert [view.state for view in inspect.host(host).links] == ["attached"]
    remove()
    # The kernel takes namespaces and control groups down behind the scenes.
    seen = settled(
        lambda: [(view.id, view.state == "attached") for view in inspect.host(host).links], [(number, False)]
    )
    assert seen == [(number, False)]
    assert load.Host(host.bpffs).loads()[0].links, "still listed: it is ours to take away"
    if verb == "detach":
        run.detach(host, number)
        assert inspect.host(host).links == ()
    run.unload(host, loaded.id)
    assert [each.id for each in host.loads()] == [bystander.id]

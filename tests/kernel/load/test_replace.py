"""One load in the place of another: the same kernel links, no moment without a program, and no half of it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, Busy, Error, KernelError
from bpfimg.kernel import bpf
from bpfimg.load import Host, Load, Origin, _replace, prepare
from bpfimg.load._hooks import Tc, Tcx, Tracepoint, Xdp
from tests.support import loads
from tests.support.features import needs
from tests.support.netns import tracefs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpfimg.load import Hook
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel


def put(host: Host, data: bytes, hooks: Sequence[Hook], old: Load | None, *, allow_gap: bool = False) -> Load:
    with prepare(data, name="app", hooks=[(None, hook) for hook in hooks]) as prepared:
        prepared.load()
        with host.writer() as writer:
            return writer.bring(prepared, Origin("app"), replaces=old, allow_gap=allow_gap)


def kernel_links(load: Load) -> list[tuple[int, int]]:
    """(kernel id, program) of each link of a load."""
    found = []
    for link in load.links:
        with bpf.get(load.link_pin(link.id)) as fd:
            info = bpf.link_info(fd)
            found.append((info.id, info.prog_id))
    return found


def hooks(ns: Namespace) -> tuple[Hook, ...]:
    return Xdp(ns.interface, netns=ns.path), Tcx(ns.interface, "egress", netns=ns.path)


def both(name: str) -> bytes:
    from tests.support.objects import compile_source

    text = loads._COUNTER
    for section, result in (("xdp", 2), ("tc", -1)):
        text += f'SEC("{section}") int {loads.TAG}{name}_{section}(void *ctx) {{ hit(); return {result}; }}\n'
    return compile_source(text)


@needs("tcx")
def test_links_are_taken_over(host: Host, ns: Namespace) -> None:
    old = put(host, both("old"), hooks(ns), None)
    before = kernel_links(old)
    assert ns.ping(1)
    new = put(host, both("new"), hooks(ns), old)
    after = kernel_links(new)
    assert [number for number, _ in after] == [number for number, _ in before]
    assert {program for _, program in after} == set(new.program_ids)
    assert [load.id for load in host.loads()] == [new.id]
    assert not os.path.exists(old.path)
    assert ns.ping(2)
    assert loads.hits(new) == 4  # two packets, seen by two programs each
    assert host.unfinished() == ()


def test_a_tracepoint_is_attached_beside_the_old_one_first(host: Host) -> None:
    with tracefs():
        hook = Tracepoint("syscalls", "sys_enter_getpid")
        old = put(host, loads.tracepoint("old"), [hook], None)
        new = put(host, loads.tracepoint("new"), [hook], old)
        os.getppid()
        assert [load.id for load in host.loads()] == [new.id]
        assert kernel_links(new)[0][1] == new.id


def test_a_priority_may_change_on_the_way(host: Host, ns: Namespace) -> None:
    old = put(host, loads.xdp("old"), [Xdp(ns.interface, netns=ns.path)], None)
    new = put(host, loads.xdp("new"), [Xdp(ns.interface, 7, netns=ns.path)], old)
    assert [link.priority for link in new.links] == [7]


def test_clsact_filters_follow_each_other(host: Host, ns: Namespace) -> None:
    host.tc = "clsact"
    hook = Tc(ns.interface, "ingress", netns=ns.path)
    old = put(host, loads.tc("old"), [hook], None)
    new = put(host, loads.tc("new"), [hook], old)
    assert loads.attached(ns) == {("clsact ingress", new.id)}
    assert [load.id for load in host.loads()] == [new.id]


def test_what_cannot_be_attached_leaves_all_as_it_was(host: Host, ns: Namespace) -> None:
    old = put(host, loads.xdp("old"), [Xdp(ns.interface, netns=ns.path)], None)
    before = kernel_links(old)
    with loads.nothing_left(host), pytest.raises(AttachError):
        put(host, loads.xdp("new"), [Xdp(ns.interface, netns=ns.path), Xdp("nothere", netns=ns.path)], old)
    assert [load.id for load in host.loads()] == [old.id]
    assert kernel_links(old) == before


def test_another_mode_is_busy_unless_a_gap_is_allowed(host: Host, ns: Namespace) -> None:
    old = put(host, loads.xdp("old"), [Xdp(ns.interface, netns=ns.path)], None)
    generic = Xdp(ns.interface, mode="generic", netns=ns.path)
    with pytest.raises((Busy, KernelError)) as caught:
        put(host, loads.xdp("new"), [generic], old)
    assert "gap" in caught.value.hint
    assert [load.id for load in host.loads()] == [old.id]
    new = put(host, loads.xdp("new"), [generic], old, allow_gap=True)
    assert [load.id for load in host.loads()] == [new.id]


def test_what_has_gone_cannot_be_replaced(host: Host) -> None:
    old = loads.only_load(host, loads.xdp("old"))
    with host.writer() as writer:
        writer.unload(old.id)
    with pytest.raises(Error, match="is not there any more"):
        put(host, loads.xdp("new"), [], old)
    assert host.loads() == ()


@needs("tcx")
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("at", ["exchange 1", "exchange 2", "finish", "unpin"])
def test_a_writer_that_ends_in_the_middle(
    host: Host, ns: Namespace, at: str, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a child that ends at once: the next writer goes back, or on; nobody's program is missing.

    Neither of a first replacement, nor when what is replaced has taken another's place itself.
    """
    old = put(host, both("old"), hooks(ns), None if first else put(host, both("older"), hooks(ns), None))
    before = kernel_links(old)
    child = os.fork()
    if not child:
        with suppress(BaseException):
            _die(at, monkeypatch)
            put(host, both("new"), hooks(ns), old)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    (seen,) = host.loads()
    forward = at in ("finish", "unpin")
    assert (seen.id != old.id) == forward
    with host.writer():
        pass
    (load,) = host.loads()
    assert load.id == seen.id
    links = kernel_links(load)
    assert [number for number, _ in links] == [number for number, _ in before]
    assert {program for _, program in links} == set(load.program_ids)
    assert host.unfinished() == ()
    assert ns.ping(1)
    assert len(os.listdir(host.directory)) == 1


def _die(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(*_: object) -> None:
        os._exit(9)

    if at == "finish":
        monkeypatch.setattr("bpfimg.load._writer.finish", end)
    elif at == "unpin":
        _after(monkeypatch, _replace.bpffs, "unlink", 2, end)
    else:
        _after(monkeypatch, _replace.bpf, "link_update", int(at[-1]), end)


def _after(monkeypatch: pytest.MonkeyPatch, place: object, name: str, number: int, end: Callable[[], None]) -> None:
    calls = []
    real = getattr(place, name)

    def counted(*given: object) -> object:
        calls.append(given)
        if len(calls) == number:
            end()
        return real(*given)

    monkeypatch.setattr(place, name, counted)

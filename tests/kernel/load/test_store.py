"""The state in bpffs: groups, names, what others do to it, and each state that a killed writer can leave."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect, load
from bpfimg.errors import BytecodeError, Error, KernelError, LockTimeout, UsageError, VerifierError
from bpfimg.kernel import bpf, bpffs, features, libbpf, netlink, netns
from bpfimg.load import Host
from bpfimg.load._hooks import Tc, Xdp
from tests.support import loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel


def xdp(host: Host, ns: Namespace, name: str = "app") -> load.Load:
    return loads.run(host, loads.xdp(), Xdp(ns.interface, netns=ns.path), name)


def test_programs_of_one_object_share_maps_and_go_together(host: Host, ns: Namespace) -> None:
    loaded = loads.only_load(host, loads.several())
    assert loaded.record is not None
    assert [program.name.removeprefix(loads.TAG) for program in loaded.record.programs] == ["a", "b", "c"]
    assert loaded.id == loaded.program_ids[0]
    views = inspect.host(host).programs
    assert [view.id for view in views] == list(loaded.program_ids)
    assert len({view.map_ids for view in views}) == 1
    link = loads.attach(host, loaded.program_ids[1], Xdp(ns.interface, netns=ns.path))
    assert link.program_id == loaded.program_ids[1], "a program's own id chooses it"
    other = loads.attach(host, loaded.id, Tc(ns.interface, "ingress", netns=ns.path))
    assert other.program_id == loaded.program_ids[2], "the one that fits is found"
    with host.writer() as writer:
        gone = writer.unload(loaded.program_ids[2])
    assert gone.program_ids == loaded.program_ids
    assert loads.tree(host) == []
    assert loads.attached(ns) == set()


def test_attach_asks_which_program_when_several_fit(host: Host, ns: Namespace) -> None:
    loaded = loads.only_load(host, loads.several(), name="app")
    hook = Xdp(ns.interface, netns=ns.path)
    with host.writer() as writer:
        with pytest.raises(UsageError, match="2 programs of 'app' fit") as caught:
            writer.attach("app", hook)
        assert f"{loads.TAG}a (xdp, id {loaded.id})" in caught.value.hint
        _, link = writer.attach("app", hook, program=f"{loads.TAG}b")
    assert link.program_id == loaded.program_ids[1]


def test_only_the_wanted_programs_are_loaded(host: Host) -> None:
    data = loads.several()
    assert len(loads.only_load(host, data, programs=(f"{loads.TAG}d", f"{loads.TAG}a")).program_ids) == 2
    assert [load.record.programs[0].name for load in host.loads() if load.record] == [f"{loads.TAG}d"]
    with pytest.raises(UsageError, match="no program 'zz'"):
        loads.only_load(host, data, programs=("zz",))


def test_find_and_unload_by_name_only_when_it_is_one(host: Host) -> None:
    first, second = loads.only_load(host, loads.xdp(), "twin"), loads.only_load(host, loads.xdp(), "twin")
    lone = loads.only_load(host, loads.xdp(), "lone")
    assert host.find("lone").id == host.find(str(lone.id)).id == host.find(lone.id).id == lone.id
    with host.writer() as writer:
        with pytest.raises(UsageError, match="2 programs are called 'twin'") as caught:
            writer.unload("twin")
        assert caught.value.hint == f"give an id: {first.id}, {second.id}"
        for word in ("nobody", "4294967295", 4294967295):
            with pytest.raises(Error, match="bpfimg has loaded no program"):
                writer.unload(word)
        with pytest.raises(Error, match="bpfimg has no link 4294967295"):
            writer.detach(4294967295)
        writer.unload("lone")
    assert {load.id for load in host.loads()} == {first.id, second.id}


def test_globals_reach_the_program(host: Host, ns: Namespace) -> None:
    hook = Xdp(ns.interface, netns=ns.path)
    with load.prepare(loads.xdp(), name="app", hook=hook, globals={"step": "010"}) as prepared:
        prepared.load()
        with host.writer() as writer:
            loaded = writer.run(prepared, load.Origin("app", metadata={"team": "net"}), hook)
    assert ns.ping(2)
    assert loads.hits(loaded) == 20
    record = host.loads()[0].record
    assert record is not None
    assert (record.globals, record.metadata) == ({"step": "010"}, {"team": "net"})


@pytest.mark.parametrize(
    ("globals_", "words"),
    [({"steps": "1"}, "no global 'steps'"), ({"step": "-1"}, "0 to 4294967295"), ({"step": "x"}, "takes a number")],
)
def test_a_wrong_global_stops_before_the_kernel_is_asked(globals_: dict[str, str], words: str, host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(UsageError, match=words) as caught:
        load.prepare(loads.xdp(), name="app", globals=globals_)
    assert "__u32" in f"{caught.value} {caught.value.hint}"


def test_what_the_verifier_refuses_leaves_nothing(host: Host, ns: Namespace) -> None:
    hook = Xdp(ns.interface, netns=ns.path)
    with loads.nothing_left(host), pytest.raises(VerifierError) as caught:
        loads.run(host, loads.refused(), hook)
    assert caught.value.program == f"{loads.TAG}bad"
    assert caught.value.log


def test_bytes_that_are_no_object(host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(BytecodeError, match="not an ELF file"):
        load.prepare(b"#!/bin/sh", name="app")
    with loads.nothing_left(host), pytest.raises(BytecodeError):
        load.prepare(loads.xdp()[:700], name="app")


def test_an_error_inside_the_writer_leaves_nothing(host: Host, ns: Namespace) -> None:
    """The record cannot be written: too large. Everything before it is undone."""
    metadata = {str(number): "x" * 1024 for number in range(80)}
    hook = Xdp(ns.interface, netns=ns.path)
    with host.writer():
        pass
    with loads.nothing_left(host), load.prepare(loads.xdp(), name="app", hook=hook) as prepared:
        prepared.load()
        with host.writer() as writer:
            with pytest.raises(UsageError, match="expected at most 65536"):
                writer.run(prepared, load.Origin("app", metadata=metadata), hook)
            with pytest.raises(UsageError, match="expected at most 65536"):
                writer.load(prepared, load.Origin("app", metadata=metadata))
        assert loads.attached(ns) == set()
    loaded = loads.only_load(host, loads.xdp())
    with loads.nothing_left(host), host.writer() as writer, pytest.raises(UsageError, match="expected at most 65536"):
        writer.attach(loaded.id, hook, metadata=metadata)
    assert loads.attached(ns) == set()


def test_the_commit_that_fails_is_undone(host: Host, ns: Namespace) -> None:
    """For clsact the filter is on the device before the last pin is made: what if that pin cannot be made?"""
    from bpfimg.load import _attach

    host.tc = "clsact"
    hook = Tc(ns.interface, "ingress", netns=ns.path)
    loaded = loads.only_load(host, loads.tc())
    with loads.nothing_left(host), bpf.get(loaded.program_pins()[0]) as program:
        attachment = _attach.attach(
            _attach.Loaded(program.fileno(), loaded.id, "x"), hook, _attach.Scene("clsact", host.loads())
        )
        attachment.pin = 0  # standard input is nothing that can be pinned
        from bpfimg.load._publish import publish_link

        with pytest.raises(KernelError, match="pin"):
            publish_link(host, loaded.path, attachment, {})
        assert loads.attached(ns) == set()


def test_a_writer_is_of_no_use_after_its_lock(host: Host) -> None:
    with host.writer() as writer:
        pass
    with pytest.raises(Error, match="lock has been given back"):
        writer.unload(1)


def test_a_second_writer_waits_and_then_gives_up_by_name(host: Host) -> None:
    impatient = Host(host.bpffs, lock_timeout=0)
    with host.writer(), pytest.raises(LockTimeout, match=f"process {os.getpid()}"), impatient.writer():
        pass
    with impatient.writer():
        pass


def test_readers_change_nothing_and_need_no_directory(host: Host) -> None:
    assert host.loads() == ()
    assert inspect.host(host, maps=True).programs == ()
    assert not os.path.exists(host.directory)


def test_without_bpffs_both_say_how_to_mount_it(tmp_path: object) -> None:
    host = Host(str(tmp_path))
    for use in (host.loads, host.unfinished, lambda: host.writer().__enter__()):
        with pytest.raises(KernelError, match="is not a BPF filesystem") as caught:
            use()
        assert "mount -t bpf bpf" in caught.value.hint
    assert os.listdir(str(tmp_path)) == []


def test_the_directory_is_for_root_alone(host: Host) -> None:
    loaded = loads.only_load(host, loads.xdp())
    for path in (host.directory, loaded.path, f"{loaded.path}/links"):
        assert os.stat(path).st_mode & 0o777 == 0o700


def test_maps_that_ask_to_be_pinned_by_name_are_pinned_with_their_load_only(host: Host) -> None:
    from tests.support.objects import compile_source

    data = compile_source(
        "struct { __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64);"
        ' __uint(pinning, 1); } shared SEC(".maps");'
        f'SEC("xdp") int {loads.TAG}pin(void *c)'
        " { __u32 k = 0; return ((void *(*)(void *, void *))1)(&shared, &k) ? 2 : 1; }"
    )
    before = os.listdir("/sys/fs/bpf")
    first, second = loads.only_load(host, data), loads.only_load(host, data)
    assert os.listdir("/sys/fs/bpf") == before
    assert first.record is not None
    assert second.record is not None
    assert first.record.maps[0] != second.record.maps[0]
    assert os.path.exists(f"{first.path}/map-shared")


def test_names_that_bpffs_does_not_take(host: Host) -> None:
    from tests.support.objects import compile_source

    long = loads.TAG + "n" * 230
    loaded = loads.only_load(
        host, compile_source(f'SEC("xdp") int {long}(void *c) {{ return 2; }}'), "dots . and / ümläut"
    )
    assert host.find("dots . and / ümläut").id == loaded.id
    (view,) = inspect.host(host).programs
    assert (view.name, view.damage) == (long, "")
    assert os.path.basename(view.pin) == f"prog-{loaded.id}"


# What others do to our directory.


def test_strangers_in_our_directory_are_left_alone(host: Host) -> None:
    with host.writer():
        pass
    for name in ("notes", "0x1", "-1", "link", "\uff11"):
        bpffs.make_directory(f"{host.directory}/{name}")
    # numbers that no program has: the first ones of a fresh kernel are soon used
    bpffs.make_directory(f"{host.bpffs}/elsewhere")  # never a real place: the tests run as root
    os.symlink(f"{host.bpffs}/elsewhere", f"{host.directory}/4294967123")
    bpffs.make_directory(f"{host.directory}/4294967124")
    bpffs.make_directory(f"{host.directory}/4294967125")
    bpffs.make_directory(f"{host.directory}/4294967125/links")
    bpffs.make_directory(f"{host.directory}/4294967125/links/x")
    loaded = loads.only_load(host, loads.xdp())
    found = {load.id: load for load in host.loads()}
    assert loaded.id in found
    assert all(found[number].damage for number in found if number != loaded.id)
    inspect.host(host, all=True, maps=True)
    for name in ("notes", "0x1", "-1", "link", "\uff11"):
        os.rmdir(f"{host.directory}/{name}")
    os.unlink(f"{host.directory}/4294967123")


def test_symbolic_links_lead_nowhere(host: Host, ns: Namespace) -> None:
    """What a link in our directory leads to is not ours: it is not listed, and nothing in it is removed."""
    loaded = xdp(host, ns)
    other = f"{host.bpffs}/other"
    os.rename(loaded.path, other)
    before = sorted(os.walk(other))
    number = loaded.id
    for name in (str(number), "tmp-999999999-abc", "4294967123"):
        os.symlink(other, f"{host.directory}/{name}")
    assert host.loads() == ()
    inspect.host(host, all=True, maps=True)
    with host.writer() as writer, pytest.raises(Error):
        writer.unload(number)
    assert not os.path.lexists(f"{host.directory}/tmp-999999999-abc"), "swept, as a link"
    second = loads.only_load(host, loads.xdp())
    for name in ("4294967124", str(loaded.links[0].id)):
        os.symlink(f"{other}/links/{loaded.links[0].id}", f"{second.path}/links/{name}")
    with host.writer() as writer:
        writer.unload(second.id)
    assert sorted(os.walk(other)) == before
    assert len(loads.attached(ns)) == 1
    os.unlink(f"{host.directory}/{number}")
    os.unlink(f"{host.directory}/4294967123")
    os.rename(other, loaded.path)


def test_a_tree_that_is_a_link_is_not_followed(host: Host) -> None:
    loaded = loads.only_load(host, loads.xdp())
    os.symlink(loaded.path, f"{host.bpffs}/tree")
    before = sorted(os.walk(loaded.path))
    bpffs.remove_tree(f"{host.bpffs}/tree")
    assert sorted(os.walk(loaded.path)) == before
    assert not os.path.lexists(f"{host.bpffs}/tree")


@pytest.mark.parametrize(
    ("victim", "damage"), [("record", "OBJ_GET"), ("prog-", "its pin .* has gone"), ("map-hits", "")]
)
def test_what_others_remove_is_shown_as_damage_and_can_be_unloaded(
    victim: str, damage: str, host: Host, ns: Namespace
) -> None:
    loaded = xdp(host, ns)
    (name,) = [name for name in os.listdir(loaded.path) if name.startswith(victim)]
    os.unlink(f"{loaded.path}/{name}")
    inventory = inspect.host(host, maps=True)
    (view,) = inventory.programs
    assert view.id == loaded.id
    assert bool(view.damage) == bool(damage)
    assert [link.state for link in inventory.links] == ["attached"]
    with host.writer() as writer:
        assert writer.unload(loaded.id).id == loaded.id
    assert loads.attached(ns) == set()


def test_a_link_whose_record_is_gone_is_shown_and_can_be_detached(host: Host, ns: Namespace) -> None:
    loaded = xdp(host, ns)
    link = loaded.links[0].id
    os.unlink(f"{loaded.path}/links/{link}/record")
    assert host.loads()[0].damaged_links == (link,)
    (view,) = inspect.host(host).links
    assert (view.id, view.hook, view.state, view.record) == (link, "xdp", "attached", None)
    with host.writer() as writer:
        assert writer.detach(link)[1] is None
    assert loads.attached(ns) == set()


def test_another_version_of_a_record_is_shown_as_damaged(host: Host) -> None:
    loaded = loads.only_load(host, loads.xdp())
    os.unlink(f"{loaded.path}/record")
    bpffs.write_record(f"{loaded.path}/record", '{"version":2}')
    (view,) = inspect.host(host).programs
    assert "version 2" in view.damage


def test_something_else_in_the_place_of_a_pin(host: Host, ns: Namespace) -> None:
    loaded = xdp(host, ns)
    os.unlink(loaded.program_pins()[0])
    bpffs.write_record(loaded.program_pins()[0], "{}")
    os.unlink(loaded.link_pin(loaded.links[0].id))
    bpffs.write_record(loaded.link_pin(loaded.links[0].id), "{}")
    (view,), (link,) = inspect.host(host).programs, inspect.host(host).links
    assert view.damage
    assert link.state == "stale"


# Each state that a killed writer leaves, made by hand; `killed` in tests/kernel/run finds the same by killing.


def test_sweep_work_in_progress(host: Host, ns: Namespace) -> None:
    loaded = xdp(host, ns)
    os.rename(loaded.path, f"{host.directory}/tmp-999999999-abc")  # an unload that was killed after its commit
    assert host.loads() == ()
    (left,) = host.unfinished()
    assert left.running == (loaded.id,)
    assert inspect.host(host).unfinished == (f"{left.path}: program {loaded.id} is still attached",)
    with host.writer():
        assert loads.attached(ns) == set(), "when the writer has its lock, it is clean"
    assert loads.tree(host) == []
    assert host.unfinished() == ()


def test_the_work_of_a_living_writer_is_not_called_unfinished(host: Host) -> None:
    with host.writer():
        bpffs.make_directory(f"{host.directory}/tmp-{os.getpid()}-abc")
        assert host.unfinished() == ()
        os.rmdir(f"{host.directory}/tmp-{os.getpid()}-abc")


def mark(loaded: load.Load) -> None:
    with bpf.get(loaded.program_pins()[0]) as program:
        bpf.pin(program, f"{loaded.path}/unfinished")


def test_sweep_a_run_that_was_published_but_not_committed(host: Host, ns: Namespace) -> None:
    loaded = xdp(host, ns)
    mark(loaded)
    os.unlink(loaded.link_pin(loaded.links[0].id))
    assert host.loads() == ()
    assert [left.path for left in host.unfinished()] == [loaded.path]
    with host.writer():
        pass
    assert loads.tree(host) == []


def test_a_committed_run_keeps_all_but_its_marker(host: Host, ns: Namespace) -> None:
    loaded = xdp(host, ns)
    mark(loaded)
    assert [load.id for load in host.loads()] == [loaded.id]
    assert host.unfinished() == ()
    with host.writer():
        pass
    assert not os.path.exists(f"{loaded.path}/unfinished")
    assert loads.attached(ns) == loads.listed(host) == {("xdp", loaded.id)}


def test_sweep_an_attach_that_was_not_committed(host: Host, ns: Namespace) -> None:
    loaded = xdp(host, ns)
    os.unlink(loaded.link_pin(loaded.links[0].id))
    assert host.loads()[0].links == ()
    assert len(host.unfinished()) == 1
    with host.writer():
        pass
    assert os.listdir(f"{loaded.path}/links") == []
    assert [load.id for load in host.loads()] == [loaded.id]


@pytest.mark.parametrize("where", ["attach", "run", "unload"])
def test_sweep_a_filter_that_outlived_its_writer(where: str, host: Host, ns: Namespace) -> None:
    host.tc = "clsact"
    loaded = loads.run(host, loads.tc(), Tc(ns.interface, "ingress", netns=ns.path))
    link = loaded.links[0].id
    if where == "unload":
        os.rename(loaded.path, f"{host.directory}/tmp-999999999-abc")
    else:
        os.unlink(loaded.link_pin(link))
        if where == "run":
            mark(loaded)
    assert loads.listed(host) == set()
    assert loads.attached(ns) == {("clsact ingress", loaded.id)}
    assert [left.running for left in host.unfinished()] == [(loaded.id,)]
    with host.writer():
        assert loads.attached(ns) == set()
    assert len(host.loads()) == (1 if where == "attach" else 0)
    assert host.unfinished() == ()


def test_detach_holds_even_when_somebody_else_holds_the_link(host: Host, ns: Namespace) -> None:
    loaded = xdp(host, ns)
    with bpf.get(loaded.link_pin(loaded.links[0].id)):
        with host.writer() as writer:
            writer.detach(loaded.links[0].id)
        assert loads.attached(ns) == set()


# Looking at everything.


def test_all_shows_what_others_attached_and_who_holds_it(host: Host, ns: Namespace) -> None:
    ours = loads.run(host, loads.tc(), Tc(ns.interface, "ingress", netns=ns.path))

    def look() -> inspect.Inventory:
        return inspect.host(host, all=True, maps=True)

    index: Callable[[], int] = lambda: netlink.interface_index(ns.interface)  # noqa: E731
    with bpf.prog_load_trivial(6) as foreign:
        number = bpf.program_info(foreign).id
        bpf.pin(foreign, f"{host.bpffs}/stranger")
        netns.call(ns.path, lambda: libbpf.xdp_attach(index(), foreign))
        here, there = netns.call(ns.path, look), look()
        netns.call(ns.path, lambda: libbpf.xdp_attach(index(), None))
        with netns.call(ns.path, lambda: bpf.link_create(foreign, index(), 37)):
            linked, elsewhere = netns.call(ns.path, look), look()
        os.unlink(f"{host.bpffs}/stranger")
    seen = {view.id: view for view in here.programs}
    assert (seen[number].name, seen[number].type, seen[number].load) == ("bpfimg_probe", "xdp", None)
    assert f"{host.bpffs}/stranger" in seen[number].held_by  # this process holds it, too
    assert any(each.endswith(f"({os.getpid()})") for each in seen[number].held_by), "this process, too"
    assert here.programs[0].id == ours.id, "ours first"
    assert ours.program_pins()[0] in here.programs[0].held_by
    assert targets(here, number) == [("netlink", ns.interface)]
    assert targets(there, number) == [("netlink", f"{ns.interface} in {ns.name}")], "in every namespace"
    assert targets(linked, number) == [("link", ns.interface)]
    assert targets(elsewhere, number) == [("link", f"{ns.interface} in {ns.name}")]
    assert targets(here, ours.id) == [("link" if features.has("tcx") else "clsact", f"{ns.interface} ingress")]
    assert [view.load for view in here.maps].count(ours.id) == 2


def targets(inventory: inspect.Inventory, program: int) -> list[tuple[str, str]]:
    return [(link.how, link.target) for link in inventory.links if link.program_id == program]

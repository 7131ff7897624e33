"""What can be attached to: our own lists against bcc's library and the kernel, and a probe of bcc in our inventory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.errors import AttachError, NotSupported
from bpfimg.kernel import bpf, functions, libbpf, userspace
from bpfimg.load import hooks
from bpfimg.load._hooks import _attachable
from tests.support import bcc, loads
from tests.support.executables import compiled, echo, folder, written
from tests.support.features import lacks, needs
from tests.support.netns import tracefs
from tests.support.objects import example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bpfimg.load import Host

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def program() -> Iterator[Path]:
    with folder() as place:
        yield written(place / "echo", compiled())


@pytest.fixture
def with_bcc(monkeypatch: pytest.MonkeyPatch) -> None:
    path = bcc.library()
    monkeypatch.setattr(_attachable, "_bcc", lambda _file: userspace.bcc(path))


@needs("uprobe")
@pytest.mark.parametrize("target", ["echo", "c", "bash", "libbpf.so.1", "python3"])
def test_functions_are_those_that_bccs_library_finds(program: Path, target: str, with_bcc: None) -> None:
    target = str(program) if target == "echo" else target
    theirs = {(each.name, each.offset) for each in hooks.attachable.uprobes(target, [])}
    ours = {(each.name, each.offset) for each in hooks.attachable.uprobes(target, [], own=True)}
    assert ours == theirs
    assert len(ours) > 3


@needs("uprobe")
@pytest.mark.parametrize("target", ["echo", "python3", "c"])
def test_static_probes_are_those_that_bccs_library_finds(program: Path, target: str, with_bcc: None) -> None:
    target = str(program) if target == "echo" else target
    theirs = hooks.attachable.probes(target, [])
    assert hooks.attachable.probes(target, [], own=True) == theirs
    if target != "c":
        assert theirs


@needs("uprobe")
def test_patterns_choose(program: Path) -> None:
    listed = hooks.attachable.uprobes(str(program), ["work*", "mai?"], own=True)
    assert [each.name for each in listed] == ["main", "work", "work_more"]
    (probe,) = hooks.attachable.probes(str(program), ["*watch*"], own=True)
    assert (probe.provider, probe.name, probe.semaphore, len(probe.offsets)) == ("app", "watched", True, 1)


@needs("tracefs")
def test_tracepoints_say_what_they_record() -> None:
    with tracefs() as place:
        (found,) = hooks.attachable.tracepoints(["sched/sched_switch"])
        fields = {name: (kind, size) for name, kind, _, size in found.fields}
        assert fields["prev_comm"] == ("char[16]", 16)
        assert fields["next_pid"] == ("pid_t", 4)
        assert not any(name.startswith("common_") for name in fields)
        everything = hooks.attachable.tracepoints([])
        assert len(everything) > 500
        assert all(os.path.exists(f"{place}/events/{each.group}/{each.name}/id") for each in everything)


@needs("kprobe")
def test_kernel_functions_without_those_that_nobody_may_probe() -> None:
    with tracefs():
        names = {each.name for each in hooks.attachable.kprobes([])}
        assert {"do_unlinkat", "vfs_read"} <= names
        assert not names & functions.blacklist()
        chosen = {each.name for each in hooks.attachable.kprobes(["vfs_rea?"])}
        assert chosen == {name for name in names if name.startswith("vfs_rea") and len(name) == 8}


@lacks("kprobe")
def test_a_kernel_without_kprobes_says_so() -> None:
    with pytest.raises(NotSupported, match="without kprobes"):
        hooks.attachable.kprobes(["vfs_*"])


@needs("uprobe")
def test_a_file_that_cannot_be_probed() -> None:
    with pytest.raises(AttachError, match="/etc/passwd cannot be probed: it is not an ELF file"):
        hooks.attachable.uprobes("/etc/passwd", [])


@needs("uprobe")
def test_a_probe_that_bcc_attached_is_in_our_inventory(host: Host, program: Path) -> None:
    bcc.library()
    (place,) = hooks.attachable.uprobes(str(program), ["work"], own=True)
    with libbpf.open_object(example("uprobe_counter"), name="bcc") as opened:
        opened.load()
        (handle,) = opened.programs
        number = bpf.program_info(handle.fd).id
        event = bcc.attach_uprobe(handle.fd, program, place.offset)
        try:
            with echo(program) as process:
                process.say(b"ab")
            seen = inspect.host(host, all=True)
            links = [link for link in seen.links if link.program_id == number]
            views = [view for view in seen.programs if view.id == number]
            assert len(views) == 1
            assert any("echo" in (link.target or "") for link in links), links
        finally:
            os.close(event)
    assert loads.programs_left() == []

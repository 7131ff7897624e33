"""uprobe: a program runs when a function is called, in every process that runs the file or in one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg._value import replace
from bpfimg.errors import AttachError, UsageError
from bpfimg.kernel import features
from bpfimg.load import check, hooks
from bpfimg.load._families._target import changed
from tests.support import loads
from tests.support.executables import compiled, counted, echo, folder, written
from tests.support.features import hook, lacks, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("uprobe"), needs("uprobe")]


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    with folder() as place:
        yield place


@pytest.fixture(scope="module")
def program(programs: Path) -> Path:
    return written(programs / "echo", compiled())


@pytest.fixture
def counter() -> bytes:
    return example("uprobe_counter")


def test_it_counts_calls_until_it_is_detached(host: Host, program: Path, counter: bytes) -> None:
    loaded = loads.run(host, counter, hooks.Uprobe(str(program), "work"))
    with echo(program) as process:
        process.say(b"abc")
        assert counted(loaded) == 3
        with host.writer() as writer:
            writer.detach(loaded.links[0].id)
        process.say(b"d")
    assert counted(loaded) == 3


def test_the_record_says_where(host: Host, program: Path, counter: bytes) -> None:
    loaded = loads.run(host, counter, hooks.Uprobe(str(program), "work"))
    (link,) = loaded.links
    assert link.where == f"{program}:work"
    assert link.spec["target"] == str(program)
    assert link.details is not None
    found = os.stat(program)
    assert (link.details["file"], link.details["inode"]) == (str(program), found.st_ino)
    assert link.details["device"] == found.st_dev
    assert link.details["symbol"] == "work"
    assert len(str(link.details["build_id"])) == 40
    assert isinstance(link.details["offset"], int)
    (view,) = inspect.host(host).links
    assert view.target == link.where
    assert changed(link) == ""


@pytest.mark.parametrize("flags", [("-no-pie",), ("-static",), ("-static-pie",), ("-Wl,-z,separate-code",)])
def test_whatever_the_linker_made(host: Host, programs: Path, counter: bytes, flags: tuple[str, ...]) -> None:
    program = written(programs / f"echo{''.join(flags)}".replace(",", ""), compiled_with(*flags))
    loaded = loads.run(host, counter, hooks.Uprobe(str(program), "work"))
    with echo(program) as process:
        process.say(b"ab")
    assert counted(loaded) == 2


def compiled_with(*flags: str) -> bytes:
    from tests.support.executables import ECHO

    return compiled(ECHO, *flags)


def test_a_local_function_and_an_offset_in_it(host: Host, program: Path, counter: bytes) -> None:
    local = loads.run(host, counter, hooks.Uprobe(str(program), "hidden"))
    offset = (local.links[0].details or {})["offset"]
    assert isinstance(offset, int)
    by_place = loads.run(host, counter, hooks.Uprobe(str(program), offset=offset), name="second")
    assert by_place.links[0].where == f"{program}+{offset:#x}"
    with echo(program) as process:
        process.say(b"ab")
    assert (counted(local), counted(by_place)) == (2, 2)


def test_one_process_of_two(host: Host, program: Path, counter: bytes) -> None:
    with echo(program) as watched, echo(program) as other:
        loaded = loads.run(host, counter, hooks.Uprobe(str(program), "work", pid=watched.pid))
        watched.say(b"ab")
        other.say(b"cde")
        assert counted(loaded) == 2


def test_a_process_that_there_is_not(host: Host, program: Path, counter: bytes) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(AttachError, match=f"there is no process {process.pid}"):
        loads.run(host, counter, hooks.Uprobe(str(program), "work", pid=process.pid))
    with pytest.raises(AttachError, match=f"there is no process {process.pid}"):
        check(hooks.Uprobe(str(program), "work", container_pid=process.pid))


def test_a_shared_library_by_its_name(host: Host, counter: bytes) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        loaded = loads.run(host, counter, hooks.Uprobe("c", "getppid", pid=os.getpid()))
        assert "libc.so.6" in loaded.links[0].where
        before = counted(loaded)
        for _ in range(5):
            os.getppid()
        assert counted(loaded) - before == 5
        process.stdin.close()


def test_functions_by_a_pattern(host: Host, program: Path, counter: bytes) -> None:
    loaded = loads.run(host, counter, hooks.Uprobe(str(program), pattern="work*"))
    (link,) = loaded.links
    assert link.where == f"{program}:work* (2 functions)"
    with echo(program) as process:
        process.say(b"abc")
        assert counted(loaded) == 6
        with host.writer() as writer:
            writer.detach(link.id)
        process.say(b"d")
    assert counted(loaded) == 6


@needs("uprobe-multi")
def test_a_pattern_takes_one_link_where_the_kernel_can(host: Host, program: Path, counter: bytes) -> None:
    (link,) = loads.run(host, counter, hooks.Uprobe(str(program), pattern="work*")).links
    assert (link.parts, (link.details or {})["links"]) == (0, "multi")


@hook("uprobe", other_way=True)
@lacks("uprobe-multi")
def test_a_pattern_takes_a_link_for_each_function_elsewhere(host: Host, program: Path, counter: bytes) -> None:
    (link,) = loads.run(host, counter, hooks.Uprobe(str(program), pattern="work*")).links
    assert (link.parts, (link.details or {})["links"]) == (1, "perf")


def test_a_program_loaded_for_one_function_takes_a_pattern_as_well(host: Host, program: Path, counter: bytes) -> None:
    loaded = loads.only_load(host, counter)
    link = loads.attach(host, loaded.id, hooks.Uprobe(str(program), pattern="work*"))
    assert link.parts == 1
    with echo(program) as process:
        process.say(b"ab")
    assert counted(loaded) == 4


MULTI = """
static void *(*lookup)(void *map, const void *key) = (void *)1;
struct { __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } counters SEC(".maps");
SEC("uprobe.multi") int many(void *ctx)
{
	__u32 key = 0;
	__u64 *value = lookup(&counters, &key);
	if (value)
		__sync_fetch_and_add(value, 1);
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
"""


def test_a_program_for_many_functions_takes_a_single_one(host: Host, program: Path) -> None:
    from tests.support.objects import compile_source

    loaded = loads.run(host, compile_source(MULTI), hooks.Uprobe(str(program), "work"))
    assert (loaded.links[0].details or {})["links"] == ("multi" if features.has("uprobe-multi") else "perf")
    with echo(program) as process:
        process.say(b"ab")
    assert counted(loaded) == 2


def test_a_container_whose_files_have_other_paths(host: Host, program: Path, counter: bytes, tmp_path: Path) -> None:
    """The root directory of a process: a link in it to an absolute path stays in it."""
    root = tmp_path / "root"
    (root / "opt").mkdir(parents=True)
    inside = written(root / "opt" / "real", compiled_with("-static"))
    (root / "app").symlink_to("/opt/real")
    (root / "out").symlink_to("/../../../../../../usr/bin/env")
    assert not os.path.exists("/opt/real")
    assert inside.exists()
    with echo(Path("/app"), "chroot", str(root)) as process:
        process.say()  # by now it is in its root directory
        loaded = loads.run(host, counter, hooks.Uprobe("/app", "work", container_pid=process.pid))
        assert loaded.links[0].where == f"/opt/real of process {process.pid}:work"
        assert changed(loaded.links[0]) == ""
        process.say(b"abc")
        assert counted(loaded) == 3
        with pytest.raises(AttachError, match=r"no file /out"):
            check(hooks.Uprobe("/out", "main", container_pid=process.pid))
        with pytest.raises(UsageError, match="relative"):
            check(hooks.Uprobe("./app", "main", container_pid=process.pid))
    assert changed(loaded.links[0]) == f"process {process.pid} has ended"


@pytest.mark.parametrize("kind", ["tmpfs", "overlay"])
def test_a_container_with_mounts_of_its_own(host: Host, counter: bytes, kind: str, tmp_path: Path) -> None:
    """A file that no path of ours leads to; overlay is what container engines mount."""
    if f"\t{kind}\n" not in Path("/proc/filesystems").read_text():
        pytest.skip(f"this kernel has no {kind}")
    program = written(tmp_path / "program", compiled_with("-static"))
    root, layers = tmp_path / "root", tmp_path / "layers"
    for place in (root, layers):
        place.mkdir()
    mount = f"mount -t tmpfs t {root} && cp {program} {root}/app"
    if kind == "overlay":
        mount = f"mount -t tmpfs t {layers} && cd {layers} && mkdir low up work && cp {program} low/app"
        mount += f" && mount -t overlay -o lowerdir=low,upperdir=up,workdir=work o {root}"
    script = written(tmp_path / "script", f"#!/bin/sh\n{mount} && exec chroot {root} /app\n".encode())
    with echo(script, "unshare", "--mount", "--propagation", "private") as process:
        process.say()
        assert not (root / "app").exists()
        hook = hooks.Uprobe("/app", "work", container_pid=process.pid)
        one = loads.run(host, counter, hook)
        many = loads.run(host, counter, replace(hook, function=None, pattern="work*"), name="many")
        for loaded in (one, many):
            assert loaded.links[0].where.startswith(f"/app of process {process.pid}:work")
            assert changed(loaded.links[0]) == ""
        process.say(b"ab")
        assert (counted(one), counted(many)) == (2, 4)
    assert changed(one.links[0]) == f"process {process.pid} has ended"


def test_a_file_that_was_replaced_or_removed(host: Host, programs: Path, counter: bytes) -> None:
    path = written(programs / "doomed", compiled())
    loaded = loads.run(host, counter, hooks.Uprobe(str(path), "work"))
    (link,) = loaded.links
    written(programs / "new", compiled()).rename(path)
    assert changed(link) == "the file was replaced"
    path.unlink()
    assert changed(link) == "the file is gone"
    with host.writer() as writer:
        writer.detach(link.id)
        writer.unload(loaded.id)


def test_symbols_in_a_file_of_their_own(host: Host, programs: Path, counter: bytes) -> None:
    if shutil.which("objcopy") is None:
        pytest.skip("needs objcopy")
    whole = written(programs / "whole", compiled())
    stripped, debug = programs / "bare", programs / ".debug" / "bare.debug"
    debug.parent.mkdir()
    loads.sh("objcopy", "--only-keep-debug", str(whole), str(debug))
    loads.sh("objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", str(whole), str(stripped))
    loaded = loads.run(host, counter, hooks.Uprobe(str(stripped), "hidden"))
    with echo(stripped) as process:
        process.say(b"ab")
    assert counted(loaded) == 2
    debug.unlink()
    with pytest.raises(AttachError, match="no function 'hidden'"):
        check(hooks.Uprobe(str(stripped), "hidden"))

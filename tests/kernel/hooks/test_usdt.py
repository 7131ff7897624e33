"""usdt: a program runs when a static probe is passed, at all of its places, and is told where its arguments are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.bytecode import executable
from bpfimg.errors import AttachError
from bpfimg.load import check, hooks
from tests.support import loads
from tests.support.executables import ECHO, compiled, counted, echo, folder, written
from tests.support.features import hook, needs
from tests.support.objects import EXAMPLES, compile_source, example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("usdt"), needs("uprobe", "bpf-cookie")]


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    with folder() as place:
        yield place


@pytest.fixture(scope="module")
def program(programs: Path) -> Path:
    return written(programs / "echo", compiled())


@pytest.fixture
def counter() -> bytes:
    return example("usdt_counter")


def test_every_place_is_counted_with_its_argument(host: Host, program: Path, counter: bytes) -> None:
    loaded = loads.run(host, counter, hooks.Usdt(str(program), "app", "passed"))
    (link,) = loaded.links
    assert (link.where, link.parts) == (f"{program}:app:passed", 1)
    assert link.details is not None
    assert len(link.details["offsets"]) == 2  # type: ignore[arg-type]
    assert link.details["semaphore"] is False
    with echo(program) as process:
        process.say(b"ab")
        expected = 2 * ord("a") + 1000 + 2 * ord("b") + 1000
        assert (counted(loaded), counted(loaded, 1)) == (4, expected)
        with host.writer() as writer:
            writer.detach(link.id)
        process.say(b"c")
    assert counted(loaded) == 4


def test_a_probe_with_a_semaphore_is_passed_only_while_it_is_watched(host: Host, program: Path, counter: bytes) -> None:
    loaded = loads.run(host, counter, hooks.Usdt(str(program), "app", "watched"))
    assert (loaded.links[0].details or {})["semaphore"] is True
    with echo(program) as process:
        process.say(b"ab")
        assert (counted(loaded), counted(loaded, 1)) == (2, -ord("a") - ord("b"))
        with host.writer() as writer:
            writer.detach(loaded.links[0].id)
        process.say(b"c")
    assert counted(loaded) == 2


@pytest.mark.parametrize("flags", [("-no-pie",), ("-static",), ("-O0",)])
def test_wherever_the_compiler_left_the_argument(
    host: Host, programs: Path, counter: bytes, flags: tuple[str, ...]
) -> None:
    program = written(programs / f"echo{flags[0]}", compiled(ECHO, *flags))
    loaded = loads.run(host, counter, hooks.Usdt(str(program), "app", "passed"))
    with echo(program) as process:
        process.say(b"a")
    assert (counted(loaded), counted(loaded, 1)) == (2, 2 * ord("a") + 1000)


def test_one_process_of_two(host: Host, program: Path, counter: bytes) -> None:
    with echo(program) as watched, echo(program) as other:
        loaded = loads.run(host, counter, hooks.Usdt(str(program), "app", "passed", pid=watched.pid))
        watched.say(b"a")
        other.say(b"bcd")
        assert counted(loaded) == 2


def test_probes_of_one_program_keep_their_arguments_apart(host: Host, program: Path, counter: bytes) -> None:
    loaded = loads.run(host, counter, hooks.Usdt(str(program), "app", "passed"))
    link = loads.attach(host, loaded.id, hooks.Usdt(str(program), "app", "watched"))
    again = loads.attach(host, loaded.id, hooks.Usdt(str(program), "app", "watched"))
    assert (link.details or {})["specs"] == (again.details or {})["specs"], "what is equal is written once"
    with echo(program) as process:
        process.say(b"a")
    assert (counted(loaded), counted(loaded, 1)) == (4, 2 * ord("a") + 1000 - 2 * ord("a"))


def test_places_are_given_away_again_once_none_is_free(host: Host, program: Path) -> None:
    small = compile_source(EXAMPLES / "usdt_counter.bpf.c", flags=("-g", "-O2", "-DBPF_USDT_MAX_SPEC_CNT=2"))
    constant = hooks.Usdt(str(program), "app", "constant")
    loaded = loads.run(host, small, hooks.Usdt(str(program), "app", "passed"))
    assert (loaded.links[0].details or {})["specs"] == [0, 1]
    with pytest.raises(AttachError, match="full with 2"):
        loads.attach(host, loaded.id, constant)
    with host.writer() as writer:
        writer.detach(loaded.links[0].id)
    loads.attach(host, loaded.id, constant)
    with echo(program) as process:
        process.say(b"a")
    assert counted(loaded, 1) == 77


def test_a_program_without_libbpfs_header_is_just_run(host: Host, program: Path) -> None:
    loaded = loads.run(host, example("uprobe_counter"), hooks.Usdt(str(program), "app", "passed"))
    with echo(program) as process:
        process.say(b"ab")
    assert counted(loaded) == 4


def test_garbage_collections_of_pythons(host: Host, counter: bytes) -> None:
    python = os.path.realpath("/usr/bin/python3")
    if not os.path.exists(python) or not _has_probes(python):
        pytest.skip("needs a python3 that was built with static probes")
    import subprocess

    loaded = loads.run(host, counter, hooks.Usdt("/usr/bin/python3", "python", "gc__start"))
    script = "import gc; gc.disable(); [gc.collect(n) for n in (0, 1, 2, 2)]"
    subprocess.run([python, "-I", "-S", "-c", script], check=True)
    assert counted(loaded) >= 4
    assert counted(loaded, 1) >= 5, "the argument is the generation"


def _has_probes(path: str) -> bool:
    with open(path, "rb") as file:
        found = executable.read(lambda at, size: os.pread(file.fileno(), size, at), os.fstat(file.fileno()).st_size)
        return bool(executable.probes(found))


def test_a_probe_that_there_is_not(program: Path) -> None:
    with pytest.raises(AttachError, match="no static probe app:past") as caught:
        check(hooks.Usdt(str(program), "app", "past"))
    assert "app:passed" in caught.value.hint
    with pytest.raises(AttachError, match="no static probe") as caught:
        check(hooks.Usdt("cat", "a", "b"))
    assert "none at all" in caught.value.hint

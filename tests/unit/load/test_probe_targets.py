"""Where a probe would go, by name: what is chosen of several, and the sentence when a name means none."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, UsageError
from bpfimg.load import check, hooks
from bpfimg.load._families import _library, _target
from tests.support.executables import ECHO, compiled, written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("programs") / "echo", compiled())


@pytest.fixture(scope="module")
def stripped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("programs") / "bare", compiled(ECHO, "-s", "-no-pie"))


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two local functions called `twin`, a weak and a global `one`."""
    if shutil.which("clang") is None:
        pytest.skip("needs clang")
    folder = tmp_path_factory.mktemp("twins")
    for name, extra in (("a", "int main(void) { return 0; }"), ("b", "")):
        (folder / f"{name}.c").write_text(
            f'static __attribute__((noinline, used)) int twin(int n) {{ return n + sizeof("{name}"); }}\n{extra}\n'
        )
    subprocess.run(["clang", "-O1", "-o", folder / "twins", folder / "a.c", folder / "b.c"], check=True)
    return folder / "twins"


def refused(hook: hooks.Hook) -> tuple[str, str]:
    with pytest.raises(AttachError) as caught:
        check(hook)
    return str(caught.value), caught.value.hint


def test_what_can_be_probed(program: Path) -> None:
    for hook in (
        hooks.Uprobe(str(program), "work"),
        hooks.Uprobe(str(program), "main", 1),
        hooks.Uprobe(str(program), "hidden", ret=True),
        hooks.Uprobe(str(program), pattern="w?rk*"),
        hooks.Usdt(str(program), "app", "passed"),
        hooks.Uprobe("c", "malloc"),
        hooks.Uprobe("libc.so.6", "malloc"),
        hooks.Uprobe("bash", "main"),
    ):
        check(hook)


def test_a_name_that_is_none_is_answered_with_near_ones(program: Path) -> None:
    message, hint = refused(hooks.Uprobe(str(program), "wrok"))
    assert message == f"{program} has no function 'wrok'"
    assert "work" in hint
    assert refused(hooks.Uprobe(str(program), "or"))[1].startswith("near it: work, ")
    message, hint = refused(hooks.Uprobe(str(program), pattern="zz*"))
    assert "fits the pattern 'zz*'" in message
    assert "bpfimg hooks uprobe" in hint


def test_a_function_of_a_library_is_not_in_the_program(program: Path) -> None:
    message, hint = refused(hooks.Uprobe(str(program), "read"))
    assert message == f"{program} has no function 'read' of its own"
    assert "give the library as the target" in hint


def test_a_stripped_program(stripped: Path) -> None:
    message, hint = refused(hooks.Uprobe(str(stripped), "work"))
    assert message.endswith("has no function 'work'")
    assert "stripped" in hint
    assert "--offset" in hint


def test_a_function_that_is_chosen_when_a_process_starts(program: Path) -> None:
    message, hint = refused(hooks.Uprobe(str(program), "chosen"))
    assert "IFUNC" in message
    assert hint


def test_a_variable(program: Path) -> None:
    assert refused(hooks.Uprobe(str(program), "fell"))[0].endswith("is a variable, expected a function")


def test_several_of_one_name_are_chosen_by_their_place(twins: Path) -> None:
    message, hint = refused(hooks.Uprobe(str(twins), "twin"))
    assert "has 2 functions called 'twin', expected one" in message
    offsets = [int(word, 16) for word in hint.replace(",", "").split() if word.startswith("0x")]
    assert len(set(offsets)) == 2
    for offset in offsets:
        check(hooks.Uprobe(str(twins), offset=offset))


def test_offsets_lead_to_code(program: Path) -> None:
    message, hint = refused(hooks.Uprobe(str(program), offset=8))
    assert message == f"there is no code at offset 0x8 of {program}"
    assert "from the beginning of the file" in hint
    assert "behind the end of 'work'" in refused(hooks.Uprobe(str(program), "work", 4096))[0]


def test_what_is_no_program(program: Path, tmp_path: Path) -> None:
    script = written(tmp_path / "script", b"#!/bin/sh\n")
    assert "a script: its interpreter" in refused(hooks.Uprobe(str(script), "main"))[0]
    assert "is not a regular file" in refused(hooks.Uprobe(str(tmp_path), "main"))[0]
    assert "is not a regular file" in refused(hooks.Uprobe("/dev/null", "main"))[0]
    assert refused(hooks.Uprobe("/no/such", "main"))[0] == "there is no file /no/such"
    data = bytearray(compiled())
    data[4] = 1
    small = written(tmp_path / "small", bytes(data))
    assert "of 32 bits, expected 64" in refused(hooks.Uprobe(str(small), "main"))[0]
    data = bytearray(compiled())
    data[18:20] = b"\x08\x00"
    other = written(tmp_path / "mips", bytes(data))
    assert f"it is for machine 8, expected {os.uname().machine}" in refused(hooks.Uprobe(str(other), "main"))[0]
    data[5] = 2
    assert "cannot be probed" in refused(hooks.Uprobe(str(written(tmp_path / "big", bytes(data))), "main"))[0]


def test_names_of_programs_and_libraries() -> None:
    assert _library.located("bash", None)[0] in ("/usr/bin/bash", "/bin/bash")
    (path, *_) = _library.located("c", None)
    assert os.path.basename(path).startswith("libc.so.")
    assert list(_library.located("libc", None)) == list(_library.located("libc.so.6", None)) == [path]
    message, hint = refused(hooks.Uprobe("nosuchthing", "main"))
    assert message == "there is no program and no shared library called 'nosuchthing'"
    assert "ld.so.cache" in hint


def test_the_same_libraries_as_the_dynamic_linkers(program: Path) -> None:
    if shutil.which("ldconfig", path="/sbin:/usr/sbin") is None:
        pytest.skip("needs ldconfig")
    said = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    theirs = [line.split()[0] for line in said.splitlines()[1:] if "=>" in line]
    assert {name for name, _ in _library._cached(None)} == set(theirs)


def test_a_file_that_is_exchanged_meanwhile_gets_no_probe(tmp_path: Path) -> None:
    exchanged = written(tmp_path / "victim", compiled())
    with _target.opened(str(exchanged), None) as target:
        target.still_there()
        written(exchanged.with_name("new"), compiled(ECHO, "-static")).rename(exchanged)
        with pytest.raises(AttachError, match="was replaced while the probe was attached"):
            target.still_there()


def test_where_others_may_exchange_the_file_the_kernel_is_told_the_one_that_was_read(tmp_path: Path) -> None:
    """Else the owner of a directory chooses what gets a breakpoint at an offset that was found in his own file."""
    (tmp_path / "folder").mkdir()
    victim = written(tmp_path / "folder" / "victim", compiled())
    with _target.opened(str(victim), None) as target:
        assert target.for_kernel == str(victim)
        assert target.is_the_hosts
        victim.parent.chmod(0o777)
        assert not target.is_the_hosts, "then bcc's library, which parses in C, is not to read it"
        assert os.path.samestat(os.stat(target.for_kernel), victim.stat())
        assert target.for_kernel.startswith("/proc/self/fd/")
        victim.parent.chmod(0o1777)
        assert target.for_kernel == str(victim), "only who owns it can rename it there"
        if os.geteuid() == 0:
            os.chown(victim, 1000, 1000)
            assert target.for_kernel.startswith("/proc/self/fd/")


def test_a_file_that_somebody_has_leased_keeps_nobody_waiting(tmp_path: Path) -> None:
    leased = written(tmp_path / "leased", compiled())
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel's word that somebody wants it
    try:
        with leased.open("r+b") as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            with pytest.raises(AttachError, match="is leased by a process"):
                _target.opened(str(leased), None)
    finally:
        signal.signal(signal.SIGIO, before)


def test_debug_symbols_of_a_container_are_not_looked_for_where_it_says_on_the_host(tmp_path: Path) -> None:
    data = compiled()
    loose = written(tmp_path / "loose", data)
    (tmp_path / "debug").write_bytes(b"")
    subprocess.run(["objcopy", f"--add-gnu-debuglink={tmp_path}/debug", str(loose)], check=True)
    with _target.opened(str(loose), os.getpid()) as target:
        places = target._debug_paths("0123456789")
    assert [path for path, pid in places if pid is None] == ["/usr/lib/debug/.build-id/01/23456789.debug"]
    assert (f"{tmp_path}/debug", os.getpid()) in places


def test_a_link_leads_to_the_file_behind_it(program: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(program)
    with _target.opened(str(tmp_path / "link"), None) as target:
        assert target.path == str(program)
    with _target.opened(os.path.relpath(program), None) as target:
        assert target.path == str(program)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: hooks.Uprobe("", "f"), "not a path"),
        (lambda: hooks.Uprobe("x"), "needs a function, a pattern or an offset"),
        (lambda: hooks.Uprobe("x", "f", pattern="g"), "one of the two"),
        (lambda: hooks.Uprobe("x", pattern="g", offset=4), "expected none"),
        (lambda: hooks.Uprobe("x", "f", offset=-1), "offset -1 is out of range"),
        (lambda: hooks.Uprobe("x", "f\0"), "function 'f.x00' is not a name"),
        (lambda: hooks.Uprobe("x", "f", pid=0), "pid 0 is not a process"),
        (lambda: hooks.Uprobe("x", "f", container_pid=1 << 23), "container_pid 8388608 is out of range"),
        (lambda: hooks.Usdt("x", "a b", "c"), "provider 'a b' is not a name"),
    ],
)
def test_what_is_no_hook(made: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        made()  # type: ignore[operator]

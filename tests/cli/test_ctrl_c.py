"""Ctrl-C in the middle of every verb that takes its time: at system calls all over its work, counted by strace.

Exit code 130, nothing on stderr but what was said before, no file and no child left, the store whole, nothing in the
kernel that is not listed; and the same command, once more, does its work.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli
from tests.support.objects import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.netns import Namespace
    from tests.support.registry import Server

MOMENTS = 8
#: at which of them the signal comes: whatever opens, writes, waits or changes
_CALLS = "openat,write,rename,renameat,renameat2,unlink,mkdir,rmdir,link,fsync,flock,bpf,connect,sendto,recvfrom,wait4"
_CALL = re.compile(r"^(\d+) +(\w+)\((.*)", re.M)


@dataclass(frozen=True)
class Work:
    """What is interrupted, what makes it new work each time, and what must be true after it."""

    words: tuple[str, ...]
    renew: Callable[[], object] = lambda: None
    stays: Callable[[], object] = lambda: None


def started(cli: Cli, work: Work, *tracer: str) -> subprocess.Popen[str]:
    """Starts the command in a session of its own, below `tracer`."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("BPFIMG_")}
    place = cli.folder / "tmp"
    place.mkdir(exist_ok=True)
    return subprocess.Popen(
        [*tracer, sys.executable, "-m", "bpfimg", *work.words],
        cwd=cli.folder,
        env={**kept, "COSIGN_PASSWORD": "x", **cli.environ, "TMPDIR": str(place)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(cli: Cli, running: subprocess.Popen[str], *codes: int) -> int:
    """Waits for its end, which leaves nothing; returns the exit code."""
    try:
        out, err = running.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        raise
    assert running.returncode in codes, (running.args, running.returncode, out, err)
    assert all(line.startswith(("bpfimg: ", "hint: ")) for line in err.splitlines()), err
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)  # no compiler, no credential program
    assert os.listdir(cli.folder / "tmp") == []
    return running.returncode


def calls(cli: Cli, work: Work) -> list[tuple[str, int]]:
    """The system calls of its first thread, from where it knows its verb: (name, how many of that name by then)."""
    work.renew()
    log = cli.folder / "strace.log"
    ended(cli, started(cli, work, "strace", "-f", "-qq", "-e", f"trace={_CALLS}", "-o", str(log)), 0)
    text = log.read_text(errors="replace")
    log.unlink()
    made, counted, ours = [], Counter[str](), False
    first = text.split(maxsplit=1)[0]
    for pid, name, words in _CALL.findall(text):
        if pid == first:
            counted[name] += 1
            ours = ours or "/bpfimg/cli/_parser" in words or "/bpfimg/cli/__pycache__/_parser" in words
            if ours:
                made.append((name, counted[name]))
    return made


def try_it(cli: Cli, work: Work, moments: int = MOMENTS) -> None:
    """Interrupts it at moments all over its work; then it does its work."""
    made = calls(cli, work)
    assert len(made) > moments, made
    codes = []
    for number in range(moments):
        name, count = made[len(made) * number // moments]
        work.renew()
        inject = f"inject={name}:signal=INT:when={count}"
        running = started(cli, work, "strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={name}", "-e", inject)
        codes.append(ended(cli, running, 0, 130))
        work.stays()
    assert codes.count(130) >= moments // 2, codes
    work.renew()
    ended(cli, started(cli, work), 0)
    work.stays()


def try_endless(cli: Cli, *words: str) -> None:
    """Interrupts what would go on for ever, as a terminal does: the whole group."""
    for seconds in (0.0, 0.3):
        running = started(cli, Work(words))
        at_work(running)
        time.sleep(seconds)
        os.killpg(running.pid, signal.SIGINT)
        ended(cli, running, 130)


def at_work(running: subprocess.Popen[str]) -> None:
    """Waits until a verb asks the kernel: before, an interpreter on a busy machine may still be starting."""
    end = time.monotonic() + 120
    while "/_ctypes." not in Path(f"/proc/{running.pid}/maps").read_text():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < end, running.args
        time.sleep(0.02)


def whole(cli: Cli, name: str = "store") -> Callable[[], None]:
    """Says that a store is sound and holds nothing unfinished."""

    def look() -> None:
        place = cli.folder / name
        if not place.exists():
            return
        cli("--store", str(place), "fsck", "-q")
        strange = [
            str(path)
            for path in place.rglob("*")
            if path.is_file() and len(path.name) != 64 and path.name not in ("oci-layout", "index.json", ".lock")
        ]
        assert strange == []

    return look


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Cli:
    """Two signed images in a store and in the registry, and the key."""
    folder = tmp_path_factory.mktemp("made")
    cli = Cli(folder, {"BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)})
    cli("key", "generate", "k")
    for name in ("xdp_counter", "xdp_pass"):
        image = f"{server.host}/team/{name}:v1"
        cli("build", "-q", "-t", image, str(EXAMPLES / f"{name}.bpf.c"))
        cli("sign", "-q", "--key", "k.key", image)
        cli("push", "-q", image)
    return cli


@pytest.fixture
def images(cli: Cli, made: Cli, server: Server) -> str:
    """The same in the test's own store; returns the repositories' prefix."""
    shutil.copytree(made.folder, cli.folder, dirs_exist_ok=True)
    return f"{server.host}/team"


def remove(path: Path) -> Callable[[], None]:
    """Takes a file or folder away."""
    return lambda: shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def test_build(cli: Cli) -> None:
    words = ("build", "-t", "localhost/xdp_counter:v1", str(EXAMPLES / "xdp_counter.bpf.c"))
    try_it(cli, Work(words, remove(cli.folder / "store"), whole(cli)))


def test_push_and_sign(cli: Cli, images: str) -> None:
    try_it(cli, Work(("push", f"{images}/xdp_counter:v1", f"{images}/elsewhere:v1"), stays=whole(cli)))
    try_it(cli, Work(("sign", "--key", "k.key", f"registry:{images}/xdp_pass:v1"), stays=whole(cli)))
    cli("verify", "-q", "--key", "k.pub", f"registry:{images}/xdp_pass:v1")


def test_pull(cli: Cli, images: str) -> None:
    there = cli.folder / "there"
    work = Work(("--store", str(there), "pull", f"{images}/xdp_counter:v1"), remove(there), whole(cli, "there"))
    try_it(cli, work)


@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive"])
def test_copy(cli: Cli, images: str, kind: str) -> None:
    target = cli.folder / "out"

    def sound() -> None:
        drafts = [path.name for path in cli.folder.iterdir() if path.name.startswith((".", "out.", "tmp-"))]
        assert drafts == []
        if kind != "oci" and target.exists():  # an archive is there whole, or not at all
            cli("inspect", f"{kind}:out:{images}/xdp_counter:v1")

    words = ("copy", f"{images}/xdp_counter:v1", f"{kind}:out:{images}/xdp_counter:v1")
    try_it(cli, Work(words, remove(target), sound))


def test_copy_of_many(cli: Cli, images: str) -> None:
    (cli.folder / "list").write_text(f"{images}/xdp_counter:v1\n{images}/xdp_pass:v1\n")
    target = cli.folder / "mirror"
    try_it(cli, Work(("copy", "--from-file", "list", "oci:mirror"), remove(target)))
    try_it(cli, Work(("copy", "--all", f"registry:{images}/xdp_counter", "oci:mirror"), remove(target)))


def test_verify_and_referrers(cli: Cli, images: str) -> None:
    try_it(cli, Work(("verify", "--key", "k.pub", f"registry:{images}/xdp_counter:v1")))
    try_it(cli, Work(("referrers", f"{images}/xdp_counter:v1")), 3)


def test_the_store(cli: Cli, images: str) -> None:
    for verb in ("fsck", "prune", "images"):
        try_it(cli, Work((verb,), stays=whole(cli)), 3)


def test_looks_at_many_objects(cli: Cli, images: str) -> None:
    folder = cli.folder / "objects"
    folder.mkdir()
    for number in range(40):
        cli_object = folder / f"{number}.o"
        cli_object.write_bytes(_object())
    try_it(cli, Work(("lint", "objects")), 3)
    try_it(cli, Work(("check", f"{images}/xdp_counter:v1", "--btf", "/sys/kernel/btf/vmlinux")), 4)


def _object() -> bytes:
    from tests.support.objects import example

    return example("xdp_counter")


def test_key_generate(cli: Cli) -> None:
    def both_or_none() -> None:
        assert {path.name for path in cli.folder.iterdir()} - {"tmp", "store"} in (set(), {"pair.key", "pair.pub"})

    def renew() -> None:
        remove(cli.folder / "pair.key")()
        remove(cli.folder / "pair.pub")()

    try_it(cli, Work(("key", "generate", "pair"), renew, both_or_none))


# what changes the kernel


@pytest.fixture
def loaded(host: Cli, network: Namespace) -> Iterator[tuple[Cli, Namespace]]:
    host("key", "generate", "k")
    host("build", "-q", "-t", "team/xdp_counter:v1", str(EXAMPLES / "xdp_counter.bpf.c"))
    host("sign", "-q", "--key", "k.key", "team/xdp_counter:v1")
    yield host, network
    for program in host.json("programs", "list")["programs"]:
        host("unload", "--ignore-missing", str(program["id"]))
    host("gc")
    folder = f"{host.environ['BPFIMG_BPFFS']}/bpfimg"
    assert not os.path.isdir(folder) or os.listdir(folder) == []
    assert network.ping(1)


def forget(host: Cli) -> Callable[[], None]:
    def unload() -> None:
        for program in host.json("programs", "list")["programs"]:
            host("unload", str(program["id"]))

    return unload


def consistent(host: Cli) -> Callable[[], None]:
    """One program that is attached, or none; and the doctor finds nothing."""

    def look() -> None:
        programs = host.json("programs", "list")["programs"]
        assert [link["state"] for each in programs for link in each["links"]] in ([], ["attached"])

    return look


@pytest.mark.kernel
def test_run_and_load(loaded: tuple[Cli, Namespace]) -> None:
    host, network = loaded
    where = ("xdp", "-i", network.interface, "--netns", network.path)
    run = ("run", "--key", "k.pub", "--pull", "never", "team/xdp_counter:v1", *where)
    try_it(host, Work(run, forget(host), consistent(host)), 8)
    forget(host)()
    try_it(host, Work(("load", "--key", "k.pub", "--pull", "never", "team/xdp_counter:v1"), forget(host)), 4)


@pytest.mark.kernel
def test_apply_and_export(loaded: tuple[Cli, Namespace]) -> None:
    host, network = loaded
    where = ("xdp", "-i", network.interface, "--netns", network.path)
    host("run", "-q", "--key", "k.pub", "--pull", "never", "team/xdp_counter:v1", *where)
    (host.folder / "wanted.json").write_text(host("export").stdout)
    apply = ("apply", "--key", "k.pub", "wanted.json")
    forget(host)()
    try_it(host, Work(apply, forget(host), consistent(host)))
    try_it(host, Work(("export",)), 3)


@pytest.mark.kernel
def test_what_looks_again_and_again(loaded: tuple[Cli, Namespace]) -> None:
    host, network = loaded
    where = ("xdp", "-i", network.interface, "--netns", network.path)
    host("run", "-q", "--key", "k.pub", "--pull", "never", "team/xdp_counter:v1", *where)
    for words in (("map", "watch", "xdp_counter", "counters"), ("top",), ("list", "--stats", "60")):
        try_endless(host, *words)
        consistent(host)()
    for words in (("list", "--all"), ("doctor",), ("gc",), ("status",), ("features",)):
        try_it(host, Work(words, stays=consistent(host)), 3)


@pytest.mark.kernel
def test_detach_set_and_unload(loaded: tuple[Cli, Namespace]) -> None:
    host, network = loaded
    where = ("xdp", "-i", network.interface, "--netns", network.path)

    def again() -> None:
        forget(host)()
        host("run", "-q", "--key", "k.pub", "--pull", "never", "team/xdp_counter:v1", *where)

    again()
    try_it(host, Work(("unload", "xdp_counter"), again), 5)

"""Empty Debian roots: what a new machine has and no more, for tests of what installing asks for.

debootstrap makes them once below `.cache/roots`, from the mirror that this machine's apt uses and with its settings;
each test gets one with a memory of its own above it, in namespaces of its own: the machine sees no mount of it, and
nothing is left. `python -m tests.support.roots` makes those that the tests need and says plainly why one cannot be had.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import debian

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CACHE = debian.CACHE.parent / "roots"
RELEASES = {"bookworm": "12", "trixie": "13"}
#: what `pipx install` of the wheel is told to need
PIPX = ("libbpf1", "pipx", "python3")
#: what the Debian package depends on, and what tests look at it with
NEEDED = ("libbpf1", "python3")
LOOKING = ("man-db", "systemd")
#: what the container image is made with
CONTAINER = ("ca-certificates", "libbpf1", "python3", "python3-pip")
#: what tests ask for: suite, what is installed, what apt has at hand
WANTED: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    *((suite, PIPX, ()) for suite in RELEASES),
    *((suite, LOOKING, NEEDED) for suite in RELEASES),
    ("bookworm", (), CONTAINER),
)
_PATIENCE = 600.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# $1 a folder, $2 the tree, $3 where changes go ("tree", or a memory above it), $4 whether bpffs is wanted, then pairs
# of what is shown read-only and where. `read` happens in this shell, so the machine's /proc says this one's number.
_START = """
mount --make-rprivate /
place=$1 tree=$2 changes=$3 bpffs=$4
shift 4
mount -t tmpfs -o mode=755 tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root"
if [ "$changes" = tree ]; then
    mount --bind "$tree" "$place/root"
else
    mount -t overlay -o "lowerdir=$tree,upperdir=$place/upper,workdir=$place/work" overlay "$place/root"
fi
cd "$place/root"
mount -t sysfs sysfs sys
[ "$bpffs" = no ] || mount -t bpf bpf sys/fs/bpf
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 tmpfs dev/shm
while [ $# -gt 0 ]; do
    if [ -d "$1" ]; then mkdir -p "./$2"; else mkdir -p "./${2%/*}"; touch "./$2"; fi
    mount --bind "$1" "./$2"
    mount -o remount,bind,ro "./$2"
    shift 2
done
ip link set lo up
read -r number rest </proc/self/stat
mount -t proc proc proc
echo "$number"
exec sleep infinity
"""


@dataclass(frozen=True, slots=True)
class Root:
    """A running empty root; what is done in it goes with it. `path` is where it is to be read and written from here."""

    number: int
    place: str

    @property
    def path(self) -> Path:
        return Path(f"/proc/{self.number}/root{self.place}")

    def tries(
        self, *argv: str, cwd: str = "/root", user: str = "", given: str = "", **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the root, with an environment of its own; what it says is in one piece, in its order."""
        home = f"/home/{user}" if user else "/root"
        words = {"PATH": _PATH, "HOME": home, "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **environ}
        enter = ["nsenter", f"--target={self.number}", "--mount", "--pid", "--net", "--", "chroot"]
        enter += [f"--userspec={user}", f"--groups={user}"] if user else []
        enter += [self.place, "env", "-i", "-C", cwd, *(f"{name}={text}" for name, text in words.items())]
        return subprocess.run(
            [*enter, *argv],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )

    def run(self, *argv: str, cwd: str = "/root", user: str = "", given: str = "", **environ: str) -> str:
        """What a command that must succeed says."""
        done = self.tries(*argv, cwd=cwd, user=user, given=given, **environ)
        assert done.returncode == 0, f"{' '.join(argv)} ended with {done.returncode}: {done.stdout[-3000:]}"
        return done.stdout

    def files(self) -> set[str]:
        """The paths of everything in the root, but in mounts."""
        said = self.run("find", "/", "-xdev", "-mindepth", "1")
        return set(said.splitlines())


@contextmanager
def root(
    suite: str,
    installed: tuple[str, ...] = (),
    fetched: tuple[str, ...] = (),
    *,
    shown: Mapping[Path, str] | None = None,
    bpffs: bool = False,
) -> Iterator[Root]:
    """An empty Debian of that suite with these packages, in a network of its own, where there is nobody.

    Of `fetched` apt has all that it needs to install them. `shown` are folders and files of this machine that are to be
    read there. Skips, naming what lacks.
    """
    try:
        below = tree(suite, installed, fetched)
    except LookupError as error:
        pytest.skip(f"needs an empty Debian root ({suite}): {error}")
    pairs = [word for here, there in (shown or {}).items() for word in (str(here), there)]
    with _started(below, ["memory", "yes" if bpffs else "no", *pairs], "--net") as made:
        if isinstance(made, str):
            pytest.skip(f"needs namespaces and overlayfs for an empty Debian root ({suite}): {made}")
        yield made


@contextmanager
def _started(tree: Path, words: list[str], *more: str) -> Iterator[Root | str]:
    """The root while it lasts, or why it cannot be."""
    spaces = ["unshare", "--mount", "--pid", "--ipc", "--uts", *more, "--fork", "--kill-child"]
    with ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="bpfimg-root-"))
        holder = subprocess.Popen(
            [*spaces, "sh", "-ec", _START, "sh", place, str(tree), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        stack.enter_context(holder)
        stack.callback(holder.kill)  # its child is the first process of the namespace: all that is in it ends, too
        assert holder.stdout is not None
        assert holder.stderr is not None
        number = holder.stdout.readline().strip()
        yield Root(int(number), f"{place}/root") if number else holder.stderr.read().strip()


def tree(suite: str, installed: tuple[str, ...] = (), fetched: tuple[str, ...] = ()) -> Path:
    """The folder of an empty root with these packages, made where it is not there yet; it is not to be changed.

    Raises `LookupError` with the reason when it cannot be had.
    """
    name = "+".join([suite, *installed]) + ("" if not fetched else "-fetched-" + "+".join(fetched))
    folder = CACHE / name
    if folder.exists():
        return folder
    if os.geteuid() != 0:
        raise LookupError("making one needs root")
    CACHE.mkdir(parents=True, exist_ok=True)
    draft = CACHE / f"draft-{os.getpid()}-{name}"
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, draft, ignore_errors=True)
        if fetched:
            _linked(tree(suite, installed), draft)
            _grow(draft, "--download-only", *fetched)
        elif installed:
            _call("cp", "-a", str(tree(suite)), str(draft))
            _grow(draft, *installed)
            _call("sh", "-c", 'rm -f "$1"/var/cache/apt/archives/*.deb', "sh", str(draft))
        else:
            _bootstrap(suite, draft)
        if not folder.exists():  # another session may have been faster
            draft.rename(folder)
    return folder


def _bootstrap(suite: str, draft: Path) -> None:
    if shutil.which("debootstrap") is None:
        raise LookupError("there is no debootstrap")
    url, keyring = debian.mirror()
    _call("debootstrap", "--variant=minbase", f"--keyring={keyring}", suite, str(draft), url)
    settings = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=False).stdout
    (draft / "etc/apt/apt.conf.d/99here").write_text(f'{settings}APT::Install-Recommends "false";\n')
    (draft / "etc/apt/sources.list").write_text(f"deb {url} {suite} main\n")
    policy = draft / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")  # nothing starts
    policy.chmod(0o755)
    for name in ("etc/hostname", "etc/resolv.conf"):
        (draft / name).unlink(missing_ok=True)
    (draft / "etc/hostname").write_text("empty\n")
    (draft / "etc/hosts").write_text("127.0.0.1 localhost empty\n::1 localhost\n")
    _call("sh", "-c", 'rm -f "$1"/var/cache/apt/archives/*.deb "$1"/var/log/*.log', "sh", str(draft))


def _linked(below: Path, draft: Path) -> None:
    """The same files as the tree, but for what apt changes when it fetches."""
    _call("cp", "-al", str(below), str(draft))
    for name in ("var/cache/apt", "var/lib/apt", "var/log"):
        shutil.rmtree(draft / name)
        _call("cp", "-a", str(below / name), str(draft / name))


def _grow(draft: Path, *words: str) -> None:
    """Lets apt install packages in a tree, or only fetch them, with this machine's network."""
    network = [name for name in ("/etc/resolv.conf", "/etc/hosts") if os.path.exists(name)]
    pairs = [word for name in network for word in (name, name)]
    with _started(draft, ["tree", "no", *pairs]) as made:
        if isinstance(made, str):
            raise LookupError(made)
        for argv in (["update"], ["install", "-y", "--no-install-recommends", *words]):
            done = made.tries("apt-get", "-qq", *argv)
            if done.returncode:
                raise LookupError(f"apt-get {' '.join(argv)}: {done.stdout.strip().splitlines()[-1:]}")


def _call(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LookupError(f"{argv[0]}: {error}") from error
    if done.returncode:
        raise LookupError(f"{argv[0]} failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
    return done.stdout


def tutorial() -> tuple[str, ...]:
    """What the tutorial tells apt to install."""
    page = debian.CACHE.parents[1] / "docs" / "tutorial.md"
    found = re.search(r"^apt-get install -y --no-install-recommends (.*)$", page.read_text(encoding="utf-8"), re.M)
    assert found is not None, "the tutorial says no longer what is to be installed"
    return tuple(sorted(found[1].split()))


def main() -> int:
    """Makes the roots that tests need; 1 when one cannot be had."""
    wanted = (*WANTED, ("bookworm", (), tutorial()))
    return max(debian.attempt(f"Debian {RELEASES[each[0]]}, empty,", functools.partial(tree, *each)) for each in wanted)


if __name__ == "__main__":
    raise SystemExit(main())

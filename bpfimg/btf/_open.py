"""Finds a kernel's types in a file: raw BTF, an ELF image or module of any machine, a boot image, a compressed one.

What is read is bounded; of an ELF image with debug information, which may have a gigabyte, only headers, names and
section .BTF.
"""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.btf._kernel import KernelTypes
from bpfimg.btf._limits import Limits
from bpfimg.btf._read import Btf
from bpfimg.btf._unpack import UNPACKED_MAX, archived, boot_image, boot_release, flat_image, unpacked
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Read = Callable[[int, int], bytes]
    """The bytes of a file from an offset on, so many or fewer."""

KERNEL_LIMITS = Limits(bytes=64 << 20, types=2_000_000)
_HEAD = 4096
_PACKED_MAX = 128 << 20
_ORDERS = {b"\x9f\xeb": "little", b"\xeb\x9f": "big"}
_HEADER = struct.Struct("<HBBIIIII")
_SECTIONS_MAX = 1 << 20
_NAMES_MAX = 16 << 20
_BANNER = b"Linux version "
_BANNER_MAX = 64 << 20


@value(frozen=True, slots=True)
class KernelFile:
    """The BTF in a file. `split`: that of a module, which needs vmlinux's; `base` is what a module brings of it along
    (section .BTF.base, b"" if none). `release` is "6.1.0-13-amd64", "" where the file does not say."""

    data: bytes
    byte_order: str
    split: bool
    base: bytes = b""
    release: str = ""

    @staticmethod
    def find(name: str, read: Read, size: int) -> KernelFile:
        """The BTF in a file of `size` bytes; `name` is for messages. `BytecodeError` where there is none."""
        what = f"file {quoted(name)}"
        head = read(0, _HEAD)
        if head[:4] == b"\x7fELF" or head[:2] in _ORDERS:
            return _plain(read, size, what)
        boot, release = boot_image(head), boot_release(head, read(_HEAD // 8, 64 << 10))
        if boot is not None:
            offset, length = boot
            packed = read(offset, min(length, _PACKED_MAX))
        else:
            packed = read(0, _PACKED_MAX + 1)
            if len(packed) > _PACKED_MAX:
                raise BytecodeError(f"{what} has more than {_PACKED_MAX} bytes, and is no ELF image")
        content = archived(unpacked(packed, what), what)
        if content[:4] == b"\x7fELF" or content[:2] in _ORDERS:
            found = _plain(lambda start, length: content[start : start + length], len(content), what)
        elif flat_image(content) or boot is not None:
            found = _searched(content, what)
        else:
            begins = f"begins with {head[:4].hex()}" if head else "is empty"
            raise BytecodeError(f"{what} holds no types: it {begins}, expected BTF, ELF or a kernel")
        return KernelFile(found.data, found.byte_order, found.split, found.base, found.release or release)

    def kernel(self, name: str, modules: Mapping[str, KernelFile] | None = None) -> KernelTypes:
        """The kernel's types, and its modules' behind them; `BytecodeError` where a part is not sound."""
        if self.split:
            raise BytecodeError(
                f"file {quoted(name)} holds the types of a kernel module, expected those of vmlinux",
                hint="give a folder that has vmlinux and the modules, as /sys/kernel/btf",
            )
        types = Btf(self.data, self.byte_order, KERNEL_LIMITS)
        behind = {module: file._behind(types) for module, file in (modules or {}).items()}
        return KernelTypes(name, types, behind, release=self.release)

    def _behind(self, types: Btf) -> Btf:
        base = Btf(self.base, self.byte_order, KERNEL_LIMITS) if self.base else types
        return Btf(self.data, self.byte_order, KERNEL_LIMITS, base if self.split or self.base else None)


def _plain(read: Read, size: int, what: str) -> KernelFile:
    head = read(0, 64)
    if head[:2] in _ORDERS:
        return _raw(read(0, min(size, KERNEL_LIMITS.bytes + 1)), b"", "", what)
    base, release, types = b"", "", b""
    for name, start, length in _sections(read, size, head, what):
        if name == ".BTF":
            types = read(start, min(length, KERNEL_LIMITS.bytes + 1))
        elif name == ".BTF.base":
            base = read(start, min(length, KERNEL_LIMITS.bytes + 1))
        elif name == ".rodata" and not release:
            release = _release(read(start, min(length, _BANNER_MAX)))
    if not types:
        raise BytecodeError(
            f"{what} has no section .BTF, expected a kernel image that has one",
            hint="a kernel has types when it was built with CONFIG_DEBUG_INFO_BTF=y",
        )
    return _raw(types, base, release, what)


def _raw(data: bytes, base: bytes, release: str, what: str) -> KernelFile:
    order = _ORDERS.get(data[:2])
    if order is None or len(data) < _HEADER.size:
        raise BytecodeError(f"{what} holds no types: section .BTF begins with {data[:4].hex()}, expected 9feb or eb9f")
    layout = struct.Struct(("<" if order == "little" else ">") + "HBBIIIII")
    _magic, _version, _flags, header, _types, _length, strings, _strings_length = layout.unpack_from(data)
    # the first string of all is the empty one; a module's own strings go on where those of vmlinux end
    split = data[header + strings : header + strings + 1] != b"\0"
    return KernelFile(data, order, split, base, release)


def _searched(content: bytes, what: str) -> KernelFile:
    """Types in the middle of an image that has no sections: where a header is that fits what follows it."""
    for magic, order in ((b"\x9f\xeb\x01\x00\x18\0\0\0", "<"), (b"\xeb\x9f\x01\x00\0\0\0\x18", ">")):
        at = content.find(magic)
        while at >= 0:
            if at + _HEADER.size <= len(content):
                header = struct.unpack_from(order + "HBBIIIII", content, at)
                start, length, strings, strings_length = header[4:]
                end = at + header[3] + strings + strings_length
                if start == 0 and strings == length and length and strings_length and end <= len(content):
                    return _raw(content[at:end], b"", _release(content), what)
            at = content.find(magic, at + 4)
    raise BytecodeError(
        f"{what} holds no types", hint="a kernel has types when it was built with CONFIG_DEBUG_INFO_BTF=y"
    )


def _sections(read: Read, size: int, head: bytes, what: str) -> Iterator[tuple[str, int, int]]:
    """Name, offset and length of the sections that the file holds; ELF of 32 and 64 bits, either byte order."""
    if len(head) < 52 or head[4] not in (1, 2) or head[5] not in (1, 2):
        raise BytecodeError(f"{what} is a damaged ELF file")
    order, wide = "<" if head[5] == 1 else ">", head[4] == 2
    if wide and len(head) < 64:
        raise BytecodeError(f"{what} is a damaged ELF file")
    table = struct.unpack_from(order + ("Q" if wide else "I"), head, 40 if wide else 32)[0]
    entry, count, names = struct.unpack_from(order + "HHH", head, 58 if wide else 46)
    layout = struct.Struct(order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII"))
    first = read(table, layout.size)
    if not table or entry != layout.size or len(first) < entry:
        raise BytecodeError(f"{what} is an ELF file without sections")
    row = layout.unpack(first)
    count, names = count or row[5], row[6] if names == 0xFFFF else names
    if count > _SECTIONS_MAX or names >= count:
        raise BytecodeError(f"{what} is a damaged ELF file: it states {count} sections")
    rows = list(layout.iter_unpack(_whole(read, table, entry * count, size, what)))
    strings = _whole(read, rows[names][4], min(rows[names][5], _NAMES_MAX), size, what)
    for row in rows:
        end = strings.find(b"\0", row[0])
        if row[1] not in (0, 8):  # NULL, NOBITS
            yield strings[row[0] : end if end >= 0 else None].decode("ascii", "replace"), row[4], row[5]


def _whole(read: Read, start: int, length: int, size: int, what: str) -> bytes:
    if start + length > size:
        raise BytecodeError(f"{what} is a damaged ELF file: it ends at byte {size}, expected {start + length}")
    return read(start, length)


def _release(data: bytes) -> str:
    """From "Linux version 6.1.0-13-amd64 (debian-kernel@…)"."""
    at = data.find(_BANNER)
    while at >= 0:
        word = data[at + len(_BANNER) :][:64].split(b" ")[0]
        if word[:1].isdigit():
            return word.decode("ascii", "replace")
        at = data.find(_BANNER, at + 1)
    return ""


__all__ = ["KERNEL_LIMITS", "UNPACKED_MAX", "KernelFile"]

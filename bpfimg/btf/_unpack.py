"""What a kernel's types may be wrapped in: compression, boot images, archives. Everything is bounded.

x86: Documentation/arch/x86/boot.rst; arm64: Documentation/arch/arm64/booting.rst; EFI zboot:
drivers/firmware/efi/libstub/zboot-header.S.
"""

from __future__ import annotations

import struct

from bpfimg.errors import BytecodeError

UNPACKED_MAX = 256 << 20
_MEMORY_MAX = 256 << 20
_TAR_AT = 257
_MEMBERS_MAX = 64
_SECTOR = 512
_HINT = "unpack it first: scripts/extract-vmlinux of the kernel's sources writes the ELF image that is in a vmlinuz"

#: first bytes of what cannot be unpacked with the standard library
_FOREIGN = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x02\x21\x4c\x18": "lz4",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x89LZO": "lzo",
}


def boot_image(head: bytes) -> tuple[int, int] | None:
    """Where the compressed kernel is in a boot image that begins with `head` (4 KiB): offset and size in bytes."""
    if head[0x202:0x206] == b"HdrS" and len(head) >= 0x250:
        sectors = head[0x1F1] or 4
        offset, size = struct.unpack_from("<II", head, 0x248)
        return (sectors + 1) * _SECTOR + offset, size
    if head[:2] == b"MZ" and head[4:8] == b"zimg":
        offset, size = struct.unpack_from("<II", head, 8)
        return offset, size
    return None


def boot_release(head: bytes, more: bytes) -> str:
    """The release that an x86 boot image states ("6.1.0-13-amd64"); `more` is what follows the first sector."""
    if head[0x202:0x206] != b"HdrS":
        return ""
    (at,) = struct.unpack_from("<H", head, 0x20E)
    words = more[at : at + 128].split(b"\0")[0].split()
    return words[0].decode("ascii", "replace") if words and at else ""


def flat_image(head: bytes) -> bool:
    """Is it an arm64 or riscv Image, which is no ELF file?"""
    return head[0x38:0x3C] in (b"ARM\x64", b"RSC\x05")


def unpacked(data: bytes, what: str) -> bytes:
    """The content of compressed bytes; `data` itself where they are not compressed.

    `BytecodeError` when they are damaged, of a kind that Python cannot unpack, or more than UNPACKED_MAX.
    """
    for magic, word in _FOREIGN.items():
        if data.startswith(magic):
            if word == "zstd":
                return _zstd(data, what)
            raise BytecodeError(f"{what} is compressed with {word}, which is not supported here", hint=_HINT)
    if data.startswith(b"\x1f\x8b"):
        return _gunzip(data, what)
    if data.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        return _xz(data, what)
    if data.startswith(b"BZh"):
        return _bunzip(data, what)
    return data


def archived(data: bytes, what: str) -> bytes:
    """The first `.btf` file of a tar archive (as btfhub has them); `data` itself where it is none."""
    if data[_TAR_AT : _TAR_AT + 5] != b"ustar":
        return data
    import io
    import tarfile

    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for _ in range(_MEMBERS_MAX):
                member = archive.next()
                if member is None:
                    break
                if member.isfile() and member.name.endswith(".btf"):
                    file = archive.extractfile(member)
                    return file.read() if file else b""
    except tarfile.TarError as error:
        raise BytecodeError(f"{what} is a damaged archive: {error}") from error
    raise BytecodeError(f"{what} is an archive without a .btf file")


def _bounded(content: bytes, whole: bool, what: str) -> bytes:
    if len(content) > UNPACKED_MAX:
        raise BytecodeError(f"{what} unpacks to more than {UNPACKED_MAX} bytes")
    if not whole:
        raise BytecodeError(f"{what} is compressed, and cut off")
    return content


def _gunzip(data: bytes, what: str) -> bytes:
    import zlib

    stream = zlib.decompressobj(wbits=31)
    try:
        content = stream.decompress(data, UNPACKED_MAX + 1)
    except zlib.error as error:
        raise BytecodeError(f"{what} is damaged: {error}") from error
    return _bounded(content, stream.eof, what)


def _xz(data: bytes, what: str) -> bytes:
    import lzma

    stream = lzma.LZMADecompressor(memlimit=_MEMORY_MAX)
    try:
        content = stream.decompress(data, UNPACKED_MAX + 1)
    except (lzma.LZMAError, EOFError) as error:
        raise BytecodeError(f"{what} is damaged: {error}") from error
    return _bounded(content, stream.eof, what)


def _bunzip(data: bytes, what: str) -> bytes:
    import bz2

    stream = bz2.BZ2Decompressor()
    try:
        content = stream.decompress(data, UNPACKED_MAX + 1)
    except (OSError, EOFError) as error:
        raise BytecodeError(f"{what} is damaged: {error}") from error
    return _bounded(content, stream.eof, what)


def _zstd(data: bytes, what: str) -> bytes:
    """The kernel's own recipe is `zstd -22 --ultra`, and then four bytes with the size (scripts/Makefile.lib)."""
    from bpfimg._zstd import Bounds, NotZstd, NoZstd, TooMuch, unzstd

    content = bytearray()
    try:
        for piece, _ in unzstd((data,), Bounds(window_log=27, rest=True)):
            content += piece
            if len(content) > UNPACKED_MAX:
                break
    except NoZstd:
        raise BytecodeError(
            f"{what} is compressed with zstd, which Python unpacks since 3.14 or with the package zstandard",
            hint=f"install zstandard, or {_HINT}",
        ) from None
    except (NotZstd, TooMuch) as error:
        raise BytecodeError(f"{what} {error}") from error
    return _bounded(bytes(content), True, what)

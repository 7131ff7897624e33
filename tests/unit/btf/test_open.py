"""A kernel's types, out of whatever file they come in."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile

import pytest

from bpfimg.btf import KernelFile, kinds
from bpfimg.btf._open import KERNEL_LIMITS
from bpfimg.errors import BytecodeError
from tests.support import btf as w
from tests.support.btf import BtfWriter
from tests.support.core import kernel_of

VMLINUX = BtfWriter()
VMLINUX.add(w.STRUCT, "task_struct", 4, VMLINUX.string("pid"), VMLINUX.integer(), 0, vlen=1)
BANNER = b"%s version %s\0Linux version 6.1.0-13-amd64 (debian-kernel@lists.debian.org) (gcc-12)\n\0"


def found(data: bytes) -> KernelFile:
    return KernelFile.find("file", lambda start, length: data[start : start + length], len(data))


def elf(sections: dict[str, bytes], *, wide: bool = True, order: str = "<") -> bytes:
    """An ELF file of that class and byte order with these sections."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in sections) + b".shstrtab\0"
    size = 64 if wide else 52
    body, rows = b"", [(0, 0, 0, 0)]
    for name, content in {**sections, ".shstrtab": names}.items():
        kind = 3 if name == ".shstrtab" else 1
        rows.append((names.index(b"\0" + name.encode() + b"\0") + 1, kind, size + len(body), len(content)))
        body += content + bytes(-len(content) % 8)
    table = size + len(body)
    layout = order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII")
    entries = b"".join(struct.pack(layout, name, kind, 0, 0, at, length, 0, 0, 1, 0) for name, kind, at, length in rows)
    ident = b"\x7fELF" + bytes((2 if wide else 1, 1 if order == "<" else 2, 1)) + bytes(9)
    numbers = (size, 0, 0, 64 if wide else 40, len(rows), len(rows) - 1)
    head = struct.pack(order + ("HHIQQQI6H" if wide else "HHIIIII6H"), 2, 62, 1, 0, 0, table, 0, *numbers)
    return ident + head + body + entries


def boot_image(payload: bytes, release: bytes = b"6.1.0-13-amd64 (debian) #1 SMP") -> bytes:
    """A bzImage with one sector of set-up code behind the boot sector."""
    head = bytearray(1024)
    head[0x1F1] = 1
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x20E, 0x300 - 0x200)
    struct.pack_into("<II", head, 0x248, 32, len(payload))
    head[0x300 : 0x300 + len(release) + 1] = release + b"\0"
    return bytes(head) + bytes(32) + payload + b"trailer"


def archive(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


RAW = VMLINUX.data()
IMAGE = elf({".text": b"x" * 100, ".rodata": BANNER, ".BTF": RAW})
ZBOOT = b"MZ\0\0zimg" + struct.pack("<II", 64, len(gzip.compress(IMAGE))) + bytes(48) + gzip.compress(IMAGE)
ARM64 = bytes(0x38) + b"ARM\x64" + bytes(1000) + b"\x9f\xeb\1\0\x18\0\0\0" + b"\xff" * 40 + RAW + bytes(100)

FILES = {
    "raw": RAW,
    "raw.gz": gzip.compress(RAW),
    "raw.xz": lzma.compress(RAW),
    "raw.lzma": lzma.compress(RAW, format=lzma.FORMAT_ALONE),
    "raw.bz2": bz2.compress(RAW),
    "btfhub": lzma.compress(archive("5.4.0-1-generic.btf", RAW)),
    "vmlinux": IMAGE,
    "vmlinux of 32 bits": elf({".BTF": RAW}, wide=False),
    "vmlinuz, gzip": boot_image(gzip.compress(IMAGE)),
    "vmlinuz, xz": boot_image(lzma.compress(IMAGE)),
    "EFI zboot": ZBOOT,
    "arm64 Image": gzip.compress(ARM64),
}


@pytest.mark.parametrize("name", FILES)
def test_types_are_found(name: str) -> None:
    file = found(FILES[name])
    assert (file.data, file.byte_order, file.split) == (RAW, "little", False)
    release = "6.1.0-13-amd64" if b"vmlinu" in name.encode() or name == "EFI zboot" else ""
    assert file.release == ("" if "32" in name else release)
    kernel = file.kernel(name)
    assert (kernel.name, kernel.find("task_struct", kinds.STRUCT)) == (name, ("", 2))


def test_zstd_where_python_can() -> None:
    """As Debian 13 and later compress their kernels; the library is an extra below Python 3.14."""
    zstd = pytest.importorskip("zstandard", reason="needs the package zstandard, or Python 3.14")
    compressed = zstd.ZstdCompressor().compress(IMAGE)
    for data in (compressed, boot_image(compressed)):
        assert found(data).data == RAW
    with pytest.raises(BytecodeError, match="is cut"):
        found(zstd.ZstdCompressor().compress(RAW)[:-30])
    ultra = zstd.ZstdCompressionParameters(window_log=27, write_content_size=False)
    engine = zstd.ZstdCompressor(compression_params=ultra).compressobj()
    of_the_kernel = engine.compress(IMAGE) + engine.flush() + len(IMAGE).to_bytes(4, "little")
    assert found(of_the_kernel).data == RAW
    with pytest.raises(BytecodeError, match="damaged"):
        found(compressed[:8] + b"\xff" * 200)


@pytest.mark.parametrize("wide", [True, False])
def test_a_big_endian_kernel(wide: bool) -> None:
    writer = BtfWriter("big")
    writer.add(w.STRUCT, "task_struct", 4, writer.string("pid"), writer.integer(), 0, vlen=1)
    for data in (writer.data(), elf({".BTF": writer.data()}, wide=wide, order=">")):
        file = found(data)
        assert file.byte_order == "big"
        assert file.kernel("s390x").index.exactly("task_struct", kinds.STRUCT) == 2


def module_of(base: BtfWriter) -> bytes:
    """Split BTF: a struct of the module's own with a member of vmlinux's type 2."""
    strings = len(base.data()) - 24 - struct.unpack_from("<I", base.data(), 12)[0]
    own = b"mod_struct\0task\0"
    types = struct.pack("<III", strings, 4 << 24 | 1, 4) + struct.pack("<III", strings + 11, 2, 0)
    return struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(own)) + types + own


def test_a_module_stands_behind_vmlinux() -> None:
    file = found(elf({".BTF": module_of(VMLINUX)}))
    assert file.split
    with pytest.raises(BytecodeError, match="expected those of vmlinux"):
        file.kernel("mod")
    kernel = found(RAW).kernel("vmlinux", {"mod": file})
    assert kernel.find("mod_struct", kinds.STRUCT) == ("mod", 3)
    assert kernel.find("task_struct", kinds.STRUCT) == ("", 2)
    types = kernel.modules["mod"]
    ((name, member, _offset, _width),) = types.fields(3)
    assert (types.string(name), types.name(member), types.size(3), len(types)) == ("task", "task_struct", 4, 4)
    with pytest.raises(BytecodeError, match="no type 4"):
        types.kind(4)


def test_a_module_may_bring_what_it_needs_of_vmlinux_along() -> None:
    """Section .BTF.base, since Linux 6.11."""
    file = found(elf({".BTF": module_of(VMLINUX), ".BTF.base": RAW}))
    other = BtfWriter()
    other.integer("char", 1)
    kernel = found(other.data()).kernel("vmlinux", {"mod": file})
    assert kernel.modules["mod"].name(2) == "task_struct"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "holds no types"),
        (b"hello, world", "expected BTF, ELF or a kernel"),
        (b"\x9f\xeb", "holds no types"),
        (b"\x7fELF", "damaged ELF file"),
        (elf({".text": b"x"}), "no section .BTF"),
        (elf({".BTF": b"nonsense, that is longer than a header"}), "begins with 6e6f6e73"),
        (IMAGE[:200], "without sections"),
        (gzip.compress(RAW)[:-20], "cut off"),
        (b"\x1f\x8b" + bytes(30), "damaged"),
        (b"\xfd7zXZ\0" + bytes(30), "damaged"),
        (b"BZh9" + bytes(30), "damaged"),
        (b"\x02\x21\x4c\x18" + bytes(30), "compressed with lz4"),
        (lzma.compress(archive("readme.txt", b"x")), "without a .btf file"),
        (boot_image(gzip.compress(b"no kernel")), "holds no types"),
        (boot_image(gzip.compress(elf({".text": b""}))), "no section .BTF"),
    ],
)
def test_what_is_none_gets_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(BytecodeError) as caught:
        found(data)
    assert "file 'file'" in str(caught.value)
    assert words in str(caught.value)


def test_nothing_grows_without_bound() -> None:
    bomb = gzip.compress(bytes(300 << 20), 1)
    with pytest.raises(BytecodeError, match="unpacks to more than"):
        found(bomb)
    large = elf({".BTF": RAW + bytes(KERNEL_LIMITS.bytes)})
    with pytest.raises(BytecodeError, match="expected at most"):
        found(large).kernel("large")


def test_damaged_files_raise_nothing_else() -> None:
    chance = random.Random(3)
    for data in (IMAGE, boot_image(gzip.compress(IMAGE)), ARM64, archive("a.btf", RAW), elf({".BTF": RAW}, wide=False)):
        for _ in range(300):
            broken = bytearray(data)
            for _ in range(chance.randrange(1, 6)):
                broken[chance.randrange(min(len(broken), 1200))] = chance.choice(
                    (0, 1, 0x7F, 0xFF, chance.randrange(256))
                )
            try:
                found(bytes(broken[: chance.choice((len(broken), chance.randrange(len(broken))))])).kernel("broken")
            except BytecodeError:
                continue


def test_a_real_kernel_of_clang() -> None:
    """The index finds what a walk over all types finds."""
    kernel = found(
        kernel_of("struct a { int x; }; struct a___2 { int y; }; typedef int b; struct a p; struct a___2 q; b r;")
    )
    types = kernel.kernel("made up").types
    index = kernel.kernel("made up").index
    for type_id in range(1, len(types)):
        name = types.name(type_id)
        if name:
            assert type_id in index.candidates(name.partition("___")[0])
    assert len([i for i in index.candidates("a") if types.kind(i) == kinds.STRUCT]) == 2
    assert index.exactly("a___2", kinds.STRUCT) != index.exactly("a", kinds.STRUCT)
    colours = found(kernel_of("enum { RED, GREEN } c; enum named { BLUE } d;")).kernel("made up")
    assert colours.index.enumerator("GREEN") == colours.index.enumerator("RED")
    assert colours.index.enumerator("GREEN") is not None
    assert colours.index.enumerator("BLACK") is None

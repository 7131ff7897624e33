"""The beginning of a vmlinuz, by Documentation/arch/x86/boot.rst: as much of it as says which kernel it is."""

from __future__ import annotations


def vmlinuz(release: str, *, magic: bytes = b"HdrS", flags: int = 0b11) -> bytes:
    image = bytearray(0x400)
    image[0x202:0x206] = magic
    image[0x20E:0x210] = (0x300 - 0x200).to_bytes(2, "little")
    image[0x236:0x238] = flags.to_bytes(2, "little")
    text = f"{release} (builder@example) #1 SMP\0".encode()
    image[0x300 : 0x300 + len(text)] = text
    return bytes(image)

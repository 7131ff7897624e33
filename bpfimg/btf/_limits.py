"""How much BTF is looked at before it is refused."""

from __future__ import annotations

from bpfimg._value import value


@value(frozen=True, slots=True)
class Limits:
    """Bounds on BTF that nobody has vouched for; each is far above what compilers produce.

    bytes        size of the whole (that of a kernel has 6 MB)
    types        number of types
    depth        length of a chain of types, as libbpf's MAX_RESOLVE_DEPTH
    name_bytes   length of a name (the kernel takes 511 bytes at most)
    ext_bytes    size of the .BTF.ext beside it
    """

    bytes: int = 16 << 20
    types: int = 262_144
    depth: int = 32
    name_bytes: int = 1024
    ext_bytes: int = 32 << 20

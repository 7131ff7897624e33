"""How much of an object file is looked at before it is refused."""

from __future__ import annotations

from bpfimg import btf
from bpfimg._value import value


@value(frozen=True, slots=True)
class Limits:
    """Bounds on what a file that nobody has vouched for may cost; each is far above what compilers produce.

    object_bytes    size of the whole file
    sections        entries of the section header table
    symbols         entries of the symbol table
    relocations     entries of all relocation tables of code and data together
    functions       programs and sub-programs
    calls           how many calls are followed to find what each function reaches, of all functions together
    name_bytes      length of a symbol, section or type name (the kernel takes 511 bytes at most)
    zero_bytes      size of all .bss sections together: the file does not hold them, so its size does not bound them
    btf_bytes       size of the BTF (that of a whole kernel has 6 MB)
    btf_types       types in the BTF
    btf_depth       length of a chain of types, as libbpf's MAX_RESOLVE_DEPTH
    variables       variables in the BTF of .maps and of the global data
    enumerators     values of the enums that globals have, together
    """

    object_bytes: int = 64 << 20
    sections: int = 4096
    symbols: int = 65_536
    relocations: int = 1_048_576
    functions: int = 16_384
    calls: int = 1_048_576
    name_bytes: int = 1024
    zero_bytes: int = 64 << 20
    btf_bytes: int = 16 << 20
    btf_types: int = 262_144
    btf_depth: int = 32
    variables: int = 16_384
    enumerators: int = 65_536

    @property
    def for_btf(self) -> btf.Limits:
        """The part that is about BTF."""
        return btf.Limits(bytes=self.btf_bytes, types=self.btf_types, depth=self.btf_depth, name_bytes=self.name_bytes)

"""Names of the kernel's types by their ids, as libbpf reads them: in a tenth of the time that Python takes."""

from __future__ import annotations

import ctypes

from bpfimg.kernel._library import library


class KernelTypes:
    """A BTF object of the kernel or of a module; `base` is vmlinux's, which a module's needs. Close it.

    NotSupported without libbpf, LookupError when there is no such object, or it may not be read.
    """

    __slots__ = ("_btf",)

    def __init__(self, number: int, base: KernelTypes | None = None) -> None:
        self._btf: int | None = None
        found, _ = library().call("btf__load_from_kernel_by_id_split", number, base._btf if base else None)
        if not found:
            raise LookupError(f"no BTF {number}")
        self._btf = found

    def name(self, type_id: int) -> str:
        """The name of a type; empty when it has none, or there is no such type."""
        lib = library()
        place = lib.btf__type_by_id(self._btf, type_id)
        if not place:
            return ""
        offset = ctypes.c_uint32.from_address(place).value  # struct btf_type begins with name_off
        return (lib.btf__name_by_offset(self._btf, offset) or b"").decode("utf-8", "replace")

    def close(self) -> None:
        """Forgets it; a second time does nothing."""
        btf, self._btf = self._btf, None
        if btf:
            library().btf__free(btf)

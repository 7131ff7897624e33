"""BTF types as C: full definitions that a compiler takes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf._read import Btf


def declaration(btf: Btf, type_id: int) -> str:
    """The C definitions that are needed to write `spelled(btf, type_id)`, in an order that compiles."""
    raise NotImplementedError

"""The types of a kernel: those of vmlinux, and behind them those of its modules."""

from __future__ import annotations

from bpfimg.btf import _kinds as kinds
from bpfimg.btf._compatible import same_kind
from bpfimg.btf._core import essential
from bpfimg.btf._index import Index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpfimg.btf._read import Btf

_KFUNC = "bpf_kfunc"
_LONGS = ("long int", "long unsigned int", "unsigned long", "long")


class KernelTypes:
    """What a kernel says about its types. `name` is what it is called in answers; `release` "6.1.0-13-amd64", "" where
    that is not known. `modules` is empty where nothing is known of modules."""

    __slots__ = ("_indexes", "_kfuncs", "modules", "name", "release", "types")

    def __init__(self, name: str, types: Btf, modules: Mapping[str, Btf] | None = None, *, release: str = "") -> None:
        self.name = name
        self.release = release
        self.types = types
        self.modules = dict(modules or {})
        self._indexes: dict[str, Index] = {"": Index(types)}
        self._kfuncs: dict[str, frozenset[int]] = {}
        self._state_pointer_size()

    @property
    def index(self) -> Index:
        """vmlinux's types by name."""
        return self._indexes[""]

    def expect(self, names: Iterable[str]) -> None:
        """Says which names will be asked for; not needed, but then it is faster."""
        self.index.expect(names)

    def candidates(self, local: Btf, type_id: int) -> list[tuple[str, Btf, int]]:
        """What may stand for the object's type: same name but for the flavour, same kind; (module, types, id).

        As libbpf looks: in the modules only where vmlinux has none.
        """
        name, kind = essential(local.name(type_id)), local.kind(type_id)
        found: list[tuple[str, Btf, int]] = []
        for module in ("", *self.modules):
            if module and found and not found[0][0]:
                break
            index = self._index(module)
            types = index.btf
            found += [(module, types, i) for i in index.candidates(name) if same_kind(types.kind(i), kind)]
        return found

    def find(self, name: str, *of: int) -> tuple[str, int] | None:
        """The module ("" for vmlinux) and id of the first type of exactly that name and one of these kinds."""
        for module in ("", *self.modules):
            type_id = self._index(module).exactly(name, *of)
            if type_id is not None:
                return module, type_id
        return None

    def kfuncs(self, module: str) -> frozenset[int]:
        """The functions that are tagged as kfuncs (since Linux 6.10); none where that is not known."""
        if module not in self._kfuncs:
            index = self._index(module)
            tags = (i for i in index.candidates(_KFUNC) if index.btf.kind(i) == kinds.DECL_TAG)
            self._kfuncs[module] = frozenset(index.btf.target(tag) for tag in tags)
        return self._kfuncs[module]

    def _index(self, module: str) -> Index:
        if module not in self._indexes:
            self._indexes[module] = Index(self.modules[module])
        return self._indexes[module]

    def _state_pointer_size(self) -> None:
        """Pointers are as long as a long, which BTF has a name for."""
        self.index.expect((*_LONGS,))
        for name in _LONGS:
            found = self.index.exactly(name, kinds.INT)
            if found is not None and self.types.target(found) in (4, 8):
                self.types.pointer_size = self.types.target(found)
                return

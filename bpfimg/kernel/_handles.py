"""The programs and maps of an open object: configured before the load, lent out as descriptors after it."""

from __future__ import annotations

import ctypes
import errno

from bpfimg.errors import KernelError
from bpfimg.kernel._fd import Fd, number
from bpfimg.kernel._syscall import ORDER, address

_ARRAY, _PROG_ARRAY = 2, 3

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel._native import Native


class ProgramHandle:
    """A program of an open object."""

    __slots__ = ("_native", "_pointer", "name", "section")

    def __init__(self, native: Native, pointer: int) -> None:
        self._native, self._pointer = native, pointer
        lib = native.library
        self.name: str = lib.bpf_program__name(pointer).decode("utf-8", "replace")
        self.section: str = lib.bpf_program__section_name(pointer).decode("utf-8", "replace")

    def _at(self, *states: str) -> int:
        self._native.pointer(*states)
        return self._pointer

    @property
    def type_id(self) -> int:
        """The program type; 0 while libbpf does not know the section."""
        return int(self._native.library.bpf_program__type(self._at("opened", "loaded")))

    @property
    def attach_type_id(self) -> int:
        """The expected attach type."""
        return int(self._native.library.bpf_program__expected_attach_type(self._at("opened", "loaded")))

    @property
    def autoload(self) -> bool:
        """Whether the program is loaded with the object."""
        return bool(self._native.library.bpf_program__autoload(self._at("opened", "loaded")))

    def set_type(self, type_id: int, attach_type_id: int) -> None:
        """Says what the program is, where libbpf's own table does not know the section."""
        lib, at = self._native.library, self._at("opened")
        # Only on a difference: set_type makes libbpf forget the section's flags (sleepable, frags).
        if lib.bpf_program__type(at) != type_id:
            self._must("bpf_program__set_type", type_id)
        if lib.bpf_program__expected_attach_type(at) != attach_type_id:
            self._must("bpf_program__set_expected_attach_type", attach_type_id)

    def set_target(self, name: str, *, program: Fd | int = 0) -> None:
        """Names the function to attach to, of the kernel or of `program` (fentry, fexit, LSM, freplace)."""
        self._at("opened")
        from bpfimg.kernel._functions import may_be_target, missing_target

        # libbpf (1.1) looks for it in every module as well, and never closes what it opened for an object that is not
        # loaded in the end: so it is not asked in vain.
        if not number(program) and not may_be_target(name, self.attach_type_id):
            raise missing_target(name, self.attach_type_id)
        try:
            self._must("bpf_program__set_attach_target", number(program), name.encode())
        except KernelError as error:
            if error.errno not in (errno.ESRCH, errno.ENOENT) or number(program):
                raise
            raise missing_target(name, self.attach_type_id) from error

    def set_autoload(self, wanted: bool) -> None:
        """Says whether `load` loads this program."""
        self._at("opened")
        self._must("bpf_program__set_autoload", wanted)

    @property
    def flags(self) -> int:
        """The flags that it is loaded with (BPF_F_XDP_HAS_FRAGS, BPF_F_SLEEPABLE, ...)."""
        return int(self._native.library.bpf_program__flags(self._at("opened", "loaded")))

    def set_flags(self, flags: int) -> None:
        """Says with which flags it is loaded."""
        self._at("opened")
        self._must("bpf_program__set_flags", flags)

    def code(self) -> bytes:
        """Its instructions: after the load as the kernel was given them, relocated, with the functions that it calls
        behind it and descriptors of maps in them."""
        lib, at = self._native.library, self._at("opened", "loaded")
        start, count = lib.bpf_program__insns(at), lib.bpf_program__insn_cnt(at)
        return ctypes.string_at(start, 8 * count) if start else b""

    def _must(self, function: str, *arguments: object) -> None:
        self._native.must(function, f"program {self.name!r}", self._pointer, *arguments)

    @property
    def fd(self) -> int:
        """The loaded program, lent: it is closed with the object."""
        fd = int(self._native.library.bpf_program__fd(self._at("loaded")))
        if fd < 0:
            raise KernelError(f"program {self.name!r} was not loaded", errno=-fd)
        return fd


class MapHandle:
    """A map of an open object; `internal` ones hold globals, and `section` says which.

    `pinned_by_name` is true for `LIBBPF_PIN_BY_NAME`: it wants to be shared.
    """

    __slots__ = ("_native", "_pointer", "internal", "name", "pinned_by_name", "section")

    def __init__(self, native: Native, pointer: int) -> None:
        self._native, self._pointer = native, pointer
        lib = native.library
        self.name: str = lib.bpf_map__name(pointer).decode("utf-8", "replace")
        self.internal = bool(lib.bpf_map__is_internal(pointer))
        # libbpf calls them `<8 characters of the object's name>.rodata`; our object names have no dots.
        self.section = self.name[self.name.find(".") :] if self.internal and "." in self.name else ""
        self.pinned_by_name = bool(lib.bpf_map__pin_path(pointer))

    def _at(self, *states: str) -> int:
        self._native.pointer(*states)
        return self._pointer

    @property
    def type_id(self) -> int:
        """The map type: any 32 bits that the object says."""
        return int(self._native.library.bpf_map__type(self._at("opened", "loaded")))

    @property
    def value_size(self) -> int:
        """Bytes of one value."""
        return int(self._native.library.bpf_map__value_size(self._at("opened", "loaded")))

    @property
    def flags(self) -> int:
        """The flags that it is created with."""
        return int(self._native.library.bpf_map__map_flags(self._at("opened", "loaded")))

    def set_flags(self, flags: int) -> None:
        """Says with which flags the map is created."""
        self._at("opened")
        self._must("bpf_map__set_map_flags", flags)

    def initial(self) -> bytes:
        """Returns what the map holds when it is created; b"" for a map that holds no globals."""
        start, size = self._memory()
        return ctypes.string_at(start, size) if start else b""

    def set_initial(self, offset: int, data: bytes) -> None:
        """Puts `data` at `offset` of what the map holds when it is created; only before the load."""
        start, size = self._memory()
        if not start:
            raise KernelError(f"map {self.name!r} has no initial value, expected a map of globals")
        if offset < 0 or offset + len(data) > size:
            raise KernelError(
                f"{len(data)} bytes at offset {offset} do not fit into map {self.name!r}, expected at most {size} bytes"
            )
        ctypes.memmove(start + offset, data, len(data))

    def _memory(self) -> tuple[int, int]:
        size = bytearray(ctypes.sizeof(ctypes.c_size_t))
        start = self._native.library.bpf_map__initial_value(self._at("opened"), address(size))
        return start or 0, int.from_bytes(size, ORDER)

    def set_autocreate(self, wanted: bool) -> None:
        """Says whether `load` creates this map."""
        self._at("opened")
        self._must("bpf_map__set_autocreate", wanted)
        if not wanted and self.type_id == _PROG_ARRAY:
            # libbpf fills a map of programs with those of the object, and fails, although it has not created it.
            self._must("bpf_map__set_type", _ARRAY)

    def set_max_entries(self, entries: int) -> None:
        """Makes the map larger or smaller than the object says."""
        self._at("opened")
        self._must("bpf_map__set_max_entries", entries)

    def reuse(self, fd: Fd | int) -> None:
        """Takes an existing map in place of a new one; KernelError when the two differ: in type, sizes, flags, the
        maps inside, or in the types of key and value."""
        self.compare(fd)
        self._must("bpf_map__reuse_fd", number(fd))

    def compare(self, fd: Fd | int) -> None:
        """KernelError as for `reuse`, which is not done."""
        from bpfimg.kernel._reuse import check

        check(self._native, self._at("opened"), self.name, fd)

    def register(self) -> Fd | None:
        """Attaches a loaded map of type struct_ops; the link, or None where it is attached by what it holds."""
        from bpfimg.kernel._struct_ops import register

        return register(self)

    def forget_pin(self) -> None:
        """Takes back `LIBBPF_PIN_BY_NAME`: libbpf itself pins nothing, wherever bpffs may be."""
        self._at("opened")
        self._must("bpf_map__set_pin_path", None)

    def _must(self, function: str, *arguments: object) -> None:
        self._native.must(function, f"map {self.name!r}", self._pointer, *arguments)

    @property
    def fd(self) -> int:
        """The created map, lent: it is closed with the object."""
        fd = int(self._native.library.bpf_map__fd(self._at("loaded")))
        if fd < 0:
            raise KernelError(f"map {self.name!r} was not created", errno=-fd)
        return fd

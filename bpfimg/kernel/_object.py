"""An eBPF object in libbpf's hands: opened, configured, loaded, closed."""

from __future__ import annotations

import ctypes

from bpfimg.errors import BytecodeError
from bpfimg.kernel._handles import MapHandle, ProgramHandle
from bpfimg.kernel._library import Library, library, useful
from bpfimg.kernel._native import LOG_SIZE, Native, explained
from bpfimg.kernel._syscall import ORDER, address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from bpfimg.kernel._verifier_error import About

_WORD = ctypes.sizeof(ctypes.c_size_t)
_STATS = 4  # BPF_LOG_STATS


class OpenObject:
    """An object that libbpf has parsed; `load()` brings it into the kernel. Close it, or use `with`.

    The descriptors of its programs and maps are its own and go when it is closed: pin or attach before.
    """

    __slots__ = ("_native", "maps", "programs")

    def __init__(self, native: Native) -> None:
        self._native = native
        lib, pointer = native.library, native.pointer("opened")
        self.programs = tuple(ProgramHandle(native, p) for p in _walk(lib, "bpf_object__next_program", pointer))
        self.maps = tuple(MapHandle(native, p) for p in _walk(lib, "bpf_object__next_map", pointer))
        for each in self.maps:
            each.forget_pin()

    @property
    def name(self) -> str:
        """The name that it was opened under."""
        return self._native.name

    @property
    def state(self) -> str:
        """`opened`, `loaded` or `closed`."""
        return self._native.state

    def btf(self) -> bytes:
        """Returns the object's BTF with the offsets of its globals filled in; b"" if it has none."""
        lib = self._native.library
        btf = lib.bpf_object__btf(self._native.pointer("opened", "loaded"))
        size = bytearray(4)
        data = lib.btf__raw_data(btf, address(size)) if btf else 0
        return ctypes.string_at(data, int.from_bytes(size, ORDER)) if data else b""

    def want_links(self) -> None:
        """Has tables of operations (struct_ops) attached by links where the kernel can; NotSupported: there is none."""
        from bpfimg.kernel._struct_ops import want_links

        want_links(self)

    def tables(self) -> tuple[MapHandle, ...]:
        """Its maps of type struct_ops."""
        from bpfimg.kernel._struct_ops import tables

        return tables(self)

    def load(self, about: Callable[[bytes], About] | None = None, *, measured: str = "") -> str:
        """Creates the maps and loads the programs; on failure the object is closed, and nothing stays.

        `about` is asked on failure, with the object's bytes, for one who knows what else they say. Returns what the
        verifier wrote about the program called `measured`: its figures (`figures`), without the walk.
        VerifierError: the verifier refused a program. NotSupported: this kernel lacks something. KernelError: else.
        """
        native = self._native
        pointer = native.pointer("opened")
        for program in self.programs:
            # With a buffer and log level 0 libbpf loads without a log, and repeats with one when that fails.
            # One buffer serves all programs, since the first failure is the last.
            native.library.bpf_program__set_log_buf(program._pointer, native.log or None, LOG_SIZE)
            if measured and program.name == measured:
                native.library.bpf_program__set_log_level(program._pointer, _STATS)
        result, lines = native.library.call("bpf_object__load", pointer)
        if result < 0:
            from bpfimg.kernel._load_failure import Attempt, load_failure

            types = {program.name: (program.type_id, program.attach_type_id) for program in self.programs}
            maps = {each.name: each.type_id for each in self.maps}
            attempt = Attempt(native.name, -result, tuple(useful(lines)), native.log_text(), types, maps)
            data = native.elf()
            native.close()
            raise load_failure(attempt, about(data) if about else None)
        native.state = "loaded"
        return native.log_text() if measured else ""

    def close(self) -> None:
        """Frees it, and closes what it lent; a second time does nothing."""
        self._native.close()

    def __enter__(self) -> OpenObject:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _walk(lib: Library, function: str, pointer: int) -> list[int]:
    found: list[int] = []
    following = getattr(lib, function)(pointer, None)
    while following:
        found.append(following)
        following = getattr(lib, function)(pointer, following)
    return found


def open_object(data: bytes, *, name: str) -> OpenObject:
    """Returns the object in `data` (the bytes of an ELF file), parsed by libbpf; `name` is for its internal maps.

    BytecodeError: libbpf does not take it. Give it only bytes that are believed: libbpf parses them as root.
    """
    lib = library()
    elf = bytearray(data or b"\0")
    label = bytearray("".join(c if c.isascii() and c.isalnum() else "_" for c in name).encode() + b"\0")
    # struct bpf_object_open_opts up to object_name: libbpf takes what follows `sz` bytes as not given.
    options = bytearray((2 * _WORD).to_bytes(_WORD, ORDER) + address(label).to_bytes(_WORD, ORDER))
    pointer, lines = lib.call("bpf_object__open_mem", address(elf), len(data), address(options))
    if not pointer:
        failed = ctypes.get_errno()
        raise BytecodeError(f"libbpf cannot open object {name!r}: {explained(failed, lines)}")
    return OpenObject(Native(lib, pointer, name, (elf, label, options)))

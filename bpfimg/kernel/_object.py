"""An eBPF object in libbpf's hands: opened, configured, loaded, closed."""

from __future__ import annotations

import ctypes
import weakref

from bpfimg.errors import BytecodeError, KernelError
from bpfimg.kernel._fd import Fd, number
from bpfimg.kernel._library import Library, library, useful
from bpfimg.kernel._syscall import ORDER, address, libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_WORD = ctypes.sizeof(ctypes.c_size_t)
_LOG_SIZE = (1 << 24) - 1  # the most that kernels before 5.2 take; memory is used only as far as a log reaches

_calloc, _free = libc.calloc, libc.free
_calloc.argtypes, _calloc.restype = [ctypes.c_size_t, ctypes.c_size_t], ctypes.c_void_p
_free.argtypes, _free.restype = [ctypes.c_void_p], None


class Native:
    """The pointer to libbpf's object, with its state: every use of the pointer asks for a state first.

    libbpf writes through stale pointers: a global that is set after the load kills the interpreter.
    """

    __slots__ = ("__weakref__", "_finalizer", "_keep", "_pointer", "library", "log", "name", "state")

    def __init__(self, lib: Library, pointer: int, name: str, keep: tuple[object, ...]) -> None:
        self.library = lib
        self.name = name
        self.state = "opened"
        self.log = int(_calloc(1, _LOG_SIZE) or 0)
        self._pointer = pointer
        self._keep = keep  # libbpf reads the ELF bytes and the options until the object is closed
        self._finalizer = weakref.finalize(self, _release, lib, pointer, self.log, keep)
        self._finalizer.atexit = False

    def pointer(self, *states: str) -> int:
        """Returns the pointer if the object is in one of these states; else KernelError, a fault of the caller."""
        if self.state not in states:
            raise KernelError(f"object {self.name!r} is {self.state}, expected {' or '.join(states)}")
        return self._pointer

    def log_text(self) -> str:
        """What the verifier wrote about the program that failed."""
        return ctypes.string_at(self.log).decode("utf-8", "replace") if self.log else ""

    def close(self) -> None:
        self.state = "closed"
        self._finalizer()


def _release(lib: Library, pointer: int, log: int, _keep: tuple[object, ...]) -> None:
    lib.bpf_object__close(pointer)
    _free(log)


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
        self._must("bpf_program__set_attach_target", number(program), name.encode())

    def set_autoload(self, wanted: bool) -> None:
        """Says whether `load` loads this program."""
        self._at("opened")
        self._must("bpf_program__set_autoload", wanted)

    def _must(self, function: str, *arguments: object) -> None:
        result, lines = self._native.library.call(function, self._pointer, *arguments)
        if result < 0:
            raise _refused(f"{function} of program {self.name!r}", result, lines)

    @property
    def fd(self) -> int:
        """The loaded program, lent: it is closed with the object."""
        fd = int(self._native.library.bpf_program__fd(self._at("loaded")))
        if fd < 0:
            raise KernelError(f"program {self.name!r} was not loaded", errno=-fd)
        return fd


class MapHandle:
    """A map of an open object; `internal` ones hold globals, and `section` says which."""

    __slots__ = ("_native", "_pointer", "internal", "name", "section")

    def __init__(self, native: Native, pointer: int) -> None:
        self._native, self._pointer = native, pointer
        lib = native.library
        self.name: str = lib.bpf_map__name(pointer).decode("utf-8", "replace")
        self.internal = bool(lib.bpf_map__is_internal(pointer))
        # libbpf calls them `<8 characters of the object's name>.rodata`; our object names have no dots.
        self.section = self.name[self.name.find(".") :] if self.internal and "." in self.name else ""

    def _at(self, *states: str) -> int:
        self._native.pointer(*states)
        return self._pointer

    @property
    def type_id(self) -> int:
        """The map type."""
        return int(self._native.library.bpf_map__type(self._at("opened", "loaded")))

    @property
    def value_size(self) -> int:
        """Bytes of one value."""
        return int(self._native.library.bpf_map__value_size(self._at("opened", "loaded")))

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
        size = bytearray(_WORD)
        start = self._native.library.bpf_map__initial_value(self._at("opened"), address(size))
        return start or 0, int.from_bytes(size, ORDER)

    def set_autocreate(self, wanted: bool) -> None:
        """Says whether `load` creates this map."""
        self._at("opened")
        self._must("bpf_map__set_autocreate", wanted)

    def set_max_entries(self, entries: int) -> None:
        """Makes the map larger or smaller than the object says."""
        self._at("opened")
        self._must("bpf_map__set_max_entries", entries)

    def reuse(self, fd: Fd | int) -> None:
        """Takes an existing map in place of a new one; KernelError when the two differ in any size, type or flag."""
        from bpfimg.kernel._reuse import check

        at = self._at("opened")
        check(self._native.library, at, self.name, fd)
        self._must("bpf_map__reuse_fd", number(fd))

    def forget_pin(self) -> None:
        """Takes back `LIBBPF_PIN_BY_NAME`: libbpf itself pins nothing, wherever bpffs may be."""
        self._at("opened")
        self._must("bpf_map__set_pin_path", None)

    def _must(self, function: str, *arguments: object) -> None:
        result, lines = self._native.library.call(function, self._pointer, *arguments)
        if result < 0:
            raise _refused(f"{function} of map {self.name!r}", result, lines)

    @property
    def fd(self) -> int:
        """The created map, lent: it is closed with the object."""
        fd = int(self._native.library.bpf_map__fd(self._at("loaded")))
        if fd < 0:
            raise KernelError(f"map {self.name!r} was not created", errno=-fd)
        return fd


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

    def load(self) -> None:
        """Creates the maps and loads the programs; on failure the object is closed, and nothing stays.

        VerifierError: the verifier refused a program. NotSupported: this kernel lacks something. KernelError: else.
        """
        native = self._native
        pointer = native.pointer("opened")
        for program in self.programs:
            # With a buffer and log level 0 libbpf loads without a log, and repeats with one when that fails.
            # One buffer serves all programs, since the first failure is the last.
            native.library.bpf_program__set_log_buf(program._pointer, native.log or None, _LOG_SIZE)
        result, lines = native.library.call("bpf_object__load", pointer)
        if result < 0:
            from bpfimg.kernel._load_failure import Attempt, load_failure

            types = {program.name: (program.type_id, program.attach_type_id) for program in self.programs}
            maps = {each.name: each.type_id for each in self.maps}
            log = native.log_text()
            native.close()
            raise load_failure(Attempt(native.name, -result, tuple(useful(lines)), log, types, maps))
        native.state = "loaded"

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
        raise BytecodeError(f"libbpf cannot open object {name!r}: {_explained(failed, lines)}")
    return OpenObject(Native(lib, pointer, name, (elf, label, options)))


def _explained(failed: int, lines: list[str]) -> str:
    from bpfimg.kernel._failure import printable, reason

    return "; ".join(printable(line) for line in useful(lines)[:2]) or reason(failed)


def _refused(what: str, result: int, lines: list[str]) -> KernelError:
    return KernelError(f"{what} failed: {_explained(-result, lines)}", errno=-result)

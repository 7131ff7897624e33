"""libbpf.so.1, loaded when first needed: its functions with their types, and what it prints.

Debian 12 has libbpf 1.1, 13 has 1.5: only functions of 1.0 and earlier are used.
"""

from __future__ import annotations

import ctypes
from _thread import get_ident

from bpfimg.errors import KernelError, NotSupported
from bpfimg.kernel._interrupts import Held
from bpfimg.kernel._syscall import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT = "libbpf.so.1"
_WARN = 0
_LINE_LIMIT = 16384

_P, _S, _I, _U, _L, _B, _Z = (
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_uint32,
    ctypes.c_uint64,
    ctypes.c_bool,
    ctypes.c_size_t,
)
# Every function has its types: without a restype ctypes cuts a returned pointer to 32 bits.
_FUNCTIONS: dict[str, tuple[object, tuple[object, ...]]] = {
    "libbpf_version_string": (_S, ()),
    "libbpf_set_print": (_P, (_P,)),
    "libbpf_find_vmlinux_btf_id": (_I, (_S, _I)),
    "btf__load_vmlinux_btf": (_P, ()),
    "btf__load_from_kernel_by_id_split": (_P, (_U, _P)),
    "btf__type_by_id": (_P, (_P, _U)),
    "btf__name_by_offset": (_S, (_P, _U)),
    "btf__find_by_name_kind": (_I, (_P, _S, _U)),
    "btf__free": (None, (_P,)),
    "bpf_object__open_mem": (_P, (_P, _Z, _P)),
    "bpf_object__load": (_I, (_P,)),
    "bpf_object__close": (None, (_P,)),
    "bpf_object__btf": (_P, (_P,)),
    "bpf_object__next_program": (_P, (_P, _P)),
    "bpf_object__next_map": (_P, (_P, _P)),
    "btf__raw_data": (_P, (_P, _P)),
    "bpf_program__name": (_S, (_P,)),
    "bpf_program__section_name": (_S, (_P,)),
    "bpf_program__type": (_I, (_P,)),
    "bpf_program__expected_attach_type": (_I, (_P,)),
    "bpf_program__set_type": (_I, (_P, _I)),
    "bpf_program__set_expected_attach_type": (_I, (_P, _I)),
    "bpf_program__set_attach_target": (_I, (_P, _I, _S)),
    "bpf_program__autoload": (_B, (_P,)),
    "bpf_program__set_autoload": (_I, (_P, _B)),
    "bpf_program__set_log_buf": (_I, (_P, _P, _Z)),
    "bpf_program__set_log_level": (_I, (_P, _U)),
    "bpf_program__fd": (_I, (_P,)),
    "bpf_program__flags": (_U, (_P,)),
    "bpf_program__insn_cnt": (_Z, (_P,)),
    "bpf_program__insns": (_P, (_P,)),
    "bpf_program__set_flags": (_I, (_P, _U)),
    "bpf_map__name": (_S, (_P,)),
    "bpf_map__type": (_U, (_P,)),
    "bpf_map__key_size": (_U, (_P,)),
    "bpf_map__value_size": (_U, (_P,)),
    "bpf_map__max_entries": (_U, (_P,)),
    "bpf_map__map_flags": (_U, (_P,)),
    "bpf_map__map_extra": (_L, (_P,)),
    "bpf_map__btf_key_type_id": (_U, (_P,)),
    "bpf_map__btf_value_type_id": (_U, (_P,)),
    "bpf_map__inner_map": (_P, (_P,)),
    "bpf_map__pin_path": (_S, (_P,)),
    "bpf_map__set_map_flags": (_I, (_P, _U)),
    "bpf_map__is_internal": (_B, (_P,)),
    "bpf_map__initial_value": (_P, (_P, _P)),
    "bpf_map__set_autocreate": (_I, (_P, _B)),
    "bpf_map__set_max_entries": (_I, (_P, _U)),
    "bpf_map__set_type": (_I, (_P, _U)),
    "bpf_map__set_pin_path": (_I, (_P, _S)),
    "bpf_map__reuse_fd": (_I, (_P, _I)),
    "bpf_map__fd": (_I, (_P,)),
    "bpf_map__attach_struct_ops": (_P, (_P,)),
    "bpf_link__fd": (_I, (_P,)),
    "bpf_link__disconnect": (None, (_P,)),
    "bpf_link__destroy": (_I, (_P,)),
    "bpf_xdp_attach": (_I, (_I, _I, _U, _P)),
    "bpf_xdp_query": (_I, (_I, _I, _P)),
    "bpf_tc_hook_create": (_I, (_P,)),
    "bpf_tc_hook_destroy": (_I, (_P,)),
    "bpf_tc_attach": (_I, (_P, _P)),
    "bpf_tc_query": (_I, (_P, _P)),
    "bpf_tc_detach": (_I, (_P, _P)),
    "bpf_linker__new": (_P, (_S, _P)),
    "bpf_linker__add_file": (_I, (_P, _S, _P)),
    "bpf_linker__finalize": (_I, (_P,)),
    "bpf_linker__free": (None, (_P,)),
}


class Library:
    """One loaded libbpf. `call` makes a call and returns what libbpf printed meanwhile, in this thread alone."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._functions = _opened(path)
        self._sinks: dict[int, list[str]] = {}
        self._keep = self._listen()

    def __getattr__(self, name: str) -> ctypes._NamedFuncPointer:
        if name not in _FUNCTIONS:
            raise AttributeError(name)
        function: ctypes._NamedFuncPointer = self._functions[name]
        function.restype, function.argtypes = _FUNCTIONS[name]  # type: ignore[assignment]
        setattr(self, name, function)
        return function

    def call(self, name: str, *arguments: object) -> tuple[int, list[str]]:
        """Returns (result, warnings without their `libbpf: `); a NULL pointer is 0, and `errno` is ctypes's."""
        lines: list[str] = []
        thread = get_ident()
        self._sinks[thread] = lines
        try:
            with Held():
                result = getattr(self, name)(*arguments)
        finally:
            del self._sinks[thread]
        return result or 0, lines

    def _listen(self) -> object:
        """Takes libbpf's messages: they are for our errors, never for the terminal. Keep what this returns."""
        vsnprintf = libc.vsnprintf
        # A va_list is, or is passed as, a pointer on all our machines, so it goes on as `void *`.
        vsnprintf.argtypes, vsnprintf.restype = [_P, _Z, _S, _P], _I

        def heard(level: int, form: bytes, arguments: int) -> int:
            sink = self._sinks.get(get_ident())
            if level == _WARN and sink is not None:
                line = ctypes.create_string_buffer(_LINE_LIMIT)
                vsnprintf(line, _LINE_LIMIT, form, arguments)
                sink.append(line.value.decode("utf-8", "replace").removeprefix("libbpf: ").rstrip("\n"))
            return 0

        callback = ctypes.CFUNCTYPE(_I, _I, _S, _P)(heard)
        self.libbpf_set_print(ctypes.cast(callback, _P))
        return callback


def _opened(path: str) -> ctypes.CDLL:
    try:
        functions = ctypes.CDLL(path, use_errno=True)
    except OSError as error:
        if path == DEFAULT:
            message = "libbpf is not installed: no shared library libbpf.so.1"
            hint = "install the package libbpf1 (Debian, Ubuntu) or libbpf (Fedora, Arch)"
            raise NotSupported(message, feature="libbpf", hint=hint) from error
        raise KernelError(f"cannot load libbpf from {path}: {error}") from error
    for name in _FUNCTIONS:
        try:
            functions[name]
        except AttributeError:
            message = f"{path} has no function {name}, expected libbpf 1.0 or newer"
            raise NotSupported(message, feature="libbpf") from None
    return functions


# The one library of this process: its path once chosen, itself once loaded.
_choice: list[str] = []
_library: list[Library] = []


def use(path: str) -> None:
    """Takes this file instead of the system's `libbpf.so.1`, before anything is opened; it must load."""
    if _library and _library[0].path != path:
        raise KernelError(
            f"{_library[0].path} is in use already, expected the choice of {path} before the first object"
        )
    _choice[:] = [path]
    library()


def library() -> Library:
    """Returns libbpf. NotSupported: it is not installed, or too old."""
    if not _library:
        _library.append(Library(_choice[0] if _choice else DEFAULT))
    return _library[0]


def version() -> str:
    """Returns the version of the libbpf in use: `1.1`. NotSupported: there is none."""
    text: bytes = library().libbpf_version_string()
    return text.decode().removeprefix("v")


def useful(lines: Iterable[str]) -> list[str]:
    """Returns warnings that tell something: not the `ulimit -l` hint, wrong since kernel 5.11, nor the closing line."""
    return [line for line in lines if line.strip() and "ulimit" not in line and "failed to load object" not in line]

"""libbcc_bpf.so.0 of the BPF Compiler Collection, where it is installed: another reader of executables."""

from __future__ import annotations

import ctypes
import os

from bpfimg.errors import AttachError
from bpfimg.kernel._interrupts import Held

_FUNCTIONS = 1 << 2  # STT_FUNC


class _Option(ctypes.Structure):  # struct bcc_symbol_option
    _fields_ = (
        ("use_debug_file", ctypes.c_int),
        ("check_debug_file_crc", ctypes.c_int),
        ("lazy_symbolize", ctypes.c_int),
        ("use_symbol_type", ctypes.c_uint32),
    )


class _Usdt(ctypes.Structure):  # struct bcc_elf_usdt, as far as all versions have it
    _fields_ = (
        ("pc", ctypes.c_uint64),
        ("base_addr", ctypes.c_uint64),
        ("semaphore", ctypes.c_uint64),
        ("provider", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("arg_fmt", ctypes.c_char_p),
    )


_SYMBOL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_void_p)
_PROBE = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.POINTER(_Usdt), ctypes.c_void_p)


class Bcc:
    """The library. It parses in C whatever it is given: keep it to files of this host, none of a container's."""

    def __init__(self, library: ctypes.CDLL) -> None:
        library["bcc_elf_symbol_str"]  # not in versions whose callbacks take other arguments
        self._symbols = library.bcc_elf_foreach_sym
        self._symbols.argtypes = [ctypes.c_char_p, _SYMBOL, ctypes.c_void_p, ctypes.c_void_p]
        self._probes = library.bcc_elf_foreach_usdt
        self._probes.argtypes = [ctypes.c_char_p, _PROBE, ctypes.c_void_p]

    def functions(self, path: str) -> list[tuple[str, int, int]]:
        """Returns (name, address, size) of the functions in a file, also those that its debug file names."""
        found: list[tuple[str, int, int]] = []

        def heard(name: bytes, start: int, size: int, _: object) -> int:
            found.append((name.decode("utf-8", "surrogateescape"), start, size))
            return 0

        option = _Option(1, 1, 0, _FUNCTIONS)
        callback = _SYMBOL(heard)
        with Held():
            result = self._symbols(os.fsencode(path), callback, ctypes.byref(option), None)
        if result < 0:
            raise AttachError(f"libbcc_bpf cannot read {path}")
        return found

    def probes(self, path: str) -> list[tuple[str, str, int, int, str]]:
        """Returns (provider, name, address, semaphore, arguments) of the static probes in a file."""
        found: list[tuple[str, str, int, int, str]] = []

        def heard(_path: bytes, probe: ctypes._Pointer[_Usdt], _: object) -> None:
            one = probe.contents
            texts = [(text or b"").decode("utf-8", "replace") for text in (one.provider, one.name, one.arg_fmt)]
            found.append((texts[0], texts[1], one.pc, one.semaphore, texts[2]))

        callback = _PROBE(heard)
        with Held():
            result = self._probes(os.fsencode(path), callback, None)
        if result < 0:
            raise AttachError(f"libbcc_bpf cannot read {path}")
        return found


def opened(path: str) -> Bcc | None:
    """The library at that path or of that name; None when it is not there, or too old."""
    try:
        return Bcc(ctypes.CDLL(path))
    except (OSError, AttributeError):
        return None

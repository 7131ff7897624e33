"""libbpf as a witness: what it makes of an object, to compare with what our own readers make of it.

Opening an object loads nothing into the kernel and needs no rights.
"""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@functools.cache
def libbpf() -> ctypes.CDLL:
    """The libbpf of this machine; skips the test where there is none."""
    try:
        library = ctypes.CDLL("libbpf.so.1")
    except OSError:
        pytest.skip("needs libbpf.so.1 (Debian: libbpf1) to compare with", allow_module_level=True)
    for name in ("bpf_object__open_mem", "bpf_object__next_program", "bpf_object__next_map", "bpf_object__btf"):
        getattr(library, name).restype = ctypes.c_void_p
    for name in ("bpf_program__name", "bpf_program__section_name", "bpf_map__name", "btf__raw_data"):
        getattr(library, name).restype = ctypes.c_char_p
    library.btf__raw_data.restype = ctypes.c_void_p
    library.bpf_program__insn_cnt.restype = ctypes.c_size_t
    return library


@dataclass(frozen=True)
class Witness:
    """Programs: name, section, type, attach type, instructions, autoload. Maps: name, type, key size, value size,
    max_entries, flags, internal. BTF: raw, with the offsets of variables filled in."""

    programs: set[tuple[str, str, int, int, int, bool]]
    maps: set[tuple[str, int, int, int, int, int, bool]]
    btf: bytes


def opened(data: bytes) -> Witness | None:
    """What libbpf says about that object, None if it refuses it."""
    library = libbpf()
    handle = library.bpf_object__open_mem(data, ctypes.c_size_t(len(data)), None)
    if not handle:
        return None
    try:
        return Witness(set(_programs(library, handle)), set(_maps(library, handle)), _btf(library, handle))
    finally:
        library.bpf_object__close(ctypes.c_void_p(handle))


def _each(library: ctypes.CDLL, handle: int, following: str) -> Iterator[ctypes.c_void_p]:
    item = None
    while item := getattr(library, following)(ctypes.c_void_p(handle), ctypes.c_void_p(item)):
        yield ctypes.c_void_p(item)


def _programs(library: ctypes.CDLL, handle: int) -> Iterator[tuple[str, str, int, int, int, bool]]:
    for item in _each(library, handle, "bpf_object__next_program"):
        yield (
            library.bpf_program__name(item).decode(),
            library.bpf_program__section_name(item).decode(),
            library.bpf_program__type(item),
            library.bpf_program__expected_attach_type(item),
            library.bpf_program__insn_cnt(item),
            bool(library.bpf_program__autoload(item) & 0xFF),
        )


def _maps(library: ctypes.CDLL, handle: int) -> Iterator[tuple[str, int, int, int, int, int, bool]]:
    for item in _each(library, handle, "bpf_object__next_map"):
        name = library.bpf_map__name(item).decode()
        internal = bool(library.bpf_map__is_internal(item) & 0xFF)
        yield (
            name[name.index(".") :] if internal else name,  # the object's name stands before ".rodata"
            library.bpf_map__type(item),
            library.bpf_map__key_size(item),
            library.bpf_map__value_size(item),
            library.bpf_map__max_entries(item),
            library.bpf_map__map_flags(item),
            internal,
        )


def _btf(library: ctypes.CDLL, handle: int) -> bytes:
    btf = library.bpf_object__btf(ctypes.c_void_p(handle))
    if not btf:
        return b""
    size = ctypes.c_uint32()
    start = library.btf__raw_data(ctypes.c_void_p(btf), ctypes.byref(size))
    return ctypes.string_at(start, size.value)

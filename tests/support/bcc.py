"""The library of the BPF Compiler Collection, from Debian, unpacked below `.cache` and never installed: a peer."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.debian import CACHE, attempt, unpack

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER = CACHE / "libbpfcc"


def fetch() -> Path:
    """Unpacks it if it is not there yet; LookupError with the reason when it cannot be had."""
    found = _found()
    if found is None:
        unpack("libbpfcc", None, _FOLDER)
        found = _found()
    if found is None:
        raise LookupError("Debian's package libbpfcc holds no libbcc_bpf.so.0")
    return found


def _found() -> Path | None:
    return next(iter(_FOLDER.glob("usr/lib/*/libbcc_bpf.so.0")), None)


def library() -> str:
    """The path of libbcc_bpf.so.0; skips the test where it cannot be had."""
    try:
        path = str(fetch())
        ctypes.CDLL(path)
    except (LookupError, OSError) as error:
        pytest.skip(f"needs libbcc_bpf.so.0: {error}")
    return path


def attach_uprobe(program: int, path: Path, offset: int, pid: int = -1) -> int:
    """Attaches a loaded program as tools that are written with bcc do; the descriptor of a perf event."""
    attach = ctypes.CDLL(library(), use_errno=True).bpf_attach_uprobe
    attach.argtypes = [
        *(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_int, ctypes.c_uint32)
    ]
    number: int = attach(program, 0, b"p_bpfimg_test", os.fsencode(path), offset, pid, 0)
    if number < 0:
        raise OSError(ctypes.get_errno(), "bpf_attach_uprobe failed")
    return number


if __name__ == "__main__":
    sys.exit(attempt("libbpfcc", fetch))

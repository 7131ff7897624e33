"""What a guest gets of this machine: enough to load programs, and no more."""

from __future__ import annotations

import os
import re

import pytest

from bpfimg.errors import NotSupported
from bpfimg.guest import _userland


def names(archive: bytes) -> set[str]:
    return {name.decode() for name in re.findall(rb"070701[0-9A-F]{104}([^\0]+)\0", archive)}


def test_a_guest_gets_python_libbpf_and_the_rooms_that_load() -> None:
    found = names(_userland.userland().archive())
    here = _userland.PACKAGE.lstrip("/")
    modules = {
        re.sub(r"\.pyc?$", "", name.removeprefix(f"{here}/bpfimg/")) for name in found if f"{here}/bpfimg/" in name
    }
    assert {"errors", "_value", "kernel/_libbpf", "load/_object", "btf/__init__", "bytecode/_elf"} <= modules
    assert {name.partition("/")[0] for name in modules if "/" in name} == {"btf", "bytecode", "kernel", "load"}
    assert any(os.path.basename(name) == "libbpf.so.1" for name in found)
    assert "python" in found


def test_a_guest_gets_nothing_else_of_this_machine() -> None:
    found = names(_userland.userland().archive())
    assert {name for name in found if name.startswith("etc/")} <= {"etc/ld.so.cache"}
    for name in found:
        assert not name.startswith(("proc", "sys", "var", "home/lost"))
        assert "site-packages" not in name
        assert "dist-packages" not in name
        assert "cryptography" not in name


def test_a_machine_without_libbpf_has_no_guests() -> None:
    with pytest.raises(NotSupported, match=r"there is no '/no/libbpf.so' on this machine"):
        _userland.userland("/no/libbpf.so")

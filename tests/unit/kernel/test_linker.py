"""libbpf's static linker: the same bytes each time, what bpftool makes too, and its refusals as sentences."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import BytecodeError, NotSupported
from bpfimg.kernel import libbpf, linker
from tests.support.descriptors import none_left
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = """
struct { __uint(type, 2); __type(key, int); __type(value, long); __uint(max_entries, %s); } counts SEC(".maps");
char LICENSE[] SEC("license") = "GPL";
"""
CALLER = (
    "extern int twice(int n);\n"
    + COUNTS.replace("struct", "extern struct").replace("%s", "4")
    + 'SEC("xdp") int pass(void *c) { int k = 0; long *v = ((void *(*)(void *, void *))1)(&counts, &k);'
    " if (v) *v = 1; return twice(1); }\n"
)
CALLED = "int limit = 3;\n__attribute__((noinline)) int twice(int n) { return n * 2 + limit; }\n" + COUNTS % "4"


def objects(target: str = "bpf") -> list[tuple[str, bytes]]:
    return [
        ("a.o", compile_source(CALLER, target=target, strip=False)),
        ("b.o", compile_source(CALLED, target=target, strip=False)),
    ]


def test_two_objects_become_one() -> None:
    linked = linker.link(objects(), byte_order=sys.byteorder)
    assert linked.startswith(b"\x7fELF")
    assert b".debug_info" not in linked
    assert linker.link(objects(), byte_order=sys.byteorder) == linked
    opened = libbpf.open_object(linked, name="linked")
    try:
        assert [program.name for program in opened.programs] == ["pass"]
        assert {"counts"} <= {item.name for item in opened.maps}
    finally:
        opened.close()


def test_it_is_what_bpftool_makes(tmp_path: Path) -> None:
    bpftool = shutil.which("bpftool", path="/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
    if bpftool is None:
        pytest.skip("needs bpftool to link for comparison")
    for name, content in objects():
        (tmp_path / name).write_bytes(content)
    subprocess.run([bpftool, "gen", "object", "out.o", "a.o", "b.o"], cwd=tmp_path, check=True)
    assert linker.link(objects(), byte_order=sys.byteorder) == (tmp_path / "out.o").read_bytes()


def test_what_does_not_fit_together() -> None:
    a, b = objects()
    with pytest.raises(BytecodeError, match=r"cannot link 'b2\.o': .*twice.* definition in 'b2\.o'"):
        linker.link([b, ("b2.o", b[1])], byte_order=sys.byteorder)
    other = compile_source(CALLED.replace("max_entries, 4", "max_entries, 5"), strip=False)
    with pytest.raises(BytecodeError, match="counts"):
        linker.link([a, ("other.o", other)], byte_order=sys.byteorder)
    with pytest.raises(BytecodeError, match=r"cannot link 'no \\x1b\.o'"):
        linker.link([("no \x1b.o", b"text")], byte_order=sys.byteorder)


def test_no_descriptor_is_left() -> None:
    linker.link(objects(), byte_order=sys.byteorder)
    with none_left():
        linker.link(objects(), byte_order=sys.byteorder)
        with pytest.raises(BytecodeError):
            linker.link([("x.o", b"text")], byte_order=sys.byteorder)


def test_the_other_byte_order_is_linked_or_refused_by_name() -> None:
    other, target, mark = ("big", "bpfeb", 2) if sys.byteorder == "little" else ("little", "bpfel", 1)
    if tuple(int(part) for part in libbpf.version().split(".")[:2]) < (1, 5):
        with pytest.raises(NotSupported, match=f"the inputs are {other}-endian") as caught:
            linker.link(objects(target), byte_order=other)
        assert caught.value.feature == f"linking {other}-endian objects"
    else:
        try:
            assert linker.link(objects(target), byte_order=other)[5] == mark
        except NotSupported:
            pytest.skip("this libbpf does not link the other byte order")

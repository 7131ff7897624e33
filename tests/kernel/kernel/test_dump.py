"""Code and types of loaded programs, with bpftool and the object file as witnesses."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg.btf import Btf, Limits
from bpfimg.bytecode import Instruction
from bpfimg.errors import KernelError
from bpfimg.kernel import abi, bpf, dump
from tests.support.netns import bpffs, skip_unless
from tests.support.objects import example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bpfimg.kernel import Fd

pytestmark = pytest.mark.kernel


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Fd]:
    skip_unless("xdp")
    (tmp_path / "o.o").write_bytes(example("xdp_counter"))
    with bpffs() as mount:
        command = ["bpftool", "prog", "load", str(tmp_path / "o.o"), f"{mount}/p"]
        subprocess.run(command, check=True, capture_output=True)
        with bpf.get(f"{mount}/p") as fd:
            yield fd


def test_the_code_is_what_bpftool_dumps(program: Fd, tmp_path: Path) -> None:
    found = dump.program_dump(program)
    info = bpf.program_info(program)
    assert len(found.code) == info.xlated_size
    raw = tmp_path / "raw"
    command = ["bpftool", "prog", "dump", "xlated", "id", str(info.id), "file", str(raw)]
    subprocess.run(command, check=True, capture_output=True)
    assert found.code == raw.read_bytes()
    assert Instruction.decode(found.code, sys.byteorder)[-1].text == "exit"


def test_functions_and_lines_are_named_by_the_btf_of_the_program(program: Fd) -> None:
    found = dump.program_dump(program)
    btf = Btf(dump.btf_data(bpf.program_info(program).btf_id), sys.byteorder, Limits())
    assert [(at, btf.name(type_id)) for at, type_id in found.functions] == [(0, "xdp_count")]
    lines = [(btf.string(file).rpartition("/")[2], btf.string(text)) for _, file, text, _ in found.lines]
    assert "xdp_counter.bpf.c" in {file for file, _ in lines}
    assert len(lines) > 5
    assert [at for at, *_ in found.lines] == sorted(at for at, *_ in found.lines)


def test_a_program_without_btf_or_functions() -> None:
    skip_unless("xdp")
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP) as fd:
        found = dump.program_dump(fd)
    assert len(Instruction.decode(found.code, sys.byteorder)) == 2
    assert (found.functions, found.lines) == ((), ())


def test_names_of_kernel_functions(program: Fd) -> None:
    code = Instruction.decode(dump.program_dump(program).code, sys.byteorder)
    calls = frozenset(row.immediate for row in code if row.raw[0] == 0x85 and row.immediate is not None)
    names = dump.called_functions(calls | {12345})
    dumped = subprocess.run(
        ["bpftool", "-j", "prog", "dump", "xlated", "id", str(bpf.program_info(program).id)],
        capture_output=True,
        check=True,
    )
    said = {each["disasm"] for each in json.loads(dumped.stdout) if "call" in each.get("disasm", "")}
    assert all(any(name in text for text in said) for name in names.values())
    assert 12345 not in names


def test_btf_that_is_not_there() -> None:
    skip_unless("xdp")
    with pytest.raises(KernelError) as caught:
        dump.btf_data(0xFFFF_FFFE)
    assert caught.value.errno == errno.ENOENT

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bpfimg.bytecode import parse
from bpfimg.bytecode._helpers import free_for, gpl_only, helper_name, helper_since
from tests.support.objects import compile_source

LAST = 211  # the kernel adds no more: "This helper list is effectively frozen", include/uapi/linux/bpf.h


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


NAMES = [helper_name(number) for number in range(1, LAST + 1)]


def test_numbers_and_names() -> None:
    assert helper_name(1) == "bpf_map_lookup_elem"
    assert helper_name(LAST) == "bpf_cgrp_storage_delete"
    assert len(set(NAMES)) == LAST
    assert all(name.startswith("bpf_") for name in NAMES)


@pytest.mark.parametrize("number", [0, LAST + 1, 100_000, -1])
def test_a_number_that_nobody_knows(number: int) -> None:
    assert helper_name(number) == f"helper#{number}"
    assert not gpl_only(number)
    assert helper_since(helper_name(number)) is None


def test_what_is_known_of_one() -> None:
    assert (helper_name(130), gpl_only(130), helper_since("bpf_ringbuf_output")) == ("bpf_ringbuf_output", False, "5.8")
    assert (helper_name(6), gpl_only(6), helper_since("bpf_trace_printk")) == ("bpf_trace_printk", True, "4.1")
    assert helper_since("ringbuf_output") is None


def test_versions_rise_with_the_numbers() -> None:
    """The kernel only ever appended to the list, so a version that falls is wrong."""
    versions = [version(helper_since(name) or "") for name in NAMES]
    assert versions == sorted(versions)
    assert versions[0] == (3, 19)
    assert versions[-1] == (6, 2)


def test_names_are_those_of_the_kernel_headers() -> None:
    header = Path("/usr/include/linux/bpf.h")
    if not header.exists():
        pytest.skip("needs the kernel's headers (linux-libc-dev)")
    text = header.read_text()
    mapper = text[text.index("define __") :].partition("BPF_FUNC_MAPPER(FN")[2].partition("\n\n")[0]
    names = re.findall(r"\bFN\((\w+)", mapper)
    assert len(names) > 200
    assert names[0] == "unspec"
    assert [helper_name(number) for number in range(1, len(names))] == [f"bpf_{name}" for name in names[1:]]


def test_names_are_those_of_bpftool() -> None:
    if shutil.which("bpftool") is None:
        pytest.skip("needs bpftool")
    call = ["bpftool", "-j", "feature", "list_builtins", "helpers"]
    done = subprocess.run(call, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("needs a bpftool that knows `feature list_builtins`")
    names = [name for name in json.loads(done.stdout) if name != "bpf_unspec"]
    assert len(names) > 200
    assert [helper_name(number) for number in range(1, len(names) + 1)] == names


def test_importing_the_table_reads_nothing() -> None:
    size = "h._rows.cache_info().currsize"
    code = f"from bpfimg.bytecode import _helpers as h\nprint({size}, h.helper_name(1), {size})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["0", "bpf_map_lookup_elem", "1"]


def test_some_programs_get_a_function_for_gpl_programs_whatever_their_licence() -> None:
    assert gpl_only(27)
    assert free_for("bpf_get_stackid", "perf_event", None)
    assert not free_for("bpf_get_stackid", "kprobe", None)
    assert free_for("bpf_get_func_ip", "kprobe", "trace_kprobe_multi")
    assert not free_for("bpf_trace_printk", "perf_event", None)
    source = """
    static long (*ip)(void *) = (void *)173;
    SEC("kprobe/f") int one(void *c) { return ip(c); }
    SEC("kprobe.multi/f*") int many(void *c) { return ip(c); }
    """
    one, many = parse(compile_source(source)).programs
    assert (one.uses.helpers, one.uses.gpl_only) == (("bpf_get_func_ip",), ("bpf_get_func_ip",))
    assert (many.uses.helpers, many.uses.gpl_only) == (("bpf_get_func_ip",), ())

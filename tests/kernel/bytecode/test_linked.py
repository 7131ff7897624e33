"""Where the functions of an object stand in what libbpf made of it, against the names that the kernel has."""

from __future__ import annotations

import pytest

from bpfimg import bytecode
from bpfimg.btf import Btf, Limits
from bpfimg.kernel import bpf, dump, libbpf
from tests.support.features import needs
from tests.support.objects import compile_source

pytestmark = [pytest.mark.kernel, needs("xdp")]

#: functions that call each other in an order that is not theirs in the object, callbacks, and some of both programs
SOURCE = """
static long (*loop)(__u32 times, void *callback, void *ctx, __u64 flags) = (void *)181;
volatile int number;
#define CALLED __attribute__((noinline))
static CALLED int last(int by) { number += by; return number; }
static CALLED int first(int by) { return last(by) + number; }
static CALLED int each(__u32 at, void *ctx) { number += first(at); return 0; }
CALLED int open(int by) { number -= by; loop(by & 7, each, 0, 0); return first(number); }
static CALLED int other(__u32 at, void *ctx) { number += at; return 0; }
SEC("xdp") int one(void *ctx) { return open(3) + last(number); }
SEC("xdp") int two(void *ctx) { loop(3, other, 0, 0); loop(4, each, 0, 0); return first(2); }
SEC("xdp") int three(void *ctx) { return number; }
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.mark.parametrize(
    ("program", "called"),
    [
        ("one", {"open", "each", "first", "last"}),
        ("two", {"other", "each", "first", "last"}),
        ("three", set()),
    ],
)
def test_functions_are_found_in_the_order_that_the_kernel_has(program: str, called: set[str]) -> None:
    data = compile_source(SOURCE)
    with libbpf.open_object(data, name="linked") as opened:
        opened.load()
        handle = next(each for each in opened.programs if each.name == program)
        found = bytecode.Linked.read(data, program, handle.code()).functions
        types = Btf(dump.btf_data(bpf.program_info(handle.fd).btf_id), "little", Limits())
        kernel = [types.name(number) for _, number in dump.program_dump(handle.fd).functions]
    assert [each.name if each else "" for _, each in found] == kernel
    assert kernel[0] == program
    assert set(kernel[1:]) == called
    assert found[0][0] == 0
    lengths = [(each.end - each.start) // 8 for _, each in found if each]
    ends = [*(place for place, _ in found[1:]), sum(lengths)]
    assert [end - place for (place, _), end in zip(found, ends, strict=True)] == lengths


def test_what_is_not_of_the_object_is_said_to_be_nothing() -> None:
    data = compile_source(SOURCE)
    call, leave = bytes.fromhex("8510000001000000"), bytes.fromhex("9500000000000000")
    assert bytecode.Linked.read(data, "nobody", call + leave + leave).functions == ((0, None), (2, None))
    ((start, main), (place, function)) = bytecode.Linked.read(data, "three", call + leave + leave).functions
    assert (start, place, function) == (0, 2, None)
    assert main is not None
    assert main.name == "three"

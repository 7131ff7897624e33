from __future__ import annotations

import json

import pytest

from bpfimg.bytecode import parse
from bpfimg.inspect._object import report
from tests.support.objects import compile_source, example

SOURCE = r"""
enum mode { SLOW, FAST = 5 };
struct pair { __u32 a; __u32 b; };
const volatile __u16 port = 8080;
const volatile __s32 offset = -7;
const volatile _Bool on = 1;
const volatile char letter = 'x';
const volatile char low = 7;
const volatile char device[16] = "eth0\n";
const volatile char raw[2] = { 1, 2 };
const volatile enum mode mode = FAST, odd = 3;
const volatile double ratio = 0.25;
const volatile float endless = __builtin_inff();
const volatile struct pair pair = { 1, 2 };
char blank[4096];
int huge[1024];
extern int LINUX_KERNEL_VERSION __attribute__((section(".kconfig")));
SEC("?fentry.s/vfs_read") int program(char *c)
{
    return port + offset + on + letter + low + device[*c] + raw[*c] + mode + odd + pair.a + huge[*c] + blank[*c]
        + (long)&ratio + (long)&endless + LINUX_KERNEL_VERSION;
}
char LICENSE[] SEC("license") = "GPL";
"""


def values(data: bytes) -> dict[str, object]:
    found = json.loads(json.dumps(report(parse(data)), allow_nan=False))
    return {spec["name"]: spec["value"] for spec in found["globals"]}


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_values_by_type(target: str) -> None:
    pair = {"bpfel": "hex:0100000002000000", "bpfeb": "hex:0000000100000002"}[target]
    assert values(compile_source(SOURCE, target=target)) == {
        "port": 8080,
        "offset": -7,
        "on": True,
        "letter": "x",
        "low": 7,
        "device": "eth0\n",
        "raw": "hex:0102",
        "mode": "FAST",
        "odd": 3,
        "ratio": 0.25,
        "endless": {"bpfel": "hex:0000807f", "bpfeb": "hex:7f800000"}[target],
        "pair": pair,
        "blank": "",
        "huge": None,
        "LINUX_KERNEL_VERSION": None,
    }


def test_the_whole_report() -> None:
    data = example("xdp_counter", target="bpfel")
    found = report(parse(data))
    instructions = found["programs"][0].pop("instructions")  # type: ignore[index]
    assert instructions > 10
    assert found == {
        "programs": [
            {
                "name": "xdp_count",
                "section": "xdp",
                "type": "xdp",
                "label": "xdp",
                "attach_type": "xdp",
                "target": None,
                "sleepable": False,
                "frags": False,
                "autoload": True,
            }
        ],
        "maps": [
            {
                "name": "counters",
                "type": "array",
                "key_size": 4,
                "value_size": 16,
                "key_type": "__u32",
                "value_type": "struct counter",
                "max_entries": 1,
                "flags": 0,
                "pinning": "none",
                "internal": False,
            },
            {
                "name": ".rodata",
                "type": "array",
                "key_size": 4,
                "value_size": 4,
                "key_type": None,
                "value_type": None,
                "max_entries": 1,
                "flags": 1152,
                "pinning": "none",
                "internal": True,
            },
        ],
        "globals": [
            {
                "name": "sample",
                "section": ".rodata",
                "type": "__u32",
                "kind": "int",
                "offset": 0,
                "size": 4,
                "read_only": True,
                "value": 1,
            }
        ],
        "license": "Dual BSD/GPL",
        "byte_order": "little",
        "btf": True,
        "core": False,
        "size": len(data),
    }


def test_what_a_program_asks_for() -> None:
    (program,) = report(parse(compile_source(SOURCE)))["programs"]  # type: ignore[misc]
    assert (program["label"], program["target"], program["sleepable"], program["autoload"]) == (
        "fentry",
        "vfs_read",
        True,
        False,
    )

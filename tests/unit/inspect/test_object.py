from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.bytecode import dissect, parse
from bpfimg.inspect._object import report
from tests.support.objects import compile_source, example

if TYPE_CHECKING:
    from bpfimg.bytecode import BytecodeObject, Dissection

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


def told(found: BytecodeObject | Dissection, **options: Any) -> Any:  # JSON
    return json.loads(json.dumps(report(found, **options), allow_nan=False))


def values(data: bytes) -> dict[str, object]:
    found = told(parse(data))
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


USES_NOTHING = {"helpers": [], "gpl_only": [], "kfuncs": [], "ksyms": [], "maps": [], "calls": [], "isa": [], "core": 0}
COUNTERS = {
    "name": "counters",
    "type": "array",
    "key_size": 4,
    "value_size": 16,
    "key_type": "__u32",
    "value_type": "struct counter",
    "max_entries": 1,
    "flags": 0,
    "map_extra": 0,
    "pinning": "none",
    "internal": False,
    "legacy": False,
    "inner": None,
}


def test_the_whole_report() -> None:
    data = example("xdp_counter", target="bpfel")
    found = told(parse(data))
    (program,) = found.pop("programs")
    assert program.pop("instructions") > 10
    assert program.pop("uses") == {
        **USES_NOTHING,
        "helpers": ["bpf_get_prandom_u32", "bpf_map_lookup_elem"],
        "maps": [".rodata", "counters"],
        "isa": ["atomic-add"],
    }
    assert program == {
        "name": "xdp_count",
        "section": "xdp",
        "type": "xdp",
        "label": "xdp",
        "attach_type": "xdp",
        "target": None,
        "sleepable": False,
        "frags": False,
        "multi": False,
        "autoload": True,
        "offset": 0,
    }
    assert found.pop("maps") == [
        COUNTERS,
        {
            **COUNTERS,
            "name": ".rodata",
            "value_size": 4,
            "key_type": None,
            "value_type": None,
            "flags": 1152,
            "internal": True,
        },
    ]
    needed = found.pop("requirements")
    assert {"kind": "map_type", "name": "array", "since": "3.19", "programs": [], "optional": False} in needed
    sections = {each["name"]: each for each in found.pop("sections")}
    assert sections["xdp"]["kind"] == "PROGBITS"
    assert found.pop("btf_size") == sections[".BTF"]["size"] + sections[".BTF.ext"]["size"]
    assert found == {
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
                "enumerators": {},
            }
        ],
        "functions": [],
        "externs": [],
        "license": "Dual BSD/GPL",
        "byte_order": "little",
        "btf": True,
        "core": False,
        "line_info": True,
        "compiler": None,
        "size": len(data),
        "dwarf_size": 0,
    }


def test_details_are_read_on_request_only() -> None:
    dissection = dissect(example("xdp_counter"))
    assert told(dissection) == told(dissection.object)
    found = told(dissection, code=["xdp_count"], types=True, core=True)
    assert [each["name"] for each in found["code"]] == ["xdp_count"]
    assert found["core_relocations"] == []
    types = {(each["name"], each["part"]): each for each in found["types"]}
    assert types["counters", "value"]["type"] == "struct counter"
    assert "struct counter {" in types["counters", "value"]["definition"]
    assert ("sample", "value") in types


CORE = r"""
struct task_struct { int pid, tgid; } __attribute__((preserve_access_index));
SEC("kprobe/a") int one(struct task_struct *task) { return task->tgid; }
SEC("?kprobe/b") int two(struct task_struct *task) { return task->tgid + task->pid; }
static __attribute__((noinline)) int sub(struct task_struct *task) { return task->pid * 3; }
SEC("kprobe/c") int three(struct task_struct *task) { return sub(task); }
"""


def test_core_relocations_are_told_once_each() -> None:
    found = told(dissect(compile_source(CORE)), core=True)["core_relocations"]
    asked = {each["subject"]: each for each in found}
    assert asked["task_struct.tgid"]["functions"] == ["one", "two"]
    assert asked["task_struct.tgid"]["count"] == 2
    assert sorted(asked["task_struct.pid"]["functions"]) == ["sub", "two"]
    assert asked["task_struct.pid"]["kind"] == "field_byte_offset"
    assert asked["task_struct.pid"]["words"] == "reads task_struct.pid, any kernel with that field"


def test_the_shape_inside_a_map_of_maps() -> None:
    source = r"""
    struct inner { __uint(type, 2); __type(key, __u32); __type(value, __u64); __uint(max_entries, 3); };
    struct { __uint(type, 13); __type(key, __u32); __uint(max_entries, 2); __array(values, struct inner); }
        outer SEC(".maps");
    """
    (outer,) = told(parse(compile_source(source)))["maps"]
    assert (outer["inner"]["type"], outer["inner"]["value_size"], outer["inner"]["max_entries"]) == ("array", 8, 3)


def test_what_a_program_asks_for() -> None:
    (program,) = told(parse(compile_source(SOURCE)))["programs"]
    assert (program["label"], program["target"], program["sleepable"], program["autoload"]) == (
        "fentry",
        "vfs_read",
        True,
        False,
    )

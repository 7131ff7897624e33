"""What the writer says of an object, against section 11 of the spec: one test for each rule, named by it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bpfimg import build
from bpfimg._value import replace
from bpfimg.bytecode import dissect
from bpfimg.errors import UsageError
from bpfimg.image import Description
from bpfimg.oci import Memory, Platform
from tests.support.objects import compile_source, example
from tests.support.strangers import AMD64, OBJECT, SPEC, repository

LICENSE = 'char LICENSE[] SEC("license") = "GPL";'


def labels(data: bytes = OBJECT, **options: Any) -> dict[str, str]:
    made = build.image(data, **{"file_name": "xdp_pass.bpf.o", "platform": AMD64, **options})
    found: dict[str, str] = json.loads(made.pack().blobs[0][1])["config"]["Labels"]
    return {name[len("dev.bpfimg.") :]: text for name, text in found.items() if name.startswith("dev.bpfimg.")}


def part(name: str, source: str, **options: Any) -> Any:
    """What the description of a compiled C source says of one part."""
    return json.loads(labels(compile_source(source + LICENSE, **options))[name])


def test_bi_37_the_description_is_whole() -> None:
    listed = re.findall(r"^\| (?:`[a-z]+`)? ?\| `dev\.bpfimg\.([a-z-]+)` \|", SPEC.read_text(), re.MULTILINE)
    every = labels(example("xdp_counter"), toolchain={"compiler": "clang"})
    assert set(listed) - {"omitted"} == set(every)
    assert every["schema"] == "1"
    assert set(labels()) == {"schema", "byte-order", "license", "programs", "requires"}
    assert set(labels(compile_source("", flags=("-O2",)))) == {"schema", "byte-order"}


def test_bi_38_each_platform_has_its_own_description() -> None:
    memory = Memory(repository())
    xdp, tc = example("xdp_counter"), example("tc_counter")
    arm64 = Platform("linux", "arm64")
    both = [build.image(xdp, file_name="a.o", platform=AMD64), build.image(tc, file_name="a.o", platform=arm64)]
    build.store(both, memory)
    names = [json.loads(image.description.parts["programs"])[0]["name"] for image in both]
    assert names == ["xdp_count", "tc_count"]
    for name in ("dev.bpfimg.schema", "dev.bpfimg.anything"):
        with pytest.raises(UsageError, match="BI-20"):
            labels(labels={name: "x"})
        with pytest.raises(UsageError, match="BI-20"):
            labels(annotations={name: "x"})
    assert labels(labels={"dev.bpfimgx": "free"})


def test_bi_39_the_form() -> None:
    source = """
    volatile const unsigned long long most = 18446744073709551615ULL, exact = 9007199254740991ULL;
    volatile const long long least = -9007199254740992LL, inexact = 9007199254740992LL;
    struct { __uint(type, 1); __uint(max_entries, 8); __type(key, int); __type(value, int); } zz SEC(".maps"),
      aa SEC(".maps");
    SEC("?xdp") int z(void *c) { return most + exact + least + inexact; }
    SEC("xdp") int a(void *c) { return 2; }
    """
    found = labels(compile_source(source + LICENSE), toolchain={"linker": "l", "compiler": "ü"})
    for name, text in found.items():
        if name not in ("schema", "license", "byte-order"):
            value = json.loads(text)
            assert text == json.dumps(value, separators=(",", ":"), sort_keys=True), name
            assert text.isascii()
    assert [p["name"] for p in json.loads(found["programs"])] == ["a", "z"]
    assert [p.get("autoload", True) for p in json.loads(found["programs"])] == [True, False]
    assert [m["name"] for m in json.loads(found["maps"])] == ["aa", "zz"]
    assert {g["name"]: g["default"] for g in json.loads(found["globals"])} == {
        "most": "18446744073709551615", "exact": 9007199254740991, "least": "-9007199254740992",
        "inexact": "9007199254740992",
    }  # fmt: skip
    assert found["toolchain"] == '{"compiler":"\\u00fc","linker":"l"}'
    for value in (False, [], None, 0, "none"):
        assert value not in json.loads(found["programs"])[0].values()
        assert value not in json.loads(found["maps"])[0].values()


def test_bi_40_programs() -> None:
    source = """
    struct { __uint(type, 1); __uint(max_entries, 8); __type(key, int); __type(value, int); } m SEC(".maps");
    int seen;
    static void *(*lookup)(void *, const void *) = (void *)1;
    static unsigned long long (*now)(void) = (void *)5;
    __attribute__((noinline)) int inner(int k) { int *v = lookup(&m, &k); return v ? *v : 0; }
    SEC("tracepoint/syscalls/sys_enter_openat") int b(void *c) { seen = now(); return inner(1); }
    SEC("lsm.s/file_open") int s(void *c) { return 0; }
    SEC("xdp.frags") int f(void *c) { return 2; }
    SEC("?kprobe.multi/tcp_*") int k(void *c) { return 0; }
    SEC("no_such") int n(void *c) { return 0; }
    """
    data = compile_source(source + LICENSE)
    found = {program.pop("name"): program for program in json.loads(labels(data)["programs"])}
    instructions = {program.name: program.instructions for program in dissect(data).object.programs}
    assert {name: program.pop("instructions") for name, program in found.items()} == instructions
    assert found == {
        "b": {
            "section": "tracepoint/syscalls/sys_enter_openat", "type": "tracepoint",
            "target": "syscalls/sys_enter_openat", "helpers": ["bpf_ktime_get_ns", "bpf_map_lookup_elem"],
            "maps": [".bss", "m"],
        },
        "s": {"section": "lsm.s/file_open", "type": "lsm", "attach_type": "lsm_mac", "target": "file_open",
              "sleepable": True},
        "f": {"section": "xdp.frags", "type": "xdp", "attach_type": "xdp", "frags": True},
        "k": {"section": "kprobe.multi/tcp_*", "type": "kprobe", "attach_type": "trace_kprobe_multi",
              "target": "tcp_*", "multi": True, "autoload": False},
        "n": {"section": "no_such", "type": "unspec"},
    }  # fmt: skip


EXTERNS = """
typedef _Bool bool;
extern int bpf_cpumask_test(void) SEC(".ksyms");
extern void maybe(void) SEC(".ksyms") __attribute__((weak));
extern const void bpf_prog_fops SEC(".ksyms");
extern const void absent SEC(".ksyms") __attribute__((weak));
extern bool CONFIG_BPF SEC(".kconfig");
SEC("xdp") int p(void *c) {
    if (maybe) maybe();
    return bpf_cpumask_test() + (int)(long)&bpf_prog_fops + (&absent != 0) + CONFIG_BPF;
}
"""


def test_bi_40_what_a_program_asks_the_kernel_for() -> None:
    (program,) = part("programs", EXTERNS)
    assert program["kfuncs"] == ["bpf_cpumask_test", "maybe"]
    assert program["ksyms"] == ["CONFIG_BPF", "absent", "bpf_prog_fops"]


def test_bi_44_what_is_weak_is_optional() -> None:
    needs = part("requires", EXTERNS)
    assert {name: known.get("optional", False) for name, known in needs["kfunc"].items()} == {
        "bpf_cpumask_test": False,
        "maybe": True,
    }
    assert {name: known.get("optional", False) for name, known in needs["ksym"].items()} == {
        "absent": True,
        "bpf_prog_fops": False,
    }
    unasked = part("requires", 'SEC("?lsm/file_open") int p(void *c) { return 0; }')
    assert unasked["program_type"]["lsm"]["optional"] is True


def test_bi_41_maps() -> None:
    source = """
    struct value { int a; };
    struct { __uint(type, 1); __uint(max_entries, 8); __type(key, int); __type(value, struct value); __uint(pinning, 1);
             __uint(map_flags, 1); } hash SEC(".maps");
    struct { __uint(type, 27); __uint(max_entries, 4096); } ring SEC(".maps");
    struct { __uint(type, 12); __uint(max_entries, 2); __uint(key_size, 4); __array(values, struct {
             __uint(type, 2); __uint(max_entries, 1); __type(key, int); __type(value, long); });
    } outer SEC(".maps");
    int global;
    SEC("xdp") int p(void *c) { return global; }
    """
    assert part("maps", source) == [
        {"name": "hash", "type": "hash", "key_size": 4, "value_size": 4, "key_type": "int",
         "value_type": "struct value", "max_entries": 8, "flags": 1, "pinning": "by-name"},
        {"name": "outer", "type": "array_of_maps", "key_size": 4, "value_size": 4, "max_entries": 2,
         "inner": {"type": "array", "key_size": 4, "value_size": 8, "key_type": "int", "value_type": "long",
                   "max_entries": 1}},
        {"name": "ring", "type": "ringbuf", "key_size": 0, "value_size": 0, "max_entries": 4096},
    ]  # fmt: skip
    legacy = """
    struct { unsigned type, key_size, value_size, max_entries, flags; } old SEC("maps") = { 1, 4, 8, 16, 0 };
    SEC("xdp") int p(void *c) { return 2; }
    """
    (old,) = json.loads(Description.of(dissect(compile_source(legacy + LICENSE))).parts["maps"])
    assert old["legacy"] is True
    assert (old["name"], old["type"], old["key_size"], old["value_size"]) == ("old", "hash", 4, 8)


def test_bi_42_globals() -> None:
    source = """
    enum mode { OFF, ON = 7 };
    typedef _Bool bool;
    volatile const int number = -3; volatile bool yes = 1; volatile enum mode mode = ON; volatile char letter = 'x';
    volatile char name[8] = "a\\n\\tb"; volatile char odd[4] = "\\x01"; volatile char hex[8] = "hex:1";
    volatile char new[8] = "\\xf0\\x9f\\xab\\xa8"; volatile char csi[4] = "\\xc2\\x9b"; volatile char del[4] = "\\x7f";
    volatile double zero; typedef char word[4]; volatile word alias = "abc"; volatile char dot = '\\x01';
    volatile enum mode unnamed = 3;
    volatile int pair[2] = { 1, 2 }; volatile int zeros[2]; volatile int big[300] = { 1 }; volatile float half = 0.5;
    volatile struct { int a; } shape = { 5 };
    extern int CONFIG_HZ SEC(".kconfig") __attribute__((weak));
    volatile int own SEC(".data.own") = 4;
    SEC("xdp") int p(void *c) {
        static volatile int hidden = 9;
        return number + yes + mode + letter + name[0] + odd[0] + hex[0] + pair[0] + zeros[0] + new[0] + csi[0] +
               del[0] + *(volatile char *)&zero + alias[0] + dot + unnamed + big[0] + shape.a +
               CONFIG_HZ + own + hidden;
    }
    """
    found = {spec.pop("name"): spec for spec in part("globals", source)}
    assert {name: spec.get("default", "left out") for name, spec in found.items()} == {
        "number": -3, "yes": True, "mode": "ON", "letter": "x", "name": "a\n\tb", "odd": "hex:01000000",
        "hex": "hex:6865783a31000000", "pair": "hex:0100000002000000", "zeros": "left out", "big": "left out",
        "half": "hex:0000003f", "new": "\U0001fae8", "csi": "hex:c29b0000", "del": "hex:7f000000", "zero": "left out",
        "alias": "hex:61626300", "dot": 1, "unnamed": 3, "shape": "hex:05000000", "CONFIG_HZ": "left out", "own": 4,
    }  # fmt: skip
    assert found["number"] == {
        "section": ".rodata", "type": "int", "size": 4, "read_only": True, "default": -3,
    } or found["number"]["type"].endswith("int")  # fmt: skip
    assert found["zeros"]["size"] == 8
    assert (found["own"]["section"], found["CONFIG_HZ"]["section"]) == (".data.own", ".kconfig")
    assert "read_only" not in found["yes"]


def test_bi_43_licence_byte_order_btf_and_toolchain() -> None:
    assert labels()["license"] == "Dual BSD/GPL"
    assert (labels()["byte-order"], labels(_big(), platform=Platform("linux", "s390x"))["byte-order"]) == (
        "little",
        "big",
    )
    assert "btf" not in labels()
    source = """
    struct task { int pid; } __attribute__((preserve_access_index));
    SEC("raw_tp/x") int p(struct task *t) { return t->pid + __builtin_preserve_field_info(t->pid, 2); }
    """
    data = compile_source(source + LICENSE)
    sections = {section.name: section.size for section in dissect(data).object.sections}
    assert json.loads(labels(data)["btf"]) == {
        "size": sections[".BTF"] + sections[".BTF.ext"],
        "lines": True,
        "core": {"field_byte_offset": 1, "field_exists": 1},
    }
    assert "toolchain" not in labels()
    assert labels(toolchain={"compiler": "clang 14"})["toolchain"] == '{"compiler":"clang 14"}'


def _big() -> bytes:
    return compile_source('SEC("xdp") int p(void *c) { return 2; }', target="bpfeb")


def test_bi_44_requirements() -> None:
    listed = re.search(r"Kinds: (.+?)\. `since`", _rule(44), re.DOTALL)
    assert listed
    kinds = set(re.findall(r"`(\w+)`", listed[1]))
    for name in ("xdp_counter", "tc_counter", "tracepoint_counter"):
        needs = json.loads(labels(example(name))["requires"])
        assert set(needs) <= kinds
        for kind, names in needs.items():
            assert names, kind
            for known in names.values():
                assert set(known) <= {"since", "optional"}
                assert re.fullmatch(r"[2-9]\.\d+(\.\d+)?", known.get("since", "4.1"))
                assert known.get("optional", True) is True


def _rule(number: int) -> str:
    found = re.search(rf"^\* \*\*BI-{number}\*\* .*?(?=^$|^\* )", SPEC.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return found[0]


@pytest.mark.parametrize(("variant", "limit"), [("image", 64 << 10), ("artifact", 512 << 10)])
def test_bi_45_what_is_too_long_is_left_out_whole_and_named(variant: str, limit: int) -> None:
    made = build.image(OBJECT, file_name="a.o", platform=AMD64, variant=variant)

    def stated(length: int) -> dict[str, Any]:
        filler = json.dumps([{"name": "g" * (length - 13)}], separators=(",", ":"))
        assert len(filler) == length
        long = replace(made, description=Description({**made.description.parts, "globals": filler}, "1"))
        config = json.loads(long.pack().blobs[0][1])
        if variant == "artifact":
            return {str(name): part for name, part in config.items()}
        found = config["config"]["Labels"]
        return {name[11:]: json.loads(text) for name, text in found.items() if name in (OMITTED, GLOBALS)}

    assert "globals" in stated(limit)
    assert "omitted" not in stated(limit)
    assert "globals" not in stated(limit + 1)
    assert stated(limit + 1)["omitted"] == ["globals"]


OMITTED, GLOBALS = "dev.bpfimg.omitted", "dev.bpfimg.globals"


def test_dwarf_changes_no_description() -> None:
    source = 'int a = 1; SEC("xdp") int p(void *c) { return a; }' + LICENSE
    assert Description.of(dissect(compile_source(source, strip=False))) == Description.of(
        dissect(compile_source(source))
    )

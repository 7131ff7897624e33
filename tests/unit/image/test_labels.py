"""Labels: written from the object, read with suspicion."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bpfimg.bytecode import parse
from bpfimg.errors import ImageError
from bpfimg.image import LABEL_MAPS, LABEL_PROGRAMS, Labels, Limits
from tests.support.objects import compile_source
from tests.support.strangers import OBJECT

V1 = {
    "io.ebpf.program_name": "shown only",
    "io.ebpf.bpf_function_name": "pass",
    "io.ebpf.program_type": "xdp",
    "io.ebpf.filename": "pass.o",
}


def config(labels: Any) -> bytes:
    return json.dumps({"architecture": "amd64", "config": {"Labels": labels}}).encode()


def refused(raw: bytes, rule: str, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence) as caught:
        Labels.from_config(raw)
    assert caught.value.rules == (rule,)
    assert str(caught.value).isprintable()


def test_of_an_object_without_maps() -> None:
    labels = Labels.of(parse(OBJECT))
    assert labels.to_dict() == {LABEL_PROGRAMS: '{"pass":"xdp"}', LABEL_MAPS: "{}"}


def test_of_an_object_with_everything() -> None:
    labels = Labels.of(
        parse(
            compile_source("""
struct { __uint(type, 1); __type(key, __u32); __type(value, __u64); __uint(max_entries, 8); } zz SEC(".maps");
struct { __uint(type, 27); __uint(max_entries, 4096); } events SEC(".maps");
volatile const __u32 limit = 1; __u64 count; __u32 start = 5; __u32 mine SEC(".data.own") = 1;
SEC("xdp.frags") int b_xdp(void *c) { count += limit + mine; return 2; }
SEC("classifier") int a_tc(void *c) { start++; return 0; }
SEC("tp/syscalls/sys_enter_openat") int t(void *c) { return 0; }
SEC("?uretprobe.multi/libc.so.6:malloc") int u(void *c) { return 0; }
SEC("fmod_ret/security_file_open") int f(void *c) { return 0; }
SEC("cgroup/connect4") int g(void *c) { return 1; }
SEC("no/such/thing") int n(void *c) { return 1; }
char LICENSE[] SEC("license") = "GPL";
""")
        )
    )
    assert labels.to_dict() == {
        LABEL_PROGRAMS: '{"a_tc":"tc","b_xdp":"xdp","f":"tracing","g":"cgroup_sock_addr","n":"unspec","t":"tracepoint",'
        '"u":"uretprobe"}',
        LABEL_MAPS: '{"events":"ringbuf","zz":"hash"}',
    }


def test_what_was_written_is_read() -> None:
    labels = Labels({"b": "xdp", "a": "tc"}, {"m": "hash"})
    assert Labels.from_config(config(labels.to_dict())) == labels
    assert Labels.from_config(config(labels.to_dict())).generation == "current"


def test_the_generation_before() -> None:
    labels = Labels.from_config(config(V1))
    assert (labels.programs, labels.maps, labels.generation) == ({"pass": "xdp"}, {}, "v1")
    both = Labels.from_config(config({**V1, LABEL_PROGRAMS: '{"other":"tc"}', LABEL_MAPS: "{}"}))
    assert (both.programs, both.generation) == ({"other": "tc"}, "current")
    assert Labels.from_config(config({**V1, LABEL_PROGRAMS: ""})).generation == "v1"


@pytest.mark.parametrize(
    "raw",
    [b"{}", b'{"config":null}', b'{"config":{}}', config(None), config({}), config({"maintainer": "x"}),
     config({LABEL_PROGRAMS: "", LABEL_MAPS: ""}), config({"io.ebpf.bpf_function_name": "pass"})],
)  # fmt: skip
def test_without_labels(raw: bytes) -> None:
    assert Labels.from_config(raw) == Labels({}, {}, "incomplete")


def test_one_label_of_two() -> None:
    assert Labels.from_config(config({LABEL_PROGRAMS: '{"a":"xdp"}'})) == Labels({"a": "xdp"}, {}, "incomplete")
    assert Labels.from_config(config({LABEL_MAPS: '{"a":"hash"}'})) == Labels({}, {"a": "hash"}, "incomplete")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("[]", "is a list, expected a JSON object"),
        ("null", "is null"),
        ('"x"', "is a string"),
        ("7", "is a number"),
        ("true", "is a boolean"),
        ("{", "not JSON"),
        (" ", "not JSON"),
        ('{"a":"xdp"}}', "not JSON"),
        ('{"a":"xdp","a":"tc"}', "twice in one object"),
        ('{"a":{"type":"xdp"}}', "a dict, expected a string"),
        ('{"a":1}', "a int, expected a string"),
        ('{"a":null}', "expected a string"),
        ('{"a":""}', "1 to 512 printable"),
        ('{"":"xdp"}', "1 to 512 printable"),
        ('{"a\\u0000":"xdp"}', "printable"),
        ('{"\\u001b[31m":"xdp"}', "printable"),
        ('{"\\ud800":"xdp"}', "is not JSON"),
        ('{"a":"x\\n"}', "printable"),
        ('{"%s":"xdp"}' % ("n" * 513), "1 to 512"),
        ("[" * 100_000, "nests deeper|not JSON"),
        ('{"a":' * 65 + '"x"' + "}" * 65, "nests deeper"),
        ('{"a":NaN}', "which is not JSON"),
    ],
)
def test_values_that_are_no_string_to_string_objects(value: str, sentence: str) -> None:
    refused(config({LABEL_PROGRAMS: value, LABEL_MAPS: "{}"}), "BI-21", sentence)
    refused(config({LABEL_PROGRAMS: "{}", LABEL_MAPS: value}), "BI-21", sentence)


@pytest.mark.parametrize(
    ("raw", "rule", "sentence"),
    [
        (b"", "BI-7", "not JSON"),
        (b"[]", "BI-7", "is a list"),
        (b"\xff\xfe{}", "BI-7", "not JSON"),
        (b'{"config":1,"config":2}', "BI-7", "twice in one object"),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "BI-7", "deeper than 64"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "BI-7", "deeper than 64"),
        (b'{"a":' + b"9" * 5000 + b"}", "BI-7", "not JSON"),
        (b'{"config":[]}', "BI-21", "list as its labels"),
        (config([]), "BI-21", "list as its labels"),
        (config("x"), "BI-21", "str as its labels"),
        (config({"a": 1}), "BI-21", "'a' is a int"),
        (config({"a\u202e": None}), "BI-21", "expected a string"),
        (b" " * (4 << 20) + b"{}", "BI-27", "at most 4194304"),
    ],
)
def test_configs_that_cannot_be_understood(raw: bytes, rule: str, sentence: str) -> None:
    refused(raw, rule, sentence)


def test_a_value_is_bounded() -> None:
    raw = config({LABEL_PROGRAMS: json.dumps({f"p{n}": "xdp" for n in range(10)}), LABEL_MAPS: "{}"})
    assert len(Labels.from_config(raw).programs) == 10
    with pytest.raises(ImageError, match="expected at most 64") as caught:
        Labels.from_config(raw, limits=Limits(label_value=64))
    assert caught.value.rules == ("BI-27",)


def test_many_keys_that_stand_twice_take_no_time() -> None:
    pairs = ",".join(f'"k{n % 150_000}":1' for n in range(300_000))
    refused(f"{{{pairs}}}".encode(), "BI-7", "twice in one object")

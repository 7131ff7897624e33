"""Labels against the object: the object decides, differences are said, other spellings are none."""

from __future__ import annotations

import pytest

from bpfimg._value import replace
from bpfimg.errors import BytecodeError
from bpfimg.image import BytecodeImage, Labels
from tests.support.objects import compile_source
from tests.support.strangers import AMD64, OBJECT, Stranger
from tests.support.tars import archive, entry

IMAGE = BytecodeImage(OBJECT, Labels({"pass": "xdp"}, {}), AMD64, "xdp_pass.bpf.o")


def said(image: BytecodeImage) -> list[str]:
    return [str(finding) for finding in image.check()]


def test_nothing_to_say() -> None:
    assert said(IMAGE) == []
    assert said(Stranger().fetch()) == []


def test_programs_that_differ() -> None:
    lies = replace(IMAGE, labels=Labels({"pass": "tc", "gone\u202e": "xdp"}, {"m": "hash"}))
    assert said(lies) == [
        "label io.ebpf.programs names 'gone\\u202e', which the object does not have (BI-22)",
        "label io.ebpf.programs calls 'pass' 'tc', the object says xdp (BI-22)",
        "label io.ebpf.maps names 'm', which the object does not have (BI-22)",
    ]
    (missing,) = replace(IMAGE, labels=Labels({}, {})).check()
    assert (missing.rule, missing.about) == ("BI-22", "io.ebpf.programs: pass")
    assert missing.message == "label io.ebpf.programs does not name 'pass' (xdp)"


def test_older_labels_and_none() -> None:
    v1 = Labels({"pass": "xdp"}, {}, "v1")
    assert said(replace(IMAGE, labels=v1)) == ["the image has the labels of the old kind: one program, no maps (BI-23)"]
    with_a_map = compile_source("""
struct { __uint(type, 1); __type(key, int); __type(value, int); __uint(max_entries, 1); } m SEC(".maps");
SEC("xdp") int pass(void *c) { return 2; }""")
    # those labels had no maps, so none is missing
    assert len(replace(IMAGE, bytecode=with_a_map, labels=v1).check()) == 1
    first, second = Stranger(labels={}).fetch().check()
    assert (first.rule, second.rule) == ("BI-23", "BI-22")


def test_the_spellings_of_peers_are_no_difference() -> None:
    source = 'char LICENSE[] SEC("license") = "GPL";\n'
    sections = {"kprobe/a": "probe", "uretprobe/b": "probe", "fentry/c": "tracing", "tp_btf/d": "tracepoint",
                "classifier": "tcx", "tcx/ingress": "tc"}  # fmt: skip
    kinds = {5: "percpu_hash", 6: "percpu_array", 8: "cgrouparray", 10: "lru_percpu_hash", 19: "cgroupstorage",
             21: "percpucgroupstorage", 26: "structopsmap", 31: "userringbuf", 32: "cgroup_storage"}  # fmt: skip
    for number, section in enumerate(sections):
        source += f'SEC("{section}") int p{number}(void *c) {{ return 0; }}\n'
    for kind in kinds:
        source += (
            f'struct {{ __uint(type, {kind}); __uint(key_size, 4); __uint(value_size, 4); }} m{kind} SEC(".maps");\n'
        )
    obj = compile_source(source)
    labels = Labels(
        {f"p{number}": word for number, word in enumerate(sections.values())},
        {f"m{kind}": word for kind, word in kinds.items()},
    )
    image = BytecodeImage(obj, labels, AMD64, "a.o")
    assert said(image) == []
    swapped = replace(image, labels=Labels({**labels.programs, "p0": "tracing"}, {**labels.maps, "m5": "hash"}))
    assert len(said(swapped)) == 2


def test_an_object_that_bpfman_would_refuse() -> None:
    grown = replace(IMAGE, bytecode=OBJECT + bytes(16 << 20))
    assert said(grown) == [f"the object has {len(OBJECT) + (16 << 20)} bytes, bpfman takes at most 16777216 (BI-36)"]


def test_an_object_that_cannot_be_parsed_is_said_by_the_parser() -> None:
    image = Stranger(archive(entry("a.o", OBJECT[:200]))).fetch()
    with pytest.raises(BytecodeError):
        image.check()

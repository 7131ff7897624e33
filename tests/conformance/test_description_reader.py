"""What the reader makes of a description that strangers wrote, against section 11 of the spec."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bpfimg import build
from tests.support.artifacts import ours
from tests.support.objects import compile_source, example
from tests.support.strangers import AMD64, LABELS, OBJECT, Stranger
from tests.support.tars import archive, entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image import BytecodeImage

PREFIX = "dev.bpfimg."
PASS = {"name": "pass", "section": "xdp", "type": "xdp", "attach_type": "xdp", "instructions": 2}


def honest(data: bytes = OBJECT) -> dict[str, str]:
    """All labels as our writer makes them for an object."""
    made = build.image(data, file_name="xdp_pass.bpf.o", platform=AMD64, toolchain={"compiler": "c"})
    found: dict[str, str] = json.loads(made.pack().blobs[0][1])["config"]["Labels"]
    return found


def image(data: bytes = OBJECT, **changed: str | None) -> BytecodeImage:
    """An image with those labels, some of them changed (None: gone), as it comes from a registry."""
    given: dict[str, str | None] = {**honest(data), **{PREFIX + name: text for name, text in changed.items()}}
    labels = {name.replace("byte_order", "byte-order"): text for name, text in given.items() if text is not None}
    found = Stranger(archive(entry("a.o", data)), labels=labels).fetch()
    assert found.bytecode == data
    return found


def said(found: BytecodeImage, rule: str = "BI-47") -> list[str]:
    findings = found.check()
    assert {finding.rule for finding in findings} <= {rule}
    assert all(str(finding).isprintable() and finding.about.isprintable() for finding in findings)
    return [finding.message for finding in findings]


def test_bi_46_no_description_is_no_fault() -> None:
    assert Stranger().fetch().check() == ()
    assert said(image()) == []
    empty = {**LABELS, PREFIX + "schema": "", PREFIX + "programs": ""}
    assert Stranger(labels=empty).fetch().check() == ()


@pytest.mark.parametrize(
    "text", ["oops", "[", '[{"name":"a","name":"b"}]', "NaN", "[1e999]", "[" * 100 + "]" * 100, "\x1b[2J"]
)
def test_bi_46_damage_is_said_and_hinders_nobody(text: str) -> None:
    (message,) = said(image(programs=text), "BI-46")
    assert "dev.bpfimg.programs" in message


@pytest.mark.parametrize("schema", ["2", "01", "1.0", "one", "\n"])
def test_bi_46_another_schema_is_said_and_nothing_compared(schema: str) -> None:
    (message,) = said(image(schema=schema, programs="[]", license="lie"), "BI-46")
    assert "expected 1" in message
    (message,) = said(image(schema=None), "BI-46")
    assert "schema ''" in message


def test_bi_46_what_is_unknown_is_ignored() -> None:
    future = json.dumps([{**PASS, "future": {"a": [1]}}])
    assert said(image(programs=future, future="x", requires=_requires(future_kind={"x": {}}))) == []
    assert said(image(requires=_requires(program_type={"xdp": {"since": "99.1", "future": 1}}))) == []


def _requires(**kinds: Any) -> str:
    return json.dumps({**json.loads(honest().get(PREFIX + "requires", "{}")), **kinds})


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"programs": None}, "dev.bpfimg.programs does not name 'pass'"),
        ({"programs": json.dumps([PASS, {**PASS, "name": "x"}])}, "names 'x', which the object does not have"),
        ({"programs": json.dumps([PASS, PASS])}, "names 'pass', which the object does not have"),
        ({"programs": json.dumps([{**PASS, "type": "kprobe"}])}, "gives 'pass' type 'kprobe', the object 'xdp'"),
        ({"programs": json.dumps([{**PASS, "sleepable": True}])}, "gives 'pass' sleepable true, the object false"),
        ({"programs": json.dumps([{**PASS, "instructions": 3}])}, "instructions 3, the object 2"),
        ({"programs": json.dumps([{**PASS, "helpers": ["bpf_x"]}])}, """helpers '["bpf_x"]', the object '[]'"""),
        ({"programs": "{}"}, "expected a list of objects"),
        ({"programs": '["pass"]'}, "expected a list of objects"),
        ({"programs": '[{"name":["pass"]}]'}, "expected a list of objects with a name"),
        ({"programs": "[{}]"}, "expected a list of objects with a name"),
        ({"programs": None, "maps": "[]"}, "does not name 'pass'"),
        ({"maps": '[{"name":"m"}]'}, "dev.bpfimg.maps names 'm'"),
        ({"globals": '[{"name":"g"}]'}, "dev.bpfimg.globals names 'g'"),
        ({"license": "MIT"}, "dev.bpfimg.license says 'MIT', the object says 'Dual BSD/GPL'"),
        ({"license": None}, "dev.bpfimg.license says nothing"),
        ({"byte_order": "big"}, "says 'big', the object says 'little'"),
        ({"btf": '{"size":1}'}, "gives BTF size 1, the object nothing"),
        ({"requires": _requires(kfunc={"x": {}})}, "asks for kfunc 'x', which the object does not need"),
        ({"requires": "[]"}, "expected an object of kinds"),
    ],
)  # fmt: skip
def test_bi_47_disagreement_is_said(changed: dict[str, Any], sentence: str) -> None:
    assert any(sentence in message for message in said(image(**changed))), said(image(**changed))


def test_bi_47_maps_and_globals_member_by_member() -> None:
    data = example("xdp_counter")
    maps, globals_ = (json.loads(honest(data)[PREFIX + name]) for name in ("maps", "globals"))
    assert said(image(data)) == []
    maps[0]["key_size"], globals_[0]["default"] = 8, True
    assert said(image(data, maps=json.dumps(maps), globals=json.dumps(globals_))) == [
        "dev.bpfimg.maps gives 'counters' key_size 8, the object 4",
        "dev.bpfimg.globals gives 'sample' default true, the object 1",
    ]


@pytest.mark.parametrize(
    ("part", "member", "other"),
    [
        ("maps", "type", "lpm_trie"), ("maps", "key_size", 7), ("maps", "value_size", 7), ("maps", "key_type", "x"),
        ("maps", "value_type", "x"), ("maps", "max_entries", 7), ("maps", "flags", 7), ("maps", "map_extra", 7),
        ("maps", "pinning", "by-name"), ("maps", "legacy", True), ("maps", "inner", {"type": "hash"}),
        ("globals", "section", "x"), ("globals", "type", "x"), ("globals", "size", 7), ("globals", "read_only", False),
        ("globals", "default", 7), ("programs", "section", "x"), ("programs", "attach_type", "x"),
        ("programs", "target", "x"), ("programs", "frags", True), ("programs", "multi", True),
        ("programs", "autoload", False), ("programs", "kfuncs", ["x"]), ("programs", "ksyms", ["x"]),
        ("programs", "maps", ["x"]),
    ],
)  # fmt: skip
def test_bi_47_every_member_is_compared(part: str, member: str, other: object) -> None:
    data = example("xdp_counter")
    stated = json.loads(honest(data)[PREFIX + part])
    stated[0][member] = other
    (message,) = said(image(data, **{part: json.dumps(stated)}))
    assert f" {member} " in message


def test_bi_47_maps_of_maps() -> None:
    data = compile_source("""
    struct { __uint(type, 12); __uint(max_entries, 2); __uint(key_size, 4); __array(values, struct {
             __uint(type, 2); __uint(max_entries, 1); __type(key, int); __type(value, long); });
    } outer SEC(".maps");
    SEC("xdp") int p(void *c) { return 2; }
    """)
    (outer,) = json.loads(honest(data)[PREFIX + "maps"])
    assert said(image(data, maps=json.dumps([{**outer, "inner": {**outer["inner"], "future": 1}}]))) == []
    (message,) = said(image(data, maps=json.dumps([{**outer, "inner": {**outer["inner"], "key_size": 8}}])))
    assert "gives 'outer' inner" in message


def test_bi_47_what_is_omitted_by_name_is_not_missed() -> None:
    assert said(image(programs=None, license=None, omitted='["programs","license"]')) == []
    assert said(image(programs=None, omitted="oops")) != []
    lie = json.dumps([{**PASS, "type": "kprobe"}])
    assert said(image(programs=lie, omitted='["programs"]')) == said(image(programs=lie)) != []


def test_bi_47_a_long_lie_makes_no_long_answer() -> None:
    many = json.dumps([PASS, *({"name": f"p{n}"} for n in range(1000))])
    messages = said(image(programs=many))
    assert len(messages) == 21
    assert messages[-1] == "dev.bpfimg.programs disagrees with the object in 980 more points"
    hostile = json.dumps([PASS, {"name": "\x1b[2J" * 1000}])
    assert all(len(message) < 300 for message in said(image(programs=hostile)))


def test_bi_47_the_document_of_an_artifact_too() -> None:
    assert ours().fetch().check() == ()
    lie = ours(programs=[{**PASS, "type": "tc"}], license="Dual BSD/GPL").fetch()
    messages = [finding.message for finding in lie.check() if "requires" not in finding.about]
    assert messages == ["dev.bpfimg.programs gives 'pass' type 'tc', the object 'xdp'"]

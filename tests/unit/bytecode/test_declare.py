"""Maps of the old kind become declared ones: libbpf, which refuses the first, sees the same maps in the second."""

from __future__ import annotations

import sys

import pytest

from bpfimg.bytecode import dissect
from bpfimg.errors import BytecodeError
from tests.support.layouts import aya_object
from tests.support.libbpf import opened
from tests.support.objects import compile_source

OWN = "bpfel" if sys.byteorder == "little" else "bpfeb"
MAPS = """
struct bpf_map_def {{ __u32 type, key_size, value_size, max_entries{more}; }};
{maps}
static long (*update)(void *, const void *, const void *, __u64) = (void *) 2;
SEC("xdp") int p(void *ctx)
{{
    __u32 k = 0, v = 1;
    {uses}
    return 2;
}}
char LICENSE[] SEC("license") = "GPL";
"""
LAST = ", map_flags, id, pinning"


def source(definitions: dict[str, str], more: str = "", kind: str = "") -> str:
    maps = "\n".join(
        f'{kind}struct bpf_map_def {name} SEC("maps") = {{ {text} }};' for name, text in definitions.items()
    )
    uses = " ".join(f"update(&{name}, &k, &v, 0);" for name in definitions)
    return MAPS.format(more=more, maps=maps, uses=uses)


def turned(text: str, *, target: str = OWN, btf: bool = True) -> bytes:
    return dissect(compile_source(text, target=target, flags=("-g", "-O2") if btf else ("-O2",))).with_declared_maps()


@pytest.mark.parametrize("btf", [True, False])
def test_libbpf_sees_what_the_old_definitions_said(btf: bool) -> None:
    text = source({"a": "1, 4, 8, 100, 1", "ring": "27, 0, 0, 4096", "b": "2, 4, 4, 7"}, more=", map_flags")
    old = compile_source(text, target=OWN, flags=("-g", "-O2") if btf else ("-O2",))
    assert opened(old) is None
    seen = opened(turned(text, btf=btf))
    assert seen is not None
    assert seen.maps == {("a", 1, 4, 8, 100, 1, False), ("ring", 27, 0, 0, 4096, 0, False), ("b", 2, 4, 4, 7, 0, False)}
    assert {program[0] for program in seen.programs} == {"p"}


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
@pytest.mark.parametrize("btf", [True, False])
def test_of_either_byte_order_and_with_the_programs_as_they_were(target: str, btf: bool) -> None:
    text = source({"a": "1, 4, 8, 100", "b": "2, 4, 4, 7"})
    before = dissect(compile_source(text, target=target, flags=("-g", "-O2") if btf else ("-O2",)))
    after = dissect(turned(text, target=target, btf=btf))
    assert [(m.name, m.type, m.max_entries, m.legacy) for m in after.object.maps] == [
        ("a", "hash", 100, False),
        ("b", "array", 7, False),
    ]
    assert after.object.programs == before.object.programs
    assert after.object.license == before.object.license
    assert after.disassemble("p") == before.disassemble("p")
    assert turned(text, target=target, btf=btf) == after.elf.data
    assert after.with_declared_maps() == after.elf.data


@pytest.mark.parametrize("btf", [True, False])
def test_what_aya_leaves(btf: bool) -> None:
    (blocklist,) = dissect(dissect(aya_object(btf=btf)).with_declared_maps()).object.maps
    assert (blocklist.name, blocklist.type, blocklist.max_entries) == ("BLOCKLIST", "hash", 1024)


def test_pinning_as_aya_says_it() -> None:
    (pinned,) = dissect(turned(source({"a": "1, 4, 8, 100, 0, 0, 1"}, more=LAST))).object.maps
    assert pinned.pinning == "by-name"


@pytest.mark.parametrize(
    ("definitions", "more", "kind"),
    [
        ({"a": "1, 4, 8, 100, 0, 7, 0"}, LAST, ""),  # an id, as iproute2 has it
        ({"a": "1, 4, 8, 100, 0, 0, 2"}, LAST, ""),
        ({"a": "1, 4, 8, 100, 0, 0, 0, 3"}, LAST + ", inner", ""),
        ({"a": "12, 4, 4, 100"}, "", ""),
    ],
)
def test_what_only_its_own_loader_knows_is_refused(definitions: dict[str, str], more: str, kind: str) -> None:
    with pytest.raises(BytecodeError, match=r"map 'a' .*definitions of the old kind"):
        turned(source(definitions, more=more, kind=kind))


def test_maps_of_both_kinds_are_refused() -> None:
    new = 'struct { __uint(type, 27); __uint(max_entries, 4096); } ring SEC(".maps");\n'
    with pytest.raises(BytecodeError, match="several sections of maps"):
        turned(source({"a": "1, 4, 8, 1"}).replace("static long", new + "static long"))


def test_maps_that_programs_do_not_name_are_refused() -> None:
    with pytest.raises(BytecodeError, match="refers to a map without its name"):
        turned(source({"a": "1, 4, 8, 1"}, kind="static "))

"""What `requirements` says is needed, held against what libbpf and the kernel refuse without it."""

from __future__ import annotations

import errno

import pytest

from bpfimg.bytecode import parse, requirements
from bpfimg.errors import Error, KernelError
from bpfimg.kernel import abi, bpf, libbpf
from tests.support.netns import skip_unless
from tests.support.objects import compile_source

pytestmark = pytest.mark.kernel

LICENSE = 'char LICENSE[] SEC("license") = "GPL";\n'
CALLBACK = """
static long (*loop)(__u32, void *, void *, __u64) = (void *)181;
static int step(__u32 i, void *c) { return 0; }
SEC("xdp") int p(void *c) { loop(4, step, 0, 0); return 2; }
"""


@pytest.fixture(autouse=True)
def _host() -> None:
    skip_unless("xdp")


def compiled(source: str, *flags: str) -> bytes:
    return compile_source(LICENSE + source, flags=flags or ("-g", "-O2"))


def loads(data: bytes) -> bool:
    try:
        with libbpf.open_object(data, name="needs") as opened:
            opened.load()
    except Error:
        return False
    return True


def optional(data: bytes, kind: str, name: str) -> bool | None:
    """None where it is not needed at all."""
    for entry in requirements(parse(data)):
        if (entry.kind, entry.name) == (kind, name):
            return entry.optional
    return None


def test_callbacks_need_the_btf_of_the_object() -> None:
    with_btf, without = compiled(CALLBACK), compiled(CALLBACK, "-O2")
    assert optional(with_btf, "feature", "object-btf") is False
    assert loads(with_btf)
    assert not loads(without)


def test_storage_of_sockets_needs_the_btf_of_its_value() -> None:
    source = 'struct { __uint(type, 24); __uint(map_flags, 1); __type(key, int); __type(value, int); } s SEC(".maps");'
    data = compiled(source + 'SEC("xdp") int p(void *c) { return 2; }')
    assert optional(data, "feature", "object-btf") is False
    assert loads(data)
    with pytest.raises(KernelError) as refused:
        bpf.map_create(abi.MAP_TYPES.index("sk_storage"), 4, 4, 0, flags=1, name="plain")
    assert refused.value.errno == errno.EINVAL


@pytest.mark.parametrize(("section", "type_"), [("xdp", "xdp"), ("sk_reuseport", "sk_reuseport")])
def test_programs_that_need_no_attach_type(section: str, type_: str) -> None:
    data = compiled(f'SEC("{section}") int p(void *c) {{ return 0; }}')
    assert [entry.kind for entry in requirements(parse(data))] == ["program_type"]
    bpf.prog_load_trivial(abi.PROGRAM_TYPES.index(type_), 0).close()


@pytest.mark.parametrize(("mark", "wanted"), [("", False), ("__attribute__((weak))", True)])
@pytest.mark.parametrize(
    ("kind", "declared", "used"),
    [
        ("kfunc", 'extern int bpfimg_none(void) {mark} SEC(".ksyms");', "if (bpfimg_none) return bpfimg_none();"),
        ("ksym", 'extern const void bpfimg_none {mark} SEC(".ksyms");', "return (long)&bpfimg_none & 1;"),
        ("kconfig", 'extern int CONFIG_BPFIMG_NONE {mark} SEC(".kconfig");', "return CONFIG_BPFIMG_NONE;"),
    ],
)
def test_weak_externs_are_optional(kind: str, declared: str, used: str, mark: str, *, wanted: bool) -> None:
    source = declared.replace("{mark}", mark) + f'\nSEC("tc") int p(void *c) {{ {used} return 0; }}'
    data = compiled(source)
    name = "CONFIG_BPFIMG_NONE" if kind == "kconfig" else "bpfimg_none"
    assert optional(data, kind, name) is wanted
    assert loads(data) is wanted


def test_what_libbpf_provides_is_not_needed() -> None:
    data = compiled(
        'extern int LINUX_KERNEL_VERSION SEC(".kconfig"); SEC("tc") int p(void *c) { return LINUX_KERNEL_VERSION; }'
    )
    assert optional(data, "kconfig", "LINUX_KERNEL_VERSION") is None
    assert loads(data)


@pytest.mark.parametrize(("section", "wanted"), [("?tc", True), ("tc", False)])
def test_programs_that_are_not_loaded_unasked_need_nothing(section: str, *, wanted: bool) -> None:
    source = f"""
    static long (*none)(void) = (void *)4711;
    SEC("{section}") int far(void *c) {{ return none(); }}
    SEC("tc") int p(void *c) {{ return 0; }}
    """
    data = compiled(source)
    assert optional(data, "helper", "helper#4711") is wanted
    assert loads(data) is wanted


def test_but_their_externs_are_needed() -> None:
    source = """
    extern int bpfimg_none(void) SEC(".ksyms");
    SEC("?tc") int far(void *c) { return bpfimg_none(); }
    SEC("tc") int p(void *c) { return 0; }
    """
    data = compiled(source)
    assert optional(data, "kfunc", "bpfimg_none") is False
    assert not loads(data)


def test_maps_are_made_whoever_uses_them() -> None:
    source = """
    static void *(*lookup)(void *, const void *) = (void *)1;
    struct { __uint(type, 77); __uint(max_entries, 1); __type(key, int); __type(value, int); } far SEC(".maps");
    SEC("?tc") int p(void *c) { return !lookup(&far, c); }
    """
    data = compiled(source)
    assert optional(data, "map_type", "type_77") is False
    assert not loads(data)

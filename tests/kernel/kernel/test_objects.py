"""Objects through libbpf: what it reads, what it takes, what it refuses and with which words."""

from __future__ import annotations

import ctypes
import errno
import os
import threading

import pytest

from bpfimg.errors import BytecodeError, KernelError, NotSupported, VerifierError
from bpfimg.kernel import abi, bpf, features, libbpf
from tests.support import descriptors
from tests.support.netns import skip_unless
from tests.support.objects import compile_source, example

pytestmark = pytest.mark.kernel

LICENSE = 'char LICENSE[] SEC("license") = "GPL";\n'
LOOKUP = "static void *(*lookup)(void *, const void *) = (void *)1;\n"
NO_CHECK = (
    LICENSE
    + LOOKUP
    + """
struct { __uint(type, 1); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); } m SEC(".maps");
SEC("xdp") int good(void *ctx) { return 2; }
SEC("xdp") int careless(void *ctx)
{
	__u32 key = 0, *value = lookup(&m, &key);
	return *value;
}
"""
)
GLOBALS = (
    LICENSE
    + """
volatile const __u32 answer = 2;
volatile const char word[8] = "before";
__u64 seen = 7;
SEC("xdp") int take(void *ctx) { seen++; return answer + word[0]; }
"""
)
SHARED = (
    LICENSE
    + LOOKUP
    + """
struct { __uint(type, 2); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); } stats SEC(".maps");
SEC("xdp") int count(void *ctx)
{
	__u32 key = 0;
	__u64 *value = lookup(&stats, &key);
	if (value)
		__sync_fetch_and_add(value, 1);
	return 2;
}
"""
)


@pytest.fixture(autouse=True)
def _host() -> None:
    skip_unless("xdp")


def refusal(source: str, name: str = "object") -> KernelError:
    with libbpf.open_object(compile_source(source), name=name) as opened, pytest.raises(KernelError) as caught:
        opened.load()
    assert opened.state == "closed"
    return caught.value


def test_what_libbpf_reads() -> None:
    with libbpf.open_object(example("xdp_counter"), name="xdp_counter.bpf.o") as opened:
        (program,) = opened.programs
        assert (program.name, program.section) == ("xdp_count", "xdp")
        assert (program.type_id, program.attach_type_id) == (abi.PROG_TYPE_XDP, abi.ATTACH_XDP)
        maps = {each.name: each for each in opened.maps}
        counters, rodata = maps["counters"], maps["xdp_coun.rodata"]
        assert (counters.internal, counters.section, counters.value_size, counters.initial()) == (False, "", 16, b"")
        assert (rodata.internal, rodata.section) == (True, ".rodata")
        assert rodata.initial() == (1).to_bytes(4, "little")
        assert opened.btf()[:2] == b"\x9f\xeb"


def test_globals_before_the_load_and_never_after() -> None:
    with libbpf.open_object(compile_source(GLOBALS), name="globals") as opened:
        rodata = next(each for each in opened.maps if each.section == ".rodata")
        start = rodata.initial().index(b"before")
        rodata.set_initial(start, b"A")
        rodata.set_initial(rodata.initial().index((2).to_bytes(4, "little")), (100).to_bytes(4, "little"))
        opened.load()
        returned, _, _ = bpf.test_run(opened.programs[0].fd, bytes(64), 1)
        assert returned == 100 + ord("A")
        data = next(each for each in opened.maps if each.section == ".data")
        assert bpf.map_lookup(data.fd, bytes(4), 8) == (8).to_bytes(8, "little")
        with pytest.raises(KernelError, match="object 'globals' is loaded, expected opened"):
            rodata.set_initial(0, b"x")
        with pytest.raises(KernelError, match="is loaded, expected opened"):
            rodata.initial()
    with pytest.raises(KernelError, match="is closed, expected loaded"):
        _ = opened.programs[0].fd


def test_an_initial_value_outside_the_map() -> None:
    with libbpf.open_object(example("xdp_counter"), name="xdp_counter") as opened:
        rodata = next(each for each in opened.maps if each.internal)
        for offset, data in ((4, b"x"), (-1, b"x"), (0, bytes(5))):
            with pytest.raises(KernelError, match=r"do not fit into map 'xdp_coun\.rodata', expected at most 4 bytes"):
                rodata.set_initial(offset, data)
        counters = next(each for each in opened.maps if not each.internal)
        with pytest.raises(KernelError, match="has no initial value"):
            counters.set_initial(0, b"x")


def test_before_the_load_there_are_no_descriptors() -> None:
    with libbpf.open_object(example("xdp_pass"), name="xdp_pass") as opened:
        with pytest.raises(KernelError, match="is opened, expected loaded"):
            _ = opened.programs[0].fd
        opened.load()
        with pytest.raises(KernelError, match="is loaded, expected opened"):
            opened.load()


def test_what_the_verifier_refuses() -> None:
    error = refusal(NO_CHECK)
    assert isinstance(error, VerifierError)
    assert error.program == "careless"
    assert error.errno == errno.EACCES
    assert "R0 invalid mem access 'map_value_or_null'" in str(error)
    assert "processed" in error.log
    assert "processed" not in str(error)


def test_a_program_that_is_not_wanted_is_not_loaded() -> None:
    with libbpf.open_object(compile_source(NO_CHECK), name="object") as opened:
        good, careless = opened.programs
        careless.set_autoload(False)
        opened.load()
        assert bpf.program_info(good.fd).name == "good"
        with pytest.raises(KernelError, match="program 'careless' was not loaded"):
            _ = careless.fd


def test_failing_loads_leave_nothing_open() -> None:
    data = compile_source(NO_CHECK)
    maps = len(list(bpf.map_ids()))
    with descriptors.none_left():
        for _ in range(20):
            with descriptors.none_left():
                opened = libbpf.open_object(data, name="object")
                with pytest.raises(VerifierError):
                    opened.load()
                assert opened.state == "closed", "whoever keeps the object keeps nothing open with it"
    # The kernel frees maps after a grace period, so ours may still be seen, but never all twenty.
    assert len(list(bpf.map_ids())) < maps + 20


def test_a_forgotten_object_is_closed() -> None:
    with descriptors.none_left():
        before = descriptors.opened()
        opened = libbpf.open_object(example("xdp_counter"), name="xdp_counter")
        opened.load()
        assert descriptors.opened() - before
        del opened


def test_a_map_may_be_shared_only_with_its_like() -> None:
    data = compile_source(SHARED)
    with libbpf.open_object(data, name="first") as first:
        first.load()
        owner = first.maps[0].fd
        with libbpf.open_object(data, name="second") as second:
            second.maps[0].reuse(owner)
            second.load()
            assert bpf.map_info(second.maps[0].fd).id == bpf.map_info(owner).id
            bpf.test_run(second.programs[0].fd, bytes(64), 3)
        assert bpf.map_lookup(owner, bytes(4), 8) == (3).to_bytes(8, "little")


@pytest.mark.parametrize(
    ("arguments", "flags", "what"),
    [
        ((2, 4, 16, 4), 0, "value size is 16, expected 8"),
        ((2, 4, 8, 5), 0, "max_entries is 5, expected 4"),
        ((1, 4, 8, 4), 0, "type is hash, expected array"),
        ((2, 4, 8, 4), 1 << 10, "flags is 1024, expected 0"),
    ],
)
def test_a_map_that_differs_is_refused(arguments: tuple[int, int, int, int], flags: int, what: str) -> None:
    with (
        libbpf.open_object(compile_source(SHARED), name="shared") as opened,
        bpf.map_create(*arguments, flags=flags, name="other") as other,
        pytest.raises(KernelError, match=rf"map 'stats' cannot be shared with map \d+: its {what}"),
    ):
        opened.maps[0].reuse(other)


def test_pinning_by_name_is_ours_to_do() -> None:
    source = SHARED.replace("__uint(max_entries, 4);", "__uint(max_entries, 4); __uint(pinning, 1);")
    before = sorted(os.listdir("/sys/fs/bpf"))
    with libbpf.open_object(compile_source(source), name="pinning") as opened:
        opened.load()
        assert bpf.map_info(opened.maps[0].fd).name == "stats"
    assert sorted(os.listdir("/sys/fs/bpf")) == before


def test_a_section_that_libbpf_does_not_know() -> None:
    source = LICENSE + 'SEC("funny") int f(void *ctx) { return 2; }\n'
    assert str(refusal(source)) == "program 'f' has no type: its section is not a known one"
    with libbpf.open_object(compile_source(source), name="funny") as opened:
        opened.programs[0].set_type(abi.PROG_TYPE_XDP, abi.ATTACH_XDP)
        opened.load()
        assert bpf.program_info(opened.programs[0].fd).type == abi.PROG_TYPE_XDP


@pytest.mark.parametrize(
    ("section", "word"),
    [("fentry/bpf_fentry_test1", "tracing"), ("fexit/bpf_fentry_test1", "tracing"), ("lsm/file_open", "lsm")],
)
def test_trampolines_refused(section: str, word: str) -> None:
    if features.has("trampolines") is not False:
        pytest.skip("this kernel has trampolines")
    error = refusal(LICENSE + f'SEC("{section}") int p(void *ctx) {{ return 0; }}\n')
    assert isinstance(error, NotSupported)
    assert error.feature == "trampolines"
    assert str(error).startswith(f"this kernel refuses program 'p' ({word}): no programs that need BPF trampolines")
    assert "ulimit" not in str(error) + error.hint


def test_freplace_refused() -> None:
    if features.has("trampolines") is not False:
        pytest.skip("this kernel has trampolines")
    with libbpf.open_object(
        compile_source(LICENSE + 'SEC("xdp") int slot(void *c) { return 2; }\n'), name="target"
    ) as target:
        target.load()
        source = LICENSE + 'SEC("freplace/slot") int new(void *c) { return 2; }\n'
        with libbpf.open_object(compile_source(source), name="new") as opened:
            opened.programs[0].set_target("slot", program=target.programs[0].fd)
            with pytest.raises(NotSupported, match=r"refuses program 'new' \(ext\)") as caught:
                opened.load()
    assert caught.value.feature == "trampolines"


def test_co_re_that_fails() -> None:
    error = refusal(
        LICENSE + "struct task_struct { int nope; } __attribute__((preserve_access_index));\n"
        'SEC("tp/syscalls/sys_enter_getpid") int p(void *ctx) { struct task_struct *t = ctx; return t->nope; }\n'
    )
    assert isinstance(error, VerifierError)
    assert error.cause == "core"
    assert "this kernel has no struct task_struct.nope" in str(error)


def skip_unless_configuration() -> None:
    """Skips where libbpf could not look up an extern of `.kconfig`."""
    if not any(os.path.exists(path) for path in ("/proc/config.gz", f"/boot/config-{os.uname().release}")):
        pytest.skip("needs the kernel's configuration, in /proc/config.gz or /boot")


def test_an_extern_that_is_missing() -> None:
    skip_unless_configuration()
    error = refusal(
        LICENSE + 'extern int CONFIG_NO_SUCH_THING SEC(".kconfig");\n'
        'SEC("xdp") int p(void *ctx) { return CONFIG_NO_SUCH_THING; }\n'
    )
    assert str(error).startswith("this kernel's configuration does not have CONFIG_NO_SUCH_THING")


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ("__uint(type, 2); __uint(max_entries, 0);", r"cannot create map 'm' \(array\): Invalid argument \(EINVAL\)"),
        ("__uint(type, 2); __uint(max_entries, 0xffffffff);", r"cannot create map 'm' \(array\): .*\((E2BIG|ENOMEM)\)"),
        ("__uint(type, 0x80000001); __uint(max_entries, 1);", "this kernel makes no type 2147483649 maps, so map 'm' "),
    ],
)
def test_a_map_that_cannot_be(definition: str, says: str) -> None:
    error = refusal(
        LICENSE + LOOKUP + f'struct {{ {definition} __type(key, __u32); __type(value, __u32); }} m SEC(".maps");\n'
        'SEC("xdp") int p(void *ctx) { __u32 k = 0; return !lookup(&m, &k); }\n'
    )
    import re

    assert re.match(says, str(error)), str(error)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF" + bytes(100), b"text" * 100])
def test_bytes_that_are_no_object(data: bytes) -> None:
    with descriptors.none_left(), pytest.raises(BytecodeError, match="libbpf cannot open object 'junk': "):
        libbpf.open_object(data, name="junk")


def test_a_truncated_object_is_refused_or_harmless() -> None:
    data = example("xdp_counter")
    for size in range(64, len(data), 509):
        try:
            libbpf.open_object(data[:size], name="cut").close()
        except BytecodeError:
            continue


def test_the_tools_own_words_never_reach_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    refusal(NO_CHECK)
    assert capfd.readouterr() == ("", "")


def test_messages_of_other_threads_stay_theirs() -> None:
    from concurrent.futures import ThreadPoolExecutor

    skip_unless_configuration()

    def compiled(number: int) -> bytes:
        extern = f'extern int CONFIG_N{number} SEC(".kconfig");'
        return compile_source(LICENSE + f'{extern} SEC("xdp") int p(void *c) {{ return CONFIG_N{number}; }}\n')

    objects = [compiled(number) for number in range(8)]
    ready = threading.Barrier(len(objects))

    def load(number: int) -> set[str]:
        ready.wait()
        said = set()
        for _ in range(30):
            with libbpf.open_object(objects[number], name="object") as opened, pytest.raises(KernelError) as caught:
                opened.load()
            said.add(str(caught.value))
        return said

    with ThreadPoolExecutor(len(objects)) as pool:
        for number, said in enumerate(pool.map(load, range(len(objects)))):
            (only,) = said
            assert f"does not have CONFIG_N{number}, which" in only
            assert only.count("CONFIG_N") == 1


def test_version() -> None:
    major, minor = libbpf.version().split(".")[:2]
    assert int(major) >= 1
    assert int(minor) >= 0
    assert ctypes.CDLL("libbpf.so.1")

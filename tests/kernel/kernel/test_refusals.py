"""Programs and objects that the running kernel refuses: cause, place, and what is nearest to what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bpfimg.errors import AttachError, Error, KernelError, NotSupported, VerifierError
from bpfimg.kernel import libbpf
from bpfimg.load._about import About
from tests.refusals.collect import HERE, SOURCES, compiled, logs, refused
from tests.support import cgroups
from tests.support.features import VARIABLE, kernel, lacks, native, needs
from tests.support.netns import skip_unless, tracefs
from tests.support.objects import compile_source

pytestmark = pytest.mark.kernel

PRELUDE = (HERE.parent / "corpus" / "prelude.h").read_text().replace("#pragma once", "")


@pytest.fixture(autouse=True)
def _host() -> None:
    skip_unless()


@pytest.mark.parametrize("source", SOURCES)
def test_each_is_refused_for_what_it_does_wrong(source: str) -> None:
    kept = {name: log for name, _, log in logs(kernel() or "6.18")}
    # a million instructions and 16 MiB of log: a minute under emulation, and its log is kept
    for name, error in refused(source, without=("unbounded_loop",) if VARIABLE in os.environ else ()):
        if name not in kept:
            assert error is None, f"{name}: {error}"
            continue
        assert isinstance(error, VerifierError), name
        assert error.cause, f"{name}: {error}"
        assert error.program == name
        if error.source:
            assert error.source.startswith(f"{source}.bpf.c:"), name


def told(source: str, name: str) -> KernelError:
    """What a load of one program alone comes to, for one who has the object's bytes."""
    data = compiled(source)
    with libbpf.open_object(data, name=source) as opened:
        for program in opened.programs:
            program.set_autoload(program.name == name)
        with pytest.raises(KernelError) as caught:
            opened.load(About)
    return caught.value


def test_the_place_is_named_on_every_kernel() -> None:
    error = told("programs", "null_check")
    assert isinstance(error, VerifierError)
    assert (error.cause, error.source) == ("null", "programs.bpf.c:38")
    assert "the source line is `return *value;`" in error.hint


@needs("btf")
def test_the_nearest_field_of_this_kernel_is_named() -> None:
    error = told("programs", "core_renamed")
    assert str(error).endswith("this kernel has no task_struct.pids (it has pid)")


@native("reads the kernel's types twice, in Python")
@needs("btf")
def test_fields_and_types_that_nothing_is_like() -> None:
    assert "this kernel has no task_struct.bpfimg_no_such_field" in str(told("programs", "core_field"))
    assert "this kernel has no bpfimg_no_such_struct.pid" in str(told("programs", "core_type"))


def failing(source: str) -> Error:
    """What a load of that C text comes to."""
    data = compile_source(f'{PRELUDE}\n{source} LICENSE("GPL");')
    with libbpf.open_object(data, name="object") as opened, pytest.raises(Error) as caught:
        opened.load(About)
    assert "\n" not in str(caught.value)
    return caught.value


MISSING = {
    "kfunc": (
        'extern int no_such_kfunc(void) __ksym; SEC("xdp") int p(void *c) { return no_such_kfunc(); }',
        "this kernel has no function no_such_kfunc() for programs (kfunc), which object 'object' needs",
    ),
    "variable": (
        'extern const int no_such_variable __ksym; SEC("xdp") int p(void *c) { return no_such_variable; }',
        "this kernel has no variable no_such_variable with a type, which object 'object' needs",
    ),
    "function": ('SEC("fentry/no_such_function_at_all") int p(void *c) { return 0; }', "this kernel has no function "),
    "hook": ('SEC("lsm/no_such_hook") int p(void *c) { return 0; }', "this kernel has no LSM hook no_such_hook"),
    "tracepoint": (
        'SEC("tp_btf/no_such_tp") int p(void *c) { return 0; }',
        "this kernel has no tracepoint no_such_tp",
    ),
    "iterator": ('SEC("iter/no_such_it") int p(void *c) { return 0; }', "this kernel has no iterator no_such_it"),
    "operations": (
        'struct no_ops { int (*f)(void); }; SEC("struct_ops/f") int f(void *c) { return 0; } '
        'SEC(".struct_ops") struct no_ops ops = { .f = (void *)f };',
        "this kernel has no struct no_ops, so none of its operations can be programs",
    ),
    "map type": (
        "struct { __uint(type, 200); __uint(max_entries, 1); __uint(key_size, 4); __uint(value_size, 4); } m "
        'SEC(".maps"); SEC("xdp") int p(void *c) { __u32 k = 0; return bpf_map_lookup_elem(&m, &k) != NULL; }',
        "this kernel makes no type 200 maps, so map 'm' cannot be created",
    ),
}


@needs("btf")
@pytest.mark.parametrize("what", MISSING)
def test_what_this_kernel_lacks_is_named(what: str) -> None:
    source, says = MISSING[what]
    error = failing(source)
    assert isinstance(error, (NotSupported, AttachError))
    assert str(error).startswith(says)


@needs("btf")
def test_a_target_with_a_typing_error() -> None:
    with tracefs():
        error = failing('SEC("tp_btf/sched_swtich") int p(void *c) { return 0; }')
    assert error.hint.startswith("near it: sched_switch")


def test_a_map_larger_than_memory() -> None:
    error = failing(
        "struct { __uint(type, 2); __uint(max_entries, 0x7fffffff); __uint(key_size, 4); __uint(value_size, 4096); } m "
        'SEC(".maps"); SEC("xdp") int p(void *c) { __u32 k = 0; return bpf_map_lookup_elem(&m, &k) != NULL; }'
    )
    assert str(error).startswith("cannot create map 'm' (array): ")
    assert error.hint


@lacks("trampolines")
def test_programs_that_need_trampolines_are_refused_in_words() -> None:
    error = failing('SEC("fentry/vfs_read") int p(void *c) { return 0; }')
    assert isinstance(error, NotSupported)
    assert error.feature == "trampolines"
    assert "no programs that need BPF trampolines" in str(error)


LOAD = """
import sys
from bpfimg.errors import Error
from bpfimg.kernel import libbpf
try:
    with libbpf.open_object(open(sys.argv[1], "rb").read(), name="object") as opened:
        opened.load()
except Error as error:
    print(error, "|", error.hint)
"""
ARRAY = (
    "struct {{ __uint(type, 2); __uint(max_entries, {entries}); __uint(key_size, 4); __uint(value_size, 4096); }} m "
    'SEC(".maps"); SEC("xdp") int p(void *c) {{ __u32 k = 0; return bpf_map_lookup_elem(&m, &k) != NULL; }}'
)


@pytest.fixture
def array(tmp_path: Path) -> str:
    """The path of an object with an array of 256 MiB."""
    path = tmp_path / "array.o"
    path.write_bytes(compile_source(f'{PRELUDE}\n{ARRAY.format(entries=65536)} LICENSE("GPL");'))
    return str(path)


def test_capabilities_of_a_user_namespace_are_not_blamed_on_a_missing_one(array: str) -> None:
    argv = ["unshare", "--user", "--map-root-user", sys.executable, "-c", LOAD, array]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
    assert "this is a user namespace (a rootless container)" in done.stdout
    assert "missing" not in done.stdout


def test_a_control_group_without_memory_for_a_map(array: str) -> None:
    with cgroups.cgroup() as group:
        if not (Path(group.path) / "memory.max").exists():
            skip_unless_in_a_guest()
            (Path(group.mount) / "cgroup.subtree_control").write_text("+memory")
        (Path(group.path) / "memory.max").write_text("64M")
        said = group.exec([sys.executable, "-c", LOAD, array]).stdout
    assert said.startswith("cannot create map 'm' (array): Cannot allocate memory (ENOMEM) | ")
    assert "the memory of this control group (memory.max)" in said


def skip_unless_in_a_guest() -> None:
    """Control groups of this machine are left as they are."""
    if VARIABLE not in os.environ:
        pytest.skip("needs control groups with a memory controller")

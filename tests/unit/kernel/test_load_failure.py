"""From libbpf's words and the verifier's log to one sentence. The texts are those of libbpf 1.1 and kernel 6.18."""

from __future__ import annotations

import errno
import resource

import pytest

from bpfimg.errors import AttachError, KernelError, NotSupported, VerifierError
from bpfimg.kernel import _host_facts, abi, features
from bpfimg.kernel._library import useful
from bpfimg.kernel._load_failure import Attempt, load_failure
from bpfimg.kernel._verifier_error import verifier_error

BAD_ACCESS = """\
0: R1=ctx() R10=fp0
; __u32 *value = bpf_map_lookup_elem(&m, &key); @ bad.bpf.c:12
4: (18) r1 = 0xffff8881043e9c00       ; R1=map_ptr(map=m,ks=4,vs=4)
6: (85) call bpf_map_lookup_elem#1    ; R0=map_value_or_null(id=1,map=m,ks=4,vs=4)
; return *value; @ bad.bpf.c:13
7: (61) r0 = *(u32 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0

"""
CO_RE = """\
; return t->nope; @ co.bpf.c:8
0: <invalid CO-RE relocation>
failed to resolve CO-RE relocation <byte_off> [5] struct t___x.nope (0:0 @ offset 0)
processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
REFUSED = ("prog 'bad': BPF program load failed: Permission denied", "prog 'bad': failed to load: -13")


def attempt(number: int, lines: tuple[str, ...], log: str = "") -> Attempt:
    return Attempt("object", number, lines, log, {"ok": (6, 37), "bad": (6, 37), "odd": (0, 0)}, {"m": 2})


def test_the_line_that_matters() -> None:
    error = load_failure(attempt(errno.EACCES, REFUSED, BAD_ACCESS))
    assert isinstance(error, VerifierError)
    assert (error.program, error.log, error.errno) == ("bad", BAD_ACCESS, errno.EACCES)
    assert (error.cause, error.source) == ("null", "bad.bpf.c:13")
    assert str(error) == (
        "the kernel's verifier refused program 'bad' at bad.bpf.c:13: R0 invalid mem access 'map_value_or_null'"
    )
    assert error.hint == (
        "R0 may be NULL here: compare the pointer with NULL before it is used; the source line is `return *value;`; "
        "instruction 7 is `r0 = *(u32 *)(r0 +0)`, with R0=map_value_or_null(id=1,map=m,ks=4,vs=4); "
        "the verifier's log has 9 lines"
    )


def test_core_relocation() -> None:
    error = verifier_error("co", CO_RE, errno.EINVAL)
    assert str(error) == (
        "the kernel's verifier refused program 'co' at co.bpf.c:8: this kernel has no struct t___x.nope"
    )


@pytest.mark.parametrize("log", ["", "\n", "processed 0 insns (limit 1000000)\n"])
def test_a_log_that_says_nothing_is_no_verifier_error(log: str) -> None:
    error = load_failure(attempt(errno.E2BIG, REFUSED, log))
    assert type(error) is KernelError
    assert str(error) == (
        "cannot load program 'bad' (xdp): prog 'bad': BPF program load failed: Permission denied: "
        "Argument list too long (E2BIG)"
    )


def test_a_program_without_a_type() -> None:
    error = load_failure(attempt(errno.EINVAL, ("prog 'odd': BPF program load failed: Invalid argument",)))
    assert str(error) == "program 'odd' has no type: its section is not a known one"


LACKING = [
    ("extern 'CONFIG_X' (strong): not resolved", "CONFIG_X", "this kernel's configuration does not have CONFIG_X"),
    ("extern 'x_y' (strong): not resolved", "x_y", "this kernel has no symbol x_y"),
    (
        "extern (func ksym) 'kf': not found in kernel or module BTFs",
        "kf",
        "this kernel has no function kf() for programs (kfunc)",
    ),
    ("extern (var ksym) 'v': not found in kernel BTF", "v", "this kernel has no variable v with a type"),
    (
        "extern (func ksym) 'f': func_proto [7] incompatible with vmlinux [9]",
        "f",
        "this kernel's f is of another type than the object declares",
    ),
    (
        "struct_ops init_kern: struct no_ops is not found in kernel BTF",
        "no_ops",
        "this kernel has no struct no_ops, so none of its operations can be programs",
    ),
    (
        "struct_ops init_kern ops: Cannot find member gone in kernel BTF",
        "gone",
        "the kernel's table of operations for map ops has no member gone",
    ),
]


@pytest.mark.parametrize(("line", "feature", "says"), LACKING, ids=[feature for _, feature, _ in LACKING])
def test_what_the_object_names_and_the_kernel_lacks(line: str, feature: str, says: str) -> None:
    error = load_failure(attempt(errno.ESRCH, ("something before", line)))
    assert isinstance(error, NotSupported)
    assert str(error) == f"{says}, which object 'object' needs"
    assert error.feature == feature


def test_control_characters_of_a_name_do_not_reach_the_terminal() -> None:
    error = load_failure(attempt(errno.ESRCH, ("extern 'a\x1b[31m' (strong): not resolved",)))
    assert "\x1b" not in str(error)


def test_a_target_that_is_not_there() -> None:
    lines = ("prog 'bad': failed to find kernel BTF type ID of 'gone_nowhere': -3", "prog 'bad': failed to load: -3")
    tracing = abi.PROG_TYPE_TRACING, abi.ATTACH_TRACE_FENTRY
    error = load_failure(Attempt("object", errno.ESRCH, lines, "", {"bad": tracing}, {}))
    assert isinstance(error, AttachError)
    assert str(error) == "this kernel has no function gone_nowhere"


def test_no_types_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel of the tests is without; the words are those of libbpf 1.1."""
    monkeypatch.setattr(features, "has", {"btf": False}.get)
    error = load_failure(attempt(errno.ESRCH, ("Error loading vmlinux BTF: -3",)))
    assert isinstance(error, NotSupported)
    assert (error.feature, "CONFIG_DEBUG_INFO_BTF" in error.hint) == ("btf", True)
    assert str(error) == "object 'object' needs the kernel's types (CO-RE), and this kernel has no BTF"


@pytest.mark.parametrize("mode", ["integrity", "confidentiality"])
def test_a_locked_down_kernel_is_named(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lockdown cannot be taken back, so no test turns it on."""
    monkeypatch.setattr(_host_facts, "capability_set", lambda: (1 << 64) - 1)
    monkeypatch.setattr(_host_facts, "lockdown", lambda: mode)
    error = load_failure(attempt(errno.EPERM, REFUSED))
    assert str(error) == "cannot load program 'bad' (xdp): Operation not permitted (EPERM)"
    assert error.hint == f"the kernel is locked down ({mode}), or a security module of this host forbids it"


MAPS = [
    (errno.EINVAL, "its sizes or flags do not suit its type"),
    (errno.E2BIG, "it has more entries, or larger ones, than its type takes"),
    (errno.ENOMEM, "the memory of this control group (memory.max), or of the machine, does not do"),
    (errno.ENOSPC, "the kernel has no room for it"),
]


@pytest.mark.parametrize(("number", "hint"), MAPS)
def test_a_map_that_cannot_be_made(number: int, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "map_type", lambda _type: True)
    error = load_failure(attempt(number, ("map 'm': failed to create: No",)))
    assert type(error) is KernelError
    assert str(error).startswith("cannot create map 'm' (array): ")
    assert error.hint.startswith(hint)


def test_a_map_of_a_type_that_the_kernel_does_not_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "map_type", lambda _type: False)
    error = load_failure(attempt(errno.EINVAL, ("map 'm': failed to create: Invalid argument",)))
    assert isinstance(error, NotSupported)
    assert str(error) == "this kernel makes no array maps, so map 'm' cannot be created"


def test_locked_memory_of_old_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only kernels before 5.11 charge maps to the process; what they say is EPERM."""
    monkeypatch.setattr(_host_facts, "capability_set", lambda: (1 << 64) - 1)
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (65536, 65536))
    error = load_failure(attempt(errno.EPERM, ("map 'm': failed to create: Operation not permitted(-1)",)))
    assert "of which this process may have 65536 bytes: raise the limit (`ulimit -l unlimited`)" in error.hint


def test_a_missing_capability_is_not_blamed_on_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_host_facts, "capability_set", lambda: 0)
    error = load_failure(attempt(errno.EPERM, ("Failed to bump RLIMIT_MEMLOCK (err = -1), you might need to …",)))
    assert str(error) == "cannot load object 'object': Operation not permitted (EPERM)"
    assert "missing: CAP_BPF" in error.hint


def test_control_characters_of_a_log_stay_in_the_log() -> None:
    error = verifier_error("p", "0: (95) exit\n\x1b]0;title\x07evil\n", errno.EACCES)
    assert "\x1b" not in str(error)
    assert "\x1b" in error.log


def test_misleading_lines_are_dropped() -> None:
    lines = [
        "prog 'p': BPF program load failed: Operation not permitted",
        "permission error while running as root; try raising 'ulimit -l'? current value: 8.0 MiB",
        "failed to load object 'x'",
        "",
    ]
    assert useful(lines) == lines[:1]

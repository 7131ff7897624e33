"""From libbpf's words and the verifier's log to one sentence. The texts are those of libbpf 1.1 and kernel 6.18."""

from __future__ import annotations

import errno

import pytest

from bpfimg.errors import KernelError, VerifierError
from bpfimg.kernel import _failure
from bpfimg.kernel._library import useful
from bpfimg.kernel._load_failure import Attempt, load_failure, verifier_error

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
    assert str(error) == (
        "the kernel's verifier refused program 'bad': R0 invalid mem access 'map_value_or_null' "
        "at `7: (61) r0 = *(u32 *)(r0 +0)`"
    )
    assert error.hint == "the source line is `return *value; @ bad.bpf.c:13`; the verifier's log has 9 lines"


def test_core_relocation() -> None:
    error = verifier_error("co", CO_RE, errno.EINVAL)
    assert str(error) == (
        "the kernel's verifier refused program 'co': failed to resolve CO-RE relocation <byte_off> [5] "
        "struct t___x.nope (0:0 @ offset 0) at `0: <invalid CO-RE relocation>`"
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


def test_an_extern_that_is_nowhere() -> None:
    error = load_failure(attempt(errno.ESRCH, ("extern 'CONFIG_X' (strong): not resolved",)))
    assert (
        str(error) == "cannot load object 'object': extern 'CONFIG_X' (strong): not resolved: No such process (ESRCH)"
    )


def test_a_missing_capability_is_not_blamed_on_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_failure, "permitted", lambda: 0)
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

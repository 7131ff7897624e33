"""What `check` says of programs from the types alone, and what the running kernel says when they are loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bpfimg.bytecode import dissect
from bpfimg.inspect import check
from tests.support.core import compiled, loads, opened

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to load programs"),
]

HEAD = """
struct task_struct { int pid; int tgid; int of_another_kernel; } CORE;
struct of_another_kernel { int a; } CORE;
enum bpf_func_id { BPF_FUNC_of_another_kernel = 900 };
static long (*bpf_get_current_task)(void) = (void *)35;
static long (*bpf_probe_read_kernel)(void *, __u32, const void *) = (void *)113;
static long (*of_another_kernel)(void *) = (void *)900;
#define T ((struct task_struct *)bpf_get_current_task())
#define MISSING ({ int x = 0; bpf_probe_read_kernel(&x, 4, &T->of_another_kernel); x; })
#define THERE ({ int x = 0; bpf_probe_read_kernel(&x, 4, &T->pid); x; })
#define PROGRAM(name) SEC("raw_tp") int name(void *ctx)
extern int LINUX_KERNEL_VERSION SEC(".kconfig") __attribute__((weak));
extern int no_such_kfunc(int a) SEC(".ksyms") __attribute__((weak));
volatile const int zero = 0, one = 1;
static __attribute__((noinline)) int helped(int how) { return how ? MISSING : THERE; }
__attribute__((noinline)) int anybody(int how) { return how ? MISSING : THERE; }
"""
#: program -> result that the types allow; "unknown" is for both
PROGRAMS = {
    "there": ("return THERE;", "ok"),
    "missing": ("return MISSING;", "fails"),
    "asked": ("if (field_exists(T->of_another_kernel)) return MISSING; return THERE;", "ok"),
    "asked_early": ("if (!field_exists(T->of_another_kernel)) return 0; return MISSING;", "ok"),
    "asked_wrong": ("if (!field_exists(T->of_another_kernel)) return MISSING; return 0;", "fails"),
    "asked_other": ("if (field_exists(T->pid)) return MISSING; return 0;", "fails"),
    "at_run_time": ("if (sink) return MISSING; return 0;", "fails"),
    "type": ("if (type_exists(struct of_another_kernel)) return MISSING; return 0;", "ok"),
    "size": ("if (type_size(struct of_another_kernel) == 4) return MISSING; return 0;", "ok"),
    "loop": (
        "int s = 0; for (int i = 0; i < 8; i++) if (field_exists(T->of_another_kernel)) s += MISSING; return s;",
        "ok",
    ),
    "read_only_zero": ("if (zero) return MISSING; return 0;", "ok"),
    "read_only_one": ("if (one) return MISSING; return 0;", "fails"),
    "configured": ("if (LINUX_KERNEL_VERSION < 0x10000) return MISSING; return 0;", "unknown"),
    "configured_after": ("if (LINUX_KERNEL_VERSION < 0x10000) sink = 1; return MISSING;", "fails"),
    "static_with_no": ("return helped(0);", "ok"),
    "static_with_yes": ("return helped(1);", "fails"),
    "global_with_no": ("return anybody(0);", "fails"),
    "helper": ("return of_another_kernel(ctx);", "fails"),
    "helper_asked": (
        "if (enumval_exists(enum bpf_func_id, BPF_FUNC_of_another_kernel)) return of_another_kernel(ctx); return 0;",
        "ok",
    ),
    "kfunc": ("return no_such_kfunc(1);", "fails"),
    "kfunc_asked": ("if (no_such_kfunc) return no_such_kfunc(1); return 0;", "ok"),
}


@pytest.fixture(scope="module")
def data() -> bytes:
    programs = "".join(f"PROGRAM({name}) {{ {body} }}\n" for name, (body, _) in PROGRAMS.items())
    return compiled(HEAD + programs)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_kernel_says_the_same(data: bytes, name: str) -> None:
    kernel = opened(Path("/sys/kernel/btf/vmlinux").read_bytes())
    kernel.modules["none"] = opened(compiled_types()).types  # so that a missing kfunc is known to be missing
    (cell,) = check.against(dissect(data), [kernel], [name]).kernels[0].cells
    expected = PROGRAMS[name][1]
    assert (cell.program, cell.result) == (name, expected), cell.reasons
    if expected != "unknown":
        assert loads(data, name) == (expected == "ok"), cell.reasons


def compiled_types() -> bytes:
    return dissect(compiled("int of_a_module;")).elf.content(".BTF")

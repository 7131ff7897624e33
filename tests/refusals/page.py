# ruff: noqa: E501  # lines of tables
"""docs/refusals.md: what is said when something is refused, made from the tables and from kept logs.

`python -m tests.refusals.page` writes it; a test holds it to what the code says.
"""

from __future__ import annotations

import re
from pathlib import Path

from bpfimg.kernel._capabilities import to_load
from bpfimg.kernel._features_hooks import HOOKS, LACKING
from bpfimg.kernel._verifier_causes import CAUSES
from tests.refusals.collect import sentences

PAGE = Path(__file__).parents[2] / "docs" / "refusals.md"
_HEAD = """\
# What a kernel refuses, and what bpfimg says

A load or an attachment that fails is one sentence, and a hint where there is something a person can do. The exit code is 4 where
this kernel or host lacks something, 1 where the program or the process is at fault. `-v` prints the whole log of the kernel's
verifier; `-o json` has it too, with `cause` (a word of the first table) and `source` (`FILE:LINE`).

The system call comes first; only when it has failed is the host asked why. `bpfimg features` asks beforehand.

Written by `python -m tests.refusals.page` from the code's own tables and from logs of Linux 6.1, 6.12, 6.18 and 7.3-rc7.

## The verifier

Beside cause and remedy the hint has the source line, the instruction and what the verifier knew of the register that it names;
kernels before 6.9 do not tell the line, so it is looked up in the object (section .BTF.ext). Linux 7.3 and later explain themselves:
there the hint has the kernel's own reason and suggestion.

| cause | what it means | what to do |
|---|---|---|
"""
_EXAMPLES = """
Of the same program (`return *value;` after a lookup in a map), on two kernels:

"""
_MISSING = """
## What the kernel does not have

Exit code 4, but for CO-RE, where it is the verifier that refuses (1). Where names resemble it, the nearest are named.

| situation | sentence |
|---|---|
| CO-RE: no such field or type | this kernel has no task_struct.pids (it has pid) |
| kfunc | this kernel has no function NAME() for programs (kfunc), which object 'x' needs |
| variable, symbol | this kernel has no variable NAME with a type; this kernel has no symbol NAME |
| option (`__kconfig`) | this kernel's configuration does not have CONFIG_NAME, which object 'x' needs |
| function, LSM hook, tracepoint, iterator to attach to (exit code 1) | this kernel has no tracepoint sched_swtich; near it: sched_switch |
| struct_ops | this kernel has no struct NAME, so none of its operations can be programs |
| program type, map type | this kernel takes no netfilter programs; this kernel makes no arena maps |
| programs with trampolines, by policy of the machine | this kernel refuses program 'p' (tracing): no programs that need BPF trampolines are allowed here |
| BTF of the kernel | object 'x' needs the kernel's types (CO-RE), and this kernel has no BTF |
| libbpf | libbpf is not installed: no shared library libbpf.so.1 |

Hooks, as `bpfimg features` shows them:

| feature | sentence |
|---|---|
"""
_PROCESS = """
## What the process may not do

The missing capability is named, of those that the thing takes: "loading an xdp program needs CAP_BPF and CAP_NET_ADMIN; missing:
CAP_NET_ADMIN". CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON. Measured on Linux 6.1, 6.12 and 6.18
(tests/kernel/capabilities):

| to load programs for | capabilities |
|---|---|
"""
_REST = """
Beside those: `tracepoint` reads tracefs, which only root may (CAP_DAC_READ_SEARCH); `uprobe`, `uretprobe` and `usdt` take
CAP_SYS_ADMIN to be opened, and so do `tracepoint`, `kprobe` and `perf_event` where kernel.perf_event_paranoid is above 2 (Debian); `--netns` and `list --all` take CAP_SYS_ADMIN. A program that subtracts pointers, as packet counters do
(`data_end - data`), takes CAP_PERFMON as well; the hint says so.

| situation | hint |
|---|---|
| a user namespace (rootless container) | … of the host; this is a user namespace (a rootless container) |
| lockdown | the kernel is locked down (integrity), or a security module of this host forbids it |
| another policy | a security module of this host, or a filter of system calls (seccomp, as containers have it), forbids it |
| memory of the control group | the memory of this control group (memory.max), or of the machine, does not do |
| locked memory, before Linux 5.11 | before kernel 5.11 maps count as locked memory, of which this process may have N bytes: raise the limit |
| no bpffs | /sys/fs/bpf is not a BPF filesystem: mount -t bpf bpf /sys/fs/bpf |
| no tracefs | tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing |
| tracefs closed to this user | cannot look into tracefs at /sys/kernel/tracing: Permission denied |
"""

_CGROUP = {"cgroup (packets)": "cgroup_skb", "cgroup (all else)": "cgroup_sock_addr"}


def page() -> str:
    """The whole text."""
    causes = [f"| {word} | {_plain(means)} | {_plain(remedy)} |" for word, means, remedy in CAUSES]
    examples = [f"- Linux {kernel}:\n\n{_block(sentences(kernel)['null_check'])}" for kernel in ("6.1", "7.3")]
    lacking = [f"| {feature} | {sentence} |" for feature, sentence in LACKING.items()]
    needed: dict[tuple[str, ...], list[str]] = {}
    for hook, (program, _, _) in HOOKS.items():
        words = _CGROUP.items() if hook == "cgroup" else ((hook, program),)
        for word, each in words:
            needed.setdefault(to_load(each), []).append(word)
    may = [f"| {', '.join(hooks)} | {' and '.join(wanted)} |" for wanted, hooks in needed.items()]
    return "".join(
        (
            *(_HEAD, _lines(causes), _EXAMPLES, "\n".join(examples)),
            *(_MISSING, _lines(lacking), _PROCESS, _lines(may), _REST),
        )
    )


def _lines(rows: list[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def _plain(text: str) -> str:
    """A half sentence without what its pattern fills in."""
    return re.sub(r"\{\d\}", "…", text).replace("|", "\\|")


def _block(words: str) -> str:
    message, hint = re.sub(r"^\[[\w-]+\] ", "", words).split("\n")
    return f"  ```\n  bpfimg: error: {message}\n  hint: {hint} (-v shows it)\n  ```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

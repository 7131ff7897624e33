"""Rules about programs and the functions that they call."""

from __future__ import annotations

from bpfimg.bytecode import section_rule
from bpfimg.errors import quoted
from bpfimg.inspect import _rules_code
from bpfimg.inspect._lint_model import Found
from bpfimg.inspect._places import section_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpfimg.bytecode import Dissection, ProgramSpec
    from bpfimg.inspect._lint_model import Context

#: custom of libbpf before 1.0, aya and cilium/ebpf: SEC("xdp/pass"), where the rest is a name
_HISTORIC = frozenset(("xdp", "classifier", "tc", "action", "socket"))
#: load needs to know the function: `attach_btf_id` of bpf(2)
_BOUND = {
    "trace_fentry": "fentry",
    "trace_fexit": "fexit",
    "modify_return": "fmod_ret",
    "trace_raw_tp": "tp_btf",
    "trace_iter": "iter",
    "lsm_mac": "lsm",
    "lsm_cgroup": "lsm_cgroup",
}
#: what GCC and clang append to functions that they split, clone or specialise, differently in every kernel build
_COMPILERS = (".isra.", ".constprop.", ".part.", ".cold", ".llvm.")
_SYSCALLS = ("__x64_sys_", "__ia32_sys_", "__arm64_sys_", "__s390x_sys_", "__riscv_sys_", "sys_", "SyS_")
_BY_ADDRESS = frozenset(("trace_fentry", "trace_fexit", "modify_return"))
_READ_MAX = 1 << 20  # instructions of one object: its programs may overlap
_OLD_MAX, _MAX = 4096, 1_000_000  # BPF_MAXINSNS; BPF_COMPLEXITY_LIMIT_INSNS, which bpf(2) takes since 5.2
_READS_KERNEL = frozenset(("bpf_probe_read", "bpf_probe_read_kernel"))
_KERNEL_SIDE = frozenset(("kprobe", "kretprobe"))
# Numbers of helper functions (enum bpf_func_id), to find where they are called.
_PROBE_READ = {"bpf_probe_read": 4, "bpf_probe_read_str": 45}
_TRACE = {"bpf_trace_printk": 6, "bpf_trace_vprintk": 177}


def unknown_section(dissection: Dissection, context: Context) -> Iterator[Found]:
    """BL009."""
    for program in dissection.object.programs:
        if program.type == "unspec":
            yield _found(
                program,
                f"program {quoted(program.name)} is in section {quoted(program.section)}, which is of no program type "
                "that libbpf 1.x knows",
                hint='name a type, as in SEC("xdp") or SEC("tracepoint/GROUP/NAME")',
                severity="" if context.shipped else "warning",
            )


def historic_section(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL010."""
    for program in dissection.object.programs:
        head, slash, _rest = program.section.partition("/")
        if not slash or head not in _HISTORIC or program.type == "unspec":
            continue
        rule = section_rule(program.section)
        if rule is not None and rule.section == head:
            yield _found(
                program,
                f"program {quoted(program.name)} is in section {quoted(program.section)}, which libbpf 1.0 and newer "
                "refuse",
                hint=f'write SEC("{head}"): several programs may share a section',
            )


def no_attach_target(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL018."""
    for program in dissection.object.programs:
        word = _BOUND.get(program.attach_type or "")
        if word is not None and program.target is None:
            yield _found(
                program,
                f"program {quoted(program.name)} names no attach target, but the kernel wants it at load",
                hint=f'write SEC("{word}/TARGET")',
            )


def fragile_target(dissection: Dissection, context: Context) -> Iterator[Found]:
    """BL019."""
    for program in dissection.object.programs:
        target = program.target or ""
        by_address = program.label in _KERNEL_SIDE or program.attach_type in _BY_ADDRESS
        if not by_address or program.multi or program.section.startswith(("ksyscall", "kretsyscall")):
            continue
        if any(mark in target for mark in _COMPILERS):
            yield _found(
                program,
                f"program {quoted(program.name)} attaches to {quoted(target)}, a name that the compiler of one kernel "
                "made up",
                hint="choose a function that is not split or cloned, a tracepoint, or let the loader look for the name",
            )
        elif target.startswith(_SYSCALLS):
            yield _found(
                program,
                f"program {quoted(program.name)} attaches to {quoted(target)}, the name of a system call on some "
                "processors and kernels only",
                hint='write SEC("ksyscall/NAME"): libbpf finds the name that the kernel has',
                severity="" if len(context.platforms) > 1 else "note",
            )


def unreachable_function(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL020."""
    obj = dissection.object
    if not obj.programs:
        return
    called = {name for program in obj.programs for name in program.uses.calls}
    for function in obj.functions:
        if function.name not in called:
            yield Found(
                f"no program calls the function {quoted(function.name)} ({function.instructions} instructions)",
                kind="function",
                about=function.name,
                hint="make it static, so that the compiler drops it, or give it a section that makes it a program",
                place=(function.section, function.offset),
            )


def autoload_off(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL021."""
    for program in dissection.object.programs:
        if not program.autoload:
            yield _found(
                program,
                f"program {quoted(program.name)} is loaded only when it is asked for by name: its section begins "
                "with '?'",
            )


def too_many_instructions(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL022: with the sub-programs, which libbpf appends to every program that calls them."""
    obj = dissection.object
    lengths = {function.name: function.instructions for function in obj.functions}
    for program in obj.programs:
        total = program.instructions + sum(lengths.get(name, 0) for name in program.uses.calls)
        if total > _OLD_MAX:
            limit = f"the kernel takes {_MAX}" if total > _MAX else f"kernels before 5.2 take {_OLD_MAX}"
            yield _found(
                program,
                f"program {quoted(program.name)} has {total} instructions with what it calls, {limit}",
                hint="split it with tail calls, or keep the compiler from unrolling its loops",
                severity="" if total > _MAX else "note",
            )


def tail_call_with_subprogram(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL023: commits ebf7d1f508a7 (x86-64, 5.10) and d4609a5d8c70 (arm64, 6.0)."""
    for program in dissection.object.programs:
        if program.uses.calls and "bpf_tail_call" in program.uses.helpers:
            yield _found(
                program,
                f"program {quoted(program.name)} has tail calls and sub-programs: x86-64 takes both since 5.10, arm64 "
                "since 6.0, others later or not",
                hint="inline the functions: static __always_inline",
            )


def old_probe_read(dissection: Dissection, context: Context) -> Iterator[Found]:
    """BL024: s390x does not select ARCH_HAS_NON_OVERLAPPING_ADDRESS_SPACE."""
    lacking = any(platform.startswith("linux/s390x") for platform in context.platforms)
    said = "which s390x does not have" if lacking else "which guesses whose memory it reads"
    for name, users in _using(dissection, _PROBE_READ):
        side = name.replace("bpf_probe_read", "bpf_probe_read_{}")
        yield _found(
            users[0],
            f"{_all(users)} {name}, {said}",
            hint=f"call {side.format('kernel')} or {side.format('user')} (since 5.5)",
            severity="error" if lacking else "",
            place=_rules_code.call_site(dissection, users[0], _PROBE_READ[name]),
        )


def trace_printk(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL025."""
    for name, users in _using(dissection, _TRACE):
        yield _found(
            users[0],
            f"{_all(users)} {name}, which is for debugging: the whole host shares one slow pipe",
            hint="leave it out of what is shipped, or send events through a ring buffer",
            place=_rules_code.call_site(dissection, users[0], _TRACE[name]),
        )


def kernel_bound(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL017."""
    obj = dissection.object
    if obj.has_core_relocations:
        return
    users = [p for p in obj.programs if p.label in _KERNEL_SIDE and not _READS_KERNEL.isdisjoint(p.uses.helpers)]
    if users:
        more = f" and {len(users) - 1} more read" if len(users) > 1 else " reads"
        yield _found(
            users[0],
            f"program {quoted(users[0].name)}{more} kernel memory without any CO-RE relocation: offsets are those of "
            "one kernel",
            hint="read with BPF_CORE_READ() and vmlinux.h",
        )


def cpu_registers(dissection: Dissection, context: Context) -> Iterator[Found]:
    """BL027."""
    if not _rules_code.for_several_cpus(context):
        return
    words = ", ".join(context.platforms) or "every CPU of its byte order"
    left = _READ_MAX
    for program in dissection.object.programs:
        left -= min(program.instructions, _rules_code.LOOKED_AT)
        if program.type == "kprobe" and left > 0:
            place = _rules_code.context_read(dissection, program)
            if place is not None:
                yield _found(
                    program,
                    f"program {quoted(program.name)} reads registers at the offsets of one CPU, but the object is for "
                    f"{words}",
                    hint="compile once for each architecture, with -D__TARGET_ARCH_x86, -D__TARGET_ARCH_arm64, ...",
                    place=place,
                )


def struct_ops_alone(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL028."""
    obj = dissection.object
    if any(found.type == "struct_ops" for found in obj.maps):
        return
    for program in obj.programs:
        if program.type == "struct_ops":
            yield _found(
                program,
                f"program {quoted(program.name)} is for struct_ops, but the object has no struct_ops map that names it",
                hint='declare SEC(".struct_ops.link") struct … = { .member = (void *)program }',
            )


def _using(dissection: Dissection, wanted: Iterable[str]) -> Iterator[tuple[str, list[ProgramSpec]]]:
    """The helper functions among `wanted` that programs call, each with its callers."""
    for name in wanted:
        users = [program for program in dissection.object.programs if name in program.uses.helpers]
        if users:
            yield name, users


def _all(users: list[ProgramSpec]) -> str:
    more = f" and {len(users) - 1} more call" if len(users) > 1 else " calls"
    return f"program {quoted(users[0].name)}{more}"


def _found(
    program: ProgramSpec, message: str, *, hint: str = "", severity: str = "", place: tuple[str, int] | None = None
) -> Found:
    place = place or (section_of(program), program.offset)
    return Found(message, "program", program.name, hint, severity, place)

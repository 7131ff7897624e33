"""What a kernel needs to have for an object, as far as the object itself says it.

Features, by the kernel's own names; versions are there to be read. The measure is what libbpf and the kernel refuse:
where libbpf puts something older in the place of what is missing, the requirement is optional or none at all.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.bytecode._since import since

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._model import BytecodeObject, MapSpec, ProgramSpec

_KIND_WORDS = "program_type attach_type map_type map_flag helper kfunc ksym kconfig btf isa feature"
_KINDS = {word: place for place, word in enumerate(_KIND_WORDS.split())}

# include/uapi/linux/bpf.h, flags of BPF_MAP_CREATE; by bit.
_MAP_FLAG_WORDS = (
    "no_prealloc no_common_lru numa_node rdonly wronly stack_build_id zero_seed rdonly_prog wronly_prog clone mmapable "
    "preserve_elems inner_map link path_fd vtype_btf_obj_fd token_fd segv_on_fault no_user_conv"
)
_MAP_FLAGS = _MAP_FLAG_WORDS.split()

# Loads, and can be attached, without the kernel knowing that attach type: XDP and SO_REUSEPORT programs are older.
_OLDER_THAN_ATTACH_TYPE = ("xdp", "sk_reuseport_select")
_TRAMPOLINES = ("trace_fentry", "trace_fexit", "modify_return", "lsm_mac", "lsm_cgroup")
_PROBES = {
    "kprobe": "kprobes",
    "kretprobe": "kprobes",
    "ksyscall": "kprobes",
    "kretsyscall": "kprobes",
    "uprobe": "uprobes",
    "uretprobe": "uprobes",
    "usdt": "uprobes",
}
_MULTIPLE = {
    "trace_kprobe_multi": "kprobe-multi",
    "trace_kprobe_session": "kprobe-session",
    "trace_uprobe_multi": "uprobe-multi",
    "trace_uprobe_session": "uprobe-session",
}
# What the kernel's BTF has to name for a target: libbpf's find_kernel_btf_id.
_TARGETS = {
    "trace_raw_tp": "typedef btf_trace_",
    "trace_iter": "func bpf_iter_",
    "lsm_mac": "func bpf_lsm_",
    "lsm_cgroup": "func bpf_lsm_",
}
_SLEEPABLE = {"kprobe": "sleepable-uprobes", "struct_ops": "sleepable-struct-ops"}

# libbpf (bpf_object__sanitize_prog) and other loaders put bpf_probe_read in their place on kernels before 5.5.
_REPLACED = (
    "bpf_probe_read_kernel",
    "bpf_probe_read_kernel_str",
    "bpf_probe_read_user",
    "bpf_probe_read_user_str",
)
# The kernel finds what they work on through the BTF of the map (check_map_access, process_timer_func, ...).
_WITH_MAP_BTF = frozenset(
    (
        "bpf_spin_lock",
        "bpf_spin_unlock",
        "bpf_timer_init",
        "bpf_timer_set_callback",
        "bpf_timer_start",
        "bpf_timer_cancel",
        "bpf_kptr_xchg",
    )
)
_MAPS_WITH_BTF = ("sk_storage", "inode_storage", "task_storage", "cgrp_storage", "struct_ops")
_SMALL_PROGRAM = 4096  # instructions; BPF_MAXINSNS
_STRUCT_OPS_LOADED = (".struct_ops", ".struct_ops.link")
_PROVIDED = "LINUX_"  # LINUX_KERNEL_VERSION and the like: libbpf answers them itself


@value(frozen=True, slots=True)
class Requirement:
    """One thing that a kernel needs to have.

    kind      program_type, attach_type, map_type, map_flag, helper (function), kfunc, ksym (variable of the kernel),
              kconfig (option of the kernel's configuration), btf (what the kernel's BTF has to name:
              "struct tcp_congestion_ops"), isa (instructions), feature
    since     the first mainline version that has it, "5.8"; None where that is not known. Not a test: distributions
              carry features into older kernels and leave others out
    programs  those that need it; none where the whole object does
    optional  the object loads without it: a weak symbol, or what only programs need that are not loaded unasked

    Features: global-data, large-programs (more than 4,096 instructions), bpf-to-bpf-calls, callbacks,
    tail-calls-with-subprograms, trampoline, sleepable, sleepable-uprobes, sleepable-iterators, sleepable-struct-ops,
    xdp-frags, kprobes, uprobes, kprobe-multi, kprobe-session, uprobe-multi, uprobe-session, kernel-btf (the kernel's
    own), object-btf (the kernel takes that of the object).
    """

    kind: str
    name: str
    since: str | None
    programs: tuple[str, ...]
    optional: bool


def requirements(obj: BytecodeObject) -> tuple[Requirement, ...]:
    """What a kernel needs to have for `obj`, by kind and name.

    It is what the code refers to: a branch that the verifier finds dead on some kernel needs nothing there. What the
    object cannot say is missing: loops, the verifier's limits, the functions that fentry programs are attached to.
    """
    wanted = _Wanted()
    sizes = {function.name: function.instructions for function in obj.functions}
    for program in obj.programs:
        wanted.program = program
        _types(wanted, program)
        _features(wanted, program)
        _code(wanted, program, sizes)
    wanted.program = None
    _maps(wanted, obj)
    _externs(wanted, obj)
    _core(wanted, obj)
    return wanted.sorted([program.name for program in obj.programs])


class _Wanted:
    """Collects: who needs something, and whether anybody needs it for certain."""

    __slots__ = ("_found", "program")

    def __init__(self) -> None:
        self.program: ProgramSpec | None = None  # whom `add` writes down; None: the object
        self._found: dict[tuple[int, str, str], tuple[list[str], bool]] = {}

    def add(self, kind: str, name: str, *, optional: bool = False) -> None:
        """For the program at hand, or for the object. Not loaded unasked, a program needs nothing for certain."""
        program = self.program
        names = [program.name] if program else []
        self.named(kind, name, names, optional=optional or bool(program and not program.autoload))

    def named(self, kind: str, name: str, programs: list[str], *, optional: bool = False) -> None:
        key = (_KINDS[kind], kind, name)
        known = self._found.get(key)
        if known is not None:
            optional = optional and known[1]
            programs = known[0] + [new for new in programs if new not in known[0]] if known[0] and programs else []
        self._found[key] = (programs, optional)

    def sorted(self, order: list[str]) -> tuple[Requirement, ...]:
        places = {name: place for place, name in enumerate(order)}
        return tuple(
            Requirement(kind, name, since(kind, name), tuple(sorted(programs, key=places.__getitem__)), optional)
            for (_, kind, name), (programs, optional) in sorted(self._found.items())
        )


def _types(wanted: _Wanted, program: ProgramSpec) -> None:
    if program.type != "unspec":
        wanted.add("program_type", program.type)
    attach = program.attach_type
    if attach is None or attach in _OLDER_THAN_ATTACH_TYPE:
        return
    # tc/ingress is another name of tcx/ingress since libbpf 1.3, but such programs are attached to clsact too.
    if not attach.startswith("tcx_") or program.section.startswith("tcx/"):
        wanted.add("attach_type", attach)
    if attach in _TARGETS and program.target:
        wanted.add("btf", _TARGETS[attach] + program.target.rpartition(":")[2])


def _features(wanted: _Wanted, program: ProgramSpec) -> None:
    attach = program.attach_type or ""
    if attach in _TRAMPOLINES or program.type in ("ext", "struct_ops"):
        wanted.add("feature", "trampoline")
    if program.type in ("tracing", "lsm", "struct_ops"):
        wanted.add("feature", "kernel-btf")
    if program.type in ("ext", "struct_ops"):
        wanted.add("feature", "object-btf")
    if program.sleepable and program.type != "syscall":  # all of that type are
        name = "sleepable-iterators" if attach == "trace_iter" else _SLEEPABLE.get(program.type, "sleepable")
        wanted.add("feature", name)
    if program.frags:
        wanted.add("feature", "xdp-frags")
    if attach in _MULTIPLE:
        wanted.add("feature", _MULTIPLE[attach])
    elif program.type == "kprobe":
        wanted.add("feature", _PROBES.get(program.section.partition("/")[0].removesuffix(".s"), "kprobes"))


def _code(wanted: _Wanted, program: ProgramSpec, sizes: dict[str, int]) -> None:
    uses = program.uses
    for helper in uses.helpers:
        wanted.add("helper", helper, optional=helper in _REPLACED)
    for word in uses.isa:
        if word in ("bpf-to-bpf-calls", "callbacks"):
            wanted.add("feature", word)
        elif word != "atomic-add":  # as old as eBPF
            wanted.add("isa", word)
    if "callbacks" in uses.isa or not _WITH_MAP_BTF.isdisjoint(uses.helpers):
        wanted.add("feature", "object-btf")
    if uses.calls and "bpf_tail_call" in uses.helpers:
        wanted.add("feature", "tail-calls-with-subprograms")
    if program.instructions + sum(sizes.get(name, 0) for name in uses.calls) > _SMALL_PROGRAM:
        wanted.add("feature", "large-programs")


def _maps(wanted: _Wanted, obj: BytecodeObject) -> None:
    # libbpf makes all maps, whoever uses them, but those of struct_ops in sections with a question mark.
    asked = not any(section.name in _STRUCT_OPS_LOADED for section in obj.sections)
    for spec in obj.maps:
        if spec.internal:
            wanted.add("map_type", spec.type)
            wanted.add("feature", "global-data")  # its flags are as old, or dropped by libbpf where unknown
            continue
        optional = spec.type == "struct_ops" and asked
        _map(wanted, spec, optional=optional)
        if spec.type in _MAPS_WITH_BTF:
            wanted.add("feature", "object-btf", optional=optional)
        if spec.type == "struct_ops":
            wanted.add("feature", "kernel-btf", optional=optional)
            if spec.value_type:
                wanted.add("btf", spec.value_type.partition("___")[0], optional=optional)


def _map(wanted: _Wanted, spec: MapSpec, *, optional: bool) -> None:
    wanted.add("map_type", spec.type, optional=optional)
    bit, rest = 0, spec.flags
    while rest:
        if rest & 1:
            wanted.add("map_flag", _MAP_FLAGS[bit] if bit < len(_MAP_FLAGS) else f"bit_{bit}", optional=optional)
        bit, rest = bit + 1, rest >> 1
    if spec.inner is not None:
        _map(wanted, spec.inner, optional=optional)


def _externs(wanted: _Wanted, obj: BytecodeObject) -> None:
    """libbpf resolves all of them, whether a program that uses them is loaded or not."""
    for extern in obj.externs:
        if extern.kind == "kconfig" and extern.name.startswith(_PROVIDED):
            continue
        users = [p.name for p in obj.programs if extern.name in p.uses.kfuncs or extern.name in p.uses.ksyms]
        wanted.named(extern.kind, extern.name, users, optional=extern.weak)
        if extern.kind == "kfunc" or (extern.kind == "ksym" and _typed(extern.type)):
            wanted.named("feature", "kernel-btf", users)


def _typed(words: str | None) -> bool:
    """Whether the variable has a type, to be found in the kernel's BTF; `void` stands for an address only."""
    return words is not None and words.removeprefix("const ") != "void"


def _core(wanted: _Wanted, obj: BytecodeObject) -> None:
    if obj.has_core_relocations:
        wanted.named("feature", "kernel-btf", [program.name for program in obj.programs if program.uses.core])

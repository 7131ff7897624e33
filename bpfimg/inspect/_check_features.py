"""Whether a kernel has what an object requires, as far as its types can say: yes, no, or they cannot say.

The kernel's own enums list its program types, map types, attach types and helper functions; its BTF has a FUNC for
every kfunc and traceable function and a typedef for every tracepoint. What is listed may still be switched off, by
configuration or policy: "present" means not known to be absent.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.btf import kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import KernelTypes
    from bpfimg.bytecode import ProgramSpec

PRESENT, ABSENT, UNKNOWN = "present", "absent", "unknown"

_ENUMS = {
    "program_type": ("bpf_prog_type", "BPF_PROG_TYPE_"),
    "map_type": ("bpf_map_type", "BPF_MAP_TYPE_"),
    "attach_type": ("bpf_attach_type", "BPF_"),
    "helper": ("bpf_func_id", "BPF_FUNC_"),
}
_ANY_FLAG = "BPF_F_NO_PREALLOC"
_KINDS = {"typedef": (kinds.TYPEDEF,), "func": (kinds.FUNC,), "struct": (kinds.STRUCT,), "union": (kinds.UNION,)}
#: features with something in the kernel's types that came with them: kind, name, member
_FEATURES = {
    "trampoline": (kinds.STRUCT, "bpf_trampoline", ""),
    "sleepable": (kinds.STRUCT, "bpf_prog_aux", "sleepable bpf_prog.sleepable"),
    "xdp-frags": (kinds.STRUCT, "bpf_prog_aux", "xdp_has_frags"),
    "kprobe-multi": (kinds.ENUM, "bpf_attach_type", "BPF_TRACE_KPROBE_MULTI"),
    "kprobe-session": (kinds.ENUM, "bpf_attach_type", "BPF_TRACE_KPROBE_SESSION"),
    "uprobe-multi": (kinds.ENUM, "bpf_attach_type", "BPF_TRACE_UPROBE_MULTI"),
    "uprobe-session": (kinds.ENUM, "bpf_attach_type", "BPF_TRACE_UPROBE_SESSION"),
}
#: older than BTF of a whole kernel (5.2 to 5.4), so that a kernel with types has them
_OLD_FEATURES = ("kernel-btf", "object-btf", "global-data", "bpf-to-bpf-calls", "large-programs")
_MODULE = "a module may have it, and no types of modules were given"


@value(frozen=True, slots=True)
class Known:
    """`answer` is present, absent or unknown; `words` say why it is not present: "enum bpf_func_id has no ..."."""

    answer: str
    words: str = ""


_YES = Known(PRESENT)


class Features:
    """Asks one kernel; answers are kept."""

    __slots__ = ("_enumerators", "_kernel")

    def __init__(self, kernel: KernelTypes) -> None:
        self._kernel = kernel
        self._enumerators: dict[str, frozenset[str]] = {}

    def has(self, kind: str, name: str) -> Known:
        """About a requirement of that kind and name (`bytecode.requirements`)."""
        if kind in _ENUMS:
            enum, prefix = _ENUMS[kind]
            return self._listed(enum, prefix + _spelled(kind, name))
        if kind == "map_flag":
            return self._flag(f"BPF_F_{name.upper()}")
        if kind == "kfunc":
            return self._kfunc(name)
        if kind == "ksym":
            return Known(UNKNOWN, "a kernel's types do not name all of its symbols")
        if kind == "btf":
            return self._named(name)
        if kind == "feature":
            return self._feature(name)
        if kind == "kconfig":
            return Known(UNKNOWN, "the configuration of a kernel is not in its types")
        return Known(UNKNOWN, "the instructions that a kernel takes are not in its types")

    def target(self, program: ProgramSpec) -> Known | None:
        """About the function that a fentry, fexit or fmod_ret program is attached to; None for others."""
        traced = ("trace_fentry", "trace_fexit", "modify_return")
        if program.attach_type not in traced or not program.target:
            return None
        module, _, name = program.target.rpartition(":")
        found = self._kernel.find(name, kinds.FUNC)
        if found and module in ("", found[0] or "vmlinux"):
            return _YES
        if module and module != "vmlinux" and module in self._kernel.modules:
            return Known(ABSENT, f"module {module} has no function {name}")
        return self._not_in_vmlinux(f"vmlinux has no function {name} that can be traced")

    def _not_in_vmlinux(self, words: str) -> Known:
        if self._kernel.modules:
            return Known(ABSENT, f"{words}, nor has one of {len(self._kernel.modules)} modules")
        return Known(UNKNOWN, f"{words}; {_MODULE}")

    def _listed(self, enum: str, name: str) -> Known:
        names = self._names(enum)
        if not names:
            return Known(UNKNOWN, f"the kernel's types have no enum {enum}")
        if name in names or f"{name}_DEPRECATED" in names:
            return _YES
        return Known(ABSENT, f"enum {enum} has no {name}")

    def _names(self, enum: str) -> frozenset[str]:
        if enum not in self._enumerators:
            types = self._kernel.types
            found = self._kernel.index.exactly(enum, kinds.ENUM, kinds.ENUM64)
            names = (types.string(name) for name, _ in types.enumerators(found)) if found is not None else ()
            self._enumerators[enum] = frozenset(names)
        return self._enumerators[enum]

    def _flag(self, name: str) -> Known:
        """Flags are in enums without a name: in the one that has the oldest of them, or nowhere."""
        index, types = self._kernel.index, self._kernel.types
        enum = index.enumerator(_ANY_FLAG)
        if enum is None:
            return Known(UNKNOWN, f"the kernel's types do not have {_ANY_FLAG}, so not the others, either")
        if any(types.string(at) == name for at, _ in types.enumerators(enum)):
            return _YES
        return Known(ABSENT, f"the kernel's types do not have {name}")

    def _kfunc(self, name: str) -> Known:
        found = self._kernel.find(name, kinds.FUNC)
        if found is None:
            return self._not_in_vmlinux(f"vmlinux has no function {name}")
        module, type_id = found
        tagged = self._kernel.kfuncs(module)
        if tagged and type_id not in tagged:
            return Known(ABSENT, f"function {name} of the kernel is not for programs (no kfunc)")
        return _YES

    def variable(self, name: str) -> Known:
        """About a variable of the kernel with a type, which libbpf looks for in the types."""
        if self._kernel.find(name, kinds.VAR, kinds.FUNC) is not None:
            return _YES
        return self._not_in_vmlinux(f"vmlinux has no variable {name} with a type")

    def _named(self, words: str) -> Known:
        word, _, name = words.partition(" ")
        if self._kernel.find(name, *_KINDS.get(word, (kinds.STRUCT,))) is not None:
            return _YES
        text = f"the kernel's types have no {word} {name}"
        return Known(ABSENT, text) if name.startswith("bpf_lsm_") else self._not_in_vmlinux(text)

    def _feature(self, name: str) -> Known:
        if name in _OLD_FEATURES:
            return _YES
        if name not in _FEATURES:
            return Known(UNKNOWN, "a kernel's types do not show it")
        kind, holder, member = _FEATURES[name]
        if kind == kinds.ENUM:
            return self._listed(holder, member)
        if self._kernel.index.exactly(holder, kinds.STRUCT) is None:
            return Known(ABSENT, f"the kernel's types have no struct {holder}")
        if not member or any(self._has_member(holder, word) for word in member.split()):
            return _YES
        return Known(ABSENT, f"struct {holder} has no {member.split()[0]}")

    def _has_member(self, holder: str, word: str) -> bool:
        struct, _, name = word.rpartition(".")
        types = self._kernel.types
        found = self._kernel.index.exactly(struct or holder, kinds.STRUCT)
        if found is None:
            return False
        return any(types.string(at) == name for at, _member, _offset, _width in types.fields(found))


def _spelled(kind: str, name: str) -> str:
    """The kernel's spelling of our word."""
    if kind == "helper":
        return name.removeprefix("bpf_")
    return name.replace("per_cpu", "percpu").upper() if kind == "map_type" else name.upper()

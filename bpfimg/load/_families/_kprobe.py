"""Probes of kernel functions: one by a perf event, many by one kprobe_multi link, or by a perf event for each."""

from __future__ import annotations

import errno

from bpfimg.errors import AttachError, KernelError
from bpfimg.kernel import bpf, functions, perf
from bpfimg.load._attach import Attachment
from bpfimg.load._families._kprobe_words import refused
from bpfimg.load._families._perf_link import linked
from bpfimg.load._families._recorded import recorded
from bpfimg.load._hooks import Ksyscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import Fd
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Kprobe

# As libbpf has them (arch_specific_syscall_pfx), by the machine's name.
_MACHINES = {
    "x86_64": "x64",
    "i686": "ia32",
    "aarch64": "arm64",
    "armv7l": "arm",
    "s390x": "s390x",
    "riscv64": "riscv",
    "ppc64le": "powerpc",
    "ppc64": "powerpc",
}


def check(hook: Kprobe | Ksyscall) -> None:
    """AttachError when there is no such function, or none that fits; NotSupported for a kernel without kprobes."""
    if isinstance(hook, Ksyscall):
        _system_call(hook)[1].close()
    elif hook.function is not None:
        _opened(hook.function, hook).close()
    else:
        from bpfimg.load._families._kprobe_many import functions_of

        perf.source("kprobe")
        functions_of(hook)


def foresee(hook: Kprobe | Ksyscall, scene: Scene) -> str:
    """How many functions a pattern is, and by how many links."""
    if isinstance(hook, Ksyscall) or hook.pattern is None:
        return ""
    from bpfimg.load._families._kprobe_many import foreseen

    return foreseen(hook)


def attach(program: Loaded, hook: Kprobe | Ksyscall, scene: Scene) -> Attachment:
    """Attaches; what was found goes into the record, because before 6.6 the kernel does not tell it."""
    if isinstance(hook, Ksyscall):
        name, event = _system_call(hook)
        link = linked(program, event, f"function {name}")
        return Attachment(recorded(program, hook, hook.name, details={"function": name}), link, link.fileno())
    if hook.pattern is not None or bpf.is_multi(program.attach_type):
        from bpfimg.load._families._kprobe_many import attach_many

        return attach_many(program, hook, _opened)
    link = linked(program, _opened(hook.function or "", hook), f"function {hook.shown}")
    return Attachment(recorded(program, hook, hook.shown), link, link.fileno())


def _opened(function: str, hook: Kprobe | Ksyscall) -> Fd:
    """The event of one function; AttachError says what is wrong with it."""
    kind = perf.source("kprobe")
    offset, module = (hook.offset, hook.module) if not isinstance(hook, Ksyscall) else (0, None)
    name = f"{module}:{function}" if module else function
    if offset and (size := functions.size(function)) is not None and offset >= size:
        # the kernel would take it for a place in the function that comes next
        raise AttachError(f"offset {offset:#x} is behind the end of {name}, expected less than {size:#x}")
    try:
        return perf.perf_event(
            kind.type, kind.return_bit if hook.ret else 0, f"a kprobe of {name}", name=name, number=offset
        )
    except KernelError as error:
        raise refused(error, function, module, offset) from error


def _system_call(hook: Ksyscall) -> tuple[str, Fd]:
    """(The function that serves it, its event): names differ with the machine, and with the kernel's options."""
    for name in _names(hook.name):
        try:
            return name, _opened(name, hook)
        except AttachError as error:
            cause = error.__cause__
            if not (isinstance(cause, KernelError) and cause.errno == errno.ENOENT):
                raise
    raise AttachError(
        f"this kernel has no system call {hook.name}, expected a name as in the manual (openat)",
        hint="what C calls open is openat for the kernel, fork is clone; `man 2 syscalls` lists them",
    )


def _names(call: str) -> list[str]:
    from os import uname

    prefix = _MACHINES.get(uname().machine)
    return [*([f"__{prefix}_sys_{call}"] if prefix else []), f"__se_sys_{call}", f"sys_{call}"]

"""Programs that are bound when they are loaded: to a function (fentry, fexit, fmod_ret), an LSM hook, a tracepoint."""

from __future__ import annotations

import errno

from bpfimg.errors import AttachError, Busy, KernelError, NotSupported
from bpfimg.kernel import abi, bpf, dump
from bpfimg.load._attach import Attachment
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Tracing

_ACTIVE = "/sys/kernel/security/lsm"


def check(hook: Tracing) -> None:
    """NotSupported when it is for LSM and this kernel asks no programs; AttachError when its module is not loaded."""
    if hook.kind == "lsm":
        _check_lsm()
    if hook.module is not None:
        from bpfimg.kernel import functions

        if not functions.is_module(hook.module):
            raise AttachError(f"module {hook.module} is not loaded, so {hook.target} is not there")


def _check_lsm() -> None:
    """A program for a security hook loads, and is never asked, where `bpf` is not one of the active modules."""
    try:
        with open(_ACTIVE, encoding="ascii") as file:
            active = file.read().strip().split(",")
    except OSError:
        return  # securityfs is not mounted: the attach will do, whether it is asked or not
    if "bpf" not in active:
        raise NotSupported(
            f"this kernel asks no BPF programs about security: {_ACTIVE} has {','.join(active)}, and no bpf",
            feature="lsm",
            hint="add bpf to lsm= on the kernel's command line, or to CONFIG_LSM",
        )


def attach(program: Loaded, hook: Tracing, scene: Scene) -> Attachment:
    """Attaches to what the program was bound to; AttachError when the hook says another."""
    check(hook)
    bound = program.target or program.section.partition("/")[2]
    if hook.target is not None and bound and hook.target != bound:
        raise AttachError(
            f"program {program.name} was bound to {bound} when it was loaded, expected {hook.target}",
            hint=f"load it again: bpfimg run … {hook.kind} {hook.target}",
        )
    target = hook.target or bound
    module = None if hook.kind == "tp_btf" else _module_of(program)
    if hook.module is not None and module != hook.module:
        raise AttachError(
            f"program {program.name} was bound to {target} of {module or 'the kernel itself'}, expected {hook.module}",
            hint="another function has that name too, and is found first",
        )
    shown = f"{module}:{target}" if module else target
    try:
        link = bpf.link_create(program.fd, 0, abi.ATTACH_TYPES.index(_ATTACH[hook.kind]))
    except KernelError as error:
        raise _explained(error, program, scene, shown) from error
    details = {"target": target} | ({"module": module} if module else {})
    return Attachment(recorded(program, hook, shown, details=details), link, link.fileno())


_ATTACH = {
    "fentry": "trace_fentry",
    "fexit": "trace_fexit",
    "fmod_ret": "modify_return",
    "lsm": "lsm_mac",
    "tp_btf": "trace_raw_tp",
}


def _module_of(program: Loaded) -> str | None:
    """The module that the kernel has bound it to; None for the kernel itself, or where it does not say."""
    number = bpf.program_info(program.fd, memlock=False).attach_btf_obj_id
    try:
        name = dump.btf_name(number) if number else ""
    except KernelError:
        return None  # without CAP_SYS_ADMIN
    return None if name in ("", "vmlinux") else name


def _explained(error: KernelError, program: Loaded, scene: Scene, shown: str) -> AttachError | KernelError:
    if error.errno == errno.EBUSY:
        for link in (link for load in scene.loads for link in load.links if link.program_id == program.id):
            return Busy(
                f"program {program.name} is at {shown} already, and can be there once",
                owner=f"link {link.id} of this program",
                hint=f"`bpfimg detach {link.id}` takes it off",
            )
        owner = "something else, as a live patch"
        return Busy(f"{shown} is taken by {owner}", owner=owner)
    if error.errno == errno.E2BIG:
        return AttachError(f"{shown} has as many programs as the kernel lets one place have")
    return KernelError(f"cannot attach to {shown}: {error}", errno=error.errno, hint=error.hint)

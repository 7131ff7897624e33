"""Control groups (v2): a bpf_link on the group's directory, which holds for all groups below it, too."""

from __future__ import annotations

import errno

from bpfimg.errors import AttachError, KernelError, NotSupported, SlotsFull, quoted
from bpfimg.kernel import abi, bpf, cgroups
from bpfimg.load._attach import Attachment
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Cgroup


def check(hook: Cgroup) -> None:
    """AttachError when there is no such group; NotSupported when cgroup2 is not mounted."""
    cgroups.opened(cgroups.absolute(hook.path)).close()


def attach(program: Loaded, hook: Cgroup, scene: Scene) -> Attachment:
    """Attaches behind what is there: every program of the group and of those above it runs."""
    from bpfimg import bytecode

    rule = bytecode.section_rule(program.section)
    said = rule.attach_type if rule else abi.ATTACH_TYPES[program.attach_type]
    word = hook.resolved(program.name, program.type, said)
    path = cgroups.absolute(hook.path)
    with cgroups.opened(path) as group:
        identity = cgroups.identity(group)
        try:
            link = bpf.link_create(program.fd, group.fileno(), abi.ATTACH_TYPES.index(word))
        except KernelError as error:
            raise _explained(error, path, word) from error
    record = recorded(
        program,
        hook,
        f"{path} {word.removeprefix('cgroup_')}",
        details={"attach_type": word, "cgroup_id": identity},
        absolute={"path": path},
    )
    return Attachment(record, link, link.fileno())


def _explained(error: KernelError, path: str, word: str) -> AttachError | KernelError:
    if error.errno == errno.EPERM and not error.hint:
        return AttachError(
            f"control group {quoted(path)} takes no further {word} program: one that is attached there or above it"
            " wants to be alone (it was attached without BPF_F_ALLOW_MULTI)",
            hint=f"`bpftool cgroup tree {path}` and that of the groups above show it",
        )
    if error.errno == errno.E2BIG:
        return SlotsFull(f"control group {quoted(path)} is full: the kernel takes 64 {word} programs")
    if error.errno == errno.EINVAL:
        from bpfimg.kernel import features

        if features.has("cgroup-link") is False:
            return NotSupported(
                "persistent attachments to control groups need bpf links for them (kernel 5.7)",
                feature="cgroup-link",
                errno=error.errno,
            )
    return KernelError(f"cannot attach to control group {quoted(path)}: {error}", errno=error.errno, hint=error.hint)

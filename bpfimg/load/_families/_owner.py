"""Whose program holds a hook: ours, with the name it was loaded under, or somebody else's."""

from __future__ import annotations

from bpfimg.errors import KernelError, quoted
from bpfimg.kernel import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpfimg.load._families._place import Place
    from bpfimg.load._host import Load
    from bpfimg.load._records import LinkRecord


def describe(program_id: int, loads: Iterable[Load], where: Place, direction: str | None = None) -> tuple[str, str]:
    """Returns (who, what to do about it) for the program with that kernel id on the hook of an interface."""
    here = (where.ifindex, where.inode, direction)
    return described(program_id, loads, lambda link: (link.ifindex, link.netns_inode, link.direction) == here)


def described(program_id: int, loads: Iterable[Load], near: Callable[[LinkRecord], bool]) -> tuple[str, str]:
    """Returns (who, what to do about it) for the program with that kernel id on the hook that `near` knows links of.

    0 is a program that cannot be seen. One of ours may be on other hooks as well: the link named is that of this one.
    """
    for load in loads:
        if program_id and program_id in load.program_ids:
            links = [link for link in load.links if link.program_id == program_id]
            # none is near if the interface has moved
            link = next(iter([link.id for link in links if near(link)] or [link.id for link in links]), None)
            by = f", link {link}" if link is not None else ""
            name = f" of {quoted(load.name)}" if load.name else ""
            remedy = f"`bpfimg detach {link}`" if link is not None else f"`bpfimg unload {load.id}`"
            return f"program {program_id}{name}, loaded by bpfimg{by}", f"take it off with {remedy}"
    if not program_id:
        return "a program that cannot be seen", "`bpfimg list --all` shows every program in the kernel"
    name = _kernel_name(program_id)
    shown = f"program {program_id} {quoted(name)}" if name else f"program {program_id}"
    if name == "xdp_dispatcher":
        return f"{shown} (a dispatcher of libxdp)", "`xdp-loader status` shows what it runs"
    return f"{shown}, not loaded by bpfimg", "take it off with the tool that attached it"


def _kernel_name(program_id: int) -> str:
    try:
        with bpf.program_by_id(program_id) as fd:
            return bpf.program_info(fd, memlock=False).name
    except KernelError:
        return ""

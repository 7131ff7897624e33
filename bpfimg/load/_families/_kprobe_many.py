"""Every function that fits a pattern: one kprobe_multi link where the kernel has such, else a link for each."""

from __future__ import annotations

import errno
from contextlib import ExitStack

from bpfimg.errors import AttachError, KernelError, NotSupported
from bpfimg.kernel import bpf, features, functions
from bpfimg.load._attach import Attachment
from bpfimg.load._families._perf_link import linked
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.kernel import Fd
    from bpfimg.load._attach import Loaded
    from bpfimg.load._hooks import Kprobe

#: without kprobe_multi: each is a perf event, a link and a pin, and takes the kernel milliseconds to come and to go
MOST = 128
_SHOWN = 64  # names that the record keeps


def functions_of(hook: Kprobe) -> list[str]:
    """The functions that the pattern is, or the one of the hook; AttachError when there is none."""
    if hook.pattern is None:
        return [hook.function or ""]
    found = [name for name, _ in functions.matching(hook.pattern, hook.module)]
    if not found:
        of = f" of module {hook.module}" if hook.module else ""
        near = functions.near(hook.pattern.replace("*", "").replace("?", ""), hook.module)
        hint = f"near it: {', '.join(near)}" if near else "`*` stands for any letters, `?` for one"
        raise AttachError(f"no function{of} that can be traced fits {hook.pattern}", hint=hint)
    return found


def foreseen(hook: Kprobe) -> str:
    """`40 functions by one link`; NotSupported for more than there can be links of."""
    count = len(functions_of(hook))
    one = features.has("kprobe-multi")
    if not one and count > MOST:
        raise _too_many(hook, count)
    return f"{count} function{'' if count == 1 else 's'} by {'one link' if one else 'a link each'}"


def attach_many(program: Loaded, hook: Kprobe, opened: Callable[[str, Kprobe], Fd]) -> Attachment:
    """Attaches to all of them; `opened` gives the event of one, for kernels that have no links of many."""
    names = functions_of(hook)
    if not bpf.is_multi(program.attach_type):
        return _one_by_one(program, hook, names, opened)
    try:
        link = bpf.link_kprobe_multi(program.fd, names, program.attach_type, ret=hook.ret)
    except KernelError as error:
        raise _explained(error, hook, names) from error
    details = {"functions": len(names), "names": names[:_SHOWN]}
    return Attachment(recorded(program, hook, _where(hook, len(names)), details=details), link, link.fileno())


def _where(hook: Kprobe, count: int) -> str:
    return f"{hook.shown} ({count} function{'' if count == 1 else 's'})" if hook.pattern is not None else hook.shown


def _explained(error: KernelError, hook: Kprobe, names: list[str]) -> AttachError | KernelError:
    if error.errno in (errno.EOPNOTSUPP, 524):
        return NotSupported(
            "the program was loaded for many functions in one link, and this kernel has no such (kprobe_multi)",
            feature="kprobe-multi",
            errno=error.errno,
            hint="`bpfimg run` loads it for a link of each function",
        )
    if error.errno in (errno.ESRCH, errno.ENOENT):
        if hook.pattern is None:
            from bpfimg.load._families._kprobe_words import refused

            missing = KernelError(str(error), errno=errno.ENOENT)
            return refused(missing, hook.function or "", hook.module, 0)
        return AttachError(f"functions that fit {hook.shown} came or went meanwhile, expected them to stay: {error}")
    return KernelError(f"cannot attach to {_where(hook, len(names))}: {error}", errno=error.errno, hint=error.hint)


def _one_by_one(program: Loaded, hook: Kprobe, names: list[str], opened: Callable[[str, Kprobe], Fd]) -> Attachment:
    if len(names) > MOST:
        raise _too_many(hook, len(names))
    skipped: list[str] = []
    with ExitStack() as stack:
        links: list[Fd] = []
        for name in names:
            try:
                event = opened(name, hook)
            except AttachError:  # listed, and yet not to be probed: others of the pattern are
                skipped.append(name)
                continue
            links.append(stack.enter_context(linked(program, event, f"function {name}")))
        if not links:
            raise AttachError(f"none of the {len(names)} functions that fit {hook.shown} can be probed")
        stack.pop_all()
    there = [name for name in names if name not in skipped]
    note = f"{len(skipped)} of {len(names)} cannot be probed: {', '.join(skipped[:5])}" if skipped else ""
    record = recorded(
        program,
        hook,
        _where(hook, len(there)),
        details={"functions": len(there), "names": there},
        parts=len(links) - 1,
        note=note,
    )
    return Attachment(record, links[0], links[0].fileno(), parts=links[1:])


def _too_many(hook: Kprobe, count: int) -> AttachError | NotSupported:
    message = f"{count} functions fit {hook.shown}, expected at most {MOST} where each needs a link of its own"
    if features.has("kprobe-multi") is False:
        return NotSupported(
            f"{message}: this kernel has no links of many functions (kprobe_multi, CONFIG_FPROBE)",
            feature="kprobe-multi",
            hint="give a narrower pattern",
        )
    return AttachError(
        f"{message}: the program was loaded for one function", hint="`bpfimg run` with --pattern loads it for many"
    )

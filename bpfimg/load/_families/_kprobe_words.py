"""Why a function cannot be probed, in words, with the names that may have been meant."""

from __future__ import annotations

import errno

from bpfimg.errors import AttachError, KernelError
from bpfimg.kernel import functions


def refused(error: KernelError, function: str, module: str | None, offset: int) -> AttachError | KernelError:
    """The error for a kprobe that could not be opened."""
    name = f"{module}:{function}" if module else function
    if error.errno == errno.ENOENT:
        return _missing(function, module)
    if error.errno == errno.EADDRNOTAVAIL:
        return AttachError(
            f"this kernel has several functions called {function}, expected one that is there once",
            hint="--module takes that of one module, --pattern all of them",
        )
    if error.errno == errno.EILSEQ:
        return AttachError(f"no instruction begins at offset {offset:#x} of {name}")
    if error.errno == errno.EINVAL:
        if functions.blacklisted(function):
            return AttachError(f"the kernel lets nobody probe {name}: it is on the list of kprobes/blacklist")
        what = f"{name}+{offset:#x}" if offset else name
        return AttachError(
            f"the kernel lets nobody probe {what}, as some functions that probes themselves run through",
            hint="kprobes/blacklist in debugfs lists those; another place may do, or a tracepoint",
        )
    return error


def _missing(function: str, module: str | None) -> AttachError:
    if module is not None and not functions.is_module(module):
        return AttachError(
            f"module {module} is not loaded, so it has no function {function}", hint=f"modprobe {module}"
        )
    message = f"{f'module {module}' if module else 'this kernel'} has no function {function}"
    copies = functions.copies(function)
    if copies:
        return AttachError(
            f"{message} of that very name: the compiler made others of it", hint=f"it has: {', '.join(copies[:5])}"
        )
    near = functions.near(function, module)
    hint = f"near it: {', '.join(near)}; " if near else ""
    return AttachError(message, hint=f"{hint}a function that was inlined everywhere is not there by its name")

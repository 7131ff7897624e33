"""Functions of the kernel and its modules, as it lists them: for patterns, and for names that somebody mistyped.

tracefs has those that ftrace can stop at, which is what kprobe_multi takes; /proc/kallsyms has all, with data.
"""

from __future__ import annotations

import os

from bpfimg.errors import AttachError, NotSupported
from bpfimg.kernel import _tracefs
from bpfimg.kernel._abi import ATTACH_TYPES
from bpfimg.kernel._tracefs import near_names as near_tracepoints
from bpfimg.kernel._tracefs_formats import fields, tracepoints

__all__ = [
    "blacklist",
    "blacklisted",
    "copies",
    "exists",
    "fields",
    "functions",
    "is_module",
    "matching",
    "may_be_target",
    "missing_target",
    "near",
    "near_tracepoints",
    "size",
    "tracepoints",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_NEAR = 5
_LOOKED_AT = 3000  # of tens of thousands of names: comparing each with a mistyped one would take seconds
#: in place of functions that ftrace has lost
_NO_FUNCTION = "__ftrace_invalid_address__"
_SYMBOLS = "/proc/kallsyms"
#: what the kernel's types call a target of that attach type; a function is called what it is
_BOUND = {
    "trace_raw_tp": "btf_trace_",
    "trace_iter": "bpf_iter_",
    "lsm_mac": "bpf_lsm_",
    "lsm_cgroup": "bpf_lsm_",
}


def functions() -> Iterator[tuple[str, str | None]]:
    """Yields (name, module or None) of each function that can be traced; names may come twice.

    Where the kernel lists none of them, each function that it has; nothing where it hides that as well.
    """
    return _traceable() or _symbols()


def _traceable() -> Iterator[tuple[str, str | None]] | None:
    try:
        file = open(f"{_tracefs.mount()}/available_filter_functions", encoding="ascii", errors="replace")  # noqa: SIM115
    except (OSError, NotSupported):
        return None

    def lines() -> Iterator[tuple[str, str | None]]:
        with file:
            for line in file:
                name, _, module = line.rstrip("\n").partition(" ")
                if not name.startswith(_NO_FUNCTION):
                    yield name, module.strip("[]") or None

    return lines()


def _symbols(kinds: str = "tT") -> Iterator[tuple[str, str | None]]:
    try:
        with open(_SYMBOLS, encoding="ascii", errors="replace") as file:
            for line in file:
                words = line.split()
                if len(words) > 2 and words[1] in kinds:
                    yield words[2], words[3].strip("[]") if len(words) > 3 else None
    except OSError:
        return


def matching(pattern: str, module: str | None = None) -> list[tuple[str, str | None]]:
    """Returns (name, module) of the traceable functions that fit, each name once; `*` and `?` as in the shell."""
    from fnmatch import translate
    from re import compile

    fits = compile(translate(pattern)).match
    found: dict[str, str | None] = {}
    for name, of in functions():
        if (module is None or of == module) and fits(name):
            found.setdefault(name, of)
    return sorted(found.items())


def copies(name: str) -> list[str]:
    """Returns what the compiler made of a function that is not there by its own name: `name.isra.0`, `name.cold`."""
    return sorted({found for found, _ in _symbols() if found.startswith(f"{name}.")})


def exists(name: str) -> bool:
    """Whether the kernel or a module has a function of that name, traceable or not."""
    return any(found == name for found, _ in _symbols())


def size(name: str) -> int | None:
    """Bytes from a function's beginning to whatever comes next; None where the kernel hides addresses."""
    try:
        with open(_SYMBOLS, encoding="ascii", errors="replace") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    begins = {int(words[0], 16) for words in lines if words[2:3] == [name] and words[1] in "tT"}
    following = min((at for at in (int(words[0], 16) for words in lines) if begins and at > min(begins)), default=None)
    return None if following is None or not all(begins) else following - min(begins)


def is_module(name: str) -> bool:
    """Whether a module of that name is loaded, or built in with parameters or a version."""
    return os.path.isdir(f"/sys/module/{name}")


def near(name: str, module: str | None = None) -> list[str]:
    """Returns names of functions that resemble `name`, the nearest first; those of a module as `module:name`."""
    from difflib import get_close_matches

    wanted = name.lower()
    alike: dict[str, str] = {}
    for found, of in functions():
        if (module is None or of == module) and _is_alike(found.lower(), wanted):
            alike.setdefault(found, found if of is None else f"{of}:{found}")
        if len(alike) >= _LOOKED_AT:
            break
    return [alike[found] for found in get_close_matches(name, alike, _NEAR, 0.7)]


def _is_alike(found: str, wanted: str) -> bool:
    """A cheap question before the dear one: nearly as long, and the same beginning or end."""
    return abs(len(found) - len(wanted)) <= 4 and (found[:3] == wanted[:3] or found[-3:] == wanted[-3:])


def may_be_target(name: str, attach_type: int) -> bool:
    """Whether a program may be bound to that: the kernel's types have the name, or a module has such a function."""
    word = ATTACH_TYPES[attach_type]
    wanted = f"\0{_BOUND.get(word, '')}{name}\0".encode()
    try:
        with open("/sys/kernel/btf/vmlinux", "rb") as file:
            if wanted in file.read():
                return True
    except OSError:
        return True  # no types at all: what is loaded says so
    if word == "trace_raw_tp":
        return any(found == f"__tracepoint_{name}" for found, _ in _symbols("dDbB"))
    return any(found == name and of is not None for found, of in _symbols())


def missing_target(name: str, attach_type: int) -> AttachError:
    """The error for a program that was to be bound to something that this kernel has no types (BTF) of."""
    word = ATTACH_TYPES[attach_type]
    if word == "trace_raw_tp":
        return _absent("tracepoint", name, near_tracepoints(name))
    if word in ("lsm_mac", "lsm_cgroup"):
        near_hooks = [
            found.removeprefix("bpf_lsm_") for found in near(f"bpf_lsm_{name}") if found.startswith("bpf_lsm_")
        ]
        return _absent("LSM hook", name, near_hooks)
    if word == "trace_iter":
        found = [one for one, _ in _symbols() if one.startswith("bpf_iter_") and not one.startswith("bpf_iter__")]
        return _absent(
            "iterator", name, sorted({one.removeprefix("bpf_iter_") for one in found if "init" not in one})[:5]
        )
    found = sorted({one for one, _ in _symbols() if one == name or one.startswith(f"{name}.")})
    if name in found:
        return AttachError(
            f"this kernel has no types (BTF) of function {name}, so no program can be bound to it",
            hint="a kprobe needs none",
        )
    return _absent("function", name, found[:_NEAR] or near(name))


def _absent(what: str, name: str, alike: list[str]) -> AttachError:
    return AttachError(f"this kernel has no {what} {name}", hint=f"near it: {', '.join(alike)}" if alike else "")


def blacklisted(name: str) -> bool:
    """Whether the kernel lets nobody probe that function; False where debugfs, which has the list, is not mounted."""
    return name in blacklist()


def blacklist() -> frozenset[str]:
    """The functions that the kernel lets nobody probe; none where debugfs, which has the list, is not mounted."""
    from bpfimg.kernel._mounts import of_type

    for place in of_type("debugfs"):
        try:
            with open(f"{place}/kprobes/blacklist", encoding="ascii", errors="replace") as file:
                return frozenset(name for line in file for name in line.split()[-1:])
        except OSError:
            continue
    return frozenset()

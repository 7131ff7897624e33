"""Candidates from the kernel's lists of functions and tracepoints, and from files that can be probed."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.cli._complete_line import Line

__all__ = [
    "events",
    "file_functions",
    "functions",
    "listed",
    "lsm_hooks",
    "modules",
    "probes",
    "system_calls",
    "tracepoints",
]

_LEAST = 2  # letters of a function's name: the kernel has a hundred thousand
_MOST = 1000
_CALL = re.compile(r"__(?:[a-z0-9]+_)?sys_([a-z0-9_]+)")


def tracepoints(line: Line) -> Iterator[tuple[str, str]]:
    """GROUP/NAME; the groups alone until one is chosen."""
    from bpfimg.kernel import functions as kernels

    found = kernels.tracepoints()
    if "/" not in line.current:
        yield from ((f"{group}/", "") for group in dict.fromkeys(group for group, _ in found))
        return
    yield from ((f"{group}/{name}", "") for group, name in found if f"{group}/{name}".startswith(line.current))


def events(line: Line) -> Iterator[tuple[str, str]]:
    """Tracepoints by name, without their groups."""
    from bpfimg.kernel import functions as kernels

    return ((name, group) for group, name in kernels.tracepoints() if name.startswith(line.current))


def functions(line: Line) -> Iterator[tuple[str, str]]:
    """Functions that begin like that, once two letters are there; MODULE:FUNC where one is begun."""
    module, colon, begin = line.current.rpartition(":")
    wanted = module or line.value("--module")
    return ((f"{module}{colon}{name}", where) for name, where in _functions(begin, wanted))


def _functions(begin: str, module: str | None = None) -> Iterator[tuple[str, str]]:
    from itertools import islice

    from bpfimg.kernel import functions as kernels

    if len(begin) < _LEAST:
        return
    found = (
        (name, where or "")
        for name, where in kernels.functions()
        if name.startswith(begin) and (module is None or where == module)
    )
    yield from islice(dict.fromkeys(found), _MOST)


def modules(line: Line) -> Iterator[tuple[str, str]]:
    """Modules of the kernel that are loaded."""
    with open("/proc/modules", encoding="ascii", errors="replace") as file:
        for text in file:
            yield text.partition(" ")[0], ""


def system_calls(line: Line) -> Iterator[tuple[str, str]]:
    """System calls, as the manual has them."""
    from bpfimg.kernel import functions as kernels

    found = (_CALL.fullmatch(name) for name, _ in kernels.functions() if name.startswith("__"))
    return ((name, "") for name in sorted({each[1] for each in found if each and each[1].startswith(line.current)}))


def lsm_hooks(line: Line) -> Iterator[tuple[str, str]]:
    """Hooks of security modules."""
    for name, _ in _functions(f"bpf_lsm_{line.current}"):
        yield name.removeprefix("bpf_lsm_"), ""


def probes(line: Line) -> Iterator[tuple[str, str]]:
    """Static probes of the file that TARGET names."""
    from bpfimg.load import hooks

    for each in hooks.attachable.probes(line.word("TARGET"), [], own=True):
        yield f"{each.provider}:{each.name}", ""


def file_functions(line: Line) -> Iterator[tuple[str, str]]:
    """Functions of the file that TARGET names."""
    from bpfimg.load import hooks

    pattern = re.sub(r"[*?\[]", "?", line.current) + "*"
    for each in hooks.attachable.uprobes(line.word("TARGET"), [pattern], own=True)[:_MOST]:
        yield each.name, ""


def listed(line: Line) -> Iterator[tuple[str, str]]:
    """The words of `hooks`: what its kind lists, or the file first."""
    kind, given = line.word("KIND"), line.words.get("FILE | PATTERN", [])
    if kind == "tracepoint":
        yield from tracepoints(line)
    elif kind == "kprobe":
        yield from _functions(line.current)
    elif kind in ("uprobe", "usdt") and not given:
        from bpfimg.cli._complete_system import programs

        yield from programs(line)

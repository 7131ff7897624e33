"""C sources that `bpfimg build` compiles itself: any file that puts something into a section of eBPF."""

from __future__ import annotations

import re
from itertools import islice

from bpfimg.inspect._tree_model import File, Found, Program, Seen, folder_of, is_plain, joined, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["included", "plain", "portable", "sections"]

_SECTION = re.compile(r'\bSEC\(\s*"([^"\n]{1,200})"\s*\)')
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]{1,300})[>"]', re.M)
_NO_PROGRAM = ("license", "version", ".maps", "maps", ".rodata", ".data", ".bss", ".kconfig", ".ksyms", ".struct_ops")
_HEADERS = 400  # that are followed from one source, and names that are looked for of each file
#: sections whose programs see nothing of the CPU: one object is for all machines of its byte order
_PORTABLE = (
    *("xdp", "tc", "tcx", "classifier", "action", "cgroup", "cgroup_skb", "sk_lookup", "sk_msg", "sk_skb", "sockops"),
    *("sk_reuseport", "socket", "flow_dissector", "netkit", "netfilter", "lwt_in", "lwt_out", "lwt_xmit"),
)
_VMLINUX = "vmlinux.h"


def plain(seen: Seen, claimed: frozenset[str]) -> Found:
    """One program for each C source with a program's section that no other kind of project claimed."""
    paths = {file.path: file for file in seen.files}
    called: dict[str, list[str]] = {}
    for path in filter(is_plain, paths):
        called.setdefault(path.rpartition("/")[2], []).append(path)
    inner = {path for file in seen.files for path in _included_sources(file)}
    programs = []
    notes = []
    for file in seen.files:
        if not file.path.endswith(".c") or file.path in claimed or file.path in inner or not sections(file.text):
            continue
        if is_plain(file.path):
            programs.append(_program(file, paths, called, seen))
        else:
            notes.append(f"{file.path!r} is left out: its name cannot stand in a command as it is")
    return Found(tuple(programs), frozenset(name for each in programs for name in each.inputs), tuple(notes))


def sections(text: str) -> list[str]:
    """The sections that a C source puts programs into, without what stands before a `/`."""
    found = (word.lstrip("?").partition("/")[0] for word in _SECTION.findall(text))
    return [word for word in found if word not in _NO_PROGRAM and not word.startswith((".rodata", ".data", ".bss"))]


def portable(words: Sequence[str], seen: Seen) -> tuple[str, ...]:
    """The platforms that programs of those sections are for: more than this machine's where they see no CPU."""
    return seen.both if all(word.partition(".")[0] in _PORTABLE for word in words) else (seen.host,)


def included(
    file: File, paths: Mapping[str, File], called: Mapping[str, Sequence[str]]
) -> tuple[set[str], set[str], list[str]]:
    """(headers in the tree that a source reads, folders that have to be given for that, names that are nowhere).

    `called` are the paths by the last part of them that may stand in a file that is written.
    """
    headers: set[str] = set()
    folders: set[str] = set()
    missing: dict[str, None] = {}
    todo = [file]
    while todo and len(headers) < _HEADERS:
        for found, folder, name in _resolved(todo.pop(), paths, called):
            if found is None:
                missing[name] = None
            elif found not in headers:
                headers.add(found)
                todo.append(paths[found])
            if folder is not None:
                folders.add(folder)
    return headers, folders, list(missing)


def _resolved(
    file: File, paths: Mapping[str, File], called: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str | None, str | None, str]]:
    """For each include: the file, the folder that it is looked for in (None: the source's own), and its name."""
    for quote, name in islice(dict.fromkeys(_INCLUDE.findall(file.text)), _HEADERS):
        beside = joined(folder_of(file.path), name) if quote == '"' else None
        if beside in paths:
            yield beside, None, name
            continue
        alike = called.get(name.rpartition("/")[2], ())
        near = [path for path in alike if path == name or path.endswith(f"/{name}")]
        if near:
            best = min(near, key=lambda path: (-_shared(path, file.path), path.count("/"), path))
            yield best, best[: -len(name)].rstrip("/") or ".", name
        elif quote == '"' or name == _VMLINUX:
            yield None, None, name


def _shared(one: str, other: str) -> int:
    """How many folders two paths have in common."""
    same = 0
    for left, right in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if left != right:
            break
        same += 1
    return same


def _included_sources(file: File) -> Iterator[str]:
    for quote, name in _INCLUDE.findall(file.text):
        if quote == '"' and name.endswith(".c"):
            path = joined(folder_of(file.path), name)
            if path is not None:
                yield path


def _program(file: File, paths: Mapping[str, File], called: Mapping[str, Sequence[str]], seen: Seen) -> Program:
    _, folders, missing = included(file, paths, called)
    words = sections(file.text)
    commands: tuple[str, ...] = ()
    tools: tuple[str, ...] = ("clang",)
    notes = []
    if _VMLINUX in missing:
        place = f"{folder_of(file.path)}/{_VMLINUX}".lstrip("/")
        commands = (f"bpftool btf dump file /sys/kernel/btf/vmlinux format c > {place}",)
        tools = ("clang", "bpftool")
        notes.append(f"{_VMLINUX} is not in the tree, so that each run makes {place} of its own kernel: better add it")
        folders.add(folder_of(file.path) or ".")
    lost = [name for name in missing if name != _VMLINUX and not name.startswith(("bpf/", "linux/"))]
    if lost:
        notes.append(f"{file.path} includes {', '.join(lost[:4])}, not in the tree: see [compile] includes")
    by_cpu = _VMLINUX in missing or any(name.endswith(_VMLINUX) for name in _names(file))
    return Program(
        name=named(file.path),
        kind="c",
        inputs=(file.path,),
        found=f"{file.path} is a C source with programs in sections {', '.join(dict.fromkeys(words[:4]))}",
        platforms=(seen.host,) if by_cpu else portable(words, seen),
        includes=tuple(sorted(folders)),
        commands=commands,
        tools=tools,
        notes=tuple(notes),
    )


def _names(file: File) -> list[str]:
    return [name for _, name in _INCLUDE.findall(file.text)]

"""Candidates from this machine, and bpfimg's own words: files, interfaces, namespaces, processes, users."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpfimg.cli._complete_line import Line

__all__ = [
    "cgroup_types",
    "cgroups",
    "files",
    "groups",
    "hook_types",
    "interfaces",
    "listed",
    "map_types",
    "named_files",
    "namespaces",
    "processes",
    "program_types",
    "programs",
    "reports",
    "results",
    "users",
    "verbs",
]

_MOST = 2000  # entries of a folder


def listed(current: str, words: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Words with commas between: the last of them, none twice."""
    before, comma, _ = current.rpartition(",")
    given = before.split(",")
    return ((f"{before}{comma}{word}", what) for word, what in words if word not in given)


def files(line: Line, *endings: str) -> Iterator[tuple[str, str]]:
    """Files with one of these endings, all without; folders, which end with a slash. `/` alone is folders only."""
    return named_files(line.current, endings)


def named_files(current: str, endings: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """The same for a path that begins somewhere in a word."""
    folder, name = os.path.split(current)
    begin = current[: len(current) - len(name)]
    with os.scandir(os.path.expanduser(folder) or ".") as entries:
        found = sorted(
            entry.name for entry, _ in zip(entries, range(_MOST), strict=False) if entry.name.startswith(name)
        )
        for each in found:
            if each.startswith(".") and not name.startswith("."):
                continue
            if os.path.isdir(os.path.join(os.path.expanduser(folder), each)):
                yield f"{begin}{each}/", ""
            elif not endings or each.endswith(endings):
                yield f"{begin}{each}", ""


def reports(line: Line, *forms: str) -> Iterator[tuple[str, str]]:
    """FORM=FILE."""
    form, equals, path = line.current.partition("=")
    if equals:
        yield from ((f"{form}={text}", what) for text, what in named_files(path))
    else:
        yield from ((f"{each}=", "") for each in forms)


def programs(line: Line) -> Iterator[tuple[str, str]]:
    """Programs: by path where there is a slash, else those of PATH."""
    if "/" in line.current or line.current.startswith("~"):
        yield from named_files(line.current)
        return
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        try:
            with os.scandir(folder or ".") as entries:
                names = [entry.name for entry in entries if entry.name.startswith(line.current)]
        except OSError:
            continue
        yield from ((name, folder) for name in sorted(names)[:_MOST])


def interfaces(line: Line) -> Iterator[tuple[str, str]]:
    """Those of the namespace that --netns names, else of ours."""
    from bpfimg.kernel import netlink, netns

    for name in netns.call(line.value("--netns"), netlink.interfaces):
        yield name, ""


def namespaces(line: Line) -> Iterator[tuple[str, str]]:
    """Names of `ip netns`; paths where one was begun."""
    if "/" in line.current:
        yield from named_files(line.current)
        return
    with os.scandir("/var/run/netns") as entries:
        for entry in entries:
            yield entry.name, ""


def cgroups(line: Line) -> Iterator[tuple[str, str]]:
    """Control groups, by path or below where cgroup2 is mounted."""
    from bpfimg.kernel import cgroups as kernels

    if line.current.startswith(("/", ".")):
        yield from named_files(line.current, ("/",))
        return
    top = f"{kernels.mount()}/"
    if not line.current:
        yield top, ""
    for text, what in named_files(f"{top}{line.current}", ("/",)):
        yield text.removeprefix(top), what


def processes(line: Line) -> Iterator[tuple[str, str]]:
    """Numbers of processes and what they are called."""
    with os.scandir("/proc") as entries:
        found = [entry.name for entry in entries if entry.name.isdigit()]
    for number in found:
        if number.startswith(line.current):
            try:
                with open(f"/proc/{number}/comm", encoding="utf-8", errors="replace") as file:
                    yield number, file.read().strip()
            except OSError:
                continue


def users(line: Line) -> Iterator[tuple[str, str]]:
    """Names of users."""
    from bpfimg.cli._pin_access import user_names

    return user_names()


def groups(line: Line) -> Iterator[tuple[str, str]]:
    """Names of groups."""
    from bpfimg.cli._pin_access import group_names

    return group_names()


def verbs(line: Line) -> Iterator[tuple[str, str]]:
    """The verbs of bpfimg."""
    from bpfimg.cli._main import VERBS

    return ((verb, text) for verb, (_, text) in VERBS.items())


def results(line: Line) -> Iterator[tuple[str, str]]:
    """What programs of a chain answer, with commas between: those of the hook, of all where that is not said."""
    from bpfimg.load import hooks

    word = line.verb.rpartition(" ")[2]
    known = hooks.ACTIONS.get(word) or dict.fromkeys(name for each in hooks.ACTIONS.values() for name in each)
    return listed(line.current, ((name, "") for name in known))


def hook_types(line: Line) -> Iterator[tuple[str, str]]:
    """Words of hooks, and types of programs."""
    from bpfimg.kernel import abi
    from bpfimg.load import hooks

    return ((word, "") for word in sorted({*hooks.WORDS, *abi.PROGRAM_TYPES[1:]}))


def program_types(line: Line) -> Iterator[tuple[str, str]]:
    """Types of programs, in the kernel's words."""
    from bpfimg.kernel import abi

    return ((word, "") for word in abi.PROGRAM_TYPES[1:])


def map_types(line: Line) -> Iterator[tuple[str, str]]:
    """Types of maps, in the kernel's words."""
    from bpfimg.kernel import abi

    return ((word, "") for word in abi.MAP_TYPES[1:])


def cgroup_types(line: Line) -> Iterator[tuple[str, str]]:
    """Attach types of control groups, in the kernel's words."""
    from bpfimg.kernel import abi

    return ((word, "") for word in abi.ATTACH_TYPES if "cgroup" in word)

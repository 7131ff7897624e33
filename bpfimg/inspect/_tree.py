"""What kind of eBPF project a source tree is, and what `bpfimg build` has to be told about it.

Decided from names and the beginnings of files alone: nothing is run, nothing is read here. C, cilium/ebpf (bpf2go),
libbpf with make, CMake or meson, Aya; a tree may be several of them.
"""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.inspect._tree_aya import crates
from bpfimg.inspect._tree_c import plain
from bpfimg.inspect._tree_go import generated
from bpfimg.inspect._tree_ignored import ignored
from bpfimg.inspect._tree_libbpf import built
from bpfimg.inspect._tree_model import File, Found, Program, Seen, Tree, is_plain, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["File", "Program", "Tree", "look"]

_ASIDE = ("test", "tests", "testdata", "test_data", "selftests")  # folders of programs that are for nobody else


def look(files: Sequence[File], host: str) -> Tree:
    """The programs of a tree. `host` is the platform of this machine, for programs that are for one CPU alone."""
    seen = Seen(tuple(sorted(files, key=lambda file: file.path)), ignored(files), host)
    found = _and(crates(seen), generated(seen))
    found = _and(found, built(seen, found.claimed))
    found = _and(found, plain(seen, found.claimed))
    found = _and(found, _objects(seen, found.claimed))
    programs, aside = _for_others(found.programs)
    return Tree(_distinct(programs), (*found.notes, *aside))


def _and(one: Found, more: Found) -> Found:
    return Found(
        (*one.programs, *more.programs), one.claimed | more.claimed, tuple(dict.fromkeys((*one.notes, *more.notes)))
    )


def _objects(seen: Seen, claimed: frozenset[str]) -> Found:
    """Objects that are in the tree and that nothing else in it makes."""
    sources = {named(path) for path in claimed}
    programs = [
        Program(named(file.path), "object", (file.path,), f"{file.path} is an eBPF object in the tree", (seen.host,))
        for file in seen.files
        if file.object
        and file.path not in claimed
        and not seen.ignored(file.path)
        and named(file.path) not in sources
        and is_plain(file.path)
    ]
    return Found(tuple(programs))


def _for_others(programs: Sequence[Program]) -> tuple[list[Program], list[str]]:
    """Programs without those of tests, unless there are no others; and what was left out."""
    mine = [each for each in programs if not set(_ASIDE) & set(each.inputs[0].split("/")[:-1])]
    if not mine:
        return list(programs), []
    return mine, [f"{each.inputs[0]} is left out: it is a test's" for each in programs if each not in mine]


def _distinct(programs: Sequence[Program]) -> tuple[Program, ...]:
    """Each with a name of its own: the second `probe` is `probe-2`."""
    names: set[str] = set()
    out = []
    for each in programs:
        name, number = each.name, 1
        while name in names:
            number += 1
            name = f"{each.name}-{number}"
        names.add(name)
        out.append(replace(each, name=name) if name != each.name else each)
    return tuple(out)

"""Projects of cilium/ebpf: `//go:generate ... bpf2go ...` lines, and the objects that bpf2go has made of them."""

from __future__ import annotations

import re
import shlex

from bpfimg._value import value
from bpfimg.image import bpf2go
from bpfimg.inspect._tree_model import File, Found, Program, Seen, folder_of, is_plain, joined, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["generated"]

_LINE = re.compile(r"^//go:generate[ \t]+(.*\bbpf2go\b.*)$", re.M)
_SWITCHES = ("verbose", "no-strip", "no-global-types")
#: GOARCH -> what stands before `_bpfel` or `_bpfeb` in a name (cilium/ebpf cmd/bpf2go/gen/target.go)
_TARGETS = {
    "386": "x86_bpfel",
    "amd64": "x86_bpfel",
    "arm": "arm_bpfel",
    "arm64": "arm64_bpfel",
    "loong64": "loongarch_bpfel",
    "mips": "mips_bpfeb",
    "ppc64": "powerpc_bpfeb",
    "ppc64le": "powerpc_bpfel",
    "riscv64": "riscv_bpfel",
    "s390x": "s390_bpfeb",
    "bpfel": "bpfel",
    "bpfeb": "bpfeb",
}
_OF_ORDER = {"little": ("linux/amd64", "linux/arm64"), "big": ("linux/s390x",)}


@value(frozen=True, slots=True)
class _Line:
    """One line for bpf2go: where its objects go, how their names begin, for which targets, of which C sources."""

    folder: str
    stem: str
    targets: tuple[str, ...]
    sources: tuple[str, ...]
    file: str


def generated(seen: Seen) -> Found:
    """One program for each line for bpf2go, and for each set of its objects that no line is there for."""
    objects: dict[tuple[str, str], list[str]] = {}
    for file in seen.files:
        name = bpf2go(file.path) if file.object else None
        if name is not None and is_plain(file.path):
            objects.setdefault((folder_of(file.path), name.stem), []).append(file.path)
    modules = {folder_of(file.path) for file in seen.files if file.path.rpartition("/")[2] == "go.mod"}
    programs: list[Program] = []
    claimed: set[str] = set()
    for line in _lines(seen.files):
        there = objects.pop((line.folder, line.stem), [])
        claimed |= {*there, *line.sources}
        programs.append(_program(line, there, modules, seen))
    for (_, stem), there in objects.items():
        kept = [path for path in there if not seen.ignored(path)]
        claimed |= set(there)
        if kept:
            inputs, platforms = _inputs(kept, seen.host)
            found = f"{', '.join(inputs)} {_are(inputs)} in the tree, named as bpf2go does"
            programs.append(Program(named(stem), "bpf2go", inputs, found, platforms))
    return Found(tuple(programs), frozenset(claimed))


def _lines(files: Sequence[File]) -> Iterator[_Line]:
    for file in files:
        if not file.path.endswith(".go") or file.path.endswith("_test.go"):
            continue
        for words in _LINE.findall(file.text):
            if line := _line(words, file.path):
                yield line


def _line(text: str, path: str) -> _Line | None:
    """What a line says; None for one that is not understood."""
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    at = next((i for i, word in enumerate(words) if word.partition("@")[0].rpartition("/")[2] == "bpf2go"), None)
    if at is None:
        return None
    options: dict[str, str] = {}
    rest = words[at + 1 :]
    while rest and rest[0].startswith("-") and rest[0] != "--":
        name, equals, given = rest.pop(0).lstrip("-").partition("=")
        if not equals and name not in _SWITCHES and rest:
            given = rest.pop(0)
        options[name] = given
    sources = rest[1 : rest.index("--")] if "--" in rest else rest[1:]
    here = folder_of(path)
    folder = joined(here, options.get("output-dir", "."))
    stem = options.get("output-stem") or (rest[0].lower() if rest else "")
    if not sources or folder is None or not is_plain(f"{folder}/{stem}".lstrip("/")) or not is_plain(path):
        return None
    targets = tuple(options.get("target", "bpfel,bpfeb").split(","))
    return _Line(folder, stem, targets, tuple(filter(None, (joined(here, word) for word in sources))), path)


def _program(line: _Line, there: Sequence[str], modules: set[str], seen: Seen) -> Program:
    kept = [path for path in there if not seen.ignored(path)]
    source = f"{line.file} has bpf2go make objects of {', '.join(line.sources) or 'C sources'}"
    if kept:
        inputs, platforms = _inputs(kept, seen.host)
        found = f"{source}; {len(inputs)} of them {_are(inputs)} in the tree"
        note = "the objects in the tree are taken as they are: let CI run `go generate ./...` and compare"
        return Program(named(line.stem), "bpf2go", inputs, found, platforms, notes=(note,))
    inputs, platforms = _inputs([f"{line.folder}/{name}".lstrip("/") for name in _expected(line, seen.host)], seen.host)
    module = max((each for each in modules if _within(line.file, each)), key=len, default="")
    command = f"go -C {module} generate ./..." if module else "go generate ./..."
    return Program(
        name=named(line.stem),
        kind="bpf2go",
        inputs=inputs,
        found=f"{source}; they are not in the tree, so `go generate` comes first",
        platforms=platforms,
        commands=(command,),
        tools=("go", "clang"),
    )


def _within(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _expected(line: _Line, host: str) -> list[str]:
    """The names that bpf2go gives; `native` and `bpf` are this machine's."""
    machine = host.partition("/")[2]
    words = []
    for target in line.targets:
        if target == "bpf":
            words.append("bpf")
        else:
            words.append(_TARGETS.get(machine if target == "native" else target, ""))
    return [f"{line.stem}_{word}.o" for word in dict.fromkeys(words) if word]


def _inputs(paths: Sequence[str], host: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What to build of those objects, and the platforms that have to be said: none where all names tell."""
    telling = [path for path in sorted(paths) if (name := bpf2go(path)) and name.machine]
    if telling:
        return tuple(telling), ()
    orders = [name.byte_order for path in sorted(paths) if (name := bpf2go(path))]
    platforms = [platform for order in ("little", "big") if order in orders for platform in _OF_ORDER[order]]
    return tuple(sorted(paths)), tuple(platforms) or (host,)


def _are(inputs: Sequence[str]) -> str:
    return "is" if len(inputs) == 1 else "are"

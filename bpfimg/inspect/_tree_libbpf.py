"""Projects that build with libbpf: `NAME.bpf.c`, made into `NAME.bpf.o` for a skeleton by make, CMake or meson."""

from __future__ import annotations

import re

from bpfimg.inspect._tree_c import portable, sections
from bpfimg.inspect._tree_model import File, Found, Program, Seen, folder_of, is_plain, joined, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["built"]

_SOURCE = ".bpf.c"
#: how a build file shows that it makes eBPF objects
_SIGNS = re.compile(r"\.bpf\.[oc]\b|gen\s+skeleton|\bbpf_object\s*\(")
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_VARIABLE = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)[ ]*[:?]{0,2}=[ ]*([^#\n]*)", re.M)
_USE = re.compile(r"\$[({]([A-Za-z_][A-Za-z0-9_]*)[)}]")
_ABSOLUTE = re.compile(r"\$\((?:abspath|realpath)\s+([^()]*)\)")
_EXPANSIONS = 8


def built(seen: Seen, claimed: frozenset[str]) -> Found:
    """One program for each `NAME.bpf.c` below a build file that makes objects of such sources."""
    makers = {
        file.path: file
        for file in seen.files
        if file.path.rpartition("/")[2] in (*_MAKEFILES, "CMakeLists.txt", "meson.build")
    }
    objects = [file.path for file in seen.files if file.object and is_plain(file.path)]
    programs = []
    mine: set[str] = set()
    notes = []
    for file in seen.files:
        if not file.path.endswith(_SOURCE) or file.path in claimed or not sections(file.text):
            continue
        maker = _maker(file.path, makers)
        if maker is None or not is_plain(file.path):
            continue
        found = _program(file, maker, makers, objects, seen)
        if found is None:
            notes.append(f"{maker.path} makes objects in a way that is not understood: {file.path} is compiled instead")
            continue
        programs.append(found)
        mine |= {file.path, *found.inputs}
        mine |= {path for path in objects if _is_of(path, file.path)}
    return Found(tuple(programs), frozenset(mine), tuple(notes))


def _maker(source: str, makers: Mapping[str, File]) -> File | None:
    """The nearest build file above a source that makes objects of such."""
    above: str | None = folder_of(source)
    while above is not None:
        for name in (*_MAKEFILES, "CMakeLists.txt", "meson.build"):
            file = makers.get(f"{above}/{name}".lstrip("/"))
            if file is not None and _SIGNS.search(file.text):
                return file
        above = folder_of(above) if above else None
    return None


def _stem(source: str) -> str:
    return source.rpartition("/")[2].removesuffix(_SOURCE)


def _is_of(path: str, source: str) -> bool:
    return path.rpartition("/")[2] == f"{_stem(source)}.bpf.o"


def _program(file: File, maker: File, makers: Mapping[str, File], objects: Sequence[str], seen: Seen) -> Program | None:
    top = folder_of(maker.path)
    there = [path for path in objects if _is_of(path, file.path) and (not top or path.startswith(f"{top}/"))]
    platforms = (seen.host,) if "vmlinux.h" in file.text else portable(sections(file.text), seen)
    kept = next((path for path in there if not seen.ignored(path) and not _is_output(path)), None)
    if kept:
        note = f"{kept} is taken as it is in the tree: it is made by {maker.path}"
        found = f"{kept} is in the tree, of {file.path}"
        return Program(named(file.path), "libbpf", (kept,), found, platforms, notes=(note,))
    made = _made(file, maker, makers)
    if made is None:
        return None
    path, commands, tool = made
    return Program(
        name=named(file.path),
        kind="libbpf",
        inputs=(path,),
        found=f"{maker.path} makes {path} of {file.path}",
        platforms=platforms,
        commands=commands,
        tools=(tool, "clang", *(("bpftool",) if _needs_bpftool(maker) else ())),
    )


def _needs_bpftool(maker: File) -> bool:
    """Whether the build starts a bpftool that it does not build itself."""
    return "bpftool" in maker.text and "BPFTOOL_SRC" not in maker.text


def _is_output(path: str) -> bool:
    """Whether a path is in a folder that builds write into: such an object is no part of the tree."""
    return bool({".output", "build", "builddir", "out", "dist"} & set(path.split("/")[:-1]))


def _made(file: File, maker: File, makers: Mapping[str, File]) -> tuple[str, tuple[str, ...], str] | None:
    """Where the object will be, the commands that make it, and the tool; None where the build file does not say."""
    name = maker.path.rpartition("/")[2]
    if name in _MAKEFILES:
        return _by_make(file.path, maker)
    top = _topmost(folder_of(maker.path), name, makers)
    inner = folder_of(maker.path)[len(top) :].lstrip("/")
    place = _by_cmake(file.path, maker.text) if name == "CMakeLists.txt" else _by_meson(file.path, maker.text)
    if place is None:
        return None
    build = f"{top}/build".lstrip("/")
    path = joined("", f"{build}/{inner}/{place}")
    if path is None or not is_plain(path):
        return None
    if name == "meson.build":
        return path, (f"meson setup {build} {top or '.'}", f"meson compile -C {build}"), "meson"
    return path, (f"cmake -S {top or '.'} -B {build}", f"cmake --build {build}"), "cmake"


def _topmost(folder: str, name: str, makers: Mapping[str, File]) -> str:
    found = folder
    while folder:
        folder = folder_of(folder)
        if f"{folder}/{name}".lstrip("/") in makers:
            found = folder
    return found


def _by_make(source: str, maker: File) -> tuple[str, tuple[str, ...], str] | None:
    folder, stem = folder_of(maker.path), _stem(source)
    inner = source[len(folder) :].lstrip("/").removesuffix(_SOURCE)
    variables = {name: text.strip() for name, text in _VARIABLE.findall(maker.text)}
    for line in maker.text.replace("\\\n", " ").splitlines():
        targets, colon, _ = line.partition(":")
        if not colon or line.startswith(("\t", "#", ".")) or "=" in targets:
            continue
        for target in _expanded(targets, variables).split():
            place = _target(target, stem, inner)
            path = joined(folder, place) if place else None
            at = (place or "").removeprefix("./")
            if path and is_plain(path) and is_plain(at):
                return path, (f"make -C {folder} {at}" if folder else f"make {at}",), "make"
    return None


def _target(target: str, stem: str, inner: str) -> str | None:
    """A rule's target as the name of this object; None for a rule about something else."""
    if target.endswith("%.bpf.o"):
        before = target.removesuffix("%.bpf.o")
        return f"{before}{stem if before else inner}.bpf.o"
    if target.endswith("%.o") and target != "%.o":
        return f"{target.removesuffix('%.o')}{stem}.bpf.o" if "bpf" in target else None
    return target if target.rpartition("/")[2] == f"{stem}.bpf.o" else None


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """`text` with the variables that a Makefile sets to plain words; what is left of others has a `$`."""
    for _ in range(_EXPANSIONS):
        new = _USE.sub(lambda match: variables.get(match[1], match[0])[:1000], text)[:10_000]
        new = _ABSOLUTE.sub(lambda match: match[1].strip(), new)
        if new == text:
            break
        text = new
    return text.replace("$(CURDIR)/", "")


def _by_cmake(source: str, text: str) -> str | None:
    """The object's place below the build folder of this CMakeLists.txt."""
    stem, name = _stem(source), source.rpartition("/")[2]
    object_ = re.search(rf"\bbpf_object\s*\(\s*(\S+)\s+\S*{re.escape(name)}", text)
    if object_:  # libbpf-bootstrap's FindBpfObject
        return f"{stem if '$' in object_[1] else object_[1]}.bpf.o"
    if re.search(r"\bbpf_object\s*\(\s*\$\{\w+\}\s+\S*\$\{\w+\}\.bpf\.c", text):
        return f"{stem}.bpf.o"
    for place in re.findall(r"([^\s\"();]*\.bpf\.o)\b", text):
        short = re.sub(r"^\$\{CMAKE_(?:CURRENT_)?BINARY_DIR\}/", "", place)
        name = short.rpartition("/")[2]
        if name == f"{stem}.bpf.o" or re.fullmatch(r"\$\{\w+\}\.bpf\.o", name):
            where = folder_of(short)
            if "$" not in where and not where.startswith("/"):
                return f"{where}/{stem}.bpf.o".lstrip("/")
    return None


def _by_meson(source: str, text: str) -> str | None:
    """The object's place below the build folder of this meson.build: outputs of meson have no folder."""
    stem = _stem(source)
    names = re.findall(r"'([^'\n]*\.o)'", text)
    for name in names:
        if name in ("@BASENAME@.o", "@BASENAME@.bpf.o", "@0@.bpf.o", f"{stem}.bpf.o"):
            return f"{stem}.bpf.o" if name != "@BASENAME@.bpf.o" else f"{stem}.bpf.bpf.o"
    return f"{stem}.bpf.o" if re.search(r"\+\s*'\.bpf\.o'", text) else None

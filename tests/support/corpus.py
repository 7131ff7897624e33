"""The corpus: eBPF objects of every kind, compiled here from `tests/corpus`, each one once for all test runs.

A source says in its first lines how it wants to be compiled:

    // corpus: [NAME] [el|eb] [clang>=N] [FLAG…]

Without NAME the line changes the two objects that every source gives: little-endian by this machine's `clang`, and
big-endian by the newest clang there is. With NAME it adds one. FLAGs are added to `-g -O2`, or replace them when
they begin with -O. `compiled()` adds what has no file: every row of the table of sections, variants of several
sources (no BTF, DWARF kept, other versions of the instruction set), statically linked objects, and a big one.

Objects are kept in `.cache/corpus` by the hash of all that they are made from.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "tests" / "corpus"
EXAMPLES = ROOT / "examples" / "bytecode"
CACHE = ROOT / ".cache" / "corpus"

_NEWEST, _OLDEST = 30, 14  # of the clangs that are looked for under the names Debian gives them
_ORDERS = ("el", "eb")

#: What is compiled of several sources besides the two ordinary objects: name -> flags, DWARF kept, sources.
VARIANTS: dict[str, tuple[tuple[str, ...], bool, tuple[str, ...]]] = {
    "nobtf": (
        ("-O2",),
        False,
        (
            "section_several",
            "section_question",
            "subprogram_static",
            "global_integers",
            "global_static",
            "isa_branches",
        ),
    ),
    "dwarf": (
        ("-g", "-O2"),
        True,
        ("section_several", "subprogram_chain", "core_everywhere", "global_structs", "callback_timer"),
    ),
    "dwarf-compressed": (("-g", "-O2", "-gz"), True, ("section_several", "core_everywhere")),
    "lines-only": (("-gline-tables-only", "-O2"), True, ("section_several", "subprogram_static")),
    "small": (("-g", "-Os"), False, ("subprogram_chain", "isa_branches", "isa_memory")),
    "plain": (("-g", "-O1"), False, ("subprogram_chain", "callback_loop", "isa_branches")),
    "v1": (("-g", "-O2", "-mcpu=v1"), False, ("subprogram_chain", "isa_branches")),
    "v3": (("-g", "-O2", "-mcpu=v3"), False, ("subprogram_chain", "isa_branches", "core_everywhere")),
}


class Sample(NamedTuple):
    """One object: where it is from, its bytes, and words for what is special about it.

    Words: "el" or "eb", "btf", "dwarf", "linked", "packaged" (not compiled here).
    """

    name: str
    data: bytes
    flags: frozenset[str]


@dataclass(frozen=True)
class Recipe:
    """How one object is made: the name of the object, the C text, the compiler and what it is told."""

    name: str
    text: str
    compiler: str
    order: str
    flags: tuple[str, ...]
    keep_dwarf: bool = False
    btf: bool = True


@functools.cache
def compilers() -> tuple[str, ...]:
    """This machine's `clang` first, then the newer ones that Debian has beside it, the newest last."""
    if shutil.which("clang") is None or shutil.which("llvm-strip") is None:
        pytest.skip("needs clang and llvm-strip to compile the corpus", allow_module_level=True)
    versions = {version_of("clang"): "clang"}
    for number in range(_OLDEST, _NEWEST):
        name = f"clang-{number}"
        if number > version_of("clang") and shutil.which(name):
            versions[number] = name
    return tuple(versions[number] for number in sorted(versions))


@functools.cache
def version_of(compiler: str) -> int:
    """The major version of that clang."""
    said = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"clang version (\d+)", said)
    return int(found[1]) if found else 0


@functools.cache
def compiled() -> tuple[Sample, ...]:
    """All objects that can be compiled on this machine, by name."""
    recipes = [*_from_sources(), *_from_variants(), *_from_sections(), _big()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(made, recipes))
    samples = [_sample(recipe.name, data, recipe) for recipe, data in zip(recipes, objects, strict=True)]
    samples += _linked({sample.name: sample.data for sample in samples})
    return tuple(sorted(samples))


def one(name: str) -> bytes:
    """The object of that name, such as "core_nested.el"; skips the test where it cannot be compiled."""
    for sample in compiled():
        if sample.name == name:
            return sample.data
    pytest.skip(f"needs a clang that can compile {name}")


def _sample(name: str, data: bytes, recipe: Recipe | None = None) -> Sample:
    words = {"el" if data[5] == 1 else "eb"}
    if b"\0.BTF\0" in data:
        words.add("btf")
    if b"\0.debug_info\0" in data or b".rel.debug_info\0" in data:
        words.add("dwarf")
    if recipe is None:
        words.add("linked")
    return Sample(name, data, frozenset(words))


# --- what is compiled


def _from_sources() -> list[Recipe]:
    recipes: list[Recipe] = []
    for path in [*sorted(SOURCES.glob("*.bpf.c")), *sorted(EXAMPLES.glob("*.bpf.c"))]:
        stem = path.name.removesuffix(".bpf.c")
        recipes += _of(stem if path.parent == SOURCES else f"example_{stem}", path.read_text())
    return recipes


def _of(stem: str, text: str) -> list[Recipe]:
    """The recipes of one source."""
    orders, oldest, flags = _ORDERS, 0, ("-g", "-O2")
    named: list[tuple[str, str, int, tuple[str, ...]]] = []
    for line in re.findall(r"^// corpus:(.*)$", text, re.M):
        words = line.split()
        order = [word for word in words if word in _ORDERS]
        least = next((int(word[len("clang>=") :]) for word in words if word.startswith("clang>=")), 0)
        own = tuple(word for word in words if word.startswith("-"))
        whole = own if own and own[0].startswith("-O") else ("-g", "-O2", *own)
        name = next((w for w in words if w not in _ORDERS and not w.startswith(("-", "clang>="))), "")
        if name:
            named.append((name, order[0] if order else "el", least, whole))
        else:
            orders, oldest, flags = tuple(order) or _ORDERS, least, whole
    recipes = []
    for order_ in orders:
        compiler = _compiler(oldest, newest=order_ == "eb")
        if compiler:
            recipes.append(Recipe(f"{stem}.{order_}", text, compiler, order_, flags))
    for name, order_, least, whole in named:
        compiler = _compiler(least, newest=False)
        if compiler:
            recipes.append(Recipe(f"{stem}.{order_}.{name}", text, compiler, order_, whole))
    return recipes


def _compiler(oldest: int, *, newest: bool) -> str | None:
    fitting = [name for name in compilers() if version_of(name) >= oldest]
    if not fitting:
        return None
    return fitting[-1 if newest else 0]


def _from_variants() -> list[Recipe]:
    recipes = []
    for name, (flags, keep, sources) in VARIANTS.items():
        for source in sources:
            text = (SOURCES / f"{source}.bpf.c").read_text()
            for order, compiler in (("el", compilers()[0]), ("eb", compilers()[-1])):
                recipes.append(Recipe(f"{source}.{order}.{name}", text, compiler, order, flags, keep))
    for source in ("section_several", "core_everywhere", "global_structs", "map_types", "isa_branches"):
        text = (SOURCES / f"{source}.bpf.c").read_text()
        recipes.append(Recipe(f"{source}.el.newest", text, compilers()[-1], "el", ("-g", "-O2")))
        recipes.append(Recipe(f"{source}.eb.oldest", text, compilers()[0], "eb", ("-g", "-O2")))
    return recipes


def section_rows() -> list[tuple[str, ...]]:
    """The rows of bpfimg's own table of sections: pattern, program type, attach type …"""
    from bpfimg.bytecode import _sections

    text = _sections._TABLE + _sections._HISTORIC
    return [tuple(line.split()) for line in text.splitlines() if line]


def _from_sections() -> list[Recipe]:
    """An object for each program type: all its sections, with and without a target."""
    by_type: dict[str, list[str]] = {}
    for row in section_rows():
        pattern = row[0]
        sections = [pattern]
        if pattern.endswith("+"):
            sections = [pattern[:-1], pattern[:-1] + "/some/target"]
        elif pattern.endswith("/"):
            sections = [pattern + "name"]
        by_type.setdefault(row[1], []).extend(sections)
    recipes = []
    for kind, sections in by_type.items():
        text = '#include "prelude.h"\n'
        for number, section in enumerate(sections):
            text += f'SEC("{section}") int {kind}_{number}(void *ctx)\n{{\n\treturn {number % 2};\n}}\n'
        text += 'LICENSE("GPL");\n'
        recipes += _of(f"sections_{kind}", text)
    return recipes


def _big() -> Recipe:
    """An object of about a mebibyte: 48 programs with maps, globals, types, sub-programs and CO-RE relocations."""
    text = '#include "prelude.h"\nstruct task_struct {\n\tint pid;\n\tlong state;\n} __core;\n'
    for n in range(48):
        fields = "".join(f"\t__u{(8, 16, 32, 64)[i % 4]} field_{i}_of_{n};\n" for i in range(12))
        steps = "".join(
            f"\tsum += task->pid * {i + 3} + (global_{n} ^ bpf_ktime_get_ns());\n\tbarrier_var(sum);\n"
            for i in range(60)
        )
        text += (
            f"struct record_{n} {{\n{fields}}};\n"
            "struct {\n\t__uint(type, 1);\n\t__uint(max_entries, 64);\n\t__type(key, int);\n"
            f'\t__type(value, struct record_{n});\n}} map_{n} SEC(".maps");\n'
            f"volatile __u64 global_{n} = {n};\nconst volatile int setting_{n} = {n};\n"
            f"static __noinline __u64 sub_{n}(__u64 value)\n{{\n\tbarrier_var(value);\n\treturn value * {n + 3};\n}}\n"
            f'SEC("raw_tp/sched_switch") int program_{n}(struct task_struct *task)\n{{\n'
            f"\t__u64 sum = setting_{n};\n\tint key = {n};\n{steps}"
            f"\tstruct record_{n} *found = bpf_map_lookup_elem(&map_{n}, &key);\n"
            f"\tif (found)\n\t\tsum += found->field_3_of_{n};\n\treturn sub_{n}(sum);\n}}\n"
        )
    return Recipe("big.el", text + 'LICENSE("GPL");\n', compilers()[0], "el", ("-g", "-O2"))


# --- how


def made(recipe: Recipe) -> bytes:
    """The object of that recipe, compiled now unless it is kept."""
    include = f"/usr/include/{platform.machine()}-linux-gnu"  # asm/types.h on Debian
    target = "bpfel" if recipe.order == "el" else "bpfeb"
    command = [recipe.compiler, "-target", target, *recipe.flags, "-Wno-everything", f"-I{SOURCES}", f"-I{include}"]
    command += [f"-ffile-prefix-map={ROOT}=.", "-x", "c", "-c", "-o", "-", "-"]
    version = str(version_of(recipe.compiler))
    made_from = [version, *command, str(recipe.keep_dwarf), (SOURCES / "prelude.h").read_text(), recipe.text]
    digest = hashlib.sha256("\0".join(made_from).encode()).hexdigest()

    def make() -> bytes:
        data = _run(command, recipe.text.encode(), recipe.name)
        return data if recipe.keep_dwarf else _run(["llvm-strip", "-g", "-o", "-", "-"], data, recipe.name)

    return _kept(digest, make)


def _linked(objects: dict[str, bytes]) -> list[Sample]:
    """What libbpf's static linker makes of several objects; it takes this machine's byte order only."""
    if shutil.which("bpftool") is None or sys.byteorder != "little":
        return []
    together = {
        "linked_two": ("linked_caller.el", "linked_callee.el"),
        "linked_one": ("core_everywhere.el",),
        "linked_globals": ("global_static.el", "section_data_only.el"),
        "linked_maps": ("map_in_map_static.el",),
    }
    found = []
    for name, parts in together.items():
        inputs = [objects[part] for part in parts if part in objects]
        digest = hashlib.sha256(b"linked\0" + b"".join(hashlib.sha256(part).digest() for part in inputs)).hexdigest()
        found.append(_sample(f"{name}.el", _kept(digest, functools.partial(_link, inputs))))
    return found


def _link(inputs: list[bytes]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, data in enumerate(inputs):
            paths.append(f"{folder}/{number}.o")
            Path(paths[-1]).write_bytes(data)
        _run(["bpftool", "gen", "object", f"{folder}/out.o", *paths], b"", "linked objects")
        return Path(f"{folder}/out.o").read_bytes()


def _kept(digest: str, make: Callable[[], bytes]) -> bytes:
    """The bytes kept under that digest, made now if they are not there; several processes may do so at once."""
    path = CACHE / f"{digest[:40]}.o"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    data = make()
    CACHE.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_bytes(data)
    draft.rename(path)
    return data


def _run(command: list[str], given: bytes, name: str) -> bytes:
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(f"{name}: {' '.join(command)}: {done.stderr.decode(errors='replace')[:2000]}")
    return done.stdout

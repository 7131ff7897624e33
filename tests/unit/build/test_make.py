"""A recipe to images with all that went in; how images of an index differ; whether an image is what was built."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg import build
from bpfimg._value import replace
from bpfimg.build._flags import Flags, flags
from bpfimg.build._headers import sources
from bpfimg.build._made import Source
from bpfimg.bytecode import parse
from bpfimg.errors import BytecodeError, ImageError, NotSupported, UsageError
from bpfimg.oci import Memory, Platform
from tests.support.objects import EXAMPLES, PRELUDE, compile_source
from tests.support.strangers import repository

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.build import Built

XDP = (
    'struct { __uint(type, 1); __type(key, __u32); __type(value, __u64); __uint(max_entries, 2); } seen SEC(".maps");'
    'SEC("xdp") int pass(void *c) { return 2; } char LICENSE[] SEC("license") = "GPL";'
)
KPROBE = 'SEC("kprobe/do_exit") int probe(void *c) { return 0; } char LICENSE[] SEC("license") = "GPL";'
SOURCE = (
    "// SPDX-License-Identifier: GPL-2.0-only\n" + PRELUDE + '#include <far.h>\n#include "inner/near.h"\n'
    'SEC("xdp") int pass(int *c) { return far(*c) + NEAR; } char LICENSE[] SEC("license") = "GPL";\n'
)


def tree(folder: Path, *, far: str = "far") -> tuple[str, str]:
    """A source with a header beside it and one in another folder; returns both ways."""
    (folder / "src" / "inner").mkdir(parents=True)
    (folder / far).mkdir(parents=True)
    (folder / "src" / "prog.bpf.c").write_text(SOURCE)
    (folder / "src" / "inner" / "near.h").write_text("#define NEAR 3\n")
    (folder / far / "far.h").write_text("#define far(n) ((n) * 2)\n")
    return str(folder / "src" / "prog.bpf.c"), str(folder / far)


def made(*words: str, asked: str = "", link: bool = False, **more: object) -> tuple[Built, ...]:
    slots = build.slots(words, asked=[asked] if asked else (), link=link)
    return build.images(build.Recipe(slots=slots, link=link, **more))  # type: ignore[arg-type]


def put(folder: Path, name: str, source: str, target: str = "bpfel", *, strip: bool = False) -> str:
    (folder / name).write_bytes(compile_source(source, target=target, strip=strip))
    return str(folder / name)


@pytest.mark.parametrize("compiler", ["clang", "clang-19"])
def test_every_file_that_went_in_and_no_path_of_this_machine(tmp_path: Path, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    path, far = tree(tmp_path)
    found = made(path, asked="linux/amd64,linux/s390x", includes=(far,), compiler=compiler, cpu="v3")
    one, other = found
    assert [(source.path, source.kind) for source in one.sources] == [
        ("prog.bpf.c", "c"),
        ("include1/far.h", "header"),
        ("inner/near.h", "header"),
    ]
    digests = [hashlib.sha256((tmp_path / way).read_bytes()).hexdigest() for way in ("src/prog.bpf.c", "far/far.h")]
    assert [source.digest for source in one.sources[:2]] == digests
    assert one.sources[0].license == "GPL-2.0-only"
    assert "clang version" in (one.compiler or "")
    assert one.arguments[:2] == ("-target", "bpfel")
    assert other.arguments[:2] == ("-target", "bpfeb")
    assert {"-g", "-O2", "-mcpu=v3", "-D__TARGET_ARCH_x86", "-Iinclude1", "./prog.bpf.c"} <= set(one.arguments)
    assert "-D__TARGET_ARCH_s390" in other.arguments
    assert str(tmp_path) not in repr((one.sources, one.arguments, other.arguments))
    assert one.stripped > 1000
    assert (one.image.object.dwarf_size, one.linker) == (0, None)


def test_what_went_in_is_the_same_from_another_tree(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "a"), tree(tmp_path / "b" / "deeper", far="else where/far")
    one, other = (made(path, asked="linux/arm64", includes=(far,))[0] for path, far in (first, second))
    assert one == other


def test_system_headers_are_named_by_their_path() -> None:
    (found,) = made(str(EXAMPLES / "xdp_counter.bpf.c"), asked="linux/amd64")
    names = [source.path for source in found.sources]
    assert names[0] == "xdp_counter.bpf.c"
    assert "/usr/include/linux/bpf.h" in names
    assert names[1:] == sorted(names[1:])


def test_names_in_clangs_list() -> None:
    told = flags("amd64", [], [], "/")
    listed = "x: ./-o\\ evil.c \\\n  in\\#1/a$$b.h ./-o\\ evil.c\n"
    with pytest.raises(BytecodeError, match=r"'-o evil\.c', which clang read, cannot be read again"):
        sources(listed, "/no/such", told)


def test_headers_with_odd_names(tmp_path: Path) -> None:
    (tmp_path / "a b#c$d.h").write_text("#define X 1\n")
    (tmp_path / "p.c").write_text('#include "a b#c$d.h"\nint f(void) { return X; }\n')
    (found,) = made(str(tmp_path / "p.c"), asked="linux/amd64")
    assert [source.path for source in found.sources] == ["p.c", "a b#c$d.h"]


def test_a_header_whose_name_is_no_text(tmp_path: Path) -> None:
    with open(os.path.join(os.fsencode(tmp_path), b"\xff.h"), "w") as file:
        file.write("#define X 1\n")
    (tmp_path / "p.c").write_bytes(b'#include "\xff.h"\nint f(void) { return X; }\n')
    (found,) = made(str(tmp_path / "p.c"), asked="linux/amd64")
    assert [source.path for source in found.sources] == ["p.c", "\ufffd.h"]


def test_the_longest_folder_names_a_header() -> None:
    told = Flags((), (), {"../inc": "include1", "../inc/sub": "include2"})
    assert told.name("../inc/sub/x.h") == "include2/x.h"
    assert told.name("../inc/y/../x.h") == "include1/x.h"
    assert told.name("./../z.h") == "../z.h"
    assert told.name("/usr/include/a.h") == "/usr/include/a.h"


def test_one_object_for_several_platforms(tmp_path: Path) -> None:
    path = put(tmp_path, "p.o", XDP)
    found = made(f"linux/amd64,linux/arm64,linux/riscv64={path}")
    assert [str(each.image.platform) for each in found] == ["linux/amd64", "linux/arm64", "linux/riscv64"]
    assert len({each.image.bytecode for each in found}) == 1
    assert found[0].sources == (Source.of("p.o", (tmp_path / "p.o").read_bytes(), "object"),)
    assert (found[0].compiler, found[0].arguments) == (None, ())
    assert "clang version" in found[0].image.description.parts["toolchain"]
    assert found[0].image.check() == ()
    with pytest.raises(ImageError, match=r"BI-25|little-endian"):
        made(path, asked="linux/amd64,linux/s390x")


def test_dwarf_stays_where_it_is_wanted(tmp_path: Path) -> None:
    path = put(tmp_path, "p.o", XDP)
    (kept,) = made(path, asked="linux/amd64", strip=False)
    assert kept.image.bytecode == (tmp_path / "p.o").read_bytes()
    assert kept.stripped == 0
    plain = put(tmp_path, "q.o", XDP, strip=True)
    (left,) = made(plain, asked="linux/amd64")
    assert left.image.bytecode == (tmp_path / "q.o").read_bytes()


def test_words_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "p.o", XDP)
    for more in ({"defines": ("A",)}, {"includes": ("x",)}, {"cpu": "v3"}):
        with pytest.raises(UsageError, match="is not a C source"):
            made(path, asked="linux/amd64", **more)
    with pytest.raises(UsageError, match="DWARF cannot be kept"):
        made(path, asked="linux/amd64", link=True, strip=False)


def test_what_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "text.o").write_text("text")
    with pytest.raises(BytecodeError, match="not an ELF file"):
        made(str(tmp_path / "text.o"))
    with pytest.raises(BytecodeError, match="cannot be read"):
        made(str(tmp_path / "none.o"))


def test_maps_of_the_old_kind_are_declared_where_the_object_may_be_changed(tmp_path: Path) -> None:
    old = 'struct d { int t, k, v, m; }; struct d old SEC("maps") = { 1, 4, 8, 1 };' + KPROBE
    path = put(tmp_path, "old.o", old)
    (one,) = made(path, asked="linux/amd64")
    assert one.declared == ("old",)
    assert [(item.name, item.legacy) for item in one.image.object.maps] == [("old", False)]
    with pytest.raises(BytecodeError, match="definitions of the old kind"):
        made(path, asked="linux/amd64", strip=False)
    own = old.replace("int t, k, v, m;", "int t, k, v, m, f, x;").replace("1 };", "1, 0, 9 };")
    with pytest.raises(BytecodeError, match=r"own.o': map 'old' has a definition of its own loader"):
        made(put(tmp_path, "own.o", own), asked="linux/amd64")


LIBRARY = '__attribute__((noinline)) int twice(int n) { return n * 2; } char LICENSE[] SEC("license") = "GPL";'
CALLER = 'extern int twice(int); SEC("xdp") int p(int *c) { return twice(*c); } char LICENSE[] SEC("license") = "GPL";'


def test_linking(tmp_path: Path) -> None:
    little = [put(tmp_path, "a.o", CALLER), put(tmp_path, "b.o", LIBRARY)]
    own = "linux/amd64" if sys.byteorder == "little" else "linux/s390x"
    if sys.byteorder != "little":
        little = [put(tmp_path, "a.o", CALLER, "bpfeb"), put(tmp_path, "b.o", LIBRARY, "bpfeb")]
    (one,) = made(*little, asked=own, link=True)
    assert [program.name for program in one.image.object.programs] == ["p"]
    assert one.image.file_name == "a.o"
    assert (one.linker or "").startswith("libbpf ")
    assert [source.path for source in one.sources] == ["a.o", "b.o"]
    assert one.stripped > 0
    assert made(*little, asked=own, link=True)[0] == one
    (tmp_path / "other").mkdir()
    moved = [shutil.copy(path, tmp_path / "other") for path in little]
    assert made(*map(str, moved), asked=own, link=True)[0] == one
    (turned,) = made(*reversed(little), asked=own, link=True)
    assert turned.image.bytecode != one.image.bytecode


def test_linking_what_does_not_fit(tmp_path: Path) -> None:
    little, big = put(tmp_path, "a.o", CALLER), put(tmp_path, "b.o", LIBRARY, "bpfeb")
    with pytest.raises(BytecodeError, match=r"b\.o' is big-endian and .*a\.o' is little-endian"):
        made(little, big, asked="linux/amd64", link=True)
    other = "bpfeb" if sys.byteorder == "little" else "bpfel"
    names = [put(tmp_path, "c.o", CALLER, other), put(tmp_path, "d.o", LIBRARY, other)]
    try:
        (linked,) = made(*names, asked="linux/s390x" if other == "bpfeb" else "linux/amd64", link=True)
    except NotSupported:
        return  # libbpf before it could; tests/unit/kernel/test_linker.py holds the sentence
    assert parse(linked.image.bytecode).programs


def images(tmp_path: Path, **sources: str) -> list[object]:
    words = [f"linux/{arch}={put(tmp_path, f'{arch}.o', source)}" for arch, source in sources.items()]
    return [each.image for each in made(*words)]


def test_differences_between_platforms(tmp_path: Path) -> None:
    other = (
        XDP.replace("__uint(type, 1)", "__uint(type, 2)").replace('"xdp"', '"tc"') + KPROBE.split("char", maxsplit=1)[0]
    )
    found = build.compare.differences(images(tmp_path, amd64=XDP, arm64=other))  # type: ignore[arg-type]
    assert [str(difference) for difference in found] == [
        "program 'pass' is xdp in linux/amd64 and tc in linux/arm64",
        "program 'probe' (kprobe) is in linux/arm64 and not in linux/amd64",
        "map 'seen' is hash in linux/amd64 and array in linux/arm64",
    ]
    assert build.compare.differences(images(tmp_path, amd64=XDP, arm64=XDP)) == ()  # type: ignore[arg-type]
    assert build.compare.differences([]) == ()


def test_an_object_that_reads_registers_for_several_machines(tmp_path: Path) -> None:
    (said,) = build.compare.shared(images(tmp_path, amd64=KPROBE, arm64=KPROBE))  # type: ignore[arg-type]
    assert said.startswith("one object is for linux/amd64, linux/arm64, but 'probe' may read registers")
    assert build.compare.shared(images(tmp_path, amd64=XDP, arm64=XDP)) == ()  # type: ignore[arg-type]
    assert build.compare.shared(images(tmp_path, amd64=KPROBE)) == ()  # type: ignore[arg-type]


def test_annotations_of_the_standard_are_labels_too(tmp_path: Path) -> None:
    path = put(tmp_path, "p.o", XDP)
    annotations = {"org.opencontainers.image.title": "p", "org.example.x": "y"}
    (one,) = made(path, asked="linux/amd64", annotations=annotations, labels={"l": "1"})
    assert one.image.annotations == annotations
    assert one.image.extra_labels == {"org.opencontainers.image.title": "p", "l": "1"}


def test_the_same_again(tmp_path: Path) -> None:
    target = Memory(repository())
    path = put(tmp_path, "p.o", XDP)
    words = f"linux/amd64,linux/arm64={path}"
    built = made(words)
    top = build.store([each.image for each in built], target, "v1")

    def said(other: tuple[Built, ...], **more: object) -> str:
        return build.again.difference(other, target, top, **more) or "the same"  # type: ignore[arg-type]

    assert said(built) == "the same"
    assert said(made(words)) == "the same"
    assert said(built, annotations={"a": "b"}) == "the annotations of the index differ"
    assert said(made(words, strip=False)).startswith("linux/amd64: the object has 0 bytes of DWARF, here ")
    fewer = said(made(path, asked="linux/amd64"))
    assert fewer == "its platforms are linux/amd64, linux/arm64, these inputs make linux/amd64"
    assert said(made(words, labels={"a": "b"})) == "linux/amd64: label 'a' is absent, here 'b'"
    assert "annotation 'a' is absent, here 'b'" in said(made(words, annotations={"a": "b"}))
    assert "created is '1970-01-01T00:00:00Z', here '1970-01-01T00:00:09Z'" in said(made(words, created=9))
    put(tmp_path, "p.o", XDP.replace("return 2", "return 1"))
    assert said(made(words)) == "linux/amd64: section 'xdp' of the object differs from byte 4 of 16 on"
    put(tmp_path, "p.o", XDP.replace("return 2", "return ((int *)c)[1] * ((int *)c)[0]"))
    assert "section 'xdp' of the object has 16 bytes, here" in said(made(words))
    os.rename(tmp_path / "p.o", tmp_path / "q.o")


def test_one_manifest_where_several_are_made(tmp_path: Path) -> None:
    target = Memory(repository())
    path = put(tmp_path, "p.o", XDP)
    single = made(path, asked="linux/amd64")
    top = build.store(single[0].image, target)
    several = made(path, asked="linux/amd64,linux/arm64")
    assert build.again.difference(several, target, top) == "it is a single manifest, these inputs make an index of 2"
    renamed = (replace(single[0], image=replace(single[0].image, file_name="z.o")),)
    assert build.again.difference(renamed, target, top) == "linux/amd64: file name is 'p.o', here 'z.o'"
    assert Platform("linux", "amd64") == single[0].image.platform

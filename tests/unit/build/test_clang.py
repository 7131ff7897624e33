"""clang, driven: the same bytes everywhere, BTF without DWARF, its complaints shown, no way in but argument lists."""

from __future__ import annotations

import os
import shutil
import stat

import pytest

from bpfimg import build
from bpfimg.bytecode import check_header, parse
from bpfimg.errors import BytecodeError, Error, UsageError
from tests.support.objects import EXAMPLES, PRELUDE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

for _tool in ("clang", "llvm-strip"):
    if shutil.which(_tool) is None:
        pytest.skip(f"needs {_tool} to compile eBPF objects", allow_module_level=True)

SOURCE = (
    PRELUDE
    + """
#include "sizes.h"
#ifdef __TARGET_ARCH_x86
#define ANSWER 86
#elif defined(__TARGET_ARCH_s390)
#define ANSWER 390
#endif
#ifndef EXTRA
#define EXTRA 0
#endif
struct { __uint(type, 1); __type(key, __u32); __type(value, __u64); __uint(max_entries, SIZE); } counts SEC(".maps");
volatile const __u32 answer = ANSWER;
volatile const __u64 extra = EXTRA;
volatile const char file[] = __FILE__;
SEC("xdp") int pass(void *ctx) { return twice(answer) + extra + file[0]; }
char LICENSE[] SEC("license") = "GPL";
"""
)


def project(folder: Path, source: str = SOURCE) -> str:
    """A source tree with a header beside it and one in a folder of its own; returns the C file's path."""
    (folder / "src" / "inner").mkdir(parents=True)
    (folder / "include").mkdir()
    (folder / "src" / "prog.bpf.c").write_text(source)
    (folder / "include" / "sizes.h").write_text("#include <deeper.h>\n#define SIZE DEEPER\n")
    (folder / "src" / "inner" / "deeper.h").write_text(
        "#define DEEPER 8\nstatic inline __attribute__((always_inline)) int twice(int n) { return 2 * n; }\n"
    )
    return str(folder / "src" / "prog.bpf.c")


def includes(path: str) -> tuple[str, str]:
    source = os.path.dirname(path)
    return os.path.join(source, "..", "include"), os.path.join(source, "inner")


def initial(obj: bytes, name: str) -> bytes:
    return next(item.initial for item in parse(obj).globals if item.name == name)


def test_an_object_with_btf_and_without_dwarf(tmp_path: Path) -> None:
    path = project(tmp_path)
    obj = build.compile_c(path, arch="amd64", includes=includes(path))
    parsed = parse(obj)
    assert [program.name for program in parsed.programs] == ["pass"]
    assert parsed.has_btf
    assert b".BTF.ext" in obj
    assert b".debug_info" not in obj
    assert b".debug_line" not in obj
    assert initial(obj, "answer") == (86).to_bytes(4, "little")


def test_the_architecture_gives_byte_order_and_registers(tmp_path: Path) -> None:
    path = project(tmp_path)
    obj = build.compile_c(path, arch="s390x", includes=includes(path))
    assert check_header(obj) == "big"
    assert initial(obj, "answer") == (390).to_bytes(4, "big")
    assert check_header(build.compile_c(path, arch="arm64", includes=includes(path), defines=["ANSWER=1"])) == "little"
    with pytest.raises(UsageError, match="no architecture 'bpfel'"):
        build.compile_c(path, arch="bpfel")


def test_the_same_bytes_in_other_folders_and_from_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = project(tmp_path / "one")
    second = project(tmp_path / "another one=two" / "deeper")
    want = build.compile_c(first, arch="amd64", includes=includes(first))
    assert b"one" not in want.replace(b".rodata", b"")
    assert str(tmp_path).encode() not in want
    assert b"inner/deeper.h" in want
    os.utime(second, (1, 1))
    assert build.compile_c(second, arch="amd64", includes=includes(second)) == want
    monkeypatch.chdir(tmp_path / "one" / "src")
    assert build.compile_c("prog.bpf.c", arch="amd64", includes=["../include", "inner"]) == want
    monkeypatch.chdir(tmp_path)
    assert build.compile_c("one/src/prog.bpf.c", arch="amd64", includes=["one/include", "one/src/inner"]) == want
    os.symlink(tmp_path / "one" / "src", tmp_path / "link")
    assert build.compile_c("link/prog.bpf.c", arch="amd64", includes=["one/include", "link/inner"]) == want


def test_an_include_folder_far_away_leaves_no_trace_of_where_it_is(tmp_path: Path) -> None:
    far_one, far_two = tmp_path / "here" / "inc", tmp_path / "some" / "where" / "else" / "headers"
    objects = []
    for number, far in enumerate((far_one, far_two)):
        far.mkdir(parents=True)
        (far / "far.h").write_text(
            "static inline __attribute__((always_inline)) int far(int n) { return n > 9 ? 3 * n : 7; }\n"
        )
        path = project(
            tmp_path / str(number), PRELUDE + '#include <far.h>\nSEC("xdp") int p(int *c) { return far(*c); }'
        )
        objects.append(build.compile_c(path, arch="amd64", includes=[str(far)]))
    assert b"include1/far.h" in objects[0]
    assert objects[0] == objects[1]


def test_the_environment_does_not_reach_clang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project(tmp_path)
    want = build.compile_c(path, arch="amd64", includes=includes(path))
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "sizes.h").write_text("#error from the environment\n")
    for name in ("CPATH", "C_INCLUDE_PATH"):
        monkeypatch.setenv(name, str(tmp_path / "evil"))
    monkeypatch.setenv("CCC_OVERRIDE_OPTIONS", "+-DEXTRA=7")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    assert build.compile_c(path, arch="amd64", includes=includes(path)) == want


def test_defines(tmp_path: Path) -> None:
    path = project(tmp_path)
    obj = build.compile_c(path, arch="amd64", includes=includes(path), defines=["EXTRA=0x102 + 1", "UNUSED"])
    assert initial(obj, "extra") == (0x103).to_bytes(8, "little")
    for wrong in ("", "=1", "1A", "A B", "-o=x", "A\n", "A-B=1", "F(x)=x"):
        with pytest.raises(UsageError, match="cannot be defined"):
            build.compile_c(path, arch="amd64", defines=[wrong])


def test_what_clang_says_is_shown(tmp_path: Path) -> None:
    path = project(tmp_path, "int f(void) {\n  return missing_name;\n}\n")
    with pytest.raises(
        BytecodeError, match=r"clang refuses 'prog.bpf.c': ./prog.bpf.c:2:10: error: .*missing_name"
    ) as caught:
        build.compile_c(path, arch="amd64")
    assert "return missing_name;" in caught.value.hint
    assert "1 error generated" in caught.value.hint
    assert str(tmp_path) not in caught.value.hint


def test_what_clang_says_is_bounded(tmp_path: Path) -> None:
    path = project(tmp_path, "#warning " + "w" * 100_000 + "\nint f(void) { return nope; }\n")
    with pytest.raises(BytecodeError, match="undeclared identifier") as caught:
        build.compile_c(path, arch="amd64")
    assert len(caught.value.hint) < 10_000
    assert "more characters" in caught.value.hint


def test_headers_that_are_missing_name_their_package(tmp_path: Path) -> None:
    path = project(tmp_path, "#include <bpf/no_such_header.h>\n")
    with pytest.raises(BytecodeError) as caught:
        build.compile_c(path, arch="amd64")
    assert "libbpf-dev" in caught.value.hint


def test_warnings_are_handed_over(tmp_path: Path) -> None:
    path = project(tmp_path, "#warning look here\nint f(void) { return 0; }\n")
    said: list[str] = []
    build.compile_c(path, arch="amd64", warn=said.append)
    assert "look here" in said[0]


def test_names_that_look_like_options_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "-o evil.c").write_text("int f(void) { return 0; }\n")
    (tmp_path / "@file.c").write_text("int f(void) { return 0; }\n")
    monkeypatch.chdir(tmp_path)
    for name in ("-o evil.c", "@file.c"):
        assert check_header(build.compile_c(name, arch="amd64")) == "little"
    assert sorted(os.listdir(tmp_path)) == ["-o evil.c", "@file.c"]


def test_an_include_folder_that_clang_cannot_be_told_about(tmp_path: Path) -> None:
    (tmp_path / "a=b").mkdir()
    with pytest.raises(UsageError, match="has a = in its path"):
        build.compile_c(project(tmp_path / "p"), arch="amd64", includes=[str(tmp_path / "a=b")])


@pytest.mark.parametrize("path", ["no/such.c", ".", ""])
def test_no_source(path: str) -> None:
    with pytest.raises(UsageError, match="no C source"):
        build.compile_c(path, arch="amd64")
    with pytest.raises(UsageError, match="no include folder"):
        build.compile_c(str(EXAMPLES / "xdp_pass.bpf.c"), arch="amd64", includes=["/no/such/folder"])


def test_no_clang(tmp_path: Path) -> None:
    with pytest.raises(Error, match="there is no 'clang-none' on this machine") as caught:
        build.compile_c(project(tmp_path), arch="amd64", compiler="clang-none")
    assert "apt-get install clang" in caught.value.hint


def tool(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(stat.S_IRWXU)
    return str(folder / name)


def test_a_compiler_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    slow = tool(tmp_path, "slow", "exec /bin/sleep 600")
    with pytest.raises(BytecodeError, match="slow was stopped after"):
        build.compile_c(project(tmp_path / "p"), arch="amd64", compiler=slow, timeout=0.2)


def test_a_compiler_that_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "odd").write_text("#!/no/such/interpreter\n")
    (tmp_path / "odd").chmod(stat.S_IRWXU)
    with pytest.raises(Error, match="cannot be started"):
        build.compile_c(project(tmp_path / "p"), arch="amd64", compiler=str(tmp_path / "odd"))


def test_a_compiler_that_writes_no_object(tmp_path: Path) -> None:
    odd = tool(tmp_path, "odd", "echo no object")
    with pytest.raises(BytecodeError, match="not an ELF file"):
        build.compile_c(project(tmp_path / "p"), arch="amd64", compiler=odd)


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.bpf.c")))
def test_the_examples_compile(name: str) -> None:
    image = build.image(
        build.compile_c(str(EXAMPLES / name), arch="amd64"), file_name=build.object_name(name), created=0
    )
    assert image.labels.programs
    assert image.check() == ()

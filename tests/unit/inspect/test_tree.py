"""What a source tree is, decided from names and beginnings of files alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.inspect import tree
from bpfimg.inspect._tree_ignored import ignored
from tests.support import layouts

HOST = "linux/amd64"
XDP = 'SEC("xdp")\nint pass(void *ctx) { return 2; }\nchar L[] SEC("license") = "GPL";\n'


def look(files: dict[str, str], *objects: str) -> tree.Tree:
    listed = [tree.File(path, text) for path, text in files.items()]
    return tree.look([*listed, *(tree.File(path, object=True) for path in objects)], HOST)


def only(files: dict[str, str], *objects: str) -> tree.Program:
    (program,) = look(files, *objects).programs
    return program


def test_a_c_source_is_a_program_when_it_has_a_section_for_one() -> None:
    found = look({"a.c": XDP, "b.c": 'int x SEC(".maps");\n', "c.c": "int main() { return 0; }\n", "d.h": XDP})
    assert [each.inputs for each in found.programs] == [("a.c",)]
    assert found.programs[0].platforms == ("linux/amd64", "linux/arm64")


def test_a_source_that_another_one_includes_is_no_program_of_its_own() -> None:
    assert only({"bpf/all.bpf.c": '#include "lib/one.c"\n' + XDP, "bpf/lib/one.c": XDP}).inputs == ("bpf/all.bpf.c",)


def test_headers_elsewhere_in_the_tree_become_include_folders() -> None:
    files = {"bpf/a.bpf.c": '#include "shared.h"\n#include "own.h"\n' + XDP, "bpf/own.h": "", "include/shared.h": ""}
    assert only({**files, "include/shared.h": "#include <deep/x.h>\n", "inc2/deep/x.h": ""}).includes == (
        "inc2",
        "include",
    )


def test_of_two_headers_of_one_name_the_nearer_is_taken() -> None:
    files = {"a/src/p.bpf.c": '#include "t.h"\n' + XDP, "a/inc/t.h": "", "b/inc/t.h": ""}
    assert only(files).includes == ("a/inc",)


def test_a_program_that_sees_the_cpu_is_for_this_machine_alone() -> None:
    assert only({"k.bpf.c": XDP.replace("xdp", "kprobe/vfs_read")}).platforms == (HOST,)
    assert only({"k.bpf.c": '#include "vmlinux.h"\n' + XDP, "vmlinux.h": ""}).platforms == (HOST,)


def test_vmlinux_h_is_made_where_the_tree_has_none_and_that_is_said() -> None:
    program = only({"src/k.bpf.c": '#include "vmlinux.h"\n' + XDP})
    assert program.commands == ("bpftool btf dump file /sys/kernel/btf/vmlinux format c > src/vmlinux.h",)
    assert program.includes == ("src",)
    assert "not in the tree" in program.notes[0]


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("//go:generate go tool bpf2go -target amd64,arm64 Probe p.bpf.c", "probe_arm64_bpfel.o probe_x86_bpfel.o"),
        ("//go:generate go run github.com/cilium/ebpf/cmd/bpf2go bpf p.c -- -I../h", "bpf_bpfeb.o bpf_bpfel.o"),
        ("//go:generate bpf2go -cc $BPF_CLANG -cflags $F -target=bpfel -type event Exec exec.c", "exec_bpfel.o"),
        ("//go:generate go run a.example/bpf2go@v0.16.0 -output-dir gen -target amd64 X x.c", "gen/x_x86_bpfel.o"),
        ("//go:generate bpf2go -output-stem o -no-strip -target arm,s390x X x.c y.c", "o_arm_bpfel.o o_s390_bpfeb.o"),
        ("//go:generate go tool bpf2go -target native X x.c", "x_x86_bpfel.o"),
    ],
)  # fmt: skip
def test_lines_for_bpf2go_tell_the_objects(line: str, made: str) -> None:
    program = only({"go.mod": "module x\n", "cmd/x/gen.go": f"package main\n\n{line}\n"})
    assert program.kind == "bpf2go"
    assert program.inputs == tuple(f"cmd/x/{name}" for name in made.split())
    assert program.commands == ("go generate ./...",)


def test_objects_without_a_cpu_in_their_names_get_platforms() -> None:
    program = only({"gen.go": "//go:generate bpf2go X x.c\n"})
    assert program.platforms == ("linux/amd64", "linux/arm64", "linux/s390x")


@pytest.mark.parametrize("ignores", ["*.o", "x_*", "/x_x86_bpfel.o", "**/*_bpfel.o"])
def test_objects_that_git_leaves_out_are_made_first(ignores: str) -> None:
    files = {"gen.go": "//go:generate bpf2go -target amd64 X x.c\n", "x.c": XDP}
    kept = only(files, "x_x86_bpfel.o")
    assert (kept.inputs, kept.commands) == (("x_x86_bpfel.o",), ())
    made = only({**files, ".gitignore": f"{ignores}\n"}, "x_x86_bpfel.o")
    assert (made.inputs, made.commands) == (("x_x86_bpfel.o",), ("go generate ./...",))


def test_a_module_that_is_not_at_the_top_is_generated_there() -> None:
    files = {
        "go/go.mod": "module x\n",
        "go/gen.go": "//go:generate bpf2go -target amd64 X ../bpf/x.c\n",
        "bpf/x.c": XDP,
    }
    assert only(files).commands == ("go -C go generate ./...",)


@pytest.mark.parametrize(
    ("maker", "made", "command"),
    [
        ({"Makefile": "O := .output\n$(O)/%.bpf.o: %.bpf.c\n\tclang\n"}, ".output/p.bpf.o", "make .output/p.bpf.o"),
        ({"Makefile": "%.bpf.o: %.bpf.c\n\tclang\n"}, "p.bpf.o", "make p.bpf.o"),
        ({"Makefile": "p.bpf.o: p.bpf.c vmlinux.h\n\tclang\n"}, "p.bpf.o", "make p.bpf.o"),
        ({"Makefile": "B ?= $(abspath build)\n$(B)/%.bpf.o: %.bpf.c\n\tx\n"}, "build/p.bpf.o", "make build/p.bpf.o"),
        ({"CMakeLists.txt": "bpf_object(p p.bpf.c)\n"}, "build/p.bpf.o", "cmake -S . -B build"),
        ({"meson.build": "custom_target('p', output: 'p.bpf.o')\n"}, "build/p.bpf.o", "meson setup build ."),
    ],
)
def test_build_files_tell_where_the_object_will_be(maker: dict[str, str], made: str, command: str) -> None:
    program = only({**maker, "p.bpf.c": XDP})
    assert (program.kind, program.inputs, program.commands[0]) == ("libbpf", (made,), command)


def test_a_build_file_that_is_not_understood_leaves_the_source_to_bpfimg() -> None:
    found = look({"Makefile": "$(OUT)/%.bpf.o: %.bpf.c\n\tclang\n", "p.bpf.c": XDP})
    assert [(each.kind, each.inputs) for each in found.programs] == [("c", ("p.bpf.c",))]
    assert "Makefile makes objects in a way that is not understood" in found.notes[0]


def test_makefiles_in_folders_are_called_there() -> None:
    files = {"src/Makefile": "O = .output\n$(O)/%.bpf.o: %.bpf.c\n\tclang\n", "src/p.bpf.c": XDP}
    program = only(files)
    assert (program.inputs, program.commands) == (("src/.output/p.bpf.o",), ("make -C src .output/p.bpf.o",))


def aya(**more: str) -> dict[str, str]:
    crate = '[package]\nname = "t-ebpf"\n[dependencies]\naya-ebpf = "0.1"\n[[bin]]\nname = "t"\npath = "src/main.rs"\n'
    files = {
        "Cargo.toml": '[workspace]\nmembers = ["t", "t-ebpf"]\n',
        "t-ebpf/Cargo.toml": crate,
        ".gitignore": "/target\n",
    }
    return {**files, "t-ebpf/src/main.rs": "#[xdp]\npub fn t() {}\n", **more}


def test_a_crate_of_aya_is_built_as_aya_does() -> None:
    program = only(aya())
    assert (program.name, program.kind) == ("t", "aya")
    assert program.inputs == ("target/bpfel-unknown-none/release/t",)
    (command,) = program.commands
    assert "cargo +nightly build --release --manifest-path t-ebpf/Cargo.toml" in command
    assert "--target bpfel-unknown-none -Z build-std=core" in command


def test_a_pinned_nightly_is_the_one_that_builds() -> None:
    pinned = {"t-ebpf/rust-toolchain.toml": '[toolchain]\nchannel = "nightly-2026-08-01"\n'}
    assert "cargo +nightly-2026-08-01 build" in only({**aya(), **pinned}).commands[0]


def test_a_project_with_its_own_task_for_it_is_built_by_that() -> None:
    task = {"xtask/src/main.rs": "enum Command { BuildEbpf(build_ebpf::Options) }\n"}
    assert only({**aya(), **task}).commands == ("cargo xtask build-ebpf --release",)


def test_a_crate_outside_the_workspace_has_its_own_target_folder() -> None:
    alone = {"Cargo.toml": '[workspace]\nmembers = ["t"]\nexclude = ["t-ebpf"]\n'}
    assert only({**aya(), **alone}).inputs == ("t-ebpf/target/bpfel-unknown-none/release/t",)


def test_programs_that_read_registers_are_for_this_machine_alone() -> None:
    assert only(aya()).platforms == ("linux/amd64", "linux/arm64")
    probe = {"t-ebpf/src/main.rs": '#[kprobe(function = "x")]\n'}
    assert only({**aya(), **probe}).platforms == (HOST,)


def test_objects_that_nothing_makes_are_taken_as_they_are() -> None:
    assert only({}, "dist/filter.o").kind == "object"
    assert only({"filter.bpf.c": XDP}, "filter.o").kind == "c"


def test_programs_of_tests_are_left_out_where_there_are_others() -> None:
    found = look({"src/a.bpf.c": XDP, "tests/b.bpf.c": XDP})
    assert [each.inputs for each in found.programs] == [("src/a.bpf.c",)]
    assert found.notes == ("tests/b.bpf.c is left out: it is a test's",)
    assert only({"tests/b.bpf.c": XDP}).inputs == ("tests/b.bpf.c",)


def test_names_are_there_once() -> None:
    names = [each.name for each in look({"a/probe.bpf.c": XDP, "b/probe.c": XDP, "c/PROBE.bpf.c": XDP}).programs]
    assert names == ["probe", "probe-2", "probe-3"]


@pytest.mark.parametrize("path", ["a b.bpf.c", "a;rm.bpf.c", "$(x).bpf.c", "-o.bpf.c", 'q".bpf.c', "é.bpf.c"])
def test_what_a_shell_would_obey_is_left_out(path: str) -> None:
    found = look({path: XDP})
    assert found.programs == ()
    assert "cannot stand in a command" in found.notes[0]


@pytest.mark.parametrize(
    ("rules", "path", "left"),
    [
        ("*.o", "a/b.o", True),
        ("*.o\n!keep.o", "keep.o", False),
        ("/target", "target/x", True),
        ("/target", "a/target/x", False),
        ("build/", "a/build/x.o", True),
        ("build/", "build", False),
        ("a/*.o", "a/b.o", True),
        ("a/*.o", "x/a/b.o", False),
        ("doc/**/x", "doc/a/b/x", True),
        ("[ab].o", "b.o", True),
        ("[!ab].o", "b.o", False),
        ("# x\n\n?.o", "b.o", True),
        ("out/\n!out/keep.o", "out/keep.o", True),
        ("*_b*l.o", "x_bpfel_bpfel.o", True),
        ("a**b", "a/x/b", True),
        ("*a*b", "xaabc", False),
    ],
)
def test_gitignore_as_git_reads_it(rules: str, path: str, left: bool) -> None:
    assert ignored([tree.File(".gitignore", rules)])(path) is left


@given(
    st.lists(
        st.tuples(st.sampled_from([*"aAm.", "Makefile", "Cargo.toml", "x.go", "p.bpf.c", ".gitignore"]), st.text())
    )
)
def test_no_tree_is_too_strange(files: list[tuple[str, str]]) -> None:
    found = look(dict(files))
    for each in found.programs:
        assert re.fullmatch(r"[a-z0-9_-]+", each.name)
        assert not re.search(r"[`$;&|\n\"\\]", "".join(each.inputs))


def test_pieces_of_real_layouts_in_any_order_are_looked_at_in_bounded_time() -> None:
    hostile = "$(" * 5000 + "A)" * 5000 + "\nA := $(A)$(A)\n$(A)/%.bpf.o: x\n"
    look(
        {
            "Makefile": hostile,
            "p.bpf.c": layouts.MINIMAL,
            ".gitignore": "*" * 5000 + "x\n" + "a*" * 200 + "\n" + "**/a" * 100 + "\n",
            "a" * 200: "",
        }
    )

"""`bpfimg build` as a user types it: inputs, platforms, C, linking, project files; read back by bpftool and skopeo."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.objects import EXAMPLES, PRELUDE, compile_source

if TYPE_CHECKING:
    from tests.support.cli import Cli
    from tests.support.registry import Server

KPROBE = 'SEC("kprobe/do_exit") int probe(void *c) { return 0; } char LICENSE[] SEC("license") = "GPL";'
XDP = (
    'struct { __uint(type, 1); __type(key, __u32); __type(value, __u64); __uint(max_entries, 2); } seen SEC(".maps");'
    'SEC("xdp") int pass(void *c) { return 2; } char LICENSE[] SEC("license") = "GPL";'
)
TC = XDP.replace('SEC("xdp") int pass', 'SEC("tc") int cls')
ARCH = """
#include "size.h"
#if defined(__TARGET_ARCH_x86)
#define NAME 86
#elif defined(__TARGET_ARCH_arm64)
#define NAME 64
#else
#define NAME 390
#endif
#ifndef EXTRA
#define EXTRA 0
#endif
const volatile __u32 machine = NAME;
const volatile __u32 extra = EXTRA + SIZE;
SEC("xdp") int pass(void *c) { return machine + extra; }
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture
def here(cli: Cli) -> Cli:
    """A folder with objects of several kinds."""
    for name, source, target in (
        ("le.o", XDP, "bpfel"),
        ("be.o", XDP, "bpfeb"),
        ("tc.o", TC, "bpfel"),
        ("k.o", KPROBE, "bpfel"),
    ):
        (cli.folder / name).write_bytes(compile_source(source, target=target, strip=False))
    (cli.folder / "src" / "inc").mkdir(parents=True)
    (cli.folder / "src" / "prog.bpf.c").write_text(PRELUDE + ARCH)
    (cli.folder / "src" / "inc" / "size.h").write_text("#define SIZE 7\n")
    return cli


def built(cli: Cli, *words: str) -> Any:
    return cli.json("images", "build", "-t", "x/y:v1", *words)


def layout(cli: Cli, reference: str, arch: str = "amd64") -> dict[str, Any]:
    """What skopeo reads of the store: config and manifest."""
    if shutil.which("skopeo") is None:
        pytest.skip("needs the program skopeo (Debian package skopeo)")
    name = f"docker.io/{reference}" if reference.startswith("x/") else reference
    found = {}
    for what, option in (("config", ["--config"]), ("manifest", ["--raw"]), ("shown", [])):
        words = ["skopeo", "--override-arch", arch, "inspect", *option, f"oci:{cli.folder}/store:{name}"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        found[what] = json.loads(done.stdout)
    return found


def test_bpf2go_names(here: Cli) -> None:
    for source, name in (("le.o", "p_x86_bpfel.o"), ("le.o", "p_arm64_bpfel.o"), ("be.o", "p_s390_bpfeb.o")):
        shutil.copy(here.folder / source, here.folder / name)
    done = here("build", "-t", "x/y:v1", "p_x86_bpfel.o", "p_arm64_bpfel.o", "p_s390_bpfeb.o")
    assert "made for linux/amd64, linux/arm64, linux/s390x and no other platform" in done.stderr
    (here.folder / "gen").mkdir()
    for name in ("p_x86_bpfel.o", "p_arm64_bpfel.o", "p_s390_bpfeb.o"):
        shutil.move(here.folder / name, here.folder / "gen" / name)
    (here.folder / "gen" / "host.o").write_bytes(b"")
    again = here("build", "-t", "x/y:v2", "gen")
    assert again.stdout.split("@")[1] == done.stdout.split("@")[1]
    assert "'host.o'" in again.stderr


def test_an_object_without_architecture_is_for_all_of_its_byte_order(here: Cli) -> None:
    shutil.copy(here.folder / "le.o", here.folder / "p_bpfel.o")
    shutil.copy(here.folder / "be.o", here.folder / "p_bpfeb.o")
    answer = built(here, "--platform", "linux/amd64,linux/arm64,linux/s390x", "p_bpfel.o", "p_bpfeb.o")
    assert [each["platform"] for each in answer["build"]["platforms"]] == ["linux/amd64", "linux/arm64", "linux/s390x"]
    assert answer["build"]["differences"] == []
    error = here.error("build", "-t", "x/y:v1", "p_bpfel.o", "p_bpfeb.o", expect=2)
    assert "--platform" in error["message"]
    wrong = here.error("build", "-t", "x/y:v1", "--platform", "linux/amd64,linux/s390x", "le.o", expect=1)
    assert "BI-25" in wrong["message"] or "little-endian" in wrong["message"]


def test_registers_and_differences_are_said(here: Cli) -> None:
    done = here("build", "-t", "x/y:v1", "linux/amd64,linux/arm64=k.o")
    assert "'probe' may read registers" in done.stderr
    assert "may read registers" not in here("build", "-t", "x/y:v1", "linux/amd64,linux/arm64=le.o").stderr
    mixed = here("build", "-t", "x/y:v1", "linux/amd64=le.o", "linux/arm64=tc.o")
    assert "program 'pass' (xdp) is in linux/amd64 and not in linux/arm64" in mixed.stderr
    differences = built(here, "linux/amd64=le.o", "linux/arm64=tc.o")["build"]["differences"]
    assert {
        "kind": "program",
        "name": "cls",
        "platforms": ["linux/amd64", "linux/arm64"],
        "types": [None, "tc"],
    } in differences


def test_each_platform_has_its_own_labels(here: Cli) -> None:
    here("build", "-t", "x/y:v1", "linux/amd64=le.o", "linux/arm64=tc.o")
    assert layout(here, "x/y:v1")["config"]["config"]["Labels"]["io.ebpf.programs"] == '{"pass":"xdp"}'
    assert layout(here, "x/y:v1", "arm64")["config"]["config"]["Labels"]["io.ebpf.programs"] == '{"cls":"tc"}'


def test_dwarf_is_taken_off_and_said(here: Cli) -> None:
    done = here("build", "-t", "x/y:v1", "linux/amd64=le.o")
    before = (here.folder / "le.o").stat().st_size
    whole = built(here, "linux/amd64=le.o")["build"]["platforms"][0]
    assert whole["size"] + whole["stripped"] == before
    assert f"took DWARF off le.o: {whole['stripped']} bytes less" in done.stderr
    kept = here("build", "-t", "x/y:v2", "--no-strip", "linux/amd64=le.o")
    assert "stripped" not in kept.stderr
    assert built(here, "--no-strip", "linux/amd64=le.o")["build"]["platforms"][0]["size"] == before
    assert here("build", "-q", "-t", "x/y:v3", "linux/amd64=le.o").stderr == ""


def test_c_is_compiled_for_each_platform(here: Cli) -> None:
    words = ("--platform", "linux/amd64,linux/arm64,linux/s390x", "-I", "src/inc", "-D", "EXTRA=3", "src/prog.bpf.c")
    answer = built(here, *words)
    rows = answer["build"]["platforms"]
    assert {row["object"] for row in rows} == {"prog.bpf.o"}
    assert all("clang version" in row["compiler"] for row in rows)
    header = hashlib.sha256(b"#define SIZE 7\n").hexdigest()
    assert [(s["path"], s["kind"]) for s in rows[0]["sources"]] == [("prog.bpf.c", "c"), ("inc/size.h", "header")]
    assert rows[0]["sources"][1]["digest"] == f"sha256:{header}"
    defaults = []
    for arch in ("amd64", "arm64", "s390x"):
        labels = layout(here, "x/y:v1", arch)["config"]["config"]["Labels"]
        shown = {each["name"]: each["default"] for each in json.loads(labels["dev.bpfimg.globals"])}
        defaults.append((shown["machine"], shown["extra"]))
        assert "clang version" in json.loads(labels["dev.bpfimg.toolchain"])["compiler"]
    assert defaults == [(86, 10), (64, 10), (390, 10)]


def test_compiler_and_instruction_set(here: Cli) -> None:
    if shutil.which("clang-19") is None:
        pytest.skip("needs clang-19, another compiler")
    words = ("-I", "src/inc", "src/prog.bpf.c", "--platform", "linux/amd64")
    new = built(here, "--compiler", "clang-19", "--cpu", "v4", *words)["build"]["platforms"][0]
    assert "clang version 19" in new["compiler"]
    assert (
        "expected one of v1, v2, v3, v4"
        in here.error("build", "-t", "x/y:v1", "--cpu", "v9", *words, expect=2)["message"]
    )
    error = here.error("build", "-t", "x/y:v1", "--cpu", "v3", "le.o", expect=2)
    assert "is not a C source" in error["message"]
    assert here.error("build", "-t", "x/y:v1", "--compiler", "clang-none", *words, expect=1)


def test_the_same_digest_in_every_folder(here: Cli, tmp_path_factory: pytest.TempPathFactory) -> None:
    """C, object and linked inputs; other folder, other time, other umask, other locale."""
    digests: dict[str, set[str]] = {}
    for number in (1, 2):
        folder = tmp_path_factory.mktemp("deep" * number) / ("x" * number)
        shutil.copytree(here.folder, folder, ignore=shutil.ignore_patterns("store"))
        os.utime(folder / "le.o", (number, number))
        environ = {"BPFIMG_STORE": str(folder / "s"), "TZ": ("UTC", "Asia/Tokyo")[number - 1], "LC_ALL": "C"}
        for words in (
            ("linux/amd64=le.o",),
            ("-I", "src/inc", "--platform", "linux/amd64,linux/s390x", "src/prog.bpf.c"),
            ("--link", "--platform", "linux/amd64", "tc.o", "src/one.c"),
        ):
            (folder / "src" / "one.c").write_text(PRELUDE + KPROBE)
            given = [str(folder / word) if (folder / word).exists() else word for word in words]
            given = [word.replace("=le.o", f"={folder}/le.o") for word in given]
            digests.setdefault(words[0], set()).add(here("build", "-q", "-t", "x/y:v1", *given, **environ).stdout)
    assert [len(found) for found in digests.values()] == [1, 1, 1]


LIBRARY = '__attribute__((noinline)) int twice(int n) { return n * 2; }char LICENSE[] SEC("license") = "GPL";'
CALLER = 'extern int twice(int); SEC("xdp") int p(int *c) { return twice(*c); } char LICENSE[] SEC("license") = "GPL";'


def test_objects_and_sources_are_linked(here: Cli) -> None:
    (here.folder / "caller.c").write_text(PRELUDE + CALLER)
    (here.folder / "lib.o").write_bytes(compile_source(LIBRARY, target="bpfel", strip=False))
    answer = built(here, "--link", "--platform", "linux/amd64,linux/arm64", "caller.c", "lib.o")
    row = answer["build"]["platforms"][0]
    assert row["linker"].startswith("libbpf ")
    assert [source["path"] for source in row["sources"]] == ["caller.c", "lib.o"]
    assert row["stripped"] > 0
    labels = layout(here, "x/y:v1", "arm64")["config"]["config"]["Labels"]
    assert labels["io.ebpf.programs"] == '{"p":"xdp"}'
    assert json.loads(labels["dev.bpfimg.toolchain"])["linker"] == row["linker"]
    error = here.error("build", "-t", "x/y:v1", "--link", "--no-strip", "le.o", expect=2)
    assert "DWARF cannot be kept" in error["message"]


def test_what_cannot_be_linked(here: Cli) -> None:
    two = here.error("build", "-t", "x/y:v1", "--link", "linux/amd64=le.o", "linux/amd64=tc.o", expect=1)
    assert "cannot link 'tc.o'" in two["message"]
    mixed = here.error("build", "-t", "x/y:v1", "--link", "linux/amd64=le.o", "linux/amd64=be.o", expect=1)
    assert "'be.o' is big-endian and 'le.o' is little-endian" in mixed["message"]
    (here.folder / "text.o").write_text("no object")
    assert "ELF" in here.error("build", "-t", "x/y:v1", "--link", "le.o", "text.o", expect=1)["message"]


def test_annotations_are_repeated_as_labels(here: Cli) -> None:
    here(
        "build", "-t", "x/y:v1", "linux/amd64=le.o",
        "--annotation", "org.opencontainers.image.licenses=GPL-2.0-only",
        "--annotation", "org.example.other=1", "--label", "org.example.label=2",
    )  # fmt: skip
    found = layout(here, "x/y:v1")
    labels = found["config"]["config"]["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "GPL-2.0-only"
    assert labels["org.example.label"] == "2"
    assert "org.example.other" not in labels
    assert found["manifest"]["annotations"] == {
        "org.example.other": "1",
        "org.opencontainers.image.licenses": "GPL-2.0-only",
    }


def test_git(here: Cli) -> None:
    assert "is in no git checkout" in here.error("build", "-t", "x/y:v1", "--git", "le.o", expect=1)["message"]
    (here.folder / ".git" / "refs" / "heads").mkdir(parents=True)
    (here.folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (here.folder / ".git" / "refs" / "heads" / "main").write_text("ab" * 20 + "\n")
    (here.folder / ".git" / "config").write_text('[remote "origin"]\n\turl = https://me:pw@forge.example/t/p.git\n')
    plain = here("build", "-q", "-t", "x/y:v1", "linux/amd64=le.o").stdout
    assert here("build", "-q", "-t", "x/y:v2", "--git", "linux/amd64=le.o").stdout != plain
    found = layout(here, "x/y:v2")
    want = {
        "org.opencontainers.image.revision": "ab" * 20,
        "org.opencontainers.image.source": "https://forge.example/t/p.git",
    }
    assert found["manifest"]["annotations"] == want
    assert want.items() <= found["config"]["config"]["Labels"].items()
    assert "pw" not in json.dumps(found["manifest"])


def test_an_artifact(here: Cli) -> None:
    built(here, "--variant", "artifact", "linux/amd64=le.o")
    index = json.loads((here.folder / "store" / "index.json").read_text())
    digest = index["manifests"][0]["digest"].partition(":")[2]
    manifest = json.loads((here.folder / "store" / "blobs" / "sha256" / digest).read_text())
    assert manifest["artifactType"] == "application/vnd.bpfimg.bytecode.v1"
    assert (
        "expected image or artifact"
        in here.error("build", "-t", "x/y:v1", "--variant", "oci", "le.o", expect=2)["message"]
    )


def test_push_digest_file_and_epoch(here: Cli, server: Server) -> None:
    name = f"{server.host}/built/y:v1"
    words = ("build", "-q", "-t", name, "--push", "--digest-file", "d.txt", "linux/amd64=le.o")
    first = here(*words).stdout
    assert (here.folder / "d.txt").read_text() == first
    assert here(*words, SOURCE_DATE_EPOCH="86400").stdout != first
    assert layout(here, name)["config"]["created"] == "1970-01-02T00:00:00Z"
    assert "SOURCE_DATE_EPOCH" in here.error(*words, expect=2, SOURCE_DATE_EPOCH="now")["message"]
    assert "cannot be written" in here.error(*words[:6], "no/d.txt", "le.o", expect=2)["message"]


PROJECT = """
tags = ["x/project:v1"]
inputs = ["src/prog.bpf.c"]
platforms = ["linux/amd64", "linux/arm64"]
[compile]
includes = ["src/inc"]
defines = { EXTRA = 3 }
[labels]
"org.example.team" = "net"
[annotations]
"org.opencontainers.image.title" = "prog"
"""


def test_a_project_file(here: Cli) -> None:
    (here.folder / "bpfimg.toml").write_text(PROJECT)
    by_file = here("build", "-q").stdout
    words = ("--platform", "linux/amd64,linux/arm64", "-I", "src/inc", "-D", "EXTRA=3", "src/prog.bpf.c")
    more = ("--label", "org.example.team=net", "--annotation", "org.opencontainers.image.title=prog")
    assert here("build", "-q", "-t", "x/words:v1", *words, *more).stdout == by_file
    (here.folder / "elsewhere").mkdir()
    from_elsewhere = type(here)(here.folder / "elsewhere", here.environ)
    assert from_elsewhere("build", "-q", "--project", "../bpfimg.toml").stdout == by_file
    assert here.json("images", "build")["images"][0]["reference"] == "docker.io/x/project:v1"
    assert here.json("images", "build", "-t", "x/other:v2")["images"][0]["reference"] == "docker.io/x/other:v2"
    assert "INPUT" in here.error("build", "--project", "bpfimg.toml", "le.o", expect=2)["message"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('inputs = ["src/prog.bpf.c"]\ntags = ["x/y:v1"]\n[compile]\ncflags = ["-fplugin=evil.so"]', "compile.cflags"),
        ('inputs = ["src/prog.bpf.c"]\ntags = ["x/y:v1"]\n[compile]\ncompiler = "./evil"', "expected clang"),
        ('inputs = ["/etc/passwd"]\ntags = ["x/y:v1"]', "folder of the project file"),
        ('inputs = ["le.o"]', "no name"),
        ('inputs = ["le.o"]\ntags = ["-t bad"]', "-t bad"),
    ],
)
def test_hostile_project_files(here: Cli, text: str, said: str) -> None:
    (here.folder / "evil").write_text("#!/bin/sh\ntouch was-here\n")
    (here.folder / "evil").chmod(0o755)
    (here.folder / "bpfimg.toml").write_text(text)
    assert said in here.error("build", expect=2)["message"]
    assert not (here.folder / "was-here").exists()


def test_nothing_to_build(here: Cli) -> None:
    error = here.error("build", "-t", "x/y:v1", expect=2)
    assert "no bpfimg.toml here" in error["message"]
    assert "has no name" in here.error("build", "le.o", expect=2)["message"]


def test_check_says_what_differs(here: Cli) -> None:
    words = ("-I", "src/inc", "--platform", "linux/amd64,linux/arm64", "src/prog.bpf.c")
    here("build", "-t", "x/y:v1", *words)
    before = sorted(path.name for path in (here.folder / "store").rglob("*"))
    assert here("build", "--check", "x/y:v1", *words).stdout.startswith("docker.io/x/y:v1@sha256:")
    (here.folder / "src" / "inc" / "size.h").write_text("#define SIZE 8\n")
    error = here.error("build", "--check", "x/y:v1", *words, expect=1)
    assert "linux/amd64: section '.rodata' of the object differs from byte 4 of 8 on" in error["message"]
    (here.folder / "src" / "inc" / "size.h").write_text("#define SIZE 7\n")
    labelled = here.error("build", "--check", "x/y:v1", "--label", "a=b", *words, expect=1)
    assert "label 'a' is absent, here 'b'" in labelled["message"]
    other = here.error("build", "--check", "x/y:v1", "--platform", "linux/amd64", *words[:2], words[-1], expect=1)
    assert "its platforms are linux/amd64, linux/arm64" in other["message"]
    dated = here.error("build", "--check", "x/y:v1", *words, expect=1, SOURCE_DATE_EPOCH="9")
    assert "created is" in dated["message"]
    assert sorted(path.name for path in (here.folder / "store").rglob("*")) == before


def test_bpftool_reads_the_object_of_an_image(here: Cli) -> None:
    tool = shutil.which("bpftool", path="/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
    if tool is None:
        pytest.skip("needs bpftool to read what was built")
    here("build", "-t", "x/y:v1", "--platform", "linux/amd64", str(EXAMPLES / "xdp_counter.bpf.c"))
    manifest = layout(here, "x/y:v1")["manifest"]
    layer = here.folder / "store" / "blobs" / "sha256" / manifest["layers"][0]["digest"].partition(":")[2]
    subprocess.run(["tar", "-xzf", str(layer)], cwd=here.folder, check=True)
    done = subprocess.run(
        [tool, "gen", "skeleton", "xdp_counter.bpf.o"], cwd=here.folder, capture_output=True, text=True, check=True
    )
    assert "xdp_count" in done.stdout
    assert ".debug_info" not in Path(here.folder / "xdp_counter.bpf.o").read_bytes().decode("latin-1")


def test_an_object_is_built_without_what_it_does_not_need(here: Cli) -> None:
    """No compiler, linker, project file, network or cryptography is imported for one object."""
    words = ["-X", "importtime", "-m", "bpfimg", "build", "-q", "-t", "x/y:v1", "linux/amd64=le.o"]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=here.folder,
        env={**os.environ, **here.environ, "PYTHONPATH": str(EXAMPLES.parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "bpfimg.build._make" in imported
    heavy = {
        "subprocess",
        "tomllib",
        "ctypes",
        "urllib3",
        "cryptography",
        "jsonschema",
        "elftools",
        "typing",
        "pathlib",
    }
    assert imported & heavy == set()
    ours = {"bpfimg.build._clang", "bpfimg.build._project", "bpfimg.build._git", "bpfimg.build._again"}
    assert imported & ours == set()

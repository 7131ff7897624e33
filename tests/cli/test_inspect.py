"""`bpfimg inspect` as a user types it: files, images of any platform, programs in the kernel."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tests.support.cli import SCHEMAS, check
from tests.support.netns import bpffs, skip_unless
from tests.support.objects import PRELUDE, compile_source, overwritten

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cli import Cli

SOURCE = r"""
#define NI static __attribute__((noinline))
struct counter { __u64 packets; __u64 bytes; };
struct { __uint(type, 1); __type(key, __u32); __type(value, struct counter); __uint(max_entries, 8);
         __uint(pinning, 1); } counts SEC(".maps");
struct { __uint(type, 27); __uint(max_entries, 4096); } events SEC(".maps");
struct task_struct { int pid; } __attribute__((preserve_access_index));
static void *(*lookup)(void *, const void *) = (void *)1;
extern int kernel_function(int) __attribute__((section(".ksyms"))) __attribute__((weak));
const volatile __u32 limit = 7;
char blob[300];
NI int count(__u32 key) { struct counter *c = lookup(&counts, &key); return c && c->packets > limit; }
SEC("xdp.frags") int ingress(__u32 *context) { return count(*context) + (kernel_function ? kernel_function(1) : 0); }
SEC("?fentry.s/vfs_read") int reader(struct task_struct **context) { return context[0]->pid; }
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    source = tmp_path / "prog.bpf.c"
    source.write_text(PRELUDE + SOURCE)
    made = tmp_path / "prog.bpf.o"
    made.write_bytes(compile_source(source, target="bpfel"))
    return made


def test_a_file_at_a_glance(cli: Cli, path: Path) -> None:
    text = cli("inspect", path.name).stdout
    assert text.startswith("Object prog.bpf.o\n")
    assert max(map(len, text.splitlines())) <= 80
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "licence: GPL" in lines
    assert "CO-RE: yes, in 1 of 2 programs" in lines
    assert any(line.startswith("sub-programs: 1 with ") for line in lines)
    assert any(line.startswith("ingress xdp xdp.frags ") and line.endswith(" frags") for line in lines)
    assert any(
        line.startswith("reader tracing fentry.s/vfs_read ") and line.endswith(" sleepable, loaded on request, CO-RE")
        for line in lines
    )
    assert "counts hash __u32 (4) struct counter (16) 8 pinned by name" in lines
    assert "events ringbuf - - 4096 bytes" in lines
    assert "limit __u32 7 yes" in lines
    needs = lines[lines.index("Needs (with the first mainline kernel that has it)") :]
    assert "map types: array (3.19), hash (3.19), ringbuf (5.8)" in needs
    assert any(line.startswith("kfuncs: kernel_function (optional)") for line in needs)


def test_a_file_as_json(cli: Cli, path: Path) -> None:
    found = cli.json("object", "inspect", path.name)
    assert found["id"] == path.name
    assert found["object_digest"] == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    programs = {each["name"]: each for each in found["programs"]}
    assert programs["ingress"]["uses"]["maps"] == [".rodata", "counts"]
    assert programs["ingress"]["uses"]["kfuncs"] == ["kernel_function"]
    assert programs["reader"]["target"] == "vfs_read"
    assert [each["name"] for each in found["functions"]] == ["count"]
    assert [(each["name"], each["kind"], each["weak"]) for each in found["externs"]] == [
        ("kernel_function", "kfunc", True)
    ]
    assert [(each["words"], each["count"], each["functions"]) for each in found["core_relocations"]] == [
        ("reads task_struct.pid, any kernel with that field", 1, ["reader"])
    ]
    assert ("helper", "bpf_map_lookup_elem") in {(each["kind"], each["name"]) for each in found["requirements"]}
    assert "code" not in found
    assert {each["name"] for each in found["sections"]} >= {"xdp.frags", ".maps", ".BTF", ".BTF.ext"}


def test_quiet_prints_the_hash_of_a_file(cli: Cli, path: Path) -> None:
    assert cli("inspect", "-q", path.name).stdout == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_instructions_with_names_and_source(cli: Cli, path: Path) -> None:
    text = cli("inspect", path.name, "--disassemble", "count", "--source").stdout
    assert text.startswith("count (sub-program, ")
    assert "; map counts" in text
    assert "; bpf_map_lookup_elem" in text
    assert "; global limit" in text
    assert "; NI int count(__u32 key)" in text
    assert "prog.bpf.c:" in text
    assert "goto +" in text
    assert "<L1>" in text
    assert "\nL1:\n" in text
    everything = cli("inspect", path.name, "--disassemble").stdout
    assert [line for line in everything.splitlines() if line.endswith(":") and "(" in line] == [
        line for line in everything.splitlines() if line.startswith(("ingress (", "reader (", "count ("))
    ]
    assert "; CO-RE: reads task_struct.pid, any kernel with that field" in everything
    raw = cli("inspect", path.name, "--disassemble", "count", "-v").stdout
    assert "9500000000000000  exit" in raw
    found = cli.json("object", "inspect", path.name, "--disassemble", "count")
    (code,) = found["code"]
    assert code["instructions"][-1]["text"] == "exit"
    assert cli.error("inspect", path.name, "--disassemble", "nothing", expect=1)["hint"].startswith("it has: ")


def test_types_as_c_that_a_compiler_takes(cli: Cli, path: Path) -> None:
    text = cli("inspect", path.name, "--types").stdout
    assert "/* map counts, value: struct counter */" in text
    assert "struct counter {" in text
    assert text.count("typedef unsigned int __u32;") == 1
    subprocess.run(["clang", "-fsyntax-only", "-x", "c", "-"], input=text.encode(), check=True)
    found = cli.json("object", "inspect", path.name, "--types")
    assert [(each["name"], each["part"], each["type"]) for each in found["types"]][:2] == [
        ("counts", "key", "__u32"),
        ("counts", "value", "struct counter"),
    ]


def test_core_relocations_in_words(cli: Cli, path: Path) -> None:
    assert cli("inspect", path.name, "--core").stdout == (
        "reads task_struct.pid, any kernel with that field\n    in reader\n"
    )


def test_drawings(cli: Cli, path: Path) -> None:
    text = cli("inspect", path.name, "--graph", "mermaid").stdout
    assert text.startswith("flowchart LR\n")
    assert "counts<br/>hash" in text
    tree = ET.fromstring(cli("inspect", path.name, "--graph", "svg", "--graph-of", "calls,helpers").stdout)
    words = "".join(tree.itertext())
    assert "bpf_map_lookup_elem" in words
    assert "counts" not in words
    assert cli.error("inspect", path.name, "--graph", "png", expect=2)["message"].endswith("expected mermaid or svg")
    cli("inspect", path.name, "--graph", "svg", "--graph-of", "everything", expect=2)
    cli("inspect", path.name, "--graph", "svg", "-o", "json", expect=2)


@pytest.fixture
def both(cli: Cli, path: Path) -> str:
    """An image for a little-endian and a big-endian platform, built into the store."""
    (cli.folder / "big.o").write_bytes(compile_source(SOURCE, target="bpfeb"))
    cli("build", "-t", "example.test/x/prog:v1", f"linux/amd64={path.name}", "linux/s390x=big.o")
    return "example.test/x/prog:v1"


def test_any_platform_of_an_image(cli: Cli, both: str) -> None:
    found = cli.json("object", "inspect", both, "--platform", "linux/s390x")
    assert (found["platform"], found["byte_order"]) == ("linux/s390x", "big")
    assert found["platforms"] == ["linux/amd64", "linux/s390x"]
    assert found["reference"] == both
    assert found["digest"] != found["manifest"]
    assert found["findings"] == []
    assert json.loads(found["labels"]["io.ebpf.programs"]) == {"ingress": "xdp", "reader": "fentry"}
    assert "dev.bpfimg.programs" in found["labels"]
    assert cli("inspect", "-q", both).stdout == f"{found['digest']}\n"
    text = cli("inspect", both, "--platform", "linux/amd64").stdout
    assert "linux/amd64 (also there: linux/s390x)" in text
    error = cli.error("inspect", both, "--platform", "linux/arm64", expect=1)
    assert "linux/amd64" in error["message"]
    assert "linux/s390x" in error["message"]


def test_an_image_of_one_platform(cli: Cli, both: str) -> None:
    big = cli.json("object", "inspect", both, "--platform", "linux/s390x")
    alone = f"{both.removesuffix(':v1')}@{big['manifest']}"
    assert cli.json("object", "inspect", alone)["platform"] == "linux/s390x"
    error = cli.error("inspect", alone, "--platform", "linux/amd64", expect=1)
    assert "linux/s390x" in error["message"]


def test_labels_that_lie_are_shown(cli: Cli, path: Path) -> None:
    from bpfimg.image import BytecodeImage, Labels
    from bpfimg.oci import Layout, Platform, Reference

    reference = Reference.parse("example.test/x/liar:v1")
    labels = Labels({"ingress": "tc", "gone": "xdp"}, {"counts": "hash", "events": "ringbuf"})
    image = BytecodeImage(path.read_bytes(), labels, Platform("linux", "amd64"), "prog.bpf.o")
    store = Layout(cli.environ["BPFIMG_STORE"], reference.repository, short_names=False)
    packed = image.pack()
    for descriptor, content in packed.blobs:
        store.push(descriptor, content)
    store.push(packed.manifest.descriptor, packed.manifest.raw)
    store.tag(packed.manifest.descriptor, "v1")
    text = cli("inspect", str(reference)).stdout
    assert "Not as the object says" in text
    assert "  ! label io.ebpf.programs calls 'ingress' 'tc', the object says xdp (BI-22)" in text
    found = cli.json("object", "inspect", str(reference))
    assert {each["about"] for each in found["findings"]} >= {"io.ebpf.programs: ingress", "io.ebpf.programs: reader"}


def test_hostile_names_do_not_reach_the_terminal(cli: Cli, path: Path) -> None:
    data = path.read_bytes()
    for word in (b"ingress\0", b"counts\0", b"bpf_prog"):
        at = data.find(word)
        if at >= 0:
            data = overwritten(data, at, b"\x1b]0;x\x07"[: len(word) - 1])
    (cli.folder / "bad.o").write_bytes(data)
    for words in ([], ["--disassemble"], ["--types"], ["--core"], ["--graph", "svg"], ["--graph", "mermaid"]):
        done = cli.start("inspect", "bad.o", *words)
        out, err = done.communicate(timeout=60)
        assert "\x1b" not in out + err
        assert "\x07" not in out + err
        assert done.returncode in (0, 1)


@pytest.mark.parametrize(
    "words",
    [[], ["x.o", "--id", "3"], ["--id", "x"], ["--id", "0"], ["--id", "99999999999"], ["--id", "3", "--graph", "svg"]],
    ids=" ".join,
)
def test_words_that_make_no_sense(cli: Cli, words: list[str]) -> None:
    cli("inspect", *words, expect=2)


@pytest.mark.parametrize("name", ["nothing.o", "./nothing", "/nothing/there.bpf.o"])
def test_a_file_that_is_not_there(cli: Cli, name: str) -> None:
    assert cli("inspect", name, expect=1).stderr == (
        f"bpfimg: error: {name!r} cannot be read: No such file or directory\n"
    )


def test_a_file_that_is_no_object(cli: Cli) -> None:
    (cli.folder / "text.o").write_text("not ELF")
    error = cli.error("inspect", "text.o", expect=1)
    assert error["kind"] == "BytecodeError"


def test_an_image_in_a_layout(cli: Cli, both: str) -> None:
    place = f"oci:{cli.folder}/usb:{both}"
    cli("copy", both, place)
    found = cli.json("object", "inspect", place, "--platform", "linux/amd64")
    assert (found["reference"], found["platform"]) == (place, "linux/amd64")


def test_long_tables_are_cut(cli: Cli) -> None:
    source = "".join(f'SEC("xdp") int prog{n}(void *c) {{ return 0; }}\n' for n in range(60))
    (cli.folder / "many.o").write_bytes(compile_source(source))
    text = cli("inspect", "many.o").stdout
    assert "\n... and 20 more (-v shows them)\n" in text
    assert "prog59 " not in text
    assert "prog59 " in cli("inspect", "many.o", "-v").stdout


def test_platform_of_a_file(cli: Cli, path: Path) -> None:
    cli("inspect", path.name, "--platform", "linux/amd64", expect=2)


def test_an_object_is_read_with_little_more_than_itself(path: Path) -> None:
    """What a plain look at a file imports: no library, no registry, no kernel, none of what only options need."""
    probe = (
        "import sys; from bpfimg.cli import main; sys.stdout = open('/dev/null', 'w'); code = main(sys.argv[1:]);"
        "print(code, *sorted(sys.modules), file=sys.__stdout__)"
    )
    argv = [sys.executable, "-S", "-c", probe, "inspect", str(path)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    code, *modules = done.stdout.split()
    assert code == "0"
    names = ("typing", "pathlib", "dataclasses", "subprocess", "tempfile", "logging", "ctypes", "json", "hashlib")
    assert [name for name in names if name in modules] == []
    ours = [name for name in modules if name.startswith("bpfimg.")]
    wanted = ("bpfimg", "bpfimg._", "bpfimg.errors", "bpfimg.cli", "bpfimg.bytecode", "bpfimg.btf", "bpfimg.inspect")
    assert [name for name in ours if not name.startswith(wanted)] == []
    assert "bpfimg.bytecode._disassemble" not in ours


KERNEL = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct counter { __u64 packets, bytes; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, __u32); __type(value, struct counter);
         __uint(max_entries, 8); } counts SEC(".maps");
__u64 total;
static __attribute__((noinline)) int count(__u32 key)
{
    struct counter *c = bpf_map_lookup_elem(&counts, &key);
    if (c)
        c->packets++;
    return key;
}
SEC("xdp") int rather_a_long_name(struct xdp_md *c)
{
    total++;
    bpf_xdp_adjust_head(c, 1);
    return count(c->rx_queue_index) > 1 ? XDP_PASS : XDP_DROP;
}
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[int]:
    """The id of a program in the kernel that another tool has loaded."""
    skip_unless("xdp")
    source = tmp_path / "k.bpf.c"
    source.write_text(KERNEL)
    (tmp_path / "k.o").write_bytes(compile_source(source))
    with bpffs() as mount:
        pin = f"{mount}/k"
        subprocess.run(["bpftool", "prog", "load", str(tmp_path / "k.o"), pin], check=True, capture_output=True)
        yield bpftool("prog", "show", "pinned", pin)["id"]


def bpftool(*words: str) -> Any:  # JSON
    return json.loads(subprocess.run(["bpftool", "-j", *words], capture_output=True, check=True).stdout)


@pytest.mark.kernel
def test_a_program_in_the_kernel(cli: Cli, loaded: int) -> None:
    found = cli.json("kernel-program", "inspect", "--id", str(loaded), "--disassemble", "--types")
    said = bpftool("prog", "show", "id", str(loaded))
    assert found["name"] == "rather_a_long_name"
    assert (found["type"], found["tag"], found["gpl"]) == (said["type"], said["tag"], said["gpl_compatible"])
    assert (found["xlated_size"], found["btf_id"]) == (said["bytes_xlated"], said["btf_id"])
    maps = {each["name"]: each for each in found["maps"]}
    assert sorted(each["id"] for each in found["maps"]) == sorted(said["map_ids"])
    assert (maps["counts"]["value_type"], maps["counts"]["value_size"]) == ("struct counter", 16)
    assert [each["name"] for each in found["functions"]] == ["rather_a_long_name", "count"]
    referred = {
        (row["refers"]["kind"], row["refers"]["name"])
        for code in found["code"]
        for row in code["instructions"]
        if row["refers"]
    }
    assert {("function", "count"), ("map", "counts"), ("helper", "bpf_xdp_adjust_head")} <= referred
    theirs = [each for each in bpftool("prog", "dump", "xlated", "id", str(loaded)) if "disasm" in each]
    rows = [row for code in found["code"] for row in code["instructions"]]
    assert len(rows) == len(theirs) > 20
    assert any("struct counter {" in (each["definition"] or "") for each in found["types"])
    text = cli("inspect", "--id", str(loaded), "--source").stdout
    assert "c->packets++;" in text
    assert cli("inspect", "--id", str(loaded), "-q").stdout == f"{loaded}\n"
    overview = cli("inspect", "--id", str(loaded)).stdout
    assert overview.startswith(f"Program {loaded} in the kernel\n")
    one = cli("inspect", "--id", str(loaded), "--disassemble", "count").stdout
    assert one.startswith("count (")
    assert "rather_a_long_name" not in one
    cli("inspect", "--id", str(loaded), "--disassemble", "nothing", expect=2)


@pytest.mark.kernel
def test_a_program_that_is_not_there(cli: Cli) -> None:
    skip_unless("xdp")
    assert "no program 4294967295" in cli("inspect", "--id", "4294967295", expect=1).stderr


def test_the_schema_has_no_key_that_is_never_written(cli: Cli, path: Path, both: str) -> None:
    """And none is written that it does not have: every word of the top level, seen once."""
    words = ("--disassemble", "--types", "--core")
    seen = set(cli.json("object", "inspect", path.name, *words)) | set(cli.json("object", "inspect", both))
    schema = json.loads((SCHEMAS / "object.schema.json").read_text())
    assert seen == set(schema["properties"])
    check("object", cli.json("object", "inspect", both, *words))

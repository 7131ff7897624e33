"""Which file goes into which slot: bpf2go's names of all ages, one object for many, never a guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.build._inputs import Input, assigned, inputs, platforms, slots
from bpfimg.errors import UsageError
from bpfimg.image import bpf2go
from bpfimg.oci import Platform

if TYPE_CHECKING:
    from pathlib import Path

HOST = Platform("linux", "amd64")


@pytest.mark.parametrize(
    ("name", "stem", "order", "architectures"),
    [
        ("bpf_x86_bpfel.o", "bpf", "little", ("amd64", "386")),
        ("bpf_bpfel_x86.o", "bpf", "little", ("amd64", "386")),
        ("bpf_386_bpfel.o", "bpf", "little", ("386",)),
        ("out/bpf_arm64_bpfel.o", "bpf", "little", ("arm64",)),
        ("bpf_arm_bpfel.o", "bpf", "little", ("arm",)),
        ("a_loongarch_bpfel.o", "a", "little", ("loong64",)),
        ("a_loong64_bpfel.o", "a", "little", ("loong64",)),
        ("a_mips_bpfel.o", "a", "little", ("mipsle", "mips64le")),
        ("a_mips_bpfeb.o", "a", "big", ("mips", "mips64")),
        ("a_powerpc_bpfel.o", "a", "little", ("ppc64le",)),
        ("a_ppc64le_bpfel.o", "a", "little", ("ppc64le",)),
        ("a_powerpc_bpfeb.o", "a", "big", ("ppc64",)),
        ("a_ppc64_bpfeb.o", "a", "big", ("ppc64",)),
        ("a_riscv_bpfel.o", "a", "little", ("riscv64",)),
        ("a_s390_bpfeb.o", "a", "big", ("s390x",)),
        ("a_bpfeb_s390.o", "a", "big", ("s390x",)),
        ("a_s390x_bpfeb.o", "a", "big", ("s390x",)),
        ("xdp_pass_bpfel.o", "xdp_pass", "little", ()),
        ("x86_bpfel.o", "x86", "little", ()),
        ("one_bpfeb.o", "one", "big", ()),
        ("my_arm_prog_arm64_bpfel.o", "my_arm_prog", "little", ("arm64",)),
    ],
)
def test_bpf2go_names(name: str, stem: str, order: str, architectures: tuple[str, ...]) -> None:
    found = bpf2go(name)
    assert found is not None
    assert (found.stem, found.byte_order, found.architectures) == (stem, order, architectures)
    assert bool(found.machine) == bool(architectures)


@pytest.mark.parametrize("name", ["bpf.o", "x86.o", "bpfel.o", "_bpfel.o", "a_x86_bpfel.c", "a_bpfel_thing.o", ".o"])
def test_other_names(name: str) -> None:
    assert bpf2go(name) is None


@pytest.mark.parametrize("name", ["a_arm64_bpfeb.o", "a_bpfel_s390x.o", "a_x86_bpfeb.o"])
def test_a_machine_of_the_other_byte_order(name: str) -> None:
    with pytest.raises(UsageError, match="-endian, expected another name"):
        slots([name])


def told(*words: str, asked: str = "", link: bool = False) -> dict[str, tuple[str, ...]]:
    wanted = platforms(asked) if asked else ()
    return {str(slot.platform): slot.paths for slot in assigned(inputs(words), wanted, HOST, link=link)}


def test_from_words_to_slots() -> None:
    assert [str(slot.platform) for slot in slots(["a.o"], asked=["linux/arm64,linux/386", "linux/amd64"])] == [
        "linux/arm64",
        "linux/386",
        "linux/amd64",
    ]
    assert slots(["a.o"])[0].platform == Platform.host()
    with pytest.raises(UsageError, match="linux/arm64 stands twice"):
        slots(["a.o"], asked=["linux/arm64", "linux/arm64"])


def test_words() -> None:
    amd64, arm64 = Platform("linux", "amd64"), Platform("linux", "arm64")
    assert inputs(["a.o", "linux/amd64=b=c.o", "linux/amd64,linux/arm64=d.c", "x=y.o"]) == [
        Input("a.o"),
        Input("b=c.o", (amd64,)),
        Input("d.c", (amd64, arm64)),
        Input("x=y.o"),
    ]
    for wrong in ("linux/=a.o", "linux/amd64,=a.o", "linux/amd64,arm64=a.o", "linux/a b=c.o", "linux/amd64="):
        with pytest.raises(UsageError):
            inputs([wrong])
    with pytest.raises(UsageError, match="linux/amd64 stands twice"):
        inputs(["linux/amd64,linux/amd64=a.o"])


def test_one_file() -> None:
    assert told("a.o") == {"linux/amd64": ("a.o",)}
    assert told("a.bpf.c") == {"linux/amd64": ("a.bpf.c",)}
    assert told("a.o", asked="linux/arm64,linux/s390x") == {"linux/arm64": ("a.o",), "linux/s390x": ("a.o",)}
    assert told("a_arm64_bpfel.o") == {"linux/arm64": ("a_arm64_bpfel.o",)}
    assert told("a_bpfel.o") == {"linux/amd64": ("a_bpfel.o",)}


def test_bpf2go_files() -> None:
    assert told("a_x86_bpfel.o", "a_arm64_bpfel.o", "a_s390_bpfeb.o") == {
        "linux/amd64": ("a_x86_bpfel.o",),
        "linux/arm64": ("a_arm64_bpfel.o",),
        "linux/s390x": ("a_s390_bpfeb.o",),
    }
    assert told("a_x86_bpfel.o", asked="linux/386,linux/amd64") == {
        "linux/386": ("a_x86_bpfel.o",),
        "linux/amd64": ("a_x86_bpfel.o",),
    }
    assert told("a_bpfel.o", "a_bpfeb.o", asked="linux/amd64,linux/arm64,linux/s390x") == {
        "linux/amd64": ("a_bpfel.o",),
        "linux/arm64": ("a_bpfel.o",),
        "linux/s390x": ("a_bpfeb.o",),
    }


@pytest.mark.parametrize(
    ("words", "asked", "said"),
    [
        ((), "", "no input"),
        (("a.o", "b.o"), "", "linux/ARCH=FILE"),
        (("a.o", "linux/arm64=b.o"), "", "'a.o' has no platform"),
        (("a.c", "b.c"), "linux/amd64,linux/arm64", "'a.c' has no platform"),
        (("a_bpfel.o", "a_bpfeb.o"), "", "--platform or linux/ARCH=FILE"),
        (("linux/amd64=a.o", "linux/amd64=b.o"), "", "'a.o' and 'b.o' are both for linux/amd64"),
        (("a_x86_bpfel.o", "b_x86_bpfel.o"), "", "both for linux/amd64"),
        (("a_x86_bpfel.o", "a_bpfel.o"), "linux/amd64,linux/arm64", "both for linux/amd64"),
        (("a_x86_bpfel.o",), "linux/arm64", "'a_x86_bpfel.o' is for amd64 or 386 by its name"),
        (("a_bpfeb.o",), "linux/arm64", "big-endian machines by its name"),
        (("linux/s390x=a.o",), "linux/arm64", "is for linux/s390x, which --platform does not name"),
        (("linux/amd64=a.o",), "linux/amd64,linux/arm64", "no input for linux/arm64"),
    ],
)
def test_never_a_guess(words: tuple[str, ...], asked: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        told(*words, asked=asked)


def test_a_linked_object_of_each_platform() -> None:
    assert told("a.o", "b.c", link=True) == {"linux/amd64": ("a.o", "b.c")}
    assert told("a.c", "b.c", asked="linux/arm64,linux/s390x", link=True) == {
        "linux/arm64": ("a.c", "b.c"),
        "linux/s390x": ("a.c", "b.c"),
    }
    assert told("a.c", "linux/amd64=x.o", "linux/arm64=y.o", link=True) == {
        "linux/amd64": ("a.c", "x.o"),
        "linux/arm64": ("a.c", "y.o"),
    }
    assert told("a_x86_bpfel.o", "b_x86_bpfel.o", link=True) == {"linux/amd64": ("a_x86_bpfel.o", "b_x86_bpfel.o")}
    with pytest.raises(UsageError, match="stands twice"):
        told("a.o", "a.o", link=True)


def folder(path: Path, *names: str) -> str:
    path.mkdir()
    for name in names:
        (path / name).write_bytes(b"")
    return str(path)


def test_a_folder_of_objects(tmp_path: Path) -> None:
    said: list[str] = []
    where = folder(tmp_path / "a", "p_x86_bpfel.o", "p_arm64_bpfel.o", "p_x86_bpfel.go", "other.o", "q.bpf.o")
    assert [one.path for one in inputs([where], warn=said.append)] == [
        f"{where}/p_arm64_bpfel.o",
        f"{where}/p_x86_bpfel.o",
    ]
    assert said
    assert "'other.o', 'q.bpf.o'" in said[0]
    one = folder(tmp_path / "b", "p.bpf.o", "host.o", "p.c")
    assert inputs([f"linux/arm64={one}"]) == [Input(f"{one}/p.bpf.o", (Platform("linux", "arm64"),))]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "no eBPF object"),
        (("a.o", "b.o"), "no eBPF object"),
        (("a.bpf.o", "b.bpf.o"), "2 programs"),
        (("a_x86_bpfel.o", "b_x86_bpfel.o"), "2 programs"),
    ],
)
def test_a_folder_that_says_too_little(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        inputs([folder(tmp_path / "d", *names)])

"""Images that a stranger made badly or on purpose: one sentence that names the rule and the value, whoever asks."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.errors import BytecodeError, ImageError
from bpfimg.oci import Layout, copy
from tests.support.artifacts import EMPTY_TYPE, OURS, Artifact, Layer, bee, document, gadget, ours
from tests.support.objects import example
from tests.support.strangers import HOST_ELF, LABELS, OBJECT, Stranger
from tests.support.tars import archive, bomb, entry, gzipped, zstd_bomb

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.cli import Cli

NAME = "registry.example/bytecode/xdp_pass:v1"
MEMORY = 640 << 20
"""Bytes of address space for the command: Python, the 256 MiB that a layer may unpack to, the layer itself."""

Made = Stranger | Artifact


def holds(data: bytes) -> Stranger:
    return Stranger(archive(entry("a.o", data)))


def tar(*entries: bytes) -> Stranger:
    return Stranger(archive(*entries))


def slow_bomb() -> bytes:
    """10 GiB in 60 MB: too little compressed for the alarm of the ratio, so only the size stops it."""
    return _member() * 160


@cache
def _member() -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, 31)
    noise = random.Random(0).randbytes(4600)
    member = b"".join(engine.compress(noise + bytes((1 << 20) - len(noise))) for _ in range(64)) + engine.flush()
    assert 160 * len(member) < 64 << 20
    return member


def hiding() -> Artifact:
    """Its config is not as empty as it is said to be: who reads every JSON as a config finds labels."""
    layers: list[Layer] = [
        (OURS + "object.v1", OBJECT, {}),
        (OURS + "config.v1+json", json.dumps(document()).encode(), {}),
    ]
    return Artifact(layers, config=(EMPTY_TYPE, b'{"config":{"Labels":{}}}'), artifact_type=OURS + "v1")


ABOUT: dict[str, Any] = {**document()["object"], "name": "a.o"}
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
GZIP = gzipped(archive(entry("a.o", OBJECT)))

#: what is wrong, how to make it, the rule, what else the sentence says
CASES: list[tuple[str, Callable[[], Made], str, tuple[str, ...]]] = [
    ("not BPF", lambda: holds(HOST_ELF), "BI-16", ("machine is 62", "247")),
    ("not ELF", lambda: holds(b"#!/bin/sh\n"), "BI-15", ("'a.o'", "an eBPF object")),
    ("a truncated header", lambda: holds(OBJECT[:40]), "BI-16", ("40 bytes",)),
    ("a truncated layer", lambda: Stranger(layer=GZIP[:-20]), "BI-10", (str(len(GZIP) - 20),)),
    ("a truncated archive", lambda: Stranger(archive(entry("a.o", OBJECT))[:800]), "BI-11", ("a.o",)),
    ("two objects", lambda: tar(entry("a.o", OBJECT), entry("b.o", OBJECT)), "BI-15", ("'a.o', 'b.o'", "2 eBPF")),
    ("a symlink", lambda: tar(entry("a.o", kind=b"2", link=b"/etc/shadow")), "BI-12", ("'a.o'", "symbolic link")),
    ("a hard link", lambda: tar(entry("a.o", OBJECT), entry("b", kind=b"1", link=b"a.o")), "BI-12", ("'b'",)),
    ("../", lambda: tar(entry("../../etc/cron.d/a.o", OBJECT)), "BI-12", ("'../../etc/cron.d/a.o'",)),
    ("an absolute name", lambda: tar(entry("/etc/a.o", OBJECT)), "BI-12", ("'/etc/a.o'",)),
    ("an escape", lambda: tar(entry("\x1b[2Ja.o", OBJECT)), "BI-12", ("\\x1b[2J",)),
    ("10 GiB of zeros", lambda: Stranger(layer=bomb(64) * 160), "BI-27", ("200 times",)),
    ("10 GiB", lambda: Stranger(layer=slow_bomb()), "BI-27", ("268435456",)),
    ("zstd that is gzip", lambda: Stranger(layer_type=ZSTD), "BI-10", ("is not zstd",)),
    ("8 GiB in zstd", lambda: Stranger(layer_type=ZSTD, layer=zstd_bomb(65_536)), "BI-27", ("200 times",)),
    ("no layer", lambda: Stranger(layers=0), "BI-2", ("0 layers",)),
    ("labels that are no text", lambda: Stranger(labels={"io.ebpf.programs": '{"a":1}'}), "BI-21", ("'a'",)),
    ("WebAssembly", lambda: gadget(ebpf=0, wasm=1), "BI-55", ("Inspektor Gadget", "vnd.gadget.wasm")),
    ("a gadget of text", lambda: gadget(b"#!/bin/sh\n"), "BI-16", ("begins with 23212f62",)),
    ("an artifact that hides labels", hiding, "BI-51", ("the empty config is sha256:",)),
    ("an artifact called ..", lambda: ours(object=ABOUT | {"name": ".."}), "BI-53", ("'..'",)),
    ("an artifact of another size", lambda: ours(object=ABOUT | {"size": 7}), "BI-53", ("'7' bytes",)),
    ("an empty bee", lambda: bee(programs=0), "BI-56", ("bumblebee",)),
    ("a later document", lambda: ours(schemaVersion=2), "BI-53", ("'2'", "expected 1")),
    ("an artifact of another object", lambda: ours(data=OBJECT + b"\0"), "BI-53", ("sha256:",)),
    ("an artifact of two", lambda: ours(more=((OURS + "object.v1", OBJECT, {}),)), "BI-52", ("2 eBPF objects",)),
]
IDS = [name for name, *_ in CASES]


@pytest.mark.parametrize(("name", "make", "rule", "words"), CASES, ids=IDS)
def test_fetch_says_rule_and_value(name: str, make: Callable[[], Made], rule: str, words: tuple[str, ...]) -> None:
    with pytest.raises((ImageError, BytecodeError)) as caught:
        make().fetch()
    check(str(caught.value), rule, words)
    if isinstance(caught.value, ImageError):
        assert caught.value.rules == (rule,)


@pytest.mark.parametrize(("name", "make", "rule", "words"), CASES, ids=IDS)
def test_inspect_says_rule_and_value(
    name: str, make: Callable[[], Made], rule: str, words: tuple[str, ...], cli: Cli
) -> None:
    stored(cli, make())
    done = bounded(cli, "inspect", NAME, "--platform", "linux/amd64")
    assert (done.returncode, done.stdout) == (1, "")
    first, *more = done.stderr.splitlines()
    check(first, rule, words)
    assert all(line.startswith(("hint:", "  ")) for line in more), done.stderr
    error = cli.error("inspect", NAME, "--platform", "linux/amd64", expect=1)
    check(error["message"], rule, words)


def test_an_object_that_is_cut_behind_its_header_names_its_section(cli: Cli) -> None:
    whole = example("xdp_counter")
    for size in (len(whole) - 1, len(whole) // 2, 64):
        made = holds(whole[:size])
        stored(cli, made)
        done = bounded(cli, "inspect", NAME, "--platform", "linux/amd64")
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        first, *more = done.stderr.splitlines()
        assert "section" in first
        assert str(size) in first
        assert all(line.startswith(("hint:", "  ")) for line in more), done.stderr


def check(sentence: str, rule: str, words: tuple[str, ...]) -> None:
    assert f"({rule})" in sentence
    assert all(word in sentence for word in words), sentence
    assert sentence.isprintable()
    assert len(sentence) < 600


def stored(cli: Cli, made: Made) -> None:
    """Puts the image into the command's store."""
    layout = Layout(cli.environ["BPFIMG_STORE"], made.memory.repository)
    copy(made.memory, made.descriptor.digest, layout, "v1")


def bounded(cli: Cli, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that may not have more than `MEMORY`."""
    return subprocess.run(
        [sys.executable, "-m", "bpfimg", *words],
        cwd=cli.folder,
        env={**cli.environ, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )


LIES: list[tuple[str, dict[str, str], str, tuple[str, ...]]] = [
    ("a type", {"io.ebpf.programs": '{"pass":"kprobe"}'}, "BI-22", ("io.ebpf.programs", "'pass'", "'kprobe'", "xdp")),
    ("a program", {"io.ebpf.programs": '{"pass":"xdp","evil":"xdp"}'}, "BI-22", ("io.ebpf.programs", "'evil'")),
    ("a map", {"io.ebpf.maps": '{"m":"hash"}'}, "BI-22", ("io.ebpf.maps", "'m'")),
    ("no labels", {"io.ebpf.maps": "", "io.ebpf.programs": ""}, "BI-23", ("io.ebpf.programs",)),
    (
        "a description",
        {"dev.bpfimg.schema": "1", "dev.bpfimg.license": "MIT", "dev.bpfimg.programs": '[{"name":"\\u001b[2J"}]'},
        "BI-47",
        ("dev.bpfimg.license", "'MIT'", "'Dual BSD/GPL'"),
    ),
    ("a later description", {"dev.bpfimg.schema": "7"}, "BI-46", ("'7'", "expected 1")),
]


@pytest.mark.parametrize(("name", "labels", "rule", "words"), LIES, ids=[name for name, *_ in LIES])
def test_labels_that_lie_are_shown_as_such(
    name: str, labels: dict[str, str], rule: str, words: tuple[str, ...], cli: Cli
) -> None:
    stranger = Stranger(labels={**LABELS, **labels})
    stored(cli, stranger)
    found = [str(finding) for finding in stranger.fetch().check()]
    assert any(f"({rule})" in each and all(word in each for word in words) for each in found), found
    done = bounded(cli, "inspect", NAME, "--platform", "linux/amd64")
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert rule in said
    assert all(word in said for word in words), said
    assert "\x1b" not in said
    document: Any = json.loads(cli("inspect", NAME, "--platform", "linux/amd64", "-o", "json").stdout)
    assert rule in json.dumps(document)

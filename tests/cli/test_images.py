"""Building, moving and signing images as a user types it; no kernel, no root."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.debian import find
from tests.support.objects import EXAMPLES, example

if TYPE_CHECKING:
    from tests.support.cli import Cli
    from tests.support.registry import Server


def test_the_digest_is_the_inputs(cli: Cli) -> None:
    """Two folders, two times, two names of the store: one digest."""
    digests = set()
    for folder in ("a", "b"):
        (cli.folder / folder / "src").mkdir(parents=True)
        shutil.copy(EXAMPLES / "xdp_counter.bpf.c", cli.folder / folder / "src" / "xdp_counter.bpf.c")
        source = str(cli.folder / folder / "src" / "xdp_counter.bpf.c")
        digests.add(cli("build", "-q", "-t", "x/y:v1", source, BPFIMG_STORE=str(cli.folder / folder / "store")).stdout)
    assert len(digests) == 1


def test_skopeo_shows_the_labels(cli: Cli, server: Server) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("needs the program skopeo (Debian package skopeo)")
    name = f"{server.host}/shown/xdp_counter:v1"
    cli("build", "-t", name, str(EXAMPLES / "xdp_counter.bpf.c"), "--push")
    for where in (["--tls-verify=false", f"docker://{name}"], [f"oci:{cli.folder}/store:{name}"]):
        done = subprocess.run(["skopeo", "inspect", *where], capture_output=True, text=True, check=True)
        labels = json.loads(done.stdout)["Labels"]
        assert labels["io.ebpf.programs"] == '{"xdp_count":"xdp"}'
        assert labels["io.ebpf.maps"] == '{"counters":"array"}'


def test_cosign_and_we_believe_each_other(cli: Cli, server: Server) -> None:
    cosign = find("cosign")
    if cosign is None:
        pytest.skip("needs the program cosign (Debian package cosign of trixie)")
    name = f"{server.host}/both/xdp_counter:v1"
    cli("key", "generate", "ours")
    cli("build", "-t", name, str(EXAMPLES / "xdp_counter.bpf.c"))
    cli("sign", "--key", "ours.key", name)
    cli("push", name)

    def run(*words: str) -> None:
        environ = {"COSIGN_PASSWORD": "x", "HOME": str(cli.folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [cosign, *words], cwd=cli.folder, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    run("verify", "--key", "ours.pub", "--insecure-ignore-tlog=true", name)
    run("generate-key-pair", "--output-key-prefix", "theirs")
    other = f"{server.host}/both/xdp_pass:v1"
    cli("build", "-t", other, str(EXAMPLES / "xdp_pass.bpf.c"), "--push")
    digest = cli.json("images", "images", other)["images"][0]["digest"]
    run("sign", "-y", "--key", "theirs.key", "--tlog-upload=false", f"{server.host}/both/xdp_pass@{digest}")
    cli("verify", "--key", "theirs.pub", other, expect=3)  # the store's copy was never signed
    cli("pull", other)
    assert "is believed" in cli("verify", "--key", "theirs.pub", other).stdout
    cli("verify", "--key", "ours.pub", other, expect=3)
    cli("sign", "--key", "theirs.key", name)
    assert len(cli.json("images", "verify", "--key", "theirs.pub", name)["images"][0]["signers"]) == 2


def test_every_answer_has_its_schema(cli: Cli, server: Server) -> None:
    name = f"{server.host}/schema/xdp_counter:v1"
    (cli.folder / "o.o").write_bytes(example("xdp_counter"))
    cli("key", "generate", "k")
    built = cli.json("images", "build", "-t", name, "o.o")["images"]
    (listed,) = cli.json("images", "images")["images"]
    assert listed.items() >= built[0].items()
    assert cli.json("images", "sign", "--key", "k.key", name)["images"] == built
    assert cli.json("images", "push", name)["images"] == built
    assert cli.json("images", "pull", name)["images"] == built
    assert cli.json("images", "verify", "--key", "k.pub", name)["images"][0]["believed"]
    assert cli.json("object", "inspect", name)["programs"][0]["name"] == "xdp_count"
    assert cli.json("object", "inspect", "o.o")["programs"][0]["type"] == "xdp"
    copied = cli.json("images", "copy", name, f"oci:{cli.folder}/usb:{name}")["images"]
    assert copied[0]["digest"] == built[0]["digest"]
    assert cli.error("verify", "--key", "k.key", name, expect=1)["kind"] == "KeyFileError"
    assert cli.error("pull", f"{server.host}/nothing/here:v1", expect=1)["kind"] == "NotFound"


def test_through_the_air_gap(cli: Cli, server: Server) -> None:
    """Registry, layout on a stick, store: signatures come along."""
    name = f"{server.host}/gap/xdp_counter:v1"
    cli("key", "generate", "k")
    cli("build", "-t", name, str(EXAMPLES / "xdp_counter.bpf.c"))
    cli("sign", "--key", "k.key", name)
    cli("push", name)
    cli("copy", f"registry:{name}", f"oci:{cli.folder}/usb:{name}")
    cli("copy", f"oci:{cli.folder}/usb:{name}", f"store:{name}", BPFIMG_STORE=str(cli.folder / "far"))
    assert "is believed" in cli("verify", "--key", "k.pub", name, BPFIMG_STORE=str(cli.folder / "far")).stdout


def test_several_platforms(cli: Cli) -> None:
    (cli.folder / "le.o").write_bytes(example("xdp_counter"))
    (cli.folder / "be.o").write_bytes(example("xdp_counter", target="bpfeb"))
    words = ("build", "-t", "x/multi:v1")
    cli(*words, "linux/amd64=le.o", "linux/arm64=le.o", "linux/s390x=be.o")
    assert cli.json("images", "images", "x/multi:v1")["images"][0]["media_type"].endswith("index.v1+json")
    cli("key", "generate", "k")
    cli("sign", "--key", "k.key", "x/multi:v1")
    cli("verify", "--key", "k.pub", "x/multi:v1")
    error = cli.error(*words, "linux/s390x=le.o", expect=1)
    assert "little" in error["message"]
    assert "linux/ARCH" in cli.error(*words, "le.o", "linux/s390x=be.o", expect=2)["message"]


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [(b"", "empty.o", "ELF"), (b"#!/bin/sh\n", "script.o", "ELF"), (b"int main(", "broken.c", "clang")],
)
def test_what_cannot_be_built(cli: Cli, content: bytes, name: str, said: str) -> None:
    (cli.folder / name).write_bytes(content)
    error = cli.error("build", "-t", "x/y:v1", name, expect=1)
    assert error["kind"] == "BytecodeError"
    assert said in error["message"] + error["hint"]
    assert cli.json("images", "images")["images"] == []


def test_keys_are_never_overwritten_and_need_a_password(cli: Cli) -> None:
    cli("key", "generate", "k")
    assert (cli.folder / "k.key").stat().st_mode & 0o777 == 0o600
    assert cli("key", "public", "k.key").stdout == (cli.folder / "k.pub").read_text()
    assert "exists" in cli.error("key", "generate", "k", expect=2)["message"]
    assert cli.error("key", "public", "k.key", expect=1, COSIGN_PASSWORD="wrong")["kind"] == "KeyFileError"


def test_signing_twice_adds_nothing(cli: Cli) -> None:
    cli("key", "generate", "k")
    cli("build", "-t", "x/y:v1", str(EXAMPLES / "xdp_pass.bpf.c"))
    assert cli("sign", "-v", "--key", "k.key", "x/y:v1").stderr.count("added") == 2
    index = (cli.folder / "store" / "index.json").read_bytes()
    assert cli("sign", "-v", "--key", "k.key", "x/y:v1").stderr.count("was there already") == 2
    assert (cli.folder / "store" / "index.json").read_bytes() == index


def test_a_digest_moves_no_tag(cli: Cli, server: Server) -> None:
    name = f"{server.host}/moves/xdp:v1"
    old = cli("build", "-q", "-t", name, str(EXAMPLES / "xdp_pass.bpf.c"), "--push").stdout.strip()
    new = cli("build", "-q", "-t", name, str(EXAMPLES / "xdp_counter.bpf.c"), "--push").stdout.strip()
    assert cli("pull", "-q", f"{name}@{old}", BPFIMG_STORE=str(cli.folder / "host")).stdout.strip() == old
    assert cli.json("images", "images")["images"][0]["digest"] == new
    cli("pull", f"{name}@{old}")
    assert cli.json("images", "images")["images"][0]["digest"] == new
    assert old in cli("inspect", f"{name}@{old}").stdout

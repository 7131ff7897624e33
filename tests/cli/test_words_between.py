"""What people type who come from skopeo, crane and oras: options between words, `store:` alone, `-v`, wrong names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Layout, Repository
from tests.support.objects import example
from tests.support.registry import registry
from tests.support.targets import image, referrer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import Cli
    from tests.support.registry import Server


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with registry(tmp_path_factory.mktemp("locked"), auth="htpasswd", tls=True) as running:
        yield running


@pytest.fixture
def name(cli: Cli) -> str:
    """An image for two platforms, in the layout `usb`; returns its name."""
    found = "registry.invalid/t/probe:v1"
    (cli.folder / "p.o").write_bytes(example("xdp_counter"))
    cli("build", "-t", found, "linux/amd64=p.o", "linux/arm64=p.o")
    cli("copy", found, "oci:usb")
    return found


def test_options_may_stand_between_the_words(cli: Cli, name: str, server: Server) -> None:
    one = cli("copy", "-q", "--platform", "linux/arm64", "--flatten", f"oci:usb:{name}", "oci:a:v1").stdout
    assert cli("copy", f"oci:usb:{name}", "--platform", "linux/arm64", "--flatten", "oci:b:v1", "-q").stdout == one
    assert (
        cli("push", "-q", name, "--flatten", f"{server.host}/t/between:v1", "--platform", "linux/arm64").stdout == one
    )
    assert "extra" in cli.error("copy", "oci:usb", "--flatten", "oci:b:v1", "extra", expect=2)["message"]
    assert "--flat" in cli.error("copy", "oci:usb", "--flat", "oci:b:v1", expect=2)["message"]


def test_the_store_takes_an_image_under_its_name(cli: Cli, name: str) -> None:
    elsewhere = {"BPFIMG_STORE": str(cli.folder / "elsewhere")}
    copied = cli("copy", "oci:usb", "store:", **elsewhere).stdout
    assert copied == f"store:{name}@{cli('images', '-q', name, **elsewhere).stdout}"
    cli("copy", f"oci:usb:{name}", "oci:bare:v1")
    error = cli.error("copy", "oci:bare:v1", "store:", expect=2)
    assert error["message"] == "store: takes an image under its name, and this one has none, expected store:NAME"


def test_what_is_not_at_a_path_is_said_as_it_was_typed(cli: Cli, name: str) -> None:
    cli("copy", name, "oci-archive:usb.tar")
    error = cli.error("copy", "oci:usb:v7", "oci:other", expect=1)
    assert (error["message"], error["hint"]) == (
        "oci:usb has no image 'v7'",
        "`bpfimg images --store usb` lists what it holds",
    )
    assert name in cli("images", "--store", "usb").stdout
    error = cli.error("inspect", "oci-archive:usb.tar:v7", expect=1)
    assert error["message"] == "oci-archive:usb.tar has no image 'v7'"
    assert cli.error("inspect", "oci:none:v7", expect=1)["message"] == "there is no none, expected a directory"
    error = cli.error("pull", "--pull", "never", "registry.invalid/t/none:v1", expect=1)
    assert error["message"].startswith("registry.invalid/t/none:v1 is not in the local store")


def test_what_is_done_is_said_with_v(cli: Cli, name: str, server: Server) -> None:
    there = f"{server.host}/t/said:v1"
    assert cli("push", name, there).stderr == ""
    first = cli("copy", "-v", f"registry:{there}", "oci:new").stderr.splitlines()
    assert first[0].startswith(f"bpfimg: registry:{there} is sha256:")
    assert [line.rpartition(": ")[2] for line in first[1:]] == ["copied"] * (len(first) - 1)
    again = cli("copy", "-v", f"registry:{there}", "oci:new").stderr.splitlines()
    assert [line.rpartition(": ")[2] for line in again[1:]] == ["was there already"] * (len(again) - 1)
    assert f"asking {server.host} for {there}" in cli("pull", "-v", there).stderr
    quiet = cli("pull", "-v", "--pull", "missing", there).stderr
    assert "asking" not in quiet
    assert f"has {there}, sha256:" in quiet


def test_hints_for_what_registries_refuse(cli: Cli, server: Server, locked: Server) -> None:
    error = cli.error("pull", f"{server.host}/t/none:v1", expect=1)
    assert error["hint"] == f"`bpfimg images registry:{server.host}/t/none` lists the tags that are there"
    error = cli.error("pull", f"{locked.host}/t/probe:v1", expect=1)  # TLS, where loopback is asked without
    assert "HTTP 400" in error["message"]
    assert "--ca-file" in error["hint"]
    assert "leave --plain-http away" in cli.error("pull", "--plain-http", f"{locked.host}/t/p:v1", expect=1)["hint"]
    given = {"BPFIMG_USERNAME": "tester", "BPFIMG_PASSWORD": "wrong"}
    error = cli.error("pull", "--ca-file", str(locked.ca_file), f"{locked.host}/t/p:v1", expect=1, **given)
    assert error["hint"].endswith("check BPFIMG_USERNAME and BPFIMG_PASSWORD")


def test_a_list_without_a_file_or_an_image(cli: Cli, name: str) -> None:
    done = cli("copy", "--from-file", "-", "oci:a", stdin="# nothing\n")
    assert (done.stdout, done.stderr) == ("", "bpfimg: the list names no image: nothing was copied\n")
    os.mkfifo(cli.folder / "pipe")  # as a shell's <(...)
    running = cli.start("copy", "--from-file", "pipe", "oci:a")
    (cli.folder / "pipe").write_text(f"oci:usb:{name}\n")
    assert running.communicate(timeout=60)[0].startswith(f"oci:a:{name}@sha256:")
    assert not list(cli.folder.glob("*.journal"))


def test_what_fails_in_a_list_is_told_in_its_order_and_what_can_be_done_once(cli: Cli, locked: Server) -> None:
    lines = [f"{locked.host}/t/p{number}:v1\n" for number in range(20)]
    words = ("--from-file", "-", "oci:a", "--ca-file", str(locked.ca_file))
    said = cli("copy", *words, stdin="".join(lines), expect=1).stderr.splitlines()
    assert [line.split()[3] for line in said[:20]] == [f"{number}:" for number in range(1, 21)]
    assert said[20].startswith("bpfimg: 20 of 20 images were not copied")
    assert [line.partition("; ")[2][:20] for line in said[21:]] == [f"log in with `bpfimg login {locked.host}`"[:20]]


@pytest.mark.parametrize("odd", [{"HOME": ""}, {"XDG_DATA_HOME": "relative"}])
def test_the_store_is_never_where_one_happens_to_be(odd: dict[str, str]) -> None:
    from argparse import Namespace

    from bpfimg.cli._options import resolve

    found = resolve(Namespace(), {"HOME": "/home/me", **odd}, 1000)
    assert found.store == f"{odd.get('HOME', '/home/me').rstrip('/')}/.local/share/bpfimg/store"


def test_an_index_that_is_not_whole_and_an_image_that_is_none(cli: Cli, name: str, server: Server) -> None:
    error = cli.error("copy", "--platform", "linux/arm64", "oci:usb", f"{server.host}/t/part:v1", expect=1)
    assert "--flatten puts the one image in its place" in error["hint"]
    flat = ("--platform", "linux/arm64", "--flatten")
    assert cli("copy", *flat, "oci:usb", "oci:one:v1").stderr == ""
    assert cli("copy", *flat, "oci:one:v1", "oci:two:v1").stderr == ""


def test_a_single_image_is_for_the_platform_that_is_asked_for(cli: Cli, name: str, server: Server) -> None:
    flat = ("--platform", "linux/arm64", "--flatten")
    one = f"{server.host}/t/single:v1"
    digest = cli("copy", "-q", *flat, f"oci:usb:{name}", one).stdout
    for words in (
        ("copy", "--platform", "linux/amd64", one, "oci:none:v1"),
        ("copy", "--platform", "linux/amd64", "--flatten", one, "oci:none:v1"),
        ("copy", "--platform", "linux/arm64,linux/amd64", one, "oci:none:v1"),
        ("pull", "--platform", "linux/amd64", one),
        ("push", "--platform", "linux/amd64", f"registry:{one}", f"{server.host}/t/none:v1"),
    ):
        error = cli.error(*words, expect=1)
        assert error["message"].endswith("is one image, for linux/arm64, expected one for linux/amd64"), words
    assert not (cli.folder / "none").exists()
    cli("images", "-q", f"registry:{server.host}/t/none", expect=1)
    assert cli("images", "-q", one).stdout == ""
    # asked for what it is, or for nothing in particular, it comes
    assert cli("copy", "-q", "--platform", "linux/arm64", one, "oci:none:v1").stdout == digest
    assert cli("pull", "-q", one).stdout == digest
    for pull in ("missing", "never"):
        assert cli.error("pull", "--pull", pull, "--platform", "linux/amd64", one, expect=1)
        assert cli("pull", "-q", "--pull", pull, "--platform", "linux/arm64", one).stdout == digest
    assert cli("pull", "-q", f"oci:none:{'v1'}").stdout == digest


def test_what_names_no_platform_passes(cli: Cli) -> None:
    place = Layout(str(cli.folder / "odd"), Repository("registry.test", "odd"))
    odd = referrer(image().descriptor)
    odd.push(place, "v1")
    words = ("copy", "-q", "--platform", "linux/arm64", "oci:odd:registry.test/odd:v1", "oci:there")
    assert cli(*words).stdout.strip() == str(odd.descriptor.digest)


def test_hints_for_bounds_and_proxies(cli: Cli, name: str) -> None:
    error = cli.error("copy", "oci:usb", "oci:a", "--limit", "copy=1KiB", expect=1)
    assert error["message"] == "the image and what goes with it come to over 1024 bytes"
    assert error["hint"] == "`--limit copy=SIZE` takes more"
    assert "such as copy=1GiB" in cli.error("copy", "oci:usb", "oci:a", "--limit", "copy", expect=2)["message"]
    closed = {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "", "https_proxy": ""}
    said = cli("pull", name, expect=1, **closed).stderr
    assert "the proxy gives no connection (Connection refused)" in said

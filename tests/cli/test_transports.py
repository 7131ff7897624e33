"""Every verb that takes an image takes it from where its name says."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli
from tests.support.objects import EXAMPLES, example
from tests.support.podman import podman

if TYPE_CHECKING:
    from tests.support.registry import Server

SOURCES = ("oci:usb:{name}", "oci-archive:usb.tar:{name}", "registry:{name}", "store:{name}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, server: Server) -> tuple[Cli, str]:
    """A signed image with an SBOM in a store, a registry, a layout and an archive; and its name."""
    folder = tmp_path_factory.mktemp("made")
    cli = Cli(folder, {"BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)})
    name = f"{server.host}/t/transports/xdp_counter:v1"
    cli("key", "generate", "k")
    cli("build", "-t", name, str(EXAMPLES / "xdp_counter.bpf.c"), "--sbom")
    cli("sign", "--key", "k.key", name)
    cli("push", name)
    cli("copy", name, "oci:usb")
    cli("copy", name, "oci-archive:usb.tar")
    return cli, name


@pytest.fixture
def name(cli: Cli, made: tuple[Cli, str]) -> str:
    """A copy of what was made, for the test alone; but for the registry."""
    shutil.copytree(made[0].folder, cli.folder, dirs_exist_ok=True)
    return made[1]


def elsewhere(cli: Cli) -> dict[str, str]:
    return {"BPFIMG_STORE": str(cli.folder / "elsewhere")}


@pytest.mark.parametrize("source", SOURCES)
def test_looking_works_from_everywhere(source: str, cli: Cli, name: str) -> None:
    text = source.format(name=name)
    digest = cli("images", "-q", name).stdout.strip()
    assert cli("verify", "-q", "--key", "k.pub", text).stdout.strip() == digest
    assert json.loads(cli("inspect", "-o", "json", text).stdout)["digest"] == digest
    assert len(cli.json("referrers", "referrers", text)["referrers"]) >= 2
    cli("lint", text)
    cli("check", text, "--btf", "/sys/kernel/btf/vmlinux")
    assert "no change" in cli("diff", text, name).stdout
    assert cli("sign", "-q", "--key", "k.key", text).stdout.strip() == digest
    assert cli("images", "-q", **elsewhere(cli)).stdout == ""  # nothing was kept
    if source != "store:{name}":
        assert cli("verify", "-q", "--key", "k.pub", text, **elsewhere(cli)).stdout.strip() == digest
        assert not (cli.folder / "elsewhere").exists()


@pytest.mark.parametrize("source", ["oci:usb:{name}", "oci-archive:usb.tar", "oci:usb", "registry:{name}"])
def test_pull_takes_from_everywhere(source: str, cli: Cli, name: str) -> None:
    text = source.format(name=name)
    pulled = cli("pull", text, **elsewhere(cli)).stdout.strip()
    assert pulled == f"{name}@{cli('images', '-q', name).stdout.strip()}"
    assert "is believed" in cli("verify", "--pull", "never", "--key", "k.pub", name, **elsewhere(cli)).stdout


@pytest.mark.parametrize("source", ["oci:usb", "oci-archive:usb.tar:{name}", "store:{name}", "{name}"])
def test_push_takes_from_everywhere(source: str, cli: Cli, name: str, server: Server) -> None:
    text = source.format(name=name)
    digest = cli("images", "-q", name).stdout.strip()
    assert cli("push", text).stdout.strip() == f"{name}@{digest}"
    moved = f"{server.host}/pushed/xdp_counter:v2"
    assert cli("push", text, moved).stdout.strip() == f"{moved}@{digest}"
    assert cli(
        "verify", "-q", "--key", "k.pub", f"registry:{moved}", expect=3
    )  # the signature names another repository


def test_what_push_cannot_know(cli: Cli, name: str) -> None:
    cli("copy", name, "oci:bare:v1")
    error = cli.error("push", "oci:bare:v1", expect=2)
    assert "expected DST" in error["message"]
    assert "bpfimg push oci:bare:v1 registry.example" in error["hint"]
    error = cli.error("push", name, expect=1, **elsewhere(cli))
    assert error["kind"] == "NotFound"
    assert f"bpfimg copy {name}" in error["hint"]


def test_policies_are_for_bare_names(cli: Cli, name: str) -> None:
    error = cli.error("verify", "--pull", "always", "--key", "k.pub", f"store:{name}", expect=2)
    assert "says where the image is" in error["message"]
    assert "is no registry" in cli.error("pull", "--pull", "always", "oci:usb", expect=2)["message"]
    assert "expected always, missing, newer, never" in cli.error("pull", "--pull", "often", name, expect=2)["message"]
    cli("pull", "--pull", "IfNotPresent", name)
    assert "in the local store already" in cli.error("pull", f"store:{name}", expect=2)["message"]


def test_words_of_other_tools(cli: Cli) -> None:
    for verb in ("pull", "push", "inspect", "verify", "lint", "referrers"):
        words = (verb, "docker://quay.io/a/b:v1", *(("--key", "k.pub") if verb == "verify" else ()))
        if verb == "verify":
            cli("key", "generate", "k")
        assert "registry:NAME" in cli.error(*words, expect=2)["hint"]
    assert "podman save" in cli.error("copy", "containers-storage:a", "oci:x", expect=2)["hint"]


def test_a_path_alone_takes_the_name(cli: Cli, name: str) -> None:
    digest = cli("images", "-q", name).stdout.strip()
    assert cli("copy", f"registry:{name}", "oci:other").stdout.strip() == f"oci:other:{name}@{digest}"
    copied = cli.json("images", "copy", f"registry:{name}", "docker-archive:d.tar")["images"]
    assert copied[0]["reference"] == f"docker-archive:d.tar:{name}"
    cli("copy", f"{name.rpartition(':')[0]}@{digest}", "oci:other")
    cli("copy", name, "oci:bare:v1")
    error = cli.error("copy", "oci:bare:v1", "oci:other", expect=2)
    assert "expected oci:PATH:NAME" in error["message"]


def test_an_archive_is_whole_or_not_there(cli: Cli, name: str) -> None:
    before = (cli.folder / "usb.tar").read_bytes()
    cli("copy", f"registry:{name}-none", "oci-archive:usb.tar", expect=1)
    cli("copy", "--limit", "copy=10", f"registry:{name}", "oci-archive:new.tar", expect=1)
    assert not (cli.folder / "new.tar").exists()
    assert (cli.folder / "usb.tar").read_bytes() == before
    assert not [each for each in cli.folder.iterdir() if "usb.tar" in each.name and each.name != "usb.tar"]


def multi(cli: Cli, server: Server, path: str) -> str:
    (cli.folder / "le.o").write_bytes(example("xdp_counter"))
    name = f"{server.host}/{path}:v1"
    cli("build", "-t", name, "linux/amd64=le.o", "linux/arm64=le.o", "linux/riscv64=le.o")
    return name


def test_by_platform(cli: Cli, server: Server) -> None:
    name = multi(cli, server, "platforms/xdp")
    digest = cli("images", "-q", name).stdout.strip()
    words = ("copy", "-q", "--platform", "linux/arm64,linux/amd64", name)
    assert cli(*words, "oci:some").stdout.strip() == digest
    cli("inspect", "--platform", "linux/arm64", f"oci:some:{name}")
    cli("inspect", "--platform", "linux/riscv64", f"oci:some:{name}", expect=1)
    error = cli.error("copy", "--platform", "linux/s390x", name, "oci:none", expect=1)
    assert "linux/amd64, linux/arm64" in error["message"]
    # an index that is not whole: Debian's registry looks, and refuses
    assert cli.error("copy", "--platform", "linux/arm64", name, f"{server.host}/platforms/one:v1", expect=1)
    cli("copy", name, f"registry:{name}")
    assert cli("pull", "-q", "--platform", "linux/riscv64", name, **elsewhere(cli)).stdout.strip() == digest
    cli("inspect", "--platform", "linux/riscv64", name, **elsewhere(cli))
    cli("inspect", "--platform", "linux/arm64", f"store:{name}", expect=1, **elsewhere(cli))


def test_one_platform_in_place_of_the_index(cli: Cli, server: Server) -> None:
    name = multi(cli, server, "flat/xdp")
    cli("key", "generate", "k")
    cli("sign", "--key", "k.key", name)
    flat = f"{server.host}/flat/xdp:v1-arm64"
    digest = cli("copy", "-q", "--platform", "linux/arm64", "--flatten", name, flat).stdout.strip()
    assert digest != cli("images", "-q", name).stdout.strip()
    assert json.loads(cli("inspect", "-o", "json", f"registry:{flat}").stdout)["platform"] == "linux/arm64"
    assert "is believed" in cli("verify", "--key", "k.pub", f"registry:{flat}").stdout  # its own signature
    for words in (["--flatten"], ["--flatten", "--platform", "linux/amd64,linux/arm64"]):
        assert "expected one --platform" in cli.error("copy", *words, name, flat, expect=2)["message"]
    error = cli.error("pull", "--platform", "linux/amd64", "--all-platforms", name, expect=2)
    assert "expected one of them" in error["message"]


def test_signatures_stay_behind_when_asked(cli: Cli, name: str) -> None:
    cli("copy", "--no-referrers", name, "oci:alone")
    cli("verify", "--key", "k.pub", f"oci:alone:{name}", expect=3)


def test_limits_hold_in_every_verb_that_fetches(cli: Cli, name: str) -> None:
    where = {"BPFIMG_STORE": str(cli.folder / "limited")}
    error = cli.error("pull", "--limit", "copy=100", name, expect=1, **where)
    assert "over 100 bytes" in error["message"]
    assert (
        "over 100 bytes"
        in cli.error("verify", "--key", "k.pub", name, expect=1, BPFIMG_LIMIT="copy=100", **where)["message"]
    )
    assert cli("images", "-q", **where).stdout == ""
    cli("pull", "--limit", "copy=1GiB", name, BPFIMG_LIMIT="copy=100,referrers=3", **where)
    assert "no limit 'copies'" in cli.error("push", "--limit", "copies=1", name, expect=2)["message"]
    for verb in ("run", "load", "push", "pull", "copy", "verify"):
        assert "--limit" in cli(verb, "--help").stdout


def test_verify_keeps_what_it_fetched(cli: Cli, name: str) -> None:
    where = elsewhere(cli)
    assert "is believed" in cli("verify", "--key", "k.pub", name, **where).stdout
    assert "is believed" in cli("verify", "--pull", "never", "--key", "k.pub", name, **where).stdout
    error = cli.error("verify", "--pull", "never", "--key", "k.pub", name, expect=1, BPFIMG_STORE="nowhere")
    assert "not in the local store" in error["message"]


def test_an_altered_store_heals(cli: Cli, name: str) -> None:
    where = elsewhere(cli)
    cli("pull", name, **where)
    for path in (cli.folder / "elsewhere/blobs/sha256").iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    cli("verify", "--pull", "never", "--key", "k.pub", name, expect=1, **where)
    assert "is believed" in cli("verify", "--key", "k.pub", name, **where).stdout
    assert "is believed" in cli("verify", "--pull", "never", "--key", "k.pub", name, **where).stdout


def test_a_short_name_is_what_registries_conf_says(cli: Cli, name: str, server: Server, fragile: Server) -> None:
    conf = cli.folder / "registries.conf"
    conf.write_text(f'unqualified-search-registries = ["127.0.0.1:1", "{server.host}"]\n')
    short = name.removeprefix(f"{server.host}/")
    environ = {"CONTAINERS_REGISTRIES_CONF": str(conf), **elsewhere(cli)}
    error = cli.error("pull", short, expect=1, **environ)  # the first one is down: nobody knows what it has
    assert "127.0.0.1:1" in error["message"]
    conf.write_text(f'unqualified-search-registries = ["{fragile.host}", "{server.host}"]\n')
    assert cli("pull", short, **environ).stdout.startswith(f"{name}@")
    assert cli("verify", "--pull", "never", "--key", "k.pub", short, **environ).stdout.startswith(f"{name} is believed")
    assert name in cli("inspect", "-o", "json", short, **environ).stdout
    assert "is believed" in cli("verify", "--key", "k.pub", f"registry:{short}", **environ).stdout
    assert "is believed" in cli("verify", "--key", "k.pub", f"store:{short}", **environ).stdout
    error = cli.error("copy", name, short, expect=2, **environ)  # written it would be to one of them, but which
    assert f"{fragile.host}/t/" in error["message"]
    conf.write_text(f'[aliases]\n"mine" = "{name.rpartition(":")[0]}"\n')
    assert "is believed" in cli("verify", "--key", "k.pub", "registry:mine:v1", **environ).stdout
    assert cli("copy", name, "mine:v2", **environ).stdout.startswith("mine:v2@")


def test_what_was_built_under_a_short_name_is_found(cli: Cli) -> None:
    cli("build", "-t", "acme/xdp:v1", str(EXAMPLES / "xdp_pass.bpf.c"))
    conf = cli.folder / "registries.conf"
    conf.write_text('unqualified-search-registries = ["127.0.0.1:1"]\n')
    assert cli("inspect", "acme/xdp:v1", CONTAINERS_REGISTRIES_CONF=str(conf)).stdout


def test_a_container_engine(cli: Cli, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with podman(tmp_path_factory.mktemp("podman")) as engine:
        environ = {"DOCKER_HOST": f"unix://{engine.socket}"}
        done = cli("copy", name, "docker-daemon:team/xdp_counter:v1", **environ)
        printed = done.stdout.strip()
        assert printed.startswith("docker-daemon:team/xdp_counter:v1@sha256:")
        assert "warning" in done.stderr  # the manifest is another one there, and signatures do not go along
        shown = json.loads(cli("inspect", "-o", "json", "docker-daemon:team/xdp_counter:v1", **environ).stdout)
        assert shown["programs"][0]["name"] == "xdp_count"
        assert shown["digest"] == printed.partition("@")[2]
        cli("verify", "--key", "k.pub", "docker-daemon:team/xdp_counter:v1", expect=3, **environ)
        cli("pull", "docker-daemon:team/xdp_counter:v1", BPFIMG_STORE="elsewhere", **environ)

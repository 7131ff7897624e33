"""Build, sign, push, pull into another store and verify, through registries of each form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Layout, Reference
from tests.support.exchange import FORMS, blobs
from tests.support.objects import EXAMPLES
from tests.support.peers import content
from tests.support.registry import PASSWORD, USER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Cli
    from tests.support.exchange import Place

SOURCE = str(EXAMPLES / "xdp_counter.bpf.c")


def assert_equal_stores(folder: Path, name: str) -> None:
    """Fails unless everything that belongs to the image has arrived, byte for byte."""
    ours, theirs = content(folder / "store"), content(folder / "other")
    reference = Reference.parse(name)
    there = Layout(str(folder / "other"), reference.repository)
    found = there.resolve(reference.selector)
    assert found == Layout(str(folder / "store"), reference.repository).resolve(reference.selector)
    for digest in blobs(there, found):
        assert theirs[digest] == ours[digest]


@pytest.mark.parametrize("variant", ["image", "artifact"])
def test_signed_at_home(place: Place, tmp_path: Path, variant: str) -> None:
    """The signatures travel with the image, both ways."""
    here, there = place.cli(tmp_path), place.cli(tmp_path, "other")
    name = place.name(f"home/{variant}")
    here("key", "generate", "k")
    here("build", "-t", name, "--variant", variant, "--platform", "linux/amd64,linux/arm64", "--sbom", SOURCE)
    here("sign", "--key", "k.key", name)
    digest = here("push", "-q", name).stdout
    assert there("pull", "-q", "--all-platforms", name).stdout == digest
    assert_equal_stores(tmp_path, name)
    there("verify", "--key", "k.pub", name)
    there("key", "generate", "stranger")
    there("verify", "--key", "stranger.pub", name, expect=3)
    looked = [each.json("object", "inspect", name) for each in (here, there)]
    assert looked[0] == looked[1]
    kinds = [
        {(each["artifact_type"], each["digest"]) for each in cli.json("referrers", "referrers", name)["referrers"]}
        for cli in (here, there)
    ]
    assert kinds[0] == kinds[1] != set()


def test_signed_in_the_registry(place: Place, tmp_path: Path) -> None:
    """Whoever signs need not have the image, nor whoever verifies."""
    here, other = place.cli(tmp_path), place.cli(tmp_path, "other")
    name = place.name("remote/xdp_counter")
    here("key", "generate", "k")
    here("build", "--push", "-t", name, SOURCE)
    other("verify", "--key", "k.pub", f"registry:{name}", expect=3)
    other("sign", "--key", "k.key", f"registry:{name}")
    other("verify", "--key", "k.pub", f"registry:{name}")
    assert not (tmp_path / "other").exists()
    other("pull", "--all-platforms", name)
    assert_equal_stores(tmp_path, name)
    place.server.log.write_text("")
    other("verify", "--key", "k.pub", name)
    assert place.server.requests() == []


def test_copied_from_registry_to_registry(place: Place, plain: Place, tmp_path: Path) -> None:
    """Where one of them has TLS with an authority of its own, between two repositories."""
    cli = place.cli(tmp_path)
    other = place if place.ca else plain
    name, elsewhere = place.name("copy/from"), other.name(f"copy/{place.form}")
    cli("build", "--push", "-t", name, "--platform", "linux/amd64,linux/arm64", "--sbom", SOURCE)
    digest = cli("copy", "-q", f"registry:{name}", f"registry:{elsewhere}").stdout
    assert cli("push", "-q", name).stdout == digest
    far = other.cli(tmp_path, "other")
    assert far("pull", "-q", "--all-platforms", elsewhere).stdout == digest
    far("copy", f"store:{elsewhere}", f"store:{name}")
    assert_equal_stores(tmp_path, name)
    assert len(far.json("referrers", "referrers", name)["referrers"]) == 2


@pytest.mark.parametrize("place", [form for form, started in FORMS.items() if "auth" in started], indirect=True)
@pytest.mark.parametrize("where", ["--authfile", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "home"])
def test_where_credentials_are_kept(place: Place, tmp_path: Path, where: str) -> None:
    name = place.name(f"kept/{where.strip('-').lower().replace('_', '-')}")
    cli = place.cli(tmp_path)
    cli("build", "-t", name, SOURCE)
    for password, expect in ((None, 1), ("wrong", 1), (PASSWORD, 0)):
        folder = tmp_path / "login"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text("{}")
        if password:
            place.server.authfile(folder / "config.json", password)
        words, environ = _told(where, cli, folder)
        done = cli("push", *words, name, expect=expect, **environ)
        if expect:
            assert done.stderr.count("error:") == 1
            assert PASSWORD not in done.stderr
            assert USER not in done.stdout


def _told(where: str, cli: Cli, folder: Path) -> tuple[list[str], dict[str, str]]:
    if where == "--authfile":
        return ["--authfile", str(folder / "config.json")], {"DOCKER_CONFIG": "/nowhere"}
    if where == "home":
        (cli.folder / ".docker").mkdir(exist_ok=True)
        (cli.folder / ".docker" / "config.json").write_bytes((folder / "config.json").read_bytes())
        return [], {"DOCKER_CONFIG": ""}
    return [], {"DOCKER_CONFIG": "/nowhere", where: str(folder if where == "DOCKER_CONFIG" else folder / "config.json")}

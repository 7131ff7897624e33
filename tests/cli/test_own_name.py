"""What a directory or archive says that its image is called: good enough for a signature to be compared with, never for
a rule that asks for none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.targets import image
from tests.support.trusting import rule, with_policy

if TYPE_CHECKING:
    from tests.support.cli import Cli

NAME = "127.0.0.1:5000/dev/xdp:v1"


@pytest.fixture
def trusting(cli: Cli) -> Cli:
    """One rule asks for a signature, the other, for a registry of this machine, for none."""
    cli("key", "generate", "k", COSIGN_PASSWORD="")
    unsigned = {"scope": "127.0.0.1:5000/dev/**", "action": "insecure-allow-unsigned"}
    return with_policy(cli, rule("registry.example/**"), unsigned)


def _stick(cli: Cli, transport: str, name: str) -> str:
    """What somebody hands over: an image that calls itself as it likes."""
    from bpfimg.oci import Layout, Reference

    layout = Layout(str(cli.folder / "made"), Reference.parse(name).repository, short_names=False)
    image("strange").push(layout, "v1")
    place = f"{transport}:{cli.folder}/stick"
    cli("copy", f"oci:{cli.folder}/made:{name}", f"{place}:{name}")
    return place


@pytest.mark.parametrize("transport", ["oci", "oci-archive"])
@pytest.mark.parametrize("verb", [("verify",), ("load", "--dry-run")])
def test_what_names_itself_chooses_no_rule_without_signatures(
    transport: str, verb: tuple[str, ...], trusting: Cli
) -> None:
    place = _stick(trusting, transport, NAME)
    error = trusting.error(*verb, place, expect=3)
    assert f"it calls itself {NAME}" in error["message"]
    assert error["hint"].endswith(f"{place}:{NAME}")
    assert trusting.json("images", "verify", f"{place}:{NAME}")["images"][0]["unsigned_allowed"] is True


def test_nor_does_the_policys_default(cli: Cli) -> None:
    open_to_all = with_policy(cli, keys={}, authorities={}, default="insecure-allow-unsigned")
    place = _stick(open_to_all, "oci", NAME)
    assert "it calls itself" in open_to_all.error("verify", place, expect=3)["message"]


def test_a_name_of_its_own_is_good_enough_for_a_signature(trusting: Cli) -> None:
    name = "registry.example/team/xdp:v1"
    place = _stick(trusting, "oci", name)
    assert "is not signed" in trusting.error("verify", place, expect=3)["message"]
    trusting("sign", "--key", "k.key", f"{place}:{name}", COSIGN_PASSWORD="")
    assert trusting.json("images", "verify", place)["images"][0]["rule"] == "registry.example/**"

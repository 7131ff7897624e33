"""`bpfimg sign` and `attest` say where the signature is: in the local store, until it is pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.targets import image

if TYPE_CHECKING:
    from tests.support.cli import Cli
    from tests.support.registry import Server

SAID = "signed in the local store; `bpfimg push {}` takes it to the registry"


@pytest.mark.parametrize("verb", ["sign", "attest"])
def test_only_what_is_signed_in_the_store_needs_a_push(verb: str, cli: Cli, server: Server) -> None:
    from bpfimg.oci import Layout, Repository

    name = f"{server.host}/signed/{verb}:v1"
    image("one").push(Layout(str(cli.folder / "store"), Repository.parse(name.rpartition(":")[0])), "v1")
    cli("key", "generate", "k", COSIGN_PASSWORD="")
    (cli.folder / "said.json").write_text("{}")
    more = ("--type", "custom", "--predicate", "said.json") if verb == "attest" else ()
    words = (verb, "--key", "k.key", *more)
    assert SAID.format(name) in cli(*words, name, COSIGN_PASSWORD="").stderr
    assert cli(*words, "-q", name, COSIGN_PASSWORD="").stderr == ""
    cli("push", name)
    assert "local store" not in cli(*words, f"registry:{name}", COSIGN_PASSWORD="").stderr
